//! The network: what is known of it, and the settings that are handed over to its manager.

use core::net::IpAddr;
use std::time::Duration;

use super::Control;
use crate::appliance::{Event as Happening, LinkChange};
use crate::console::{ClientId, Reply};
use crate::control::action::{Action, Job, Level};
use crate::control::event::Connected;
use crate::control::network::WifiReport;
use crate::control::progress::Progress;
use crate::status::{Change, Interface, NetworkManaged};
use crate::wifi::{self, AccessPoint, Observed};

impl Control {
    /// Hands the network's settings over when they are others than before. Where none are set, what an
    /// earlier run left at the manager is removed, a passphrase with it; but not while a source could
    /// not be read that may set them.
    pub(super) fn hand_network_over(&mut self) {
        let settings = &self.in_force.settings;
        let (wired, wifi) = (settings.wired.clone(), settings.wifi.clone());
        let is_set = wired.is_set() || wifi.ssid.is_some();
        let is_known = is_set || self.network.handed.is_some() || self.setup.is_whole;
        let wanted = (wired, wifi);
        if self.network.handed.as_ref() == Some(&wanted) || !is_known {
            return;
        }
        let (wired, wifi) = wanted.clone();
        self.network.handed = Some(wanted);
        self.network.forget_wifi();
        self.act(Action::Network { wired, wifi });
    }

    pub(super) fn network_managed(&mut self, now: Duration, managed: NetworkManaged) {
        let nothing = NetworkManaged::NotSet;
        if managed == nothing && self.network.managed == nothing {
            return;
        }
        let message = format!("network settings: {managed}");
        let level = match managed {
            NetworkManaged::Failed(_) => Level::Warn,
            NetworkManaged::NotSet | NetworkManaged::Removed | NetworkManaged::Applied(_) => {
                Level::Info
            }
        };
        self.network.managed = managed;
        self.report_at(now, level, Change::Note { message });
    }

    /// What was observed of a network that is not wanted any more says nothing.
    pub(super) fn wifi_observed(
        &mut self,
        now: Duration,
        wanted: Option<&str>,
        observed: Observed,
    ) {
        let settings = &self.in_force.settings.wifi;
        if settings.ssid.as_deref() != wanted {
            return;
        }
        let (level, message) = match self.network.observe(settings, observed) {
            Some(WifiReport::Good(message)) => (Level::Info, message),
            Some(WifiReport::Bad(message)) => (Level::Warn, message),
            None => return,
        };
        self.report_at(now, level, Change::Note { message });
    }

    /// A wireless interface without an address has joined nothing, whatever was observed last.
    fn wifi_may_be_lost(&mut self, now: Duration) {
        let settings = &self.in_force.settings.wifi;
        if settings.ssid.is_none() && self.network.wifi.is_none() {
            return;
        }
        self.act(Action::LookAtWifi);
        if self.network.wifi_has_no_address() {
            let wanted = self.in_force.settings.wifi.ssid.clone();
            let observed = if wanted.is_some() { Observed::Joining } else { Observed::Nothing };
            self.wifi_observed(now, wanted.as_deref(), observed);
        }
    }

    /// Looking for networks takes some seconds; one look at a time.
    pub(super) fn scan_wifi(&mut self, from: ClientId, request: u64) -> Progress {
        if self.scanning.is_some() {
            let why = "still looking for networks; ask again when that is done";
            return Progress::Answered(Reply::error(why));
        }
        self.scanning = Some(request);
        if let Some(session) = self.session(from) {
            session.note("looking for networks, which takes some seconds");
        }
        self.act(Action::Job { request, job: Job::ScanWifi });
        Progress::Job
    }

    /// The networks that were found.
    pub(super) fn wifi_found(&self, points: &[AccessPoint], known: &[Vec<u8>]) -> Reply {
        let wanted = self.in_force.settings.wifi.ssid.as_deref();
        Reply::WifiScan(wifi::networks(points, wanted, known))
    }

    pub(super) fn network_changed(
        &mut self,
        now: Duration,
        link: LinkChange,
        interfaces: Option<Vec<Interface>>,
        connected: &[Connected],
    ) {
        if let Some(interfaces) = interfaces {
            for Connected { dest, attempt, local_address } in connected {
                if delivers_nothing(*local_address, &interfaces, link) {
                    self.tell(now, Happening::Stranded { dest: *dest, attempt: *attempt });
                }
            }
            self.network.interfaces = interfaces;
            self.wifi_may_be_lost(now);
        }
        self.tell(now, Happening::Link(link));
    }
}

/// Whether a connection from this address is lost, as far as the interfaces show it: none of them has the address
/// any more, or the one that has it lost its carrier while another one leads on. Where none does, the cable may
/// be back before the connection has ended.
fn delivers_nothing(local_address: IpAddr, interfaces: &[Interface], link: LinkChange) -> bool {
    let address = local_address.to_string();
    let mut with_it = interfaces.iter().filter(|one| one.addresses.contains(&address)).peekable();
    let is_gone = with_it.peek().is_none();
    let has_no_carrier = with_it.all(|interface| !interface.up);
    !local_address.is_loopback() && (is_gone || has_no_carrier && link != LinkChange::Down)
}
