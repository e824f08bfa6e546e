//! A TCP connection over a bad uplink, in virtual time and from a seed.
//!
//! The way up is one bottleneck: a rate that follows a trace, a queue that loses what does not fit
//! (as deep as home routers and modems have it), a propagation delay, jitter, random loss, and
//! times at which every packet vanishes. On it runs a TCP sender as Linux has it, as far as it
//! matters to a live stream: a socket buffer with an optional `TCP_NOTSENT_LOWAT`, slow start that
//! ends when the round trip grows (HyStart), CUBIC, fast retransmission by selective
//! acknowledgement, retransmission timeouts that double (and are taken back when they were wrong),
//! and a smoothed round-trip time. Packets go in bursts of three, as segmentation offload sends
//! them. The way down carries little and only has the delay.

use std::collections::{BTreeMap, VecDeque};
use std::io::IoSlice;
use std::time::Duration;

use bytes::{Buf, Bytes};
use firstmile::rtmp::Outbound;

/// Three packets of an Ethernet path.
const BURST: u64 = 3 * 1_448;
/// What a server's socket takes in while nobody reads.
const RECEIVE_WINDOW: u64 = 1024 * 1024;
const RTO_MIN: Duration = Duration::from_millis(200);
const RTO_MAX: Duration = Duration::from_secs(120);

/// The uplink.
#[derive(Debug, Clone)]
pub struct Uplink {
    /// From each of these times on so many kbit/s, ascending from zero; 0 holds everything back.
    pub rate_kbps: Vec<(Duration, u64)>,
    /// Rates and holes start over after so long.
    pub period: Option<Duration>,
    /// One way, without queues.
    pub delay: Duration,
    /// Up to so much more, by seed; order is kept.
    pub jitter: Duration,
    /// Bytes that the bottleneck's queue holds.
    pub queue_bytes: u64,
    /// Packets lost at random, of a million.
    pub loss_ppm: u32,
    /// From when to when every packet vanishes, both ways.
    pub holes: Vec<(Duration, Duration)>,
}

impl Uplink {
    /// A clean path of 25 ms each way with a queue of 200 ms at its rate.
    pub fn steady(kbps: u64) -> Uplink {
        Uplink {
            rate_kbps: vec![(Duration::ZERO, kbps)],
            period: None,
            delay: Duration::from_millis(25),
            jitter: Duration::ZERO,
            queue_bytes: kbps / 8 * 200,
            loss_ppm: 0,
            holes: Vec::new(),
        }
    }

    /// The rate now.
    pub fn kbps(&self, now: Duration) -> u64 {
        let at = self.in_period(now);
        let step = self.rate_kbps.iter().rev().find(|(from, _)| *from <= at);
        step.map_or(0, |(_, kbps)| *kbps)
    }

    /// Whether packets vanish now.
    pub fn is_dead(&self, now: Duration) -> bool {
        let at = self.in_period(now);
        self.holes.iter().any(|(from, to)| (*from..*to).contains(&at))
    }

    /// When the path is back that is dead now.
    pub fn alive_from(&self, now: Duration) -> Duration {
        let at = self.in_period(now);
        let hole = self.holes.iter().find(|(from, to)| (*from..*to).contains(&at));
        hole.map_or(now, |(_, to)| now + (*to - at))
    }

    fn in_period(&self, now: Duration) -> Duration {
        self.period
            .map_or(now, |period| Duration::from_nanos((now.as_nanos() % period.as_nanos()) as u64))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Flying,
    /// Known to be lost; to be sent again.
    Lost,
    Arrived,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    start: u64,
    len: u64,
    /// Counts transmissions, so that order tells age.
    order: u64,
    sent_at: Duration,
    fate: Fate,
}

#[derive(Debug, Clone, Copy)]
struct Ack {
    /// All before this has arrived.
    upto: u64,
    /// So many bytes more find room.
    window: u64,
    /// The transmission that caused it.
    start: u64,
    order: u64,
    sent_at: Duration,
}

/// One connection that stands.
#[derive(Debug)]
pub struct Tcp {
    uplink: Uplink,
    rng: fastrand::Rng,
    stepped_to: Duration,
    /// `TCP_NOTSENT_LOWAT`.
    pub lowat: Option<u64>,
    /// The peer's program does not read.
    pub frozen: bool,
    /// What the peer's socket takes in while nobody reads.
    pub receive_window: u64,

    // the sender
    stream: VecDeque<Bytes>,
    written: u64,
    next: u64,
    acked: u64,
    peer_window: u64,
    outstanding: VecDeque<Segment>,
    pipe: u64,
    order: u64,
    window: Window,
    rtt: Rtt,
    rto_at: Option<Duration>,
    backoff: u32,
    /// Before the last timeout: the order of the transmissions it gave up, and the window.
    undo: Option<(u64, Window)>,

    // the way
    queue: VecDeque<Segment>,
    queue_bytes: u64,
    credit: f64,
    flying: VecDeque<(Duration, Segment)>,
    acks: VecDeque<(Duration, Ack)>,

    // the receiver
    arrived: u64,
    early: BTreeMap<u64, u64>,
    read: u64,
}

impl Tcp {
    /// A connection that stands now.
    pub fn new(now: Duration, uplink: Uplink, lowat: Option<u64>, seed: u64) -> Tcp {
        Tcp {
            rng: fastrand::Rng::with_seed(seed),
            stepped_to: now,
            lowat,
            frozen: false,
            receive_window: RECEIVE_WINDOW,
            stream: VecDeque::new(),
            written: 0,
            next: 0,
            acked: 0,
            peer_window: RECEIVE_WINDOW,
            outstanding: VecDeque::new(),
            pipe: 0,
            order: 0,
            window: Window::new(),
            rtt: Rtt::new(uplink.delay * 2),
            rto_at: None,
            backoff: 0,
            undo: None,
            queue: VecDeque::new(),
            queue_bytes: 0,
            credit: 0.0,
            flying: VecDeque::new(),
            acks: VecDeque::new(),
            arrived: 0,
            early: BTreeMap::new(),
            read: 0,
            uplink,
        }
    }

    // ── the sender's socket ───────────────────────────────────────────────────────────────────

    /// Takes what there is room for of what waits in `out`: a short write. Returns how much.
    pub fn write(&mut self, out: &Outbound) -> usize {
        let room = self.room() as usize;
        if room == 0 || !out.has_remaining() {
            return 0;
        }
        let mut slices = [IoSlice::new(&[]); 16];
        let filled = out.chunks_vectored(&mut slices);
        let mut bytes = Vec::with_capacity(slices[..filled].iter().map(|s| s.len()).sum());
        slices[..filled].iter().for_each(|slice| bytes.extend_from_slice(slice));
        bytes.truncate(room);
        let length = bytes.len();
        self.written += length as u64;
        self.stream.push_back(bytes.into());
        length
    }

    fn room(&self) -> u64 {
        // Twice the window, as the kernel's own tuning has it, within tcp_wmem's usual bounds.
        let buffer = (2 * self.window.bytes()).clamp(87_040, 4 << 20);
        let by_buffer = buffer.saturating_sub(self.unacknowledged());
        match self.lowat {
            Some(lowat) => by_buffer.min(lowat.saturating_sub(self.unsent())),
            None => by_buffer,
        }
    }

    /// Bytes written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes written that the peer's kernel has not acknowledged.
    pub fn unacknowledged(&self) -> u64 {
        self.written - self.acked
    }

    /// Of these, the bytes that it has acknowledged selectively.
    pub fn selectively_acknowledged(&self) -> u64 {
        let early = self.outstanding.iter().filter(|s| s.fate == Fate::Arrived);
        early.map(|segment| segment.len).sum()
    }

    /// Bytes written that have never been sent.
    pub fn unsent(&self) -> u64 {
        self.written - self.next
    }

    /// What the peer's kernel has room for, as far as it was reported.
    pub fn peer_window(&self) -> u64 {
        self.peer_window
    }

    /// The smoothed round-trip time.
    pub fn rtt(&self) -> Duration {
        self.rtt.smoothed
    }

    /// The uplink is another one from now on; what is on it stays.
    pub fn set_uplink(&mut self, uplink: Uplink) {
        self.uplink = uplink;
    }

    // ── the receiver's socket ─────────────────────────────────────────────────────────────────

    /// What has arrived in order.
    pub fn read(&mut self) -> Option<Bytes> {
        if self.frozen || self.read == self.arrived {
            return None;
        }
        let mut front = self.stream.pop_front()?;
        let wanted = (self.arrived - self.read).min(front.len() as u64);
        let bytes = front.split_to(wanted as usize);
        if !front.is_empty() {
            self.stream.push_front(front);
        }
        self.read += wanted;
        Some(bytes)
    }

    // ── time ──────────────────────────────────────────────────────────────────────────────────

    /// Whether nothing moves until something is written.
    pub fn is_idle(&self) -> bool {
        self.unacknowledged() == 0 && self.queue.is_empty() && self.flying.is_empty()
    }

    /// Lets time pass up to `now`, in steps that are short against the path.
    pub fn step(&mut self, now: Duration) {
        let is_dead = self.uplink.is_dead(now);
        self.pass_bottleneck(now, is_dead);
        while self.flying.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, segment)) = self.flying.pop_front() else { break };
            self.arrive(now, segment, is_dead);
        }
        while self.acks.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, ack)) = self.acks.pop_front() else { break };
            if !is_dead {
                self.take_ack(now, ack);
            }
        }
        if self.rto_at.is_some_and(|at| at <= now) {
            self.time_out(now);
        }
        self.send(now, is_dead);
        self.stepped_to = now;
    }

    fn pass_bottleneck(&mut self, now: Duration, is_dead: bool) {
        let passed = now.saturating_sub(self.stepped_to).as_secs_f64();
        self.credit += passed * self.uplink.kbps(now) as f64 * 125.0;
        while let Some(first) = self.queue.front().copied() {
            if self.credit < first.len as f64 {
                return;
            }
            self.credit -= first.len as f64;
            self.queue.pop_front();
            self.queue_bytes -= first.len;
            // Of three packets each may be lost.
            let is_lost = self.rng.u32(..1_000_000) < 3 * self.uplink.loss_ppm;
            if is_lost || is_dead {
                continue;
            }
            let jitter = self.uplink.jitter.mul_f64(self.rng.f64());
            let last = self.flying.back().map_or(Duration::ZERO, |(at, _)| *at);
            self.flying.push_back((last.max(now + self.uplink.delay + jitter), first));
        }
        self.credit = 0.0;
    }

    fn arrive(&mut self, now: Duration, segment: Segment, is_dead: bool) {
        let end = segment.start + segment.len;
        if end > self.read + self.receive_window {
            return;
        }
        if end > self.arrived {
            let longest = self.early.get(&segment.start).copied().unwrap_or(0).max(end);
            self.early.insert(segment.start, longest);
        }
        while let Some(first) = self.early.first_entry().filter(|e| *e.key() <= self.arrived) {
            self.arrived = self.arrived.max(first.remove());
        }
        if !is_dead {
            let Segment { start, order, sent_at, .. } = segment;
            let window = (self.read + self.receive_window).saturating_sub(self.arrived);
            let ack = Ack { upto: self.arrived, window, start, order, sent_at };
            self.acks.push_back((now + self.uplink.delay, ack));
        }
    }

    fn take_ack(&mut self, now: Duration, ack: Ack) {
        self.rtt.take(now - ack.sent_at, ack.order, self.order);
        let limited = self.pipe + 2 * BURST >= self.window.bytes();
        let mut newly = 0;
        for segment in &mut self.outstanding {
            let is_in = segment.start + segment.len <= ack.upto || segment.start == ack.start;
            if is_in && segment.fate != Fate::Arrived {
                newly += segment.len;
                if segment.fate == Fate::Flying {
                    self.pipe = self.pipe.saturating_sub(segment.len);
                }
                segment.fate = Fate::Arrived;
            }
        }
        self.take_back_timeout(ack.order);
        self.mark_lost(ack.order, now);
        while self.outstanding.front().is_some_and(|s| s.start + s.len <= ack.upto) {
            self.outstanding.pop_front();
        }
        if ack.upto >= self.acked {
            self.peer_window = ack.window;
        }
        if ack.upto > self.acked {
            self.acked = ack.upto;
            self.backoff = 0;
        }
        self.rto_at = (!self.outstanding.is_empty()).then(|| now + self.rtt.timeout());
        if limited {
            self.window.grow(now, newly, &self.rtt);
        }
    }

    /// What was sent two bursts before something that has arrived will not arrive any more.
    fn mark_lost(&mut self, arrived_order: u64, now: Duration) {
        let mut newest_lost = None;
        for segment in &mut self.outstanding {
            if segment.fate == Fate::Flying && segment.order + 1 < arrived_order {
                segment.fate = Fate::Lost;
                self.pipe = self.pipe.saturating_sub(segment.len);
                newest_lost = newest_lost.max(Some(segment.order));
            }
        }
        if let Some(lost) = newest_lost {
            self.window.shrink(now, lost, self.order);
        }
    }

    /// The transmission that the last timeout gave up has arrived after all (F-RTO, RFC 5682).
    fn take_back_timeout(&mut self, order: u64) {
        let Some((given_up, window)) = self.undo.take() else { return };
        if order > given_up {
            return;
        }
        self.window = window;
        for segment in &mut self.outstanding {
            if segment.fate == Fate::Lost {
                segment.fate = Fate::Flying;
                self.pipe += segment.len;
            }
        }
    }

    fn time_out(&mut self, now: Duration) {
        self.backoff += 1;
        self.rto_at = Some(now + (self.rtt.timeout() * (1 << self.backoff.min(10))).min(RTO_MAX));
        if self.undo.is_none() && self.backoff == 1 {
            self.undo = Some((self.order, self.window.clone()));
        }
        for segment in &mut self.outstanding {
            if segment.fate == Fate::Flying {
                segment.fate = Fate::Lost;
            }
        }
        self.window.collapse(self.pipe);
        self.pipe = 0;
    }

    fn send(&mut self, now: Duration, is_dead: bool) {
        while let Some(mut segment) = self.next_to_send() {
            self.order += 1;
            (segment.order, segment.sent_at, segment.fate) = (self.order, now, Fate::Flying);
            match self.outstanding.iter_mut().find(|s| s.start == segment.start) {
                Some(again) => *again = segment,
                None => {
                    self.next += segment.len;
                    self.outstanding.push_back(segment);
                }
            }
            self.pipe += segment.len;
            self.rto_at.get_or_insert(now + self.rtt.timeout());
            if !is_dead && self.queue_bytes + segment.len <= self.uplink.queue_bytes.max(2 * BURST)
            {
                self.queue_bytes += segment.len;
                self.queue.push_back(segment);
            }
        }
    }

    fn next_to_send(&self) -> Option<Segment> {
        let may_send = |len| self.pipe == 0 || self.pipe + len <= self.window.bytes();
        if let Some(lost) = self.outstanding.iter().find(|s| s.fate == Fate::Lost) {
            return may_send(lost.len).then_some(*lost);
        }
        let room = (self.acked + self.receive_window).saturating_sub(self.next);
        let len = self.unsent().min(BURST).min(room);
        let (start, order, sent_at, fate) = (self.next, 0, Duration::ZERO, Fate::Flying);
        (len > 0 && may_send(len)).then_some(Segment { start, len, order, sent_at, fate })
    }
}

/// The congestion window: slow start with HyStart, then CUBIC (RFC 9438), in packets.
#[derive(Debug, Clone)]
struct Window {
    packets: f64,
    threshold: f64,
    max: f64,
    epoch: Option<Duration>,
    /// Losses up to this transmission have been answered.
    answered: u64,
}

impl Window {
    fn new() -> Window {
        Window { packets: 10.0, threshold: f64::MAX, max: 0.0, epoch: None, answered: 0 }
    }

    fn bytes(&self) -> u64 {
        (self.packets * 1_448.0) as u64
    }

    fn grow(&mut self, now: Duration, bytes: u64, rtt: &Rtt) {
        let packets = bytes as f64 / 1_448.0;
        if self.packets < self.threshold {
            self.packets += packets;
            if rtt.has_grown() && self.packets >= 16.0 {
                self.threshold = self.packets;
                self.max = self.packets;
            }
            return;
        }
        let since = now - *self.epoch.get_or_insert(now);
        let (t, k) = (since.as_secs_f64(), (self.max * 0.3 / 0.4).cbrt());
        let cubic = 0.4 * (t - k).powi(3) + self.max.max(self.threshold.min(self.packets));
        let reno = self.max * 0.7 + 0.53 * t / rtt.smoothed.as_secs_f64().max(1e-3);
        let goal = cubic.max(reno).min(self.packets * 1.5);
        if goal > self.packets {
            self.packets += (goal - self.packets) / self.packets * packets;
        }
    }

    fn shrink(&mut self, now: Duration, lost: u64, newest: u64) {
        if lost <= self.answered {
            return;
        }
        self.answered = newest;
        self.max = self.packets;
        self.packets = (self.packets * 0.7).max(2.0);
        self.threshold = self.packets;
        self.epoch = Some(now);
    }

    fn collapse(&mut self, pipe: u64) {
        self.max = self.packets;
        self.threshold = (pipe as f64 / 1_448.0 * 0.7).max(4.0);
        self.packets = 3.0;
        self.epoch = None;
    }
}

#[derive(Debug)]
struct Rtt {
    smoothed: Duration,
    variation: Duration,
    least: Duration,
    least_of_round: Duration,
    least_of_last_round: Duration,
    /// The round ends with the first transmission after this one.
    round: u64,
}

impl Rtt {
    fn new(rtt: Duration) -> Rtt {
        Rtt {
            smoothed: rtt,
            variation: rtt / 2,
            least: rtt.max(Duration::from_millis(1)),
            least_of_round: rtt,
            least_of_last_round: rtt,
            round: 0,
        }
    }

    fn take(&mut self, rtt: Duration, order: u64, newest: u64) {
        if order > self.round {
            self.round = newest;
            self.least_of_last_round = std::mem::replace(&mut self.least_of_round, rtt);
        }
        self.least_of_round = self.least_of_round.min(rtt);
        self.variation = (self.variation * 3 + self.smoothed.abs_diff(rtt)) / 4;
        self.smoothed = (self.smoothed * 7 + rtt) / 8;
        self.least = self.least.min(rtt);
    }

    /// Whether no round trip of the last round was a short one (HyStart, as Linux has it).
    fn has_grown(&self) -> bool {
        self.least_of_last_round > self.least + (self.least / 8).clamp(RTO_MIN / 50, RTO_MIN / 12)
    }

    fn timeout(&self) -> Duration {
        self.smoothed + (self.variation * 4).max(RTO_MIN)
    }
}
