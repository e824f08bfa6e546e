//! Delivered, not written: whether the peer still takes what we send.
//!
//! A socket swallows megabytes of a stream that nobody reads any more, so
//! a write that succeeded says nothing; what counts is what the peer has acknowledged. RTMP
//! acknowledgements come from the server program itself and rank first ([`program`]); the kernel's TCP
//! acknowledgements show a cut path where a server never sends any. Of a program that hangs behind a
//! kernel that still takes, and that acknowledges rarely, the window of that kernel tells ([`reader`]).

mod program;
mod reader;
#[cfg(test)]
mod tests;

use std::time::Duration;

use program::Program;
use reader::Reader;

use crate::limits::{CLOSED_AT_ONCE, DEAD_PATH_TIMEOUT, UNACKNOWLEDGED_LIVE};
use crate::pace::PathSample;

/// Judges delivery over time.
///
/// Call [`Delivery::observe`] about every [`crate::limits::PROGRESS_TICK`].
#[derive(Debug)]
pub struct Delivery {
    program: Program,
    reader: Reader,
    kernel: Watch,
    writer: Watch,
    first_media_end: Option<u64>,
    /// The same of what was sent since the server accepted the stream, and when that was.
    accepted_media_end: Option<u64>,
    started_at: Option<Duration>,
    media_arrived: bool,
    media_acknowledged: bool,
    media_delivered: bool,
}

/// One measure of progress: since when has it been stuck while something was outstanding?
#[derive(Debug)]
struct Watch {
    value: u64,
    moved_at: Duration,
}

impl Watch {
    fn at(now: Duration) -> Watch {
        Watch { value: 0, moved_at: now }
    }

    fn stuck_for(&mut self, now: Duration, value: u64, outstanding: bool) -> Duration {
        if value != self.value || !outstanding {
            self.value = value;
            self.moved_at = now;
        }
        now.saturating_sub(self.moved_at)
    }
}

impl Delivery {
    /// A connection that begins now.
    pub fn new(now: Duration) -> Delivery {
        Delivery {
            program: Program::at(now),
            reader: Reader::at(now),
            kernel: Watch::at(now),
            writer: Watch::at(now),
            first_media_end: None,
            accepted_media_end: None,
            started_at: None,
            media_arrived: false,
            media_acknowledged: false,
            media_delivered: false,
        }
    }

    /// A media message ends at this byte of the connection.
    pub fn media_ends_at(&mut self, byte: u64) {
        self.first_media_end.get_or_insert(byte);
        if self.started_at.is_some() {
            self.accepted_media_end.get_or_insert(byte);
        }
    }

    /// The server has accepted the stream. What it acknowledged before says nothing of that: its program
    /// reads what comes before it knows the key.
    pub fn publish_starts(&mut self, now: Duration) {
        self.started_at.get_or_insert(now);
    }

    /// Whether the peer has taken any media, the server's program or its kernel.
    pub fn media_arrived(&self) -> bool {
        self.media_arrived
    }

    /// Whether the server receives what it has accepted: it has acknowledged media that was sent since and
    /// outlived [`CLOSED_AT_ONCE`], or has taken it undisturbed for [`UNACKNOWLEDGED_LIVE`].
    pub fn media_delivered(&self) -> bool {
        self.media_delivered
    }

    /// Takes a look; the server was asked to acknowledge each `window_bytes`. `Some(stuck)` when nothing
    /// has been delivered for [`DEAD_PATH_TIMEOUT`] although something should have been.
    pub fn observe(
        &mut self,
        now: Duration,
        sample: &PathSample,
        window_bytes: u32,
    ) -> Option<Duration> {
        let by_server = |end| sample.server_acknowledged_bytes.is_some_and(|acked| acked >= end);
        let waiting = sample.tcp_unacknowledged_bytes.unwrap_or(0);
        let by_kernel = |end| sample.written_bytes.saturating_sub(waiting) >= end;
        if let Some(end) = self.first_media_end {
            self.media_arrived |= by_server(end) || by_kernel(end);
        }
        if let (Some(end), Some(started_at)) = (self.accepted_media_end, self.started_at) {
            if by_server(end) && !self.media_acknowledged {
                self.media_acknowledged = true;
                tracing::debug!("the server has acknowledged media");
            }
            let lasts = |time| now >= started_at + time;
            self.media_delivered |= (by_server(end) && lasts(CLOSED_AT_ONCE))
                || (by_kernel(end) && lasts(UNACKNOWLEDGED_LIVE));
        }
        let kernel = self.kernel.stuck_for(
            now,
            sample.tcp_acknowledged_bytes + sample.tcp_sacked_bytes,
            sample.tcp_unacknowledged_bytes.is_some_and(|waiting| waiting > 0),
        );
        let writer = self.writer.stuck_for(now, sample.written_bytes, sample.unsent_bytes > 0);
        let program = self.program.silent_for(now, sample, window_bytes, kernel);
        let reader = self.reader.silent_for(now, sample, kernel);
        let stuck = kernel.max(writer).max(program).max(reader);
        (stuck >= DEAD_PATH_TIMEOUT).then_some(stuck)
    }
}
