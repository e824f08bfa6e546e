//! What reaches the loop from outside.

use crate::appliance::LinkChange;
use crate::capture::{Capture, CaptureError};
use crate::control;
use crate::device::button::ContactEvent;
use crate::status::{Clock as TimeOfDay, Interface};

/// Something that happened outside.
pub enum Input {
    /// A button's contact closed or opened, or was found so.
    Contact(ContactEvent),
    /// A console's port was opened, for the first time or again.
    ConsoleOpened {
        /// Which of the board's ports, from 0.
        port: usize,
        /// Whoever is there is greeted at once.
        greet: bool,
    },
    /// Bytes typed at a console.
    Typed {
        /// Which of the board's ports, from 0.
        port: usize,
        /// The bytes.
        bytes: Vec<u8>,
    },
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
