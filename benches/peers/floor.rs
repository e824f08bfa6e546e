//! The least that it can cost: a blocking TLS writer of messages that lie ready in memory.
//!
//! One thread (two with `--hop`), no timers, no queue, nothing read until the end; one flush per message; at the end
//! close_notify, half-close, and reading until the server has closed too.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use clap::Args;
use firstmile::flv::{Reader, Tag, TagKind};
use firstmile::limits::RTMP_CHUNK_SIZE_OUT;
use firstmile::rtmp::{ConnectOrder, Event, Session, SessionConfig};
use firstmile::secret::StreamKey;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::material;

#[derive(Args)]
pub struct Floor {
    #[arg(long)]
    port: u16,
    #[arg(long)]
    app: String,
    #[arg(long)]
    ca_file: PathBuf,
    /// Write this file so many times; without it, what comes through standard input
    #[arg(long, requires = "rounds")]
    file: Option<PathBuf>,
    #[arg(long)]
    rounds: Option<u64>,
    /// Keep the time of the file
    #[arg(long)]
    paced: bool,
    /// Read standard input on a thread of its own
    #[arg(long, conflicts_with = "file")]
    hop: bool,
}

impl Floor {
    pub fn run(&self) {
        let mut wire = Wire::connect(self);
        wire.publish(&self.app);
        match &self.file {
            Some(file) => {
                let tags = material::tags(file);
                let length_ms = u64::from(tags.last().expect("a tag").timestamp_ms) + 20;
                let began = Instant::now();
                for later_ms in (0..self.rounds.unwrap_or(1)).map(|round| round * length_ms) {
                    for tag in &tags {
                        if self.paced {
                            let due = Duration::from_millis(u64::from(tag.timestamp_ms) + later_ms);
                            thread::sleep(due.saturating_sub(began.elapsed()));
                        }
                        wire.send(tag, later_ms);
                    }
                }
            }
            None if self.hop => {
                let (tags_tx, tags) = mpsc::sync_channel(64);
                let reading = thread::spawn(move || {
                    read_input(|tag| tags_tx.send(tag).expect("the writer lives"));
                });
                tags.into_iter().for_each(|tag| wire.send(&tag, 0));
                reading.join().expect("the feed is FLV");
            }
            None => read_input(|tag| wire.send(&tag, 0)),
        }
        wire.close();
    }
}

struct Wire {
    tls: ClientConnection,
    socket: TcpStream,
    message: Vec<u8>,
}

impl Wire {
    fn connect(floor: &Floor) -> Wire {
        let mut roots = RootCertStore::empty();
        let pem = fs::read(&floor.ca_file).expect("the CA file");
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
        let config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("the provider has them")
                .with_root_certificates(roots)
                .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(Arc::new(config), name).expect("a TLS client");
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, floor.port)).expect("the server");
        socket.set_nodelay(true).expect("TCP has it");
        Wire { tls, socket, message: Vec::new() }
    }

    /// Everything up to the acceptance is the product's own session, which is too short to count.
    fn publish(&mut self, app: &str) {
        let key = StreamKey::parse("floor").expect("a key");
        let mut config = SessionConfig::new(&format!("rtmps://localhost/{app}"), app, key);
        config.order = ConnectOrder::Patient;
        let mut session = Session::new(Duration::ZERO, config);
        let mut inbox = [0; 4096];
        while !std::iter::from_fn(|| session.poll_event()).any(|event| event == Event::Accepted) {
            let out = session.transmit();
            let bytes = out.copy_to_bytes(out.remaining());
            self.write(&bytes);
            let mut stream = rustls::Stream::new(&mut self.tls, &mut self.socket);
            let length = stream.read(&mut inbox).expect("the server answers");
            session.handle_input(Duration::ZERO, &inbox[..length]);
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.socket);
        stream.write_all(bytes).expect("the server reads");
    }

    /// One message with a full header on its first chunk (RTMP 1.0 section 5.3.1.2.1).
    fn send(&mut self, tag: &Tag, later_ms: u64) {
        let chunk_stream = match tag.kind {
            TagKind::Audio => 4_u8,
            TagKind::Video => 6,
            TagKind::Script => return,
        };
        let time = (u64::from(tag.timestamp_ms) + later_ms) as u32;
        self.message.clear();
        self.message.push(chunk_stream);
        self.message.extend_from_slice(&time.to_be_bytes()[1..]);
        self.message.extend_from_slice(&(tag.body.len() as u32).to_be_bytes()[1..]);
        self.message.extend_from_slice(&[tag.kind as u8, 1, 0, 0, 0]);
        for (i, chunk) in tag.body.chunks(RTMP_CHUNK_SIZE_OUT).enumerate() {
            if i > 0 {
                self.message.push(chunk_stream | 3 << 6);
            }
            self.message.extend_from_slice(chunk);
        }
        let mut rest = &self.message[..];
        while !rest.is_empty() {
            let taken = self.tls.writer().write(rest).expect("writes into memory");
            rest = &rest[taken..];
            while self.tls.wants_write() {
                self.tls.write_tls(&mut self.socket).expect("the server reads");
            }
        }
    }

    fn close(mut self) {
        self.tls.send_close_notify();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket).expect("the server reads");
        }
        self.socket.shutdown(Shutdown::Write).expect("is open");
        let mut inbox = [0; 16 * 1024];
        loop {
            match self.socket.read(&mut inbox) {
                Ok(0) => return,
                Err(error) if error.kind() != ErrorKind::Interrupted => return,
                _ => {}
            }
        }
    }
}

/// Gives every tag that comes through standard input to `take`.
fn read_input(mut take: impl FnMut(Tag)) {
    let mut input = io::stdin().lock();
    let mut reader = Reader::new();
    let mut piece = vec![0; 256 * 1024];
    loop {
        let length = input.read(&mut piece).expect("the feed");
        if length == 0 {
            return;
        }
        reader.push(Bytes::copy_from_slice(&piece[..length]));
        while let Some(tag) = reader.next_tag().expect("the feed is FLV") {
            take(tag);
        }
    }
}
