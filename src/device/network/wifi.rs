//! The wireless network at NetworkManager: what is in range, joining, and whether it still is joined.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::nmcli::{
    Call, DEVICE_FIELDS, Device, Found, INTERRUPTED, POINT_FIELDS, access_points, join_end, nmcli,
    wireless,
};
use crate::config::Wifi;
use crate::limits::{
    NMCLI_TIMEOUT, WIFI_JOIN_GRACE, WIFI_JOIN_TIMEOUT_S, WIFI_JOINING_LOOK_INTERVAL,
    WIFI_LIST_BYTES_MAX, WIFI_LOOK_INTERVAL, WIFI_REJOIN_INTERVAL, WIFI_SAVED_MAX,
    WIFI_SCAN_TIMEOUT,
};
use crate::status::{Link, WifiSecurity};
use crate::wifi::{AccessPoint, Attempt, JoinEnd, Joined, Observed, Radio};

/// The connection of the wireless network.
pub(super) const WIFI: &str = "firstmile-wifi";

/// Where the kernel lists its interfaces; a wireless one has this entry there.
const INTERFACES: &str = "/sys/class/net";
const IS_WIRELESS: &str = "phy80211";

/// After it is called connected, its addresses may take a moment to be seen.
const ADDRESS_LOOKS: u32 = 20;
const ADDRESS_LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What is in range, and of which of it the system has settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Access points, in no order.
    pub points: Vec<AccessPoint>,
    /// Names of networks.
    pub known: Vec<Vec<u8>>,
}

/// Lets the radio look for networks, which takes some seconds; blocks for [`WIFI_SCAN_TIMEOUT`] at most.
///
/// # Errors
/// Why it cannot, in words.
pub fn scan() -> Result<Scan, String> {
    let until = Until::within(WIFI_SCAN_TIMEOUT);
    let found = list_until(until, "yes").map_err(|why| format!("cannot look for networks: {why}"));
    let points: Vec<AccessPoint> = match found {
        Ok(found) if !found.is_empty() => found.into_iter().map(|found| found.point).collect(),
        // Nothing, or an error: is there anything to look with?
        other => match (radio_until(until), devices_until(until)) {
            (Radio::Missing, _) => {
                return Err("this box has no Wi-Fi hardware that works".to_owned());
            }
            (Radio::Off | Radio::Blocked, _) => {
                return Err("Wi-Fi is switched off (rfkill)".to_owned());
            }
            (Radio::On, Ok(devices)) if !devices.iter().any(Device::is_ready) => {
                return Err("NetworkManager has no wireless interface that is ready (yet); \
                            `nmcli device` on the box shows how it stands"
                    .to_owned());
            }
            (Radio::On, _) => other.map(|_| Vec::new())?,
        },
    };
    // It is a remark, and no reason to show nothing.
    Ok(Scan { points, known: known(until).unwrap_or_default() })
}

/// When several calls of `nmcli` are to be over.
#[derive(Debug, Clone, Copy)]
struct Until(Instant);

impl Until {
    fn within(time: Duration) -> Until {
        Until(Instant::now() + time)
    }

    /// A call that is over by then, and within its own time.
    fn call(self, timeout: Duration) -> Call<'static> {
        let left = self.0.saturating_duration_since(Instant::now());
        Call { timeout: left.min(timeout), ..Call::default() }
    }
}

/// The access points that NetworkManager knows; `rescan` is what its option takes.
pub(super) fn list(rescan: &str) -> Result<Vec<Found>, String> {
    list_until(Until::within(WIFI_SCAN_TIMEOUT), rescan)
}

fn list_until(until: Until, rescan: &str) -> Result<Vec<Found>, String> {
    let call = Call { output_bytes_max: WIFI_LIST_BYTES_MAX, ..until.call(WIFI_SCAN_TIMEOUT) };
    let arguments = ["--terse", "--fields", POINT_FIELDS, "device", "wifi", "list"];
    let text = call.run(arguments.into_iter().chain(["--rescan", rescan]), || true)?;
    Ok(access_points(&text))
}

/// The names of the networks that the system has connections for, as far as there is time.
fn known(until: Until) -> Result<Vec<Vec<u8>>, String> {
    let show = ["--terse", "--fields", "UUID,TYPE", "connection", "show"];
    let all = until.call(NMCLI_TIMEOUT).run(show, || true)?;
    let wireless = all.lines().filter_map(|line| line.strip_suffix(":802-11-wireless"));
    let names = wireless.take(WIFI_SAVED_MAX).map_while(|uuid| {
        let get = ["--escape", "no", "--get-values", "802-11-wireless.ssid"];
        let show = get.into_iter().chain(["connection", "show", "uuid", uuid]);
        // A name of other letters than English ones is lost in the other locale.
        let call = Call { locale: "C.UTF-8", ..until.call(NMCLI_TIMEOUT) };
        call.run(show, || true).ok().map(|name| name.trim_end_matches('\n').as_bytes().to_vec())
    });
    Ok(names.collect())
}

/// Whether there is a radio, and whether it is on.
fn radio() -> Radio {
    radio_until(Until::within(2 * NMCLI_TIMEOUT))
}

fn radio_until(until: Until) -> Radio {
    let has_device = devices_until(until).is_ok_and(|devices| !devices.is_empty());
    if !has_device && !has_wireless_interface() {
        return Radio::Missing;
    }
    let ask = ["--terse", "--fields", "WIFI-HW,WIFI", "radio"];
    let shown = until.call(NMCLI_TIMEOUT).run(ask, || true).unwrap_or_default();
    match shown.trim().split_once(':') {
        Some(("disabled", _)) => Radio::Blocked,
        Some((_, "disabled")) => Radio::Off,
        _ => Radio::On,
    }
}

/// Switches Wi-Fi on where software has switched it off; a note where that fails. Only where the
/// country is set: some systems keep it off until somebody does that.
pub(super) fn switch_on() -> Option<String> {
    if radio() != Radio::Off {
        return None;
    }
    let failed = nmcli(["radio", "wifi", "on"], None).err()?;
    Some(format!("Wi-Fi is not switched on: {failed}"))
}

fn devices() -> Result<Vec<Device>, String> {
    devices_until(Until::within(NMCLI_TIMEOUT))
}

fn devices_until(until: Until) -> Result<Vec<Device>, String> {
    let show = ["--terse", "--fields", DEVICE_FIELDS, "device", "show"];
    Ok(wireless(&until.call(NMCLI_TIMEOUT).run(show, || true)?))
}

/// Whether NetworkManager still has our connection; where it does not answer it may have.
fn is_there() -> bool {
    let show = ["--terse", "--escape", "no", "--fields", "NAME", "connection", "show"];
    nmcli(show, None).map_or(true, |all| all.lines().any(|name| name == WIFI))
}

fn has_wireless_interface() -> bool {
    let interfaces = fs::read_dir(Path::new(INTERFACES)).into_iter().flatten().flatten();
    interfaces.into_iter().any(|interface| interface.path().join(IS_WIRELESS).exists())
}

fn has_address(name: &str) -> bool {
    let interfaces = super::interfaces();
    let ours = interfaces.into_iter().filter(|interface| interface.name == name);
    super::link(&ours.collect::<Vec<_>>()) == Link::Up
}

/// How NetworkManager is to authenticate at a network with a passphrase, by what is in range of it: the
/// two ways exclude each other there, and WPA2 is the older one. `None` where none of it is in range.
pub(super) fn key_management(ssid: &str, in_range: &[Found]) -> Option<&'static str> {
    let ours = in_range.iter().filter(|found| found.point.ssid == ssid.as_bytes());
    let security: Vec<WifiSecurity> = ours.map(|found| found.point.security).collect();
    let wpa3_alone = security.iter().all(|of| *of == WifiSecurity::Wpa3);
    (!security.is_empty()).then_some(if wpa3_alone { "sae" } else { "wpa-psk" })
}

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
        *self = Watch { wanted, key_management, is_new: true, ..Watch::default() };
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
        // NetworkManager that does not answer is reported where the settings are handed over.
        let devices = devices().unwrap_or_default();
        let is_ours = |device: &&Device| self.wanted.is_none() || device.connection == WIFI;
        let connected = devices.iter().filter(|device| device.is_connected()).find(is_ours);
        if let Some(device) = connected.filter(|device| has_address(&device.interface)) {
            report(Observed::Joined(joined(device)));
            // When it is lost it is tried at once.
            (self.is_new, self.tried_at, self.failed) = (false, None, None);
            return Next::Look(WIFI_LOOK_INTERVAL);
        }
        let Some(wanted) = self.wanted.clone() else {
            report(Observed::Nothing);
            return Next::Look(WIFI_LOOK_INTERVAL);
        };
        let is_due = self.tried_at.is_none_or(|at| at.elapsed() >= WIFI_REJOIN_INTERVAL);
        let is_connecting = devices.iter().filter(is_ours).any(Device::is_connecting);
        match &self.failed {
            // By itself; only a try of our own shows why it fails.
            _ if is_connecting && !self.is_new => {
                report(Observed::Joining);
                return Next::Look(WIFI_JOINING_LOOK_INTERVAL);
            }
            Some(failed) if !is_due => {
                report(Observed::Failed(failed.clone()));
                return Next::Look(WIFI_JOINING_LOOK_INTERVAL);
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
        let before = self.failed.take();
        if let Some(failed) = costs_too_much(&wanted, &devices, before) {
            return self.has_failed(failed, report);
        }
        let end = match join(&goes_on) {
            Ok(joined) => {
                report(Observed::Joined(joined));
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
        self.failed = Some(failed.clone());
        report(Observed::Failed(failed));
        (self.is_new, self.tried_at) = (false, Some(Instant::now()));
        Next::Look(WIFI_JOINING_LOOK_INTERVAL)
    }
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

/// Tries to join it, until it has an address.
fn join(goes_on: impl Fn() -> bool) -> Result<Joined, JoinEnd> {
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
            return Ok(joined(&device));
        }
        if !goes_on() {
            break;
        }
        thread::sleep(ADDRESS_LOOK_INTERVAL);
    }
    Err(JoinEnd::NoAddress)
}

/// What an interface has joined.
fn joined(device: &Device) -> Joined {
    let in_range = list("no").unwrap_or_default();
    let is_it = |found: &&Found| found.point.is_joined && found.interface == device.interface;
    let point = in_range.iter().find(is_it).map(|found| &found.point);
    Joined {
        ssid: point.map(|point| point.ssid.clone()).filter(|ssid| !ssid.is_empty()),
        interface: device.interface.clone(),
        signal_percent: point.map(|point| point.signal_percent),
    }
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

    #[test]
    fn how_to_authenticate_is_known_of_networks_in_range_alone() {
        let found = |security| {
            let ssid = b"hall".to_vec();
            let point = AccessPoint { ssid, signal_percent: 80, security, is_joined: false };
            Found { point, interface: "wlan0".to_owned() }
        };
        assert_eq!(key_management("hall", &[]), None);
        assert_eq!(key_management("attic", &[found(WifiSecurity::Wpa3)]), None);
        assert_eq!(key_management("hall", &[found(WifiSecurity::Wpa3)]), Some("sae"));
        let both = [found(WifiSecurity::Wpa3), found(WifiSecurity::Wpa2)];
        assert_eq!(key_management("hall", &both), Some("wpa-psk"));
    }
}
