//! The mixer: one thread that gives the encoders a frame or a block of samples as soon as camera or
//! microphone have delivered it, and at the latest when it is due on the media clock.
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
    gst::{bus::Failure, clock::MediaClock},
    on_air::OnAir,
    real_time,
    source::{Change, ManagedSource},
    stats::Counters,
    threads::{Notifier, Threads},
    video::VideoTrack,
};
use crate::limits::NO_OUTPUT_TIMEOUT;

/// What the thread owns.
pub(super) struct Mixer {
    pub(super) clock: MediaClock,
    /// From when on the encoders get what the tracks have.
    pub(super) on_air: OnAir,
    pub(super) pipeline: Arc<EncoderPipeline>,
    pub(super) counters: Arc<Counters>,
    pub(super) failure: Failure,
    pub(super) events: Arc<dyn Fn(CaptureEvent) + Send + Sync>,
    pub(super) threads: Threads,
    /// Notified when a source has delivered something.
    pub(super) wake: Notifier,
    pub(super) sources: Vec<ManagedSource>,
    pub(super) video: VideoTrack,
    pub(super) audio: AudioTrack,
    /// The H.264 encoders that the board profile names, in order of preference.
    pub(super) encoders: Vec<String>,
}

impl Mixer {
    /// Runs until the stop, or until no encoder is left.
    pub(super) fn run(mut self) {
        (self.events)(CaptureEvent::Playing);
        let start_ns = self.clock.now_ns();
        self.video.start_at(start_ns);
        self.audio.start_at(start_ns);
        self.sources.iter_mut().for_each(|source| source.start_at(start_ns));
        self.counters.last_video.note(start_ns);
        self.counters.last_audio.note(start_ns);
        real_time::begin();
        let failed = self.run_until_stopped();
        // What drivers do when devices are closed may take long.
        real_time::end();
        if let Some(message) = failed {
            (self.events)(CaptureEvent::Error { fault: Fault::Encoder, message });
            self.threads.stop();
        }
        self.pipeline.shut_down();
        self.sources.clear();
        (self.events)(CaptureEvent::Ended);
    }

    /// The reason, when it was not the stop that ended it.
    fn run_until_stopped(&mut self) -> Option<String> {
        let mut notified = 0;
        let mut passthrough = Passthrough::default();
        let mut supervisor = None;
        loop {
            let asked_ns = self.clock.now_ns();
            let has_live_camera =
                source_of(&mut self.sources, Source::Camera).is_some_and(|source| source.is_live());
            let next_ns =
                self.video.wake_ns(asked_ns, has_live_camera).min(self.audio.wake_ns(asked_ns));
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
            let mut camera = source_of(&mut self.sources, Source::Camera);
            let encoded = camera.as_deref_mut().filter(|camera| camera.is_h264());
            let next_unit = encoded.map(|camera| move || camera.next_access_unit(now_ns));
            if passthrough.poll(now_ns, next_unit, &self.pipeline, &self.on_air) {
                self.video.resume_at(now_ns, &self.counters);
            } else {
                self.video.push_due(now_ns, camera, &self.pipeline, &self.on_air, &self.counters);
            }
            let microphone = source_of(&mut self.sources, Source::Microphone);
            self.audio.push_due(now_ns, microphone, &self.pipeline, &self.on_air, &self.counters);
            let mut failed = self.failure.take();
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
        for source in &mut self.sources {
            match source.poll(now_ns) {
                Some(Change::Lost { why }) => {
                    self.counters.lost.fetch_add(1, Ordering::Relaxed);
                    for role in source.roles() {
                        let (fault, message) = (Fault::Source(*role), why.clone());
                        (self.events)(CaptureEvent::Error { fault, message });
                        (self.events)(CaptureEvent::SourceLost(*role));
                    }
                }
                Some(Change::Back) => {
                    for role in source.roles() {
                        (self.events)(CaptureEvent::SourceBack(*role));
                    }
                }
                None => {}
            }
        }
    }

    fn silent_audio_encoder(&self, now_ns: u64) -> Option<String> {
        let (_, encoder) = self.pipeline.encoders();
        let silent_ns = now_ns.saturating_sub(self.counters.last_audio.at_ns());
        (silent_ns > NO_OUTPUT_TIMEOUT.as_nanos() as u64)
            .then(|| format!("{encoder} delivered nothing for {} s", NO_OUTPUT_TIMEOUT.as_secs()))
    }
}

fn source_of(sources: &mut [ManagedSource], role: Source) -> Option<&mut ManagedSource> {
    sources.iter_mut().find(|source| source.roles().contains(&role))
}
