//! The samples between a microphone and the encoder: what arrives is placed at the position that
//! its time gives, and gaps are filled with silence.
//!
//! Pure: positions are samples per channel since media time zero.

use std::collections::VecDeque;

use super::{drift::Drift, resampler::Resampler};
use crate::limits::{CAPTURE_AUDIO_AHEAD_MAX, CAPTURE_AUDIO_LATENCY};

/// An exact time that differs by more than this from the end of the buffer counts: samples are missing
/// or repeated. Less is rounding.
const JUMP_MS: u64 = 20;
/// When all audio has been too late for this long, the source has a longer delay, and the buffer adds
/// as much. What piled up while a thread was not scheduled arrives at once, within less time.
const LATE_MS: u64 = 500;
/// When audio has been in time again for this long, the added delay is removed: it was the machine
/// that was slow.
const PUNCTUAL_MS: u64 = 2_000;

/// Where the times of buffers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// A clip: they follow from its samples.
    Exact,
    /// A device: its samples have a clock of their own, and their times are late at random.
    Device,
}

/// Samples waiting for the encoder.
#[derive(Debug)]
pub struct AudioBuffer {
    rate_hz: u64,
    channels: usize,
    /// Interleaved samples from `start` on.
    samples: VecDeque<i16>,
    /// Position of the next sample that is read.
    start: u64,
    /// The delay that is added, in samples.
    added_delay: u64,
    /// Position of the reader when audio began to come too late.
    late_since: Option<u64>,
    /// Samples in a row that would have been in time without the added delay.
    punctual: u64,
    /// The next samples are placed exactly where their time says.
    realign: bool,
    drift: Drift,
    resampler: Resampler,
}

impl AudioBuffer {
    pub fn new(rate_hz: u32, channels: u32) -> AudioBuffer {
        let channels = channels.max(1) as usize;
        AudioBuffer {
            rate_hz: u64::from(rate_hz.max(1)),
            channels,
            samples: VecDeque::new(),
            start: 0,
            added_delay: 0,
            late_since: None,
            punctual: 0,
            realign: true,
            drift: Drift::default(),
            resampler: Resampler::new(channels),
        }
    }

    /// Empties the buffer and starts it at a position.
    pub fn start_at(&mut self, position: u64) {
        self.samples.clear();
        self.start = position;
        self.restart();
    }

    /// The microphone was opened again: what follows has nothing in common with what was before.
    pub fn restart(&mut self) {
        (self.added_delay, self.late_since) = (0, None);
        self.realign();
    }

    /// Places the next samples exactly where their time says.
    fn realign(&mut self) {
        self.realign = true;
        self.drift.realign();
    }

    /// Position after the last sample.
    pub fn end(&self) -> u64 {
        self.start + (self.samples.len() / self.channels) as u64
    }

    /// How fast the clock of the device is, in parts per million; `None` until it is known.
    pub fn drift_ppm(&self) -> Option<i32> {
        self.drift.ppm()
    }

    /// Adds samples (16-bit little-endian interleaved), of which the first has that position.
    pub fn write(&mut self, position: u64, times: Times, piece: &[u8]) {
        let frames = piece.len() / self.frame_bytes();
        self.note_punctual(position, frames as u64);
        let position = position + self.added_delay;
        if position > self.start + self.samples_in(CAPTURE_AUDIO_AHEAD_MAX.as_millis() as u64) {
            return;
        }
        let offset = position as i64 - self.end() as i64;
        let misplaced_by = match times {
            _ if self.realign => offset,
            Times::Exact if offset.unsigned_abs() <= self.samples_in(JUMP_MS) => 0,
            Times::Exact => offset,
            Times::Device => self.out_of_place(offset, frames),
        };
        if misplaced_by != 0 {
            self.resampler.restart();
        }
        let repeated = frames.min(usize::try_from(-misplaced_by).unwrap_or(0));
        let silence = usize::try_from(misplaced_by).unwrap_or(0) * self.channels;
        self.samples.extend(std::iter::repeat_n(0, silence));
        self.append(times, piece.get(repeated * self.frame_bytes()..).unwrap_or_default());
        self.realign &= repeated == frames;
        self.note_lateness(repeated == frames, offset.unsigned_abs());
    }

    /// Takes the next samples; returns how many of them per channel are silence because they are
    /// missing.
    pub fn read(&mut self, block: &mut [i16]) -> u64 {
        let available = block.len().min(self.samples.len());
        for (to, from) in block.iter_mut().zip(self.samples.drain(..available)) {
            *to = from;
        }
        let missing = &mut block[available..];
        missing.fill(0);
        let missing = (missing.len() / self.channels) as u64;
        if missing > 0 {
            self.realign();
        }
        self.start += (block.len() / self.channels) as u64;
        missing
    }

    /// By how many samples the audio of a device is misplaced, if it is.
    fn out_of_place(&mut self, offset: i64, frames: usize) -> i64 {
        let rate_hz = self.rate_hz as f64;
        let jump_s = self.drift.note(offset as f64 / rate_hz, frames as f64 / rate_hz);
        jump_s.map_or(0, |seconds| (seconds * rate_hz) as i64)
    }

    /// Removes the added delay once audio has been in time for long enough.
    fn note_punctual(&mut self, position: u64, frames: u64) {
        let latency = self.samples_in(CAPTURE_AUDIO_LATENCY.as_millis() as u64 - JUMP_MS);
        let in_time = self.added_delay > 0 && position + latency >= self.start;
        self.punctual = if in_time { self.punctual + frames } else { 0 };
        if self.punctual > self.samples_in(PUNCTUAL_MS) {
            (self.punctual, self.added_delay, self.realign) = (0, 0, true);
        }
    }

    fn note_lateness(&mut self, all: bool, by: u64) {
        if !all {
            self.late_since = None;
            return;
        }
        let since = *self.late_since.get_or_insert(self.start);
        if self.start - since > self.samples_in(LATE_MS) {
            (self.late_since, self.realign) = (None, true);
            self.added_delay += by + self.samples_in(JUMP_MS);
        }
    }

    fn append(&mut self, times: Times, piece: &[u8]) {
        match times {
            Times::Exact => {
                let values = piece.chunks_exact(2);
                self.samples.extend(values.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
            }
            Times::Device => {
                self.resampler.write(piece, self.drift.correction(), &mut self.samples);
            }
        }
    }

    fn frame_bytes(&self) -> usize {
        2 * self.channels
    }

    fn samples_in(&self, ms: u64) -> u64 {
        self.rate_hz * ms / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer() -> AudioBuffer {
        let mut buffer = AudioBuffer::new(48_000, 2);
        buffer.start_at(48_000);
        buffer
    }

    fn piece(frames: usize, value: i16) -> Vec<u8> {
        value.to_le_bytes().repeat(frames * 2)
    }

    /// Reads, and returns value and length of each run of equal samples.
    fn runs(buffer: &mut AudioBuffer, frames: usize) -> Vec<(i16, usize)> {
        let mut block = vec![-1; frames * 2];
        buffer.read(&mut block);
        let chunks = block.chunk_by(|a, b| a == b);
        chunks.map(|run| (run[0], run.len() / 2)).collect()
    }

    #[test]
    fn buffers_of_a_clip_that_follow_each_other_are_joined_without_a_gap() {
        let mut buffer = buffer();
        buffer.write(48_000, Times::Exact, &piece(480, 1));
        buffer.write(48_479, Times::Exact, &piece(480, 2));
        buffer.write(48_965, Times::Exact, &piece(480, 3));
        assert_eq!(runs(&mut buffer, 1_440), [(1, 480), (2, 480), (3, 480)]);
    }

    #[test]
    fn what_a_clip_leaves_out_is_silence_and_is_counted() {
        let mut buffer = buffer();
        buffer.write(48_000, Times::Exact, &piece(480, 1));
        buffer.write(51_000, Times::Exact, &piece(480, 2));
        assert_eq!(runs(&mut buffer, 3_480), [(1, 480), (0, 2_520), (2, 480)]);
        assert_eq!(buffer.read(&mut [7; 200]), 100);
    }

    #[test]
    fn what_comes_twice_is_used_once() {
        let mut buffer = buffer();
        buffer.write(48_000, Times::Exact, &piece(4_800, 1));
        buffer.write(48_000, Times::Exact, &piece(4_800, 2));
        buffer.write(48_000, Times::Exact, &piece(7_200, 3));
        assert_eq!(runs(&mut buffer, 7_200), [(1, 4_800), (3, 2_400)]);
    }

    #[test]
    fn a_microphone_begins_at_its_time_each_time_it_is_opened() {
        let mut buffer = buffer();
        for at in [48_480, 72_000] {
            buffer.restart();
            buffer.write(at, Times::Device, &piece(4_800, 1));
            let before = (at - buffer.start) as usize;
            // The last few samples wait for what follows.
            assert_eq!(runs(&mut buffer, before + 4_792), [(0, before), (1, 4_792)]);
        }
    }

    #[test]
    fn what_comes_late_keeps_its_place_unless_all_of_it_is_late() {
        let mut buffer = buffer();
        buffer.read(&mut [0; 2 * 4_800]);
        buffer.write(48_000, Times::Device, &piece(7_200, 1));
        assert_eq!(buffer.end(), 48_000 + 7_200 - 8, "its late part is dropped");

        let (mut at, mut used) = (48_000 + 7_200 - 8, 0);
        buffer.read(&mut [0; 2 * 9_600]);
        for _ in 0..200 {
            let mut block = [0; 2 * 480];
            buffer.read(&mut block);
            used += block.iter().filter(|sample| **sample == 1).count() / 2;
            buffer.write(at, Times::Device, &piece(480, 1));
            at += 480;
        }
        assert!(used > 100 * 480, "a slow microphone is used in the end: {used}");
    }

    #[test]
    fn a_machine_that_was_slow_for_a_while_does_not_leave_the_audio_late() {
        let mut buffer = buffer();
        let mut block = [0; 2 * 480];
        for piece_number in 0..600 {
            // For a second everything comes 150 ms late.
            let late = if (100..200).contains(&piece_number) { 7_200 } else { 0 };
            let now = 48_000 + (piece_number + 1) * 480;
            buffer.write(now - 480 - late, Times::Device, &piece(480, 1));
            buffer.read(&mut block);
            if piece_number == 250 {
                assert!(buffer.added_delay > 0, "the delay is added");
            }
        }
        assert_eq!(buffer.added_delay, 0);
        assert!(buffer.end() <= buffer.start + 480, "{} samples wait", buffer.end() - buffer.start);
    }

    /// A card of 8 kHz that delivers 10 ms at a time, read 30 ms later.
    fn a_card_is_read_without_a_gap(per_mille: i64) -> AudioBuffer {
        let mut buffer = AudioBuffer::new(8_000, 1);
        buffer.start_at(8_000);
        let mut true_position = 8_000_i64 * 1_000;
        for second in 0..120 {
            let mut missing = 0;
            for _ in 0..100 {
                buffer.write((true_position / 1_000) as u64, Times::Device, &[1; 160]);
                true_position += 80 * (1_000 - per_mille);
                let due = (true_position / 1_000 - 240) as u64;
                let due = due.saturating_sub(buffer.start);
                missing += buffer.read(&mut vec![0; due as usize]);
            }
            let offset = buffer.end() as i64 - true_position / 1_000;
            assert!(offset.abs() < 40, "{offset} samples after {second} s");
            assert_eq!(missing, 0, "no silence in second {second}");
        }
        buffer
    }

    #[test]
    fn a_slow_and_a_fast_card_stay_within_five_milliseconds_and_are_measured() {
        for per_mille in [-1, 1] {
            let measured = a_card_is_read_without_a_gap(per_mille).drift_ppm();
            let off = measured.expect("measured") - 1_000 * per_mille as i32;
            assert!(off.abs() < 50, "{measured:?} ppm");
        }
    }

    /// A card of 8 kHz that clicks once a second for a minute, on a machine that does not schedule
    /// its threads for up to `stall_ms` now and then. How far the clicks that are read are from their
    /// places, in milliseconds.
    fn clicks_off_ms(stall_ms: u64, seed: u64) -> Vec<u64> {
        const PIECE: u64 = 160;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut buffer = AudioBuffer::new(8_000, 1);
        buffer.start_at(0);
        let (mut off_ms, mut last, mut captured) = (Vec::new(), 0, 0);
        let (mut writer_free_ms, mut reader_free_ms) = (0, 0);
        for now_ms in 0..60_000 {
            let mut is_scheduled = |free_ms: &mut u64| {
                if now_ms >= *free_ms && random.u32(..2_000) == 0 {
                    *free_ms = now_ms + random.u64(..stall_ms);
                }
                now_ms >= *free_ms
            };
            while captured + PIECE <= now_ms * 8 && is_scheduled(&mut writer_free_ms) {
                let click = |sample: u64| i16::from(sample % 8_000 < 8) * 20_000;
                let piece = (captured..captured + PIECE).flat_map(|n| click(n).to_le_bytes());
                buffer.write(captured, Times::Device, &piece.collect::<Vec<u8>>());
                captured += PIECE;
            }
            // A block is read when it is there, and at the latest 160 ms after it should be.
            let is_due = |buffer: &AudioBuffer| {
                let end = buffer.start + PIECE;
                buffer.end() >= end || end / 8 + 160 <= now_ms
            };
            while is_due(&buffer) && is_scheduled(&mut reader_free_ms) {
                let (from, mut block) = (buffer.start, [0; PIECE as usize]);
                buffer.read(&mut block);
                let loud = (from..).zip(block).filter(|(_, value)| *value > 5_000);
                for (at, _) in loud {
                    if at - last > 80 {
                        off_ms.push(((at + 4_000) % 8_000).abs_diff(4_000) / 8);
                    }
                    last = at;
                }
            }
        }
        off_ms
    }

    #[test]
    fn what_is_read_is_in_its_place_however_long_threads_are_not_scheduled() {
        for stall_ms in [50, 200, 500, 1_500] {
            for seed in 0..4 {
                let off_ms = clicks_off_ms(stall_ms, seed);
                assert!(off_ms.len() >= 45, "{} clicks are read", off_ms.len());
                let worst_ms = off_ms.into_iter().max().expect("a click");
                assert!(worst_ms < 5, "{worst_ms} ms with waits of {stall_ms} ms, seed {seed}");
            }
        }
    }

    #[test]
    fn a_time_far_ahead_does_not_fill_the_memory() {
        let mut buffer = buffer();
        for times in [Times::Exact, Times::Device] {
            buffer.write(u64::MAX / 2, times, &piece(480, 1));
            buffer.write(48_000 * 3_600, times, &piece(480, 1));
        }
        assert_eq!(buffer.samples.len(), 0);
    }

    #[test]
    fn an_odd_number_of_bytes_does_no_harm() {
        for times in [Times::Exact, Times::Device] {
            let mut buffer = buffer();
            buffer.write(48_000, times, &[1, 2, 3]);
            buffer.write(48_000, times, &[]);
            buffer.write(0, times, &piece(1, 1));
            assert!(buffer.samples.len() <= 4);
        }
    }
}
