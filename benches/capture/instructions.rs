//! How many instructions a frame takes from the camera to the end of its source's pipeline: of this
//! machine counted by callgrind, of 64-bit ARM by QEMU. No neighbour on the machine and no clock has a
//! part in it.
//!
//! What comes behind that pipeline in the product, the choice of a frame for each instant, is not in
//! these numbers; the CPU time of the way has it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use firstmile::capture::{
    SourceElements, SourceSpec, WantedFrames, jpeg_decoder, source_pipeline, video_encoder_layouts,
};
use gstreamer::{self as gst, prelude::*};

use super::camera::{self, FPS, Format, Mode};
use super::goals::{Goals, line};
use super::path::{FORMATS, SIZES, Way, elements, request};

/// What a run of more frames takes beyond a run of fewer is what those frames take.
const FEWER: u64 = 10;
const MORE: u64 = 30;
/// Whose layouts of frames are wanted.
const SOFTWARE_ENCODER: &str = "x264enc";

/// Be the process that is counted: plays so many frames as fast as they are taken.
pub fn play(way: Way, mode: Mode, frame: &Path, frames: u64) {
    gst::init().expect("GStreamer");
    let source = format!(
        "multifilesrc location=\"{}\" loop=true num-buffers={frames} caps=\"{}\"",
        frame.display(),
        camera::caps(mode)
    );
    let text = match way {
        Way::Ours => {
            let spec = SourceSpec::CameraLaunch(source);
            let request = request(mode);
            let layouts = video_encoder_layouts(SOFTWARE_ENCODER).to_vec();
            let wanted = WantedFrames::OneOf(layouts);
            let decoder = jpeg_decoder("jpegdec").expect("known");
            let text = source_pipeline(
                &spec,
                &SourceElements::in_software(decoder),
                &request.video,
                &wanted,
                &request.audio,
            );
            let text = text.to_string();
            let sink = text.rfind("! appsink").expect("it ends in a sink");
            // What nobody takes must not stop those behind it, and a full queue must not drop.
            format!("{}! fakesink", &text[..sink]).replace("leaky=downstream", "leaky=no")
        }
        _ => format!("{source} {}! queue ! fakesink", elements(way, mode)),
    };
    let pipeline = gst::parse::launch(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    pipeline.set_state(gst::State::Playing).expect("plays");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let bus = pipeline.bus().expect("a bus");
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(300), &ends);
    pipeline.set_state(gst::State::Null).expect("stops");
    assert_eq!(end.as_ref().map(|m| m.type_()), Some(gst::MessageType::Eos), "{end:?}: {text}");
}

/// Compares all of them: of this program, or of its ARM build.
pub fn compare(emulated: Option<&Path>, goals: &mut Goals) {
    if emulated.is_none() && Command::new("valgrind").arg("--version").output().is_err() {
        println!("\nInstructions are not counted: valgrind is not installed");
        return;
    }
    let counter = emulated.map_or("by callgrind", |_| "of 64-bit ARM, by QEMU");
    println!(
        "\nInstructions of a frame from the camera to the end of its source's pipeline, in thousands, \
         {counter}"
    );
    line(&["", "straight", "converted", "ours", "ours x straight"]);
    for (width, height) in SIZES {
        for format in FORMATS {
            let mode = Mode { format, width, height, fps: FPS };
            let file = frame_file(mode);
            let [straight, converted, ours] =
                Way::ALL.map(|way| thousands(emulated, way, mode, &file));
            fs::remove_file(&file).expect("ours");
            let title = format!("{} {height}p", format.name());
            let cells = [straight, converted, ours].map(|count| format!("{count:.1}"));
            let ratio = format!("{:.3}", ours / straight);
            line(&[&title, &cells[0], &cells[1], &cells[2], &ratio]);
            if format == Format::Nv12 {
                let what = format!("{title}: instructions of ours, of those that converting takes");
                goals.at_most(&what, ours / converted, 0.02);
            } else {
                let what = format!("{title}: instructions of ours, of the straight line's");
                goals.at_most(&what, ours / straight, 1.05);
            }
        }
    }
}

fn frame_file(mode: Mode) -> PathBuf {
    let name = format!("firstmile-{}-{}-{}", std::process::id(), mode.format.name(), mode.height);
    let path = env::temp_dir().join(name);
    gst::init().expect("GStreamer");
    let frame = camera::frames(mode).swap_remove(0);
    fs::write(&path, frame.map_readable().expect("readable")).expect("writes");
    path
}

fn thousands(emulated: Option<&Path>, way: Way, mode: Mode, frame: &Path) -> f64 {
    let [fewer, more] = [FEWER, MORE].map(|frames| counted(emulated, way, mode, frame, frames));
    more.saturating_sub(fewer) as f64 / (MORE - FEWER) as f64 / 1e3
}

fn counted(emulated: Option<&Path>, way: Way, mode: Mode, frame: &Path, frames: u64) -> u64 {
    let (mut command, before_count) = match emulated {
        Some(program) => {
            let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/cross"));
            command.arg("count").arg(program);
            (command, "instructions: ")
        }
        None => {
            let mut command = Command::new("valgrind");
            command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
            command.arg(env::current_exe().expect("this program has a path"));
            (command, "Collected : ")
        }
    };
    command.args(way_arguments(way, mode)).arg("--frame").arg(frame);
    let output = command.args(["--frames", &frames.to_string()]).output().expect("runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {message}", way.name());
    let count = message.lines().find_map(|line| line.split_once(before_count));
    count.and_then(|(_, count)| count.trim().parse().ok()).unwrap_or_else(|| panic!("{message}"))
}

/// What tells a process of this program which way it is.
pub fn way_arguments(way: Way, mode: Mode) -> Vec<String> {
    let (format, fps) = (mode.format.name().to_owned(), mode.fps.to_string());
    let (width, height) = (mode.width.to_string(), mode.height.to_string());
    let named = [("way", way.name().to_owned()), ("format", format), ("fps", fps)];
    let named = named.into_iter().chain([("width", width), ("height", height)]);
    named.flat_map(|(name, value)| [format!("--{name}"), value]).collect()
}
