//! A line on standard error that says how far something long has come.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::limits::{PROGRESS_LINE_INTERVAL, PROGRESS_RATE_WINDOW, PROGRESS_REDRAW_INTERVAL};

/// Back to the begin of the line, and nothing stands there any more (ECMA-48).
const CLEAR: &str = "\r\x1b[K";

/// How far it has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Media time sent.
    pub media: Duration,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes acknowledged; `None` where nothing is acknowledged.
    pub acknowledged_bytes: Option<u64>,
}

/// Decides when the line is due, and what it says.
#[derive(Debug)]
struct Meter {
    interval: Duration,
    next_at: Option<Duration>,
    /// From when the rate is taken.
    since: (Duration, u64),
    kbps: u64,
}

impl Meter {
    fn new(is_terminal: bool) -> Meter {
        let interval = if is_terminal { PROGRESS_REDRAW_INTERVAL } else { PROGRESS_LINE_INTERVAL };
        Meter { interval, next_at: None, since: (Duration::ZERO, 0), kbps: 0 }
    }

    /// The line, when it is due.
    fn line(&mut self, now: Duration, done: &Done) -> Option<String> {
        let Some(next_at) = self.next_at else {
            self.next_at = Some(now + self.interval);
            self.since = (now, done.sent_bytes);
            return None;
        };
        let (since, bytes_then) = self.since;
        let took = now.saturating_sub(since);
        if took >= PROGRESS_RATE_WINDOW {
            let bits = u128::from(done.sent_bytes.saturating_sub(bytes_then)) * 8;
            self.kbps = (bits / took.as_millis()) as u64;
            self.since = (now, done.sent_bytes);
        }
        // Before there is media, errors and the log say what is going on.
        if now < next_at || done.media.is_zero() {
            return None;
        }
        self.next_at = Some(now + self.interval);
        let acknowledged = match done.acknowledged_bytes {
            Some(bytes) => format!("{} kB acknowledged", bytes / 1_000),
            None => "nothing acknowledged".to_owned(),
        };
        Some(format!(
            "{} of media, {} kb/s, {} kB sent, {acknowledged}",
            clock_text(done.media),
            self.kbps,
            done.sent_bytes / 1_000
        ))
    }
}

/// Hours, minutes and seconds.
fn clock_text(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Whether this is a terminal on which a line can be rewritten.
fn can_be_rewritten(output: &impl IsTerminal) -> bool {
    output.is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The line on standard error: one that is rewritten on a terminal, one every few seconds elsewhere.
#[derive(Debug)]
pub struct ProgressLine {
    meter: Meter,
    is_terminal: bool,
    is_drawn: bool,
}

impl ProgressLine {
    /// A line that is not shown yet.
    pub fn new() -> ProgressLine {
        let is_terminal = can_be_rewritten(&io::stderr());
        ProgressLine { meter: Meter::new(is_terminal), is_terminal, is_drawn: false }
    }

    /// Shows how far it has come, when that is due.
    pub fn show(&mut self, now: Duration, done: &Done) {
        let Some(line) = self.meter.line(now, done) else { return };
        let mut stderr = io::stderr().lock();
        let _ = match self.is_terminal {
            true => write!(stderr, "{CLEAR}{line}").and_then(|()| stderr.flush()),
            false => writeln!(stderr, "{line}"),
        };
        self.is_drawn = self.is_terminal;
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.is_drawn {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }
}

/// Standard error for log lines: each takes the place of a progress line that stands there.
#[derive(Debug)]
pub struct OverProgress;

impl Write for OverProgress {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        if can_be_rewritten(&stderr) {
            stderr.write_all(CLEAR.as_bytes())?;
        }
        stderr.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A minute at 1 Mbit/s, with four looks a second.
    fn lines(is_terminal: bool, acknowledges: bool) -> Vec<String> {
        let mut meter = Meter::new(is_terminal);
        let line = |look: u64| {
            let sent_bytes = look * 31_250;
            let done = Done {
                media: Duration::from_millis(look * 250),
                sent_bytes,
                acknowledged_bytes: acknowledges.then(|| sent_bytes.saturating_sub(50_000)),
            };
            meter.line(Duration::from_millis(7_000 + look * 250), &done)
        };
        (0..=240).filter_map(line).collect()
    }

    #[test]
    fn a_plain_line_comes_every_few_seconds_with_rate_time_and_what_was_acknowledged() {
        let lines = lines(false, true);
        assert_eq!(lines.len(), 12);
        assert_eq!(lines[1], "0:00:10 of media, 1000 kb/s, 1250 kB sent, 1200 kB acknowledged");
    }

    #[test]
    fn on_a_terminal_the_line_is_as_fresh_as_what_it_shows() {
        assert_eq!(lines(true, true).len(), 240);
    }

    #[test]
    fn where_nothing_is_acknowledged_the_line_says_so() {
        assert!(lines(false, false)[0].ends_with("625 kB sent, nothing acknowledged"));
    }

    #[test]
    fn nothing_is_shown_before_there_is_media() {
        let mut meter = Meter::new(false);
        let done = Done { sent_bytes: 1_500, ..Done::default() };
        assert!((0..60).all(|s| meter.line(Duration::from_secs(s), &done).is_none()));
    }

    #[test]
    fn long_times_have_hours() {
        assert_eq!(clock_text(Duration::from_secs(2 * 86_400 + 61)), "48:01:01");
    }
}
