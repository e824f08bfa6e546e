//! The consoles' ports: the terminal, a pseudo-terminal or serial ports, each with a thread that
//! reads and one that writes, so that a host that does not read holds up nothing.

mod holder;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use serialport::SerialPort;

use crate::board;
use crate::file;
use crate::limits::{
    CONSOLE_OUT_LINES_MAX, CONSOLE_READ_TICK, CONSOLE_WRITE_TIMEOUT, DEVICE_REOPEN_INTERVAL,
};

use super::terminal::{Quiet, Typing};
use holder::holder;

/// Why the console's port cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// no pseudo-terminal could be made
    #[error("no pseudo-terminal could be made: {0}")]
    Pty(String),
}

/// What happens at the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortEvent<'a> {
    /// It was opened, for the first time or again.
    Opened {
        /// The terminal may be greeted at once. Not at a USB gadget, which a computer's programs probe
        /// for a modem, nor at a pseudo-terminal, where the greeting would wait for the first client.
        greet: bool,
    },
    /// Bytes were typed.
    Bytes(&'a [u8]),
}

/// The writing half: bytes are queued; what a slow host leaves no room for is counted, and the count
/// is shown.
#[derive(Debug, Clone)]
pub struct Port {
    queue: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU32>,
    /// The terminal is as it was when the last one is dropped.
    _quiet: Option<Arc<Quiet>>,
}

impl Port {
    /// Opens the ports that `profile` names, all at once: who is at one of them does not wait for another.
    /// `events` is called on the reading threads with the number of the port, from 0. A serial port that
    /// is missing, busy or unplugged is opened again every [`DEVICE_REOPEN_INTERVAL`] as long as the
    /// process runs.
    ///
    /// # Errors
    /// [`PortError`].
    pub fn open_all(
        profile: &board::Console,
        events: impl FnMut(usize, PortEvent<'_>) + Clone + Send + 'static,
    ) -> Result<Vec<Port>, PortError> {
        let mut first = events.clone();
        match profile {
            board::Console::Stdio => {
                let read = move || {
                    first(0, PortEvent::Opened { greet: true });
                    match file::standard_input() {
                        Ok(typed) => read(typed, &mut |event| first(0, event)),
                        Err(error) => Some(error),
                    }
                };
                // The console echoes what may be seen, as at a serial line.
                let quiet = Quiet::stdin(Typing::Keys).unwrap_or_else(|error| {
                    tracing::warn!(%error, "the terminal may show keys that are typed");
                    None
                });
                spawn("console-in", read);
                let port = Port::writing("console-out", io::stdout());
                Ok(vec![Port { _quiet: quiet.map(Arc::new), ..port }])
            }
            board::Console::Pty => {
                let failed = |error: &dyn std::fmt::Display| PortError::Pty(error.to_string());
                let (port, name) = pty().map_err(|error| failed(&error))?;
                tracing::info!(port = %name, "console");
                let back = port.try_clone().map_err(|error| failed(&error))?;
                let read = move || {
                    first(0, PortEvent::Opened { greet: false });
                    read(back, &mut |event| first(0, event))
                };
                spawn("serial-in", read);
                Ok(vec![Port::writing("serial-out", port)])
            }
            board::Console::Serial { paths, baud } => {
                let ports = paths.iter().enumerate().map(|(number, path)| {
                    let (path, baud, mut events) = (path.clone(), *baud, events.clone());
                    let (before, line) = (paths[..number].to_vec(), Line::default());
                    let port = Port::writing("serial-out", line.clone());
                    let events = move |event: PortEvent<'_>| events(number, event);
                    spawn("serial-in", move || serve(&path, &before, baud, &line, events));
                    port
                });
                Ok(ports.collect())
            }
        }
    }

    /// Queues `bytes`; they are dropped and counted when the host does not read.
    pub fn send(&self, bytes: Vec<u8>) {
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

    fn writing(name: &'static str, to: impl Write + Send + 'static) -> Port {
        let (queue, lines) = sync_channel(CONSOLE_OUT_LINES_MAX);
        let lost: Arc<AtomicU32> = Arc::default();
        let counted = lost.clone();
        spawn(name, move || write(to, &lines, &counted));
        Port { queue, lost, _quiet: None }
    }
}

fn write(mut to: impl Write, lines: &Receiver<Vec<u8>>, lost: &AtomicU32) {
    while let Ok(bytes) = lines.recv() {
        if to.write_all(&bytes).and_then(|()| to.flush()).is_ok() {
            continue;
        }
        // Nobody reads. Old output is dropped, so that a client that comes later is not shown it.
        let old = lines.try_iter().count();
        lost.fetch_add(u32::try_from(old + 1).unwrap_or(u32::MAX), Relaxed);
    }
}

fn read(mut from: impl Read, events: &mut impl FnMut(PortEvent<'_>)) -> Option<io::Error> {
    let mut buffer = [0_u8; 256];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => events(PortEvent::Bytes(&buffer[..length])),
            Err(error) if is_passing(&error) => {}
            Err(error) => return Some(error),
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

// ── a serial port that comes and goes ─────────────────────────────────────────────────────────

/// The writing side of the serial port that is open now, if one is.
#[derive(Clone, Default)]
struct Line(Arc<Mutex<Option<Box<dyn SerialPort>>>>);

impl Line {
    fn put(&self, port: Option<Box<dyn SerialPort>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = port;
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(port) => port.write(bytes),
            None => Ok(bytes.len()), // nobody reads: dropped
        }
    }

    /// What was written goes out by itself; waiting for it would wait for a host that may be gone.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a port, reads it until it is gone, and begins again. One that is another name of a port
/// before it is left to that one.
fn serve(
    path: &Path,
    before: &[PathBuf],
    baud: u32,
    line: &Line,
    mut events: impl FnMut(PortEvent<'_>),
) {
    let name = path.display();
    let mut logged = String::new();
    loop {
        let device = path.canonicalize().ok();
        let same = |other: &&PathBuf| device.is_some() && other.canonicalize().ok() == device;
        let opened = match before.iter().find(same) {
            Some(other) => Err(format!("is the same as {}", other.display())),
            None => open(path, baud),
        };
        let why = match opened {
            Ok((port, back)) => {
                tracing::info!(port = %name, "console");
                line.put(Some(port));
                events(PortEvent::Opened { greet: !is_gadget(path) });
                let end = read(back, &mut events);
                // Both sides are closed before the wait: an adapter that is plugged in again gets its name
                // back only when nobody has the old device open.
                line.put(None);
                let end = end.map_or_else(|| "it hung up".to_owned(), |error| error.to_string());
                format!("is gone: {end}")
            }
            Err(why) => why,
        };
        if why != logged {
            // A board may have fewer ports than its profile names.
            match device {
                Some(_) => tracing::warn!("the console port {name} {why}; it is opened again"),
                None => {
                    tracing::info!("the console port {name} {why}; it is opened when it is there")
                }
            }
            logged = why;
        }
        thread::sleep(DEVICE_REOPEN_INTERVAL);
    }
}

/// A port for writing, and the same one for reading.
type Sides = (Box<dyn SerialPort>, Box<dyn SerialPort>);

/// Opens a serial port and closes it again.
///
/// # Errors
/// Why it cannot be opened, and who uses it.
pub fn try_port(path: &Path, baud: u32) -> Result<(), String> {
    open(path, baud).map(|_| ())
}

fn open(path: &Path, baud: u32) -> Result<Sides, String> {
    // Two readers of one port would each get a part of what is typed.
    if let Some(holder) = holder(path) {
        let remedy = match holder.starts_with("serial-getty@") {
            true => format!("`systemctl mask --now {holder}` frees it"),
            false => "end it to free the port".to_owned(),
        };
        return Err(format!("is used by {holder}; {remedy}"));
    }
    let cannot = |error: serialport::Error| format!("cannot be opened: {error}");
    let port = serialport::new(path.to_string_lossy(), baud);
    let port = port.timeout(CONSOLE_WRITE_TIMEOUT).open().map_err(cannot)?;
    let mut back = port.try_clone().map_err(cannot)?;
    back.set_timeout(CONSOLE_READ_TICK).map_err(cannot)?;
    Ok((port, back))
}

/// A serial port that this machine presents to a computer at its USB port (USB gadget).
fn is_gadget(path: &Path) -> bool {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ttyGS"))
}

// ── a pseudo-terminal ─────────────────────────────────────────────────────────────────────────

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

fn spawn<T>(name: &'static str, body: impl FnOnce() -> T + Send + 'static) {
    let ended = move || {
        body();
    };
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(ended) {
        tracing::error!(%error, thread = name, "no thread for the console");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::mpsc::channel;
    use std::time::Duration;
    use std::{fs, process};

    use super::*;

    /// What happens at a port, with bytes of its own.
    #[derive(Debug, PartialEq)]
    enum Event {
        Opened(usize),
        Bytes(usize, Vec<u8>),
    }

    /// A serial adapter: its near side under a name that stays, its far side in the hand.
    fn plug_in(name: &Path) -> File {
        let pair = openpty(None, None).unwrap();
        let _ = fs::remove_file(name);
        symlink(nix::unistd::ttyname(&pair.slave).unwrap(), name).unwrap();
        let mut settings = tcgetattr(&pair.slave).unwrap();
        cfmakeraw(&mut settings);
        tcsetattr(&pair.slave, SetArg::TCSANOW, &settings).unwrap();
        File::from(pair.master)
    }

    struct Bench {
        folder: PathBuf,
    }

    impl Bench {
        fn new() -> Bench {
            let folder = std::env::temp_dir().join(format!("firstmile-port-{}", fastrand::u64(..)));
            fs::create_dir_all(&folder).unwrap();
            Bench { folder }
        }

        fn open(&self, names: &[&str]) -> (Vec<Port>, Receiver<Event>) {
            let paths = names.iter().map(|name| self.folder.join(name)).collect();
            let (to, events) = channel();
            let serial = board::Console::Serial { paths, baud: 115_200 };
            let ports = Port::open_all(&serial, move |port, event| {
                let _ = to.send(match event {
                    PortEvent::Opened { .. } => Event::Opened(port),
                    PortEvent::Bytes(bytes) => Event::Bytes(port, bytes.to_vec()),
                });
            });
            (ports.unwrap(), events)
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    fn next(events: &Receiver<Event>) -> Event {
        events.recv_timeout(Duration::from_secs(60)).expect("something happens")
    }

    #[test]
    fn an_adapter_that_is_unplugged_and_plugged_in_again_is_opened_again() {
        let bench = Bench::new();
        let name = bench.folder.join("adapter");
        let mut far = plug_in(&name);
        let (ports, events) = bench.open(&["adapter"]);
        assert_eq!(next(&events), Event::Opened(0));
        far.write_all(b"status\r").unwrap();
        assert_eq!(next(&events), Event::Bytes(0, b"status\r".to_vec()));
        drop(far);
        thread::sleep(Duration::from_millis(50));
        ports[0].send(b"into the void".to_vec());
        let mut far = plug_in(&name);
        assert_eq!(next(&events), Event::Opened(0));
        ports[0].send(b"hello".to_vec());
        let mut received = [0; 5];
        far.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"hello", "and nothing of before");
    }

    #[test]
    fn every_port_that_is_there_is_served_at_once_and_one_with_two_names_once() {
        let bench = Bench::new();
        let mut uart = plug_in(&bench.folder.join("uart"));
        symlink(bench.folder.join("uart"), bench.folder.join("alias")).unwrap();
        let (ports, events) = bench.open(&["gadget", "uart", "alias"]);
        assert_eq!(next(&events), Event::Opened(1));
        let mut gadget = plug_in(&bench.folder.join("gadget"));
        assert_eq!(next(&events), Event::Opened(0));
        uart.write_all(b"x").unwrap();
        assert_eq!(next(&events), Event::Bytes(1, b"x".to_vec()));
        gadget.write_all(b"y").unwrap();
        assert_eq!(next(&events), Event::Bytes(0, b"y".to_vec()));
        let mut received = [0; 3];
        ports[1].send(b"one".to_vec());
        uart.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"one");
        ports[0].send(b"two".to_vec());
        gadget.read_exact(&mut received).unwrap();
        assert_eq!(&received, b"two");
        assert!(events.try_recv().is_err(), "the other name is not opened");
    }

    #[test]
    fn a_host_that_does_not_read_blocks_nobody_and_is_shown_what_it_missed() {
        let bench = Bench::new();
        let mut far = plug_in(&bench.folder.join("uart"));
        let (ports, events) = bench.open(&["uart"]);
        assert_eq!(next(&events), Event::Opened(0));
        for _ in 0..1_000 {
            ports[0].send(vec![b'x'; 4_096]); // returns at once, or the test never ends
        }
        let reader = thread::spawn(move || {
            let (mut shown, mut bytes) = (String::new(), [0; 4_096]);
            while !shown.contains("lines not shown\r\nend") {
                let length = far.read(&mut bytes).expect("the port is there");
                shown.push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
            shown.len()
        });
        while !reader.is_finished() {
            ports[0].send(b"end".to_vec());
            thread::sleep(Duration::from_millis(20));
        }
        assert!(reader.join().expect("it reads on") < 1_000 * 4_096);
    }

    #[test]
    fn whoever_holds_the_port_is_named() {
        let bench = Bench::new();
        let name = bench.folder.join("uart");
        let _far = plug_in(&name);
        assert_eq!(holder(&name), None);
        let held = File::open(&name).unwrap();
        let mut other = process::Command::new("sleep").arg("60").stdin(held).spawn().unwrap();
        // A new process goes by its parent's name until the kernel has loaded its program.
        let comm = format!("/proc/{}/comm", other.id());
        while fs::read_to_string(&comm).unwrap().trim() != "sleep" {
            thread::sleep(Duration::from_millis(1));
        }
        let message = open(&name, 115_200).err().unwrap_or_default();
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(
            message.contains(&format!("is used by sleep (process {})", other.id())),
            "{message}"
        );
    }
}
