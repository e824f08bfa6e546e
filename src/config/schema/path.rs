//! The name of a setting as it is typed: `video.fps`, `destination.NAME.url`,
//! `camera.controls.CAMERA.CONTROL`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::form::Form;
use super::table::{DESTINATION, SETTINGS, Setting};
use crate::device_controls::{self, ControlName, ControlsOf};
use crate::limits::PATH_BYTES_MAX;
use crate::typed_toml::{Kind, ValueError};

/// One setting of the box, of one destination, or of one control of a device.
#[derive(Debug, Clone)]
pub struct SettingPath {
    setting: &'static Setting,
    of: Of,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Box,
    Destination(String),
    Control(ControlName),
}

/// Why a text names no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// no such setting
    #[error("no such setting{}", .nearest.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    Unknown {
        /// What was most probably meant.
        nearest: Option<String>,
    },
    /// a destination cannot have this name
    #[error("destination.name {0}")]
    DestinationName(ValueError),
    /// device or control are missing, or can have no such name
    #[error(
        "{} is followed by a {} and a control, with dots between them; `{} controls` lists them",
        .0.section(), .0.word(), .0.word()
    )]
    Control(ControlsOf),
}

impl SettingPath {
    /// A setting of the box, or of a destination whose name is one.
    pub(in crate::config) fn of(
        destination: Option<&str>,
        setting: &'static Setting,
    ) -> SettingPath {
        let of = destination.map_or(Of::Box, |name| Of::Destination(name.to_owned()));
        SettingPath { setting, of }
    }

    /// A control of a device.
    ///
    /// # Errors
    /// [`PathError::Control`] when one of the names cannot be one.
    pub fn of_control(name: ControlName) -> Result<SettingPath, PathError> {
        let ControlName { of, device, control } = &name;
        let is_device = (1..=PATH_BYTES_MAX).contains(&device.len())
            && device.trim() == device
            && !device.chars().any(|c| c.is_control() || c == '"');
        match SETTINGS.find(of.section()) {
            Some(setting) if is_device && device_controls::is_name(control) => {
                Ok(SettingPath { setting, of: Of::Control(name) })
            }
            _ => Err(PathError::Control(*of)),
        }
    }

    /// The address of a destination.
    ///
    /// # Errors
    /// [`PathError::DestinationName`].
    pub fn url_of(destination: &str) -> Result<SettingPath, PathError> {
        SettingPath::named(destination, "destination.url")
    }

    /// The stream key of a destination.
    ///
    /// # Errors
    /// [`PathError::DestinationName`].
    pub fn key_of(destination: &str) -> Result<SettingPath, PathError> {
        SettingPath::named(destination, "destination.key")
    }

    fn named(destination: &str, setting: &str) -> Result<SettingPath, PathError> {
        Kind::Text(Form::Name).read(destination).map_err(PathError::DestinationName)?;
        let setting = SETTINGS.find(setting).ok_or(PathError::Unknown { nearest: None })?;
        Ok(SettingPath::of(Some(destination), setting))
    }

    /// The setting.
    pub fn setting(&self) -> &'static Setting {
        self.setting
    }

    /// The destination that it is of; `None` for a setting of the box.
    pub fn destination(&self) -> Option<&str> {
        match &self.of {
            Of::Destination(name) => Some(name),
            Of::Box | Of::Control(_) => None,
        }
    }

    /// The control that it is of; `None` for any other setting.
    pub fn control(&self) -> Option<&ControlName> {
        match &self.of {
            Of::Control(name) => Some(name),
            Of::Box | Of::Destination(_) => None,
        }
    }
}

impl PartialEq for SettingPath {
    fn eq(&self, other: &SettingPath) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SettingPath {}

impl PartialOrd for SettingPath {
    fn partial_cmp(&self, other: &SettingPath) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SettingPath {
    fn cmp(&self, other: &SettingPath) -> Ordering {
        let (ours, theirs) = (self.setting.name, other.setting.name);
        self.of.cmp(&other.of).then_with(|| ours.cmp(theirs))
    }
}

impl fmt::Display for SettingPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            Of::Destination(name) => write!(f, "{DESTINATION}.{name}.{}", self.setting.key()),
            Of::Control(ControlName { of, device, control }) => {
                write!(f, "{}.{device}.{control}", of.section())
            }
            Of::Box => f.write_str(self.setting.name),
        }
    }
}

impl FromStr for SettingPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<SettingPath, PathError> {
        for of in ControlsOf::ALL.into_iter().filter(|of| SETTINGS.find(of.section()).is_some()) {
            match text.strip_prefix(of.section()).map(|rest| (rest, rest.strip_prefix('.'))) {
                Some((_, Some(names))) => {
                    // Names of devices have dots, those of controls have none.
                    let (device, control) = names.rsplit_once('.').unwrap_or_default();
                    let device = device.trim_matches('"').to_owned();
                    // The names that drivers had once are understood.
                    let control = match device_controls::is_name(control) {
                        true => device_controls::canonical_name(control),
                        false => control.to_owned(),
                    };
                    return SettingPath::of_control(ControlName { of, device, control });
                }
                Some(("", _)) => return Err(PathError::Control(of)),
                _ => {}
            }
        }
        let (section, rest) = text.split_once('.').unwrap_or((text, ""));
        let (destination, key) = match rest.split_once('.') {
            _ if section != DESTINATION => (None, rest),
            Some((name, key)) => (Some(name), key),
            None => (Some(rest), ""),
        };
        if section.is_empty() || !SETTINGS.is_section(section) {
            let nearest = SETTINGS.nearest(section, "");
            // The whole name, where the rest of it is right.
            let whole = nearest.map(|section| format!("{section}.{rest}"));
            let whole = whole.filter(|whole| SETTINGS.find(whole).is_some());
            let nearest = whole.or_else(|| nearest.map(str::to_owned));
            return Err(PathError::Unknown { nearest });
        }
        // The name of a destination is no setting of it: it is how its settings are found.
        let setting = SETTINGS.find(&format!("{section}.{key}"));
        let Some(setting) = setting.filter(|s| s.kind != Kind::Text(Form::Name)) else {
            let named = if destination.is_some() { ".NAME" } else { "" };
            let nearest = SETTINGS.nearest(key, section);
            let nearest = nearest.map(|key| format!("{section}{named}.{key}"));
            return Err(PathError::Unknown { nearest });
        };
        if let Some(name) = destination {
            Kind::Text(Form::Name).read(name).map_err(PathError::DestinationName)?;
        }
        Ok(SettingPath::of(destination, setting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_is_named_by_its_device_whatever_that_is_called() {
        for (device, control) in [
            (
                "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_0.1-video-index0",
                "exposure_time_absolute",
            ),
            ("usb:1-1.3", "gain"),
            ("driver:vivid", "integer_32_bits"),
        ] {
            let name = format!("camera.controls.{device}.{control}");
            let quoted = format!("camera.controls.\"{device}\".{control}");
            let path: SettingPath = name.parse().expect("a path");
            assert_eq!(path.to_string(), name);
            assert_eq!(quoted.parse(), Ok(path.clone()));
            let of = path.control().expect("a control");
            assert_eq!((of.device.as_str(), of.control.as_str()), (device, control));
            assert_eq!((path.destination(), path.setting().name), (None, "camera.controls"));
        }
        for wrong in ["", ".", ".gain", ".usb:1-1", ".usb:1-1.", "..gain", ".usb:1-1.Gain"] {
            let error = format!("camera.controls{wrong}").parse::<SettingPath>().unwrap_err();
            assert_eq!(error, PathError::Control(ControlsOf::Camera), "{wrong:?}");
        }
        let near = "camera.control.usb:1-1.gain".parse::<SettingPath>().unwrap_err();
        assert!(matches!(near, PathError::Unknown { .. }), "{near:?}");
    }
}
