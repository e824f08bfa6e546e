//! The state of the network.

use crate::config::{Wifi as WifiSettings, Wired};
use crate::status::{Interface, NetworkManaged, Wifi, WifiFailure, WifiState};
use crate::wifi::{self, Observed, Wanted};

/// What is known of the network.
#[derive(Debug)]
pub(super) struct NetworkState {
    pub interfaces: Vec<Interface>,
    pub managed: NetworkManaged,
    /// What was handed over last.
    pub handed: Option<(Wired, WifiSettings)>,
    /// How the box stands with a wireless network.
    pub wifi: Option<Wifi>,
    /// What of that was reported last, without figures that change all the time.
    reported: Option<(WifiState, Option<WifiFailure>)>,
}

/// What is worth a line in the journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WifiReport {
    Good(String),
    Bad(String),
}

impl NetworkState {
    pub fn new(interfaces: Vec<Interface>) -> NetworkState {
        let managed = NetworkManaged::NotSet;
        NetworkState { interfaces, managed, handed: None, wifi: None, reported: None }
    }

    /// Other settings are handed over: what is known of the wireless network is not true of them.
    pub fn forget_wifi(&mut self) {
        (self.wifi, self.reported) = (None, None);
    }

    /// Whether one is called joined whose interface has no address any more.
    pub fn wifi_has_no_address(&self) -> bool {
        let joined = self.wifi.as_ref().filter(|wifi| wifi.state == WifiState::Joined);
        let name = joined.and_then(|wifi| wifi.interface.as_ref());
        let interface =
            name.and_then(|name| self.interfaces.iter().find(|known| known.name == *name));
        interface.is_some_and(|interface| !interface.up || interface.addresses.is_empty())
    }

    /// What was observed of the wireless network; what of it is new.
    pub fn observe(&mut self, settings: &WifiSettings, observed: Observed) -> Option<WifiReport> {
        let before = self.wifi.take();
        let is_joined = |wifi: &Wifi| wifi.state == WifiState::Joined;
        let was_joined = before.as_ref().is_some_and(is_joined);
        self.wifi = stands(settings, before, observed);
        let is_lost = was_joined && !self.wifi.as_ref().is_some_and(is_joined);
        let (message, is_bad) = match &self.wifi {
            Some(wifi) if is_joined(wifi) => (format!("Wi-Fi: {} is joined", wifi.ssid), false),
            Some(wifi) if is_lost => (format!("Wi-Fi: {} is lost", wifi.ssid), true),
            Some(Wifi { ssid, state: WifiState::NotJoined, message: Some(why), .. }) => {
                (format!("Wi-Fi: {ssid} is not joined: {why}"), true)
            }
            None if is_lost => ("Wi-Fi: the network is lost".to_owned(), true),
            // That it is tried once more is nothing new.
            Some(_) | None => return None,
        };
        let kind = self.wifi.as_ref().map(|wifi| (wifi.state, wifi.failure));
        if !is_lost && self.reported == kind {
            return None;
        }
        self.reported = kind;
        Some(if is_bad { WifiReport::Bad(message) } else { WifiReport::Good(message) })
    }
}

/// How the box stands with a wireless network, after this was observed.
fn stands(settings: &WifiSettings, before: Option<Wifi>, observed: Observed) -> Option<Wifi> {
    let wanted = settings.ssid.as_ref().map(|ssid| wifi::shown(ssid.as_bytes()));
    match observed {
        Observed::Nothing => None,
        Observed::Joining => {
            let last = before.filter(|before| Some(&before.ssid) == wanted.as_ref());
            let (failure, message) = last.map(|last| (last.failure, last.message)).unzip();
            Some(Wifi {
                failure: failure.flatten(),
                message: message.flatten(),
                ..not_joined(wanted?, WifiState::Joining)
            })
        }
        // The manager has joined another one, whatever its connection is called.
        Observed::Joined(joined) if is_another(settings, joined.ssid.as_deref()) => {
            Some(not_joined(wanted?, WifiState::Joining))
        }
        Observed::Joined(joined) => {
            let name = joined.ssid.map(|ssid| wifi::shown(&ssid));
            let ssid = wanted.or(name).unwrap_or_else(|| "a hidden network".to_owned());
            Some(Wifi {
                interface: Some(joined.interface),
                signal_percent: joined.signal_percent,
                signal: joined.signal_percent.map(wifi::signal),
                ..not_joined(ssid, WifiState::Joined)
            })
        }
        Observed::Failed(attempt) => {
            let verdict = wifi::judge(
                &Wanted {
                    ssid: settings.ssid.as_deref()?,
                    has_passphrase: settings.passphrase.is_some(),
                    is_hidden: settings.hidden,
                    has_country: settings.country.is_some(),
                },
                &attempt,
            );
            Some(Wifi {
                failure: Some(verdict.failure),
                message: Some(verdict.message),
                ..not_joined(wanted?, WifiState::NotJoined)
            })
        }
    }
}

/// Whether both names are known, and differ.
fn is_another(settings: &WifiSettings, joined: Option<&[u8]>) -> bool {
    settings.ssid.as_ref().zip(joined).is_some_and(|(set, joined)| set.as_bytes() != joined)
}

fn not_joined(ssid: String, state: WifiState) -> Wifi {
    Wifi {
        ssid,
        state,
        interface: None,
        signal_percent: None,
        signal: None,
        failure: None,
        message: None,
    }
}
