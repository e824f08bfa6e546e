//! The audio track: which samples go to the encoder in each block.

use std::sync::{Arc, Mutex, PoisonError, TryLockError, atomic::Ordering};

use gstreamer as gst;

use super::{
    buffer::{AudioBuffer, Times},
    levels::LevelMeter,
    tone,
};
use crate::{
    audio::{Adjustments, Chain, SOURCE_CHANNELS},
    capture::{
        encode::EncoderPipeline,
        gst::clock::{SECOND_NS, scale},
        on_air::OnAir,
        request::{AudioSettings, MicrophoneSource},
        source::ManagedSource,
        stats::Counters,
    },
    limits::{CAPTURE_AUDIO_BLOCK_SAMPLES, CAPTURE_AUDIO_GRACE, CAPTURE_AUDIO_LATENCY},
};

const LATENCY_NS: u64 = CAPTURE_AUDIO_LATENCY.as_nanos() as u64;
const GRACE_NS: u64 = CAPTURE_AUDIO_GRACE.as_nanos() as u64;
/// When the encoder has no room, it is tried again after this.
const FULL_NS: u64 = 20_000_000;
/// A clip is read this much ahead, so that no block waits for a decoder.
const AHEAD_MS: u64 = 200;

/// The audio track.
pub struct AudioTrack {
    rate_hz: u32,
    /// Number of the next block's first sample, per channel, since media time zero.
    position: u64,
    /// Samples of the source, before anything is done to them.
    source: Vec<i16>,
    /// What becomes of them, for the encoder.
    block: Vec<i16>,
    chain: Chain,
    /// What is to be done to them, and what is done.
    wanted: Arc<Mutex<Adjustments>>,
    adjustments: Adjustments,
    /// Blocks are sent; before that they were in standby.
    is_sent: bool,
    tone: bool,
    buffer: AudioBuffer,
    /// The blocks are read from the buffer.
    from_buffer: bool,
    /// The encoder has no room for the next block before this, in media time.
    full_until_ns: Option<u64>,
    /// Since when the next block has been overdue.
    overdue_since_ns: Option<u64>,
    /// Which opening of the microphone the samples are from.
    opening: u64,
    meter: LevelMeter,
}

impl AudioTrack {
    /// The track of a microphone, of the test tone or of silence.
    pub fn new(
        audio: &AudioSettings,
        microphone: &MicrophoneSource,
        wanted: Arc<Mutex<Adjustments>>,
    ) -> AudioTrack {
        let adjustments = *wanted.lock().unwrap_or_else(PoisonError::into_inner);
        AudioTrack {
            rate_hz: audio.sample_rate_hz,
            position: 0,
            source: vec![0; CAPTURE_AUDIO_BLOCK_SAMPLES * SOURCE_CHANNELS],
            block: vec![0; CAPTURE_AUDIO_BLOCK_SAMPLES * audio.channels as usize],
            chain: Chain::new(audio.sample_rate_hz, audio.channels, adjustments),
            wanted,
            adjustments,
            is_sent: false,
            tone: *microphone == MicrophoneSource::Tone,
            buffer: AudioBuffer::new(audio.sample_rate_hz, SOURCE_CHANNELS as u32),
            from_buffer: false,
            full_until_ns: None,
            overdue_since_ns: None,
            opening: 0,
            meter: LevelMeter::new(audio.sample_rate_hz, audio.channels),
        }
    }

    /// From now on the audio comes from this, or is generated.
    pub fn exchange(&mut self, microphone: &MicrophoneSource) {
        self.tone = *microphone == MicrophoneSource::Tone;
        // What waits is of the one before.
        self.source.fill(0);
        self.buffer.start_at(self.position);
    }

    /// Starts the track at a media time.
    pub fn start_at(&mut self, media_ns: u64) {
        self.position = self.position_at(media_ns);
        self.buffer.start_at(self.position);
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

    /// From when on the next block is overdue.
    fn due_ns(&self) -> u64 {
        self.complete_ns() + LATENCY_NS
    }

    /// Until when there is nothing to do unless audio arrives.
    pub fn wake_ns(&self, now_ns: u64) -> u64 {
        let complete_ns = self.complete_ns();
        if let Some(until_ns) = self.full_until_ns {
            return until_ns;
        }
        // Samples that have not arrived yet usually complete the block when they do.
        if now_ns < complete_ns && self.has_arrived() {
            return complete_ns;
        }
        self.overdue_since_ns.map_or(self.due_ns(), |since_ns| since_ns + GRACE_NS)
    }

    /// Whether the samples of the next block have arrived.
    fn has_arrived(&self) -> bool {
        !self.from_buffer || self.buffer.end() >= self.end()
    }

    /// Whether the next block goes to the encoder now, with or without audio in it.
    fn is_ready(&mut self, now_ns: u64) -> bool {
        let arrived = self.has_arrived();
        if arrived || now_ns < self.due_ns() {
            self.overdue_since_ns = None;
            return arrived && now_ns >= self.complete_ns();
        }
        now_ns >= *self.overdue_since_ns.get_or_insert(now_ns) + GRACE_NS
    }

    /// Whether the next block, which is ready, goes to the encoder now or waits for room there.
    fn has_room(&mut self, now_ns: u64, has_room: bool) -> bool {
        self.full_until_ns = (!has_room).then_some(now_ns + FULL_NS);
        has_room
    }

    /// Gives the encoder every block that is ready or due, and measures it.
    pub fn push_due(
        &mut self,
        now_ns: u64,
        mut microphone: Option<&mut ManagedSource>,
        pipeline: &EncoderPipeline,
        on_air: &OnAir,
        counters: &Counters,
    ) {
        self.from_buffer = microphone.is_some();
        if let Some(microphone) = microphone.as_deref_mut() {
            self.take_audio(now_ns, microphone);
        }
        let block_bytes = size_of_val(self.block.as_slice());
        while self.is_ready(now_ns) && self.has_room(now_ns, pipeline.has_room(block_bytes)) {
            match microphone.as_deref_mut() {
                Some(microphone) => {
                    self.take_audio(now_ns, microphone);
                    let silent = self.buffer.read(&mut self.source);
                    counters.silent.fetch_add(silent, Ordering::Relaxed);
                }
                None if self.tone => {
                    let channels = SOURCE_CHANNELS as u32;
                    tone::write(self.position, self.rate_hz, channels, &mut self.source);
                }
                None => {}
            }
            self.adjust();
            let is_sent = on_air.takes(self.time_ns(self.position));
            if is_sent && !std::mem::replace(&mut self.is_sent, true) {
                // What waits is from before.
                self.chain.forget();
            }
            self.chain.process(&self.source, &mut self.block);
            self.meter.count_clips(&self.source);
            if self.meter.measure(&self.block) {
                self.meter.note_limited(self.chain.take_reduction_db());
                counters.note_audio(self.meter.levels(), self.buffer.drift_ppm());
            }
            if let Some(block) = is_sent.then(|| self.block_buffer()).flatten() {
                pipeline.push_samples(block);
            }
            self.position = self.end();
        }
    }

    /// Takes what is wanted now; while that is being written, with the next block.
    fn adjust(&mut self) {
        let wanted = match self.wanted.try_lock() {
            Ok(wanted) => *wanted,
            Err(TryLockError::Poisoned(wanted)) => *wanted.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if wanted != self.adjustments {
            self.adjustments = wanted;
            self.chain.adjust(wanted);
        }
    }

    /// Moves what the microphone has delivered into the buffer.
    fn take_audio(&mut self, now_ns: u64, microphone: &mut ManagedSource) {
        let times = if microphone.is_live() { Times::Device } else { Times::Exact };
        if microphone.is_live() && microphone.opening() != self.opening {
            self.opening = microphone.opening();
            self.buffer.restart();
        }
        let enough = self.end() + u64::from(self.rate_hz) * AHEAD_MS / 1_000;
        while self.buffer.end() < enough {
            let Some(item) = microphone.next_audio(now_ns) else { return };
            let position = self.position_at(item.media_ns);
            if let Ok(map) = item.buffer.map_readable() {
                self.buffer.write(position, times, map.as_slice());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::Profile, capture::Request};

    const MS: u64 = 1_000_000;

    fn started_at(media_ns: u64) -> AudioTrack {
        let request = Request::from(&Profile::named("sim").expect("embedded"));
        let mut track = AudioTrack::new(&request.audio, &request.microphone, Arc::default());
        track.start_at(media_ns);
        track.from_buffer = true;
        track
    }

    /// Takes what is ready; up to which media time.
    fn taken_until_ns(track: &mut AudioTrack, now_ns: u64) -> u64 {
        while track.is_ready(now_ns) {
            track.buffer.read(&mut track.source);
            track.position = track.end();
        }
        track.time_ns(track.position)
    }

    #[test]
    fn without_a_microphone_silence_is_never_more_than_200_ms_behind() {
        let mut track = started_at(0);
        let mut now_ns = 0;
        while now_ns < 10_000 * MS {
            let behind_ns = now_ns - taken_until_ns(&mut track, now_ns);
            assert!(behind_ns < 200 * MS, "{behind_ns} ns at {now_ns} ns");
            let next_ns = track.wake_ns(now_ns);
            assert!(next_ns > now_ns, "it never spins");
            now_ns = next_ns;
        }
    }

    #[test]
    fn a_block_that_the_encoder_has_no_room_for_waits_and_is_not_skipped() {
        let mut track = started_at(0);
        let now_ns = 1_000 * MS;
        assert!(!track.is_ready(now_ns) && track.is_ready(now_ns + 40 * MS));
        let from = track.position;
        assert!(!track.has_room(now_ns, false));
        assert_eq!((track.wake_ns(now_ns), track.position), (now_ns + FULL_NS, from));
        assert!(track.has_room(now_ns + FULL_NS, true));
        assert!(taken_until_ns(&mut track, now_ns + 2_000 * MS) > now_ns);
    }

    #[test]
    fn after_the_machine_stood_still_the_audio_has_time_to_arrive() {
        let mut track = started_at(0);
        let samples = [1, 0].repeat(2 * 2 * 48_000);
        track.buffer.write(0, Times::Device, &samples[..4 * 14_400]);
        let from_ns = taken_until_ns(&mut track, 300 * MS);
        // For two seconds no thread was scheduled; then both are, this one first.
        let now_ns = 2_300 * MS;
        assert_eq!(taken_until_ns(&mut track, now_ns), from_ns, "nothing is silence yet");
        let wake_ns = track.wake_ns(now_ns);
        assert!(wake_ns > now_ns && wake_ns < now_ns + 100 * MS);
        track.buffer.write(14_400, Times::Device, &samples);
        let until_ns = taken_until_ns(&mut track, now_ns + MS);
        assert!(until_ns > from_ns + 1_950 * MS, "all of it is used: {until_ns} ns");
    }
}
