//! From the text of a file to a [`Partial`], with every mistake of the file at once.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::error::{ConfigError, ConfigErrors, Problem};
use super::partial::{Partial, PartialDestination};
use super::schema::{self, Kind, Section, VERSION, Value};
use super::text::{self, Encoding};
use crate::limits::{DESTINATIONS_MAX, SETTINGS_BYTES_MAX};
use crate::rtmp::url::Scheme;

/// Reads a settings file. `file` names it in the errors.
///
/// # Errors
/// Everything that is wrong with the file, up to the bound of [`ConfigErrors`]; a file is taken as
/// a whole or not at all.
pub fn parse(file: &str, text: &str) -> Result<Partial, ConfigErrors> {
    read(file, text.strip_prefix('\u{feff}').unwrap_or(text), false).map(|stick| stick.partial)
}

/// What a stick's file says beside its settings.
pub(super) struct Read {
    pub partial: Partial,
    pub erase_key: bool,
    /// Where the values of keys stand in the text.
    pub keys: Vec<Range<usize>>,
}

/// Reads a file; only a stick's may say what becomes of its keys.
pub(super) fn read(file: &str, text: &str, is_stick: bool) -> Result<Read, ConfigErrors> {
    let mut reader = Reader {
        text,
        is_stick,
        erase_key: false,
        keys: Vec::new(),
        errors: Vec::new(),
        broken_lines: Vec::new(),
    };
    let mut partial = Partial::default();
    if text.len() > SETTINGS_BYTES_MAX {
        reader.report(0..0, "", Problem::TooLong);
    } else {
        let (document, syntax) = DeTable::parse_recoverable(text);
        for error in syntax {
            reader.report_syntax(&error);
        }
        reader.document(document.get_ref(), &mut partial);
    }
    match reader.errors.is_empty() {
        true => Ok(Read { partial, erase_key: reader.erase_key, keys: reader.keys }),
        false => Err(ConfigErrors::new(file, reader.errors)),
    }
}

/// The same from raw bytes, in any encoding that editors use.
///
/// # Errors
/// As [`parse`], and when the bytes are not text.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<Partial, ConfigErrors> {
    parse(file, &decoded(file, bytes)?.0)
}

/// The text of a file's bytes.
pub(super) fn decoded(
    file: &str,
    bytes: &[u8],
) -> Result<(Zeroizing<String>, Encoding), ConfigErrors> {
    text::decode(bytes).ok_or_else(|| {
        let (line, column, key) = (1, 1, String::new());
        let error = ConfigError { line, column, key, problem: Problem::NotText };
        ConfigErrors::new(file, vec![error])
    })
}

struct Reader<'a> {
    text: &'a str,
    is_stick: bool,
    erase_key: bool,
    keys: Vec<Range<usize>>,
    errors: Vec<ConfigError>,
    /// Lines that are not TOML: what was recovered from them says nothing.
    broken_lines: Vec<usize>,
}

impl Reader<'_> {
    fn report_syntax(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or(0..0);
        let (line, column) = self.position(span.start);
        if !self.broken_lines.contains(&line) {
            self.broken_lines.push(line);
            // The message alone: the error's own rendering quotes the line, keys and all.
            let problem = Problem::Syntax(error.message().to_owned());
            self.errors.push(ConfigError { line, column, key: String::new(), problem });
        }
    }

    fn report(&mut self, span: Range<usize>, key: &str, problem: Problem) {
        let (line, column) = self.position(span.start);
        if !self.broken_lines.contains(&line) {
            self.errors.push(ConfigError { line, column, key: key.to_owned(), problem });
        }
    }

    /// Reports something that is missing, which a broken file cannot show.
    fn report_missing(&mut self, span: Range<usize>, key: &str, problem: Problem) {
        if self.broken_lines.is_empty() {
            self.report(span, key, problem);
        }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (1 + before.matches('\n').count(), 1 + before[line_start..].chars().count())
    }

    fn document(&mut self, document: &DeTable<'_>, partial: &mut Partial) {
        if !self.version_is_known(document) {
            return;
        }
        if self.is_stick
            && let Some(value) = document.get("erase_key")
        {
            match Kind::Flag.read_toml(value.get_ref()) {
                Ok(flag) => self.erase_key = flag == Value::Flag(true),
                Err(error) => self.report(value.span(), "erase_key", error.into()),
            }
        }
        for (key, value) in document {
            let section = Section::ALL.into_iter().find(|s| s.name() == key.get_ref());
            match (section, value.get_ref()) {
                (None, _) if key.get_ref() == "version" => {}
                (None, _) if self.is_stick && key.get_ref() == "erase_key" => {}
                (None, _) => self.unknown(key, "", Section::ALL.map(Section::name).into_iter()),
                (Some(Section::Destination), DeValue::Array(list)) => {
                    self.destinations(list, partial);
                }
                (Some(Section::Destination), _) => {
                    self.report(key.span(), "destination", Problem::NotList);
                }
                (Some(section), DeValue::Table(table)) => {
                    self.section(section, table, |key, value, _| {
                        partial.put(section, key, value);
                    });
                }
                (Some(section), _) => {
                    let problem = Problem::NotTable(section.name());
                    self.report(key.span(), section.name(), problem);
                }
            }
        }
    }

    fn version_is_known(&mut self, document: &DeTable<'_>) -> bool {
        let Some(version) = document.get("version") else {
            self.report_missing(0..0, "version", Problem::NoVersion);
            return true;
        };
        let number = version.get_ref().as_integer();
        let known = number.is_some_and(|n| {
            i64::from_str_radix(n.as_str(), n.radix()).is_ok_and(|n| n == VERSION)
        });
        if !known {
            self.report(version.span(), "version", Problem::OtherVersion);
        }
        known
    }

    /// Reads the settings of one table and hands the good ones to `put`.
    fn section(
        &mut self,
        section: Section,
        table: &DeTable<'_>,
        mut put: impl FnMut(&'static str, Value, Range<usize>),
    ) {
        for (key, value) in table {
            if self.broken_lines.contains(&self.position(key.span().start).0) {
                continue; // a value that was made up for the sake of recovery
            }
            let Some(setting) = schema::find(section, key.get_ref()) else {
                self.unknown(key, section.name(), schema::of_section(section).map(|s| s.key));
                continue;
            };
            if setting.kind.is_secret() {
                self.keys.push(value.span());
                let is_erased = value.get_ref().as_str().is_some_and(|key| key.trim().is_empty());
                if self.erase_key && is_erased {
                    continue; // as it was left by an earlier import
                }
            }
            match setting.kind.read_toml(value.get_ref()) {
                Ok(good) => put(setting.key, good, value.span()),
                Err(error) => self.report(value.span(), &setting.name(), error.into()),
            }
        }
    }

    fn destinations(&mut self, list: &toml::de::DeArray<'_>, partial: &mut Partial) {
        for (i, item) in list.iter().enumerate() {
            let DeValue::Table(table) = item.get_ref() else {
                self.report(item.span(), "destination", Problem::NotList);
                continue;
            };
            if i == DESTINATIONS_MAX {
                self.report(item.span(), "destination", Problem::TooMany);
            }
            let Some(destination) = self.destination(item.span(), table) else { continue };
            if partial.destination(destination.name()).is_some() {
                let place = table.get("name").map_or(item.span(), Spanned::span);
                self.report(place, "destination.name", Problem::SameName);
            } else {
                partial.destinations.push(destination);
            }
        }
    }

    fn destination(
        &mut self,
        span: Range<usize>,
        table: &DeTable<'_>,
    ) -> Option<PartialDestination> {
        let mut name = None;
        let mut values = Vec::new();
        let mut plain_at: Vec<(Range<usize>, &str)> = Vec::new();
        self.section(Section::Destination, table, |key, value, span| match value {
            Value::Text(text) if key == "name" => name = Some(text),
            value => {
                if matches!(&value, Value::Address(url) if url.scheme == Scheme::Rtmp) {
                    plain_at.push((span, key));
                }
                values.push((key, value));
            }
        });
        if !values.contains(&("allow_plain", Value::Flag(true))) {
            for (place, key) in plain_at {
                self.report_missing(place, &format!("destination.{key}"), Problem::PlainRefused);
            }
        }
        let Some(name) = name else {
            if table.get("name").is_none() {
                self.report_missing(span, "destination.name", Problem::NoName);
            }
            return None;
        };
        let mut destination = PartialDestination::new(name);
        for (key, value) in values {
            destination.put(key, value);
        }
        Some(destination)
    }

    fn unknown(
        &mut self,
        key: &Spanned<toml::de::DeString<'_>>,
        section: &str,
        known: impl Iterator<Item = &'static str>,
    ) {
        let nearest = schema::nearest(key.get_ref(), known);
        // A stream key that slipped in front of the equals sign must not be told.
        let word = |c: char| c.is_ascii_lowercase() || c == '_';
        let is_close = |key: &str| nearest.is_some_and(|near| key.len() <= near.len() + 4);
        let shown = match key.get_ref() {
            key if is_close(key) && key.len() <= 32 && key.chars().all(is_plain) => key,
            key if key.len() <= 32 && key.chars().all(word) => key,
            _ => "this key",
        };
        let dot = if section.is_empty() { "" } else { "." };
        self.report(key.span(), &format!("{section}{dot}{shown}"), Problem::Unknown { nearest });
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}
