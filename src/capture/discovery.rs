//! Which cameras, microphones and encoders this machine has, and which of them a request means.

mod cameras;
mod conversion;
mod device_text;
mod devices;
mod hdmi;
pub mod hotplug;
mod inventory;
mod mode_as_set;
mod modes;
mod opening;
mod plan;
mod presence;
mod uevent;

pub use cameras::offers;
pub use conversion::Conversion;
pub use devices::{
    CameraReport, DeviceReport, ElementReport, EncoderReport, MicrophoneReport, devices,
};
pub use inventory::{SoundCard, VideoNode, nodes_held_open, sound_cards, video_nodes};
pub use mode_as_set::choose_mode_as_set;
pub use modes::{Format, Mode, ModeChoice, Offer, Rate, RejectedMode, choose_mode};
pub use opening::Opening;
pub use plan::{SourceCandidates, SourcePlan, SourceSpec, lacks};
pub use presence::{DevicesToChoose, devices_to_choose};
pub use uevent::Retry;
