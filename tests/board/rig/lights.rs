//! The lights as the kernel's lines show them, compared with the manual.

use std::time::Duration;

use firstmile::panel::{Indication, Rhythm, lights};

/// One look at both lights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The board's time.
    pub at: Duration,
    pub live: bool,
    pub status: bool,
}

/// The part of all looks that has to agree; emulation is late at times.
const AGREEMENT: f64 = 0.85;
/// How finely the beginning of a rhythm is searched.
const STEP: Duration = Duration::from_millis(20);

/// Reads what the board's shell prints: uptime, live, status.
pub fn parse(text: &str) -> Vec<Look> {
    let look = |line: &str| {
        let mut words = line.split_whitespace();
        let at = words.next()?.parse().ok().map(Duration::from_secs_f64)?;
        Some(Look { at, live: words.next()? == "1", status: words.next()? == "1" })
    };
    text.lines().filter_map(look).collect()
}

/// Whether the lights show this: there is a moment at which both rhythms can have begun.
pub fn show(looks: &[Look], indication: Indication) -> bool {
    let wanted = lights(indication);
    let both = [
        (wanted.live, looks_of(looks, |l| l.live)),
        (wanted.status, looks_of(looks, |l| l.status)),
    ];
    looks.len() >= 10 && both.iter().all(|(rhythm, levels)| follows(levels, *rhythm))
}

/// What the status light, steadily lit otherwise, showed of a stick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StickLight {
    Nothing,
    Working,
    Accepted,
    Refused,
}

/// What the status light showed of a stick: long blips, or as many short ones as the flicker has. An emulated machine may be short
/// of everything; the winks that say so are fewer.
pub fn of_stick(looks: &[Look]) -> StickLight {
    const LONG: Duration = Duration::from_millis(600);
    const FLICKER: Duration = Duration::from_millis(4_200);
    let mut dark: Vec<(Duration, Duration)> = Vec::new();
    for pair in looks.windows(2).filter(|pair| !pair[0].status) {
        match dark.last_mut() {
            Some((_, end)) if *end == pair[0].at => *end = pair[1].at,
            _ => dark.push((pair[0].at, pair[1].at)),
        }
    }
    let long = dark.iter().filter(|(begin, end)| *end - *begin >= LONG).count();
    let together = |from: Duration| {
        dark.iter().filter(|(begin, _)| (from..from + FLICKER).contains(begin)).count()
    };
    let most = dark.iter().map(|(begin, _)| together(*begin)).max().unwrap_or(0);
    match (long, most) {
        (2.., _) => StickLight::Accepted,
        (_, 12..) => StickLight::Refused,
        (_, 6..) => StickLight::Working,
        _ => StickLight::Nothing,
    }
}

fn looks_of(looks: &[Look], of: impl Fn(&Look) -> bool) -> Vec<(Duration, bool)> {
    looks.iter().map(|look| (look.at, of(look))).collect()
}

fn follows(levels: &[(Duration, bool)], rhythm: Rhythm) -> bool {
    let period = rhythm.period();
    let begins = (0..).map(|n| STEP * n).take_while(|begin| begin.is_zero() || *begin < period);
    let agreement = |begin: Duration| {
        let agree = levels.iter().filter(|(at, lit)| rhythm.is_lit(*at + begin) == *lit).count();
        agree as f64 / levels.len() as f64
    };
    begins.map(agreement).fold(0.0, f64::max) >= AGREEMENT
}

#[test]
fn a_rhythm_is_recognized_by_its_levels() {
    let shown = lights(Indication::NeedsSetup);
    let looks: Vec<Look> = (0..180)
        .map(|n| {
            let at = Duration::from_millis(n * 50);
            let began = at + Duration::from_millis(1_234);
            Look { at, live: shown.live.is_lit(began), status: shown.status.is_lit(began) }
        })
        .collect();
    assert!(show(&looks, Indication::NeedsSetup));
    for other in
        Indication::ALL.into_iter().filter(|i| !i.is_momentary() && *i != Indication::NeedsSetup)
    {
        assert!(!show(&looks, other), "{}", other.name());
    }
}

#[test]
fn what_a_light_shows_of_a_stick_is_recognized() {
    // On a light that is lit it is shown by darkness.
    let looks = |indications: &[Indication]| -> Vec<Look> {
        let mut levels = vec![true; 20];
        for indication in indications {
            let rhythm = lights(*indication).status;
            let times = (0..).map(|n| Duration::from_millis(n * 65));
            levels.extend(times.take_while(|t| *t < rhythm.period()).map(|t| !rhythm.is_lit(t)));
        }
        levels.extend([true; 20]);
        let look = |(n, status): (u64, bool)| Look {
            at: Duration::from_millis(n * 65),
            live: true,
            status,
        };
        (0..).zip(levels).map(look).collect()
    };
    use Indication::{StickAccepted, StickRefused, StickWorking};
    assert_eq!(of_stick(&looks(&[])), StickLight::Nothing);
    assert_eq!(of_stick(&looks(&[StickWorking])), StickLight::Working);
    assert_eq!(of_stick(&looks(&[StickRefused])), StickLight::Refused);
    assert_eq!(of_stick(&looks(&[StickWorking, StickRefused])), StickLight::Refused);
    assert_eq!(of_stick(&looks(&[StickWorking, StickAccepted])), StickLight::Accepted);
}
