//! Which camera is meant.

use std::{fmt, path::PathBuf};

use serde::{Serialize, Serializer};

use super::{is_name, is_number, is_port};
use crate::limits::SOURCE_NAME_BYTES_MAX;

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
    /// What an owner may write.
    pub const ALLOWED: &str =
        "auto, usb:PORT, /dev/v4l/by-id/…, /dev/v4l/by-path/…, driver:NAME, or a part of its name";

    /// Reads what a profile says: `auto`, a path, `usb:PORT`, `driver:NAME` or `name:TEXT`.
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

    /// Reads what an owner writes: the same, a part of the camera's name alone, and no number of the
    /// kernel's.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn of_owner(text: &str) -> Result<CameraDevice, &'static str> {
        const ALLOWED: &str = "must be auto, usb:PORT, /dev/v4l/by-id/…, /dev/v4l/by-path/…, \
                               driver:NAME, or a part of its name; `devices` shows what to write";
        const NO_NUMBER: &str = "must name the camera by what stays the same: the numbers of \
                                 /dev/video change; `devices` shows what to write";
        let node = text.strip_prefix("/dev/").unwrap_or(text);
        if is_number(node) || node.strip_prefix("video").is_some_and(is_number) {
            return Err(NO_NUMBER);
        }
        if !is_name(text) {
            return Err(ALLOWED);
        }
        match text.split_once(':') {
            _ if text.starts_with("/dev/") && !text.contains("/../") => {
                Ok(CameraDevice::Path(text.into()))
            }
            _ if text.starts_with('/') => Err(ALLOWED),
            Some(("usb" | "driver", _)) => CameraDevice::parse(text).map_err(|_| ALLOWED),
            Some(("name", part)) if is_name(part) => Ok(CameraDevice::Name(part.to_owned())),
            Some(("name", _)) => Err(ALLOWED),
            None if text == "auto" => Ok(CameraDevice::Auto),
            _ => Ok(CameraDevice::Name(text.to_owned())),
        }
    }

    /// Reads the name of a table of hardware controls: what an owner writes, or what a profile says.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn of_controls(text: &str) -> Result<CameraDevice, &'static str> {
        CameraDevice::of_owner(text).or_else(|why| CameraDevice::parse(text).map_err(|_| why))
    }
}

const _: () = assert!(SOURCE_NAME_BYTES_MAX > "/dev/v4l/by-path/".len() + 128);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_named_by_what_stays() {
        for text in ["auto", "/dev/v4l/by-id/usb-Maker_Cam", "usb:1-1.3", "driver:vivid"] {
            assert_eq!(CameraDevice::parse(text).map(|d| d.to_string()).as_deref(), Ok(text));
            assert_eq!(CameraDevice::of_owner(text), CameraDevice::parse(text), "{text}");
        }
        assert_eq!(CameraDevice::parse("name:C920"), Ok(CameraDevice::Name("C920".to_owned())));
        for wrong in ["", "0", "video0", "usb:", "usb:1", "usb:1-a", "driver:", "by-id:x"] {
            assert!(CameraDevice::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_owner_may_write_a_part_of_the_name_alone() {
        for (text, part) in [
            ("logi", "logi"),
            ("name:logi", "logi"),
            ("UVC Camera (046d:0825)", "UVC Camera (046d:0825)"),
            ("name:usb:", "usb:"),
        ] {
            assert_eq!(CameraDevice::of_owner(text), Ok(CameraDevice::Name(part.to_owned())));
            let written = CameraDevice::Name(part.to_owned()).to_string();
            assert_eq!(CameraDevice::of_owner(&written), Ok(CameraDevice::Name(part.to_owned())));
        }
    }

    #[test]
    fn an_owner_names_no_number_and_no_file_elsewhere() {
        for number in ["0", "2", "video0", "/dev/video0", "/dev/video12"] {
            let why = CameraDevice::of_owner(number).expect_err(number);
            assert!(why.contains("the numbers of /dev/video change"), "{why}");
        }
        let long = "x".repeat(SOURCE_NAME_BYTES_MAX + 1);
        for wrong in
            ["", " ", "name:", "usb:", "usb:7", "driver:", "/etc/passwd", "/dev/../etc/x", "a\nb"]
        {
            let why = CameraDevice::of_owner(wrong).expect_err(wrong);
            assert!(why.contains("`devices` shows what to write"), "{why}");
        }
        assert!(CameraDevice::of_owner(&long).is_err());
    }
}
