//! The addresses of a network: what `[network]` and `[wifi]` have in common.

use super::schema::form::{DHCP, Get, Held, dns_servers};

/// Where an interface's addresses come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressing {
    /// The fixed address with its prefix (`192.0.2.7/24`); DHCP otherwise.
    pub address: Option<String>,
    /// The default gateway, with a fixed address.
    pub gateway: Option<String>,
    /// Name servers; those that DHCP names otherwise.
    pub dns: Vec<String>,
}

impl Addressing {
    pub(super) fn read(get: Get<'_>, section: &str) -> Addressing {
        let text = |key| Option::<String>::held(get(&format!("{section}.{key}")));
        let dns = text("dns").unwrap_or_default();
        Addressing {
            address: text("address").filter(|address| address != DHCP),
            gateway: text("gateway"),
            dns: dns_servers(&dns).into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether the address is of IPv6.
    pub fn is_v6(&self) -> bool {
        self.address.as_ref().is_some_and(|address| address.contains(':'))
    }
}
