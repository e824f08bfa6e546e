//! An ingest server that takes everything, counts it and throws it away, over TLS and plain.
//!
//! It looks into each message just far enough to tell access units from the rest, because that is
//! what must not get lost; muxers differ in what they say beside it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use firstmile::flv::{self, Tag, TagKind};
use firstmile::rtmp::Outbound;
use firstmile::rtmp::message::Kind;
use firstmile::sim::ingest::session::{IngestConfig, IngestEvent, IngestSession};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The server. It lives as long as the process.
pub struct Drain {
    pub rtmp_port: u16,
    pub rtmps_port: u16,
    taken: Receiver<Taken>,
}

/// What one publisher brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// The application that it connected to.
    pub app: String,
    /// Access units of both tracks.
    pub frames: u64,
    /// Their payload.
    pub payload_bytes: u64,
    /// Whether it ended its stream before it closed.
    pub took_leave: bool,
    /// Whether the connection ended as it should: over TLS with close_notify.
    pub closed_cleanly: bool,
    /// How old each stamped access unit was; see [`stamp`].
    pub ages: Vec<Duration>,
}

impl Drain {
    /// Starts it. It acknowledges after so many bytes, or as often as a publisher asks for.
    pub fn start(tls: &Arc<ServerConfig>, ack_every: Option<u32>) -> Drain {
        let (taken_tx, taken) = channel();
        let rtmp_port = listen(None, ack_every, taken_tx.clone());
        let rtmps_port = listen(Some(tls.clone()), ack_every, taken_tx);
        Drain { rtmp_port, rtmps_port, taken }
    }

    /// What the next publisher that ended had brought.
    pub fn next(&self, within: Duration) -> Option<Taken> {
        self.taken.recv_timeout(within).ok()
    }
}

fn listen(tls: Option<Arc<ServerConfig>>, ack_every: Option<u32>, taken: Sender<Taken>) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        while let Ok((tcp, _)) = listener.accept() {
            let (tls, taken) = (tls.clone(), taken.clone());
            thread::spawn(move || {
                let _ = tcp.set_nodelay(true);
                let mut publisher = Publisher::new(ack_every);
                let served = match tls {
                    Some(config) => publisher.serve_tls(&config, tcp),
                    None => publisher.serve(tcp).map(|_| ()),
                };
                publisher.taken.closed_cleanly = served.is_ok();
                // A port that is only knocked at is no publisher.
                if !publisher.taken.app.is_empty() {
                    let _ = taken.send(publisher.taken);
                }
            });
        }
    });
    port
}

struct Publisher {
    session: IngestSession,
    began: Instant,
    taken: Taken,
}

impl Publisher {
    fn new(ack_every: Option<u32>) -> Publisher {
        let config = IngestConfig { ack_every, ..IngestConfig::default() };
        Publisher {
            session: IngestSession::new(Duration::ZERO, config),
            began: Instant::now(),
            taken: Taken::default(),
        }
    }

    fn serve_tls(&mut self, config: &Arc<ServerConfig>, tcp: TcpStream) -> io::Result<()> {
        let tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        let mut stream = self.serve(StreamOwned::new(tls, tcp))?;
        stream.conn.send_close_notify();
        stream.flush()?;
        stream.sock.shutdown(Shutdown::Write)
    }

    fn serve<S: Read + Write>(&mut self, mut stream: S) -> io::Result<S> {
        let mut inbox = vec![0; 64 * 1024];
        loop {
            let length = stream.read(&mut inbox)?;
            if length == 0 {
                return Ok(stream);
            }
            self.session.handle_input(self.began.elapsed(), &inbox[..length]);
            while let Some(event) = self.session.poll_event() {
                self.taken.count(event);
            }
            write_all(&mut stream, self.session.transmit())?;
        }
    }
}

fn write_all(stream: &mut impl Write, outbound: &mut Outbound) -> io::Result<()> {
    if outbound.has_remaining() {
        stream.write_all(&outbound.copy_to_bytes(outbound.remaining()))?;
        stream.flush()?;
    }
    Ok(())
}

impl Taken {
    fn count(&mut self, event: IngestEvent) {
        match event {
            IngestEvent::Connected { app, .. } => self.app = app,
            IngestEvent::Unpublished => self.took_leave = true,
            IngestEvent::Message { kind: Kind::Video, body, .. } => {
                self.count_body(TagKind::Video, body);
            }
            IngestEvent::Message { kind: Kind::Audio, body, .. } => {
                self.count_body(TagKind::Audio, body);
            }
            _ => {}
        }
    }

    fn count_body(&mut self, kind: TagKind, body: Bytes) {
        self.ages.extend(age(&body));
        if let Some(bytes) = payload_bytes(kind, body) {
            self.frames += 1;
            self.payload_bytes += bytes;
        }
    }
}

/// The payload of an access unit; `None` of all else.
pub fn payload_bytes(kind: TagKind, body: Bytes) -> Option<u64> {
    let frame = flv::frame(&Tag { kind, timestamp_ms: 0, body }).ok()??;
    (!frame.kind.is_config()).then_some(frame.payload.len() as u64)
}

// ── how long an access unit was under way ────────────────────────────────────────────────────

const STAMP_MARK: u64 = 0x6D31_7354_616D_7021;
const STAMP_BYTES: usize = 16;
/// What a decoder needs at the beginning of an access unit; a stamp stays behind it.
const SPARED_BYTES: usize = 48;

/// Overwrites the end of a tag's body with the present time, if it is long enough. Nobody on the
/// way looks at that part, so any publisher carries it along.
pub fn stamp(body: &mut [u8]) {
    if body.len() >= SPARED_BYTES + STAMP_BYTES {
        let at = body.len() - STAMP_BYTES;
        body[at..at + 8].copy_from_slice(&STAMP_MARK.to_be_bytes());
        body[at + 8..].copy_from_slice(&nanoseconds().to_be_bytes());
    }
}

fn age(body: &[u8]) -> Option<Duration> {
    let stamp: &[u8; STAMP_BYTES] = body.last_chunk()?;
    let (mark, time) = stamp.split_at(8);
    let time = u64::from_be_bytes(time.try_into().ok()?);
    (*mark == STAMP_MARK.to_be_bytes()).then(|| Duration::from_nanos(nanoseconds() - time))
}

/// Monotonic, for the whole machine: stamps may be made by another process.
fn nanoseconds() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("Linux has it");
    Duration::from(now).as_nanos() as u64
}
