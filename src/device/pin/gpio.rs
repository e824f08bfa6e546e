//! The pins of this platform: lines of Linux' GPIO character device.
//!
//! Lines are found by name or by chip label and offset, never by chip number, because numbers move
//! between kernels.
//!
//! `gpiocdev` and not `linux-embedded-hal`: the latter speaks only version 1 of the kernel's
//! interface (`CONFIG_GPIO_CDEV_V1`), which newer kernels may be built without, while the kernels of
//! some boards have nothing but version 1. `gpiocdev` speaks both. It also sets a pull and hands over
//! the kernel's time of each edge, for which `embedded-hal` has no words.

use std::path::PathBuf;
use std::time::Duration;

use embedded_hal::digital::{Error, ErrorKind, ErrorType, InputPin, OutputPin, PinState};
use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Offset, Value};
use gpiocdev::{Chip, Request};
use nix::time::{ClockId, clock_gettime};

use crate::board;
use crate::clock::Clock;

use super::{Edge, EdgePin};

/// The name under which the kernel shows who holds a line.
pub const CONSUMER: &str = "firstmile";

/// Why a GPIO line cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GpioError {
    /// no GPIO chip has the line
    #[error("no GPIO chip has the line {}; `gpioinfo` lists what there is", .0)]
    Missing(String),
    /// a chip that may have the line cannot be opened
    #[error(
        "the GPIO line {line} was not found, and a GPIO chip cannot be opened: {why}; \
         is the user in the group gpio?"
    )]
    Closed {
        /// The line.
        line: String,
        /// What the kernel reported.
        why: String,
    },
    /// the line cannot be taken
    #[error("the GPIO line {line} cannot be taken: {why}; `gpioinfo` shows who uses it")]
    Busy {
        /// The line.
        line: String,
        /// What the kernel reported.
        why: String,
    },
}

fn name_of(line: &board::Line) -> String {
    let place = line.place.as_ref().map(|place| format!("{} {}", place.chip, place.line));
    line.line_name.clone().or(place).unwrap_or_default()
}

/// A line that was found.
struct Found {
    chip: PathBuf,
    offset: Offset,
}

fn find(wanted: &board::Line) -> Result<Found, GpioError> {
    let name = name_of(wanted);
    // A name is looked for on every chip before the place counts: boards of one family have the same
    // names at different places.
    let (mut by_place, mut closed) = (None, None);
    for path in gpiocdev::chip::chips().map_err(|_| GpioError::Missing(name.clone()))? {
        let chip = match Chip::from_path(&path) {
            Ok(chip) => chip,
            Err(error) => {
                closed = Some(error.to_string());
                continue;
            }
        };
        let named = wanted.line_name.as_deref().and_then(|name| chip.find_line_info(name));
        if let Some(named) = named {
            return Ok(Found { chip: path, offset: named.offset });
        }
        let label = chip.info().map(|info| info.label).unwrap_or_default();
        if let Some(place) = wanted.place.as_ref().filter(|place| place.chip == label) {
            by_place = Some(Found { chip: path, offset: place.line });
        }
    }
    by_place.ok_or(match closed {
        Some(why) => GpioError::Closed { line: name, why },
        None => GpioError::Missing(name),
    })
}

/// An output line. Its levels are physical: polarity is the driver's, and the kernel knows of none.
pub struct Output {
    request: Request,
    offset: Offset,
}

/// Where a line was found, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFound {
    /// Label of its chip.
    pub chip: String,
    /// Offset on the chip.
    pub offset: u32,
    /// Who holds it; `None` when it is free.
    pub user: Option<String>,
}

/// Looks for a line and leaves it as it is.
///
/// # Errors
/// [`GpioError`] naming the line.
pub fn look_at_line(wanted: &board::Line) -> Result<LineFound, GpioError> {
    let Found { chip, offset } = find(wanted)?;
    let looked_up = Chip::from_path(chip)
        .and_then(|chip| Ok((chip.info()?.label, chip.line_info(offset)?)))
        .map_err(|error| busy(wanted, &error))?;
    let (chip, line) = looked_up;
    let user = line.used.then(|| match line.consumer.as_str() {
        "" => "the kernel".to_owned(),
        user => user.to_owned(),
    });
    Ok(LineFound { chip, offset, user })
}

fn busy(wanted: &board::Line, error: &gpiocdev::Error) -> GpioError {
    GpioError::Busy { line: name_of(wanted), why: error.to_string() }
}

/// What the kernel reported of a line that was taken.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LineError(#[from] gpiocdev::Error);

impl Error for LineError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl Output {
    /// Takes a line as an output, at the level of a light that is out.
    ///
    /// # Errors
    /// [`GpioError`] naming the line.
    pub fn open(wanted: &board::Line) -> Result<Output, GpioError> {
        let Found { chip, offset } = find(wanted)?;
        let request = Request::builder()
            .on_chip(chip)
            .with_consumer(CONSUMER)
            .with_line(offset)
            .as_output(Value::from(wanted.active_low))
            .request()
            .map_err(|error| busy(wanted, &error))?;
        Ok(Output { request, offset })
    }
}

impl ErrorType for Output {
    type Error = LineError;
}

impl OutputPin for Output {
    fn set_low(&mut self) -> Result<(), LineError> {
        self.request.set_value(self.offset, Value::Inactive)?;
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), LineError> {
        self.request.set_value(self.offset, Value::Active)?;
        Ok(())
    }
}

/// An input line whose edges the kernel queues, each with the time of its interrupt.
pub struct Input {
    request: Request,
    offset: Offset,
    clock: Clock,
}

impl Input {
    /// Takes a line as an input with events on both edges. A kernel that cannot pull the line leaves
    /// it as it is wired.
    ///
    /// # Errors
    /// [`GpioError`] naming the line.
    pub fn open(
        wanted: &board::Line,
        pull: Option<board::Pull>,
        clock: Clock,
    ) -> Result<Input, GpioError> {
        let Found { chip, offset } = find(wanted)?;
        let request = with_pull(pull, |bias| {
            let mut line = Request::builder();
            line.on_chip(chip.clone()).with_consumer(CONSUMER).with_line(offset).as_input();
            line.with_bias(bias).with_edge_detection(EdgeDetection::BothEdges).request()
        });
        let request = request.map_err(|error| busy(wanted, &error))?;
        Ok(Input { request, offset, clock })
    }
}

/// Takes a line with this pull, else without: kernels before 5.5 know none, and some chips have none.
fn with_pull<T, E>(
    pull: Option<board::Pull>,
    mut take: impl FnMut(Option<Bias>) -> Result<T, E>,
) -> Result<T, E> {
    let bias = match pull {
        Some(board::Pull::Up) => Bias::PullUp,
        Some(board::Pull::Down) => Bias::PullDown,
        None => return take(None),
    };
    take(Some(bias)).or_else(|_| take(None))
}

impl ErrorType for Input {
    type Error = LineError;
}

impl InputPin for Input {
    fn is_high(&mut self) -> Result<bool, LineError> {
        Ok(self.request.value(self.offset)? == Value::Active)
    }

    fn is_low(&mut self) -> Result<bool, LineError> {
        self.is_high().map(|is_high| !is_high)
    }
}

impl EdgePin for Input {
    fn wait_for_edge(&mut self) -> Result<Edge, LineError> {
        let event = self.request.read_edge_event()?;
        let level = PinState::from(event.kind == EdgeKind::Rising);
        Ok(Edge { at: process_time(self.clock, event.timestamp_ns), level })
    }
}

/// An edge that is older than this was not stamped by the monotonic clock (kernels before 5.7); the
/// time of reading counts then.
const AGE_MAX: Duration = Duration::from_secs(10);

/// The kernel's time of an edge, in nanoseconds, on the clock of the process.
fn process_time(clock: Clock, kernel_ns: u64) -> Duration {
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

    /// The pulls with which a line is asked for, and whether it is taken in the end.
    fn asked(pull: Option<board::Pull>, takes: &[Option<Bias>]) -> (Vec<Option<Bias>>, bool) {
        let mut asked = Vec::new();
        let taken = with_pull(pull, |bias| {
            asked.push(bias);
            takes.contains(&bias).then_some(()).ok_or(())
        });
        (asked, taken.is_ok())
    }

    #[test]
    fn a_line_is_pulled_as_the_profile_says_and_taken_without_where_the_kernel_cannot() {
        let (up, down) = (Some(Bias::PullUp), Some(Bias::PullDown));
        let every = [up, down, None];
        assert_eq!(asked(Some(board::Pull::Up), &every), (vec![up], true));
        assert_eq!(asked(Some(board::Pull::Down), &every), (vec![down], true));
        assert_eq!(asked(None, &every), (vec![None], true));
        assert_eq!(asked(Some(board::Pull::Up), &[None]), (vec![up, None], true));
        assert_eq!(asked(Some(board::Pull::Down), &[]), (vec![down, None], false));
    }

    #[test]
    fn an_edge_has_the_kernel_s_time_unless_another_clock_stamped_it() {
        let clock = Clock::start();
        let monotonic = || Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
        std::thread::sleep(Duration::from_millis(30));
        let kernel_ns = monotonic().as_nanos() as u64 - 20_000_000;
        let at = process_time(clock, kernel_ns);
        let passed = clock.now() - at;
        assert!(passed >= Duration::from_millis(20), "it happened 20 ms ago, not {passed:?}");
        for foreign_ns in [0, u64::MAX] {
            let (before, at) = (clock.now(), process_time(clock, foreign_ns));
            assert!(at >= before, "{foreign_ns}: the time of reading, not {at:?}");
        }
    }
}
