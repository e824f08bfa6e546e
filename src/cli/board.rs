//! The board: given on a command line or found by the device tree; its profile, wiring and check.

mod check;
mod selection;

use clap::Subcommand;

use crate::board::{self, Profile};
use crate::config;

#[cfg(feature = "demo")]
pub use selection::profile;
pub use selection::{BoardArgs, NamedBoardArgs};

use super::exit::{Code, Failure};
use super::output;
use selection::{found, own, unusable};

/// Board profiles: which one applies, how it is wired, and whether everything is there
#[derive(Debug, Subcommand)]
pub enum BoardCommand {
    /// List the profiles and mark the one of this machine
    List,
    /// Show a profile with everything that it inherits, as JSON
    Show(NamedBoardArgs),
    /// Show how lights, button and console are connected, and how to set up the board once
    Wiring(NamedBoardArgs),
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
        BoardCommand::List => output::text(&list()?),
        BoardCommand::Show(args) => {
            let shown = serde_json::to_string_pretty(&args.profile()?);
            output::text(&shown.map_err(|error| Failure::new(Code::Failed, error))?);
        }
        BoardCommand::Wiring(args) => output::text(&args.profile()?.wiring_text()),
        BoardCommand::Check(args) => return check::run(args),
        BoardCommand::Template => output::text(config::TEMPLATE),
    }
    Ok(())
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
