//! How the box gets onto a network: the values of `[network]` and `[wifi]`.

use super::schema::{DHCP, dns_servers};
use super::view::View;
use crate::secret::Passphrase;

/// The wired network, as far as the owner says anything about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wired {
    /// The interface; any wired one otherwise.
    pub interface: Option<String>,
    /// Its addresses.
    pub addressing: Addressing,
}

/// The wireless network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wifi {
    /// Its name; without one there is no wireless network.
    pub ssid: Option<String>,
    /// Its passphrase; an open network has none.
    pub passphrase: Option<Passphrase>,
    /// The country code, two letters (ISO 3166-1); it decides which radio rules apply.
    pub country: Option<String>,
    /// The network does not announce its name.
    pub hidden: bool,
    /// The interface; any wireless one otherwise.
    pub interface: Option<String>,
    /// Its addresses.
    pub addressing: Addressing,
}

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

impl Wired {
    pub(super) fn new(of: View<'_>) -> Wired {
        Wired { interface: of.get("network.interface"), addressing: Addressing::new(of, "network") }
    }

    /// Whether the owner says anything about it.
    pub fn is_set(&self) -> bool {
        *self != Wired::default()
    }
}

impl Wifi {
    pub(super) fn new(of: View<'_>) -> Wifi {
        Wifi {
            ssid: of.get("wifi.ssid"),
            passphrase: of.get("wifi.passphrase"),
            country: of.get("wifi.country"),
            hidden: of.get("wifi.hidden").unwrap_or_default(),
            interface: of.get("wifi.interface"),
            addressing: Addressing::new(of, "wifi"),
        }
    }
}

impl Addressing {
    fn new(of: View<'_>, section: &str) -> Addressing {
        let text = |key| of.get::<String>(&format!("{section}.{key}"));
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
