//! Hardware controls of devices: what is asked of them, and what is known of them.

use std::collections::BTreeMap;

use crate::config::Settings;
use crate::device_controls::{ControlName, ControlSettings, ControlValue, ControlsOf};

/// Something that the driver of a device answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlOrder {
    /// List the controls.
    List {
        /// Of which sort of device: the one that is captured from, or would be.
        of: ControlsOf,
    },
    /// Set a control.
    Set {
        /// Of which sort of device.
        of: ControlsOf,
        /// The device's name in the settings; `None` for the one that is captured from, or would be.
        device: Option<String>,
        /// The control, as it was typed.
        control: String,
        /// What it is to be.
        value: ControlValue,
        /// The devices, as the settings name them, of which the settings say something of the control.
        tables: Vec<String>,
    },
    /// Give a control what it has without the stored settings.
    Reset {
        /// Of which sort of device.
        of: ControlsOf,
        /// As in [`ControlOrder::Set`].
        device: Option<String>,
        /// As in [`ControlOrder::Set`].
        control: String,
        /// What another source of settings says; `None` for the driver's default.
        to: Option<ControlValue>,
        /// As in [`ControlOrder::Set`].
        tables: Vec<String>,
    },
}

impl ControlOrder {
    /// Of which sort of device.
    pub fn of(&self) -> ControlsOf {
        match self {
            ControlOrder::List { of }
            | ControlOrder::Set { of, .. }
            | ControlOrder::Reset { of, .. } => *of,
        }
    }
}

/// A control was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlSet {
    /// The device and the control.
    pub name: ControlName,
    /// The product's name.
    pub product: String,
    /// What the control is set to.
    pub value: ControlValue,
    /// What the owner would not expect.
    pub note: Option<String>,
    /// Those of the order's tables that are of the device, and what the device is called. Of two the later
    /// prevails.
    pub tables: Vec<String>,
}

/// What became of a reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlReset {
    /// Those of the order's tables that are of the device. Of two the later prevails.
    pub tables: Vec<String>,
    /// What the control has until the settings are restored, or why the device does not have its default.
    pub outcome: Result<ControlSet, String>,
}

/// What a control is to be forgotten of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forget {
    /// Of which sort of device.
    pub of: ControlsOf,
    /// The device's name in the settings; `None` for all that the one is called that is captured from.
    pub device: Option<String>,
    /// The control's name.
    pub control: String,
}

/// What is known of the controls.
#[derive(Debug, Default)]
pub(super) struct ControlsState {
    /// What devices were last given.
    given: BTreeMap<ControlsOf, ControlSettings>,
    /// The request that is being answered, and what it resets.
    pub asking: Option<(u64, Option<Forget>)>,
    /// A device may have other values than the settings say, although these are as they were.
    pub is_reset: bool,
    /// The names of a device's controls, as far as it was asked.
    pub known: BTreeMap<ControlsOf, Vec<String>>,
}

impl ControlsState {
    /// Whether devices have to be given what the settings say; what they no longer say comes with it.
    pub fn give(&mut self, settings: &Settings) -> Option<Vec<ControlName>> {
        let (mut no_longer, mut is_other) = (Vec::new(), std::mem::take(&mut self.is_reset));
        for of in ControlsOf::ALL {
            let wanted = settings.controls(of);
            let before = self.given.insert(of, wanted.clone()).unwrap_or_default();
            is_other |= before != wanted;
            let names = before.into_iter().flat_map(|(device, controls)| {
                let device = move |control| ControlName { of, device: device.clone(), control };
                controls.into_keys().map(device)
            });
            let is_named = |name: &ControlName| {
                wanted.get(&name.device).is_some_and(|says| says.contains_key(&name.control))
            };
            no_longer.extend(names.filter(|name| !is_named(name)));
        }
        is_other.then_some(no_longer)
    }

    /// Whether the settings say anything that a device is to have when it is there.
    pub fn are_set(&self) -> bool {
        self.given.values().any(|settings| !settings.is_empty())
    }
}
