//! The box that runs on this machine, if one does: it is asked to read its settings again, and shows what
//! became of the stick.

use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::device::control::{self, Answer};
use crate::limits::{CONTROL_TIMEOUT, STICK_WORDS_CHARACTERS_MAX, STORE_PATIENCE};
use crate::sanitize;

/// It reports itself when its storage takes longer than its patience.
const RELOAD_PATIENCE: Duration = STORE_PATIENCE.saturating_add(CONTROL_TIMEOUT);

/// The box that runs on this machine, if one does.
pub struct RunningBox {
    socket: PathBuf,
    /// That it does not answer; it is not asked again then.
    silence: OnceLock<String>,
}

impl RunningBox {
    pub fn at(socket: PathBuf) -> RunningBox {
        RunningBox { socket, silence: OnceLock::new() }
    }

    /// Lets it read its settings again, and gives what it says of them.
    ///
    /// # Errors
    /// Why it did not.
    pub fn reload(&self) -> Result<Vec<String>, String> {
        self.ask("reload", RELOAD_PATIENCE)
    }

    /// Lets it show what has become of the stick: on the lights by a word, at the consoles and in the log
    /// in words. That is a courtesy; what matters is the result.
    pub fn show(&self, word: &str, words: &str) {
        let words: String =
            sanitize::line(words).chars().take(STICK_WORDS_CHARACTERS_MAX).collect();
        let _ = self.ask(format!("stick {word} {words}").trim_end(), CONTROL_TIMEOUT);
    }

    /// How its network stands, if it says so.
    pub fn network(&self) -> Option<Value> {
        self.answers("network", CONTROL_TIMEOUT).ok()?.pop().map(|answer| answer.data)
    }

    /// Asks it, and gives the lines of its answer; none where it does not run.
    fn ask(&self, line: &str, patience: Duration) -> Result<Vec<String>, String> {
        let last = self.answers(line, patience)?.pop();
        Ok(last.map(|answer| answer.lines).unwrap_or_default())
    }

    /// Asks it, and gives its answers; one that does not run reads its settings when it starts. What
    /// it refuses is the error, and one that is stopped does not hold up the import.
    fn answers(&self, line: &str, patience: Duration) -> Result<Vec<Answer>, String> {
        if let Some(silence) = self.silence.get() {
            return Err(silence.clone());
        }
        let silent = |error: io::Error| {
            let seconds = patience.as_secs();
            let why = match control::is_silence(&error) {
                true => format!("it does not answer within {seconds} s"),
                false => format!("it does not answer: {error}"),
            };
            Err(self.silence.get_or_init(|| why).clone())
        };
        let answers = match control::ask(&self.socket, line, None, Some(patience)) {
            Ok(answers) => answers,
            Err(error) if control::is_silence(&error) => return silent(error),
            Err(error) if control::is_nobody_there(&error) => return Ok(Vec::new()),
            Err(error) => return Err(format!("it cannot be asked: {error}")),
        };
        let mut given = Vec::new();
        for answer in answers {
            match answer {
                Ok(answer) if answer.ok => given.push(answer),
                Ok(answer) => return Err(answer.lines.join(" ")),
                Err(error) => return silent(error),
            }
        }
        if given.is_empty() {
            return Err("it ended before it answered; it reads them when it starts".to_owned());
        }
        Ok(given)
    }
}
