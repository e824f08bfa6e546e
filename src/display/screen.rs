//! When which image is sent, and what becomes of a display that does not answer.

use std::time::Duration;

use super::frame::Frame;
use super::front::Front;
use super::pages::Drawing;
use crate::limits::{
    DISPLAY_INTERVAL, DISPLAY_MOMENT, DISPLAY_REFRESH_INTERVAL, DISPLAY_RETRY_FIRST,
    DISPLAY_RETRY_MAX, DISPLAY_STEADY,
};
use crate::panel::Indication;

/// An image that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The image.
    pub frame: Frame,
    /// What the display shows now; `None` when it is to be set up, and all is to be sent.
    pub before: Option<Frame>,
}

/// What a display shows and is to show.
///
/// Call [`Screen::show`] for what is new; then, and at [`Screen::poll_timeout`], [`Screen::poll`]. What it
/// gives is sent, and what came of that is reported by [`Screen::sent`] or [`Screen::failed`].
#[derive(Debug)]
pub struct Screen {
    drawing: Drawing,
    front: Option<Front>,
    /// A moment that is shown longer than the lights play it, and until when.
    moment: Option<(Indication, Duration)>,
    /// What the display shows; `None` while nobody knows.
    shown: Option<Frame>,
    /// When all was sent last.
    whole_at: Duration,
    /// No image is sent before.
    not_before: Duration,
    /// What is to be shown changed since the last image was drawn.
    is_stale: bool,
    /// When the page changes by itself.
    next_change: Option<Duration>,
    /// Since when it answers.
    answers_since: Option<Duration>,
    /// Tries that failed one after another.
    failures: u32,
}

impl Screen {
    /// A display that nothing was sent to.
    pub fn new(drawing: Drawing) -> Screen {
        Screen {
            drawing,
            front: None,
            moment: None,
            shown: None,
            whole_at: Duration::ZERO,
            not_before: Duration::ZERO,
            is_stale: false,
            next_change: None,
            answers_since: None,
            failures: 0,
        }
    }

    /// From `now` on this is to be shown.
    pub fn show(&mut self, now: Duration, front: Front) {
        if self.front.as_ref() == Some(&front) {
            return;
        }
        let before = self.front.as_ref().and_then(|front| front.moment);
        // An answer to a press says nothing of what has happened since.
        let is_answer = |(moment, _): &mut (Indication, Duration)| {
            matches!(moment, Indication::Refused | Indication::Already)
        };
        if self.front.as_ref().is_some_and(|before| before.indication != front.indication) {
            self.moment.take_if(is_answer);
        }
        if let Some(moment) = front.moment.filter(|moment| before != Some(*moment)) {
            self.moment = Some((moment, now + stays(moment)));
        }
        self.front = Some(front);
        self.is_stale = true;
    }

    /// When [`Screen::poll`] should be called; `None` while nothing changes.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.front.as_ref()?;
        if self.is_stale || self.shown.is_none() {
            return Some(self.not_before);
        }
        self.next_change.map(|at| at.max(self.not_before))
    }

    /// The image that is to be sent at `now`, if one is due and looks otherwise than what is shown.
    pub fn poll(&mut self, now: Duration) -> Option<Update> {
        if self.poll_timeout().is_none_or(|at| now < at) {
            return None;
        }
        let mut front = self.front.clone()?;
        self.moment = self.moment.filter(|(_, until)| now < *until);
        let kept = self.moment.filter(|_| front.moment.is_none());
        front.moment = front.moment.or(kept.map(|(moment, _)| moment));
        let by_itself = self.drawing.next_change(now, &front);
        self.next_change = by_itself.into_iter().chain(kept.map(|(_, until)| until)).min();
        self.is_stale = false;
        let frame = self.drawing.draw(now, &front);
        if self.shown.as_ref() == Some(&frame) {
            return None;
        }
        self.not_before = now + DISPLAY_INTERVAL;
        let is_old = now.saturating_sub(self.whole_at) >= DISPLAY_REFRESH_INTERVAL;
        let before = self.shown.clone().filter(|_| !is_old);
        Some(Update { frame, before })
    }

    /// The display has taken an image.
    pub fn sent(&mut self, now: Duration, update: Update) {
        if update.before.is_none() {
            self.whole_at = now;
        }
        self.answers_since.get_or_insert(now);
        self.shown = Some(update.frame);
        self.not_before = self.not_before.max(now);
    }

    /// The display has not taken an image, or not all of it.
    pub fn failed(&mut self, now: Duration) {
        let is_steady = |since: Duration| now.saturating_sub(since) >= DISPLAY_STEADY;
        if self.answers_since.take().is_some_and(is_steady) {
            self.failures = 0;
        }
        let wait = DISPLAY_RETRY_FIRST * (1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        self.shown = None;
        self.not_before = now + wait.min(DISPLAY_RETRY_MAX);
    }
}

/// For how long a moment is shown at least; that of a reset is over when the button is released.
fn stays(moment: Indication) -> Duration {
    match moment {
        Indication::ResetBegun | Indication::ResetArmed => Duration::ZERO,
        _ => DISPLAY_MOMENT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::Place;
    use crate::panel::Attention;

    const LIVE: Indication = Indication::Live { attention: Attention::None };

    fn front(indication: Indication) -> Front {
        Front {
            name: "firstmile".to_owned(),
            address: None,
            indication,
            moment: None,
            words: None,
            live_since: None,
            destinations: vec![Place {
                name: "tube".to_owned(),
                is_live: indication.is_broadcast(),
                is_backup: false,
            }],
            figures: None,
            meters: Vec::new(),
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn screen() -> Screen {
        Screen::new(Drawing::new(None))
    }

    /// Takes the image that is due at `now`; whether all of it was to be sent.
    fn takes(screen: &mut Screen, now: Duration) -> Option<bool> {
        let update = screen.poll(now)?;
        let is_whole = update.before.is_none();
        screen.sent(now, update);
        Some(is_whole)
    }

    #[test]
    fn a_page_is_sent_once_and_then_nothing_wakes_the_box() {
        let mut screen = screen();
        assert_eq!(screen.poll_timeout(), None, "there is nothing to show yet");
        screen.show(ms(5), front(Indication::Ready));
        assert_eq!(takes(&mut screen, ms(5)), Some(true));
        screen.show(ms(900), front(Indication::Ready));
        assert_eq!(screen.poll_timeout(), None);
        assert_eq!(takes(&mut screen, ms(10_000_000)), None);
    }

    #[test]
    fn changes_are_sent_ten_times_a_second_at_most_and_the_last_one_wins() {
        let mut screen = screen();
        let mut sent = 0;
        for at in (0..1_000).map(ms) {
            let mut front = front(Indication::Ready);
            front.name = at.as_millis().to_string();
            screen.show(at, front);
            sent += u32::from(takes(&mut screen, at).is_some());
        }
        assert_eq!(sent, 10);
        let last = screen.poll_timeout().expect("the last change");
        assert_eq!(last, ms(1_000));
        assert_eq!(takes(&mut screen, last), Some(false));
        assert_eq!(screen.poll_timeout(), None);
    }

    #[test]
    fn the_time_on_air_is_drawn_once_a_second_and_all_is_sent_every_ten() {
        let mut screen = screen();
        let live = Front { live_since: Some(ms(300)), ..front(LIVE) };
        screen.show(ms(1_000), live);
        let mut sent = Vec::new();
        let mut now = ms(1_000);
        while now < ms(22_000) {
            sent.extend(takes(&mut screen, now).map(|is_whole| (now, is_whole)));
            now = screen.poll_timeout().expect("time goes on");
        }
        let times: Vec<u128> = sent.iter().map(|(at, _)| at.as_millis()).collect();
        let expected: Vec<u128> =
            std::iter::once(1_000).chain((1_300..22_000).step_by(1_000)).collect();
        assert_eq!(times, expected);
        let whole = sent.iter().filter(|(_, is_whole)| *is_whole);
        let whole: Vec<u128> = whole.map(|(at, _)| at.as_millis()).collect();
        assert_eq!(whole, [1_000, 11_300, 21_300]);
    }

    #[test]
    fn a_moment_stays_long_enough_to_be_read_and_ends_by_itself() {
        let mut screen = screen();
        let lasting = front(Indication::Ready);
        let drawing = Drawing::new(None);
        let moment = |of| Front { moment: Some(of), ..lasting.clone() };
        screen.show(ms(0), moment(Indication::StickAccepted));
        takes(&mut screen, ms(0));
        screen.show(ms(800), lasting.clone());
        assert_eq!(takes(&mut screen, ms(800)), None, "the lights have played it already");
        assert_eq!(screen.poll_timeout(), Some(DISPLAY_MOMENT));
        let update = screen.poll(DISPLAY_MOMENT).expect("the page below");
        assert_eq!(update.frame, drawing.draw(DISPLAY_MOMENT, &lasting));
        screen.sent(DISPLAY_MOMENT, update);
        assert_eq!(screen.poll_timeout(), None);
        // A button that is released means no reset any more.
        screen.show(ms(9_000), moment(Indication::ResetArmed));
        takes(&mut screen, ms(9_000));
        screen.show(ms(9_200), lasting.clone());
        let update = screen.poll(ms(9_200)).expect("at once");
        assert_eq!(update.frame, drawing.draw(ms(9_200), &lasting));
    }

    #[test]
    fn a_display_that_does_not_answer_is_tried_more_and_more_rarely_and_set_up_when_it_does() {
        let mut screen = screen();
        screen.show(ms(0), front(Indication::Ready));
        let mut now = ms(0);
        let mut waits = Vec::new();
        for _ in 0..9 {
            assert!(screen.poll(now).is_some_and(|update| update.before.is_none()));
            screen.failed(now);
            screen.show(now + ms(10), front(LIVE));
            screen.show(now + ms(20), front(Indication::Ready));
            assert_eq!(screen.poll(now + ms(30)), None, "what is new waits as well");
            let next = screen.poll_timeout().expect("it is tried again");
            waits.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(takes(&mut screen, now), Some(true));
        // A loose contact: soon lost again, and not tried every second.
        screen.show(now + ms(500), front(LIVE));
        assert!(screen.poll(now + ms(500)).is_some());
        screen.failed(now + ms(500));
        assert_eq!(screen.poll_timeout(), Some(now + ms(500) + DISPLAY_RETRY_MAX));
        now += ms(500) + DISPLAY_RETRY_MAX;
        assert_eq!(takes(&mut screen, now), Some(true));
        // One that has answered for long enough.
        now += DISPLAY_STEADY;
        screen.show(now, front(Indication::Ready));
        assert!(screen.poll(now).is_some_and(|update| update.before.is_none()), "all again");
        screen.failed(now);
        assert_eq!(screen.poll_timeout(), Some(now + DISPLAY_RETRY_FIRST));
    }

    #[test]
    fn an_answer_to_a_press_gives_way_to_what_happens_next() {
        let mut screen = Screen::new(Drawing::new(None));
        let at = Duration::from_millis;
        let refused = Front { moment: Some(Indication::Refused), ..front(Indication::Ready) };
        for (now, shown, expected) in [
            (0, front(Indication::Ready), front(Indication::Ready)),
            (500, refused.clone(), refused.clone()),
            (1_000, front(Indication::Ready), refused),
            (1_500, front(Indication::Connecting), front(Indication::Connecting)),
        ] {
            screen.show(at(now), shown);
            if let Some(update) = screen.poll(at(now)) {
                screen.sent(at(now), update);
            }
            let image = Drawing::new(None).draw(at(now), &expected);
            assert_eq!(screen.shown, Some(image), "after {now} ms");
        }
    }
}
