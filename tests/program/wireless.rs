//! Wi-Fi for people, with the real program and an `nmcli` that says what a test wants: what is in range,
//! why a network is not joined, and *joined* when that is true.

use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::namespace;
use crate::support::network_manager::NetworkManager;
use crate::support::{eventually, one_at_a_time};

const PATIENCE: Duration = Duration::from_secs(40);
/// `hall` and `Anna’s iPhone`, in hexadecimal digits.
const HALL: &str = "68616C6C";
const PHONE: &str = "416E6E61E2809973206950686F6E65";

#[track_caller]
fn json(appliance: &Appliance, command: &str) -> serde_json::Value {
    let answer = appliance.ctl(&format!("--json {command}")).stdout;
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[track_caller]
fn until_network_shows(appliance: &Appliance, words: &str) -> String {
    let network = || appliance.ctl("network").stdout;
    let shown = eventually(PATIENCE, || Some(network()).filter(|shown| shown.contains(words)));
    shown.unwrap_or_else(|| panic!("no {words:?}: {}\n{}", network(), appliance.log()))
}

#[test]
fn networks_in_range_are_shown_to_people_and_programs() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has_in_range(&format!(
        " :{HALL}:40:WPA2:wlan0\n :{PHONE}:91:WPA2 WPA3:wlan0\n ::33:WPA2:wlan0\n :{HALL}:62:WPA2:wlan0\n"
    ));
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);
    let shown = appliance.ctl("network scan").stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 3, "{shown}");
    assert!(lines[0].starts_with("Anna’s iPhone  excellent (91 %)  WPA2/WPA3"), "{shown}");
    assert!(lines[1].starts_with("hall ") && lines[1].ends_with("2 access points"), "{shown}");
    assert!(lines[2].starts_with("(hidden name)"), "{shown}");
    let data = json(&appliance, "network scan");
    assert_eq!(data["networks"][0]["ssid_hex"], PHONE.to_lowercase());
    assert_eq!(data["networks"][1]["signal"], "good");
    // Whoever sits at the terminal learns at once that it takes a while.
    let typed = appliance.types("network scan\r", "WPA2/WPA3");
    assert!(typed.contains("looking for networks, which takes some seconds"), "{typed}");
    assert!(manager.calls().contains("--rescan yes"), "{}", manager.calls());
}

#[test]
fn nothing_in_range_is_claimed_only_by_a_radio_that_has_looked() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.is_not_ready();
    let appliance = Appliance::start(&[("PATH", &manager.path())]);
    let refused = appliance.ctl("network scan").stderr;
    assert!(refused.contains("no wireless interface that is ready"), "{refused}");
    manager.has_in_range("");
    let shown = appliance.ctl("network scan").stdout;
    assert!(shown.contains("no Wi-Fi network is in range"), "{shown}");
}

// Shows F69.
#[test]
fn a_look_for_networks_that_hangs_holds_nothing_up() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has_in_range("");
    manager.hang_looking();
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);
    appliance.types("network scan\r", "looking for networks");
    let refused = appliance.ctl("network scan");
    assert!(refused.stderr.contains("still looking for networks"), "{}", refused.stderr);
    assert!(appliance.ctl("status").stdout.contains("state"), "the loop turns");
    appliance.types("\x03status\r", "state        ");
}

// Shows F68.
#[test]
fn why_a_network_is_not_joined_is_given_in_words_and_joined_when_it_is_true() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has_in_range(&format!(" :{PHONE}:80:WPA2 WPA3:wlan0\n"));
    manager.refuse_joining(
        "Error: Connection activation failed: The Wi-Fi network could not be found\n\
         Hint: use 'journalctl -xe NM_CONNECTION=0 + NM_DEVICE=wlan0' to get more details.\n",
    );
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);
    appliance.types("set wifi.ssid Anna's iPhone\r", "is set");
    let shown = until_network_shows(&appliance, "not joined");
    assert!(shown.contains("\"Anna’s iPhone\" is"), "{shown}");

    manager.refuse_joining(
        "Error: Connection activation failed: (7) Secrets were required, but not provided.\n",
    );
    appliance.types("set wifi.ssid Anna’s iPhone\r", "is set");
    until_network_shows(&appliance, "needs a passphrase");
    appliance.types("set wifi.passphrase\r", "not shown");
    appliance.types("canary-wrong\r", "is set");
    until_network_shows(&appliance, "the passphrase is wrong");
    assert!(!appliance.ctl("status").stdout.contains("joined, on"), "it is not");

    // NetworkManager calls an interface connected that has no address: it is not joined.
    manager.join_on("no-such-interface");
    appliance.types("set wifi.passphrase\r", "not shown");
    appliance.types("canary-right\r", "is set");
    until_network_shows(&appliance, "its router gives no address (DHCP)");
    let data = json(&appliance, "status");
    assert_eq!(data["wifi"]["failure"], "no_address");
    assert_eq!(data["wifi"]["state"], "not_joined");

    // This machine's own stands for one that has.
    let Some(interface) = interface_with_address() else {
        eprintln!("skipped: this machine has no interface with an address");
        return;
    };
    manager.join_on(&interface);
    appliance.types("set wifi.hidden true\r", "is set");
    until_network_shows(&appliance, &format!("Anna’s iPhone: joined, on {interface}"));
    assert_eq!(json(&appliance, "network")["wifi"]["state"], "joined");
    let log = appliance.log();
    assert!(!log.contains("canary-") && !manager.calls().contains("canary-"), "{log}");
    assert!(log.contains("Wi-Fi: Anna’s iPhone is joined") && !log.contains("Hint:"), "{log}");
}

fn interface_with_address() -> Option<String> {
    let interfaces = firstmile::device::network::interfaces();
    let leads = |interface: &firstmile::status::Interface| {
        let one = std::slice::from_ref(interface);
        firstmile::device::network::link(one) == firstmile::status::Link::Up
    };
    Some(interfaces.into_iter().find(leads)?.name)
}

#[test]
fn settings_that_are_corrected_do_not_wait_for_a_try_with_the_wrong_ones() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has_in_range(&format!(" :{HALL}:80:WPA2:wlan0\n"));
    manager.hang_joining(true);
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);
    appliance.types("set wifi.ssid hal\r", "is set");
    until_network_shows(&appliance, "hal: being joined");
    manager.hang_joining(false);
    manager.refuse_joining("Error: Timeout expired (90 seconds)\n");
    appliance.types("set wifi.ssid hall\r", "is set");
    until_network_shows(&appliance, "hall: not joined: it needs a passphrase");
}

#[test]
fn a_radio_that_waits_for_the_country_is_switched_on_when_it_is_set() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has_in_range("");
    manager.set_radio("enabled:disabled\n");
    let message = "Error: Connection activation failed: No suitable device found for this connection \
                   (device wlan0 not available because device is not available).\n";
    manager.refuse_joining(message);
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);
    appliance.types("set wifi.ssid hall\r", "is set");
    until_network_shows(&appliance, "`set wifi.country`");
    assert!(!manager.calls().contains("radio wifi on"), "nobody has set where the box is");
    let refused = appliance.ctl("network scan");
    assert!(refused.stderr.contains("switched off (rfkill)"), "{}", refused.stderr);
    appliance.types("set wifi.country DE\r", "is set");
    let on = eventually(PATIENCE, || manager.calls().contains("radio wifi on").then_some(()));
    assert!(on.is_some(), "{}", manager.calls());
}

#[test]
fn a_network_of_wpa3_alone_is_joined_as_such() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has_in_range(&format!(" :{HALL}:80:WPA3:wlan0\n :{PHONE}:80:WPA2 WPA3:wlan0\n"));
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);
    for (ssid, key_management) in [("hall", "sae"), ("Anna’s iPhone", "wpa-psk")] {
        appliance.types(&format!("set wifi.ssid {ssid}\r"), "is set");
        appliance.types("set wifi.passphrase\r", "not shown");
        appliance.types("correct horse\r", "is set");
        let added = format!("ssid {ssid}");
        let added = eventually(PATIENCE, || {
            let calls = manager.calls();
            let is_it = |line: &&str| line.contains(&added) && line.contains("key-mgmt");
            calls.lines().find(is_it).map(str::to_owned)
        });
        let added = added.unwrap_or_else(|| panic!("{}", manager.calls()));
        assert!(added.ends_with(&format!("key-mgmt {key_management}")), "{added}");
    }
}

#[test]
fn a_network_of_wpa3_alone_that_is_found_late_is_handed_over_again_at_once() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has_in_range("");
    manager.finds_while_joining(&format!(" :{HALL}:80:WPA3:wlan0\n"));
    manager.refuse_joining(
        "Error: Connection activation failed: The Wi-Fi network could not be found\n",
    );
    let appliance = Appliance::start(&[("PATH", &manager.path())]);
    let stick = "version = 1\n[wifi]\nssid = \"hall\"\npassphrase = \"correct horse\"\n";
    appliance.stick(stick).0.ok();
    let handed = eventually(PATIENCE, || manager.calls().contains("key-mgmt sae").then_some(()));
    assert!(handed.is_some(), "{}\n{}", manager.calls(), appliance.log());
}

// Shows F68.
#[test]
fn a_network_that_works_is_not_given_up_for_one_that_is_not_in_range() {
    let Some(interface) = interface_with_address() else {
        eprintln!("skipped: this machine has no interface with an address");
        return;
    };
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has_joined("office", &interface);
    manager.finds(&format!("*:{PHONE}:80:WPA2:{interface}\n"));
    manager.refuse_joining(
        "Error: Connection activation failed: (7) Secrets were required, but not provided.\n",
    );
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);
    appliance.types("set wifi.ssid hall\r", "is set");
    until_network_shows(&appliance, "hall: not joined: no network of this name is in range");
    assert!(!manager.calls().contains("connection up"), "{}", manager.calls());
    // Where it is in range it is wanted more.
    manager.finds(&format!(" :{HALL}:80:WPA2:{interface}\n"));
    appliance.types("set wifi.passphrase\r", "not shown");
    appliance.types("canary-wrong\r", "is set");
    until_network_shows(&appliance, "the passphrase is wrong");
    assert!(manager.calls().contains("connection up id firstmile-wifi"), "{}", manager.calls());
}

#[test]
fn the_result_on_a_stick_says_how_joining_its_network_has_ended() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has_in_range(&format!(" :{HALL}:80:WPA2:wlan0:2437 MHz\n"));
    manager.refuse_joining(
        "Error: Connection activation failed: (7) Secrets were required, but not provided.\n",
    );
    let appliance = Appliance::start(&[("PATH", &manager.path())]);
    let stick = |passphrase: &str| {
        format!(
            "version = 1\nerase_key = true\n[wifi]\nssid = \"hall\"\npassphrase = \"{passphrase}\"\n"
        )
    };
    let (import, result) = appliance.stick(&stick("canary-wrong"));
    import.ok();
    assert!(result.contains("accepted"), "{result}");
    assert!(result.contains("Wi-Fi: hall is NOT joined: the passphrase is wrong"), "{result}");
    let Some(interface) = interface_with_address() else {
        eprintln!("skipped: this machine has no interface with an address");
        return;
    };
    manager.join_on(&interface);
    let (import, result) = appliance.stick(&stick("canary-right"));
    import.ok();
    assert!(result.contains("Wi-Fi: hall is joined"), "{result}");
    assert!(!result.contains("canary-") && !appliance.log().contains("canary-"), "{result}");
    // One that does not set it says nothing of it.
    let (import, result) = appliance.stick("version = 1\n[box]\nname = \"stage\"\n");
    import.ok();
    assert!(!result.contains("Wi-Fi"), "{result}");
}

#[test]
fn a_network_that_is_lost_is_looked_for_where_it_was_heard_and_joined_as_soon_as_it_is_back() {
    let name =
        "a_network_that_is_lost_is_looked_for_where_it_was_heard_and_joined_as_soon_as_it_is_back";
    if !namespace::enter(module_path!(), name) {
        return;
    }
    for line in [
        "ip link add wlan0 type veth peer name far",
        "ip link set wlan0 up",
        "ip link set far up",
        "ip address add 192.0.2.7/24 dev wlan0",
    ] {
        namespace::command(line);
    }
    let manager = NetworkManager::new();
    let street = format!(
        "*:{HALL}:80:WPA2:wlan0:2437 MHz\n :{HALL}:60:WPA2:wlan0:5180 MHz\n :{PHONE}:90:WPA2:wlan0:2412 MHz\n"
    );
    manager.has_in_range(&street);
    manager.join_on("wlan0");
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);
    appliance.types("set wifi.ssid hall\r", "is set");
    until_network_shows(&appliance, "hall: joined, on wlan0");
    assert!(!manager.calls().contains("Scan"), "nothing is missing");

    manager.loses_all();
    namespace::command("ip link set far down");
    let look = "fi.w1.wpa_supplicant1.Interface Scan a{sv} 2 Type s active Channels a(uu) 2 2437 20 5180 20";
    let looked =
        eventually(PATIENCE, || (manager.calls().matches(look).count() >= 3).then_some(()));
    assert!(looked.is_some(), "{}", appliance.log());
    until_network_shows(&appliance, "hall: not joined: no network of this name is in range");

    let tries = || manager.calls().matches("connection up id firstmile-wifi").count();
    let before = tries();
    namespace::command("ip link set far up");
    manager.join_on("wlan0");
    manager.finds(&street.replace('*', " "));
    until_network_shows(&appliance, "hall: joined, on wlan0");
    assert!(tries() > before, "{}", manager.calls());
}
