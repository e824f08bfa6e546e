//! Where log lines go: the journal under systemd, readable text otherwise.

use std::env;
use std::io::{self, Write};

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::progress::OverProgress;
use crate::device::{LogRing, LogSink, LogTarget};

/// The variable that sets the levels: one for all, and others for modules, as in `warn,firstmile::rtmp=debug`
/// (the notation of `tracing_subscriber::filter::Targets`).
const LEVELS: &str = "FIRSTMILE_LOG";

fn filter(default: &str) -> Targets {
    let set = env::var(LEVELS).ok().and_then(|levels| levels.parse().ok());
    set.or_else(|| default.parse().ok()).unwrap_or_default()
}

/// Lines of text to this target, which knows the time.
fn lines_to<S>(target: LogTarget) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(LogSink::new(target));
    lines.with_ansi(false).without_time().with_level(false).with_target(false)
}

/// The journal when systemd has connected standard error to it, else `stderr`.
fn journal_or(stderr: impl Write + Send + 'static) -> LogTarget {
    match env::var_os("JOURNAL_STREAM") {
        Some(_) => LogTarget::Journal,
        None => LogTarget::Lines(Box::new(stderr)),
    }
}

/// Logs to the journal or to standard error; and everything from `INFO` up to the ring that the console
/// shows.
pub fn for_service(default: &str) -> LogRing {
    with_ring(journal_or(io::stderr()), default)
}

/// Logs to the journal or to standard error.
pub fn to_stderr(default: &str) {
    let lines = lines_to(journal_or(OverProgress)).with_filter(filter(default));
    tracing_subscriber::registry().with(lines).init();
}

/// Logs to a file, where the terminal shows something else; and everything from `INFO` up to the ring that
/// the console shows.
#[cfg(feature = "demo")]
pub fn to_file(file: std::fs::File, default: &str) -> LogRing {
    with_ring(LogTarget::Lines(Box::new(file)), default)
}

fn with_ring(target: LogTarget, default: &str) -> LogRing {
    let ring = LogRing::default();
    tracing_subscriber::registry()
        .with(lines_to(LogTarget::Ring(ring.clone())).with_filter(LevelFilter::INFO))
        .with(lines_to(target).with_filter(filter(default)))
        .init();
    ring
}
