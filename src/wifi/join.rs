//! Why a network is not joined, from what the manager says and what is in range.

use super::in_range::{AccessPoint, is_supported};
use super::name;
use crate::limits::WIFI_SIGNAL_WEAK_PERCENT;
use crate::sanitize;
use crate::status::{WifiFailure, WifiSecurity};

/// A try to join a network that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// How it ended.
    pub end: JoinEnd,
    /// Whether there is a radio, and whether it is on.
    pub radio: Radio,
    /// What was in range; `None` where nobody could look.
    pub in_range: Option<Vec<AccessPoint>>,
}

impl Attempt {
    /// The access points of a name that were in range.
    pub fn points_of<'a>(&'a self, ssid: &'a str) -> impl Iterator<Item = &'a AccessPoint> {
        let in_range = self.in_range.iter().flatten();
        in_range.filter(move |point| point.ssid == ssid.as_bytes())
    }
}

/// How a try ended, as the manager says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinEnd {
    /// It wanted other secrets than it was given.
    NoSecrets,
    /// It did not find the network.
    NotFound,
    /// There was no address.
    NoAddress,
    /// The access point or the driver refused.
    Rejected,
    /// It took too long.
    TimedOut,
    /// It has no interface for it; in its words.
    NoDevice(String),
    /// Something else; in its words.
    Other(String),
}

/// The radio of Wi-Fi.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Radio {
    /// On.
    On,
    /// Switched off by software (a soft block of rfkill).
    Off,
    /// Switched off by a switch (a hard block of rfkill).
    Blocked,
    /// There is none.
    Missing,
}

/// The network that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its name.
    pub ssid: &'a str,
    /// A passphrase is set.
    pub has_passphrase: bool,
    /// It announces no name.
    pub is_hidden: bool,
    /// The country is set.
    pub has_country: bool,
}

/// Why it is not joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The kind.
    pub failure: WifiFailure,
    /// In words, and what to do about it.
    pub message: String,
}

/// Why a try to join a network failed. What is in range comes first: without it the manager takes a
/// network that is not there for one whose passphrase is wrong.
pub fn judge(wanted: &Wanted<'_>, attempt: &Attempt) -> Verdict {
    let (failure, message) = radio(wanted, attempt.radio)
        .or_else(|| range(wanted, attempt))
        .unwrap_or_else(|| end(wanted, attempt));
    Verdict { failure, message }
}

fn radio(wanted: &Wanted<'_>, radio: Radio) -> Option<(WifiFailure, String)> {
    let (failure, message) = match radio {
        Radio::On => return None,
        Radio::Missing => (
            WifiFailure::NoHardware,
            "this box has no Wi-Fi hardware that works; a USB adapter may lack its firmware",
        ),
        Radio::Blocked => (
            WifiFailure::RadioOff,
            "Wi-Fi is switched off by a switch of the machine (rfkill); switch it on",
        ),
        Radio::Off if wanted.has_country => (
            WifiFailure::RadioOff,
            "Wi-Fi is switched off (rfkill), and NetworkManager does not switch it on",
        ),
        Radio::Off => (
            WifiFailure::RadioOff,
            "Wi-Fi is switched off (rfkill); `set wifi.country` with the two letters of your country \
             switches it on",
        ),
    };
    Some((failure, message.to_owned()))
}

/// What is known to be wrong by what is in range alone.
fn range(wanted: &Wanted<'_>, attempt: &Attempt) -> Option<(WifiFailure, String)> {
    if matches!(attempt.end, JoinEnd::NoDevice(_)) || attempt.in_range.is_none() {
        return None;
    }
    let ours = || attempt.points_of(wanted.ssid);
    if ours().next().is_none() {
        // One that announces no name is not in the list by its name, unless it was found.
        let is_found = matches!(attempt.end, JoinEnd::NoAddress);
        return (!is_found).then(|| (WifiFailure::NotFound, not_found(wanted, attempt)));
    }
    if !ours().any(|point| is_supported(point.security)) {
        let names: Vec<&str> = ours().take(1).map(|point| point.security.name()).collect();
        let message = format!(
            "its security is {}, which the box does not support; it needs WPA2 or WPA3 with a \
             passphrase, or none",
            names.concat()
        );
        return Some((WifiFailure::Security, message));
    }
    let is_open = |point: &AccessPoint| point.security == WifiSecurity::Open;
    if !wanted.has_passphrase && !ours().any(is_open) {
        let message = "it needs a passphrase; `set wifi.passphrase` asks for it".to_owned();
        return Some((WifiFailure::NeedsPassphrase, message));
    }
    if wanted.has_passphrase && ours().all(is_open) {
        let message =
            "it is open, but a passphrase is set, so it may not be the one that is meant; \
                       `unset wifi.passphrase` joins it all the same"
                .to_owned();
        return Some((WifiFailure::Security, message));
    }
    None
}

fn not_found(wanted: &Wanted<'_>, attempt: &Attempt) -> String {
    if wanted.is_hidden {
        return "no network of this name answers; is the name right, and is it in range?"
            .to_owned();
    }
    let names = attempt.in_range.iter().flatten().map(|point| point.ssid.as_slice());
    match name::meant(wanted.ssid, names) {
        Some(meant) if meant == wanted.ssid => format!(
            "no network of this name is in range; one that looks so has characters in its name that \
             are not shown, and may pose as {meant}"
        ),
        Some(meant) => format!(
            "no network of this name is in range, but \"{meant}\" is; `set wifi.ssid` takes the name \
             as `network scan` shows it"
        ),
        None => {
            "no network of this name is in range; `network scan` shows those that are. A phone \
                 may have to show its hotspot's page, and one that hides its name needs `set \
                 wifi.hidden true`"
                .to_owned()
        }
    }
}

fn end(wanted: &Wanted<'_>, attempt: &Attempt) -> (WifiFailure, String) {
    let signal_percent = attempt.points_of(wanted.ssid).map(|point| point.signal_percent).max();
    let weak = signal_percent.filter(|percent| *percent < WIFI_SIGNAL_WEAK_PERCENT);
    let with_signal = |message: &str| match weak {
        Some(percent) => format!("{message}; its signal is weak ({percent} %)"),
        None => message.to_owned(),
    };
    match &attempt.end {
        JoinEnd::NoSecrets if wanted.has_passphrase => (
            WifiFailure::WrongPassphrase,
            with_signal("the passphrase is wrong; `set wifi.passphrase` asks for it again"),
        ),
        // WPA3 does not tell a wrong passphrase from no answer, and NetworkManager calls it not found.
        JoinEnd::NotFound if wanted.has_passphrase && signal_percent.is_some() && weak.is_none() => (
            WifiFailure::WrongPassphrase,
            "it is in range and does not let the box in: most probably the passphrase is wrong; `set \
             wifi.passphrase` asks for it again"
                .to_owned(),
        ),
        JoinEnd::NoAddress => (
            WifiFailure::NoAddress,
            with_signal(
                "it is there, and its router gives no address (DHCP); restart the router or the \
                 hotspot, or set `wifi.address`",
            ),
        ),
        JoinEnd::Rejected => (
            WifiFailure::Refused,
            with_signal("it refuses the box; are too many connected to it, or only some allowed?"),
        ),
        JoinEnd::NotFound if attempt.in_range.is_none() => {
            (WifiFailure::NotFound, not_found(wanted, attempt))
        }
        JoinEnd::NoSecrets | JoinEnd::NotFound | JoinEnd::TimedOut => {
            (WifiFailure::TimedOut, with_signal("it does not answer in time"))
        }
        JoinEnd::NoDevice(message) => (
            WifiFailure::NoHardware,
            format!("no wireless interface can be used: {}", sanitize::words(message)),
        ),
        JoinEnd::Other(message) => (WifiFailure::Refused, sanitize::words(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'static> =
        Wanted { ssid: "hall", has_passphrase: true, is_hidden: false, has_country: true };

    fn point(ssid: &str, signal_percent: u8, security: WifiSecurity) -> AccessPoint {
        let ssid = ssid.as_bytes().to_vec();
        AccessPoint { ssid, signal_percent, security, is_joined: false }
    }

    fn of(wanted: &Wanted<'_>, end: JoinEnd, radio: Radio, in_range: &[AccessPoint]) -> Verdict {
        judge(wanted, &Attempt { end, radio, in_range: Some(in_range.to_vec()) })
    }

    #[test]
    fn each_reason_is_given_in_words_with_what_to_do() {
        use WifiSecurity::{Enterprise, Open, Wep, Wpa2, Wpa3};
        let open = Wanted { has_passphrase: false, ..WANTED };
        let hidden = Wanted { is_hidden: true, ..WANTED };
        let abroad = Wanted { has_country: false, ..WANTED };
        let hall = |security| vec![point("hall", 70, security)];
        let far = vec![point("hall", 12, Wpa2)];
        let no_device = || JoinEnd::NoDevice("No suitable device found".to_owned());
        for (wanted, end, radio, in_range, failure, words) in [
            (
                WANTED,
                JoinEnd::NoSecrets,
                Radio::On,
                hall(Wpa2),
                WifiFailure::WrongPassphrase,
                "wrong",
            ),
            (
                WANTED,
                JoinEnd::NoSecrets,
                Radio::On,
                far.clone(),
                WifiFailure::WrongPassphrase,
                "weak (12 %)",
            ),
            // NetworkManager asks for other secrets where nobody answers.
            (WANTED, JoinEnd::NoSecrets, Radio::On, vec![], WifiFailure::NotFound, "network scan"),
            (WANTED, JoinEnd::NotFound, Radio::On, vec![], WifiFailure::NotFound, "in range"),
            (
                hidden,
                JoinEnd::NoSecrets,
                Radio::On,
                vec![],
                WifiFailure::NotFound,
                "is the name right",
            ),
            (hidden, JoinEnd::NoAddress, Radio::On, vec![], WifiFailure::NoAddress, "DHCP"),
            (WANTED, JoinEnd::NoAddress, Radio::On, hall(Wpa2), WifiFailure::NoAddress, "DHCP"),
            (
                open,
                JoinEnd::NotFound,
                Radio::On,
                hall(Wpa2),
                WifiFailure::NeedsPassphrase,
                "asks for it",
            ),
            // So it ends where WPA3 finds the passphrase wrong.
            (
                WANTED,
                JoinEnd::NotFound,
                Radio::On,
                hall(Wpa3),
                WifiFailure::WrongPassphrase,
                "most probably",
            ),
            (WANTED, JoinEnd::NotFound, Radio::On, far.clone(), WifiFailure::TimedOut, "(12 %)"),
            (open, JoinEnd::TimedOut, Radio::On, hall(Open), WifiFailure::TimedOut, "in time"),
            (WANTED, JoinEnd::NotFound, Radio::On, hall(Open), WifiFailure::Security, "it is open"),
            (WANTED, JoinEnd::NotFound, Radio::On, hall(Wep), WifiFailure::Security, "WEP"),
            (
                WANTED,
                JoinEnd::NotFound,
                Radio::On,
                hall(Enterprise),
                WifiFailure::Security,
                "802.1X",
            ),
            (WANTED, JoinEnd::TimedOut, Radio::On, hall(Wpa2), WifiFailure::TimedOut, "in time"),
            (
                WANTED,
                JoinEnd::Rejected,
                Radio::On,
                hall(Wpa2),
                WifiFailure::Refused,
                "refuses the box",
            ),
            (
                WANTED,
                no_device(),
                Radio::Missing,
                vec![],
                WifiFailure::NoHardware,
                "no Wi-Fi hardware",
            ),
            (WANTED, no_device(), Radio::On, vec![], WifiFailure::NoHardware, "No suitable device"),
            (WANTED, no_device(), Radio::Blocked, vec![], WifiFailure::RadioOff, "by a switch"),
            (
                WANTED,
                no_device(),
                Radio::Off,
                vec![],
                WifiFailure::RadioOff,
                "does not switch it on",
            ),
            (abroad, no_device(), Radio::Off, vec![], WifiFailure::RadioOff, "`set wifi.country`"),
        ] {
            let case = format!("{end:?} {radio:?} {in_range:?}");
            let verdict = of(&wanted, end, radio, &in_range);
            assert_eq!(verdict.failure, failure, "{case}: {verdict:?}");
            assert!(verdict.message.contains(words), "{case}: {verdict:?}");
        }
    }

    #[test]
    fn where_nobody_could_look_nothing_is_claimed_of_what_is_in_range() {
        let verdict = |end| judge(&WANTED, &Attempt { end, radio: Radio::On, in_range: None });
        let silent = verdict(JoinEnd::Other("NetworkManager is not running".to_owned()));
        assert_eq!(silent.message, "NetworkManager is not running");
        assert_eq!(verdict(JoinEnd::NoSecrets).failure, WifiFailure::WrongPassphrase);
        assert_eq!(verdict(JoinEnd::TimedOut).failure, WifiFailure::TimedOut);
        assert_eq!(verdict(JoinEnd::NotFound).failure, WifiFailure::NotFound);
    }

    #[test]
    fn a_name_that_nobody_can_type_is_named_where_it_was_meant() {
        let in_range = [point("Anna’s iPhone", 60, WifiSecurity::Wpa2Wpa3)];
        let wanted = Wanted { ssid: "Anna's iPhone", ..WANTED };
        let verdict = of(&wanted, JoinEnd::NotFound, Radio::On, &in_range);
        assert_eq!(verdict.failure, WifiFailure::NotFound);
        assert!(verdict.message.contains("but \"Anna’s iPhone\" is"), "{verdict:?}");
    }

    #[test]
    fn neither_a_network_nor_the_manager_can_steer_a_terminal_by_a_reason() {
        let in_range = [point("ha\u{1b}[2Jll", 60, WifiSecurity::Wpa2)];
        let other = JoinEnd::Other("no \u{1b}]0;owned\u{7}luck".to_owned());
        for (end, in_range) in
            [(JoinEnd::NotFound, &in_range[..]), (other, &[point("hall", 60, WifiSecurity::Wpa2)])]
        {
            let verdict = of(&WANTED, end, Radio::On, in_range);
            assert!(!verdict.message.chars().any(sanitize::is_hidden), "{verdict:?}");
        }
    }
}
