//! How the box gets onto a network: the values of `[network]` and `[wifi]`.

use core::net::IpAddr;

use super::partial::Partial;
use super::schema::{Section, Value};
use crate::limits::DNS_SERVERS_MAX;
use crate::secret::Passphrase;

/// The longest name that Linux gives an interface (`IFNAMSIZ` less its end).
const INTERFACE_BYTES_MAX: usize = 15;
/// The longest name of a wireless network (IEEE 802.11-2020 section 9.4.2.2).
const SSID_BYTES_MAX: usize = 32;

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
    /// The country whose radio rules hold, two letters (ISO 3166-1).
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
    /// The way out beside a fixed address.
    pub gateway: Option<String>,
    /// Name servers; those that DHCP names otherwise.
    pub dns: Vec<String>,
}

/// `dhcp` at the place of an address.
pub(super) const DHCP: &str = "dhcp";

pub(super) fn is_interface(text: &str) -> bool {
    (1..=INTERFACE_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@'))
        && !text.starts_with(['.', '-'])
}

pub(super) fn is_ssid(text: &str) -> bool {
    (1..=SSID_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

pub(super) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// `dhcp`, or an address that a host may have, with its prefix.
pub(super) fn is_own_address(text: &str) -> bool {
    let host_with_prefix = || {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u8 = prefix.parse().ok()?;
        let most = if is_host(address)?.is_ipv4() { 32 } else { 128 };
        Some((1..=most).contains(&prefix))
    };
    text == DHCP || host_with_prefix() == Some(true)
}

pub(super) fn is_gateway(text: &str) -> bool {
    is_host(text).is_some()
}

pub(super) fn is_dns(text: &str) -> bool {
    let servers = dns_servers(text);
    (1..=DNS_SERVERS_MAX).contains(&servers.len()) && servers.iter().all(|s| is_host(s).is_some())
}

fn is_host(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    let is_none = address.is_unspecified() || address.is_multicast() || address.is_loopback();
    (!is_none).then_some(address)
}

fn dns_servers(text: &str) -> Vec<&str> {
    text.split([',', ' ']).filter(|server| !server.is_empty()).collect()
}

impl Wired {
    pub(super) fn from_partial(partial: &Partial) -> Wired {
        Wired {
            interface: text(partial, Section::Network, "interface"),
            addressing: Addressing::from_partial(partial, Section::Network),
        }
    }

    /// Whether the owner says anything about it.
    pub fn is_set(&self) -> bool {
        *self != Wired::default()
    }
}

impl Wifi {
    pub(super) fn from_partial(partial: &Partial) -> Wifi {
        let section = Section::Wifi;
        Wifi {
            ssid: text(partial, section, "ssid"),
            passphrase: match partial.get(section, "passphrase") {
                Some(Value::Passphrase(passphrase)) => Some(passphrase.clone()),
                _ => None,
            },
            country: text(partial, section, "country"),
            hidden: partial.get(section, "hidden") == Some(&Value::Flag(true)),
            interface: text(partial, section, "interface"),
            addressing: Addressing::from_partial(partial, section),
        }
    }
}

impl Addressing {
    fn from_partial(partial: &Partial, section: Section) -> Addressing {
        let dns = text(partial, section, "dns").unwrap_or_default();
        Addressing {
            address: text(partial, section, "address").filter(|address| address != DHCP),
            gateway: text(partial, section, "gateway"),
            dns: dns_servers(&dns).into_iter().map(str::to_owned).collect(),
        }
    }

    /// Whether the address is of IPv6.
    pub fn is_v6(&self) -> bool {
        self.address.as_ref().is_some_and(|address| address.contains(':'))
    }

    pub(super) fn values(&self) -> [(&'static str, Option<Value>); 3] {
        let dns = (!self.dns.is_empty()).then(|| self.dns.join(", "));
        [
            ("address", self.address.clone().map(Value::Text)),
            ("gateway", self.gateway.clone().map(Value::Text)),
            ("dns", dns.map(Value::Text)),
        ]
    }
}

fn text(partial: &Partial, section: Section, key: &'static str) -> Option<String> {
    match partial.get(section, key) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_host_has_its_prefix() {
        for good in ["dhcp", "192.0.2.7/24", "10.0.0.1/8", "2001:db8::7/64", "fd00::1/128"] {
            assert!(is_own_address(good), "{good}");
        }
        for bad in [
            "",
            "DHCP",
            "192.0.2.7",
            "192.0.2.7/33",
            "192.0.2.7/0",
            "0.0.0.0/8",
            "127.0.0.1/8",
            "224.0.0.1/4",
            "2001:db8::7/129",
            "host/24",
            "192.0.2.7/24/1",
            "192.0.2.7/-1",
        ] {
            assert!(!is_own_address(bad), "{bad}");
        }
    }

    #[test]
    fn name_servers_are_a_short_list() {
        for good in ["192.0.2.1", "192.0.2.1, 9.9.9.9", "192.0.2.1 2001:db8::1"] {
            assert!(is_dns(good), "{good}");
        }
        for bad in ["", ",", "dns.example", "1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4"] {
            assert!(!is_dns(bad), "{bad}");
        }
    }

    #[test]
    fn names_are_bounded_and_cannot_be_taken_for_an_option() {
        assert!(is_interface("wlan0") && is_interface("enx00e04c680001"));
        for bad in ["", "-x", "a/b", "wlan0 up", "0123456789abcdef", "..", "wlan0\n"] {
            assert!(!is_interface(bad), "{bad:?}");
        }
        assert!(is_ssid("Café 2.4 GHz") && !is_ssid("") && !is_ssid(&"x".repeat(33)));
        assert!(is_country("DE") && !is_country("de") && !is_country("GER"));
    }
}
