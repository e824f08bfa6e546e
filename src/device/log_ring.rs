//! The last lines of the log, for the console.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use crate::limits::{LOG_LINE_BYTES_MAX, LOG_LINES_MAX};

/// Keeps the newest lines; copies share them.
#[derive(Debug, Clone, Default)]
pub struct LogRing {
    lines: Arc<Mutex<VecDeque<String>>>,
}

/// Takes one line.
#[derive(Debug)]
pub struct LineWriter(LogRing);

impl LogRing {
    /// The lines, the oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl<'a> MakeWriter<'a> for LogRing {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        LineWriter(self.clone())
    }
}

impl io::Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let cut = &bytes[..bytes.len().min(LOG_LINE_BYTES_MAX)];
        let line = String::from_utf8_lossy(cut).trim_end().replace(char::is_control, " ");
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LOG_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_newest_lines_are_kept_and_no_more_of_each_than_its_bound() {
        let ring = LogRing::default();
        for n in 0..3 * LOG_LINES_MAX {
            let line = format!("line {n} {}\n", "x".repeat(10_000));
            ring.make_writer().write_all(line.as_bytes()).unwrap();
        }
        let lines = ring.lines();
        assert_eq!(lines.len(), LOG_LINES_MAX);
        assert!(lines[0].starts_with(&format!("line {} ", 2 * LOG_LINES_MAX)));
        assert!(lines.iter().all(|line| line.len() <= LOG_LINE_BYTES_MAX));
    }
}
