//! The words of the product as plain data: what the box does, what is true around it, how its
//! streams fare.
//!
//! Pure room, and the lowest one with a meaning of its own: `appliance` and `control` fill these
//! types in, `device` and `sim` report with them, `console` writes them for people and programs. It
//! holds no behaviour beyond the names of things.

mod answer;
mod black_box;
mod change;
mod end;
mod facts;
mod health;
mod mode;
mod report;
mod stats;
mod wifi;

pub use answer::{
    About, Checked, CheckedServer, Limits, Origin, Phase, SettingLine, SettingValue, StillImage,
};
pub use black_box::{BlackBox, PastEvent, PastSample, PastStats};
pub use change::Change;
pub use end::{DueTo, EndNote};
pub use facts::{Clock, Facts, Interface, Link, Network, NetworkManaged, StickImport};
pub use health::{Health, Space, Temperature, Warning, WarningKind, Wear};
pub use mode::{DestinationState, Mode, Server};
pub use report::{DestinationStatus, LastEnd, Status};
pub use stats::{ChannelStats, DropStats, EncoderStats, LevelStats, SendStats};
pub use wifi::{Wifi, WifiFailure, WifiNetwork, WifiScan, WifiSecurity, WifiSignal, WifiState};
