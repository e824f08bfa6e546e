//! What each page looks like.
//!
//! Above, in letters of 16 rows, what the box does; many displays have these rows in another colour. Below
//! it what there is to say, and in the last strip name and address. Nothing moves by itself but the time on
//! air, so that a page at rest costs nothing.

use std::time::Duration;

use embedded_graphics::{
    Drawable,
    geometry::{Point, Size},
    mono_font::MonoTextStyle,
    pixelcolor::BinaryColor,
    prelude::{DrawTarget, Primitive},
    primitives::{PrimitiveStyle, Rectangle},
    text::{Baseline, Text},
};

use super::frame::{Frame, HEIGHT, WIDTH};
use super::front::{Figures, Front, Meter};
use super::qr::Code;
use super::text::{LARGE, Letters, MIDDLE, SMALL, TINY, cut, lines, wrap};
use crate::limits::QUEUE_TIME_MAX;
use crate::panel::{Attention, Because, Fault, Indication, manual};

/// Rows of the first line.
const HEAD: i32 = 16;
/// The first row of name and address.
const FOOT: i32 = 56;
/// Rows between the two.
const BODY: usize = 40;
/// Where bars begin, behind their names.
const BAR_LEFT: i32 = 28;
/// Columns of what stands behind a bar.
const VALUE_COLUMNS: usize = 10;
/// The QR code stands at the right, in a square as high as the display.
const CODE_LEFT: i32 = 64;
/// Pixels of a module of it.
const MODULE: i32 = 2;
/// A level below this is no longer drawn, in dBFS.
const METER_BOTTOM_DBFS: i32 = -60;

/// Draws pages.
#[derive(Debug, Clone)]
pub struct Drawing {
    code: Code,
}

impl Drawing {
    /// Pages of a box whose owner finds a manual at this address.
    pub fn new(manual: Option<&str>) -> Drawing {
        Drawing { code: Code::new(manual) }
    }

    /// The page of a box at `now`.
    pub fn draw(&self, now: Duration, front: &Front) -> Frame {
        let mut frame = Frame::DARK;
        match self.draw_on(&mut frame, now, front) {
            Ok(()) => frame,
            Err(never) => match never {},
        }
    }

    /// The same on something else. All of it lies within [`WIDTH`] and [`HEIGHT`].
    ///
    /// # Errors
    /// What the target reports.
    pub fn draw_on<D>(&self, target: &mut D, now: Duration, front: &Front) -> Result<(), D::Error>
    where
        D: DrawTarget<Color = BinaryColor>,
    {
        let mut page = Page { target, ink: BinaryColor::On };
        if let Some(moment) = front.moment {
            page.head(moment, None)?;
            page.paragraphs(&[happens(moment), advice(moment, front)])?;
            return page.foot(front);
        }
        match front.indication {
            Indication::NeedsSetup if front.destinations.is_empty() => {
                page.setup(&self.code, front)
            }
            Indication::Live { attention } => page.live(attention, now, front),
            indication => {
                page.head(indication, None)?;
                page.words(front)?;
                page.foot(front)
            }
        }
    }

    /// When the page of a box looks otherwise although the box is as it was; `None` for never.
    pub fn next_change(&self, now: Duration, front: &Front) -> Option<Duration> {
        let is_live = matches!(front.indication, Indication::Live { .. });
        let since = front.live_since.filter(|_| is_live && front.moment.is_none())?;
        let seconds = now.saturating_sub(since).as_secs();
        Some(since.saturating_add(Duration::from_secs(seconds.saturating_add(1))))
    }
}

/// What a page is drawn on, and in which colour.
struct Page<'a, D> {
    target: &'a mut D,
    ink: BinaryColor,
}

impl<D: DrawTarget<Color = BinaryColor>> Page<'_, D> {
    // ── parts of pages ────────────────────────────────────────────────────────────────────────

    /// What the box does, dark on a lit ground while it is live, with the time on air.
    fn head(&mut self, indication: Indication, time: Option<&str>) -> Result<(), D::Error> {
        let is_live = matches!(indication, Indication::Live { .. });
        if is_live {
            self.fill(0, 0, WIDTH as i32, HEAD)?;
            self.ink = BinaryColor::Off;
        }
        self.line(1, 0, LARGE, heading(indication))?;
        if let Some(time) = time {
            let width = time.chars().count() * LARGE.width;
            self.line(WIDTH as i32 - 1 - width as i32, 0, LARGE, time)?;
        }
        self.ink = BinaryColor::On;
        Ok(())
    }

    /// Name and address, in the last strip.
    fn foot(&mut self, front: &Front) -> Result<(), D::Error> {
        let columns = SMALL.columns(WIDTH);
        let address = front.address.map(|address| address.to_string());
        let address = address.filter(|address| address.len() <= columns).unwrap_or_default();
        let room = columns.saturating_sub(address.len() + 1);
        let width = address.len() * SMALL.width;
        self.line(0, FOOT, SMALL, &cut(&front.name, room))?;
        self.line(WIDTH as i32 - width as i32, FOOT, SMALL, &address)
    }

    /// What is wrong and what to do, or what the box is ready for.
    fn words(&mut self, front: &Front) -> Result<(), D::Error> {
        let advice = advice(front.indication, front);
        match (front.indication, &front.words) {
            (_, Some(words)) => self.paragraphs(&[words, advice]),
            (Indication::Starting | Indication::Stopping, None) => self.paragraphs(&[advice]),
            (Indication::Ready | Indication::Connecting, None) => {
                self.paragraphs(&[&destinations(front), advice])
            }
            (indication, None) => self.paragraphs(&[happens(indication), advice]),
        }
    }

    /// Texts below each other, in letters as large as there is room for. The last one is the most useful
    /// and has its room first.
    fn paragraphs(&mut self, paragraphs: &[&str]) -> Result<(), D::Error> {
        let all = |letters: Letters| -> usize {
            paragraphs.iter().map(|text| lines(text, letters.columns(WIDTH))).sum()
        };
        let fits = |letters: &Letters| all(*letters) <= BODY / letters.line;
        let letters = [MIDDLE, SMALL].into_iter().find(fits).unwrap_or(SMALL);
        let (columns, mut room) = (letters.columns(WIDTH), BODY / letters.line);
        // They are set apart where there is a line for that.
        let is_apart = all(letters) + paragraphs.len() <= room + 1;
        let mut wrapped = Vec::new();
        for (above, text) in paragraphs.iter().enumerate().rev() {
            // Each of those above it keeps a line.
            let mut paragraph = wrap(text, columns, room.saturating_sub(above).max(1));
            room = room.saturating_sub(paragraph.len());
            if is_apart && !paragraph.is_empty() && !wrapped.is_empty() {
                paragraph.push(String::new());
            }
            paragraph.append(&mut wrapped);
            wrapped = paragraph;
        }
        for (y, text) in (HEAD..FOOT).step_by(letters.line).zip(&wrapped) {
            self.line(0, y, letters, text)?;
        }
        Ok(())
    }

    /// A name, a bar that is filled by so many thousandths, and its value.
    fn bar(&mut self, y: i32, name: &str, filled: u32, value: &str) -> Result<(), D::Error> {
        let value_width = VALUE_COLUMNS * SMALL.width;
        let width = WIDTH as i32 - BAR_LEFT - value_width as i32 - 3;
        let text_width = value.chars().count() * SMALL.width;
        self.line(0, y, SMALL, name)?;
        self.line(WIDTH as i32 - text_width as i32, y, SMALL, value)?;
        self.frame(BAR_LEFT, y, width, 7)?;
        let inside = width - 4;
        self.fill(BAR_LEFT + 2, y + 2, part(inside, filled), 3)
    }

    /// How loud a channel is: a bar for the root mean square, and a line for the peak.
    fn meter(&mut self, y: i32, name: &str, meter: Meter) -> Result<(), D::Error> {
        let width = WIDTH as i32 - BAR_LEFT;
        let inside = width - 4;
        let thousandths = |dbfs: i32| {
            let above = dbfs.clamp(METER_BOTTOM_DBFS, 0) - METER_BOTTOM_DBFS;
            above.unsigned_abs() * 1_000 / METER_BOTTOM_DBFS.unsigned_abs()
        };
        self.line(0, y, SMALL, name)?;
        self.frame(BAR_LEFT, y, width, 7)?;
        self.fill(BAR_LEFT + 2, y + 2, part(inside, thousandths(meter.rms_dbfs)), 3)?;
        match part(inside, thousandths(meter.peak_dbfs)) {
            0 => Ok(()),
            peak => self.fill(BAR_LEFT + 1 + peak, y + 1, 1, 5),
        }
    }

    // ── whole pages ───────────────────────────────────────────────────────────────────────────

    fn live(&mut self, attention: Attention, now: Duration, front: &Front) -> Result<(), D::Error> {
        let time = front.live_since.map(|since| time(now.saturating_sub(since)));
        self.head(Indication::Live { attention }, time.as_deref())?;
        self.line(0, HEAD, SMALL, &cut(&destinations(front), SMALL.columns(WIDTH)))?;
        // What is wrong has the lower rows, as many as its words take.
        let words = match (attention, &front.words) {
            (Attention::None, _) => Vec::new(),
            (_, words) => {
                let advice = advice(front.indication, front);
                let words = words.as_deref().unwrap_or(happens(front.indication));
                let (columns, most) = (SMALL.columns(WIDTH - 2), 5);
                wrap(&format!("{words} {advice}"), columns, most)
            }
        };
        let top = match words.len() {
            0 => FOOT,
            rows => HEIGHT as i32 - (rows * SMALL.line) as i32,
        };
        if let Some(Figures { sent_kbps, full_kbps, delay_ds }) = front.figures {
            let rate = format!("{} kb/s", sent_kbps.min(99_999));
            let most_ds = QUEUE_TIME_MAX.as_millis() as u64 / 100;
            let delay = match delay_ds {
                0..10_000 => format!("{}.{} s", delay_ds / 10, delay_ds % 10),
                _ => "999.9 s".to_owned(),
            };
            let rate = ("rate", thousandths(sent_kbps.into(), full_kbps.into()), rate);
            let delay = ("delay", thousandths(delay_ds.into(), most_ds), delay);
            for (y, (name, filled, value)) in [24, 32].into_iter().zip([rate, delay]) {
                if y < top {
                    self.bar(y, name, filled, &value)?;
                }
            }
        }
        if words.is_empty() {
            let names = if front.meters.len() == 1 { ["audio", ""] } else { ["left", "right"] };
            for ((y, name), meter) in [40, 48].into_iter().zip(names).zip(&front.meters) {
                self.meter(y, name, *meter)?;
            }
            return self.foot(front);
        }
        self.fill(0, top, WIDTH as i32, HEIGHT as i32 - top)?;
        self.ink = BinaryColor::Off;
        for (y, text) in (top..).step_by(SMALL.line).zip(&words) {
            self.line(1, y, SMALL, text)?;
        }
        self.ink = BinaryColor::On;
        Ok(())
    }

    /// A box without destinations: where to begin.
    fn setup(&mut self, code: &Code, front: &Front) -> Result<(), D::Error> {
        let left = CODE_LEFT as usize - 4;
        self.line(0, 0, LARGE, "NEEDS")?;
        self.line(0, HEAD - 2, LARGE, "SETUP")?;
        let words = match code.is_manual {
            true => ["manual:", "scan this"],
            false => ["for a stick:", "scan this"],
        };
        for (y, text) in [30, 38].into_iter().zip(words) {
            self.line(0, y, SMALL, text)?;
        }
        let address = front.address.map(|address| address.to_string()).unwrap_or_default();
        let letters = [SMALL, TINY].into_iter().find(|l| address.len() <= l.columns(left));
        match letters {
            Some(letters) => {
                self.line(0, FOOT - 8, SMALL, &cut(&front.name, SMALL.columns(left)))?;
                self.line(0, FOOT, letters, &address)?;
            }
            None => {
                let wrapped = wrap(&address, TINY.columns(left), 3);
                for (y, text) in (FOOT - 10..).step_by(6).zip(&wrapped) {
                    self.line(0, y, TINY, text)?;
                }
            }
        }
        self.code(code)
    }

    fn code(&mut self, code: &Code) -> Result<(), D::Error> {
        let side = HEIGHT as i32;
        self.fill(CODE_LEFT, 0, side, side)?;
        self.ink = BinaryColor::Off;
        let margin = (side - code.size * MODULE) / 2;
        for (x, y) in code.dark() {
            let (left, top) = (CODE_LEFT + margin + x * MODULE, margin + y * MODULE);
            self.fill(left, top, MODULE, MODULE)?;
        }
        self.ink = BinaryColor::On;
        Ok(())
    }

    // ── strokes ───────────────────────────────────────────────────────────────────────────────

    fn line(&mut self, x: i32, y: i32, letters: Letters, text: &str) -> Result<(), D::Error> {
        let style = MonoTextStyle::new(letters.font, self.ink);
        Text::with_baseline(text, Point::new(x, y), style, Baseline::Top).draw(self.target)?;
        Ok(())
    }

    fn fill(&mut self, x: i32, y: i32, width: i32, height: i32) -> Result<(), D::Error> {
        rectangle(x, y, width, height)
            .into_styled(PrimitiveStyle::with_fill(self.ink))
            .draw(self.target)
    }

    fn frame(&mut self, x: i32, y: i32, width: i32, height: i32) -> Result<(), D::Error> {
        rectangle(x, y, width, height)
            .into_styled(PrimitiveStyle::with_stroke(self.ink, 1))
            .draw(self.target)
    }
}

fn rectangle(x: i32, y: i32, width: i32, height: i32) -> Rectangle {
    let side = |pixels: i32| u32::try_from(pixels).unwrap_or_default();
    Rectangle::new(Point::new(x, y), Size::new(side(width), side(height)))
}

/// So many thousandths of a length.
fn part(length: i32, thousandths: u32) -> i32 {
    length * thousandths.min(1_000) as i32 / 1_000
}

/// How much of a whole something is; at most all of it.
fn thousandths(of: u64, whole: u64) -> u32 {
    let part = (of * 1_000).checked_div(whole).unwrap_or_default();
    part.min(1_000) as u32
}

/// What the box does, in 14 letters at most.
fn heading(indication: Indication) -> &'static str {
    match indication {
        Indication::Starting => "STARTING",
        Indication::NeedsSetup => "NEEDS SETUP",
        Indication::Ready => "READY",
        Indication::ReadyWarning => "READY, WARNING",
        Indication::NoNetwork => "NO NETWORK",
        Indication::Connecting => "CONNECTING",
        Indication::Live { .. } => "LIVE",
        Indication::Retrying { .. } => "RETRYING",
        Indication::Stopping => "STOPPING",
        Indication::Fault(Fault::Camera) => "NO CAMERA",
        Indication::Fault(Fault::Microphone) => "NO MICROPHONE",
        Indication::Fault(Fault::Encoder) => "ENCODER FAULT",
        Indication::Fault(Fault::Internal) => "DEFECT",
        Indication::Pressed => "PRESSED",
        Indication::Already => "UNCHANGED",
        Indication::Refused => "NOT NOW",
        Indication::StickWorking => "USB STICK",
        Indication::StickAccepted => "STICK ACCEPTED",
        Indication::StickRefused => "STICK REFUSED",
        Indication::ResetBegun => "RESET?",
        Indication::ResetArmed => "RELEASE NOW",
    }
}

/// What is the matter, as the table of the lights says it.
fn happens(indication: Indication) -> &'static str {
    match indication {
        // Whoever holds the button knows.
        Indication::ResetBegun => "",
        // The lights have one answer for both.
        Indication::Already => "It is so already, or a reset was cancelled.",
        _ => manual::meaning(indication),
    }
}

/// What to do, as the table of the lights says it, where it does not send its reader to the console for
/// words that stand on the page.
fn advice(indication: Indication, front: &Front) -> &'static str {
    match indication {
        Indication::ReadyWarning => "Press to go live.",
        Indication::NoNetwork | Indication::Retrying { because: Because::NoNetwork } => {
            "Check cable or Wi-Fi."
        }
        Indication::Live { attention: Attention::Destination | Attention::Warning }
            if front.words.is_some() =>
        {
            ""
        }
        Indication::Fault(Fault::Encoder) => "Press to try again, or switch the box off and on.",
        Indication::Fault(Fault::Internal) => "Note this, and switch the box off and on.",
        Indication::StickRefused => "Pull it out; read firstmile-result.txt on it.",
        Indication::ResetArmed => "Keep holding to cancel.",
        // There is nothing to be done, or the page below says what.
        Indication::Already | Indication::Refused => "",
        indication => manual::what_to_do(indication),
    }
}

/// The destinations in a line: how many of several are live, and their names.
fn destinations(front: &Front) -> String {
    let name = |place: &super::Place| match place.is_backup {
        true => format!("{} (backup)", place.name),
        false => place.name.clone(),
    };
    let names: Vec<String> = front.destinations.iter().map(name).collect();
    match (names.len(), front.indication.is_broadcast()) {
        (0 | 1, _) | (_, false) => names.join(", "),
        (all, true) => {
            let live = front.destinations.iter().filter(|place| place.is_live).count();
            format!("{live} of {all}: {}", names.join(", "))
        }
    }
}

/// A time on air, in nine letters at most.
fn time(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0..1_000 => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{} days", (hours / 24).min(9_999)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_heading_fits_and_so_does_any_time_beside_that_of_a_live_box() {
        let columns = LARGE.columns(WIDTH);
        for indication in Indication::ALL {
            assert!(heading(indication).len() <= columns, "{}", indication.name());
        }
        for hours in [0, 9, 10, 99, 100, 999, 1_000, 24_000, u64::MAX / 3_600] {
            let time = time(Duration::from_secs(hours * 3_600));
            assert!("LIVE ".len() + time.len() <= columns, "{time}");
        }
        assert_eq!(time(Duration::from_secs(3_723)), "1:02:03");
    }
}
