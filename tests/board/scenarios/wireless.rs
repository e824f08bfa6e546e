//! Wi-Fi with a real NetworkManager, supplicant, access points and DHCP, over the kernel's simulated radios.
//!
//! With: `mac80211_hwsim`, hostapd, dnsmasq, NetworkManager.

use std::thread;
use std::time::{Duration, Instant};

use crate::rig::qemu::Disks;
use crate::rig::{Board, PATIENCE, ready_or_skip};

/// What a line of the console and of nmcli's editor could take for something else.
const PASSPHRASE: &str = "it's \"q\" \\ $x #1;";
const RIGHT: &str = "correct horse";

/// A street of access points on one radio, in a network of its own: one with WPA2, the hotspot of a phone
/// (WPA2 and WPA3), one with WPA3 alone, one that hides its name, one for a login of each user, an open one.
const STREET: &str = "interface=wlan1\ndriver=nl80211\nhw_mode=g\nchannel=6\nbridge=br0\n\
    ssid=hall\nwpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\nwpa_passphrase=correct horse\n\
    bss=wlan1_1\nbridge=br0\nssid2=416e6e61e2809973206950686f6e65\nutf8_ssid=1\nwpa=2\n\
    wpa_key_mgmt=WPA-PSK SAE\nrsn_pairwise=CCMP\nieee80211w=1\nwpa_passphrase=it's \"q\" \\ $x #1;\n\
    bss=wlan1_2\nbridge=br0\nssid=modern\nwpa=2\nwpa_key_mgmt=SAE\nrsn_pairwise=CCMP\nieee80211w=2\n\
    sae_password=correct horse\n\
    bss=wlan1_3\nbridge=br0\nssid=secret\nignore_broadcast_ssid=1\nwpa=2\nwpa_key_mgmt=WPA-PSK\n\
    rsn_pairwise=CCMP\nwpa_passphrase=correct horse\n\
    bss=wlan1_4\nbridge=br0\nssid=office\nwpa=2\nwpa_key_mgmt=WPA-EAP\nrsn_pairwise=CCMP\nieee8021x=1\n\
    eap_server=1\neap_user_file=/dev/null\n\
    bss=wlan1_5\nbridge=br0\nssid=cafe\n";

/// NetworkManager has the box's radio and nothing else.
const MANAGER: &str =
    "[main]\ndns=none\n[keyfile]\nunmanaged-devices=*,except:interface-name:wlan0\n";

impl Board {
    /// Puts a radio into the board and access points into its street.
    fn has_radio(&mut self) {
        self.write("/run/street.conf", STREET);
        self.write("/etc/NetworkManager/conf.d/board.conf", MANAGER);
        for command in [
            "ln -sf /usr/local/lib/nmcli /usr/bin/nmcli",
            "cd /etc/systemd/system; rm -f NetworkManager.service wpa_supplicant.service; systemctl daemon-reload",
            "modprobe bridge; modprobe mac80211_hwsim radios=2",
            "ip netns add street",
            "iw phy $(cat /sys/class/net/wlan1/phy80211/name) set netns name street",
            "ip netns exec street ip link set lo up",
            "ip netns exec street ip link add br0 type bridge",
            "ip netns exec street ip address add 192.168.77.1/24 dev br0",
            "ip netns exec street ip link set br0 up",
            "systemctl start NetworkManager",
        ] {
            self.sh(command);
        }
        self.street_opens();
        self.router(true);
    }

    /// The access points of the street are there, again if they were.
    fn street_opens(&mut self) {
        self.sh("if [ -f /run/hostapd.pid ]; then kill -9 $(cat /run/hostapd.pid); sleep 1; fi; \
                 ip netns exec street hostapd -B -P /run/hostapd.pid /run/street.conf");
    }

    /// The router of the street gives addresses, or does not.
    fn router(&mut self, gives: bool) {
        self.sh(match gives {
            true => {
                "ip netns exec street dnsmasq --port=0 --interface=br0 --bind-interfaces \
                 --dhcp-range=192.168.77.100,192.168.77.200,1h --pid-file=/run/router.pid"
            }
            false => "kill $(cat /run/router.pid)",
        });
    }

    /// Types a network's name, and its passphrase.
    #[track_caller]
    fn wants(&mut self, ssid: &str, passphrase: &str) {
        self.types(&format!("set wifi.ssid {ssid}\r"), "wifi.ssid is set");
        self.types("set wifi.passphrase\r", "(not shown): ");
        self.types(&format!("{passphrase}\r"), "wifi.passphrase is set");
    }

    /// All of what `network scan` answers.
    #[track_caller]
    fn scan(&mut self) -> String {
        let is_answered = |output: &str| {
            let answer = output.split_once("takes some seconds").map(|(_, answer)| answer);
            answer.is_some_and(|answer| answer.ends_with(")> "))
        };
        let typed = self.console.types("network scan\r", PATIENCE, is_answered);
        typed.unwrap_or_else(|output| panic!("no networks: {output}"))
    }

    /// Waits until `network` shows these words.
    #[track_caller]
    fn until_network(&mut self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.asks("network");
            if output.contains(words) {
                return output;
            }
            assert!(Instant::now() < deadline, "never {words}: {output}\n{}", self.journal());
            thread::sleep(Duration::from_secs(2));
        }
    }
}

// Shows F68.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn networks_of_real_access_points_are_found_joined_and_refused_in_words() {
    let Some(ready) = ready_or_skip() else { return };
    let mut board = Board::booted(&ready, Disks::new(&ready.installed()));
    board.has_radio();
    board.start_box();
    board.types("\r", "firstmile (needs setup)> ");

    // The supplicant takes a moment to come up.
    let deadline = Instant::now() + PATIENCE;
    let scan = loop {
        let scan = board.scan();
        if scan.contains("cafe") {
            break scan;
        }
        assert!(Instant::now() < deadline, "never cafe: {scan}");
        thread::sleep(Duration::from_secs(2));
    };
    for (name, security) in [
        ("hall ", "WPA2"),
        ("Anna’s iPhone", "WPA2/WPA3"),
        ("modern", "WPA3"),
        ("(hidden name)", "WPA2"),
        ("office", "802.1X, not supported"),
        ("cafe", "open"),
    ] {
        let line = scan.lines().find(|line| line.contains(name));
        assert!(line.is_some_and(|line| line.contains(security)), "{name}: {scan}");
    }

    // Wrong, then right, with a name and a passphrase that are not easily typed.
    board.wants("Anna’s iPhone", "wrong-wrong");
    board.until_network("most probably the passphrase is wrong");
    board.wants("hall", "wrong-wrong");
    board.until_network("hall: not joined: the passphrase is wrong");
    board.wants("Anna’s iPhone", PASSPHRASE);
    let joined = board.until_network("Anna’s iPhone: joined, on wlan0, signal ");
    assert!(joined.contains("wlan0        up, 192.168.77."), "{joined}");
    assert!(board.status().contains("Anna’s iPhone: joined"));
    let scan = board.scan();
    let line = scan.lines().find(|line| line.contains("Anna’s iPhone"));
    assert!(line.is_some_and(|line| line.contains("joined")), "{scan}");

    // WPA3 alone, and a name that is hidden.
    board.wants("modern", RIGHT);
    board.until_network("modern: joined");
    board.types("set wifi.hidden true\r", "is set");
    board.wants("secret", RIGHT);
    board.until_network("secret: joined");
    board.types("set wifi.hidden false\r", "is set");

    // What cannot be joined, and why.
    board.wants("office", RIGHT);
    board.until_network("its security is 802.1X");
    board.wants("Anna's iPhone", PASSPHRASE);
    board.until_network("but \"Anna’s iPhone\" is");
    board.types("set wifi.ssid hall\r", "is set");
    board.until_network("it needs a passphrase");
    board.router(false);
    board.wants("hall", RIGHT);
    board.until_network("gives no address (DHCP)");
    board.router(true);
    board.until_network("hall: joined");

    // The radio is switched off, as some systems have it until they know the country. That switches off the
    // street's radio too.
    board.types("unset wifi.ssid\r", "is reset");
    board.sh("nmcli radio wifi off");
    board.wants("hall", RIGHT);
    board.until_network("`set wifi.country`");
    board.types("set wifi.country DE\r", "is set");
    board.sh("until [ \"$(nmcli radio wifi)\" = enabled ]; do sleep 1; done");
    board.street_opens();
    board.until_network("hall: joined");

    // The street goes dark, and comes back.
    board.sh("ip netns exec street ip link set wlan1 down");
    let deadline = Instant::now() + PATIENCE;
    while board.asks("network").contains("hall: joined") {
        assert!(Instant::now() < deadline, "it is still called joined");
        thread::sleep(Duration::from_secs(2));
    }
    board.street_opens();
    board.until_network("hall: joined");

    let (journal, output) = (board.journal(), board.console.output());
    for secret in [PASSPHRASE, RIGHT, "wrong-wrong"] {
        assert!(!journal.contains(secret) && !output.contains(secret), "{secret}");
        let command =
            format!("grep -rlF '{}' /etc/NetworkManager || :", secret.replace('\'', "'\\''"));
        assert_eq!(board.sh(&command).trim(), "", "NetworkManager keeps it on the disk");
    }
}
