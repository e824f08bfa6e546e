//! `firstmile devices`: cameras, microphones, encoders and decoders, and which would be used.

use clap::Args;

use crate::capture;

use super::board::BoardArgs;
use super::exit::{Code, Failure};
use super::output;

/// Show cameras, microphones, encoders and decoders: which would be used, and why not the others
#[derive(Debug, Args)]
pub struct DevicesArgs {
    #[command(flatten)]
    board: BoardArgs,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] when the profile cannot be used.
pub fn run(args: &DevicesArgs) -> Result<(), Failure> {
    let report = capture::devices(&capture::Request::from(&args.board.profile()?))
        .map_err(|error| Failure::new(Code::Device, error))?;
    match args.json {
        true => output::json(&report),
        false => output::text(&report.to_string()),
    }
    Ok(())
}
