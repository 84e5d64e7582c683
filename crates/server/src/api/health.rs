//! Health: whether the process lives, whether it can work, and how it is doing, for whoever watches.

use crate::doors::DoorsError;
use crate::news::Aside;
use crate::refusals;
use crate::service::Service;
use crate::work::closing::Difference;
use crate::work::{Due, Waiting};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use engine::{Head, Mode, Progress, Status};
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::Problem;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(alive)).routes(routes!(ready)).routes(routes!(metrics))
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health",
    responses((status = 200, description = "`ok`", body = String, content_type = "text/plain")))]
async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the service can work.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "`ready`", body = String, content_type = "text/plain")))]
async fn ready(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    let status = service.engine.status().await.map_err(|error| refusals::engine_problem(&error))?;
    // Notices or due work that stand still are told by their figures alone: without requests nobody could freeze a wallet.
    match status.mode {
        Mode::Running if status.held_up.is_some() => Err(refusals::unavailable()),
        Mode::Running => Ok((StatusCode::OK, "ready\n").into_response()),
        Mode::ReadOnly(_) | Mode::Dead(_) => Err(refusals::unavailable()),
    }
}

/// In the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "One figure a line.", body = String, content_type = "text/plain")))]
async fn metrics(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    let status = service.engine.status().await.map_err(|error| refusals::engine_problem(&error))?;
    let mut figures = of_engine(&service, &status);
    figures.extend(of_consumer(NOTICES, service.teller.progress(), &status.head));
    figures.extend(of_consumer(WORK, service.maker.progress(), &status.head));
    figures.extend(of_work(&service));
    Ok(web::figures(&figures))
}

/// A figure's name, what it says, and how much it is.
type Figure = (&'static str, &'static str, u64);

fn of_engine(service: &Service, status: &Status) -> Vec<Figure> {
    let gauge = |gauge: &AtomicU64| gauge.load(Ordering::Relaxed);
    vec![
        ("kinchaku_journal_records_total", "Records in the journal.", status.head.place.n),
        ("kinchaku_engine_cache_rows", "Rows in the engine's cache.", u64::try_from(status.cache_rows).unwrap_or(0)),
        (
            "kinchaku_engine_defects_total",
            "Commands that met a defect since the start; the log names their records.",
            status.defects,
        ),
        (
            "kinchaku_engine_held_up",
            "1 while commands are refused because the disk does not take the rows that wait.",
            u64::from(status.held_up.is_some()),
        ),
        (
            "kinchaku_clock_believed",
            "0 while the machine's calendar is not believed: no money leaves then.",
            u64::from(status.clock_trusted),
        ),
        (
            "kinchaku_clock_behind_milliseconds",
            "How far the calendar is behind the journal's last record: above 10000 no money leaves until it has caught up.",
            u64::try_from(status.head.at.milliseconds_since(service.now())).unwrap_or(0),
        ),
        (
            "kinchaku_refusals_counted_total",
            "Refusals that were only counted since the start.",
            status.refusals_counted,
        ),
        (
            "kinchaku_anchors_failed_total",
            "Anchors of the journal that could not be written since the start; the log says why.",
            gauge(&service.gauges.anchors_failed),
        ),
        (
            "kinchaku_anchors_strange_total",
            "Lines of the anchor file that somebody else wrote, met since the start: run `kinchaku audit verify` with it.",
            gauge(&service.gauges.anchors_strange),
        ),
        (
            "kinchaku_anchored_record",
            "The last record that an anchor covers; 0 where none does.",
            gauge(&service.gauges.anchored_record),
        ),
        (
            "kinchaku_anchored_at_milliseconds",
            "The time of that record, since 1970.",
            gauge(&service.gauges.anchored_at_milliseconds),
        ),
        (
            "kinchaku_checkpoints_failed_total",
            "Checkpoints of the journal that failed since the start, and were tried again.",
            gauge(&service.gauges.checkpoints_failed),
        ),
    ]
}

/// The names of a consumer's figures: how many records and milliseconds it is behind, how often it failed, and how often in a row.
type Names = [&'static str; 4];

const NOTICES: Names = [
    "kinchaku_notices_lag_records",
    "kinchaku_notices_lag_milliseconds",
    "kinchaku_notices_failures_total",
    "kinchaku_notices_failures_in_a_row",
];
const WORK: Names = [
    "kinchaku_work_lag_records",
    "kinchaku_work_lag_milliseconds",
    "kinchaku_work_failures_total",
    "kinchaku_work_failures_in_a_row",
];

fn of_consumer([records, milliseconds, failures, in_a_row]: Names, progress: &Progress, head: &Head) -> [Figure; 4] {
    let lag_ms = u64::try_from(progress.lag_ms(head)).unwrap_or(0);
    [
        (records, "Records that were not handled yet.", head.place.n.saturating_sub(progress.n())),
        (milliseconds, "How much older the last handled record is than the journal's last.", lag_ms),
        (failures, "Failures since the start; the log says of what.", progress.failures()),
        (
            in_a_row,
            "Failures since all was handled the last time; 0 while nothing keeps it.",
            progress.failures_in_a_row(),
        ),
    ]
}

fn of_work(service: &Service) -> [Figure; 6] {
    let number = |count: Result<u64, DoorsError>| count.unwrap_or(0);
    [
        (
            "kinchaku_work_due",
            "Pieces of due work that wait: 10000 where there are more.",
            number(service.work.count::<Due>()),
        ),
        (
            "kinchaku_bank_differences",
            "Movements of which the books and the gateway say different things: 10000 where there are more.",
            number(service.doors.count::<Difference>()),
        ),
        (
            "kinchaku_waiting_for_desk",
            "Movements, mandates and debts that wait for the desk: 10000 where there are more.",
            number(service.work.count::<Waiting>()),
        ),
        (
            "kinchaku_news_set_aside",
            "Pieces of the gateway's news on which we could not act so far; the log names them.",
            number(service.doors.count::<Aside>()),
        ),
        (
            "kinchaku_banks_left_alone",
            "Banks that do not answer and are left alone.",
            u64::try_from(service.breakers.banks_left_alone(service.now())).unwrap_or(0),
        ),
        (
            "kinchaku_gateway_left_alone",
            "Whether the gateway does not answer for itself and is left alone: then no bank is asked.",
            u64::from(service.breakers.gateway_pause(service.now()).is_some()),
        ),
    ]
}
