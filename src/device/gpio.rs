//! GPIO lines of the character device: found by name or by chip label and offset, never by chip
//! number, because numbers move between kernels.

use std::io;

use linux_embedded_hal::CdevPin;
use linux_embedded_hal::gpio_cdev::{
    self, EventRequestFlags, EventType, LineEventHandle, LineRequestFlags,
};

use crate::board;

/// The name under which the kernel shows who holds a line.
const CONSUMER: &str = "firstmile";

/// Why a GPIO line cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GpioError {
    /// no GPIO chip has the line
    #[error("no GPIO chip has the line {}; `gpioinfo` lists what there is", .0)]
    Missing(String),
    /// the line cannot be taken
    #[error("the GPIO line {line} cannot be taken: {why}")]
    Busy {
        /// The line.
        line: String,
        /// What the kernel said.
        why: String,
    },
}

fn name_of(line: &board::Line) -> String {
    line.line_name.clone().unwrap_or_else(|| format!("{} {}", line.chip, line.line))
}

fn find(wanted: &board::Line) -> Result<gpio_cdev::Line, GpioError> {
    let missing = || GpioError::Missing(name_of(wanted));
    let mut by_offset = None;
    for mut chip in gpio_cdev::chips().map_err(|_| missing())?.flatten() {
        if let Some(name) = &wanted.line_name {
            let named = chip
                .lines()
                .find(|line| line.info().is_ok_and(|info| info.name() == Some(name.as_str())));
            if named.is_some() {
                return named.ok_or_else(missing);
            }
        }
        if chip.label() == wanted.chip {
            by_offset = chip.get_line(wanted.line).ok();
        }
    }
    by_offset.ok_or_else(missing)
}

/// Takes a line as an output at the level of a light that is out. The pin's levels are physical.
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
    /// Takes a line as an input with events on both edges.
    ///
    /// # Errors
    /// [`GpioError`] naming the line.
    pub fn of(wanted: &board::Line) -> Result<Edges, GpioError> {
        let handle = find(wanted)?
            .events(LineRequestFlags::INPUT, EventRequestFlags::BOTH_EDGES, CONSUMER)
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
