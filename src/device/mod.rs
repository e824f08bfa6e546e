//! Linux devices: lights, button, display, console port, service manager.
//!
//! Shell room. It turns edges and bytes into calls and levels into voltages; what they mean is
//! decided in `panel`, `console` and `appliance`.
//!
//! The drivers of lights, buttons and displays ([`Led`], [`button::Switch`], [`Display`]) stand on the
//! traits of `embedded-hal` and one of our own for edges ([`EdgePin`]), and are tested against mocked pins
//! and buses. `pin::gpio` and `linux-embedded-hal` are what carries them on Linux.

pub mod button;
pub mod control;
mod display;
mod folder;
mod health;
mod lights;
mod log;
mod machine;
pub mod network;
mod pin;
mod port;
pub mod restarts;
mod service;
mod sources;
pub mod stick;
pub mod store;
pub mod terminal;

pub use display::{BusError, Display, look as look_at_display};
pub use folder::Folder;
pub use health::HealthReader;
pub use lights::{Led, Lights, LightsError};
pub use log::{LogRing, LogSink, LogTarget};
pub use machine::Machine;
pub use pin::gpio::{CONSUMER, GpioError, LineFound, look_at_line};
pub use pin::{Edge, EdgePin};
pub use port::{Port, PortError, PortEvent, try_port};
pub use restarts::Restarts;
pub use service::{ServiceManager, reboot};
pub use sources::Sources;
