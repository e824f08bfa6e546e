//! Wireless networks: what a story says of them, and when one is called joined.

use firstmile::appliance::LinkChange;
use firstmile::control::Event;
use firstmile::status::{Interface, WifiSecurity, WifiState};
use firstmile::wifi::{AccessPoint, Attempt, JoinEnd, Joined, Observed, Radio};

use crate::rig::{Before, Rig};

/// `hall 87 WPA2 joined, Anna’s iPhone 60 WPA2/WPA3, 40 WPA2` (the last one announces no name).
pub fn in_range(list: &str) -> Result<Vec<AccessPoint>, String> {
    let list = if list == "nothing" { "" } else { list };
    let entries = list.split(", ").map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(access_point).collect()
}

fn access_point(entry: &str) -> Result<AccessPoint, String> {
    let (entry, is_joined) = match entry.strip_suffix(" joined") {
        Some(entry) => (entry, true),
        None => (entry, false),
    };
    let mut words = entry.rsplitn(3, ' ');
    let no_point = || format!("NAME PERCENT SECURITY, not {entry}");
    let security = words.next().ok_or_else(no_point)?;
    let signal_percent = words.next().and_then(|word| word.parse().ok()).ok_or_else(no_point)?;
    let ssid = words.next().unwrap_or_default().replace("\\x1b", "\x1b").into_bytes();
    let all = [
        WifiSecurity::Open,
        WifiSecurity::Wpa2,
        WifiSecurity::Wpa2Wpa3,
        WifiSecurity::Wpa3,
        WifiSecurity::Wep,
        WifiSecurity::Enterprise,
    ];
    let security = all.into_iter().find(|one| one.name() == security).ok_or_else(no_point)?;
    Ok(AccessPoint { ssid, signal_percent, security, is_joined })
}

/// `is tried`, `is joined at 72 %`, `is gone`, or `fails WHY with LIST`, where WHY is `secrets`, `not
/// found`, `address`, `rejected`, `time`, `no device`, `radio off` or `no radio`.
pub fn observed(what: &str) -> Result<Observed, String> {
    if let Some(percent) = what.strip_prefix("is joined at ") {
        let percent = percent.trim_end_matches(" %").parse().map_err(|_| "is joined at 72 %")?;
        let (ssid, interface) = (None, "wlan0".to_owned());
        return Ok(Observed::Joined(Joined { ssid, interface, signal_percent: Some(percent) }));
    }
    let no_device = || JoinEnd::NoDevice("No suitable device found for this connection".to_owned());
    match what {
        "is tried" => return Ok(Observed::Joining),
        "is gone" => return Ok(Observed::Nothing),
        _ => {}
    }
    let (why, list) = what.split_once(" with").unwrap_or((what, ""));
    let (end, radio) = match why.strip_prefix("fails ").unwrap_or(why) {
        "secrets" => (JoinEnd::NoSecrets, Radio::On),
        "not found" => (JoinEnd::NotFound, Radio::On),
        "address" => (JoinEnd::NoAddress, Radio::On),
        "rejected" => (JoinEnd::Rejected, Radio::On),
        "time" => (JoinEnd::TimedOut, Radio::On),
        "no device" => (no_device(), Radio::On),
        "radio off" => (no_device(), Radio::Off),
        "no radio" => (no_device(), Radio::Missing),
        _ => return Err(format!("what does the wireless network do: {what}")),
    };
    Ok(Observed::Failed(Attempt { end, radio, in_range: Some(in_range(list)?) }))
}

// Shows F67.
#[test]
fn a_wireless_network_is_called_joined_no_longer_than_it_has_an_address() {
    let mut rig = Rig::started(&Before {
        stored: "[wifi]\nssid = \"hall\"\n".to_owned(),
        ..Before::default()
    });
    let joined = Joined { ssid: None, interface: "wlan0".to_owned(), signal_percent: Some(70) };
    let wanted = Some("hall".to_owned());
    rig.happens(Event::Wifi { wanted, observed: Observed::Joined(joined) });
    let interface = |up, addresses: &[&str]| {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        Some(vec![Interface { name: "wlan0".to_owned(), up, addresses }])
    };
    let state = |rig: &Rig| rig.control.status(rig.now).wifi.map(|wifi| wifi.state);
    for (link, interfaces, expected) in [
        (LinkChange::Changed, interface(true, &["192.0.2.7"]), WifiState::Joined),
        (LinkChange::Down, interface(false, &[]), WifiState::Joining),
    ] {
        rig.take_transcript();
        rig.happens(Event::Network { link, interfaces, connected: Vec::new() });
        assert_eq!(state(&rig), Some(expected));
        assert!(rig.take_transcript().contains("network: look at Wi-Fi"));
    }
    // What is heard of a network that is not wanted any more changes nothing.
    let wanted = Some("studio".to_owned());
    rig.happens(Event::Wifi { wanted, observed: Observed::Nothing });
    assert_eq!(state(&rig), Some(WifiState::Joining));
}

#[test]
fn a_network_of_another_name_is_not_called_joined_by_the_one_that_is_set() {
    let mut rig = Rig::started(&Before {
        stored: "[wifi]\nssid = \"hall\"\n".to_owned(),
        ..Before::default()
    });
    let joined = |ssid: &str| {
        let ssid = Some(ssid.as_bytes().to_vec());
        Observed::Joined(Joined { ssid, interface: "wlan0".to_owned(), signal_percent: Some(70) })
    };
    let wanted = || Some("hall".to_owned());
    for (ssid, expected) in [("office", WifiState::Joining), ("hall", WifiState::Joined)] {
        rig.happens(Event::Wifi { wanted: wanted(), observed: joined(ssid) });
        let shown = rig.control.status(rig.now).wifi.expect("it is set");
        assert_eq!((shown.ssid.as_str(), shown.state), ("hall", expected));
    }
}
