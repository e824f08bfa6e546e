//! The emulated board for interactive use: its lights are drawn, keys are its button, its console is
//! attached, and a stick can be plugged in. `make board-run` opens it.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use std::{env, fs, thread};

use nix::sys::termios::{self, SetArg, Termios};

use crate::rig::front_panel::PANEL;
use crate::rig::qemu::Disks;
use crate::rig::stick::Stick;
use crate::rig::{Board, ready_or_skip};

const HELP: &str = "What you type goes to the box's console. Ctrl-A and then: b presses the button, h holds it, \
                    s plugs FIRSTMILE_STICK in or out, c the cable, q switches off.";
/// Ctrl-A, after which a key is for the board and not for its console.
const FOR_THE_BOARD: u8 = 0x01;

/// The terminal without line editing, as it was when this is dropped.
struct Raw(Termios);

impl Raw {
    fn new() -> Raw {
        let before = termios::tcgetattr(io::stdin()).expect("a terminal");
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &raw).expect("a terminal");
        Raw(before)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// Runs as long as its user likes.
#[test]
#[ignore = "interactive: make board-run opens it"]
fn window() {
    let Some(ready) = ready_or_skip() else { return };
    assert!(io::stdin().is_terminal(), "a window needs a terminal");
    eprintln!("the board is switched on");
    let mut board = Board::booted(&ready, Disks::new(&ready.installed()));
    board.start_box();
    eprintln!("{HELP}");
    let _raw = Raw::new();
    let keys = keys();
    let (mut shown, mut stick, mut has_cable) = (0, None, true);
    loop {
        match keys.recv_timeout(Duration::from_millis(150)) {
            Ok(FOR_THE_BOARD) => match keys.recv() {
                Ok(b'b') => drop(board.press()),
                Ok(b'h') => drop(board.hold(Duration::from_millis(2_600))),
                Ok(b's') => stick = plug(&mut board, stick),
                Ok(b'c') => {
                    has_cable = !has_cable;
                    board.cable(has_cable);
                }
                Ok(b'q') | Err(_) => return,
                Ok(key) => board.console.key(key),
            },
            Ok(key) => board.console.key(key),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        draw(&mut board, &mut shown);
    }
}

/// The lights in the terminal's title and at the line's end, and what the console showed since.
fn draw(board: &mut Board, shown: &mut usize) {
    let levels = board.sh(&format!("cd {PANEL} && cat sim_gpio0/value sim_gpio1/value"));
    let lamp = |level: Option<&str>| if level == Some("1") { '●' } else { '○' };
    let mut levels = levels.lines();
    let (live, status) = (lamp(levels.next()), lamp(levels.next()));
    let output = board.console.output();
    let mut out = io::stdout();
    let _ = write!(out, "{}", output.get(*shown..).unwrap_or_default());
    *shown = output.len();
    // Saves the cursor, writes the first line, and goes back.
    let _ = write!(out, "\x1b7\x1b[1;1H\x1b[7m {live} LIVE  {status} STATUS \x1b[0m\x1b[K\x1b8");
    let _ = out.flush();
}

/// Plugs in the file that the environment names, as the settings of a stick, or pulls the stick out.
fn plug(board: &mut Board, stick: Option<Stick>) -> Option<Stick> {
    if let Some(stick) = stick {
        board.unplug(&stick);
        return None;
    }
    let file = PathBuf::from(env::var_os("FIRSTMILE_STICK")?);
    let stick = Stick::with_settings(&fs::read_to_string(file).ok()?);
    board.plug(&stick);
    Some(stick)
}

fn keys() -> Receiver<u8> {
    let (to, keys) = mpsc::channel();
    thread::spawn(move || {
        let mut key = [0];
        while io::stdin().read_exact(&mut key).is_ok() && to.send(key[0]).is_ok() {}
    });
    keys
}
