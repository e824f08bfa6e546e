//! A whole sender in a simulated world, under virtual time and from a seed.
//!
//! Real is everything of ours that decides: the appliance, the hand-over, the connection with session,
//! time line and judgement of delivery, the media with queue and policy (`ours.rs`); and the protocol
//! half of the ingest server, to which real bytes travel. Simulated are the encoder (`encoder.rs`), the
//! kernel's TCP and the uplink (`link.rs`), name look-up, TCP connect and TLS as so many round trips,
//! and an owner who presses the button once. The senders that ours is compared with have queues and
//! policies of their own (`pilots.rs`) on the same connection.

#![allow(dead_code, reason = "each test file uses its own part")]

#[path = "encoder.rs"]
pub mod encoder;
#[path = "line.rs"]
pub mod line;
#[path = "link.rs"]
pub mod link;
#[path = "ours.rs"]
pub mod ours;
#[path = "pilots.rs"]
pub mod pilots;
#[path = "viewer.rs"]
pub mod viewer;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Buf;
use firstmile::appliance::{
    Action, Appliance, DestinationId, Event, LinkChange, PipelineEvent, PipelineOrder, Presence,
    PublishEvent, PublishOrder, Setup, Source, Target,
};
use firstmile::ending::Evidence;
use firstmile::limits::{DNS_TIMEOUT, HAPPY_EYEBALLS_DELAY, TCP_TIMEOUT, TLS_TIMEOUT};
use firstmile::panel::Gesture;
use firstmile::publish::{CertificateFault, PublishError};
use firstmile::sim::ingest::session::{IngestConfig, Policy, Refuse};
use firstmile::status::Mode;
use firstmile::stream::{self, Close, ConnectionId, Ended, Handover, Happened, Progress, What};

use encoder::Encoder;
use line::{Line, Media, Stage, Wire};
use link::Uplink;
use ours::Ours;
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
    /// The server acknowledges each so many bytes, whatever it is asked for.
    pub ack_every: Option<u32>,
    /// What the server's kernel takes in while its program does not read.
    pub receive_window: Option<u64>,
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
            ack_every: None,
            receive_window: None,
            holds_key_for: Duration::ZERO,
            refuse: None,
        }
    }
}

/// What happened, for tests to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    Opened(u64),
    Accepted(u64),
    /// A connection ended, during this phase.
    Closed(&'static str),
    /// An attempt ended, during this phase.
    Ended(Evidence, &'static str),
    Mode(Mode),
    Target(u32),
}

/// Who sends.
pub enum Sender {
    Ours(Ours),
    Other(Box<dyn Pilot>),
}

impl From<Ours> for Sender {
    fn from(ours: Ours) -> Sender {
        Sender::Ours(ours)
    }
}

impl From<Box<dyn Pilot>> for Sender {
    fn from(pilot: Box<dyn Pilot>) -> Sender {
        Sender::Other(pilot)
    }
}

impl Sender {
    fn lowat(&self) -> Option<u64> {
        match self {
            Sender::Ours(ours) => Some(ours.lowat()),
            Sender::Other(pilot) => pilot.lowat(),
        }
    }

    fn push(&mut self, frame: firstmile::media::Frame) -> bool {
        match self {
            Sender::Ours(ours) => ours.push(frame),
            Sender::Other(pilot) => pilot.push(frame),
        }
    }

    fn target_kbps(&self) -> u32 {
        match self {
            Sender::Ours(ours) => ours.target_kbps(),
            Sender::Other(pilot) => pilot.target_kbps(),
        }
    }

    fn waiting_bytes(&self) -> u64 {
        match self {
            Sender::Ours(ours) => ours.waiting_bytes(),
            Sender::Other(pilot) => pilot.waiting().bytes,
        }
    }
}

pub struct World {
    pub now: Duration,
    pub network: Network,
    pub appliance: Appliance,
    pub encoder: Option<Encoder>,
    sender: Sender,
    handover: Handover<(), PublishError>,
    lines: Vec<Line>,
    /// The phase in which a connection ended last.
    ended_during: &'static str,
    pub viewer: Viewer,
    pub notices: Vec<(Duration, Notice)>,
    pub delivered_bytes: u64,
    /// The most that queue and session ever held.
    pub peak_bytes: u64,
    /// RTMP bytes that were ever written to a socket.
    pub written_bytes: u64,
    no_media: bool,
    /// How far time moves at once while a connection stands; short against the path.
    pub step: Duration,
    /// Whether what happens is written down.
    pub is_noted: bool,
    run: u64,
    first_key_noted: bool,
    fps: u32,
    soon: VecDeque<Event>,
    opened: u64,
    key_held_until: Duration,
    seed: u64,
    mode: Mode,
    target_kbps: u32,
}

impl World {
    /// A box that goes live at once.
    pub fn live(seed: u64, network: Network, sender: impl Into<Sender>) -> World {
        let setup = Setup {
            seed,
            start_without_camera: false,
            start_without_microphone: false,
            was_live: false,
        };
        let sender = sender.into();
        let target_kbps = sender.target_kbps();
        let mut world = World {
            now: Duration::ZERO,
            network,
            appliance: Appliance::new(Duration::ZERO, setup),
            encoder: None,
            sender,
            handover: Handover::new(),
            lines: Vec::new(),
            ended_during: "",
            viewer: Viewer::default(),
            notices: Vec::new(),
            delivered_bytes: 0,
            peak_bytes: 0,
            written_bytes: 0,
            no_media: false,
            step: ms(5),
            is_noted: true,
            run: 0,
            first_key_noted: false,
            fps: 30,
            soon: VecDeque::new(),
            opened: 0,
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

    /// A box whose encoder makes `fps` frames a second, and audio that is as much coarser.
    pub fn with_fps(mut self, fps: u32) -> World {
        self.fps = fps;
        self.set_media(true);
        self
    }

    // ── questions ─────────────────────────────────────────────────────────────────────────────

    /// When this happened first, at or after `since`.
    pub fn when(&self, since: Duration, what: impl Fn(&Notice) -> bool) -> Option<Duration> {
        self.notices.iter().find(|(at, notice)| *at >= since && what(notice)).map(|(at, _)| *at)
    }

    pub fn is_live(&self) -> bool {
        self.mode == Mode::Live
    }

    pub fn attempts(&self) -> u64 {
        self.opened
    }

    /// The encoder's bitrate.
    pub fn target_kbps(&self) -> u32 {
        self.sender.target_kbps()
    }

    /// Bytes in queue and session.
    pub fn held_bytes(&mut self) -> u64 {
        let ahead = self.wire().map_or(0, |wire| wire.connection.transmit().remaining() as u64);
        self.sender.waiting_bytes() + ahead
    }

    fn note(&mut self, notice: Notice) {
        if self.is_noted {
            self.notices.push((self.now, notice));
        }
    }

    // ── what happens to the box and its network ───────────────────────────────────────────────

    /// Changes the uplink, also under a connection that stands.
    pub fn set_uplink(&mut self, uplink: Uplink) {
        for wire in self.lines.iter_mut().filter_map(Line::wire) {
            wire.tcp.set_uplink(uplink.clone());
        }
        self.network.uplink = uplink;
    }

    pub fn tell(&mut self, event: Event) {
        self.soon.push_back(event);
        self.act();
    }

    /// The server closes (`ClosedWhileLive`) or resets (`Reset`) the connection.
    pub fn server_breaks(&mut self, how: Evidence) {
        let at = self.now + self.network.uplink.delay;
        if let Some(wire) = self.wire() {
            wire.broken = Some((at, how == Evidence::ClosedWhileLive));
        }
    }

    /// The box has another address: the connection that stands will never deliver again, and the shell
    /// finds that it comes from an address that is gone.
    pub fn address_changes(&mut self) {
        let (now, uplink) = (self.now, self.network.uplink.clone());
        if let Some(wire) = self.wire() {
            wire.tcp.set_uplink(Uplink { holes: vec![(now, Duration::MAX)], ..uplink });
            let attempt = self.handover.attempt();
            self.tell(Event::Stranded { dest: DESTINATION, attempt });
        }
        self.tell(Event::Link(LinkChange::Changed));
    }

    /// The server's program hangs, or goes on.
    pub fn set_frozen(&mut self, frozen: bool) {
        if let Some(wire) = self.wire() {
            wire.tcp.frozen = frozen;
        }
    }

    /// The server asks to move to another connection at the same place.
    pub fn server_asks_to_move(&mut self) {
        if let Some(wire) = self.wire() {
            wire.server.request_reconnect(None);
        }
    }

    /// How many connections stand or are being made.
    pub fn connections(&self) -> usize {
        self.lines.len()
    }

    /// The connection that stands first.
    fn wire(&mut self) -> Option<&mut Wire> {
        self.lines.iter_mut().find_map(Line::wire)
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
            self.handover.handle_timeout(self.now);
            self.hand_over();
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
        for line in &self.lines {
            next = next.min(match line.stage {
                Stage::Rtmp(_) => self.now + self.step,
                Stage::Phase { until, .. } => until,
            });
        }
        if let Some(encoder) = self.encoder.as_ref().filter(|_| !self.no_media) {
            next = next.min(encoder.due());
        }
        next
    }

    fn encode(&mut self) {
        let target_kbps = self.sender.target_kbps();
        if target_kbps != self.target_kbps {
            self.target_kbps = target_kbps;
            self.note(Notice::Target(target_kbps));
        }
        let Some(encoder) = self.encoder.as_mut().filter(|_| !self.no_media) else { return };
        while let Some(frame) = encoder.next(self.now, target_kbps) {
            self.viewer.pushed(&frame);
            if self.sender.push(frame) {
                encoder.force_key();
            }
        }
        let held = self.held_bytes();
        self.peak_bytes = self.peak_bytes.max(held);
        if !self.first_key_noted {
            self.first_key_noted = true;
            self.tell(Event::Pipeline { run: self.run, what: PipelineEvent::FirstKey });
        }
    }

    // ── the box's requests ────────────────────────────────────────────────────────────────────

    fn act(&mut self) {
        loop {
            while let Some(action) = self.appliance.poll_action() {
                match action {
                    Action::Pipeline(order) => self.pipeline(order),
                    Action::Publish(PublishOrder::Open { attempt, .. }) => {
                        assert!(!self.handover.is_running(), "at most one publish is open");
                        self.opened += 1;
                        self.note(Notice::Opened(attempt));
                        self.handover.handle_open(self.now, attempt, ());
                    }
                    Action::Publish(PublishOrder::Close { attempt, polite, .. }) => {
                        let how = if polite { Close::Polite } else { Close::Abort };
                        self.handover.handle_close(attempt, how);
                    }
                    _ => {}
                }
                self.hand_over();
            }
            let Some(event) = self.soon.pop_front() else { break };
            self.appliance.handle(self.now, event);
        }
        if self.mode != self.appliance.mode() {
            self.mode = self.appliance.mode();
            self.note(Notice::Mode(self.mode));
        }
    }

    /// Does what the hand-over wants done.
    fn hand_over(&mut self) {
        while let Some(action) = self.handover.poll_action() {
            match action {
                stream::Action::Connect { id, queue, start_kbps, .. } => {
                    let media = match &self.sender {
                        Sender::Ours(ours) => Media::Ours(Box::new(ours.media(queue, start_kbps))),
                        Sender::Other(_) => Media::Other { has_begun: false },
                    };
                    let stage = self.first_phase();
                    self.lines.push(Line::new(id, media, stage));
                }
                stream::Action::Close { id, how } => self.close(id, how),
                stream::Action::Show { id } => {
                    let line = self.lines.iter().find(|line| line.id == id);
                    if let (Sender::Ours(ours), Some(Line { media: Media::Ours(media), .. })) =
                        (&mut self.sender, line)
                    {
                        ours.show(media);
                    }
                }
                stream::Action::Report { attempt, what } => self.report(attempt, what),
                stream::Action::Moved { .. } | stream::Action::MoveFailed { .. } => {}
            }
        }
    }

    fn report(&mut self, attempt: u64, what: What<PublishError>) {
        if let Sender::Ours(ours) = &mut self.sender {
            ours.handle(&what);
        }
        let what = match what {
            What::Accepted => {
                self.note(Notice::Accepted(attempt));
                PublishEvent::Accepted
            }
            What::Returned => PublishEvent::Returned,
            What::TargetBitrate(_) => return,
            What::Ended(ended) => {
                let evidence = ended.err().map_or(Evidence::Stopped, |error| error.evidence());
                self.note(Notice::Ended(evidence, self.ended_during));
                PublishEvent::Ended { evidence, message: self.ended_during.to_owned() }
            }
        };
        self.soon.push_back(Event::Publish { dest: DESTINATION, attempt, what });
    }

    fn pipeline(&mut self, order: PipelineOrder) {
        match order {
            PipelineOrder::Start { run } | PipelineOrder::Restart { run } => {
                self.run = run;
                self.encoder = Some(self.new_encoder());
                self.first_key_noted = self.no_media;
                for config in Encoder::configs() {
                    self.sender.push(config);
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

    fn first_phase(&self) -> Stage {
        let (wait, then) = match self.network.name {
            _ if !self.network.carrier => (ms(1), Err(unreachable())),
            Name::Found if self.network.uplink.is_dead(self.now) => {
                (DNS_TIMEOUT, Err(timeout("name")))
            }
            Name::Found => (self.network.uplink.delay * 2, Ok(())),
            Name::Refused => (self.network.uplink.delay * 2, Err(unreachable())),
            Name::Silent => (DNS_TIMEOUT, Err(timeout("name"))),
        };
        phase("name", self.now + wait, then)
    }

    fn close(&mut self, id: ConnectionId, how: Close) {
        let Some(line) = self.lines.iter_mut().find(|line| line.id == id) else { return };
        match line.wire() {
            // A connection takes its order before the destination takes its next one.
            Some(wire) => {
                wire.connection.handle_close(self.now, how);
                self.drive(id);
            }
            None => self.end(id, "close", Ok(()), None),
        }
    }

    /// A connection is over; the next one of its attempt is made where there is one to make.
    fn end(
        &mut self,
        id: ConnectionId,
        during: &'static str,
        ended: Result<(), PublishError>,
        resume_kbps: Option<u32>,
    ) {
        let Some(at) = self.lines.iter().position(|line| line.id == id) else { return };
        if let Some(wire) = self.lines[at].wire() {
            self.written_bytes += wire.tcp.written();
            self.viewer.disconnected();
            // A server that is not notice keeps the key until it gives the publisher up.
            let untold = self.network.uplink.is_dead(self.now) || !self.network.carrier;
            if wire.is_publishing && untold {
                self.key_held_until = self.now + self.network.holds_key_for;
            }
        }
        if let Sender::Other(pilot) = &mut self.sender {
            pilot.set_connected(self.now, false);
        }
        self.note(Notice::Closed(during));
        let result = match ended {
            Err(PublishError::Stream(error)) => match self.lines[at].go_on(error) {
                Ok(()) => {
                    self.lines[at].stage = self.first_phase();
                    return;
                }
                Err(error) => Err(error.into()),
            },
            ended => ended,
        };
        self.lines.remove(at);
        self.ended_during = during;
        let refusal = result.as_ref().err().and_then(PublishError::refusal);
        self.handover.handle_ended(self.now, id, Ended { result, refusal, resume_kbps });
        self.hand_over();
    }

    // ── connections under way ─────────────────────────────────────────────────────────────────

    fn attend(&mut self) {
        let ids: Vec<ConnectionId> = self.lines.iter().map(|line| line.id).collect();
        for id in ids {
            let now = self.now;
            let Some(line) = self.lines.iter_mut().find(|line| line.id == id) else { continue };
            match &mut line.stage {
                Stage::Phase { name, until, then } if *until <= now => {
                    let (name, then) = (*name, std::mem::replace(then, Ok(())));
                    match then {
                        Err(error) => self.end(id, name, Err(error), None),
                        Ok(()) => self.next_phase(id, name),
                    }
                }
                Stage::Rtmp(_) => self.drive(id),
                Stage::Phase { .. } => {}
            }
        }
    }

    fn next_phase(&mut self, id: ConnectionId, done: &'static str) {
        let (now, network) = (self.now, &self.network);
        let rtt = network.uplink.delay * 2;
        let is_dead = network.uplink.is_dead(now);
        let stage = match done {
            "name" => {
                let race = HAPPY_EYEBALLS_DELAY * network.dead_addresses + rtt;
                match () {
                    () if is_dead || race > TCP_TIMEOUT => {
                        phase("TCP", now + TCP_TIMEOUT, Err(unanswered()))
                    }
                    () if !network.listens => phase("TCP", now + race, Err(unreachable())),
                    () => phase("TCP", now + race, Ok(())),
                }
            }
            "TCP" if is_dead || !network.speaks_tls => {
                phase("TLS", now + TLS_TIMEOUT, Err(timeout("TLS")))
            }
            "TCP" if !network.certificate_is_good => {
                let (host, fault) = (HOST.to_owned(), CertificateFault::UnknownIssuer);
                phase("TLS", now + rtt, Err(PublishError::Certificate { host, fault }))
            }
            "TCP" => phase("TLS", now + rtt, Ok(())),
            _ => {
                let mut policy = network.policy.clone();
                if now < self.key_held_until {
                    policy.refuse_publish = network.refuse.clone();
                }
                let (uplink, lowat) = (network.uplink.clone(), self.sender.lowat());
                if let Sender::Other(pilot) = &mut self.sender {
                    pilot.set_connected(now, true);
                }
                let Some(line) = self.lines.iter_mut().find(|line| line.id == id) else { return };
                let (ack_every, seed) = (network.ack_every, self.seed);
                let server = IngestConfig { policy, ack_every, seed, ..IngestConfig::default() };
                line.connect(now, uplink, lowat, server, network.receive_window);
                return;
            }
        };
        if let Some(line) = self.lines.iter_mut().find(|line| line.id == id) {
            line.stage = stage;
        }
    }

    fn drive(&mut self, id: ConnectionId) {
        let now = self.now;
        let Some(line) = self.lines.iter_mut().find(|line| line.id == id) else { return };
        let pilot = match &mut self.sender {
            Sender::Ours(_) => None,
            Sender::Other(pilot) => Some(pilot),
        };
        let (viewer, delivered) = (&mut self.viewer, &mut self.delivered_bytes);
        line.drive(now, &self.network.uplink, pilot, viewer, delivered);
        let mut resume_kbps = None;
        while let Some(progress) = line.wire().and_then(|wire| wire.connection.poll_progress()) {
            let happened = match progress {
                Progress::TargetBitrate(kbps) => Happened::TargetBitrate(kbps),
                Progress::Accepted => Happened::Accepted,
                Progress::MoveWanted(_) => Happened::MoveWanted(None),
                Progress::Stats(stats) => {
                    resume_kbps = stats.resume_kbps;
                    continue;
                }
                Progress::Warning(_) => continue,
            };
            self.handover.handle(now, id, happened);
        }
        let ended = line.wire().and_then(|wire| wire.connection.poll_end());
        if let Some(ended) = ended {
            let during = ended.as_ref().err().map_or("stop", phase_name);
            let ended = ended.map(|_| ()).map_err(PublishError::from);
            self.end(id, during, ended, resume_kbps);
        }
        self.hand_over();
    }
}

const HOST: &str = "server.example";

fn phase(name: &'static str, until: Duration, then: Result<(), PublishError>) -> Stage {
    Stage::Phase { name, until, then }
}

fn timeout(phase: &'static str) -> PublishError {
    PublishError::Timeout { host: HOST.to_owned(), phase }
}

fn unanswered() -> PublishError {
    PublishError::Unanswered { host: HOST.to_owned() }
}

fn unreachable() -> PublishError {
    PublishError::NoRoute { address: ([192, 0, 2, 1], 443).into() }
}

fn phase_name(error: &stream::Error) -> &'static str {
    use firstmile::rtmp::Phase;
    let Some(error) = error.session() else { return "publishing" };
    match error.during {
        Phase::Handshake => "handshake",
        Phase::Connect => "connect",
        Phase::CreateStream => "createStream",
        Phase::Publish => "publish",
        Phase::Publishing => "publishing",
        Phase::Stopping => "stop",
    }
}
