//! Whether the server program reads, judged by the window that its kernel offers.

use std::time::Duration;

use crate::limits::FULL_FOR;
use crate::pace::PathSample;

/// Over so long and so many bytes a window is compared: its last bits are cut off (RFC 7323 section 2),
/// and some kernels give away an eighth of the room first.
const READ_SPAN: Duration = Duration::from_millis(500);
const READ_BYTES: u64 = 16 * 1024;

/// Whether the server program reads, judged by the window that its kernel offers (RFC 9293 section
/// 3.8.6): what is not read takes its room.
///
/// A program that hangs shows in it at once, long before its kernel is full. But so does one that reads
/// more slowly than we send, and is well. So a window that shrinks proves nothing; when it has shrunk
/// until what waits has no room any more, it says since when nothing was read.
#[derive(Debug)]
pub(super) struct Reader {
    window: u64,
    /// Where the window and what had arrived stood a while ago.
    then: (Duration, u64, u64),
    /// What had arrived when what waits found no room any more.
    closed_at: Option<u64>,
    /// When it was last known to read, or had nothing to.
    read_at: Duration,
}

impl Reader {
    pub(super) fn at(now: Duration) -> Reader {
        Reader { window: 0, then: (now, 0, 0), closed_at: None, read_at: now }
    }

    /// For how long it has read nothing, once its kernel is full; `kernel_stuck` is how long that has
    /// taken nothing more.
    pub(super) fn silent_for(
        &mut self,
        now: Duration,
        sample: &PathSample,
        kernel_stuck: Duration,
    ) -> Duration {
        let (Some(window), Some(waiting)) =
            (sample.tcp_window_bytes, sample.tcp_unacknowledged_bytes)
        else {
            self.read_at = now;
            return Duration::ZERO;
        };
        let arrived = sample.tcp_acknowledged_bytes;
        let (then, window_then, arrived_then) = self.then;
        let came = arrived.saturating_sub(arrived_then);
        let is_even = now.saturating_sub(then) >= READ_SPAN && came >= READ_BYTES;
        let is_closed = waiting > window;
        self.closed_at = if is_closed { self.closed_at.or(Some(arrived)) } else { None };
        let reads = window > self.window
            // As wide as before although so much came.
            || is_even && window >= window_then
            // So much has come since the window was closed.
            || self.closed_at.is_some_and(|then| arrived.saturating_sub(then) >= READ_BYTES);
        let rests = waiting == 0 && came == 0;
        if reads || rests {
            self.read_at = now;
            self.closed_at = None;
        }
        if reads || rests || is_even {
            self.then = (now, window, arrived);
        }
        self.window = window;
        let is_full = is_closed && kernel_stuck >= FULL_FOR;
        if is_full { now.saturating_sub(self.read_at) } else { Duration::ZERO }
    }
}
