//! The event loop: inputs to the machine, its actions to the world.
//!
//! Shell room. It owns the machine of `control`, does each action in the order given, and waits for
//! the next input or deadline. It decides nothing: why the box does something is answered in `control`
//! and `appliance`, how it is done in `capture`, `publish` and `device`.

mod runner;

use tokio::sync::{mpsc, watch};

use crate::board::Profile;
use crate::capture;
use crate::clock::Clock;
use crate::config::Partial;
use crate::device::control::SocketEvent;
use crate::device::store::Store;
use crate::device::{Folder, Lights, LogRing, Machine, ServiceManager, Sources};
use crate::limits::EVENTS_MAX;

pub use crate::control::View;
pub use crate::drivers::{Destination, Input, end_kind};

/// What the box is, before it runs.
pub struct Setup {
    /// The board.
    pub profile: Profile,
    /// What to capture and how to encode it.
    pub request: capture::Request,
    /// Where to publish, besides what the settings say.
    pub destinations: Vec<Destination>,
    /// The settings.
    pub memory: Memory,
    /// What the machine says it is.
    pub machine: Machine,
}

/// What the box remembers.
#[derive(Default)]
pub struct Memory {
    /// The fixed sources of settings.
    pub sources: Sources,
    /// What is stored.
    pub stored: Partial,
    /// All sources and the store were read: what they do not set, nobody has set.
    pub is_whole: bool,
    /// The box was live when the power went.
    pub was_live: bool,
    /// Where changes are stored; `None` where nothing can be stored.
    pub store: Option<Store<Folder>>,
}

/// What the loop touches directly.
pub struct Devices {
    /// The lights.
    pub lights: Lights,
    /// What the console shows goes here.
    pub console: Box<dyn FnMut(Vec<u8>) + Send>,
    /// The service manager.
    pub manager: ServiceManager,
    /// The control socket.
    pub control: Option<mpsc::Receiver<SocketEvent>>,
    /// The last lines of the log.
    pub log: LogRing,
}

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
