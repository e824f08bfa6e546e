//! The wireless network at NetworkManager: what is in range, joining, and whether it still is joined.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use super::network;
use super::nmcli::{
    Call, DEVICE_FIELDS, Device, Found, INTERRUPTED, POINT_FIELDS, access_points, join_end, nmcli,
    wireless,
};
use crate::config::Wifi;
use crate::limits::{
    WIFI_JOIN_GRACE, WIFI_JOIN_TIMEOUT_S, WIFI_JOINING_LOOK_INTERVAL, WIFI_LIST_BYTES_MAX,
    WIFI_LOOK_INTERVAL, WIFI_REJOIN_INTERVAL, WIFI_SAVED_MAX, WIFI_SCAN_TIMEOUT,
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

/// Lets the radio look for networks, which takes some seconds.
///
/// # Errors
/// Why it cannot, in words.
pub fn scan() -> Result<Scan, String> {
    let found = list("yes").map_err(|why| format!("cannot look for networks: {why}"));
    let points: Vec<AccessPoint> = match found {
        Ok(found) if !found.is_empty() => found.into_iter().map(|found| found.point).collect(),
        // Nothing, or an error: is there anything to look with?
        other => match radio() {
            Radio::Missing => return Err("this box has no Wi-Fi hardware that works".to_owned()),
            Radio::Off | Radio::Blocked => return Err("Wi-Fi is switched off (rfkill)".to_owned()),
            Radio::On if !devices().unwrap_or_default().iter().any(Device::is_ready) => {
                return Err("NetworkManager has no wireless interface that is ready (yet); \
                            `nmcli device` on the box shows how it stands"
                    .to_owned());
            }
            Radio::On => other.map(|_| Vec::new())?,
        },
    };
    // It is a remark, and no reason to show nothing.
    Ok(Scan { points, known: known().unwrap_or_default() })
}

/// The access points that NetworkManager knows; `rescan` is what its option takes.
fn list(rescan: &str) -> Result<Vec<Found>, String> {
    let call = Call {
        timeout: WIFI_SCAN_TIMEOUT,
        output_bytes_max: WIFI_LIST_BYTES_MAX,
        ..Call::default()
    };
    let arguments = ["--terse", "--fields", POINT_FIELDS, "device", "wifi", "list"];
    let text = call.run(arguments.into_iter().chain(["--rescan", rescan]), || true)?;
    Ok(access_points(&text))
}

/// The names of the networks that the system has connections for.
fn known() -> Result<Vec<Vec<u8>>, String> {
    let all = nmcli(["--terse", "--fields", "UUID,TYPE", "connection", "show"], None)?;
    let wireless = all.lines().filter_map(|line| line.strip_suffix(":802-11-wireless"));
    let names = wireless.take(WIFI_SAVED_MAX).filter_map(|uuid| {
        let get = ["--escape", "no", "--get-values", "802-11-wireless.ssid"];
        let show = get.into_iter().chain(["connection", "show", "uuid", uuid]);
        // A name of other letters than English ones is lost in the other locale.
        let call = Call { locale: "C.UTF-8", ..Call::default() };
        call.run(show, || true).ok().map(|name| name.trim_end_matches('\n').as_bytes().to_vec())
    });
    Ok(names.collect())
}

/// Whether there is a radio, and whether it is on.
fn radio() -> Radio {
    let has_device = devices().is_ok_and(|devices| !devices.is_empty());
    if !has_device && !has_wireless_interface() {
        return Radio::Missing;
    }
    let shown = nmcli(["--terse", "--fields", "WIFI-HW,WIFI", "radio"], None).unwrap_or_default();
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
    Ok(wireless(&nmcli(["--terse", "--fields", DEVICE_FIELDS, "device", "show"], None)?))
}

fn has_wireless_interface() -> bool {
    let interfaces = fs::read_dir(Path::new(INTERFACES)).into_iter().flatten().flatten();
    interfaces.into_iter().any(|interface| interface.path().join(IS_WIRELESS).exists())
}

fn has_address(name: &str) -> bool {
    let interfaces = network::interfaces();
    let ours = interfaces.into_iter().filter(|interface| interface.name == name);
    network::link(&ours.collect::<Vec<_>>()) == Link::Up
}

/// How NetworkManager is to authenticate at a network with a passphrase, by what is in range of it: the
/// two ways exclude each other there, and WPA2 is the older one.
pub(super) fn key_management(ssid: &str) -> &'static str {
    let in_range = list("no").unwrap_or_default();
    let ours = in_range.iter().filter(|found| found.point.ssid == ssid.as_bytes());
    let security: Vec<WifiSecurity> = ours.map(|found| found.point.security).collect();
    let wpa3_alone = !security.is_empty() && security.iter().all(|of| *of == WifiSecurity::Wpa3);
    if wpa3_alone { "sae" } else { "wpa-psk" }
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
        let is_sae = |now: &str| self.key_management.is_some_and(|handed| handed != now);
        if wanted.ssid.as_deref().is_some_and(|ssid| is_sae(key_management(ssid))) {
            return Next::HandOver;
        }
        report(Observed::Joining);
        match join(&goes_on) {
            Ok(joined) => {
                report(Observed::Joined(joined));
                (self.is_new, self.tried_at, self.failed) = (false, None, None);
                return Next::Look(WIFI_LOOK_INTERVAL);
            }
            // Newer settings wait: nobody wants to know.
            Err(_) if !goes_on() => return Next::Look(Duration::ZERO),
            Err(end) => {
                let in_range = list("auto").unwrap_or_default();
                let in_range = in_range.into_iter().map(|found| found.point).collect();
                let failed = Attempt { end, radio: radio(), in_range };
                self.failed = Some(failed.clone());
                report(Observed::Failed(failed));
            }
        }
        (self.is_new, self.tried_at) = (false, Some(Instant::now()));
        Next::Look(WIFI_JOINING_LOOK_INTERVAL)
    }
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
