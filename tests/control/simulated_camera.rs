//! A camera with controls, as the machine of `control` meets it.

use std::collections::BTreeMap;

use firstmile::control::{ControlOrder, ControlSet, JobResult};
use firstmile::device_controls::{
    Allowed, Control, ControlName, ControlSettings, ControlValue, ControlsOf, DeviceControls, find,
};

/// What it is called in the settings.
const DEVICE: &str = "usb:1-1.3";
const PRODUCT: &str = "HD Camera";

pub struct SimulatedCamera {
    values: BTreeMap<String, ControlValue>,
    pub is_plugged_in: bool,
}

impl SimulatedCamera {
    pub fn new() -> SimulatedCamera {
        let mut camera = SimulatedCamera { values: BTreeMap::new(), is_plugged_in: true };
        camera.forget();
        camera
    }

    /// It is unplugged and plugged in again.
    pub fn forget(&mut self) {
        let defaults = controls().into_iter().filter_map(|c| Some((c.name, c.default?)));
        self.values = defaults.collect();
    }

    pub fn answer(&mut self, order: &ControlOrder) -> JobResult {
        let of = ControlsOf::Camera;
        let (device, typed, value, is_reset) = match order {
            ControlOrder::List { .. } if self.is_plugged_in => {
                let (device, name) = (DEVICE.to_owned(), PRODUCT.to_owned());
                let mut controls = controls();
                for control in &mut controls {
                    control.value = self.values.get(&control.name).cloned();
                }
                return JobResult::Controls(DeviceControls { of, device, name, controls });
            }
            ControlOrder::List { .. } => return absent(),
            ControlOrder::Set { device, control, value, .. } => {
                (device, control, Some(value), false)
            }
            ControlOrder::Reset { device, control, to, .. } => (device, control, to.as_ref(), true),
        };
        let is_there = device.as_ref().is_none_or(|device| device == DEVICE) && self.is_plugged_in;
        if let (false, true, Some(device)) = (is_there, is_reset, device) {
            let name = ControlName { of, device: device.clone(), control: typed.clone() };
            let (product, value, note) = (None, None, None);
            return JobResult::ControlSet(ControlSet { name, product, value, note });
        }
        if !is_there {
            return absent();
        }
        let controls = controls();
        let control = match find(&controls, typed) {
            Ok(control) => control,
            Err(why) => return JobResult::Failed(format!("{PRODUCT} {why}")),
        };
        let value = value.or(control.default.as_ref()).expect("a default");
        let Some(raw) = control.allowed.raw(value) else {
            let why = format!("{PRODUCT} does not offer that: {} must be", control.name);
            return JobResult::Failed(format!("{why} {}", control.allowed));
        };
        let value = control.allowed.value(raw).expect("it is allowed");
        self.values.insert(control.name.clone(), value.clone());
        let name = ControlName { of, device: DEVICE.to_owned(), control: control.name.clone() };
        let (product, value) = (Some(PRODUCT.to_owned()), Some(value));
        JobResult::ControlSet(ControlSet { name, product, value, note: None })
    }

    /// What is set that was not so, in words.
    pub fn restore(&mut self, settings: &ControlSettings, reset: &[ControlName]) -> String {
        let mut set = Vec::new();
        if !self.is_plugged_in {
            return String::new();
        }
        let mut put = |name: &str, value: &ControlValue| {
            if self.values.get(name) != Some(value) {
                self.values.insert(name.to_owned(), value.clone());
                set.push(format!("{name} {value}"));
            }
        };
        let controls = controls();
        for name in reset.iter().filter(|name| name.device == DEVICE) {
            let control = controls.iter().find(|control| control.name == name.control);
            if let Some(default) = control.and_then(|control| control.default.as_ref()) {
                put(&name.control, default);
            }
        }
        for (name, value) in settings.get(DEVICE).into_iter().flatten() {
            put(name, value);
        }
        set.join(", ")
    }
}

fn absent() -> JobResult {
    JobResult::Failed("the camera (auto) is not connected".to_owned())
}

fn controls() -> Vec<Control> {
    let words = ["Manual Mode", "Aperture Priority Mode"].map(str::to_owned).to_vec();
    let menu = Allowed::Choice { words, indexes: vec![1, 3] };
    [
        ("auto_exposure", menu, "Aperture Priority Mode"),
        ("brightness", Allowed::Number { min: 0, max: 255, step: 1 }, "128"),
        ("exposure_time_absolute", Allowed::Number { min: 3, max: 2_047, step: 1 }, "250"),
        ("focus_automatic_continuous", Allowed::Flag, "true"),
    ]
    .map(|(name, allowed, default)| Control {
        name: name.to_owned(),
        value: None,
        default: ControlValue::parse(default),
        allowed,
        active: true,
    })
    .into()
}
