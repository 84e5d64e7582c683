//! The transport over sockets: one client for whom configuration names, one for the addresses that strangers name.

use crate::strangers::{NotPublic, is_public, may_be_public};
use crate::transport::{Bounds, Call, Transport, TransportError, is_strangers};
use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, redirect};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take to come up, in milliseconds.
const CONNECT_MS_MAX: u64 = 2_000;

/// HTTP and HTTPS over sockets: no proxy, no redirect, no cookie. `localhost` and `*.localhost` are this machine (RFC 6761).
pub struct Sockets {
    known: Client,
    strangers: Client,
}

impl Sockets {
    /// A pool of connections to whom configuration names, and none to strangers: each call resolves and connects anew.
    pub fn new() -> Self {
        // A second call finds the provider installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let known = builder().dns_resolver(Arc::new(Names)).build();
        let strangers =
            builder().dns_resolver(Arc::new(PublicNames)).pool_max_idle_per_host(0).https_only(true).build();
        let built = "a client without files or environment can always be built";
        Self { known: known.expect(built), strangers: strangers.expect(built) }
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
        .http1_only()
        .no_proxy()
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
            exchange(&self.known, request, &host, bounds).await
        })
    }

    fn call_stranger(&self, request: Request<Bytes>, bounds: Bounds) -> Call<'_> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        Box::pin(async move {
            let forbidden = || TransportError::Forbidden(host.clone());
            let is_strangers = is_strangers(request.uri());
            let request = reqwest::Request::try_from(request).map_err(|_| forbidden())?;
            // Looked at again as the client reads it: it knows more ways to write an address than we do.
            if !is_strangers || !request.url().host_str().is_some_and(may_be_public) {
                return Err(forbidden());
            }
            exchange(&self.strangers, request, &host, bounds).await
        })
    }
}

/// One request and its whole answer, within the bounds.
async fn exchange(
    client: &Client,
    request: reqwest::Request,
    host: &str,
    bounds: Bounds,
) -> Result<Response<Bytes>, TransportError> {
    let exchange = async {
        let mut response = client.execute(request).await.map_err(|error| failed(&error, host))?;
        let mut answer = Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            headers.clone_from(response.headers());
        }
        let mut body = BytesMut::new();
        while let Some(part) = response.chunk().await.map_err(|error| failed(&error, host))? {
            if body.len() + part.len() > bounds.body_bytes {
                return Err(TransportError::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        answer.body(body.freeze()).map_err(|error| TransportError::Broken(error.to_string()))
    };
    tokio::time::timeout(Duration::from_millis(bounds.time_ms), exchange).await.unwrap_or(Err(TransportError::TimedOut))
}

/// Without the URL: it may hold what nobody should read.
fn failed(error: &reqwest::Error, host: &str) -> TransportError {
    if is_not_public(error) {
        TransportError::Forbidden(host.to_owned())
    } else if error.is_timeout() {
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
                // Whoever listens on one of the two is found there; nobody on the other costs a refused connection.
                let here = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
                return Ok(Box::new(here.map(|here| SocketAddr::new(here, 0)).into_iter()) as Addrs);
            }
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Names that strangers gave: the system's affair, and only their public addresses are any use.
struct PublicNames;

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() { Err(NotPublic.into()) } else { Ok(Box::new(public.into_iter()) as Addrs) }
        })
    }
}

/// Whether the cause was that a name led to no public address.
fn is_not_public(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No name of this machine is reached for a stranger, whichever way it is written; nothing is sent to find that out.
    #[tokio::test]
    async fn strangers_addresses_never_lead_home() {
        let sockets = Sockets::new();
        let urls = [
            "https://127.0.0.1/",
            "https://localhost/",
            "https://wallet.localhost/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest",
            "http://shop.example/",
        ];
        for url in urls {
            let request = Request::post(url).body(Bytes::new()).expect("a request");
            let answer = sockets.call_stranger(request, Bounds::default()).await;
            assert!(matches!(answer, Err(TransportError::Forbidden(_))), "{url}: {answer:?}");
        }
    }

    /// A service may listen on either address of this machine, and its name leads there.
    #[tokio::test]
    async fn this_machine_is_found_on_either_of_its_addresses() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        for home in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has nobody to find there.
            let Ok(listener) = tokio::net::TcpListener::bind(home).await else { continue };
            let port = listener.local_addr().expect("an address").port();
            let answering = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("somebody calls");
                let mut asked = [0; 1_024];
                let read = stream.read(&mut asked).await.expect("it is asked");
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("it takes the answer");
                read
            });
            let request = Request::get(format!("http://bank.localhost:{port}/")).body(Bytes::new()).expect("a request");
            let answer = Sockets::new().call(request, Bounds::default()).await.expect("it is found");
            assert_eq!(answer.status(), 204, "{home}");
            assert!(answering.await.expect("it ends") > 0, "{home}");
        }
    }

    /// A name may be public and lead home all the same: what it leads to is looked at, too.
    #[tokio::test]
    async fn a_name_that_leads_home_is_not_public() {
        let found = PublicNames.resolve("localhost".parse().expect("a name")).await;
        assert!(found.is_err_and(|error| error.is::<NotPublic>()));
    }
}
