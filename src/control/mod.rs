//! Everything that the box decides besides its modes: settings, destinations, services, consoles.
//!
//! Pure room. It owns the appliance, the terminal at the box's port, buttons and lights, and is the one
//! machine that the event loop drives. It promises that the requests of one client are carried out
//! and answered in their order, one at a time, whatever the store takes, while other clients go on;
//! that success is reported when the store has confirmed it and the setting is in force, and otherwise why
//! it is not; that whether the box is to be live is written as soon as the store can; and that what
//! waits is bounded. It knows nothing of threads, sockets, files or GStreamer.
//!
//! Drive it so: [`Control::handle`] for each event, [`Control::handle_timeout`] at
//! [`Control::poll_timeout`]; after each, and after [`Control::new`], do what
//! [`Control::poll_action`] gives until `None`.

mod action;
mod black_box;
mod capture;
mod capture_slot;
mod clients;
mod confirm;
mod destinations;
mod device_controls;
mod event;
mod exchange;
mod machine;
mod network;
mod progress;
mod settings;
mod standby;
mod stats;
mod store;

pub use action::{Action, Job, Level, Still};
pub use device_controls::{ControlOrder, ControlReset, ControlSet};
pub use event::{
    BoardMedia, CaptureEvent, Connected, Event, JobResult, Missing, PublishFailure, PublishReport,
    Setup, SourceFound, SourceLook,
};
pub use machine::{Control, View};
pub use settings::Layers;
pub use stats::{CaptureCounters, ConnectionCounters, Counters};
pub use store::{Change, Only, StoreFailure, StoreOutcome, StoreRequest};
