//! The go-live button: edges with the kernel's time, judged elsewhere.

use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::board;
use crate::clock::Clock;

use super::gpio::{Edges, GpioError};

/// An edge that is older than this was not stamped by the monotonic clock (kernels before 5.7).
const AGE_MAX: Duration = Duration::from_secs(10);

/// Watches the button's line on a thread of its own and hands over each edge: when, and whether the
/// contact is closed. The first call tells a button that is held from the start.
///
/// # Errors
/// [`GpioError`] naming the line.
pub fn watch(
    line: &board::Line,
    clock: Clock,
    mut edge: impl FnMut(Duration, bool) + Send + 'static,
) -> Result<(), GpioError> {
    let mut edges = Edges::of(line)?;
    let started = thread::Builder::new().name("gpio-in".to_owned()).spawn(move || {
        if edges.pressed().unwrap_or(false) {
            edge(clock.now(), true);
        }
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
    started.map(|_| ()).map_err(|error| GpioError::Busy {
        line: line.line_name.clone().unwrap_or_default(),
        why: error.to_string(),
    })
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
