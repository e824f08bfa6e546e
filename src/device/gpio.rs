//! GPIO lines of the character device: found by name or by chip label and offset, never by chip
//! number, because numbers move between kernels.

use std::io;

use linux_embedded_hal::CdevPin;
use linux_embedded_hal::gpio_cdev::{
    self, EventRequestFlags, EventType, LineEventHandle, LineRequestFlags,
};

use crate::board;

/// The name under which the kernel shows who holds a line.
pub const CONSUMER: &str = "firstmile";

/// `GPIOHANDLE_REQUEST_BIAS_*` of linux/gpio.h, known to kernels from 5.5 on.
const BIAS_PULL_UP: u32 = 1 << 5;
const BIAS_PULL_DOWN: u32 = 1 << 6;

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
        /// What the kernel said.
        why: String,
    },
    /// the line cannot be taken
    #[error("the GPIO line {line} cannot be taken: {why}; `gpioinfo` shows who uses it")]
    Busy {
        /// The line.
        line: String,
        /// What the kernel said.
        why: String,
    },
}

fn name_of(line: &board::Line) -> String {
    let place = line.place.as_ref().map(|place| format!("{} {}", place.chip, place.line));
    line.line_name.clone().or(place).unwrap_or_default()
}

fn find(wanted: &board::Line) -> Result<gpio_cdev::Line, GpioError> {
    let name = name_of(wanted);
    let (mut by_place, mut closed) = (None, None);
    for chip in gpio_cdev::chips().map_err(|_| GpioError::Missing(name.clone()))? {
        let mut chip = match chip {
            Ok(chip) => chip,
            Err(error) => {
                closed = Some(error.to_string());
                continue;
            }
        };
        if let Some(named) = line_called(&chip, wanted.line_name.as_deref()) {
            return Ok(named);
        }
        if let Some(place) = wanted.place.as_ref().filter(|place| place.chip == chip.label()) {
            by_place = chip.get_line(place.line).ok();
        }
    }
    by_place.ok_or(match closed {
        Some(why) => GpioError::Closed { line: name, why },
        None => GpioError::Missing(name),
    })
}

fn line_called(chip: &gpio_cdev::Chip, name: Option<&str>) -> Option<gpio_cdev::Line> {
    let name = name?;
    chip.lines().find(|line| line.info().is_ok_and(|info| info.name() == Some(name)))
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
    let line = find(wanted)?;
    let busy =
        |error: gpio_cdev::Error| GpioError::Busy { line: name_of(wanted), why: error.to_string() };
    let info = line.info().map_err(busy)?;
    let user = info.is_used().then(|| info.consumer().unwrap_or("the kernel").to_owned());
    Ok(LineFound { chip: line.chip().label().to_owned(), offset: line.offset(), user })
}

/// Takes a line as an output at the level of a light that is out. The pin's levels are physical:
/// the kernel is never told of a polarity, and [`CdevPin`] would undo it.
///
/// # Errors
/// [`GpioError`] naming the line.
pub fn output(wanted: &board::Line) -> Result<CdevPin, GpioError> {
    let busy = |why: String| GpioError::Busy { line: name_of(wanted), why };
    let handle = find(wanted)?
        .request(LineRequestFlags::OUTPUT, u8::from(wanted.active_low), CONSUMER)
        .map_err(|error| busy(error.to_string()))?;
    CdevPin::new(handle).map_err(|error| busy(error.to_string()))
}

/// A line whose edges are reported by the kernel, with the kernel's time.
pub struct Edges {
    handle: LineEventHandle,
    active_low: bool,
}

/// An edge: the kernel's monotonic time in nanoseconds, and whether the contact closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The kernel's time.
    pub kernel_ns: u64,
    /// The contact is closed now.
    pub pressed: bool,
}

impl Edges {
    /// Takes a line as an input with events on both edges. A kernel that cannot pull it leaves it
    /// as it is.
    ///
    /// # Errors
    /// [`GpioError`] naming the line.
    pub fn of(wanted: &board::Line, pull: Option<board::Pull>) -> Result<Edges, GpioError> {
        let line = find(wanted)?;
        let take = |bias: u32| {
            let flags = LineRequestFlags::INPUT | LineRequestFlags::from_bits_retain(bias);
            line.events(flags, EventRequestFlags::BOTH_EDGES, CONSUMER)
        };
        let pulled = match pull {
            Some(board::Pull::Up) => take(BIAS_PULL_UP).or_else(|_| take(0)),
            Some(board::Pull::Down) => take(BIAS_PULL_DOWN).or_else(|_| take(0)),
            None => take(0),
        };
        let handle = pulled
            .map_err(|error| GpioError::Busy { line: name_of(wanted), why: error.to_string() })?;
        Ok(Edges { handle, active_low: wanted.active_low })
    }

    /// Whether the contact is closed now.
    ///
    /// # Errors
    /// What the kernel reported.
    pub fn pressed(&self) -> io::Result<bool> {
        let level = self.handle.get_value().map_err(io::Error::other)?;
        Ok((level != 0) != self.active_low)
    }

    /// Waits for the next edge.
    ///
    /// # Errors
    /// What the kernel reported; the line is of no use then.
    pub fn next_edge(&mut self) -> io::Result<Edge> {
        let event = self.handle.get_event().map_err(io::Error::other)?;
        let high = event.event_type() == EventType::RisingEdge;
        Ok(Edge { kernel_ns: event.timestamp(), pressed: high != self.active_low })
    }
}
