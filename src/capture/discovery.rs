//! Which cameras, microphones and encoders this machine has, and which of them a request means.

mod cameras;
mod conversion;
mod device_text;
mod devices;
mod drivers;
mod hdmi;
pub mod hotplug;
mod inventory;
mod mode_as_set;
mod modes;
mod offers;
mod opening;
mod plan;
mod presence;
mod uevent;

pub use conversion::Conversion;
pub use devices::{
    CameraReport, DeviceReport, ElementReport, EncoderReport, MicrophoneReport, devices,
};
pub use drivers::{Drivers, HANGS};
pub use inventory::{SoundCard, VideoNode, nodes_held_open, sound_cards, video_nodes};
pub use mode_as_set::choose_mode_as_set;
pub use modes::{Format, Mode, ModeChoice, Offer, Rate, RejectedMode, choose_mode};
pub use offers::offers;
pub use opening::Opening;
pub use plan::{SourceCandidates, SourcePlan, SourceSpec, lacks};
pub use presence::{DevicesToChoose, devices_to_choose};
pub use uevent::Retry;

/// What tests of other rooms of the capture need.
#[cfg(test)]
pub mod tests {
    pub use super::{drivers::tests::Fake, inventory::tests::Tree};
}
