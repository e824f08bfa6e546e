//! A camera that costs nearly nothing: it delivers frames that were made before, at their rate,
//! and remembers when.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gstreamer::{self as gst, glib, prelude::*};
use gstreamer_app as gst_app;

/// Its name in `gst-launch` notation.
pub const ELEMENT: &str = "benchcamera";
/// Width, height, frames a second.
pub const MODE: (u32, u32, u32) = (1_280, 720, 30);

const INTERVAL_NS: u64 = 1_000_000_000 / MODE.2 as u64;

/// When a frame was delivered.
#[derive(Debug, Clone, Copy)]
struct Shot {
    running_ns: u64,
    at: Instant,
}

static SHOTS: Mutex<Vec<Shot>> = Mutex::new(Vec::new());
static FRAMES: LazyLock<Vec<gst::Buffer>> = LazyLock::new(frames);

/// Makes it known to GStreamer, and its frames.
pub fn register() {
    gst::init().expect("GStreamer");
    SHOTS.lock().unwrap_or_else(PoisonError::into_inner).reserve(8_192);
    LazyLock::force(&FRAMES);
    gst::Element::register(None, ELEMENT, gst::Rank::NONE, Camera::static_type()).expect("is new");
}

/// When the frame next to that running time was delivered. The product gives frames times of
/// its own, which are at most half an interval away.
pub fn handed_out(running_ns: u64) -> Option<Instant> {
    let shots = SHOTS.lock().unwrap_or_else(PoisonError::into_inner);
    let after = shots.partition_point(|shot| shot.running_ns < running_ns);
    let around = shots.get(after.saturating_sub(1)..shots.len().min(after + 1))?;
    let away = |shot: &&Shot| shot.running_ns.abs_diff(running_ns);
    let shot = around.iter().min_by_key(away)?;
    (away(&shot) <= INTERVAL_NS / 2 + 1).then_some(shot.at)
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
            let caps = super::caps();
            let source = gst_app::AppSrc::builder();
            let source = source.format(gst::Format::Time).is_live(true).max_bytes(0).caps(&caps);
            let source = source.build();
            self.obj().add(&source).expect("is new");
            let inner = source.static_pad("src").expect("an appsrc has one");
            let pad = gst::GhostPad::with_target(&inner).expect("is free");
            self.obj().add_pad(&pad).expect("is new");
            let source = source.downgrade();
            std::thread::spawn(move || take(&source));
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

fn caps() -> gst::Caps {
    let (width, height, fps) = MODE;
    let text = format!(
        "video/x-raw, format=I420, width={width}, height={height}, framerate={fps}/1, \
         pixel-aspect-ratio=1/1, interlace-mode=progressive, colorimetry=bt709"
    );
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
    for (number, frame) in (0..).zip(FRAMES.iter().cycle()) {
        let after_ns = number * 1_000_000_000 / u64::from(MODE.2);
        let due = started.1 + Duration::from_nanos(after_ns);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let Some(source) = source.upgrade() else { return };
        let mut frame = frame.copy();
        let running_ns = started.0 + after_ns;
        let times = frame.make_mut();
        times.set_pts(gst::ClockTime::from_nseconds(running_ns));
        times.set_duration(gst::ClockTime::from_nseconds(INTERVAL_NS));
        let shot = Shot { running_ns, at: Instant::now() };
        SHOTS.lock().unwrap_or_else(PoisonError::into_inner).push(shot);
        if source.push_buffer(frame).is_err() {
            return;
        }
    }
}

/// A second of frames that join up when repeated: slanting bars that wander, with a camera's noise.
fn frames() -> Vec<gst::Buffer> {
    let (width, height, count) = MODE;
    let mut random = fastrand::Rng::with_seed(1);
    let mut frame = |number: u32| {
        let mut bytes = Vec::with_capacity((width * height * 3 / 2) as usize);
        let shift = number * width / count;
        for y in 0..height {
            bytes.extend((0..width).map(|x| {
                let bar = (x + y / 2 + shift) % width / 80;
                (60 + bar * 8) as u8 + random.u8(..8)
            }));
        }
        let luma = (width * height) as usize;
        bytes.resize(luma + luma / 4, 110);
        bytes.resize(luma + luma / 2, 140);
        gst::Buffer::from_slice(bytes)
    };
    (0..count).map(&mut frame).collect()
}
