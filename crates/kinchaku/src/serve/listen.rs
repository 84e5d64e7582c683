//! The socket: who is connected, and the graceful end.

use axum::Router;
use axum::extract::connect_info::ConnectInfo;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::serve::ListenerExt;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use web::Source;

/// Serves `router` until `stop` is done; requests that are under way then are still answered.
pub async fn listen(
    listener: TcpListener,
    router: Router,
    trusted_proxies: Vec<IpAddr>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = router.layer(from_fn_with_state(Arc::new(trusted_proxies), name_source));
    // An answer is written at once: waiting to fill a packet would cost every caller 40 ms.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).with_graceful_shutdown(stop).await
}

async fn name_source(
    State(trusted_proxies): State<Arc<Vec<IpAddr>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let forwarded = request.headers().get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).collect();
    let source = Source(network(source(peer.ip(), &hops, &trusted_proxies)));
    request.extensions_mut().insert(source);
    next.run(request).await
}

/// The nearest address that is no trusted proxy: what lies beyond it is only what somebody says.
fn source(peer: IpAddr, hops: &[&str], trusted_proxies: &[IpAddr]) -> IpAddr {
    let mut source = peer;
    for hop in hops.iter().rev() {
        if !trusted_proxies.contains(&source) {
            break;
        }
        let Ok(address) = hop.trim().parse() else { break };
        source = address;
    }
    source
}

/// An address as it is counted: of IPv6 the network of 64 bits, because one subscriber has all of it.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

#[cfg(test)]
mod tests {
    use super::{network, source};
    use std::net::IpAddr;

    #[test]
    fn a_subscriber_is_one_source_whichever_address_they_choose() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        for (address, counted) in [
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::1", "2001:db8:1:2::"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
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
            ("10.0.0.1", vec![], "10.0.0.1"),
        ] {
            assert_eq!(source(ip(peer), &hops, &trusted), ip(expected), "{peer} {hops:?}");
        }
    }
}
