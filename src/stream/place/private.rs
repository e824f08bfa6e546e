//! Which addresses and names are reached from inside of a network only.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::rtmp::url::Host;

/// Domains that the Internet's name servers know nothing of: for use in a network of one's own (RFC 6761,
/// RFC 6762 with its appendix G, RFC 8375), or of one machine.
const DOMAINS: &[&str] = &[
    "corp",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
];

/// Whether a host is inside of a network by its name or address. A name of one part is completed by the
/// network that it is used in.
pub(super) fn is_private_host(host: &Host) -> bool {
    match host {
        Host::Name(name) => {
            !name.contains('.') || DOMAINS.iter().any(|domain| host.is_within(domain))
        }
        Host::V4(address) => is_private(IpAddr::V4(*address)),
        Host::V6(address) => is_private(IpAddr::V6(*address)),
    }
}

/// Whether an address is no server's on the Internet: of this box itself, of a link, of a private network
/// or a provider's, of a group, for documents and measurements, or none at all. It is what IANA's
/// registries of special-purpose addresses call not globally reachable, and the few anycast services that
/// they list beside: none of them is where a stream goes.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| is_private_v6(v6), is_private_v4),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        [0 | 10 | 127 | 224.., ..] => true, // this host, private, loopback, groups and reserved
        [100, 64..=127, ..] => true,        // shared within a provider (RFC 6598)
        [169, 254, ..] => true,             // of a link
        [172, 16..=31, ..] | [192, 168, ..] => true, // private
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => true, // protocols, documents
        [192, 88, 99, _] => true,           // a relay near by (RFC 7526)
        [198, 18..=19, ..] => true,         // measurements (RFC 2544)
        _ => false,
    }
}

/// Only a part of all addresses is for the Internet (2000::/3); the rest are of a link, a site, a group,
/// a translator near by (64:ff9b:1::/48, RFC 8215), or given to nobody.
fn is_private_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, 0..0x200, ..] => true, // protocols, Teredo's tunnels, measurements (RFC 2928)
        [0x2001, 0xDB8, ..] | [0x3FFF, 0..0x1000, ..] => true, // documents
        [0x2000..0x4000, ..] => false,
        _ => true,
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291), translated (RFC 6052) or
/// tunnelled (RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xFFFF, high, low] | [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => {
            Some(v4(high, low))
        }
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// IANA's registries of special-purpose addresses (RFC 6890), their first and last address each.
    #[test]
    fn every_address_of_a_special_purpose_is_private() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
            ("::", "::1"),
            ("::2", "::ffff:ffff"), // IPv4-compatible
            ("::7f00:1", "::a00:1"),
            ("::ffff:0:0:0", "::ffff:0:ffff:ffff"), // IPv4-translated (RFC 2765)
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
            ("64:ff9b:1::8.8.8.8", "64:ff9b:1:808:8:800::"),
            ("100::", "100::ffff:ffff:ffff:ffff"),
            ("100:0:0:1::", "100::1:ffff:ffff:ffff:ffff"),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"), // Teredo
            ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
            ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:1ff::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            // What stands for an IPv4 address is what that is.
            ("::ffff:10.0.0.0", "::ffff:10.255.255.255"),
            ("::ffff:192.168.0.1", "::ffff:127.0.0.1"),
            ("64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254"),
            ("2002:7f00:1::1", "2002:c0a8:1::1"),
        ] {
            for address in [first, last] {
                assert!(is_private(address.parse().unwrap()), "{address}");
            }
        }
    }

    #[test]
    fn the_neighbours_of_special_addresses_are_public() {
        for address in [
            "1.0.0.0",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2001:db7::1",
            "2001:db9::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2a00:1450:4001::1",
            "3ffe::",
            "3fff:1000::",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }
}
