//! Which lines of the log are left out, because there are too many of their kind.
//!
//! Pure: time is an input. A kind is a place in the source: what others make us log as often as they
//! like differs in its words.
//!
//! It is the last bound, for whatever nobody has thought of, and a wide one: all mistakes of a settings file
//! come from one place. Who knows that a line may come without end, and from whom, bounds it more closely
//! where it is logged, as `publish` does for each server (`chatter`).

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::limits::{LOG_LINES_ALIKE_MAX, LOG_LINES_OF_A_PLACE_MAX, LOG_WINDOW};

/// What is remembered of each place; there are as many as the source has.
#[derive(Debug)]
pub struct Repeats<Place> {
    places: HashMap<Place, Window>,
}

/// One place, from the first of its lines that begins a window to the end of that.
#[derive(Debug)]
struct Window {
    ends_at: Duration,
    shown: u32,
    /// The newest line, and how many in a row are the same.
    newest: String,
    alike: u32,
    left_out: u32,
}

impl<Place: Eq + Hash> Repeats<Place> {
    /// Nothing yet.
    pub fn new() -> Repeats<Place> {
        Repeats { places: HashMap::new() }
    }

    /// Whether a line of that place is shown. The sums of windows that have ended come first
    /// ([`Repeats::sums`]).
    pub fn admits(&mut self, now: Duration, place: Place, text: &str) -> bool {
        let window = self.places.entry(place).or_insert_with(|| Window {
            ends_at: now + LOG_WINDOW,
            shown: 0,
            newest: String::new(),
            alike: 0,
            left_out: 0,
        });
        if window.newest == text {
            window.alike += 1;
        } else {
            text.clone_into(&mut window.newest);
            window.alike = 1;
        }
        if window.shown < LOG_LINES_OF_A_PLACE_MAX && window.alike <= LOG_LINES_ALIKE_MAX {
            window.shown += 1;
            return true;
        }
        window.left_out += 1;
        false
    }

    /// A line for each place whose window has ended and that had lines left out.
    pub fn sums(&mut self, now: Duration) -> Vec<String> {
        let mut sums = Vec::new();
        self.places.retain(|_, window| {
            let has_ended = window.ends_at <= now;
            if has_ended && window.left_out > 0 {
                let (more, newest) = (window.left_out, &window.newest);
                sums.push(format!("{more} more such lines were left out; the last: {newest}"));
            }
            !has_ended
        });
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: u32 = 1;
    const OTHER: u32 = 2;

    #[test]
    fn a_flood_of_one_kind_is_summed_and_others_are_shown() {
        let mut repeats = Repeats::new();
        let flood = (0..12_924_u64).filter(|n| {
            repeats.admits(
                Duration::from_millis(n / 2),
                PLACE,
                &format!("the server moves us to {n}"),
            )
        });
        assert_eq!(flood.count() as u32, LOG_LINES_OF_A_PLACE_MAX);
        assert!(repeats.admits(Duration::from_secs(7), OTHER, "live"));
        assert_eq!(repeats.sums(LOG_WINDOW - Duration::from_millis(1)), [""; 0]);
        let left_out = 12_924 - LOG_LINES_OF_A_PLACE_MAX;
        let sum = format!(
            "{left_out} more such lines were left out; the last: the server moves us to 12923"
        );
        assert_eq!(repeats.sums(LOG_WINDOW), [sum]);
        assert_eq!(repeats.sums(2 * LOG_WINDOW), [""; 0]);
        assert!(repeats.admits(2 * LOG_WINDOW, PLACE, "shown again"));
    }

    #[test]
    fn the_same_line_again_and_again_is_shown_a_few_times() {
        let mut repeats = Repeats::new();
        let shown = (0..30).filter(|_| repeats.admits(Duration::ZERO, PLACE, "the same"));
        assert_eq!(shown.count() as u32, LOG_LINES_ALIKE_MAX);
        assert!(repeats.admits(Duration::ZERO, PLACE, "another"));
        let [sum] = &repeats.sums(LOG_WINDOW)[..] else { panic!("one sum") };
        assert!(sum.starts_with(&format!("{} more", 30 - LOG_LINES_ALIKE_MAX)), "{sum}");
    }
}
