//! Data that answers a question.

use std::fmt;

use serde::Serialize;

/// Product, version and board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// The product.
    pub product: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The board profile in use.
    pub board: String,
    /// What the box calls itself. The appliance does not know it, nor what follows; the shell fills
    /// them in.
    pub name: Option<String>,
    /// What the machine says it is.
    pub machine: Option<String>,
    /// Its serial number.
    pub serial_number: Option<String>,
    /// Why the threads of audio have no real-time scheduling; `None` where they have it.
    pub no_real_time_audio: Option<String>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingLine {
    /// Its name.
    pub name: String,
    /// The value in force, without secrets; `None` where there is none.
    pub value: Option<SettingValue>,
    /// The same in words, where they say more than the value.
    pub words: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// What it may be, in words.
    pub allowed: String,
    /// The same as data.
    pub limits: Limits,
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// A number with decimals.
    Decimal(f64),
    /// Anything else, as it is typed; of a secret, what may be shown of it.
    Text(String),
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody sets it, and the program decides.
    Default,
    /// Nobody sets it, and the board's profile decides.
    Board,
    /// The integrator's file.
    Integrator,
    /// A stick or a console.
    Stored,
    /// The service manager.
    Credential,
}

/// What a setting may be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Limits {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
        /// It is a multiple of this.
        step: u32,
        /// What is counted; may be empty.
        unit: &'static str,
    },
    /// A number with decimals.
    Decimal {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
        /// How many decimals at most.
        decimals: u8,
        /// What is counted; may be empty.
        unit: &'static str,
    },
    /// One of these words.
    Choice {
        /// Which.
        words: &'static [&'static str],
    },
    /// A text.
    Text {
        /// It is never shown.
        secret: bool,
    },
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SettingValue::Flag(flag) => flag.fmt(f),
            SettingValue::Number(number) => number.fmt(f),
            SettingValue::Decimal(number) => number.fmt(f),
            SettingValue::Text(text) => f.write_str(text),
        }
    }
}

impl Origin {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::Board => "board",
            Origin::Integrator => "integrator",
            Origin::Stored => "stored",
            Origin::Credential => "credential",
        }
    }

    /// Whether somebody has set it on this box.
    pub fn is_set(self) -> bool {
        !matches!(self, Origin::Default | Origin::Board)
    }
}

/// What trying a destination has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The destination.
    pub name: String,
    /// Its server, and its backup server if it has one.
    pub servers: Vec<CheckedServer>,
}

/// What trying one server has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedServer {
    /// Its address, without the key.
    pub server: String,
    /// The phases that went well.
    pub phases: Vec<Phase>,
    /// Why the next one did not.
    pub failure: Option<String>,
}

/// A phase that went well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// What was done.
    pub name: &'static str,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// A frame of the video, as a JPEG.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StillImage {
    /// Its width, in pixels.
    pub width: u32,
    /// Its height, in pixels.
    pub height: u32,
    /// Length of the file.
    pub bytes: usize,
    /// The file in base64 (RFC 4648), in lines.
    pub base64: Vec<String>,
}
