//! What the loop is given when it starts.

use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use crate::board::Profile;
use crate::capture;
use crate::config::Partial;
use crate::device::control::SocketEvent;
use crate::device::store::Store;
use crate::device::{
    Display, Folder, HealthReader, Lights, LogRing, Machine, ServiceManager, Sources,
};
use crate::drivers::Destination;

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
    /// Why what is stored cannot be read.
    pub store_fault: Option<String>,
    /// All sources and the store were read: what they do not set, nobody has set.
    pub is_whole: bool,
    /// The box was live when the power went.
    pub was_live: bool,
    /// The program before this one did not end in an orderly way, a moment ago.
    pub has_failed: bool,
    /// How many wrong PINs were typed in a row.
    pub wrong_pins: u32,
    /// Where changes are stored; `None` where nothing can be stored.
    pub store: Option<Store<Folder>>,
}

/// What the loop touches directly.
pub struct Devices {
    /// The lights.
    pub lights: Lights,
    /// The display, where the board has one.
    pub display: Option<Display>,
    /// What the console at each port shows goes here.
    pub consoles: Vec<Box<dyn FnMut(Vec<u8>) + Send>>,
    /// The service manager.
    pub manager: ServiceManager,
    /// The control socket.
    pub control: Option<mpsc::Receiver<SocketEvent>>,
    /// What the machine shows of itself, where it shows anything.
    pub health: Option<Arc<Mutex<HealthReader>>>,
    /// The last lines of the log.
    pub log: LogRing,
}
