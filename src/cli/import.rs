//! `firstmile import`: settings from a USB stick, all or nothing.
//!
//! Two processes. This one may mount and may write to files of others, and understands nothing of what
//! is on the stick: it hands the bytes of one file to the other one, which gives up every right
//! before it looks at them ([`reader`]), and writes back what that one answers.

mod joining;
mod reader;
mod running;
mod unplugged;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::device::stick::{RESULT_FILE, SETTINGS_FILE, StickError, StickFolder};
use crate::sanitize;

use super::exit::{Code, Failure};
use super::output;
use reader::Stored;
use running::RunningBox;
use unplugged::Stage;

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

/// Of a stick that was accepted.
const APPLIED: &str = "settings applied";

/// What became of a stick, in words.
struct Outcome {
    /// For the result file, or why it was refused.
    lines: Vec<String>,
    /// What its owner has to know even without the result file.
    remarks: Vec<String>,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] when the stick is refused; nothing was changed then.
pub fn run(args: &ImportArgs) -> Result<(), Failure> {
    unplugged::outlive_the_stick();
    if args.reader {
        return reader::serve(&args.state);
    }
    let socket = args.socket.clone().unwrap_or_else(super::ctl::default_socket);
    let runtime = socket.parent().map_or_else(env::temp_dir, Path::to_owned);
    let running = Arc::new(RunningBox::at(socket));
    let stages = unplugged::begin(running.clone());
    let refused = |error: StickError| {
        running.show("refused", &error.to_string());
        Failure::new(Code::Settings, error)
    };
    let mut stick = StickFolder::open(&args.from, &runtime).map_err(refused)?;
    let bytes = match stick.settings() {
        // Most sticks are not meant for the box; the lights stay as they are.
        Err(StickError::Missing { nearly }) if nearly.is_empty() => {
            output::text(&format!("{}: nothing to do", StickError::Missing { nearly }));
            return Ok(());
        }
        Err(error) if !error.is_of_our_file() => {
            drop(stick);
            return Err(refused(error));
        }
        other => other,
    };
    running.show("working", "");
    let _ = stages.send(Stage::Storing);
    // In force before the stick is written to, which may fail or take long.
    let imported = bytes
        .map_err(|error| vec![error.to_string()])
        .and_then(|bytes| reader::hand_over(&bytes, &args.from, &args.state))
        .and_then(|stored| match running.reload() {
            Ok(in_force) => Ok((stored, in_force)),
            Err(why) => Err(vec![format!("stored, but the running box did not apply it: {why}")]),
        });
    let _ = stages.send(if imported.is_ok() { Stage::Writing } else { Stage::WritingRefusal });
    stick.unlock();
    let outcome = imported.map(|(stored, in_force)| {
        let mut outcome = accepted(&stick, &stored, &in_force);
        if stored.joins {
            let _ = stick.write_result(&result_file("accepted", &joining::begun(&outcome.lines)));
            let _ = stages.send(Stage::Joining);
            outcome.lines.push(joined(args, &running, !in_force.is_empty()));
            let _ = stages.send(Stage::Writing);
        }
        outcome
    });
    let (is_accepted, Outcome { lines, mut remarks }) = match outcome {
        Ok(outcome) => (true, outcome),
        Err(why) => (false, Outcome { lines: why, remarks: Vec::new() }),
    };
    let lines = clean(lines);
    let word = if is_accepted { "accepted" } else { "refused" };
    if let Err(error) = stick.write_result(&result_file(word, &lines)) {
        let remark = format!("{RESULT_FILE} was not written: {}", stick.in_words(&error));
        output::text(&remark);
        remarks.push(remark);
    }
    // Unmounted before the lights show that it may be pulled out.
    drop(stick);
    drop(stages);
    let all = lines.join("; ");
    let first = if is_accepted { APPLIED.to_owned() } else { all.clone() };
    let words: Vec<String> = [first].into_iter().chain(remarks).collect();
    running.show(word, &words.join("; "));
    if !is_accepted {
        return Err(Failure::new(Code::Settings, all));
    }
    lines.iter().for_each(|line| output::text(line));
    Ok(())
}

/// The text of the result file.
fn result_file(word: &str, lines: &[String]) -> String {
    format!("firstmile {}\r\n{word}\r\n{}\r\n", env!("CARGO_PKG_VERSION"), lines.join("\r\n"))
}

/// How joining the wireless network of the stick ends, in a line. The lights go on showing that the stick is to
/// be left in; that it was pulled out all the same ends the wait.
fn joined(args: &ImportArgs, running: &RunningBox, runs: bool) -> String {
    if !runs {
        return joining::LATER.to_owned();
    }
    joining::ended(|| {
        if !args.from.exists() {
            return None;
        }
        running.show("working", "");
        Some(running.network().unwrap_or_default())
    })
}

/// Lines for the owner's screen; they quote what is on the stick.
fn clean(lines: Vec<String>) -> Vec<String> {
    lines.iter().map(|line| sanitize::line(line)).collect()
}

/// The outcome for an accepted stick, after its keys were erased if its owner wants that. `in_force` is
/// what a running box answers; without one, what is stored holds.
fn accepted(stick: &StickFolder, stored: &Stored, in_force: &[String]) -> Outcome {
    let mut lines = vec![APPLIED.to_owned()];
    let mut remarks = Vec::new();
    if stored.replace {
        lines.push("what was stored before is forgotten (replace = true)".to_owned());
    }
    lines.extend(stored.removed.iter().map(|name| format!("destination {name} is removed")));
    lines.extend(stored.of_secrets.iter().cloned());
    match in_force {
        [] => lines.extend(stored.destinations.iter().cloned()),
        // After its first line: what is without effect, and the destinations.
        [_, more @ ..] => lines.extend(more.iter().cloned()),
    }
    match erased(stick, stored) {
        Ok(erased) => lines.extend(erased),
        Err(why) => {
            lines.push(why.clone());
            remarks.push(why);
        }
    }
    lines.extend(
        stick
            .near_misses()
            .iter()
            .map(|name| format!("{name} was not read: only {SETTINGS_FILE} is")),
    );
    Outcome { lines, remarks }
}

/// What became of the keys on the stick.
///
/// # Errors
/// That they are still there although they were to be erased, and why.
fn erased(stick: &StickFolder, stored: &Stored) -> Result<Option<String>, String> {
    let Stored { secrets, kind_of_secret: what, .. } = stored;
    match stored.erased() {
        Some(erased) => match stick.overwrite_settings(&erased) {
            Ok(()) => Ok(Some(format!(
                "keys and other secrets erased from {SETTINGS_FILE}: {secrets}; other files stay as \
                 they are, and flash memory may still contain a copy"
            ))),
            Err(error) => {
                Err(format!("the stick STILL CONTAINS {what}: {}", stick.in_words(&error)))
            }
        },
        None if *secrets > 0 => Ok(Some(format!(
            "the stick still contains {what}; the line erase_key = true in {SETTINGS_FILE} makes \
             the box erase it"
        ))),
        None => Ok(None),
    }
}
