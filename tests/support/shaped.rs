//! A slow uplink in front of a port of the loopback: a token bucket with a bounded buffer.
//!
//! What the bucket does not let through stays in the kernel's receive buffer of this side and then
//! in the sender's own, so the sender meets what it meets behind a slow router: a window that closes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

/// The link. It lives as long as the process.
pub struct ShapedLink {
    pub port: u16,
    kbps: Arc<AtomicU64>,
}

/// The buffer of the router; the kernel takes some more for itself.
const BUFFER_BYTES: usize = 32 * 1024;
/// What is sent in one packet at most: Ethernet's 1,500 less the heads.
const SEGMENT_BYTES: usize = 1_448;
/// Idle time that the bucket makes up for.
const BURST: Duration = Duration::from_millis(20);
/// How often a link that is cut is looked at again.
const LOOK: Duration = Duration::from_millis(10);

impl ShapedLink {
    /// A link of so many kbit/s of payload to a port on this machine.
    pub fn to(server_port: u16, kbps: u64) -> ShapedLink {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.set_recv_buffer_size(BUFFER_BYTES).expect("a size that connections inherit");
        listener
            .bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .expect("a port");
        listener.listen(8).expect("listens");
        let listener = TcpListener::from(listener);
        let port = listener.local_addr().expect("its address").port();
        let kbps = Arc::new(AtomicU64::new(kbps));
        let rate = kbps.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let rate = rate.clone();
                thread::spawn(move || carry(client, server_port, &rate));
            }
        });
        ShapedLink { port, kbps }
    }

    /// From now on so many kbit/s; 0 cuts the link, in both directions and without a word.
    pub fn set_kbps(&self, kbps: u64) {
        self.kbps.store(kbps, Ordering::Relaxed);
    }
}

fn wait_while_cut(rate: &AtomicU64) -> u64 {
    loop {
        match rate.load(Ordering::Relaxed) {
            0 => thread::sleep(LOOK),
            kbps => return kbps,
        }
    }
}

fn carry(client: TcpStream, server_port: u16, rate: &Arc<AtomicU64>) {
    wait_while_cut(rate);
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)) else { return };
    let (Ok(up), Ok(down)) = (client.try_clone(), server.try_clone()) else { return };
    let of_down = rate.clone();
    thread::spawn(move || {
        let (mut from, mut to) = (down, up);
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            wait_while_cut(&of_down);
            if to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (client, server);
    let mut segment = [0; SEGMENT_BYTES];
    let mut free_at = Instant::now();
    loop {
        let kbps = wait_while_cut(rate);
        thread::sleep(free_at.saturating_duration_since(Instant::now()));
        let Ok(length @ 1..) = from.read(&mut segment) else { break };
        // What was read before a cut is lost in it like all else, and comes when the link is back.
        wait_while_cut(rate);
        let earliest = Instant::now().checked_sub(BURST).unwrap_or(free_at);
        free_at = free_at.max(earliest) + Duration::from_micros(length as u64 * 8_000 / kbps);
        if to.write_all(&segment[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
