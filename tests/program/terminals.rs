//! The program at a terminal of its own, as at a desk: what is typed as a secret is not shown by the terminal
//! either, and what is logged has no colours.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::appliance::Appliance;
use crate::support::product::firstmile;
use crate::support::pseudo_terminal::OnTerminal;
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
        self.end_by(Signal::SIGTERM);
    }

    fn end_by(&mut self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("our own child");
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
    let mut appliance = Appliance::start(&[("FIRSTMILE_LOG", "info")]);
    appliance.end();
    assert!(!appliance.log().contains('\x1b'), "{}", appliance.log());
}

/// `ctl` that asks for the key of the destination `tube`.
fn asked_for_a_key(appliance: &Appliance) -> Command {
    let mut ctl = firstmile(appliance.folder.path(), "ctl key tube");
    ctl.env("RUNTIME_DIRECTORY", appliance.folder.path());
    ctl
}

const QUESTION: &str = "stream key (not shown): ";

#[test]
fn a_question_for_a_secret_that_is_given_up_leaves_the_terminal_as_it_was() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    appliance.ctl("destination add tube rtmps://localhost:9/live").ok();
    let ways = [
        (Some("\x03"), Signal::SIGINT),
        (Some("\x1c"), Signal::SIGQUIT),
        (None, Signal::SIGTERM),
        (None, Signal::SIGHUP),
    ];
    for (key, signal) in ways {
        let mut asks = OnTerminal::start_in_session(&asked_for_a_key(&appliance));
        asks.shows("", QUESTION);
        assert!(!asks.is_as_usual(), "what is typed is not shown");
        asks.types("c4n4ry");
        match key {
            Some(key) => asks.types(key),
            None => kill(Pid::from_raw(asks.child.id() as i32), signal).expect("our own child"),
        }
        let ended = eventually(PATIENCE, || asks.child.try_wait().expect("our own child"));
        assert_eq!(ended.and_then(|ended| ended.signal()), Some(signal as i32), "{}", asks.shown());
        assert!(asks.is_as_usual(), "after {signal}: {:?}", asks.shown());
        assert!(!asks.shown().contains("c4n4ry"));
    }
    // One who answers is not held up, and the terminal is as it was then too.
    let mut asks = OnTerminal::start_in_session(&asked_for_a_key(&appliance));
    asks.shows("", QUESTION);
    asks.shows("c4n4ry-abcd-efgh\r", "16 characters");
    assert_eq!(asks.ends().0, Some(0));
    assert!(asks.is_as_usual());
    appliance.end();
}

#[test]
fn a_question_for_a_secret_that_is_stopped_hides_what_is_typed_when_it_goes_on() {
    let _turn = one_at_a_time();
    let mut appliance = Appliance::start(&[]);
    appliance.ctl("destination add tube rtmps://localhost:9/live").ok();
    let ctl = asked_for_a_key(&appliance);
    let program = ctl.get_program().to_str().expect("a path");
    let mut shell = Command::new("sh");
    shell.args(["-mc", &format!("'{program}' ctl key tube; stty; echo to the shell; fg")]);
    shell.env("RUNTIME_DIRECTORY", appliance.folder.path());
    let mut asks = OnTerminal::start_in_session(&shell);
    asks.shows("", QUESTION);
    assert!(!asks.is_as_usual());
    let stopped = asks.shows("c4n4ry\x1a", "to the shell");
    assert!(!stopped.contains("-echo"), "{stopped:?}");
    assert!(eventually(PATIENCE, || (!asks.is_as_usual()).then_some(())).is_some());
    let again = || asks.shown().rfind(QUESTION) > asks.shown().find("to the shell");
    assert!(eventually(PATIENCE, || again().then_some(())).is_some(), "{:?}", asks.shown());
    asks.shows("c4n4ry-abcd-efgh\r", "16 characters");
    assert_eq!(asks.ends().0, Some(0));
    assert!(asks.is_as_usual() && !asks.shown().contains("c4n4ry"), "{:?}", asks.shown());
    appliance.end();
}

#[test]
fn a_box_at_a_terminal_gives_it_back_however_it_is_ended() {
    let _turn = one_at_a_time();
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        let mut desk = Desk::start("sim", &[]);
        desk.until("(needs setup)> ");
        assert!(!desk.echoes());
        desk.end_by(signal);
        assert!(desk.echoes(), "after {signal}");
    }
}
