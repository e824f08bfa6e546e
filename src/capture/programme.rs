//! The running programme: raw pictures and samples in, access units out, from start to stop
//! without a change of parameters.

use std::sync::Arc;

use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::{
    build::{MediaClock, Running},
    bus::{self, BusEvent},
    encoders::fill_in,
    error::CaptureError,
    pipeline,
    request::Request,
    sink::{self, FrameSink},
    stats::Counters,
    trial::Chosen,
};
use crate::{
    limits::{
        CAPTURE_AUDIO_WAITING_MAX, CAPTURE_PICTURES_WAITING_MAX, CAPTURE_VIDEO_KBPS_MAX,
        CAPTURE_VIDEO_KBPS_MIN,
    },
    media::Track,
};

/// The running programme.
#[derive(Debug)]
pub(super) struct Programme {
    running: Running,
    pictures: gst_app::AppSrc,
    samples: gst_app::AppSrc,
    encoder: gst::Element,
    video_out: gst_app::AppSink,
    chosen: Chosen,
    counters: Arc<Counters>,
}

impl Programme {
    /// Builds and starts it. `on_bus` is called on GStreamer's threads and must not block.
    pub(super) fn start(
        request: &Request,
        chosen: Chosen,
        clock: &MediaClock,
        counters: Arc<Counters>,
        sink: FrameSink,
        on_bus: impl Fn(BusEvent) + Send + Sync + 'static,
    ) -> Result<Programme, CaptureError> {
        let description = pipeline::programme_of(&chosen, request);
        let running = Running::build(&description)?;
        let video_out = running.element(pipeline::VIDEO_OUT)?;
        let audio_out = running.element(pipeline::AUDIO_OUT)?;
        let delay = u64::from(chosen.audio.delay_samples) * 1_000_000_000
            / u64::from(request.audio.sample_rate_hz);
        for (appsink, track, advance_ns) in
            [(&video_out, Track::Video, 0), (&audio_out, Track::Audio, delay)]
        {
            let (counters, sink, clock) = (Arc::clone(&counters), Arc::clone(&sink), clock.clone());
            sink::connect(appsink, track, advance_ns, counters, move || clock.now_ns(), sink);
        }
        bus::listen(running.pipeline(), on_bus);
        clock.drive(running.pipeline());
        counters.set_bitrate_kbps(request.video.bitrate_kbps);
        let programme = Programme {
            pictures: running.element(pipeline::VIDEO_IN)?,
            samples: running.element(pipeline::AUDIO_IN)?,
            encoder: running.element(pipeline::VIDEO_ENCODER)?,
            running,
            video_out,
            chosen,
            counters,
        };
        programme.running.play()?;
        Ok(programme)
    }

    /// Gives the encoder a picture; `false` when it is too slow and the picture was skipped.
    pub(super) fn push_picture(&self, picture: gst::Buffer) -> bool {
        let bound = CAPTURE_PICTURES_WAITING_MAX * picture.size() as u64;
        self.pictures.current_level_bytes() < bound && self.pictures.push_buffer(picture).is_ok()
    }

    /// Gives the encoder a block of samples; `false` when it was skipped.
    pub(super) fn push_samples(&self, block: gst::Buffer) -> bool {
        let bound = CAPTURE_AUDIO_WAITING_MAX * block.size() as u64;
        self.samples.current_level_bytes() < bound && self.samples.push_buffer(block).is_ok()
    }

    /// Asks the encoder for another bitrate, within its bounds.
    pub(super) fn set_bitrate_kbps(&self, kbps: u32) {
        let kbps = kbps.clamp(CAPTURE_VIDEO_KBPS_MIN, CAPTURE_VIDEO_KBPS_MAX);
        let (property, template) = self.chosen.video.live_bitrate;
        self.encoder.set_property_from_str(property, &fill_in(template, kbps, None));
        self.counters.set_bitrate_kbps(kbps);
    }

    /// Asks the encoder to make its next picture a key frame.
    pub(super) fn force_key_frame(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        self.video_out.send_event(event);
    }

    /// Asks the encoder to make a key frame of the picture that is pushed next: one that has nothing
    /// to do with those before.
    pub(super) fn begin_at_next_picture(&self) {
        let event = gst_video::DownstreamForceKeyUnitEvent::builder().all_headers(true).build();
        self.pictures.send_event(event);
    }

    /// Ends it; the encoder's device is free afterwards.
    pub(super) fn shut_down(&self) {
        self.running.shut_down();
    }

    /// The elements in use: H.264 encoder and AAC encoder.
    pub(super) fn encoders(&self) -> (&'static str, &'static str) {
        (self.chosen.video.element, self.chosen.audio.element)
    }
}
