//! The pulse: one thread that gives the encoders a picture and a block of samples, as soon as camera
//! and microphone have given them, and at the latest when they are due on the media clock, whatever
//! cameras and microphones do.
//!
//! Pictures and samples are numbered from the start, and their times follow from their numbers. So
//! they never go back, both tracks share one zero, and the encoders never see a gap.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    audio::Sounds,
    encode::{Mender, Passthrough, Programme},
    event::{CaptureEvent, Fault, Source},
    gst::{bus::Failure, clock::MediaClock},
    source::{Change, Feed},
    stats::Counters,
    threads::{Notifier, Threads},
    video::Pictures,
};
use crate::limits::NO_OUTPUT_TIMEOUT;

/// The thread's state.
pub(super) struct Pulse {
    pub(super) clock: MediaClock,
    pub(super) programme: Arc<Programme>,
    pub(super) counters: Arc<Counters>,
    pub(super) failure: Failure,
    pub(super) events: Arc<dyn Fn(CaptureEvent) + Send + Sync>,
    pub(super) threads: Threads,
    /// Notified when a source has something.
    pub(super) wake: Notifier,
    pub(super) feeds: Vec<Feed>,
    pub(super) pictures: Pictures,
    pub(super) sounds: Sounds,
    /// The H.264 encoders of the board, in order.
    pub(super) encoders: Vec<String>,
}

impl Pulse {
    /// Runs until the stop or until the programme fails.
    pub(super) fn run(mut self) {
        (self.events)(CaptureEvent::Playing);
        let start_ns = self.clock.now_ns();
        self.pictures.start_at(start_ns);
        self.sounds.start_at(start_ns);
        self.feeds.iter_mut().for_each(|feed| feed.start_at(start_ns));
        self.counters.last_video.note(start_ns);
        self.counters.last_audio.note(start_ns);
        if let Some(said) = self.beat_until_the_end() {
            (self.events)(CaptureEvent::Error { fault: Fault::Encoder, said });
            self.threads.stop();
        }
        self.programme.shut_down();
        self.feeds.clear();
        (self.events)(CaptureEvent::Ended);
    }

    /// The reason when it ended by itself.
    fn beat_until_the_end(&mut self) -> Option<String> {
        let mut first_key_seen = false;
        let mut notified = 0;
        let mut passthrough = Passthrough::default();
        let mut mender = Mender::new(&self.programme, &self.encoders, self.clock.now_ns());
        loop {
            let asked_ns = self.clock.now_ns();
            let has_live_camera =
                feed_of(&mut self.feeds, Source::Camera).is_some_and(|feed| feed.is_live());
            let next_ns =
                self.pictures.wake_ns(asked_ns, has_live_camera).min(self.sounds.wake_ns(asked_ns));
            let left_ns = next_ns.saturating_sub(asked_ns);
            if self.wake.wait(Duration::from_nanos(left_ns), notified) {
                return None;
            }
            notified = self.wake.count();
            let now_ns = self.clock.now_ns();
            self.turn_feeds(now_ns);
            let mut camera = feed_of(&mut self.feeds, Source::Camera);
            let encoded = camera.as_deref_mut().filter(|camera| camera.is_coded());
            let next_unit = encoded.map(|camera| move || camera.access_unit(now_ns));
            if passthrough.turn(now_ns, next_unit, &self.programme) {
                self.pictures.resume_at(now_ns, &self.counters);
            } else {
                self.pictures.feed(now_ns, camera, &self.programme, &self.counters);
            }
            let microphone = feed_of(&mut self.feeds, Source::Microphone);
            self.sounds.feed(now_ns, microphone, &self.programme, &self.counters);
            if !first_key_seen && self.counters.key_frames.load(Ordering::Relaxed) > 0 {
                first_key_seen = true;
                (self.events)(CaptureEvent::FirstKey);
            }
            let failed =
                self.failure.take().or_else(|| self.silent_sound_encoder(now_ns)).or_else(|| {
                    mender.turn(now_ns, &self.programme, &self.counters, &self.threads)
                });
            if failed.is_some() {
                return failed;
            }
        }
    }

    fn turn_feeds(&mut self, now_ns: u64) {
        for feed in &mut self.feeds {
            match feed.turn(now_ns) {
                Some(Change::Lost { why }) => {
                    self.counters.lost.fetch_add(1, Ordering::Relaxed);
                    for role in feed.roles() {
                        let (fault, said) = (Fault::Source(*role), why.clone());
                        (self.events)(CaptureEvent::Error { fault, said });
                        (self.events)(CaptureEvent::SourceLost(*role));
                    }
                }
                Some(Change::Back) => {
                    for role in feed.roles() {
                        (self.events)(CaptureEvent::SourceBack(*role));
                    }
                }
                None => {}
            }
        }
    }

    fn silent_sound_encoder(&self, now_ns: u64) -> Option<String> {
        let (_, encoder) = self.programme.encoders();
        let silent_ns = now_ns.saturating_sub(self.counters.last_audio.at_ns());
        (silent_ns > NO_OUTPUT_TIMEOUT.as_nanos() as u64)
            .then(|| format!("{encoder} gave nothing for {} s", NO_OUTPUT_TIMEOUT.as_secs()))
    }
}

fn feed_of(feeds: &mut [Feed], role: Source) -> Option<&mut Feed> {
    feeds.iter_mut().find(|feed| feed.roles().contains(&role))
}
