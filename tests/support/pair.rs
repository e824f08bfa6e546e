//! A publisher and the ingest server, joined by two links in virtual time.
//!
//! Nothing here reads a clock or a socket. A link has a latency, hands bytes over in pieces of a
//! seeded or fixed size, can stall, and can be cut after any byte.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::{collections::VecDeque, io::IoSlice, time::Duration};

use bytes::{Buf, Bytes};
use firstmile::{
    rtmp::{ConnectOrder, Event, Outbound, Session, SessionConfig, message::Kind},
    secret::StreamKey,
    sim::ingest::session::{IngestConfig, IngestEvent, IngestSession},
};

/// A key that must never be seen anywhere.
pub const CANARY: &str = "canary-key-7f3a?sig=9d1c";

pub fn key() -> StreamKey {
    StreamKey::parse(CANARY).unwrap()
}

pub fn client_config(order: ConnectOrder) -> SessionConfig {
    let mut config = SessionConfig::new("rtmp://server.example/live", "live", key());
    config.order = order;
    config
}

pub const ORDERS: [ConnectOrder; 3] =
    [ConnectOrder::Patient, ConnectOrder::Conforming, ConnectOrder::Early];

/// How many bytes at once.
#[derive(Debug, Clone)]
pub enum Pieces {
    /// Whatever is there.
    Whole,
    /// So many.
    Of(usize),
    /// One to so many, by seed.
    Random(fastrand::Rng, usize),
}

impl Pieces {
    fn next(&mut self, there: usize) -> usize {
        match self {
            Pieces::Whole => there,
            Pieces::Of(size) => (*size).min(there),
            Pieces::Random(rng, max) => rng.usize(1..=*max).min(there),
        }
    }
}

/// One direction.
#[derive(Debug)]
pub struct Link {
    pub latency: Duration,
    pub pieces: Pieces,
    /// The link takes and delivers nothing while this holds.
    pub stalled: bool,
    /// After so many delivered bytes both ends see the connection closed.
    pub cut_after: Option<u64>,
    pub delivered: u64,
    under_way: VecDeque<(Duration, Bytes)>,
}

impl Link {
    fn new(latency: Duration) -> Link {
        Link {
            latency,
            pieces: Pieces::Whole,
            stalled: false,
            cut_after: None,
            delivered: 0,
            under_way: VecDeque::new(),
        }
    }

    /// Takes all that waits, in pieces: short writes.
    fn take(&mut self, now: Duration, out: &mut Outbound) {
        while !self.stalled && out.has_remaining() {
            let bytes = write_some(out, self.pieces.next(out.remaining()));
            self.under_way.push_back((now + self.latency, bytes));
        }
    }

    fn next_arrival(&self) -> Option<Duration> {
        if self.stalled { None } else { self.under_way.front().map(|(at, _)| *at) }
    }

    /// The next piece that has arrived; `true` with it when the link was cut behind it.
    fn arrived(&mut self, now: Duration) -> Option<(Bytes, bool)> {
        if self.stalled || self.under_way.front()?.0 > now {
            return None;
        }
        let (at, mut bytes) = self.under_way.pop_front()?;
        let mut piece = bytes.split_to(self.pieces.next(bytes.len()));
        if !bytes.is_empty() {
            self.under_way.push_front((at, bytes));
        }
        let left = self.cut_after.map_or(u64::MAX, |cut| cut - self.delivered);
        let cut = left <= piece.len() as u64;
        if cut {
            piece.truncate(left as usize);
            self.under_way.clear();
        }
        self.delivered += piece.len() as u64;
        Some((piece, cut))
    }
}

/// What `writev` does: gathers from several slices, stops anywhere.
fn write_some(out: &mut Outbound, count: usize) -> Bytes {
    let mut slices = [IoSlice::new(&[]); 7];
    let filled = out.chunks_vectored(&mut slices);
    let gathered = slices[..filled].iter().flat_map(|slice| slice.iter());
    let bytes: Vec<u8> = gathered.take(count).copied().collect();
    out.advance(bytes.len());
    Bytes::from(bytes)
}

/// A message as sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    pub kind: Kind,
    pub timestamp_ms: u64,
    pub payload: Bytes,
}

pub struct Pair {
    pub now: Duration,
    pub client: Session,
    pub server: IngestSession,
    /// From the client to the server.
    pub up: Link,
    pub down: Link,
    /// Sent as soon as the client may stream.
    pub media: VecDeque<Media>,
    pub client_events: Vec<(Duration, Event)>,
    pub server_events: Vec<(Duration, IngestEvent)>,
    pub closed: bool,
}

impl Pair {
    /// Both ends of a connection that stands, `latency` apart.
    pub fn new(client: SessionConfig, server: IngestConfig, latency: Duration) -> Pair {
        let now = Duration::ZERO;
        Pair {
            now,
            client: Session::new(now, client),
            server: IngestSession::new(now, server),
            up: Link::new(latency),
            down: Link::new(latency),
            media: VecDeque::new(),
            client_events: Vec::new(),
            server_events: Vec::new(),
            closed: false,
        }
    }

    pub fn friendly(order: ConnectOrder) -> Pair {
        Pair::new(client_config(order), IngestConfig::default(), Duration::from_millis(50))
    }

    /// Runs until nothing moves and no deadline is left, or `end` has come.
    pub fn run_to(&mut self, end: Duration) {
        loop {
            self.settle();
            let deadline = self.client.poll_timeout();
            let arrivals = [self.up.next_arrival(), self.down.next_arrival()];
            let next = arrivals.into_iter().flatten().chain(deadline).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.deliver();
            self.client.handle_timeout(self.now);
        }
        self.now = self.now.max(end);
    }

    /// Runs for so long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_to(self.now + time);
    }

    /// Drains events and writes, without any time passing.
    fn settle(&mut self) {
        loop {
            self.drain_events();
            if self.client.may_stream() && !self.media.is_empty() {
                self.media.drain(..).for_each(|media| send(&mut self.client, &media));
            }
            let before = self.up.under_way.len() + self.down.under_way.len();
            if !self.closed {
                self.up.take(self.now, self.client.transmit());
                self.down.take(self.now, self.server.transmit());
            }
            self.drain_events();
            if before == self.up.under_way.len() + self.down.under_way.len() {
                return;
            }
        }
    }

    fn drain_events(&mut self) {
        while let Some(event) = self.client.poll_event() {
            self.client_events.push((self.now, event));
        }
        while let Some(event) = self.server.poll_event() {
            self.server_events.push((self.now, event));
        }
    }

    /// Delivers one piece each way; an answer may thus come between two pieces.
    fn deliver(&mut self) {
        if let Some((bytes, cut)) = self.up.arrived(self.now) {
            self.server.handle_input(self.now, &bytes);
            self.close_if(cut);
        }
        if let Some((bytes, cut)) = self.down.arrived(self.now) {
            self.client.handle_input(self.now, &bytes);
            self.close_if(cut);
        }
    }

    pub fn close_if(&mut self, cut: bool) {
        if cut {
            self.closed = true;
            self.up.under_way.clear();
            self.down.under_way.clear();
            self.client.handle_eof(self.now);
            self.server.handle_eof(self.now);
        }
    }

    /// When an event of the client came.
    pub fn client_time(&self, wanted: &Event) -> Option<Duration> {
        self.client_events.iter().find(|(_, event)| event == wanted).map(|(at, _)| *at)
    }

    /// The error that ended the client.
    pub fn error(&self) -> Option<&firstmile::rtmp::Error> {
        self.client_events.iter().find_map(|(_, event)| match event {
            Event::Ended(error) => Some(error),
            _ => None,
        })
    }

    pub fn accepted(&self) -> bool {
        self.client_time(&Event::Accepted).is_some()
    }

    /// What the server received, with when.
    pub fn received(&self) -> Vec<(Duration, Media)> {
        let media = self.server_events.iter().filter_map(|(at, event)| match event {
            IngestEvent::Message { kind, timestamp_ms, body } => {
                let timestamp_ms = u64::from(*timestamp_ms);
                Some((*at, Media { kind: *kind, timestamp_ms, payload: body.clone() }))
            }
            _ => None,
        });
        media.collect()
    }

    pub fn server_saw(&self, wanted: &IngestEvent) -> bool {
        self.server_events.iter().any(|(_, event)| event == wanted)
    }
}

/// Sends with the payload split into head and body as `flv` does it.
pub fn send(client: &mut Session, media: &Media) {
    let mut body = media.payload.clone();
    match media.kind {
        Kind::Data => client.send_data(media.timestamp_ms, body),
        Kind::Audio => {
            let head = body.split_to(2.min(body.len()));
            client.send_audio(media.timestamp_ms, &head, body);
        }
        Kind::Video => {
            let head = body.split_to(5.min(body.len()));
            client.send_video(media.timestamp_ms, &head, body);
        }
    }
}

/// A payload whose every byte says where it belongs.
pub fn payload(seed: u64, len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    Bytes::from(bytes)
}

pub fn video(timestamp_ms: u64, len: usize) -> Media {
    Media { kind: Kind::Video, timestamp_ms, payload: payload(timestamp_ms, len) }
}

pub fn audio(timestamp_ms: u64, len: usize) -> Media {
    Media { kind: Kind::Audio, timestamp_ms, payload: payload(!timestamp_ms, len) }
}
