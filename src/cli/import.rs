//! `firstmile import`: settings from a USB stick, all or nothing.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::config::{BoxFile, ConfigErrors, Partial, SettingPath, Settings, Stick, merge};
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
    let stick = StickFolder::open(&args.from, &runtime).map_err(|error| {
        // The lights are a courtesy; what matters is the result.
        let _ = notify(&socket, "stick refused");
        refused(&error)
    })?;
    let bytes = match stick.settings() {
        // Most sticks are not meant for the box; the lights stay as they are.
        Err(StickError::Missing { nearly }) if nearly.is_empty() => {
            println!("{}: nothing to do", StickError::Missing { nearly });
            return Ok(());
        }
        other => other,
    };
    let _ = notify(&socket, "stick working");
    let imported = bytes
        .map_err(|error| vec![error.to_string()])
        .and_then(|bytes| Stick::parse(SETTINGS_FILE, &bytes).map_err(|errors| lines(&errors)))
        .and_then(|found| import(&found, &args.state).map(|imported| (found, imported)));
    stick.unlock();
    let outcome = match imported {
        Ok((found, imported)) => match notify(&socket, "reload") {
            Ok(in_force) => Ok(accepted(&stick, &found, &imported, &in_force)),
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

/// What the store holds after an import.
struct Imported {
    settings: Settings,
    /// What became of secrets that the stick does not set, and of the PIN that it does.
    of_secrets: Vec<String>,
    /// Destinations that are no more.
    removed: Vec<String>,
}

/// Stores the settings of the stick, and reads them back.
fn import(found: &Stick, state: &Path) -> Result<Imported, Vec<String>> {
    let missing =
        found.files.iter().filter(|file| !file.path.is_absolute() || !file.path.is_file());
    let missing: Vec<String> = missing.map(BoxFile::missing).collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let failed = |error: &dyn std::fmt::Display| vec![error.to_string()];
    let folder = Folder::open(state).map_err(|error| {
        failed(&format!("the folder {} cannot be used: {error}", state.display()))
    })?;
    let mut store = Store::new(folder);
    let mut before = Partial::default();
    let stored = store
        .update(|partial| {
            before = partial.clone();
            found.apply(partial);
            Ok(())
        })
        .map_err(|error| failed(&error))?;
    match store.read() {
        Ok(read) if read.partial == stored.partial => {
            let of_secrets = of_secrets(found, &before, &read.partial);
            let settings = merge(&[read.partial]);
            let mut removed = merge(&[before]).names();
            removed.retain(|name| !settings.names().contains(name));
            Ok(Imported { settings, of_secrets, removed })
        }
        Ok(_) => Err(failed(&"the storage does not return what was written to it")),
        Err(error) => Err(failed(&error)),
    }
}

/// What became of secrets that the stick does not set, and of the PIN that it does.
fn of_secrets(stick: &Stick, before: &Partial, after: &Partial) -> Vec<String> {
    let has = |partial: &Partial, name: &str| {
        name.parse().is_ok_and(|path: SettingPath| partial.value(&path).is_some())
    };
    let is_lost = |name: &str| has(before, name) && !has(after, name);
    let mut messages = Vec::new();
    let is_there = |name: &str| after.names(name);
    let lost = |name: &str| is_there(name) && is_lost(&format!("destination.{name}.key"));
    for (name, _) in before.keys().filter(|(name, _)| lost(name)) {
        messages.push(format!(
            "the stream key of {name} was given for another server and is removed; `key {name}` \
             sets a new one"
        ));
    }
    if is_lost("wifi.passphrase") && !stick.replace {
        messages
            .push("the Wi-Fi passphrase was given for another network and is removed".to_owned());
    }
    if has(&stick.partial, "console.pin") {
        messages.push(match has(before, "console.pin") {
            true => "the console PIN is replaced; the one before is no longer asked for".to_owned(),
            false => "the console asks for the PIN of this stick from now on".to_owned(),
        });
    }
    messages
}

/// The result for an accepted stick, after its keys were erased if its owner wants that. `in_force` is
/// what a running box answers; without one, what is stored holds.
fn accepted(
    stick: &StickFolder,
    found: &Stick,
    imported: &Imported,
    in_force: &[String],
) -> Vec<String> {
    let mut result = vec!["settings applied".to_owned()];
    if found.replace {
        result.push("what was stored before is forgotten (replace = true)".to_owned());
    }
    result.extend(imported.removed.iter().map(|name| format!("destination {name} is removed")));
    result.extend(imported.of_secrets.iter().cloned());
    match in_force {
        [] => result.extend(imported.settings.destinations_in_words()),
        [_, destinations @ ..] => result.extend(destinations.iter().cloned()),
    }
    result.extend(erased(stick, found));
    result.extend(
        stick
            .near_misses()
            .iter()
            .map(|name| format!("{name} was not read: only {SETTINGS_FILE} is")),
    );
    result
}

/// What became of the keys on the stick.
fn erased(stick: &StickFolder, found: &Stick) -> Option<String> {
    let secrets = found.secrets;
    let what = if found.partial.keys().count() > 0 {
        "the stream key"
    } else if found.partial.secret_count() > 0 {
        "a passphrase or PIN"
    } else {
        "an address with a secret in it, or a secret that is commented out"
    };
    match &found.erased {
        Some(erased) => Some(match stick.overwrite_settings(erased) {
            Ok(()) => format!(
                "keys and other secrets erased from {SETTINGS_FILE}: {secrets}; other files stay as \
                 they are, and flash memory may still contain a copy"
            ),
            Err(error) => format!("the stick STILL CONTAINS {what}: {error}"),
        }),
        None if secrets > 0 => Some(format!(
            "the stick still contains {what}; the line erase_key = true in {SETTINGS_FILE} makes \
             the box erase it"
        )),
        None => None,
    }
}

/// Notifies a running box, and gives its answer; one that does not run reads its settings when it
/// starts. What it refuses is the error.
fn notify(socket: &Path, line: &str) -> Result<Vec<String>, String> {
    let Ok(answers) = control::ask(socket, line, None, Some(PATIENCE)) else {
        return Ok(Vec::new());
    };
    let mut lines = Vec::new();
    for answer in answers {
        match answer {
            Ok(answer) if answer.ok => lines.extend(answer.lines),
            Ok(answer) => return Err(answer.lines.join(" ")),
            Err(error) => return Err(format!("it does not answer: {error}")),
        }
    }
    Ok(lines)
}
