//! The armour around each router: request ids, bounds of body and time, headers that keep browsers strict, and a panic that
//! ends one request alone.

use crate::body::BODY_BYTES_MAX;
use crate::chance::{self, Chance};
use crate::problem::{Problem, fallback};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use domain::Id;
use engine::Clock;
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where a request came from: the socket's address, or what a configured, trusted proxy says. Whoever listens puts it in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(pub IpAddr);

/// The id of a request: in its answer's `X-Request-Id` and in every log line about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub Id);

/// What the armour is made with.
#[derive(Clone)]
pub struct Armour {
    /// For request ids.
    pub clock: Arc<dyn Clock>,
    /// For request ids.
    pub chance: Arc<dyn Chance>,
    /// The longest a request may take, in milliseconds of the machine's clock.
    pub time_ms_max: u64,
    /// Paths that may take longer, each with its own bound.
    pub longer: &'static [(&'static str, u64)],
    /// The service's name in the log.
    pub service: &'static str,
}

/// `router` with everything around it that each service has.
pub fn armour(router: Router, armour: Armour) -> Router {
    armour_routes(router.fallback(fallback), armour)
}

/// The same for routes that another service's router takes in, and that answer for no path but their own.
pub fn armour_routes(router: Router, armour: Armour) -> Router {
    router
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
        .layer(from_fn(move |request, next| guard(armour.clone(), request, next)))
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "The path does not take this method.",
        "このメソッドは使えません。",
    )
}

async fn guard(armour: Armour, mut request: Request<Body>, next: Next) -> Response {
    let id = chance::id(armour.chance.as_ref(), armour.clock.now());
    request.extensions_mut().insert(RequestId(id));
    let method = request.method().clone();
    let longer = armour.longer.iter().find(|(path, _)| *path == request.uri().path());
    let time_ms_max = longer.map_or(armour.time_ms_max, |(_, time_ms_max)| *time_ms_max);
    let began = armour.clock.monotonic_milliseconds();
    let answer = tokio::time::timeout(Duration::from_millis(time_ms_max), next.run(request)).await;
    let mut response = answer.map_or_else(|_| timed_out().into_response(), as_problem);
    let status = response.status().as_u16();
    let took_ms = armour.clock.monotonic_milliseconds() - began;
    // The path is not logged: it may name a person's things.
    tracing::debug!(service = armour.service, request = %id, %method, status, took_ms, "answered");
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// What the framework refuses by itself, such as a path that is no text, in the shape in which we refuse.
fn as_problem(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !response.status().is_client_error() || !kind.starts_with("text/plain") {
        return response;
    }
    Problem::malformed("The path, a parameter or the form cannot be read.").into_response()
}

fn timed_out() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timed-out", "It took too long.", "時間内に処理できませんでした。")
        .detail("What became of it is told by a repeat with the same Idempotency-Key.")
        .retry_after(1)
}
