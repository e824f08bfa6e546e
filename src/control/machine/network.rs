//! The network: what is known of it, and the settings that are handed over to its manager.

use std::time::Duration;

use super::Control;
use crate::appliance::{Event as Happening, LinkChange};
use crate::control::action::{Action, Level};
use crate::control::event::Connected;
use crate::status::{Change, Interface, NetworkManaged};

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

    pub(super) fn network_changed(
        &mut self,
        now: Duration,
        link: LinkChange,
        interfaces: Option<Vec<Interface>>,
        connected: &[Connected],
    ) {
        if let Some(interfaces) = interfaces {
            // Connections from an address that no interface has any more deliver nothing.
            for Connected { dest, attempt, local_address } in connected {
                let address = local_address.to_string();
                let has_it = |interface: &Interface| interface.addresses.contains(&address);
                if !local_address.is_loopback() && !interfaces.iter().any(has_it) {
                    self.tell(now, Happening::Stranded { dest: *dest, attempt: *attempt });
                }
            }
            self.network.interfaces = interfaces;
        }
        self.tell(now, Happening::Link(link));
    }
}
