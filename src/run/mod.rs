//! The event loop: inputs to the machine, its actions to the world.
//!
//! Shell room. It owns the machine of `control`, does each action in the order given, and waits for
//! the next input or deadline. It decides nothing: why the box does something is answered in `control`
//! and `appliance`, how it is done in `capture`, `publish` and `device`.

mod runner;
mod setup;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::limits::EVENTS_MAX;

pub use crate::control::View;
pub use crate::drivers::{Destination, Input};
pub use setup::{Devices, Memory, Setup};

/// The channel into the loop.
pub fn inputs() -> (mpsc::Sender<Input>, mpsc::Receiver<Input>) {
    mpsc::channel(EVENTS_MAX)
}

/// Runs the box until it is to end; gives the exit code.
pub async fn run(
    clock: Clock,
    setup: Setup,
    devices: Devices,
    inputs: (mpsc::Sender<Input>, mpsc::Receiver<Input>),
    view: watch::Sender<Option<View>>,
) -> u8 {
    runner::Runner::new(clock, setup, devices, inputs.0, view).run(inputs.1).await
}
