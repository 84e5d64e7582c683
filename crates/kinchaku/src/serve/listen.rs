//! The socket: who is connected, how many at once and how long they may take to say what they want; and the graceful end.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderValue, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;
use web::Source;

/// Connections at once; who comes later waits until another one ends.
const CONNECTIONS_MAX: usize = 8_192;
/// Files and sockets that the process may need open: those connections, as many calls of its own in the worst case, and files.
const FILES_MIN: u64 = 2 * 8_192 + 1_024;
/// Connections at once from one source; one more is closed. A trusted proxy, or this machine, speaks for many.
const SOURCE_CONNECTIONS_MAX: usize = 512;
/// The most header fields of a request.
const HEADERS_MAX: usize = 64;
/// The largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// How long the head of a request may take, and how long a connection may say nothing, in milliseconds.
pub const HEAD_MS_MAX: u64 = 30_000;
/// How long one waits after a connection could not be taken, in milliseconds: there were too many open files.
const WAIT_MS: u64 = 100;

/// Lets this process have as many files and connections open as it needs, where the machine's own bound allows it: many start
/// a program with room for a thousand.
pub fn make_room() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let enough = limit.current.is_none_or(|current| current >= FILES_MIN);
    if enough {
        return;
    }
    limit.current = Some(limit.maximum.map_or(FILES_MIN, |maximum| maximum.min(FILES_MIN)));
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the bound on open files stays as it is");
    }
    if limit.current.is_some_and(|current| current < FILES_MIN) {
        tracing::warn!(
            open_files = limit.current,
            "fewer connections than could be served: raise `ulimit -Hn` to {FILES_MIN}"
        );
    }
}

/// Who may connect, and who is believed to speak for others.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whoever reaches the socket is listened to; else only this machine and the proxies are, because nothing here encrypts.
    pub anyone: bool,
}

/// Serves `router` until `stop` is done; requests that are under way then are still answered. The head of a request may take
/// `head_ms_max`.
pub async fn listen(
    listener: TcpListener,
    router: Router,
    peers: Peers,
    head_ms_max: u64,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let door = Arc::new(Door { router, peers, head_ms_max, inside: Mutex::default() });
    let (places, graceful) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), GracefulShutdown::new());
    let mut stop = pin!(stop);
    loop {
        let taken = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, (stream, peer)) = tokio::select! {
            () = &mut stop => break,
            taken = taken => match taken {
                (Ok(place), Ok(accepted)) => (place, accepted),
                (_, failed) => {
                    tracing::warn!(error = ?failed.err(), "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(WAIT_MS)).await;
                    continue;
                }
            },
        };
        let (door, watcher, peer) = (Arc::clone(&door), graceful.watcher(), peer.ip().to_canonical());
        tokio::spawn(async move {
            if let Some(guest) = door.enter(peer) {
                door.serve(stream, peer, watcher).await;
                drop(guest);
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// What every connection meets.
struct Door {
    router: Router,
    peers: Peers,
    head_ms_max: u64,
    /// How many connections there are from each source.
    inside: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of a source, until it is dropped.
struct Guest {
    door: Arc<Door>,
    source: IpAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut inside = self.door.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                inside.remove(&self.source);
            }
        }
    }
}

impl Door {
    fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Guest> {
        let is_known = peer.is_loopback() || self.peers.trusted_proxies.contains(&peer);
        if !is_known && !self.peers.anyone {
            tracing::debug!(%peer, "neither this machine nor a trusted proxy: plain HTTP is not spoken with it");
            return None;
        }
        let source = network(peer);
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inside.entry(source).or_default();
        if *count >= SOURCE_CONNECTIONS_MAX && !is_known {
            return None;
        }
        *count += 1;
        Some(Guest { door: Arc::clone(self), source })
    }

    async fn serve(self: &Arc<Self>, stream: TcpStream, peer: IpAddr, watcher: Watcher) {
        // An answer is written at once: waiting to fill a packet would cost every caller 40 ms.
        drop(stream.set_nodelay(true));
        let door = Arc::clone(self);
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let door = Arc::clone(&door);
            async move { door.answer(request.map(Body::new), peer).await }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(self.head_ms_max))
            .max_headers(HEADERS_MAX)
            .max_header_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        // Whoever goes away in the middle is none of our affair.
        drop(watcher.watch(connection).await);
    }

    /// Answers a request, which is told where it came from. After a body in parts the connection ends: where it ends is what
    /// somebody in front of us may see otherwise, and what comes behind it would be a request that nobody there has seen.
    async fn answer(&self, mut request: Request, peer: IpAddr) -> Result<Response, Infallible> {
        let forwarded = request.headers().get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).collect();
        let source = Source(network(source(peer, &hops, &self.peers.trusted_proxies)));
        request.extensions_mut().insert(source);
        let in_parts = request.headers().contains_key(header::TRANSFER_ENCODING);
        let mut response = self.router.clone().oneshot(request).await?;
        if in_parts {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// The nearest address that is no trusted proxy: what lies beyond it is only what somebody says.
fn source(peer: IpAddr, hops: &[&str], trusted_proxies: &[IpAddr]) -> IpAddr {
    let mut source = peer;
    for hop in hops.iter().rev() {
        if !trusted_proxies.contains(&source) {
            break;
        }
        let Some(address) = address_of(hop.trim()) else { break };
        source = address;
    }
    source
}

/// The address of a hop: some proxies write the port behind it, and IPv6 in brackets. Without it everybody behind such a proxy
/// would be one source.
fn address_of(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// An address as it is counted: of IPv6 the network of 64 bits, because one subscriber has all of it. This machine is itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if address.is_loopback() => IpAddr::V6(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

#[cfg(test)]
mod tests {
    use super::{Door, HEAD_MS_MAX, Peers, SOURCE_CONNECTIONS_MAX, listen, network, source};
    use axum::Router;
    use axum::body::Bytes;
    use axum::routing::post;
    use std::net::IpAddr;
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::oneshot;

    #[test]
    fn a_subscriber_is_one_source_whichever_address_they_choose() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        for (address, counted) in [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::1", "2001:db8:1:2::"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("::1", "::1"),
            ("198.51.100.7", "198.51.100.7"),
        ] {
            assert_eq!(network(ip(address)), ip(counted), "{address}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_may_say_whom_it_speaks_for() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let trusted = [ip("10.0.0.1"), ip("10.0.0.2")];
        for (peer, hops, expected) in [
            ("203.0.113.9", vec!["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["1.1.1.1", "198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", vec!["198.51.100.1", "not an address"], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.1:5678"], "198.51.100.1"),
            ("10.0.0.1", vec!["198.51.100.1", "[2001:db8::7]:443"], "2001:db8::7"),
            ("10.0.0.1", vec!["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", vec!["198.51.100.1:"], "10.0.0.1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
        ] {
            assert_eq!(source(ip(peer), &hops, &trusted), ip(expected), "{peer} {hops:?}");
        }
    }

    /// What comes back for `sent` until the connection is closed from over there.
    async fn exchange(head_ms_max: u64, sent: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/", post(|body: Bytes| async move { format!("took {}", body.len()) }));
        let (stop, stopped) = oneshot::channel::<()>();
        let listening =
            tokio::spawn(listen(listener, router, Peers::default(), head_ms_max, async { drop(stopped.await) }));
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(sent.as_bytes()).await.expect("it takes what is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("it closes");
        drop(stop);
        listening.await.expect("it ends");
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_not_waited_for() {
        for sent in ["", "POST / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "] {
            assert!(!exchange(50, sent).await.contains("took"), "{sent}");
        }
    }

    #[tokio::test]
    async fn a_request_says_once_and_plainly_where_it_ends() {
        let ask =
            |head: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{head}\r\n\r\n{body}");
        let check = async |head: &str, body: &str, expected: &str| {
            let answer = exchange(HEAD_MS_MAX, &ask(head, body)).await;
            let shown: String = head.chars().take(60).collect();
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{shown}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{shown}: {answer}");
        };
        check("Content-Length: 5", "hello", "200").await;
        check("Content-Length: 5\r\nContent-Length: 6", "hello!", "400").await;
        check("Content-Length: +5", "hello", "400").await;
        check("Content-Length: 5, 5", "hello", "400").await;
        check("Transfer-Encoding: chunked, identity", "0\r\n\r\n", "400").await;
        check("Content-Length : 5", "hello", "400").await;
        check(&format!("X-Long: {}", "a".repeat(40_000)), "", "431").await;
        check(&"X-Many: a\r\n".repeat(70), "", "431").await;
        // What follows a body in parts is never taken for a request, whatever a length beside it says.
        let smuggled = "0\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 60\r\n\r\n";
        let answer = exchange(HEAD_MS_MAX, &format!("{head}{smuggled}")).await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }

    /// A door that knows one proxy.
    fn door(anyone: bool) -> Arc<Door> {
        let peers = Peers { trusted_proxies: vec!["10.0.0.1".parse().expect("an address")], anyone };
        Arc::new(Door { router: Router::new(), peers, head_ms_max: HEAD_MS_MAX, inside: Mutex::default() })
    }

    #[test]
    fn plain_http_is_spoken_with_this_machine_and_its_proxies_alone_unless_the_network_encrypts() {
        for (address, closed, open) in [
            ("127.0.0.1", true, true),
            ("::1", true, true),
            ("10.0.0.1", true, true),
            ("10.0.0.2", false, true),
            ("2001:db8::1", false, true),
        ] {
            let enters = |anyone| door(anyone).enter(address.parse().expect("an address")).is_some();
            assert_eq!((enters(false), enters(true)), (closed, open), "{address}");
        }
    }

    #[test]
    fn one_source_has_so_many_connections_and_another_its_own() {
        let door = door(true);
        let enter = |address: &str| door.enter(address.parse().expect("an address"));
        let mut guests: Vec<_> = (0..SOURCE_CONNECTIONS_MAX).map(|_| enter("198.51.100.7")).collect();
        assert!(guests.iter().all(Option::is_some) && enter("198.51.100.7").is_none());
        assert!(enter("198.51.100.8").is_some());
        guests.pop();
        assert!(enter("198.51.100.7").is_some(), "one has gone");
        let proxied: Vec<_> = (0..=SOURCE_CONNECTIONS_MAX).map(|_| enter("10.0.0.1")).collect();
        assert!(proxied.iter().all(Option::is_some), "a proxy speaks for many");
        drop((guests, proxied));
        assert!(door.inside.lock().expect("nobody panicked").is_empty());
    }
}
