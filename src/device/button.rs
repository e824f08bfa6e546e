//! The go-live button: edges with the kernel's time, judged elsewhere.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::board;
use crate::clock::Clock;

use super::gpio::{Edges, GpioError};

/// An edge that is older than this was not stamped by the monotonic clock (kernels before 5.7).
const AGE_MAX: Duration = Duration::from_secs(10);

/// Watches the button's line on a thread of its own and hands over each edge: when, and whether the
/// contact is closed. Gives whether it is closed now.
///
/// # Errors
/// [`GpioError`] naming the line.
pub fn watch(
    line: &board::Line,
    clock: Clock,
    mut edge: impl FnMut(Duration, bool) + Send + 'static,
) -> Result<bool, GpioError> {
    let mut edges = Edges::of(line)?;
    let pressed = edges.pressed().unwrap_or(false);
    let started = thread::Builder::new().name("gpio-in".to_owned()).spawn(move || {
        loop {
            match edges.next_edge() {
                Ok(next) => edge(at(clock, next.kernel_ns), next.pressed),
                Err(error) => {
                    tracing::error!(%error, "the button cannot be read any more");
                    return;
                }
            }
        }
    });
    started.map(|_| pressed).map_err(|error| GpioError::Busy {
        line: line.line_name.clone().unwrap_or_default(),
        why: error.to_string(),
    })
}

/// Watches a key of an input device (`struct input_event` in linux/input.h) in the same way. Its
/// events are stamped by the wall clock, which may jump; what counts is when they are read.
///
/// # Errors
/// When the device cannot be opened.
pub fn watch_key(
    device: &Path,
    code: u16,
    clock: Clock,
    mut edge: impl FnMut(Duration, bool) + Send + 'static,
) -> io::Result<()> {
    let mut events = File::open(device)?;
    let watch = move || {
        let mut event = [0_u8; EVENT_BYTES];
        loop {
            if let Err(error) = events.read_exact(&mut event) {
                tracing::error!(%error, "the button cannot be read any more");
                return;
            }
            if let Some(pressed) = key_edge(&event, code) {
                edge(clock.now(), pressed);
            }
        }
    };
    thread::Builder::new().name("key-in".to_owned()).spawn(watch).map(|_| ())
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
