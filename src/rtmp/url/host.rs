//! The server's host.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::str::FromStr;

use super::error::UrlError;
use crate::limits::HOSTS_MAX;

/// The server's host. Displayed as it stands in an address, an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A DNS name in lower case, without the root's dot.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl Host {
    pub(super) fn parse(text: &str) -> Result<Host, UrlError> {
        if text.is_empty() {
            return Err(UrlError::NoHost);
        }
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            return inner.parse().map(Host::V6).map_err(|_| UrlError::BadHost);
        }
        if let Ok(address) = text.parse() {
            return Ok(Host::V4(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        // A name whose last label is a number would be a mistyped IPv4 address (WHATWG URL 3.5).
        let ends_in_number = name.rsplit('.').next().is_some_and(|l| l.parse::<u64>().is_ok());
        if name.len() > 253 || ends_in_number || !name.split('.').all(is_label) {
            return Err(UrlError::BadHost);
        }
        Ok(Host::Name(name))
    }

    /// Whether this is `domain` or a name below it.
    pub fn is_within(&self, domain: &str) -> bool {
        match self {
            Host::Name(name) => name
                .strip_suffix(domain)
                .is_some_and(|front| front.is_empty() || front.ends_with('.')),
            Host::V4(_) | Host::V6(_) => false,
        }
    }
}

/// A label of a DNS name (RFC 1123 section 2.1; the underscore occurs in private networks).
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => address.fmt(f),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// A short list of hosts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hosts(pub Vec<Host>);

/// a list of hosts is empty, too long, or has something in it that is none
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {HOSTS_MAX} names of hosts or domains, or IP addresses (IPv6 in brackets), with commas between them"
)]
pub struct HostsError;

impl FromStr for Hosts {
    type Err = HostsError;

    fn from_str(text: &str) -> Result<Hosts, HostsError> {
        let hosts = text.split(',').map(|host| Host::parse(host.trim()));
        let hosts = hosts.collect::<Result<Vec<Host>, _>>().map_err(|_| HostsError)?;
        if hosts.len() > HOSTS_MAX {
            return Err(HostsError);
        }
        Ok(Hosts(hosts))
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, host) in self.0.iter().enumerate() {
            write!(f, "{}{host}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_hosts_is_read_as_it_is_shown() {
        for (text, shown) in [
            ("cdn.example", "cdn.example"),
            ("CDN.example. , 192.0.2.7,[2001:db8::1]", "cdn.example, 192.0.2.7, [2001:db8::1]"),
        ] {
            let hosts: Hosts = text.parse().unwrap();
            assert_eq!(hosts.to_string(), shown);
            assert_eq!(shown.parse(), Ok(hosts));
        }
        let many = ["a.example"; HOSTS_MAX + 1].join(",");
        for text in ["", ",", "a.example,", "rtmps://a.example", "a b", "*.example", &many] {
            assert_eq!(text.parse::<Hosts>(), Err(HostsError), "{text}");
        }
    }
}
