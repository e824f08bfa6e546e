//! The clock of a sound card against the media clock.
//!
//! A card's crystal is up to one per mille fast or slow, and nothing may slave the media clock to
//! it. So its samples are stretched: a loop of the second order (the same that locks a radio to its
//! carrier) compares where a piece of sound belongs by its time with where it would come to lie
//! behind the one before, and turns the rate until they agree. Its integral *is* the drift.
//!
//! Times of pieces are late by chance, by as much as a thread waits for its turn, and never early.
//! So the least of about a second counts, and sound that was really lost is told from a hiccup by
//! what follows it.
//!
//! Pure; times are in seconds.

/// Natural frequency of the loop, in radians a second, with critical damping. A card that is one
/// per mille off is at most 1e-3 / (e * 0.1) = 3.7 ms away until the loop has locked.
const NATURAL_FREQUENCY: f64 = 0.1;
/// The least of so much time counts, twice.
const WINDOW_S: f64 = 0.5;
/// Beyond this the sound is out of place and laid anew: samples were lost, or come twice.
const APART_S: f64 = 0.020;
/// The drift that is followed; twice what cards have.
const DRIFT_MAX: f64 = 2_000e-6;
/// How much the rate may be off while the loop locks: 3 per mille are 5 cents, hardly a difference
/// in pitch that is heard.
const STRETCH_MAX: f64 = 3_000e-6;
/// From then on the integral is a measure.
const MEASURED_AFTER_S: f64 = 60.0;

/// The loop.
#[derive(Debug, Default)]
pub struct Drift {
    least: [Option<f64>; 2],
    window_s: f64,
    /// How much longer than its samples say the sound lasts, relative.
    integral: f64,
    stretch: f64,
    heard_s: f64,
}

impl Drift {
    /// Notes a piece that lasts so long and belongs `apart_s` behind the place where it would come
    /// to lie. When all of the sound is out of place, says by how much.
    pub fn note(&mut self, apart_s: f64, lasts_s: f64) -> Option<f64> {
        self.heard_s += lasts_s;
        self.window_s += lasts_s;
        let current = self.least[0].map_or(apart_s, |least| least.min(apart_s));
        self.least[0] = Some(current);
        let least = self.least[1].map_or(current, |before| before.min(current));
        // Nothing is ever early by chance, nor late for so long.
        let is_whole = self.window_s >= WINDOW_S;
        let lost_s = (is_whole && current > APART_S).then_some(current);
        let anew = if apart_s < -APART_S { Some(apart_s) } else { lost_s };
        if anew.is_some() {
            self.lay_anew();
            return anew;
        }
        if is_whole {
            (self.least, self.window_s) = ([None, Some(current)], 0.0);
        }
        let error = least.clamp(-APART_S, APART_S);
        let change = NATURAL_FREQUENCY.powi(2) * error * lasts_s;
        self.integral = (self.integral + change).clamp(-DRIFT_MAX, DRIFT_MAX);
        let proportional = 2.0 * NATURAL_FREQUENCY * error;
        self.stretch = (self.integral + proportional).clamp(-STRETCH_MAX, STRETCH_MAX);
        None
    }

    /// Forgets where the sound lay, but not how fast the card is.
    pub fn lay_anew(&mut self) {
        (self.least, self.window_s) = ([None; 2], 0.0);
        self.stretch = self.integral;
    }

    /// How much longer the next piece is to be made, relative: 0.001 makes 1,001 samples of 1,000.
    pub fn stretch(&self) -> f64 {
        self.stretch
    }

    /// How fast the card is, in parts per million; below zero it is slow. `None` until it has been
    /// heard for a minute.
    pub fn ppm(&self) -> Option<i32> {
        (self.heard_s >= MEASURED_AFTER_S).then(|| (self.integral * -1e6).round() as i32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: f64 = 48_000.0;

    /// A sound card, and the line that its pieces are laid on.
    struct Simulated {
        drift: Drift,
        /// How much faster than its nominal rate the card is, relative.
        fast: f64,
        piece: f64,
        /// The true time of the next sample, and the time where it will come to lie.
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

        /// Late by chance: up to 2 ms as a rule, once in a hundred pieces up to 60 ms.
        fn lateness_s(&mut self) -> f64 {
            let most_s = if self.random.u32(..100) == 0 { 0.060 } else { 0.002 };
            self.random.f64() * most_s
        }

        /// One piece; how far from its true time it lies, in seconds.
        fn step(&mut self) -> f64 {
            let time_s = self.captured_s + self.lateness_s();
            let lasts_s = self.piece / RATE_HZ;
            let anew = self.drift.note(time_s - self.laid_s, lasts_s);
            self.laid_s += anew.unwrap_or(0.0);
            let off_s = self.laid_s - self.captured_s;
            self.laid_s += lasts_s * (1.0 + self.drift.stretch());
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
        // The thread that reads the card waited for 100 ms: ten pieces come at once.
        for late in (0..10).rev() {
            let apart_s = card.captured_s + f64::from(late) * 0.010 - card.laid_s;
            assert_eq!(card.drift.note(apart_s, 0.010), None, "{late} pieces are left");
            card.laid_s += 0.010 * (1.0 + card.drift.stretch());
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
    fn what_comes_before_its_place_is_laid_anew_at_once() {
        let mut drift = Drift::default();
        assert_eq!(drift.note(-0.050, 0.010), Some(-0.050));
        assert_eq!(drift.note(-0.010, 0.010), None);
        assert!(drift.stretch() < 0.0 && drift.stretch() >= -STRETCH_MAX);
        assert_eq!(drift.ppm(), None, "nothing is known yet");
    }
}
