//! What subcommands print. Names of devices, words of servers and settings are in it, so nothing
//! leaves here that could steer a terminal.
//!
//! What could not be written is part of how the program ends: a script must not take half an answer for
//! the whole.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::sanitize;

use super::exit::{Code, Failure};

/// Why something was not written, the first time.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints lines.
pub fn text(text: &str) {
    let _ = try_text(text);
}

/// Prints lines.
///
/// # Errors
/// When nobody reads any more.
pub fn try_text(text: &str) -> io::Result<()> {
    write(text.lines().map(sanitize::line).collect::<Vec<_>>().join("\n"))
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
    json_text(&value.to_string())
}

/// Prints a line that is JSON already.
///
/// # Errors
/// When nobody reads any more.
pub fn json_text(line: &str) -> io::Result<()> {
    write(sanitize::json(line))
}

fn write(mut shown: String) -> io::Result<()> {
    shown.push('\n');
    io::stdout().write_all(shown.as_bytes()).map_err(|error| {
        let kind = error.kind();
        LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        kind.into()
    })
}

/// The failure that some output was not written, if that is so.
///
/// # Errors
/// [`Failure`]; one without a word when its reader has stopped reading (`| head`).
pub fn finish() -> Result<(), Failure> {
    match LOST.lock().unwrap_or_else(PoisonError::into_inner).take() {
        None => Ok(()),
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::cut_off()),
        Some(error) => {
            let message = format!("standard output cannot be written: {error}");
            Err(Failure::new(Code::Failed, message))
        }
    }
}

/// Prints the bytes of a file.
///
/// # Errors
/// When nobody reads any more.
pub fn try_bytes(bytes: &[u8]) -> io::Result<()> {
    io::stdout().write_all(bytes)
}
