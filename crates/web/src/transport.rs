//! The transport: how one service calls another. Over sockets in service; through the same routers, in process, in a drill.
//!
//! No redirect is followed, no answer is larger or later than the caller's bounds, no name is trusted beyond what
//! configuration says.

use crate::armour::Source;
use crate::strangers::may_be_public;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use tower::ServiceExt;

/// How long a caller waits, and how much it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The longest wait for the whole answer, in milliseconds of the machine's clock.
    pub time_ms: u64,
    /// The largest answer, in bytes.
    pub body_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { time_ms: 10_000, body_bytes: 1 << 20 }
    }
}

/// Why there is no answer. Whether the other side has done what was asked is not known, unless it was never reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// The address is none that this transport may call.
    Forbidden(String),
    /// Nobody is there: nothing was sent.
    Unreachable(String),
    /// No answer in time.
    TimedOut,
    /// The answer broke off, or is none.
    Broken(String),
    /// The answer is larger than the bound.
    TooLarge,
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(host) => write!(f, "{host} must not be called from here"),
            Self::Unreachable(host) => write!(f, "{host} cannot be reached"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Broken(what) => write!(f, "the answer broke off: {what}"),
            Self::TooLarge => f.write_str("the answer is too large"),
        }
    }
}

impl std::error::Error for TransportError {}

/// Put on an answer that comes so many milliseconds later, where the time is simulated and nobody can wait for it: a
/// caller in process whose bound is shorter gets none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay(pub u64);

/// Put on a request that came through [`Routers`]: its answer may carry a [`Delay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InProcess;

/// An answer to come.
pub type Call<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, TransportError>> + Send + 'a>>;

/// Calls other services.
pub trait Transport: Send + Sync + 'static {
    /// Sends `request`, whose URI is absolute, and waits for the answer within `bounds`.
    fn call(&self, request: Request<Bytes>, bounds: Bounds) -> Call<'_>;

    /// The same for an address that a stranger named: HTTPS alone, to the public internet alone. A name is resolved for
    /// this one call, and what was looked at is what is connected to. A transport that cannot promise that calls nobody.
    fn call_stranger(&self, request: Request<Bytes>, _: Bounds) -> Call<'_> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        Box::pin(async move { Err(TransportError::Forbidden(host)) })
    }
}

/// The routers of this process, by host: no socket and no thread of its own.
#[derive(Default)]
pub struct Routers(RwLock<BTreeMap<String, Router>>);

impl Routers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on `host` is answered by `router`. Services are opened before their routers exist, so this comes later.
    pub fn add(&self, host: impl Into<String>, router: Router) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(host.into(), router);
    }
}

fn broken(error: &(dyn std::error::Error + 'static)) -> TransportError {
    if error.is::<LengthLimitError>() { TransportError::TooLarge } else { TransportError::Broken(error.to_string()) }
}

impl Transport for Routers {
    fn call(&self, request: Request<Bytes>, bounds: Bounds) -> Call<'_> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let router = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&host).cloned();
        Box::pin(async move {
            let router = router.ok_or_else(|| TransportError::Unreachable(host.clone()))?;
            let (mut parts, body) = request.into_parts();
            // As over a socket: the authority goes into the Host header, and the request line keeps path and query alone.
            if let Some(authority) = parts.uri.authority().and_then(|authority| authority.as_str().parse().ok()) {
                parts.headers.entry(http::header::HOST).or_insert(authority);
            }
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
            parts.uri = path.parse().map_err(|_| TransportError::Forbidden(host))?;
            parts.extensions.get_or_insert_with(|| Source(IpAddr::V4(Ipv4Addr::LOCALHOST)));
            parts.extensions.insert(InProcess);
            let exchange = async {
                let Ok(response) = router.oneshot(Request::from_parts(parts, Body::from(body))).await;
                let (parts, body) = response.into_parts();
                if parts.extensions.get::<Delay>().is_some_and(|delay| delay.0 > bounds.time_ms) {
                    return Err(TransportError::TimedOut);
                }
                let body = Limited::new(body, bounds.body_bytes).collect().await.map_err(|error| broken(&*error))?;
                Ok(Response::from_parts(parts, body.to_bytes()))
            };
            tokio::time::timeout(Duration::from_millis(bounds.time_ms), exchange)
                .await
                .unwrap_or(Err(TransportError::TimedOut))
        })
    }

    fn call_stranger(&self, request: Request<Bytes>, bounds: Bounds) -> Call<'_> {
        if is_strangers(request.uri()) {
            return self.call(request, bounds);
        }
        let host = request.uri().host().unwrap_or_default().to_owned();
        Box::pin(async move { Err(TransportError::Forbidden(host)) })
    }
}

/// Whether `uri` may be called for a stranger, as far as it tells by itself.
pub(crate) fn is_strangers(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https") && uri.host().is_some_and(may_be_public)
}
