//! The meaning of a press: a bouncing contact in, one gesture out.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::{BUTTON_HOLD, BUTTON_STUCK, RESET_HOLD, RESET_LET_GO};

/// One of the buttons that a box may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Contact {
    /// The button for going live and stopping.
    GoLive,
    /// The recessed button for a factory reset, on boards that have one.
    Reset,
}

/// What the owner did with the button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gesture {
    /// The button went down: for the light only, so that it answers a press within 100 ms.
    Down,
    /// A short press, reported at its release: go live.
    Press,
    /// Held for two seconds ([`BUTTON_HOLD`]), reported while it is still held: stop.
    Hold,
    /// Held for so long ([`BUTTON_STUCK`]) that something may be lying on it, reported once.
    Stuck,
    /// The reset button went down, or the other one was down when the box was switched on: if it is
    /// held, a factory reset follows.
    ResetBegun,
    /// Held long enough: releasing it now is the factory reset.
    ResetArmed,
    /// Released in time: factory reset.
    Reset,
    /// Released too early, or not at all: a stuck button resets nothing.
    ResetGivenUp,
}

/// Judges the edges of one button.
///
/// A level counts once it was stable for the debounce time. Call [`Button::start`] once with the
/// level found at power-up, [`Button::edge`] for each edge with its own timestamp,
/// [`Button::handle_timeout`] at [`Button::poll_timeout`], and [`Button::poll_gesture`] until `None`
/// after each. Edges may arrive late; their timestamps decide.
#[derive(Debug)]
pub struct Button {
    contact: Contact,
    debounce: Duration,
    /// The last level reported, and since when.
    raw: bool,
    raw_since: Duration,
    /// Whether that level is waiting out its debounce time.
    unsettled: bool,
    state: ButtonState,
    gestures: VecDeque<Gesture>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ButtonState {
    Up,
    /// Pressed; becomes a hold at this time.
    Down {
        hold_at: Duration,
    },
    /// Found pressed at start, or the reset button; the factory reset is armed at this time.
    Resetting {
        armed_at: Duration,
    },
    /// To be released before this time for a factory reset.
    Armed {
        until: Duration,
    },
    /// Held long enough for its gesture; counts as stuck at this time.
    Held {
        stuck_at: Duration,
    },
    /// Pressed, and nothing more is reported until it is released.
    Spent,
}

impl Button {
    /// A released button whose contact bounces for at most `debounce_ms`.
    pub fn new(contact: Contact, debounce_ms: u16) -> Button {
        Button {
            contact,
            debounce: Duration::from_millis(u64::from(debounce_ms)),
            raw: false,
            raw_since: Duration::ZERO,
            unsettled: false,
            state: ButtonState::Up,
            gestures: VecDeque::new(),
        }
    }

    /// The level found when the box starts. A button that is already down is an owner who wants a
    /// factory reset, or an object lying on it: held for [`RESET_HOLD`] and then released within
    /// [`RESET_LET_GO`] it is the former, and anything else does nothing.
    pub fn start(&mut self, at: Duration, pressed: bool) {
        self.raw = pressed;
        self.raw_since = at;
        self.unsettled = false;
        self.state = if pressed {
            ButtonState::Resetting { armed_at: at + RESET_HOLD }
        } else {
            ButtonState::Up
        };
        if pressed {
            self.queue(Gesture::ResetBegun);
        }
    }

    /// The line changed at `at`. Edges that repeat a level are harmless.
    pub fn edge(&mut self, at: Duration, pressed: bool) {
        // Timers that ran out before this edge come first, however late the edge is delivered.
        self.handle_timeout(at);
        if pressed != self.raw {
            self.raw = pressed;
            self.raw_since = at;
            self.unsettled = true;
        }
    }

    /// When [`Button::handle_timeout`] should be called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let settled = self.unsettled.then(|| self.raw_since + self.debounce);
        let hold = match self.state {
            ButtonState::Down { hold_at } if self.raw => Some(hold_at),
            ButtonState::Resetting { armed_at } if self.raw => Some(armed_at),
            ButtonState::Armed { until } if self.raw => Some(until),
            ButtonState::Held { stuck_at } if self.raw => Some(stuck_at),
            _ => None,
        };
        settled.into_iter().chain(hold).min()
    }

    /// Time has come to `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.unsettled && now >= self.raw_since + self.debounce {
            self.unsettled = false;
            self.settle(self.raw);
        }
        if let ButtonState::Down { hold_at } = self.state
            && self.raw
            && now >= hold_at
        {
            self.queue(Gesture::Hold);
            self.state = ButtonState::Held { stuck_at: hold_at - BUTTON_HOLD + BUTTON_STUCK };
        }
        if let ButtonState::Held { stuck_at } = self.state
            && self.raw
            && now >= stuck_at
        {
            self.queue(Gesture::Stuck);
            self.state = ButtonState::Spent;
        }
        if let ButtonState::Resetting { armed_at } = self.state
            && self.raw
            && now >= armed_at
        {
            self.queue(Gesture::ResetArmed);
            self.state = ButtonState::Armed { until: armed_at + RESET_LET_GO };
        }
        if let ButtonState::Armed { until } = self.state
            && self.raw
            && now >= until
        {
            self.queue(Gesture::ResetGivenUp);
            self.state = ButtonState::Spent;
        }
    }

    /// The next gesture.
    pub fn poll_gesture(&mut self) -> Option<Gesture> {
        self.gestures.pop_front()
    }

    /// A level was stable for the debounce time. All times count from the edge itself, so that the
    /// debounce does not add to a hold.
    fn settle(&mut self, pressed: bool) {
        match (self.state, pressed) {
            (ButtonState::Up, true) if self.contact == Contact::Reset => {
                self.state = ButtonState::Resetting { armed_at: self.raw_since + RESET_HOLD };
                self.queue(Gesture::ResetBegun);
            }
            (ButtonState::Up, true) => {
                self.state = ButtonState::Down { hold_at: self.raw_since + BUTTON_HOLD };
                self.queue(Gesture::Down);
            }
            (ButtonState::Down { hold_at }, false) => {
                // The release edge may have been handled before the timer of the hold.
                let held = self.raw_since >= hold_at;
                self.queue(if held { Gesture::Hold } else { Gesture::Press });
                self.state = ButtonState::Up;
            }
            (ButtonState::Resetting { .. }, false) => {
                self.queue(Gesture::ResetGivenUp);
                self.state = ButtonState::Up;
            }
            (ButtonState::Armed { .. }, false) => {
                self.queue(Gesture::Reset);
                self.state = ButtonState::Up;
            }
            (ButtonState::Held { .. } | ButtonState::Spent, false) => self.state = ButtonState::Up,
            (ButtonState::Up, false) | (_, true) => {}
        }
    }

    /// Queues a gesture. A caller that does not poll gets the newest ones.
    fn queue(&mut self, gesture: Gesture) {
        const UNREAD_MAX: usize = 4;
        if self.gestures.len() == UNREAD_MAX {
            self.gestures.pop_front();
        }
        self.gestures.push_back(gesture);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Plays edges (milliseconds, level) with all timers on time; returns when which gesture came.
    fn play(button: &mut Button, edges: &[(u64, bool)], until_ms: u64) -> Vec<(u64, Gesture)> {
        let mut reported = Vec::new();
        let mut edges = edges.iter().copied().peekable();
        loop {
            let timer = button.poll_timeout().map(|at| at.as_millis() as u64);
            let edge = edges.peek().map(|(at, _)| *at);
            let at = timer.into_iter().chain(edge).min().unwrap_or(u64::MAX);
            if at > until_ms {
                return reported;
            }
            if Some(at) == edge {
                let (_, level) = edges.next().unwrap();
                button.edge(ms(at), level);
            } else {
                button.handle_timeout(ms(at));
            }
            while let Some(gesture) = button.poll_gesture() {
                reported.push((at, gesture));
            }
        }
    }

    fn check(edges: &[(u64, bool)], expected: &[(u64, Gesture)]) {
        assert_eq!(
            play(&mut Button::new(Contact::GoLive, 30), edges, 600_000),
            expected,
            "{edges:?}"
        );
    }

    #[test]
    fn a_short_press_is_felt_at_once_and_reported_at_its_release() {
        check(&[(1_000, true), (1_200, false)], &[(1_030, Gesture::Down), (1_230, Gesture::Press)]);
    }

    #[test]
    fn a_bouncing_button_yields_one_press() {
        let bounces =
            [(0, true), (3, false), (5, true), (9, false), (14, true), (300, false), (310, true)];
        let mut edges = bounces.to_vec();
        edges.push((312, false));
        check(&edges, &[(44, Gesture::Down), (342, Gesture::Press)]);
    }

    #[test]
    fn a_spike_shorter_than_the_debounce_time_is_nothing() {
        check(&[(100, true), (120, false), (200, true), (229, false)], &[]);
    }

    #[test]
    fn a_hold_is_reported_after_two_seconds_while_the_button_is_still_down() {
        check(&[(1_000, true), (5_000, false)], &[(1_030, Gesture::Down), (3_000, Gesture::Hold)]);
    }

    #[test]
    fn a_stuck_button_yields_one_hold_is_reported_once_and_does_nothing_more() {
        let stuck = [(30, Gesture::Down), (2_000, Gesture::Hold), (10_000, Gesture::Stuck)];
        check(&[(0, true)], &stuck);
        let pressed_again = [(60_030, Gesture::Down), (60_130, Gesture::Press)];
        check(
            &[(0, true), (50_000, false), (60_000, true), (60_100, false)],
            &[&stuck[..], &pressed_again].concat(),
        );
    }

    #[test]
    fn a_press_of_almost_two_seconds_is_still_a_press() {
        check(&[(0, true), (1_999, false)], &[(30, Gesture::Down), (2_029, Gesture::Press)]);
    }

    fn held_at_power_up(edges: &[(u64, bool)]) -> Vec<(u64, Gesture)> {
        let mut button = Button::new(Contact::GoLive, 30);
        button.start(ms(0), true);
        play(&mut button, edges, 600_000)
    }

    #[test]
    fn a_button_held_for_ten_seconds_at_power_up_and_released_resets() {
        assert_eq!(
            held_at_power_up(&[(12_000, false)]),
            [
                (10_000, Gesture::ResetBegun),
                (10_000, Gesture::ResetArmed),
                (12_030, Gesture::Reset),
            ]
        );
    }

    #[test]
    fn a_button_released_too_early_or_stuck_at_power_up_resets_nothing() {
        let early = held_at_power_up(&[(9_000, false), (10_000, true), (10_100, false)]);
        let gestures: Vec<_> = early.into_iter().map(|(_, gesture)| gesture).collect();
        assert_eq!(
            gestures,
            [Gesture::ResetBegun, Gesture::ResetGivenUp, Gesture::Down, Gesture::Press,]
        );
        let stuck = held_at_power_up(&[(300_000, false)]);
        assert_eq!(stuck.last(), Some(&(15_000, Gesture::ResetGivenUp)));
    }

    fn reset_button(edges: &[(u64, bool)]) -> Vec<(u64, Gesture)> {
        play(&mut Button::new(Contact::Reset, 30), edges, 600_000)
    }

    #[test]
    fn a_reset_button_resets_at_any_time_when_it_is_held_and_released() {
        assert_eq!(
            reset_button(&[(1_000, true), (12_000, false)]),
            [(1_030, Gesture::ResetBegun), (11_000, Gesture::ResetArmed), (12_030, Gesture::Reset),]
        );
    }

    #[test]
    fn a_reset_button_that_is_touched_bounces_or_is_stuck_resets_nothing() {
        assert_eq!(reset_button(&[(0, true), (12, false)]), []);
        assert_eq!(
            reset_button(&[(0, true), (9_900, false)]),
            [(30, Gesture::ResetBegun), (9_930, Gesture::ResetGivenUp)]
        );
        let stuck = reset_button(&[(0, true)]);
        assert_eq!(stuck.last(), Some(&(15_000, Gesture::ResetGivenUp)));
    }

    #[test]
    fn edges_that_arrive_late_are_judged_by_their_own_time() {
        let mut button = Button::new(Contact::GoLive, 30);
        button.edge(ms(0), true);
        button.edge(ms(2_500), false); // no timer was handled in between
        button.handle_timeout(ms(9_000));
        let reported: Vec<_> = std::iter::from_fn(|| button.poll_gesture()).collect();
        assert_eq!(reported, [Gesture::Down, Gesture::Hold]);

        let mut button = Button::new(Contact::GoLive, 30);
        button.edge(ms(0), true);
        button.edge(ms(200), false);
        button.handle_timeout(ms(9_000));
        let reported: Vec<_> = std::iter::from_fn(|| button.poll_gesture()).collect();
        assert_eq!(reported, [Gesture::Down, Gesture::Press]);
    }

    #[test]
    fn repeated_levels_and_early_timers_are_harmless() {
        let mut button = Button::new(Contact::GoLive, 30);
        button.handle_timeout(ms(1));
        button.edge(ms(10), true);
        button.edge(ms(12), true);
        button.handle_timeout(ms(20));
        assert_eq!(button.poll_gesture(), None);
        button.handle_timeout(ms(40));
        assert_eq!(button.poll_gesture(), Some(Gesture::Down));
        assert_eq!(button.poll_gesture(), None);
    }

    #[test]
    fn a_caller_that_never_polls_costs_no_memory() {
        let mut button = Button::new(Contact::GoLive, 1);
        for n in 0..1_000 {
            button.edge(ms(n * 10), n % 2 == 0);
        }
        assert!(std::iter::from_fn(|| button.poll_gesture()).count() <= 4);
    }
}
