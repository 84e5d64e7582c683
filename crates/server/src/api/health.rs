//! Health: whether the process lives, whether it can work, and how it is doing, for whoever watches.

use crate::doors::DoorsError;
use crate::refusals;
use crate::service::Service;
use crate::work::closing::Difference;
use crate::work::{Due, Waiting};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use engine::Mode;
use http::{StatusCode, header};
use std::fmt::Write;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::Problem;

/// The paths of this room.
pub fn router() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::new().routes(routes!(alive)).routes(routes!(ready)).routes(routes!(metrics))
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "As asked.")))]
async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the service can work.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, description = "As asked.")))]
async fn ready(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    let status = service.engine.status().await.map_err(|error| refusals::engine_problem(&error))?;
    match status.mode {
        Mode::Running => Ok((StatusCode::OK, "ready\n").into_response()),
        Mode::ReadOnly(_) | Mode::Dead(_) => Err(refusals::unavailable()),
    }
}

/// In the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, description = "As asked.")))]
async fn metrics(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    let status = service.engine.status().await.map_err(|error| refusals::engine_problem(&error))?;
    let number = |count: Result<u64, DoorsError>| count.unwrap_or(0);
    let lag = status.head.place.n.saturating_sub(service.maker.follower().cursor());
    let figures: [(&str, &str, u64); 10] = [
        ("kinchaku_journal_records_total", "Records in the journal.", status.head.place.n),
        ("kinchaku_engine_cache_rows", "Rows in the engine's cache.", u64::try_from(status.cache_rows).unwrap_or(0)),
        ("kinchaku_engine_defects_total", "Commands that met a defect since the start.", status.defects),
        (
            "kinchaku_refusals_counted_total",
            "Refusals that were only counted since the start.",
            status.refusals_counted,
        ),
        (
            "kinchaku_anchors_failed_total",
            "Anchors of the journal that could not be written since the start.",
            service.gauges.anchors_failed.load(std::sync::atomic::Ordering::Relaxed),
        ),
        ("kinchaku_work_due", "Pieces of due work that wait.", number(service.work.count::<Due>())),
        (
            "kinchaku_bank_differences",
            "Movements of which the books and the gateway say different things.",
            number(service.doors.count::<Difference>()),
        ),
        (
            "kinchaku_waiting_for_desk",
            "Movements, mandates and debts that wait for the desk.",
            number(service.work.count::<Waiting>()),
        ),
        ("kinchaku_work_lag_records", "Records of which no work was made yet.", lag),
        (
            "kinchaku_banks_left_alone",
            "Banks that do not answer and are left alone.",
            u64::try_from(service.breakers.open(service.now())).unwrap_or(0),
        ),
    ];
    let mut text = String::new();
    for (name, help, value) in figures {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}")
            .map_err(|_| Problem::internal())?;
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
