//! The program on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{InputFlags, LocalFlags, tcgetattr};

use super::eventually;

const PATIENCE: Duration = Duration::from_secs(60);

/// A program with standard input, output and error on a terminal; ended when dropped.
pub struct OnTerminal {
    pub child: Child,
    keyboard: File,
    /// Open, so that the terminal keeps its settings when the program is gone.
    near: OwnedFd,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl OnTerminal {
    pub fn start(mut command: Command) -> OnTerminal {
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).expect("a terminal");
        let its_end = || Stdio::from(pair.slave.try_clone().expect("a second handle"));
        // Whatever the terminal of these tests is.
        let is_chosen = |name: &str| command.get_envs().any(|(known, _)| known == name);
        let chosen = ["TERM", "NO_COLOR"].map(is_chosen);
        if !chosen[0] {
            command.env("TERM", "xterm");
        }
        if !chosen[1] {
            command.env_remove("NO_COLOR");
        }
        command.stdin(its_end()).stdout(its_end()).stderr(its_end());
        let child = command.spawn().expect("it starts");
        drop(command);
        let keyboard = File::from(pair.master);
        let mut screen = keyboard.try_clone().expect("a second handle");
        let shown = Arc::new(Mutex::new(Vec::new()));
        let kept = shown.clone();
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut piece) {
                kept.lock().expect("no panic").extend_from_slice(&piece[..length]);
            }
        });
        OnTerminal { child, keyboard, near: pair.slave, shown }
    }

    /// The same as a shell does it: the terminal sends ^C and ^Z to the program as signals.
    pub fn start_in_session(command: &Command) -> OnTerminal {
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args());
        command.get_current_dir().map(|folder| session.current_dir(folder));
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        OnTerminal::start(session)
    }

    /// Whether the terminal shows what is typed, and takes it in lines, as it does for a shell.
    pub fn is_as_usual(&self) -> bool {
        let settings = tcgetattr(self.near.as_fd()).expect("a terminal");
        settings.local_flags.contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
            && settings.input_flags.contains(InputFlags::ICRNL)
    }

    /// Everything that was shown, with its control sequences.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().expect("no panic")).into_owned()
    }

    /// Types these keys.
    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    /// Types these keys and waits until `wanted` is shown after that; gives what was.
    #[track_caller]
    pub fn shows(&mut self, keys: &str, wanted: &str) -> String {
        let from = self.shown.lock().expect("no panic").len();
        self.types(keys);
        let since = || {
            let shown = self.shown.lock().expect("no panic");
            String::from_utf8_lossy(&shown[from..]).into_owned()
        };
        eventually(PATIENCE, || Some(since()).filter(|shown| shown.contains(wanted)))
            .unwrap_or_else(|| panic!("no {wanted:?} after {keys:?}: {:?}", since()))
    }

    /// Waits for the end; gives the exit code and everything that was shown.
    #[track_caller]
    pub fn ends(&mut self) -> (Option<i32>, String) {
        let status = eventually(PATIENCE, || self.child.try_wait().expect("our own child"));
        let status = status.unwrap_or_else(|| panic!("it does not end: {}", self.shown()));
        thread::sleep(Duration::from_millis(100)); // for the last of the output
        (status.code(), self.shown())
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
