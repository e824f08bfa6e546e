//! A camera that costs nearly nothing: it delivers frames that were made before, at their rate,
//! and remembers when.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app as gst_app;

/// Its name in `gst-launch` notation.
pub const ELEMENT: &str = "benchcamera";
/// Frames a second, as a rule.
pub const FPS: u32 = 30;

/// The name of its thread.
pub const THREAD: &str = "bench-camera";

/// What it delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    pub format: Format,
    pub width: u32,
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
}

impl Mode {
    fn interval_ns(self) -> u64 {
        1_000_000_000 / u64::from(self.fps)
    }
}

/// As cameras do: raw frames in BT.601, or JPEGs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Nv12,
    Yuy2,
    Jpeg,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Format::Nv12 => "nv12",
            Format::Yuy2 => "yuy2",
            Format::Jpeg => "jpeg",
        }
    }
}

/// When a frame was delivered.
#[derive(Debug, Clone, Copy)]
struct Shot {
    running_ns: u64,
    at: Instant,
}

static MODE: OnceLock<Mode> = OnceLock::new();
static SHOTS: Mutex<Vec<Shot>> = Mutex::new(Vec::new());
static FRAMES: LazyLock<Vec<gst::Buffer>> = LazyLock::new(|| frames(mode()));
static MEMORY: LazyLock<HashSet<usize>> =
    LazyLock::new(|| FRAMES.iter().map(|frame| memory_of(frame)).collect());

fn mode() -> Mode {
    *MODE.get().expect("is registered")
}

/// Makes it known to GStreamer, and its frames.
pub fn register(mode: Mode) {
    gst::init().expect("GStreamer");
    MODE.set(mode).expect("once");
    SHOTS.lock().unwrap_or_else(PoisonError::into_inner).reserve(8_192);
    LazyLock::force(&MEMORY);
    gst::Element::register(None, ELEMENT, gst::Rank::NONE, Camera::static_type()).expect("is new");
}

/// Where a frame lies in memory.
fn memory_of(frame: &gst::BufferRef) -> usize {
    frame.map_readable().expect("readable").as_ptr() as usize
}

/// Whether it lies where the camera has put it, so that nobody has copied or converted it.
pub fn is_original(frame: &gst::BufferRef) -> bool {
    MEMORY.contains(&memory_of(frame))
}

/// When the frame next to that running time was delivered. The product gives frames times of
/// its own, which are at most half an interval away.
pub fn handed_out(running_ns: u64) -> Option<Instant> {
    let shots = SHOTS.lock().unwrap_or_else(PoisonError::into_inner);
    let after = shots.partition_point(|shot| shot.running_ns < running_ns);
    let around = shots.get(after.saturating_sub(1)..shots.len().min(after + 1))?;
    let away = |shot: &&Shot| shot.running_ns.abs_diff(running_ns);
    let shot = around.iter().min_by_key(away)?;
    (away(&shot) <= mode().interval_ns() / 2 + 1).then_some(shot.at)
}

glib::wrapper! {
    pub struct Camera(ObjectSubclass<imp::Camera>) @extends gst::Bin, gst::Element, gst::Object, @implements gst::ChildProxy;
}

mod imp {
    use std::sync::LazyLock;

    use gst::subclass::prelude::*;
    use gstreamer_app as gst_app;

    use super::{glib, gst, gst::prelude::*, take};

    /// A bin around an appsrc, so that a pipeline that is described by text can have it.
    #[derive(Default)]
    pub struct Camera;

    #[glib::object_subclass]
    impl ObjectSubclass for Camera {
        const NAME: &'static str = "BenchCamera";
        type Type = super::Camera;
        type ParentType = gst::Bin;
    }

    impl ObjectImpl for Camera {
        fn constructed(&self) {
            self.parent_constructed();
            let caps = super::caps(super::mode());
            let source = gst_app::AppSrc::builder();
            let source = source.format(gst::Format::Time).is_live(true).max_bytes(0).caps(&caps);
            let source = source.build();
            self.obj().add(&source).expect("is new");
            let inner = source.static_pad("src").expect("an appsrc has one");
            let pad = gst::GhostPad::with_target(&inner).expect("is free");
            self.obj().add_pad(&pad).expect("is new");
            let source = source.downgrade();
            let thread = std::thread::Builder::new().name(super::THREAD.to_owned());
            thread.spawn(move || take(&source)).expect("a thread");
        }
    }

    impl GstObjectImpl for Camera {}

    impl ElementImpl for Camera {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new("Camera", "Source/Video", "Frames", "-")
            });
            Some(&METADATA)
        }
    }

    impl BinImpl for Camera {}
}

pub fn caps(mode: Mode) -> gst::Caps {
    let Mode { format, width, height, fps } = mode;
    let size = format!("width={width}, height={height}, framerate={fps}/1, pixel-aspect-ratio=1/1");
    let raw = |layout| {
        format!(
            "video/x-raw, format={layout}, {size}, interlace-mode=progressive, colorimetry=bt601"
        )
    };
    let text = match format {
        Format::Nv12 => raw("NV12"),
        Format::Yuy2 => raw("YUY2"),
        Format::Jpeg => format!("image/jpeg, {size}"),
    };
    text.parse().expect("caps")
}

/// Takes frames until the pipeline stops.
fn take(source: &glib::WeakRef<gst_app::AppSrc>) {
    let started = loop {
        let Some(source) = source.upgrade() else { return };
        if let Some(now) = source.current_running_time() {
            break (now.nseconds(), Instant::now());
        }
        thread::sleep(Duration::from_millis(5));
    };
    let mode = mode();
    for (number, frame) in (0..).zip(FRAMES.iter().cycle()) {
        let after_ns = number * 1_000_000_000 / u64::from(mode.fps);
        let due = started.1 + Duration::from_nanos(after_ns);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let Some(source) = source.upgrade() else { return };
        let mut frame = frame.copy();
        let running_ns = started.0 + after_ns;
        let times = frame.make_mut();
        times.set_pts(gst::ClockTime::from_nseconds(running_ns));
        times.set_duration(gst::ClockTime::from_nseconds(mode.interval_ns()));
        let shot = Shot { running_ns, at: Instant::now() };
        SHOTS.lock().unwrap_or_else(PoisonError::into_inner).push(shot);
        if source.push_buffer(frame).is_err() {
            return;
        }
    }
}

/// Thirty frames that join up when repeated: slanting bars that wander, with a camera's noise.
pub fn frames(mode: Mode) -> Vec<gst::Buffer> {
    let Mode { format, width, height, .. } = mode;
    let mut random = fastrand::Rng::with_seed(1);
    let mut luma = |number: u32| -> Vec<u8> {
        let shift = number * width / FPS;
        let row = |y: u32, random: &mut fastrand::Rng| -> Vec<u8> {
            let bar = |x: u32| (x + y / 2 + shift) % width / 80;
            (0..width).map(|x| (60 + bar(x) * 6) as u8 + random.u8(..8)).collect()
        };
        (0..height).flat_map(|y| row(y, &mut random)).collect()
    };
    let frames = (0..FPS).map(|number| {
        let luma = luma(number);
        match format {
            Format::Nv12 => {
                let chroma = [110, 140].repeat(luma.len() / 4);
                [luma, chroma].concat()
            }
            Format::Yuy2 => luma.chunks(2).flat_map(|y| [y[0], 110, y[1], 140]).collect(),
            Format::Jpeg => {
                let cb = vec![110; luma.len() / 4];
                let cr = vec![140; luma.len() / 4];
                [luma, cb, cr].concat()
            }
        }
    });
    let frames = frames.map(gst::Buffer::from_slice);
    if format == Format::Jpeg { jpegs(mode, frames) } else { frames.collect() }
}

fn jpegs(mode: Mode, frames: impl Iterator<Item = gst::Buffer>) -> Vec<gst::Buffer> {
    let Mode { width, height, .. } = mode;
    let text = format!(
        "appsrc name=in format=time max-bytes=0 caps=\"video/x-raw, format=I420, width={width}, \
         height={height}, framerate={FPS}/1\" ! jpegenc ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&text).expect("a pipeline");
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let named = |name| pipeline.by_name(name).expect("is there");
    let source = named("in").downcast::<gst_app::AppSrc>().expect("an appsrc");
    let sink = named("out").downcast::<gst_app::AppSink>().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("plays");
    for frame in frames {
        source.push_buffer(frame).expect("takes it");
    }
    source.end_of_stream().expect("ends");
    let jpegs = std::iter::from_fn(|| sink.pull_sample().ok()?.buffer_owned()).collect();
    pipeline.set_state(gst::State::Null).expect("stops");
    jpegs
}
