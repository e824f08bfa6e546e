//! The console's port: the terminal, a pseudo-terminal or a serial port, each with a thread that
//! reads and one that writes, so that a host that does not read holds up nothing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use crate::board;
use crate::limits::CONSOLE_OUT_LINES_MAX;

/// How long a serial read waits before it looks again; bounds how long a lost adapter stays unseen.
const READ_TICK: Duration = Duration::from_millis(100);

/// Why the console's port cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// the serial port cannot be opened
    #[error("the console port {} cannot be opened: {why}; is a getty or another program using it?", .path.display())]
    Serial {
        /// The device node.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// no pseudo-terminal could be made
    #[error("no pseudo-terminal could be made: {0}")]
    Pty(String),
}

/// The writing half: bytes are queued, and what a slow host leaves no room for is counted and said.
#[derive(Debug, Clone)]
pub struct PortWriter {
    queue: SyncSender<Vec<u8>>,
    lost: std::sync::Arc<std::sync::atomic::AtomicU32>,
}

impl PortWriter {
    /// Queues `bytes`; they are dropped and counted when the host does not read.
    pub fn send(&self, bytes: Vec<u8>) {
        use std::sync::atomic::Ordering::Relaxed;
        let lost = self.lost.swap(0, Relaxed);
        if lost > 0 {
            let note = format!("\r\n… {lost} lines not shown\r\n").into_bytes();
            if self.queue.try_send(note).is_err() {
                self.lost.fetch_add(lost, Relaxed);
            }
        }
        if let Err(TrySendError::Full(_)) = self.queue.try_send(bytes) {
            self.lost.fetch_add(1, Relaxed);
        }
    }
}

/// Opens the port that `profile` names. `input` gets what is typed, on the reading thread.
///
/// # Errors
/// [`PortError`] naming the port.
pub fn open(
    profile: &board::Console,
    input: impl FnMut(&[u8]) + Send + 'static,
) -> Result<PortWriter, PortError> {
    match profile {
        board::Console::Stdio => {
            reader("console-in", io::stdin(), input);
            Ok(writer("console-out", io::stdout()))
        }
        board::Console::Pty => {
            let (port, name) = pty().map_err(|error| PortError::Pty(error.to_string()))?;
            tracing::info!(port = %name, "console");
            let back = port.try_clone().map_err(|error| PortError::Pty(error.to_string()))?;
            reader("serial-in", back, input);
            Ok(writer("serial-out", port))
        }
        board::Console::Serial { paths, baud } => {
            let path = paths.iter().find(|path| path.exists()).or(paths.first());
            let path = path.cloned().unwrap_or_default();
            let failed = |why: String| PortError::Serial { path: path.clone(), why };
            let port = serialport::new(path.to_string_lossy(), *baud)
                .timeout(READ_TICK)
                .open()
                .map_err(|error| failed(error.to_string()))?;
            let back = port.try_clone().map_err(|error| failed(error.to_string()))?;
            reader("serial-in", back, input);
            Ok(writer("serial-out", port))
        }
    }
}

/// A pseudo-terminal in raw mode; its far side stays open in this process, so that a client may come
/// and go.
fn pty() -> nix::Result<(File, String)> {
    let pair = openpty(None, None)?;
    let mut settings = tcgetattr(&pair.slave)?;
    cfmakeraw(&mut settings);
    tcsetattr(&pair.slave, SetArg::TCSANOW, &settings)?;
    let name = nix::unistd::ttyname(&pair.slave)?.display().to_string();
    keep_open(pair.slave);
    Ok((File::from(pair.master), name))
}

/// The far side of the pseudo-terminal lives as long as the process.
fn keep_open(slave: OwnedFd) {
    std::mem::forget(slave);
}

fn reader(
    name: &'static str,
    mut from: impl Read + Send + 'static,
    mut input: impl FnMut(&[u8]) + Send + 'static,
) {
    let read = move || {
        let mut buffer = [0_u8; 256];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => input(&buffer[..length]),
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "the console cannot be read any more");
                    return;
                }
            }
        }
    };
    spawn(name, read);
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn writer(name: &'static str, mut to: impl Write + Send + 'static) -> PortWriter {
    let (queue, lines): (_, Receiver<Vec<u8>>) = sync_channel(CONSOLE_OUT_LINES_MAX);
    let write = move || {
        while let Ok(bytes) = lines.recv() {
            let mut left = bytes.as_slice();
            while !left.is_empty() {
                match to.write(left) {
                    Ok(length) => left = &left[length..],
                    Err(error) if is_passing(&error) => {}
                    Err(_) => return,
                }
            }
            let _ = to.flush();
        }
    };
    spawn(name, write);
    PortWriter { queue, lost: std::sync::Arc::default() }
}

fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(body) {
        tracing::error!(%error, thread = name, "no thread for the console");
    }
}
