//! The H.264 encoder with what leads to it and away from it: a pipeline of its own, so that it can
//! be set up anew while sound and session go on.

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::{
    access_units::{self, SharedSeam},
    description,
    encoders::{ForceKey, VideoEncoder, fill_in},
};
use crate::{
    capture::{
        error::CaptureError,
        gst::{
            build::Running,
            bus::{self, BusEvent, Failure},
            clock::MediaClock,
        },
        request::VideoSettings,
    },
    limits::CAPTURE_PICTURES_WAITING_MAX,
};

/// What every encoder of a programme is set up with.
#[derive(Debug, Clone)]
pub struct VideoSetup {
    pub video: VideoSettings,
    pub clock: MediaClock,
    pub seam: SharedSeam,
}

/// A running encoder. Dropping it closes its device, which may take as long as the driver likes.
#[derive(Debug)]
pub struct VideoBranch {
    running: Running,
    pictures: gst_app::AppSrc,
    element: gst::Element,
    out: gst_app::AppSink,
    encoder: &'static VideoEncoder,
    failure: Failure,
    seam: SharedSeam,
    turn: u64,
}

impl VideoBranch {
    /// Builds and starts it. It is heard from [`VideoBranch::take_turn`] on.
    pub fn start(
        encoder: &'static VideoEncoder,
        setup: &VideoSetup,
    ) -> Result<VideoBranch, CaptureError> {
        let running = Running::build(&description::video_pipeline(encoder, &setup.video))?;
        let failure = Failure::default();
        let noted = failure.clone();
        bus::listen(running.pipeline(), move |event| match event {
            BusEvent::Error { said } => noted.note(said),
            BusEvent::Ended => noted.note("it ended by itself".to_owned()),
        });
        let out: gst_app::AppSink = running.element(description::VIDEO_OUT)?;
        let clock = setup.clock.clone();
        let turn = access_units::connect(&out, &setup.seam, move || clock.now_ns());
        let branch = VideoBranch {
            pictures: running.element(description::VIDEO_IN)?,
            element: running.element(description::VIDEO_ENCODER)?,
            out,
            running,
            encoder,
            failure,
            seam: setup.seam.clone(),
            turn,
        };
        setup.clock.drive(branch.running.pipeline());
        let started = branch.running.play();
        started.map_err(|error| match branch.failed() {
            Some(said) => CaptureError::Gstreamer(said),
            None => error,
        })?;
        Ok(branch)
    }

    /// The encoder in use.
    pub fn encoder(&self) -> &'static VideoEncoder {
        self.encoder
    }

    /// What made it fail, if it did; told once.
    pub fn failed(&self) -> Option<String> {
        self.failure.take()
    }

    /// Gives it a picture; `false` when it is too slow and the picture was skipped.
    pub fn push(&self, picture: gst::Buffer) -> bool {
        let bound = CAPTURE_PICTURES_WAITING_MAX * picture.size() as u64;
        self.pictures.current_level_bytes() < bound && self.pictures.push_buffer(picture).is_ok()
    }

    /// Asks it for another bitrate; returns the nearest one that it takes.
    pub fn set_bitrate_kbps(&self, kbps: u32) -> u32 {
        let bitrate = &self.encoder.bitrate;
        let kbps = bitrate.nearest_kbps(kbps);
        self.element.set_property_from_str(bitrate.property, &fill_in(bitrate.value, kbps, None));
        kbps
    }

    /// Asks it to make its next picture a key frame.
    pub fn force_key_frame(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true);
        self.ask_for_key(|| self.out.send_event(event.build()));
    }

    /// Asks it to make a key frame of the picture that is pushed next, rather than of one that
    /// still waits.
    pub fn begin_at_next_picture(&self) {
        let event = gst_video::DownstreamForceKeyUnitEvent::builder().all_headers(true);
        self.ask_for_key(|| self.pictures.send_event(event.build()));
    }

    fn ask_for_key(&self, send_event: impl FnOnce() -> bool) {
        match self.encoder.force_key {
            ForceKey::Event => {
                send_event();
            }
            ForceKey::Signal(name) => {
                let kind = self.element.type_();
                if gst::glib::subclass::SignalId::lookup(name, kind).is_some() {
                    self.element.emit_by_name::<()>(name, &[]);
                }
            }
        }
    }

    /// Has its access units go on air, from a key frame on, and those of no other encoder.
    pub fn take_turn(&self) {
        self.seam.hear(self.turn);
    }

    /// Has its access units go on air again, after those of a camera were passed through.
    pub fn go_on_air(&self) {
        self.take_turn();
        self.force_key_frame();
    }

    /// Stops it; its device is free afterwards.
    pub fn shut_down(&self) {
        self.running.shut_down();
    }
}
