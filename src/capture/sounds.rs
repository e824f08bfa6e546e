//! The sound track: which samples go to the encoder in each block.

use std::sync::atomic::Ordering;

use gstreamer as gst;

use super::{
    build::{SECOND_NS, scale},
    feed::Feed,
    levels::SoundMeter,
    programme::Programme,
    request::{AudioSettings, MicrophoneSource},
    sound_line::{SoundLine, Times},
    stats::Counters,
    tone,
};
use crate::limits::{CAPTURE_AUDIO_BLOCK_SAMPLES, CAPTURE_LATENCY};

const LATENCY_NS: u64 = CAPTURE_LATENCY.as_nanos() as u64;
/// A clip is read this much ahead, so that no block waits for a decoder.
const AHEAD_MS: u64 = 200;

/// The sound track.
pub(super) struct Sounds {
    rate_hz: u32,
    channels: u32,
    /// Number of the next block's first sample, per channel, since media time zero.
    position: u64,
    block: Vec<i16>,
    tone: bool,
    line: SoundLine,
    /// Which opening of the microphone the line holds.
    opening: u64,
    meter: SoundMeter,
}

impl Sounds {
    pub(super) fn new(audio: &AudioSettings, microphone: &MicrophoneSource) -> Sounds {
        Sounds {
            rate_hz: audio.sample_rate_hz,
            channels: audio.channels,
            position: 0,
            block: vec![0; CAPTURE_AUDIO_BLOCK_SAMPLES * audio.channels as usize],
            tone: *microphone == MicrophoneSource::Tone,
            line: SoundLine::new(audio.sample_rate_hz, audio.channels),
            opening: 0,
            meter: SoundMeter::new(audio.sample_rate_hz, audio.channels),
        }
    }

    pub(super) fn start_at(&mut self, media_ns: u64) {
        self.position = self.position_at(media_ns);
        self.line.start_at(self.position);
    }

    fn position_at(&self, media_ns: u64) -> u64 {
        scale(media_ns, u64::from(self.rate_hz), SECOND_NS)
    }

    fn time_ns(&self, position: u64) -> u64 {
        scale(position, SECOND_NS, u64::from(self.rate_hz))
    }

    fn end(&self) -> u64 {
        self.position + CAPTURE_AUDIO_BLOCK_SAMPLES as u64
    }

    /// When the samples of the next block have all been captured.
    fn complete_ns(&self) -> u64 {
        self.time_ns(self.end())
    }

    /// When the next block goes to the encoder, with or without sound in it.
    fn due_ns(&self) -> u64 {
        self.complete_ns() + LATENCY_NS
    }

    /// Until when there is nothing to do unless sound arrives.
    pub(super) fn wake_ns(&self, now_ns: u64) -> u64 {
        let complete_ns = self.complete_ns();
        if now_ns < complete_ns { complete_ns } else { self.due_ns() }
    }

    fn is_ready(&self, now_ns: u64, from_line: bool) -> bool {
        let there = !from_line || self.line.end() >= self.end();
        now_ns >= self.due_ns() || (there && now_ns >= self.complete_ns())
    }

    /// Gives the encoder every block that is there or due.
    pub(super) fn feed(
        &mut self,
        now_ns: u64,
        mut microphone: Option<&mut Feed>,
        programme: &Programme,
        counters: &Counters,
    ) {
        if let Some(microphone) = microphone.as_deref_mut() {
            self.listen(now_ns, microphone);
        }
        while self.is_ready(now_ns, microphone.is_some()) {
            match microphone.as_deref_mut() {
                Some(microphone) => {
                    self.listen(now_ns, microphone);
                    let silent = self.line.read(&mut self.block);
                    counters.silent.fetch_add(silent, Ordering::Relaxed);
                }
                None if self.tone => {
                    tone::write(self.position, self.rate_hz, self.channels, &mut self.block);
                }
                None => {}
            }
            if self.meter.hear(&self.block) {
                counters.note_sound(&self.meter, self.line.drift_ppm());
            }
            if let Some(block) = self.block_buffer() {
                programme.push_samples(block);
            }
            self.position = self.end();
        }
    }

    /// Lays down what the microphone has.
    fn listen(&mut self, now_ns: u64, microphone: &mut Feed) {
        let times = if microphone.is_live() { Times::OfADevice } else { Times::Exact };
        if microphone.is_live() && microphone.opening() != self.opening {
            self.opening = microphone.opening();
            self.line.begin_anew();
        }
        let enough = self.end() + u64::from(self.rate_hz) * AHEAD_MS / 1_000;
        while self.line.end() < enough {
            let Some(item) = microphone.sound(now_ns) else { return };
            let position = self.position_at(item.media_ns);
            if let Ok(map) = item.buffer.map_readable() {
                self.line.write(position, times, map.as_slice());
            }
        }
    }

    fn block_buffer(&self) -> Option<gst::Buffer> {
        let mut buffer = gst::Buffer::with_size(size_of_val(self.block.as_slice())).ok()?;
        let content = buffer.get_mut()?;
        let mut map = content.map_writable().ok()?;
        for (bytes, sample) in map.chunks_exact_mut(2).zip(&self.block) {
            bytes.copy_from_slice(&sample.to_le_bytes());
        }
        drop(map);
        let pts_ns = self.time_ns(self.position);
        content.set_pts(gst::ClockTime::from_nseconds(pts_ns));
        content.set_duration(gst::ClockTime::from_nseconds(self.time_ns(self.end()) - pts_ns));
        Some(buffer)
    }
}
