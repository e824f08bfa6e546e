//! The box's front drawn in a terminal: two lights, the current figures, keys for the button, and the
//! console below.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::limits::DEMO_HELD_BYTES_MAX;
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

/// Whose the keyboard is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keyboard {
    /// `g`, `s` and `q` are the box's; no prompt is shown.
    #[default]
    Buttons,
    /// All that is typed goes to the console, until Ctrl-D.
    Console,
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;

impl Keyboard {
    /// The key that a byte stands for, if any. `:` or Enter hands the keyboard to the console, and
    /// Ctrl-D gives it back; what is half typed then is given up.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        match (*self, byte) {
            (Keyboard::Console, CTRL_D) => {
                *self = Keyboard::Buttons;
                Some(Key::Typed(vec![CTRL_C]))
            }
            (Keyboard::Console, byte) => Some(Key::Typed(vec![byte])),
            (Keyboard::Buttons, b'g') => Some(Key::Press),
            (Keyboard::Buttons, b's') => Some(Key::Hold),
            (Keyboard::Buttons, b'q' | CTRL_C | CTRL_D) => Some(Key::Quit),
            // An empty line brings the prompt.
            (Keyboard::Buttons, b':' | b'\r' | b'\n') => {
                *self = Keyboard::Console;
                Some(Key::Typed(vec![b'\r']))
            }
            (Keyboard::Buttons, _) => None,
        }
    }
}

/// Whether what is drawn has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// Red and yellow for the lights.
    Shown,
    /// Bold and dim alone.
    None,
}

/// What the user's terminal is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// The front, drawn.
    Drawn(Colours),
    /// Plain lines.
    Plain,
}

impl Looks {
    /// What is wanted, by the variables `NO_COLOR` (<https://no-color.org>) and `TERM`.
    pub fn wanted(no_color: Option<&OsStr>, term: Option<&OsStr>) -> Looks {
        match (no_color, term) {
            (_, Some(term)) if term == "dumb" => Looks::Plain,
            (Some(set), _) if !set.is_empty() => Looks::Drawn(Colours::None),
            _ => Looks::Drawn(Colours::Shown),
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

/// Makes the terminal hand over each key, and shows a text and undoes that when it is dropped.
pub type Quiet = Box<dyn Send>;

/// The terminal as the box's front. The terminal is as it was when this is dropped.
#[derive(Clone)]
pub struct Terminal {
    shared: Arc<Mutex<Screen>>,
}

struct Screen {
    front: Front,
    colours: Colours,
    keyboard: Keyboard,
    /// What the console showed while the keyboard was that of the buttons, to be shown later.
    held: Vec<u8>,
    /// The terminal shows what is drawn and nothing else while this is here.
    quiet: Option<Quiet>,
}

impl Terminal {
    /// Takes the terminal on standard output, and hands `key` each key on a thread of its own;
    /// `None` when standard output or standard input is no terminal, or one that cannot be drawn on.
    /// `quiet` is given what is to be shown at the end.
    pub fn open(
        looks: Looks,
        quiet: impl FnOnce(&'static str) -> Option<Quiet>,
        mut key: impl FnMut(Key) + Send + 'static,
    ) -> Option<Terminal> {
        let Looks::Drawn(colours) = looks else { return None };
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return None;
        }
        let quiet = quiet(ENDING)?;
        let screen = Screen {
            front: Front::default(),
            colours,
            keyboard: Keyboard::default(),
            held: Vec::new(),
            quiet: Some(quiet),
        };
        let terminal = Terminal { shared: Arc::new(Mutex::new(screen)) };
        // Clear, keep the front out of the scrolling region, begin below it, without a cursor.
        let below = FRONT_LINES + 1;
        show(&format!("\x1b[2J\x1b[{below};999r\x1b[{below};1H{CURSOR_OFF}"));
        let screen = terminal.clone();
        let read = move || {
            let mut keyboard = Keyboard::default();
            for byte in io::stdin().lock().bytes().map_while(Result::ok) {
                let before = keyboard;
                let pressed = keyboard.feed(byte);
                if keyboard != before {
                    screen.hand_keyboard_to(keyboard);
                }
                if let Some(pressed) = pressed {
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

    /// Shows the output of the console, or keeps it until the keyboard is the console's: there is no
    /// prompt where a key would press the button.
    pub fn write(&self, bytes: &[u8]) {
        let mut screen = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = screen.take_output(bytes) {
            let mut out = io::stdout().lock();
            let _ = out.write_all(&bytes).and_then(|()| out.flush());
        }
    }

    fn hand_keyboard_to(&self, keyboard: Keyboard) {
        let mut screen = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = screen.hand_keyboard_to(keyboard);
        let mut out = io::stdout().lock();
        let _ = out.write_all(&drawn).and_then(|()| out.flush());
    }

    fn redraw(&self, change: impl FnOnce(&mut Front)) {
        let mut screen = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut screen.front);
        show(&draw(&screen.front, screen.keyboard, screen.colours));
    }

    /// Gives the terminal back.
    pub fn close(&self) {
        let mut screen = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        screen.quiet = None;
    }
}

impl Screen {
    /// What is to be shown of the console's output now.
    fn take_output(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.keyboard == Keyboard::Console {
            return Some(bytes.to_vec());
        }
        self.held.extend_from_slice(bytes);
        let too_many = self.held.len().saturating_sub(DEMO_HELD_BYTES_MAX);
        self.held.drain(..too_many);
        None
    }

    /// Whose keys they are from now on, and what is to be shown for that.
    fn hand_keyboard_to(&mut self, keyboard: Keyboard) -> Vec<u8> {
        self.keyboard = keyboard;
        let mut drawn = draw(&self.front, keyboard, self.colours).into_bytes();
        match keyboard {
            Keyboard::Console => {
                drawn.extend_from_slice(CURSOR_ON.as_bytes());
                drawn.append(&mut self.held);
            }
            // The line of the prompt goes.
            Keyboard::Buttons => {
                drawn.extend_from_slice(format!("\r\x1b[2K{CURSOR_OFF}").as_bytes());
            }
        }
        drawn
    }
}

/// The whole screen scrolls again, and what comes next begins below, with a cursor.
const ENDING: &str = "\x1b[r\x1b[999;1H\r\n\x1b[?25h";
/// Shows or hides the cursor (DECTCEM).
const CURSOR_ON: &str = "\x1b[?25h";
const CURSOR_OFF: &str = "\x1b[?25l";

fn show(drawn: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(drawn.as_bytes()).and_then(|()| out.flush());
}

/// The front as terminal control sequences (ECMA-48), with the cursor left where it was.
fn draw(front: &Front, keyboard: Keyboard, colours: Colours) -> String {
    let light = |name: &str, is_lit: bool, colour: &str| match (is_lit, colours) {
        (true, Colours::Shown) => format!("\x1b[1;{colour}m● {name}\x1b[0m"),
        (true, Colours::None) => format!("\x1b[1m● {name}\x1b[0m"),
        (false, _) => format!("\x1b[2m○ {name}\x1b[0m"),
    };
    let live = light("LIVE", front.levels.live, "31");
    let status = light("STATUS", front.levels.status, "33");
    let keys = match keyboard {
        Keyboard::Buttons => "g go live · s stop (hold) · : console · q quit",
        Keyboard::Console => {
            "typing goes to the console · Ctrl-D gives the keys back to the buttons"
        }
    };
    let mut rows = vec![
        format!(" {live}   {status}     \x1b[1m{}\x1b[0m", front.title),
        format!(" \x1b[2m{keys}\x1b[0m"),
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

    fn fed(typed: &[u8]) -> Vec<Key> {
        let mut keyboard = Keyboard::default();
        typed.iter().filter_map(|byte| keyboard.feed(*byte)).collect()
    }

    fn typed(bytes: &[u8]) -> impl Iterator<Item = Key> {
        bytes.iter().map(|byte| Key::Typed(vec![*byte]))
    }

    #[test]
    fn keys_are_the_buttons_until_the_console_is_asked_for_and_after_it_is_left() {
        let mut expected = vec![Key::Press, Key::Hold];
        expected.extend(typed(b"\rstop\r\x03"));
        expected.extend([Key::Press, Key::Quit]);
        assert_eq!(fed(b"gsx:stop\r\x04gq"), expected);
    }

    #[test]
    fn as_long_as_there_is_a_prompt_whatever_is_typed_goes_to_it() {
        let lines = b"status\rkey demo\rg-s3cret-q\rlog\rgsq\x03status\n";
        let fed = fed(&[b"\r", &lines[..]].concat());
        assert_eq!(fed, typed(b"\r").chain(typed(lines)).collect::<Vec<_>>());
    }

    #[test]
    fn while_the_keys_are_the_buttons_no_prompt_is_shown() {
        let front = Front::default();
        let mut screen = Screen {
            front,
            colours: Colours::Shown,
            keyboard: Keyboard::Buttons,
            held: Vec::new(),
            quiet: None,
        };
        assert_eq!(screen.take_output(b"late reply\r\nfirstmile> "), None);
        let entered = String::from_utf8(screen.hand_keyboard_to(Keyboard::Console)).unwrap();
        assert!(entered.ends_with("late reply\r\nfirstmile> "), "{entered:?}");
        assert!(entered.contains("Ctrl-D"), "{entered:?}");
        assert_eq!(screen.take_output(b"x"), Some(b"x".to_vec()));
        let left = String::from_utf8(screen.hand_keyboard_to(Keyboard::Buttons)).unwrap();
        assert!(left.ends_with("\r\x1b[2K\x1b[?25l") && left.contains("g go live"), "{left:?}");
        for _ in 0..3 {
            assert_eq!(screen.take_output(&[b'x'; DEMO_HELD_BYTES_MAX]), None);
            assert!(screen.held.len() <= DEMO_HELD_BYTES_MAX);
        }
    }

    #[test]
    fn colours_and_drawing_are_left_out_where_the_user_says_so() {
        let wanted = |no_color: Option<&str>, term: Option<&str>| {
            Looks::wanted(no_color.map(OsStr::new), term.map(OsStr::new))
        };
        for term in [None, Some("xterm-256color"), Some("")] {
            assert_eq!(wanted(None, term), Looks::Drawn(Colours::Shown));
            assert_eq!(wanted(Some(""), term), Looks::Drawn(Colours::Shown), "empty is unset");
            assert_eq!(wanted(Some("1"), term), Looks::Drawn(Colours::None));
            assert_eq!(wanted(Some("0"), term), Looks::Drawn(Colours::None), "whatever it says");
        }
        assert_eq!(wanted(None, Some("dumb")), Looks::Plain);
        assert_eq!(wanted(Some("1"), Some("dumb")), Looks::Plain);
        let levels = Levels { live: true, status: true, single: true };
        let front = Front { levels, ..Front::default() };
        for keyboard in [Keyboard::Buttons, Keyboard::Console] {
            let drawn = draw(&front, keyboard, Colours::None);
            assert!(drawn.contains("● LIVE") && drawn.contains("● STATUS"), "{drawn:?}");
            for colour in ["\x1b[3", "\x1b[4", "\x1b[9", ";3", ";4", ";9"] {
                let is_colour = drawn.match_indices(colour).any(|(at, _)| {
                    let rest = drawn[at..].trim_start_matches(['\x1b', '[']);
                    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';');
                    end.is_some_and(|end| rest[end..].starts_with('m'))
                });
                assert!(!is_colour, "{colour:?} in {drawn:?}");
            }
        }
    }

    #[test]
    fn the_front_never_moves_the_consoles_cursor_and_fits_its_lines() {
        let front = Front {
            levels: Levels { live: true, status: false, single: true },
            title: "live".to_owned(),
            lines: vec!["one".to_owned(); 20],
        };
        let drawn = draw(&front, Keyboard::Buttons, Colours::Shown);
        assert!(drawn.starts_with("\x1b7") && drawn.ends_with("\x1b8"));
        assert!(drawn.contains("● LIVE") && drawn.contains("○ STATUS"));
        assert!(!drawn.contains(&format!("\x1b[{};1H", FRONT_LINES + 1)));
    }
}
