//! Health, for whoever watches a process: does it live, and can it work?

use crate::problem::Problem;
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::Domain;
use engine::{Engine, Mode};
use http::{StatusCode, header};
use std::fmt::Write;

/// `/healthz`: the process answers. `/readyz`: its books can be written; 503 while they cannot, and whoever balances load
/// sends nobody here.
pub fn health<D: Domain>(engine: &Engine<D>) -> Router {
    let engine = engine.clone();
    let ready = move || {
        let engine = engine.clone();
        async move { ready(&engine).await }
    };
    Router::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready))
}

async fn ready<D: Domain>(engine: &Engine<D>) -> Result<&'static str, Problem> {
    match engine.status().await.map(|status| status.mode) {
        Ok(Mode::Running) => Ok("ready\n"),
        Ok(Mode::ReadOnly(_) | Mode::Dead(_)) | Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-ready",
            "The books cannot be written now.",
            "現在、記帳ができません。",
        )),
    }
}

/// Figures in the text format of Prometheus, each with its name and what it says; a name that ends in `_total` only ever grows.
pub fn figures(figures: &[(&str, &str, u64)]) -> Response {
    let mut text = String::new();
    for (name, help, value) in figures {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        if writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}").is_err() {
            return Problem::internal().into_response();
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
