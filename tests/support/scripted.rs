//! A server on loopback that treats each connection as configured: the sans-IO ingest session over plain
//! TCP, so that a test decides what each publisher meets.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, Bytes};
use firstmile::clock::Clock;
use firstmile::publish::Target;
use firstmile::publish::tls::Policy as Trust;
use firstmile::rtmp::message::Kind;
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::secret::StreamKey;
use firstmile::sim::ingest::session::{IngestConfig, IngestEvent, IngestSession, Policy};
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What one connection met.
#[derive(Debug, Clone, Default)]
pub struct Met {
    pub app: String,
    pub publishing: bool,
    /// The connection before this one was still open when this one began to publish.
    pub overlapped: bool,
    pub video: u64,
    pub audio: u64,
    pub first_video_was_config: Option<bool>,
    /// How often the command `publish` came.
    pub publish_commands: usize,
    pub unpublished: bool,
    pub closed: bool,
    /// Kind, time and body of each message, where the treatment records them.
    pub messages: Vec<(Kind, u32, Bytes)>,
}

/// How a connection is treated beyond the session's policy.
#[derive(Debug, Clone, Default)]
pub struct Treatment {
    pub policy: Policy,
    /// Cut the connection as soon as commands arrive ahead of an answer.
    pub hates_pipelining: bool,
    /// Cut the connection when `connect` has properties of Enhanced RTMP.
    pub hates_enhancements: bool,
    /// Cut the connection as soon as anything arrives.
    pub hangs_up: bool,
    /// After this many video messages, ask to move here.
    pub move_after: Option<(u64, String)>,
    /// After this many video messages, read no further, and once the publisher has had its time to
    /// write all of it, leave like this.
    pub leave_after: Option<(u64, Leave)>,
    /// Close instead of answering `publish`; commands that went ahead of it are answered.
    pub closes_at_publish: bool,
    /// Close without a word this long after the answer to `publish`.
    pub closes_after_start: Option<Duration>,
    /// After this many video messages, end the stream with this description, and close.
    pub ends_stream_after: Option<(u64, String)>,
    /// After this many video messages, hang: read nothing more, and keep the connection.
    pub freeze_after: Option<u64>,
    /// Keep all messages.
    pub records: bool,
    /// What does not fill a segment waits until all before it has arrived.
    pub holds_tails_back: bool,
}

/// How a server leaves that has not read everything.
#[derive(Debug, Clone, Copy)]
pub enum Leave {
    /// It closes, which resets the connection.
    Close,
    /// It says that nothing more will come from it, and stays.
    HalfClose,
}

/// What a publisher needs to write what fits into the sockets' buffers, and to say goodbye.
const WRITTEN_BY_THEN: Duration = Duration::from_millis(300);

/// The server. Connection `n` gets treatment `n`; the last one serves all that follow.
pub struct Scripted {
    pub port: u16,
    met: Arc<Mutex<Vec<Met>>>,
}

impl Scripted {
    pub async fn start(treatments: Vec<Treatment>) -> Scripted {
        Scripted::start_at(Ipv4Addr::LOCALHOST.into(), treatments).await
    }

    /// The same at another address of this machine.
    pub async fn start_at(address: IpAddr, treatments: Vec<Treatment>) -> Scripted {
        let listener = std::net::TcpListener::bind((address, 0)).expect("a free port");
        Scripted::on(listener, treatments)
    }

    /// The same at a port that is open.
    pub fn on(listener: std::net::TcpListener, treatments: Vec<Treatment>) -> Scripted {
        Scripted::with(listener, treatments, None)
    }

    /// The same over TLS.
    pub fn on_tls(
        listener: std::net::TcpListener,
        treatments: Vec<Treatment>,
        tls: Arc<ServerConfig>,
    ) -> Scripted {
        Scripted::with(listener, treatments, Some(tls.into()))
    }

    fn with(
        listener: std::net::TcpListener,
        treatments: Vec<Treatment>,
        tls: Option<TlsAcceptor>,
    ) -> Scripted {
        listener.set_nonblocking(true).expect("a socket");
        let listener = TcpListener::from_std(listener).expect("a runtime");
        let port = listener.local_addr().expect("its address").port();
        let met = Arc::new(Mutex::new(Vec::new()));
        let (list, clock) = (met.clone(), Clock::start());
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((socket, _)) = listener.accept().await else { return };
                let treatment = treatments[number.min(treatments.len() - 1)].clone();
                list.lock().expect("no panic").push(Met::default());
                if treatment.holds_tails_back {
                    SockRef::from(&socket).set_tcp_cork(true).expect("a socket");
                }
                let (list, tls) = (list.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(clock, socket, treatment, list, number).await,
                        Some(tls) => match tls.accept(socket).await {
                            Ok(socket) => serve(clock, socket, treatment, list, number).await,
                            Err(_) => list.lock().expect("no panic")[number].closed = true,
                        },
                    }
                });
            }
        });
        Scripted { port, met }
    }

    /// A target at this server, plain RTMP.
    pub fn target(&self, app: &str) -> Target {
        self.target_as("", app)
    }

    /// The same with `user:password@` for servers that ask.
    pub fn target_as(&self, login: &str, app: &str) -> Target {
        self.target_at(&format!("{login}127.0.0.1"), app)
    }

    /// The same under another name of the server.
    pub fn target_at(&self, host: &str, app: &str) -> Target {
        let url = format!("rtmp://{host}:{}/{app}", self.port);
        let url = ServerUrl::parse(&url).expect("URL");
        let key = StreamKey::parse("a-k3y").expect("a key");
        let ingest = Ingest::from_server_and_key(url, key).expect("an ingest");
        Target::new(ingest, &Trust::default(), true).expect("a target")
    }

    pub fn met(&self) -> Vec<Met> {
        self.met.lock().expect("no panic").clone()
    }

    /// Waits until the server has seen what `is` asks for.
    pub async fn until(&self, is: impl Fn(&[Met]) -> bool) {
        for _ in 0..1_000 {
            if is(&self.met()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never seen: {:?}", self.met());
    }
}

async fn serve(
    clock: Clock,
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    treatment: Treatment,
    list: Arc<Mutex<Vec<Met>>>,
    number: usize,
) {
    let note = |change: &dyn Fn(&mut Met)| change(&mut list.lock().expect("no panic")[number]);
    let config = IngestConfig { policy: treatment.policy, ..IngestConfig::default() };
    let mut session = IngestSession::new(clock.now(), config);
    // Who leaves in the middle must not have taken more than it means to.
    let piece_bytes = if treatment.leave_after.is_some() { 2 * 1024 } else { 64 * 1024 };
    let mut inbox = vec![0; piece_bytes];
    let mut moved = false;
    let mut closes_at: Option<tokio::time::Instant> = None;
    loop {
        if let Some((after, how)) = treatment.leave_after
            && list.lock().expect("no panic")[number].video >= after
        {
            tokio::time::sleep(WRITTEN_BY_THEN).await;
            if matches!(how, Leave::HalfClose) {
                let _ = socket.shutdown().await;
                std::future::pending::<()>().await;
            }
            break;
        }
        let outbound = session.transmit();
        while outbound.has_remaining() {
            if socket.write_buf(outbound).await.is_err() {
                break;
            }
        }
        let _ = socket.flush().await;
        let read = match closes_at {
            None => socket.read(&mut inbox).await,
            Some(at) => match tokio::time::timeout_at(at, socket.read(&mut inbox)).await {
                Ok(read) => read,
                Err(_) => break,
            },
        };
        let Ok(length) = read else { break };
        if length == 0 {
            break;
        }
        // The handshake's last part and one command fit in this; a pipeline does not.
        let commands = !list.lock().expect("no panic")[number].publishing;
        if treatment.hates_pipelining && commands && length > 1_536 + 400 {
            break;
        }
        let has = |word: &[u8]| inbox[..length].windows(word.len()).any(|part| part == word);
        if treatment.hangs_up {
            break;
        }
        let command = b"\x02\x00\x07publish";
        let commands = inbox[..length].windows(command.len()).filter(|part| part == command);
        let commands = commands.count();
        note(&|met| met.publish_commands += commands);
        if treatment.hates_enhancements && (has(b"capsEx") || has(b"fourCcList")) {
            break;
        }
        session.handle_input(clock.now(), &inbox[..length]);
        let mut over = false;
        while let Some(event) = session.poll_event() {
            if let IngestEvent::Message { kind, timestamp_ms, body } = &event
                && treatment.records
            {
                note(&|met| met.messages.push((*kind, *timestamp_ms, body.clone())));
            }
            match event {
                IngestEvent::Connected { app, .. } => note(&|met| met.app = app.clone()),
                IngestEvent::Publishing { .. } if treatment.closes_at_publish => over = true,
                IngestEvent::Publishing { .. } => {
                    let after = treatment.closes_after_start;
                    closes_at = after.map(|after| tokio::time::Instant::now() + after);
                    let list = &mut list.lock().expect("no panic");
                    let overlapped = number > 0 && !list[number - 1].closed;
                    (list[number].publishing, list[number].overlapped) = (true, overlapped);
                }
                IngestEvent::Message { kind: Kind::Video, body, .. } => note(&|met| {
                    met.first_video_was_config.get_or_insert(body.get(1) == Some(&0));
                    met.video += 1;
                }),
                IngestEvent::Message { kind: Kind::Audio, .. } => note(&|met| met.audio += 1),
                IngestEvent::Unpublished => note(&|met| met.unpublished = true),
                IngestEvent::Ended(_) => over = true,
                _ => {}
            }
        }
        if let Some((after, place)) = &treatment.move_after
            && !moved
            && list.lock().expect("no panic")[number].video >= *after
        {
            moved = true;
            session.request_reconnect(Some(place));
        }
        if let Some((after, description)) = &treatment.ends_stream_after
            && !over
            && list.lock().expect("no panic")[number].video >= *after
        {
            session.end_stream(description);
            over = true;
        }
        let taken = list.lock().expect("no panic")[number].video;
        if treatment.freeze_after.is_some_and(|after| taken >= after) {
            return std::future::pending().await;
        }
        if over && treatment.closes_at_publish {
            break;
        }
        if over {
            let outbound = session.transmit();
            while outbound.has_remaining() && socket.write_buf(outbound).await.is_ok() {}
            break;
        }
    }
    note(&|met| met.closed = true);
}
