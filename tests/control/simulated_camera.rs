//! A camera with controls, as the machine of `control` meets it.

use std::collections::BTreeMap;

use firstmile::control::{ControlOrder, ControlReset, ControlSet, JobResult};
use firstmile::device_controls::{
    Allowed, Control, ControlName, ControlSettings, ControlValue, ControlsOf, DeviceControls, find,
};

/// What it is called in the settings.
const DEVICE: &str = "usb:1-1.3";
/// All that it may be called in tables of the settings; the later ones prevail.
const TABLES: [&str; 4] = ["auto", "driver:uvcvideo", "name:hd", DEVICE];
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
        match order {
            ControlOrder::List { .. } if self.is_plugged_in => {
                let (device, name) = (DEVICE.to_owned(), PRODUCT.to_owned());
                let mut controls = controls();
                for control in &mut controls {
                    control.value = self.values.get(&control.name).cloned();
                }
                JobResult::Controls(DeviceControls { of, device, name, controls })
            }
            ControlOrder::List { .. } => JobResult::Failed(absent(None)),
            ControlOrder::Set { device, control, value, tables, .. } => {
                let is_of_it =
                    |table: &&str| *table == DEVICE || tables.iter().any(|known| known == table);
                let of_it = TABLES.into_iter().filter(is_of_it).map(str::to_owned).collect();
                match self.set(device.as_deref(), control, Some(value)) {
                    Ok(set) => JobResult::ControlSet(ControlSet { tables: of_it, ..set }),
                    Err(why) => JobResult::Failed(why),
                }
            }
            ControlOrder::Reset { device, control, to, tables, .. } => {
                let is_it = |table: &&str| {
                    let is_asked = tables.iter().any(|asked| asked == table);
                    is_asked && (self.is_plugged_in || device.as_deref() == Some(*table))
                };
                let is_there = device.as_deref().is_none_or(fits);
                let tables = TABLES.into_iter().filter(is_it).filter(|_| is_there);
                let tables = tables.map(str::to_owned).collect();
                let outcome = self.set(device.as_deref(), control, to.as_ref());
                JobResult::ControlReset(ControlReset { tables, outcome })
            }
        }
    }

    fn set(
        &mut self,
        device: Option<&str>,
        typed: &str,
        value: Option<&ControlValue>,
    ) -> Result<ControlSet, String> {
        if !device.is_none_or(fits) || !self.is_plugged_in {
            return Err(absent(device));
        }
        let controls = controls();
        let control = find(&controls, typed).map_err(|why| format!("{PRODUCT} {why}"))?;
        let value = value.or(control.default.as_ref()).expect("a default");
        let raw = control.allowed.raw(value).ok_or_else(|| {
            let (name, allowed) = (&control.name, &control.allowed);
            format!("{PRODUCT} does not offer that: {name} must be {allowed}")
        })?;
        let value = control.allowed.value(raw).expect("it is allowed");
        self.values.insert(control.name.clone(), value.clone());
        let (device, control) = (DEVICE.to_owned(), control.name.clone());
        let name = ControlName { of: ControlsOf::Camera, device, control };
        Ok(ControlSet { name, product: PRODUCT.to_owned(), value, note: None, tables: Vec::new() })
    }

    /// What is set that was not so, in words.
    pub fn restore(&mut self, settings: &ControlSettings, reset: &[ControlName]) -> String {
        let mut set = Vec::new();
        if !self.is_plugged_in {
            return String::new();
        }
        let controls = controls();
        let mut wanted = BTreeMap::new();
        for name in reset.iter().filter(|name| fits(&name.device)) {
            let control = controls.iter().find(|control| control.name == name.control);
            wanted.extend(control.and_then(|c| Some((c.name.clone(), c.default.clone()?))));
        }
        let tables = TABLES.iter().filter_map(|table| settings.get(*table));
        wanted.extend(tables.flatten().map(|(name, value)| (name.clone(), value.clone())));
        for (name, value) in wanted {
            let is_known = controls.iter().any(|control| control.name == name);
            if is_known && self.values.get(&name) != Some(&value) {
                set.push(format!("{name} {value}"));
                self.values.insert(name, value);
            }
        }
        set.join(", ")
    }
}

fn fits(table: &str) -> bool {
    TABLES.contains(&table)
}

fn absent(device: Option<&str>) -> String {
    format!("the camera ({}) is not connected", device.unwrap_or("auto"))
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
