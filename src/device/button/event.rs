//! What a watched contact reports.

use std::time::Duration;

use crate::clock::Clock;
use crate::limits::POWER_UP;
use crate::panel::Contact;

/// A contact was found in a position, or changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactEvent {
    /// Which contact.
    pub contact: Contact,
    /// When, on the clock of the process.
    pub at: Duration,
    /// Whether it is closed.
    pub pressed: bool,
    /// It has been so since the box was switched on.
    pub at_power_up: bool,
}

/// When and how the program was started.
#[derive(Debug, Clone, Copy)]
pub struct Started {
    /// The clock of the process; its zero is the start.
    pub clock: Clock,
    /// The program was started with the machine, not restarted on a running one.
    pub is_power_up: bool,
}

impl Started {
    /// The event for a contact that is read for the first time. `None` for one that is closed when
    /// the program was restarted: nobody knows when it was pressed, and a press must not be made up.
    pub fn first(self, contact: Contact, pressed: bool) -> Option<ContactEvent> {
        let at = self.clock.now();
        let at_start = at < POWER_UP;
        let is_unknown = pressed && at_start && !self.is_power_up;
        let at_power_up = at_start && self.is_power_up;
        (!is_unknown).then_some(ContactEvent { contact, at, pressed, at_power_up })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_contact_means_that_is_looked_at_first_depends_on_the_power_up() {
        let found = |is_power_up, pressed| {
            let started = Started { clock: Clock::start(), is_power_up };
            let event = started.first(Contact::GoLive, pressed);
            event.map(|event| (event.pressed, event.at_power_up))
        };
        assert_eq!(found(true, true), Some((true, true)));
        assert_eq!(found(true, false), Some((false, true)));
        assert_eq!(found(false, true), None);
        assert_eq!(found(false, false), Some((false, false)));
    }
}
