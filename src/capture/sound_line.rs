//! A line of samples between a microphone and the encoder: what arrives is laid down at the place
//! that its time says, what is missing is silence.
//!
//! Pure: positions are samples per channel since media time zero.

use std::collections::VecDeque;

use crate::limits::CAPTURE_SOUND_AHEAD_MAX;

/// Beyond this the time of a piece is believed at once: samples were lost, or come twice.
const JUMP_MS: u64 = 20;
/// Beyond this the line is stretched or shortened little by little: the clock of a sound card runs
/// up to one per mille fast or slow.
const DRIFT_MS: u64 = 2;
/// One sample in so many is doubled or left out then, which is not heard.
const STRETCH: usize = 256;
/// Sound that comes too late for this long in a row is not late but slow, and the line waits for
/// it.
const LATE_MS: u64 = 500;

/// The line.
#[derive(Debug)]
pub(super) struct SoundLine {
    rate_hz: u64,
    channels: usize,
    /// Interleaved samples from `start` on.
    samples: VecDeque<i16>,
    /// Position of the next sample that is read.
    start: u64,
    /// How much later than their time samples are laid down.
    shift: u64,
    /// Samples in a row that came too late.
    late: u64,
}

impl SoundLine {
    pub(super) fn new(rate_hz: u32, channels: u32) -> SoundLine {
        SoundLine {
            rate_hz: u64::from(rate_hz.max(1)),
            channels: channels.max(1) as usize,
            samples: VecDeque::new(),
            start: 0,
            shift: 0,
            late: 0,
        }
    }

    /// Empties the line and starts it at a position.
    pub(super) fn start_at(&mut self, position: u64) {
        self.samples.clear();
        (self.start, self.shift, self.late) = (position, 0, 0);
    }

    /// Position after the last sample laid down.
    pub(super) fn end(&self) -> u64 {
        self.start + (self.samples.len() / self.channels) as u64
    }

    /// Lays down a piece (16-bit little-endian interleaved) whose first sample has that position.
    pub(super) fn write(&mut self, position: u64, piece: &[u8]) {
        let frame_bytes = 2 * self.channels;
        let frames = piece.len() / frame_bytes;
        let position = position + self.shift;
        if position > self.start + self.samples_in(CAPTURE_SOUND_AHEAD_MAX.as_millis() as u64) {
            return;
        }
        let off = position as i64 - self.end() as i64;
        if off.unsigned_abs() <= self.samples_in(JUMP_MS) {
            self.late = 0;
            self.append_stretched(off, piece);
        } else if off > 0 {
            self.late = 0;
            let silence = off as usize * self.channels;
            self.samples.extend(std::iter::repeat_n(0, silence));
            self.append(piece);
        } else {
            let doubled = frames.min(off.unsigned_abs() as usize);
            self.append(piece.get(doubled * frame_bytes..).unwrap_or_default());
            self.note_late(doubled as u64, doubled == frames, off.unsigned_abs());
        }
    }

    /// Takes the next samples; returns how many of them per channel are silence because nothing
    /// was laid down.
    pub(super) fn read(&mut self, block: &mut [i16]) -> u64 {
        let there = block.len().min(self.samples.len());
        for (to, from) in block.iter_mut().zip(self.samples.drain(..there)) {
            *to = from;
        }
        let missing = &mut block[there..];
        missing.fill(0);
        let missing = (missing.len() / self.channels) as u64;
        self.start += (block.len() / self.channels) as u64;
        missing
    }

    fn note_late(&mut self, samples: u64, all: bool, by: u64) {
        self.late = if all { self.late + samples } else { 0 };
        if self.late > self.samples_in(LATE_MS) {
            self.late = 0;
            self.shift += by + self.samples_in(JUMP_MS);
        }
    }

    fn append(&mut self, piece: &[u8]) {
        let values = piece.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
        self.samples.extend(values);
    }

    /// Appends a piece that should begin `off` samples after the end, closing a part of the
    /// distance by doubling samples or leaving some out.
    fn append_stretched(&mut self, off: i64, piece: &[u8]) {
        let frame_bytes = 2 * self.channels;
        let frames = piece.len() / frame_bytes;
        let changes = (frames / STRETCH).max(1).min(off.unsigned_abs() as usize);
        if off.unsigned_abs() <= self.samples_in(DRIFT_MS) || frames <= changes {
            return self.append(piece);
        }
        for part in piece.chunks(frames.div_ceil(changes) * frame_bytes) {
            if off > 0 {
                self.append(&part[..frame_bytes.min(part.len())]);
                self.append(part);
            } else {
                self.append(part.get(frame_bytes..).unwrap_or_default());
            }
        }
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
    fn pieces_that_follow_each_other_are_joined_without_a_gap() {
        let mut line = line();
        line.write(48_000, &piece(480, 1));
        line.write(48_479, &piece(480, 2));
        line.write(48_965, &piece(480, 3));
        assert_eq!(runs(&mut line, 1_440), [(1, 480), (2, 480), (3, 480)]);
    }

    #[test]
    fn what_is_missing_is_silence_and_is_counted() {
        let mut line = line();
        line.write(48_000, &piece(480, 1));
        line.write(51_000, &piece(480, 2));
        assert_eq!(runs(&mut line, 3_480), [(1, 480), (0, 2_520), (2, 480)]);
        assert_eq!(line.read(&mut [7; 200]), 100);
    }

    #[test]
    fn what_comes_twice_is_taken_once() {
        let mut line = line();
        line.write(48_000, &piece(4_800, 1));
        line.write(48_000, &piece(4_800, 2));
        line.write(48_000, &piece(7_200, 3));
        assert_eq!(runs(&mut line, 7_200), [(1, 4_800), (3, 2_400)]);
    }

    #[test]
    fn what_comes_late_keeps_its_place_unless_all_of_it_is_late() {
        let mut line = line();
        line.read(&mut [0; 2 * 4_800]);
        line.write(48_000, &piece(7_200, 1));
        assert_eq!(runs(&mut line, 2_400), [(1, 2_400)], "its late part is gone");

        let mut at = 48_000;
        let mut heard = false;
        for _ in 0..100 {
            line.read(&mut [0; 2 * 480]);
            line.write(at, &piece(480, 1));
            heard |= line.end() > line.start;
            at += 480;
        }
        assert!(heard, "a slow microphone is heard in the end");
    }

    #[test]
    fn a_slow_and_a_fast_clock_stay_within_five_milliseconds() {
        for per_mille in [-1_i64, 1] {
            let mut line = line();
            let mut true_position = 48_000_i64 * 1_000;
            for second in 0..60 {
                let mut missing = 0;
                for _ in 0..100 {
                    line.write((true_position / 1_000) as u64, &piece(480, 1));
                    true_position += 480 * (1_000 + per_mille);
                    // Read 10 ms behind.
                    let due = (true_position / 1_000 - 480) as u64;
                    let due = due.saturating_sub(line.start);
                    missing += line.read(&mut vec![0; 2 * due as usize]);
                }
                let apart = line.end() as i64 - true_position / 1_000;
                assert!(apart.abs() < 240, "{apart} samples after {second} s");
                assert_eq!(missing, 0, "no silence in second {second}");
            }
        }
    }

    #[test]
    fn a_time_far_ahead_does_not_fill_the_memory() {
        let mut line = line();
        line.write(u64::MAX / 2, &piece(480, 1));
        line.write(48_000 * 3_600, &piece(480, 1));
        assert_eq!(line.samples.len(), 0);
    }

    #[test]
    fn an_odd_piece_is_no_harm() {
        let mut line = line();
        line.write(48_000, &[1, 2, 3]);
        line.write(48_000, &[]);
        line.write(0, &piece(1, 1));
        assert!(line.samples.len() <= 3);
    }
}
