//! A control: its name, and what it may be.

use std::fmt;

use serde::Serialize;

use super::value::ControlValue;
use crate::limits::CONTROL_NAME_BYTES_MAX;
use crate::spelling::changes;

/// A control as its driver describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    /// Its name, in small letters.
    pub name: String,
    /// What it is now; `None` where the driver does not say.
    pub value: Option<ControlValue>,
    /// What it is when nobody has set it; `None` where the driver does not say.
    pub default: Option<ControlValue>,
    /// What it may be.
    pub allowed: Allowed,
    /// Setting it has an effect now. Exposure has none while the camera chooses it.
    pub active: bool,
}

/// What a control may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Allowed {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number {
        /// The smallest.
        min: i32,
        /// The largest.
        max: i32,
        /// From one to the next, counted from the smallest.
        step: i32,
    },
    /// One of these words.
    Choice {
        /// Which.
        words: Vec<String>,
        /// The driver's number of each.
        indexes: Vec<i32>,
    },
}

impl Allowed {
    /// A value as the driver takes it; `None` for one that is not allowed.
    pub fn raw(&self, value: &ControlValue) -> Option<i32> {
        match (self, value) {
            (Allowed::Flag, ControlValue::Flag(flag)) => Some(i32::from(*flag)),
            (Allowed::Flag, ControlValue::Number(number @ (0 | 1))) => Some(*number),
            (Allowed::Number { min, max, step }, ControlValue::Number(number)) => {
                let distance = i64::from(*number) - i64::from(*min);
                let is_step = distance % i64::from(*step).max(1) == 0;
                ((min..=max).contains(&number) && is_step).then_some(*number)
            }
            (Allowed::Choice { words, indexes }, value) => {
                // An entry may be called like a number.
                let text = value.to_string();
                let named = words.iter().position(|word| word.eq_ignore_ascii_case(&text));
                let index = |at: usize| indexes.get(at).copied();
                named.and_then(index).or(match value {
                    ControlValue::Number(number) => Some(*number).filter(|n| indexes.contains(n)),
                    _ => None,
                })
            }
            _ => None,
        }
    }

    /// What a driver's value is called; `None` for one that the driver should not have.
    pub fn value(&self, raw: i32) -> Option<ControlValue> {
        match self {
            Allowed::Flag => Some(ControlValue::Flag(raw != 0)),
            Allowed::Number { .. } => Some(ControlValue::Number(raw)),
            Allowed::Choice { words, indexes } => {
                let at = indexes.iter().position(|index| *index == raw)?;
                words.get(at).cloned().map(ControlValue::Word)
            }
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Flag => f.write_str("true or false"),
            Allowed::Number { min, max, step } => {
                write!(f, "a whole number from {min} to {max}")?;
                if *step > 1 { write!(f, " in steps of {step}") } else { Ok(()) }
            }
            Allowed::Choice { words, .. } => write!(f, "one of {}", words.join(", ")),
        }
    }
}

/// Names that drivers had before Linux 5.16, and those that they have had since.
const RENAMED: [(&str, &str); 5] = [
    ("exposure_auto", "auto_exposure"),
    ("exposure_absolute", "exposure_time_absolute"),
    ("exposure_auto_priority", "exposure_dynamic_framerate"),
    ("focus_auto", "focus_automatic_continuous"),
    ("white_balance_temperature_auto", "white_balance_automatic"),
];

/// The name of a control from what its driver calls it: small letters, digits, and `_` between them, as
/// `v4l2-ctl` makes it.
pub fn canonical_name(name: &str) -> String {
    let mut canonical = String::with_capacity(name.len());
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if !canonical.is_empty() {
            canonical.push('_');
        }
        canonical.push_str(&word.to_ascii_lowercase());
    }
    match RENAMED.iter().find(|(old, _)| *old == canonical) {
        Some((_, new)) => (*new).to_owned(),
        None => canonical,
    }
}

/// Whether a text is the name of a control.
pub fn is_name(text: &str) -> bool {
    (1..=CONTROL_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The control that is meant, by the name that it has or had.
///
/// # Errors
/// What was probably meant, or which controls there are.
pub fn find<'a>(controls: &'a [Control], typed: &str) -> Result<&'a Control, String> {
    let name = canonical_name(typed);
    if let Some(control) = controls.iter().find(|control| control.name == name) {
        return Ok(control);
    }
    // As many as a terminal's line has room for.
    const CHARS_MAX: usize = 40;
    let begins = |known: &str| name.len() >= 3 && known.starts_with(&name);
    let score = |known: &str| match name.chars().count() <= CHARS_MAX {
        true => changes(&name, known),
        false => usize::MAX,
    };
    let names = controls.iter().map(|control| control.name.as_str());
    let near = names.clone().filter(|known| begins(known) || score(known) <= 1 + known.len() / 4);
    Err(match near.min_by_key(|known| (!begins(known), score(known))) {
        Some(near) => format!("has no such control; did you mean {near}?"),
        None => {
            let names: Vec<&str> = names.collect();
            format!("has no such control; it has {}", names.join(", "))
        }
    })
}
