//! What subcommands print. Names of devices, words of servers and settings are in it, so nothing
//! leaves here that could steer a terminal. A reader that stops reading (`| head`) is no failure.

use std::io::{self, Write};

use serde::Serialize;

use crate::sanitize;

/// Prints lines.
pub fn text(text: &str) {
    let _ = try_text(text);
}

/// Prints lines.
///
/// # Errors
/// When nobody reads any more.
pub fn try_text(text: &str) -> io::Result<()> {
    let mut shown = text.lines().map(sanitize::line).collect::<Vec<_>>().join("\n");
    shown.push('\n');
    io::stdout().write_all(shown.as_bytes())
}

/// Prints a value as JSON, in one line.
pub fn json(value: &impl Serialize) {
    let _ = try_json(&serde_json::json!(value));
}

/// Prints a value as JSON, in one line.
///
/// # Errors
/// When nobody reads any more.
pub fn try_json(value: &serde_json::Value) -> io::Result<()> {
    let shown = sanitize::json(&value.to_string()) + "\n";
    io::stdout().write_all(shown.as_bytes())
}

/// Prints the bytes of a file.
///
/// # Errors
/// When nobody reads any more.
pub fn try_bytes(bytes: &[u8]) -> io::Result<()> {
    io::stdout().write_all(bytes)
}
