//! The mixer: one thread that gives the encoders a frame or a block of samples as soon as camera or
//! microphone have delivered it, and at the latest when it is due on the media clock. A live camera's
//! frames are given to the encoder by the camera's own thread, and the mixer only sees to it that one
//! goes there when it is due.
//!
//! Frames and samples are numbered from the start, and their times follow from their numbers. So
//! times never go back, both tracks share one zero, and the encoders never see a gap.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    audio::AudioTrack,
    encode::{EncoderPipeline, EncoderSupervisor, Passthrough},
    event::{CaptureEvent, Fault, Source},
    gst::clock::MediaClock,
    on_air::OnAir,
    real_time,
    source::{SourceEvent, SourceSet},
    stats::Counters,
    threads::{Notifier, Threads},
    video::{Camera, HeldTrack, SharedTrack},
};
use crate::limits::NO_OUTPUT_TIMEOUT;

/// When the camera's thread has the video track, it is asked for again after this.
const HELD_NS: u64 = 5_000_000;

/// What the thread owns.
pub(super) struct Mixer {
    pub(super) clock: MediaClock,
    /// From when on the encoders get what the tracks have.
    pub(super) on_air: OnAir,
    pub(super) pipeline: Arc<EncoderPipeline>,
    pub(super) counters: Arc<Counters>,
    pub(super) events: Arc<dyn Fn(CaptureEvent) + Send + Sync>,
    pub(super) threads: Threads,
    /// Notified when a source has delivered something.
    pub(super) wake: Notifier,
    pub(super) sources: SourceSet,
    pub(super) video: SharedTrack,
    pub(super) audio: AudioTrack,
    /// The H.264 encoders that the board profile names, in order of preference.
    pub(super) encoders: Vec<String>,
}

impl Mixer {
    /// Runs until the stop, or until no encoder is left.
    pub(super) fn run(mut self) {
        (self.events)(CaptureEvent::Playing);
        let start_ns = self.clock.now_ns();
        self.video.hold().track.start_at(start_ns);
        self.audio.start_at(start_ns);
        self.sources.start_at(start_ns);
        self.counters.last_video.note(start_ns);
        self.counters.last_audio.note(start_ns);
        self.sources.on_frame(&self.video.on_frame());
        real_time::begin();
        let failed = self.run_until_stopped();
        self.video.hold().end();
        // What drivers do when devices are closed may take long.
        real_time::end();
        if let Some(message) = failed {
            (self.events)(CaptureEvent::Error { fault: Fault::Encoder, message });
            self.threads.stop();
        }
        self.pipeline.shut_down();
        self.sources.close();
        (self.events)(CaptureEvent::Ended);
    }

    /// The reason, when it was not the stop that ended it.
    fn run_until_stopped(&mut self) -> Option<String> {
        let mut notified = 0;
        let mut video = VideoRounds::default();
        let mut supervisor = None;
        loop {
            let asked_ns = self.clock.now_ns();
            let next_ns = video.wake_ns.min(self.audio.wake_ns(asked_ns));
            let left_ns = next_ns.saturating_sub(asked_ns);
            if self.wake.wait(Duration::from_nanos(left_ns), notified) {
                return None;
            }
            // Before the sources are read, so that what arrives meanwhile ends the next wait.
            notified = self.wake.count();
            let now_ns = self.clock.now_ns();
            self.poll_sources(now_ns);
            if supervisor.is_none() && self.on_air.has_begun() {
                // The encoders' time to deliver begins.
                self.counters.last_video.note(now_ns);
                self.counters.last_audio.note(now_ns);
                supervisor = Some(EncoderSupervisor::new(&self.pipeline, &self.encoders, now_ns));
            }
            self.poll_video(now_ns, &mut video);
            self.pipeline.send_delayed(now_ns);
            let microphone = self.sources.of(Source::Microphone);
            self.audio.push_due(now_ns, microphone, &self.pipeline, &self.on_air, &self.counters);
            let mut failed = self.pipeline.take_audio_failure();
            if let Some(supervisor) = &mut supervisor {
                failed = failed.or_else(|| self.silent_audio_encoder(now_ns)).or_else(|| {
                    supervisor.poll(now_ns, &self.pipeline, &self.counters, &self.threads)
                });
            }
            if failed.is_some() {
                return failed;
            }
        }
    }

    fn poll_sources(&mut self, now_ns: u64) {
        for event in self.sources.poll(now_ns) {
            match event {
                SourceEvent::Lost { roles, why } => {
                    self.counters.lost.fetch_add(1, Ordering::Relaxed);
                    for role in roles {
                        let (fault, message) = (Fault::Source(role), why.clone());
                        (self.events)(CaptureEvent::Error { fault, message });
                        (self.events)(CaptureEvent::SourceLost(role));
                    }
                }
                SourceEvent::Replaced { role } => (self.events)(CaptureEvent::SourceLost(role)),
                SourceEvent::Back { role } => (self.events)(CaptureEvent::SourceBack(role)),
                SourceEvent::Note(message) => (self.events)(CaptureEvent::LeftOut { message }),
                SourceEvent::Microphone(microphone) => self.audio.exchange(&microphone),
                SourceEvent::Exchange { number, source, outcome } => {
                    (self.events)(CaptureEvent::Exchange { number, source, outcome });
                }
            }
        }
    }

    /// Gives the encoder what is ready or due, unless the camera's own thread does.
    fn poll_video(&mut self, now_ns: u64, rounds: &mut VideoRounds) {
        let mut camera = self.sources.of(Source::Camera);
        let own_thread = camera
            .as_deref()
            .filter(|camera| camera.is_live() && !camera.is_lost())
            .map(|camera| camera.opening());
        if own_thread.is_some() && own_thread == rounds.own_thread && now_ns < rounds.wake_ns {
            return;
        }
        let Some(mut held) = self.video.try_hold() else {
            rounds.wake_ns = now_ns + HELD_NS;
            return;
        };
        let HeldTrack { track, own_thread: used } = &mut *held;
        let is_live = camera.as_deref().is_some_and(|camera| camera.is_live());
        let encoded = camera.as_deref_mut().filter(|camera| camera.is_h264());
        if encoded.is_some()
            && let Some(message) = track.pass_through()
        {
            (self.events)(CaptureEvent::LeftOut { message });
        }
        let next_unit = encoded.map(|camera| move || camera.next_access_unit(now_ns));
        if rounds.passthrough.poll(now_ns, next_unit, &self.pipeline, &self.on_air) {
            track.resume_at(now_ns, &self.counters);
        } else if let Some(camera) = camera {
            let is_lost = camera.is_lost();
            let camera = Camera { is_live, is_lost, next: &mut || camera.next_frame(now_ns) };
            track.push_due(now_ns, Some(camera), &self.pipeline, &self.on_air, &self.counters);
        } else {
            track.forget_camera();
            track.push_due(now_ns, None, &self.pipeline, &self.on_air, &self.counters);
        }
        // From here on: what had arrived before is taken.
        (*used, rounds.own_thread) = (own_thread, own_thread);
        rounds.wake_ns = track.wake_ns(now_ns, is_live);
    }

    fn silent_audio_encoder(&self, now_ns: u64) -> Option<String> {
        let (_, encoder) = self.pipeline.encoders();
        let silent_ns = now_ns.saturating_sub(self.counters.last_audio.at_ns());
        (silent_ns > NO_OUTPUT_TIMEOUT.as_nanos() as u64)
            .then(|| format!("{encoder} delivered nothing for {} s", NO_OUTPUT_TIMEOUT.as_secs()))
    }
}

/// What the mixer keeps of the video from one round to the next.
#[derive(Default)]
struct VideoRounds {
    passthrough: Passthrough,
    /// Until when there is nothing to do unless something arrives.
    wake_ns: u64,
    /// Which opening of the camera gives its frames to the encoder by its own thread.
    own_thread: Option<u64>,
}
