//! The table of settings: what exists, what it may be, what it means.
//!
//! Files, the console's `set` and `show`, and the manual are all read from [`SETTINGS`].

mod kind;
mod path;
mod table;
mod value;

pub use kind::Kind;
pub use path::{PathError, SettingPath};
pub use table::SETTINGS;
pub use value::{Value, ValueError};

use std::fmt;

use crate::spelling::changes;

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

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Applies {
    /// At once, also while the box is live.
    Now,
    /// At once; a destination that is live connects again.
    Reconnect,
    /// When the box goes live the next time: it is read when the encoder pipeline is built.
    NextBroadcast,
}

impl fmt::Display for Applies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Applies::Now => "at once",
            Applies::Reconnect => "at once; the destination reconnects",
            Applies::NextBroadcast => "from the next broadcast",
        })
    }
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
    /// When a change of it takes effect.
    pub applies: Applies,
    /// What it does, in one sentence.
    pub help: &'static str,
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
        let distance = changes(&typed, name);
        let related = typed.len() >= 3
            && (name.starts_with(&typed) || typed.starts_with(name) || typed.ends_with(name));
        (related || distance <= 1 + name.len() / 4).then_some((distance, name))
    });
    scored.min().map(|(_, name)| name)
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
