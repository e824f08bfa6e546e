//! The loop itself.

mod capturing;
mod desk;
mod numbers;
mod publishing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::spawn_blocking;

use super::black_box::Recorder;
use super::keeper::Keeper;
use super::news::News;
use super::slot::Slot;
use super::{Destination, Hands, Input, Setup, View, outcome, plan};
use crate::appliance::{
    Action, Appliance, DestinationId, Event, Notify as Notice, Presence, Setup as ApplianceSetup,
};
use crate::board;
use crate::capture::{self, Capture};
use crate::clock::Clock;
use crate::config::{Partial, Settings, Wifi, Wired};
use crate::console::{ClientId, Session};
use crate::device::Sources;
use crate::device::button::ContactEvent;
use crate::device::network_manager::NOT_SET;
use crate::limits::{CONSOLE_BAUD, EVENTS_MAX, NUMBERS_INTERVAL, REPROBE_INTERVAL};
use crate::media::FanOut;
use crate::pace::PathTarget;
use crate::panel::{Blinker, Button, Contact};
use crate::publish::{PublishHandle, Report};
use crate::status::{About, DueTo, EndNote};
use capturing::Drivers;
use desk::Desk;
use numbers::Rates;

/// The console on the box's own port.
const LOCAL: ClientId = ClientId(0);

/// Debounce of a button that does not bounce: keys of a terminal, and keys that the kernel debounces.
const NO_DEBOUNCE_MS: u16 = 0;

pub(super) struct Runner {
    clock: Clock,
    /// What has become of the settings of the network, and those that were handed over last.
    managed: String,
    handed: Option<(Wired, Wifi)>,
    /// Destinations that no setting names.
    fixed: Vec<Destination>,
    /// What the board itself would capture, and what is captured from the next start on.
    of_board: capture::Request,
    request: capture::Request,
    /// What is captured now.
    on_air: capture::Request,
    sources: Sources,
    stored: Partial,
    /// No source of settings was left out when the box started.
    is_whole: bool,
    settings: Settings,
    keeper: Option<Keeper>,
    hands: Hands,
    inputs: mpsc::Sender<Input>,
    view: watch::Sender<Option<View>>,

    appliance: Appliance,
    buttons: [(Contact, Button); 2],
    blinker: Blinker,
    session: Session,
    desk: Desk,

    fan_out: FanOut,
    key_wanted: Arc<Notify>,
    reports: mpsc::Sender<Report>,
    reported: mpsc::Receiver<Report>,
    destinations: BTreeMap<DestinationId, Running>,
    /// Those that are set, in the order of the settings.
    order: Vec<DestinationId>,
    /// The highest bitrate of the picture, as the destinations know it.
    ceiling_kbps: u32,
    next_id: u32,
    capture: Slot<Capture>,
    news: Arc<News>,

    last_end: Option<EndNote>,
    missing: Option<String>,
    rates: Rates,
    recorder: Recorder,
    next_numbers: Duration,
    next_look: Duration,
    next_alive: Option<Duration>,
    drivers: Drivers,
    exit: Option<u8>,
}

/// A destination with its task.
struct Running {
    settings: Destination,
    revision: u64,
    handle: PublishHandle,
    /// The target bitrate of its path.
    path: PathTarget,
}

impl Runner {
    pub(super) fn new(
        clock: Clock,
        setup: Setup,
        hands: Hands,
        inputs: mpsc::Sender<Input>,
        view: watch::Sender<Option<View>>,
    ) -> Runner {
        let now = clock.now();
        let Setup { profile, request: of_board, destinations: fixed, memory, machine } = setup;
        let settings = memory.sources.effective(&memory.stored);
        let appliance = Appliance::new(
            now,
            ApplianceSetup {
                seed: fastrand::u64(..),
                start_without_camera: settings.start_without_camera,
                start_without_microphone: settings.start_without_microphone,
                was_live: memory.was_live && settings.resume_live,
            },
        );
        let request = plan::request(&of_board, &settings);
        let ceiling_kbps = request.video.bitrate_kbps;
        let keeper = memory.store.and_then(|store| desk::keeper(store, inputs.clone()));
        if memory.was_live && !settings.resume_live {
            // Another start, with the setting changed, must not take up what this one did not.
            keeper.iter().for_each(|keeper| keeper.latch(false));
        }
        let debounce_ms = match &profile.button {
            board::Button::Cdev { debounce_ms, .. } => {
                u16::try_from(*debounce_ms).unwrap_or(u16::MAX)
            }
            board::Button::Keys | board::Button::Input { .. } | board::Button::None => {
                NO_DEBOUNCE_MS
            }
        };
        let about = About {
            product: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            board: profile.name.clone(),
            name: None,
            machine: machine.model,
            serial_number: machine.serial_number,
        };
        let session = Session::new(about, profile.console.baud().unwrap_or(CONSOLE_BAUD));
        let (reports, reported) = mpsc::channel(EVENTS_MAX);
        let next_alive = hands.manager.alive_interval().map(|_| now);
        Runner {
            clock,
            managed: NOT_SET.to_owned(),
            handed: None,
            fixed,
            of_board,
            on_air: request.clone(),
            request,
            sources: memory.sources,
            stored: memory.stored,
            is_whole: memory.is_whole,
            settings,
            keeper,
            hands,
            inputs,
            view,
            appliance,
            buttons: [Contact::GoLive, Contact::Reset]
                .map(|contact| (contact, Button::new(contact, debounce_ms))),
            blinker: Blinker::new(),
            session,
            desk: Desk::new(),
            fan_out: FanOut::new(),
            key_wanted: Arc::new(Notify::new()),
            reports,
            reported,
            destinations: BTreeMap::new(),
            order: Vec::new(),
            ceiling_kbps,
            next_id: 0,
            capture: Slot::new(),
            news: Arc::new(News::default()),
            last_end: None,
            missing: None,
            rates: Rates::default(),
            recorder: Recorder::new(),
            next_numbers: now,
            next_look: now,
            next_alive,
            drivers: Drivers::default(),
            exit: None,
        }
    }

    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> u8 {
        self.begin();
        loop {
            self.perform_all();
            self.show_lights();
            self.show_console();
            self.publish_view();
            if let Some(code) = self.exit {
                self.end().await;
                return code;
            }
            let deadline = self.deadline();
            tokio::select! {
                Some(input) = inputs.recv() => self.handle_input(input),
                Some(report) = self.reported.recv() => self.handle_report(report),
                heard = desk::next_heard(&mut self.hands.control) => self.handle_heard(heard),
                () = self.news.came() => self.hear_capture(),
                () = self.key_wanted.notified() => self.force_key_frame(),
                () = self.clock.reach(deadline) => {}
            }
            self.handle_timeouts();
        }
    }

    /// Tells the appliance what there is; the console answers from here on.
    fn begin(&mut self) {
        self.perform_all();
        self.tell_session();
        self.tell_network();
        self.retarget();
        self.look_for_sources();
        self.tell(Event::Booted);
    }

    /// Whether camera and microphone are there. A running capture knows better and says so itself.
    fn look_for_sources(&mut self) {
        if !self.capture.is_off() {
            return;
        }
        self.missing = None;
        for source in [capture::Source::Camera, capture::Source::Microphone] {
            let presence = match self.request.check_presence(source) {
                Ok(()) if self.request.presence_is_unknown(source) => Presence::Unsure,
                Ok(()) => Presence::Back,
                Err(error) => {
                    self.missing = Some(error.to_string());
                    Presence::Lost
                }
            };
            self.tell(Event::Source(outcome::source(source), presence));
        }
        self.next_look = self.clock.now() + REPROBE_INTERVAL;
    }

    async fn end(&mut self) {
        if let Some(capture) = self.capture.take() {
            let _ = spawn_blocking(move || drop(capture)).await;
        }
    }

    // ── inputs ──────────────────────────────────────────────────────────────────────────────

    fn tell(&mut self, event: Event) {
        let now = self.clock.now();
        self.appliance.handle(now, event);
        self.perform_all();
    }

    fn handle_input(&mut self, input: Input) {
        match input {
            Input::Contact(event) => self.handle_contact(event),
            Input::ConsoleOpened { greet } => self.handle_opened(greet),
            Input::Typed(bytes) => self.handle_typed(&bytes),
            Input::PinJudged(right) => self.handle_pin_judged(right),
            Input::Network(link, interfaces) => {
                self.desk.interfaces = interfaces;
                self.find_stranded();
                self.tell(Event::Link(link));
            }
            Input::Clock(clock) => self.tell(Event::Clock(clock)),
            Input::Kept(kept) => self.handle_kept(kept),
            Input::Unlatched(why) => self.handle_unlatched(why),
            Input::Answered(to, reply) => self.reply(to, &reply),
            Input::NetworkManaged(told) => self.handle_network_managed(told),
            Input::CaptureStarted(run, started) => {
                self.drivers.answered(self.clock.now());
                self.handle_started(run, started);
            }
            Input::CaptureStopped(run) => {
                let now = self.clock.now();
                self.drivers.answered(now);
                let acts = self.capture.closed(now, run);
                self.carry_out(acts);
            }
            Input::Terminate => self.tell(Event::Terminate),
        }
    }

    fn handle_contact(&mut self, ContactEvent { contact, at, pressed, at_power_up }: ContactEvent) {
        for (of, button) in &mut self.buttons {
            match (*of == contact, at_power_up) {
                (true, true) => button.start(at, pressed),
                (true, false) => button.edge(at, pressed),
                (false, _) => {}
            }
        }
        self.hear_buttons();
    }

    fn hear_buttons(&mut self) {
        while let Some(gesture) = self.buttons.iter_mut().find_map(|(_, b)| b.poll_gesture()) {
            self.tell(Event::Button(gesture));
        }
    }

    fn note_end(&mut self, destination: &str, words: &dyn std::fmt::Display, due_to: DueTo) {
        let words = words.to_string();
        let message = words;
        self.last_end = Some(EndNote { destination: destination.to_owned(), message, due_to });
    }

    fn handle_timeouts(&mut self) {
        let now = self.clock.now();
        self.buttons.iter_mut().for_each(|(_, button)| button.handle_timeout(now));
        self.hear_buttons();
        if self.appliance.poll_timeout().is_some_and(|at| now >= at) {
            self.appliance.handle_timeout(now);
            self.perform_all();
        }
        if self.session.poll_timeout().is_some_and(|at| now >= at) {
            self.session.handle_timeout(now);
            self.hear_session();
        }
        let act = self.capture.go_on(now);
        self.carry_out([act]);
        if now >= self.next_look {
            self.look_for_sources();
        }
        if self.next_alive.is_some_and(|at| now >= at) {
            self.next_alive = self.hands.manager.alive_interval().map(|every| now + every);
            self.say_alive(now);
        }
        if now >= self.next_numbers {
            self.next_numbers = now + NUMBERS_INTERVAL;
            self.take_numbers(now);
        }
    }

    /// The loop turns, or this would not be reached. A driver that holds a device for good is cured
    /// by a new process, if by anything.
    fn say_alive(&self, now: Duration) {
        if self.drivers.hang(now) {
            tracing::error!("a driver hangs; the watchdog will end this process");
        } else {
            self.hands.manager.notify("WATCHDOG=1");
        }
    }

    fn deadline(&self) -> Option<Duration> {
        let is_off = self.capture.is_off();
        let is_on = self.capture.running().is_some();
        [
            self.appliance.poll_timeout(),
            self.buttons.iter().filter_map(|(_, button)| button.poll_timeout()).min(),
            self.blinker.poll_timeout(),
            self.session.poll_timeout(),
            self.next_alive,
            self.capture.poll_timeout(),
            is_off.then_some(self.next_look),
            is_on.then_some(self.next_numbers),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    // ── actions ─────────────────────────────────────────────────────────────────────────────

    fn perform_all(&mut self) {
        loop {
            while let Some(action) = self.appliance.poll_action() {
                self.perform(action);
            }
            let Some(event) = self.desk.later.pop_front() else { return };
            self.appliance.handle(self.clock.now(), event);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Pipeline(order) => self.perform_pipeline(order),
            Action::Publish(order) => self.perform_publish(order),
            Action::Show(indication) => self.blinker.show(self.clock.now(), indication),
            Action::Report(change) => self.announce(change),
            Action::WentLive(outcome) => self.answer_live(outcome),
            Action::Stopped(outcome) => self.answer_stop(outcome),
            Action::PersistLive(live) => self.persist_live(live),
            Action::FactoryReset => self.forget(),
            Action::Notify(Notice::Ready) => self.hands.manager.notify("READY=1"),
            Action::Notify(Notice::Status(text)) => {
                self.hands.manager.notify(&format!("STATUS={text}"));
            }
            Action::Notify(Notice::Stopping) => self.hands.manager.notify("STOPPING=1"),
            Action::Exit(code) => self.exit = Some(code),
        }
    }

    // ── what people see ─────────────────────────────────────────────────────────────────────

    fn show_lights(&mut self) {
        let levels = self.blinker.poll(self.clock.now());
        self.hands.lights.show(levels);
    }

    fn publish_view(&mut self) {
        let now = self.clock.now();
        let mut status = self.appliance.status(now);
        self.complete(&mut status);
        let levels = self.blinker.poll(now);
        let (missing, last_end) = (self.missing.clone(), self.last_end.clone());
        self.view.send_replace(Some(View { status, levels, missing, last_end }));
    }
}
