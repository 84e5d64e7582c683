//! Hosts: each service has its own, because cookies know neither ports nor paths.

use crate::problem::Problem;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use std::collections::BTreeMap;
use std::sync::Arc;
use tower::ServiceExt;

/// One router that hands each request to the router of its Host header. A host that is nobody's is misdirected (RFC 9110).
pub fn by_host(routers: impl IntoIterator<Item = (String, Router)>) -> Router {
    let routers: Arc<BTreeMap<String, Router>> = Arc::new(routers.into_iter().collect());
    Router::new().fallback(move |request: Request<Body>| {
        let is_twice = request.headers().get_all(header::HOST).iter().nth(1).is_some();
        let router = host(&request).and_then(|host| routers.get(&host).cloned());
        async move {
            match router {
                // Two of them: whoever stands in front of us may have looked at the other (RFC 9112, section 3.2).
                _ if is_twice => Problem::malformed("A request has one Host.").into_response(),
                Some(router) => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
                None => misdirected(),
            }
        }
    })
}

/// The host that the request names, in lower case and without its port.
fn host(request: &Request<Body>) -> Option<String> {
    let named = match request.uri().host() {
        Some(host) => host,
        None => request.headers().get(header::HOST)?.to_str().ok()?,
    };
    let host = named.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    Some(host.map_or(named, |(host, _)| host).to_ascii_lowercase())
}

fn misdirected() -> Response {
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "unknown-host",
        "No service here has this host name.",
        "このホスト名のサービスはありません。",
    )
    .detail("Use the host names that the program printed when it started.")
    .into_response()
}
