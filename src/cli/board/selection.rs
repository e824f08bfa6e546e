//! Which board profile applies: the one that is named, or that of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::board::{self, Profile};
use crate::cli::exit::{Code, Failure};
use crate::file;
use crate::limits::PROFILE_BYTES_MAX;

/// Where the kernel shows what board it runs on; `/proc/device-tree` may be hidden from a service.
const COMPATIBLE: &str = "/sys/firmware/devicetree/base/compatible";
/// Profiles of the owner's own; they come before those that are built in.
const OWN_PROFILES: &str = "/etc/firstmile/boards";
/// The profile of a machine that no profile names.
const FALLBACK: &str = "generic-uvc";

/// Which board.
#[derive(Debug, Args)]
pub struct BoardArgs {
    /// Board profile: a name or a TOML file; by default the device tree decides
    #[arg(long, value_name = "NAME|FILE")]
    board: Option<String>,
}

/// Which board, for commands about nothing but a board: also by its name alone.
#[derive(Debug, Args)]
pub struct NamedBoardArgs {
    /// Board profile: a name or a TOML file; by default the device tree decides
    #[arg(value_name = "NAME|FILE", conflicts_with = "board")]
    name: Option<String>,
    #[command(flatten)]
    of: BoardArgs,
}

impl NamedBoardArgs {
    /// The profile that applies.
    ///
    /// # Errors
    /// When there is no such profile, or it has a fault.
    pub fn profile(&self) -> Result<Profile, Failure> {
        match &self.name {
            Some(name) => profile(name),
            None => self.of.profile(),
        }
    }
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
pub(super) fn found() -> Result<Profile, Failure> {
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
pub(super) fn own() -> Vec<Result<Profile, Failure>> {
    let entries = fs::read_dir(OWN_PROFILES).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ends| ends == "toml"));
    files.sort();
    files.iter().map(|file| from_file(file)).collect()
}

/// A profile of the owner's own; what it inherits is in the same folder or built in.
fn from_file(path: &Path) -> Result<Profile, Failure> {
    let name = path.display().to_string();
    let text = file::read_text(path, PROFILE_BYTES_MAX)
        .map_err(|error| unusable(format!("the board profile {name} cannot be read: {error}")))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let resolver = |wanted: &str| {
        let own = file::read_text(&folder.join(wanted), PROFILE_BYTES_MAX);
        own.ok().or_else(|| board::embedded(wanted))
    };
    Profile::load(&text, &name, resolver).map_err(unusable)
}

/// What is wrong, in one line: a profile may have several mistakes.
pub(super) fn unusable(why: impl std::fmt::Display) -> Failure {
    Failure::new(Code::Settings, why.to_string().replace('\n', "; "))
}
