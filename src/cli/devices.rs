//! `firstmile devices`: cameras, microphones and encoders, and which would be used.

use std::io::Write;

use clap::Args;

use crate::capture;

use super::board::BoardArgs;
use super::exit::{Code, Failure};

/// Show cameras, microphones and encoders: which would be used, and why not the others
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
    let text =
        if args.json { format!("{}\n", serde_json::json!(report)) } else { report.to_string() };
    // A reader that stops reading (`| head`) is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}
