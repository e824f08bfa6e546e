//! The threads and tasks that carry out what the loop hands on: capture, publishing and the store.
//!
//! Shell room. Each driver takes an action of `control` in the order given, does it elsewhere than on
//! the loop's thread where it may take long, and sends what came of it as an [`Input`]. None decides:
//! `plan` says what settings mean for a driver, `outcome` says in the words of `control` what it
//! reports.

mod capturing;
mod device_controls;
mod input;
mod mailbox;
mod outcome;
mod plan;
mod publishing;
mod settings_writer;

pub(crate) use capturing::Capturing;
pub use input::Input;
pub(crate) use outcome::{capture_event, publish_event};
pub use publishing::Destination;
pub(crate) use publishing::Publishing;
pub(crate) use settings_writer::SettingsWriter;
