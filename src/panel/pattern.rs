//! How each indication blinks.
//!
//! The families, so that a newcomer can guess: steady is a steady state; an even blink is work in
//! progress; counted quick flashes are a fault (the count can be passed on by telephone); a lit
//! light with short winks is live with something to look at; a long flash with short ones after it
//! is an interruption with its reason; three long flashes are no network, in a broadcast too.

use std::time::Duration;

use super::indication::{Attention, Because, Fault, Indication};

/// The rhythm of one light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Dark.
    Off,
    /// Lit.
    On,
    /// Milliseconds, alternately lit and dark, beginning lit, an even number of them; repeated.
    Cycle(&'static [u16]),
}

/// What each light does for one indication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lights {
    /// The red light: dark unless a broadcast is on.
    pub live: Rhythm,
    /// The green or amber light next to it.
    pub status: Rhythm,
    /// The only light, on a board with one.
    pub single: Rhythm,
}

const BEAT: Rhythm = Rhythm::Cycle(&[100, 2_900]);
const BEAT_TWICE: Rhythm = Rhythm::Cycle(&[100, 200, 100, 2_600]);
const EVEN_SLOW: Rhythm = Rhythm::Cycle(&[1_200, 1_200]);
const EVEN: Rhythm = Rhythm::Cycle(&[400, 400]);
const EVEN_FAST: Rhythm = Rhythm::Cycle(&[100, 100]);
const TWO_SHORT: Rhythm = Rhythm::Cycle(&[150, 150, 150, 1_050]);
const TWO_LONG: Rhythm = Rhythm::Cycle(&[700, 300, 700, 1_500]);
const THREE_LONG: Rhythm = Rhythm::Cycle(&[700, 300, 700, 300, 700, 1_500]);
/// That of no network, and a short flash for the broadcast that waits for it.
const THREE_LONG_1: Rhythm = Rhythm::Cycle(&[600, 300, 600, 300, 600, 300, 200, 1_500]);
const LONG_1: Rhythm = Rhythm::Cycle(&[1_200, 300, 200, 1_500]);
const LONG_2: Rhythm = Rhythm::Cycle(&[1_200, 300, 200, 300, 200, 1_500]);
const LONG_3: Rhythm = Rhythm::Cycle(&[1_200, 300, 200, 300, 200, 300, 200, 1_500]);
const WINK_1: Rhythm = Rhythm::Cycle(&[2_400, 200]);
const WINK_2: Rhythm = Rhythm::Cycle(&[2_000, 200, 300, 200]);
const WINK_3: Rhythm = Rhythm::Cycle(&[2_000, 200, 300, 200, 300, 200]);
const WINK_4: Rhythm = Rhythm::Cycle(&[2_000, 200, 300, 200, 300, 200, 300, 200]);
const FLASH_3: Rhythm = Rhythm::Cycle(&[150, 200, 150, 200, 150, 1_500]);
const FLASH_4: Rhythm = Rhythm::Cycle(&[150, 200, 150, 200, 150, 200, 150, 1_500]);
const FLASH_5: Rhythm = Rhythm::Cycle(&[150, 200, 150, 200, 150, 200, 150, 200, 150, 1_500]);
const FLASH_6: Rhythm =
    Rhythm::Cycle(&[150, 200, 150, 200, 150, 200, 150, 200, 150, 200, 150, 1_500]);
const BLIP_1: Rhythm = Rhythm::Cycle(&[160, 40]);
const BLIP_2: Rhythm = Rhythm::Cycle(&[160, 160, 160, 40]);
const BLIPS_8: Rhythm = Rhythm::Cycle(&[
    160, 160, 160, 160, 160, 160, 160, 160, 160, 160, 160, 160, 160, 160, 160, 160,
]);
const LONG_BLIPS_3: Rhythm = Rhythm::Cycle(&[900, 300, 900, 300, 900, 300]);
const LONG_FLICKER: Rhythm = Rhythm::Cycle(&[80; 50]);
/// Ten seconds, as long as the button is to be held.
const TEN_SLOW: Rhythm = Rhythm::Cycle(&[500; 20]);
/// Five seconds, as long as there is to release the button.
const FIVE_FAST: Rhythm = Rhythm::Cycle(&[50; 100]);
const FLICKER: Rhythm = Rhythm::Cycle(&[80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80, 80]);

/// What the lights do for `indication`. Momentary ones invert a light's level instead of
/// setting it, so that they are visible on a lit light and on a dark one.
pub fn lights(indication: Indication) -> Lights {
    let status_only = |rhythm| Lights { live: Rhythm::Off, status: rhythm, single: rhythm };
    let with_live = |live, rhythm| Lights { live, status: rhythm, single: rhythm };
    match indication {
        Indication::Starting => status_only(EVEN),
        Indication::NeedsSetup => status_only(TWO_LONG),
        Indication::Ready => Lights { live: Rhythm::Off, status: Rhythm::On, single: BEAT },
        Indication::ReadyWarning => {
            Lights { live: Rhythm::Off, status: WINK_4, single: BEAT_TWICE }
        }
        Indication::NoNetwork => status_only(THREE_LONG),
        Indication::Connecting => status_only(TWO_SHORT),
        Indication::Live { attention } => match attention {
            Attention::None => with_live(Rhythm::On, Rhythm::On),
            Attention::Camera => with_live(Rhythm::On, WINK_1),
            Attention::Microphone => with_live(Rhythm::On, WINK_2),
            Attention::Destination => with_live(Rhythm::On, WINK_3),
            Attention::Warning => with_live(Rhythm::On, WINK_4),
        },
        Indication::Retrying { because } => match because {
            // On the light next to it the same as before a broadcast.
            Because::NoNetwork => {
                Lights { live: EVEN_SLOW, status: THREE_LONG, single: THREE_LONG_1 }
            }
            Because::Network => with_live(EVEN_SLOW, EVEN_SLOW),
            Because::Busy => with_live(EVEN_SLOW, LONG_1),
            Because::Refused => with_live(EVEN_SLOW, LONG_2),
            Because::Certificate => with_live(EVEN_SLOW, LONG_3),
        },
        Indication::Stopping => status_only(EVEN_FAST),
        Indication::Fault(fault) => status_only(match fault {
            Fault::Camera => FLASH_3,
            Fault::Microphone => FLASH_4,
            Fault::Encoder => FLASH_5,
            Fault::Internal => FLASH_6,
        }),
        Indication::Pressed => status_only(BLIP_1),
        Indication::Already => status_only(BLIP_2),
        Indication::Refused => status_only(FLICKER),
        Indication::StickWorking => status_only(BLIPS_8),
        Indication::StickAccepted => status_only(LONG_BLIPS_3),
        Indication::StickRefused => status_only(LONG_FLICKER),
        Indication::ResetBegun => status_only(TEN_SLOW),
        Indication::ResetArmed => status_only(FIVE_FAST),
    }
}

impl Rhythm {
    /// Whether the light is lit `elapsed` after the rhythm began.
    pub fn is_lit(self, elapsed: Duration) -> bool {
        match self {
            Rhythm::Off => false,
            Rhythm::On => true,
            Rhythm::Cycle(steps) => self.step(steps, elapsed).0.is_multiple_of(2),
        }
    }

    /// How long after `elapsed` the light changes next; `None` for a steady light.
    pub fn next_change(self, elapsed: Duration) -> Option<Duration> {
        match self {
            Rhythm::Off | Rhythm::On => None,
            Rhythm::Cycle(steps) => Some(self.step(steps, elapsed).1),
        }
    }

    /// The length of one cycle; zero for a steady light.
    pub fn period(self) -> Duration {
        match self {
            Rhythm::Off | Rhythm::On => Duration::ZERO,
            Rhythm::Cycle(steps) => {
                Duration::from_millis(steps.iter().map(|ms| u64::from(*ms)).sum())
            }
        }
    }

    /// The step that holds at `elapsed`, and how long it still holds.
    fn step(self, steps: &[u16], elapsed: Duration) -> (usize, Duration) {
        let period_ns = self.period().as_nanos().max(1);
        let mut into_ns = elapsed.as_nanos() % period_ns;
        for (index, ms) in steps.iter().enumerate() {
            let step_ns = u128::from(*ms) * 1_000_000;
            if into_ns < step_ns {
                let left_ns = u64::try_from(step_ns - into_ns).unwrap_or(u64::MAX);
                return (index, Duration::from_nanos(left_ns));
            }
            into_ns -= step_ns;
        }
        (0, Duration::from_millis(1)) // a cycle without length; the tests keep it from the table
    }

    /// The rhythm in words, for the owner's table.
    pub fn describe(self) -> String {
        let steps = match self {
            Rhythm::Off => return "off".to_owned(),
            Rhythm::On => return "steady".to_owned(),
            Rhythm::Cycle(steps) => steps,
        };
        let lit: Vec<u16> = steps.iter().step_by(2).copied().collect();
        let dark: Vec<u16> = steps.iter().skip(1).step_by(2).copied().collect();
        let even = lit.len() == 1 && lit == dark;
        let sum = |of: &[u16]| of.iter().map(|ms| u32::from(*ms)).sum::<u32>();
        if even {
            return match lit.first() {
                Some(0..=200) => "flickers".to_owned(),
                Some(0..=600) => "blinks evenly".to_owned(),
                _ => "blinks slowly and evenly".to_owned(),
            };
        }
        if sum(&lit) > 2 * sum(&dark) && lit.iter().any(|ms| *ms >= 1_000) {
            return format!("lit, with {}", counted(dark.len(), "short wink"));
        }
        match lit.iter().filter(|ms| **ms >= 600).count() {
            0 if self.period() == BEAT.period() => {
                let one = if lit.len() == 1 {
                    "a short flash".to_owned()
                } else {
                    counted(lit.len(), "short flash")
                };
                format!("{one} every 3 seconds")
            }
            0 => format!("{}, pause", counted(lit.len(), "short flash")),
            long if long == lit.len() => format!("{}, pause", counted(long, "long flash")),
            long => format!(
                "{}, then {}, pause",
                counted(long, "long flash"),
                counted(lit.len() - long, "short flash")
            ),
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    let word = match count {
        1 => "one",
        2 => "two",
        3 => "three",
        4 => "four",
        5 => "five",
        _ => "six",
    };
    let plural = if what.ends_with('h') { "es" } else { "s" };
    format!("{word} {what}{}", if count == 1 { "" } else { plural })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rhythm as an eye takes it: marks on a background, in groups.
    struct Impression {
        mostly_lit: bool,
        marks_ms: Vec<u16>,
        inner_gap_ms: u16,
        outer_gap_ms: u16,
    }

    fn see(steps: &[u16]) -> Impression {
        let mut lit: Vec<u16> = steps.iter().step_by(2).copied().collect();
        let mut dark: Vec<u16> = steps.iter().skip(1).step_by(2).copied().collect();
        let sum = |of: &[u16]| of.iter().map(|ms| u32::from(*ms)).sum::<u32>();
        let mostly_lit = sum(&lit) > 2 * sum(&dark);
        if mostly_lit {
            lit.rotate_left(1);
            std::mem::swap(&mut lit, &mut dark);
        }
        let outer = dark.pop().unwrap();
        let inner = dark.iter().copied().max().unwrap_or(0);
        Impression { mostly_lit, marks_ms: lit, inner_gap_ms: inner, outer_gap_ms: outer }
    }

    fn clearly_different_ms(a: u16, b: u16) -> bool {
        a.max(b) >= 2 * a.min(b) && a.abs_diff(b) >= 150
    }

    fn can_be_distinguished(a: Rhythm, b: Rhythm) -> bool {
        let (a, b) = match (a, b) {
            (Rhythm::Cycle(a), Rhythm::Cycle(b)) => (see(a), see(b)),
            (a, b) => return a != b,
        };
        a.mostly_lit != b.mostly_lit
            || a.marks_ms.len() != b.marks_ms.len()
            || clearly_different_ms(a.outer_gap_ms, b.outer_gap_ms)
            || a.marks_ms.iter().zip(&b.marks_ms).any(|(a, b)| clearly_different_ms(*a, *b))
    }

    fn pairs(momentary: bool) -> impl Iterator<Item = (Indication, Indication)> {
        let all = Indication::ALL.into_iter().filter(move |i| i.is_momentary() == momentary);
        all.clone().enumerate().flat_map(move |(n, a)| all.clone().skip(n + 1).map(move |b| (a, b)))
    }

    #[test]
    fn one_light_distinguishes_all_indications_by_rhythm() {
        for (a, b) in pairs(false).chain(pairs(true)) {
            assert!(
                can_be_distinguished(lights(a).single, lights(b).single),
                "{} looks like {} on a board with one light",
                a.name(),
                b.name()
            );
        }
    }

    #[test]
    fn two_lights_distinguish_all_indications_by_rhythm() {
        for (a, b) in pairs(false).chain(pairs(true)) {
            let (one, other) = (lights(a), lights(b));
            assert!(
                can_be_distinguished(one.live, other.live)
                    || can_be_distinguished(one.status, other.status),
                "{} looks like {} on a board with two lights",
                a.name(),
                b.name()
            );
        }
    }

    #[test]
    fn groups_of_flashes_can_be_counted() {
        for indication in Indication::ALL.into_iter().filter(|i| !i.is_momentary()) {
            for rhythm in [lights(indication).single, lights(indication).status] {
                let Rhythm::Cycle(steps) = rhythm else { continue };
                assert_eq!(steps.len() % 2, 0, "{}", indication.name());
                assert!(steps.iter().all(|ms| *ms >= 40), "{}", indication.name());
                let impression = see(steps);
                assert!(
                    impression.outer_gap_ms >= 3 * impression.inner_gap_ms,
                    "{}",
                    indication.name()
                );
                assert!(rhythm.period() <= Duration::from_millis(4_500), "{}", indication.name());
            }
        }
    }

    #[test]
    fn the_live_light_is_dark_unless_a_broadcast_is_on() {
        for indication in Indication::ALL {
            let lit = lights(indication).live != Rhythm::Off;
            assert!(!lit || indication.is_broadcast(), "{}", indication.name());
            let steady = lights(indication).live == Rhythm::On;
            let accepted = matches!(indication, Indication::Live { .. });
            assert_eq!(steady, accepted, "{}", indication.name());
        }
    }

    #[test]
    fn answers_to_the_button_are_over_within_a_second_and_a_half_and_a_stick_s_within_four() {
        for indication in Indication::ALL.into_iter().filter(|i| i.is_momentary()) {
            let length = lights(indication).single.period();
            let most = Duration::from_millis(match indication.name().split(',').next() {
                Some("stick") => 4_000,
                Some("reset") => 10_000, // as long as the button is held
                _ => 1_500,
            });
            assert!(!length.is_zero() && length <= most, "{}", indication.name());
        }
    }

    #[test]
    fn a_rhythm_changes_exactly_when_it_says() {
        for indication in Indication::ALL {
            let rhythm = lights(indication).single;
            let mut at = Duration::ZERO;
            while let Some(next) = rhythm.next_change(at) {
                let just_before = at + next - Duration::from_nanos(1);
                assert_eq!(rhythm.is_lit(at), rhythm.is_lit(just_before));
                assert_ne!(rhythm.is_lit(at), rhythm.is_lit(at + next), "{}", indication.name());
                at += next;
                if at > 3 * rhythm.period() {
                    break;
                }
            }
        }
    }
}
