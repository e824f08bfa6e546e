//! The board: given on a command line or found by the device tree; its profile, wiring and check.

mod check;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::board::{self, Profile};
use crate::config;

use super::exit::{Code, Failure};

/// Where the kernel shows what board it runs on; `/proc/device-tree` may be hidden from a service.
const COMPATIBLE: &str = "/sys/firmware/devicetree/base/compatible";
/// Profiles of the owner's own; they come before those that are built in.
const OWN_PROFILES: &str = "/etc/firstmile/boards";
/// The profile of a machine that no profile names.
const FALLBACK: &str = "generic-uvc";

/// Board profiles: which one applies, how it is wired, and whether everything is there
#[derive(Debug, Subcommand)]
pub enum BoardCommand {
    /// List the profiles and mark the one of this machine
    List,
    /// Show a profile with everything that it inherits, as JSON
    Show(BoardArgs),
    /// Show how lights, button and console are connected, and how to set up the board once
    Wiring(BoardArgs),
    /// Check the devices that the profile names: lines, port, camera, microphone, encoders
    Check(check::CheckArgs),
    /// Print a commented settings file, to be saved as firstmile.toml on a USB stick
    Template,
}

/// Runs the subcommand.
///
/// # Errors
/// When there is no such profile, it has a fault, or a device that it names is missing.
pub fn run(command: &BoardCommand) -> Result<(), Failure> {
    match command {
        BoardCommand::List => print(&list()?),
        BoardCommand::Show(args) => {
            let shown = serde_json::to_string_pretty(&args.profile()?);
            print(&(shown.map_err(|error| Failure::new(Code::Failed, error))? + "\n"));
        }
        BoardCommand::Wiring(args) => print(&args.profile()?.wiring_text()),
        BoardCommand::Check(args) => return check::run(args),
        BoardCommand::Template => print(config::TEMPLATE),
    }
    Ok(())
}

/// Prints; a reader that stops reading (`| head`) is no failure.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn list() -> Result<String, Failure> {
    let here = found()?.name;
    let built_in = board::names().map(Profile::named);
    let built_in = built_in.collect::<Result<Vec<_>, _>>().map_err(unusable)?;
    let own = own().into_iter().collect::<Result<Vec<_>, _>>()?;
    let all: Vec<Profile> = own.into_iter().chain(built_in).collect();
    let width = all.iter().map(|profile| profile.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for profile in &all {
        let mark = if profile.name == here { '*' } else { ' ' };
        text.push_str(&format!("{mark} {:width$}  {}\n", profile.name, profile.description));
    }
    text.push_str("* is the profile of this machine\n");
    Ok(text)
}

/// Which board.
#[derive(Debug, Args)]
pub struct BoardArgs {
    /// Board profile: a name or a TOML file; by default the device tree decides
    #[arg(long, value_name = "NAME|FILE")]
    board: Option<String>,
}

impl BoardArgs {
    /// The profile that applies.
    ///
    /// # Errors
    /// When there is no such profile, or it has a fault.
    pub fn profile(&self) -> Result<Profile, Failure> {
        match &self.board {
            Some(name) => profile(name),
            None => found(),
        }
    }
}

/// The profile of that name, or in that file.
///
/// # Errors
/// When there is no such profile, or it has a fault.
pub fn profile(name: &str) -> Result<Profile, Failure> {
    if name.contains('/') || name.ends_with(".toml") {
        return from_file(Path::new(name));
    }
    let own = Path::new(OWN_PROFILES).join(format!("{name}.toml"));
    if own.exists() { from_file(&own) } else { Profile::named(name).map_err(unusable) }
}

/// The profile of this machine. One of the owner's that has a fault is logged and left out: a box
/// without console and lights could not show what is wrong with it.
fn found() -> Result<Profile, Failure> {
    let compatible = fs::read_to_string(COMPATIBLE).unwrap_or_default();
    let compatible: Vec<String> = compatible.split_terminator('\0').map(str::to_owned).collect();
    let (own, faults): (Vec<_>, Vec<_>) = own().into_iter().partition(Result::is_ok);
    for fault in faults.into_iter().filter_map(Result::err) {
        tracing::error!("left out: {}", fault.message());
    }
    match board::most_specific(&compatible, own.into_iter().flatten()) {
        Some(profile) => Ok(profile),
        None => Profile::named(board::select(&compatible).unwrap_or(FALLBACK)).map_err(unusable),
    }
}

/// The owner's profiles, and what is wrong with those that have a fault.
fn own() -> Vec<Result<Profile, Failure>> {
    let entries = fs::read_dir(OWN_PROFILES).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ends| ends == "toml"));
    files.sort();
    files.iter().map(|file| from_file(file)).collect()
}

/// A profile of the owner's own; what it inherits is in the same folder or built in.
fn from_file(path: &Path) -> Result<Profile, Failure> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| unusable(format!("the board profile {name} cannot be read: {error}")))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let resolver = |wanted: &str| {
        fs::read_to_string(folder.join(wanted)).ok().or_else(|| board::embedded(wanted))
    };
    Profile::load(&text, &name, resolver).map_err(unusable)
}

/// What is wrong, in one line: a profile may have several mistakes.
fn unusable(why: impl std::fmt::Display) -> Failure {
    Failure::new(Code::Settings, why.to_string().replace('\n', "; "))
}
