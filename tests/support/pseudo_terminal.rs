//! The program on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::pty::{Winsize, openpty};

use super::eventually;

const PATIENCE: Duration = Duration::from_secs(60);

/// A program with standard input, output and error on a terminal; ended when dropped.
pub struct OnTerminal {
    pub child: Child,
    keyboard: File,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl OnTerminal {
    pub fn start(mut command: Command) -> OnTerminal {
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).expect("a terminal");
        let its_end = || Stdio::from(pair.slave.try_clone().expect("a second handle"));
        command.stdin(its_end()).stdout(its_end()).stderr(its_end());
        let child = command.spawn().expect("it starts");
        drop((command, pair.slave));
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
        OnTerminal { child, keyboard, shown }
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
