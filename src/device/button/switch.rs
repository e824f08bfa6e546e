//! The driver of a contact on a pin.

use embedded_hal::digital::PinState;

use crate::device::pin::EdgePin;
use crate::panel::Contact;

use super::event::{ContactEvent, Started};

/// A contact between a pin and ground or supply. Debouncing is left to [`crate::panel::Button`],
/// which goes by the times of the edges.
#[derive(Debug)]
pub struct Switch<P> {
    pin: P,
    active_low: bool,
}

impl<P: EdgePin> Switch<P> {
    /// A contact on `pin`; `active_low` when closing it makes the level low. No other place knows the
    /// polarity of a contact.
    pub fn new(pin: P, active_low: bool) -> Switch<P> {
        Switch { pin, active_low }
    }

    /// Reports the position that the contact is found in, then each change. Returns when the pin
    /// fails, with what it reported.
    pub fn watch(
        &mut self,
        contact: Contact,
        started: Started,
        notify: &mut impl FnMut(ContactEvent),
    ) -> P::Error {
        match self.pin.is_high() {
            Ok(is_high) => {
                let pressed = self.is_closed(PinState::from(is_high));
                started.first(contact, pressed).into_iter().for_each(&mut *notify);
            }
            Err(error) => return error,
        }
        loop {
            match self.pin.wait_for_edge() {
                Ok(edge) => notify(ContactEvent {
                    contact,
                    at: edge.at,
                    pressed: self.is_closed(edge.level),
                    at_power_up: false,
                }),
                Err(error) => return error,
            }
        }
    }

    fn is_closed(&self, level: PinState) -> bool {
        (level == PinState::High) != self.active_low
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use embedded_hal_mock::eh1::digital::State::{High, Low};
    use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};

    use super::super::mock_pin::{MockPin, UNPLUGGED};
    use super::*;
    use crate::clock::Clock;
    use crate::limits::{BUTTON_HOLD, RESET_HOLD};
    use crate::panel::{Button, Gesture};

    const DEBOUNCE_MS: u16 = 20;

    /// How a contact is wired.
    #[derive(Clone, Copy)]
    struct Wiring {
        contact: Contact,
        active_low: bool,
        is_power_up: bool,
    }

    /// To ground, with a pull-up.
    const TO_GROUND: Wiring =
        Wiring { contact: Contact::GoLive, active_low: true, is_power_up: true };
    /// To supply, with a pull-down.
    const TO_SUPPLY: Wiring = Wiring { active_low: false, ..TO_GROUND };

    impl Wiring {
        /// What is reported of a pin that is found at `found`, has `edges` (milliseconds, level),
        /// and is then unplugged. All of it must be asked of the pin.
        fn events(self, found: State, edges: &[(u64, State)]) -> Vec<ContactEvent> {
            let (mut expected, pin) = MockPin::until_unplugged(found, edges);
            let started = Started { clock: Clock::start(), is_power_up: self.is_power_up };
            let mut events = Vec::new();
            let mut notify = |event: ContactEvent| events.push(event);
            let error = Switch::new(pin, self.active_low).watch(self.contact, started, &mut notify);
            assert_eq!(error, UNPLUGGED);
            expected.done();
            assert!(events.iter().all(|event| event.contact == self.contact));
            events
        }

        /// The gestures that come of it, with all timers of the button run up to `until`.
        fn gestures(self, found: State, edges: &[(u64, State)], until: Duration) -> Vec<Gesture> {
            let mut button = Button::new(self.contact, DEBOUNCE_MS);
            for event in self.events(found, edges) {
                match event.at_power_up {
                    true => button.start(Duration::ZERO, event.pressed),
                    false => button.edge(event.at, event.pressed),
                }
            }
            while let Some(at) = button.poll_timeout().filter(|at| *at <= until) {
                button.handle_timeout(at);
            }
            std::iter::from_fn(|| button.poll_gesture()).collect()
        }
    }

    fn positions(events: &[ContactEvent]) -> Vec<(bool, bool)> {
        events.iter().map(|event| (event.pressed, event.at_power_up)).collect()
    }

    const OPEN: bool = false;
    const CLOSED: bool = true;

    #[test]
    fn a_contact_to_ground_is_open_at_high_level_and_closed_at_low() {
        let events = TO_GROUND.events(High, &[(700, Low), (900, High)]);
        assert_eq!(positions(&events), [(OPEN, true), (CLOSED, false), (OPEN, false)]);
        let times_ms: Vec<u128> = events[1..].iter().map(|event| event.at.as_millis()).collect();
        assert_eq!(times_ms, [700, 900], "the edges' own times");
    }

    #[test]
    fn a_contact_to_supply_is_open_at_low_level_and_closed_at_high() {
        let events = TO_SUPPLY.events(Low, &[(700, High), (900, Low)]);
        assert_eq!(positions(&events), [(OPEN, true), (CLOSED, false), (OPEN, false)]);
    }

    #[test]
    fn a_bouncing_contact_is_one_press() {
        let bouncing = [(700, Low), (703, High), (705, Low), (900, High), (902, Low), (904, High)];
        let second = Duration::from_secs(1);
        let gestures = TO_GROUND.gestures(High, &bouncing, second);
        assert_eq!(gestures, [Gesture::Down, Gesture::Press]);
    }

    #[test]
    fn an_edge_that_the_kernel_reports_twice_or_lost_one_before_is_no_press_more_and_none_less() {
        let second = Duration::from_secs(1);
        for (wiring, open, closed) in [(TO_GROUND, High, Low), (TO_SUPPLY, Low, High)] {
            // Each reported twice, as after a queue that ran over; then one whose opening was lost.
            let doubled = [(700, closed), (701, closed), (900, open), (901, open)];
            let lost = [(700, closed), (800, closed), (900, open)];
            for edges in [&doubled[..], &lost[..]] {
                let gestures = wiring.gestures(open, edges, second);
                assert_eq!(gestures, [Gesture::Down, Gesture::Press], "{edges:?}");
            }
        }
    }

    #[test]
    fn a_spike_on_a_pin_is_nothing_and_a_contact_that_stays_closed_is_one_hold_and_stuck() {
        for (wiring, open, closed) in [(TO_GROUND, High, Low), (TO_SUPPLY, Low, High)] {
            let spike_ms = 700 + u64::from(DEBOUNCE_MS) / 2;
            let spike = [(700, closed), (spike_ms, open)];
            assert_eq!(wiring.gestures(open, &spike, Duration::from_secs(5)), []);
            let minute = Duration::from_secs(60);
            let stuck = wiring.gestures(open, &[(700, closed)], minute);
            assert_eq!(stuck, [Gesture::Down, Gesture::Hold, Gesture::Stuck]);
        }
    }

    #[test]
    fn a_contact_held_down_on_a_pin_is_a_hold() {
        let until = Duration::from_millis(700) + BUTTON_HOLD;
        let gestures = TO_GROUND.gestures(High, &[(700, Low)], until);
        assert_eq!(gestures, [Gesture::Down, Gesture::Hold]);
    }

    #[test]
    fn a_contact_found_closed_at_power_up_and_held_is_a_factory_reset() {
        let let_go_ms = RESET_HOLD.as_millis() as u64 + 1_000;
        let until = RESET_HOLD + Duration::from_secs(2);
        for (wiring, closed, open) in [(TO_GROUND, Low, High), (TO_SUPPLY, High, Low)] {
            assert_eq!(positions(&wiring.events(closed, &[])), [(CLOSED, true)]);
            let gestures = wiring.gestures(closed, &[(let_go_ms, open)], until);
            assert_eq!(gestures, [Gesture::ResetBegun, Gesture::ResetArmed, Gesture::Reset]);
        }
    }

    #[test]
    fn a_contact_found_closed_at_a_restart_of_the_program_means_nothing_until_it_is_opened() {
        let restarted = Wiring { is_power_up: false, ..TO_GROUND };
        let events = restarted.events(Low, &[(9_000, High)]);
        assert_eq!(positions(&events), [(OPEN, false)]);
        let until = Duration::from_secs(60);
        assert_eq!(restarted.gestures(Low, &[(9_000, High)], until), []);
    }

    #[test]
    fn the_reset_contact_leads_to_a_factory_reset_whenever_it_is_held() {
        let reset = Wiring { contact: Contact::Reset, ..TO_GROUND };
        let down_ms = 60_000;
        let held_ms = RESET_HOLD.as_millis() as u64 + 1_000;
        let until = Duration::from_millis(down_ms + held_ms + 1_000);
        let edges = [(down_ms, Low), (down_ms + held_ms, High)];
        let gestures = reset.gestures(High, &edges, until);
        assert_eq!(gestures, [Gesture::ResetBegun, Gesture::ResetArmed, Gesture::Reset]);
    }

    #[test]
    fn a_pin_that_cannot_be_read_reports_no_position_at_all() {
        let mut pin = Mock::new(&[Transaction::get(Low).with_error(UNPLUGGED)]);
        let started = Started { clock: Clock::start(), is_power_up: true };
        let mut notify = |event: ContactEvent| panic!("{event:?} of a pin that was not read");
        let error = Switch::new(MockPin::without_edges(&pin), true).watch(
            Contact::GoLive,
            started,
            &mut notify,
        );
        assert_eq!(error, UNPLUGGED);
        pin.done();
    }
}
