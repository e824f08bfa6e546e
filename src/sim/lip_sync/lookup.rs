//! Looks frames and audio of a recording up in the clip that it was made from.
//!
//! Frames and audio of a stretch of the recording each come from some time of the clip. By how
//! much one lags more than the other is what was done to the lip-sync. The clip's own is not
//! touched by that.

use super::audio;
use super::recording::{Envelope, Film, Shot};
use super::thumbnail::{Light, Thumbnail};

/// Length of the stretches that are looked up one by one.
const STRETCH_MS: i64 = 2_000;
/// From the beginning of one stretch to the next.
const HOP_MS: i64 = 1_000;
/// Audio is looked for this far from its frames.
const AUDIO_REACH_MS: i64 = 5_000;
/// Frames of a stretch that are looked for in the whole clip, and in which steps.
const PROBES: usize = 6;
const PROBE_STEP_MS: i64 = 20;
/// How far around the place that the probes give all frames of a stretch are compared.
const FRAME_REACH_MS: i64 = 250;
/// Frames further apart than this are different ones; a codec does less.
const OTHER_FRAME: f64 = 12.0;
/// A place must differ from the places around it by this factor and by this much, else the frame
/// stands still.
const STILL_FACTOR: f64 = 1.5;
const STILL: f64 = 0.5;
/// Where the slopes are measured: parts of the way from the lowest cost to the costs around.
const LOW: f64 = 0.25;
const HIGH: f64 = 0.5;
/// A frame that stays for longer is one step all the same.
const STEP_MAX_MS: i64 = 100;

/// A clip as a player shows it again and again, by milliseconds.
#[derive(Debug)]
pub(super) struct Clip {
    shots: Vec<Shot>,
    /// Which of the frames is on the screen.
    shown: Vec<usize>,
    loudness: Vec<f32>,
    /// Whether it begins again at its end; else nothing is known of what comes there.
    repeats: bool,
}

impl Clip {
    /// A clip of which the whole is known, or only the beginning.
    pub(super) fn new(film: Film, envelope: Envelope, whole: bool) -> Clip {
        let length_ms = (film.end_ns.max(envelope.end_ns) + 500_000) / 1_000_000;
        let shots = film.shots;
        let mut next = 0;
        let shown = (0..length_ms).map(|ms| {
            while shots.get(next).is_some_and(|shot| shot.at_ns <= ms * 1_000_000) {
                next += 1;
            }
            // The last frame of a round stays until the first one of the next.
            next.checked_sub(1).unwrap_or(shots.len().saturating_sub(1))
        });
        let shown = shown.collect();
        let mut loudness = envelope.loudness();
        loudness.resize(length_ms as usize, 0.0);
        Clip { shots, shown, loudness, repeats: whole }
    }

    fn length_ms(&self) -> i64 {
        self.shown.len() as i64
    }

    fn place(&self, at_ms: i64) -> Option<usize> {
        let inside = (0..self.length_ms()).contains(&at_ms);
        let at_ms = if self.repeats { at_ms.checked_rem_euclid(self.length_ms())? } else { at_ms };
        (inside || self.repeats).then_some(at_ms as usize)
    }

    /// Which of the frames is on the screen.
    fn shown_at(&self, at_ms: i64) -> Option<usize> {
        self.shown.get(self.place(at_ms)?).copied()
    }

    fn frame(&self, number: usize) -> Option<&Thumbnail> {
        self.shots.get(number).map(|shot| &shot.thumbnail)
    }

    fn audio(&self, from_ms: i64, to_ms: i64) -> Vec<f32> {
        let level = |ms| self.place(ms).and_then(|place| self.loudness.get(place));
        (from_ms..to_ms).map(|ms| level(ms).copied().unwrap_or(0.0)).collect()
    }

    /// How far audio is looked for: each place of a clip that repeats is within half its length.
    fn audio_reach_ms(&self) -> i64 {
        if self.repeats { AUDIO_REACH_MS.min(self.length_ms() / 2) } else { AUDIO_REACH_MS }
    }
}

/// A frame of the recording, and the middle of the time for which it is on the screen. That is
/// when it shows what the clip shows, on average, whatever the rates of the two are.
type Placed<'a> = (i64, &'a Thumbnail);

/// By how many milliseconds the audio of a recording lags more than its video: the median over
/// its stretches; `None` when no stretch has both video and audio that can be distinguished.
pub(super) fn offset_ms(film: &Film, envelope: &Envelope, clip: &Clip) -> Option<f64> {
    let placed: Vec<Placed<'_>> = film
        .shots
        .windows(2)
        .map(|pair| (((pair[0].at_ns + pair[1].at_ns) / 2_000_000) as i64, &pair[0].thumbnail))
        .collect();
    let loudness = envelope.loudness();
    let end_ms = placed.last()?.0.min(loudness.len() as i64);
    let mut offsets: Vec<f64> = Vec::new();
    let mut from_ms = placed.first()?.0;
    while from_ms + STRETCH_MS <= end_ms {
        let first = placed.partition_point(|(at_ms, _)| *at_ms < from_ms);
        let last = placed.partition_point(|(at_ms, _)| *at_ms < from_ms + STRETCH_MS);
        let stretch = loudness.get(from_ms as usize..(from_ms + STRETCH_MS) as usize);
        if let Some((placed, stretch)) = placed.get(first..last).zip(stretch) {
            offsets.extend(offset_of_stretch_ms(from_ms, placed, stretch, clip));
        }
        from_ms += HOP_MS;
    }
    tracing::debug!(?offsets, "lip-sync by stretches");
    offsets.sort_unstable_by(f64::total_cmp);
    offsets.get(offsets.len() / 2).copied()
}

fn offset_of_stretch_ms(
    from_ms: i64,
    placed: &[Placed<'_>],
    stretch: &[f32],
    clip: &Clip,
) -> Option<f64> {
    let lag_ms = frame_lag_ms(placed, clip)?;
    let whole_ms = lag_ms.round();
    let behind_ms = audio_behind_ms(from_ms - whole_ms as i64, stretch, clip)?;
    Some(behind_ms + whole_ms - lag_ms)
}

/// How much later in the recording than in the clip the frames come.
fn frame_lag_ms(placed: &[Placed<'_>], clip: &Clip) -> Option<f64> {
    let begin_ms = placed.first()?.0;
    let probes: Vec<Placed<'_>> =
        placed.iter().step_by(placed.len().div_ceil(PROBES)).copied().collect();
    let places = (0..clip.length_ms()).step_by(PROBE_STEP_MS as usize);
    let lags: Vec<i64> = places.map(|place_ms| begin_ms - place_ms).collect();
    let probed = costs(&probes, clip, &lags, &Light::plain());
    let near_ms = *lags.iter().zip(&probed).min_by(|(_, a), (_, b)| a.total_cmp(b))?.0;
    let pairs = placed.iter().filter_map(|(at_ms, thumbnail)| {
        Some((*thumbnail, clip.frame(clip.shown_at(at_ms - near_ms)?)?))
    });
    let light = Light::between(pairs);
    let lags: Vec<i64> = (near_ms - FRAME_REACH_MS..=near_ms + FRAME_REACH_MS).collect();
    let costs = costs(placed, clip, &lags, &light);
    let per_frame_ms =
        (clip.length_ms() / clip.shots.len().max(1) as i64).max(STRETCH_MS / placed.len() as i64);
    let step_ms = per_frame_ms.clamp(1, STEP_MAX_MS) as usize;
    Some((near_ms - FRAME_REACH_MS) as f64 + bottom_of_valley(&costs, step_ms)?)
}

/// How unlike the frames are to those of the clip, for each lag they may have.
fn costs(placed: &[Placed<'_>], clip: &Clip, lags_ms: &[i64], light: &Light) -> Vec<f64> {
    let mut sums = vec![0.0; lags_ms.len()];
    for (at_ms, thumbnail) in placed {
        // A frame of the clip lasts for many lags.
        let mut last = (None, f64::INFINITY);
        for (sum, lag_ms) in sums.iter_mut().zip(lags_ms) {
            let shown = clip.shown_at(at_ms - lag_ms);
            if shown != last.0 {
                let other = shown.and_then(|number| clip.frame(number));
                let distance = other.map(|other| thumbnail.distance(other, light));
                last = (shown, distance.unwrap_or(f64::INFINITY));
            }
            *sum += last.1;
        }
    }
    sums.into_iter().map(|sum| sum / placed.len() as f64).collect()
}

/// The place of the lowest cost. The slopes are steps as long as a frame; smoothed over one step,
/// they are straight, and the bottom is where they meet. The lowest point itself would not do: a
/// codec leaves traces of the frame before, and makes the ground uneven.
fn bottom_of_valley(costs: &[f64], step_ms: usize) -> Option<f64> {
    let smooth: Vec<f64> =
        costs.windows(step_ms).map(|step| step.iter().sum::<f64>() / step_ms as f64).collect();
    let (lowest, cost) = smooth.iter().copied().enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let around = smooth.first()?.min(*smooth.last()?);
    if cost > OTHER_FRAME || around < cost * STILL_FACTOR + STILL {
        return None;
    }
    let level = |part: f64| cost + (around.min(OTHER_FRAME * 2.0) - cost) * part;
    let down = |part| crossing(smooth[..=lowest].iter().rev(), level(part));
    let up = |part| crossing(smooth[lowest..].iter(), level(part));
    let (left, right) = (lowest as f64 - down(LOW)?, lowest as f64 + up(LOW)?);
    let (left_run, right_run) = (down(HIGH)? - down(LOW)?, up(HIGH)? - up(LOW)?);
    let meeting = left + (right - left) * left_run / (left_run + right_run).max(f64::EPSILON);
    Some(meeting + (step_ms - 1) as f64 / 2.0)
}

/// How far along a slope the level is reached.
fn crossing<'a>(slope: impl Iterator<Item = &'a f64>, level: f64) -> Option<f64> {
    let mut before = level;
    // What lies behind the known part of a clip is no slope.
    for (place, cost) in slope.take_while(|cost| cost.is_finite()).enumerate() {
        if *cost > level {
            return Some(place as f64 - (cost - level) / (cost - before).max(f64::EPSILON));
        }
        before = *cost;
    }
    None
}

/// How much later the audio comes than the frame that is at `place_ms` in the clip.
fn audio_behind_ms(place_ms: i64, stretch: &[f32], clip: &Clip) -> Option<f64> {
    let reach_ms = clip.audio_reach_ms();
    let record = clip.audio(place_ms - reach_ms, place_ms + STRETCH_MS + reach_ms);
    Some(reach_ms as f64 - audio::find_ms(stretch, &record)? as f64)
}

#[cfg(test)]
mod tests {
    use super::super::decode::{SAMPLE_RATE_HZ, SampleSink, Span};
    use super::*;

    const MS: u64 = 1_000_000;

    /// A made-up film: which frame it shows and how loud it is at each time of its own.
    struct Made {
        length_ms: i64,
        frame: fn(i64) -> Thumbnail,
        level: fn(i64) -> f32,
    }

    /// A frame that moves as films do: from one scene to the next within a second.
    fn moving(at_ms: i64) -> Thumbnail {
        let second = (at_ms / 1_000) as u64;
        let (from, to) = (Thumbnail::made_up(second), Thumbnail::made_up(second + 1));
        from.towards(&to, at_ms % 1_000)
    }

    fn syllables(at_ms: i64) -> f32 {
        let syllable = fastrand::Rng::with_seed(at_ms as u64 / 130).f32();
        syllable * (0.2 + (at_ms % 130) as f32 / 200.0)
    }

    const FILM: Made = Made { length_ms: 7_000, frame: moving, level: syllables };

    impl Made {
        /// Plays it for so long at so many frames a second, from a time of its own on, its
        /// video and its audio late by so much.
        fn play(
            &self,
            for_ms: i64,
            fps: i64,
            from_ms: i64,
            late_ms: (i64, i64),
        ) -> (Film, Envelope) {
            let own = |at_ms: i64| (at_ms + from_ms).rem_euclid(self.length_ms);
            let mut film = Film::default();
            for number in 0..for_ms * fps / 1_000 {
                let at_ns = number as u64 * 1_000 * MS / fps as u64;
                // In the middle of its time a frame is the right one.
                let shown_ms = (number * 2 + 1) * 500 / fps - late_ms.0;
                film.shots.push(Shot { at_ns, thumbnail: (self.frame)(own(shown_ms)) });
            }
            film.end_ns = for_ms as u64 * MS;
            let mut envelope = Envelope::default();
            let samples = (0..for_ms).flat_map(|ms| {
                std::iter::repeat_n(
                    (self.level)(own(ms - late_ms.1)),
                    SAMPLE_RATE_HZ as usize / 1_000,
                )
            });
            envelope.samples(Span { from_ns: 0, to_ns: for_ms as u64 * MS }, samples);
            (film, envelope)
        }

        fn clip(&self, fps: i64) -> Clip {
            let (film, envelope) = self.play(self.length_ms, fps, 0, (0, 0));
            Clip::new(film, envelope, true)
        }

        fn offset_ms(&self, rates: (i64, i64), late_ms: (i64, i64)) -> Option<f64> {
            let (film, envelope) = self.play(6_000, rates.1, 4_321, late_ms);
            offset_ms(&film, &envelope, &self.clip(rates.0))
        }
    }

    #[test]
    fn what_was_put_between_audio_and_video_is_found_at_every_rate() {
        for rates in [(25, 30), (30, 30), (60, 30)] {
            for (late_ms, expected) in
                [((0, 0), 0.0), ((200, 80), -120.0), ((0, 35), 35.0), ((0, 2_500), 2_500.0)]
            {
                let offset = FILM.offset_ms(rates, late_ms).expect("a measure");
                assert!((offset - expected).abs() <= 5.0, "{rates:?}: {offset}, not {expected}");
            }
        }
    }

    #[test]
    fn a_delay_beyond_half_a_round_counts_from_the_other_side() {
        let offset = FILM.offset_ms((25, 30), (0, 6_900)).expect("a measure");
        assert!((offset + 100.0).abs() <= 5.0, "{offset}");
    }

    #[test]
    fn a_still_frame_and_silence_have_no_offset() {
        let still = Made { frame: |_| Thumbnail::made_up(1), ..FILM };
        assert_eq!(still.offset_ms((25, 30), (0, 0)), None);
        let silent = Made { level: |_| 0.0, ..FILM };
        assert_eq!(silent.offset_ms((25, 30), (0, 0)), None);
    }

    #[test]
    fn another_film_and_an_empty_one_have_no_offset() {
        let other = Made { frame: |at_ms| moving(at_ms + 100_000), ..FILM };
        let (film, envelope) = other.play(4_000, 30, 0, (0, 0));
        assert_eq!(offset_ms(&film, &envelope, &FILM.clip(25)), None);
        let dark = Film { end_ns: 1_000 * MS, ..Film::default() };
        let blind = Clip::new(dark, Envelope::default(), true);
        assert_eq!(offset_ms(&film, &envelope, &blind), None);
        let nothing = Clip::new(Film::default(), Envelope::default(), true);
        assert_eq!(offset_ms(&film, &envelope, &nothing), None);
        assert_eq!(offset_ms(&Film::default(), &Envelope::default(), &FILM.clip(25)), None);
    }

    #[test]
    fn nothing_is_known_behind_the_known_part_of_a_long_clip() {
        let (film, envelope) = FILM.play(FILM.length_ms, 25, 0, (0, 0));
        let clip = Clip::new(film, envelope, false);
        assert!(clip.shown_at(FILM.length_ms - 1).is_some());
        assert!(clip.shown_at(FILM.length_ms).is_none() && clip.shown_at(-1).is_none());
        let (film, envelope) = FILM.play(5_000, 30, 1_000, (0, 40));
        let offset = offset_ms(&film, &envelope, &clip).expect("a measure");
        assert!((offset - 40.0).abs() <= 5.0, "{offset}");
    }
}
