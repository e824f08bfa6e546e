//! A link with a round-trip time and the slow start of TCP, in front of a port of the loopback.
//!
//! On the loopback a connection is set up at once; on a link that takes one round trip, in which
//! nobody does anything else. Whoever measures from [`DelayedLink::began`] adds it:
//! [`DelayedLink::round_trips`] does.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The link. It carries one connection.
pub struct DelayedLink {
    pub port: u16,
    round_trip: Duration,
    began: Arc<OnceLock<Instant>>,
}

/// What is sent in one packet at most: Ethernet's 1,500 less the heads.
const SEGMENT_BYTES: usize = 1_448;
/// Segments that may be under way before the first acknowledgement (RFC 6928).
const INITIAL_WINDOW: usize = 10;

impl DelayedLink {
    pub fn to(server_port: u16, round_trip: Duration) -> DelayedLink {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let began: Arc<OnceLock<Instant>> = Arc::default();
        let begins = began.clone();
        thread::spawn(move || {
            let Ok((client, _)) = listener.accept() else { return };
            begins.get_or_init(Instant::now);
            let server = TcpStream::connect(("127.0.0.1", server_port)).expect("the server");
            for socket in [&client, &server] {
                socket.set_nodelay(true).expect("TCP has it");
            }
            let copy = |socket: &TcpStream| socket.try_clone().expect("a socket");
            carry(copy(&client), copy(&server), round_trip);
            carry(server, client, round_trip);
        });
        DelayedLink { port, round_trip, began }
    }

    /// How many round trips after the client's SYN `now` is; `None` before it.
    pub fn round_trips(&self, now: Instant) -> Option<f64> {
        let since = now.saturating_duration_since(*self.began.get()?);
        Some(1.0 + since.as_secs_f64() / self.round_trip.as_secs_f64())
    }
}

/// Carries one direction until its sender is done.
fn carry(mut from: TcpStream, to: TcpStream, round_trip: Duration) {
    let (packets_tx, packets) = channel();
    thread::spawn(move || {
        let mut path =
            Path { round_trip, window: INITIAL_WINDOW * SEGMENT_BYTES, sent: VecDeque::new() };
        send(&mut from, &mut path, &packets_tx);
    });
    thread::spawn(move || deliver(to, &packets));
}

type Packet = (Instant, Vec<u8>);

fn send(from: &mut TcpStream, path: &mut Path, packets: &Sender<Packet>) {
    let mut segment = [0; SEGMENT_BYTES];
    while let Ok(length @ 1..) = from.read(&mut segment) {
        let leaves = path.send(Instant::now(), length);
        if packets.send((leaves + path.round_trip / 2, segment[..length].to_vec())).is_err() {
            return;
        }
    }
}

fn deliver(mut to: TcpStream, packets: &Receiver<Packet>) {
    for (arrives, bytes) in packets {
        thread::sleep(arrives.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// One direction: slow start without loss, an acknowledgement for each segment.
struct Path {
    round_trip: Duration,
    window: usize,
    /// When each segment under way will have been acknowledged, and its length.
    sent: VecDeque<(Instant, usize)>,
}

impl Path {
    /// When a segment leaves that is there `now`.
    fn send(&mut self, now: Instant, length: usize) -> Instant {
        let mut leaves =
            self.sent.back().map_or(now, |(acked, _)| now.max(*acked - self.round_trip));
        while self.sent.iter().map(|(_, length)| length).sum::<usize>() + length > self.window
            || self.sent.front().is_some_and(|(acked, _)| *acked <= leaves)
        {
            let (acked, length) = self.sent.pop_front().expect("a window is longer than a segment");
            self.window += length;
            leaves = leaves.max(acked);
        }
        self.sent.push_back((leaves + self.round_trip, length));
        leaves
    }
}
