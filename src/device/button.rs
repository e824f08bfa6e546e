//! The buttons: edges with the kernel's time, judged elsewhere.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};

use crate::board;
use crate::clock::Clock;
use crate::limits::{DEVICE_REOPEN_INTERVAL, POWER_UP};
use crate::panel::Contact;

use super::gpio::Edges;

/// An edge that is older than this was not stamped by the monotonic clock (kernels before 5.7).
const AGE_MAX: Duration = Duration::from_secs(10);

/// What a contact is seen to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whose contact it is.
    pub contact: Contact,
    /// When.
    pub at: Duration,
    /// It is closed now.
    pub pressed: bool,
    /// It was so already when the box was switched on.
    pub found: bool,
}

/// Watches the buttons that `profile` names, each on a thread of its own, and hands over what is
/// seen. A button that cannot be read is told in the log and tried again for ever: the box is of use
/// without it.
pub fn watch(
    profile: &board::Button,
    clock: Clock,
    seen: impl FnMut(Seen) + Clone + Send + 'static,
) {
    match profile {
        board::Button::Cdev { line, pull, reset, .. } => {
            let pull = *pull;
            for (contact, line) in [(Contact::GoLive, Some(line)), (Contact::Reset, reset.as_ref())]
            {
                let Some(line) = line.cloned() else { continue };
                let mut seen = seen.clone();
                keep_trying(contact, move || watch_line(contact, &line, pull, clock, &mut seen));
            }
        }
        board::Button::Input { key, reset } => {
            for (contact, key) in [(Contact::GoLive, Some(key)), (Contact::Reset, reset.as_ref())] {
                let Some(key) = key.cloned() else { continue };
                let mut seen = seen.clone();
                keep_trying(contact, move || watch_key(contact, &key, clock, &mut seen));
            }
        }
        board::Button::Keys | board::Button::None => {}
    }
}

/// Calls `attempt`, which returns when the button cannot be read, again and again.
fn keep_trying(contact: Contact, mut attempt: impl FnMut() -> String + Send + 'static) {
    let name = match contact {
        Contact::GoLive => "button",
        Contact::Reset => "reset-button",
    };
    let watch = move || {
        let mut told = String::new();
        loop {
            let why = attempt();
            if why != told {
                tracing::error!("the {name} cannot be read: {why}; it is tried again");
                told = why;
            }
            thread::sleep(DEVICE_REOPEN_INTERVAL);
        }
    };
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(watch) {
        tracing::error!(%error, "no thread for the {name}");
    }
}

/// Reports edges of a line until it cannot be read; says why.
fn watch_line(
    contact: Contact,
    line: &board::Line,
    pull: Option<board::Pull>,
    clock: Clock,
    seen: &mut impl FnMut(Seen),
) -> String {
    let mut edges = match Edges::of(line, pull) {
        Ok(edges) => edges,
        Err(error) => return error.to_string(),
    };
    match edges.pressed() {
        Ok(pressed) => {
            let at = clock.now();
            seen(Seen { contact, at, pressed, found: at < POWER_UP });
        }
        Err(error) => return error.to_string(),
    }
    loop {
        match edges.next_edge() {
            Ok(edge) => {
                let at = at(clock, edge.kernel_ns);
                seen(Seen { contact, at, pressed: edge.pressed, found: false });
            }
            Err(error) => return error.to_string(),
        }
    }
}

/// Reports a key of an input device (`struct input_event` in linux/input.h) until it cannot be read;
/// says why. Its events are stamped by the wall clock, which may jump; what counts is when they are
/// read. A key that is down when the device is opened is reported by
/// `gpio-keys` then and there.
fn watch_key(
    contact: Contact,
    key: &board::Key,
    clock: Clock,
    seen: &mut impl FnMut(Seen),
) -> String {
    let told = |error: std::io::Error| format!("{}: {error}", key.device.display());
    let mut events = match File::open(&key.device) {
        Ok(events) => events,
        Err(error) => return told(error),
    };
    let mut event = [0_u8; EVENT_BYTES];
    let mut before_opening = true;
    loop {
        before_opening &= waits(&events);
        if let Err(error) = events.read_exact(&mut event) {
            return told(error);
        }
        if let Some(pressed) = key_edge(&event, key.code) {
            let at = clock.now();
            let found = pressed && before_opening && at < POWER_UP;
            seen(Seen { contact, at, pressed, found });
        }
    }
}

/// Whether an event waits to be read.
fn waits(events: &File) -> bool {
    let mut look = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
    poll(&mut look, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// Two machine words of time, then type, code and value.
const EVENT_BYTES: usize = 2 * size_of::<usize>() + 8;

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

fn at(clock: Clock, kernel_ns: u64) -> Duration {
    let age = clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map(Duration::from)
        .ok()
        .and_then(|now| now.checked_sub(Duration::from_nanos(kernel_ns)))
        .filter(|age| *age < AGE_MAX)
        .unwrap_or_default();
    clock.now().saturating_sub(age)
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
