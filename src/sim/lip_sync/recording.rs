//! What is kept of a file: a thumbnail of each frame, and how loud each millisecond is.

use super::decode::{FrameSink, Luma, SAMPLE_RATE_HZ, SampleSink, Span};
use super::thumbnail::Thumbnail;

const MS: u64 = 1_000_000;
/// Many files give times in whole milliseconds. Pieces of audio whose times are less than this off
/// follow each other without a gap.
const ROUNDING_NS: u64 = 5 * MS;

/// Keeps thumbnails.
#[derive(Debug, Default)]
pub(super) struct Film {
    /// The canvas that the frames are shown in; that of the first frame unless another one is given.
    pub(super) aspect: Option<f64>,
    pub(super) shots: Vec<Shot>,
    pub(super) end_ns: u64,
}

/// A frame and when it appears.
#[derive(Debug)]
pub(super) struct Shot {
    pub(super) at_ns: u64,
    pub(super) thumbnail: Thumbnail,
}

impl Film {
    /// A film whose frames are shown on a canvas of that width, in heights.
    pub(super) fn within(aspect: f64) -> Film {
        Film { aspect: Some(aspect), ..Film::default() }
    }
}

impl FrameSink for Film {
    fn frame(&mut self, span: Span, frame: &Luma<'_>) {
        let aspect = *self.aspect.get_or_insert(frame.aspect);
        let thumbnail = Thumbnail::of(frame, aspect);
        self.shots.push(Shot { at_ns: span.from_ns, thumbnail });
        self.end_ns = self.end_ns.max(span.to_ns);
    }
}

/// Keeps the energy of each millisecond.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    energy: Vec<f32>,
    /// Where the next sample belongs when nothing is missing.
    next_ns: u64,
    pub(super) end_ns: u64,
}

impl Envelope {
    /// The loudness of each millisecond, full scale being 1.
    pub(super) fn loudness(&self) -> Vec<f32> {
        let samples_per_ms = (SAMPLE_RATE_HZ / 1_000) as f32;
        self.energy.iter().map(|energy| (energy / samples_per_ms).sqrt()).collect()
    }
}

impl SampleSink for Envelope {
    fn samples(&mut self, span: Span, samples: impl Iterator<Item = f32>) {
        let joined = span.from_ns.abs_diff(self.next_ns) < ROUNDING_NS;
        let from_ns = if joined { self.next_ns } else { span.from_ns };
        for (index, sample) in samples.enumerate() {
            let at_ns = from_ns + index as u64 * 1_000 * MS / SAMPLE_RATE_HZ;
            let ms = (at_ns / MS) as usize;
            if ms >= self.energy.len() {
                self.energy.resize(ms + 1, 0.0);
            }
            self.energy[ms] += sample * sample;
            self.next_ns = from_ns + (index as u64 + 1) * 1_000 * MS / SAMPLE_RATE_HZ;
        }
        self.end_ns = self.end_ns.max(span.to_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from_ms: u64) -> Span {
        Span { from_ns: from_ms * MS, to_ns: from_ms * MS + 1_024 * 1_000 * MS / SAMPLE_RATE_HZ }
    }

    #[test]
    fn rounded_times_leave_neither_gaps_nor_overlaps() {
        let mut envelope = Envelope::default();
        for block in 0..100 {
            envelope.samples(span(100 + block * 1_024 / 48), std::iter::repeat_n(0.5, 1_024));
        }
        let loudness = envelope.loudness();
        assert_eq!(loudness[..100], [0.0; 100]);
        let audio = &loudness[100..loudness.len() - 1];
        assert_eq!(audio.len(), 2_133);
        assert!(audio.iter().all(|level| (level - 0.5).abs() < 0.01), "{audio:?}");
    }

    #[test]
    fn a_pause_is_silent_and_keeps_its_length() {
        let mut envelope = Envelope::default();
        envelope.samples(span(0), std::iter::repeat_n(0.5, 48 * 20));
        envelope.samples(span(50), std::iter::repeat_n(0.5, 48 * 20));
        let loud: Vec<bool> = envelope.loudness().iter().map(|level| *level > 0.4).collect();
        assert_eq!(loud, [vec![true; 20], vec![false; 30], vec![true; 20]].concat());
    }
}
