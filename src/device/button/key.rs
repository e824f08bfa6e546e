//! The driver of a key of a Linux input device.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::board;
use crate::file;
use crate::panel::Contact;

use super::event::{ContactEvent, Started};

/// Two machine words of time, then type, code and value.
pub const EVENT_BYTES: usize = 2 * size_of::<usize>() + 8;

/// Reports a key (`struct input_event` in linux/input.h) until it cannot be read, and returns why.
///
/// Events are stamped by the wall clock, which may jump, so the time of reading counts. A key that
/// is down when the device is opened is reported by `gpio-keys` at once, as an event.
pub fn watch(
    contact: Contact,
    key: &board::Key,
    started: Started,
    notify: &mut impl FnMut(ContactEvent),
) -> String {
    let failed = |error: std::io::Error| format!("{}: {error}", key.device.display());
    let mut events = match file::open_device(&key.device) {
        Ok(events) => events,
        Err(error) => return failed(error),
    };
    let mut event = [0_u8; EVENT_BYTES];
    // Events that are there before the first one was waited for show what was down at opening.
    let mut before_opening = true;
    loop {
        before_opening &= is_waiting(&events);
        if let Err(error) = events.read_exact(&mut event) {
            return failed(error);
        }
        if let Some(pressed) = key_edge(&event, key.code) {
            match pressed && before_opening {
                true => started.first(contact, pressed).into_iter().for_each(&mut *notify),
                false => notify(ContactEvent {
                    contact,
                    at: started.clock.now(),
                    pressed,
                    at_power_up: false,
                }),
            }
        }
    }
}

/// Whether an event can be read without waiting.
fn is_waiting(events: &File) -> bool {
    let mut look = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
    poll(&mut look, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Whether the event says that this key went down or up; neither when it repeats.
fn key_edge(event: &[u8; EVENT_BYTES], code: u16) -> Option<bool> {
    const EV_KEY: u16 = 1;
    let [kind_0, kind_1, code_0, code_1, value @ ..] = event.last_chunk::<8>()?;
    let is_ours = u16::from_ne_bytes([*kind_0, *kind_1]) == EV_KEY
        && u16::from_ne_bytes([*code_0, *code_1]) == code;
    match i32::from_ne_bytes(*value) {
        0 if is_ours => Some(false),
        1 if is_ours => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_our_key_is_an_edge_and_nothing_else_is() {
        let event = |kind: u16, code: u16, value: i32| {
            let mut bytes = [0xaa; EVENT_BYTES];
            let tail = [kind.to_ne_bytes(), code.to_ne_bytes()].concat();
            bytes[EVENT_BYTES - 8..EVENT_BYTES - 4].copy_from_slice(&tail);
            bytes[EVENT_BYTES - 4..].copy_from_slice(&value.to_ne_bytes());
            bytes
        };
        for (kind, code, value, edge) in [
            (1, 167, 1, Some(true)),
            (1, 167, 0, Some(false)),
            (1, 167, 2, None), // auto-repeat
            (1, 116, 1, None),
            (0, 0, 0, None), // end of a report
            (4, 167, 1, None),
        ] {
            assert_eq!(key_edge(&event(kind, code, value), 167), edge, "{kind} {code} {value}");
        }
    }
}
