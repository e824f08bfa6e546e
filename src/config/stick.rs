//! The file of a USB stick: settings, and what becomes of its keys.

use std::ops::Range;

use zeroize::Zeroizing;

use super::box_file::BoxFile;
use super::parse::{ConfigErrors, decoded, read_stick};
use super::partial::Partial;
use super::schema::SettingPath;
use super::text::Encoding;

/// What a stick says.
#[derive(Debug)]
pub struct Stick {
    /// Its settings and keys.
    pub partial: Partial,
    /// The same file, byte for byte, with blanks where the keys stand: what the owner wants left on
    /// the stick (`erase_key = true`).
    pub erased: Option<Zeroizing<Vec<u8>>>,
    /// What it says applies alone, and nothing that was stored before (`replace = true`).
    pub replace: bool,
    /// The secrets that an earlier import has erased from it.
    pub blank: Vec<SettingPath>,
    /// The files that it names.
    pub files: Vec<BoxFile>,
}

impl Stick {
    /// Adds it to what is stored, or puts it in its place.
    pub fn apply(&self, stored: &mut Partial) {
        match self.replace {
            true => stored.replace(&self.partial, &self.blank),
            false => stored.import(&self.partial),
        }
    }

    /// Reads a stick's file, in any encoding that editors use.
    ///
    /// # Errors
    /// As [`parse_bytes`](super::parse_bytes).
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Stick, ConfigErrors> {
        let (text, encoding) = decoded(file, bytes)?;
        let stick = read_stick(file, &text)?;
        let erased = stick.erase_key.then(|| encoding.encode(&blank(&text, &stick.keys, encoding)));
        Ok(Stick {
            partial: stick.partial,
            erased,
            replace: stick.replace,
            blank: stick.blank,
            files: stick.files,
        })
    }
}

/// `text` with blanks for what stands between the quotes of these values; as long as before.
fn blank(text: &str, values: &[Range<usize>], encoding: Encoding) -> Zeroizing<String> {
    let inside: Vec<Range<usize>> =
        values.iter().map(|value| between_quotes(text, value)).collect();
    let mut blanked = Zeroizing::new(String::with_capacity(2 * text.len()));
    for (at, c) in text.char_indices() {
        if c != '\n' && c != '\r' && inside.iter().any(|range| range.contains(&at)) {
            (0..encoding.blanks(c)).for_each(|_| blanked.push(' '));
        } else {
            blanked.push(c);
        }
    }
    blanked
}

/// A value without its quotes, which are one or three characters on each side.
fn between_quotes(text: &str, value: &Range<usize>) -> Range<usize> {
    let quoted = text.get(value.clone()).unwrap_or_default();
    let is_long = quoted.starts_with("\"\"\"") || quoted.starts_with("'''");
    let quotes = if is_long { 3 } else { 1 };
    value.start + quotes..value.end.saturating_sub(quotes)
}
