//! What is answered besides going live: settings, keys, devices, network, the machine.

use std::time::Duration;

use super::Control;
use crate::appliance::Event as Happening;
use crate::config::schema::{Decimal, Fallback, Form, Kind, PathError, SettingPath, Text, Value};
use crate::config::{self, NotReady, Recipient};
use crate::console::{ClientId, MACHINE_VERSION, Reply, ReplyMode, Secret, Service, Shown, Typed};
use crate::control::action::{Action, Job, Still};
use crate::control::capture::Asks;
use crate::control::confirm::{Confirm, NO_DESTINATION, Pending, exists};
use crate::control::event::JobResult;
use crate::control::progress::Progress;
use crate::control::store::{Change, Only, StoreRequest};
use crate::device_controls::{ControlName, ControlValue};
use crate::secret::StreamKey;
use crate::status::{Limits, Network, Origin, SettingLine, SettingValue, StickImport};

impl Control {
    pub(super) fn serve(
        &mut self,
        now: Duration,
        from: ClientId,
        number: u64,
        service: Service,
        secret: Option<Typed>,
    ) -> Progress {
        let reply = match service {
            Service::Set { name, value } => {
                let path = name.parse::<SettingPath>();
                // Of a control only its device knows what it may be.
                if let Some(name) = path.as_ref().ok().and_then(SettingPath::control).cloned() {
                    let ControlName { of, device, control } = name;
                    return self.set_control(number, of, Some(device), control, &value);
                }
                return self.set_at(number, path, value, Only::Always);
            }
            Service::Controls(of) => return self.list_controls(number, of),
            Service::SetControl { of, control, value } => {
                return self.set_control(number, of, None, control, &value);
            }
            Service::ResetControl { of, control } => {
                return self.reset_control(number, of, None, control);
            }
            Service::Unset { name } => return self.unset(number, &name),
            Service::Show(which) => self.shown(&which),
            Service::DestinationAdd { name, url } => {
                return match self.in_force.destination(&name) {
                    Some(_) => refused(&exists(&name)),
                    None => self.set_at(number, SettingPath::url_of(&name), url, Only::IfNew),
                };
            }
            Service::DestinationSet { name, url } => {
                return match self.in_force.destination(&name) {
                    Some(_) => {
                        let only = self.if_there(&name);
                        self.set_at(number, SettingPath::url_of(&name), url, only)
                    }
                    None => refused(&NO_DESTINATION),
                };
            }
            Service::DestinationRemove { name } => return self.remove_destination(number, name),
            Service::Key { name } => match self.takes_key(name) {
                Ok(destination) => {
                    return self.ask_secret(from, number, Secret::Key { destination }, secret);
                }
                Err(why) => Reply::error(why),
            },
            Service::SetSecret { name } => {
                return self.ask_secret(from, number, Secret::Setting { name }, secret);
            }
            Service::Check { name } => match self.meant(name) {
                Ok(name) => return self.check(number, name),
                Err(why) => Reply::error(why),
            },
            Service::Devices => return self.ask_for_devices(now, number),
            Service::Levels => return self.ask_devices(now, number, Asks::Levels),
            Service::LevelsWatch => self.watch_levels(now, from),
            Service::Still { longest_side, quality } => {
                if self.session(from).is_some_and(|session| !session.is_machine()) {
                    return refused(&NOT_AT_A_TERMINAL);
                }
                let still = Still { longest_side, quality };
                return self.ask_devices(now, number, Asks::Still(still));
            }
            Service::Export => Reply::text(config::export(&self.in_force.settings).lines()),
            Service::Reload => {
                return self.hand_to_store(number, StoreRequest::Read, Confirm::Reload);
            }
            Service::Network => self.network_facts(now),
            Service::NetworkScan => return self.scan_wifi(from, number),
            Service::BlackBox => self.black_box(now),
            Service::Log => return self.job(number, Job::Log),
            Service::FactoryReset { sure: false } => Reply::text([
                "this erases all settings and stream keys; say `factory-reset yes` to do it",
            ]),
            Service::FactoryReset { sure: true } => {
                let progress = self.hand_to_store(number, StoreRequest::Reset, Confirm::Reset);
                // A reset that is refused ends no broadcast.
                if matches!(progress, Progress::Store) {
                    self.tell(now, Happening::FactoryReset);
                }
                return progress;
            }
            Service::Reboot { .. } if !self.setup.has_manager => {
                Reply::error("no service manager started this program; switch it off and on")
            }
            Service::Reboot { sure: false } => {
                Reply::text(["this restarts the machine; say `reboot yes` to do it"])
            }
            Service::Reboot { sure: true } => {
                self.act(Action::Reboot);
                Reply::text(["the machine restarts"])
            }
            Service::Mode { machine } => self.reply_mode(from, machine),
            Service::Stick { stick, words } => {
                self.tell(now, Happening::Stick(stick));
                if let Some(words) = words {
                    self.report_stick(now, stick, &words);
                }
                Reply::text([match stick {
                    StickImport::Working => "the lights show that a stick is being read",
                    StickImport::Accepted => "the lights show that a stick was accepted",
                    StickImport::Refused => "the lights show that a stick was refused",
                }])
            }
        };
        Progress::Answered(reply)
    }

    // ── settings ──────────────────────────────────────────────────────────────────────────────

    fn set_at(
        &mut self,
        number: u64,
        path: Result<SettingPath, PathError>,
        value: Typed,
        only: Only,
    ) -> Progress {
        let path = match path {
            Ok(path) => path,
            Err(error) => return refused(&error),
        };
        // A value that cannot be one is refused without the store.
        if let Err(error) = path.setting().kind.read(&value.0) {
            return refused(&format!("{} {error}", path.setting().name));
        }
        let given_for = Vec::new();
        let change = Change::Set { path: path.clone(), value, given_for, only };
        self.change(number, change, Confirm::Set { path })
    }

    fn unset(&mut self, number: u64, name: &str) -> Progress {
        let destination = name.strip_prefix("destination.").filter(|n| !n.contains('.'));
        if let Some(destination) = destination {
            return self.remove_destination(number, destination.to_owned());
        }
        match name.parse::<SettingPath>() {
            Ok(path) => match path.control().cloned() {
                Some(ControlName { of, device, control }) => {
                    self.reset_control(number, of, Some(device), control)
                }
                None => {
                    let change = Change::Unset { path: path.clone() };
                    self.change(number, change, Confirm::Unset { path })
                }
            },
            Err(error) => refused(&error),
        }
    }

    fn remove_destination(&mut self, number: u64, name: String) -> Progress {
        let change = Change::RemoveDestination { name: name.clone() };
        self.change(number, change, Confirm::RemoveDestination { name })
    }

    /// A destination that is only stored must still be so when the change is; one that the
    /// integrator's file or a credential names is there in any case.
    fn if_there(&self, destination: &str) -> Only {
        match self.in_force.layer_naming(destination) {
            Some(_) => Only::Always,
            None => Only::IfThere,
        }
    }

    fn change(&mut self, number: u64, change: Change, confirm: Confirm) -> Progress {
        self.hand_to_store(number, StoreRequest::Change(change), confirm)
    }

    fn hand_to_store(&mut self, number: u64, request: StoreRequest, confirm: Confirm) -> Progress {
        match self.store.push(request, Pending { request: Some(number), confirm }) {
            Ok(()) => Progress::Store,
            Err(why) => refused(&why),
        }
    }

    fn shown(&self, which: &Shown) -> Reply {
        let begin = match which {
            Shown::Set | Shown::All => "",
            Shown::Begins(name) => name.as_str(),
        };
        let lines = self.in_force.settings.paths().into_iter().map(|path| self.setting_line(&path));
        let settings = lines.filter(|line| line.name.starts_with(begin)).collect();
        Reply::Settings { settings, brief: *which == Shown::Set }
    }

    /// The value in force and where it comes from.
    fn setting_line(&self, path: &SettingPath) -> SettingLine {
        let setting = path.setting();
        let set = self.in_force.settings.to_partial().value(path).cloned();
        let set = set.or_else(|| setting.fallback_value());
        let of_board = self.setup.board.value(setting.name);
        let (value, words) = match (set, of_board, setting.fallback) {
            (Some(Value::Flag(flag)), ..) => (Some(SettingValue::Flag(flag)), None),
            (Some(Value::Number(set)), ..) => {
                let most = self.limit_of_board(setting.name).filter(|most| *most < set);
                let words =
                    most.map(|most| format!("{most}, the most of this board ({set} is set)"));
                (Some(SettingValue::Number(most.unwrap_or(set).into())), words)
            }
            (Some(Value::Decimal(set)), ..) => (Some(shown_number(set)), None),
            (Some(Value::Text(Text::Control(set))), ..) => (Some(shown_control(set)), None),
            (Some(value), ..) => {
                let key = self.key_in_force(path).map(|key| format!("set, {}", self.tag(key)));
                (Some(SettingValue::Text(key.unwrap_or_else(|| value.to_string()))), None)
            }
            (None, Some(number), _) => (Some(SettingValue::Number(number.into())), None),
            (None, None, Fallback::Words(words)) => (None, Some(words.to_owned())),
            (None, None, Fallback::Value(value)) => {
                (Some(SettingValue::Text(value.to_owned())), None)
            }
        };
        let origin = self.in_force.origin(path).unwrap_or(match of_board {
            Some(_) => Origin::Board,
            None => Origin::Default,
        });
        let limits = match setting.kind {
            Kind::Flag => Limits::Flag,
            Kind::Number { min, max, step, unit } => {
                Limits::Number { min: min.into(), max: max.into(), step, unit }
            }
            Kind::Decimal { min, max, decimals: 0, unit } => {
                Limits::Number { min: min.into(), max: max.into(), step: 1, unit }
            }
            Kind::Decimal { min, max, decimals, unit } => {
                let [min, max] = [min, max].map(|scaled| Decimal { scaled, decimals }.to_f64());
                Limits::Decimal { min, max, decimals, unit }
            }
            Kind::Choice(words) => Limits::Choice { words },
            // A text; no setting is a list.
            _ => Limits::Text { secret: setting.kind.is_secret() },
        };
        SettingLine {
            name: path.to_string(),
            value,
            words,
            origin,
            allowed: setting.kind.to_string(),
            limits,
        }
    }

    /// What the board allows less of than the settings do.
    fn limit_of_board(&self, setting: &str) -> Option<u32> {
        (setting == "video.bitrate_kbps").then_some(self.setup.board.bitrate_max_kbps)
    }

    fn key_in_force(&self, path: &SettingPath) -> Option<&StreamKey> {
        let is_key = path.setting().kind == Kind::Text(Form::Key);
        self.in_force.destination(path.destination()?)?.key.as_ref().filter(|_| is_key)
    }

    // ── secrets ───────────────────────────────────────────────────────────────────────────────

    fn ask_secret(
        &mut self,
        from: ClientId,
        number: u64,
        of: Secret,
        secret: Option<Typed>,
    ) -> Progress {
        match secret {
            Some(value) => self.put_secret(number, &of, value, None),
            None => {
                let given_for = path_of(&of).map(|path| self.recipients(&path));
                match self.session(from) {
                    Some(session) => {
                        session.ask(of);
                        // Whoever answers has these in mind, whatever is changed meanwhile.
                        self.asked_for.insert(from, given_for.unwrap_or_default());
                        Progress::Asked
                    }
                    None => refused(&"it is read from standard input"),
                }
            }
        }
    }

    /// Hands a secret to the store, with what may be shown of it.
    pub(super) fn put_secret(
        &mut self,
        number: u64,
        of: &Secret,
        value: Typed,
        given_for: Option<Vec<Recipient>>,
    ) -> Progress {
        let only = match of {
            // It may have lost its address, or be removed, while the key was typed.
            Secret::Key { destination } => match self.takes_key(Some(destination.clone())) {
                Ok(name) => self.if_there(&name),
                Err(why) => return refused(&why),
            },
            Secret::Setting { .. } => Only::Always,
        };
        let path = match path_of(of) {
            Ok(path) => path,
            Err(error) => return refused(&error),
        };
        let given_for = given_for.unwrap_or_else(|| self.recipients(&path));
        let confirm = match path.setting().kind.read(&value.0) {
            Ok(Value::Text(Text::Key(key))) => {
                let shown = self.tag(&key);
                Confirm::Key { path: path.clone(), key, shown }
            }
            Ok(_) => Confirm::Set { path: path.clone() },
            Err(error) => return refused(&format!("{error}; nothing was changed")),
        };
        self.change(number, Change::Set { path, value, given_for, only }, confirm)
    }

    /// Whom a secret is for that is given now.
    fn recipients(&self, secret: &SettingPath) -> Vec<Recipient> {
        config::recipients(&self.in_force.settings, secret)
    }

    /// Secrets of a stick that named no server or network are for those in force.
    pub(super) fn bind_secrets(&mut self) {
        for path in self.in_force.stored.unbound() {
            let given_for = self.recipients(&path);
            if !given_for.is_empty() && self.in_force.is_in_force(&path) {
                let pending = Pending { request: None, confirm: Confirm::Nobody };
                let change = Change::Bind { path, given_for };
                // What is not bound goes to no server that is stored later either.
                let _ = self.store.push(StoreRequest::Change(change), pending);
            }
        }
    }

    /// The destination that is meant, where a key can be given to it: a key is for one server.
    fn takes_key(&self, name: Option<String>) -> Result<String, String> {
        let name = self.meant(name)?;
        match self.in_force.destination(&name) {
            Some(set) if set.url.is_some() => Ok(name),
            Some(_) => Err(format!(
                "a key is for one server, and {name} has no address yet: `destination set {name} \
                 ADDRESS` first, then `key {name}`"
            )),
            None => Err(format!("{name} is not one of the settings; its key cannot be changed")),
        }
    }

    /// A key is shown by its length and tag.
    fn tag(&self, key: &StreamKey) -> String {
        let characters = key.reveal().chars().count();
        format!("{characters} characters, tag {}", key.tag(&self.setup.salt))
    }

    // ── destinations and devices ──────────────────────────────────────────────────────────────

    /// The destination that is meant: the only one where none is named.
    fn meant(&self, name: Option<String>) -> Result<String, String> {
        let fixed = self.setup.destinations.iter().map(String::as_str);
        let set = self.in_force.settings.destinations.iter().map(|set| set.name.as_str());
        let names: Vec<&str> = fixed.chain(set).collect();
        match (name, names.as_slice()) {
            (Some(name), names) if names.contains(&name.as_str()) => Ok(name),
            (Some(_), _) => Err(NO_DESTINATION.to_owned()),
            (None, [only]) => Ok((*only).to_owned()),
            (None, []) => Err("there is no destination; `destination add` makes one".to_owned()),
            (None, all) => Err(format!("which destination? There are {}", all.join(", "))),
        }
    }

    /// Tries a destination's servers; one at a time, because each try takes a while.
    fn check(&mut self, number: u64, name: String) -> Progress {
        if let Some((_, other)) = &self.checking {
            return refused(&format!("still checking {other}"));
        }
        let dest = match self.destinations.ready(&name) {
            Some((dest, true)) => dest,
            Some((_, false)) => {
                return refused(&match self.in_force.destination(&name).map(|set| set.ingest()) {
                    Some(Err(NotReady::NoKey)) => {
                        format!("{name} has no stream key; `key {name}` sets it")
                    }
                    Some(Err(NotReady::NoAddress)) => {
                        format!("{name} has no address; `destination set {name} ADDRESS` sets it")
                    }
                    Some(Err(why)) => format!("{name} cannot be used: {why}"),
                    Some(Ok(_)) | None => format!("{name} is not ready yet; try again"),
                });
            }
            None => {
                return refused(&format!(
                    "{name} is disabled; `set destination.{name}.enabled true` enables it"
                ));
            }
        };
        self.checking = Some((number, name.clone()));
        self.job(number, Job::Check { dest, name })
    }

    fn job(&mut self, request: u64, job: Job) -> Progress {
        self.act(Action::Job { request, job });
        Progress::Job
    }

    pub(super) fn job_done(&mut self, now: Duration, request: u64, result: JobResult) {
        self.checking.take_if(|(checking, _)| *checking == request);
        self.looking.take_if(|looking| *looking == request);
        self.scanning.take_if(|scanning| *scanning == request);
        let asked = self.controls.asking.take_if(|(asking, _)| *asking == request);
        if let Some((_, Some(forget))) = asked {
            if let Some(reply) = self.control_was_reset(now, request, &forget, result) {
                self.finish(now, request, reply);
            }
            return;
        }
        let reply = match result {
            JobResult::Controls(controls) => {
                self.controls_listed(&controls);
                Reply::Controls(controls)
            }
            JobResult::ControlSet(set) => match self.control_was_set(now, request, set) {
                Some(reply) => reply,
                None => return,
            },
            // Whoever asked is gone.
            JobResult::ControlReset(_) => return,
            JobResult::Checked(checked) => Reply::Checked(checked),
            JobResult::Devices(found, lines) => Reply::Devices { found, lines },
            JobResult::Log(lines) => Reply::text(lines),
            JobResult::Still(image) => Reply::Still(image),
            JobResult::WifiScan { points, known } => self.wifi_found(&points, &known),
            JobResult::Failed(why) => Reply::error(why),
        };
        self.finish(now, request, reply);
    }

    // ── the rest ──────────────────────────────────────────────────────────────────────────────

    fn reply_mode(&mut self, from: ClientId, machine: bool) -> Reply {
        self.session(from).into_iter().for_each(|session| session.set_machine(machine));
        let version = MACHINE_VERSION;
        Reply::Mode(if machine { ReplyMode::Machine { version } } else { ReplyMode::Text })
    }

    fn network_facts(&self, now: Duration) -> Reply {
        let facts = self.appliance.status(now).facts;
        Reply::Network(Network {
            interfaces: self.network.interfaces.clone(),
            link: facts.link,
            clock: facts.clock,
            managed: self.network.managed.clone(),
            wifi: self.network.wifi.clone(),
        })
    }
}

const NOT_AT_A_TERMINAL: &str = "a terminal cannot show it: `firstmile ctl picture > FILE` on the box \
    writes a file, and `mode machine` gives it to a program";

/// The setting that a secret is.
fn path_of(secret: &Secret) -> Result<SettingPath, PathError> {
    match secret {
        Secret::Key { destination } => SettingPath::key_of(destination),
        Secret::Setting { name } => name.parse(),
    }
}

fn shown_control(set: ControlValue) -> SettingValue {
    match set {
        ControlValue::Flag(flag) => SettingValue::Flag(flag),
        ControlValue::Number(number) => SettingValue::Number(number.into()),
        ControlValue::Word(word) => SettingValue::Text(word),
    }
}

fn shown_number(set: Decimal) -> SettingValue {
    match set.decimals {
        0 => SettingValue::Number(set.scaled.into()),
        _ => SettingValue::Decimal(set.to_f64()),
    }
}

fn refused<E: std::fmt::Display>(why: &E) -> Progress {
    Progress::Answered(Reply::error(why.to_string()))
}
