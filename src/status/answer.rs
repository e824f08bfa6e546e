//! Data that answers a question.

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
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingLine {
    /// Its name.
    pub name: String,
    /// What holds, without secrets.
    pub value: String,
    /// What it may be.
    pub allowed: String,
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
