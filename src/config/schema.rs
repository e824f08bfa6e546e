//! The table of settings: what exists, what it may be, what it means.
//!
//! Files, the console's `set` and `show`, and the manual are all read from [`SETTINGS`].

use std::fmt;
use std::path::PathBuf;

use toml::de::DeValue;

use crate::limits::{KEY_BYTES_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX, URL_BYTES_MAX};
use crate::pace::Follow;
use crate::rtmp::url::{ServerUrl, UrlError};
use crate::secret::{KeyError, StreamKey};
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
    /// `[[destination]]`, once for each.
    Destination,
}

impl Section {
    /// All of them, in the order of the file.
    pub const ALL: [Section; 6] = [
        Section::Box,
        Section::Video,
        Section::Audio,
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
    number(Section::Video, "width", 160, 3_840, 2, "pixels", "width of the picture"),
    number(Section::Video, "height", 120, 2_160, 2, "pixels", "height of the picture"),
    number(Section::Video, "fps", 1, 120, 1, "frames a second", "frame rate"),
    number(
        Section::Video,
        "bitrate_kbps",
        100,
        50_000,
        1,
        "kb/s",
        "highest bitrate of the picture",
    ),
    number(
        Section::Video,
        "keyframe_interval_ms",
        500,
        10_000,
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
    number(Section::Audio, "bitrate_kbps", 32, 320, 1, "kb/s", "bitrate of the sound"),
    number(Section::Audio, "channels", 1, 2, 1, "channels", "mono or stereo"),
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
    min: u32,
    max: u32,
    step: u32,
    unit: &'static str,
    help: &'static str,
) -> Setting {
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
    /// Of [`Kind::Label`], [`Kind::Name`] and [`Kind::Choice`].
    Text(String),
    /// Of [`Kind::Address`].
    Address(ServerUrl),
    /// Of [`Kind::Key`].
    Key(StreamKey),
    /// Of [`Kind::Path`].
    Path(PathBuf),
    /// Of [`Kind::Pin`].
    Pin(SpkiPin),
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
            Kind::Choice(words) => f.write_str(&words.join(", ")),
        }
    }
}

impl Kind {
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
            Kind::Label | Kind::Name | Kind::Path => {
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
