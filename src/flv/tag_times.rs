//! The time of a stream from the timestamps of a file's tags.

use super::tag::TagKind;
use crate::limits::{FILE_GAP_MAX, FILE_OUT_OF_ORDER_MAX};

const GAP_MAX_MS: i64 = FILE_GAP_MAX.as_millis() as i64;
const OUT_OF_ORDER_MAX_MS: i64 = FILE_OUT_OF_ORDER_MAX.as_millis() as i64;
/// How far ahead of the frames before it a configuration may be.
const AHEAD_MAX_MS: u64 = 1_000;
/// Where some writers let the time begin again at 0, besides 2^32: without the upper eight bits of the
/// field, or without its sign.
const WRAPS_MS: [i64; 2] = [1 << 24, 1 << 31];
/// The distance of the first two frames, where nothing is known of it.
const STEP_MS: u64 = 20;
const STEP_MAX_MS: u64 = 100;

/// Gives each tag of a file its time since the first frame, in milliseconds. Frames keep their distances
/// wherever the file begins and its timestamps wrap; in each track the time never goes back. Where the
/// timestamps leap, as between two recordings, the stream goes on without a gap, and both tracks together.
#[derive(Debug, Clone, Default)]
pub struct TagTimes {
    /// A timestamp, and the time that it stands for; none before the first frame, and before that of
    /// another round.
    anchor: Option<(u32, i64)>,
    audio: Track,
    video: Track,
    script: Track,
    /// The latest frame.
    newest_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Track {
    last_ms: u64,
    step_ms: Option<u64>,
}

/// How a frame got its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placed {
    AsWritten,
    /// It steps back a little, and gets the time of the frame before it.
    Raised,
    /// Its timestamp leaps.
    BehindLeap,
}

/// The timestamps leap between two tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leap {
    /// The timestamp before.
    pub from_ms: u32,
    /// The timestamp that came.
    pub to_ms: u32,
}

impl TagTimes {
    /// The time of the next tag, and whether the timestamps leap before it.
    pub fn time(
        &mut self,
        kind: TagKind,
        timestamp_ms: u32,
        is_frame: bool,
    ) -> (u64, Option<Leap>) {
        let mapped = self.anchor.map(|(at, time_ms)| {
            // The distance, across the wrap at 2^32 too.
            time_ms + i64::from(timestamp_ms.wrapping_sub(at) as i32)
        });
        let last_ms = self.track(kind).last_ms;
        if !is_frame {
            let newest_ms = self.newest_ms.unwrap_or_default();
            let range = last_ms..=newest_ms + AHEAD_MAX_MS;
            let mapped = mapped.and_then(|time_ms| u64::try_from(time_ms).ok());
            let time_ms = mapped.filter(|time_ms| range.contains(time_ms)).unwrap_or(newest_ms);
            let time_ms = time_ms.max(last_ms);
            self.track(kind).last_ms = time_ms;
            return (time_ms, None);
        }
        let (time_ms, placed) = match (mapped, self.newest_ms) {
            (_, None) => (0, Placed::AsWritten),
            (None, Some(newest_ms)) => (self.next_ms(kind, newest_ms), Placed::AsWritten),
            (Some(mapped), Some(newest_ms)) => self.go_on(kind, mapped, newest_ms),
        };
        let leap = match (placed, self.anchor) {
            (Placed::BehindLeap, Some((from_ms, _))) => Some(Leap { from_ms, to_ms: timestamp_ms }),
            _ => None,
        };
        // A frame that is raised does not change what timestamps stand for.
        if placed != Placed::Raised {
            self.anchor = Some((timestamp_ms, time_ms as i64));
        }
        let track = self.track(kind);
        let step_ms = time_ms - track.last_ms;
        if (1..=STEP_MAX_MS).contains(&step_ms) {
            track.step_ms = Some(step_ms);
        }
        track.last_ms = time_ms;
        self.newest_ms = self.newest_ms.max(Some(time_ms));
        (time_ms, leap)
    }

    /// The file is read once more from its beginning: the next frame comes right behind the latest.
    pub fn again(&mut self) {
        self.anchor = None;
    }

    fn go_on(&mut self, kind: TagKind, mapped_ms: i64, newest_ms: u64) -> (u64, Placed) {
        let least_ms = self.track(kind).last_ms as i64;
        let most_ms = newest_ms as i64 + GAP_MAX_MS;
        if (least_ms..=most_ms).contains(&mapped_ms) {
            return (mapped_ms as u64, Placed::AsWritten);
        }
        if (least_ms - OUT_OF_ORDER_MAX_MS..least_ms).contains(&mapped_ms) {
            return (least_ms as u64, Placed::Raised);
        }
        let mut wrapped = WRAPS_MS.iter().map(|wrap_ms| mapped_ms + wrap_ms);
        match wrapped.find(|time_ms| (least_ms..=most_ms).contains(time_ms)) {
            Some(time_ms) => (time_ms as u64, Placed::AsWritten),
            None => (self.next_ms(kind, newest_ms), Placed::BehindLeap),
        }
    }

    /// Right behind the newest frame, but not before a configuration of the track that was ahead of it.
    fn next_ms(&mut self, kind: TagKind, newest_ms: u64) -> u64 {
        let track = self.track(kind);
        (newest_ms + track.step_ms.unwrap_or(STEP_MS)).max(track.last_ms)
    }

    fn track(&mut self, kind: TagKind) -> &mut Track {
        match kind {
            TagKind::Audio => &mut self.audio,
            TagKind::Video => &mut self.video,
            TagKind::Script => &mut self.script,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TagKind::{Audio, Script, Video};
    use super::*;

    /// Two seconds of video at 25 frames a second and of audio, as they are interleaved.
    fn tags() -> Vec<(TagKind, u32)> {
        let video = (0..50).map(|n| (Video, n * 40));
        let mut tags: Vec<_> = video.chain((0..94).map(|n| (Audio, n * 1_024 / 48))).collect();
        tags.sort_by_key(|(kind, at)| (*at, *kind as u8));
        tags
    }

    /// The times that a stream gets with these timestamps, and how often they leap.
    fn times(stamp: impl Fn(usize, u32) -> u32) -> (Vec<(TagKind, u64)>, usize) {
        let (mut times, mut leaps) = (TagTimes::default(), 0);
        let give = |(n, (kind, at)): (usize, (TagKind, u32))| {
            let (time_ms, leap) = times.time(kind, stamp(n, at), true);
            leaps += usize::from(leap.is_some());
            (kind, time_ms)
        };
        let given = tags().into_iter().enumerate().map(give).collect();
        (given, leaps)
    }

    fn as_they_are() -> Vec<(TagKind, u64)> {
        tags().into_iter().map(|(kind, at)| (kind, at.into())).collect()
    }

    #[test]
    fn a_stream_begins_at_0_wherever_its_file_begins_and_wraps() {
        let near = |wrap: u64| (wrap - 1_000) as u32;
        for start in [0, 7, 10_000, 3_600_000, near(1 << 24), near(1 << 31), near(1 << 32)] {
            let given = times(|_, at| at.wrapping_add(start));
            assert_eq!(given, (as_they_are(), 0), "begins at {start}");
        }
    }

    #[test]
    fn writers_that_lack_upper_bits_of_the_time_wrap_early_and_nothing_is_lost() {
        for bits in [24, 31] {
            let given = times(|_, at| (at + (1 << bits) - 1_000) & ((1 << bits) - 1));
            assert_eq!(given, (as_they_are(), 0), "{bits} bits");
        }
    }

    /// The tracks never stand still, keep their distances, and stay together.
    fn assert_goes_on(given: &[(TagKind, u64)], leaps_at: usize) {
        for (track, steps, tolerated) in [(Video, 40..=40, 80), (Audio, 21..=22, 80)] {
            let of = |from: usize, to: usize| {
                let times = given[from..to].iter().filter(|(kind, _)| *kind == track);
                times.map(|(_, at)| *at).collect::<Vec<u64>>()
            };
            for part in [of(0, leaps_at), of(leaps_at, given.len())] {
                let even = part.windows(2).all(|pair| steps.contains(&(pair[1] - pair[0])));
                assert!(even, "{track:?}: {part:?}");
            }
            let (before, after) = (of(0, leaps_at), of(leaps_at, given.len()));
            let gap = after[0] as i64 - before[before.len() - 1] as i64;
            assert!((1..=tolerated).contains(&gap), "{track:?}: {gap} ms at the leap");
        }
        let apart = |part: &[(TagKind, u64)]| {
            let first = |track| part.iter().find(|(kind, _)| *kind == track).expect("one").1 as i64;
            first(Video) - first(Audio)
        };
        let stamps = as_they_are();
        assert_eq!(apart(&given[leaps_at..]), apart(&stamps[leaps_at..]), "in step");
    }

    #[test]
    fn where_the_time_steps_back_or_leaps_ahead_both_tracks_go_on_with_their_distances() {
        let half = tags().len() / 2;
        for shift in [-950, -300, -150, 45_000, 3_600_000, i64::from(u32::MAX / 3)] {
            let (given, leaps) =
                times(|n, at| if n < half { at } else { (i64::from(at) + shift).max(0) as u32 });
            assert_eq!(leaps, 1, "{shift} ms");
            assert_goes_on(&given, half);
        }
    }

    #[test]
    fn a_pause_of_the_recording_is_kept() {
        let half = tags().len() / 2;
        let (given, leaps) = times(|n, at| if n < half { at } else { at + 12_000 });
        let kept = as_they_are().into_iter().enumerate();
        let kept = kept.map(|(n, (kind, at))| (kind, if n < half { at } else { at + 12_000 }));
        assert_eq!((given, leaps), (kept.collect(), 0));
    }

    #[test]
    fn rounded_timestamps_and_presentation_order_shift_nothing() {
        // Video in decoding order with the time of its presentation.
        let mut times = TagTimes::default();
        let given: Vec<u64> = [0, 120, 40, 80, 240, 160, 200, 360]
            .map(|at| times.time(Video, at + 500, true))
            .map(|(time_ms, leap)| if leap.is_none() { time_ms } else { panic!("{leap:?}") })
            .to_vec();
        assert_eq!(given, [0, 120, 120, 120, 240, 240, 240, 360]);
    }

    #[test]
    fn what_is_no_frame_neither_begins_the_stream_nor_moves_it() {
        let mut times = TagTimes::default();
        // Description and configuration at 0, the media an hour later.
        assert_eq!(times.time(Script, 0, false), (0, None));
        assert_eq!(times.time(Video, 0, false), (0, None));
        assert_eq!(times.time(Video, 3_600_000, true), (0, None));
        assert_eq!(times.time(Video, 3_600_040, true), (40, None));
        // More of them in the middle, at 0 again, and at the time of the next frame.
        assert_eq!(times.time(Script, 0, false), (40, None));
        assert_eq!(times.time(Video, 0, false), (40, None));
        assert_eq!(times.time(Video, 3_600_080, false), (80, None));
        assert_eq!(times.time(Video, 3_600_080, true), (80, None));
        assert_eq!(times.time(Video, u32::MAX, false), (80, None));
        assert_eq!(times.time(Video, 3_600_120, true), (120, None));
    }

    #[test]
    fn a_leap_behind_a_configuration_that_was_ahead_does_not_step_back() {
        let mut times = TagTimes::default();
        assert_eq!(times.time(Video, 0, true), (0, None));
        assert_eq!(times.time(Video, 900, false), (900, None));
        let (time_ms, leap) = times.time(Video, 3_600_000, true);
        assert!(time_ms >= 900 && leap.is_some(), "{time_ms} {leap:?}");
    }

    #[test]
    fn another_round_comes_right_behind_however_short_the_file_is() {
        let mut times = TagTimes::default();
        for round in 0..3 {
            for at in [0, 40] {
                assert_eq!(times.time(Video, at, true), (u64::from(at) + round * 80, None));
            }
            times.again();
        }
    }

    #[test]
    fn any_timestamps_give_times_that_never_go_back_in_a_track() {
        let mut rng = fastrand::Rng::with_seed(3);
        for _ in 0..2_000 {
            let mut times = TagTimes::default();
            let mut last = [0; 3];
            for _ in 0..40 {
                let kind = *rng.choice(&[Audio, Video, Script]).expect("one");
                let at = if rng.bool() { rng.u32(..) } else { rng.u32(..200) };
                let is_frame = kind != Script && rng.u8(..4) > 0;
                let (time_ms, _) = times.time(kind, at, is_frame);
                let last = &mut last[kind as usize / 9];
                assert!(time_ms >= *last && time_ms <= *last + 40 * 60_000, "{time_ms}");
                *last = time_ms;
                if rng.u8(..20) == 0 {
                    times.again();
                }
            }
        }
    }
}
