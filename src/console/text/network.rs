//! The network, as lines for people.

use super::words::counted;
use crate::status::{Clock, Link, Network, Wifi, WifiNetwork, WifiScan, WifiState};

pub(super) fn link_word(link: Link) -> &'static str {
    match link {
        Link::Up => "up",
        Link::Down => "down",
    }
}

pub(super) fn clock_word(clock: Clock) -> &'static str {
    match clock {
        Clock::Trusted => "synchronized",
        Clock::Untrusted => "not synchronized (waiting for NTP)",
    }
}

pub(super) fn network_lines(network: &Network) -> Vec<String> {
    let mut lines = vec![
        format!("network      {}", link_word(network.link)),
        format!("clock        {}", clock_word(network.clock)),
        format!("settings     {}", network.managed),
    ];
    lines.extend(network.wifi.as_ref().map(wifi_line));
    for interface in &network.interfaces {
        let state = if interface.up { "up" } else { "no carrier" };
        let addresses = match interface.addresses.as_slice() {
            [] => "no address".to_owned(),
            some => some.join(", "),
        };
        lines.push(format!("{:12} {state}, {addresses}", interface.name));
    }
    lines
}

/// How the box stands with a wireless network.
pub(super) fn wifi_line(wifi: &Wifi) -> String {
    let Wifi { ssid, .. } = wifi;
    let stands = match (wifi.state, &wifi.message) {
        (WifiState::Joined, _) => {
            let signal = wifi.signal_percent.zip(wifi.signal);
            let signal =
                signal.map(|(percent, word)| format!("signal {} ({percent} %)", word.name()));
            let on = wifi.interface.as_ref().map(|interface| format!("on {interface}"));
            [Some("joined".to_owned()), on, signal]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(", ")
        }
        (WifiState::Joining, None) => "being joined".to_owned(),
        (WifiState::Joining, Some(why)) => format!("being tried again; last time: {why}"),
        (WifiState::NotJoined, None) => "not joined".to_owned(),
        (WifiState::NotJoined, Some(why)) => format!("not joined: {why}"),
    };
    format!("Wi-Fi        {ssid}: {stands}")
}

/// A line for each network, the names beneath each other.
pub(super) fn scan_lines(scan: &WifiScan) -> Vec<String> {
    if scan.networks.is_empty() {
        return vec!["no Wi-Fi network is in range".to_owned()];
    }
    let name = |network: &WifiNetwork| match &network.ssid {
        Some(name) => name.clone(),
        None => "(hidden name)".to_owned(),
    };
    let names = scan.networks.iter().map(|network| name(network).chars().count()).max();
    let width = names.unwrap_or(0);
    let line = |network: &WifiNetwork| {
        let name = name(network);
        let signal = format!("{} ({} %)", network.signal.name(), network.signal_percent);
        let several = network.access_points;
        let remarks = [
            (network.is_joined, "joined".to_owned()),
            (network.is_wanted && !network.is_joined, "set as wifi.ssid".to_owned()),
            (network.is_known && !network.is_joined && !network.is_wanted, "known".to_owned()),
            (!network.is_supported, "not supported".to_owned()),
            (!network.is_shown_whole, "has characters that are not shown".to_owned()),
            (several > 1, counted(several as u64, "access point")),
        ];
        let remarks = remarks.into_iter().filter_map(|(applies, remark)| applies.then_some(remark));
        let words = [network.security.name().to_owned()].into_iter().chain(remarks);
        format!("{name:width$}  {signal:16}  {}", words.collect::<Vec<_>>().join(", "))
    };
    let mut lines: Vec<String> = scan.networks.iter().map(line).collect();
    if scan.left_out > 0 {
        lines.push(format!("and {} more that are weaker", scan.left_out));
    }
    lines
}
