//! The pulse: one thread that gives the encoders a picture and a block of samples whenever one is
//! due on the media clock, whatever cameras and microphones do.
//!
//! Pictures and samples are numbered from the start, and their times follow from their numbers. So
//! they never go back, both tracks share one zero, and the encoders never see a gap.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use gstreamer::{self as gst, prelude::*};

use super::{
    build::MediaClock,
    error::CaptureError,
    event::{CaptureEvent, Fault},
    picture::{Layout, TestPicture},
    programme::Programme,
    request::{AudioSettings, VideoSettings},
    stats::Counters,
    stop::Stop,
    tone,
};
use crate::limits::{CAPTURE_AUDIO_BLOCK_SAMPLES, CAPTURE_LATENCY, NO_OUTPUT_TIMEOUT};

const SECOND_NS: u64 = 1_000_000_000;
const LATENCY_NS: u64 = CAPTURE_LATENCY.as_nanos() as u64;

/// Why the programme ended by itself; the first reason counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<String>>>);

impl Failure {
    pub(super) fn note(&self, said: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(said);
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The thread's state.
pub(super) struct Pulse {
    pub(super) clock: MediaClock,
    pub(super) programme: Arc<Programme>,
    pub(super) counters: Arc<Counters>,
    pub(super) failure: Failure,
    pub(super) events: Arc<dyn Fn(CaptureEvent) + Send + Sync>,
    pub(super) pictures: Pictures,
    pub(super) sounds: Sounds,
}

impl Pulse {
    /// Runs until the stop or until the programme fails.
    pub(super) fn run(mut self, stop: &Stop) {
        (self.events)(CaptureEvent::Playing);
        let start_ns = self.clock.now_ns();
        self.pictures.start_at(start_ns);
        self.sounds.start_at(start_ns);
        self.counters.last_video.note(start_ns);
        self.counters.last_audio.note(start_ns);
        let mut first_key_seen = false;
        let failed = loop {
            let next_ns = self.pictures.due_ns().min(self.sounds.due_ns());
            let now_ns = self.clock.now_ns();
            if stop.wait(Duration::from_nanos(next_ns.saturating_sub(now_ns))) {
                break None;
            }
            let now_ns = self.clock.now_ns();
            self.pictures.feed(now_ns, &self.programme, &self.counters);
            self.sounds.feed(now_ns, &self.programme);
            if !first_key_seen && self.counters.key_frames.load(Ordering::Relaxed) > 0 {
                first_key_seen = true;
                (self.events)(CaptureEvent::FirstKey);
            }
            if let Some(said) = self.failure.take().or_else(|| self.silent_encoder(now_ns)) {
                break Some(said);
            }
        };
        if let Some(said) = failed {
            (self.events)(CaptureEvent::Error { fault: Fault::Encoder, said });
            stop.stop();
        }
        self.programme.shut_down();
        (self.events)(CaptureEvent::Ended);
    }

    fn silent_encoder(&self, now_ns: u64) -> Option<String> {
        let (video, audio) = self.programme.encoders();
        [(video, &self.counters.last_video), (audio, &self.counters.last_audio)]
            .into_iter()
            .find(|(_, last)| {
                now_ns.saturating_sub(last.at_ns()) > NO_OUTPUT_TIMEOUT.as_nanos() as u64
            })
            .map(|(encoder, _)| {
                format!("{encoder} gave nothing for {} s", NO_OUTPUT_TIMEOUT.as_secs())
            })
    }
}

/// The picture track.
pub(super) struct Pictures {
    fps: u64,
    start_ns: u64,
    number: u64,
    picture: TestPicture,
    pool: gst::BufferPool,
}

impl Pictures {
    pub(super) fn new(video: &VideoSettings, caps: &gst::Caps) -> Result<Pictures, CaptureError> {
        let layout = Layout::new(video.width, video.height);
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        let bytes = u32::try_from(layout.bytes()).unwrap_or(u32::MAX);
        config.set_params(Some(caps), bytes, 0, 0);
        pool.set_config(config)
            .and_then(|()| pool.set_active(true))
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        Ok(Pictures {
            fps: u64::from(video.fps),
            start_ns: 0,
            number: 0,
            picture: TestPicture::new(layout),
            pool,
        })
    }

    fn start_at(&mut self, media_ns: u64) {
        self.start_ns = media_ns;
    }

    fn pts_ns(&self, number: u64) -> u64 {
        self.start_ns + number * SECOND_NS / self.fps
    }

    /// A picture is due half a picture after its time, so that the newest one of a camera is on
    /// average as old as the samples beside it.
    fn due_ns(&self) -> u64 {
        self.pts_ns(self.number) + SECOND_NS / self.fps / 2 + LATENCY_NS
    }

    fn feed(&mut self, now_ns: u64, programme: &Programme, counters: &Counters) {
        while self.due_ns() <= now_ns {
            let pts_ns = self.pts_ns(self.number);
            let duration_ns = self.pts_ns(self.number + 1) - pts_ns;
            self.number += 1;
            let Some(mut picture) = self.drawn(pts_ns) else { continue };
            let times = picture.make_mut();
            times.set_pts(gst::ClockTime::from_nseconds(pts_ns));
            times.set_dts(None);
            times.set_duration(gst::ClockTime::from_nseconds(duration_ns));
            if !programme.push_picture(picture) {
                counters.skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn drawn(&self, pts_ns: u64) -> Option<gst::Buffer> {
        let mut buffer = self.pool.acquire_buffer(None).ok()?;
        let mut map = buffer.get_mut()?.map_writable().ok()?;
        self.picture.draw(pts_ns, &mut map);
        drop(map);
        Some(buffer)
    }
}

/// The sound track.
pub(super) struct Sounds {
    rate_hz: u32,
    channels: u32,
    position: u64,
    block: Vec<i16>,
    tone: bool,
}

impl Sounds {
    pub(super) fn new(audio: &AudioSettings, tone: bool) -> Sounds {
        Sounds {
            rate_hz: audio.sample_rate_hz,
            channels: audio.channels,
            position: 0,
            block: vec![0; CAPTURE_AUDIO_BLOCK_SAMPLES * audio.channels as usize],
            tone,
        }
    }

    fn start_at(&mut self, media_ns: u64) {
        self.position = media_ns * u64::from(self.rate_hz) / SECOND_NS;
    }

    fn time_ns(&self, position: u64) -> u64 {
        position * SECOND_NS / u64::from(self.rate_hz)
    }

    fn end(&self) -> u64 {
        self.position + CAPTURE_AUDIO_BLOCK_SAMPLES as u64
    }

    fn due_ns(&self) -> u64 {
        self.time_ns(self.end()) + LATENCY_NS
    }

    fn feed(&mut self, now_ns: u64, programme: &Programme) {
        while self.due_ns() <= now_ns {
            self.block.fill(0);
            if self.tone {
                tone::write(self.position, self.rate_hz, self.channels, &mut self.block);
            }
            let pts_ns = self.time_ns(self.position);
            let duration_ns = self.time_ns(self.end()) - pts_ns;
            let bytes: Vec<u8> = self.block.iter().flat_map(|s| s.to_le_bytes()).collect();
            let mut buffer = gst::Buffer::from_slice(bytes);
            let times = buffer.make_mut();
            times.set_pts(gst::ClockTime::from_nseconds(pts_ns));
            times.set_duration(gst::ClockTime::from_nseconds(duration_ns));
            programme.push_samples(buffer);
            self.position = self.end();
        }
    }
}
