//! What capture costs compared with the straight line with the same encoders.
//!
//! `make bench-capture` delivers the same frames and samples, at the pace of a camera, to the product
//! and to the straight line that `gst-launch-1.0` would be given: source, queue, encoder, parser, sink;
//! no colours are computed in it, and nothing is scaled. Each is a process of its own, and they take
//! turns, because the neighbours on a machine come and go: all that counts is the ratio. The frames
//! are made beforehand, so that neither side draws any.
#![allow(missing_docs)]

mod camera;
mod encoders;
#[path = "../peers/goals.rs"]
mod goals;
mod instructions;
mod null_encoder;
mod path;
mod report;
mod sides;

use std::alloc::System;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use clap::{Parser, ValueEnum};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use camera::{Format, Mode};
use goals::{Goals, Spread, line};
use path::Way;
use report::Report;
use sides::Side;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[derive(Parser)]
struct Arguments {
    /// Runs of each side
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Counted seconds of each run
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Measure that part alone
    #[arg(long)]
    part: Option<Part>,
    /// Count the instructions of this ARM build of the benchmark instead, by QEMU (make bench-capture-arm)
    #[arg(long, value_name = "PROGRAM")]
    emulated: Option<PathBuf>,
    /// Be one of the processes that are compared
    #[arg(long, hide = true)]
    side: Option<Side>,
    #[arg(long, hide = true, requires_all = ["format", "width", "height"])]
    way: Option<Way>,
    #[arg(long, hide = true)]
    format: Option<Format>,
    #[arg(long, hide = true)]
    width: Option<u32>,
    #[arg(long, hide = true)]
    height: Option<u32>,
    #[arg(long, hide = true, default_value_t = camera::FPS)]
    fps: u32,
    #[arg(long, hide = true, requires = "frames")]
    frame: Option<PathBuf>,
    #[arg(long, hide = true)]
    frames: Option<u64>,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// From the camera to the access units, with real encoders
    Whole,
    /// From the camera to the encoder: CPU time, wake-ups and copies
    Path,
    /// From the camera to the end of its source's pipeline: instructions
    Instructions,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(side) = arguments.side {
        println!("{}", side.run(arguments.seconds).to_json());
        return ExitCode::SUCCESS;
    }
    let (format, width, height) = (arguments.format, arguments.width, arguments.height);
    if let (Some(way), Some(format), Some(width), Some(height)) =
        (arguments.way, format, width, height)
    {
        let mode = Mode { format, width, height, fps: arguments.fps };
        match (arguments.frame, arguments.frames) {
            (Some(frame), Some(frames)) => instructions::play(way, mode, &frame, frames),
            _ => println!("{}", path::run(way, mode, arguments.seconds)),
        }
        return ExitCode::SUCCESS;
    }
    let mut goals = Goals::default();
    let wanted = |part| arguments.part.is_none_or(|only| only == part);
    if wanted(Part::Whole) {
        compare(&arguments, &mut goals);
    }
    if wanted(Part::Path) {
        // What one frame costs shows in a few of them: nothing in it has a rate to control.
        path::compare(arguments.runs, (arguments.seconds / 4).max(1), &mut goals);
    }
    if wanted(Part::Instructions) {
        instructions::compare(arguments.emulated.as_deref(), &mut goals);
    }
    goals.print()
}

fn compare(arguments: &Arguments, goals: &mut Goals) {
    println!(
        "{}; median (least-most) of {} runs of {} s each, in turn",
        encoders::TITLE,
        arguments.runs,
        arguments.seconds
    );
    println!(
        "Delay: from a frame that the camera has delivered to its access unit in the queue, or at the sink; \
         it means something on an otherwise idle machine only"
    );
    let (mut straight, mut ours) = (Vec::new(), Vec::new());
    for round in 0..arguments.runs {
        let mut sides = [(Side::Straight, &mut straight), (Side::Ours, &mut ours)];
        if round % 2 == 1 {
            sides.reverse();
        }
        for (side, reports) in sides {
            reports.push(run(side, arguments.seconds));
        }
    }
    line(&["", "CPU us/frame", "x straight", "frames", "delay ms", "p99"]);
    for (side, reports) in [(Side::Straight, &straight), (Side::Ours, &ours)] {
        show(side, reports, cpu_us(&straight).median);
    }
    let repeated: u64 = ours.iter().map(|report| report.repeated).sum();
    let skipped: u64 = ours.iter().map(|report| report.skipped).sum();
    println!(
        "Of ours {repeated} frames were repeated because the next was late, {skipped} skipped"
    );
    let allocations = Spread::of(ours.iter().map(Report::allocations_per_unit));
    println!("Of ours {allocations} allocations for each access unit, frames and audio together");

    let ratio = cpu_us(&ours).median / cpu_us(&straight).median;
    goals.at_most("CPU of ours, of the straight line's", ratio, 1.05);
    let added = delay(&ours, 0.99).median - delay(&straight, 0.99).median;
    goals.at_most("delay that ours adds, p99, ms", added, 5.0);
    let copies = Spread::of(ours.iter().map(Report::copies)).median;
    goals.at_most("copies of an access unit, by the bytes allocated for it", copies, 1.05);
}

/// Runs a side in a process of its own.
fn run(side: Side, seconds: u64) -> Report {
    let myself = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(myself);
    command.args(["--side", side.name(), "--seconds", &seconds.to_string()]);
    let output = command.stderr(Stdio::inherit()).output().expect("runs");
    assert!(output.status.success(), "{}: {}", side.name(), output.status);
    Report::from_json(&String::from_utf8_lossy(&output.stdout))
}

fn show(side: Side, reports: &[Report], straight_cpu_us: f64) {
    let cpu = cpu_us(reports);
    line(&[
        side.name(),
        &cpu.to_string(),
        &format!("{:.3}", cpu.median / straight_cpu_us),
        &Spread::of(reports.iter().map(|report| report.frames as f64)).to_string(),
        &delay(reports, 0.5).to_string(),
        &delay(reports, 0.99).to_string(),
    ]);
}

fn cpu_us(reports: &[Report]) -> Spread {
    Spread::of(reports.iter().map(|report| report.cpu_us / report.frames as f64))
}

fn delay(reports: &[Report], part: f64) -> Spread {
    Spread::of(reports.iter().filter_map(|report| report.delay_ms(part)))
}
