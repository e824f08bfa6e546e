//! An H.264 encoder that runs: a pipeline of its own, so that it can be restarted while the audio
//! and the connections go on.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use gstreamer_video::{self as gst_video, VideoFormat};

use super::{
    access_units::{Input, TrackOutput},
    description,
    encoders::{ForceKey, VideoEncoderSpec, fill_in},
    import::Import,
    orders::{Order, Orders},
};
use crate::{
    capture::{
        error::CaptureError,
        frame_format::FrameFormat,
        gst::{
            build::Running,
            bus::{self, BusEvent, Failure},
            caps,
            clock::MediaClock,
        },
        request::VideoSettings,
        stats::Counters,
    },
    limits::{CAPTURE_DRIVER_TIMEOUT, CAPTURE_FRAMES_WAITING_MAX},
};

/// What every H.264 encoder of a capture is set up with.
#[derive(Debug, Clone)]
pub struct VideoEncoderSetup {
    pub video: VideoSettings,
    /// The form of the frames, which stays the same when another encoder replaces this one.
    pub frames: FrameFormat,
    /// The encoder that was tried, and the layouts that it takes.
    pub tried: (&'static str, Vec<VideoFormat>),
    /// It reads frames where they lie, and takes no others.
    pub imports: bool,
    pub clock: MediaClock,
    pub output: TrackOutput,
    pub counters: Arc<Counters>,
}

impl VideoEncoderSetup {
    /// The layouts that an encoder takes, as far as that is known.
    fn layouts<'a>(&'a self, spec: &'a VideoEncoderSpec) -> &'a [VideoFormat] {
        let (element, layouts) = &self.tried;
        if *element == spec.element { layouts } else { spec.takes }
    }
}

/// A running H.264 encoder. Dropping it closes its device, which may hang in the driver.
#[derive(Debug)]
pub struct VideoEncoder {
    running: Running,
    frames: gst_app::AppSrc,
    orders: Orders,
    spec: &'static VideoEncoderSpec,
    failure: Failure,
    output: TrackOutput,
    input: Input,
    importing: Option<Importing>,
}

/// The way of its frames while an encoder reads them where they lie.
#[derive(Debug)]
struct Importing {
    import: Import,
    /// The form of the frames.
    info: gst_video::VideoInfo,
    /// There was a frame that it cannot read so.
    is_over: AtomicBool,
}

impl Importing {
    fn new(import: Import, setup: &VideoEncoderSetup) -> Result<Importing, CaptureError> {
        let info = gst::Caps::from_str(&caps::raw_video(&setup.video, setup.frames))
            .and_then(|caps| gst_video::VideoInfo::from_caps(&caps))
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        Ok(Importing { import, info, is_over: AtomicBool::new(false) })
    }

    /// Whether the encoder is given this frame. After one that it cannot read it is given none: they
    /// would go on behind a gap.
    fn admits(&self, frame: &gst::BufferRef) -> bool {
        if !self.import.takes(frame, &self.info) {
            self.is_over.store(true, Ordering::Relaxed);
        }
        !self.is_over.load(Ordering::Relaxed)
    }
}

impl VideoEncoder {
    /// Builds and starts it. Its access units are dropped until [`VideoEncoder::go_on_air`].
    pub fn start(
        spec: &'static VideoEncoderSpec,
        setup: &VideoEncoderSetup,
    ) -> Result<VideoEncoder, CaptureError> {
        let layouts = setup.layouts(spec);
        let import = spec.imports.filter(|_| setup.imports);
        let importing = import.map(|import| Importing::new(import, setup)).transpose()?;
        let (video, frames) = (&setup.video, setup.frames);
        let description =
            description::video_pipeline(spec, layouts, video, frames, import.as_ref());
        let running = Running::build(&description)?;
        let failure = Failure::default();
        let noted = failure.clone();
        bus::listen(running.pipeline(), move |event| match event {
            BusEvent::Error { message } => noted.note(message),
            BusEvent::Ended => noted.note("it ended by itself".to_owned()),
        });
        let out: gst_app::AppSink = running.element(description::VIDEO_OUT)?;
        let clock = setup.clock.clone();
        let input = setup.output.connect(&out, move || clock.now_ns());
        let element: gst::Element = running.element(description::VIDEO_ENCODER)?;
        let counters = Arc::clone(&setup.counters);
        let done = move |order| {
            if let Order::Bitrate(kbps) = order {
                counters.set_bitrate_kbps(kbps);
            }
        };
        let orders = Orders::start(move |order| carry_out(order, spec, &element, &out), done)
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        let encoder = VideoEncoder {
            frames: running.element(description::VIDEO_IN)?,
            orders,
            running,
            spec,
            failure,
            output: setup.output.clone(),
            input,
            importing,
        };
        setup.clock.drive(encoder.running.pipeline());
        let started = encoder.running.play();
        started.map_err(|error| match encoder.take_failure() {
            Some(message) => CaptureError::Gstreamer(message),
            None => error,
        })?;
        Ok(encoder)
    }

    /// Its entry in the table of encoders.
    pub fn spec(&self) -> &'static VideoEncoderSpec {
        self.spec
    }

    #[cfg(test)]
    pub fn element(&self) -> Option<gst::Element> {
        self.running.optional_element(description::VIDEO_ENCODER)
    }

    /// Why it failed, if it did; reported once.
    pub fn take_failure(&self) -> Option<String> {
        let hangs = self.orders.at_work_for() > CAPTURE_DRIVER_TIMEOUT;
        let hangs = hangs.then(|| format!("the driver of {} does not respond", self.spec.element));
        self.failure.take().or(hangs)
    }

    /// Whether it reads frames where they lie.
    pub fn is_importing(&self) -> bool {
        self.importing.is_some()
    }

    /// Whether it has got a frame that it cannot read where it lies. Another encoder must go on.
    pub fn has_to_copy(&self) -> bool {
        self.importing.as_ref().is_some_and(|importing| importing.is_over.load(Ordering::Relaxed))
    }

    /// Gives it a frame; `false` when the frame was skipped, because it is overloaded or cannot read it.
    pub fn push(&self, frame: gst::Buffer) -> bool {
        if self.importing.as_ref().is_some_and(|importing| !importing.admits(&frame)) {
            return false;
        }
        let bound = CAPTURE_FRAMES_WAITING_MAX * frame.size() as u64;
        self.frames.current_level_bytes() < bound && self.frames.push_buffer(frame).is_ok()
    }

    /// Asks it to use the bitrate that it supports and is nearest to this one, in kbit/s. When it does,
    /// it is counted as the one in use.
    pub fn set_bitrate_kbps(&self, kbps: u32) {
        self.orders.give(Order::Bitrate(self.spec.bitrate.nearest_kbps(kbps)));
    }

    /// Asks it to make its next frame a key frame.
    pub fn force_key_frame(&self) {
        self.orders.give(Order::KeyFrame);
    }

    /// Asks it to make the frame that is pushed next a key frame, rather than one that is still
    /// waiting.
    pub fn force_key_on_next_frame(&self) {
        match self.spec.force_key {
            ForceKey::Event => {
                // It waits with the frames, so that no driver is asked here.
                let event = gst_video::DownstreamForceKeyUnitEvent::builder().all_headers(true);
                self.frames.send_event(event.build());
            }
            ForceKey::Signal(_) => self.force_key_frame(),
        }
    }

    /// Another encoder takes its place: what it was asked and has not done is of no interest any more.
    pub fn replaced(&self) {
        self.orders.end();
    }

    /// Puts its access units on air, from a key frame on, and those of no other encoder.
    pub fn go_on_air(&self) {
        self.output.select(self.input);
    }

    /// Puts it on air again after a camera's H.264 was passed through.
    pub fn return_to_air(&self) {
        self.go_on_air();
        self.force_key_frame();
    }

    /// Stops it; its device is free afterwards.
    pub fn shut_down(&self) {
        self.running.shut_down();
    }
}

/// Does with an encoder what its driver may take any time for.
fn carry_out(
    order: Order,
    spec: &VideoEncoderSpec,
    element: &gst::Element,
    out: &gst_app::AppSink,
) {
    match (order, spec.force_key) {
        (Order::Bitrate(kbps), _) => {
            let value = fill_in(spec.bitrate.value, kbps, None);
            element.set_property_from_str(spec.bitrate.property, &value);
        }
        (Order::KeyFrame, ForceKey::Event) => {
            let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true);
            out.send_event(event.build());
        }
        (Order::KeyFrame, ForceKey::Signal(name)) => {
            if gst::glib::subclass::SignalId::lookup(name, element.type_()).is_some() {
                element.emit_by_name::<()>(name, &[]);
            }
        }
    }
}
