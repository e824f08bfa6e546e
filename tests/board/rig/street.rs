//! A street with access points, on the board itself: simulated radios in a network of their own.

use std::time::Duration;

use super::Board;

/// The passphrase of all networks that have one, unless a scenario says otherwise.
pub const RIGHT: &str = "correct horse";

/// A network that is protected by WPA2.
pub const HALL: &str = "ssid=hall\nwpa=2\nwpa_key_mgmt=WPA-PSK\nrsn_pairwise=CCMP\n\
    wpa_passphrase=correct horse\n";

/// An access point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessPoint {
    interface: &'static str,
    channel: u8,
}

/// The access point across the street.
pub const ACROSS: AccessPoint = AccessPoint { interface: "wlan1", channel: 6 };
/// Another one, at its corner.
pub const CORNER: AccessPoint = AccessPoint { interface: "wlan2", channel: 11 };

/// NetworkManager has the box's radio and nothing else.
const MANAGER: &str =
    "[main]\ndns=none\n[keyfile]\nunmanaged-devices=*,except:interface-name:wlan0\n";

impl Board {
    /// Puts a radio into the board, and two into its street, which are silent. The board's cable leads into the street,
    /// so that its radio is its only way to the server at this port of the host.
    pub fn has_street(&mut self, port: u16) {
        self.write("/etc/NetworkManager/conf.d/board.conf", MANAGER);
        for command in [
            "ln -sf /usr/local/lib/nmcli /usr/bin/nmcli",
            "cd /etc/systemd/system; rm -f NetworkManager.service wpa_supplicant.service; systemctl daemon-reload",
            "modprobe bridge; modprobe mac80211_hwsim radios=3",
            "ip netns add street",
            "for radio in wlan1 wlan2; do \
             iw phy $(cat /sys/class/net/$radio/phy80211/name) set netns name street; done",
            "ip netns exec street ip link set lo up",
            "ip netns exec street ip link add br0 type bridge",
            "ip netns exec street ip link set br0 up",
            "ip netns exec street ip address add 192.168.77.1/24 dev br0",
            "ip netns exec street dnsmasq --port=0 --interface=br0 --bind-interfaces \
             --dhcp-range=192.168.77.100,192.168.77.200,1h",
        ] {
            self.sh(command);
        }
        // The street's end of the cable is a relay: of frames that a bridge passes on from QEMU's card to a
        // simulated radio, most get lost.
        self.sh(&format!(
                "street='ip netns exec street'; cable=$(ls /sys/class/net | grep ^e); \
                 ip link set $cable netns street; $street ip address add 10.0.2.15/24 dev $cable; \
                 $street ip link set $cable up; sed -i 's/^10.0.2.2 /192.168.77.1 /' /etc/hosts; \
                 systemd-run --quiet --unit=relay $street busybox nc -ll -p {port} -e busybox nc 10.0.2.2 {port}"
            ));
        self.sh("systemctl start NetworkManager");
    }

    /// An access point has these networks from now on, again if it had; since when, by the board's clock.
    pub fn opens(&mut self, point: AccessPoint, networks: &str) -> Duration {
        let AccessPoint { interface, channel } = point;
        let radio = format!(
            "interface={interface}\ndriver=nl80211\nhw_mode=g\nchannel={channel}\nbridge=br0\n"
        );
        self.write(&format!("/run/{interface}.conf"), &format!("{radio}{networks}"));
        // It goes on by itself once it sends beacons.
        let at = self.sh(&format!(
            "P=/run/{interface}.pid; if [ -f $P ]; then kill -9 $(cat $P) || :; rm $P; sleep 1; fi 2>/dev/null; \
             ip netns exec street hostapd -B -P $P /run/{interface}.conf >/run/{interface}.log 2>&1 || \
             {{ cat /run/{interface}.log; exit 1; }}; read now x </proc/uptime; echo $now"
        ));
        Duration::from_secs_f64(at.trim().parse().expect("seconds"))
    }

    /// An access point loses its power: it takes leave of nobody.
    pub fn goes_dark(&mut self, point: AccessPoint) {
        let AccessPoint { interface, .. } = point;
        self.sh(&format!(
            "kill -9 $(cat /run/{interface}.pid); rm /run/{interface}.pid; \
             ip netns exec street ip link set {interface} down"
        ));
    }

    /// Waits until `network` shows these words.
    #[track_caller]
    pub fn until_network_shows(&mut self, words: &str) -> String {
        let mut shown = String::new();
        self.wait_until(words, |board| {
            shown = board.asks("network");
            shown.contains(words)
        });
        shown
    }

    /// No passphrase has reached the journal, the console, or NetworkManager's files.
    #[track_caller]
    pub fn keeps_to_itself(&mut self, passphrases: &[&str]) {
        let (journal, output) = (self.journal(), self.console.output());
        for secret in passphrases {
            assert!(!journal.contains(secret) && !output.contains(secret), "{secret}");
            let quoted = secret.replace('\'', "'\\''");
            let command = format!("grep -rlF '{quoted}' /etc/NetworkManager || :");
            assert_eq!(self.sh(&command).trim(), "", "NetworkManager keeps it on the disk");
        }
    }
}
