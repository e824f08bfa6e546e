//! A line of samples between a microphone and the encoder: what arrives is laid down at the place
//! that its time says, what is missing is silence.
//!
//! Pure: positions are samples per channel since media time zero.

use std::collections::VecDeque;

use super::{drift::Drift, resampler::Stretch};
use crate::limits::{CAPTURE_SOUND_AHEAD_MAX, CAPTURE_SOUND_LATENCY};

/// Beyond this the time of a piece that is exact is believed: samples were lost, or come twice.
const JUMP_MS: u64 = 20;
/// Sound of which all has come too late for this long is not late but slow, and the line waits for
/// it. What piled up while a thread waited for its turn comes at once.
const LATE_MS: u64 = 500;
/// Sound that has been in time again for this long is waited for no longer: it was the machine that
/// was slow.
const PUNCTUAL_MS: u64 = 2_000;

/// Where the times of pieces come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// A clip: they follow from its samples.
    Exact,
    /// A device: its samples have a clock of their own, and their times are late by chance.
    OfADevice,
}

/// The line.
#[derive(Debug)]
pub struct SoundLine {
    rate_hz: u64,
    channels: usize,
    /// Interleaved samples from `start` on.
    samples: VecDeque<i16>,
    /// Position of the next sample that is read.
    start: u64,
    /// How much later than their time samples are laid down.
    shift: u64,
    /// The next sample that was read when sound began to come too late.
    late_since: Option<u64>,
    /// Samples in a row that would have been in time where they belong.
    punctual: u64,
    /// Nothing was laid down yet of what is written now.
    anew: bool,
    drift: Drift,
    stretch: Stretch,
}

impl SoundLine {
    pub fn new(rate_hz: u32, channels: u32) -> SoundLine {
        let channels = channels.max(1) as usize;
        SoundLine {
            rate_hz: u64::from(rate_hz.max(1)),
            channels,
            samples: VecDeque::new(),
            start: 0,
            shift: 0,
            late_since: None,
            punctual: 0,
            anew: true,
            drift: Drift::default(),
            stretch: Stretch::new(channels),
        }
    }

    /// Empties the line and starts it at a position.
    pub fn start_at(&mut self, position: u64) {
        self.samples.clear();
        self.start = position;
        self.begin_anew();
    }

    /// What is written from now on has nothing to do with what was before: the microphone was
    /// opened again.
    pub fn begin_anew(&mut self) {
        (self.shift, self.late_since) = (0, None);
        self.lay_anew();
    }

    /// The next piece comes to lie exactly where its time says.
    fn lay_anew(&mut self) {
        self.anew = true;
        self.drift.lay_anew();
    }

    /// Position after the last sample laid down.
    pub fn end(&self) -> u64 {
        self.start + (self.samples.len() / self.channels) as u64
    }

    /// How fast the clock of the device is, in parts per million; `None` until it is known.
    pub fn drift_ppm(&self) -> Option<i32> {
        self.drift.ppm()
    }

    /// Lays down a piece (16-bit little-endian interleaved) whose first sample has that position.
    pub fn write(&mut self, position: u64, times: Times, piece: &[u8]) {
        let frames = piece.len() / self.frame_bytes();
        self.note_punctual(position, frames as u64);
        let position = position + self.shift;
        if position > self.start + self.samples_in(CAPTURE_SOUND_AHEAD_MAX.as_millis() as u64) {
            return;
        }
        let apart = position as i64 - self.end() as i64;
        let wrong_by = match times {
            _ if self.anew => apart,
            Times::Exact if apart.unsigned_abs() <= self.samples_in(JUMP_MS) => 0,
            Times::Exact => apart,
            Times::OfADevice => self.drifted_apart(apart, frames),
        };
        if wrong_by != 0 {
            self.stretch.restart();
        }
        let doubled = frames.min(usize::try_from(-wrong_by).unwrap_or(0));
        let silence = usize::try_from(wrong_by).unwrap_or(0) * self.channels;
        self.samples.extend(std::iter::repeat_n(0, silence));
        self.append(times, piece.get(doubled * self.frame_bytes()..).unwrap_or_default());
        self.anew &= doubled == frames;
        self.note_late(doubled == frames, apart.unsigned_abs());
    }

    /// Takes the next samples; returns how many of them per channel are silence because nothing
    /// was laid down.
    pub fn read(&mut self, block: &mut [i16]) -> u64 {
        let there = block.len().min(self.samples.len());
        for (to, from) in block.iter_mut().zip(self.samples.drain(..there)) {
            *to = from;
        }
        let missing = &mut block[there..];
        missing.fill(0);
        let missing = (missing.len() / self.channels) as u64;
        if missing > 0 {
            self.lay_anew();
        }
        self.start += (block.len() / self.channels) as u64;
        missing
    }

    /// By how many samples the sound of a device is out of place.
    fn drifted_apart(&mut self, apart: i64, frames: usize) -> i64 {
        let rate_hz = self.rate_hz as f64;
        let anew = self.drift.note(apart as f64 / rate_hz, frames as f64 / rate_hz);
        anew.map_or(0, |seconds| (seconds * rate_hz) as i64)
    }

    /// Whether it is still necessary to wait for the sound.
    fn note_punctual(&mut self, position: u64, frames: u64) {
        let latency = self.samples_in(CAPTURE_SOUND_LATENCY.as_millis() as u64 - JUMP_MS);
        let in_time = self.shift > 0 && position + latency >= self.start;
        self.punctual = if in_time { self.punctual + frames } else { 0 };
        if self.punctual > self.samples_in(PUNCTUAL_MS) {
            (self.punctual, self.shift, self.anew) = (0, 0, true);
        }
    }

    fn note_late(&mut self, all: bool, by: u64) {
        if !all {
            self.late_since = None;
            return;
        }
        let since = *self.late_since.get_or_insert(self.start);
        if self.start - since > self.samples_in(LATE_MS) {
            (self.late_since, self.anew) = (None, true);
            self.shift += by + self.samples_in(JUMP_MS);
        }
    }

    fn append(&mut self, times: Times, piece: &[u8]) {
        match times {
            Times::Exact => {
                let values = piece.chunks_exact(2);
                self.samples.extend(values.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
            }
            Times::OfADevice => {
                self.stretch.write(piece, self.drift.stretch(), &mut self.samples);
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

    fn line() -> SoundLine {
        let mut line = SoundLine::new(48_000, 2);
        line.start_at(48_000);
        line
    }

    fn piece(frames: usize, value: i16) -> Vec<u8> {
        value.to_le_bytes().repeat(frames * 2)
    }

    /// Reads and gives value and length of each run of equal samples.
    fn runs(line: &mut SoundLine, frames: usize) -> Vec<(i16, usize)> {
        let mut block = vec![-1; frames * 2];
        line.read(&mut block);
        let chunks = block.chunk_by(|a, b| a == b);
        chunks.map(|run| (run[0], run.len() / 2)).collect()
    }

    #[test]
    fn pieces_of_a_clip_that_follow_each_other_are_joined_without_a_gap() {
        let mut line = line();
        line.write(48_000, Times::Exact, &piece(480, 1));
        line.write(48_479, Times::Exact, &piece(480, 2));
        line.write(48_965, Times::Exact, &piece(480, 3));
        assert_eq!(runs(&mut line, 1_440), [(1, 480), (2, 480), (3, 480)]);
    }

    #[test]
    fn what_a_clip_leaves_out_is_silence_and_is_counted() {
        let mut line = line();
        line.write(48_000, Times::Exact, &piece(480, 1));
        line.write(51_000, Times::Exact, &piece(480, 2));
        assert_eq!(runs(&mut line, 3_480), [(1, 480), (0, 2_520), (2, 480)]);
        assert_eq!(line.read(&mut [7; 200]), 100);
    }

    #[test]
    fn what_comes_twice_is_taken_once() {
        let mut line = line();
        line.write(48_000, Times::Exact, &piece(4_800, 1));
        line.write(48_000, Times::Exact, &piece(4_800, 2));
        line.write(48_000, Times::Exact, &piece(7_200, 3));
        assert_eq!(runs(&mut line, 7_200), [(1, 4_800), (3, 2_400)]);
    }

    #[test]
    fn a_microphone_begins_at_its_time_each_time_it_is_opened() {
        let mut line = line();
        for at in [48_480, 72_000] {
            line.begin_anew();
            line.write(at, Times::OfADevice, &piece(4_800, 1));
            let before = (at - line.start) as usize;
            // The last few samples wait for what follows.
            assert_eq!(runs(&mut line, before + 4_792), [(0, before), (1, 4_792)]);
        }
    }

    #[test]
    fn what_comes_late_keeps_its_place_unless_all_of_it_is_late() {
        let mut line = line();
        line.read(&mut [0; 2 * 4_800]);
        line.write(48_000, Times::OfADevice, &piece(7_200, 1));
        assert_eq!(line.end(), 48_000 + 7_200 - 8, "its late part is gone");

        let (mut at, mut heard) = (48_000 + 7_200 - 8, 0);
        line.read(&mut [0; 2 * 9_600]);
        for _ in 0..200 {
            let mut block = [0; 2 * 480];
            line.read(&mut block);
            heard += block.iter().filter(|sample| **sample == 1).count() / 2;
            line.write(at, Times::OfADevice, &piece(480, 1));
            at += 480;
        }
        assert!(heard > 100 * 480, "a slow microphone is heard in the end: {heard}");
    }

    #[test]
    fn a_machine_that_was_slow_for_a_while_does_not_leave_the_sound_late() {
        let mut line = line();
        let mut block = [0; 2 * 480];
        for piece_number in 0..600 {
            // For a second everything comes 150 ms late.
            let late = if (100..200).contains(&piece_number) { 7_200 } else { 0 };
            let now = 48_000 + (piece_number + 1) * 480;
            line.write(now - 480 - late, Times::OfADevice, &piece(480, 1));
            line.read(&mut block);
            if piece_number == 250 {
                assert!(line.shift > 0, "it is waited for");
            }
        }
        assert_eq!(line.shift, 0);
        assert!(line.end() <= line.start + 480, "{} samples wait", line.end() - line.start);
    }

    /// A card of 8 kHz that delivers pieces of 10 ms, read 30 ms behind.
    fn a_card_is_heard_without_a_gap(per_mille: i64) -> SoundLine {
        let mut line = SoundLine::new(8_000, 1);
        line.start_at(8_000);
        let mut true_position = 8_000_i64 * 1_000;
        for second in 0..120 {
            let mut missing = 0;
            for _ in 0..100 {
                line.write((true_position / 1_000) as u64, Times::OfADevice, &[1; 160]);
                true_position += 80 * (1_000 - per_mille);
                let due = (true_position / 1_000 - 240) as u64;
                let due = due.saturating_sub(line.start);
                missing += line.read(&mut vec![0; due as usize]);
            }
            let apart = line.end() as i64 - true_position / 1_000;
            assert!(apart.abs() < 40, "{apart} samples after {second} s");
            assert_eq!(missing, 0, "no silence in second {second}");
        }
        line
    }

    #[test]
    fn a_slow_and_a_fast_card_stay_within_five_milliseconds_and_are_measured() {
        for per_mille in [-1, 1] {
            let measured = a_card_is_heard_without_a_gap(per_mille).drift_ppm();
            let off = measured.expect("measured") - 1_000 * per_mille as i32;
            assert!(off.abs() < 50, "{measured:?} ppm");
        }
    }

    /// A card of 8 kHz that clicks once a second for a minute, on a machine on which threads wait
    /// for their turn for up to `stall_ms` now and then. How far the clicks that are heard are from
    /// their places, in milliseconds.
    fn clicks_off_ms(stall_ms: u64, seed: u64) -> Vec<u64> {
        const PIECE: u64 = 160;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut line = SoundLine::new(8_000, 1);
        line.start_at(0);
        let (mut off_ms, mut last, mut captured) = (Vec::new(), 0, 0);
        let (mut writer_free_ms, mut reader_free_ms) = (0, 0);
        for now_ms in 0..60_000 {
            let mut has_turn = |free_ms: &mut u64| {
                if now_ms >= *free_ms && random.u32(..2_000) == 0 {
                    *free_ms = now_ms + random.u64(..stall_ms);
                }
                now_ms >= *free_ms
            };
            while captured + PIECE <= now_ms * 8 && has_turn(&mut writer_free_ms) {
                let click = |sample: u64| i16::from(sample % 8_000 < 8) * 20_000;
                let piece = (captured..captured + PIECE).flat_map(|n| click(n).to_le_bytes());
                line.write(captured, Times::OfADevice, &piece.collect::<Vec<u8>>());
                captured += PIECE;
            }
            // A block is read when it is there, and at the latest 160 ms after it should be.
            let is_due = |line: &SoundLine| {
                let end = line.start + PIECE;
                line.end() >= end || end / 8 + 160 <= now_ms
            };
            while is_due(&line) && has_turn(&mut reader_free_ms) {
                let (from, mut block) = (line.start, [0; PIECE as usize]);
                line.read(&mut block);
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
    fn what_is_heard_is_in_its_place_however_threads_wait_for_their_turn() {
        for stall_ms in [50, 200, 500, 1_500] {
            for seed in 0..4 {
                let off_ms = clicks_off_ms(stall_ms, seed);
                assert!(off_ms.len() >= 45, "{} clicks are heard", off_ms.len());
                let worst_ms = off_ms.into_iter().max().expect("a click");
                assert!(worst_ms < 5, "{worst_ms} ms with waits of {stall_ms} ms, seed {seed}");
            }
        }
    }

    #[test]
    fn a_time_far_ahead_does_not_fill_the_memory() {
        let mut line = line();
        for times in [Times::Exact, Times::OfADevice] {
            line.write(u64::MAX / 2, times, &piece(480, 1));
            line.write(48_000 * 3_600, times, &piece(480, 1));
        }
        assert_eq!(line.samples.len(), 0);
    }

    #[test]
    fn an_odd_piece_is_no_harm() {
        for times in [Times::Exact, Times::OfADevice] {
            let mut line = line();
            line.write(48_000, times, &[1, 2, 3]);
            line.write(48_000, times, &[]);
            line.write(0, times, &piece(1, 1));
            assert!(line.samples.len() <= 4);
        }
    }
}
