//! The server that the box goes live to: nginx-rtmp behind TLS, reached through a gate that can be
//! closed and led elsewhere.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::support::eventually;
use crate::support::nginx::{Nginx, nginx_or_skip, nginx_with_or_skip};
use crate::support::pki::{Flaw, Pki};
use crate::support::probe::{Packets, decodes_cleanly, packets};

/// The name under which the board knows the machine that it is emulated on.
pub const HOST: &str = "ingest.test";
/// Longest that media may be on its way on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Server {
    pub nginx: Nginx,
    gate: Gate,
    pki: Pki,
    /// Another server behind the same gate.
    other: Option<Nginx>,
}

impl Server {
    /// A server with a certificate that the box has been given the authority of.
    pub fn start() -> Server {
        Server::with("")
    }

    /// The same, which lets go of a publisher that has sent nothing for 5 s, as those of platforms do.
    pub fn letting_go() -> Server {
        Server::with("drop_idle_publisher 5s;")
    }

    fn with(directives: &str) -> Server {
        let pki = Pki::new();
        let identity = pki.identity(&[HOST], Flaw::None);
        let nginx = nginx_with_or_skip(&identity, directives);
        let nginx = nginx.expect(".ci/setup board installs nginx");
        let gate = Gate::to(nginx.rtmps_port);
        Server { nginx, gate, pki, other: None }
    }

    /// The address, without the key.
    pub fn url(&self) -> String {
        format!("rtmps://{HOST}:{}/live", self.gate.port)
    }

    /// The port of the machine that the board is emulated on, under which it is reached.
    pub fn port(&self) -> u16 {
        self.gate.port
    }

    /// Ends every connection.
    pub fn ends_connections(&self) {
        self.close();
        self.open();
    }

    /// The authority's certificate, as PEM.
    pub fn authority(&self) -> String {
        fs::read_to_string(self.pki.ca_file()).expect("its certificate")
    }

    /// Ends every connection and takes no more until it is opened.
    pub fn close(&self) {
        self.gate.lead_to(0);
    }

    /// Leads new connections to the server.
    pub fn open(&self) {
        self.gate.lead_to(self.nginx.rtmps_port);
    }

    /// Puts another server in its place, with a certificate that has this flaw.
    pub fn replace(&mut self, flaw: Flaw) {
        let identity = self.pki.identity(&[HOST], flaw);
        let other = nginx_or_skip(&identity).expect("nginx is installed");
        self.gate.lead_to(other.rtmps_port);
        self.other = Some(other);
    }

    /// What the other server recorded.
    pub fn recorded_by_the_other(&self) -> Vec<PathBuf> {
        self.other.as_ref().map(Nginx::recorded).unwrap_or_default()
    }

    /// Bytes of media that were recorded so far.
    pub fn recorded_bytes(&self) -> u64 {
        let length = |path: &PathBuf| fs::metadata(path).map_or(0, |meta| meta.len());
        self.nginx.recorded().iter().map(length).sum()
    }

    /// Waits until so much more has been recorded; gives how long it took.
    #[track_caller]
    pub fn receives(&self, more_bytes: u64) -> Duration {
        let (began, from) = (Instant::now(), self.recorded_bytes());
        let got = eventually(PATIENCE, || {
            (self.recorded_bytes() >= from + more_bytes).then(|| began.elapsed())
        });
        let now = self.recorded_bytes() - from;
        got.unwrap_or_else(|| panic!("only {now} bytes came\n{}", self.nginx.log()))
    }

    /// Waits until nothing more comes.
    #[track_caller]
    pub fn falls_silent(&self) {
        let mut last = (self.recorded_bytes(), Instant::now());
        let silent = eventually(PATIENCE, || {
            let now = self.recorded_bytes();
            if now != last.0 {
                last = (now, Instant::now());
            }
            (last.1.elapsed() > Duration::from_secs(3)).then_some(())
        });
        assert!(silent.is_some(), "media still comes");
    }

    /// Every stream that was received, decoded and counted, in their order.
    #[track_caller]
    pub fn streams(&self) -> Vec<Packets> {
        self.falls_silent();
        let mut files = self.nginx.recorded();
        let written = |path: &PathBuf| fs::metadata(path).and_then(|meta| meta.modified()).ok();
        files.sort_by_key(written);
        let mut decoded = Vec::new();
        for file in files.iter().filter(|file| fs::metadata(file).is_ok_and(|m| m.len() > 1_000)) {
            decodes_cleanly(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
            decoded.push(packets(file));
        }
        decoded
    }

    /// Every stream can be watched from its beginning, however soon it was cut off, and the last is complete.
    #[track_caller]
    pub fn assert_watchable_again(&self) {
        let streams = self.streams();
        assert!(streams.iter().all(|p| p.first_is_key && p.in_order), "{streams:?}");
        assert_watchable(streams.last().expect("a stream"));
    }

    /// The only stream that was received: it decodes, begins with a key frame and has both tracks.
    #[track_caller]
    pub fn only_stream(&self) -> Packets {
        let streams = self.streams();
        assert_eq!(streams.len(), 1, "{streams:?}");
        let stream = streams.into_iter().next().expect("one");
        assert_watchable(&stream);
        stream
    }
}

/// Whether a viewer could watch it from the first frame on, with audio.
#[track_caller]
fn assert_watchable(stream: &Packets) {
    assert!(stream.first_is_key && stream.in_order, "{stream:?}");
    assert!(stream.video >= 15 && stream.audio >= 15, "{stream:?}");
    assert!(stream.key_frames >= 1, "{stream:?}");
}

/// A port that leads to a server, to another one, or nowhere.
struct Gate {
    port: u16,
    target: Arc<AtomicU16>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Gate {
    fn to(port: u16) -> Gate {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let gate = Gate {
            port: listener.local_addr().expect("its address").port(),
            target: Arc::new(AtomicU16::new(port)),
            open: Arc::default(),
        };
        let (target, open) = (gate.target.clone(), gate.open.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let port = target.load(Ordering::SeqCst);
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let mut open = open.lock().expect("no panic");
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone(), to.try_clone());
                    let (Ok(from), Ok(to)) = (from, to) else { continue };
                    thread::spawn(move || pass(from, to));
                }
                open.extend([client, server]);
            }
        });
        gate
    }

    /// Ends every connection, and leads new ones to this port; to none with 0.
    fn lead_to(&self, port: u16) {
        self.target.store(port, Ordering::SeqCst);
        for stream in self.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length) = from.read(&mut bytes) {
        if length == 0 || to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
