//! What publishing costs, compared with other publishers and with the least that it can cost.
//!
//! `make bench-peers` pushes the same clip to the same server with `firstmile push`, ffmpeg,
//! GStreamer's rtmp2sink and a floor: a bare blocking TLS writer of the same bytes. All that counts
//! is the ratio within one run, because the neighbours on a machine come and go. Only what a
//! publisher itself uses is counted, not the server's part.
#![allow(missing_docs)]

mod clients;
mod feed;
mod floor;
mod goals;
mod live;
mod material;
mod measure;
mod paced;
#[path = "../../tests/support/mod.rs"]
mod support;
mod unpaced;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use goals::Goals;
use support::find_program;

#[derive(Parser)]
struct Arguments {
    /// Counted runs of each publisher; one more comes before them
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only this part: unpaced, paced or calls
    #[arg(long)]
    part: Option<String>,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// This program is also some of the processes that it measures.
#[derive(Subcommand)]
enum Role {
    /// The floor
    #[command(hide = true)]
    Floor(floor::Floor),
    /// The live path of the product, fed through standard input
    #[command(hide = true)]
    Live(live::Live),
    /// Runs a program and writes down what it used
    #[command(hide = true)]
    Measure(measure::Measure),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match &arguments.role {
        Some(Role::Floor(floor)) => floor.run(),
        Some(Role::Live(live)) => live.run(),
        Some(Role::Measure(measure)) => return measure.run(),
        None => return compare(&arguments),
    }
    ExitCode::SUCCESS
}

fn compare(arguments: &Arguments) -> ExitCode {
    for program in ["ffmpeg", "gst-launch-1.0"] {
        if find_program(program).is_none() {
            eprintln!("{program} is missing; run .ci/setup bench");
            return ExitCode::FAILURE;
        }
    }
    let wanted = |part: &str| arguments.part.as_ref().is_none_or(|only| part == only);
    let material = material::Material::prepare();
    let mut goals = Goals::default();
    if wanted("unpaced") {
        unpaced::compare(&material, arguments.runs, &mut goals);
    }
    if wanted("paced") {
        paced::compare(&material, arguments.runs, &mut goals);
    }
    if wanted("calls") {
        paced::count_calls(&material, &mut goals);
    }
    goals.print()
}

/// This program.
fn myself() -> PathBuf {
    std::env::current_exe().expect("this program has a path")
}
