//! The box's front drawn in a terminal: two lights, the current figures, keys for the button, and the
//! console below.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use crate::panel::Levels;

/// Lines of the drawn front; the console scrolls below.
const FRONT_LINES: usize = 6;

/// What a key of the terminal stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// The button is pressed and released at once.
    Press,
    /// The button is held long enough to stop.
    Hold,
    /// Typed into the console.
    Typed(Vec<u8>),
    /// The power switch.
    Quit,
}

/// Turns bytes of the terminal into keys: `g`, `s` and `q` are the box's, and `:` or Enter hands the
/// keyboard to the console until the line is done.
#[derive(Debug, Default)]
pub struct Keys {
    typing: bool,
}

impl Keys {
    /// The key that a byte stands for, if any.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        const CTRL_C: u8 = 0x03;
        const CTRL_D: u8 = 0x04;
        if self.typing {
            self.typing = !matches!(byte, b'\r' | b'\n' | CTRL_C);
            return Some(Key::Typed(vec![byte]));
        }
        match byte {
            b'g' => Some(Key::Press),
            b's' => Some(Key::Hold),
            b'q' | CTRL_C | CTRL_D => Some(Key::Quit),
            // An empty line brings the prompt.
            b':' | b'\r' | b'\n' => {
                self.typing = true;
                Some(Key::Typed(vec![b'\r']))
            }
            _ => None,
        }
    }
}

/// What is drawn above the console.
#[derive(Debug, Clone, Default)]
struct Front {
    levels: Levels,
    title: String,
    lines: Vec<String>,
}

/// The terminal as the box's front. The terminal is as it was when this is dropped.
#[derive(Clone)]
pub struct Terminal {
    shared: Arc<Mutex<Screen>>,
}

struct Screen {
    front: Front,
    before: Option<Termios>,
}

impl Terminal {
    /// Takes the terminal on standard output, and hands `key` each key on a thread of its own;
    /// `None` when standard output or standard input is no terminal.
    pub fn open(mut key: impl FnMut(Key) + Send + 'static) -> Option<Terminal> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return None;
        }
        let before = tcgetattr(io::stdin().as_fd()).ok()?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &raw).ok()?;
        let screen = Screen { front: Front::default(), before: Some(before) };
        let terminal = Terminal { shared: Arc::new(Mutex::new(screen)) };
        // Clear, keep the front out of the scrolling region, begin below it.
        let below = FRONT_LINES + 1;
        terminal.write(format!("\x1b[2J\x1b[{below};999r\x1b[{below};1H").as_bytes());
        let read = move || {
            let mut keys = Keys::default();
            for byte in io::stdin().lock().bytes().map_while(Result::ok) {
                if let Some(pressed) = keys.feed(byte) {
                    key(pressed);
                }
            }
        };
        thread::Builder::new().name("keys".to_owned()).spawn(read).ok()?;
        Some(terminal)
    }

    /// Shows the two lights.
    pub fn lights(&self, levels: Levels) {
        self.redraw(|front| front.levels = levels);
    }

    /// Shows the state and the current figures, one line each.
    pub fn show(&self, title: String, lines: Vec<String>) {
        self.redraw(|front| {
            front.title = title;
            front.lines = lines;
        });
    }

    /// Shows the output of the console.
    pub fn write(&self, bytes: &[u8]) {
        let _screen = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = io::stdout().lock();
        let _ = out.write_all(bytes).and_then(|()| out.flush());
    }

    fn redraw(&self, change: impl FnOnce(&mut Front)) {
        let mut screen = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut screen.front);
        let drawn = draw(&screen.front);
        let mut out = io::stdout().lock();
        let _ = out.write_all(drawn.as_bytes()).and_then(|()| out.flush());
    }

    /// Gives the terminal back.
    pub fn close(&self) {
        let mut screen = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = screen.before.take() {
            let mut out = io::stdout().lock();
            let _ = out.write_all(b"\x1b[r\x1b[999;1H\r\n").and_then(|()| out.flush());
            let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &before);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            let _ = io::stdout().write_all(b"\x1b[r\x1b[999;1H\r\n");
            let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &before);
        }
    }
}

/// The front as terminal control sequences (ECMA-48), with the cursor left where it was.
fn draw(front: &Front) -> String {
    let live =
        if front.levels.live { "\x1b[1;31m● LIVE\x1b[0m" } else { "\x1b[2m○ LIVE\x1b[0m" };
    let status = if front.levels.status {
        "\x1b[1;33m● STATUS\x1b[0m"
    } else {
        "\x1b[2m○ STATUS\x1b[0m"
    };
    let mut rows = vec![
        format!(" {live}   {status}     \x1b[1m{}\x1b[0m", front.title),
        " \x1b[2mg go live · s stop (hold) · : console · q quit\x1b[0m".to_owned(),
    ];
    rows.extend(front.lines.iter().take(FRONT_LINES - 3).map(|line| format!(" {line}")));
    rows.resize(FRONT_LINES - 1, String::new());
    rows.push(format!("\x1b[2m{}\x1b[0m", "─".repeat(72)));
    let mut drawn = String::from("\x1b7");
    for (row, text) in rows.iter().enumerate() {
        drawn.push_str(&format!("\x1b[{};1H\x1b[2K{text}", row + 1));
    }
    drawn.push_str("\x1b8");
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_button_until_the_console_is_asked_for() {
        let mut keys = Keys::default();
        let fed: Vec<_> = b"gs:stop\rq".iter().filter_map(|byte| keys.feed(*byte)).collect();
        let mut expected = vec![Key::Press, Key::Hold];
        expected.extend(b"\rstop\r".iter().map(|byte| Key::Typed(vec![*byte])));
        expected.push(Key::Quit);
        assert_eq!(fed, expected);
    }

    #[test]
    fn the_front_never_moves_the_consoles_cursor_and_fits_its_lines() {
        let front = Front {
            levels: Levels { live: true, status: false, single: true },
            title: "live".to_owned(),
            lines: vec!["one".to_owned(); 20],
        };
        let drawn = draw(&front);
        assert!(drawn.starts_with("\x1b7") && drawn.ends_with("\x1b8"));
        assert!(drawn.contains("● LIVE") && drawn.contains("○ STATUS"));
        assert!(!drawn.contains(&format!("\x1b[{};1H", FRONT_LINES + 1)));
    }
}
