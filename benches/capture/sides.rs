//! The two sides: each runs in a process of its own and reports on the counted seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use firstmile::capture::{Capture, CaptureStats};
use firstmile::media::{FanOut, Frame, Track};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use nix::sys::resource::{UsageWho, getrusage};
use stats_alloc::Region;

use super::report::Report;
use super::{ALLOCATOR, camera, encoders};

/// Until the encoders' rate control and all queues have settled.
const SETTLING: Duration = Duration::from_secs(4);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Side {
    Straight,
    Ours,
}

impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Side::Straight => "straight",
            Side::Ours => "ours",
        }
    }

    pub fn run(self, seconds: u64) -> Report {
        camera::register(encoders::MODE);
        match self {
            Side::Straight => straight(seconds),
            Side::Ours => ours(seconds),
        }
    }
}

/// An access unit that came out.
struct Out {
    track: Track,
    running_ns: u64,
    bytes: usize,
    at: Instant,
}

/// All of them.
#[derive(Clone)]
struct Outs(Arc<Mutex<Vec<Out>>>);

impl Outs {
    fn new() -> Outs {
        Outs(Arc::new(Mutex::new(Vec::with_capacity(16_384))))
    }

    fn note(&self, track: Track, running_ns: u64, bytes: usize) {
        let out = Out { track, running_ns, bytes, at: Instant::now() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(out);
    }

    /// Lets it run, and reports on that many seconds.
    fn watch(&self, seconds: u64, stats: impl Fn() -> CaptureStats) -> Report {
        thread::sleep(SETTLING);
        let (began, cpu_us, stats_before) = (Instant::now(), cpu_us(), stats());
        let region = Region::new(ALLOCATOR);
        thread::sleep(Duration::from_secs(seconds));
        let allocated = region.change();
        let (ended, cpu_us, stats) = (Instant::now(), self::cpu_us() - cpu_us, stats());
        let outs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted: Vec<&Out> =
            outs.iter().filter(|out| out.at >= began && out.at < ended).collect();
        let frames = || counted.iter().filter(|out| out.track == Track::Video);
        let mut delays_us: Vec<u64> = frames()
            .filter_map(|out| out.at.checked_duration_since(camera::handed_out(out.running_ns)?))
            .map(|delay| delay.as_micros() as u64)
            .collect();
        delays_us.sort_unstable();
        Report {
            cpu_us,
            frames: frames().count() as u64,
            delays_us,
            units: counted.len() as u64,
            unit_bytes: counted.iter().map(|out| out.bytes as u64).sum(),
            allocations: (allocated.allocations + allocated.reallocations) as u64,
            allocated_bytes: allocated.bytes_allocated as u64,
            repeated: stats.frames_repeated - stats_before.frames_repeated,
            skipped: stats.frames_skipped - stats_before.frames_skipped,
        }
    }
}

/// The product, with a destination's queue behind it that somebody empties.
fn ours(seconds: u64) -> Report {
    let outs = Outs::new();
    let (fan_out, noted) = (FanOut::new(), outs.clone());
    let reader = fan_out.subscribe();
    reader.set_connected(true);
    let sink = move |frame: Frame| {
        let (track, pts_ns, bytes) = (frame.track(), frame.pts_ns, frame.payload.len());
        fan_out.publish(frame);
        noted.note(track, pts_ns, bytes);
        while reader.try_pop().is_some() {}
    };
    let print = |event| eprintln!("{event:?}");
    let capture = Capture::start(encoders::request(), Arc::new(sink), print).expect("starts");
    let report = outs.watch(seconds, || capture.stats());
    capture.stop();
    report
}

/// What `gst-launch-1.0` would run.
fn straight(seconds: u64) -> Report {
    let outs = Outs::new();
    let pipeline = gst::parse::launch(&encoders::straight()).expect("a pipeline");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    for (name, track) in [("video_out", Track::Video), ("audio_out", Track::Audio)] {
        let sink = pipeline.by_name(name).expect("a sink");
        let sink = sink.downcast::<gst_app::AppSink>().expect("an appsink");
        let outs = outs.clone();
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let segment = sample.segment().and_then(|s| s.downcast_ref::<gst::ClockTime>());
            let buffer = sample.buffer().ok_or(gst::FlowError::Error)?;
            let running = segment.zip(buffer.pts()).and_then(|(s, pts)| s.to_running_time(pts));
            outs.note(track, running.map_or(0, gst::ClockTime::nseconds), buffer.size());
            Ok(gst::FlowSuccess::Ok)
        });
        sink.set_callbacks(callbacks.build());
    }
    pipeline.set_state(gst::State::Playing).expect("plays");
    let report = outs.watch(seconds, CaptureStats::default);
    pipeline.set_state(gst::State::Null).expect("stops");
    report
}

/// CPU time of this process so far.
fn cpu_us() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_SELF).expect("Linux has it");
    let us = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64;
    us(used.user_time()) + us(used.system_time())
}
