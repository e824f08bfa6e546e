//! `firstmile devices`: cameras, microphones and encoders, and which would be chosen.

use clap::Args;

use crate::capture::{self, Device, DeviceReport};

use super::board::BoardArgs;
use super::exit::{Code, Failure};

/// Show cameras, microphones and encoders: which would be chosen, and why not the others
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
    let report = capture::devices(&args.board.profile()?)
        .map_err(|error| Failure::new(Code::Device, error))?;
    if args.json {
        println!("{}", serde_json::json!(report));
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &DeviceReport) {
    let row = |name: &str, more: &str, chosen: bool, why_not: Option<&str>| {
        let mark = if chosen { "*" } else { " " };
        let why = why_not.map(|why| format!("  ({why})")).unwrap_or_default();
        println!(" {mark} {name}{more}{why}");
    };
    let devices = |title: &str, found: &[Device], none: &str| {
        println!("{title}:");
        for device in found {
            let more = format!("  {}", device.name);
            row(&device.device, &more, device.chosen, device.why_not.as_deref());
        }
        if found.is_empty() {
            println!("   none; {none}");
        }
    };
    devices("cameras", &report.cameras, "plug one in and look again, or try `firstmile demo`");
    devices("microphones", &report.microphones, "plug one in, or let the profile say `silence`");
    for (title, encoders) in
        [("H.264 encoders", &report.video_encoders), ("AAC encoders", &report.audio_encoders)]
    {
        println!("{title}, in the order in which they are tried:");
        for encoder in encoders {
            row(&encoder.element, "", encoder.chosen, encoder.why_not.as_deref());
        }
    }
    println!("* would be used");
}
