//! The network's settings on their way to NetworkManager: the latest settings apply, and nothing of the
//! box's own stays there that nobody set.

use std::fs;
use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::network_manager::NetworkManager;
use crate::support::{Folder, eventually, one_at_a_time};

const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn what_is_wrong_with_the_wired_network_does_not_keep_wifi_from_being_joined() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.refuse_wired();
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);

    appliance.types("set network.address 192.0.2.7/24\r", "is set");
    appliance.types("set wifi.country DE\r", "is set");
    appliance.types("set wifi.ssid hall\r", "is set");
    let network = || appliance.ctl("network").stdout;
    let both = |status: &String| {
        status.contains("Wi-Fi handed to NetworkManager")
            && status.contains("wired is not: Error: no such interface")
    };
    let status = eventually(Duration::from_secs(40), || Some(network()).filter(both));
    assert!(status.is_some(), "{}", network());
    let joins = || manager.calls().contains("connection up id firstmile-wifi").then_some(());
    let joined = eventually(PATIENCE, joins);
    let calls = manager.calls();
    assert!(joined.is_some(), "{calls}");
    // Root sets it itself; the service's own user leaves a request to firstmile-country.path.
    let requested = fs::read_to_string(appliance.folder.path().join("country"));
    match nix::unistd::geteuid().is_root() {
        true => assert!(calls.contains("iw reg set DE\n"), "{calls}"),
        false => assert_eq!(requested.expect("a request"), "DE\n"),
    }
}

#[test]
fn of_settings_in_quick_succession_none_is_lost_to_a_slow_manager() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.slow_down();
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);
    appliance.types("set wifi.ssid hall\r", "is set");
    for count in 1..=12 {
        appliance.types(&format!("set network.address 192.0.2.{count}/24\r"), "is set");
    }
    appliance.types("set network.gateway 192.0.2.254\r", "is set");
    let last = eventually(PATIENCE, || {
        let calls = manager.calls();
        let wired = |line: &&str| line.contains("firstmile-wired") && line.contains("ipv4.");
        let last = calls.lines().rfind(wired)?;
        (last.contains("192.0.2.12/24") && last.contains("192.0.2.254")).then_some(())
    });
    assert!(last.is_some(), "{}\n{}", manager.calls(), appliance.log());
}

#[test]
fn what_nobody_has_set_any_more_is_taken_back_at_the_start_and_nothing_else_is() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has("office\nfirstmile-wifi\nfirstmile-wired\n");
    let appliance = Appliance::start(&[("PATH", &manager.path())]);
    let left = eventually(PATIENCE, || (manager.connections() == "office\n").then_some(()));
    assert!(left.is_some(), "{}\n{}", manager.connections(), appliance.log());
    let status = || appliance.ctl("network").stdout;
    let taken = eventually(PATIENCE, || status().contains("ours are removed").then_some(()));
    assert!(taken.is_some(), "{}", status());
}

#[test]
fn a_box_that_has_nothing_at_network_manager_says_nothing_of_it() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has("office\n");
    let appliance = Appliance::start(&[("PATH", &manager.path())]);
    let looked = eventually(PATIENCE, || manager.calls().contains("connection show").then_some(()));
    assert!(looked.is_some(), "{}", manager.calls());
    assert!(appliance.ctl("network").stdout.contains("none are set here"));
    assert!(!appliance.log().contains("network settings:"), "{}", appliance.log());
    assert_eq!(manager.connections(), "office\n");
}

#[test]
fn a_box_that_does_not_know_all_its_settings_leaves_its_connections_as_they_are() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    manager.has("firstmile-wifi\n");
    let folder = Folder::new("box");
    let broken = "version = 1\n[wifi]\nssid = \"hall\"\nhiden = true\n";
    fs::write(folder.path().join("none.toml"), broken).expect("a file");
    let appliance = Appliance::start_in(folder, &[("PATH", &manager.path())]);
    appliance.until_status_shows("its settings", |status| status.contains("wifi.hiden"));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(manager.calls(), "", "nmcli is not even asked");
    assert_eq!(manager.connections(), "firstmile-wifi\n");
}

#[test]
fn the_passphrase_of_one_network_never_meets_another_and_stays_off_the_disk() {
    let _turn = one_at_a_time();
    let manager = NetworkManager::new();
    // As an earlier version left it: kept by NetworkManager in a file of its own.
    manager.has("firstmile-wifi\n");
    let mut appliance = Appliance::start(&[("PATH", &manager.path())]);
    for (ssid, passphrase) in [("hall", "passphrase-of-hall"), ("studio", "passphrase-of-studio")] {
        appliance.types(&format!("set wifi.ssid {ssid}\r"), "is set");
        appliance.types("set wifi.passphrase\r", "not shown");
        appliance.types(&format!("{passphrase}\r"), "is set");
        let heard = eventually(PATIENCE, || manager.heard().contains(passphrase).then_some(()));
        assert!(heard.is_some(), "{}", manager.calls());
    }
    let calls = manager.calls();
    let mut exists = true;
    for call in calls.lines().filter(|line| line.contains("firstmile-wifi")) {
        assert!(!call.contains("connection modify"), "what it had stays in it: {call}");
        if call.contains("connection delete") {
            exists = false;
        }
        if call.contains("connection add") {
            assert!(call.contains("save no") && !exists, "{calls}");
            exists = true;
        }
    }
    assert!(!manager.heard().contains("save persistent"), "{}", manager.heard());
}
