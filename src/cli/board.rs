//! The board given on a command line, or found by the device tree.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::board::{self, Profile};
use crate::config;

use super::exit::{Code, Failure};

/// Where the kernel shows what board it runs on; `/proc/device-tree` may be hidden from a service.
const COMPATIBLE: &str = "/sys/firmware/devicetree/base/compatible";

/// Board profiles, and an example of the file for a USB stick
#[derive(Debug, Subcommand)]
pub enum BoardCommand {
    /// Print a commented settings file, to be saved as firstmile.toml on a USB stick
    Template,
}

/// Runs the subcommand.
///
/// # Errors
/// None; a reader that has seen enough is no failure.
pub fn run(command: &BoardCommand) -> Result<(), Failure> {
    let BoardCommand::Template = command;
    let _ = std::io::stdout().write_all(config::TEMPLATE.as_bytes());
    Ok(())
}

/// Which board.
#[derive(Debug, Args)]
pub struct BoardArgs {
    /// Board profile: a built-in name or a TOML file; by default the device tree decides
    #[arg(long, value_name = "NAME|FILE")]
    board: Option<String>,
}

impl BoardArgs {
    /// The profile that applies.
    ///
    /// # Errors
    /// When there is no such profile, or it has a fault.
    pub fn profile(&self) -> Result<Profile, Failure> {
        profile(self.board.as_deref().unwrap_or_else(|| found()))
    }
}

/// The profile of that name, or in that file.
///
/// # Errors
/// When there is no such profile, or it has a fault.
pub fn profile(name: &str) -> Result<Profile, Failure> {
    if name.contains('/') || name.ends_with(".toml") {
        return from_file(name);
    }
    Profile::named(name).map_err(|error| Failure::new(Code::Settings, error))
}

fn found() -> &'static str {
    let compatible = fs::read_to_string(COMPATIBLE).unwrap_or_default();
    let compatible: Vec<String> = compatible.split_terminator('\0').map(str::to_owned).collect();
    board::select(&compatible).unwrap_or("generic-uvc")
}

/// A profile of the owner's own; what it inherits lies beside it or is built in.
fn from_file(name: &str) -> Result<Profile, Failure> {
    let path = PathBuf::from(name);
    let unusable = |why: &dyn std::fmt::Display| Failure::new(Code::Settings, why);
    let text = fs::read_to_string(&path)
        .map_err(|error| unusable(&format!("the board profile {name} cannot be read: {error}")))?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let resolver = |wanted: &str| {
        fs::read_to_string(folder.join(wanted)).ok().or_else(|| board::embedded(wanted))
    };
    Profile::load(&text, name, resolver).map_err(|error| unusable(&error))
}
