//! Delivered, not written: whether the peer still takes what we send.
//!
//! Decides on numbers alone. A socket swallows megabytes of a stream that nobody reads any more, so
//! a write that succeeded says nothing; what counts is what the peer has acknowledged. RTMP
//! acknowledgements come from the server program itself and rank first; the kernel's TCP
//! acknowledgements show a cut path where a server never sends any.

use std::time::Duration;

use crate::limits::{DEAD_PATH_TIMEOUT, RTMP_ACK_WINDOW_BYTES};

/// One look at the connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Observation {
    /// RTMP bytes handed to the socket since the connection began.
    pub written_bytes: u64,
    /// RTMP bytes waiting for the socket.
    pub waiting_bytes: usize,
    /// RTMP bytes that the server says it has received; `None` until it has said so once.
    pub acknowledged_bytes: Option<u64>,
    /// TCP bytes that the peer's kernel has not acknowledged; `None` where the kernel cannot tell.
    pub tcp_unacknowledged_bytes: Option<u32>,
    /// TCP bytes that the peer's kernel has acknowledged.
    pub tcp_acknowledged_bytes: u64,
}

/// Judges delivery over time.
///
/// Call [`Delivery::observe`] at least every [`crate::limits::PROGRESS_TICK`].
#[derive(Debug)]
pub struct Delivery {
    server: Watch,
    kernel: Watch,
    writer: Watch,
    first_media_end: Option<u64>,
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
            server: Watch::at(now),
            kernel: Watch::at(now),
            writer: Watch::at(now),
            first_media_end: None,
            media_delivered: false,
        }
    }

    /// The first media message ends at this byte of the connection.
    pub fn first_media_ends_at(&mut self, byte: u64) {
        self.first_media_end.get_or_insert(byte);
    }

    /// Whether the peer has acknowledged media.
    pub fn media_delivered(&self) -> bool {
        self.media_delivered
    }

    /// Takes a look; `Some(stuck)` when nothing has been delivered for [`DEAD_PATH_TIMEOUT`] although
    /// something should have been.
    pub fn observe(&mut self, now: Duration, seen: Observation) -> Option<Duration> {
        if let Some(end) = self.first_media_end {
            let by_server = seen.acknowledged_bytes.is_some_and(|acked| acked >= end);
            let by_kernel = seen.written_bytes >= end
                && seen.tcp_unacknowledged_bytes.is_none_or(|waiting| waiting == 0);
            self.media_delivered |= by_server || by_kernel;
        }
        // A server acknowledges once per window, so it owes nothing before two windows are out.
        let owed = u64::from(RTMP_ACK_WINDOW_BYTES) * 2;
        let acknowledged = seen.acknowledged_bytes.unwrap_or(0);
        let overdue = seen.acknowledged_bytes.is_some()
            && seen.written_bytes.saturating_sub(acknowledged) > owed;
        let stuck = [
            self.server.stuck_for(now, acknowledged, overdue),
            self.kernel.stuck_for(
                now,
                seen.tcp_acknowledged_bytes,
                seen.tcp_unacknowledged_bytes.is_some_and(|waiting| waiting > 0),
            ),
            self.writer.stuck_for(now, seen.written_bytes, seen.waiting_bytes > 0),
        ];
        stuck.into_iter().max().filter(|stuck| *stuck >= DEAD_PATH_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `seconds` of looks, four a second, and says when the path was declared dead.
    fn dead_after(seconds: u64, mut at: impl FnMut(f64) -> Observation) -> Option<f64> {
        let mut delivery = Delivery::new(Duration::ZERO);
        (0..seconds * 4).find_map(|tick| {
            let now = Duration::from_millis(tick * 250);
            delivery.observe(now, at(now.as_secs_f64())).map(|_| now.as_secs_f64())
        })
    }

    /// A stream of `kbps` to a server that acknowledges each window until it freezes at 10 s, behind
    /// kernels that go on acknowledging until `hidden` bytes are swallowed.
    fn frozen_at_10_s(kbps: f64, hidden: f64) -> impl FnMut(f64) -> Observation {
        move |t| {
            let sent = |t: f64| t * kbps * 125.0;
            let window = f64::from(RTMP_ACK_WINDOW_BYTES);
            let read = sent(t.min(10.0));
            let taken = sent(t).min(read + hidden);
            Observation {
                written_bytes: taken as u64,
                waiting_bytes: (sent(t) - taken) as usize,
                acknowledged_bytes: Some(((read / window).floor() * window) as u64),
                tcp_unacknowledged_bytes: Some(0),
                tcp_acknowledged_bytes: taken as u64,
            }
        }
    }

    #[test]
    fn a_frozen_server_is_noticed_within_five_seconds_at_6_megabits() {
        let dead = dead_after(40, frozen_at_10_s(6_000.0, 3e6)).unwrap();
        assert!((14.0..=15.0).contains(&dead), "{dead}");
    }

    #[test]
    fn a_cut_path_is_noticed_by_the_kernels_acknowledgements_alone() {
        let dead = dead_after(40, |t| Observation {
            written_bytes: (t * 50_000.0) as u64,
            tcp_unacknowledged_bytes: Some(if t < 10.0 { 0 } else { 1 }),
            tcp_acknowledged_bytes: (t.min(10.0) * 50_000.0) as u64,
            ..Observation::default()
        });
        assert!((14.0..=15.0).contains(&dead.unwrap()), "{dead:?}");
    }

    #[test]
    fn a_stream_that_has_nothing_to_send_is_not_dead() {
        assert_eq!(dead_after(60, |_| Observation::default()), None);
    }

    #[test]
    fn a_slow_server_that_keeps_acknowledging_is_not_dead() {
        let slow = |t: f64| Observation {
            written_bytes: 4_000_000,
            waiting_bytes: 100_000,
            acknowledged_bytes: Some((t / 4.0) as u64 * 10_000),
            tcp_unacknowledged_bytes: Some(1_000),
            tcp_acknowledged_bytes: (t * 2.0) as u64,
        };
        // The writer stands still, but only because the peer is slow: give it moving bytes.
        assert_eq!(
            dead_after(60, |t| Observation { written_bytes: 4_000_000 + t as u64, ..slow(t) }),
            None
        );
    }

    #[test]
    fn media_counts_as_delivered_only_when_the_peer_acknowledged_it() {
        let mut delivery = Delivery::new(Duration::ZERO);
        delivery.first_media_ends_at(5_000);
        let written = Observation {
            written_bytes: 6_000,
            tcp_unacknowledged_bytes: Some(6_000),
            ..Observation::default()
        };
        delivery.observe(Duration::ZERO, written);
        assert!(!delivery.media_delivered());
        delivery
            .observe(Duration::ZERO, Observation { acknowledged_bytes: Some(5_000), ..written });
        assert!(delivery.media_delivered());
    }
}
