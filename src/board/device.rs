//! How a profile names a camera or a microphone: by what stays the same after replugging, never by
//! a number that the kernel assigns at each start.

use std::{fmt, path::PathBuf};

use serde::{Serialize, Serializer};

/// Which camera is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CameraDevice {
    /// The first one that works.
    #[default]
    Auto,
    /// The one at that node, best a link that survives replugging (`/dev/v4l/by-id/…`).
    Path(PathBuf),
    /// The one at that USB port, as the kernel names it (`1-1.3`).
    Usb(String),
    /// The one of that kernel driver (`vivid`).
    Driver(String),
    /// The one whose name holds that text, in upper or lower case.
    Name(String),
}

impl CameraDevice {
    /// Reads `auto`, a path, `usb:PORT`, `driver:NAME` or `name:TEXT`.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn parse(text: &str) -> Result<CameraDevice, &'static str> {
        const ALLOWED: &str = "must be auto, a device node such as /dev/v4l/by-id/…, usb:PORT, \
                               driver:NAME or name:TEXT";
        match text.split_once(':') {
            None if text == "auto" => Ok(CameraDevice::Auto),
            _ if text.starts_with('/') => Ok(CameraDevice::Path(text.into())),
            Some(("usb", port)) if is_port(port) => Ok(CameraDevice::Usb(port.to_owned())),
            Some(("driver", name)) if !name.is_empty() => Ok(CameraDevice::Driver(name.to_owned())),
            Some(("name", text)) if !text.is_empty() => Ok(CameraDevice::Name(text.to_owned())),
            _ => Err(ALLOWED),
        }
    }
}

impl fmt::Display for CameraDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CameraDevice::Auto => f.write_str("auto"),
            CameraDevice::Path(path) => write!(f, "{}", path.display()),
            CameraDevice::Usb(port) => write!(f, "usb:{port}"),
            CameraDevice::Driver(name) => write!(f, "driver:{name}"),
            CameraDevice::Name(text) => write!(f, "name:{text}"),
        }
    }
}

impl Serialize for CameraDevice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which sound card is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum MicrophoneDevice {
    /// The first one that records; one at a USB port comes before those of the board.
    #[default]
    Auto,
    /// The one at that USB port, as the kernel names it (`1-1.3`).
    Usb(String),
    /// That ALSA device (`plughw:CARD=Device`, `default`).
    Alsa(String),
}

impl MicrophoneDevice {
    /// Reads `auto`, `usb:PORT`, `card:ID` or an ALSA name that has no card number in it.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn parse(text: &str) -> Result<MicrophoneDevice, &'static str> {
        const NO_NUMBER: &str = "must name the card by its identifier (card:ID, plughw:CARD=ID), \
                                 because card numbers change; `firstmile devices` prints them";
        const ALLOWED: &str = "must be auto, usb:PORT, card:ID or an ALSA name";
        match text.split_once(':') {
            None if text == "auto" => Ok(MicrophoneDevice::Auto),
            None if !text.is_empty() => Ok(MicrophoneDevice::Alsa(text.to_owned())),
            Some(("usb", port)) if is_port(port) => Ok(MicrophoneDevice::Usb(port.to_owned())),
            Some(("usb", _)) | None => Err(ALLOWED),
            Some((kind, card)) => {
                let card = card.strip_prefix("CARD=").unwrap_or(card);
                let id = card.split(',').next().unwrap_or_default();
                match (kind, id.parse::<u32>()) {
                    (_, Ok(_)) => Err(NO_NUMBER),
                    (_, Err(_)) if id.is_empty() => Err(ALLOWED),
                    ("card", Err(_)) => Ok(MicrophoneDevice::Alsa(format!("plughw:CARD={card}"))),
                    (_, Err(_)) => Ok(MicrophoneDevice::Alsa(text.to_owned())),
                }
            }
        }
    }
}

impl fmt::Display for MicrophoneDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MicrophoneDevice::Auto => f.write_str("auto"),
            MicrophoneDevice::Usb(port) => write!(f, "usb:{port}"),
            MicrophoneDevice::Alsa(name) => f.write_str(name),
        }
    }
}

impl Serialize for MicrophoneDevice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a text is a USB port as sysfs names it: the bus, then the ports from hub to hub.
fn is_port(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(bus, ports)| number(bus) && ports.split('.').all(number))
}

/// A form in which a camera may deliver its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoFormat {
    /// Not compressed.
    Raw,
    /// One JPEG a frame; decoded here.
    Mjpeg,
    /// H.264; passed through as it is, so that its bitrate is the camera's.
    H264,
}

impl VideoFormat {
    /// All of them, by the names that a profile uses.
    pub const ALL: [(&'static str, VideoFormat); 3] =
        [("raw", VideoFormat::Raw), ("mjpeg", VideoFormat::Mjpeg), ("h264", VideoFormat::H264)];

    /// What a camera is asked for unless the profile says otherwise, best first.
    pub const USUAL: [VideoFormat; 2] = [VideoFormat::Raw, VideoFormat::Mjpeg];
}

impl fmt::Display for VideoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = VideoFormat::ALL.iter().find(|(_, format)| format == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_named_by_what_stays() {
        for text in ["auto", "/dev/v4l/by-id/usb-Maker_Cam", "usb:1-1.3", "driver:vivid"] {
            assert_eq!(CameraDevice::parse(text).map(|d| d.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(CameraDevice::parse("name:C920"), Ok(CameraDevice::Name("C920".to_owned())));
        for wrong in ["", "0", "video0", "usb:", "usb:1", "usb:1-a", "driver:", "by-id:x"] {
            assert!(CameraDevice::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_card_is_never_named_by_its_number() {
        for text in ["auto", "usb:3-1", "default", "plughw:CARD=Device", "hw:Device,0"] {
            assert_eq!(MicrophoneDevice::parse(text).map(|d| d.to_string()).as_deref(), Ok(text));
        }
        let card = MicrophoneDevice::parse("card:Loopback,1").map(|d| d.to_string());
        assert_eq!(card.as_deref(), Ok("plughw:CARD=Loopback,1"));
        for wrong in ["", "hw:1", "hw:1,0", "plughw:CARD=2", "card:", "card:0", "usb:x"] {
            assert!(MicrophoneDevice::parse(wrong).is_err(), "{wrong}");
        }
    }
}
