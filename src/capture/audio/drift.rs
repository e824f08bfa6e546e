//! The clock of a sound card against the media clock.
//!
//! A card's crystal is up to 0.1 % fast or slow, and the media clock must not follow it. So its
//! samples are resampled: a second-order control loop (a PLL) compares the time of each buffer with
//! the end of the buffer before it, and adjusts the rate until they agree. Its integral *is* the
//! drift.
//!
//! Times of buffers are late at random, by as much as a thread is not scheduled, and never early. So
//! the minimum over about a second counts, which also tells lost audio from a hiccup.
//!
//! Pure; times are in seconds.

/// Natural frequency of the loop, in radians a second, with critical damping. With a card that is
/// 0.1 % off, audio is at most 1e-3 / (e * 0.1) = 3.7 ms misplaced until the loop has locked.
const NATURAL_FREQUENCY: f64 = 0.1;
/// The minimum over this time, and over the time before it, counts.
const WINDOW_S: f64 = 0.5;
/// Beyond this the audio is placed again by its time: samples were lost or repeated.
const JUMP_S: f64 = 0.020;
/// Greatest drift that is corrected; twice what cards have.
const DRIFT_MAX: f64 = 2_000e-6;
/// Greatest correction of the rate while the loop locks: 0.3 % are 5 cents, a difference in pitch
/// that is hardly audible.
const CORRECTION_MAX: f64 = 3_000e-6;
/// From then on the integral is accurate.
const MEASURED_AFTER_S: f64 = 60.0;

/// The control loop.
#[derive(Debug, Default)]
pub struct Drift {
    minimum: [Option<f64>; 2],
    window_s: f64,
    /// How much longer the audio lasts than its number of samples says, relative.
    integral: f64,
    correction: f64,
    measured_s: f64,
}

impl Drift {
    /// Notes a buffer of `lasts_s` seconds whose time is `offset_s` after the end of the one before.
    /// Returns by how much the audio is misplaced, when that is more than drift.
    pub fn note(&mut self, offset_s: f64, lasts_s: f64) -> Option<f64> {
        self.measured_s += lasts_s;
        self.window_s += lasts_s;
        let current = self.minimum[0].map_or(offset_s, |minimum| minimum.min(offset_s));
        self.minimum[0] = Some(current);
        let minimum = self.minimum[1].map_or(current, |before| before.min(current));
        // Nothing is early at random, and nothing is late for this long.
        let is_whole = self.window_s >= WINDOW_S;
        let lost_s = (is_whole && current > JUMP_S).then_some(current);
        let jump_s = if offset_s < -JUMP_S { Some(offset_s) } else { lost_s };
        if jump_s.is_some() {
            self.realign();
            return jump_s;
        }
        if is_whole {
            (self.minimum, self.window_s) = ([None, Some(current)], 0.0);
        }
        let error = minimum.clamp(-JUMP_S, JUMP_S);
        let change = NATURAL_FREQUENCY.powi(2) * error * lasts_s;
        self.integral = (self.integral + change).clamp(-DRIFT_MAX, DRIFT_MAX);
        let proportional = 2.0 * NATURAL_FREQUENCY * error;
        self.correction = (self.integral + proportional).clamp(-CORRECTION_MAX, CORRECTION_MAX);
        None
    }

    /// Forgets the position of the audio, but not how fast the card is.
    pub fn realign(&mut self) {
        (self.minimum, self.window_s) = ([None; 2], 0.0);
        self.correction = self.integral;
    }

    /// By how much the next buffer is lengthened, relative: 0.001 makes 1,001 samples of 1,000.
    pub fn correction(&self) -> f64 {
        self.correction
    }

    /// How fast the card is, in parts per million; negative when it is slow. `None` during the first
    /// minute.
    pub fn ppm(&self) -> Option<i32> {
        (self.measured_s >= MEASURED_AFTER_S).then(|| (self.integral * -1e6).round() as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: f64 = 48_000.0;

    /// A sound card, and the buffer that it fills.
    struct Simulated {
        drift: Drift,
        /// How much faster than its nominal rate the card is, relative.
        fast: f64,
        piece: f64,
        /// The true time of the next sample, and the time at which it will be placed.
        captured_s: f64,
        laid_s: f64,
        random: fastrand::Rng,
    }

    impl Simulated {
        fn new(fast: f64, piece: f64) -> Simulated {
            let random = fastrand::Rng::with_seed(1);
            let drift = Drift::default();
            Simulated { drift, fast, piece, captured_s: 0.0, laid_s: 0.0, random }
        }

        /// Late at random: up to 2 ms as a rule, once in a hundred pieces up to 60 ms.
        fn lateness_s(&mut self) -> f64 {
            let most_s = if self.random.u32(..100) == 0 { 0.060 } else { 0.002 };
            self.random.f64() * most_s
        }

        /// One buffer; how far from its true time it is placed, in seconds.
        fn step(&mut self) -> f64 {
            let time_s = self.captured_s + self.lateness_s();
            let lasts_s = self.piece / RATE_HZ;
            let jump_s = self.drift.note(time_s - self.laid_s, lasts_s);
            self.laid_s += jump_s.unwrap_or(0.0);
            let off_s = self.laid_s - self.captured_s;
            self.laid_s += lasts_s * (1.0 + self.drift.correction());
            self.captured_s += lasts_s / (1.0 + self.fast);
            off_s
        }
    }

    #[test]
    fn a_card_one_per_mille_off_stays_within_20_ms_for_24_hours() {
        for fast_ppm in [-1_000, 1_000] {
            let mut card = Simulated::new(f64::from(fast_ppm) * 1e-6, 1_024.0);
            let (mut worst_s, mut settled_worst_s) = (0.0_f64, 0.0_f64);
            while card.captured_s < 24.0 * 3_600.0 {
                let off_s = card.step().abs();
                worst_s = worst_s.max(off_s);
                if card.captured_s > 120.0 {
                    settled_worst_s = settled_worst_s.max(off_s);
                }
            }
            assert!(worst_s < 0.020, "{worst_s} s at {fast_ppm} ppm");
            assert!(settled_worst_s < 0.005, "{settled_worst_s} s at {fast_ppm} ppm, settled");
            let measured = card.drift.ppm().expect("measured");
            assert!((measured - fast_ppm).abs() <= 10, "{measured} ppm, not {fast_ppm}");
        }
    }

    #[test]
    fn a_rate_that_changes_with_the_temperature_is_followed() {
        let mut card = Simulated::new(0.0, 480.0);
        let mut worst_s = 0.0_f64;
        for minute in 0..120 {
            card.fast = f64::from(minute % 20 - 10) * 10e-6;
            let until_s = card.captured_s + 60.0;
            while card.captured_s < until_s {
                worst_s = worst_s.max(card.step().abs());
            }
        }
        assert!(worst_s < 0.005, "{worst_s} s");
    }

    #[test]
    fn lost_samples_are_noticed_within_a_second_and_a_hiccup_is_not_taken_for_them() {
        let mut card = Simulated::new(300e-6, 480.0);
        while card.captured_s < 90.0 {
            card.step();
        }
        // The thread that reads the card was not scheduled for 100 ms: ten buffers come at once.
        for late in (0..10).rev() {
            let offset_s = card.captured_s + f64::from(late) * 0.010 - card.laid_s;
            assert_eq!(card.drift.note(offset_s, 0.010), None, "{late} buffers are left");
            card.laid_s += 0.010 * (1.0 + card.drift.correction());
            card.captured_s += 0.010 / (1.0 + card.fast);
        }
        card.captured_s += 0.100;
        let lost_s = card.captured_s;
        while card.step().abs() > 0.010 {
            assert!(card.captured_s < lost_s + 1.1, "lost samples are not noticed");
        }
        let measured = card.drift.ppm().expect("measured");
        assert!((measured - 300).abs() <= 20, "{measured} ppm after the loss");
    }

    #[test]
    fn what_comes_early_is_placed_again_at_once() {
        let mut drift = Drift::default();
        assert_eq!(drift.note(-0.050, 0.010), Some(-0.050));
        assert_eq!(drift.note(-0.010, 0.010), None);
        assert!(drift.correction() < 0.0 && drift.correction() >= -CORRECTION_MAX);
        assert_eq!(drift.ppm(), None, "nothing is known yet");
    }
}
