//! The loop itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ring::rand::SecureRandom as _;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::setup::{Devices, Setup};
use crate::appliance::Notify;
use crate::board::{Button, Profile};
use crate::clock::Clock;
use crate::console::ClientId;
use crate::control::{
    self, Action, BoardMedia, Control, Event, Job, JobResult, Layers, Level, View,
};
use crate::device::control::{Answer, SocketEvent};
use crate::device::network::manager::{NetworkManager, Report};
use crate::device::network::radio;
use crate::device::{HealthReader, LogRing, Machine, network};
use crate::drivers::{Capturing, Input, Publishing, SettingsWriter, capture_event, publish_event};
use crate::health::Readings;
use crate::limits::{CONSOLE_BAUD, CONTROL_PARTING_TIMEOUT, EVENTS_MAX};
use crate::status::About;

/// Debounce of a button that does not bounce: keys of a terminal, and keys that the kernel debounces.
const NO_DEBOUNCE_MS: u16 = 0;

pub(super) struct Runner {
    clock: Clock,
    control: Control,
    devices: Devices,
    inputs: mpsc::Sender<Input>,
    view: watch::Sender<Option<View>>,
    writer: Option<SettingsWriter>,
    network: Option<NetworkManager>,
    capturing: Capturing,
    publishing: Publishing,
    /// The clients of the control socket, and where the answers of each go until its last one.
    clients: BTreeMap<ClientId, Option<mpsc::Sender<Answer>>>,
    exit: Option<u8>,
}

impl Runner {
    pub(super) fn new(
        clock: Clock,
        setup: Setup,
        devices: Devices,
        inputs: mpsc::Sender<Input>,
        view: watch::Sender<Option<View>>,
    ) -> Runner {
        let Setup { profile, request, destinations, memory, machine } = setup;
        let writer = memory.store.and_then(|store| SettingsWriter::start(store, inputs.clone()));
        let control = Control::new(
            clock.now(),
            control::Setup {
                seed: fastrand::u64(..),
                salt: salt(),
                baud: profile.console.baud().unwrap_or(CONSOLE_BAUD),
                terminals: devices.consoles.len(),
                debounce_ms: debounce_ms(&profile),
                about: about(&profile, machine),
                board: BoardMedia {
                    width: request.video.width,
                    height: request.video.height,
                    fps: request.video.fps,
                    bitrate_kbps: request.video.bitrate_kbps,
                    bitrate_max_kbps: request.video.bitrate_max_kbps,
                    keyframe_interval_ms: request.video.keyframe_interval_ms,
                    audio_kbps: request.audio.bitrate_kbps,
                    channels: request.audio.channels,
                },
                layers: Layers {
                    integrator: memory.sources.integrator,
                    credentials: memory.sources.credentials,
                    faults: memory.sources.faults,
                },
                stored: memory.stored,
                store_fault: memory.store_fault,
                is_whole: memory.is_whole,
                was_live: memory.was_live,
                has_failed: memory.has_failed,
                wrong_pins: memory.wrong_pins,
                can_store: writer.is_some(),
                has_manager: devices.manager.is_there(),
                fixed: destinations.iter().map(|fixed| fixed.name.clone()).collect(),
                interfaces: network::interfaces(),
                shows_health: devices.health.is_some(),
                alive_interval: devices.manager.alive_interval(),
            },
        );
        let capturing = Capturing::new(request, inputs.clone());
        let publishing = Publishing::new(clock, capturing.fan_out(), destinations, inputs.clone());
        Runner {
            clock,
            control,
            devices,
            inputs,
            view,
            writer,
            network: None,
            capturing,
            publishing,
            clients: BTreeMap::new(),
            exit: None,
        }
    }

    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> u8 {
        let (reports, mut reported) = mpsc::channel(EVENTS_MAX);
        self.publishing.report_to(reports);
        self.happens(Event::Booted);
        loop {
            self.show();
            if let Some(code) = self.exit {
                self.capturing.end().await;
                self.part().await;
                return code;
            }
            let deadline = self.control.poll_timeout();
            tokio::select! {
                Some(input) = inputs.recv() => self.handle_input(input),
                Some(report) = reported.recv() => self.happens(publish_event(report)),
                event = next_of_socket(&mut self.devices.control) => self.handle_socket(event),
                () = self.capturing.arrived() => self.read_mailbox(),
                () = self.capturing.key_wanted() => self.capturing.force_key_frame(),
                () = self.clock.reach(deadline) => {}
            }
            self.control.handle_timeout(self.clock.now());
            self.perform_all();
        }
    }

    // ── inputs ──────────────────────────────────────────────────────────────────────────────

    fn happens(&mut self, event: Event) {
        self.control.handle(self.clock.now(), event);
        self.perform_all();
    }

    fn handle_input(&mut self, input: Input) {
        let event = match input {
            Input::Contact(event) => Event::Contact {
                contact: event.contact,
                at: event.at,
                pressed: event.pressed,
                at_power_up: event.at_power_up,
            },
            Input::ConsoleOpened { port, greet } => {
                Event::TerminalOpened { at: ClientId::of_port(port), greet }
            }
            Input::Typed { port, bytes } => Event::Typed { at: ClientId::of_port(port), bytes },
            Input::Network(link, interfaces) => {
                let connected = self.publishing.connected();
                Event::Network { link, interfaces, connected }
            }
            Input::Clock(clock) => Event::Clock(clock),
            Input::CaptureStarted(run, started) => self.capturing.started(run, started),
            Input::Done(event) => event,
            Input::Terminate => Event::Terminate,
        };
        self.happens(event);
    }

    fn handle_socket(&mut self, event: SocketEvent) {
        match event {
            SocketEvent::Asked { from, line, secret, answers } => {
                self.clients.insert(from, Some(answers));
                self.happens(Event::Asked { from, line, secret });
            }
            SocketEvent::Gone(client) => {
                self.clients.remove(&client);
                self.happens(Event::Gone(client));
            }
        }
    }

    fn read_mailbox(&mut self) {
        while let Some((run, event)) = self.capturing.next_event() {
            let what = capture_event(event);
            self.happens(Event::Capture { run, what });
        }
    }

    // ── actions ─────────────────────────────────────────────────────────────────────────────

    fn perform_all(&mut self) {
        while let Some(action) = self.control.poll_action() {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Terminal { to, bytes } => {
                let console = to.port().and_then(|port| self.devices.consoles.get_mut(port));
                console.into_iter().for_each(|console| console(bytes.clone()));
            }
            Action::Answer { to, reply, last } => self.answer(to, &Answer::from(&reply), last),
            Action::Log(Level::Info, line) => tracing::info!("{line}"),
            Action::Log(Level::Warn, line) => tracing::warn!("{line}"),
            Action::Log(Level::Error, line) => tracing::error!("{line}"),
            Action::Store(request) => {
                if let Some(writer) = &self.writer {
                    writer.write(request);
                }
            }
            Action::CheckPin { at, pin, typed } => {
                self.later(move || Event::PinChecked { at, right: pin.admits(&typed.0) });
            }
            Action::Network { wired, wifi } => {
                let inputs = self.inputs.clone();
                let network = self.network.take().or_else(|| start_network(inputs));
                network.iter().for_each(|network| network.order(&wired, &wifi));
                self.network = network;
            }
            Action::LookAtWifi => self.network.iter().for_each(NetworkManager::look),
            Action::Job { request, job } => self.begin(request, job),
            Action::Reboot => drop(spawn_blocking(crate::device::reboot)),
            Action::LookForSources(settings) => {
                let look = self.capturing.look(&settings);
                self.control.handle(self.clock.now(), Event::Sources(look));
            }
            Action::BeginBroadcast => self.capturing.begin_broadcast(),
            Action::OpenCapture { run, settings, video_kbps, audio, framing, standby } => {
                let adjusted = (audio, framing);
                let metadata = self.capturing.open(run, &settings, video_kbps, adjusted, standby);
                self.publishing.describe(metadata);
            }
            Action::GoOnAir { run, settings, video_kbps } => {
                self.publishing.describe(self.capturing.go_on_air(run, &settings, video_kbps));
            }
            Action::ExchangeSources { run, number, settings } => {
                self.capturing.exchange(run, number, &settings);
            }
            Action::CloseCapture { run } => self.capturing.close(run),
            Action::SetBitrate(kbps) => self.capturing.set_bitrate_kbps(kbps),
            Action::AdjustAudio(audio) => self.capturing.adjust_audio(audio),
            Action::SetFraming(framing) => self.capturing.set_framing(framing),
            Action::RestoreControls { settings, reset } => {
                self.capturing.restore_controls(&settings, reset);
            }
            Action::AddDestination { dest, name } => self.publishing.add(dest, &name),
            Action::Retarget { dest, to } => self.publishing.retarget(dest, &to),
            Action::RemoveDestination { dest } => self.publishing.remove(dest),
            Action::Publish(order) => self.publishing.order(order),
            Action::Ceiling(kbps) => self.publishing.set_ceiling_kbps(kbps),
            Action::Count => {
                let capture = self.capturing.counters();
                let connections = self.publishing.counters();
                let counters = control::Counters { capture, connections };
                self.control.handle(self.clock.now(), Event::Counted(counters));
            }
            Action::ReadLevels => {
                let levels = self.capturing.levels();
                self.control.handle(self.clock.now(), Event::LevelsRead(levels));
            }
            Action::ReadHealth => {
                let health = self.devices.health.clone();
                self.later(move || Event::Health(Box::new(read_health(health.as_deref()))));
            }
            Action::Notify(Notify::Ready) => self.devices.manager.notify("READY=1"),
            Action::Notify(Notify::Status(text)) => {
                self.devices.manager.notify(&format!("STATUS={text}"));
            }
            Action::Notify(Notify::Stopping) => self.devices.manager.notify("STOPPING=1"),
            Action::Alive => self.devices.manager.notify("WATCHDOG=1"),
            Action::Exit(code) => self.exit = Some(code),
        }
    }

    /// A client that does not read is cut off.
    fn answer(&mut self, to: ClientId, answer: &Answer, last: bool) {
        let Some(client) = self.clients.get_mut(&to) else { return };
        let is_taken =
            client.as_ref().is_some_and(|client| client.try_send(answer.clone()).is_ok());
        if last || !is_taken {
            *client = None;
        }
    }

    /// Nothing more is answered; what was is delivered.
    async fn part(&mut self) {
        self.clients.values_mut().for_each(|client| *client = None);
        let delivered = async {
            while !self.clients.is_empty() {
                let event = next_of_socket(&mut self.devices.control).await;
                if let SocketEvent::Gone(client) = event {
                    self.clients.remove(&client);
                }
            }
        };
        let _ = timeout(CONTROL_PARTING_TIMEOUT, delivered).await;
    }

    fn begin(&mut self, request: u64, job: Job) {
        match job {
            Job::Check { dest, name } => self.publishing.check(request, dest, name),
            Job::Devices(settings) => {
                let look = self.capturing.look_for_devices(&settings);
                self.later(move || Event::JobDone { request, result: look() });
            }
            Job::Still(still) => {
                let taken = self.capturing.still(still);
                self.later(move || Event::JobDone { request, result: taken() });
            }
            Job::ScanWifi => self.later(move || {
                let result = match radio::scan() {
                    Ok(radio::Scan { points, known }) => JobResult::WifiScan { points, known },
                    Err(why) => JobResult::Failed(why),
                };
                Event::JobDone { request, result }
            }),
            Job::Controls { order, settings } => {
                let answer = self.capturing.controls(&settings, order);
                self.later(move || Event::JobDone { request, result: answer() });
            }
            Job::Log => {
                let log: &LogRing = &self.devices.log;
                let result = JobResult::Log(log.lines());
                self.later(move || Event::JobDone { request, result });
            }
        }
    }

    /// Does something that takes a while on the blocking pool.
    fn later(&self, work: impl FnOnce() -> Event + Send + 'static) {
        let inputs = self.inputs.clone();
        spawn_blocking(move || {
            let done = work();
            // Nobody receives any more when the box is ending.
            let _ = inputs.blocking_send(Input::Done(done));
        });
    }

    // ── what people see ─────────────────────────────────────────────────────────────────────

    fn show(&mut self) {
        let now = self.clock.now();
        let levels = self.control.lights(now);
        self.devices.lights.show(levels);
        if let Some(display) = &mut self.devices.display {
            display.show(self.control.front(now));
        }
        if self.view.receiver_count() > 0 {
            let view = self.control.view(now);
            self.view.send_replace(Some(view));
        }
    }
}

/// The next event of the control socket; never without one.
async fn next_of_socket(control: &mut Option<mpsc::Receiver<SocketEvent>>) -> SocketEvent {
    if let Some(control) = control
        && let Some(event) = control.recv().await
    {
        return event;
    }
    std::future::pending().await
}

fn start_network(inputs: mpsc::Sender<Input>) -> Option<NetworkManager> {
    let started = NetworkManager::start(move |report| {
        let event = match report {
            Report::Managed(managed) => Event::NetworkManaged(managed),
            Report::Wifi { wanted, observed } => Event::Wifi { wanted, observed },
        };
        // Nobody receives any more when the box is ending.
        let _ = inputs.blocking_send(Input::Done(event));
    });
    started.inspect_err(|error| tracing::error!(%error, "no thread for the network")).ok()
}

fn read_health(reader: Option<&Mutex<HealthReader>>) -> Readings {
    let reader = reader.map(|reader| reader.lock().unwrap_or_else(PoisonError::into_inner));
    reader.map(|mut reader| reader.read()).unwrap_or_default()
}

fn salt() -> [u8; 16] {
    let mut salt = [0; 16];
    // Without randomness of the system the tags are still tags, and not secret.
    let _ = ring::rand::SystemRandom::new().fill(&mut salt);
    salt
}

fn debounce_ms(profile: &Profile) -> u16 {
    match &profile.button {
        Button::Cdev { debounce_ms, .. } => u16::try_from(*debounce_ms).unwrap_or(u16::MAX),
        Button::Keys | Button::Input { .. } | Button::None => NO_DEBOUNCE_MS,
    }
}

fn about(profile: &Profile, machine: Machine) -> About {
    About {
        product: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        board: profile.name.clone(),
        name: None,
        machine: machine.model,
        serial_number: machine.serial_number,
        no_real_time_audio: crate::capture::real_time_refusal(),
    }
}
