//! `firstmile import`: settings from a USB stick, all or nothing.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::config::{ConfigErrors, Partial, Stick};
use crate::device::stick::{RESULT_FILE, SETTINGS_FILE, StickError, StickFolder};
use crate::device::store::Store;
use crate::device::{Folder, control};

use crate::limits::{CONTROL_TIMEOUT, STORE_PATIENCE};

use super::exit::{Code, Failure};

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
}

/// The running box reports itself when its storage takes longer than its patience.
const PATIENCE: Duration = STORE_PATIENCE.saturating_add(CONTROL_TIMEOUT);

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] when the stick is refused; nothing was changed then.
pub fn run(args: &ImportArgs) -> Result<(), Failure> {
    let socket = args.socket.clone().unwrap_or_else(super::ctl::default_socket);
    let refused = |message: &dyn std::fmt::Display| Failure::new(Code::Settings, message);
    let runtime = socket.parent().map_or_else(env::temp_dir, Path::to_owned);
    let stick = StickFolder::open(&args.from, &runtime).map_err(|error| refused(&error))?;
    let bytes = match stick.settings() {
        // Most sticks are not meant for the box; the lights stay as they are.
        Err(error @ StickError::Missing { .. }) => {
            println!("{error}: nothing to do");
            return Ok(());
        }
        other => other,
    };
    // The lights are a courtesy; what matters is the result.
    let _ = notify(&socket, "stick working");
    let imported = bytes
        .map_err(|error| vec![error.to_string()])
        .and_then(|bytes| Stick::parse(SETTINGS_FILE, &bytes).map_err(|errors| lines(&errors)))
        .and_then(|found| import(&found, &args.state).map(|lost| (found, lost)));
    stick.unlock();
    let outcome = match imported {
        Ok((found, lost)) => match notify(&socket, "reload") {
            Ok(()) => Ok(accepted(&stick, &found, &lost)),
            Err(why) => Err(vec![format!("stored, but the running box did not apply it: {why}")]),
        },
        Err(why) => Err(why),
    };
    let (Ok(result) | Err(result)) = &outcome;
    let word = if outcome.is_ok() { "accepted" } else { "refused" };
    let text =
        format!("firstmile {}\r\n{word}\r\n{}\r\n", env!("CARGO_PKG_VERSION"), result.join("\r\n"));
    if let Err(error) = stick.write_result(&text) {
        println!("{RESULT_FILE} was not written: {error}");
    }
    // Unmounted before the lights show that it may be pulled out.
    drop(stick);
    let _ = notify(&socket, &format!("stick {word}"));
    match outcome {
        Ok(result) => {
            result.iter().for_each(|line| println!("{line}"));
            Ok(())
        }
        Err(why) => Err(refused(&why.join("; "))),
    }
}

fn lines(errors: &ConfigErrors) -> Vec<String> {
    errors.to_string().lines().map(str::to_owned).collect()
}

/// Stores the settings of the stick, and reads them back. Gives the destinations that lost their stream
/// key, because it was given for another server than the stick names.
fn import(found: &Stick, state: &Path) -> Result<Vec<String>, Vec<String>> {
    let failed = |error: &dyn std::fmt::Display| vec![error.to_string()];
    let folder = Folder::open(state).map_err(|error| {
        failed(&format!("the folder {} cannot be used: {error}", state.display()))
    })?;
    let mut store = Store::new(folder);
    let with_key = |partial: &Partial| partial.keys().map(|(name, _)| name.to_owned()).collect();
    let mut before: Vec<String> = Vec::new();
    let stored = store
        .update(|partial| {
            before = with_key(partial);
            partial.import(&found.partial);
            Ok(())
        })
        .map_err(|error| failed(&error))?;
    match store.read() {
        Ok(read) if read.partial == stored.partial => {
            let after = with_key(&read.partial);
            before.retain(|name| !after.contains(name));
            Ok(before)
        }
        Ok(_) => Err(failed(&"the storage does not return what was written to it")),
        Err(error) => Err(failed(&error)),
    }
}

/// The result for an accepted stick, after its keys were erased if its owner wants that.
fn accepted(stick: &StickFolder, found: &Stick, lost_keys: &[String]) -> Vec<String> {
    let mut result = vec!["settings applied".to_owned()];
    result.extend(lost_keys.iter().map(|name| {
        format!(
            "the stream key of {name} was given for another server and is removed; `key {name}` \
             sets a new one"
        )
    }));
    let secrets = found.partial.secret_count();
    let what =
        if found.partial.keys().count() > 0 { "the stream key" } else { "a passphrase or PIN" };
    match &found.erased {
        Some(erased) => result.push(match stick.overwrite_settings(erased) {
            Ok(()) => format!("keys and other secrets erased from {SETTINGS_FILE}: {secrets}"),
            Err(error) => format!("the stick STILL CONTAINS {what}: {error}"),
        }),
        None if secrets > 0 => result.push(format!(
            "the stick still contains {what}; the line erase_key = true in {SETTINGS_FILE} makes \
             the box erase it"
        )),
        None => {}
    }
    result
}

/// Notifies a running box; one that does not run reads its settings when it starts. What it refuses is
/// the error.
fn notify(socket: &Path, line: &str) -> Result<(), String> {
    let Ok(answers) = control::ask(socket, line, None, Some(PATIENCE)) else { return Ok(()) };
    for answer in answers {
        match answer {
            Ok(answer) if answer.ok => {}
            Ok(answer) => return Err(answer.lines.join(" ")),
            Err(error) => return Err(format!("it does not answer: {error}")),
        }
    }
    Ok(())
}
