//! Finds a stretch of audio within a longer one, by the shape of its loudness.

/// The search goes in steps of this length first, then in milliseconds.
const STEP_MS: usize = 10;
/// Likeness from which two stretches are the same; 1 is equal, 0 unrelated.
const SAME: f64 = 0.7;
/// A second place that is as much like the first allows no choice between the two.
const RIVAL: f64 = 0.9;
/// Places less apart than this are one place.
const PLACE_STEPS: usize = 8;
/// What is quieter than this is silence to all but a codec's noise.
const SILENCE: f64 = 0.001;
/// Audio that varies by less than this part of its loudness is a hum, which is alike everywhere.
const HUM: f64 = 0.1;

/// How many milliseconds after the beginning of `record` `stretch` begins, both given as
/// loudness by milliseconds; `None` when it is not there, or may be at several places.
pub(super) fn find_ms(stretch: &[f32], record: &[f32]) -> Option<usize> {
    let (coarse_stretch, coarse_record) = (in_steps(stretch), in_steps(record));
    let shape = Shape::of(&coarse_stretch);
    if shape.mean < SILENCE || shape.deviation < HUM * shape.mean {
        return None;
    }
    let likeness = likeness_by_place(&coarse_stretch, &coarse_record);
    let (best, most) = maximum(&likeness)?;
    let is_rival = |place: usize| place.abs_diff(best) > PLACE_STEPS;
    let rivals = likeness.iter().enumerate().filter(|(place, _)| is_rival(*place));
    let rival = rivals.map(|(_, likeness)| *likeness).fold(0.0, f64::max);
    if most < SAME || rival > RIVAL * most {
        return None;
    }
    let from = (best * STEP_MS).saturating_sub(2 * STEP_MS);
    let to = (best * STEP_MS + 2 * STEP_MS + stretch.len()).min(record.len());
    let (fine, _) = maximum(&likeness_by_place(stretch, record.get(from..to)?))?;
    Some(from + fine)
}

fn in_steps(loudness: &[f32]) -> Vec<f32> {
    loudness.chunks_exact(STEP_MS).map(|step| step.iter().sum::<f32>() / STEP_MS as f32).collect()
}

fn maximum(values: &[f64]) -> Option<(usize, f64)> {
    let values = values.iter().copied().enumerate();
    values.max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// Mean and standard deviation.
struct Shape {
    mean: f64,
    deviation: f64,
}

impl Shape {
    fn of(values: &[f32]) -> Shape {
        let count = values.len().max(1) as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
        let square = |value: &f32| (f64::from(*value) - mean).powi(2);
        let deviation = (values.iter().map(square).sum::<f64>() / count).sqrt();
        Shape { mean, deviation }
    }
}

/// The correlation coefficient of `stretch` with each part of `record` of the same length.
fn likeness_by_place(stretch: &[f32], record: &[f32]) -> Vec<f64> {
    if stretch.is_empty() {
        return Vec::new();
    }
    let ours = Shape::of(stretch);
    let likeness = |place: &[f32]| {
        let theirs = Shape::of(place);
        let pairs = stretch.iter().zip(place);
        let products = pairs.map(|(a, b)| f64::from(*a) * (f64::from(*b) - theirs.mean));
        let scale = ours.deviation * theirs.deviation * stretch.len() as f64;
        if scale > 0.0 { products.sum::<f64>() / scale } else { 0.0 }
    };
    record.windows(stretch.len()).map(likeness).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Audio whose loudness comes and goes in syllables.
    fn speech(length_ms: usize, seed: u64) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut level = 0.0;
        let mut next = || {
            level += (random.f32() - 0.5) * 0.1 - level * 0.03;
            level.abs()
        };
        (0..length_ms).map(|_| next()).collect()
    }

    #[test]
    fn a_stretch_is_found_to_the_millisecond_though_a_codec_changed_it() {
        let record = speech(8_000, 1);
        let mut random = fastrand::Rng::with_seed(2);
        for at in [0, 1, 1_234, 5_555, 6_000] {
            let stretch: Vec<f32> =
                record[at..at + 2_000].iter().map(|v| v * 0.5 + random.f32() * 0.005).collect();
            assert_eq!(find_ms(&stretch, &record), Some(at));
        }
    }

    #[test]
    fn silence_and_hum_are_found_nowhere() {
        let mut record = speech(8_000, 1);
        record[2_000..4_000].fill(0.0);
        record[4_000..6_000].fill(0.2);
        for at in [2_000, 4_000] {
            assert_eq!(find_ms(&record[at..at + 2_000], &record), None);
        }
        let noise: Vec<f32> = speech(2_000, 3).iter().map(|v| v / 10_000.0).collect();
        assert_eq!(find_ms(&noise, &noise), None);
    }

    #[test]
    fn other_audio_and_audio_that_comes_again_are_not_found() {
        let record = speech(8_000, 1);
        assert_eq!(find_ms(&speech(2_000, 9), &record), None);
        let beat: Vec<f32> = (0..8_000).map(|ms| if ms % 500 < 50 { 0.8 } else { 0.1 }).collect();
        assert_eq!(find_ms(&beat[3_000..5_000], &beat), None);
        assert_eq!(find_ms(&[], &record), None);
        assert_eq!(find_ms(&record, &record[1_000..]), None);
    }
}
