//! What is answered besides going live: settings, keys, devices, network, the machine.

use std::time::Duration;

use super::Control;
use crate::appliance::Event as Happening;
use crate::config::schema::{Form, Kind, SettingPath, Text, Value};
use crate::config::{self, Recipient};
use crate::console::{ClientId, MACHINE_VERSION, Reply, ReplyMode, Secret, Service, Typed};
use crate::control::action::{Action, Job};
use crate::control::confirm::{Confirm, Pending, no_destination};
use crate::control::event::JobResult;
use crate::control::progress::Progress;
use crate::control::store::{Change, StoreRequest};
use crate::secret::StreamKey;
use crate::status::{Network, SettingLine, StickImport};

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
            Service::Set { name, value } => return self.set(number, name, value),
            Service::Unset { name } => return self.unset(number, name),
            Service::Show { name } => self.shown(name.as_deref().unwrap_or_default()),
            Service::DestinationAdd { name, .. } if self.in_force.destination(&name).is_some() => {
                Reply::error(format!("{name} exists; `destination set` changes its address"))
            }
            Service::DestinationSet { name, .. } if self.in_force.destination(&name).is_none() => {
                Reply::error(no_destination(&name))
            }
            Service::DestinationAdd { name, url } | Service::DestinationSet { name, url } => {
                return self.set(number, format!("destination.{name}.url"), url);
            }
            Service::DestinationRemove { name } => {
                let change = Change::Unset { name: format!("destination.{name}") };
                return self.change(number, change, Confirm::RemoveDestination { name });
            }
            Service::Key { name } => match self.meant(name) {
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
            Service::Devices => return self.devices(number),
            Service::Levels => match (&self.rates.levels, self.capture.is_on()) {
                (Some(levels), true) => Reply::Levels(levels.clone()),
                (None, true) => Reply::error("nothing has been measured yet"),
                (_, false) => Reply::error("nothing is measured while the box is not live"),
            },
            Service::Export => Reply::text(config::export(&self.in_force.settings).lines()),
            Service::Reload => {
                return self.hand_to_store(number, StoreRequest::Read, Confirm::Reload);
            }
            Service::Network => self.network_facts(now),
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
            Service::Stick(stick) => {
                self.tell(now, Happening::Stick(stick));
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

    fn set(&mut self, number: u64, name: String, value: Typed) -> Progress {
        let path: SettingPath = match name.parse() {
            Ok(path) => path,
            Err(error) => return refused(&error),
        };
        // A value that cannot be one is refused without the store.
        if let Err(error) = path.setting().kind.read(&value.0) {
            return refused(&format!("{} {error}", path.setting().name));
        }
        let given_for = Vec::new();
        self.change(number, Change::Set { name, value, given_for }, Confirm::Set { path })
    }

    fn unset(&mut self, number: u64, name: String) -> Progress {
        if let Some(destination) = name.strip_prefix("destination.").filter(|n| !n.contains('.')) {
            let confirm = Confirm::RemoveDestination { name: destination.to_owned() };
            return self.change(number, Change::Unset { name }, confirm);
        }
        match name.parse() {
            Ok(path) => self.change(number, Change::Unset { name }, Confirm::Unset { path }),
            Err(error) => refused::<config::schema::PathError>(&error),
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

    fn shown(&self, begin: &str) -> Reply {
        let shown = self.in_force.settings.shown().into_iter();
        let settings = shown.filter(|(name, _)| name.starts_with(begin)).map(|(name, value)| {
            let path: Option<SettingPath> = name.parse().ok();
            let kind = path.as_ref().map(|path| path.setting().kind);
            let allowed = kind.map(|kind| kind.to_string()).unwrap_or_default();
            let key = path.as_ref().and_then(|path| self.key_in_force(path));
            let value = key.map_or(value, |key| format!("set, {}", self.tag(key)));
            SettingLine { name, value, allowed }
        });
        Reply::Settings { settings: settings.collect() }
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
                let given_for = name_of(&of).parse().map(|path| self.recipients(&path));
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
        let name = name_of(of);
        let path: SettingPath = match name.parse() {
            Ok(path) => path,
            Err(error) => return refused::<config::schema::PathError>(&error),
        };
        let given_for = given_for.unwrap_or_else(|| self.recipients(&path));
        let confirm = match path.setting().kind.read(&value.0) {
            Ok(Value::Text(Text::Key(key))) => {
                let shown = self.tag(&key);
                Confirm::Key { path, key, shown }
            }
            Ok(_) => Confirm::Set { path },
            Err(error) => return refused(&format!("{error}; nothing was changed")),
        };
        self.change(number, Change::Set { name, value, given_for }, confirm)
    }

    /// Whom a secret is for that is given now.
    fn recipients(&self, secret: &SettingPath) -> Vec<Recipient> {
        config::recipients(&self.in_force.settings, secret)
    }

    /// Secrets of a stick that named no server or network are for those in force.
    pub(super) fn bind_secrets(&mut self) {
        for path in self.in_force.stored.unbound() {
            let (name, given_for) = (path.to_string(), self.recipients(&path));
            if !given_for.is_empty() && self.in_force.is_in_force(&path) {
                let pending = Pending { request: None, confirm: Confirm::Nobody };
                let change = Change::Bind { name, given_for };
                // What is not bound goes to no server that is stored later either.
                let _ = self.store.push(StoreRequest::Change(change), pending);
            }
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
            (Some(name), _) => Err(no_destination(&name)),
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
                return refused(&format!("{name} lacks an address or a stream key; see `show`"));
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

    /// Looking for devices takes a while, and would disturb those in use.
    fn devices(&mut self, number: u64) -> Progress {
        if !self.capture.is_off() {
            let why =
                "camera, microphone and encoder are in use; ask again when the box is not live";
            return refused(&why);
        }
        if self.looking.is_some() {
            return refused(&"still looking for devices; ask again when that is done");
        }
        self.looking = Some(number);
        self.job(number, Job::Devices(self.capture.wanted.clone()))
    }

    fn job(&mut self, request: u64, job: Job) -> Progress {
        self.act(Action::Job { request, job });
        Progress::Job
    }

    pub(super) fn job_done(&mut self, now: Duration, request: u64, result: JobResult) {
        self.checking.take_if(|(checking, _)| *checking == request);
        self.looking.take_if(|looking| *looking == request);
        let reply = match result {
            JobResult::Checked(checked) => Reply::Checked(checked),
            JobResult::Devices(found, lines) => Reply::Devices { found, lines },
            JobResult::Log(lines) => Reply::text(lines),
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
        })
    }
}

/// The setting that a secret is.
fn name_of(secret: &Secret) -> String {
    match secret {
        Secret::Key { destination } => format!("destination.{destination}.key"),
        Secret::Setting { name } => (*name).to_owned(),
    }
}

fn refused<E: std::fmt::Display>(why: &E) -> Progress {
    Progress::Answered(Reply::error(why.to_string()))
}
