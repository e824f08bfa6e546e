//! What was observed, and what it says: delay, delivered rate, stalls.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::{
    PACE_BASE_WINDOW, PACE_GOP_WINDOW, PACE_HICCUP, PACE_LUMPS_WITHIN, PACE_POINTS_MAX,
    PACE_RATE_WINDOW, PACE_RECENT_RATE_WINDOW, PACE_RECENT_WINDOW, PACE_STANDING_WINDOW, PACE_TICK,
    RTMP_ACK_WINDOW_BYTES,
};

/// One look at a connection and its queue, from the socket to the encoder's bitrate. All byte counts
/// are of the connection, in RTMP bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PathSample {
    /// Media time that waits in the queue, from the oldest to the newest access unit.
    pub queue_age: Duration,
    /// Payload bytes that wait in the queue.
    pub queue_bytes: u64,
    /// Bytes that wait in the session for the socket.
    pub unsent_bytes: u64,
    /// Bytes handed to the socket since the connection began.
    pub written_bytes: u64,
    /// Of these, the bytes that the peer's kernel has not acknowledged, sent or not (Linux
    /// `SIOCOUTQ`, `idiag_wqueue`), less those that it has acknowledged selectively (`tcpi_sacked`):
    /// what waits there behind a lost segment has arrived. `None` where the kernel cannot tell.
    pub tcp_unacknowledged_bytes: Option<u64>,
    /// Bytes that the peer's kernel has acknowledged without a gap; 0 where the kernel cannot tell.
    pub tcp_acknowledged_bytes: u64,
    /// Bytes that it has acknowledged selectively: its program cannot read them yet.
    pub tcp_sacked_bytes: u64,
    /// Bytes that the server says it has received; `None` while it never has. It ranks above the
    /// kernel, behind which a proxy may swallow what no server reads.
    pub server_acknowledged_bytes: Option<u64>,
    /// Bytes beyond those that the peer's kernel has room for; `None` where ours cannot tell.
    pub tcp_window_bytes: Option<u64>,
    /// TCP's smoothed round-trip time, where the kernel can tell.
    pub rtt: Option<Duration>,
}

/// What the samples so far show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Observed {
    /// How late the newest delivered byte was, without the path's own round trip: media in all our
    /// buffers and in the queues of the network.
    pub delay: Duration,
    /// The least delay in the last [`PACE_RECENT_WINDOW`].
    pub recent: Duration,
    /// The least delay in the last [`PACE_STANDING_WINDOW`]: what never drained.
    pub standing: Duration,
    /// Delivered over [`PACE_RECENT_RATE_WINDOW`].
    pub recent_kbps: u64,
    /// Delivered over [`PACE_RATE_WINDOW`].
    pub rate_kbps: u64,
    /// Delivered over [`PACE_GOP_WINDOW`].
    pub gop_kbps: u64,
    /// What the encoder made over [`PACE_RECENT_RATE_WINDOW`].
    pub made_kbps: u64,
    /// Delivered over [`PACE_RATE_WINDOW`], a stall within counted: the path has carried it.
    pub proven_kbps: u64,
    /// How long what waits now will take at the present rate; its age where there is none.
    pub wait: Duration,
    /// The same for what has left the queue and can no longer be dropped.
    pub wire_wait: Duration,
    /// For how long nothing has been delivered although something waited.
    pub stalled: Duration,
    /// For how long there has been no stall of [`PACE_HICCUP`] or more.
    pub flowing: Duration,
    /// Stall follows stall: that is how this path delivers, and not a hiccup of it.
    pub is_lumpy: bool,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    at: Duration,
    /// Taken out of the queue.
    handed: u64,
    /// Put into the queue, as far as it was not dropped.
    made: u64,
    delivered: u64,
    delay: Duration,
}

/// The last seconds of a connection.
#[derive(Debug)]
pub(super) struct View {
    points: VecDeque<Point>,
    base: Base,
    acks: Acks,
    progress_at: Duration,
    /// The end of the last stall: what was measured before says nothing about the rate after.
    flows_since: Duration,
    /// The end of the one before.
    flowed_since: Option<Duration>,
}

impl View {
    pub fn new(now: Duration) -> View {
        let start = Point { at: now, handed: 0, made: 0, delivered: 0, delay: Duration::ZERO };
        View {
            points: VecDeque::from([start]),
            base: Base::new(now),
            acks: Acks::default(),
            progress_at: now,
            flows_since: now,
            flowed_since: None,
        }
    }

    /// Takes a sample in; `None` when the last one is too young for this one to say more.
    pub fn take(&mut self, now: Duration, sample: PathSample) -> Option<Observed> {
        let last = *self.points.back()?;
        if now < last.at + PACE_TICK / 2 {
            return None;
        }
        let handed = last.handed.max(sample.written_bytes + sample.unsent_bytes);
        let delivered = last.delivered.max(self.acks.delivered(sample)).min(handed);
        if delivered > last.delivered || delivered == handed {
            if now >= self.progress_at + PACE_HICCUP {
                self.flowed_since = Some(self.flows_since);
                self.flows_since = now;
            }
            self.progress_at = now;
        }
        if let Some(rtt) = sample.rtt {
            self.base.take(now, rtt);
        }
        let made = handed + sample.queue_bytes;
        self.push(Point { at: now, handed, made, delivered, delay: Duration::ZERO });
        let delay = sample.queue_age + self.lag(now, delivered);
        if let Some(newest) = self.points.back_mut() {
            newest.delay = delay;
        }
        Some(self.observed(now, sample, handed - delivered))
    }

    fn push(&mut self, point: Point) {
        if self.points.len() == PACE_POINTS_MAX {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }

    /// How long ago the oldest byte that is still waiting was taken out of the queue, beyond the
    /// round trip that its acknowledgement needs anyway.
    fn lag(&self, now: Duration, delivered: u64) -> Duration {
        let Some(after) = self.points.iter().rposition(|point| point.handed <= delivered) else {
            // Older than we remember.
            return self.points.front().map_or(Duration::ZERO, |oldest| now - oldest.at);
        };
        let before = self.points[after];
        let Some(next) = self.points.get(after + 1) else { return Duration::ZERO };
        let part =
            share(next.at - before.at, delivered - before.handed, next.handed - before.handed);
        (now - before.at - part).saturating_sub(self.base.rtt())
    }

    fn observed(&self, now: Duration, sample: PathSample, outstanding: u64) -> Observed {
        let delivered = |point: &Point| point.delivered;
        let is_lumpy =
            self.flowed_since.is_some_and(|before| now.saturating_sub(before) < PACE_LUMPS_WITHIN);
        let flowing = match is_lumpy {
            true => PACE_RATE_WINDOW,
            false => now.saturating_sub(self.flows_since),
        };
        // Within a lump the rate is any; over several it is the path's.
        let recent = if is_lumpy { PACE_RATE_WINDOW } else { PACE_RECENT_RATE_WINDOW };
        let recent_kbps = self.rate_kbps(now, recent.min(flowing), delivered);
        let rate_kbps = self.rate_kbps(now, PACE_RATE_WINDOW.min(flowing), delivered);
        let stalled = now.saturating_sub(self.progress_at);
        let delay = self.points.back().map_or(Duration::ZERO, |newest| newest.delay);
        // Around a stall there is no rate to tell the future by; age tells what has been.
        let has_rate = stalled < PACE_HICCUP && flowing >= PACE_RECENT_WINDOW;
        let kbps = recent_kbps.max(rate_kbps / 2);
        let wait = |bytes: u64, age: Duration| match (bytes * 8).checked_div(kbps) {
            Some(ms) if has_rate => Duration::from_millis(ms),
            _ => age,
        };
        Observed {
            delay,
            recent: self.least_delay(now, PACE_RECENT_WINDOW),
            standing: self.least_delay(now, PACE_STANDING_WINDOW),
            recent_kbps,
            rate_kbps,
            gop_kbps: self.rate_kbps(now, PACE_GOP_WINDOW, delivered),
            made_kbps: self.rate_kbps(now, PACE_RECENT_RATE_WINDOW, |point| point.made),
            proven_kbps: self.rate_kbps(now, PACE_RATE_WINDOW, delivered),
            wait: wait(outstanding + sample.queue_bytes, delay),
            wire_wait: wait(outstanding, delay.saturating_sub(sample.queue_age)),
            stalled,
            flowing,
            is_lumpy,
        }
    }

    fn least_delay(&self, now: Duration, window: Duration) -> Duration {
        let since = now.saturating_sub(window);
        let within = self.points.iter().rev().take_while(|point| point.at >= since);
        within.map(|point| point.delay).min().unwrap_or_default()
    }

    fn rate_kbps(&self, now: Duration, window: Duration, bytes: impl Fn(&Point) -> u64) -> u64 {
        let since = now.saturating_sub(window);
        let from = self.points.iter().rev().find(|point| point.at <= since);
        let Some((from, newest)) = from.or(self.points.front()).zip(self.points.back()) else {
            return 0;
        };
        let ms = (now - from.at).as_millis() as u64;
        (bytes(newest).saturating_sub(bytes(from)) * 8).checked_div(ms).unwrap_or(0)
    }
}

/// What of the bytes written has arrived.
#[derive(Debug, Default)]
struct Acks {
    server: u64,
    /// The most that the server has ever acknowledged at once: it may be that much behind.
    step: u64,
}

impl Acks {
    fn delivered(&mut self, sample: PathSample) -> u64 {
        let unacknowledged = sample.tcp_unacknowledged_bytes.unwrap_or(0);
        let by_kernel = sample.written_bytes.saturating_sub(unacknowledged);
        let Some(server) = sample.server_acknowledged_bytes else { return by_kernel };
        self.step = self.step.max(server.saturating_sub(self.server));
        self.server = self.server.max(server);
        let may_be_behind = 2 * self.step.max(RTMP_ACK_WINDOW_BYTES.into());
        by_kernel.min(self.server + may_be_behind)
    }
}

/// The least round-trip time of the last [`PACE_BASE_WINDOW`] and up to as much before.
#[derive(Debug)]
struct Base {
    since: Duration,
    current: Option<Duration>,
    previous: Option<Duration>,
}

impl Base {
    fn new(now: Duration) -> Base {
        Base { since: now, current: None, previous: None }
    }

    fn take(&mut self, now: Duration, rtt: Duration) {
        if now >= self.since + PACE_BASE_WINDOW {
            self.since = now;
            self.previous = self.current.take();
        }
        self.current = Some(self.current.map_or(rtt, |least| least.min(rtt)));
    }

    fn rtt(&self) -> Duration {
        self.current.into_iter().chain(self.previous).min().unwrap_or_default()
    }
}

/// `time` × `part` / `whole`.
fn share(time: Duration, part: u64, whole: u64) -> Duration {
    let ns = time.as_nanos() * u128::from(part) / u128::from(whole.max(1));
    Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Samples each tick up to `end_ms`, as `at` of the time in ms says.
    fn observed(end_ms: u64, at: impl Fn(u64) -> PathSample) -> Observed {
        let mut view = View::new(ms(0));
        let ticks = (100..=end_ms).step_by(100);
        ticks.map(|t| view.take(ms(t), at(t))).last().flatten().unwrap()
    }

    /// 100 bytes a millisecond are written; what `delivered` says has arrived.
    fn flow(delivered: impl Fn(u64) -> u64) -> impl Fn(u64) -> PathSample {
        move |t| PathSample {
            written_bytes: t * 100,
            tcp_unacknowledged_bytes: Some(t * 100 - delivered(t)),
            ..PathSample::default()
        }
    }

    #[test]
    fn a_path_that_keeps_up_shows_its_rate_and_no_delay() {
        let observed = observed(3_000, flow(|t| t * 100));
        assert_eq!((observed.rate_kbps, observed.recent_kbps, observed.gop_kbps), (800, 800, 800));
        assert_eq!((observed.delay, observed.wait, observed.stalled), (ms(0), ms(0), ms(0)));
    }

    #[test]
    fn what_lags_behind_is_measured_in_time() {
        let observed = observed(3_000, flow(|t| t.saturating_sub(250) * 100));
        assert_eq!(
            (observed.delay, observed.standing, observed.rate_kbps),
            (ms(250), ms(250), 800)
        );
        assert_eq!(observed.wait, ms(250));
    }

    #[test]
    fn the_round_trip_of_the_path_is_no_delay() {
        let late = flow(|t| t.saturating_sub(250) * 100);
        let observed = observed(3_000, |t| PathSample {
            rtt: Some(ms(if t < 500 { 200 } else { 250 })),
            ..late(t)
        });
        assert_eq!(observed.delay, ms(50));
    }

    #[test]
    fn a_longer_path_is_taken_for_what_it_is_after_a_while() {
        let late = flow(|t| t.saturating_sub(250) * 100);
        let observed = observed(25_000, |t| PathSample {
            rtt: Some(ms(if t < 500 { 50 } else { 250 })),
            ..late(t)
        });
        assert_eq!(observed.delay, ms(0));
    }

    #[test]
    fn a_stall_grows_by_the_second() {
        let observed = observed(4_000, flow(|t| t.min(2_000) * 100));
        assert_eq!((observed.stalled, observed.delay), (ms(2_000), ms(2_000)));
        assert_eq!(
            (observed.rate_kbps, observed.wait),
            (0, ms(2_000)),
            "its age, for want of a rate"
        );
    }

    #[test]
    fn a_stall_longer_than_the_memory_is_still_long() {
        let observed = observed(60_000, flow(|t| t.min(2_000) * 100));
        assert_eq!(observed.stalled, ms(58_000));
        assert!(observed.delay >= ms(5_000));
    }

    #[test]
    fn a_path_that_delivers_in_lumps_has_the_rate_of_several_of_them() {
        // Half a second nothing, then all that had to wait.
        let lumps = observed(5_350, flow(|t| t / 500 * 500 * 100));
        assert!(lumps.is_lumpy, "{lumps:?}");
        assert!((700..=900).contains(&lumps.recent_kbps), "{lumps:?}");
        // One hiccup is no habit.
        let once =
            observed(5_350, flow(|t| if (4_500..5_000).contains(&t) { 450_000 } else { t * 100 }));
        assert!(!once.is_lumpy, "{once:?}");
    }

    #[test]
    fn what_waits_in_the_queue_counts_as_delay() {
        let steady = flow(|t| t * 100);
        let observed = observed(3_000, |t| PathSample {
            queue_age: ms(400),
            queue_bytes: 10_000,
            ..steady(t)
        });
        assert_eq!((observed.delay, observed.wait), (ms(400), ms(100)));
    }

    #[test]
    fn a_server_that_does_not_read_counts_more_than_a_kernel_that_does() {
        let steady = flow(|t| t * 100);
        let frozen = observed(9_000, |t| PathSample {
            server_acknowledged_bytes: Some((t.min(2_000) * 100).next_multiple_of(50_000)),
            ..steady(t)
        });
        assert!(frozen.stalled >= ms(4_500) && frozen.rate_kbps == 0, "{frozen:?}");
    }

    #[test]
    fn a_server_that_acknowledges_rarely_is_not_slow() {
        let steady = flow(|t| t * 100);
        let observed = observed(60_000, |t| PathSample {
            server_acknowledged_bytes: Some(t * 100 / 2_500_000 * 2_500_000)
                .filter(|acked| *acked > 0),
            ..steady(t)
        });
        assert_eq!((observed.delay, observed.rate_kbps), (ms(0), 800));
    }

    #[test]
    fn looking_more_often_changes_nothing() {
        let mut view = View::new(ms(0));
        let sample = flow(|t| t * 100);
        let taken = (1..=1_000).filter(|t| view.take(ms(*t), sample(*t)).is_some()).count();
        assert_eq!(taken, 20);
    }

    #[test]
    fn counters_that_go_back_do_no_harm() {
        let mut view = View::new(ms(0));
        view.take(ms(100), flow(|t| t * 100)(100));
        let observed = view.take(ms(200), PathSample::default()).unwrap();
        assert_eq!(observed.rate_kbps, 400);
    }
}
