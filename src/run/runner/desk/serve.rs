//! What the box's hands do for whoever asks.

use tokio::task::spawn_blocking;

use crate::appliance::Event;
use crate::clock::Clock;
use crate::config;
use crate::config::schema::{Applies, Form, Kind, Setting, SettingPath, Text, Value};
use crate::console::{ClientId, MACHINE_VERSION, Reply, ReplyMode, Service, Typed};
use crate::device::network;
use crate::run::Input;
use crate::run::keeper::Wish;
use crate::run::runner::{LOCAL, Runner, numbers};
use crate::secret::StreamKey;
use crate::status::{Checked, CheckedServer, Network, Phase, SettingLine, StickImport};
use crate::{capture, publish};

impl Runner {
    pub(in crate::run::runner) fn serve(&mut self, from: ClientId, service: Service) {
        let answer = match service {
            Service::Set { name, value } => self.set(from, name, value),
            Service::Unset { name } => {
                let done = format!("{name} is reset to its default");
                self.keep(from, Wish::Unset { name }, done)
            }
            Service::Show { name } => Some(self.shown(name.as_deref())),
            Service::DestinationAdd { name, url } if self.knows(&name) => {
                drop(url);
                Some(Reply::error(format!("{name} exists; `destination set` changes its address")))
            }
            Service::DestinationSet { name, .. } if !self.knows(&name) => Some(no_such(&name)),
            Service::DestinationAdd { name, url } | Service::DestinationSet { name, url } => {
                self.set(from, format!("destination.{name}.url"), url)
            }
            Service::DestinationRemove { name } => {
                let done = format!("{name} is removed");
                self.keep(from, Wish::Unset { name: format!("destination.{name}") }, done)
            }
            Service::Key { name } => match self.meant(name) {
                Ok(name) => {
                    let question = format!("stream key of {name}");
                    self.ask_secret(from, format!("destination.{name}.key"), &question)
                }
                Err(why) => Some(Reply::error(why)),
            },
            Service::SetSecret { name } => self.ask_secret(from, name.to_owned(), name),
            Service::Check { name } => match self.meant(name) {
                Ok(name) => self.check(from, &name),
                Err(why) => Some(Reply::error(why)),
            },
            Service::Devices => self.devices(from),
            Service::Levels => Some(self.levels()),
            Service::Export => Some(Reply::text(config::export(&self.settings).lines())),
            Service::Reload => self.keep(from, Wish::Reload, "the settings are read".to_owned()),
            Service::Network => Some(self.network()),
            Service::BlackBox => Some(self.past()),
            Service::Log => Some(Reply::text(self.hands.log.lines())),
            Service::FactoryReset { sure: false } => Some(Reply::text([
                "this erases all settings and stream keys; say `factory-reset yes` to do it",
            ])),
            Service::FactoryReset { sure: true } => {
                self.desk.later.push_back(Event::FactoryReset);
                self.keep(from, Wish::Reset, "all settings and keys are erased".to_owned())
            }
            Service::Reboot { sure } => self.reboot(sure),
            Service::Mode { machine } => {
                if from == LOCAL {
                    self.session.set_machine(machine);
                }
                let version = MACHINE_VERSION;
                Some(Reply::Mode(match machine {
                    true => ReplyMode::Machine { version },
                    false => ReplyMode::Text,
                }))
            }
            Service::Stick(stick) => {
                self.desk.later.push_back(Event::Stick(stick));
                Some(Reply::text([match stick {
                    StickImport::Working => "the lights say that a stick is being read",
                    StickImport::Accepted => "the lights say that a stick was accepted",
                    StickImport::Refused => "the lights say that a stick was refused",
                }]))
            }
        };
        if let Some(reply) = answer {
            self.reply(from, &reply);
        }
    }

    fn knows(&self, destination: &str) -> bool {
        self.settings.destinations.iter().any(|known| known.name == destination)
    }

    fn set(&mut self, from: ClientId, name: String, value: Typed) -> Option<Reply> {
        let setting = setting_called(&name);
        let is_later = setting.is_some_and(|setting| setting.applies == Applies::NextBroadcast);
        let on_air = !self.capture.is_off();
        let most_kbps = self.of_board.video.bitrate_max_kbps;
        let is_beyond = || value.0.parse().is_ok_and(|kbps: u32| kbps > most_kbps);
        let done = if is_later && on_air {
            format!("{name} is set; it takes effect at the next broadcast")
        } else if name == "video.bitrate_kbps" && is_beyond() {
            format!("{name} is set; limited to {most_kbps} kb/s by this board")
        } else {
            format!("{name} is set")
        };
        self.keep(from, Wish::Set { name, value }, done)
    }

    /// The destination that is meant: the only one where none is named.
    fn meant(&self, name: Option<String>) -> Result<String, String> {
        let mut names: Vec<&str> =
            self.destinations.values().map(|running| running.settings.name.as_str()).collect();
        if names.is_empty() {
            names = self.settings.destinations.iter().map(|set| set.name.as_str()).collect();
        }
        match (name, names.as_slice()) {
            (Some(name), _) if names.contains(&name.as_str()) || self.knows(&name) => Ok(name),
            (Some(name), _) => Err(none_called(&name)),
            (None, [only]) => Ok((*only).to_owned()),
            (None, []) => Err("there is no destination; `destination add` makes one".to_owned()),
            (None, all) => Err(format!("which destination? There are {}", all.join(", "))),
        }
    }

    fn ask_secret(&mut self, from: ClientId, setting: String, question: &str) -> Option<Reply> {
        if from == LOCAL {
            self.session.ask(question, &setting);
            return None;
        }
        let secret = self.desk.clients.get_mut(&from).and_then(|client| client.secret.take());
        match secret {
            Some(secret) => {
                self.put_secret(from, &setting, secret);
                None
            }
            None => Some(Reply::error("it is read from standard input")),
        }
    }

    /// Hands a secret to the keeper, and says what can be said about it.
    pub(super) fn put_secret(&mut self, from: ClientId, setting: &str, value: Typed) {
        let kind = setting_called(setting).map_or(Kind::Text(Form::Key), |setting| setting.kind);
        let refused = match kind.read(&value.0) {
            Ok(Value::Text(Text::Key(key))) => {
                let tag = self.tag(&key);
                self.keep_set(from, setting, value, format!("{setting} is set: {tag}"))
            }
            Ok(_) => self.keep_set(from, setting, value, format!("{setting} is set")),
            Err(error) => Some(Reply::error(format!("{error}; nothing was changed"))),
        };
        if let Some(refused) = refused {
            self.reply(from, &refused);
        }
    }

    fn keep_set(
        &mut self,
        from: ClientId,
        setting: &str,
        value: Typed,
        done: String,
    ) -> Option<Reply> {
        self.keep(from, Wish::Set { name: setting.to_owned(), value }, done)
    }

    fn tag(&self, key: &StreamKey) -> String {
        let characters = key.reveal().chars().count();
        format!("{characters} characters, tag {}", key.tag(&self.desk.salt))
    }

    fn shown(&self, begin: Option<&str>) -> Reply {
        let begin = begin.unwrap_or_default();
        let shown = self.settings.shown().into_iter().filter(|(name, _)| name.starts_with(begin));
        let settings = shown.map(|(name, value)| {
            let setting = setting_called(&name);
            let allowed = setting.map(|setting| setting.kind.to_string()).unwrap_or_default();
            let value = self.tagged(&name, setting.map(|s| s.kind)).unwrap_or(value);
            SettingLine { name, value, allowed }
        });
        Reply::Settings { settings: settings.collect() }
    }

    /// A key is shown by its length and tag.
    fn tagged(&self, name: &str, kind: Option<Kind>) -> Option<String> {
        let destination = name.strip_prefix("destination.")?.strip_suffix(".key")?;
        let set = self.settings.destinations.iter().find(|d| d.name == destination)?;
        let key = set.key.as_ref().filter(|_| kind == Some(Kind::Text(Form::Key)))?;
        Some(format!("set, {}", self.tag(key)))
    }

    fn network(&self) -> Reply {
        let facts = self.appliance.status(self.clock.now()).facts;
        let interfaces = self.desk.interfaces.clone().unwrap_or_else(network::interfaces);
        let managed = self.managed.clone();
        Reply::Network(Network { interfaces, link: facts.link, clock: facts.clock, managed })
    }

    /// Tries a destination's servers on a task of its own; the answer comes when it is known.
    fn check(&mut self, from: ClientId, name: &str) -> Option<Reply> {
        let running = self.destinations.values().find(|d| d.settings.name == name);
        let Some(running) = running else {
            return Some(if self.knows(name) { is_disabled(name) } else { no_such(name) });
        };
        let Some(target) = running.settings.target.clone() else {
            return Some(Reply::error(format!("{name} lacks an address or a key; see `show`")));
        };
        let targets = [Some(target), running.settings.backup.clone()];
        let begun = match self.desk.checking.begin(name) {
            Ok(begun) => begun,
            Err(other) => return Some(Reply::error(format!("still checking {other}"))),
        };
        let (clock, inputs, name) = (self.clock, self.inputs.clone(), name.to_owned());
        tokio::spawn(async move {
            let mut servers = Vec::new();
            for target in targets.into_iter().flatten() {
                servers.push(checked(clock, &target).await);
            }
            drop(begun);
            let checked = Reply::Checked(Checked { name, servers });
            let _ = inputs.send(Input::Answered(from, checked)).await;
        });
        None
    }

    /// Looking for devices takes a while, and would disturb those in use.
    fn devices(&mut self, from: ClientId) -> Option<Reply> {
        if !self.capture.is_off() {
            return Some(Reply::error(
                "camera, microphone and encoder are in use; ask again when nothing is on air",
            ));
        }
        let Ok(begun) = self.desk.looking.begin("devices") else {
            return Some(Reply::error("still looking for devices; ask again when that is done"));
        };
        let (request, inputs) = (self.request.clone(), self.inputs.clone());
        spawn_blocking(move || {
            let answer = match capture::devices(&request) {
                Ok(report) => Reply::Devices {
                    lines: report.to_string().lines().map(str::to_owned).collect(),
                    // It is made of structs, texts and numbers.
                    found: serde_json::to_value(report).unwrap_or_default(),
                },
                Err(error) => Reply::error(error.to_string()),
            };
            drop(begun);
            let _ = inputs.blocking_send(Input::Answered(from, answer));
        });
        None
    }

    fn levels(&self) -> Reply {
        match self.capture.running() {
            Some(capture) => Reply::Levels(numbers::level_numbers(&capture.stats())),
            None => Reply::error("nothing is measured while the box is not on air"),
        }
    }

    fn reboot(&mut self, sure: bool) -> Option<Reply> {
        if !self.hands.manager.is_there() {
            return Some(Reply::error(
                "no service manager started this program; switch it off and on",
            ));
        }
        if !sure {
            return Some(Reply::text(["this restarts the machine; say `reboot yes` to do it"]));
        }
        spawn_blocking(crate::device::reboot);
        Some(Reply::text(["the machine restarts"]))
    }
}

async fn checked(clock: Clock, target: &publish::Target) -> CheckedServer {
    let publish::Preflight { phases, failure, .. } =
        publish::preflight(clock, target, publish::Depth::Connect).await;
    CheckedServer {
        server: target.server(),
        phases: phases.iter().map(|p| Phase { name: p.name, took_ms: p.took_ms }).collect(),
        failure: failure.map(|error| error.to_string()),
    }
}

fn no_such(name: &str) -> Reply {
    Reply::error(none_called(name))
}

fn is_disabled(name: &str) -> Reply {
    let way_out = format!("`set destination.{name}.enabled true` enables it");
    Reply::error(format!("{name} is disabled; {way_out}"))
}

fn none_called(name: &str) -> String {
    format!("there is no destination {name}; `destination add` makes one")
}

fn setting_called(name: &str) -> Option<&'static Setting> {
    name.parse().ok().map(|path: SettingPath| path.setting())
}
