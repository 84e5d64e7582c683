//! What every part of the sandbox shares, and the mark that every answer of it carries.

use crate::domain::bank::BankCode;
use crate::grants::Grants;
use crate::operator::SecondOperator;
use crate::options::{OpenError, Options};
use crate::registry::Registry;
use crate::world::WorldEngine;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use std::net::IpAddr;
use std::sync::Arc;
use web::{Outside, Problem, Secret, Source};

/// What every answer of the sandbox carries.
pub(crate) const MARK: HeaderName = HeaderName::from_static("x-kinchaku-sandbox");
/// What every part shares.
pub(crate) struct State {
    pub options: Options,
    pub outside: Outside,
    pub registry: Registry,
    pub world: WorldEngine,
    /// For the tokens of forms.
    pub csrf_key: [u8; 32],
    /// The other company at the gateway.
    pub operator: SecondOperator,
    /// What is under way on the banks' own pages.
    pub grants: Grants,
}

impl State {
    pub(crate) fn open(options: Options, outside: Outside) -> Result<Self, OpenError> {
        let world = WorldEngine::open(&options, Arc::clone(&outside.clock))?;
        let operator = SecondOperator::open(options.secrets.second_operator.clone(), outside.chance.as_ref());
        let registry = Registry::read();
        let mut csrf_key = [0; 32];
        outside.chance.fill(&mut csrf_key);
        Ok(Self { options, outside, registry, world, csrf_key, operator, grants: Grants::default() })
    }

    /// The bank with this code in a path, if it is one of the registry's.
    pub(crate) fn bank(&self, code: &str) -> Result<BankCode, Problem> {
        let code = BankCode::parse(code).filter(|code| self.registry.find(*code).is_some());
        code.ok_or_else(Problem::not_found)
    }
}

/// `router`, each of whose answers says that it is simulated.
pub fn marked(router: Router) -> Router {
    router.layer(from_fn(|request: Request<Body>, next: Next| async move {
        let mut response = next.run(request).await;
        response.headers_mut().insert(MARK, HeaderValue::from_static("simulated"));
        response
    }))
}

/// Lets through whoever shows `expected`; nobody, where there is no secret.
pub(crate) fn bearer(headers: &HeaderMap, expected: Option<&Secret<String>>) -> Result<(), Problem> {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = sent.and_then(|sent| sent.strip_prefix("Bearer ")).unwrap_or_default();
    let is_known = expected.is_some_and(|expected| !token.is_empty() && expected.is(token));
    if is_known { Ok(()) } else { Err(Problem::unauthenticated()) }
}

/// What a proxy says of itself or of whom it speaks for.
const FORWARDED: [&str; 7] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-server", "x-real-ip"];

/// `router` for whoever speaks to it directly. A proxy on this machine comes from this machine, and may bring the whole
/// internet: what says that it was forwarded is refused, and so is the old HTTP/1.0, which proxies speak unless they are told
/// otherwise, and nobody else does.
pub fn direct(router: Router) -> Router {
    router.layer(from_fn(|request: Request<Body>, next: Next| async move {
        let is_forwarded = FORWARDED.into_iter().any(|name| request.headers().contains_key(name));
        if is_forwarded || request.version() < Version::HTTP_11 {
            return Problem::new(
                StatusCode::FORBIDDEN,
                "sandbox-is-local",
                "The sandbox answers this machine alone, and no proxy.",
                "サンドボックスは、プロキシを通しては使えません。",
            )
            .detail("The request was forwarded. Ask the sandbox directly, or configure an operator to serve others.")
            .into_response();
        }
        next.run(request).await
    }))
}

/// `router` for this machine alone, and for no page of a foreign origin.
pub fn local(router: Router) -> Router {
    router.layer(from_fn(local_only))
}

/// Lets through what comes from this machine, and from no page of a foreign origin.
pub(crate) async fn local_only(request: Request<Body>, next: Next) -> Response {
    // Without a source the request came in process.
    let is_local = request.extensions().get::<Source>().is_none_or(|Source(ip)| is_loopback(*ip));
    if is_local && is_own_origin(request.method(), request.headers()) {
        return next.run(request).await;
    }
    Problem::new(
        StatusCode::FORBIDDEN,
        "sandbox-is-local",
        "The sandbox answers this machine alone, and no page of another origin.",
        "サンドボックスは、このコンピューター以外や他のサイトからは使えません。",
    )
    .into_response()
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
    }
}

/// A browser names the origin of the page that a request comes from: it must be the very host that is asked. A link may be
/// followed from anywhere, because the page that has it cannot read what it leads to.
fn is_own_origin(method: &Method, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        // Browsers that send no Origin send these; programs send neither.
        let sent = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_link = *method == Method::GET && sent("sec-fetch-mode") == Some("navigate");
        return is_link || matches!(sent("sec-fetch-site"), None | Some("same-origin" | "none"));
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let origin = origin.to_str().unwrap_or_default();
    let named = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    named.is_some_and(|named| !named.is_empty() && named.eq_ignore_ascii_case(host))
}
