//! GPIO lines of the character device: found by name or by chip label and offset, never by chip
//! number, because numbers move between kernels.

use std::io;
use std::path::PathBuf;

use embedded_hal::digital::{Error, ErrorKind, ErrorType, OutputPin};
use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Offset, Value};
use gpiocdev::{Chip, Request};

use crate::board;

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

/// A line that was found.
struct Found {
    chip: PathBuf,
    offset: Offset,
}

fn find(wanted: &board::Line) -> Result<Found, GpioError> {
    let name = name_of(wanted);
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

/// An output line. Its levels are physical: the kernel is never told of a polarity.
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
    let told = Chip::from_path(chip)
        .and_then(|chip| Ok((chip.info()?.label, chip.line_info(offset)?)))
        .map_err(|error| busy(wanted, &error))?;
    let (chip, line) = told;
    let user = line.used.then(|| match line.consumer.as_str() {
        "" => "the kernel".to_owned(),
        user => user.to_owned(),
    });
    Ok(LineFound { chip, offset, user })
}

/// Takes a line as an output at the level of a light that is out.
///
/// # Errors
/// [`GpioError`] naming the line.
pub fn output(wanted: &board::Line) -> Result<Output, GpioError> {
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

fn busy(wanted: &board::Line, error: &gpiocdev::Error) -> GpioError {
    GpioError::Busy { line: name_of(wanted), why: error.to_string() }
}

/// What the kernel said of a level that was not set.
#[derive(Debug)]
pub struct LevelError(#[expect(dead_code, reason = "for the log")] gpiocdev::Error);

impl Error for LevelError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for Output {
    type Error = LevelError;
}

impl OutputPin for Output {
    fn set_low(&mut self) -> Result<(), LevelError> {
        self.request.set_value(self.offset, Value::Inactive).map(|_| ()).map_err(LevelError)
    }

    fn set_high(&mut self) -> Result<(), LevelError> {
        self.request.set_value(self.offset, Value::Active).map(|_| ()).map_err(LevelError)
    }
}

/// A line whose edges are reported by the kernel, with the kernel's time.
pub struct Edges {
    request: Request,
    offset: Offset,
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
        let Found { chip, offset } = find(wanted)?;
        let take = |bias: Option<Bias>| {
            let mut line = Request::builder();
            line.on_chip(chip.clone()).with_consumer(CONSUMER).with_line(offset).as_input();
            line.with_bias(bias).with_edge_detection(EdgeDetection::BothEdges).request()
        };
        let pulled = match pull {
            Some(board::Pull::Up) => take(Some(Bias::PullUp)).or_else(|_| take(None)),
            Some(board::Pull::Down) => take(Some(Bias::PullDown)).or_else(|_| take(None)),
            None => take(None),
        };
        let request = pulled.map_err(|error| busy(wanted, &error))?;
        Ok(Edges { request, offset, active_low: wanted.active_low })
    }

    /// Whether the contact is closed now.
    ///
    /// # Errors
    /// What the kernel reported.
    pub fn pressed(&self) -> io::Result<bool> {
        let level = self.request.value(self.offset).map_err(io::Error::other)?;
        Ok((level == Value::Active) != self.active_low)
    }

    /// Waits for the next edge.
    ///
    /// # Errors
    /// What the kernel reported; the line is of no use then.
    pub fn next_edge(&mut self) -> io::Result<Edge> {
        let event = self.request.read_edge_event().map_err(io::Error::other)?;
        let high = event.kind == EdgeKind::Rising;
        Ok(Edge { kernel_ns: event.timestamp_ns, pressed: high != self.active_low })
    }
}
