//! Which camera, which of its modes and which microphone is meant, as board profiles and settings write
//! it.
//!
//! Pure room. It promises that a device is named by what stays the same after replugging and restarts,
//! never by a number that the kernel assigns, and that what an owner writes names a device and nothing
//! else: no file beyond `/dev`, and no plug-in of ALSA that runs something.

mod camera;
mod exchanged;
mod microphone;
mod mode;

pub use camera::CameraDevice;
pub use exchanged::Exchanged;
pub use microphone::MicrophoneDevice;
pub use mode::{CameraMode, ModeFormat, VideoFormat};

/// Whether a text is a USB port as sysfs names it: the bus, then the ports from hub to hub.
fn is_port(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(bus, ports)| number(bus) && ports.split('.').all(number))
}

/// Whether it is a part of a device's name that somebody can type.
fn is_name(text: &str) -> bool {
    (1..=crate::limits::SOURCE_NAME_BYTES_MAX).contains(&text.len())
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

/// Whether a text is a number and nothing else.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
