//! A profile's text as a flat table of known keys, each with the file and line it came from.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::ProfileError;
use crate::spelling::changes;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Flag,
    Texts,
    Integers,
    /// One text, or several in order of preference.
    TextOrTexts,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Text => "a text",
            Kind::Integer => "a whole number",
            Kind::Flag => "true or false",
            Kind::Texts => "a list of texts",
            Kind::Integers => "a list of whole numbers",
            Kind::TextOrTexts => "a text or a list of texts",
        }
    }
}

/// Every key that a profile may have.
const KEYS: &[(&str, Kind)] = &[
    ("inherit", Kind::Text),
    ("compatible", Kind::Texts),
    ("description", Kind::Text),
    ("camera.source", Kind::Text),
    ("camera.device", Kind::Text),
    ("camera.path", Kind::Text),
    ("camera.launch", Kind::Text),
    ("camera.formats", Kind::Texts),
    ("camera.name", Kind::Text),
    ("camera.sensor", Kind::Integer),
    ("camera.subdevice", Kind::Text),
    ("camera.edid", Kind::Text),
    ("microphone.source", Kind::Text),
    ("microphone.device", Kind::Text),
    ("microphone.path", Kind::Text),
    ("microphone.launch", Kind::Text),
    ("video.width", Kind::Integer),
    ("video.height", Kind::Integer),
    ("video.fps", Kind::Integer),
    ("video.bitrate_kbps", Kind::Integer),
    ("video.bitrate_max_kbps", Kind::Integer),
    ("video.keyframe_interval_ms", Kind::Integer),
    ("audio.bitrate_kbps", Kind::Integer),
    ("audio.channels", Kind::Integer),
    ("encoder.video", Kind::Texts),
    ("encoder.audio", Kind::Texts),
    ("lights.backend", Kind::Text),
    ("lights.live.chip", Kind::Text),
    ("lights.live.line", Kind::Integer),
    ("lights.live.line_name", Kind::Text),
    ("lights.live.active_low", Kind::Flag),
    ("lights.live.pin", Kind::Integer),
    ("lights.live.led", Kind::Text),
    ("lights.status.chip", Kind::Text),
    ("lights.status.line", Kind::Integer),
    ("lights.status.line_name", Kind::Text),
    ("lights.status.active_low", Kind::Flag),
    ("lights.status.pin", Kind::Integer),
    ("lights.status.led", Kind::Text),
    ("lights.single.chip", Kind::Text),
    ("lights.single.line", Kind::Integer),
    ("lights.single.line_name", Kind::Text),
    ("lights.single.active_low", Kind::Flag),
    ("lights.single.pin", Kind::Integer),
    ("lights.single.led", Kind::Text),
    ("button.backend", Kind::Text),
    ("button.device", Kind::Text),
    ("button.code", Kind::Integer),
    ("button.chip", Kind::Text),
    ("button.line", Kind::Integer),
    ("button.line_name", Kind::Text),
    ("button.active_low", Kind::Flag),
    ("button.pin", Kind::Integer),
    ("button.debounce_ms", Kind::Integer),
    ("button.pull", Kind::Text),
    ("button.reset.device", Kind::Text),
    ("button.reset.code", Kind::Integer),
    ("button.reset.chip", Kind::Text),
    ("button.reset.line", Kind::Integer),
    ("button.reset.line_name", Kind::Text),
    ("button.reset.active_low", Kind::Flag),
    ("button.reset.pin", Kind::Integer),
    ("console.port", Kind::Text),
    ("console.path", Kind::TextOrTexts),
    ("console.baud", Kind::Integer),
    ("wiring.header", Kind::Text),
    ("wiring.pins", Kind::Integer),
    ("wiring.ground", Kind::Integers),
    ("wiring.supply", Kind::Integer),
    ("wiring.weak", Kind::Flag),
    ("wiring.console_tx", Kind::Integer),
    ("wiring.console_rx", Kind::Integer),
    ("setup.steps", Kind::Texts),
    ("setup.service", Kind::Text),
];

/// Keys that describe one file and are not handed down to those that inherit from it.
const OWN: &[&str] = &["inherit", "compatible", "description"];

/// A value of one of the known kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Flag(bool),
    Texts(Vec<String>),
    Integers(Vec<i64>),
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) file: String,
    pub(super) line: usize,
}

/// The keys of one file, or of a file and those it inherits from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) file: String,
    pub(super) entries: BTreeMap<String, Entry>,
}

impl Document {
    /// Reads one file; every key is known and of its kind afterwards.
    pub(super) fn parse(file: &str, text: &str) -> Result<Document, ProfileError> {
        let table = DeTable::parse(text).map_err(|e| ProfileError::Syntax {
            file: file.to_owned(),
            line: e.span().map_or(1, |span| line_of(text, span.start)),
            why: e.message().to_owned(),
        })?;
        let mut reader = Reader { file, text, entries: BTreeMap::new() };
        reader.table("", table.get_ref())?;
        Ok(Document { file: file.to_owned(), entries: reader.entries })
    }

    /// Takes over what `parent` says and this file does not.
    pub(super) fn inherit(&mut self, parent: Document) {
        for (key, entry) in parent.entries {
            if !OWN.contains(&key.as_str()) {
                self.entries.entry(key).or_insert(entry);
            }
        }
    }
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    entries: BTreeMap<String, Entry>,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) -> Result<(), ProfileError> {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let line = line_of(self.text, name.span().start);
            let known = KEYS.iter().find(|(known, _)| *known == key);
            match (known, value.get_ref()) {
                (Some((_, kind)), value) => self.entry(key, line, *kind, value)?,
                (None, DeValue::Table(inner)) if leads_to_a_key(&key) => {
                    self.table(&format!("{key}."), inner)?;
                }
                (None, _) => {
                    return Err(ProfileError::UnknownKey {
                        file: self.file.to_owned(),
                        line,
                        nearest: nearest_key(&key),
                        key,
                    });
                }
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        key: String,
        line: usize,
        kind: Kind,
        value: &DeValue<'_>,
    ) -> Result<(), ProfileError> {
        let Some(value) = read_value(kind, value) else {
            return Err(ProfileError::BadValue {
                file: self.file.to_owned(),
                line,
                key,
                why: format!("must be {}, not {}", kind.name(), value.type_str()),
            });
        };
        self.entries.insert(key, Entry { value, file: self.file.to_owned(), line });
        Ok(())
    }
}

fn read_value(kind: Kind, value: &DeValue<'_>) -> Option<Value> {
    match (kind, value) {
        (Kind::Text, DeValue::String(text)) => Some(Value::Text(text.to_string())),
        (Kind::Integer, value) => integer(value).map(Value::Integer),
        (Kind::Integers, DeValue::Array(items)) => items
            .iter()
            .map(|item| integer(item.get_ref()))
            .collect::<Option<Vec<_>>>()
            .map(Value::Integers),
        (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
        (Kind::TextOrTexts, DeValue::String(text)) => Some(Value::Texts(vec![text.to_string()])),
        (Kind::Texts | Kind::TextOrTexts, DeValue::Array(items)) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .map(Value::Texts),
        _ => None,
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

fn leads_to_a_key(table: &str) -> bool {
    KEYS.iter().any(|(key, _)| key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.')))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The known key with the fewest changes to what was written; a forgotten unit is one.
fn nearest_key(written: &str) -> &'static str {
    let distance = |key: &&str| if key.starts_with(written) { 1 } else { changes(written, key) };
    KEYS.iter().map(|(key, _)| *key).min_by_key(distance).unwrap_or("compatible")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_answered_with_the_key_that_was_meant() {
        for (written, meant) in [
            ("video.witdh", "video.width"),
            ("video.bitrate", "video.bitrate_kbps"),
            ("button.debounce", "button.debounce_ms"),
            ("light.backend", "lights.backend"),
            ("compatable", "compatible"),
        ] {
            assert_eq!(nearest_key(written), meant, "{written}");
        }
    }

    #[test]
    fn lines_count_from_one_and_follow_the_key() {
        let text = "description = \"x\"\n\n[video]\nwidth = 640\n";
        let document = Document::parse("a.toml", text).expect("well formed");
        assert_eq!(document.entries["description"].line, 1);
        assert_eq!(document.entries["video.width"].line, 4);
    }

    #[test]
    fn what_describes_one_file_is_not_handed_down() {
        let parent = "compatible = [\"a\"]\ndescription = \"x\"\n[video]\nfps = 25\n";
        let mut child = Document::parse("b.toml", "[video]\nwidth = 640\n").expect("well formed");
        child.inherit(Document::parse("a.toml", parent).expect("well formed"));
        assert_eq!(child.entries.keys().collect::<Vec<_>>(), ["video.fps", "video.width"]);
        assert_eq!(child.entries["video.fps"].file, "a.toml");
    }
}
