//! What is in range: access points in, networks out, the strongest first.

use std::collections::BTreeMap;

use super::name;
use crate::limits::{WIFI_NETWORKS_MAX, WIFI_SIGNAL_WEAK_PERCENT};
use crate::status::{WifiNetwork, WifiScan, WifiSecurity, WifiSignal};

/// An access point in range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessPoint {
    /// The bytes of its network's name; none where it announces none.
    pub ssid: Vec<u8>,
    /// How strong its signal is, in percent.
    pub signal_percent: u8,
    /// How its network is protected.
    pub security: WifiSecurity,
    /// The box is connected to it.
    pub is_joined: bool,
}

/// How strong a signal is in a word, with the bounds of NetworkManager's own bars.
pub fn signal(percent: u8) -> WifiSignal {
    match percent {
        81.. => WifiSignal::Excellent,
        56.. => WifiSignal::Good,
        WIFI_SIGNAL_WEAK_PERCENT.. => WifiSignal::Fair,
        _ => WifiSignal::Weak,
    }
}

/// Whether the box can join networks that are protected so.
pub fn is_supported(security: WifiSecurity) -> bool {
    match security {
        WifiSecurity::Open
        | WifiSecurity::Wpa
        | WifiSecurity::Wpa2
        | WifiSecurity::Wpa2Wpa3
        | WifiSecurity::Wpa3 => true,
        WifiSecurity::Wep
        | WifiSecurity::EnhancedOpen
        | WifiSecurity::Enterprise
        | WifiSecurity::Other => false,
    }
}

/// The networks that these access points belong to: one for each name and each way that it is protected,
/// because an open one that has another's name is not that other one. Of too many the weakest are left
/// out, but never the one that is wanted or joined.
pub fn networks(points: &[AccessPoint], wanted: Option<&str>, known: &[Vec<u8>]) -> WifiScan {
    let mut found: BTreeMap<(&[u8], WifiSecurity), WifiNetwork> = BTreeMap::new();
    for point in points {
        let network = found.entry((&point.ssid, point.security)).or_insert_with(|| network(point));
        network.access_points += 1;
        network.signal_percent = network.signal_percent.max(point.signal_percent);
        network.is_joined |= point.is_joined;
    }
    let mut networks: Vec<WifiNetwork> = found
        .into_iter()
        .map(|((ssid, _), network)| WifiNetwork {
            signal: signal(network.signal_percent),
            is_wanted: wanted.is_some_and(|wanted| wanted.as_bytes() == ssid),
            is_known: known.iter().any(|known| known == ssid),
            ..network
        })
        .collect();
    networks.sort_by(|a, b| {
        b.signal_percent.cmp(&a.signal_percent).then_with(|| a.ssid_hex.cmp(&b.ssid_hex))
    });
    let all = networks.len();
    let mut place = 0;
    networks.retain(|network| {
        place += 1;
        place <= WIFI_NETWORKS_MAX || network.is_wanted || network.is_joined
    });
    WifiScan { left_out: all - networks.len(), networks }
}

fn network(point: &AccessPoint) -> WifiNetwork {
    let shown = name::shown(&point.ssid);
    WifiNetwork {
        is_shown_whole: shown.as_bytes() == point.ssid,
        ssid: (!point.ssid.is_empty()).then_some(shown),
        ssid_hex: point.ssid.iter().map(|byte| format!("{byte:02x}")).collect(),
        signal_percent: 0,
        signal: WifiSignal::Weak,
        security: point.security,
        is_supported: is_supported(point.security),
        access_points: 0,
        is_joined: false,
        is_wanted: false,
        is_known: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(ssid: &[u8], signal_percent: u8, security: WifiSecurity) -> AccessPoint {
        AccessPoint { ssid: ssid.to_vec(), signal_percent, security, is_joined: false }
    }

    #[test]
    fn access_points_of_one_network_are_one_line_and_the_strongest_network_is_first() {
        let joined = AccessPoint { is_joined: true, ..point(b"hall", 40, WifiSecurity::Wpa2) };
        let points = [
            point(b"phone", 60, WifiSecurity::Wpa2Wpa3),
            joined,
            point(b"hall", 90, WifiSecurity::Wpa2),
            // Somebody else's, with the name of ours.
            point(b"hall", 95, WifiSecurity::Open),
            point(b"", 30, WifiSecurity::Wpa2),
            point(b"", 20, WifiSecurity::Wpa2),
        ];
        let scan = networks(&points, Some("phone"), &[b"hall".to_vec()]);
        let lines: Vec<_> = scan
            .networks
            .iter()
            .map(|n| (n.ssid.as_deref(), n.signal_percent, n.security, n.access_points))
            .collect();
        assert_eq!(
            lines,
            [
                (Some("hall"), 95, WifiSecurity::Open, 1),
                (Some("hall"), 90, WifiSecurity::Wpa2, 2),
                (Some("phone"), 60, WifiSecurity::Wpa2Wpa3, 1),
                (None, 30, WifiSecurity::Wpa2, 2),
            ]
        );
        let are = |is: fn(&WifiNetwork) -> bool| scan.networks.iter().map(is).collect::<Vec<_>>();
        assert_eq!(are(|n| n.is_joined), [false, true, false, false]);
        assert_eq!(are(|n| n.is_wanted), [false, false, true, false]);
        assert_eq!(are(|n| n.is_known), [true, true, false, false]);
    }

    #[test]
    fn of_hundreds_of_networks_the_strongest_are_shown_and_the_wanted_one_never_left_out() {
        let mut points: Vec<AccessPoint> = (0..400_u16)
            .map(|n| point(format!("fair-{n}").as_bytes(), 50, WifiSecurity::Wpa2))
            .collect();
        points.push(point(b"ours", 3, WifiSecurity::Wpa2));
        let scan = networks(&points, Some("ours"), &[]);
        assert_eq!(scan.networks.len(), WIFI_NETWORKS_MAX + 1);
        assert_eq!(scan.left_out, 400 - WIFI_NETWORKS_MAX);
        assert_eq!(scan.networks.last().and_then(|n| n.ssid.as_deref()), Some("ours"));
    }

    #[test]
    fn a_name_that_would_steer_a_terminal_is_shown_harmless_and_its_bytes_are_kept() {
        let evil = b"a\x1b]0;owned\x07\r\nb\xe2\x80\xaec\xff";
        let scan = networks(&[point(evil, 50, WifiSecurity::Open)], None, &[]);
        let [network] = &scan.networks[..] else { panic!("one network: {scan:?}") };
        assert_eq!(network.ssid.as_deref(), Some("a  bc\u{fffd}"));
        assert!(!network.is_shown_whole);
        assert_eq!(network.ssid_hex, "611b5d303b6f776e6564070d0a62e280ae63ff");
        let plain = networks(&[point("Café’s".as_bytes(), 50, WifiSecurity::Open)], None, &[]);
        assert!(plain.networks[0].is_shown_whole);
    }

    #[test]
    fn a_signal_has_the_word_of_its_bars() {
        let word = |percent| signal(percent).name();
        let words = [100, 81, 80, 56, 55, 30, 29, 0].map(word);
        assert_eq!(
            words,
            ["excellent", "excellent", "good", "good", "fair", "fair", "weak", "weak"]
        );
    }
}
