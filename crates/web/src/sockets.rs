//! The transport over sockets.

use crate::transport::{Bounds, Call, Transport, TransportError};
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, redirect};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take to come up, in milliseconds.
const CONNECT_MS_MAX: u64 = 2_000;

/// HTTP and HTTPS over sockets: no proxy, no redirect, no cookie. `localhost` and `*.localhost` are this machine (RFC 6761).
pub struct Sockets(Client);

impl Sockets {
    /// A pool of connections.
    pub fn new() -> Self {
        // A second call finds the provider installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
            .dns_resolver(Arc::new(Names))
            .http1_only()
            .no_proxy()
            .build()
            .expect("a client without files or environment can always be built");
        Self(client)
    }
}

impl Default for Sockets {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for Sockets {
    fn call(&self, request: Request<Bytes>, bounds: Bounds) -> Call<'_> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        Box::pin(async move {
            let request = reqwest::Request::try_from(request).map_err(|_| TransportError::Forbidden(host.clone()))?;
            let exchange = async {
                let mut response = self.0.execute(request).await.map_err(|error| failed(&error, &host))?;
                let mut answer = Response::builder().status(response.status());
                if let Some(headers) = answer.headers_mut() {
                    headers.clone_from(response.headers());
                }
                let mut body = BytesMut::new();
                while let Some(part) = response.chunk().await.map_err(|error| failed(&error, &host))? {
                    if body.len() + part.len() > bounds.body_bytes {
                        return Err(TransportError::TooLarge);
                    }
                    body.extend_from_slice(&part);
                }
                answer.body(body.freeze()).map_err(|error| TransportError::Broken(error.to_string()))
            };
            tokio::time::timeout(Duration::from_millis(bounds.time_ms), exchange)
                .await
                .unwrap_or(Err(TransportError::TimedOut))
        })
    }
}

/// Without the URL: it may hold what nobody should read.
fn failed(error: &reqwest::Error, host: &str) -> TransportError {
    if error.is_timeout() {
        TransportError::TimedOut
    } else if error.is_connect() {
        TransportError::Unreachable(host.to_owned())
    } else {
        TransportError::Broken(format!("from {host}"))
    }
}

/// Names: those of this machine never leave it, all others are the system's affair.
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            if name == "localhost" || name.ends_with(".localhost") {
                let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                return Ok(Box::new(std::iter::once(here)) as Addrs);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
