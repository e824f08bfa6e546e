//! The wireless network at NetworkManager: joining it, whether it still is joined, and finding it again.

use std::cell::RefCell;
use std::thread;
use std::time::{Duration, Instant};

use super::nmcli::{Call, Device, Found, INTERRUPTED, join_end, nmcli};
use super::radio::{devices, has_wireless_interface, key_management, list, radio, switch_on};
use super::supplicant;
use crate::config::Wifi;
use crate::limits::{
    WIFI_JOIN_GRACE, WIFI_JOIN_TIMEOUT_S, WIFI_JOINING_LOOK_INTERVAL, WIFI_LOOK_INTERVAL,
};
use crate::status::Link;
use crate::wifi::{AccessPoint, Attempt, JoinEnd, Joined, Observed, Radio, Search};

/// The connection of the wireless network.
pub(super) const WIFI: &str = "firstmile-wifi";

/// After it is called connected, its addresses may take a moment to be seen.
const ADDRESS_LOOKS: u32 = 20;
const ADDRESS_LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Joins the wireless network that is wanted, and looks after it.
#[derive(Debug, Default)]
pub(super) struct Watch {
    wanted: Option<Wifi>,
    /// How NetworkManager authenticates, as it was handed over.
    key_management: Option<&'static str>,
    /// It was not tried since it was handed over.
    is_new: bool,
    tried_at: Option<Instant>,
    /// How the last try failed.
    failed: Option<Attempt>,
    /// Where it is looked for when it is lost, and with which interface.
    seeker: RefCell<Seeker>,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again after this time.
    Look(Duration),
    /// Hand the settings over again: the network in range wants another way to authenticate.
    HandOver,
}

impl Watch {
    /// These settings were handed over, and are to be tried.
    pub fn handed(&mut self, wifi: &Wifi, key_management: Option<&'static str>) {
        let wanted = wifi.ssid.is_some().then(|| wifi.clone());
        let hidden = wanted.as_ref().filter(|wifi| wifi.hidden).and_then(|wifi| wifi.ssid.clone());
        let seeker = RefCell::new(Seeker { hidden, ..Seeker::default() });
        *self = Watch { wanted, key_management, is_new: true, seeker, ..Watch::default() };
    }

    /// The network that is looked after.
    pub fn ssid(&self) -> Option<&str> {
        self.wanted.as_ref().and_then(|wifi| wifi.ssid.as_deref())
    }

    /// None are at NetworkManager.
    pub fn forget(&mut self) {
        *self = Watch::default();
    }

    /// Looks, and tries what is due; `goes_on` says whether anybody still wants to know.
    pub fn look(&mut self, goes_on: impl Fn() -> bool, mut report: impl FnMut(Observed)) -> Next {
        if self.wanted.is_none() && !has_wireless_interface() {
            report(Observed::Nothing);
            return Next::Look(WIFI_LOOK_INTERVAL);
        }
        if self.only_seeks() {
            return self.seek();
        }
        // NetworkManager that does not answer is reported where the settings are handed over.
        let devices = devices().unwrap_or_default();
        let is_ours = |device: &&Device| self.wanted.is_none() || device.connection == WIFI;
        let connected = devices.iter().filter(|device| device.is_connected()).find(is_ours);
        if let Some(device) = connected.filter(|device| has_address(&device.interface)) {
            report(Observed::Joined(self.joined(device)));
            // When it is lost it is tried at once.
            (self.is_new, self.tried_at, self.failed) = (false, None, None);
            return Next::Look(WIFI_LOOK_INTERVAL);
        }
        let Some(wanted) = self.wanted.clone() else {
            report(Observed::Nothing);
            return Next::Look(WIFI_LOOK_INTERVAL);
        };
        self.seeker.get_mut().not_joined();
        let is_kept = connected.is_some() && self.seeker.get_mut().may_be_roaming();
        let rejoin_interval = self.seeker.get_mut().rejoin_interval();
        let is_due = self.tried_at.is_none_or(|at| at.elapsed() >= rejoin_interval);
        let is_connecting = devices.iter().filter(is_ours).any(Device::is_connecting);
        match &self.failed {
            // By itself; only a try of our own shows why it fails.
            _ if (is_connecting || is_kept) && !self.is_new => {
                report(Observed::Joining);
                return self.seek();
            }
            Some(failed) if !is_due => {
                report(Observed::Failed(failed.clone()));
                return self.seek();
            }
            _ => {}
        }
        let Some(ssid) = wanted.ssid.as_deref() else { return Next::Look(WIFI_LOOK_INTERVAL) };
        let wants_another_way = |in_range: &[Found]| {
            let way = key_management(ssid, in_range);
            way.is_some_and(|way| self.key_management.is_some_and(|handed| handed != way))
        };
        if wants_another_way(&list("no").unwrap_or_default()) || !is_there() {
            return Next::HandOver;
        }
        report(Observed::Joining);
        // Another try would take from NetworkManager what it has begun by itself meanwhile.
        if !self.is_new && is_under_way() {
            return self.seek();
        }
        let before = self.failed.take();
        if let Some(failed) = costs_too_much(&wanted, &devices, before) {
            return self.has_failed(failed, report);
        }
        let goes_on_seeking = || {
            self.seeker.borrow_mut().look();
            goes_on()
        };
        let end = match join(goes_on_seeking) {
            Ok(device) => {
                report(Observed::Joined(self.joined(&device)));
                (self.is_new, self.tried_at) = (false, None);
                return Next::Look(WIFI_LOOK_INTERVAL);
            }
            Err(end) => end,
        };
        let in_range = list("auto").ok();
        let radio = match radio() {
            Radio::Off if wanted.country.is_some() => {
                // Nothing is lost where it stays off.
                let _ = switch_on();
                radio()
            }
            radio => radio,
        };
        // Newer settings wait: nobody wants to know.
        if !goes_on() {
            return Next::Look(Duration::ZERO);
        }
        if in_range.as_ref().is_some_and(|in_range| wants_another_way(in_range)) {
            return Next::HandOver;
        }
        let in_range = in_range.map(|all| all.into_iter().map(|found| found.point).collect());
        self.has_failed(Attempt { end, radio, in_range }, report)
    }

    fn has_failed(&mut self, failed: Attempt, mut report: impl FnMut(Observed)) -> Next {
        if matches!(failed.end, JoinEnd::NoSecrets | JoinEnd::Rejected) {
            self.seeker.get_mut().search.end();
        }
        self.failed = Some(failed.clone());
        report(Observed::Failed(failed));
        (self.is_new, self.tried_at) = (false, Some(Instant::now()));
        self.seek()
    }

    /// Looks for the network if it is lost; when to look at everything again.
    fn seek(&mut self) -> Next {
        let seeker = self.seeker.get_mut();
        seeker.look();
        Next::Look(seeker.interval().unwrap_or(WIFI_JOINING_LOOK_INTERVAL))
    }

    /// Whether a network that is lost is only looked for now: between two tries NetworkManager joins by itself what
    /// that finds, and nothing but its address has to be noticed.
    fn only_seeks(&mut self) -> bool {
        let seeker = self.seeker.get_mut();
        let rejoin_interval = seeker.rejoin_interval();
        let waits = self.tried_at.is_some_and(|at| at.elapsed() < rejoin_interval);
        let is_back = seeker.interface.as_deref().is_some_and(has_address);
        self.failed.is_some() && seeker.interval().is_some() && waits && !is_back
    }

    /// What an interface has joined. Where it is heard is where it is looked for when it is lost.
    fn joined(&self, device: &Device) -> Joined {
        let in_range = list("no").unwrap_or_default();
        let is_it = |found: &&Found| found.point.is_joined && found.interface == device.interface;
        let point = in_range.iter().find(is_it).map(|found| &found.point);
        let ssid = point.map(|point| point.ssid.clone()).filter(|ssid| !ssid.is_empty());
        let heard = in_range.iter().filter(|found| Some(&found.point.ssid) == ssid.as_ref());
        let mut seeker = self.seeker.borrow_mut();
        seeker.search.joined(heard.filter_map(|found| found.frequency_mhz));
        seeker.interface = Some(device.interface.clone());
        Joined {
            ssid,
            interface: device.interface.clone(),
            signal_percent: point.map(|point| point.signal_percent),
        }
    }
}

/// Looks for a network that is lost, where it was.
#[derive(Debug, Default)]
struct Seeker {
    search: Search,
    /// The interface that had joined it.
    interface: Option<String>,
    /// Its name, where it announces none.
    hidden: Option<String>,
    /// When time began.
    began: Option<Instant>,
}

impl Seeker {
    fn now(&mut self) -> Duration {
        self.began.get_or_insert_with(Instant::now).elapsed()
    }

    fn not_joined(&mut self) {
        let now = self.now();
        self.search.not_joined(now);
    }

    fn may_be_roaming(&mut self) -> bool {
        let now = self.now();
        self.search.may_be_roaming(now)
    }

    fn rejoin_interval(&mut self) -> Duration {
        let now = self.now();
        self.search.rejoin_interval(now)
    }

    fn interval(&mut self) -> Option<Duration> {
        let now = self.now();
        self.search.interval(now)
    }

    /// Looks, if it is time to.
    fn look(&mut self) {
        let now = self.now();
        let (Some(interface), Some(heard_mhz)) = (&self.interface, self.search.due(now)) else {
            return;
        };
        if let Err(why) = supplicant::look(interface, heard_mhz, self.hidden.as_deref()) {
            // NetworkManager's own looks have to do.
            tracing::debug!(why, "the supplicant does not look");
        }
    }
}

/// Whether NetworkManager has joined our network, or is about to.
fn is_under_way() -> bool {
    let is_it = |device: &Device| {
        let is_joined = device.is_connected() && has_address(&device.interface);
        device.connection == WIFI && (device.is_connecting() || is_joined)
    };
    devices().is_ok_and(|devices| devices.iter().any(is_it))
}

/// Whether NetworkManager still has our connection; where it does not answer it may have.
fn is_there() -> bool {
    let show = ["--terse", "--escape", "no", "--fields", "NAME", "connection", "show"];
    nmcli(show, None).map_or(true, |all| all.lines().any(|name| name == WIFI))
}

fn has_address(name: &str) -> bool {
    let interfaces = super::interfaces();
    let ours = interfaces.into_iter().filter(|interface| interface.name == name);
    super::link(&ours.collect::<Vec<_>>()) == Link::Up
}

/// Joining takes the radio from the network that the system has joined by itself. Why that is not done: the
/// network that is wanted is not in range, or was, and did not let the box in.
fn costs_too_much(wanted: &Wifi, devices: &[Device], before: Option<Attempt>) -> Option<Attempt> {
    let has_another = |device: &&Device| {
        let interface = wanted.interface.as_ref();
        device.is_connected()
            && device.connection != WIFI
            && interface.is_none_or(|wanted| *wanted == device.interface)
            && has_address(&device.interface)
    };
    devices.iter().find(has_another)?;
    let ssid = wanted.ssid.as_deref()?;
    if let Some(before) = before.filter(|before| before.points_of(ssid).next().is_some()) {
        return Some(before);
    }
    let in_range: Vec<AccessPoint> =
        list("auto").ok()?.into_iter().map(|found| found.point).collect();
    let is_in_range = in_range.iter().any(|point| point.ssid == ssid.as_bytes());
    let absent =
        || Attempt { end: JoinEnd::NotFound, radio: Radio::On, in_range: Some(in_range.clone()) };
    (!is_in_range && !wanted.hidden).then(absent)
}

/// Tries to join it, until it has an address; the interface that has.
fn join(goes_on: impl Fn() -> bool) -> Result<Device, JoinEnd> {
    let wait = WIFI_JOIN_TIMEOUT_S.to_string();
    let timeout = Duration::from_secs(WIFI_JOIN_TIMEOUT_S.into()) + WIFI_JOIN_GRACE;
    let call = Call { timeout, ..Call::default() };
    let up = call.run(["--wait", &wait, "connection", "up", "id", WIFI], &goes_on);
    let ours = || {
        let devices = devices().unwrap_or_default();
        devices.into_iter().find(|device| device.connection == WIFI)
    };
    if let Err(complaint) = up {
        if complaint == INTERRUPTED {
            return Err(JoinEnd::Other(complaint));
        }
        let end = join_end(&complaint);
        let waited = end == JoinEnd::TimedOut && ours().is_some_and(|it| it.waits_for_address());
        return Err(if waited { JoinEnd::NoAddress } else { end });
    }
    for _ in 0..ADDRESS_LOOKS {
        let device = ours().filter(Device::is_connected);
        if let Some(device) = device.filter(|device| has_address(&device.interface)) {
            return Ok(device);
        }
        if !goes_on() {
            break;
        }
        thread::sleep(ADDRESS_LOOK_INTERVAL);
    }
    Err(JoinEnd::NoAddress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_could_not_be_handed_over_gives_its_name_to_no_other_one() {
        let hall = Wifi { ssid: Some("hall".to_owned()), ..Wifi::default() };
        let mut watch = Watch::default();
        assert_eq!(watch.ssid(), None);
        watch.handed(&hall, None);
        assert_eq!(watch.ssid(), Some("hall"));
        watch.forget();
        assert_eq!(watch.ssid(), None, "what the system has joined is not hall");
    }
}
