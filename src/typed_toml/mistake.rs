//! What is wrong with a file, reported so that its writer can correct it.

use std::fmt;
use std::sync::Arc;

use crate::limits::SETTINGS_ERRORS_MAX;

/// Everything that is wrong with a file and those that it inherits from, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    /// At least one and at most [`SETTINGS_ERRORS_MAX`].
    pub errors: Vec<Mistake>,
    /// How many more there are.
    pub not_shown: usize,
}

/// One mistake and its place. No part of the file is quoted but keys that look like keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it is.
    pub place: Place,
    /// The full name of the key (`video.fps`), or empty.
    pub key: String,
    /// What is wrong, in words.
    pub problem: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as the caller named it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
}

impl fmt::Display for Mistake {
    /// `file:line:column: key: what is wrong`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake { place: Place { file, line, column }, key, problem } = self;
        let colon = if key.is_empty() { "" } else { ": " };
        write!(f, "{file}:{line}:{column}: {key}{colon}{problem}")
    }
}

impl fmt::Display for Mistakes {
    /// One line for each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().enumerate() {
            let newline = if i == 0 { "" } else { "\n" };
            write!(f, "{newline}{error}")?;
        }
        match (self.not_shown, self.errors.first()) {
            (1.., Some(first)) => write!(f, "\n{}: {} more", first.place.file, self.not_shown),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Mistakes {}

impl Mistakes {
    /// Sorts and bounds what was found: the mistakes of `file` itself come before those of others.
    pub fn new(file: &str, mut errors: Vec<Mistake>) -> Mistakes {
        errors.sort_by(|a, b| {
            let order = |m: &Mistake| (*m.place.file != *file, m.place.line, m.place.column);
            order(a).cmp(&order(b)).then_with(|| a.place.file.cmp(&b.place.file))
        });
        let not_shown = errors.len().saturating_sub(SETTINGS_ERRORS_MAX);
        errors.truncate(SETTINGS_ERRORS_MAX);
        Mistakes { errors, not_shown }
    }
}
