//! What NetworkManager knows of the radio: what is in range, whether it is on, which interfaces it has.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::nmcli::{
    Call, DEVICE_FIELDS, Device, Found, POINT_FIELDS, access_points, nmcli, wireless,
};
use crate::limits::{NMCLI_TIMEOUT, WIFI_LIST_BYTES_MAX, WIFI_SAVED_MAX, WIFI_SCAN_TIMEOUT};
use crate::status::WifiSecurity;
use crate::wifi::{AccessPoint, Radio};

/// Where the kernel lists its interfaces; a wireless one has this entry there.
const INTERFACES: &str = "/sys/class/net";
const IS_WIRELESS: &str = "phy80211";

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
pub(super) fn radio() -> Radio {
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

pub(super) fn devices() -> Result<Vec<Device>, String> {
    devices_until(Until::within(NMCLI_TIMEOUT))
}

fn devices_until(until: Until) -> Result<Vec<Device>, String> {
    let show = ["--terse", "--fields", DEVICE_FIELDS, "device", "show"];
    Ok(wireless(&until.call(NMCLI_TIMEOUT).run(show, || true)?))
}

pub(super) fn has_wireless_interface() -> bool {
    let interfaces = fs::read_dir(Path::new(INTERFACES)).into_iter().flatten().flatten();
    interfaces.into_iter().any(|interface| interface.path().join(IS_WIRELESS).exists())
}

/// How NetworkManager is to authenticate at a network with a passphrase, by what is in range of it: the
/// two ways exclude each other there, and WPA2 is the older one. `None` where none of it is in range.
pub(super) fn key_management(ssid: &str, in_range: &[Found]) -> Option<&'static str> {
    let ours = in_range.iter().filter(|found| found.point.ssid == ssid.as_bytes());
    let security: Vec<WifiSecurity> = ours.map(|found| found.point.security).collect();
    let wpa3_alone = security.iter().all(|of| *of == WifiSecurity::Wpa3);
    (!security.is_empty()).then_some(if wpa3_alone { "sae" } else { "wpa-psk" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_to_authenticate_is_known_of_networks_in_range_alone() {
        let found = |security| {
            let ssid = b"hall".to_vec();
            let point = AccessPoint { ssid, signal_percent: 80, security, is_joined: false };
            Found { point, interface: "wlan0".to_owned(), frequency_mhz: None }
        };
        assert_eq!(key_management("hall", &[]), None);
        assert_eq!(key_management("attic", &[found(WifiSecurity::Wpa3)]), None);
        assert_eq!(key_management("hall", &[found(WifiSecurity::Wpa3)]), Some("sae"));
        let both = [found(WifiSecurity::Wpa3), found(WifiSecurity::Wpa2)];
        assert_eq!(key_management("hall", &both), Some("wpa-psk"));
    }
}
