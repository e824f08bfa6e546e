//! Where log lines go: the journal, standard error or a file, and the last of them to the console.
//!
//! Words of servers and names of devices are in them, so every line is made safe to show, is bounded,
//! and cannot be repeated at will.

mod repeats;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::limits::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX};
use crate::sanitize;

use repeats::Repeats;

/// A place in the source, where there is one.
type Place = Option<Identifier>;

/// Keeps the newest lines; copies share them.
#[derive(Debug, Clone, Default)]
pub struct LogRing {
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl LogRing {
    /// The lines, the oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn push(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LOG_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Where the lines of a [`LogSink`] go.
pub enum LogTarget {
    /// Memory.
    Ring(LogRing),
    /// Standard error or a file, to be read by people.
    Lines(Box<dyn Write + Send>),
    /// Standard error, which the service manager has connected to its journal: that knows the time,
    /// and reads the level from a prefix (sd-daemon(3)).
    Journal,
}

/// Takes lines of a `tracing_subscriber` format without time and level, an event at a time.
#[derive(Clone)]
pub struct LogSink(Arc<Mutex<Inner>>);

struct Inner {
    began: Instant,
    repeats: Repeats<Place>,
    target: LogTarget,
}

/// Takes one line.
pub struct LineWriter {
    sink: LogSink,
    level: Level,
    place: Place,
}

impl LogSink {
    /// A sink for this target.
    pub fn new(target: LogTarget) -> LogSink {
        let (began, repeats) = (Instant::now(), Repeats::new());
        LogSink(Arc::new(Mutex::new(Inner { began, repeats, target })))
    }
}

impl<'a> MakeWriter<'a> for LogSink {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        LineWriter { sink: self.clone(), level: Level::INFO, place: None }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> LineWriter {
        LineWriter { sink: self.clone(), level: *about.level(), place: Some(about.callsite()) }
    }
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.sink.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.take(self.level, self.place.clone(), bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inner {
    fn take(&mut self, level: Level, place: Place, bytes: &[u8]) {
        let now = self.began.elapsed();
        self.put_sums(now);
        let cut = &bytes[..bytes.len().min(LOG_LINE_BYTES_MAX)];
        let line = sanitize::line(String::from_utf8_lossy(cut).trim_end());
        // Whoever asks for more than `INFO` gets it all.
        if level > Level::INFO || self.repeats.admits(now, place, &line) {
            self.put(level, &line);
        }
    }

    fn put_sums(&mut self, now: Duration) {
        for sum in self.repeats.sums(now) {
            self.put(Level::WARN, &sum);
        }
    }

    /// Where there is no room for a line it is lost, as is the place to report that.
    fn put(&mut self, level: Level, line: &str) {
        let dated = || {
            let mut text = String::new();
            let _ = SystemTime.format_time(&mut Writer::new(&mut text));
            let _ = write!(text, " {level:>5} {line}");
            text
        };
        let _ = match &mut self.target {
            LogTarget::Ring(ring) => {
                ring.push(cut_at(dated(), LOG_LINE_BYTES_MAX));
                Ok(())
            }
            LogTarget::Lines(lines) => lines.write_all((dated() + "\n").as_bytes()),
            LogTarget::Journal => writeln!(io::stderr(), "<{}>{line}", priority(level)),
        };
    }
}

fn cut_at(mut text: String, bytes_max: usize) -> String {
    while text.len() > bytes_max {
        text.pop();
    }
    text
}

/// The level as syslog(3) has it.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::limits::LOG_LINES_OF_A_PLACE_MAX;

    /// What is kept of what is logged.
    fn kept(log: impl FnOnce()) -> Vec<String> {
        let ring = LogRing::default();
        let sink = LogSink::new(LogTarget::Ring(ring.clone()));
        let lines = tracing_subscriber::fmt::layer().with_writer(sink).with_ansi(false);
        let lines = lines.without_time().with_level(false).with_target(false);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), log);
        ring.lines()
    }

    #[test]
    fn the_newest_lines_are_kept_and_no_more_of_each_than_its_bound() {
        let (ring, long) = (LogRing::default(), "x".repeat(10_000));
        let sink = LogSink::new(LogTarget::Ring(ring.clone()));
        for n in 0..3 * LOG_LINES_MAX {
            let mut writer = sink.make_writer();
            writer.level = Level::DEBUG;
            writer.write_all(format!("line {n} {long}\n").as_bytes()).unwrap();
        }
        let lines = ring.lines();
        assert_eq!(lines.len(), LOG_LINES_MAX);
        assert!(lines[0].contains(&format!(" DEBUG line {} ", 2 * LOG_LINES_MAX)), "{}", lines[0]);
        assert!(lines.iter().all(|line| line.len() <= LOG_LINE_BYTES_MAX));
    }

    #[test]
    fn a_line_of_the_log_cannot_steer_a_terminal_or_forge_another_line() {
        let name = "cam\u{1b}]0;owned\u{7}\n2026-01-01 INFO forged\u{2028}\u{202e}turned";
        let lines = kept(|| tracing::info!(name, "capturing from {name}"));
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(!line.chars().any(sanitize::is_hidden), "{line:?}");
        assert!(line.contains(" INFO capturing from cam"), "{line:?}");
    }

    // Shows F43.
    #[test]
    fn what_others_cause_in_a_flood_leaves_room_for_the_rest() {
        let lines = kept(|| {
            tracing::info!("before");
            (0..10_000).for_each(|n| tracing::info!("the server moves us to {n}"));
            tracing::info!("after");
        });
        assert_eq!(lines.len(), 2 + LOG_LINES_OF_A_PLACE_MAX as usize);
        assert!(lines[0].ends_with("before") && lines[lines.len() - 1].ends_with("after"));
    }
}
