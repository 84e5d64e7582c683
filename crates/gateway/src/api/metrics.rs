//! Figures: `/metrics`, how the gateway is doing, for whoever watches. Sums over all banks and operators: their number grows with
//! nobody's doing.

use super::problem;
use crate::domain::comparison::Paper;
use crate::domain::open::Thing;
use crate::gateway::Gateway;
use axum::extract::State;
use axum::response::Response;
use engine::EngineError;
use web::Problem;

/// How old the figures from the books may be, in milliseconds: whoever asks more often is shown the same ones.
const FRESH_MS: i64 = 1_000;

/// What stands in the books of all banks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    movements: u64,
    mandates: u64,
    notices: u64,
    findings: u64,
    files: u64,
}

impl Figures {
    async fn read(gateway: &Gateway) -> Result<Self, EngineError> {
        let mut figures = Self::default();
        for bank in &gateway.options().banks {
            for thing in gateway.open_things(bank.code).await? {
                match thing {
                    Thing::Movement(_) => figures.movements += 1,
                    Thing::Mandate(_) => figures.mandates += 1,
                    Thing::Notice(_) => figures.notices += 1,
                    Thing::Finding(_) => figures.findings += 1,
                }
            }
            for paper in Paper::ALL {
                let aside = gateway.comparison(bank.code, paper).await?.map_or(0, |row| row.waited_for().count());
                figures.files += u64::try_from(aside).unwrap_or(u64::MAX);
            }
        }
        Ok(figures)
    }
}

/// `GET /metrics`, in the text format of Prometheus.
pub async fn show(State(gateway): State<Gateway>) -> Result<Response, Problem> {
    let unavailable = |error: EngineError| problem::engine_error(&error);
    let status = gateway.engine().status().await.map_err(unavailable)?;
    let monotonic = gateway.outside().clock.monotonic_milliseconds();
    let figures = {
        let mut known = gateway.figures().lock().await;
        match *known {
            Some((read, figures)) if monotonic - read < FRESH_MS => figures,
            Some(_) | None => {
                let figures = Figures::read(&gateway).await.map_err(unavailable)?;
                *known = Some((monotonic, figures));
                figures
            }
        }
    };
    let resting = u64::try_from(gateway.work().resting(gateway.outside().now())).unwrap_or(u64::MAX);
    let cached = u64::try_from(status.cache_rows).unwrap_or(u64::MAX);
    let behind = status.head.at.milliseconds_since(gateway.outside().now());
    Ok(web::figures(&[
        ("kinchaku_gateway_journal_records_total", "Records in the journal.", status.head.place.n),
        ("kinchaku_gateway_engine_cache_rows", "Rows in the engine's cache.", cached),
        ("kinchaku_gateway_engine_defects_total", "Commands that met a defect since the start.", status.defects),
        (
            "kinchaku_gateway_clock_believed",
            "0 while the machine's calendar is not believed.",
            u64::from(status.clock_trusted),
        ),
        (
            "kinchaku_gateway_clock_behind_milliseconds",
            "How far the calendar is behind the journal's last record.",
            u64::try_from(behind).unwrap_or(0),
        ),
        (
            "kinchaku_gateway_refusals_counted_total",
            "Refusals that were only counted since the start.",
            status.refusals_counted,
        ),
        ("kinchaku_gateway_movements_open", "Debits, credits and returns without a final answer.", figures.movements),
        ("kinchaku_gateway_mandates_open", "Mandates on their way.", figures.mandates),
        (
            "kinchaku_gateway_notices_owed",
            "Account holders who are still to be told of a first factor.",
            figures.notices,
        ),
        (
            "kinchaku_gateway_findings",
            "Records of day files and statements of credits that nobody here asked for.",
            figures.findings,
        ),
        (
            "kinchaku_gateway_day_files_missing",
            "Day files and statements of credits that stay away or cannot be read.",
            figures.files,
        ),
        ("kinchaku_gateway_banks_left_alone", "Banks that do not answer and are left alone.", resting),
    ]))
}
