//! Where log lines go: the journal under systemd, readable text otherwise.

use std::env;
use std::fs::File;
use std::sync::Mutex;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::device::LogRing;

/// The variable that sets the levels, in the notation of `tracing_subscriber::EnvFilter`.
const LEVELS: &str = "FIRSTMILE_LOG";

fn filter(default: &str) -> EnvFilter {
    EnvFilter::try_from_env(LEVELS).unwrap_or_else(|_| EnvFilter::new(default))
}

/// Logs to the journal when systemd has connected standard error to it, else to standard error; and
/// what is worth a line to the ring that the console shows.
pub fn for_service(default: &str) -> LogRing {
    let ring = LogRing::default();
    let shown = tracing_subscriber::fmt::layer()
        .with_writer(ring.clone())
        .with_ansi(false)
        .with_target(false)
        .with_filter(LevelFilter::INFO);
    let to_journal = env::var_os("JOURNAL_STREAM").is_some();
    let journal = tracing_journald::layer().ok().filter(|_| to_journal);
    let stderr = journal
        .is_none()
        .then(|| tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false));
    tracing_subscriber::registry()
        .with(shown)
        .with(journal.map(|layer| layer.with_filter(filter(default))))
        .with(stderr.map(|layer| layer.with_filter(filter(default))))
        .init();
    ring
}

/// Logs to standard error.
pub fn to_stderr(default: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(filter(default))
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
}

/// Logs to a file, where the terminal shows something else.
pub fn to_file(file: File, default: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(filter(default))
        .with_writer(Mutex::new(file))
        .with_ansi(false)
        .with_target(false)
        .init();
}
