//! What people write: addresses, settings, lines at the console, board profiles.

use firstmile::board::{self, Profile};
use firstmile::config::{Partial, merge, parse, parse_bytes, render};
use firstmile::console::{self, Input, LineEditor};
use firstmile::limits::{
    CAPTURE_FPS_MAX, CAPTURE_HEIGHT_MAX, CAPTURE_SIDE_MIN, CAPTURE_WIDTH_MAX,
    CONSOLE_LINE_BYTES_MAX, DESTINATIONS_MAX, KEY_BYTES_MAX, SETTINGS_ERRORS_MAX, URL_BYTES_MAX,
};
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::secret::StreamKey;

/// A key in a settings file that no error may repeat.
pub const CANARY: &str = "Canary-KEY-7f3a";

/// Whether `secret` stands in `text` once and cannot be mistaken for a number, an address or one of
/// our own words: only then it proves something that it is not shown.
fn is_unmistakable(secret: &str, text: &str, own_words: &str) -> bool {
    let (secret, text) = (secret.to_lowercase(), text.to_lowercase());
    let is_word = secret.len() >= 4 && secret.chars().any(|c| matches!(c, 'g'..='z'));
    is_word && text.matches(&secret).count() == 1 && !own_words.contains(&secret)
}

/// An address, with or without the key: it comes back from its own text, and shows no secret.
pub fn url(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let server = ServerUrl::parse(text);
    if let Ok(server) = &server {
        check_server(server, text);
    }
    let ingest = Ingest::from_combined(text);
    if let Ok(ingest) = &ingest {
        check_server(&ingest.server, text);
        assert!(ingest.key.reveal().len() <= KEY_BYTES_MAX);
        let again = Ingest::from_server_and_key(ingest.server.clone(), ingest.key.clone());
        assert!(again.as_ref() == Ok(ingest), "apart and together again");
        let words = "rtmp, rtmps, host, port, app, login, key ingest serverurl _definst_";
        if is_unmistakable(ingest.key.reveal(), text, words) {
            let shown = format!("{} {ingest:?}", ingest.masked()).to_lowercase();
            assert!(!shown.contains(&ingest.key.reveal().to_lowercase()), "{shown}");
        }
    }
    server.is_ok() || ingest.is_ok()
}

fn check_server(server: &ServerUrl, text: &str) {
    let whole = server.reveal();
    assert!(whole.len() <= URL_BYTES_MAX + 64, "{} bytes", whole.len());
    assert!(ServerUrl::parse(&whole).as_ref() == Ok(server), "it does not come back");
    let Ok(wire) = ServerUrl::parse(&server.tc_url()) else { panic!("tcUrl is no address") };
    let same_app = wire.app == server.app || server.app.ends_with('/');
    assert!(wire.same_server(server) && same_app && wire.login.is_none());
    let shown = format!("{server} {server:?}").to_lowercase();
    if let Some(login) = &server.login {
        let password = login.reveal_password();
        if is_unmistakable(password, text, "rtmps serverurl {stream_key}") {
            assert!(!shown.contains(&password.to_lowercase()), "{shown}");
        }
    }
}

/// A settings file: refused with bounded errors at places of the file that quote nothing secret, or
/// taken, and then the same after being stored, without showing a key.
pub fn settings(data: &[u8]) -> bool {
    let partial = match parse_bytes("stick.toml", data) {
        Ok(partial) => partial,
        Err(errors) => {
            assert!((1..=SETTINGS_ERRORS_MAX).contains(&errors.errors.len()));
            let lines = data.iter().filter(|&&byte| byte == b'\n').count() + 1;
            assert!(errors.errors.iter().all(|e| (1..=lines).contains(&e.place.line)));
            let message = errors.to_string();
            assert!(!message.contains(CANARY), "{message}");
            assert!(message.lines().count() <= SETTINGS_ERRORS_MAX + 1, "{message}");
            return false;
        }
    };
    let settings = merge(std::slice::from_ref(&partial));
    assert!(settings.destinations.len() <= DESTINATIONS_MAX && settings.left_out.is_empty());
    let stored = render(&settings);
    let read = parse("store.toml", &stored).unwrap_or_else(|errors| panic!("{errors}\n{stored}"));
    assert!(
        merge(&[read]) == merge(&[without_secrets(&partial)]),
        "stored and read again:\n{stored}"
    );

    let text = String::from_utf8_lossy(data);
    let shown = format!("{stored} {partial:?} {settings:?} {:?}", settings.shown());
    for (_, key) in partial.keys() {
        if is_unmistakable(key.reveal(), &text, &render(&merge(&[])).to_lowercase()) {
            let own = format!("{:?}", merge(&[]));
            assert!(own.contains(key.reveal()) || !shown.contains(key.reveal()), "{shown}");
        }
    }
    for destination in &settings.destinations {
        let _ = destination.ingest();
    }
    true
}

fn without_secrets(partial: &Partial) -> Partial {
    let mut open = partial.clone();
    let keys = partial.keys().map(|(name, _)| format!("destination.{name}.key"));
    for secret in keys.chain(["wifi.passphrase", "console.pin"].map(str::to_owned)) {
        assert!(open.unset(&secret).is_ok(), "{secret}");
    }
    open
}

/// A board profile: complete and in range, or a line for each mistake.
pub fn board(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    // A file may inherit from the embedded ones, and from itself.
    let resolver = |name: &str| match name {
        "self.toml" => Some(text.to_owned()),
        name => board::embedded(name),
    };
    let profile = match Profile::load(text, "self", resolver) {
        Ok(profile) => profile,
        Err(error) => {
            let message = error.to_string();
            let lines = message.lines().count();
            assert!((1..=SETTINGS_ERRORS_MAX + 1).contains(&lines), "{message}");
            assert!(!message.lines().any(str::is_empty), "{message}");
            return false;
        }
    };
    let video = &profile.video;
    assert!((CAPTURE_SIDE_MIN..=CAPTURE_WIDTH_MAX).contains(&video.width) && video.width % 2 == 0);
    assert!((CAPTURE_SIDE_MIN..=CAPTURE_HEIGHT_MAX).contains(&video.height));
    assert!((1..=CAPTURE_FPS_MAX).contains(&video.fps) && video.height % 2 == 0);
    assert!(video.bitrate_kbps <= video.bitrate_max_kbps, "{video:?}");
    assert!(!profile.compatible.is_empty());
    assert!(!profile.encoders.video.is_empty() && !profile.encoders.audio.is_empty());
    let again = Profile::load(text, "self.toml", resolver);
    assert_eq!(again.as_ref(), Ok(&profile), "the name with and without its ending");
    true
}

// ── console ──────────────────────────────────────────────────────────────────────────────────

/// Typed bytes that are no keys: here they make the box do something.
pub const ASK_SECRET: u8 = 0x1e;
pub const SAY_SOMETHING: u8 = 0x1d;
pub const CHANGE_PROMPT: u8 = 0x1c;

const QUESTION: &str = "key? ";

/// Bytes of a terminal: a line is what was seen on the screen, within its bound and without control
/// characters; a secret is never seen; and what a line asks for is a command or an error at a column.
pub fn console(data: &[u8]) -> bool {
    let (mut editor, mut screen) = (LineEditor::new(), Screen::default());
    let (mut prompt, mut asking, mut lines) = ("box> ", false, 0);
    editor.set_prompt(prompt);
    screen.show(|echo| editor.redraw(echo));
    for &byte in data {
        match byte {
            ASK_SECRET => {
                screen.show(|echo| editor.ask_secret(QUESTION, echo));
                asking = true;
            }
            SAY_SOMETHING => screen.show(|echo| {
                editor.erase(echo);
                echo.extend_from_slice(b"line\r\n");
                editor.redraw(echo);
            }),
            CHANGE_PROMPT => {
                prompt = if prompt == "box> " { "live> " } else { "box> " };
                editor.set_prompt(prompt);
                screen.show(|echo| editor.redraw(echo));
            }
            byte => {
                let Some(input) = screen.feed(&mut editor, byte) else {
                    if asking {
                        assert_eq!(screen.row(), QUESTION, "a secret is being typed");
                    }
                    continue;
                };
                match input {
                    Input::Line(line) => {
                        let prompt = if screen.had_prompt { prompt } else { "" };
                        check_line(&line, &screen.last_row, prompt);
                        lines += 1;
                    }
                    Input::Secret(secret) => {
                        assert!(asking);
                        assert!(secret.0.is_empty() || screen.last_row == QUESTION);
                    }
                    Input::TooLong | Input::Interrupted => {}
                }
                asking = false;
                screen.show(|echo| editor.redraw(echo));
            }
        }
    }
    lines > 0
}

fn check_line(line: &str, seen: &str, prompt: &str) {
    assert!(line.len() <= CONSOLE_LINE_BYTES_MAX && !line.chars().any(char::is_control));
    let whole = format!("{prompt}{line}");
    assert_eq!(seen.trim_end(), whole.trim_end(), "what is seen is what is sent");
    if let Err(error) = console::parse(line) {
        assert!((1..=line.chars().count() + 1).contains(&error.column), "{error}");
    }
    assert!(StreamKey::parse(line).is_err() || !line.is_empty());
}

/// The last row of a terminal.
#[derive(Default)]
struct Screen {
    row: Vec<char>,
    column: usize,
    /// The row was begun with the prompt.
    has_prompt: bool,
    /// The row that was left last, and whether it had the prompt.
    last_row: String,
    had_prompt: bool,
}

impl Screen {
    fn row(&self) -> String {
        self.row.iter().collect()
    }

    fn feed(&mut self, editor: &mut LineEditor, byte: u8) -> Option<Input> {
        let mut input = None;
        self.show(|echo| {
            input = editor.feed(byte, echo);
            assert!(echo.len() <= 4 * CONSOLE_LINE_BYTES_MAX + 1_024, "{} bytes", echo.len());
        });
        input
    }

    fn show(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut echo = Vec::new();
        write(&mut echo);
        let text = String::from_utf8(echo).expect("whole characters");
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\r' => self.column = 0,
                '\n' => {
                    self.last_row = self.row();
                    self.had_prompt = std::mem::take(&mut self.has_prompt);
                    self.row.clear();
                }
                '\x08' => {
                    self.column = self.column.checked_sub(1).expect("the cursor stays on the row");
                }
                '\x1b' => {
                    assert_eq!((chars.next(), chars.next()), (Some('['), Some('K')));
                    self.row.truncate(self.column);
                    self.has_prompt |= self.column == 0;
                }
                c => {
                    assert!(!c.is_control(), "{c:?} on the screen");
                    if self.column < self.row.len() {
                        self.row[self.column] = c;
                    } else {
                        self.row.push(c);
                    }
                    self.column += 1;
                }
            }
        }
    }
}
