//! From what was observed to what is done about it.

use std::time::Duration;

use super::sample::{Observed, PathSample, View};
use crate::limits::{
    PACE_CLEAR_DELAY, PACE_CRAWL_TIMEOUT, PACE_DROP_DISPOSABLE_WAIT, PACE_DROP_INTERVAL,
    PACE_DROP_WAIT, PACE_EMERGENCY_DELAY, PACE_GRACE, PACE_HEAVY_DELAY, PACE_HICCUP,
    PACE_LIGHT_DELAY, PACE_LOWER_INTERVAL, PACE_RAISE_INTERVAL, PACE_RECENT_RATE_WINDOW,
    PACE_STALL, PACE_STALL_INTERVAL, PACE_TICK,
};

/// What the policy knows of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The set video bitrate, in kbit/s; never exceeded.
    pub ceiling_kbps: u32,
    /// The lowest video bitrate that is worth sending, in kbit/s.
    pub floor_kbps: u32,
    /// What goes with the video, in kbit/s.
    pub audio_kbps: u32,
    /// Where to begin, in kbit/s: what an earlier connection had come to. `None` for the ceiling.
    pub start_kbps: Option<u32>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The encoder's video bitrate.
    TargetBitrate {
        /// In kbit/s, between floor and ceiling.
        kbps: u32,
        /// Why.
        because: Because,
    },
    /// Take frames out of this destination's queue.
    Drop(Drop),
    /// Take no video into this destination's queue, or take it again: at the floor, and still what
    /// was sent is late.
    PauseVideo(bool),
    /// This connection has crawled below the floor for [`PACE_CRAWL_TIMEOUT`]: a new one may fare
    /// better, this one will not.
    ReconnectAdvised,
}

/// Which frames are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drop {
    /// Video that no other frame refers to.
    Disposable,
    /// Video up to the next key frame.
    ToNextKey,
}

/// Why the target changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// The settings changed.
    Ceiling,
    /// There is room, so far as one can see.
    Probe,
    /// Something waits all the time.
    Light,
    /// The path is clearly too slow.
    Heavy,
    /// Everything sent now would be late.
    Emergency,
    /// Nothing was delivered at all for a while.
    Stalled,
}

/// What the policy thinks of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It carries what is sent.
    Clear,
    /// Something waits; no reason to do more, none to do less.
    Hold,
    /// Something waits all the time.
    Light,
    /// It is clearly too slow.
    Heavy,
    /// Everything sent now would be late.
    Emergency,
    /// Nothing is delivered at all.
    Stalled,
}

/// Watches one connection. Make a new one for each.
///
/// The driver takes a [`PathSample`] at [`Policy::poll_timeout`] (more often does no harm), hands it to
/// [`Policy::handle`], and drains [`Policy::poll_decision`].
#[derive(Debug)]
pub struct Policy {
    settings: Settings,
    /// The first sample.
    started: Option<Duration>,
    view: View,
    state: State,
    target_kbps: u64,
    /// The rate that the path last turned out to have, for video; what lies below is climbed fast.
    knee_kbps: Option<u64>,
    /// Raises beyond that which the path has borne.
    borne: u32,
    /// The target before a stall, which says nothing about the rate after it.
    before_stall_kbps: Option<u64>,
    /// What was delivered of the video over two seconds, at the last look without a stall.
    carried_kbps: u64,
    raised_at: Duration,
    lowered_at: Duration,
    /// The delay that the last lowering answered.
    answered: Duration,
    dropped_at: Option<Duration>,
    video_is_paused: bool,
    crawling_since: Option<Duration>,
    next_sample: Duration,
    pending: Pending,
}

/// At most one decision of each kind waits; a newer one takes the place of an older.
#[derive(Debug, Default)]
struct Pending {
    target: Option<Because>,
    reported_kbps: u64,
    drop: Option<Drop>,
    pause: Option<bool>,
    reconnect: bool,
}

impl Policy {
    /// A connection that begins now. Its encoder runs at [`Policy::target_kbps`].
    pub fn new(now: Duration, settings: Settings) -> Policy {
        let floor_kbps = settings.floor_kbps.min(settings.ceiling_kbps);
        let settings = Settings { floor_kbps, ..settings };
        let start_kbps = settings.start_kbps.unwrap_or(settings.ceiling_kbps);
        let target_kbps = start_kbps.clamp(floor_kbps, settings.ceiling_kbps).into();
        Policy {
            settings,
            started: None,
            view: View::new(now),
            state: State::Clear,
            target_kbps,
            knee_kbps: settings.start_kbps.map(u64::from),
            borne: 0,
            before_stall_kbps: None,
            carried_kbps: 0,
            raised_at: now,
            lowered_at: now,
            answered: Duration::ZERO,
            dropped_at: None,
            video_is_paused: false,
            crawling_since: None,
            next_sample: now + PACE_TICK,
            pending: Pending { reported_kbps: target_kbps, ..Pending::default() },
        }
    }

    // ── getters ───────────────────────────────────────────────────────────────────────────────

    /// The video bitrate that the path can carry, in kbit/s.
    pub fn target_kbps(&self) -> u32 {
        u32::try_from(self.target_kbps).unwrap_or(u32::MAX)
    }

    /// Where a connection after this one should begin, in kbit/s. A stall at the end of this one says
    /// nothing about the next, nor does how the target fell while it was not yet known for one.
    pub fn resume_kbps(&self) -> u32 {
        let before_kbps = self.before_stall_kbps.map(|before| before.max(self.carried_kbps));
        let resume_kbps = before_kbps.map_or(0, |before| before * 9 / 10).max(self.target_kbps);
        u32::try_from(resume_kbps).unwrap_or(u32::MAX).min(self.settings.ceiling_kbps)
    }

    /// What the policy thinks of the path.
    pub fn state(&self) -> State {
        self.state
    }

    // ── inputs ────────────────────────────────────────────────────────────────────────────────

    /// The set bitrate changed; holds at once.
    pub fn set_ceiling(&mut self, _now: Duration, kbps: u32) {
        let was_at_ceiling = self.target_kbps() >= self.settings.ceiling_kbps;
        self.settings.ceiling_kbps = kbps.max(self.settings.floor_kbps);
        let wanted_kbps = if was_at_ceiling { kbps.into() } else { self.target_kbps };
        self.set(wanted_kbps, Because::Ceiling);
    }

    /// Takes a look at the connection.
    pub fn handle(&mut self, now: Duration, sample: PathSample) {
        let Some(observed) = self.view.take(now, sample) else { return };
        self.next_sample = now + PACE_TICK;
        self.started.get_or_insert(now);
        if observed.stalled < PACE_HICCUP {
            let audio_kbps = u64::from(self.settings.audio_kbps);
            self.carried_kbps = observed.gop_kbps.saturating_sub(audio_kbps);
        }
        self.state = self.judge(now, &observed);
        match self.state {
            State::Clear => self.raise(now, &observed),
            State::Hold => {}
            State::Light | State::Heavy | State::Emergency => self.lower(now, &observed),
            State::Stalled => self.wait_for_delivery(now, &observed),
        }
        self.pause_video(&observed);
        self.relieve_queue(now, sample, &observed);
        self.watch_crawl(now, &observed);
    }

    // ── outputs ───────────────────────────────────────────────────────────────────────────────

    /// The next thing to do; call until `None` after each input.
    pub fn poll_decision(&mut self) -> Option<Decision> {
        if let Some(what) = self.pending.drop.take() {
            return Some(Decision::Drop(what));
        }
        if let Some(paused) = self.pending.pause.take() {
            return Some(Decision::PauseVideo(paused));
        }
        if let Some(because) = self.pending.target.take() {
            self.pending.reported_kbps = self.target_kbps;
            return Some(Decision::TargetBitrate { kbps: self.target_kbps(), because });
        }
        std::mem::take(&mut self.pending.reconnect).then_some(Decision::ReconnectAdvised)
    }

    /// When the next sample is due.
    pub fn poll_timeout(&self) -> Duration {
        self.next_sample
    }

    // ── inside ────────────────────────────────────────────────────────────────────────────────

    fn judge(&self, now: Duration, observed: &Observed) -> State {
        if observed.stalled >= PACE_HICCUP && (!observed.is_lumpy || observed.stalled >= PACE_STALL)
        {
            return State::Stalled;
        }
        let begins = self.started.is_none_or(|started| now < started + PACE_GRACE);
        if begins || observed.flowing < PACE_RECENT_RATE_WINDOW {
            return State::Hold;
        }
        if observed.delay >= PACE_EMERGENCY_DELAY {
            State::Emergency
        } else if observed.recent >= PACE_HEAVY_DELAY {
            State::Heavy
        } else if observed.standing >= PACE_LIGHT_DELAY {
            State::Light
        } else if observed.standing >= PACE_CLEAR_DELAY || observed.delay >= PACE_HEAVY_DELAY {
            State::Hold
        } else {
            State::Clear
        }
    }

    /// To what the path delivers, less what it takes to drain the delay in some seconds.
    fn lower(&mut self, now: Duration, observed: &Observed) {
        self.before_stall_kbps = None;
        let (because, rate_kbps, keep_percent) = match self.state {
            State::Emergency => (Because::Emergency, observed.recent_kbps, 85),
            State::Heavy => (Because::Heavy, observed.recent_kbps, 90),
            _ => (Because::Light, observed.rate_kbps, 96),
        };
        // What the encoder makes varies from frame to frame. When everything is late already, what it is
        // asked for must be below the path too.
        let asked_kbps = self.target_kbps + u64::from(self.settings.audio_kbps);
        let is_over = self.state == State::Emergency && asked_kbps >= observed.recent_kbps;
        let makes_less = observed.made_kbps < observed.recent_kbps && !is_over;
        let is_draining = observed.recent < self.answered || makes_less;
        if now < self.lowered_at + PACE_LOWER_INTERVAL || is_draining {
            return;
        }
        let drain_percent = 100 - (observed.recent.as_millis() as u64 / 12).clamp(8, 50);
        let audio_kbps = u64::from(self.settings.audio_kbps);
        let video_kbps = (rate_kbps * drain_percent / 100).saturating_sub(audio_kbps);
        let knee_kbps =
            if because == Because::Light { rate_kbps.max(observed.gop_kbps) } else { rate_kbps };
        self.knee_kbps = Some(knee_kbps.saturating_sub(audio_kbps));
        self.borne = 0;
        self.lowered_at = now;
        self.answered = observed.recent;
        self.set(video_kbps.min(self.target_kbps * keep_percent / 100), because);
    }

    /// A stall says nothing about the rate after it, unless it lasts.
    fn wait_for_delivery(&mut self, now: Duration, observed: &Observed) {
        let before_kbps = *self.before_stall_kbps.get_or_insert(self.target_kbps);
        if observed.stalled >= PACE_STALL && now >= self.lowered_at + PACE_STALL_INTERVAL {
            self.lowered_at = now;
            self.set(self.target_kbps.min(before_kbps) / 2, Because::Stalled);
        }
    }

    /// Up in steps: fast below what the path is known to carry, slow around it, fast beyond.
    fn raise(&mut self, now: Duration, observed: &Observed) {
        self.answered = Duration::ZERO;
        self.before_stall_kbps = None;
        let quiet_since = self.raised_at.max(self.lowered_at);
        if now < quiet_since + PACE_RAISE_INTERVAL || observed.recent_kbps == 0 {
            return;
        }
        self.raised_at = now;
        let target = self.target_kbps;
        let growth_permille = self.growth_permille();
        // What is not used proves nothing: a still scene is no reason to go further. What was
        // delivered in a burst proves that the path carries it.
        let used_kbps = observed.gop_kbps * 3 / 2;
        let audio_kbps = u64::from(self.settings.audio_kbps);
        let carried_kbps = (observed.proven_kbps * 8 / 10).saturating_sub(audio_kbps);
        let wanted_kbps = (target + (target * growth_permille / 1_000).max(10)).max(carried_kbps);
        self.set(wanted_kbps.min(used_kbps.max(target)), Because::Probe);
    }

    /// Fast below what the path is known to carry, slowly around it, and beyond it faster with the
    /// steps that it bears.
    fn growth_permille(&mut self) -> u64 {
        const FAST: u64 = 80;
        const SLOW: u64 = 20;
        let Some(knee) = self.knee_kbps else { return FAST };
        if self.target_kbps * 100 < knee * 90 {
            return FAST;
        }
        if self.target_kbps * 100 >= knee * 105 {
            self.borne = self.borne.saturating_add(1);
        }
        (SLOW << self.borne.saturating_sub(1).min(2)).min(FAST)
    }

    fn set(&mut self, kbps: u64, because: Because) {
        let (floor, ceiling) = (self.settings.floor_kbps.into(), self.settings.ceiling_kbps.into());
        self.target_kbps = kbps.clamp(floor, ceiling);
        self.pending.target = (self.target_kbps != self.pending.reported_kbps).then_some(because);
    }

    /// Lets audio alone through while what was already sent is late, and no bitrate is low enough.
    fn pause_video(&mut self, observed: &Observed) {
        let is_at_floor = self.target_kbps() <= self.settings.floor_kbps;
        let pause = match self.video_is_paused {
            false => is_at_floor && observed.wire_wait >= PACE_DROP_WAIT,
            true => observed.wire_wait >= PACE_HEAVY_DELAY,
        };
        if pause != self.video_is_paused {
            self.video_is_paused = pause;
            self.pending.pause = Some(pause);
        }
    }

    fn relieve_queue(&mut self, now: Duration, sample: PathSample, observed: &Observed) {
        let is_fresh = self.dropped_at.is_some_and(|at| now < at + PACE_DROP_INTERVAL);
        if is_fresh || sample.queue_bytes == 0 {
            return;
        }
        if observed.wait >= PACE_DROP_WAIT && sample.queue_age >= PACE_HEAVY_DELAY {
            self.dropped_at = Some(now);
            self.pending.drop = Some(Drop::ToNextKey);
        } else if observed.wait >= PACE_DROP_DISPOSABLE_WAIT {
            self.pending.drop = Some(Drop::Disposable);
        }
    }

    fn watch_crawl(&mut self, now: Duration, observed: &Observed) {
        let floor_kbps = u64::from(self.settings.floor_kbps);
        let is_congested = !matches!(self.state, State::Clear | State::Hold);
        if !is_congested || self.target_kbps > floor_kbps || observed.gop_kbps >= floor_kbps {
            self.crawling_since = None;
            return;
        }
        let since = *self.crawling_since.get_or_insert(now);
        if now >= since + PACE_CRAWL_TIMEOUT {
            self.crawling_since = None;
            self.pending.reconnect = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings =
        Settings { ceiling_kbps: 6_000, floor_kbps: 300, audio_kbps: 128, start_kbps: None };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A stream of `target + audio` over a path of so many kbit/s, without TCP's own ways: what the
    /// path cannot take waits at the socket.
    struct Flow {
        now: Duration,
        policy: Policy,
        written: u64,
        delivered: u64,
        path_kbps: u64,
        decisions: Vec<(Duration, Decision)>,
    }

    impl Flow {
        fn new(path_kbps: u64) -> Flow {
            let policy = Policy::new(ms(0), SETTINGS);
            let (written, delivered) = (0, 0);
            Flow { now: ms(0), policy, written, delivered, path_kbps, decisions: Vec::new() }
        }

        fn run(&mut self, length: Duration) {
            let end = self.now + length;
            while self.now < end {
                self.now += ms(10);
                let video_kbps = u64::from(self.policy.target_kbps());
                self.written += (video_kbps + 128) * 10 / 8;
                self.delivered = self.written.min(self.delivered + self.path_kbps * 10 / 8);
                if self.now < self.policy.poll_timeout() {
                    continue;
                }
                let sample = PathSample {
                    written_bytes: self.written,
                    tcp_unacknowledged_bytes: Some(self.written - self.delivered),
                    ..PathSample::default()
                };
                self.policy.handle(self.now, sample);
                let decided = std::iter::from_fn(|| self.policy.poll_decision());
                self.decisions.extend(decided.map(|decision| (self.now, decision)));
            }
        }
    }

    #[test]
    fn a_path_with_room_leaves_the_set_bitrate_alone() {
        let mut flow = Flow::new(8_000);
        flow.run(ms(600_000));
        assert_eq!((flow.policy.target_kbps(), flow.policy.state()), (6_000, State::Clear));
        assert_eq!(flow.decisions, []);
    }

    #[test]
    fn a_slower_path_is_followed_down_and_up_again() {
        let mut flow = Flow::new(8_000);
        flow.run(ms(10_000));
        flow.path_kbps = 1_000;
        flow.run(ms(1_500));
        assert!(flow.policy.target_kbps() < 1_000, "{}", flow.policy.target_kbps());
        flow.run(ms(60_000));
        flow.path_kbps = 8_000;
        flow.run(ms(25_000));
        assert_eq!(flow.policy.target_kbps(), 6_000);
    }

    #[test]
    fn a_path_that_delivers_nothing_never_raises_the_target() {
        let mut flow = Flow::new(3_000);
        flow.run(ms(30_000));
        flow.path_kbps = 0;
        flow.decisions.clear();
        flow.run(ms(120_000));
        let mut targets = flow.decisions.iter().filter_map(|(_, decision)| match decision {
            Decision::TargetBitrate { kbps, .. } => Some(*kbps),
            _ => None,
        });
        assert!(targets.clone().is_sorted_by(|a, b| a > b), "{:?}", flow.decisions);
        assert_eq!(targets.next_back(), Some(300));
    }

    #[test]
    fn what_the_path_carried_outlasts_a_stall_and_how_the_target_fell_into_it() {
        for (path_kbps, carried_kbps) in [(8_000, 6_000), (1_000, 872)] {
            let mut flow = Flow::new(path_kbps);
            flow.run(ms(30_000));
            flow.path_kbps = 0;
            flow.run(ms(4_000));
            let (target, resume) = (flow.policy.target_kbps(), flow.policy.resume_kbps());
            assert!(target <= carried_kbps / 2, "{target}");
            let around = carried_kbps * 7 / 10..=carried_kbps;
            assert!(around.contains(&resume), "{resume} of {carried_kbps}");
        }
    }

    #[test]
    fn a_still_scene_is_no_reason_to_go_further() {
        let mut policy = Policy::new(ms(0), Settings { start_kbps: Some(1_000), ..SETTINGS });
        for tick in 1..600 {
            let sample = PathSample { written_bytes: tick * 2_500, ..PathSample::default() };
            policy.handle(ms(tick * 100), sample);
        }
        assert_eq!(policy.target_kbps(), 1_000, "200 kbit/s are in use");
    }

    #[test]
    fn a_new_ceiling_holds_at_once() {
        let mut flow = Flow::new(8_000);
        flow.policy.set_ceiling(ms(0), 4_000);
        let decision = Decision::TargetBitrate { kbps: 4_000, because: Because::Ceiling };
        assert_eq!(flow.policy.poll_decision(), Some(decision));
        flow.policy.set_ceiling(ms(0), 5_000);
        assert_eq!(flow.policy.target_kbps(), 5_000, "it was at the ceiling");
        flow.path_kbps = 2_000;
        flow.run(ms(20_000));
        let before = flow.policy.target_kbps();
        flow.policy.set_ceiling(flow.now, 6_000);
        assert_eq!(flow.policy.target_kbps(), before, "the path decides, not what is set");
    }

    #[test]
    fn a_crawl_below_the_floor_ends_in_advice_to_reconnect() {
        let mut flow = Flow::new(100);
        flow.run(ms(70_000));
        let advised: Vec<Duration> = flow
            .decisions
            .iter()
            .filter(|(_, decision)| *decision == Decision::ReconnectAdvised)
            .map(|(at, _)| *at)
            .collect();
        assert_eq!(advised.len(), 1, "{advised:?}");
        assert!(advised[0] >= PACE_CRAWL_TIMEOUT);
    }

    #[test]
    fn a_path_at_the_floor_is_not_given_up() {
        let mut flow = Flow::new(450);
        flow.run(ms(300_000));
        assert!(!flow.decisions.iter().any(|(_, d)| *d == Decision::ReconnectAdvised));
    }

    #[test]
    fn what_waits_in_the_queue_goes_by_what_refers_to_it() {
        let waiting = |bytes| PathSample {
            queue_age: ms(400),
            queue_bytes: bytes,
            written_bytes: 0,
            ..PathSample::default()
        };
        let decide = |bytes: u64| {
            let mut policy = Policy::new(ms(0), SETTINGS);
            let mut drops = Vec::new();
            for tick in 1..20 {
                // 1 Mbit/s gets through.
                let sample = PathSample { written_bytes: tick * 12_500, ..waiting(bytes) };
                policy.handle(ms(tick * 100), sample);
                drops.extend(std::iter::from_fn(|| policy.poll_decision()).filter_map(
                    |d| match d {
                        Decision::Drop(what) => Some(what),
                        _ => None,
                    },
                ));
            }
            drops.first().copied()
        };
        assert_eq!(decide(20_000), None);
        assert_eq!(decide(70_000), Some(Drop::Disposable));
        assert_eq!(decide(200_000), Some(Drop::ToNextKey));
    }

    #[test]
    fn a_floor_above_the_ceiling_is_the_ceiling() {
        let settings = Settings { ceiling_kbps: 200, start_kbps: Some(9), ..SETTINGS };
        assert_eq!(Policy::new(ms(0), settings).target_kbps(), 200);
    }
}
