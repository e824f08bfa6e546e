use super::*;
use crate::wifi::networks;

/// What `nmcli` of each version printed; see `tests/data/nmcli/README.md`.
macro_rules! recorded {
    ($name:literal) => {
        [
            (
                "1.30.6",
                include_str!(concat!("../../../../tests/data/nmcli/1.30.6-", $name, ".txt")),
            ),
            (
                "1.42.4",
                include_str!(concat!("../../../../tests/data/nmcli/1.42.4-", $name, ".txt")),
            ),
            (
                "1.52.1",
                include_str!(concat!("../../../../tests/data/nmcli/1.52.1-", $name, ".txt")),
            ),
        ]
    };
}

#[test]
fn every_network_that_nmcli_lists_is_found_with_its_very_name() {
    use WifiSecurity::{EnhancedOpen, Enterprise, Open, Wep, Wpa, Wpa2, Wpa2Wpa3, Wpa3};
    for (version, text) in recorded!("list") {
        let mut found = access_points(text);
        assert_eq!(found.len(), 14, "{version}");
        assert!(found.iter().all(|found| found.interface == "wlan0"), "{version}");
        // 1.30 calls both halves of such a pair by one name.
        let airport = if version == "1.30.6" { EnhancedOpen } else { Open };
        found.sort_by_key(|found| std::cmp::Reverse(found.point.signal_percent));
        let shown: Vec<_> = found
            .iter()
            .map(|Found { point, .. }| {
                (point.ssid.as_slice(), point.signal_percent, point.security)
            })
            .collect();
        let expected: [(&[u8], u8, WifiSecurity); 14] = [
            (b"hall", 87, Wpa2),
            (b"office", 70, Enterprise),
            ("Anna’s iPhone".as_bytes(), 64, Wpa2Wpa3),
            (b"a:b\\c \"d\"", 55, Wpa3),
            (b"airport", 51, airport),
            (b"owe", 50, EnhancedOpen),
            (b"cafe", 45, Open),
            (b"hall", 40, Wpa2),
            (b"\x1b[2Jevil\n", 35, Open),
            (b"", 33, Wpa2),
            (b"B\xfcro", 30, Wpa2),
            (b"", 20, Wpa2), // it hides its name behind zeros
            (b"old", 12, Wep),
            (b"ancient", 5, Wpa),
        ];
        assert_eq!(shown, expected, "{version}");
        let joined: Vec<_> = found.iter().filter(|found| found.point.is_joined).collect();
        assert!(matches!(&joined[..], [one] if one.point.signal_percent == 87), "{version}");
        let points: Vec<AccessPoint> = found.into_iter().map(|found| found.point).collect();
        assert_eq!(networks(&points, Some("hall"), &[]).networks.len(), 12, "{version}");
    }
}

#[test]
fn the_channel_of_an_access_point_is_known_where_nmcli_says_it() {
    let list =
        "*:68616C6C:87:WPA2:wlan0:2437 MHz\n :68616C6C:40:WPA2:wlan0:?\n :68616C6C:40:WPA2:wlan0\n";
    let found: Vec<_> = access_points(list).into_iter().map(|found| found.frequency_mhz).collect();
    assert_eq!(found, [Some(2437), None, None]);
}

#[test]
fn a_name_as_nmcli_prints_it_is_not_the_name() {
    for (version, text) in recorded!("names") {
        let names: Vec<String> = text.lines().map(|line| fields(line).swap_remove(0)).collect();
        // What is escaped is read as it was; letters beyond ASCII are lost, and an end of line is one.
        assert!(names.contains(&"a:b\\c \"d\"".to_owned()), "{version}: {names:?}");
        assert!(!names.iter().any(|name| name.contains('’')), "{version}: {names:?}");
        assert_eq!(names.len(), 15, "{version}: 14 networks");
    }
}

#[test]
fn lines_that_are_none_of_a_list_and_networks_not_found_yet_are_left_out() {
    let text = "*:6:87:WPA2:wlan0\n :68zz:87:WPA2:wlan0\n :68:loud:WPA2:wlan0\n :68:50:WPA2\n\
                :68:50:WPA2:wlan0:2437 MHz:more\n :6é:50:WPA2:wlan0\n\n : \n :68616C6C:0:WPA1 WPA2:wlan0\n";
    assert_eq!(access_points(text), []);
    assert_eq!(access_points(" :--:250:--:wlan0")[0].point.signal_percent, 100);
}

#[test]
fn wireless_interfaces_are_found_among_all_devices() {
    for (version, text) in recorded!("devices") {
        let expected = Device { interface: "wlan0".to_owned(), state: 100, ..Device::default() };
        assert_eq!(wireless(text), [expected], "{version}");
    }
    let trying = "GENERAL.DEVICE:wlan0\nGENERAL.TYPE:wifi\nGENERAL.STATE:70 (connecting (getting IP \
                  configuration))\nGENERAL.CONNECTION:firstmile-wifi\n\nGENERAL.DEVICE:p2p-dev-wlan0\n\
                  GENERAL.TYPE:wifi-p2p\nGENERAL.STATE:30 (disconnected)\nGENERAL.CONNECTION:--\n";
    let devices = wireless(trying);
    assert!(matches!(&devices[..], [one] if one.waits_for_address() && !one.is_connected()));
    assert_eq!(devices[0].connection, "firstmile-wifi");
    assert_eq!(wireless("nonsense\n\nGENERAL.TYPE:wifi\nGENERAL.STATE:up\n"), []);
}

/// The words of `strings $(which nmcli)`, which are the same in all three versions.
#[test]
fn what_nmcli_complains_of_a_join_is_understood() {
    let failed = |why: &str| join_end(&format!("Error: Connection activation failed: {why}"));
    for (why, end) in [
        ("Secrets were required, but not provided", JoinEnd::NoSecrets),
        ("(7) Secrets were required, but not provided.", JoinEnd::NoSecrets),
        ("No valid secrets", JoinEnd::NoSecrets),
        ("The Wi-Fi network could not be found", JoinEnd::NotFound),
        (
            "IP configuration could not be reserved (no available address, timeout, etc.)",
            JoinEnd::NoAddress,
        ),
        ("DHCP client failed", JoinEnd::NoAddress),
        ("802.1X supplicant disconnected", JoinEnd::Rejected),
        ("The connection attempt timed out", JoinEnd::TimedOut),
    ] {
        assert_eq!(failed(why), end, "{why}");
    }
    assert_eq!(join_end("Error: Timeout expired (90 seconds)"), JoinEnd::TimedOut);
    let none = "Connection activation failed: No suitable device found for this connection.";
    assert_eq!(join_end(&format!("Error: {none}")), JoinEnd::NoDevice(none.to_owned()));
    assert_eq!(join_end("nmcli failed"), JoinEnd::Other("nmcli failed".to_owned()));
}

#[test]
fn the_error_is_passed_on_and_not_the_hint_behind_it() {
    let text = "Error: Connection activation failed: No valid secrets\n\
                Hint: use 'journalctl -xe NM_CONNECTION=1' to get more details.\n";
    assert_eq!(complaint(text), "Error: Connection activation failed: No valid secrets");
    assert_eq!(complaint("warning\n\nmore\n"), "more");
    assert_eq!(complaint(" \n"), "nmcli failed");
}
