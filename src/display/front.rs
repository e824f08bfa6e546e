//! What a display shows of the box: its status without what nobody would notice.

use core::net::IpAddr;
use std::time::Duration;

use crate::panel::{Attention, Because, Fault, Indication};
use crate::status::{
    ChannelStats, DestinationState, DestinationStatus, Interface, Server, Status, WifiState,
};

/// What a display shows of the box. Two that are equal look the same at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Front {
    /// What the box calls itself.
    pub name: String,
    /// Where it is in its network.
    pub address: Option<IpAddr>,
    /// What the lights show.
    pub indication: Indication,
    /// What they show over it for a moment.
    pub moment: Option<Indication>,
    /// What is wrong, in words.
    pub words: Option<String>,
    /// Since when the broadcast is live.
    pub live_since: Option<Duration>,
    /// The destinations.
    pub destinations: Vec<Place>,
    /// Figures of the destination that is worst off.
    pub figures: Option<Figures>,
    /// How loud each channel of the audio is; empty while that is not measured.
    pub meters: Vec<Meter>,
}

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// It accepts the stream.
    pub is_live: bool,
    /// By its backup server.
    pub is_backup: bool,
}

/// Figures of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// What is sent, in kb/s.
    pub sent_kbps: u32,
    /// What was to be sent if the network took all, in kb/s.
    pub full_kbps: u32,
    /// How long the oldest frame has waited, in tenths of a second.
    pub delay_ds: u32,
}

/// How loud a channel is, in whole dBFS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    /// The root mean square.
    pub rms_dbfs: i32,
    /// The loudest sample.
    pub peak_dbfs: i32,
}

/// What is known of the box besides its status.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// What the box calls itself.
    pub name: &'a str,
    /// Its network interfaces.
    pub interfaces: &'a [Interface],
    /// What the lights show.
    pub indication: Indication,
    /// What they show over it for a moment.
    pub moment: Option<Indication>,
    /// The camera or microphone that the lights miss, in words.
    pub missing: Option<&'a str>,
    /// Since when the broadcast is live.
    pub live_since: Option<Duration>,
    /// The bitrate of video and audio where nothing stands in the way, in kb/s.
    pub full_kbps: u32,
}

impl Front {
    /// What there is to show of a box.
    pub fn of(status: &Status, around: &Around<'_>) -> Front {
        let is_on_air = around.indication.is_broadcast();
        Front {
            name: around.name.to_owned(),
            address: address(around.interfaces),
            indication: around.indication,
            // What follows from a press shows that it was detected.
            moment: around.moment.filter(|moment| *moment != Indication::Pressed),
            words: words(status, around).filter(|words| !words.is_empty()),
            live_since: around.live_since.filter(|_| is_on_air),
            destinations: status.destinations.iter().map(Place::of).collect(),
            figures: figures(&status.destinations, around.full_kbps).filter(|_| is_on_air),
            meters: status
                .levels
                .iter()
                .flat_map(|levels| levels.channels.iter().map(Meter::of))
                .collect(),
        }
    }
}

impl Place {
    fn of(destination: &DestinationStatus) -> Place {
        Place {
            name: destination.name.clone(),
            is_live: destination.state == DestinationState::Accepted,
            is_backup: destination.server == Some(Server::Backup),
        }
    }
}

impl Meter {
    fn of(channel: &ChannelStats) -> Meter {
        // What is no number becomes 0, and what is out of all bounds their limit.
        let whole = |dbfs: f32| dbfs.round().clamp(-96.0, 0.0) as i32;
        Meter { rms_dbfs: whole(channel.rms_dbfs), peak_dbfs: whole(channel.peak_dbfs) }
    }
}

/// One address by which the box is reached: people type those of IPv4 more easily.
fn address(interfaces: &[Interface]) -> Option<IpAddr> {
    let up = interfaces.iter().filter(|interface| interface.up);
    let addresses = up.flat_map(|i| &i.addresses).filter_map(|a| a.parse::<IpAddr>().ok());
    let of_use = addresses.filter(|address| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    });
    of_use.min_by_key(IpAddr::is_ipv6)
}

/// The figures of the destination that is furthest behind.
fn figures(destinations: &[DestinationStatus], full_kbps: u32) -> Option<Figures> {
    let stats = destinations.iter().filter_map(|destination| destination.stats);
    let worst = stats.max_by_key(|stats| (stats.queue_ms, u32::MAX - stats.sent_kbps))?;
    Some(Figures {
        sent_kbps: worst.sent_kbps,
        full_kbps,
        delay_ds: u32::try_from(worst.queue_ms / 100).unwrap_or(u32::MAX),
    })
}

/// What is wrong, as `status` at the console says it.
fn words(status: &Status, around: &Around<'_>) -> Option<String> {
    let because = || Some(status.because.clone());
    let missing = || around.missing.map(str::to_owned);
    let warning = || status.warnings.first().map(|warning| warning.message.clone());
    match around.indication {
        // Without any destination the page says what to do, and nothing is wrong.
        Indication::NeedsSetup => because().filter(|_| !status.destinations.is_empty()),
        Indication::ReadyWarning | Indication::Live { attention: Attention::Warning } => warning(),
        Indication::NoNetwork | Indication::Retrying { because: Because::NoNetwork } => {
            let wifi = status.wifi.as_ref().filter(|wifi| wifi.state != WifiState::Joined);
            wifi.and_then(|wifi| Some(format!("{}: {}", wifi.ssid, wifi.message.as_ref()?)))
        }
        Indication::Live { attention: Attention::Destination } => {
            status.destinations.iter().find_map(lost)
        }
        Indication::Fault(Fault::Camera | Fault::Microphone) => missing().or_else(because),
        Indication::Retrying { .. } | Indication::Fault(Fault::Encoder | Fault::Internal) => {
            because()
        }
        _ => None,
    }
}

/// Why a destination does not accept the stream; `None` where it does.
fn lost(destination: &DestinationStatus) -> Option<String> {
    if destination.state == DestinationState::Accepted {
        return None;
    }
    let name = &destination.name;
    Some(match (&destination.idle_because, &destination.last_end) {
        (Some(why), _) => format!("{name}: {why}"),
        (None, Some(end)) if end.message.is_empty() => format!("{name}: {}", end.kind),
        (None, Some(end)) => format!("{name}: {}: {}", end.kind, end.message),
        (None, None) => format!("{name}: {}", destination.state.name()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, up: bool, addresses: &[&str]) -> Interface {
        let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
        Interface { name: name.to_owned(), up, addresses }
    }

    #[test]
    fn the_address_is_one_that_others_can_use() {
        let shown = |interfaces: &[Interface]| address(interfaces).map(|a| a.to_string());
        let down = interface("eth0", false, &["192.0.2.1"]);
        let local = interface("usb0", true, &["fe80::1", "169.254.3.4", "nonsense"]);
        let six = interface("wlan0", true, &["2001:db8::7", "fe80::2"]);
        let four = interface("wlan1", true, &["2001:db8::8", "198.51.100.7"]);
        assert_eq!(shown(&[]), None);
        assert_eq!(shown(&[down.clone(), local.clone()]), None);
        let known = [down, local, six, four];
        assert_eq!(shown(&known[..3]).as_deref(), Some("2001:db8::7"));
        assert_eq!(shown(&known).as_deref(), Some("198.51.100.7"));
    }

    #[test]
    fn a_level_that_is_no_number_is_drawn_as_some_level() {
        for (dbfs, whole) in
            [(f32::NAN, 0), (f32::NEG_INFINITY, -96), (f32::INFINITY, 0), (-20.4, -20), (3.0, 0)]
        {
            let channel = ChannelStats { peak_dbfs: dbfs, rms_dbfs: dbfs, true_peak_dbtp: dbfs };
            assert_eq!(Meter::of(&channel), Meter { rms_dbfs: whole, peak_dbfs: whole });
        }
    }
}
