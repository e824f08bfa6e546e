//! Where log lines go: the journal under systemd, readable text otherwise.

use std::env;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::progress::OverProgress;
use crate::device::LogRing;

/// The variable that sets the levels: one for all, and others for modules, as in `warn,firstmile::rtmp=debug`
/// (the notation of `tracing_subscriber::filter::Targets`).
const LEVELS: &str = "FIRSTMILE_LOG";

fn filter(default: &str) -> Targets {
    let set = env::var(LEVELS).ok().and_then(|levels| levels.parse().ok());
    set.or_else(|| default.parse().ok()).unwrap_or_default()
}

/// Logs to the journal when systemd has connected standard error to it, else to standard error; and
/// everything from `INFO` up to the ring that the console shows.
pub fn for_service(default: &str) -> LogRing {
    let ring = LogRing::default();
    let shown = shown_by_console(&ring);
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
    let stderr = tracing_subscriber::fmt::layer().with_writer(|| OverProgress).with_target(false);
    tracing_subscriber::registry().with(stderr.with_filter(filter(default))).init();
}

/// Logs to a file, where the terminal shows something else; and everything from `INFO` up to the ring that
/// the console shows.
#[cfg(feature = "demo")]
pub fn to_file(file: std::fs::File, default: &str) -> LogRing {
    let ring = LogRing::default();
    let file = tracing_subscriber::fmt::layer()
        .with_writer(std::sync::Mutex::new(file))
        .with_ansi(false)
        .with_target(false);
    let shown = shown_by_console(&ring);
    tracing_subscriber::registry().with(shown).with(file.with_filter(filter(default))).init();
    ring
}

/// What the console shows of the log.
fn shown_by_console<S: Subscriber + for<'a> LookupSpan<'a>>(ring: &LogRing) -> impl Layer<S> {
    tracing_subscriber::fmt::layer()
        .with_writer(ring.clone())
        .with_ansi(false)
        .with_target(false)
        .with_filter(LevelFilter::INFO)
}
