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
///
/// `is_power_up` says that the program was started with the machine. One that was started anew does
/// not know what a button means that is down by then: nothing, until it is let go.
pub fn watch(
    profile: &board::Button,
    clock: Clock,
    is_power_up: bool,
    seen: impl FnMut(Seen) + Clone + Send + 'static,
) {
    let begun = Begun { clock, is_power_up };
    match profile {
        board::Button::Cdev { line, pull, reset, .. } => {
            let pull = *pull;
            for (contact, line) in [(Contact::GoLive, Some(line)), (Contact::Reset, reset.as_ref())]
            {
                let Some(line) = line.cloned() else { continue };
                let mut seen = seen.clone();
                keep_trying(contact, move || watch_line(contact, &line, pull, begun, &mut seen));
            }
        }
        board::Button::Input { key, reset } => {
            for (contact, key) in [(Contact::GoLive, Some(key)), (Contact::Reset, reset.as_ref())] {
                let Some(key) = key.cloned() else { continue };
                let mut seen = seen.clone();
                keep_trying(contact, move || watch_key(contact, &key, begun, &mut seen));
            }
        }
        board::Button::Keys | board::Button::None => {}
    }
}

/// When the program was started.
#[derive(Clone, Copy)]
struct Begun {
    clock: Clock,
    is_power_up: bool,
}

impl Begun {
    /// A contact as it is when it is looked at for the first time.
    fn first(self, contact: Contact, pressed: bool) -> Option<Seen> {
        let at = self.clock.now();
        let at_start = at < POWER_UP;
        let is_unknown = pressed && at_start && !self.is_power_up;
        (!is_unknown).then_some(Seen { contact, at, pressed, found: at_start && self.is_power_up })
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
    begun: Begun,
    seen: &mut impl FnMut(Seen),
) -> String {
    let mut edges = match Edges::of(line, pull) {
        Ok(edges) => edges,
        Err(error) => return error.to_string(),
    };
    match edges.pressed() {
        Ok(pressed) => begun.first(contact, pressed).into_iter().for_each(&mut *seen),
        Err(error) => return error.to_string(),
    }
    loop {
        match edges.next_edge() {
            Ok(edge) => {
                let at = at(begun.clock, edge.kernel_ns);
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
    begun: Begun,
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
            match pressed && before_opening {
                true => begun.first(contact, pressed).into_iter().for_each(&mut *seen),
                false => seen(Seen { contact, at: begun.clock.now(), pressed, found: false }),
            }
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
    use std::fs::OpenOptions;
    use std::io::Write;
    use std::sync::mpsc::channel;

    use super::*;

    /// What is seen of a key that is down when the program starts, and let go.
    fn held_at_start(is_power_up: bool) -> Vec<(bool, bool)> {
        let device = std::env::temp_dir().join(format!("firstmile-key-{}", fastrand::u64(..)));
        nix::unistd::mkfifo(&device, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut keys = OpenOptions::new().read(true).write(true).open(&device).unwrap();
        let event = |value: i32| {
            let mut bytes = [0; EVENT_BYTES];
            let tail = [1_u16.to_ne_bytes(), 167_u16.to_ne_bytes()].concat();
            bytes[EVENT_BYTES - 8..EVENT_BYTES - 4].copy_from_slice(&tail);
            bytes[EVENT_BYTES - 4..].copy_from_slice(&value.to_ne_bytes());
            bytes
        };
        keys.write_all(&event(1)).unwrap();
        let key = board::Key { device: device.clone(), code: 167 };
        let profile = board::Button::Input { key, reset: None };
        let (to, seen) = channel();
        watch(&profile, Clock::start(), is_power_up, move |s: Seen| {
            let _ = to.send((s.pressed, s.found));
        });
        keys.write_all(&event(0)).unwrap();
        let mut all = Vec::new();
        while all.last() != Some(&(false, false)) {
            all.push(seen.recv_timeout(Duration::from_secs(60)).expect("it is let go"));
        }
        std::fs::remove_file(&device).unwrap();
        all
    }

    #[test]
    fn a_button_held_at_power_up_is_told_as_found_so() {
        assert_eq!(held_at_start(true), [(true, true), (false, false)]);
    }

    #[test]
    fn a_button_held_while_the_program_is_started_anew_means_nothing_until_it_is_let_go() {
        assert_eq!(held_at_start(false), [(false, false)]);
    }

    #[test]
    fn what_a_contact_means_that_is_looked_at_first_depends_on_the_power_up() {
        let begun = |is_power_up| Begun { clock: Clock::start(), is_power_up };
        let found = |is_power_up, pressed| {
            let seen = begun(is_power_up).first(Contact::GoLive, pressed);
            seen.map(|seen| (seen.pressed, seen.found))
        };
        assert_eq!(found(true, true), Some((true, true)));
        assert_eq!(found(true, false), Some((false, true)));
        assert_eq!(found(false, true), None);
        assert_eq!(found(false, false), Some((false, false)));
    }

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
