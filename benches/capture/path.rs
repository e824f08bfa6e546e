//! What the way from the camera to the encoder costs: frames of a camera, an encoder that costs
//! nothing, and the CPU time of every thread between them.
//!
//! Beside the product stand two lines as `gst-launch-1.0` takes them. *Straight* does what cannot be
//! left out and nothing else: it decodes JPEGs, brings YUY2 into a layout that the encoder takes, and
//! computes neither colours nor size. *Converted* makes I420 in BT.709 of everything.

use std::collections::HashMap;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use firstmile::board::Profile;
use firstmile::capture::{CameraSource, Capture, MicrophoneSource, Request};
use gstreamer::{self as gst, prelude::*};
use serde::{Deserialize, Serialize};

use super::camera::{self, FPS, Format, Mode};
use super::goals::{Goals, Spread, line};
use super::instructions::way_arguments;
use super::null_encoder;

pub const SIZES: [(u32, u32); 2] = [(1_280, 720), (1_920, 1_080)];
pub const FORMATS: [Format; 3] = [Format::Nv12, Format::Yuy2, Format::Jpeg];
/// Until sources are open and queues have settled.
const SETTLING: Duration = Duration::from_secs(2);
/// Threads that do no part of it, by the start of their names: the camera's own, the encoding of
/// audio, and those of the process.
const OTHERS: [&str; 3] = [camera::THREAD, "audio_in", "capture-"];

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    Straight,
    Converted,
    Ours,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Straight, Way::Converted, Way::Ours];

    pub fn name(self) -> &'static str {
        match self {
            Way::Straight => "straight",
            Way::Converted => "converted",
            Way::Ours => "ours",
        }
    }
}

/// Of the counted seconds alone.
#[derive(Debug, Serialize, Deserialize)]
struct Cost {
    cpu_us: f64,
    /// Frames that reached the encoder, and how many of them lay where the camera had put them.
    frames: u64,
    originals: u64,
    /// CPU time by thread.
    threads: Vec<(String, f64)>,
}

impl Cost {
    fn us_per_frame(&self) -> f64 {
        self.cpu_us / self.frames as f64
    }
}

/// Be one of the processes that are compared.
pub fn run(way: Way, mode: Mode, seconds: u64) -> String {
    camera::register(mode);
    null_encoder::register(mode);
    let cost = match way {
        Way::Ours => {
            let print = |event| eprintln!("{event:?}");
            let capture = Capture::start(request(mode), Arc::new(|_| ()), print).expect("starts");
            let cost = watch(seconds);
            let stats = capture.stats();
            assert_eq!(stats.video_encoder, null_encoder::ELEMENT);
            capture.stop();
            cost
        }
        Way::Straight | Way::Converted => {
            let pipeline = gst::parse::launch(&launch_line(way, mode)).expect("a pipeline");
            pipeline.set_state(gst::State::Playing).expect("plays");
            let cost = watch(seconds);
            pipeline.set_state(gst::State::Null).expect("stops");
            cost
        }
    };
    serde_json::to_string(&cost).expect("plain figures")
}

pub fn request(mode: Mode) -> Request {
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    request.camera =
        CameraSource::Launch { launch: camera::ELEMENT.to_owned(), passthrough: false };
    request.microphone = MicrophoneSource::Silence;
    request.encoders.video = vec![null_encoder::ELEMENT.to_owned()];
    (request.video.width, request.video.height, request.video.fps) = (mode.width, mode.height, FPS);
    request
}

/// The line that `gst-launch-1.0` would be given.
fn launch_line(way: Way, mode: Mode) -> String {
    format!(
        "{} {}! queue ! {} ! h264parse ! fakesink sync=false",
        camera::ELEMENT,
        elements(way, mode),
        null_encoder::ELEMENT
    )
}

/// What is between the camera and the queue in such a line.
pub fn elements(way: Way, mode: Mode) -> String {
    let decoder = if mode.format == Format::Jpeg { "! jpegdec " } else { "" };
    let converter = match (way, mode.format) {
        (Way::Straight, Format::Yuy2) => {
            "! videoconvert matrix-mode=none ! video/x-raw,format=I420 ".to_owned()
        }
        (Way::Straight, _) => String::new(),
        _ => format!(
            "! videoconvert ! videoscale add-borders=true ! video/x-raw,format=I420,width={},\
             height={},pixel-aspect-ratio=1/1,colorimetry=bt709 ",
            mode.width, mode.height
        ),
    };
    format!("{decoder}{converter}")
}

/// Lets it run, and counts that many seconds.
fn watch(seconds: u64) -> Cost {
    thread::sleep(SETTLING);
    let (before, seen_before) = (cpu_by_thread(), null_encoder::seen());
    thread::sleep(Duration::from_secs(seconds));
    let (after, seen) = (cpu_by_thread(), null_encoder::seen());
    let used = |(id, (name, ns)): (&String, &(String, u64))| {
        let already_ns = before.get(id).map_or(0, |(_, ns)| *ns);
        (name.clone(), ns.saturating_sub(already_ns) as f64 / 1e3)
    };
    let threads: Vec<(String, f64)> = after.iter().map(used).collect();
    let ours =
        |name: &str| name == "capture-mixer" || !OTHERS.iter().any(|other| name.starts_with(other));
    Cost {
        cpu_us: threads.iter().filter(|(name, _)| ours(name)).map(|(_, us)| us).sum(),
        frames: seen.0 - seen_before.0,
        originals: seen.1 - seen_before.1,
        threads,
    }
}

/// Name and CPU time of each thread of this process, by its number.
fn cpu_by_thread() -> HashMap<String, (String, u64)> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux has it");
    let thread = |entry: fs::DirEntry| {
        let read = |file| fs::read_to_string(entry.path().join(file)).ok();
        let used = read("schedstat")?;
        let ns = used.split(' ').next()?.parse().ok()?;
        let id = entry.file_name().to_string_lossy().into_owned();
        Some((id, (read("comm")?.trim().to_owned(), ns)))
    };
    tasks.flatten().filter_map(thread).collect()
}

/// Compares all of them.
pub fn compare(runs: usize, seconds: u64, goals: &mut Goals) {
    println!(
        "\nThe way from the camera to an encoder that costs nothing, {FPS} frames a second: CPU time \
         of every thread between them;\nmedian (least-most) of {runs} runs of {seconds} s each, in \
         turn. Straight: a line for gst-launch without matrix and scaling; converted: to I420, BT.709"
    );
    for (width, height) in SIZES {
        for format in FORMATS {
            let mode = Mode { format, width, height };
            let mut costs: HashMap<&str, Vec<Cost>> = HashMap::new();
            for round in 0..runs {
                let mut ways = Way::ALL;
                ways.rotate_left(round % Way::ALL.len());
                for way in ways {
                    costs.entry(way.name()).or_default().push(measure(way, mode, seconds));
                }
            }
            let title = format!("{} {height}p", format.name());
            line(&[&title, "CPU us/frame", "x straight", "frames", "uncopied"]);
            let us = |way: Way| Spread::of(costs[way.name()].iter().map(Cost::us_per_frame));
            let straight = us(Way::Straight).median;
            for way in Way::ALL {
                let of =
                    |value: fn(&Cost) -> u64| -> u64 { costs[way.name()].iter().map(value).sum() };
                let (frames, originals) = (of(|cost| cost.frames), of(|cost| cost.originals));
                line(&[
                    way.name(),
                    &us(way).to_string(),
                    &format!("{:.3}", us(way).median / straight),
                    &frames.to_string(),
                    &originals.to_string(),
                ]);
            }
            if std::env::var_os("FIRSTMILE_BENCH_THREADS").is_some() {
                for way in Way::ALL {
                    println!("{}: {:?}", way.name(), costs[way.name()][0].threads);
                }
            }
            set_goals(goals, &title, format, &costs);
        }
    }
}

fn set_goals(goals: &mut Goals, title: &str, format: Format, costs: &HashMap<&str, Vec<Cost>>) {
    let us = |way: Way| Spread::of(costs[way.name()].iter().map(Cost::us_per_frame)).median;
    let (straight, converted, ours) = (us(Way::Straight), us(Way::Converted), us(Way::Ours));
    if format == Format::Nv12 {
        let added = (ours - straight) / (converted - straight);
        goals.at_most(&format!("{title}: what ours adds, of what converting adds"), added, 0.02);
        let copied: u64 = costs[Way::Ours.name()].iter().map(|c| c.frames - c.originals).sum();
        goals.at_most(&format!("{title}: copied frames"), copied as f64, 0.0);
    } else {
        goals.at_most(
            &format!("{title}: CPU of ours, of the straight line's"),
            ours / straight,
            1.05,
        );
    }
}

/// Runs a way in a process of its own.
fn measure(way: Way, mode: Mode, seconds: u64) -> Cost {
    let myself = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(myself);
    command.args(way_arguments(way, mode)).args(["--seconds", &seconds.to_string()]);
    let output = command.stderr(Stdio::inherit()).output().expect("runs");
    assert!(output.status.success(), "{}: {}", way.name(), output.status);
    serde_json::from_slice(&output.stdout).expect("written by this program")
}
