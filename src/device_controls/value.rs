//! The value of a control.

use std::fmt;

use serde::Serialize;

use crate::limits::CONTROL_WORD_BYTES_MAX;

/// A value, as settings have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ControlValue {
    /// On or off.
    Flag(bool),
    /// A number.
    Number(i32),
    /// An entry of a menu, by its name.
    Word(String),
}

impl ControlValue {
    /// What a text means; `None` for one that can be no value of any control.
    pub fn parse(text: &str) -> Option<ControlValue> {
        let is_word = (1..=CONTROL_WORD_BYTES_MAX).contains(&text.len())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        match (text, text.parse()) {
            ("true", _) => Some(ControlValue::Flag(true)),
            ("false", _) => Some(ControlValue::Flag(false)),
            (_, Ok(number)) => Some(ControlValue::Number(number)),
            _ => is_word.then(|| ControlValue::Word(text.to_owned())),
        }
    }
}

impl fmt::Display for ControlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlValue::Flag(flag) => flag.fmt(f),
            ControlValue::Number(number) => number.fmt(f),
            ControlValue::Word(word) => f.write_str(word),
        }
    }
}
