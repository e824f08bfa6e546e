//! A wire between our client and a server that can be cut so that neither end notices.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Relays connections to a port of the loopback until it is cut; from then on it takes and gives
/// nothing, and closes nothing until it is dropped.
pub struct Relay {
    pub port: u16,
    is_cut: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
}

const STEP: Duration = Duration::from_millis(20);

impl Relay {
    pub fn to(server_port: u16) -> Relay {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let relay = Relay { port, is_cut: Arc::default(), is_over: Arc::default() };
        let (is_cut, is_over) = (relay.is_cut.clone(), relay.is_over.clone());
        thread::spawn(move || {
            let Ok((client, _)) = listener.accept() else { return };
            let server = TcpStream::connect(("127.0.0.1", server_port)).expect("the server");
            let back =
                (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
            let (is_cut_too, is_over_too) = (is_cut.clone(), is_over.clone());
            thread::spawn(move || copy(back.0, back.1, &is_cut_too, &is_over_too));
            copy(client, server, &is_cut, &is_over);
        });
        relay
    }

    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        // A copy that is under way may still take one piece.
        thread::sleep(STEP * 3);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool, is_over: &AtomicBool) {
    from.set_read_timeout(Some(STEP)).expect("a timeout");
    let mut piece = [0; 16 * 1024];
    while !is_cut.load(Ordering::Relaxed) {
        match from.read(&mut piece) {
            Ok(0) => return,
            Ok(length) if to.write_all(&piece[..length]).is_ok() => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => return,
        }
    }
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(STEP);
    }
}
