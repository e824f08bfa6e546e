//! Hardware controls of cameras and sound cards: exposure, focus, white balance; capture level, boost.
//!
//! Pure room. It promises that a control has one name whatever its driver calls it, that a value is
//! compared with what the device offers before it is set, and that an error says what is allowed and never
//! repeats what was typed. Asking drivers is the work of `capture`.
//!
//! ```
//! use firstmile::device_controls::{Allowed, ControlValue, canonical_name};
//! let exposure = Allowed::Number { min: 3, max: 2_047, step: 1 };
//! assert_eq!(exposure.raw(&ControlValue::Number(120)), Some(120));
//! assert_eq!(exposure.raw(&ControlValue::Number(2)), None);
//! assert_eq!(exposure.to_string(), "a whole number from 3 to 2047");
//! assert_eq!(canonical_name("Exposure (Absolute)"), "exposure_time_absolute");
//! ```

mod control;
mod value;

use std::collections::BTreeMap;

use serde::Serialize;

pub use control::{Allowed, Control, canonical_name, find, is_name};
pub use value::ControlValue;

/// Values by the names of controls, for each device by what it is called in the settings.
pub type ControlSettings = BTreeMap<String, BTreeMap<String, ControlValue>>;

/// Which sort of device has the controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlsOf {
    /// A camera.
    Camera,
    /// A sound card that records.
    Microphone,
}

impl ControlsOf {
    /// Both of them.
    pub const ALL: [ControlsOf; 2] = [ControlsOf::Camera, ControlsOf::Microphone];

    /// What people call the device.
    pub fn word(self) -> &'static str {
        match self {
            ControlsOf::Camera => "camera",
            ControlsOf::Microphone => "microphone",
        }
    }

    /// The table of settings that has them.
    pub fn section(self) -> &'static str {
        match self {
            ControlsOf::Camera => "camera.controls",
            ControlsOf::Microphone => "microphone.controls",
        }
    }
}

/// One control of one device, as the settings name both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ControlName {
    /// Which sort of device.
    pub of: ControlsOf,
    /// The device.
    pub device: String,
    /// The control.
    pub control: String,
}

/// A device and its controls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceControls {
    /// Which sort of device.
    pub of: ControlsOf,
    /// What it is called in the settings: a name that survives replugging, if there is one.
    pub device: String,
    /// The product's name.
    pub name: String,
    /// In the order of the driver.
    pub controls: Vec<Control>,
}

#[cfg(test)]
mod tests;
