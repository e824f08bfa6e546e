//! The ingest server itself: RTMPS on loopback, recording and measuring what arrives.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::flv::TagKind;
use crate::flv::{metadata, writer};
use crate::media::Track;
use crate::rtmp::message::Kind;
use crate::secret::StreamKey;

use super::measurement::{Measurement, Summary};
use super::pki;
use super::session::{IngestConfig, IngestEvent, IngestSession};

/// The application name that the server publishes under.
const APP: &str = "live";

/// An RTMPS server on loopback. It ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    ca_pem: String,
    received: Arc<Mutex<Vec<Received>>>,
    accepting: JoinHandle<()>,
}

/// One stream that the server received.
struct Received {
    measurement: Measurement,
    file: PathBuf,
    ended: bool,
}

/// A received stream, for whoever reports on it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The figures.
    pub summary: Summary,
    /// The recorded file, playable.
    pub file: PathBuf,
    /// Whether the publisher unpublished.
    pub ended: bool,
    /// When the first video access unit came in.
    pub first_video_at: Option<std::time::Duration>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1 for publishers that know `key`; recordings go into
    /// `folder` as `recording-N.flv`.
    ///
    /// # Errors
    /// When no certificate can be made or no port be opened, in words.
    pub async fn start(clock: Clock, key: StreamKey, folder: &Path) -> Result<Server, String> {
        let (ca_pem, tls) = pki::make()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(|error| format!("no port could be opened on loopback: {error}"))?;
        let address = listener
            .local_addr()
            .map_err(|error| format!("no port could be opened on loopback: {error}"))?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let ingest = Ingest {
            clock,
            key,
            folder: folder.to_owned(),
            tls: TlsAcceptor::from(tls),
            received: received.clone(),
        };
        let accepting = tokio::spawn(accept(listener, ingest));
        Ok(Server { address, ca_pem, received, accepting })
    }

    /// The address to publish to, without the key.
    pub fn url(&self) -> String {
        format!("rtmps://localhost:{}/{APP}", self.address.port())
    }

    /// The CA that vouches for this server, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What has been received so far, stream by stream.
    pub fn reports(&self) -> Vec<Report> {
        lock(&self.received)
            .iter()
            .map(|received| Report {
                summary: received.measurement.summary(),
                file: received.file.clone(),
                ended: received.ended,
                first_video_at: received.measurement.first_video_at(),
            })
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

#[derive(Clone)]
struct Ingest {
    clock: Clock,
    key: StreamKey,
    folder: PathBuf,
    tls: TlsAcceptor,
    received: Arc<Mutex<Vec<Received>>>,
}

fn lock(received: &Mutex<Vec<Received>>) -> MutexGuard<'_, Vec<Received>> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, ingest: Ingest) {
    while let Ok((tcp, peer)) = listener.accept().await {
        let ingest = ingest.clone();
        tokio::spawn(async move {
            if let Err(error) = ingest.serve(tcp).await {
                tracing::debug!(%peer, %error, "ingest connection ended");
            }
        });
    }
}

impl Ingest {
    async fn serve(self, tcp: TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let stream = self.tls.accept(tcp).await?;
        let mut connection = PublisherConnection { ingest: self, recording: None };
        let served = connection.run(stream).await;
        connection.close();
        served
    }
}

/// One publisher.
struct PublisherConnection {
    ingest: Ingest,
    recording: Option<Recording>,
}

struct Recording {
    index: usize,
    file: BufWriter<File>,
}

impl PublisherConnection {
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(&mut self, mut stream: S) -> io::Result<()> {
        let config = IngestConfig {
            expected_key: Some(self.ingest.key.clone()),
            app: Some(APP.to_owned()),
            seed: fastrand::u64(..),
            ..IngestConfig::default()
        };
        let mut session = IngestSession::new(self.ingest.clock.now(), config);
        let mut inbox = vec![0_u8; 64 * 1024];
        loop {
            let outbound = session.transmit();
            while outbound.has_remaining() {
                stream.write_buf(outbound).await?;
            }
            stream.flush().await?;
            let length = stream.read(&mut inbox).await?;
            if length == 0 {
                return stream.shutdown().await;
            }
            session.handle_input(self.ingest.clock.now(), &inbox[..length]);
            while let Some(event) = session.poll_event() {
                self.handle(event)?;
            }
        }
    }

    fn handle(&mut self, event: IngestEvent) -> io::Result<()> {
        match event {
            IngestEvent::Publishing { key_matches: true } => self.begin()?,
            IngestEvent::Message { kind, timestamp_ms, body } => {
                let now = self.ingest.clock.now();
                let time_ms = u64::from(timestamp_ms);
                match kind {
                    Kind::Video => {
                        self.measure(|measurement| {
                            measurement.receive(now, Track::Video, time_ms, &body);
                        });
                        self.record(TagKind::Video, timestamp_ms, &body)?;
                    }
                    Kind::Audio => {
                        self.measure(|measurement| {
                            measurement.receive(now, Track::Audio, time_ms, &body);
                        });
                        self.record(TagKind::Audio, timestamp_ms, &body)?;
                    }
                    Kind::Data => {
                        let body = metadata::without_set_data_frame(body);
                        self.record(TagKind::Script, timestamp_ms, &body)?;
                    }
                }
            }
            IngestEvent::Unpublished => self.end()?,
            other => tracing::debug!(?other, "ingest"),
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        let mut received = lock(&self.ingest.received);
        let index = received.len();
        let path = self.ingest.folder.join(format!("recording-{}.flv", index + 1));
        let mut file = BufWriter::new(File::create(&path)?);
        file.write_all(&writer::header(true, true))?;
        received.push(Received { measurement: Measurement::default(), file: path, ended: false });
        self.recording = Some(Recording { index, file });
        Ok(())
    }

    fn measure(&mut self, with: impl FnOnce(&mut Measurement)) {
        if let Some(recording) = &self.recording
            && let Some(received) = lock(&self.ingest.received).get_mut(recording.index)
        {
            with(&mut received.measurement);
        }
    }

    fn record(&mut self, kind: TagKind, timestamp_ms: u32, body: &[u8]) -> io::Result<()> {
        let Some(recording) = &mut self.recording else {
            return Ok(());
        };
        let head = writer::tag(kind, timestamp_ms, body.len());
        recording.file.write_all(&head)?;
        recording.file.write_all(body)?;
        recording.file.write_all(&writer::previous_tag_size(body.len()))
    }

    fn end(&mut self) -> io::Result<()> {
        if let Some(mut recording) = self.recording.take() {
            recording.file.flush()?;
            if let Some(received) = lock(&self.ingest.received).get_mut(recording.index) {
                received.ended = true;
            }
        }
        Ok(())
    }

    /// A publisher that disconnected without unpublishing: what it sent is kept, and the fault is named.
    fn close(&mut self) {
        self.measure(|measurement| {
            measurement.fault("the publisher disconnected without unpublishing".to_owned());
        });
        if let Some(mut recording) = self.recording.take() {
            let _ = recording.file.flush();
        }
    }
}
