//! The desk: who asks the box for something at a console or through the control socket, and what the
//! box's hands answer.

use std::collections::VecDeque;

use super::*;
use crate::appliance::Event;
use crate::config::schema::{self, Kind, Section};
use crate::console::{Checked, ClientId, Network, Phase, Service, SettingLine, Stick, Typed};
use crate::device::store::Store;
use crate::device::{Folder, network};
use crate::limits::CONSOLE_LINE_BYTES_MAX;
use crate::run::Kept;
use crate::secret::StreamKey;

/// What the desk remembers of those who ask.
pub(super) struct Desk {
    /// The serial line speaks with a program.
    machine: bool,
    /// The destination whose key is being asked for at the serial line.
    key_for: Option<String>,
    clients: BTreeMap<ClientId, Client>,
    /// Makes the tags of keys mean nothing outside this run.
    salt: [u8; 16],
    /// What the appliance is told when it has nothing more to be done.
    pub later: VecDeque<Event>,
    /// The network as it was told last.
    pub interfaces: Option<Vec<console::Interface>>,
}

/// A client of the control socket.
struct Client {
    answers: mpsc::Sender<Answer>,
    key: Option<StreamKey>,
}

impl Desk {
    pub fn new() -> Desk {
        let mut salt = [0; 16];
        // Without randomness of the system the tags are still tags, and not secret.
        let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut salt);
        Desk {
            machine: false,
            key_for: None,
            clients: BTreeMap::new(),
            salt,
            later: VecDeque::new(),
            interfaces: None,
        }
    }
}

/// The keeper of `store`; `None`, with a word in the log, when there is no thread for it.
pub(super) fn keeper(store: Store<Folder>, inputs: mpsc::Sender<Input>) -> Option<Keeper> {
    let started = Keeper::start(store, move |kept| {
        // Nobody listens any more when the box is ending.
        let _ = inputs.blocking_send(Input::Kept(kept));
    });
    started.inspect_err(|error| tracing::error!(%error, "settings cannot be kept")).ok()
}

/// The next word of the control socket; for ever silent without one.
pub(super) async fn next_heard(control: &mut Option<mpsc::Receiver<Heard>>) -> Heard {
    if let Some(heard) = control
        && let Some(heard) = heard.recv().await
    {
        return heard;
    }
    std::future::pending().await
}

impl Runner {
    // ── who asks ────────────────────────────────────────────────────────────────────────────

    pub(super) fn handle_typed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let mut echo = Vec::new();
            let input = self.editor.feed(*byte, &mut echo);
            if !echo.is_empty() && !self.desk.machine {
                (self.hands.console)(echo);
            }
            match input {
                Some(console::Input::Line(line)) => self.handle_line(&line),
                Some(console::Input::TooLong) => {
                    let most = CONSOLE_LINE_BYTES_MAX;
                    self.print(&Reply::error(format!("the line is longer than {most} bytes")));
                }
                Some(console::Input::Interrupted) => {
                    self.desk.key_for = None;
                    self.prompt();
                }
                Some(console::Input::Secret(secret)) => match (secret, self.desk.key_for.take()) {
                    (Ok(key), Some(name)) => self.set_key(LOCAL, name, key),
                    (Err(error), _) => {
                        self.print(&Reply::error(format!("{error}; nothing was changed")));
                    }
                    (Ok(_), None) => self.prompt(),
                },
                None => {}
            }
        }
    }

    fn handle_line(&mut self, line: &str) {
        match console::parse(line) {
            Ok(Some(command)) => self.tell(Event::Console { from: LOCAL, command }),
            Ok(None) => self.prompt(),
            Err(error) => {
                if error.problem == console::Problem::KeyShown {
                    self.editor.forget_line();
                }
                self.print(&Reply::from(error));
            }
        }
    }

    pub(super) fn handle_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Asked { from, line, key, answers } => {
                self.desk.clients.insert(from, Client { answers, key });
                match console::parse(&line) {
                    Ok(Some(command)) => self.tell(Event::Console { from, command }),
                    Ok(None) => self.reply(from, &Reply::error("nothing is asked for")),
                    Err(error) => self.reply(from, &Reply::from(error)),
                }
            }
            Heard::Gone(client) => {
                self.desk.clients.remove(&client);
                self.tell(Event::ConsoleGone(client));
            }
        }
    }

    // ── what they get ───────────────────────────────────────────────────────────────────────

    /// A change: for the journal, and for whoever watches.
    pub(super) fn announce(&mut self, reply: &Reply) {
        let now = self.clock.now();
        for line in reply.render_text() {
            tracing::info!("{line}");
            self.recorder.note(now, &line);
        }
        if let Reply::Changed(console::Change::Box { to, .. }) = reply {
            self.keep_past(*to);
        }
        let watching: Vec<ClientId> = std::iter::once(LOCAL)
            .chain(self.desk.clients.keys().copied())
            .filter(|client| self.appliance.watches(*client))
            .collect();
        for client in watching {
            self.reply(client, reply);
        }
    }

    /// Answers whoever asked. A client that does not watch is done with it; one that does not read
    /// is cut off.
    pub(super) fn reply(&mut self, to: ClientId, reply: &Reply) {
        if to == LOCAL {
            return self.print(reply);
        }
        let reply = self.with_numbers(reply);
        let stays = self.appliance.watches(to);
        if let Some(client) = self.desk.clients.get(&to)
            && (client.answers.try_send(Answer::from(&reply)).is_err() || !stays)
        {
            self.desk.clients.remove(&to);
        }
    }

    fn with_numbers(&self, reply: &Reply) -> Reply {
        match reply {
            Reply::Status(status) => {
                let mut status = status.clone();
                self.add_numbers(&mut status);
                Reply::Status(status)
            }
            other => other.clone(),
        }
    }

    pub(super) fn print(&mut self, reply: &Reply) {
        let reply = self.with_numbers(reply);
        let mut out = Vec::new();
        let lines = if self.desk.machine {
            reply.render_machine()
        } else {
            self.editor.erase(&mut out);
            reply.render_text()
        };
        for line in lines {
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        (self.hands.console)(out);
        self.prompt();
    }

    pub(super) fn prompt(&mut self) {
        if self.desk.machine {
            return;
        }
        let mode = self.appliance.mode();
        self.editor.set_prompt(&console::prompt(mode));
        let mut out = Vec::new();
        self.editor.redraw(&mut out);
        (self.hands.console)(out);
    }

    // ── what the hands do ───────────────────────────────────────────────────────────────────

    pub(super) fn serve(&mut self, from: ClientId, service: Service) {
        let answer = match service {
            Service::Set { name, value } => self.set(from, name, value),
            Service::Unset { name } => {
                let done = format!("{name} is taken back");
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
            Service::Key { name } => self.ask_key(from, name),
            Service::Check { name } => self.check(from, &name),
            Service::Export => Some(Reply::text(config::export(&self.settings).lines())),
            Service::Reload => self.keep(from, Wish::Reload, "the settings are read".to_owned()),
            Service::Network => Some(self.network()),
            Service::BlackBox => Some(self.past()),
            Service::Log => Some(Reply::text(self.hands.log.lines())),
            Service::FactoryReset { sure: false } => Some(Reply::text([
                "this forgets all settings and stream keys; say `factory-reset yes` to do it",
            ])),
            Service::FactoryReset { sure: true } => {
                self.desk.later.push_back(Event::Forget);
                self.keep(from, Wish::Reset, "all settings and keys are forgotten".to_owned())
            }
            Service::Reboot { sure } => self.reboot(sure),
            Service::Mode { machine } => {
                if from == LOCAL {
                    self.desk.machine = machine;
                }
                Some(Reply::text([if machine { "machine mode, version 1" } else { "text mode" }]))
            }
            Service::Stick(stick) => {
                self.desk.later.push_back(Event::Stick(stick));
                Some(Reply::text([match stick {
                    Stick::Working => "the lights say that a stick is being read",
                    Stick::Accepted => "the lights say that a stick was accepted",
                    Stick::Refused => "the lights say that a stick was refused",
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
        let is_of_encoder = (name.starts_with("video.") || name.starts_with("audio."))
            && !["video.bitrate_kbps", "video.follow"].contains(&name.as_str());
        let on_air = !matches!(self.capture, CaptureSlot::Off);
        let done = if is_of_encoder && on_air {
            format!("{name} is set; it holds from the next broadcast")
        } else {
            format!("{name} is set")
        };
        self.keep(from, Wish::Set { name, value }, done)
    }

    fn ask_key(&mut self, from: ClientId, name: String) -> Option<Reply> {
        if !self.knows(&name) {
            return Some(no_such(&name));
        }
        if from != LOCAL {
            let key = self.desk.clients.get_mut(&from).and_then(|client| client.key.take());
            match key {
                Some(key) => self.set_key(from, name, key),
                None => return Some(Reply::error("the key is read from standard input")),
            }
            return None;
        }
        let mut question = Vec::new();
        self.editor.ask_secret(&format!("stream key of {name} (not shown): "), &mut question);
        self.desk.key_for = Some(name);
        if self.desk.machine {
            question = b"ASK\r\nsecret: stream key\r\n\r\n".to_vec();
        }
        (self.hands.console)(question);
        None
    }

    fn set_key(&mut self, from: ClientId, name: String, key: StreamKey) {
        let characters = key.reveal().chars().count();
        let tag = key.tag(&self.desk.salt);
        let done = format!("the key of {name} is set: {characters} characters, tag {tag}");
        if let Some(refused) = self.keep(from, Wish::Key { name, key }, done) {
            self.reply(from, &refused);
        }
    }

    fn shown(&self, begin: Option<&str>) -> Reply {
        let begin = begin.unwrap_or_default();
        let shown = self.settings.shown().into_iter().filter(|(name, _)| name.starts_with(begin));
        let settings = shown.map(|(name, value)| {
            let (section, key) = (name.split('.').next(), name.rsplit('.').next());
            let section = Section::ALL.into_iter().find(|s| Some(s.name()) == section);
            let setting = section.zip(key).and_then(|(s, key)| schema::find(s, key));
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
        let key = set.key.as_ref().filter(|_| kind == Some(Kind::Key))?;
        let tag = key.tag(&self.desk.salt);
        Some(format!("set, {} characters, tag {tag}", key.reveal().chars().count()))
    }

    fn network(&self) -> Reply {
        let facts = self.appliance.status(self.clock.now()).facts;
        let interfaces = self.desk.interfaces.clone().unwrap_or_else(network::interfaces);
        Reply::Network(Network { interfaces, link: facts.link, clock: facts.clock })
    }

    /// Tries a destination on a task of its own; the answer comes when it is known.
    fn check(&mut self, from: ClientId, name: &str) -> Option<Reply> {
        let running = self.destinations.values().find(|d| d.settings.name == name);
        let Some(running) = running else { return Some(no_such(name)) };
        let Some(target) = running.settings.target.clone() else {
            return Some(Reply::error(format!("{name} lacks an address or a key; see `show`")));
        };
        let (clock, inputs, name) = (self.clock, self.inputs.clone(), name.to_owned());
        tokio::spawn(async move {
            let publish::Preflight { phases, failure, .. } =
                publish::preflight(clock, &target, publish::Depth::Connect).await;
            let phases =
                phases.iter().map(|p| Phase { name: p.name, took_ms: p.took_ms }).collect();
            let failure = failure.map(|error| error.to_string());
            let _ = inputs.send(Input::Checked(from, Checked { name, phases, failure })).await;
        });
        None
    }

    fn reboot(&mut self, sure: bool) -> Option<Reply> {
        if !self.hands.manager.is_there() {
            return Some(Reply::error(
                "no service manager started this program; switch it off and on",
            ));
        }
        if !sure {
            return Some(Reply::text(["this starts the machine anew; say `reboot yes` to do it"]));
        }
        spawn_blocking(crate::device::reboot);
        Some(Reply::text(["the machine starts anew"]))
    }

    // ── settings ────────────────────────────────────────────────────────────────────────────

    /// Hands a wish to the keeper; the reply only if that cannot be done.
    fn keep(&mut self, from: ClientId, wish: Wish, done: String) -> Option<Reply> {
        let Some(keeper) = &self.keeper else {
            return Some(Reply::error("this box has no place to store settings"));
        };
        let order = KeepOrder { from: Some(from), wish, done };
        keeper.order(order).err().map(Reply::error)
    }

    pub(super) fn latch(&mut self, live: bool) {
        if let Some(keeper) = &self.keeper {
            let order = KeepOrder { from: None, wish: Wish::Latch(live), done: String::new() };
            if let Err(error) = keeper.order(order) {
                tracing::warn!(error, "a power cut would not find the box as it is");
            }
        }
    }

    /// A factory reset by the button; what comes of it is in the log.
    pub(super) fn forget(&mut self) {
        let Some(keeper) = &self.keeper else { return };
        let order = KeepOrder { from: None, wish: Wish::Reset, done: String::new() };
        if let Err(error) = keeper.order(order) {
            tracing::error!(error, "the factory reset is not done");
        }
    }

    pub(super) fn handle_kept(&mut self, kept: Kept) {
        let reply = match kept.outcome {
            Ok(stored) => {
                self.apply(stored);
                Reply::text([kept.done])
            }
            Err(why) => Reply::error(why),
        };
        match (kept.from, &reply) {
            (Some(from), reply) => self.reply(from, reply),
            (None, Reply::Error { message, .. }) => tracing::error!("{message}"),
            (None, _) => {}
        }
    }

    /// What is stored holds from now on. A broadcast goes on, but for destinations that changed.
    fn apply(&mut self, stored: Partial) {
        self.settings = self.sources.effective(&stored);
        self.stored = stored;
        self.request = plan::request(&self.of_board, &self.settings);
        self.set_ceiling();
        self.tell(Event::StartWithout {
            camera: self.settings.start_without_camera,
            microphone: self.settings.start_without_microphone,
        });
        self.retarget();
    }

    /// Brings destinations and their tasks in line with the settings.
    pub(super) fn retarget(&mut self) {
        let fixed = self.fixed.iter().map(|fixed| (fixed.name.clone(), None));
        let enabled = self.settings.destinations.iter().filter(|d| d.enabled);
        let wanted: Vec<_> =
            fixed.chain(enabled.map(|d| (d.name.clone(), Some(d.clone())))).collect();
        let mut targets = Vec::new();
        for (name, made_of) in wanted {
            let id = self.bring_in_line(&name, made_of);
            if let Some(Running { settings, revision, .. }) = self.destinations.get(&id) {
                let has_key = settings.target.is_some();
                let has_backup = settings.backup.is_some();
                let revision = *revision;
                targets.push(ApplianceTarget { id, name, revision, has_key, has_backup });
            }
        }
        self.order = targets.iter().map(|target| target.id).collect();
        self.tell(Event::Targets(targets));
        self.drop_gone();
        self.name_choices();
    }

    /// A destination that is as it was keeps its TLS tickets; another address or key is another
    /// revision.
    fn bring_in_line(&mut self, name: &str, made_of: Option<config::Destination>) -> DestinationId {
        let known = self.destinations.iter_mut().find(|(_, d)| d.settings.name == name);
        if let Some((id, running)) = &known
            && running.settings.made_of == made_of
        {
            return **id;
        }
        let wanted = match &made_of {
            Some(made_of) => plan::destination(made_of),
            None => match self.fixed.iter().find(|fixed| fixed.name == name) {
                Some(fixed) => fixed.clone(),
                None => {
                    Destination { name: name.to_owned(), target: None, backup: None, made_of: None }
                }
            },
        };
        match known {
            Some((id, running)) => {
                running.settings = wanted;
                running.revision += 1;
                *id
            }
            None => self.begin_destination(wanted),
        }
    }

    fn begin_destination(&mut self, settings: Destination) -> DestinationId {
        let id = DestinationId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let handle = publish::spawn(self.clock, id.0, self.fan_out.clone(), self.reports.clone());
        handle.ceiling_kbps.send_replace(self.request.video.bitrate_kbps);
        self.destinations.insert(id, Running { settings, revision: 0, handle, target_kbps: None });
        id
    }

    /// Ends the tasks of destinations that nobody wants and nobody waits for.
    pub(super) fn drop_gone(&mut self) {
        let appliance = &self.appliance;
        self.destinations.retain(|id, _| appliance.holds(*id));
        let destinations = &self.destinations;
        self.rates.retain(|id| destinations.contains_key(id));
    }

    /// What the console completes arguments to.
    fn name_choices(&mut self) {
        let settings = self.settings.shown().into_iter().map(|(name, _)| name);
        let settings = settings.filter(|name| !name.ends_with(".key")).collect();
        let destinations = self.settings.destinations.iter().map(|d| d.name.clone()).collect();
        self.editor.set_names(settings, destinations);
    }
}

fn no_such(name: &str) -> Reply {
    Reply::error(format!("there is no destination {name}; `destination add` makes one"))
}
