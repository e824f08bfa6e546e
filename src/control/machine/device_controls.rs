//! Hardware controls: the device is asked first, and what it has taken is stored.

use std::time::Duration;

use super::Control;
use crate::config::schema::{Form, SettingPath, Text, Value, ValueError};
use crate::console::{Reply, Typed};
use crate::control::action::{Action, Job};
use crate::control::clients::Awaits;
use crate::control::confirm::{Confirm, Pending};
use crate::control::device_controls::{ControlOrder, ControlSet};
use crate::control::progress::Progress;
use crate::control::settings::Layer;
use crate::control::store::{Change, Only, StoreRequest};
use crate::device_controls::{
    ControlName, ControlValue, ControlsOf, DeviceControls, canonical_name,
};
use crate::limits::STORE_PATIENCE;

impl Control {
    /// Devices have what the settings say from now on.
    pub(super) fn give_controls(&mut self) {
        let settings = self.in_force.settings.clone();
        if let Some(reset) = self.controls.give(&settings) {
            self.act(Action::RestoreControls { settings, reset });
        }
    }

    /// A device was opened, or is there again: it has forgotten what it was given.
    pub(super) fn restore_controls(&mut self) {
        if self.controls.are_set() {
            let (settings, reset) = (self.in_force.settings.clone(), Vec::new());
            self.act(Action::RestoreControls { settings, reset });
        }
    }

    pub(super) fn list_controls(&mut self, number: u64, of: ControlsOf) -> Progress {
        self.ask_driver(number, ControlOrder::List { of })
    }

    pub(super) fn set_control(
        &mut self,
        number: u64,
        of: ControlsOf,
        device: Option<String>,
        control: String,
        value: &Typed,
    ) -> Progress {
        let Some(value) = ControlValue::parse(&value.0) else {
            let error = ValueError::must_be(Form::Control);
            return Progress::Answered(Reply::error(format!("VALUE {error}")));
        };
        self.ask_driver(number, ControlOrder::Set { of, device, control, value })
    }

    /// A control is to be as it is without what is stored.
    pub(super) fn reset_control(
        &mut self,
        number: u64,
        of: ControlsOf,
        device: Option<String>,
        control: String,
    ) -> Progress {
        let to = device.as_ref().and_then(|device| self.elsewhere(of, device, &control));
        self.ask_driver(number, ControlOrder::Reset { of, device, control, to })
    }

    /// One at a time: a driver that hangs is asked once.
    fn ask_driver(&mut self, number: u64, order: ControlOrder) -> Progress {
        if self.controls.asking.is_some() {
            return refused(order.of(), "is being asked already; try again");
        }
        self.controls.asking = Some((number, matches!(order, ControlOrder::Reset { .. })));
        let settings = self.in_force.settings.clone();
        self.act(Action::Job { request: number, job: Job::Controls { order, settings } });
        Progress::Job
    }

    /// What another source of settings than the store says.
    fn elsewhere(&self, of: ControlsOf, device: &str, control: &str) -> Option<ControlValue> {
        let (device, control) = (device.to_owned(), canonical_name(control));
        let path = SettingPath::of_control(ControlName { of, device, control }).ok()?;
        let layers = [&self.in_force.layers.credentials, &self.in_force.layers.integrator];
        match layers.into_iter().find_map(|layer| layer.value(&path))? {
            Value::Text(Text::Control(value)) => Some(value.clone()),
            _ => None,
        }
    }

    pub(super) fn controls_listed(&mut self, controls: &DeviceControls) {
        let names = controls.controls.iter().map(|control| control.name.clone());
        self.controls.known.insert(controls.of, names.collect());
        self.name_choices();
    }

    /// A device has taken a value: it is stored, so that it has it again. `None` while the store is at
    /// work.
    pub(super) fn control_was_set(
        &mut self,
        now: Duration,
        request: u64,
        is_reset: bool,
        set: ControlSet,
    ) -> Option<Reply> {
        let path = match SettingPath::of_control(set.name.clone()) {
            Ok(path) => path,
            Err(error) => return Some(Reply::error(error.to_string())),
        };
        let is_stored = self.in_force.stored.value(&path).is_some();
        match self.in_force.other_layer(&path) {
            Some(layer) if layer == Layer::Credentials || is_reset && !is_stored => {
                // The device has it again.
                self.restore_controls();
                let layer = layer.name();
                let why = format!("{path} comes from {layer} and cannot be changed here");
                return Some(Reply::error(why));
            }
            _ => {}
        }
        let change = match (is_reset, &set.value) {
            (false, Some(value)) => {
                let value = Typed::from(value.to_string().as_str());
                let (given_for, only) = (Vec::new(), Only::Always);
                Change::Set { path: path.clone(), value, given_for, only }
            }
            _ if is_stored => Change::Unset { path: path.clone() },
            _ if set.value.is_none() => return Some(Reply::error(format!("{path} was not set"))),
            _ => return Some(Reply::text([set_in_words(&set)])),
        };
        let words = set_in_words(&set);
        let confirm = Confirm::Control { path, words, is_reset };
        let pending = Pending { request: Some(request), confirm };
        match self.store.push(StoreRequest::Change(change), pending) {
            Ok(()) => {
                self.clients.waits_on(request, Awaits::Store(now + STORE_PATIENCE));
                None
            }
            Err(why) => {
                Some(Reply::error(format!("{}; it is not stored: {why}", set_in_words(&set))))
            }
        }
    }
}

/// What a control is now.
fn set_in_words(set: &ControlSet) -> String {
    let control = &set.name.control;
    let mut words = match (&set.product, &set.value) {
        (Some(product), Some(value)) => format!("{control} of {product} is {value}"),
        _ => format!("{control} of {} has its default when it is plugged in", set.name.device),
    };
    if let Some(note) = &set.note {
        words.push_str("; ");
        words.push_str(note);
    }
    words
}

fn refused(of: ControlsOf, why: &str) -> Progress {
    Progress::Answered(Reply::error(format!("the {} {why}", of.word())))
}
