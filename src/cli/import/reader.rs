//! The process that understands a stick's file and stores what it says. It has no rights but those of
//! the owner of the store: what stands in the file was written by anybody.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::child;
use crate::cli::crash;
use crate::cli::exit::{Code, Failure};
use crate::config::{BoxFile, ConfigErrors, Partial, SettingPath, Settings, Stick, merge};
use crate::device::Folder;
use crate::device::stick::SETTINGS_FILE;
use crate::device::store::Store;
use crate::file;
use crate::limits::{SETTINGS_BYTES_MAX, STORE_PATIENCE};

/// Storing, and a hash of a PIN on a slow board.
const TIMEOUT: Duration = STORE_PATIENCE.saturating_add(Duration::from_secs(20));
/// Its answer: the erased file in base64, and lines about as many mistakes as are listed.
const ANSWER_BYTES_MAX: u64 = 4 * SETTINGS_BYTES_MAX as u64;

/// What was stored.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stored {
    /// What became of secrets that the stick does not set, and of the PIN that it does.
    pub of_secrets: Vec<String>,
    /// Destinations that are no more.
    pub removed: Vec<String>,
    /// What is stored now, a line for each destination.
    pub destinations: Vec<String>,
    /// Whether what was stored before is forgotten.
    pub replace: bool,
    /// Whether it says anything about a wireless network, and one is to be joined now.
    pub joins: bool,
    /// Secrets in the file.
    pub secrets: usize,
    /// What they are called.
    pub kind_of_secret: String,
    /// The file without them, where its owner wants that left on the stick.
    erased: Option<String>,
}

impl Stored {
    /// The file without its secrets, where its owner wants that left on the stick.
    pub fn erased(&self) -> Option<Vec<u8>> {
        self.erased.as_ref().and_then(|text| STANDARD.decode(text).ok())
    }
}

/// What the process answers: what was stored, or every reason why nothing was.
type Answer = Result<Stored, Vec<String>>;

/// Hands the bytes of a stick's file to a process without rights.
///
/// # Errors
/// Every reason why nothing was stored, a line each.
pub fn hand_over(bytes: &[u8], from: &Path, state: &Path) -> Answer {
    let mut reader = Command::new("/proc/self/exe");
    reader.arg("import").arg(from).arg("--state").arg(state).arg("--reader");
    let ended = child::run_bounded(&mut reader, Some(bytes), TIMEOUT, ANSWER_BYTES_MAX);
    let unknown = |why: String| {
        vec![format!("{SETTINGS_FILE} was not imported, or only part of it is in force: {why}")]
    };
    let ended = ended.map_err(|error| unknown(error.to_string()))?;
    let logged = String::from_utf8_lossy(&ended.stderr);
    logged.lines().for_each(|line| tracing::warn!("{line}"));
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| {
        let why = logged.lines().next_back().map(str::to_owned);
        Err(unknown(why.unwrap_or_else(|| ended.status.to_string())))
    })
}

/// Is that process: settings from standard input, the answer to standard output.
///
/// # Errors
/// [`Failure`] when it cannot give up its rights; nothing was read then.
pub fn serve(state: &Path) -> Result<(), Failure> {
    crash::hide_memory();
    give_up_rights(state).map_err(|error| {
        Failure::new(Code::Failed, format!("rights cannot be given up: {error}"))
    })?;
    let answer = serde_json::to_string(&answer(state)).unwrap_or_default();
    // Of a whole answer there is one line; whoever asked takes less for a failure.
    writeln!(io::stdout(), "{answer}")
        .map_err(|error| Failure::new(Code::Failed, format!("no answer could be given: {error}")))
}

/// Becomes the owner of the store where this is root, who works for that owner; and has no capability
/// from now on, whatever it executes.
fn give_up_rights(state: &Path) -> io::Result<()> {
    if geteuid().is_root()
        && let Ok(about) = fs::metadata(state)
        && about.uid() != 0
    {
        setgroups(&[])?;
        setgid(Gid::from_raw(about.gid()))?;
        setuid(Uid::from_raw(about.uid()))?;
    }
    set_no_new_privs(true)?;
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(())
}

fn answer(state: &Path) -> Answer {
    let failed = |error: &dyn std::fmt::Display| vec![error.to_string()];
    let mut bytes = Zeroizing::new(Vec::with_capacity(SETTINGS_BYTES_MAX + 1));
    let bound = SETTINGS_BYTES_MAX as u64 + 1;
    let read = file::standard_input().and_then(|from| from.take(bound).read_to_end(&mut bytes));
    read.map_err(|error| failed(&error))?;
    let found = Stick::parse(SETTINGS_FILE, &bytes).map_err(|errors| lines(&errors))?;
    let Imported { settings, of_secrets, removed } = store(&found, state)?;
    let is_of_wifi = |path: &SettingPath| path.setting().name.starts_with("wifi.");
    Ok(Stored {
        joins: found.partial.paths().any(is_of_wifi) && settings.wifi.ssid.is_some(),
        of_secrets,
        removed,
        destinations: settings.destinations_in_words(),
        replace: found.replace,
        secrets: found.secrets,
        kind_of_secret: kind_of_secret(&found).to_owned(),
        erased: found.erased.as_ref().map(|erased| STANDARD.encode(erased.as_slice())),
    })
}

fn kind_of_secret(found: &Stick) -> &'static str {
    if found.partial.keys().count() > 0 {
        "the stream key"
    } else if found.partial.secret_count() > 0 {
        "a passphrase or PIN"
    } else {
        "an address with a secret in it, or a secret that is commented out"
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

/// Stores the settings of the stick.
fn store(found: &Stick, state: &Path) -> Result<Imported, Vec<String>> {
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
    let of_secrets = of_secrets(found, &before, &stored.partial);
    let settings = merge(&[stored.partial]);
    let mut removed = merge(&[before]).names();
    removed.retain(|name| !settings.names().contains(name));
    Ok(Imported { settings, of_secrets, removed })
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
