//! Where log lines go: the journal under systemd, readable text otherwise.

use std::env;
use std::fs::File;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The variable that sets the levels, in the notation of `tracing_subscriber::EnvFilter`.
const LEVELS: &str = "FIRSTMILE_LOG";

fn filter(default: &str) -> EnvFilter {
    EnvFilter::try_from_env(LEVELS).unwrap_or_else(|_| EnvFilter::new(default))
}

/// Logs to the journal when systemd has connected standard error to it, else to standard error.
pub fn for_service(default: &str) {
    let to_journal = env::var_os("JOURNAL_STREAM").is_some();
    match tracing_journald::layer() {
        Ok(journal) if to_journal => {
            tracing_subscriber::registry().with(filter(default)).with(journal).init();
        }
        _ => to_stderr(default),
    }
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
