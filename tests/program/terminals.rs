//! The program at a terminal of its own, as at a desk: what is typed as a secret is not shown by the terminal
//! either, and what is logged has no colours.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::product::firstmile;
use crate::support::{Folder, eventually, one_at_a_time};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

const PATIENCE: Duration = Duration::from_secs(40);

/// The program at a terminal with the usual settings: echo, lines, colours.
struct Desk {
    child: Child,
    keys: File,
    near: OwnedFd,
    shown: Arc<Mutex<String>>,
    folder: Folder,
}

impl Desk {
    fn start(board: &str, environment: &[(&str, &str)]) -> Desk {
        let folder = Folder::new("terminal");
        let pair = openpty(None, None).expect("a pseudo-terminal");
        let side = || Stdio::from(pair.slave.try_clone().expect("a second handle"));
        let arguments = format!("run --board {board} --settings none.toml --state state");
        let child = firstmile(folder.path(), &arguments)
            .env("RUNTIME_DIRECTORY", folder.path())
            .env_remove("NO_COLOR")
            .env_remove("JOURNAL_STREAM")
            .envs(environment.iter().copied())
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("the box starts");
        let keys = File::from(pair.master);
        let (shown, mut from) = (Arc::default(), keys.try_clone().expect("a second handle"));
        let to: Arc<Mutex<String>> = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut bytes) {
                to.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        Desk { child, keys, near: pair.slave, shown, folder }
    }

    fn shown(&self) -> String {
        self.shown.lock().expect("no panic").clone()
    }

    #[track_caller]
    fn until(&self, words: &str) {
        let is_there = || self.shown().contains(words).then_some(());
        assert!(eventually(PATIENCE, is_there).is_some(), "no {words:?}: {}", self.shown());
    }

    #[track_caller]
    fn types(&mut self, line: &str, until: &str) {
        self.keys.write_all(line.as_bytes()).expect("the terminal takes it");
        self.until(until);
    }

    fn echoes(&self) -> bool {
        let settings = tcgetattr(self.near.as_fd()).expect("a terminal");
        settings.local_flags.contains(LocalFlags::ECHO | LocalFlags::ICANON)
    }

    fn end(&mut self) {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).expect("our own child");
        let ended = eventually(PATIENCE, || self.child.try_wait().expect("ours"));
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}: {}", self.shown());
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = &self.folder;
    }
}

#[test]
fn a_terminal_shows_no_key_that_is_typed_where_it_is_asked_for() {
    let _turn = one_at_a_time();
    for board in ["sim", "generic-uvc"] {
        let mut desk = Desk::start(board, &[]);
        desk.until("(needs setup)> ");
        desk.types("destination add tube rtmps://localhost:9/live\r", "is set");
        desk.types("key tube\r", "(not shown): ");
        desk.types("c4n4ry-abcd-efgh\r", "16 characters");
        desk.types("set console.pin\r", "console.pin (not shown): ");
        desk.types("73409182\r", "console.pin is set");
        let shown = desk.shown();
        assert!(!shown.contains("c4n4ry") && !shown.contains("73409182"), "{board}: {shown}");
        // What may be seen is seen once.
        assert_eq!(shown.matches("key tube\r").count(), 1, "{board}: {shown}");
        assert!(!desk.echoes());
        desk.end();
        assert!(desk.echoes(), "the terminal is as it was");
    }
}

#[test]
fn the_log_has_no_colours_at_a_terminal_nor_anywhere_else() {
    let _turn = one_at_a_time();
    let mut desk = Desk::start("sim", &[("FIRSTMILE_LOG", "info")]);
    desk.until("booting -> needs setup");
    desk.end();
    assert!(
        !desk.shown().contains("\x1b[3") && !desk.shown().contains("\x1b[2m"),
        "{}",
        desk.shown()
    );
    let mut appliance = crate::support::appliance::Appliance::start(&[("FIRSTMILE_LOG", "info")]);
    appliance.end();
    assert!(!appliance.log().contains('\x1b'), "{}", appliance.log());
}
