//! The event loop: inputs to the machine, its actions to the world.
//!
//! Shell room. It owns the machine of `control`, does each action in the order given, and waits for
//! the next input or deadline. It decides nothing: why the box does something is answered in `control`
//! and `appliance`, how it is done in `capture`, `publish` and `device`.

mod capturing;
mod mailbox;
mod outcome;
mod plan;
mod publishing;
mod runner;
mod settings_writer;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::appliance::LinkChange;
use crate::board::Profile;
use crate::capture::{self, Capture, CaptureError};
use crate::clock::Clock;
use crate::config::Partial;
use crate::control;
use crate::device::button::ContactEvent;
use crate::device::control::SocketEvent;
use crate::device::store::Store;
use crate::device::{Folder, Lights, LogRing, Machine, ServiceManager, Sources};
use crate::limits::EVENTS_MAX;
use crate::publish::Target;
use crate::status::{Clock as TimeOfDay, Interface};

pub use crate::control::View;
pub use outcome::end_kind;

/// Something that happened outside.
pub enum Input {
    /// A button's contact closed or opened, or was found so.
    Contact(ContactEvent),
    /// The console's port was opened, for the first time or again.
    ConsoleOpened {
        /// Whoever is there is greeted at once.
        greet: bool,
    },
    /// Bytes typed at the console.
    Typed(Vec<u8>),
    /// The network is so from now on; `None` where nobody watches the interfaces.
    Network(LinkChange, Option<Vec<Interface>>),
    /// The clock is so from now on.
    Clock(TimeOfDay),
    /// The capture of this run was started, or could not be.
    CaptureStarted(u64, Result<Capture, CaptureError>),
    /// What the machine has asked for is done.
    Done(control::Event),
    /// End in an orderly way.
    Terminate,
}

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

/// A destination that no setting names.
#[derive(Clone)]
pub struct Destination {
    /// Its name, for lights, console and log.
    pub name: String,
    /// Where and how.
    pub target: Arc<Target>,
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
