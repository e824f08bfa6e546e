//! Our client as the probes drive it: the product's own `publish`, and the session alone where a
//! probe needs what the product never does.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Buf;
use firstmile::clock::Clock;
use firstmile::flv::TagKind;
use firstmile::publish::{
    Close, ConnectionStats, Progress, PublishError, Target, publish, tls::Policy,
};
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::rtmp::{self, Event, Session, SessionConfig};
use firstmile::secret::StreamKey;
use firstmile::stream::{Next, Source};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::media::Message;
use crate::servers::Address;

/// No probe waits longer for our client than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a probe's client to its end.
#[track_caller]
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.expect("a runtime").block_on(async { timeout(PATIENCE, work).await });
    ended.unwrap_or_else(|_| panic!("our client took over {PATIENCE:?}"))
}

/// How often a source that goes on repeats its last frame.
const AGAIN: Duration = Duration::from_millis(40);

/// Messages as a source of media.
pub struct Messages {
    left: VecDeque<Message>,
    then: Then,
    /// When the next message is due, of a source that goes on.
    next: Option<tokio::time::Instant>,
    /// What was handed to the session.
    pub sent: Vec<Message>,
}

/// What comes after the last message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The end.
    End,
    /// The last frame again, 25 times a second.
    GoOn,
}

impl Messages {
    pub fn new(messages: &[Message], then: Then) -> Messages {
        let left = messages.iter().cloned().collect();
        Messages { left, then, next: None, sent: Vec::new() }
    }

    fn next_message(&mut self) -> Option<Message> {
        if let Some(message) = self.left.pop_front() {
            return Some(message);
        }
        let now = tokio::time::Instant::now();
        if self.then != Then::GoOn || self.next.is_some_and(|next| now < next) {
            return None;
        }
        self.next = Some(now + AGAIN);
        let mut again = self.sent.iter().rfind(|message| message.kind == TagKind::Video)?.clone();
        again.time_ms += AGAIN.as_millis() as u64;
        Some(again)
    }
}

impl Source for Messages {
    fn restart(&mut self) {
        let sent = std::mem::take(&mut self.sent);
        sent.into_iter().rev().for_each(|message| self.left.push_front(message));
    }

    fn next(&mut self, _now: Duration) -> Result<Next, String> {
        match self.next_message() {
            Some(message) => {
                self.sent.push(message.clone());
                let Message { time_ms, kind, body } = message;
                Ok(Next::Tag { time_ms, kind, body })
            }
            None if self.then == Then::End => Ok(Next::End),
            None => Ok(Next::NothingYet),
        }
    }

    async fn ready(&mut self) {
        match (self.left.is_empty(), self.then, self.next) {
            (false, ..) | (_, Then::End, _) => {}
            (_, Then::GoOn, Some(next)) => tokio::time::sleep_until(next).await,
            (_, Then::GoOn, None) => {}
        }
    }
}

fn send(session: &mut Session, Message { time_ms, kind, body }: Message) {
    match kind {
        TagKind::Video => session.send_video(time_ms, &[], body),
        TagKind::Audio => session.send_audio(time_ms, &[], body),
        TagKind::Script => session.send_data(time_ms, body),
    }
}

/// One attempt of the product; it can be watched for acceptance by the server.
pub struct Attempt {
    target: Target,
    clock: Clock,
    accepted: watch::Sender<bool>,
}

impl Attempt {
    pub fn new(address: &Address, key: &StreamKey) -> Attempt {
        let policy = Policy { ca_file: address.ca_file.clone(), ..Policy::default() };
        let target = Target::new(ingest(address, key), &policy, true).expect("a destination");
        Attempt { target, clock: Clock::start(), accepted: watch::channel(false).0 }
    }

    /// Resolves when the server has accepted the stream and acknowledged media.
    pub async fn accepted(&self) {
        let _ = self.accepted.subscribe().wait_for(|accepted| *accepted).await;
    }

    /// Publishes; `close` may wait for [`Attempt::accepted`].
    pub async fn publish(
        &self,
        source: &mut Messages,
        close: impl Future<Output = Close>,
    ) -> Result<ConnectionStats, PublishError> {
        let mut report = |progress| {
            if progress == Progress::Accepted {
                let _ = self.accepted.send_replace(true);
            }
        };
        publish(self.clock, &self.target, source, &mut report, close).await
    }
}

fn ingest(address: &Address, key: &StreamKey) -> Ingest {
    let server = ServerUrl::parse(&address.url).expect("an address");
    Ingest::from_server_and_key(server, key.clone()).expect("a destination")
}

/// Publishes messages to their end with the product.
pub fn publish_all(
    address: &Address,
    key: &StreamKey,
    messages: &[Message],
) -> Result<ConnectionStats, PublishError> {
    let mut source = Messages::new(messages, Then::End);
    wait(Attempt::new(address, key).publish(&mut source, pending()))
}

/// What came of a session that was driven without the product's shell.
#[derive(Debug)]
pub struct Driven {
    pub events: Vec<Event>,
    /// How the session or its connection failed, if it did.
    pub failure: Option<DriveError>,
    /// The stamps of the server's pings, and of our answers (RTMP 1.0 section 7.1.7).
    pub pings: Vec<[u8; 4]>,
    pub pongs: Vec<[u8; 4]>,
}

/// How a driven session ended.
#[derive(Debug)]
pub enum DriveError {
    Rtmp(rtmp::Error),
    Lost,
}

/// A server that dislikes something gets so long to say so before we take leave.
const LINGER: Duration = Duration::from_millis(400);

/// Publishes with a session set up by `otherwise`, and takes orderly leave.
pub fn drive(
    address: &Address,
    key: &StreamKey,
    messages: &[Message],
    otherwise: impl FnOnce(&mut SessionConfig),
) -> Driven {
    drive_session(address, key, messages, LINGER, otherwise)
}

/// Publishes, and is silent for so long before it takes leave.
pub fn drive_silently(
    address: &Address,
    key: &StreamKey,
    messages: &[Message],
    silent_for: Duration,
) -> Driven {
    drive_session(address, key, messages, silent_for, |_| {})
}

fn drive_session(
    address: &Address,
    key: &StreamKey,
    messages: &[Message],
    linger: Duration,
    otherwise: impl FnOnce(&mut SessionConfig),
) -> Driven {
    let server = ServerUrl::parse(&address.url).expect("an address");
    let mut config = SessionConfig::new(&server.tc_url(), &server.app, key.clone());
    otherwise(&mut config);
    wait(async {
        let tcp = TcpStream::connect((&*server.host.to_string(), server.port)).await;
        let tcp = tcp.expect("the server listens");
        match &address.ca_file {
            None => Driver::new(tcp, config, linger).run(messages).await,
            Some(ca_file) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(ca_file).expect("PEM")).expect("a root");
                let tls =
                    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
                let name = ServerName::try_from(server.host.to_string()).expect("a name");
                let tls = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await;
                Driver::new(tls.expect("TLS"), config, linger).run(messages).await
            }
        }
    })
}

/// How often a driven session is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Type 0 headers of user control messages of 6 bytes on chunk stream 2, and the event (RTMP 1.0
/// sections 5.3.1.2.1 and 7.1.7).
const PING: [u8; 14] = [2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6];
const PONG: [u8; 14] = [2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 7];

/// The stamps behind each of these headers.
fn stamps(wire: &[u8], header: [u8; 14]) -> Vec<[u8; 4]> {
    let found = wire.windows(header.len() + 4).filter(|bytes| bytes.starts_with(&header));
    found.filter_map(|bytes| bytes[header.len()..].try_into().ok()).collect()
}

struct Driver<S> {
    from: ReadHalf<S>,
    to: WriteHalf<S>,
    clock: Clock,
    session: Session,
    linger: Duration,
    /// When the last message was written.
    quiet_since: Option<Duration>,
    events: Vec<Event>,
    read: Vec<u8>,
    written: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    fn new(stream: S, config: SessionConfig, linger: Duration) -> Driver<S> {
        let clock = Clock::start();
        let session = Session::new(clock.now(), config);
        let (from, to) = split(stream);
        Driver {
            from,
            to,
            clock,
            session,
            linger,
            quiet_since: None,
            events: Vec::new(),
            read: Vec::new(),
            written: Vec::new(),
        }
    }

    async fn run(mut self, messages: &[Message]) -> Driven {
        let lost = self.exchange(messages).await.err();
        let ended = self.events.iter().find_map(|event| match event {
            Event::Ended(error) => Some(DriveError::Rtmp(error.clone())),
            _ => None,
        });
        Driven {
            failure: ended.or(lost.map(|_| DriveError::Lost)),
            events: self.events,
            pings: stamps(&self.read, PING),
            pongs: stamps(&self.written, PONG),
        }
    }

    async fn exchange(&mut self, messages: &[Message]) -> io::Result<()> {
        let mut unsent: VecDeque<Message> = messages.iter().cloned().collect();
        let mut is_stopping = false;
        loop {
            while let Some(event) = self.session.poll_event() {
                if event == Event::RestartMedia {
                    unsent = messages.iter().cloned().collect();
                }
                self.events.push(event);
            }
            match self.events.last() {
                Some(Event::Ended(_)) => return Ok(()),
                Some(Event::Stopped) => return self.leave().await,
                _ => {}
            }
            if self.session.may_stream() && !is_stopping {
                unsent.drain(..).for_each(|message| send(&mut self.session, message));
            }
            if self.events.contains(&Event::Accepted) && !self.session.transmit().has_remaining() {
                let now = self.clock.now();
                if now >= *self.quiet_since.get_or_insert(now) + self.linger && !is_stopping {
                    self.session.stop(now);
                    is_stopping = true;
                    continue;
                }
            }
            timeout(LOOK, self.turn()).await.unwrap_or(Ok(()))?;
        }
    }

    /// Writes what is to be written, or reads.
    async fn turn(&mut self) -> io::Result<()> {
        let mut inbox = [0; 4096];
        let deadline = self.session.poll_timeout();
        let out = self.session.transmit();
        tokio::select! {
            biased;
            read = self.from.read(&mut inbox) => match read? {
                0 => self.session.handle_eof(self.clock.now()),
                length => {
                    self.read.extend_from_slice(&inbox[..length]);
                    self.session.handle_input(self.clock.now(), &inbox[..length]);
                }
            },
            written = self.to.write(out.chunk()), if out.has_remaining() => {
                let written = written?;
                self.written.extend_from_slice(&out.chunk()[..written]);
                out.advance(written);
                if !out.has_remaining() {
                    self.to.flush().await?;
                }
            }
            () = self.clock.reach(deadline) => self.session.handle_timeout(self.clock.now()),
        }
        Ok(())
    }

    /// Closes our side and reads to the end, lest unread answers reset the connection.
    async fn leave(&mut self) -> io::Result<()> {
        self.to.flush().await?;
        // Some servers drop what they have not read when the connection closes.
        let mut inbox = [0; 4096];
        let _ = timeout(Duration::from_millis(500), async {
            while self.from.read(&mut inbox).await.is_ok_and(|length| length > 0) {}
        })
        .await;
        self.to.shutdown().await?;
        while timeout(Duration::from_secs(2), self.from.read(&mut inbox))
            .await
            .is_ok_and(|read| read.is_ok_and(|length| length > 0))
        {}
        Ok(())
    }
}
