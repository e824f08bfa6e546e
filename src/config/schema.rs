//! The table of settings: what exists, what it may be, what it means.
//!
//! Files, the console's `set` and `show`, and the manual are all read from [`SETTINGS`].

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::de::DeValue;

use super::network;
use crate::limits::{
    CAPTURE_AUDIO_KBPS_MAX, CAPTURE_AUDIO_KBPS_MIN, CAPTURE_FPS_MAX, CAPTURE_HEIGHT_MAX,
    CAPTURE_KEYFRAME_INTERVAL_MS_MAX, CAPTURE_KEYFRAME_INTERVAL_MS_MIN, CAPTURE_SIDE_MIN,
    CAPTURE_VIDEO_KBPS_MAX, CAPTURE_VIDEO_KBPS_MIN, CAPTURE_WIDTH_MAX, DNS_SERVERS_MAX,
    KEY_BYTES_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX, PIN_DIGITS_MAX, PIN_DIGITS_MIN, URL_BYTES_MAX,
};
use crate::pace::Follow;
use crate::rtmp::url::{ServerUrl, UrlError};
use crate::secret;
use crate::secret::{ConsolePin, KeyError, Passphrase, PassphraseError, StreamKey};
use crate::spki_pin::{PinError, SpkiPin};

/// The version of the schema; a file names it in its first line.
pub const VERSION: i64 = 1;

/// A table of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `[box]`
    Box,
    /// `[video]`
    Video,
    /// `[audio]`
    Audio,
    /// `[slate]`
    Slate,
    /// `[overlay]`
    Overlay,
    /// `[console]`
    Console,
    /// `[network]`
    Network,
    /// `[wifi]`
    Wifi,
    /// `[[destination]]`, once for each.
    Destination,
}

impl Section {
    /// All of them, in the order of the file.
    pub const ALL: [Section; 9] = [
        Section::Box,
        Section::Video,
        Section::Audio,
        Section::Console,
        Section::Network,
        Section::Wifi,
        Section::Slate,
        Section::Overlay,
        Section::Destination,
    ];

    /// Its name in a file and at the console.
    pub fn name(self) -> &'static str {
        match self {
            Section::Box => "box",
            Section::Video => "video",
            Section::Audio => "audio",
            Section::Slate => "slate",
            Section::Overlay => "overlay",
            Section::Console => "console",
            Section::Network => "network",
            Section::Wifi => "wifi",
            Section::Destination => "destination",
        }
    }
}

/// What a setting's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number {
        /// The smallest that is taken.
        min: u32,
        /// The largest that is taken.
        max: u32,
        /// It must be a multiple of this.
        step: u32,
        /// What is counted.
        unit: &'static str,
    },
    /// A line of text for people.
    Label,
    /// The name of a destination, as it is typed at the console.
    Name,
    /// The address of a server, without the key.
    Address,
    /// A stream key: taken, never shown.
    Key,
    /// A path of a file on the box.
    Path,
    /// The pin of a server's key.
    Pin,
    /// The PIN of the serial console: taken, kept as a hash, never shown.
    ConsolePin,
    /// A network interface.
    Interface,
    /// The box's own address with its prefix, or `dhcp`.
    OwnAddress,
    /// The address of a gateway.
    Gateway,
    /// Addresses of name servers.
    DnsServers,
    /// The name of a wireless network.
    Ssid,
    /// The passphrase of a wireless network: taken, never shown.
    Passphrase,
    /// A country.
    Country,
    /// One of these words; the first holds when nobody sets it.
    Choice(&'static [&'static str]),
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The table that it stands in.
    pub section: Section,
    /// Its key in that table.
    pub key: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What holds when nobody sets it.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub help: &'static str,
}

const PROFILE: &str = "the board's profile";

/// All settings, in the order of the file.
pub const SETTINGS: &[Setting] = &[
    setting(Section::Box, "name", Kind::Label, "firstmile", "what the box calls itself"),
    setting(
        Section::Box,
        "start_without_camera",
        Kind::Flag,
        "false",
        "go live with the slate picture when no camera is there",
    ),
    setting(
        Section::Box,
        "start_without_microphone",
        Kind::Flag,
        "false",
        "go live with silence when no microphone is there",
    ),
    number(
        Section::Video,
        "width",
        CAPTURE_SIDE_MIN..=CAPTURE_WIDTH_MAX,
        2,
        "pixels",
        "width of the picture",
    ),
    number(
        Section::Video,
        "height",
        CAPTURE_SIDE_MIN..=CAPTURE_HEIGHT_MAX,
        2,
        "pixels",
        "height of the picture",
    ),
    number(Section::Video, "fps", 1..=CAPTURE_FPS_MAX, 1, "frames a second", "frame rate"),
    number(
        Section::Video,
        "bitrate_kbps",
        CAPTURE_VIDEO_KBPS_MIN..=CAPTURE_VIDEO_KBPS_MAX,
        1,
        "kb/s",
        "highest bitrate of the picture",
    ),
    number(
        Section::Video,
        "keyframe_interval_ms",
        CAPTURE_KEYFRAME_INTERVAL_MS_MIN..=CAPTURE_KEYFRAME_INTERVAL_MS_MAX,
        1,
        "milliseconds",
        "time from one key frame to the next; platforms want 2000",
    ),
    setting(
        Section::Video,
        "follow",
        Kind::Choice(Follow::NAMES),
        Follow::NAMES[0],
        "whose path sets the bitrate: the first destination's, the slowest one's, or none",
    ),
    number(
        Section::Audio,
        "bitrate_kbps",
        CAPTURE_AUDIO_KBPS_MIN..=CAPTURE_AUDIO_KBPS_MAX,
        1,
        "kb/s",
        "bitrate of the sound",
    ),
    number(Section::Audio, "channels", 1..=2, 1, "channels", "mono or stereo"),
    setting(
        Section::Console,
        "pin",
        Kind::ConsolePin,
        "none",
        "what the serial console asks for first; a factory reset needs none",
    ),
    setting(
        Section::Network,
        "interface",
        Kind::Interface,
        "any wired one",
        "the wired interface that the next settings are for",
    ),
    setting(
        Section::Network,
        "address",
        Kind::OwnAddress,
        "by DHCP",
        "the box's address on the wired network",
    ),
    setting(
        Section::Network,
        "gateway",
        Kind::Gateway,
        "by DHCP",
        "the way out beside an address of its own",
    ),
    setting(Section::Network, "dns", Kind::DnsServers, "by DHCP", "name servers"),
    setting(Section::Wifi, "ssid", Kind::Ssid, "none", "the name of the wireless network"),
    setting(
        Section::Wifi,
        "passphrase",
        Kind::Passphrase,
        "none; an open network",
        "its passphrase; stored apart from all other settings and never shown",
    ),
    setting(
        Section::Wifi,
        "country",
        Kind::Country,
        "as the system has it",
        "the country whose radio rules hold",
    ),
    setting(
        Section::Wifi,
        "hidden",
        Kind::Flag,
        "false",
        "look for a network that does not announce its name",
    ),
    setting(
        Section::Wifi,
        "interface",
        Kind::Interface,
        "any wireless one",
        "the wireless interface",
    ),
    setting(
        Section::Wifi,
        "address",
        Kind::OwnAddress,
        "by DHCP",
        "the box's address on the wireless network",
    ),
    setting(
        Section::Wifi,
        "gateway",
        Kind::Gateway,
        "by DHCP",
        "the way out beside an address of its own",
    ),
    setting(Section::Wifi, "dns", Kind::DnsServers, "by DHCP", "name servers"),
    setting(
        Section::Slate,
        "picture",
        Kind::Path,
        "the drawn slate",
        "a PNG picture that is shown in place of a lost camera",
    ),
    setting(
        Section::Overlay,
        "clock",
        Kind::Flag,
        "false",
        "lay the time of day over the picture, at its top right",
    ),
    setting(
        Section::Overlay,
        "text",
        Kind::Label,
        "none",
        "lay these words over the picture, at its bottom left",
    ),
    setting(
        Section::Overlay,
        "logo",
        Kind::Path,
        "none",
        "lay this PNG picture over the picture, at its top left",
    ),
    setting(
        Section::Destination,
        "name",
        Kind::Name,
        "none; required",
        "what the destination is called at the console",
    ),
    setting(
        Section::Destination,
        "url",
        Kind::Address,
        "none",
        "the server's address; {stream_key} may stand where the platform wants the key",
    ),
    setting(
        Section::Destination,
        "backup_url",
        Kind::Address,
        "none",
        "a second server for the same key, used while the first one fails",
    ),
    setting(
        Section::Destination,
        "key",
        Kind::Key,
        "none",
        "the stream key; stored apart from all other settings and never shown",
    ),
    setting(
        Section::Destination,
        "ca_file",
        Kind::Path,
        "the well-known authorities",
        "certificates (PEM) of the authority that this server is checked against",
    ),
    setting(
        Section::Destination,
        "pinned_key",
        Kind::Pin,
        "none",
        "the key that this server must have, beside a trusted certificate",
    ),
    setting(
        Section::Destination,
        "strict_tls",
        Kind::Flag,
        "false",
        "offer this server only the TLS that NIST SP 800-52r2 approves",
    ),
    setting(
        Section::Destination,
        "allow_plain",
        Kind::Flag,
        "false",
        "consent to rtmp://, which shows the stream key to everybody on the way",
    ),
    setting(Section::Destination, "enabled", Kind::Flag, "true", "whether going live includes it"),
];

const fn setting(
    section: Section,
    key: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { section, key, kind, default, help }
}

const fn number(
    section: Section,
    key: &'static str,
    range: RangeInclusive<u32>,
    step: u32,
    unit: &'static str,
    help: &'static str,
) -> Setting {
    let (min, max) = (*range.start(), *range.end());
    setting(section, key, Kind::Number { min, max, step, unit }, PROFILE, help)
}

impl Setting {
    /// Its full name, as in messages: `video.fps`, `destination.url`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.section.name(), self.key)
    }
}

/// The settings of one table.
pub fn of_section(section: Section) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |s| s.section == section)
}

/// One setting by its table and key.
pub fn find(section: Section, key: &str) -> Option<&'static Setting> {
    of_section(section).find(|s| s.key == key)
}

/// The known name that `typed` most probably means: a few letters apart, or one begins the other.
pub fn nearest(typed: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let scored = known.filter_map(|name| {
        let distance = edit_distance(&typed, name);
        let related = typed.len() >= 3
            && (name.starts_with(&typed) || typed.starts_with(name) || typed.ends_with(name));
        (related || distance <= 1 + name.len() / 4).then_some((distance, name))
    });
    scored.min().map(|(_, name)| name)
}

/// Letters to insert, remove or replace to get from one word to the other (Levenshtein).
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// A value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Number`], in range.
    Number(u32),
    /// Of the kinds that are a word or a line.
    Text(String),
    /// Of [`Kind::Address`].
    Address(ServerUrl),
    /// Of [`Kind::Key`].
    Key(StreamKey),
    /// Of [`Kind::Path`].
    Path(PathBuf),
    /// Of [`Kind::Pin`].
    Pin(SpkiPin),
    /// Of [`Kind::ConsolePin`].
    ConsolePin(ConsolePin),
    /// Of [`Kind::Passphrase`].
    Passphrase(Passphrase),
}

impl Value {
    /// Whether it is kept apart and never shown.
    pub fn is_secret(&self) -> bool {
        matches!(self, Value::Key(_) | Value::ConsolePin(_) | Value::Passphrase(_))
    }
}

impl fmt::Display for Value {
    /// As people may see it: keys and whatever is secret in an address are dots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => flag.fmt(f),
            Value::Number(number) => number.fmt(f),
            Value::Text(text) => text.fmt(f),
            Value::Address(address) => address.fmt(f),
            Value::Key(key) => key.fmt(f),
            Value::Path(path) => path.display().fmt(f),
            Value::Pin(pin) => pin.fmt(f),
            Value::ConsolePin(pin) => pin.fmt(f),
            Value::Passphrase(passphrase) => passphrase.fmt(f),
        }
    }
}

/// Why a value is not taken. Texts are never quoted: they may be a key in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// it must be of another kind
    #[error("must be {0}")]
    WrongKind(Kind),
    /// it is out of range
    #[error("is {given}, must be {allowed}")]
    OutOfRange {
        /// What was given.
        given: i64,
        /// What would have been taken.
        allowed: Kind,
    },
    /// the address cannot be used
    #[error(transparent)]
    Address(#[from] UrlError),
    /// the key cannot be used
    #[error(transparent)]
    Key(#[from] KeyError),
    /// the pin cannot be used
    #[error(transparent)]
    Pin(#[from] PinError),
    /// the PIN cannot be used
    #[error(transparent)]
    ConsolePin(#[from] secret::PinError),
    /// the passphrase cannot be used
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
}

impl fmt::Display for Kind {
    /// What is allowed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Flag => f.write_str("true or false"),
            Kind::Number { min, max, step, unit } => {
                let even = if *step == 2 { "an even" } else { "a whole" };
                write!(f, "{even} number from {min} to {max} ({unit})")
            }
            Kind::Label => write!(f, "a text of 1 to {NAME_BYTES_MAX} bytes in one line"),
            Kind::Name => {
                write!(f, "a name of 1 to {NAME_BYTES_MAX} letters a to z, digits, - and _")
            }
            Kind::Address => {
                write!(f, "an address such as rtmps://host/app, at most {URL_BYTES_MAX} bytes")
            }
            Kind::Key => write!(f, "a stream key of at most {KEY_BYTES_MAX} bytes"),
            Kind::Path => write!(f, "a path of at most {PATH_BYTES_MAX} bytes"),
            Kind::Pin => f.write_str("sha256// and the base64 of a key's hash, as check prints it"),
            Kind::ConsolePin => write!(f, "{PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits"),
            Kind::Interface => f.write_str("an interface such as eth0, at most 15 characters"),
            Kind::OwnAddress => f.write_str("dhcp, or an address with its prefix: 192.0.2.7/24"),
            Kind::Gateway => f.write_str("an address such as 192.0.2.1"),
            Kind::DnsServers => {
                write!(f, "1 to {DNS_SERVERS_MAX} addresses with commas between them")
            }
            Kind::Ssid => f.write_str("a network's name of 1 to 32 bytes"),
            Kind::Passphrase => f.write_str("8 to 63 characters, or 64 hexadecimal digits"),
            Kind::Country => f.write_str("two capital letters such as DE"),
            Kind::Choice(words) => f.write_str(&words.join(", ")),
        }
    }
}

impl Kind {
    /// Whether its values are kept apart and never shown.
    pub fn is_secret(self) -> bool {
        matches!(self, Kind::Key | Kind::ConsolePin | Kind::Passphrase)
    }

    /// Reads a value as it is typed.
    ///
    /// # Errors
    /// [`ValueError`] says what is allowed.
    pub fn read(self, text: &str) -> Result<Value, ValueError> {
        let wrong = Err(ValueError::WrongKind(self));
        match self {
            Kind::Flag => match text {
                "true" => Ok(Value::Flag(true)),
                "false" => Ok(Value::Flag(false)),
                _ => wrong,
            },
            Kind::Number { .. } => match text.parse() {
                Ok(number) => self.in_range(number),
                Err(_) => wrong,
            },
            Kind::ConsolePin => Ok(Value::ConsolePin(ConsolePin::parse(text)?)),
            Kind::Passphrase => Ok(Value::Passphrase(Passphrase::parse(text)?)),
            Kind::Label
            | Kind::Name
            | Kind::Path
            | Kind::Interface
            | Kind::OwnAddress
            | Kind::Gateway
            | Kind::DnsServers
            | Kind::Ssid
            | Kind::Country => {
                if self.admits(text) {
                    Ok(self.text(text))
                } else {
                    wrong
                }
            }
            Kind::Address => Ok(Value::Address(ServerUrl::parse(text)?)),
            Kind::Key => Ok(Value::Key(StreamKey::parse(text)?)),
            Kind::Pin => Ok(Value::Pin(text.parse()?)),
            Kind::Choice(words) => match words.contains(&text) {
                true => Ok(Value::Text(text.to_owned())),
                false => wrong,
            },
        }
    }

    /// Reads a value of a file.
    pub(super) fn read_toml(self, value: &DeValue<'_>) -> Result<Value, ValueError> {
        match (self, value) {
            (Kind::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
            (Kind::Number { .. }, DeValue::Integer(integer)) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(number) => self.in_range(number),
                    Err(_) => Err(ValueError::WrongKind(self)),
                }
            }
            (Kind::Flag | Kind::Number { .. }, _) => Err(ValueError::WrongKind(self)),
            (_, DeValue::String(text)) => self.read(text),
            _ => Err(ValueError::WrongKind(self)),
        }
    }

    fn in_range(self, given: i64) -> Result<Value, ValueError> {
        match (self, u32::try_from(given)) {
            (Kind::Number { min, max, step, .. }, Ok(number))
                if (min..=max).contains(&number) && number.is_multiple_of(step) =>
            {
                Ok(Value::Number(number))
            }
            _ => Err(ValueError::OutOfRange { given, allowed: self }),
        }
    }

    fn admits(self, text: &str) -> bool {
        match self {
            Kind::Interface => return network::is_interface(text),
            Kind::OwnAddress => return network::is_own_address(text),
            Kind::Gateway => return network::is_gateway(text),
            Kind::DnsServers => return network::is_dns(text),
            Kind::Ssid => return network::is_ssid(text),
            Kind::Country => return network::is_country(text),
            _ => {}
        }
        let name_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let bytes_max = if self == Kind::Path { PATH_BYTES_MAX } else { NAME_BYTES_MAX };
        (1..=bytes_max).contains(&text.len())
            && !text.chars().any(char::is_control)
            && (self != Kind::Label || text.trim() == text)
            && (self != Kind::Name || text.bytes().all(name_byte))
    }

    fn text(self, text: &str) -> Value {
        if self == Kind::Path {
            Value::Path(PathBuf::from(text))
        } else {
            Value::Text(text.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(section: Section, key: &str) -> Kind {
        find(section, key).unwrap_or_else(|| panic!("{key}")).kind
    }

    #[test]
    fn every_range_takes_its_ends_and_nothing_beyond() {
        let mut seen = 0;
        for setting in SETTINGS {
            if let Kind::Number { min, max, step, .. } = setting.kind {
                for taken in [min, max] {
                    let value = setting.kind.read(&taken.to_string());
                    assert_eq!(value, Ok(Value::Number(taken)), "{}", setting.name());
                }
                for refused in [i64::from(min) - 1, i64::from(max) + 1, -1, i64::MAX] {
                    let error = setting.kind.read(&refused.to_string()).unwrap_err();
                    assert!(error.to_string().contains(&format!("from {min} to {max}")));
                }
                assert!(step == 1 || setting.kind.read(&(min + 1).to_string()).is_err());
                seen += 1;
            }
        }
        assert_eq!(seen, 7);
    }

    #[test]
    fn defaults_are_values_or_words_for_people() {
        for setting in SETTINGS {
            match setting.kind {
                Kind::Flag | Kind::Label | Kind::Choice(_) => {
                    assert!(setting.kind.read(setting.default).is_ok())
                }
                _ => assert!(setting.default.contains(' ') || setting.default == "none"),
            }
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_recognised() {
        for (typed, meant) in [
            ("bitrate", Some("bitrate_kbps")),
            ("bitrate-kbps", Some("bitrate_kbps")),
            ("widht", Some("width")),
            ("FPS", Some("fps")),
            ("keyframe_interval", Some("keyframe_interval_ms")),
            ("gop", None),
        ] {
            assert_eq!(nearest(typed, of_section(Section::Video).map(|s| s.key)), meant, "{typed}");
        }
        let keys = || of_section(Section::Destination).map(|s| s.key);
        assert_eq!(nearest("stream_key", keys()), Some("key"));
        assert_eq!(nearest("q1w2-e3r4-t5y6", keys()), None);
    }

    #[test]
    fn names_and_texts_keep_to_what_can_be_typed_and_shown() {
        let name = kind(Section::Destination, "name");
        for good in ["yt", "main-2_b", &"n".repeat(64)] {
            assert!(name.read(good).is_ok(), "{good}");
        }
        for bad in ["", "my church", "a.b", "é", &"n".repeat(65)] {
            assert_eq!(name.read(bad), Err(ValueError::WrongKind(name)), "{bad}");
        }
        let label = kind(Section::Box, "name");
        assert!(label.read("St. Mary's, Bühne 2").is_ok());
        for bad in ["", " x", "a\nb", "a\u{1b}[0m"] {
            assert!(label.read(bad).is_err(), "{bad:?}");
        }
    }
}
