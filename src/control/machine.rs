//! The machine: events in, actions and a deadline out.

mod capturing;
mod device_controls;
mod exchanging;
mod front;
mod health;
mod network;
mod requests;
mod retargeting;
mod services;
mod standby;
mod terminal;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::action::{Action, Level};
use super::black_box::Recorder;
use super::capture::CaptureState;
use super::clients::Clients;
use super::confirm::{Confirm, Pending, Standing};
use super::destinations::Destinations;
use super::device_controls::ControlsState;
use super::event::{BoardMedia, Event, Setup};
use super::exchange::are_same;
use super::network::NetworkState;
use super::settings::InForce;
use super::stats::{Counters, Rates};
use super::store::{Done, StoreFailure, StoreOutcome, StoreQueue, StoreRequest};
use crate::appliance::{self, Action as Decision, Appliance, Event as Happening};
use crate::config::Recipient;
use crate::console::{ClientId, Reply, Session};
use crate::health::Monitor;
use crate::limits::{CONSOLE_PORTS_MAX, STATS_INTERVAL};
use crate::panel::{Blinker, Button, Contact, Levels};
use crate::status::{About, Change, DestinationState, DueTo, EndNote, Mode, Status};

/// What anybody may look at while the box runs.
#[derive(Debug, Clone)]
pub struct View {
    /// State and figures.
    pub status: Status,
    /// The lights' present levels.
    pub levels: Levels,
    /// The camera or microphone that is not there, in words.
    pub missing: Option<String>,
    /// Why the last attempt of a destination ended, with the failure's kind for an exit code.
    pub last_end: Option<EndNote>,
}

/// The machine. See the room for how to drive it.
#[derive(Debug)]
pub struct Control {
    setup: Fixed,
    appliance: Appliance,
    about: About,
    /// The terminals at the box's ports, by the number of their client.
    sessions: Vec<Session>,
    buttons: [(Contact, Button); 2],
    blinker: Blinker,
    clients: Clients,
    in_force: InForce,
    store: StoreQueue<Pending>,
    destinations: Destinations,
    capture: CaptureState,
    controls: ControlsState,
    network: NetworkState,
    rates: Rates,
    health: Monitor,
    recorder: Recorder,
    /// Why what is stored cannot be read; until the store has answered with what it holds.
    store_fault: Option<String>,
    /// What `status` adds as a note.
    note: Option<String>,
    last_end: Option<EndNote>,
    /// Since when the broadcast is live, as a display at the front counts it.
    live_since: Option<Duration>,
    /// What came of the request to go live or to stop that is being carried out.
    outcome: Option<Reply>,
    /// Whom the secret is for that was asked for at a terminal.
    asked_for: BTreeMap<ClientId, Vec<Recipient>>,
    /// The destination that is being checked, and whether devices are being looked for.
    checking: Option<(u64, String)>,
    looking: Option<u64>,
    /// The request for which wireless networks are being looked for.
    scanning: Option<u64>,
    next_count: Duration,
    next_alive: Option<Duration>,
    actions: VecDeque<Action>,
}

/// The box, or its board's profile, chooses.
const AUTO: &str = "auto";

/// What does not change while the box runs.
#[derive(Debug)]
struct Fixed {
    salt: [u8; 16],
    board: BoardMedia,
    is_whole: bool,
    has_manager: bool,
    destinations: Vec<String>,
    alive_interval: Option<Duration>,
    has_failed: bool,
}

impl Control {
    /// A box that is being started.
    pub fn new(now: Duration, setup: Setup) -> Control {
        let in_force = InForce::new(setup.layers, setup.stored);
        let settings = &in_force.settings;
        let appliance = Appliance::new(
            now,
            appliance::Setup {
                seed: setup.seed,
                start_without_camera: settings.start_without_camera,
                start_without_microphone: settings.start_without_microphone,
                was_live: setup.was_live && settings.resume_live,
            },
        );
        let mut control = Control {
            appliance,
            sessions: (0..setup.terminals.min(CONSOLE_PORTS_MAX))
                .map(|_| Session::new(setup.about.clone(), setup.baud))
                .collect(),
            about: setup.about,
            buttons: [Contact::GoLive, Contact::Reset]
                .map(|contact| (contact, Button::new(contact, setup.debounce_ms))),
            blinker: Blinker::new(),
            clients: Clients::default(),
            store: StoreQueue::new(setup.can_store),
            destinations: Destinations::default(),
            capture: CaptureState::new(now, Arc::new(settings.without_secrets())),
            controls: ControlsState::default(),
            network: NetworkState::new(setup.interfaces),
            rates: Rates::default(),
            health: Monitor::new(now, setup.shows_health),
            recorder: Recorder::new(),
            store_fault: setup.store_fault,
            note: None,
            last_end: None,
            live_since: None,
            outcome: None,
            asked_for: BTreeMap::new(),
            checking: None,
            looking: None,
            scanning: None,
            next_count: now,
            next_alive: setup.alive_interval.map(|_| now),
            actions: VecDeque::new(),
            in_force,
            setup: Fixed {
                salt: setup.salt,
                board: setup.board,
                is_whole: setup.is_whole,
                has_manager: setup.has_manager,
                destinations: setup.fixed,
                alive_interval: setup.alive_interval,
                has_failed: setup.has_failed,
            },
        };
        for session in &mut control.sessions {
            session.set_wrong_pins(now, setup.wrong_pins);
        }
        if setup.was_live && !control.in_force.settings.resume_live {
            // Another start, with the setting changed, must not resume what this one did not.
            control.store.persist_live(false);
        }
        control.drain(now);
        control
    }

    // ── what happens ──────────────────────────────────────────────────────────────────────────

    /// Something happened at `now`.
    pub fn handle(&mut self, now: Duration, event: Event) {
        match event {
            Event::Booted => self.booted(now),
            Event::Contact { contact, at, pressed, at_power_up } => {
                for (of, button) in &mut self.buttons {
                    match (*of == contact, at_power_up) {
                        (true, true) => button.start(at, pressed),
                        (true, false) => button.edge(at, pressed),
                        (false, _) => {}
                    }
                }
                self.take_gestures(now);
            }
            Event::TerminalOpened { at, greet } => self.terminal_opened(now, at, greet),
            Event::Typed { at, bytes } => self.typed(now, at, &bytes),
            Event::PinChecked { at, right } => self.pin_checked(now, at, right),
            Event::Asked { from, line, secret } => self.asked(now, from, &line, secret),
            Event::Gone(client) => self.clients.remove(client),
            Event::Network { link, interfaces, connected } => {
                self.network_changed(now, link, interfaces, &connected);
            }
            Event::Clock(clock) => self.tell(now, Happening::Clock(clock)),
            Event::NetworkManaged(managed) => self.network_managed(now, managed),
            Event::Wifi { wanted, observed } => {
                self.wifi_observed(now, wanted.as_deref(), observed);
            }
            Event::Stored(outcome) => self.stored(now, outcome),
            Event::JobDone { request, result } => self.job_done(now, request, result),
            Event::Sources(look) => self.sources_found(now, look),
            Event::CaptureOpened { run, failure } => self.capture_opened(now, run, failure),
            Event::CaptureClosed { run } => self.capture_closed(now, run),
            Event::Capture { run, what } => self.capture_reports(now, run, what),
            Event::Publish { dest, attempt, what } => {
                self.publish_reports(now, dest, attempt, what)
            }
            Event::Stuck { dest } => {
                let name = self.destinations.name(dest).unwrap_or_default().to_owned();
                self.log(Level::Error, format!("the task of destination {name} takes no orders"));
                self.note_end("box", "a destination's task takes no orders", DueTo::Inside);
                self.exit(1);
            }
            Event::Counted(counters) => self.counted(now, &counters),
            Event::LevelsRead(levels) => self.levels_read(now, levels),
            Event::Health(readings) => self.health_read(now, *readings),
            Event::Terminate => self.tell(now, Happening::Terminate),
        }
        self.settle(now);
    }

    /// Time has come to `now`; harmless when nothing is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        let is_due = |at: Option<Duration>| at.is_some_and(|at| now >= at);
        self.buttons.iter_mut().for_each(|(_, button)| button.handle_timeout(now));
        self.take_gestures(now);
        if is_due(self.appliance.poll_timeout()) {
            self.appliance.handle_timeout(now);
            self.drain(now);
        }
        for at in self.terminals() {
            if self.session(at).is_some_and(|session| is_due(session.poll_timeout())) {
                self.session(at).into_iter().for_each(|session| session.handle_timeout(now));
                self.take_session_events(now, at);
            }
        }
        for request in self.clients.out_of_patience(now) {
            let why = "the disk has not stored this in time; it may still do so: see `show`";
            self.finish(now, request, Reply::error(why));
        }
        self.capture_timeout(now);
        self.exchange_timeout(now);
        if is_due(self.next_alive) {
            self.next_alive = self.setup.alive_interval.map(|every| now + every);
            self.say_alive(now);
        }
        if self.capture.is_on_air() && now >= self.next_count {
            self.next_count = now + STATS_INTERVAL;
            self.act(Action::Count);
        }
        self.health_timeout(now);
        self.settle(now);
    }

    /// When [`Control::handle_timeout`] should be called; `None` while nothing is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        [
            self.appliance.poll_timeout(),
            self.buttons.iter().filter_map(|(_, button)| button.poll_timeout()).min(),
            self.blinker.poll_timeout(),
            self.sessions.iter().filter_map(Session::poll_timeout).min(),
            self.clients.poll_timeout(),
            self.store.poll_timeout(),
            self.capture.poll_timeout(),
            self.standby_retry_at(),
            self.next_alive,
            self.capture.is_on_air().then_some(self.next_count),
            self.health.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The lights' levels at `now`.
    pub fn lights(&mut self, now: Duration) -> Levels {
        self.blinker.poll(now)
    }

    /// What the box does.
    pub fn mode(&self) -> Mode {
        self.appliance.mode()
    }

    /// How the box stands at `now`.
    pub fn view(&mut self, now: Duration) -> View {
        View {
            status: self.status(now),
            levels: self.blinker.poll(now),
            missing: self.capture.missing.first().cloned(),
            last_end: self.last_end.clone(),
        }
    }

    /// State and figures at `now`.
    pub fn status(&self, now: Duration) -> Status {
        let mut status = self.appliance.status(now);
        let in_force = &self.in_force;
        let faults =
            in_force.layers.faults.iter().chain(&in_force.held_back).chain(&self.store_fault);
        status.settings_faults = faults.cloned().collect();
        let failure = self.capture.standby.failure().map(str::to_owned);
        status.note = self.note.clone().or(failure);
        status.wifi.clone_from(&self.network.wifi);
        status.warnings = self.health.warnings(now);
        status.health.clone_from(self.health.health());
        if let (Mode::NeedsSetup, Some(lack)) = (status.mode, in_force.settings.lack()) {
            status.because = lack;
        }
        if self.capture.is_on_air() {
            status.encoder.clone_from(&self.rates.encoder);
            status.levels.clone_from(&self.rates.levels);
        }
        for destination in &mut status.destinations {
            if !destination.has_key && destination.state == DestinationState::Idle {
                let set = in_force.destination(&destination.name);
                let why = set.and_then(|set| set.ingest().err());
                destination.idle_because = why.map(|why| why.to_string());
            }
            let id = appliance::DestinationId(destination.id);
            if destination.live_for_ms.is_some() {
                destination.stats = self.rates.of(id, self.destinations.target_kbps(id));
            }
        }
        status
    }

    // ── the appliance ─────────────────────────────────────────────────────────────────────────

    /// The box is up when it is known which of its sources are there.
    fn booted(&mut self, now: Duration) {
        self.settings_changed(now);
        self.look_for_sources(now);
    }

    fn take_gestures(&mut self, now: Duration) {
        while let Some(gesture) = self.buttons.iter_mut().find_map(|(_, b)| b.poll_gesture()) {
            self.tell(now, Happening::Button(gesture));
        }
    }

    /// Hands something to the appliance, and does what it decides.
    fn tell(&mut self, now: Duration, event: Happening) {
        self.appliance.handle(now, event);
        self.drain(now);
    }

    /// Does what the appliance decides. What follows from that at once is handed to it in turn.
    fn drain(&mut self, now: Duration) {
        loop {
            while let Some(decision) = self.appliance.poll_action() {
                self.carry_out(now, decision);
            }
            let Some(ended) = self.capture.poll_ended() else { return };
            self.appliance.handle(now, ended);
        }
    }

    fn carry_out(&mut self, now: Duration, decision: Decision) {
        match decision {
            Decision::Pipeline(order) => self.order_pipeline(now, order),
            Decision::Publish(order) => self.act(Action::Publish(order)),
            Decision::Show(indication) => self.blinker.show(now, indication),
            Decision::Report(change) => self.report(now, change),
            Decision::WentLive(outcome) => {
                self.outcome = Some(super::progress::went_live(&outcome))
            }
            Decision::Stopped(outcome) => self.outcome = Some(super::progress::stopped(outcome)),
            Decision::PersistLive(live) => self.store.persist_live(live),
            Decision::FactoryReset => self.reset_by_button(),
            Decision::Notify(notify) => self.act(Action::Notify(notify)),
            Decision::Exit(code) => self.exit(code),
        }
    }

    // ── the store ─────────────────────────────────────────────────────────────────────────────

    fn reset_by_button(&mut self) {
        let pending = Pending { request: None, confirm: Confirm::Reset };
        if let Err(why) = self.store.push(StoreRequest::Reset, pending) {
            self.log(Level::Error, format!("the factory reset is not done: {why}"));
        }
    }

    fn stored(&mut self, now: Duration, outcome: StoreOutcome) {
        match self.store.answered(now, outcome) {
            Done::Nothing => {}
            Done::LiveUnwritten(why) => {
                let message = format!("could not save the live state: {why}");
                self.note = Some(message.clone());
                self.report_at(now, Level::Error, Change::Note { message });
            }
            Done::LiveWritten => {
                self.note = None;
                self.report(
                    now,
                    Change::Note { message: "the live state is saved again".to_owned() },
                );
            }
            Done::Request(pending, StoreOutcome { stored, failure }) => {
                let before = self.in_force.settings.clone();
                if matches!(pending.confirm, Confirm::Reset) {
                    self.store.live_erased();
                    self.capture.standby.forget_questions();
                }
                if let Some(stored) = stored {
                    self.store_fault = None;
                    self.in_force.store(stored);
                    self.settings_changed(now);
                }
                if matches!(pending.confirm, Confirm::Reload) {
                    self.bind_secrets();
                }
                self.confirm(now, &pending, &before, failure.as_ref());
            }
        }
    }

    fn confirm(
        &mut self,
        now: Duration,
        pending: &Pending,
        before: &crate::config::Settings,
        failure: Option<&StoreFailure>,
    ) {
        if matches!(pending.confirm, Confirm::Nobody) {
            return;
        }
        if let Confirm::Nothing { what } = pending.confirm {
            return match failure {
                None => self.log(Level::Info, format!("{what} is stored")),
                Some(why) => self.log(Level::Warn, format!("{what} is not stored: {why}")),
            };
        }
        let standing = Standing {
            before,
            now: &self.in_force,
            on_air: self.capture.is_for_broadcast(),
            bitrate_max_kbps: self.setup.board.bitrate_max_kbps,
            is_passed_through: self.capture.is_on_air() && self.rates.is_passed_through(),
        };
        let reply = pending.confirm.reply(&standing, failure);
        if failure.is_none() && self.awaits_source(now, pending, before, &reply) {
            return;
        }
        match pending.request {
            Some(request) if self.finish(now, request, reply.clone()) => {}
            // Whoever asked has got the answer that it takes too long, or is gone.
            Some(_) => self.report_late(now, &reply),
            None if failure.is_some() => self.log_reply(Level::Error, &reply),
            None => self.log_reply(Level::Info, &reply),
        }
    }

    fn report_late(&mut self, now: Duration, reply: &Reply) {
        let level = if reply.is_error() { Level::Warn } else { Level::Info };
        for message in reply.render_text() {
            self.report_at(now, level, Change::Note { message });
        }
    }

    fn log_reply(&mut self, level: Level, reply: &Reply) {
        reply.render_text().into_iter().for_each(|line| self.log(level, line));
    }

    /// Other settings are in force: a broadcast goes on, but for destinations that changed.
    fn settings_changed(&mut self, now: Duration) {
        let settings = self.in_force.settings.clone();
        let has_other_sources = !are_same(&self.capture.wanted, &settings);
        self.about.name = Some(settings.name.clone());
        for session in &mut self.sessions {
            session.set_name(&settings.name);
            session.set_has_pin(settings.console_pin.is_some());
        }
        // A broadcast keeps its settings for as long as it lasts.
        self.capture.standby.always = settings.standby;
        if self.capture.want(settings.without_secrets()) {
            self.capture.standby.forget_failure();
        }
        if has_other_sources {
            // Whoever has set them, and whether or not somebody waits to learn what has come of it.
            self.capture.exchanges.is_new = true;
            self.look_for_sources(now);
        }
        self.tell(
            now,
            Happening::StartWithout {
                camera: settings.start_without_camera,
                microphone: settings.start_without_microphone,
            },
        );
        self.hand_network_over();
        self.retarget(now);
        self.set_ceiling();
        self.adjust_capture();
        self.give_controls();
        self.exchange_sources();
        self.name_choices();
    }

    /// What the console completes arguments to.
    fn name_choices(&mut self) {
        let settings = &self.in_force.settings;
        let names: Vec<String> = settings.paths().iter().map(ToString::to_string).collect();
        let destinations = settings.names();
        let controls = self.controls.known.clone();
        let exchanges = &self.capture.exchanges;
        let devices = |found: &[String]| [AUTO.to_owned()].iter().chain(found).cloned().collect();
        let values: Vec<(&'static str, Vec<String>)> = vec![
            ("camera.device", devices(&exchanges.camera.choices)),
            ("camera.mode", devices(&[])),
            ("microphone.device", devices(&exchanges.microphone.choices)),
        ];
        for session in &mut self.sessions {
            session.set_names(names.clone(), destinations.clone());
            session.set_values(values.clone());
            session.set_controls(controls.clone());
        }
    }

    // ── what people see ───────────────────────────────────────────────────────────────────────

    /// A change: for the journal, the black box, and whoever watches.
    fn report(&mut self, now: Duration, change: Change) {
        self.report_at(now, Level::Info, change);
    }

    fn report_at(&mut self, now: Duration, level: Level, change: Change) {
        let to = match &change {
            Change::Box { to, .. } => Some(*to),
            _ => None,
        };
        let reply = Reply::Changed(change);
        for line in reply.render_text() {
            self.recorder.note(now, &line);
            self.log(level, line);
        }
        if let Some(mode) = to {
            self.keep_black_box(now, mode);
        }
        for client in self.clients.watchers() {
            self.show_unasked(now, client, &reply);
        }
    }

    /// Shows a client what it does not wait for.
    fn show_unasked(&mut self, now: Duration, to: ClientId, reply: &Reply) {
        match self.session(to) {
            Some(session) => session.change(now, reply),
            None => self.act(Action::Answer { to, reply: reply.clone(), last: false }),
        }
    }

    /// Keeps the last minutes when the box has come to a fault, or the stream broke.
    fn keep_black_box(&mut self, now: Duration, mode: Mode) {
        if !self.recorder.is_to_be_kept(now, mode) {
            return;
        }
        let request = StoreRequest::BlackBox(self.black_box(now).render_json());
        let what = "the black box of the last minutes";
        let pending = Pending { request: None, confirm: Confirm::Nothing { what } };
        // A box without a store keeps it in memory.
        let _ = self.store.push(request, pending);
    }

    /// The last minutes.
    fn black_box(&self, now: Duration) -> Reply {
        Reply::BlackBox(self.recorder.read(now, |id| self.destinations.name(id).map(str::to_owned)))
    }

    fn note_end(&mut self, destination: &str, message: &str, due_to: DueTo) {
        let (destination, message) = (destination.to_owned(), message.to_owned());
        self.last_end = Some(EndNote { destination, message, due_to });
    }

    /// The loop turns, or this would not be reached. A driver that holds a device for good is cured
    /// by a new process, if by anything.
    fn say_alive(&mut self, now: Duration) {
        // Where a new process has not cured it, the next one is started for a broadcast.
        let is_wanted = self.appliance.is_to_be_live() || !self.appliance.is_resting();
        let waits = self.setup.has_failed && !is_wanted;
        match self.capture.drivers_hang(now) {
            true if !waits => {
                let what = "a driver hangs; the watchdog will end this process";
                self.log(Level::Error, what.to_owned());
                return;
            }
            true if !self.capture.drivers.is_left_alone => {
                let what = "a driver still hangs after a restart: it is left alone until somebody goes live";
                self.log(Level::Error, what.to_owned());
                self.capture.drivers.is_left_alone = true;
            }
            _ => {}
        }
        self.act(Action::Alive);
    }

    fn counted(&mut self, now: Duration, counters: &Counters) {
        self.rates.count(now, counters);
        if let Some(capture) = &counters.capture {
            self.encoder_counted(now, capture);
        }
        let Some(encoder) = &self.rates.encoder else { return };
        let of_encoder = (encoder.target_kbps, encoder.actual_kbps);
        let figures: Vec<_> = counters
            .connections
            .iter()
            .filter_map(|(id, _)| {
                Some((*id, self.rates.of(*id, self.destinations.target_kbps(*id))?))
            })
            .collect();
        let figures = figures.iter().map(|(id, figures)| (*id, figures));
        self.recorder.sample(now, of_encoder, self.health.health(), figures);
    }

    // ── actions ───────────────────────────────────────────────────────────────────────────────

    /// What follows from whatever has happened.
    fn settle(&mut self, now: Duration) {
        self.destinations_gone();
        self.tend_standby(now);
        self.health_settles(now);
        while let Some(request) = self.store.poll(now) {
            self.act(Action::Store(request));
        }
        self.show_terminals();
    }

    fn log(&mut self, level: Level, line: String) {
        self.act(Action::Log(level, line));
    }

    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    fn answer(&mut self, to: ClientId, reply: Reply) {
        if let Some(session) = self.session(to) {
            return session.reply(&reply);
        }
        let last = !self.clients.is_of_interest(to);
        if last {
            self.clients.remove(to);
        }
        self.act(Action::Answer { to, reply, last });
    }
}
