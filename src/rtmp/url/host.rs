//! The server's host.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::fmt;

use super::error::UrlError;

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
    pub(super) fn is_within(&self, domain: &str) -> bool {
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
