//! What a button asks of a pin beyond `embedded-hal`: edges, each with its time.

pub mod gpio;

use std::time::Duration;

use embedded_hal::digital::{InputPin, PinState};

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// When it happened, on the clock of the process.
    pub at: Duration,
    /// The level after it.
    pub level: PinState,
}

/// An input pin whose edges can be waited for.
///
/// `embedded_hal_async::digital::Wait` does not do: it says nothing of when an edge happened, and
/// on a busy board a debounce that goes by the time of reading takes a press for a bounce.
pub trait EdgePin: InputPin {
    /// Blocks until the next edge. Edges that happen between two calls are queued by the platform
    /// and returned in order.
    ///
    /// # Errors
    /// What the platform reported; the pin has to be opened again.
    fn wait_for_edge(&mut self) -> Result<Edge, Self::Error>;
}
