//! What the way from the camera to the encoder costs: frames of a camera, an encoder that costs
//! nothing, and the CPU time of every thread between them.
//!
//! What counts is a further frame: each way runs at two rates, and the difference is what the frames
//! cost that one has and the other has not. What goes on at any rate is not in it: the product has audio
//! beside the video, which the lines have not, and looks now and then whether a frame is overdue.
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
/// Frames a second of the two runs whose difference counts.
const RATES: [u32; 2] = [FPS, 2 * FPS];
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
    /// How often one of the threads was woken.
    wakes: u64,
    /// CPU time and wake-ups by thread.
    threads: Vec<(String, f64, u64)>,
}

/// The same way at the lower and at the higher rate.
struct Pair([Cost; 2]);

impl Pair {
    fn per_further_frame(&self, of: impl Fn(&Cost) -> f64) -> f64 {
        let [fewer, more] = &self.0;
        (of(more) - of(fewer)) / (more.frames as f64 - fewer.frames as f64)
    }

    fn us(&self) -> f64 {
        self.per_further_frame(|cost| cost.cpu_us)
    }

    /// At the lower rate, with all that goes on besides.
    fn us_with_all(&self) -> f64 {
        self.0[0].cpu_us / self.0[0].frames as f64
    }
}

/// The pairs of each way.
struct Pairs(Vec<(Way, Pair)>);

impl Pairs {
    fn of(&self, way: Way, figure: impl Fn(&Pair) -> f64) -> Spread {
        Spread::of(self.0.iter().filter(|(of, _)| *of == way).map(|(_, pair)| figure(pair)))
    }

    fn sum(&self, way: Way, figure: fn(&Cost) -> u64) -> u64 {
        let of_way = self.0.iter().filter(|(of, _)| *of == way);
        of_way.flat_map(|(_, pair)| &pair.0).map(figure).sum()
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
    (request.video.width, request.video.height, request.video.fps) =
        (mode.width, mode.height, mode.fps);
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
    let (before, seen_before) = (used_by_thread(), null_encoder::seen());
    thread::sleep(Duration::from_secs(seconds));
    let (after, seen) = (used_by_thread(), null_encoder::seen());
    let used = |(id, (name, ns, wakes)): (&String, &(String, u64, u64))| {
        let (already_ns, already) = before.get(id).map_or((0, 0), |(_, ns, wakes)| (*ns, *wakes));
        let us = ns.saturating_sub(already_ns) as f64 / 1e3;
        (name.clone(), us, wakes.saturating_sub(already))
    };
    let threads: Vec<(String, f64, u64)> = after.iter().map(used).collect();
    let ours = || {
        let others = |name: &str| OTHERS.iter().any(|other| name.starts_with(other));
        threads.iter().filter(move |(name, ..)| name == "capture-mixer" || !others(name))
    };
    Cost {
        cpu_us: ours().map(|(_, us, _)| us).sum(),
        wakes: ours().map(|(.., wakes)| wakes).sum(),
        frames: seen.0 - seen_before.0,
        originals: seen.1 - seen_before.1,
        threads,
    }
}

/// Name, CPU time and wake-ups of each thread of this process, by its number.
fn used_by_thread() -> HashMap<String, (String, u64, u64)> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux has it");
    let thread = |entry: fs::DirEntry| {
        let read = |file| fs::read_to_string(entry.path().join(file)).ok();
        let used = read("schedstat")?;
        let ns = used.split(' ').next()?.parse().ok()?;
        let id = entry.file_name().to_string_lossy().into_owned();
        let status = read("status")?;
        let wakes =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        Some((id, (read("comm")?.trim().to_owned(), ns, wakes.trim().parse().ok()?)))
    };
    tasks.flatten().filter_map(thread).collect()
}

/// Compares all of them.
pub fn compare(runs: usize, seconds: u64, goals: &mut Goals) {
    println!(
        "\nThe way from the camera to an encoder that costs nothing: CPU time and wake-ups of every \
         thread between them, for each\nframe that {} frames a second are more than {}, which leaves \
         out what goes on without frames, like audio; and CPU time at {},\nwith all of that. Median \
         (least-most) of {runs} runs of {seconds} s each, in turn. Straight: a line for gst-launch \
         without matrix\nand scaling; converted: to I420, BT.709",
        RATES[1], RATES[0], RATES[0]
    );
    for (width, height) in SIZES {
        for format in FORMATS {
            let mode = |fps| Mode { format, width, height, fps };
            let mut pairs = Pairs(Vec::new());
            for round in 0..runs {
                let mut ways = Way::ALL;
                ways.rotate_left(round % Way::ALL.len());
                for way in ways {
                    let pair = Pair(RATES.map(|fps| measure(way, mode(fps), seconds)));
                    pairs.0.push((way, pair));
                }
            }
            let title = format!("{} {height}p", format.name());
            line(&[&title, "CPU us/frame", "x straight", "wake-ups/frame", "with all", "uncopied"]);
            let straight = pairs.of(Way::Straight, Pair::us).median;
            for way in Way::ALL {
                let us = pairs.of(way, Pair::us);
                let wakes = pairs.of(way, |pair| pair.per_further_frame(|cost| cost.wakes as f64));
                let frames = pairs.sum(way, |cost| cost.frames);
                let originals = pairs.sum(way, |cost| cost.originals);
                line(&[
                    way.name(),
                    &us.to_string(),
                    &format!("{:.3}", us.median / straight),
                    &wakes.to_string(),
                    &pairs.of(way, Pair::us_with_all).to_string(),
                    &format!("{originals} of {frames}"),
                ]);
            }
            if std::env::var_os("FIRSTMILE_BENCH_THREADS").is_some() {
                for (way, pair) in pairs.0.iter().take(Way::ALL.len()) {
                    for cost in &pair.0 {
                        println!("{}: {} frames, {:?}", way.name(), cost.frames, cost.threads);
                    }
                }
            }
            set_goals(goals, &title, format, &pairs);
        }
    }
}

fn set_goals(goals: &mut Goals, title: &str, format: Format, pairs: &Pairs) {
    let [straight, converted, ours] = Way::ALL.map(|way| pairs.of(way, Pair::us).median);
    if format == Format::Nv12 {
        let added = (ours - straight) / (converted - straight);
        goals.at_most(&format!("{title}: what ours adds, of what converting adds"), added, 0.02);
        let copied =
            pairs.sum(Way::Ours, |cost| cost.frames) - pairs.sum(Way::Ours, |cost| cost.originals);
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
