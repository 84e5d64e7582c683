//! Addresses that strangers name: which of them this service may call at all.
//!
//! Whoever registers an address for webhooks must not make us call our own network for them. Only the public internet is
//! callable: every range that IANA's registries of special-purpose addresses name is not, nor is anything outside of the
//! global unicast range of IPv6, nor an IPv4 address in the clothes of an IPv6 one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The name leads to an address that is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is not public")
    }
}

impl std::error::Error for NotPublic {}

/// Whether `address` is on the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether `host`, as it stands in a URL, may be public: a literal must be, a name must not be one of this machine or of a
/// network without a registry. What a name leads to is looked at when it is called.
pub fn may_be_public(host: &str) -> bool {
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = literal.parse() {
        return is_public(address);
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    // The last label of a public name is never a number (RFC 3696), so what looks like an address in disguise is none.
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    name.contains('.') && !is_number && !["localhost", "local", "internal", "arpa", "onion"].contains(&last)
}

/// The networks of IANA's IPv4 registry, with multicast and what is reserved.
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Within `2000::/3`, the networks that are special, or that carry an IPv4 address inside (Teredo, 6to4).
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|(network, bits)| (address.to_bits() ^ network.to_bits()) >> (32 - bits) == 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let is_global = address.segments()[0] >> 13 == 1;
    is_global && !SPECIAL_V6.iter().any(|(network, bits)| (address.to_bits() ^ network.to_bits()) >> (128 - bits) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_called() {
        let public =
            ["8.8.8.8", "100.63.255.255", "172.32.0.1", "198.20.0.1", "223.255.255.255", "2600::1", "2001:200::1"];
        let not = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.19.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "::127.0.0.1",
        ];
        let is = |text: &&str| is_public(text.parse().expect("an address"));
        assert_eq!(public.iter().filter(|text| !is(text)).collect::<Vec<_>>(), Vec::<&&str>::new());
        assert_eq!(not.iter().filter(|text| is(text)).collect::<Vec<_>>(), Vec::<&&str>::new());
        for text in not {
            assert!(!may_be_public(text), "{text}");
        }
    }

    #[test]
    fn a_name_of_this_machine_or_network_is_none_of_the_internet() {
        for host in ["shop.example", "a.b.example.", "8.8.8.8", "[2600::1]"] {
            assert!(may_be_public(host), "{host}");
        }
        let not = [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "printer.local",
            "db.internal",
            "intranet",
            "[::1]",
            "127.0.0.1",
            "2130706433",
            "0x7f000001",
            "127.1",
            "1.0x7f",
            "10.0.0.1",
            "",
        ];
        for host in not {
            assert!(!may_be_public(host), "{host}");
        }
    }
}
