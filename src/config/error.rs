//! What is wrong with a settings file, told so that its writer can mend it.

use std::fmt;

use super::schema::{VERSION, ValueError};
use crate::limits::{DESTINATIONS_MAX, SETTINGS_BYTES_MAX, SETTINGS_ERRORS_MAX};

/// Everything that is wrong with a file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file, as the caller named it.
    pub file: String,
    /// At least one and at most [`SETTINGS_ERRORS_MAX`].
    pub errors: Vec<ConfigError>,
    /// How many more there are.
    pub not_shown: usize,
}

/// One mistake and its place. No part of the file is quoted but keys that look like keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
    /// The full name of the setting (`video.fps`), or empty.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong at a place of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// the file is not text
    #[error("the file is not text; save it again with the encoding UTF-8")]
    NotText,
    /// the file is too long
    #[error("the file is longer than {SETTINGS_BYTES_MAX} bytes")]
    TooLong,
    /// the text is not TOML
    #[error("{0}")]
    Syntax(String),
    /// the file does not say its version
    #[error("the file must begin with the line version = {VERSION}")]
    NoVersion,
    /// the file's version is not understood
    #[error("this version of a settings file is not understood; {VERSION} is")]
    OtherVersion,
    /// a key or table that does not exist
    #[error("does not exist{}", meant(.nearest))]
    Unknown {
        /// What was most probably meant.
        nearest: Option<&'static str>,
    },
    /// it must be a table
    #[error("must be a table: [{0}] on a line of its own")]
    NotTable(&'static str),
    /// destinations are written with two brackets
    #[error("each destination begins with a line [[destination]], with two brackets")]
    NotList,
    /// the destination has no name
    #[error("the destination has no name; write name = \"…\" below this line")]
    NoName,
    /// another destination has this name
    #[error("another destination of this file has the same name")]
    SameName,
    /// there are too many destinations
    #[error("there are more than {DESTINATIONS_MAX} destinations")]
    TooMany,
    /// plain RTMP without consent
    #[error(
        "rtmp:// shows the stream key to everybody on the way; use the rtmps:// address, or write \
         allow_plain = true beside it"
    )]
    PlainRefused,
    /// the value is not taken
    #[error(transparent)]
    Value(#[from] ValueError),
}

fn meant(nearest: &Option<&'static str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

impl fmt::Display for ConfigErrors {
    /// One line for each: `file:line:column: key: what is wrong`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().enumerate() {
            let ConfigError { line, column, key, problem } = error;
            let newline = if i == 0 { "" } else { "\n" };
            let colon = if key.is_empty() { "" } else { ": " };
            write!(f, "{newline}{}:{line}:{column}: {key}{colon}{problem}", self.file)?;
        }
        if self.not_shown > 0 {
            write!(f, "\n{}: {} more", self.file, self.not_shown)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl ConfigErrors {
    /// Sorts and bounds what was found.
    pub(super) fn new(file: &str, mut errors: Vec<ConfigError>) -> ConfigErrors {
        errors.sort_by_key(|e| (e.line, e.column));
        let not_shown = errors.len().saturating_sub(SETTINGS_ERRORS_MAX);
        errors.truncate(SETTINGS_ERRORS_MAX);
        ConfigErrors { file: file.to_owned(), errors, not_shown }
    }
}
