//! The publisher's session and the ingest server's, each against any bytes of the other side.

use std::time::Duration;

use bytes::{Buf, Bytes};
use fastrand::Rng;
use firstmile::limits::{
    RTMP_EVENTS_MAX, RTMP_OUT_HIGH_WATER_BYTES, SIM_INGEST_EVENTS_MAX, SIM_INGEST_OUT_BYTES_MAX,
};
use firstmile::rtmp::amf0::Value;
use firstmile::rtmp::chunk::{Bounds, Message, Reader};
use firstmile::rtmp::handshake::PACKET_BYTES;
use firstmile::rtmp::message::type_id;
use firstmile::rtmp::{ConnectOrder, Event, Outbound, Phase, Session, SessionConfig};
use firstmile::secret::StreamKey;
use firstmile::sim::ingest::session::{IngestConfig, IngestEvent, IngestSession, Policy, Refuse};

use super::Pieces;

/// A key that must never be seen anywhere, and the part of it that servers are known to repeat.
pub const CANARY: &str = "canary-key-7f3a?sig=9d1c";
const CANARY_STEM: &str = "canary-key-7f3a";

/// The longest video that is sent here; audio and data are shorter.
const VIDEO_BYTES_MAX: usize = 9_000;
/// Pieces so short that one never holds more events or pings than may wait.
const QUIET_PIECE_BYTES: usize = 100;

fn key() -> StreamKey {
    StreamKey::parse(CANARY).expect("a good key")
}

/// What the other side sends: without the flag the bytes begin with their own handshake.
fn with_handshake(flag: bool, bytes: &[u8]) -> Vec<u8> {
    if !flag {
        return bytes.to_vec();
    }
    let mut all = vec![3];
    all.resize(1 + 2 * PACKET_BYTES, 0x5A);
    all.extend_from_slice(bytes);
    all
}

#[track_caller]
fn assert_secret(text: &str) {
    assert!(!text.contains(CANARY_STEM), "the key is in {text}");
}

// ── publisher ────────────────────────────────────────────────────────────────────────────────

/// Byte 0: connect order (bits 0 and 1), whether a handshake is put in front (bit 2), whether
/// reconnects are offered (bit 3). Byte 1: what cuts, sends and stops. The rest comes from the server.
///
/// Whatever it is: bounds hold, the key is nowhere, exactly one end is reported, what is written is
/// RTMP and carries the media whole and in order, and cutting the input changes no event.
pub fn publisher(data: &[u8]) -> bool {
    let &[flags, seed, ref bytes @ ..] = data else { return false };
    let bytes = with_handshake(flags & 4 != 0, bytes);
    let config = || SessionConfig {
        order: match flags & 3 {
            0 => ConnectOrder::Patient,
            1 => ConnectOrder::Early,
            _ => ConnectOrder::Conforming,
        },
        enhanced: flags & 8 != 0,
        seed: seed.into(),
        ..SessionConfig::new("rtmp://server.example/live", "live", key())
    };
    let mut busy = Publisher::new(config(), seed);
    busy.live_through(&bytes);
    let whole = quiet_events(config(), bytes.chunks(QUIET_PIECE_BYTES));
    let cut = quiet_events(config(), Pieces::new(&bytes, QUIET_PIECE_BYTES, seed));
    assert_eq!(whole, cut, "cutting changes what happens");
    whole.contains(&Event::Accepted)
}

/// All events of a session that only listens and writes. What is repeated before it is fetched is
/// reported once.
fn quiet_events<'a>(config: SessionConfig, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut session = Session::new(Duration::ZERO, config);
    let mut events = Vec::new();
    for piece in pieces {
        session.handle_input(Duration::ZERO, piece);
        events.extend(std::iter::from_fn(|| session.poll_event()));
        let out = session.transmit();
        out.advance(out.remaining());
    }
    events.dedup();
    events
}

/// A session with a driver that does at random whatever a driver may do.
struct Publisher {
    session: Session,
    order: ConnectOrder,
    rng: Rng,
    now: Duration,
    /// All that was written.
    wire: Vec<u8>,
    /// Media messages handed over.
    sent: u32,
    ended: bool,
}

impl Publisher {
    fn new(config: SessionConfig, seed: u8) -> Publisher {
        let order = config.order;
        Publisher {
            session: Session::new(Duration::ZERO, config),
            order,
            rng: Rng::with_seed(seed.into()),
            now: Duration::ZERO,
            wire: Vec::new(),
            sent: 0,
            ended: false,
        }
    }

    fn live_through(&mut self, bytes: &[u8]) {
        self.check();
        for piece in Pieces::new(bytes, 1_000, self.rng.u8(..)) {
            for _ in 0..self.rng.usize(..3) {
                self.act();
            }
            self.session.handle_input(self.now, piece);
            self.check();
        }
        self.write(usize::MAX);
        self.session.handle_eof(self.now);
        self.check();
        assert!(self.ended, "the connection is closed and nothing is reported");
        check_written(&self.wire, self.order);
    }

    fn act(&mut self) {
        match self.rng.u8(..16) {
            0..6 => self.send(),
            6..12 => {
                let most = self.rng.usize(1..4_000);
                self.write(most);
            }
            12 | 13 => self.now += Duration::from_millis(self.rng.u64(..50)),
            14 if self.rng.u8(..16) == 0 => self.time_out(),
            15 if self.rng.u8(..16) == 0 => self.session.stop(self.now),
            _ => {}
        }
        self.check();
    }

    fn send(&mut self) {
        if self.session.transmit().is_full() {
            return;
        }
        let session = &mut self.session;
        let kind = self.rng.u8(..8);
        if kind == 0 {
            return session.send_metadata([("width", Value::Number(1280.0))].into_iter());
        }
        let stamp = self.sent.to_be_bytes();
        self.sent += 1;
        let time_ms = u64::from(self.sent) * 20;
        let most = if kind < 4 { VIDEO_BYTES_MAX } else { 400 };
        let mut body = stamp.to_vec();
        body.resize(4 + self.rng.usize(..most), stamp[3]);
        match kind {
            1..4 => session.send_video(time_ms, &[0x27, 1, 0, 0, 0], body.into()),
            _ => session.send_audio(time_ms, &[0xAF, 1], body.into()),
        }
    }

    fn write(&mut self, most: usize) {
        let out = self.session.transmit();
        let count = most.min(out.remaining());
        let written = out.copy_to_bytes(count);
        self.wire.extend_from_slice(&written);
    }

    /// Waits until the deadline; it moves on or the session is over.
    fn time_out(&mut self) {
        if let Some(deadline) = self.session.poll_timeout() {
            self.now = self.now.max(deadline);
            self.session.handle_timeout(self.now);
            assert!(self.session.poll_timeout().is_none_or(|next| next > self.now));
        }
    }

    /// What holds after each call.
    fn check(&mut self) {
        assert_secret(&format!("{:?}", self.session));
        let mut count = 0;
        while let Some(event) = self.session.poll_event() {
            assert!(!self.ended, "{event:?} after the end");
            assert_secret(&format!("{event:?}"));
            if let Event::Ended(error) = &event {
                assert_secret(&error.to_string());
            }
            self.ended |= matches!(event, Event::Ended(_) | Event::Stopped);
            count += 1;
        }
        assert!(count <= RTMP_EVENTS_MAX);
        if self.ended {
            assert!(!self.session.may_stream() && self.session.poll_timeout().is_none());
        }
        let waiting = self.session.transmit().remaining();
        assert!(waiting <= RTMP_OUT_HIGH_WATER_BYTES + 2 * VIDEO_BYTES_MAX, "{waiting}");
        let stats = self.session.stats();
        assert_eq!(stats.bytes_queued, stats.bytes_sent + waiting as u64);
        assert_eq!(stats.bytes_sent, self.wire.len() as u64);
        assert!(stats.bytes_acknowledged <= stats.bytes_sent);
    }
}

/// The written bytes are a handshake and chunks, and media in them is whole and in order.
fn check_written(wire: &[u8], order: ConnectOrder) {
    assert!(wire.is_empty() || wire[0] == 3);
    let handshake = 1 + PACKET_BYTES;
    let echo = if wire.len() == handshake { 0 } else { PACKET_BYTES };
    let Some(mut chunks) = wire.get(handshake + echo..) else {
        assert!(order == ConnectOrder::Early || wire.len() == handshake, "{} bytes", wire.len());
        return;
    };
    let mut last = None;
    for message in read_all(&mut chunks) {
        match message.type_id {
            type_id::VIDEO => check_media(&message, 5, &mut last),
            type_id::AUDIO => check_media(&message, 2, &mut last),
            type_id::ACKNOWLEDGEMENT
            | type_id::USER_CONTROL
            | type_id::WINDOW_ACK_SIZE
            | type_id::DATA_AMF0
            | type_id::COMMAND_AMF0 => {}
            other => panic!("a message of type {other} is never sent"),
        }
    }
}

fn check_media(message: &Message, head: usize, last: &mut Option<u32>) {
    let (stamp, filling) = message.body[head..].split_first_chunk().expect("a stamp");
    let number = u32::from_be_bytes(*stamp);
    assert!(last.is_none_or(|last| number > last), "{number} after {last:?}");
    assert!(filling.iter().all(|&byte| byte == stamp[3]), "message {number} is damaged");
    *last = Some(number);
}

fn read_all(chunks: &mut &[u8]) -> Vec<Message> {
    let bounds =
        Bounds { message_bytes_max: 1 << 20, total_bytes_max: 1 << 21, chunk_streams_max: 16 };
    let (mut reader, mut messages) = (Reader::new(bounds), Vec::new());
    while let Some(message) = reader.next(chunks).expect("what is written is RTMP") {
        messages.push(message);
    }
    messages
}

// ── ingest ───────────────────────────────────────────────────────────────────────────────────

/// Byte 0: the policy. Byte 1: what cuts and what the server does. The rest comes from the publisher.
///
/// Whatever it is: bounds hold, the key is nowhere, no media is taken before a publish with the right
/// key, exactly one end is reported, what is written is RTMP, and cutting changes no event.
pub fn ingest(data: &[u8]) -> bool {
    let &[flags, seed, ref bytes @ ..] = data else { return false };
    let bytes = with_handshake(flags & 1 != 0, bytes);
    let refuse = Refuse { code: "NetStream.Publish.BadName".into(), description: "in use".into() };
    let policy = Policy {
        chunk_size: if flags & 2 != 0 { 64 } else { 4_096 },
        stream_id: if flags & 4 != 0 { 7 } else { 1 },
        takes_any_stream: flags & 0x0C == 0x0C,
        acknowledges: flags & 8 == 0,
        silent_from: (flags & 0x30 == 0x10).then_some(Phase::CreateStream),
        redirect_to: (flags & 0x30 == 0x20).then(|| "rtmp://other.example/live".to_owned()),
        refuse_connect: None,
        refuse_publish: (flags & 0x30 == 0x30).then_some(refuse),
    };
    let config = || IngestConfig {
        app: (flags & 0x40 != 0).then(|| "live".to_owned()),
        expected_key: (flags & 0x80 == 0).then(key),
        ack_every: (seed & 1 != 0).then_some(500),
        policy: policy.clone(),
        seed: seed.into(),
    };
    let mut busy = IngestSession::new(Duration::ZERO, config());
    let mut server =
        Server { now: Duration::ZERO, wire: Vec::new(), accepted: false, ended: false };
    let mut rng = Rng::with_seed(seed.into());
    for piece in Pieces::new(&bytes, 2_000, seed) {
        busy.handle_input(server.now, piece);
        server.check(&mut busy);
        let greeted = server.wire.len() + busy.transmit().remaining() > 2 * PACKET_BYTES;
        match rng.u8(..64) {
            0..3 if !greeted => {} // nothing can be sent before the handshake
            0 => busy.ping(server.now),
            1 => busy.request_reconnect((seed & 2 != 0).then_some("rtmp://b.example/live")),
            2 if seed & 0x30 == 0 => busy.kick(),
            3..24 => server.write(&mut busy, rng.usize(1..3_000)),
            _ => server.now += Duration::from_millis(10),
        }
        server.check(&mut busy);
    }
    busy.handle_eof(server.now);
    server.check(&mut busy);
    assert!(server.ended, "the connection is closed and nothing is reported");
    server.write(&mut busy, usize::MAX);
    if let Some(mut chunks) = server.wire.get(1 + 2 * PACKET_BYTES..) {
        read_all(&mut chunks);
    }
    let whole = quiet_ingest(config(), bytes.chunks(QUIET_PIECE_BYTES));
    let cut = quiet_ingest(config(), Pieces::new(&bytes, QUIET_PIECE_BYTES, seed));
    assert_eq!(whole, cut, "cutting changes what happens");
    whole.iter().any(|event| matches!(event, IngestEvent::Publishing { .. }))
}

fn quiet_ingest<'a>(
    config: IngestConfig,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<IngestEvent> {
    let mut session = IngestSession::new(Duration::ZERO, config);
    let mut events = Vec::new();
    for piece in pieces {
        session.handle_input(Duration::ZERO, piece);
        events.extend(std::iter::from_fn(|| session.poll_event()));
        let out: &mut Outbound = session.transmit();
        out.advance(out.remaining());
    }
    events
}

struct Server {
    now: Duration,
    wire: Vec<u8>,
    accepted: bool,
    ended: bool,
}

impl Server {
    fn write(&mut self, session: &mut IngestSession, most: usize) {
        let out = session.transmit();
        let count = most.min(out.remaining());
        let written: Bytes = out.copy_to_bytes(count);
        self.wire.extend_from_slice(&written);
    }

    fn check(&mut self, session: &mut IngestSession) {
        assert_secret(&format!("{session:?}"));
        let mut count = 0;
        while let Some(event) = session.poll_event() {
            assert!(!self.ended, "{event:?} after the end");
            match &event {
                IngestEvent::Publishing { key_matches } => self.accepted = *key_matches,
                IngestEvent::Message { .. } => assert!(self.accepted, "media of a stranger"),
                IngestEvent::Ended(_) => self.ended = true,
                _ => {}
            }
            count += 1;
        }
        assert!(count <= SIM_INGEST_EVENTS_MAX);
        // A last answer, and pings and notices that were ordered here.
        let waiting = session.transmit().remaining();
        assert!(waiting <= SIM_INGEST_OUT_BYTES_MAX + 16_384 || self.ended, "{waiting}");
    }
}
