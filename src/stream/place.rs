//! Where a server may send a stream. Key, consent to plain RTMP and trust go along, so it is the owner
//! who decides, by the address that was set, and not the server.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::Error;
use crate::rtmp::url::{Host, Scheme, ServerUrl};

/// What the owner has consented to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The address that was set.
    home: ServerUrl,
    /// Other hosts, and domains, that the server may send the stream to.
    hosts: Vec<Host>,
}

/// Domains in which everybody gets names: neighbours there are strangers.
const SHARED_DOMAINS: &[&str] = &[
    "amazonaws.com",
    "azure.com",
    "azurewebsites.net",
    "cloudfront.net",
    "ddns.net",
    "duckdns.org",
    "dyndns.org",
    "fly.dev",
    "github.io",
    "googleusercontent.com",
    "herokuapp.com",
    "hopto.org",
    "ngrok.io",
    "no-ip.org",
    "nip.io",
    "onrender.com",
    "sslip.io",
    "ts.net",
    "windows.net",
    "zapto.org",
];

impl Consent {
    /// To the server at `home`, and to `hosts`.
    pub fn to(home: &ServerUrl, hosts: &[Host]) -> Consent {
        Consent { home: home.clone(), hosts: hosts.to_vec() }
    }

    /// The place that the server at `here` names, absolute or relative (RFC 3986 section 4.2).
    ///
    /// # Errors
    /// [`Error::BadRedirect`] when it cannot be understood, or goes beyond what the owner has consented
    /// to. `from_public` servers do not reach into private networks.
    pub fn moved(
        &self,
        here: &ServerUrl,
        place: &str,
        from_public: bool,
    ) -> Result<ServerUrl, Error> {
        let there = resolved(here, place)?;
        match self.objection(here, &there, from_public) {
            None => Ok(there),
            Some(objection) => Err(Error::BadRedirect { why: format!("{there}: {objection}") }),
        }
    }

    /// Whether this host is another one than the owner has set.
    pub fn is_elsewhere(&self, server: &ServerUrl) -> bool {
        server.host != self.home.host
    }

    fn objection(
        &self,
        here: &ServerUrl,
        there: &ServerUrl,
        from_public: bool,
    ) -> Option<&'static str> {
        let is_tls = |server: &ServerUrl| server.scheme == Scheme::Rtmps;
        if (is_tls(here) || is_tls(&self.home)) && !is_tls(there) {
            return Some("it would leave TLS");
        }
        if !self.is_elsewhere(there) {
            return None;
        }
        if from_public && is_private_host(&there.host) {
            return Some("it is inside of a private network, and the server is not");
        }
        let is_named = self.hosts.iter().any(|host| covers(host, &there.host));
        let is_related = is_tls(there) && same_domain(&self.home.host, &there.host);
        (!is_named && !is_related).then_some(
            "it is another host than the key was given for; redirect_hosts of the destination can allow it",
        )
    }
}

/// The place that a server at `here` names.
fn resolved(here: &ServerUrl, place: &str) -> Result<ServerUrl, Error> {
    let absolute = match place {
        _ if place.contains("://") => place.to_owned(),
        _ if place.starts_with("//") => format!("{}:{place}", here.scheme),
        _ if place.starts_with('/') => format!("{}://{}{place}", here.scheme, here.authority()),
        _ => {
            let folder = here.app.rsplit_once('/').map_or("", |(folder, _)| folder);
            let gap = if folder.is_empty() { "" } else { "/" };
            format!("{}://{}/{folder}{gap}{place}", here.scheme, here.authority())
        }
    };
    let mut there = ServerUrl::parse(&absolute)
        .map_err(|error| Error::BadRedirect { why: error.to_string() })?;
    if there.login.is_none() && here.same_server(&there) {
        there.login = here.login.clone();
    }
    Ok(there)
}

/// A host covers itself, and a domain everything below it.
fn covers(allowed: &Host, host: &Host) -> bool {
    match allowed {
        Host::Name(domain) => host.is_within(domain),
        Host::V4(_) | Host::V6(_) => allowed == host,
    }
}

/// Whether both names are in a domain that one owner has registered. Without the list of all endings
/// under which names are given out, which is long and never complete on a box: a name of a country's
/// domain with a short part before it counts as one of those (`co.uk`). Where that is wrong, a redirect
/// is refused that could have been followed.
fn same_domain(one: &Host, other: &Host) -> bool {
    let (Host::Name(one), Host::Name(other)) = (one, other) else { return false };
    match registered(one) {
        Some(domain) => registered(other) == Some(domain),
        None => false,
    }
}

fn registered(name: &str) -> Option<&str> {
    let is_shared = |ending: &&str| Host::Name(name.to_owned()).is_within(ending);
    let labels: Vec<&str> = name.rsplit('.').collect();
    let ending = if is_country_with_sections(&labels) { 2 } else { 1 };
    if labels.len() <= ending || SHARED_DOMAINS.iter().any(is_shared) {
        return None;
    }
    let length = labels.iter().take(ending + 1).map(|label| label.len() + 1).sum::<usize>() - 1;
    name.get(name.len() - length..)
}

/// `co.uk`, `com.br`, `ne.jp` and their like, from the end.
fn is_country_with_sections(labels: &[&str]) -> bool {
    matches!(labels, [country, section, ..] if country.len() == 2 && section.len() <= 3)
}

fn is_private_host(host: &Host) -> bool {
    match host {
        Host::Name(_) => ["localhost", "local", "internal", "lan", "home.arpa"]
            .iter()
            .any(|domain| host.is_within(domain)),
        Host::V4(address) => is_private(IpAddr::V4(*address)),
        Host::V6(address) => is_private(IpAddr::V6(*address)),
    }
}

/// Whether an address is reached only from inside of a network: of this box itself, of a link, of a
/// private network, of a provider's (RFC 6598), of a group; or is none at all.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| is_private_v6(v6), is_private_v4),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || matches!(
            (a, b, c),
            (0 | 240.., _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _)
        )
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || matches!(first, 0xFC00..=0xFDFF | 0xFE80..=0xFEFF)
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

    fn server(url: &str) -> ServerUrl {
        ServerUrl::parse(url).unwrap()
    }

    fn moved(home: &str, place: &str) -> Result<String, String> {
        let home = server(home);
        let there = Consent::to(&home, &[]).moved(&home, place, true);
        there.map(|there| there.tc_url()).map_err(|error| error.to_string())
    }

    #[test]
    fn places_are_absolute_or_relative() {
        for (place, expected) in [
            ("rtmps://b.example.org/app", "rtmps://b.example.org/app"),
            ("//b.example.org/app", "rtmps://b.example.org/app"),
            ("/other", "rtmps://a.example.org:1936/other"),
            ("us", "rtmps://a.example.org:1936/live/us"),
        ] {
            let found = moved("rtmps://a.example.org:1936/live/eu", place);
            assert_eq!(found.as_deref(), Ok(expected), "{place}");
        }
    }

    #[test]
    fn a_stream_follows_to_the_same_host_and_over_tls_within_the_domain() {
        for (home, place) in [
            ("rtmps://a.example.org/live", "rtmps://a.example.org:444/live"),
            ("rtmps://a.example.org/live", "rtmps://b.example.org/live"),
            ("rtmps://a.example.org/live", "rtmps://example.org/live"),
            ("rtmps://example.org/live", "rtmps://eu.in.example.org/live"),
            ("rtmps://a.example.co.uk/live", "rtmps://b.example.co.uk/live"),
            ("rtmps://a.rtmps.youtube.com/live2", "rtmps://b.rtmps.youtube.com/live2"),
            // Plain RTMP may stay at its host, and turn to TLS.
            ("rtmp://a.example.org/live", "rtmp://a.example.org:1936/live"),
            ("rtmp://a.example.org/live", "rtmps://b.example.org/live"),
            ("rtmp://192.0.2.1/live", "rtmp://192.0.2.1:1936/live"),
        ] {
            assert!(moved(home, place).is_ok(), "{home} {place}: {:?}", moved(home, place));
        }
    }

    #[test]
    fn a_stream_follows_nowhere_else() {
        for (home, place, why) in [
            ("rtmps://a.example.org/live", "rtmps://a.example.net/live", "another host"),
            ("rtmps://a.example.org/live", "rtmps://example.org.evil.net/live", "another host"),
            ("rtmps://a.example.org/live", "rtmps://notexample.org/live", "another host"),
            ("rtmps://a.example.co.uk/live", "rtmps://b.evil.co.uk/live", "another host"),
            ("rtmps://mine.duckdns.org/live", "rtmps://yours.duckdns.org/live", "another host"),
            ("rtmps://org/live", "rtmps://evil.org/live", "another host"),
            ("rtmps://a.example.org/live", "rtmps://8.8.8.8/live", "another host"),
            ("rtmps://8.8.8.8/live", "rtmps://8.8.4.4/live", "another host"),
            ("rtmp://a.example.org/live", "rtmp://b.example.org/live", "another host"),
            ("rtmps://a.example.org/live", "rtmp://a.example.org/live", "leave TLS"),
            ("rtmps://a.example.org/live", "rtmps://localhost/live", "private network"),
            ("rtmps://a.example.org/live", "rtmps://127.0.0.1/live", "private network"),
            ("rtmps://a.example.org/live", "rtmps://[::1]/live", "private network"),
            ("rtmps://a.example.org/live", "rtmps://169.254.1.1/live", "private network"),
            ("rtmps://a.example.org/live", "rtmps://[::ffff:10.0.0.1]/live", "private network"),
            ("rtmp://a.example.org/live", "rtmp://192.168.1.1/live", "private network"),
        ] {
            let found = moved(home, place).unwrap_err();
            assert!(found.contains(why), "{home} {place}: {found}");
        }
    }

    #[test]
    fn a_server_that_was_moved_to_does_not_widen_what_was_consented_to() {
        let home = server("rtmp://a.example.org/live");
        let consent = Consent::to(&home, &[]);
        let there = consent.moved(&home, "rtmps://b.example.org/live", true).unwrap();
        let back = consent.moved(&there, "rtmp://a.example.org/live", true).unwrap_err();
        assert!(back.to_string().contains("leave TLS"), "{back}");
        assert!(consent.moved(&there, "rtmps://c.example.net/live", true).is_err());
    }

    #[test]
    fn named_hosts_may_be_followed_to_but_not_out_of_tls_nor_into_a_private_network() {
        let host = |url: &str| server(url).host;
        let hosts = [host("rtmps://cdn.example/a"), host("rtmps://10.0.0.7/a")];
        let follow = |home: &str, place: &str, from_public| {
            let home = server(home);
            Consent::to(&home, &hosts).moved(&home, place, from_public).is_ok()
        };
        assert!(follow("rtmps://a.example.org/live", "rtmps://eu.cdn.example/live", true));
        assert!(follow("rtmp://a.example.org/live", "rtmp://cdn.example/live", true));
        assert!(follow("rtmp://10.0.0.6/live", "rtmp://10.0.0.7/live", false));
        assert!(!follow("rtmp://10.0.0.6/live", "rtmp://10.0.0.8/live", false));
        assert!(!follow("rtmps://a.example.org/live", "rtmp://cdn.example/live", true));
        assert!(!follow("rtmps://a.example.org/live", "rtmps://10.0.0.7/live", true));
    }

    #[test]
    fn the_password_of_the_address_goes_to_no_other_server() {
        let home = server("rtmps://anna:pw@a.example.org/live");
        let consent = Consent::to(&home, &[]);
        let login = |place| consent.moved(&home, place, true).unwrap().login.is_some();
        assert!(login("/other"));
        assert!(!login("rtmps://b.example.org/live"));
        assert!(!login("rtmps://a.example.org:444/live"));
    }

    #[test]
    fn every_address_that_is_reached_only_from_inside_is_private() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "fc00::1",
            "ff02::1",
            "::ffff:192.168.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.0.2.1",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
