//! A source as the pulse sees it: what it gives now, and whether it is lost.
//!
//! The pulse never opens or closes a device, because both may take as long as a driver likes. A
//! keeper thread per source does; the two exchange whole [`Opened`] sources. A clip is played again
//! by the same means: its successor is opened while it plays, and takes over where it ends.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use gstreamer as gst;

use super::opener::{Opened, Opener, Outlet};
use crate::{
    capture::{
        discovery::Retry,
        event::Source,
        gst::{buffer::TimedBuffer, clock::MediaClock},
        threads::{Notifier, StopFlag, Threads},
    },
    limits::{CAPTURE_REOPEN_INTERVAL, CAPTURE_STALL},
};

const STALL_NS: u64 = CAPTURE_STALL.as_nanos() as u64;
const REOPEN_NS: u64 = CAPTURE_REOPEN_INTERVAL.as_nanos() as u64;
/// A device whose time is further than this from the media clock has a wrong clock.
const WRONG_TIME_NS: u64 = 5_000_000_000;

/// What a feed has to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Lost { why: String },
    Back,
}

/// A source as the pulse sees it.
pub struct Feed {
    current: Option<Current>,
    /// How often it was opened.
    opening: u64,
    live: bool,
    roles: Vec<Source>,
    /// Media time before which no replacement is taken, so that a source that dies at once is not
    /// taken on again and again.
    lost_until_ns: Option<u64>,
    /// It was not there at the start, and nobody has been told yet.
    starts_lost: bool,
    /// An order to open is with the keeper.
    ordered: bool,
    orders: SyncSender<Order>,
    opened: Receiver<Opened>,
    clock: MediaClock,
    /// Wakes the pulse.
    wake: Notifier,
}

enum Order {
    Close(Opened),
    Open,
}

impl Feed {
    /// A feed that starts with an open source, or lost; its keeper is a thread of `stop`.
    pub fn start(
        opener: Opener,
        opened: Option<Opened>,
        threads: &Threads,
        wake: &Notifier,
        arrivals: &Notifier,
    ) -> std::io::Result<Feed> {
        let roles = [
            (opener.plan.has_picture(), Source::Camera),
            (opener.plan.has_sound(), Source::Microphone),
        ];
        let roles = roles.into_iter().filter_map(|(has, role)| has.then_some(role)).collect();
        // At most one order to open and two to close are under way.
        let (orders, for_keeper) = sync_channel(4);
        let (from_keeper, replacement) = sync_channel(1);
        let (live, clock) = (opener.plan.is_live(), opener.clock.clone());
        let arrivals = arrivals.clone();
        threads.spawn("capture-keeper", move |stop| {
            keep(&opener, &for_keeper, &from_keeper, stop, &arrivals);
        })?;
        let mut feed = Feed {
            current: opened.map(|opened| Current::new(opened, live, None, &clock, wake)),
            opening: 1,
            live,
            roles,
            lost_until_ns: None,
            starts_lost: false,
            ordered: false,
            orders,
            opened: replacement,
            clock,
            wake: wake.clone(),
        };
        feed.starts_lost = feed.current.is_none();
        if !live || feed.starts_lost {
            feed.order();
        }
        Ok(feed)
    }

    /// Plays a clip from a media time on.
    pub fn start_at(&mut self, media_ns: u64) {
        if let Some(current) = &mut self.current {
            current.origin_ns = Some(media_ns);
        }
    }

    /// The tracks that it gives.
    pub fn roles(&self) -> &[Source] {
        &self.roles
    }

    /// Whether it goes on by itself, with a clock of its own.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Which opening the source on air is.
    pub fn opening(&self) -> u64 {
        self.opening
    }

    /// Whether the slate and silence stand in.
    pub fn is_lost(&self) -> bool {
        self.current.is_none() || self.is_coded()
    }

    /// Whether it gives access units, which are passed through, instead of pictures.
    pub fn is_coded(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.opened.coded)
    }

    /// The next access unit of a camera that gives these.
    pub fn access_unit(&mut self, now_ns: u64) -> Option<TimedBuffer> {
        if self.is_coded() { self.current.as_mut()?.next(Source::Camera, now_ns) } else { None }
    }

    /// Exchanges sources with the keeper where it is time to; to be called before each look.
    pub fn turn(&mut self, now_ns: u64) -> Option<Change> {
        if std::mem::take(&mut self.starts_lost) {
            self.lost_until_ns = Some(now_ns);
            return Some(Change::Lost { why: "it is not there".to_owned() });
        }
        if let Some(why) = self.current.as_ref().and_then(|current| current.failure(now_ns)) {
            self.hand_back();
            self.order();
            self.lost_until_ns = Some(now_ns + REOPEN_NS);
            return Some(Change::Lost { why });
        }
        let over = self.current.as_ref().is_none_or(|current| !self.live && current.is_drained());
        if !over || self.lost_until_ns.is_some_and(|until_ns| now_ns < until_ns) {
            return None;
        }
        let opened = self.opened.try_recv().ok()?;
        self.ordered = false;
        let origin_ns = self.current.as_ref().map(|current| current.end_ns);
        self.hand_back();
        self.current = Some(Current::new(opened, self.live, origin_ns, &self.clock, &self.wake));
        self.opening += 1;
        if !self.live {
            self.order();
        }
        self.lost_until_ns.take().map(|_| Change::Back)
    }

    /// The next picture, whether or not it is due.
    pub fn picture(&mut self, now_ns: u64) -> Option<TimedBuffer> {
        if self.is_coded() {
            return None;
        }
        self.current.as_mut()?.next(Source::Camera, now_ns)
    }

    /// The next piece of sound, whether or not it is due.
    pub fn sound(&mut self, now_ns: u64) -> Option<TimedBuffer> {
        self.current.as_mut()?.next(Source::Microphone, now_ns)
    }

    fn hand_back(&mut self) {
        if let Some(current) = self.current.take() {
            // A keeper that is gone leaves the closing to us.
            let _ = self.orders.try_send(Order::Close(current.opened));
        }
    }

    fn order(&mut self) {
        if !self.ordered {
            self.ordered = self.orders.try_send(Order::Open).is_ok();
        }
    }
}

/// The keeper: closes what is handed back, and tries to open until it succeeds.
fn keep(
    opener: &Opener,
    orders: &Receiver<Order>,
    opened: &SyncSender<Opened>,
    stop: &StopFlag,
    arrivals: &Notifier,
) {
    for order in orders {
        let replacement = match order {
            Order::Close(old) => {
                drop(old);
                continue;
            }
            Order::Open => open_at_last(opener, stop, arrivals),
        };
        let Some(replacement) = replacement else { return };
        if opened.send(replacement).is_err() {
            return;
        }
    }
}

/// Tries until it succeeds, at once when the kernel tells of a device; `None` when the capture
/// stops.
fn open_at_last(opener: &Opener, stop: &StopFlag, arrivals: &Notifier) -> Option<Opened> {
    let mut retry = Retry::default();
    let mut seen = arrivals.count();
    loop {
        match opener.open(|| stop.is_set()) {
            Ok(opened) => return Some(opened),
            Err(error) => tracing::debug!(%error, "source not open yet"),
        }
        if arrivals.wait(retry.next(), seen) {
            return None;
        }
        if arrivals.count() != seen {
            seen = arrivals.count();
            retry.heard();
        }
    }
}

/// The source on air.
struct Current {
    opened: Opened,
    live: bool,
    /// Media time at the time zero of a clip.
    origin_ns: Option<u64>,
    /// End of what was taken, in media time.
    end_ns: u64,
    picture_missed: Missed,
    sound_missed: Missed,
    clock: MediaClock,
}

/// When something live was captured that was looked for at `asked_ns`. Nothing live comes from the
/// future, and what seems to would never be due; but it may have come since the look began, if this
/// thread had to wait for its turn.
fn live_time_ns(time_ns: Option<u64>, asked_ns: u64, clock: impl Fn() -> u64) -> u64 {
    match time_ns.filter(|ns| ns.abs_diff(asked_ns) < WRONG_TIME_NS) {
        Some(ns) if ns <= asked_ns => ns,
        Some(ns) => ns.min(clock()),
        None => asked_ns,
    }
}

/// Since when a track has been asked in vain, in media time.
#[derive(Debug, Clone, Copy, Default)]
struct Missed(Option<u64>);

impl Current {
    fn new(
        opened: Opened,
        live: bool,
        origin_ns: Option<u64>,
        clock: &MediaClock,
        wake: &Notifier,
    ) -> Current {
        let (clock, wake) = (clock.clone(), wake.clone());
        opened.on_arrival(move || wake.notify());
        let (picture_missed, sound_missed) = (Missed::default(), Missed::default());
        Current { opened, live, origin_ns, end_ns: 0, picture_missed, sound_missed, clock }
    }

    fn failure(&self, now_ns: u64) -> Option<String> {
        let stalled = |missed: Missed| missed.0.is_some_and(|since| now_ns > since + STALL_NS);
        self.opened.failure().or_else(|| {
            let what = match (stalled(self.picture_missed), stalled(self.sound_missed)) {
                (true, _) => "picture",
                (false, true) => "sound",
                (false, false) => return None,
            };
            Some(format!("it gave no {what} for {} ms", CAPTURE_STALL.as_millis()))
        })
    }

    fn is_drained(&self) -> bool {
        let outlets = [&self.opened.picture, &self.opened.sound];
        outlets.into_iter().flatten().all(Outlet::is_drained)
    }

    fn next(&mut self, role: Source, now_ns: u64) -> Option<TimedBuffer> {
        let over = self.is_drained();
        let (outlet, missed) = match role {
            Source::Camera => (self.opened.picture.as_mut()?, &mut self.picture_missed),
            Source::Microphone => (self.opened.sound.as_mut()?, &mut self.sound_missed),
        };
        let Some((time, buffer, caps)) = outlet.next() else {
            // The shorter track of a clip waits for the longer one.
            if over || !outlet.is_drained() {
                missed.0.get_or_insert(now_ns);
            }
            return None;
        };
        *missed = Missed::default();
        let time_ns = time.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        let media_ns = if self.live {
            live_time_ns(time_ns, now_ns, || self.clock.now_ns())
        } else {
            let origin_ns = *self.origin_ns.get_or_insert(now_ns);
            origin_ns.saturating_add(time_ns.unwrap_or(0))
        };
        let duration_ns = buffer.duration().map_or(0, gst::ClockTime::nseconds);
        self.end_ns = self.end_ns.max(media_ns.saturating_add(duration_ns));
        Some(TimedBuffer { media_ns, buffer, caps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_while_the_look_had_to_wait_keeps_its_time_and_nothing_comes_from_the_future() {
        const MS: u64 = 1_000_000;
        let captured_ns = |time_ms: u64| live_time_ns(Some(time_ms * MS), 100 * MS, || 130 * MS);
        assert_eq!(captured_ns(90), 90 * MS);
        assert_eq!(captured_ns(124), 124 * MS);
        assert_eq!(captured_ns(131), 130 * MS);
        assert_eq!(captured_ns(9_000), 100 * MS, "a wrong clock");
        assert_eq!(live_time_ns(None, 100 * MS, || 130 * MS), 100 * MS);
    }
}
