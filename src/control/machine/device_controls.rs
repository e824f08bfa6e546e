//! Hardware controls: the device is asked first, and what it has taken is stored.

use std::time::Duration;

use super::Control;
use crate::config::schema::{Form, SettingPath, Text, Value, ValueError};
use crate::console::{Reply, Typed};
use crate::control::action::{Action, Job};
use crate::control::clients::Awaits;
use crate::control::confirm::{Confirm, Pending};
use crate::control::device_controls::{ControlOrder, ControlReset, ControlSet, Forget};
use crate::control::event::JobResult;
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
        let tables = self.tables_with(of, &control);
        self.ask_driver(number, ControlOrder::Set { of, device, control, value, tables })
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
        let tables = self.tables_with(of, &control);
        self.ask_driver(number, ControlOrder::Reset { of, device, control, to, tables })
    }

    /// The devices, as the settings name them, of which the settings say something of a control.
    fn tables_with(&self, of: ControlsOf, control: &str) -> Vec<String> {
        let name = canonical_name(control);
        let tables = self.in_force.settings.controls(of).into_iter();
        let tables = tables.filter(|(_, controls)| controls.contains_key(&name));
        tables.map(|(device, _)| device).collect()
    }

    /// One at a time: a driver that hangs is asked once.
    fn ask_driver(&mut self, number: u64, order: ControlOrder) -> Progress {
        if self.controls.asking.is_some() {
            let why = "a device is being asked already; try again";
            return Progress::Answered(Reply::error(why));
        }
        let forget = match &order {
            ControlOrder::Reset { of, device, control, .. } => {
                let (device, control) = (device.clone(), canonical_name(control));
                Some(Forget { of: *of, device, control })
            }
            ControlOrder::List { .. } | ControlOrder::Set { .. } => None,
        };
        self.controls.asking = Some((number, forget));
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
        set: ControlSet,
    ) -> Option<Reply> {
        let path = match SettingPath::of_control(set.name.clone()) {
            Ok(path) => path,
            Err(error) => return Some(Reply::error(error.to_string())),
        };
        if let Some(layer @ Layer::Credentials) = self.in_force.other_layer(&path) {
            // The device has it again.
            self.restore_controls();
            return Some(comes_from(&path, layer));
        }
        let words = set_in_words(&set);
        let ControlName { of, control, .. } = &set.name;
        let path_of = |device: &String| {
            let (of, device, control) = (*of, device.clone(), control.clone());
            SettingPath::of_control(ControlName { of, device, control }).ok()
        };
        let fitting: Vec<SettingPath> = set.tables.iter().filter_map(path_of).collect();
        let value = Typed::from(set.value.to_string().as_str());
        let (given_for, only) = (Vec::new(), Only::Always);
        let change = Change::Set { path: path.clone(), value, given_for, only };
        self.store_control(now, request, change, Confirm::Control { path, words, fitting })
    }

    /// What is stored of a control is removed, whatever the device made of the order. `None` while the
    /// store is at work.
    pub(super) fn control_was_reset(
        &mut self,
        now: Duration,
        request: u64,
        forget: &Forget,
        result: JobResult,
    ) -> Option<Reply> {
        let ControlReset { tables, outcome } = match result {
            JobResult::ControlReset(reset) => reset,
            JobResult::Failed(why) => ControlReset { tables: Vec::new(), outcome: Err(why) },
            _ => return Some(Reply::error("the device was asked for something else")),
        };
        let path_of = |device: &String| {
            let (device, control) = (device.clone(), forget.control.clone());
            SettingPath::of_control(ControlName { of: forget.of, device, control })
        };
        let fitting: Vec<SettingPath> = tables.iter().filter_map(|t| path_of(t).ok()).collect();
        // One that is named is meant alone.
        let named = match forget.device.as_ref().map(path_of).transpose() {
            Ok(named) => named,
            Err(error) => return Some(Reply::error(error.to_string())),
        };
        let meant = named.clone().map_or_else(|| fitting.clone(), |named| vec![named]);
        let is_other = |path: &SettingPath| !fitting.contains(path);
        let others = meant.iter().filter(|path| is_other(path)).cloned();
        let fitting: Vec<SettingPath> = others.chain(fitting.iter().cloned()).collect();
        let is_stored = |path: &&SettingPath| self.in_force.stored.value(path).is_some();
        let removed: Vec<SettingPath> = meant.iter().filter(is_stored).cloned().collect();
        let outcome = outcome.map(|set| set_in_words(&set));
        if !removed.is_empty() {
            self.controls.is_reset = true;
            let change = Change::UnsetAll { paths: removed.clone() };
            let confirm = Confirm::ResetControl { removed, fitting, outcome };
            return self.store_control(now, request, change, confirm);
        }
        let prevails = self.in_force.last_set(&fitting).cloned();
        if prevails.is_some() {
            // The device has it again.
            self.restore_controls();
        }
        Some(match (named, prevails, outcome) {
            (Some(named), Some(by), _) if by != named => {
                let value = self.in_force.shown(&by);
                Reply::error(format!("{named} was not set; {by} sets it to {value}"))
            }
            (_, Some(by), _) => match self.in_force.other_layer(&by) {
                Some(layer) => comes_from(&by, layer),
                None => Reply::error(format!("{by} cannot be changed here")),
            },
            (Some(named), None, _) => Reply::error(format!("{named} was not set")),
            (None, None, Ok(words)) => Reply::text([words]),
            (None, None, Err(why)) => Reply::error(self.stored_elsewhere(forget, why)),
        })
    }

    /// Why a control could not be reset, and what would remove what is stored of it.
    fn stored_elsewhere(&self, forget: &Forget, why: String) -> String {
        let is_it = |path: &&SettingPath| {
            let name = path.control();
            name.is_some_and(|name| name.of == forget.of && name.control == forget.control)
        };
        let unset =
            self.in_force.stored.paths().filter(is_it).map(|path| format!("`unset {path}`"));
        match unset.collect::<Vec<_>>() {
            none if none.is_empty() => why,
            unset => format!("{why}; what is stored stays: {} removes it", unset.join(" or ")),
        }
    }

    fn store_control(
        &mut self,
        now: Duration,
        request: u64,
        change: Change,
        confirm: Confirm,
    ) -> Option<Reply> {
        let about = match &confirm {
            Confirm::Control { words, .. } => format!("{words}; it is not stored"),
            Confirm::ResetControl { outcome: Ok(words) | Err(words), .. } => {
                format!("{words}; what is stored stays")
            }
            _ => String::new(),
        };
        let pending = Pending { request: Some(request), confirm };
        match self.store.push(StoreRequest::Change(change), pending) {
            Ok(()) => {
                self.clients.waits_on(request, Awaits::Store(now + STORE_PATIENCE));
                None
            }
            Err(why) => Some(Reply::error(format!("{about}: {why}"))),
        }
    }
}

/// What a control is now.
fn set_in_words(set: &ControlSet) -> String {
    let (control, product, value) = (&set.name.control, &set.product, &set.value);
    let note = set.note.as_ref().map_or(String::new(), |note| format!("; {note}"));
    format!("{control} of {product} is {value}{note}")
}

fn comes_from(path: &SettingPath, layer: Layer) -> Reply {
    let layer = layer.name();
    Reply::error(format!("{path} comes from {layer} and cannot be changed here"))
}
