//! `firstmile import`: settings from a USB stick, all or nothing.
//!
//! Two processes. This one may mount and may write to files of others, and understands nothing of what
//! is on the stick: it hands the bytes of one file to the other one, which gives up every right
//! before it looks at them ([`reader`]), and writes back what that one answers.

mod reader;

use std::cell::OnceCell;
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::device::control;
use crate::device::stick::{RESULT_FILE, SETTINGS_FILE, StickError, StickFolder};
use crate::limits::{CONTROL_TIMEOUT, STORE_PATIENCE};
use crate::sanitize;

use super::exit::{Code, Failure};
use super::output;
use reader::Stored;

/// Import settings from a USB stick (all or nothing)
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The stick's root folder, or its block device, which is mounted while it is read
    #[arg(value_name = "FOLDER|DEVICE")]
    from: PathBuf,
    /// Folder where the box stores its settings
    #[arg(long, value_name = "DIR", default_value = "/var/lib/firstmile")]
    state: PathBuf,
    /// Control socket of the box
    #[arg(long, value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// The other process
    #[arg(long, hide = true)]
    reader: bool,
}

/// The running box reports itself when its storage takes longer than its patience.
const PATIENCE: Duration = STORE_PATIENCE.saturating_add(CONTROL_TIMEOUT);

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] when the stick is refused; nothing was changed then.
pub fn run(args: &ImportArgs) -> Result<(), Failure> {
    if args.reader {
        return reader::serve(&args.state);
    }
    let socket = args.socket.clone().unwrap_or_else(super::ctl::default_socket);
    let refused = |message: &dyn std::fmt::Display| Failure::new(Code::Settings, message);
    let runtime = socket.parent().map_or_else(env::temp_dir, Path::to_owned);
    let running = RunningBox { socket, silence: OnceCell::new() };
    let mut stick = StickFolder::open(&args.from, &runtime).map_err(|error| {
        // The lights are a courtesy; what matters is the result.
        let _ = running.notify("stick refused", CONTROL_TIMEOUT);
        refused(&error)
    })?;
    let bytes = match stick.settings() {
        // Most sticks are not meant for the box; the lights stay as they are.
        Err(StickError::Missing { nearly }) if nearly.is_empty() => {
            output::text(&format!("{}: nothing to do", StickError::Missing { nearly }));
            return Ok(());
        }
        Err(error) if !error.is_of_our_file() => {
            drop(stick);
            let _ = running.notify("stick refused", CONTROL_TIMEOUT);
            return Err(refused(&error));
        }
        other => other,
    };
    let _ = running.notify("stick working", CONTROL_TIMEOUT);
    let imported = bytes
        .map_err(|error| vec![error.to_string()])
        .and_then(|bytes| reader::hand_over(&bytes, &args.from, &args.state));
    stick.unlock();
    let outcome = match imported {
        Ok(stored) => match running.notify("reload", PATIENCE) {
            Ok(in_force) => Ok(accepted(&stick, &stored, &in_force)),
            Err(why) => Err(vec![format!("stored, but the running box did not apply it: {why}")]),
        },
        Err(why) => Err(why),
    };
    let outcome = outcome.map(clean).map_err(clean);
    let (Ok(result) | Err(result)) = &outcome;
    let word = if outcome.is_ok() { "accepted" } else { "refused" };
    let text =
        format!("firstmile {}\r\n{word}\r\n{}\r\n", env!("CARGO_PKG_VERSION"), result.join("\r\n"));
    if let Err(error) = stick.write_result(&text) {
        output::text(&format!("{RESULT_FILE} was not written: {error}"));
    }
    // Unmounted before the lights show that it may be pulled out.
    drop(stick);
    let _ = running.notify(&format!("stick {word}"), CONTROL_TIMEOUT);
    match outcome {
        Ok(result) => {
            result.iter().for_each(|line| output::text(line));
            Ok(())
        }
        Err(why) => Err(refused(&why.join("; "))),
    }
}

/// Lines for the owner's screen; they quote what is on the stick.
fn clean(lines: Vec<String>) -> Vec<String> {
    lines.iter().map(|line| sanitize::line(line)).collect()
}

/// The result for an accepted stick, after its keys were erased if its owner wants that. `in_force` is
/// what a running box answers; without one, what is stored holds.
fn accepted(stick: &StickFolder, stored: &Stored, in_force: &[String]) -> Vec<String> {
    let mut result = vec!["settings applied".to_owned()];
    if stored.replace {
        result.push("what was stored before is forgotten (replace = true)".to_owned());
    }
    result.extend(stored.removed.iter().map(|name| format!("destination {name} is removed")));
    result.extend(stored.of_secrets.iter().cloned());
    match in_force {
        [] => result.extend(stored.destinations.iter().cloned()),
        // After its first line: what is without effect, and the destinations.
        [_, more @ ..] => result.extend(more.iter().cloned()),
    }
    result.extend(erased(stick, stored));
    result.extend(
        stick
            .near_misses()
            .iter()
            .map(|name| format!("{name} was not read: only {SETTINGS_FILE} is")),
    );
    result
}

/// What became of the keys on the stick.
fn erased(stick: &StickFolder, stored: &Stored) -> Option<String> {
    let Stored { secrets, kind_of_secret: what, .. } = stored;
    match stored.erased() {
        Some(erased) => Some(match stick.overwrite_settings(&erased) {
            Ok(()) => format!(
                "keys and other secrets erased from {SETTINGS_FILE}: {secrets}; other files stay as \
                 they are, and flash memory may still contain a copy"
            ),
            Err(error) => format!("the stick STILL CONTAINS {what}: {error}"),
        }),
        None if *secrets > 0 => Some(format!(
            "the stick still contains {what}; the line erase_key = true in {SETTINGS_FILE} makes \
             the box erase it"
        )),
        None => None,
    }
}

/// The box that runs on this machine, if one does.
struct RunningBox {
    socket: PathBuf,
    /// That it does not answer; it is not asked again then.
    silence: OnceCell<String>,
}

impl RunningBox {
    /// Notifies it, and gives its answer; one that does not run reads its settings when it starts. What
    /// it refuses is the error, and one that is stopped does not hold up the import.
    fn notify(&self, line: &str, patience: Duration) -> Result<Vec<String>, String> {
        if let Some(silence) = self.silence.get() {
            return Err(silence.clone());
        }
        let silent = |error: io::Error| {
            let seconds = patience.as_secs();
            let why = match control::is_silence(&error) {
                true => format!("it does not answer within {seconds} s"),
                false => format!("it does not answer: {error}"),
            };
            Err(self.silence.get_or_init(|| why).clone())
        };
        let answers = match control::ask(&self.socket, line, None, Some(patience)) {
            Ok(answers) => answers,
            Err(error) if control::is_silence(&error) => return silent(error),
            Err(error) if control::is_nobody_there(&error) => return Ok(Vec::new()),
            Err(error) => return Err(format!("it cannot be asked: {error}")),
        };
        let mut lines = None;
        for answer in answers {
            match answer {
                Ok(answer) if answer.ok => lines = Some(answer.lines),
                Ok(answer) => return Err(answer.lines.join(" ")),
                Err(error) => return silent(error),
            }
        }
        lines.ok_or_else(|| "it ended before it answered; it reads them when it starts".to_owned())
    }
}
