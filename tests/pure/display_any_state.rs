//! Whatever a box is called, meets and measures, its page can be drawn, lies within the display, and stays as
//! it is until the time that is given for its next change. Failures print their seed.

use core::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use embedded_graphics::{
    Pixel,
    geometry::{OriginDimensions, Size},
    pixelcolor::BinaryColor,
    prelude::DrawTarget,
};
use firstmile::display::{Drawing, Figures, Front, HEIGHT, Meter, Place, Screen, Update, WIDTH};
use firstmile::limits::{DISPLAY_INTERVAL, DISPLAY_REFRESH_INTERVAL};
use firstmile::panel::Indication;

const SEEDS: u64 = 500;

/// Something to draw on that has an outside.
struct Strict {
    pixels: usize,
}

impl OriginDimensions for Strict {
    fn size(&self) -> Size {
        // As if there were more around the display: what is drawn there is not cut off before it is seen.
        Size::new(10 * WIDTH as u32, 10 * HEIGHT as u32)
    }
}

impl DrawTarget for Strict {
    type Color = BinaryColor;
    type Error = String;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), String>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(point, _) in pixels {
            let inside =
                (0..WIDTH as i32).contains(&point.x) && (0..HEIGHT as i32).contains(&point.y);
            if !inside {
                return Err(format!("{point:?} lies outside"));
            }
            self.pixels += 1;
        }
        Ok(())
    }
}

fn text(rng: &mut fastrand::Rng) -> String {
    const LETTERS: &[char] = &[
        'a', 'M', 'i', '0', '.', ' ', ' ', '\n', '\r', '\t', '\0', '\u{1b}', 'ä', '€', '中',
        '\u{301}', '🎥', '\u{202e}', '\u{a0}', '_',
    ];
    let length = *rng.choice(&[0, 1, 5, 20, 26, 64, 300]).expect("one of them");
    let length = rng.usize(0..=length);
    (0..length).map(|_| LETTERS[rng.usize(0..LETTERS.len())]).collect()
}

fn number(rng: &mut fastrand::Rng) -> u32 {
    match rng.u8(0..4) {
        0 => 0,
        1 => u32::MAX,
        2 => rng.u32(0..200),
        _ => rng.u32(..),
    }
}

fn front(rng: &mut fastrand::Rng) -> Front {
    let (lasting, momentary): (Vec<_>, Vec<_>) =
        Indication::ALL.into_iter().partition(|indication| !indication.is_momentary());
    let meter = |rng: &mut fastrand::Rng| Meter {
        rms_dbfs: rng.i32(-200..20),
        peak_dbfs: *[i32::MIN, i32::MAX, -60, 0, rng.i32(-96..=0)]
            .get(rng.usize(0..5))
            .expect("it"),
    };
    let place = |rng: &mut fastrand::Rng| Place {
        name: text(rng),
        is_live: rng.bool(),
        is_backup: rng.bool(),
    };
    let figures = |rng: &mut fastrand::Rng| Figures {
        sent_kbps: number(rng),
        full_kbps: number(rng),
        delay_ds: number(rng),
    };
    Front {
        name: text(rng),
        address: match rng.u8(0..3) {
            0 => None,
            1 => Some(IpAddr::V4(rng.u32(..).into())),
            _ => Some(IpAddr::V6(Ipv6Addr::from(rng.u128(..)))),
        },
        indication: lasting[rng.usize(0..lasting.len())],
        moment: (rng.u8(0..4) == 0).then(|| momentary[rng.usize(0..momentary.len())]),
        words: rng.bool().then(|| text(rng)),
        live_since: rng.bool().then(|| Duration::from_millis(rng.u64(0..1_000_000_000))),
        destinations: (0..rng.usize(0..9)).map(|_| place(rng)).collect(),
        figures: rng.bool().then(|| figures(rng)),
        meters: (0..rng.usize(0..5)).map(|_| meter(rng)).collect(),
    }
}

#[test]
fn any_page_lies_within_the_display_and_keeps_until_its_next_change() {
    for seed in 0..SEEDS {
        let mut rng = fastrand::Rng::with_seed(seed);
        let manual = text(&mut rng);
        let drawing = Drawing::new(rng.bool().then_some(manual.as_str()));
        let front = front(&mut rng);
        let now = Duration::from_nanos(rng.u64(0..2_000_000_000_000_000));
        let mut strict = Strict { pixels: 0 };
        let drawn = drawing.draw_on(&mut strict, now, &front);
        assert!(drawn.is_ok(), "seed {seed}: {drawn:?} of {front:?}");
        assert!(strict.pixels > 0, "seed {seed}: nothing is drawn of {front:?}");
        let frame = drawing.draw(now, &front);
        let next = drawing.next_change(now, &front);
        assert!(next.is_none_or(|next| next > now), "seed {seed}: {next:?} is over at {now:?}");
        let most = next.map_or(Duration::from_secs(1_000_000), |next| next - now);
        for _ in 0..3 {
            let later = now + Duration::from_nanos(rng.u64(0..most.as_nanos() as u64));
            assert_eq!(frame, drawing.draw(later, &front), "seed {seed}: at {later:?}, {front:?}");
        }
    }
}

#[test]
fn whatever_comes_when_a_display_is_sent_nothing_twice_and_shows_what_is_true_in_the_end() {
    for seed in 0..SEEDS / 4 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let drawing = Drawing::new(None);
        let mut screen = Screen::new(drawing.clone());
        let (mut now, mut shown, mut last) = (Duration::ZERO, None, None);
        let (mut sent_at, mut whole_at) = (None::<Duration>, Duration::ZERO);
        let known: Vec<Front> = (0..4).map(|_| front(&mut rng)).collect();
        for _ in 0..60 {
            match (rng.u8(0..3), screen.poll_timeout()) {
                // What it waits for comes in time, or a little late.
                (0, Some(at)) => now = now.max(at) + Duration::from_millis(rng.u64(0..30)),
                _ => now += Duration::from_millis(rng.u64(0..3_000)),
            }
            if rng.bool() {
                let front = known[rng.usize(0..known.len())].clone();
                screen.show(now, front.clone());
                last = Some(front);
            }
            let Some(update) = screen.poll(now) else { continue };
            let Update { frame, before } = &update;
            assert_ne!(Some(frame), shown.as_ref(), "seed {seed}: it is shown already");
            assert!(before.is_none() || *before == shown, "seed {seed}");
            let early = sent_at.is_some_and(|at| now - at < DISPLAY_INTERVAL);
            assert!(!early, "seed {seed}: more than ten a second");
            if now - whole_at >= DISPLAY_REFRESH_INTERVAL {
                assert!(before.is_none(), "seed {seed}: all is due");
            }
            sent_at = Some(now);
            if rng.u8(0..8) == 0 {
                shown = None;
                screen.failed(now);
            } else {
                if before.is_none() {
                    whole_at = now;
                }
                shown = Some(frame.clone());
                screen.sent(now, update);
            }
        }
        let Some(last) = last else { continue };
        let last = Front { moment: None, ..last };
        screen.show(now, last.clone());
        // Waits for a display that does not answer, and moments, are over by then.
        for _ in 0..200 {
            let Some(at) = screen.poll_timeout() else { break };
            now = now.max(at);
            if let Some(update) = screen.poll(now) {
                shown = Some(update.frame.clone());
                screen.sent(now, update);
            }
        }
        assert_eq!(shown, Some(drawing.draw(now, &last)), "seed {seed}: {last:?}");
    }
}
