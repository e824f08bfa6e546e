//! The machine of `control` with a simulated store, simulated devices and clients, for stories and
//! for any seed.
//!
//! The store keeps what it is given, takes as long as a test says, and can be full, broken or hang.
//! Devices answer at once, unless they hang: camera and microphone are there, a capture that is opened
//! is open. A connection that is closed has closed. Everything else happens when the test says so.
//! Whatever a test does, nothing that people or programs get to see may hold a secret: all of them
//! begin with [`CANARY`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use firstmile::appliance::{
    DestinationId, LinkChange, Notify, PipelineEvent, PipelineFault, Presence, PublishOrder, Source,
};
use firstmile::audio::{Adjustments, ChannelsFrom};
use firstmile::config::{self, Partial, parse};
use firstmile::console::{ClientId, Reply, Typed};
use firstmile::control::{
    Action, BoardMedia, CaptureCounters, CaptureEvent, Change, Connected, Control, ControlReset,
    Counters, Event, Job, JobResult, Layers, Level, Missing, PublishFailure, PublishReport, Setup,
    SourceFound, SourceLook, Still, StoreFailure, StoreOutcome, StoreRequest,
};
use firstmile::device_controls::ControlsOf;
use firstmile::health::{CpuTimes, Readings};
use firstmile::panel::Contact;
use firstmile::selection::Exchanged;
use firstmile::status::{About, ChannelStats, Checked, Clock, LevelStats, Server, StillImage};
use firstmile::video::Framing;

use crate::simulated_camera::SimulatedCamera;

/// The terminal that a test types at.
const TERMINAL: ClientId = ClientId(0);
/// Every secret of a test begins so.
pub const CANARY: &str = "canary";

/// What a test may set before the box starts.
#[derive(Default)]
pub struct Before {
    /// The integrator's file, as TOML.
    pub integrator: String,
    /// The settings of the service manager, as TOML.
    pub credentials: String,
    /// Keys that the service manager fixes, with their destinations.
    pub credential_keys: Vec<(String, String)>,
    /// What is stored, as TOML.
    pub stored: String,
    /// What is stored by an earlier run, in place of `stored`.
    pub remembered: Option<Partial>,
    /// Nothing can be stored.
    pub no_store: bool,
    /// The box was live when the power went.
    pub was_live: bool,
    /// The service manager wants to hear this often that the box is alive.
    pub alive_interval: Option<Duration>,
    /// The program before did not end in an orderly way.
    pub has_failed: bool,
    /// There is a second port, with the number 1.
    pub two_terminals: bool,
    /// So many wrong PINs were typed in a row before.
    pub wrong_pins: u32,
}

/// How the simulated store behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    /// It takes this long for each request.
    Takes(Duration),
    /// It answers nothing until it is of another temper.
    Hangs,
    /// It refuses every change.
    Full,
    /// It refuses every change after this long.
    FullAfter(Duration),
    /// It can be neither written nor read.
    Broken,
}

pub struct Rig {
    pub now: Duration,
    pub control: Control,
    pub temper: Temper,
    /// What the store holds.
    pub stored: Partial,
    /// What it was last reported to hold.
    pub reported: Partial,
    /// Devices answer nothing until they are released.
    pub devices_hang: bool,
    /// How often the service manager has heard that the box is alive.
    pub alive: usize,
    held: Vec<Event>,
    /// What each destination is made of, as its publish task knows it.
    pub targets: BTreeMap<DestinationId, config::Destination>,
    /// The last live state that was written.
    pub live_written: Option<bool>,
    /// The last number of wrong PINs that was written.
    pub wrong_pins_written: Option<u32>,
    under_way: Option<(StoreRequest, Duration)>,
    /// What happens by itself, soon.
    soon: VecDeque<Event>,
    /// What the second terminal has shown.
    pub other_terminal: String,
    names: BTreeMap<DestinationId, String>,
    attempts: BTreeMap<DestinationId, u64>,
    /// The run whose devices are open.
    pub run: Option<u64>,
    /// Nothing of what its devices deliver is sent.
    pub in_standby: bool,
    /// Why devices cannot be opened from now on.
    pub cannot_open: Option<(PipelineFault, String)>,
    /// Whether camera and microphone are plugged in.
    pub plugged_in: bool,
    /// Why the camera that is set is not there.
    pub no_camera: Option<String>,
    /// The exchange of camera and microphone that was ordered last.
    pub exchange: Option<u64>,
    /// What the devices deliver.
    pub levels: Option<LevelStats>,
    /// The camera's controls.
    pub camera: SimulatedCamera,
    /// Clients that were answered for good.
    pub over: BTreeSet<ClientId>,
    /// Answers by client, in their order.
    pub answers: BTreeMap<ClientId, Vec<Reply>>,
    /// Answers in their order, whomever they are for; the test may empty it.
    pub answered: Vec<(ClientId, Reply)>,
    /// Bitrates that the encoder was given.
    pub bitrates: Vec<u32>,
    shown: String,
    /// What happened, a line each.
    pub transcript: Vec<String>,
    pub exited: Option<u8>,
    next_job: Option<u64>,
    /// Settings that were stored at some time, as `NAME = VALUE`.
    history: BTreeSet<String>,
    /// What the machine shows.
    pub readings: Readings,
    /// How often the machine was read.
    pub reads: u32,
    /// The processor works in so much of its time.
    pub busy_percent: Option<u64>,
    cpu: CpuTimes,
    /// Of 100 frames so many are skipped by the encoder, where it counts.
    pub skips_percent: Option<u64>,
    pub encoder: CaptureCounters,
    ssid_handed: Option<String>,
}

impl Rig {
    pub fn new(before: &Before) -> Rig {
        let read = |name: &str, text: &str| match text {
            "" => Partial::default(),
            text => {
                parse(name, &format!("version = 1\n{text}")).expect("settings that can be read")
            }
        };
        let mut credentials = read("credential", &before.credentials);
        for (name, key) in &before.credential_keys {
            credentials.set(&format!("destination.{name}.key"), key).expect("a key");
        }
        let stored = read("store", &before.stored);
        let stored = before.remembered.clone().unwrap_or(stored);
        let setup = Setup {
            seed: 7,
            salt: [7; 16],
            about: About {
                product: "firstmile",
                version: "0",
                board: "story".to_owned(),
                name: None,
                machine: None,
                serial_number: None,
                no_real_time_audio: None,
            },
            baud: 115_200,
            terminals: if before.two_terminals { 2 } else { 1 },
            debounce_ms: 0,
            board: BoardMedia {
                width: 1_280,
                height: 720,
                fps: 30,
                bitrate_kbps: 4_000,
                bitrate_max_kbps: 6_000,
                keyframe_interval_ms: 2_000,
                audio_kbps: 128,
                channels: 2,
            },
            layers: Layers {
                integrator: read("integrator", &before.integrator),
                credentials,
                faults: Vec::new(),
            },
            stored: stored.clone(),
            store_fault: None,
            is_whole: true,
            was_live: before.was_live,
            has_failed: before.has_failed,
            wrong_pins: before.wrong_pins,
            can_store: !before.no_store,
            has_manager: true,
            fixed: Vec::new(),
            interfaces: Vec::new(),
            shows_health: true,
            alive_interval: before.alive_interval,
        };
        let control = Control::new(Duration::ZERO, setup);
        let mut rig = Rig {
            now: Duration::ZERO,
            control,
            temper: Temper::Takes(Duration::from_millis(20)),
            reported: stored.clone(),
            stored,
            devices_hang: false,
            alive: 0,
            held: Vec::new(),
            targets: BTreeMap::new(),
            live_written: before.was_live.then_some(true),
            wrong_pins_written: None,
            under_way: None,
            soon: VecDeque::new(),
            other_terminal: String::new(),
            names: BTreeMap::new(),
            attempts: BTreeMap::new(),
            run: None,
            in_standby: false,
            cannot_open: None,
            plugged_in: true,
            no_camera: None,
            exchange: None,
            levels: Some(levels()),
            camera: SimulatedCamera::new(),
            over: BTreeSet::new(),
            answers: BTreeMap::new(),
            answered: Vec::new(),
            bitrates: Vec::new(),
            shown: String::new(),
            transcript: Vec::new(),
            exited: None,
            next_job: None,
            history: BTreeSet::new(),
            readings: Readings::default(),
            reads: 0,
            busy_percent: None,
            cpu: CpuTimes { busy: 0, total: 0 },
            skips_percent: None,
            encoder: no_frames(),
            ssid_handed: None,
        };
        rig.perform_all();
        rig
    }

    /// A box that is up, with network and clock, and somebody at its terminal.
    pub fn started(before: &Before) -> Rig {
        let mut rig = Rig::new(before);
        rig.boot();
        rig.transcript.clear();
        rig
    }

    pub fn boot(&mut self) {
        self.happens(Event::Booted);
        let (link, interfaces, connected) = (LinkChange::Up, None, Vec::new());
        self.happens(Event::Network { link, interfaces, connected });
        self.happens(Event::Clock(Clock::Trusted));
        self.happens(Event::TerminalOpened { at: TERMINAL, greet: true });
    }

    // ── what happens ──────────────────────────────────────────────────────────────────────────

    pub fn happens(&mut self, event: Event) {
        self.control.handle(self.now, event);
        self.perform_all();
    }

    /// A client of the control socket asks; it may be one that asked before.
    pub fn asks(&mut self, from: u32, line: &str, secret: Option<&str>) {
        let from = ClientId(from);
        self.over.remove(&from);
        self.happens(Event::Asked { from, line: line.to_owned(), secret: secret.map(Typed::from) });
    }

    /// Bytes at the terminal; `\r` ends a line.
    pub fn types(&mut self, text: &str) {
        self.happens(Event::Typed { at: TERMINAL, bytes: text.as_bytes().to_vec() });
    }

    /// The same at the second terminal.
    pub fn types_at_the_other(&mut self, text: &str) {
        self.happens(Event::Typed { at: ClientId(1), bytes: text.as_bytes().to_vec() });
    }

    pub fn press_for(&mut self, long: Duration) {
        self.contact(true);
        self.advance(long);
        self.contact(false);
        self.advance(Duration::from_millis(1));
    }

    /// The button goes down or up.
    pub fn contact(&mut self, pressed: bool) {
        let (contact, at, at_power_up) = (Contact::GoLive, self.now, false);
        self.happens(Event::Contact { contact, at, pressed, at_power_up });
    }

    pub fn first_key(&mut self) {
        if let Some(run) = self.run.filter(|_| !self.in_standby) {
            let what = CaptureEvent::Pipeline(PipelineEvent::FirstKey);
            self.happens(Event::Capture { run, what });
        }
    }

    /// The current attempt of a destination reports.
    pub fn reports(&mut self, name: &str, what: PublishReport) {
        let dest = self.dest(name).expect("a destination that is known");
        let attempt = self.attempts.get(&dest).copied().unwrap_or_default();
        self.happens(Event::Publish { dest, attempt, what });
    }

    /// The current attempt of a destination, connected from this address of the box.
    pub fn connected_from(&self, name: &str, address: &str) -> Connected {
        let dest = self.dest(name).expect("a destination that is known");
        let attempt = self.attempts.get(&dest).copied().unwrap_or_default();
        Connected { dest, attempt, local_address: address.parse().expect("an address") }
    }

    /// The wireless network that was handed over last.
    pub fn ssid_handed_over(&self) -> Option<String> {
        self.ssid_handed.clone()
    }

    /// Whether a destination of this name is known.
    pub fn knows(&self, name: &str) -> bool {
        self.dest(name).is_some()
    }

    /// Whether a setting had this value in the store at some time: `NAME = VALUE`.
    pub fn was_stored(&self, what: &str) -> bool {
        self.history.contains(what)
    }

    /// The devices answer what they were asked while they hung.
    pub fn release_devices(&mut self) {
        self.devices_hang = false;
        self.soon.extend(std::mem::take(&mut self.held));
        self.perform_all();
    }

    /// The camera is unplugged.
    pub fn camera_is_lost(&mut self) {
        self.camera.is_plugged_in = false;
        self.source_reports(Presence::Lost);
    }

    /// It is plugged in again, and has forgotten what was set.
    pub fn camera_is_back(&mut self) {
        self.camera.is_plugged_in = true;
        self.camera.forget();
        self.source_reports(Presence::Back);
    }

    fn source_reports(&mut self, presence: Presence) {
        if let Some(run) = self.run {
            let what = CaptureEvent::Source(Source::Camera, presence);
            self.happens(Event::Capture { run, what });
        }
    }

    fn device_answers(&mut self, event: Event) {
        if self.devices_hang { self.held.push(event) } else { self.soon.push_back(event) }
    }

    /// The exchange of a source that was ordered last comes to this.
    pub fn exchanged(&mut self, source: Source, outcome: Exchanged) {
        let (run, number) = (self.run.expect("a run"), self.exchange.expect("an exchange"));
        let what = CaptureEvent::Exchange { number, source, outcome };
        self.happens(Event::Capture { run, what });
    }

    /// A source of the running capture is lost or back.
    pub fn source_is(&mut self, source: Source, presence: Presence) {
        let run = self.run.expect("a run");
        self.happens(Event::Capture { run, what: CaptureEvent::Source(source, presence) });
    }

    /// The encoder of the running capture fails.
    pub fn encoder_fails(&mut self, message: &str) {
        if let Some(run) = self.run {
            let (fault, message) = (PipelineFault::Encoder, message.to_owned());
            let what = CaptureEvent::Pipeline(PipelineEvent::Error { fault, message });
            self.happens(Event::Capture { run, what });
        }
    }

    /// What the publish task of a destination has been given.
    pub fn target(&self, name: &str) -> Option<&config::Destination> {
        self.targets.get(&self.dest(name)?)
    }

    fn dest(&self, name: &str) -> Option<DestinationId> {
        self.names.iter().find(|(_, known)| *known == name).map(|(dest, _)| *dest)
    }

    /// The job that was begun last comes to this.
    pub fn job_comes_to(&mut self, result: JobResult) {
        let request = self.next_job.take().expect("a job");
        self.happens(Event::JobDone { request, result });
    }

    pub fn checked(&mut self, name: &str) {
        let checked = Checked { name: name.to_owned(), servers: Vec::new() };
        self.job_comes_to(JobResult::Checked(checked));
    }

    /// Another process changes the store, as the import of a stick does.
    pub fn imports(&mut self, toml: &str) {
        let text = format!("version = 1\n{toml}");
        self.stored.import(&parse("stick", &text).expect("settings that can be read"));
    }

    // ── time ──────────────────────────────────────────────────────────────────────────────────

    pub fn advance(&mut self, by: Duration) {
        self.advance_to(self.now + by);
    }

    /// Lets timers run out, and the store work, until `end`.
    pub fn advance_to(&mut self, end: Duration) {
        while self.turn(end) {}
    }

    /// Does the next step that is due before `end`; `false` when time has come to `end`.
    pub fn turn(&mut self, end: Duration) -> bool {
        let store = self.under_way.as_ref().and_then(|(_, at)| self.ready_at(*at));
        let timer = self.control.poll_timeout();
        let Some(at) = store.into_iter().chain(timer).min().filter(|at| *at <= end) else {
            self.now = self.now.max(end);
            return false;
        };
        self.now = self.now.max(at);
        if store.is_some_and(|store| store <= self.now) {
            self.store_answers();
        } else {
            self.control.handle_timeout(self.now);
            self.perform_all();
            let next = self.control.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a timer that spins: {next:?}");
        }
        true
    }

    fn ready_at(&self, begun: Duration) -> Option<Duration> {
        match self.temper {
            Temper::Takes(long) | Temper::FullAfter(long) => Some(begun + long),
            Temper::Full | Temper::Broken => Some(begun),
            Temper::Hangs => None,
        }
    }

    fn store_answers(&mut self) {
        let Some((request, _)) = self.under_way.take() else { return };
        let why = match self.temper {
            Temper::Takes(_) | Temper::Hangs => None,
            Temper::Full | Temper::FullAfter(_) => {
                Some("the change was not stored, and the settings are as before: no space left")
            }
            Temper::Broken => Some("the stored settings cannot be read: input/output error"),
        };
        let why = why.map(|why| StoreFailure::Other(why.to_owned()));
        let can_read = self.temper != Temper::Broken;
        let outcome = match (request, why) {
            (StoreRequest::Read, _) if can_read => {
                StoreOutcome { stored: Some(self.stored.clone()), failure: None }
            }
            (_, Some(failure)) => StoreOutcome { stored: None, failure: Some(failure) },
            (StoreRequest::Change(change), None) => self.change(&change),
            (StoreRequest::Reset, None) => {
                self.stored = Partial::default();
                self.live_written = Some(false);
                StoreOutcome { stored: Some(self.stored.clone()), failure: None }
            }
            (StoreRequest::PersistLive(live), None) => {
                self.live_written = Some(live);
                StoreOutcome { stored: None, failure: None }
            }
            (StoreRequest::WrongPins(number), None) => {
                self.wrong_pins_written = Some(number);
                StoreOutcome { stored: None, failure: None }
            }
            (StoreRequest::Read | StoreRequest::BlackBox(_), None) => {
                StoreOutcome { stored: None, failure: None }
            }
        };
        if let Some(stored) = &outcome.stored {
            self.reported = stored.clone();
        }
        self.happens(Event::Stored(outcome));
    }

    fn change(&mut self, change: &Change) -> StoreOutcome {
        let mut partial = self.stored.clone();
        let changed = change.apply(&mut partial).and_then(|()| {
            partial.hash_pin([7; 16]);
            partial.check().map_err(|why| StoreFailure::Other(why.to_string()))
        });
        match changed {
            Ok(()) => {
                if let Change::Set { path, value, .. } = change {
                    self.history.insert(format!("{path} = {}", value.0.as_str()));
                }
                self.stored = partial.clone();
                StoreOutcome { stored: Some(partial), failure: None }
            }
            Err(why) => StoreOutcome { stored: None, failure: Some(why) },
        }
    }

    // ── actions ───────────────────────────────────────────────────────────────────────────────

    fn perform_all(&mut self) {
        loop {
            while let Some(action) = self.control.poll_action() {
                self.perform(action);
            }
            // As the loop does after each turn; the lights' next change is a deadline too.
            self.control.lights(self.now);
            let front = self.control.front(self.now);
            assert!(!front.words.is_some_and(|words| words.contains(CANARY)), "a secret is shown");
            let Some(event) = self.soon.pop_front() else { return };
            self.control.handle(self.now, event);
        }
    }

    fn say(&mut self, line: impl Into<String>) {
        let line = line.into();
        assert!(!line.contains(CANARY), "a secret is shown: {line}");
        self.transcript.push(line);
    }

    fn name(&self, dest: DestinationId) -> String {
        self.names.get(&dest).cloned().unwrap_or_else(|| format!("number {}", dest.0))
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Terminal { to: TERMINAL, bytes } => self.show(&bytes),
            Action::Terminal { bytes, .. } => {
                self.other_terminal.push_str(&String::from_utf8_lossy(&bytes));
                assert!(!self.other_terminal.contains(CANARY), "{}", self.other_terminal);
            }
            Action::Answer { to, reply, last } => {
                for line in reply.render_text() {
                    self.say(format!("client {}: {line}", to.0));
                }
                let data = serde_json::to_string(&reply).expect("a reply is data");
                assert!(!data.contains(CANARY), "a secret is in {data}");
                assert!(!self.over.contains(&to), "client {} is answered after its end", to.0);
                self.answered.push((to, reply.clone()));
                self.answers.entry(to).or_default().push(reply);
                if last {
                    self.over.insert(to);
                }
            }
            Action::Log(Level::Info, line) => self.say(format!("journal: {line}")),
            Action::Log(_, line) => self.say(format!("journal, a warning: {line}")),
            Action::Store(request) => {
                assert!(self.under_way.is_none(), "the store has one request at a time");
                if let StoreRequest::BlackBox(past) = &request {
                    assert!(!past.contains(CANARY), "a secret is in the black box: {past}");
                }
                self.say(format!("store: {}", in_words(&request)));
                self.under_way = Some((request, self.now));
            }
            Action::CheckPin { at, pin, typed } => {
                self.soon.push_back(Event::PinChecked { at, right: pin.admits(&typed.0) });
            }
            Action::Network { wired, wifi } => {
                if wired.is_set() || wifi.ssid.is_some() {
                    self.say("network: settings handed over");
                }
                self.ssid_handed = wifi.ssid.clone();
            }
            Action::LookAtWifi => self.say("network: look at Wi-Fi"),
            Action::Job { request, job } => self.begin(request, &job),
            Action::Reboot => self.say("reboot"),
            Action::LookForSources(_) => {
                let presence = if self.plugged_in { Presence::Back } else { Presence::Lost };
                let found = |choices: &[String], absent: &Option<String>| SourceFound {
                    presence: if absent.is_some() { Presence::Lost } else { presence },
                    absent: absent.clone(),
                    choices: choices.to_vec(),
                    note: None,
                };
                let cameras = ["usb:1-1".to_owned(), "usb:1-2".to_owned()];
                let microphones = ["card:Device".to_owned()];
                let look = SourceLook {
                    camera: found(&cameras, &self.no_camera),
                    microphone: found(&microphones, &None),
                    missing: Missing::default(),
                };
                self.soon.push_back(Event::Sources(look));
            }
            Action::BeginBroadcast => {}
            Action::Alive => self.alive += 1,
            Action::ReadHealth => {
                self.reads += 1;
                let mut readings = Box::new(self.readings.clone());
                if let Some(percent) = self.busy_percent {
                    self.cpu.busy += percent;
                    self.cpu.total += 100;
                    readings.cpu = Some(self.cpu);
                }
                self.soon.push_back(Event::Health(readings));
            }
            Action::Count => self.count(),
            Action::ReadLevels => {
                let levels = self.levels.clone().filter(|_| self.run.is_some());
                self.soon.push_back(Event::LevelsRead(levels));
            }
            Action::GoOnAir { run, video_kbps, .. } => {
                self.say(format!("capture: run {run} goes on air at {video_kbps} kb/s"));
                assert_eq!(self.run, Some(run), "what goes on air is open");
                assert!(self.in_standby, "it is on air already");
                self.in_standby = false;
            }
            Action::OpenCapture { run, video_kbps, settings, audio, framing, standby } => {
                let fps =
                    settings.video.fps.map_or(String::new(), |fps| format!(", {fps} frames/s"));
                let audio = adjusted(&audio) + &framed(&framing) + &sources(&settings);
                let how = if standby { " in standby" } else { "" };
                self.say(format!("capture: open run {run}{how} at {video_kbps} kb/s{fps}{audio}"));
                self.run = Some(run);
                self.in_standby = standby;
                let failure = self.cannot_open.clone();
                self.run = self.run.filter(|_| failure.is_none());
                self.device_answers(Event::CaptureOpened { run, failure });
            }
            Action::ExchangeSources { run, number, settings } => {
                assert_eq!(self.run, Some(run), "what is exchanged is open");
                self.say(format!("capture: exchange {number}{}", sources(&settings)));
                self.exchange = Some(number);
            }
            Action::CloseCapture { run } => {
                self.say(format!("capture: close run {run}"));
                self.run = None;
                self.in_standby = false;
                self.device_answers(Event::CaptureClosed { run });
            }
            Action::SetBitrate(kbps) => {
                self.bitrates.push(kbps);
                self.say(format!("encoder: {kbps} kb/s"));
            }
            Action::RestoreControls { settings, reset } => {
                let set = self.camera.restore(&settings.controls(ControlsOf::Camera), &reset);
                self.say(format!("camera: {}", if set.is_empty() { "as it is" } else { &set }));
            }
            Action::AdjustAudio(audio) => self.say(format!("capture{}", adjusted(&audio))),
            Action::SetFraming(framing) => self.say(format!("capture, video{}", framed(&framing))),
            Action::AddDestination { dest, name } => {
                self.names.insert(dest, name);
            }
            Action::Retarget { dest, to } => {
                self.targets.insert(dest, *to);
            }
            Action::Ceiling(_) => {}
            Action::RemoveDestination { dest } => {
                self.names.remove(&dest);
                self.targets.remove(&dest);
            }
            Action::Publish(order) => self.publish(order),
            Action::Notify(Notify::Status(_)) => {}
            Action::Notify(Notify::Ready) => self.say("service manager: ready"),
            Action::Notify(Notify::Stopping) => self.say("service manager: stopping"),
            Action::Exit(code) => {
                self.say(format!("exit {code}"));
                self.exited = Some(code);
            }
        }
    }

    /// A second of 30 frames, where the encoder counts.
    fn count(&mut self) {
        let Some(percent) = self.skips_percent.filter(|_| self.run.is_some()) else { return };
        // In hundredths, so that each second is as the one before.
        self.encoder.video_frames += 30 * (100 - percent);
        self.encoder.frames_skipped += 30 * percent;
        let capture = Some(self.encoder.clone());
        self.soon.push_back(Event::Counted(Counters { capture, connections: Vec::new() }));
    }

    fn begin(&mut self, request: u64, job: &Job) {
        self.next_job = Some(request);
        match job {
            Job::Check { name, .. } => self.say(format!("job: check {name}")),
            Job::Devices(_) => self.say("job: look for devices"),
            Job::ScanWifi => self.say("job: look for networks"),
            Job::Controls { order, .. } => {
                let result = self.camera.answer(order);
                match &result {
                    JobResult::ControlSet(set)
                    | JobResult::ControlReset(ControlReset { outcome: Ok(set), .. }) => {
                        self.say(format!("camera: {} is {}", set.name.control, set.value));
                    }
                    _ => {}
                }
                self.device_answers(Event::JobDone { request, result });
            }
            Job::Still(Still { longest_side, quality }) => {
                self.say(format!("a frame: {longest_side} pixels, quality {quality}"));
                let base64 = vec!["YSBKUEVH".to_owned()];
                let image = StillImage { width: 320, height: 180, bytes: 6, base64 };
                self.soon.push_back(Event::JobDone { request, result: JobResult::Still(image) });
            }
            Job::Log => {
                let result = JobResult::Log(vec!["a line of the log".to_owned()]);
                self.soon.push_back(Event::JobDone { request, result });
            }
        }
    }

    fn publish(&mut self, order: PublishOrder) {
        match order {
            PublishOrder::Open { dest, attempt, server } => {
                self.attempts.insert(dest, attempt);
                let at = match server {
                    Server::First => "",
                    Server::Backup => " at the backup server",
                };
                self.say(format!("publish {}: open attempt {attempt}{at}", self.name(dest)));
            }
            PublishOrder::Return { dest, attempt } => {
                self.say(format!("publish {}: return attempt {attempt}", self.name(dest)));
            }
            PublishOrder::Close { dest, attempt, .. } => {
                self.say(format!("publish {}: close attempt {attempt}", self.name(dest)));
                let what = PublishReport::Ended(Ok(()));
                self.soon.push_back(Event::Publish { dest, attempt, what });
            }
        }
    }

    /// Whole lines of the terminal, without what moves the cursor.
    fn show(&mut self, bytes: &[u8]) {
        self.shown.push_str(&String::from_utf8_lossy(bytes));
        assert!(!self.shown.contains(CANARY), "a secret is shown: {}", self.shown);
        while let Some((line, rest)) = self.shown.split_once("\r\n") {
            let line = line.rsplit("\r\u{1b}[K").next().unwrap_or(line).to_owned();
            self.shown = rest.to_owned();
            self.say(format!("terminal: {line}"));
        }
    }

    /// Everything that happened since this was asked last, as one text.
    pub fn take_transcript(&mut self) -> String {
        let mut text = String::new();
        for line in self.transcript.drain(..) {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

/// Somebody speaks.
fn levels() -> LevelStats {
    LevelStats {
        channels: vec![ChannelStats { peak_dbfs: -9.0, rms_dbfs: -20.0, true_peak_dbtp: -8.9 }],
        loudness_lufs: Some(-21.0),
        limited_db: 0.0,
        clips: vec![0, 0],
        silent_for_ms: None,
        black_for_ms: None,
        microphone_drift_ppm: None,
    }
}

fn no_frames() -> CaptureCounters {
    CaptureCounters {
        video_bytes: 0,
        video_frames: 0,
        encoder: "x264enc".to_owned(),
        is_passed_through: false,
        target_kbps: 4_000,
        restarts: 0,
        frames_broken: 0,
        frames_skipped: 0,
        levels: LevelStats {
            channels: Vec::new(),
            clips: Vec::new(),
            silent_for_ms: None,
            limited_db: 0.0,
            loudness_lufs: None,
            black_for_ms: None,
            microphone_drift_ppm: None,
        },
    }
}

/// A failure of an attempt.
pub fn lost(message: &str) -> PublishReport {
    let evidence = firstmile::ending::Evidence::Lost;
    PublishReport::Ended(Err(PublishFailure { evidence, message: message.to_owned() }))
}

fn in_words(request: &StoreRequest) -> String {
    match request {
        StoreRequest::Change(Change::Set { path, .. }) => format!("set {path}"),
        StoreRequest::Change(Change::Unset { path }) => format!("unset {path}"),
        StoreRequest::Change(Change::UnsetAll { paths }) => {
            let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
            format!("unset {}", paths.join(", "))
        }
        StoreRequest::Change(Change::RemoveDestination { name }) => {
            format!("unset destination.{name}")
        }
        StoreRequest::Change(Change::Bind { path, .. }) => format!("bind {path}"),
        StoreRequest::Read => "read".to_owned(),
        StoreRequest::Reset => "reset".to_owned(),
        StoreRequest::PersistLive(live) => format!("persist live: {live}"),
        StoreRequest::WrongPins(number) => format!("wrong PINs: {number}"),
        StoreRequest::BlackBox(_) => "black box".to_owned(),
    }
}

/// The camera and the microphone that are set.
fn sources(settings: &config::Settings) -> String {
    let camera = settings.camera.device.as_ref().map(|device| format!(", camera {device}"));
    let mode = settings.camera.mode;
    let mode = (!mode.is_auto()).then(|| format!(", in mode {mode}"));
    let microphone = settings.microphone.device.as_ref();
    let microphone = microphone.map(|device| format!(", microphone {device}"));
    [camera, mode, microphone].into_iter().flatten().collect()
}

/// What is adjusted of the audio.
fn adjusted(audio: &Adjustments) -> String {
    let gain = (audio.gain_tenths_db != 0).then(|| format!("{} tenths dB", audio.gain_tenths_db));
    let muted = audio.is_muted.then(|| "muted".to_owned());
    let is_other = audio.channels_from != ChannelsFrom::default();
    let channels = is_other.then(|| audio.channels_from.name().to_owned());
    let low_cut = audio.lowcut_hz.map(|hz| format!("without what is below {hz} Hz"));
    let delay = (audio.delay_ms != 0).then(|| format!("{} ms late", audio.delay_ms));
    let all = [gain, muted, channels, low_cut, delay];
    all.into_iter().flatten().map(|it| format!(", audio {it}")).collect()
}

/// What is done to the camera's video.
fn framed(framing: &Framing) -> String {
    let what = framing.in_words();
    let what = what.iter().map(|it| it.split(" (").next().unwrap_or_default().to_owned());
    let shift = [framing.pan_percent, framing.tilt_percent];
    let shift = (shift != [0, 0]).then(|| format!("shifted by {} and {} %", shift[0], shift[1]));
    what.chain(shift).map(|it| format!(", {it}")).collect()
}
