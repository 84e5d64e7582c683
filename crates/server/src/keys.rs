//! Keyed hashes of the edge: what secrets, requests and networks are kept and compared as.
//!
//! Each use has a key of its own, all of them made from the vault's: whoever has the database alone can reverse none.

use domain::Id;
use engine::Request;
use engine::vault::Vault;
use std::net::IpAddr;
use wallet::Fingerprint;

/// The keys.
pub struct Keys {
    secrets: [u8; 32],
    requests: [u8; 32],
    traits: [u8; 32],
    /// For the tokens of forms.
    pub csrf: [u8; 32],
}

impl Keys {
    /// The keys that go with this vault.
    pub fn new(vault: &Vault) -> Self {
        let key = |purpose: &str| {
            let half = |part: &[u8]| vault.look_up(purpose, part).0;
            let mut key = [0; 32];
            key[..16].copy_from_slice(&half(b"first half"));
            key[16..].copy_from_slice(&half(b"second half"));
            key
        };
        Self {
            secrets: key("key: secrets"),
            requests: key("key: requests"),
            traits: key("key: traits"),
            csrf: key("key: csrf"),
        }
    }

    /// The same keys each time, for the tests and the fuzz targets.
    #[cfg(any(test, feature = "fuzzing"))]
    pub const fn fixed() -> Self {
        Self { secrets: [1; 32], requests: [2; 32], traits: [3; 32], csrf: [4; 32] }
    }

    /// The hash under which a token, a code or another secret is kept.
    pub fn secret(&self, purpose: &str, secret: &str) -> Id {
        Id(hash(&self.secrets, &[purpose.as_bytes(), secret.as_bytes()]))
    }

    /// What an engine knows a request by: `caller`, `route` and `key` together name it, `body` must stay the same.
    pub fn request(&self, caller: &[u8], route: &str, key: &str, body: [u8; 16]) -> Request {
        Request { key: hash(&self.requests, &[b"key", caller, route.as_bytes(), key.as_bytes()]), body }
    }

    /// The MAC of a request's body, with the path that it was sent to.
    pub fn body(&self, path: &str, body: &[u8]) -> [u8; 16] {
        hash(&self.requests, &[b"body", path.as_bytes(), body])
    }

    /// A trait: equal where `value` is equal, and nothing more.
    pub fn fingerprint(&self, purpose: &str, value: &[u8]) -> Fingerprint {
        let bytes = hash(&self.traits, &[purpose.as_bytes(), value]);
        Fingerprint(u64::from_be_bytes(std::array::from_fn(|index| bytes[index])))
    }

    /// The network of `address`, /24 or /64, and the wider one, /16 or /48.
    pub fn networks(&self, address: IpAddr) -> (Fingerprint, Fingerprint) {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let octets = address.octets();
                (self.fingerprint("network", &octets[..3]), self.fingerprint("wide network", &octets[..2]))
            }
            IpAddr::V6(address) => {
                let octets = address.octets();
                (self.fingerprint("network", &octets[..8]), self.fingerprint("wide network", &octets[..6]))
            }
        }
    }

    /// The site of an IPv6 address, /48: whoever rents one has 65,536 networks. No one person has a /16 of IPv4.
    pub fn site(&self, address: IpAddr) -> Option<Fingerprint> {
        let is_v6 = address.to_canonical().is_ipv6();
        is_v6.then(|| self.networks(address).1)
    }
}

fn hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for part in parts {
        // A length before each part: no two lists of parts make the same bytes.
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_one_another() {
        let keys = Keys::fixed();
        let request = |caller: &[u8], route, key| keys.request(caller, route, key, [0; 16]).key;
        let one = request(b"holder 1", "/v1/payments", "a");
        assert_eq!(one, request(b"holder 1", "/v1/payments", "a"));
        assert_ne!(one, request(b"holder ", "1/v1/payments", "a"));
        assert_ne!(one, request(b"holder 2", "/v1/payments", "a"));
        assert_ne!(one, request(b"holder 1", "/v1/payment", "sa"));
        assert_ne!(keys.body("/a", b"b"), keys.body("/", b"ab"));
        assert_ne!(keys.secret("code", "1"), keys.secret("token", "1"));
    }

    #[test]
    fn a_network_is_that_of_its_neighbours() {
        let keys = Keys::fixed();
        let networks = |address: &str| keys.networks(address.parse().expect("an address"));
        assert_eq!(networks("192.0.2.1"), networks("192.0.2.200"));
        assert_eq!(networks("192.0.2.1"), networks("::ffff:192.0.2.1"), "the same address, written as IPv6");
        assert_ne!(networks("192.0.2.1").0, networks("192.0.3.1").0);
        assert_eq!(networks("192.0.2.1").1, networks("192.0.3.1").1);
        assert_eq!(networks("2001:db8:1:2::1"), networks("2001:db8:1:2:ffff::9"));
        assert_ne!(networks("2001:db8:1:2::1").0, networks("2001:db8:1:3::1").0);
    }
}
