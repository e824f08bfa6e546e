//! What tests with real programs share: folders that vanish, programs that end, and tools that may
//! be missing at a desk but not on the build server.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod appliance;
pub mod clip;
pub mod delay;
pub mod drain;
pub mod fake_device;
pub mod flv_file;
pub mod flv_tags;
pub mod ingest;
pub mod namespace;
pub mod network_manager;
pub mod nginx;
pub mod pki;
pub mod probe;
pub mod product;
pub mod programs;
pub mod pseudo_terminal;
pub mod scripted;
pub mod shaped;
pub mod tls;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// A folder of its own, removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(purpose: &str) -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("firstmile-{purpose}-{}-{number}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a program that ended left behind.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Itself, when the program was content.
    #[track_caller]
    pub fn ok(self) -> Ended {
        assert!(self.status.success(), "{}\n{}", self.status, self.stderr);
        self
    }
}

/// Runs a program to its end; ends it by force and fails when it takes longer than `within`.
#[track_caller]
pub fn run(command: &mut Command, within: Duration) -> Ended {
    let streams = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    fn drain(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let status = eventually(within, || child.try_wait().expect("our own child"));
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let (stdout, stderr) = (stdout.join().expect("reads"), stderr.join().expect("reads"));
    let status = status.unwrap_or_else(|| panic!("{command:?} took over {within:?}\n{stderr}"));
    Ended { status, stdout, stderr }
}

/// Asks every 20 ms until there is an answer, for at most `within`.
pub fn eventually<T>(within: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Where a program is, also when the administrator's folders are not in the search path.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let searched = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&searched).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Says why a test is skipped, and returns from it; on the build server nothing may be missing.
pub fn skip(reason: &str) {
    assert!(env::var_os("CI").is_none(), "{reason}: run .ci/setup test");
    eprintln!("skipped: {reason} (.ci/setup test installs it)");
}

/// Whether a program is there; says so when the test has to be skipped.
pub fn has_or_skip(programs: &[&str]) -> bool {
    for name in programs {
        let known = programs::PROGRAMS.iter().any(|(program, _)| program == name);
        assert!(known, "{name}: add it to programs.rs, and its package to .ci/setup");
    }
    let missing = programs.iter().find(|name| find_program(name).is_none());
    if let Some(name) = missing {
        skip(&format!("{name} is not installed"));
    }
    missing.is_none()
}

/// Keeps the heavy tests of one test program apart under plain `cargo test`; under nextest the
/// group `heavy` does.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A TCP port of the loopback that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
