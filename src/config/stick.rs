//! The file of a USB stick: settings, and what becomes of its keys.

use zeroize::Zeroizing;

use super::box_file::BoxFile;
use super::erase::{blank, secrets};
use super::parse::{ConfigErrors, decoded, read_stick};
use super::partial::Partial;
use super::schema::SettingPath;

/// What a stick says.
#[derive(Debug)]
pub struct Stick {
    /// Its settings and keys.
    pub partial: Partial,
    /// How many secrets stand in it: keys, other secrets and addresses that hold one, commented out or
    /// not.
    pub secrets: usize,
    /// The same file, byte for byte, with blanks where the secrets stand: what the owner wants left on
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
        let places = secrets(&text, &stick.secrets);
        let erased = stick.erase_key.then(|| encoding.encode(&blank(&text, &places, encoding)));
        Ok(Stick {
            partial: stick.partial,
            secrets: places.len(),
            erased,
            replace: stick.replace,
            blank: stick.blank,
            files: stick.files,
        })
    }
}
