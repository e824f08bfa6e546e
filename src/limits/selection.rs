//! Cameras and microphones that settings choose, and their exchange.

use std::time::Duration;

/// Longest name of a device in a setting: a link of udev, whose own part is at most a file's name.
pub const SOURCE_NAME_BYTES_MAX: usize = 280;
/// Least and greatest width and height of a camera's mode in a setting, in pixels: a thumbnail, and 8K.
pub const CAMERA_MODE_SIDE_MIN: u32 = 16;
/// See [`CAMERA_MODE_SIDE_MIN`].
pub const CAMERA_MODE_SIDE_MAX: u32 = 8_192;
/// Highest rate of a camera's mode in a setting, in frames a second: that of fast industrial cameras.
pub const CAMERA_MODE_FPS_MAX: u32 = 240;
/// Modes that a message names of those that a camera offers; `devices` shows more.
pub const CAMERA_MODES_NAMED_MAX: usize = 8;
/// Devices that a message names of those that there are, and that the console completes to.
pub const DEVICES_NAMED_MAX: usize = 16;
/// Sources of one capture that were not closed yet; another is exchanged only below that. It is reached
/// when drivers hold devices that were exchanged, one after the other.
pub const CAPTURE_SOURCES_MAX: usize = 8;
/// How long whoever sets another camera or microphone waits to learn what came of it: the old one is
/// closed, the new one opened, and it has begun to deliver.
pub const EXCHANGE_PATIENCE: Duration = Duration::from_secs(12);
/// Orders to exchange camera and microphone of which it is known what they were about, the newest: what
/// comes of one arrives within a moment after the next was given, and nobody gives more in that time.
pub const EXCHANGES_KEPT: usize = 4;
