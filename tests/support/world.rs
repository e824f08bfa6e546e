//! A whole sender in a simulated world, under virtual time and from a seed.
//!
//! Real are the appliance, the RTMP session, the queue, the time line, the judgement of delivery, the
//! policy, and the protocol half of the ingest server, to which real bytes travel. Simulated are the
//! encoder (`encoder.rs`), the kernel's TCP and the uplink (`link.rs`), name look-up, TCP connect and
//! TLS as so many round trips, and an owner who presses the button once.

#![allow(dead_code, reason = "each test file uses its own part")]

#[path = "encoder.rs"]
pub mod encoder;
#[path = "link.rs"]
pub mod link;
#[path = "pilots.rs"]
pub mod pilots;
#[path = "viewer.rs"]
pub mod viewer;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, Bytes};
use firstmile::appliance::{
    Action, Appliance, DestinationId, EndKind, Event, LinkChange, PipelineEvent, PipelineOrder,
    Presence, PublishEvent, PublishOrder, Setup, Source, Target,
};
use firstmile::limits::{
    DNS_TIMEOUT, HAPPY_EYEBALLS_DELAY, PROGRESS_TICK, STOP_TIMEOUT, TCP_TIMEOUT, TLS_TIMEOUT,
};
use firstmile::media::{Timeline, Track};
use firstmile::pace::Sample;
use firstmile::panel::Gesture;
use firstmile::publish::{Delivery, Observation, Window};
use firstmile::rtmp::{self, ErrorKind, Refusal, Session, SessionConfig};
use firstmile::secret::StreamKey;
use firstmile::sim::ingest::session::{IngestConfig, IngestEvent, IngestSession, Policy, Refuse};
use firstmile::status::Mode;
use firstmile::{flv, rtmp::message::Kind};

use encoder::Encoder;
use link::{Tcp, Uplink};
use pilots::Pilot;
use viewer::Viewer;

const DESTINATION: DestinationId = DestinationId(0);

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What stands at the other end, and between.
#[derive(Debug, Clone)]
pub struct Network {
    pub uplink: Uplink,
    pub name: Name,
    /// Without it no packet leaves the box, and the kernel says so.
    pub carrier: bool,
    /// The server's port is open.
    pub listens: bool,
    /// The server answers the TLS handshake.
    pub speaks_tls: bool,
    /// Its certificate is accepted.
    pub certificate_is_good: bool,
    /// So many addresses of the name are tried in vain before the good one.
    pub dead_addresses: u32,
    pub policy: Policy,
    /// A server that loses its publisher without a word keeps the key for so long.
    pub holds_key_for: Duration,
    /// What the server says to a second publisher, or always.
    pub refuse: Option<Refuse>,
}

/// What becomes of a name look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    Found,
    /// SERVFAIL or NXDOMAIN.
    Refused,
    /// No answer.
    Silent,
}

impl Network {
    pub fn new(uplink: Uplink) -> Network {
        Network {
            uplink,
            name: Name::Found,
            carrier: true,
            listens: true,
            speaks_tls: true,
            certificate_is_good: true,
            dead_addresses: 0,
            policy: Policy::default(),
            holds_key_for: Duration::ZERO,
            refuse: None,
        }
    }
}

/// What happened, for tests to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Opened(u64),
    Accepted(u64),
    /// An attempt ended, during this phase.
    Ended(EndKind, &'static str),
    Mode(Mode),
    Target(u32),
}

/// An attempt to publish.
struct Attempt {
    number: u64,
    stage: Stage,
}

enum Stage {
    /// The phase with this name ends then, so.
    Phase {
        name: &'static str,
        until: Duration,
        then: Result<(), EndKind>,
    },
    Rtmp(Box<Connection>),
}

/// A connection that stands.
struct Connection {
    tcp: Tcp,
    session: Session,
    server: IngestSession,
    down: VecDeque<(Duration, Bytes)>,
    timeline: Timeline,
    delivery: Delivery,
    /// Where in the stream each frame ends, with when it was pushed.
    ends: VecDeque<(u64, Duration, Track)>,
    next_check: Duration,
    window: Window,
    publish_started: bool,
    accepted: bool,
    stop_by: Option<Duration>,
    /// What the server did to the connection, and when the client learns of it.
    broken: Option<(Duration, EndKind)>,
}

pub struct World {
    pub now: Duration,
    pub network: Network,
    pub appliance: Appliance,
    pub encoder: Option<Encoder>,
    pub pilot: Box<dyn Pilot>,
    pub viewer: Viewer,
    pub told: Vec<(Duration, Told)>,
    pub delivered_bytes: u64,
    /// The most that queue and session ever held.
    pub peak_bytes: u64,
    /// RTMP bytes that were ever written to a socket.
    pub written_bytes: u64,
    no_media: bool,
    /// How far time moves at once while a connection stands; short against the path.
    pub step: Duration,
    /// Whether what happens is written down.
    pub is_told: bool,
    run: u64,
    first_key_told: bool,
    fps: u32,
    soon: VecDeque<Event>,
    opened: u64,
    attempt: Option<Attempt>,
    key_held_until: Duration,
    seed: u64,
    mode: Mode,
    target_kbps: u32,
}

impl World {
    /// A box that goes live at once.
    pub fn live(seed: u64, network: Network, pilot: Box<dyn Pilot>) -> World {
        let setup = Setup {
            seed,
            start_without_camera: false,
            start_without_microphone: false,
            was_live: false,
        };
        let target_kbps = pilot.target_kbps();
        let mut world = World {
            now: Duration::ZERO,
            network,
            appliance: Appliance::new(Duration::ZERO, setup),
            encoder: None,
            pilot,
            viewer: Viewer::default(),
            told: Vec::new(),
            delivered_bytes: 0,
            peak_bytes: 0,
            written_bytes: 0,
            no_media: false,
            step: ms(5),
            is_told: true,
            run: 0,
            first_key_told: false,
            fps: 30,
            soon: VecDeque::new(),
            opened: 0,
            attempt: None,
            key_held_until: Duration::ZERO,
            seed,
            mode: Mode::Booting,
            target_kbps,
        };
        let target = Target {
            id: DESTINATION,
            name: "main".to_owned(),
            revision: 1,
            has_key: true,
            has_backup: false,
        };
        for event in [
            Event::Booted,
            Event::Targets(vec![target]),
            Event::Source(Source::Camera, Presence::Back),
            Event::Source(Source::Microphone, Presence::Back),
            Event::Button(Gesture::Press),
        ] {
            world.tell(event);
        }
        world
    }

    /// A box whose encoder makes `fps` pictures a second, and sound that is as much coarser.
    pub fn with_fps(mut self, fps: u32) -> World {
        self.fps = fps;
        self.set_media(true);
        self
    }

    // ── questions ─────────────────────────────────────────────────────────────────────────────

    /// When this happened first, at or after `since`.
    pub fn when(&self, since: Duration, what: impl Fn(&Told) -> bool) -> Option<Duration> {
        self.told.iter().find(|(at, told)| *at >= since && what(told)).map(|(at, _)| *at)
    }

    pub fn is_live(&self) -> bool {
        self.mode == Mode::Live
    }

    pub fn attempts(&self) -> u64 {
        self.opened
    }

    /// Bytes in queue and session.
    pub fn held_bytes(&mut self) -> u64 {
        let ahead = self.connection().map_or(0, |c| c.session.transmit().remaining() as u64);
        self.pilot.waiting().bytes + ahead
    }

    fn note(&mut self, told: Told) {
        if self.is_told {
            self.told.push((self.now, told));
        }
    }

    // ── what happens to the box and its network ───────────────────────────────────────────────

    /// Changes the uplink, also under a connection that stands.
    pub fn set_uplink(&mut self, uplink: Uplink) {
        if let Some(connection) = self.connection() {
            connection.tcp.set_uplink(uplink.clone());
        }
        self.network.uplink = uplink;
    }

    pub fn tell(&mut self, event: Event) {
        self.soon.push_back(event);
        self.act();
    }

    /// The server closes (`ClosedByServer`) or resets (`Lost`) the connection.
    pub fn server_breaks(&mut self, kind: EndKind) {
        let at = self.now + self.network.uplink.delay;
        if let Some(connection) = self.connection() {
            connection.broken = Some((at, kind));
        }
    }

    /// The box has another address: the connection that stands will never deliver again, and the shell
    /// finds that it comes from an address that is gone.
    pub fn address_changes(&mut self) {
        let (now, uplink) = (self.now, self.network.uplink.clone());
        if let Some(connection) = self.connection() {
            connection.tcp.set_uplink(Uplink { holes: vec![(now, Duration::MAX)], ..uplink });
            let attempt = self.attempt.as_ref().map_or(0, |attempt| attempt.number);
            self.tell(Event::Stranded { dest: DESTINATION, attempt });
        }
        self.tell(Event::Link(LinkChange::Changed));
    }

    /// The server's program hangs, or goes on.
    pub fn set_frozen(&mut self, frozen: bool) {
        if let Some(connection) = self.connection() {
            connection.tcp.frozen = frozen;
        }
    }

    fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.attempt.as_mut()?.stage {
            Stage::Rtmp(connection) => Some(connection),
            Stage::Phase { .. } => None,
        }
    }

    // ── time ──────────────────────────────────────────────────────────────────────────────────

    pub fn run_for(&mut self, time: Duration) {
        self.run_to(self.now + time);
    }

    pub fn run_to(&mut self, end: Duration) {
        while self.now < end {
            self.now = self.next_moment().clamp(self.now + ms(1), end.max(self.now + ms(1)));
            self.encode();
            self.attend();
            self.act();
            self.appliance.handle_timeout(self.now);
            self.act();
        }
    }

    /// Runs until `done`, at most for so long; when that was.
    pub fn run_until(&mut self, most: Duration, done: impl Fn(&World) -> bool) -> Option<Duration> {
        let end = self.now + most;
        while self.now < end {
            self.run_for(self.step);
            if done(self) {
                return Some(self.now);
            }
        }
        None
    }

    fn next_moment(&self) -> Duration {
        let mut next = self.appliance.poll_timeout().unwrap_or(Duration::MAX);
        match self.attempt.as_ref().map(|attempt| &attempt.stage) {
            Some(Stage::Rtmp(_)) => next = next.min(self.now + self.step),
            Some(Stage::Phase { until, .. }) => next = next.min(*until),
            None => {}
        }
        if let Some(encoder) = self.encoder.as_ref().filter(|_| !self.no_media) {
            next = next.min(encoder.due());
        }
        next
    }

    fn encode(&mut self) {
        let target_kbps = self.pilot.target_kbps();
        if target_kbps != self.target_kbps {
            self.target_kbps = target_kbps;
            self.note(Told::Target(target_kbps));
        }
        let Some(encoder) = self.encoder.as_mut().filter(|_| !self.no_media) else { return };
        while let Some(frame) = encoder.next(self.now, target_kbps) {
            self.viewer.pushed(&frame);
            if self.pilot.push(frame) {
                encoder.force_key();
            }
        }
        let held = self.held_bytes();
        self.peak_bytes = self.peak_bytes.max(held);
        if !self.first_key_told {
            self.first_key_told = true;
            self.tell(Event::Pipeline { run: self.run, what: PipelineEvent::FirstKey });
        }
    }

    // ── the box's wishes ──────────────────────────────────────────────────────────────────────

    fn act(&mut self) {
        loop {
            while let Some(action) = self.appliance.poll_action() {
                match action {
                    Action::Pipeline(order) => self.pipeline(order),
                    Action::Publish(PublishOrder::Open { attempt, .. }) => self.open(attempt),
                    Action::Publish(PublishOrder::Close { attempt, polite, .. }) => {
                        self.close(attempt, polite);
                    }
                    _ => {}
                }
            }
            let Some(event) = self.soon.pop_front() else { break };
            self.appliance.handle(self.now, event);
        }
        if self.mode != self.appliance.mode() {
            self.mode = self.appliance.mode();
            self.note(Told::Mode(self.mode));
        }
    }

    fn pipeline(&mut self, order: PipelineOrder) {
        match order {
            PipelineOrder::Start { run } | PipelineOrder::Restart { run } => {
                self.run = run;
                self.encoder = Some(self.new_encoder());
                self.first_key_told = self.no_media;
                for config in Encoder::configs() {
                    self.pilot.push(config);
                }
                self.soon.push_back(Event::Pipeline { run, what: PipelineEvent::Playing });
                if self.no_media {
                    self.soon.push_back(Event::Pipeline { run, what: PipelineEvent::FirstKey });
                }
            }
            PipelineOrder::Stop => {
                self.encoder = None;
                let what = PipelineEvent::Ended;
                self.soon.push_back(Event::Pipeline { run: self.run, what });
            }
        }
    }

    fn new_encoder(&self) -> Encoder {
        let mut encoder = Encoder::new(self.now, self.seed);
        (encoder.fps, encoder.gop) = (self.fps, 2 * self.fps);
        encoder.audio_hz = 1_600 * self.fps;
        encoder
    }

    /// Whether anything is encoded: years without a connection need not fill a queue that drops all.
    pub fn set_media(&mut self, on: bool) {
        self.no_media = !on;
        if on && self.encoder.is_some() {
            self.encoder = Some(self.new_encoder());
        }
    }

    fn open(&mut self, number: u64) {
        assert!(self.attempt.is_none(), "at most one publish is open");
        self.opened += 1;
        self.note(Told::Opened(number));
        let (wait, then) = match self.network.name {
            _ if !self.network.carrier => (ms(1), Err(EndKind::Unreachable)),
            Name::Found if self.network.uplink.is_dead(self.now) => {
                (DNS_TIMEOUT, Err(EndKind::Timeout))
            }
            Name::Found => (self.network.uplink.delay * 2, Ok(())),
            Name::Refused => (self.network.uplink.delay * 2, Err(EndKind::Unreachable)),
            Name::Silent => (DNS_TIMEOUT, Err(EndKind::Timeout)),
        };
        self.attempt = Some(Attempt { number, stage: phase("name", self.now + wait, then) });
    }

    fn close(&mut self, number: u64, polite: bool) {
        let now = self.now;
        if self.attempt.as_ref().is_none_or(|attempt| attempt.number != number) {
            return;
        }
        match self.connection() {
            Some(connection) if polite => {
                connection.stop_by = Some(now + STOP_TIMEOUT);
                connection.session.stop(now);
            }
            _ => self.end(EndKind::Stopped, "close"),
        }
    }

    fn end(&mut self, kind: EndKind, during: &'static str) {
        let Some(attempt) = self.attempt.take() else { return };
        if let Stage::Rtmp(connection) = &attempt.stage {
            self.written_bytes += connection.tcp.written();
            self.pilot.set_connected(self.now, false);
            self.viewer.disconnected();
            // A server that is not told keeps the key until it gives the publisher up.
            let untold = self.network.uplink.is_dead(self.now) || !self.network.carrier;
            if connection.publish_started && untold {
                self.key_held_until = self.now + self.network.holds_key_for;
            }
        }
        self.note(Told::Ended(kind, during));
        let message = during.to_owned();
        let what = PublishEvent::Ended { kind, message };
        let attempt = attempt.number;
        self.soon.push_back(Event::Publish { dest: DESTINATION, attempt, what });
    }

    // ── an attempt under way ──────────────────────────────────────────────────────────────────

    fn attend(&mut self) {
        match self.attempt.as_ref().map(|attempt| &attempt.stage) {
            Some(Stage::Phase { name, until, then }) if *until <= self.now => match *then {
                Err(kind) => self.end(kind, name),
                Ok(()) => self.next_phase(name),
            },
            Some(Stage::Rtmp(_)) => self.drive(),
            _ => {}
        }
    }

    fn next_phase(&mut self, done: &'static str) {
        let (now, network) = (self.now, &self.network);
        let rtt = network.uplink.delay * 2;
        let is_dead = network.uplink.is_dead(now);
        let stage = match done {
            "name" => {
                let race = HAPPY_EYEBALLS_DELAY * network.dead_addresses + rtt;
                match () {
                    () if is_dead || race > TCP_TIMEOUT => {
                        phase("TCP", now + TCP_TIMEOUT, Err(EndKind::Timeout))
                    }
                    () if !network.listens => phase("TCP", now + race, Err(EndKind::Unreachable)),
                    () => phase("TCP", now + race, Ok(())),
                }
            }
            "TCP" if is_dead || !network.speaks_tls => {
                phase("TLS", now + TLS_TIMEOUT, Err(EndKind::Timeout))
            }
            "TCP" if !network.certificate_is_good => {
                let kind = EndKind::Certificate { not_yet_valid: false };
                phase("TLS", now + rtt, Err(kind))
            }
            "TCP" => phase("TLS", now + rtt, Ok(())),
            _ => Stage::Rtmp(Box::new(self.connect())),
        };
        if let Some(attempt) = &mut self.attempt {
            attempt.stage = stage;
        }
    }

    fn connect(&mut self) -> Connection {
        let key = StreamKey::parse("live-key").expect("a key");
        let mut config = SessionConfig::new("rtmps://server.example/live", "live", key);
        config.seed = self.seed;
        let mut policy = self.network.policy.clone();
        if self.now < self.key_held_until {
            policy.refuse_publish = self.network.refuse.clone();
        }
        let server = IngestConfig { policy, seed: self.seed, ..IngestConfig::default() };
        let number = self.attempt.as_ref().map_or(0, |attempt| attempt.number);
        self.pilot.set_connected(self.now, true);
        if let Some(encoder) = &mut self.encoder {
            encoder.force_key();
        }
        Connection {
            tcp: Tcp::new(
                self.now,
                self.network.uplink.clone(),
                self.pilot.lowat(),
                self.seed ^ number,
            ),
            session: Session::new(self.now, config),
            server: IngestSession::new(self.now, server),
            down: VecDeque::new(),
            timeline: Timeline::new(),
            delivery: Delivery::new(self.now),
            ends: VecDeque::new(),
            next_check: self.now,
            window: Window::new(self.now),
            publish_started: false,
            accepted: false,
            stop_by: None,
            broken: None,
        }
    }

    fn drive(&mut self) {
        let now = self.now;
        let Some(Attempt { number, stage: Stage::Rtmp(connection) }) = &mut self.attempt else {
            return;
        };
        let number = *number;
        let uplink = &self.network.uplink;
        connection.carry(now, uplink, &mut self.viewer, &mut self.delivered_bytes);
        let mut ended = connection.fill(now, &mut *self.pilot, &mut self.viewer);
        if connection.stop_by.is_none() && ended.is_none() {
            ended = connection.look(now, &mut *self.pilot);
        }
        if let Some((at, kind)) = connection.broken
            && at <= now
        {
            ended = Some((kind, "publishing"));
        }
        let is_stopped = connection.stop_by.is_some_and(|by| now >= by);
        let was_accepted = connection.accepted;
        connection.accepted |= connection.publish_started && connection.delivery.media_delivered();
        if connection.accepted && !was_accepted {
            self.note(Told::Accepted(number));
            let what = PublishEvent::Accepted;
            self.soon.push_back(Event::Publish { dest: DESTINATION, attempt: number, what });
        }
        if is_stopped {
            self.end(EndKind::Stopped, "stop");
        } else if let Some((kind, during)) = ended {
            self.end(kind, during);
        }
    }
}

fn phase(name: &'static str, until: Duration, then: Result<(), EndKind>) -> Stage {
    Stage::Phase { name, until, then }
}

type End = Option<(EndKind, &'static str)>;

impl Connection {
    /// Moves bytes both ways.
    fn carry(&mut self, now: Duration, uplink: &Uplink, viewer: &mut Viewer, delivered: &mut u64) {
        self.tcp.step(now);
        while let Some(bytes) = self.tcp.read() {
            *delivered += bytes.len() as u64;
            self.server.handle_input(now, &bytes);
        }
        while let Some(event) = self.server.poll_event() {
            if let IngestEvent::Message { kind, body, .. } = event
                && kind != Kind::Data
            {
                viewer.received(now, kind, &body);
            }
        }
        let out = self.server.transmit();
        if out.has_remaining() && !self.tcp.frozen {
            let bytes = out.copy_to_bytes(out.remaining());
            // What is lost on the way down comes again when the path is back.
            let from = match uplink.is_dead(now) {
                true => uplink.alive_from(now) + ms(200),
                false => now,
            };
            self.down.push_back((from + uplink.delay, bytes));
        }
        while self.down.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, bytes)) = self.down.pop_front() else { break };
            self.session.handle_input(now, &bytes);
        }
    }

    /// Hands frames to the session and bytes to the socket, as long as both take them.
    fn fill(&mut self, now: Duration, pilot: &mut dyn Pilot, viewer: &mut Viewer) -> End {
        self.session.handle_timeout(now);
        loop {
            if let Some(end) = self.take_events() {
                return Some(end);
            }
            let wants_media = self.session.may_stream() && self.stop_by.is_none();
            while wants_media && self.session.transmit().remaining() < pilot.ahead_bytes() {
                let Some(frame) = pilot.pop() else { break };
                let stamp = self.timeline.stamp(&frame);
                let head = flv::head(&frame, stamp.composition_time_ms);
                let (track, is_config) = (frame.track(), frame.kind.is_config());
                let pushed = Duration::from_nanos(frame.dts_ns);
                match track {
                    Track::Video => {
                        self.session.send_video(stamp.dts_ms, head.as_slice(), frame.payload);
                    }
                    Track::Audio => {
                        self.session.send_audio(stamp.dts_ms, head.as_slice(), frame.payload);
                    }
                }
                let end = self.session.stats().bytes_queued;
                self.delivery.first_media_ends_at(end);
                if !is_config {
                    self.ends.push_back((end, pushed, track));
                }
            }
            if self.tcp.write(self.session.transmit()) == 0 {
                break;
            }
        }
        let sent = self.tcp.written() - self.tcp.unsent();
        while self.ends.front().is_some_and(|(end, ..)| *end <= sent) {
            let Some((_, pushed, track)) = self.ends.pop_front() else { break };
            viewer.sent(track, now.saturating_sub(pushed));
        }
        None
    }

    fn take_events(&mut self) -> End {
        while let Some(event) = self.session.poll_event() {
            match event {
                rtmp::Event::Accepted => self.publish_started = true,
                rtmp::Event::Stopped => return Some((EndKind::Stopped, "stop")),
                rtmp::Event::Ended(error) => return Some((end_kind(&error), phase_name(&error))),
                _ => {}
            }
        }
        None
    }

    /// Looks at delivery, as the publish task does, and lets the pilot look.
    fn look(&mut self, now: Duration, pilot: &mut dyn Pilot) -> End {
        let stats = self.session.stats();
        let acknowledged_bytes = stats.ack_seen.then_some(stats.bytes_acknowledged);
        let unacknowledged = self.tcp.unacknowledged();
        let missing = unacknowledged - self.tcp.selectively_acknowledged();
        if now >= self.next_check || self.publish_started && !self.accepted {
            self.next_check = now + PROGRESS_TICK;
            let window = self.session.acknowledgement_window();
            if let Some(window) = self.window.observe(now, self.tcp.written(), window) {
                self.session.ask_for_acknowledgements(window);
            }
            let seen = Observation {
                written_bytes: self.tcp.written(),
                waiting_bytes: self.session.transmit().remaining(),
                acknowledged_bytes,
                window_bytes: self.session.acknowledgement_window(),
                tcp_unacknowledged_bytes: Some(missing as u32),
                tcp_acknowledged_bytes: self.tcp.written() - missing,
            };
            if self.delivery.observe(now, seen).is_some() {
                return Some((EndKind::Lost, "publishing"));
            }
        }
        if now < pilot.next_look() || !self.publish_started {
            return None;
        }
        let waiting = pilot.waiting();
        let sample = Sample {
            queue_age: waiting.age,
            queue_bytes: waiting.bytes,
            unsent_bytes: self.session.transmit().remaining() as u64,
            written_bytes: self.tcp.written(),
            tcp_unacknowledged_bytes: Some(missing),
            server_acknowledged_bytes: acknowledged_bytes,
            rtt: Some(self.tcp.rtt()),
        };
        pilot.look(now, sample, unacknowledged).then_some((EndKind::Lost, "crawl"))
    }
}

/// What the publish task makes of a session's end.
fn end_kind(error: &rtmp::Error) -> EndKind {
    match (&error.kind, error.refusal()) {
        (ErrorKind::ClosedByServer, _) => EndKind::ClosedByServer,
        (ErrorKind::Timeout, _) => EndKind::Timeout,
        (_, Some(Refusal::KeyRejected)) => EndKind::KeyRefused,
        (_, Some(Refusal::KeyBusy)) => EndKind::Busy,
        (_, Some(Refusal::Kicked)) => EndKind::Kicked,
        (_, Some(_)) => EndKind::Rejected,
        _ => EndKind::Lost,
    }
}

fn phase_name(error: &rtmp::Error) -> &'static str {
    match error.during {
        rtmp::Phase::Handshake => "handshake",
        rtmp::Phase::Connect => "connect",
        rtmp::Phase::CreateStream => "createStream",
        rtmp::Phase::Publish => "publish",
        rtmp::Phase::Publishing => "publishing",
        rtmp::Phase::Stopping => "stop",
    }
}
