//! The event loop: inputs to the appliance, its actions to the world.
//!
//! Shell room. It owns the appliance, performs each action in the order given, and waits for the
//! next input or deadline. It decides nothing: why the box does something is answered in
//! `appliance`, how it is done in `capture`, `publish` and `device`.

mod black_box;
mod keeper;
mod news;
mod outcome;
mod plan;
mod runner;
mod slot;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::appliance::LinkChange;
use crate::board::Profile;
use crate::capture::{self, Capture, CaptureError};
use crate::clock::Clock;
use crate::config::{self, Partial};
use crate::console::{ClientId, Reply};
use crate::device::button::ContactEvent;
use crate::device::control::Heard;
use crate::device::store::Store;
use crate::device::{Folder, Lights, LogRing, Machine, ServiceManager, Sources};
use crate::limits::EVENTS_MAX;
use crate::panel::Levels;
use crate::publish::Target;
use crate::status::{self, EndNote, Interface, Status};

/// Something that happened outside.
pub enum Input {
    /// A button's contact closed or opened, or was found so.
    Contact(ContactEvent),
    /// The console's port was opened, or opened anew.
    ConsoleOpened {
        /// Whoever is there is greeted at once.
        greet: bool,
    },
    /// Bytes typed at the console.
    Typed(Vec<u8>),
    /// Whether the PIN that was typed is the right one.
    PinJudged(bool),
    /// The network is so now; `None` when the interfaces are not known.
    Network(LinkChange, Option<Vec<Interface>>),
    /// The clock is so now.
    Clock(status::Clock),
    /// The keeper of the settings has carried out an order.
    Kept(Kept),
    /// Why it is not written whether the box is to be live; `None` when it is written after all.
    Unlatched(Option<String>),
    /// What somebody asked for, and took a while.
    Answered(ClientId, Reply),
    /// What has become of the settings of the network.
    NetworkManaged(String),
    /// The capture of this run was started, or could not be.
    CaptureStarted(u64, Result<Capture, CaptureError>),
    /// The capture of this run holds no device any more.
    CaptureStopped(u64),
    /// End in an orderly way.
    Terminate,
}

/// What the box is, before it runs.
pub struct Setup {
    /// The board.
    pub profile: Profile,
    /// What to capture and how to encode it.
    pub request: capture::Request,
    /// Where to publish, beside what the settings say.
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
    /// Where changes are stored; `None` where nothing can be kept.
    pub store: Option<Store<Folder>>,
}

/// A destination as the settings name it.
#[derive(Clone)]
pub struct Destination {
    /// Its name, for lights, console and log.
    pub name: String,
    /// Where and how; `None` while it has no key.
    pub target: Option<Arc<Target>>,
    /// The server to use while that one fails.
    pub backup: Option<Arc<Target>>,
    /// The settings that it was made of; `None` when it does not come from settings.
    pub made_of: Option<config::Destination>,
}

/// The box's hands: what the loop touches directly.
pub struct Hands {
    /// The lights.
    pub lights: Lights,
    /// What the console says goes here.
    pub console: Box<dyn FnMut(Vec<u8>) + Send>,
    /// The service manager.
    pub manager: ServiceManager,
    /// The control socket.
    pub control: Option<mpsc::Receiver<Heard>>,
    /// The last lines of the log.
    pub log: LogRing,
}

/// What anybody may watch while the box runs.
#[derive(Debug, Clone)]
pub struct View {
    /// State and numbers.
    pub status: Status,
    /// The lights' present levels.
    pub levels: Levels,
    /// The camera or microphone that is not there, in words.
    pub missing: Option<String>,
    /// Why the last attempt of a destination ended, with the failure's kind for an exit code.
    pub last_end: Option<EndNote>,
}

pub use keeper::Kept;
pub use outcome::end_kind;

/// The channel into the loop.
pub fn inputs() -> (mpsc::Sender<Input>, mpsc::Receiver<Input>) {
    mpsc::channel(EVENTS_MAX)
}

/// Runs the box until it is told to end; gives the exit code.
pub async fn run(
    clock: Clock,
    setup: Setup,
    hands: Hands,
    inputs: (mpsc::Sender<Input>, mpsc::Receiver<Input>),
    view: watch::Sender<Option<View>>,
) -> u8 {
    runner::Runner::new(clock, setup, hands, inputs.0, view).run(inputs.1).await
}
