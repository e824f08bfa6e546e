//! A connection in the simulated world: the product's own over a simulated TCP.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, Bytes};
use firstmile::flv::Metadata;
use firstmile::media::{Frame, QueueStats, Track};
use firstmile::pace::PathSample;
use firstmile::publish::PublishError;
use firstmile::rtmp::ConnectOrder;
use firstmile::rtmp::message::Kind;
use firstmile::rtmp::url::ServerUrl;
use firstmile::secret::StreamKey;
use firstmile::sim::ingest::session::{IngestConfig, IngestEvent, IngestSession};
use firstmile::stream::{
    self, Advice, Compatibility, ConnectAttempt, Connection, ConnectionId, Demands, Ending, Error,
    Kernel, Next, Source, TcpState,
};

use super::link::{Tcp, Uplink};
use super::ms;
use super::pilots::Pilot;
use super::viewer::Viewer;

/// A connection of the destination, from the name look-up on.
pub struct Line {
    pub id: ConnectionId,
    pub media: Media,
    pub stage: Stage,
    attempt: ConnectAttempt,
}

/// Where its frames come from.
pub enum Media {
    Ours(Box<stream::Media>),
    Other { has_begun: bool },
}

pub enum Stage {
    /// The phase with this name ends then, so.
    Phase {
        name: &'static str,
        until: Duration,
        then: Result<(), PublishError>,
    },
    Rtmp(Box<Wire>),
}

/// A connection that stands.
pub struct Wire {
    pub connection: Connection,
    pub tcp: Tcp,
    pub server: IngestSession,
    down: VecDeque<(Duration, Bytes)>,
    /// Where in the stream each frame ends, with when it was pushed.
    ends: VecDeque<(u64, Duration, Track)>,
    /// The server has been notice of the stream.
    pub is_publishing: bool,
    is_shut: bool,
    /// The server closes, or else resets, and when the client learns of it.
    pub broken: Option<(Duration, bool)>,
}

impl Line {
    pub fn new(id: ConnectionId, media: Media, stage: Stage) -> Line {
        let server = ServerUrl::parse("rtmps://server.example/live").expect("an address");
        let usual = Compatibility::usual(ConnectOrder::default());
        Line { id, media, stage, attempt: ConnectAttempt::to(&server, usual) }
    }

    pub fn wire(&mut self) -> Option<&mut Wire> {
        match &mut self.stage {
            Stage::Rtmp(wire) => Some(wire),
            Stage::Phase { .. } => None,
        }
    }

    /// A connection of the attempt has ended: whether another one is made.
    pub fn go_on(&mut self, error: Error) -> Result<(), Error> {
        self.attempt.go_on(error, 1)?;
        match &mut self.media {
            Media::Ours(media) => media.restart(),
            Media::Other { has_begun } => *has_begun = false,
        }
        Ok(())
    }

    /// TLS stands.
    pub fn connect(
        &mut self,
        now: Duration,
        uplink: Uplink,
        lowat: Option<u64>,
        server: IngestConfig,
        receive_window: Option<u64>,
    ) {
        let key = StreamKey::parse("live-key").expect("a key");
        let seed = server.seed;
        let session = self.attempt.session(now, key, seed);
        let mut tcp = Tcp::new(now, uplink, lowat, seed ^ (self.id.0 + 1));
        if let Some(bytes) = receive_window {
            tcp.receive_window = bytes;
        }
        self.stage = Stage::Rtmp(Box::new(Wire {
            connection: Connection::new(now, session, None),
            tcp,
            server: IngestSession::new(now, server),
            down: VecDeque::new(),
            ends: VecDeque::new(),
            is_publishing: false,
            is_shut: false,
            broken: None,
        }));
    }

    /// Lets the connection go on as far as it can now.
    pub fn drive(
        &mut self,
        now: Duration,
        uplink: &Uplink,
        pilot: Option<&mut Box<dyn Pilot>>,
        viewer: &mut Viewer,
        delivered: &mut u64,
    ) {
        let Stage::Rtmp(wire) = &mut self.stage else { return };
        wire.carry(now, uplink, viewer, delivered);
        let mut source =
            Watched { media: &mut self.media, pilot, unacknowledged: 0, taken: Vec::new() };
        wire.exchange(now, &mut source);
        wire.note_sent(now, viewer);
    }
}

impl Wire {
    /// Moves bytes both ways.
    fn carry(&mut self, now: Duration, uplink: &Uplink, viewer: &mut Viewer, delivered: &mut u64) {
        self.tcp.step(now);
        while let Some(bytes) = self.tcp.read() {
            *delivered += bytes.len() as u64;
            self.server.handle_input(now, &bytes);
        }
        while let Some(event) = self.server.poll_event() {
            match event {
                IngestEvent::Publishing { .. } => self.is_publishing = true,
                IngestEvent::Message { kind, body, .. } if kind != Kind::Data => {
                    viewer.received(now, kind, &body);
                }
                _ => {}
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
            self.connection.handle_input(now, &bytes);
        }
        match self.broken {
            Some((at, true)) if at <= now => self.connection.handle_eof(now),
            // Writing fails, and then reading.
            Some((at, false)) if at <= now => {
                for _ in 0..2 {
                    self.connection.handle_broken(now, Ending::Reset, "connection reset");
                }
            }
            // A server that has read to the end closes too.
            _ if self.is_shut && self.tcp.is_idle() => self.connection.handle_eof(now),
            _ => {}
        }
    }

    /// Bytes to the socket and frames to the session, as long as both take them.
    fn exchange(&mut self, now: Duration, source: &mut Watched<'_>) {
        loop {
            let tcp = &self.tcp;
            source.unacknowledged = tcp.unacknowledged();
            let kernel = || {
                let unacknowledged = tcp.unacknowledged();
                Kernel::Here(TcpState {
                    unacknowledged_bytes: unacknowledged as u32,
                    sacked_bytes: tcp.selectively_acknowledged() as u32,
                    acknowledged_bytes: tcp.written() - unacknowledged,
                    window_bytes: Some(tcp.peer_window() as u32),
                    rtt: tcp.rtt(),
                    ..TcpState::default()
                })
            };
            self.connection.advance(now, source, kernel);
            self.note_taken(source);
            if self.connection.wants_shutdown() {
                self.connection.handle_shutdown();
                self.is_shut = true;
            }
            if !self.connection.may_write() {
                return;
            }
            match self.tcp.write(self.connection.transmit()) {
                0 => return,
                length => self.connection.handle_written(length, true),
            }
        }
    }

    /// Where the frames that were just taken end in the stream: the last one where all ends that
    /// waits, those before it by their length.
    fn note_taken(&mut self, source: &mut Watched<'_>) {
        const HEADS: u64 = 16;
        let mut end = self.tcp.written() + self.connection.transmit().remaining() as u64;
        let first = self.ends.len();
        for (pushed, track, bytes) in source.taken.drain(..).rev() {
            self.ends.insert(first, (end, pushed, track));
            end = end.saturating_sub(bytes + HEADS);
        }
    }

    fn note_sent(&mut self, now: Duration, viewer: &mut Viewer) {
        let sent = self.tcp.written() - self.tcp.unsent();
        while self.ends.front().is_some_and(|(end, ..)| *end <= sent) {
            let Some((_, pushed, track)) = self.ends.pop_front() else { break };
            viewer.sent(track, now.saturating_sub(pushed));
        }
    }
}

/// The source of a connection, with a note of what was taken from it.
struct Watched<'a> {
    media: &'a mut Media,
    pilot: Option<&'a mut Box<dyn Pilot>>,
    unacknowledged: u64,
    /// When each was pushed, its track and length.
    taken: Vec<(Duration, Track, u64)>,
}

impl Source for Watched<'_> {
    fn demands(&self) -> Demands {
        match (&self.media, &self.pilot) {
            (Media::Other { .. }, Some(pilot)) => Demands {
                look: pilot.look_every(),
                ahead_bytes: pilot.ahead_bytes(),
                minds_the_path: true,
            },
            (Media::Ours(media), _) => media.demands(),
            (Media::Other { .. }, None) => Demands::default(),
        }
    }

    fn metadata(&self) -> Option<&Metadata> {
        match &self.media {
            Media::Ours(media) => media.metadata(),
            Media::Other { .. } => None,
        }
    }

    fn connected(&mut self, now: Duration) {
        if let Media::Ours(media) = &mut self.media {
            media.connected(now);
        }
    }

    fn begin(&mut self, now: Duration) {
        match &mut self.media {
            Media::Ours(media) => media.begin(now),
            Media::Other { has_begun } => *has_begun = true,
        }
    }

    fn restart(&mut self) {
        if let Media::Ours(media) = &mut self.media {
            media.restart();
        }
    }

    fn next(&mut self, now: Duration) -> Result<Next, String> {
        let next = match (&mut self.media, &mut self.pilot) {
            (Media::Ours(media), _) => media.next(now)?,
            (Media::Other { .. }, Some(pilot)) => pilot.pop().map_or(Next::NothingYet, Next::Frame),
            (Media::Other { .. }, None) => Next::NothingYet,
        };
        if let Next::Frame(Frame { kind, dts_ns, payload, .. }) = &next
            && !kind.is_config()
        {
            self.taken.push((Duration::from_nanos(*dts_ns), kind.track(), payload.len() as u64));
        }
        Ok(next)
    }

    fn queue(&self) -> QueueStats {
        match (&self.media, &self.pilot) {
            (Media::Ours(media), _) => media.queue(),
            (Media::Other { .. }, Some(pilot)) => {
                let waiting = pilot.waiting();
                let bytes = waiting.bytes as usize;
                QueueStats { span: waiting.age, bytes, ..QueueStats::default() }
            }
            (Media::Other { .. }, None) => QueueStats::default(),
        }
    }

    fn observe(&mut self, now: Duration, sample: &PathSample) -> Advice {
        match (&mut self.media, &mut self.pilot) {
            (Media::Ours(media), _) => media.observe(now, sample),
            (Media::Other { has_begun: true }, Some(pilot)) => {
                pilot.look(now, sample, self.unacknowledged);
                Advice::default()
            }
            _ => Advice::default(),
        }
    }

    fn start_kbps(&self) -> Option<u32> {
        match &self.media {
            Media::Ours(media) => media.start_kbps(),
            Media::Other { .. } => None,
        }
    }

    fn resume_kbps(&self) -> Option<u32> {
        match &self.media {
            Media::Ours(media) => media.resume_kbps(),
            Media::Other { .. } => None,
        }
    }

    async fn ready(&mut self) {}
}
