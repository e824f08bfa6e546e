//! The desk: who asks the box for something at a console or through the control socket, and what the
//! box's hands answer.

mod serve;
mod targets;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{LOCAL, Runner};
use crate::appliance::Event;
use crate::appliance::{By, GoLive, Stop};
use crate::console::{self, ClientId, Command, Reply, Said, Typed};
use crate::device::Folder;
use crate::device::control::{Answer, Heard};
use crate::device::network_manager::NetworkManager;
use crate::device::store::Store;
use crate::limits::{CONSOLE_LINE_BYTES_MAX, WATCHERS_MAX};
use crate::run::Input;
use crate::run::keeper::{Keeper, Told};
use crate::status::{self, Change};

/// What the desk remembers of those who ask.
pub(super) struct Desk {
    clients: BTreeMap<ClientId, Client>,
    /// Makes the tags of keys mean nothing outside this run.
    salt: [u8; 16],
    /// What the appliance is told when it has nothing more to be done.
    pub later: VecDeque<Event>,
    /// The network as it was told last.
    pub interfaces: Option<Vec<status::Interface>>,
    /// Who is shown every change, and who asked to go live or to stop.
    watchers: Vec<ClientId>,
    asking: Option<ClientId>,
    /// What `status` is to say beside what the appliance knows.
    pub note: Option<String>,
    /// Started when there are settings of the network for the first time.
    network: Option<NetworkManager>,
    /// The destination that is tried, and the look for devices.
    checking: Errand,
    looking: Errand,
}

/// Something that takes a while, and that one at a time is sent on.
#[derive(Default)]
struct Errand {
    what: String,
    under_way: Weak<()>,
}

impl Errand {
    /// Begins; it is over when what this gives is dropped. Else gives what is still under way.
    fn begin(&mut self, what: &str) -> Result<Arc<()>, &str> {
        if self.under_way.strong_count() > 0 {
            return Err(&self.what);
        }
        let begun = Arc::new(());
        (self.what, self.under_way) = (what.to_owned(), Arc::downgrade(&begun));
        Ok(begun)
    }
}

/// A client of the control socket.
struct Client {
    answers: mpsc::Sender<Answer>,
    secret: Option<Typed>,
}

impl Desk {
    pub fn new() -> Desk {
        let mut salt = [0; 16];
        // Without randomness of the system the tags are still tags, and not secret.
        let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut salt);
        Desk {
            clients: BTreeMap::new(),
            salt,
            later: VecDeque::new(),
            watchers: Vec::new(),
            asking: None,
            interfaces: None,
            note: None,
            network: None,
            checking: Errand::default(),
            looking: Errand::default(),
        }
    }
}

/// The keeper of `store`; `None`, with a word in the log, when there is no thread for it.
pub(super) fn keeper(store: Store<Folder>, inputs: mpsc::Sender<Input>) -> Option<Keeper> {
    let started = Keeper::start(store, move |told| {
        let input = match told {
            Told::Kept(kept) => Input::Kept(kept),
            Told::Unlatched(why) => Input::Unlatched(why),
        };
        // Nobody listens any more when the box is ending.
        let _ = inputs.blocking_send(input);
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

    /// The port was opened, or opened anew: whoever was there is gone.
    pub(super) fn handle_opened(&mut self, greet: bool) {
        self.session.set_mode(self.appliance.mode());
        self.session.open(self.clock.now(), greet);
        self.hear_session();
    }

    pub(super) fn handle_typed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.session.set_mode(self.appliance.mode());
            self.session.feed(self.clock.now(), *byte);
            self.obey_session();
            // What is pasted is shown in one piece: the port's queue counts pieces.
            if self.session.output_bytes() > CONSOLE_LINE_BYTES_MAX {
                self.show_console();
            }
        }
        self.show_console();
    }

    /// Does what was said at the port, and shows what there is to show.
    pub(super) fn hear_session(&mut self) {
        self.obey_session();
        self.show_console();
    }

    fn obey_session(&mut self) {
        while let Some(said) = self.session.poll_said() {
            match said {
                Said::Command(command) => self.execute(LOCAL, command),
                Said::Secret { setting, value } => self.put_secret(LOCAL, &setting, value),
                Said::Pin(typed) => self.judge_pin(typed),
                Said::Left => self.desk.watchers.retain(|watcher| *watcher != LOCAL),
            }
        }
    }

    pub(super) fn show_console(&mut self) {
        let shown = self.session.take_output();
        if !shown.is_empty() {
            (self.hands.console)(shown);
        }
    }

    /// Takes a while, so it happens on the blocking pool.
    fn judge_pin(&mut self, typed: Typed) {
        let (pin, inputs) = (self.settings.console_pin.clone(), self.inputs.clone());
        spawn_blocking(move || {
            let right = pin.is_none_or(|pin| pin.admits(&typed.0));
            // Nobody listens any more when the box is ending.
            let _ = inputs.blocking_send(Input::PinJudged(right));
        });
    }

    pub(super) fn handle_pin_judged(&mut self, right: bool) {
        if !right {
            tracing::warn!("a wrong PIN was typed at the console");
        }
        self.session.set_mode(self.appliance.mode());
        let held = self.session.judged(self.clock.now(), right);
        self.show_console();
        self.handle_typed(&held);
    }

    pub(super) fn handle_heard(&mut self, heard: Heard) {
        match heard {
            Heard::Asked { from, line, secret, answers } => {
                self.desk.clients.insert(from, Client { answers, secret });
                match console::parse(&line) {
                    Ok(Some(command)) => self.execute(from, command),
                    Ok(None) => self.reply(from, &Reply::error("nothing is asked for")),
                    Err(error) => self.reply(from, &Reply::from(error)),
                }
            }
            Heard::Gone(client) => {
                self.desk.clients.remove(&client);
                self.desk.watchers.retain(|watcher| *watcher != client);
            }
        }
    }

    // ── what they get ───────────────────────────────────────────────────────────────────────

    /// A change: for the journal, and for whoever watches.
    pub(super) fn announce(&mut self, change: Change) {
        let reply = &Reply::Changed(change);
        let now = self.clock.now();
        for line in reply.render_text() {
            tracing::info!("{line}");
            self.recorder.note(now, &line);
        }
        if let Reply::Changed(Change::Box { to, .. }) = reply {
            self.keep_past(*to);
        }
        if self.watches(LOCAL) {
            self.session.set_mode(self.appliance.mode());
            self.session.change(now, reply);
        }
        let clients = self.desk.clients.keys().copied();
        let watching: Vec<ClientId> = clients.filter(|c| self.watches(*c)).collect();
        for client in watching {
            self.reply(client, reply);
        }
    }

    /// Answers whoever asked. A client that does not watch is done with it; one that does not read
    /// is cut off.
    pub(super) fn reply(&mut self, to: ClientId, reply: &Reply) {
        if to == LOCAL {
            self.session.set_mode(self.appliance.mode());
            self.session.reply(reply);
            return;
        }
        let stays = self.watches(to);
        if let Some(client) = self.desk.clients.get(&to)
            && (client.answers.try_send(Answer::from(reply)).is_err() || !stays)
        {
            self.desk.clients.remove(&to);
        }
    }

    fn watches(&self, client: ClientId) -> bool {
        self.desk.watchers.contains(&client)
    }

    fn watch(&mut self, from: ClientId) -> Reply {
        if self.watches(from) {
            self.desk.watchers.retain(|watcher| *watcher != from);
            Reply::text(["changes are no longer shown"])
        } else if self.desk.watchers.len() < WATCHERS_MAX {
            self.desk.watchers.push(from);
            Reply::text(["every change is shown; `watch` again ends it"])
        } else {
            Reply::error("too many consoles watch already")
        }
    }

    fn execute(&mut self, from: ClientId, command: Command) {
        let now = self.clock.now();
        let reply = match command {
            Command::Help { about } => Reply::Text { lines: console::help(about) },
            Command::Status => {
                let mut status = self.appliance.status(now);
                self.complete(&mut status);
                Reply::Status(Box::new(status))
            }
            Command::Live => {
                self.desk.asking = Some(from);
                return self.tell(Event::GoLive { by: By::Console });
            }
            Command::Stop => {
                self.desk.asking = Some(from);
                return self.tell(Event::Stop { by: By::Console });
            }
            Command::Watch => self.watch(from),
            Command::DestinationList => {
                let disabled = self.settings.destinations.iter().filter(|d| !d.enabled);
                let disabled = disabled.map(|d| d.name.clone()).collect();
                let destinations = self.appliance.status(now).destinations;
                Reply::Destinations { destinations, disabled }
            }
            Command::About => Reply::About(self.session.about().clone()),
            Command::Serve(service) => return self.serve(from, service),
        };
        self.reply(from, &reply);
    }

    pub(super) fn answer_live(&mut self, outcome: GoLive) {
        let reply = match outcome {
            GoLive::Begun => Reply::text(["going live"]),
            GoLive::AfterTheLast => Reply::text(["going live as soon as the last one is closed"]),
            GoLive::RetryingNow => Reply::text(["trying again at once"]),
            GoLive::AlreadyLive => Reply::text(["already live"]),
            GoLive::Refused(why) => Reply::error(why.sentence()),
        };
        self.answer(&reply);
    }

    pub(super) fn answer_stop(&mut self, outcome: Stop) {
        self.answer(&Reply::text([match outcome {
            Stop::Nothing => "already stopped",
            Stop::NotByItself => "the box no longer goes live by itself",
            Stop::Ending => "ending the broadcast",
            Stop::AlreadyEnding => "the broadcast is being ended",
            Stop::FaultCleared => "the fault is cleared",
        }]));
    }

    fn answer(&mut self, reply: &Reply) {
        if let Some(from) = self.desk.asking.take() {
            self.reply(from, reply);
        }
    }
}
