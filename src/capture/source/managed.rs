//! A source as the mixer sees it: what it delivers, and whether it is lost.
//!
//! The mixer never opens or closes a device, because both may hang in a driver. A thread per source
//! does; the two exchange whole [`OpenSource`]s. A clip is repeated by the same means: it is opened
//! again while it plays, and the second one continues where the first ends.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc::{Receiver, SyncSender, sync_channel},
};
use std::time::Duration;

use gstreamer as gst;

use super::opener::{Delivered, OpenSource, SourceOpener, TrackReader};
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
/// A device whose times are further than this from the media clock has a wrong clock.
const WRONG_TIME_NS: u64 = 5_000_000_000;

/// Called on a live camera's own thread when a frame has arrived, with which opening of the camera it
/// is and how the frame is had. `false` when the mixer is to take it.
pub type OnFrame = Arc<dyn Fn(u64, &mut dyn FnMut() -> Option<TimedBuffer>) -> bool + Send + Sync>;

/// What a source has to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Lost { why: String },
    Back,
}

/// A source as the mixer sees it.
pub struct ManagedSource {
    current: Option<Current>,
    /// How often it has been opened.
    opening: u64,
    live: bool,
    roles: Vec<Source>,
    /// Media time before which a lost source is not used again, so that one that fails at once does
    /// not come and go all the time.
    lost_until_ns: Option<u64>,
    /// It was missing at the start, and that has not been reported yet.
    starts_lost: bool,
    /// Its thread is opening it.
    opening_requested: bool,
    jobs: SyncSender<Job>,
    reopened: Receiver<OpenSource>,
    clock: MediaClock,
    /// Wakes the mixer.
    wake: Notifier,
    on_frame: Option<OnFrame>,
}

enum Job {
    Close(OpenSource),
    Open,
}

impl ManagedSource {
    /// A source that starts open, or lost; one of `threads` opens and closes it. `wake` is notified
    /// when it has delivered something, and `arrivals` when a device was plugged in.
    pub fn start(
        opener: SourceOpener,
        opened: Option<OpenSource>,
        threads: &Threads,
        wake: &Notifier,
        arrivals: &Notifier,
    ) -> std::io::Result<ManagedSource> {
        let roles = [
            (opener.plan.has_video(), Source::Camera),
            (opener.plan.has_audio(), Source::Microphone),
        ];
        let roles = roles.into_iter().filter_map(|(has, role)| has.then_some(role)).collect();
        // At most one job to open and two to close are under way.
        let (jobs, pending) = sync_channel(4);
        let (done, reopened) = sync_channel(1);
        let (live, clock) = (opener.plan.is_live(), opener.clock.clone());
        let arrivals = arrivals.clone();
        threads.spawn("capture-source", move |stop| {
            run_jobs(&opener, &pending, &done, stop, &arrivals);
        })?;
        let mut source = ManagedSource {
            current: opened.map(|opened| Current::new(opened, live, None, &clock)),
            opening: 1,
            live,
            roles,
            lost_until_ns: None,
            starts_lost: false,
            opening_requested: false,
            jobs,
            reopened,
            clock,
            wake: wake.clone(),
            on_frame: None,
        };
        source.await_data();
        source.starts_lost = source.current.is_none();
        if !live || source.starts_lost {
            source.request_opening();
        }
        Ok(source)
    }

    /// Starts a clip at a media time.
    pub fn start_at(&mut self, media_ns: u64) {
        if let Some(current) = &mut self.current {
            current.origin_ns = Some(media_ns);
        }
    }

    /// Lets a live camera's own thread deal with its frames, except H.264.
    pub fn on_frame(&mut self, on_frame: OnFrame) {
        self.on_frame = Some(on_frame);
        self.await_data();
    }

    /// The tracks that it delivers.
    pub fn roles(&self) -> &[Source] {
        &self.roles
    }

    /// Whether it is live, with a clock of its own, rather than a clip.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// How often it has been opened, which tells one opening from the next.
    pub fn opening(&self) -> u64 {
        self.opening
    }

    /// Whether slate and silence replace it.
    pub fn is_lost(&self) -> bool {
        self.current.is_none() || self.is_h264()
    }

    /// Whether it delivers H.264, which is passed through, instead of frames.
    pub fn is_h264(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.opened.h264)
    }

    /// The next access unit of a camera that delivers H.264.
    pub fn next_access_unit(&mut self, now_ns: u64) -> Option<TimedBuffer> {
        if self.is_h264() { self.current.as_mut()?.next(Source::Camera, now_ns) } else { None }
    }

    /// Replaces a source that failed or a clip that has ended; to be called before anything is taken.
    pub fn poll(&mut self, now_ns: u64) -> Option<Change> {
        if std::mem::take(&mut self.starts_lost) {
            self.lost_until_ns = Some(now_ns);
            return Some(Change::Lost { why: "not connected".to_owned() });
        }
        if let Some(why) = self.current.as_ref().and_then(|current| current.failure(now_ns)) {
            if let Some(current) = &self.current {
                // It is opened again with another decoder or converter when that is what failed.
                current.opened.replace_element(&why);
            }
            self.close_current();
            self.request_opening();
            self.lost_until_ns = Some(now_ns + REOPEN_NS);
            return Some(Change::Lost { why });
        }
        let over = self.current.as_ref().is_none_or(|current| !self.live && current.is_drained());
        if !over || self.lost_until_ns.is_some_and(|until_ns| now_ns < until_ns) {
            return None;
        }
        let opened = self.reopened.try_recv().ok()?;
        self.opening_requested = false;
        let origin_ns = self.current.as_ref().map(|current| current.end_ns);
        self.close_current();
        self.current = Some(Current::new(opened, self.live, origin_ns, &self.clock));
        self.opening += 1;
        self.await_data();
        if !self.live {
            self.request_opening();
        }
        self.lost_until_ns.take().map(|_| Change::Back)
    }

    /// The next frame, whether or not it is due.
    pub fn next_frame(&mut self, now_ns: u64) -> Option<TimedBuffer> {
        if self.is_h264() {
            return None;
        }
        self.current.as_mut()?.next(Source::Camera, now_ns)
    }

    /// The next buffer of audio, whether or not it is due.
    pub fn next_audio(&mut self, now_ns: u64) -> Option<TimedBuffer> {
        self.current.as_mut()?.next(Source::Microphone, now_ns)
    }

    /// Has somebody deal with what arrives from now on: the thread of the source itself, or the mixer.
    fn await_data(&self) {
        let Some(current) = &self.current else { return };
        if let Some(audio) = &current.opened.audio {
            let wake = self.wake.clone();
            audio.on_arrival(move |_| wake.notify());
        }
        let Some(video) = &current.opened.video else { return };
        let (wake, opening) = (self.wake.clone(), self.opening);
        match self.on_frame.clone().filter(|_| self.live && !current.opened.h264) {
            Some(on_frame) => {
                let (missed, clock) = (Arc::clone(&current.video_missed), current.clock.clone());
                video.on_arrival(move |arrivals| {
                    let mut next = || {
                        let frame = arrivals.next()?;
                        missed.clear();
                        Some(live(frame, clock.now_ns(), &clock))
                    };
                    if !on_frame(opening, &mut next) {
                        wake.notify();
                    }
                });
            }
            None => video.on_arrival(move |_| wake.notify()),
        }
    }

    fn close_current(&mut self) {
        if let Some(current) = self.current.take() {
            // When the thread has ended, the source is closed here.
            let _ = self.jobs.try_send(Job::Close(current.opened));
        }
    }

    fn request_opening(&mut self) {
        if !self.opening_requested {
            self.opening_requested = self.jobs.try_send(Job::Open).is_ok();
        }
    }
}

/// The thread of a source: closes what it is given, and tries to open until it succeeds.
fn run_jobs(
    opener: &SourceOpener,
    jobs: &Receiver<Job>,
    opened: &SyncSender<OpenSource>,
    stop: &StopFlag,
    arrivals: &Notifier,
) {
    for job in jobs {
        let reopened = match job {
            Job::Close(old) => {
                drop(old);
                continue;
            }
            Job::Open => open_until_it_succeeds(opener, stop, arrivals),
        };
        let Some(reopened) = reopened else { return };
        if opened.send(reopened).is_err() {
            return;
        }
    }
}

/// Tries until it succeeds, at once when a device was plugged in; `None` when the capture stops.
fn open_until_it_succeeds(
    opener: &SourceOpener,
    stop: &StopFlag,
    arrivals: &Notifier,
) -> Option<OpenSource> {
    let mut retry = Retry::default();
    let mut counted = arrivals.count();
    loop {
        let stopped = stop.clone();
        match opener.open(move || stopped.is_set()) {
            Ok(opened) => return Some(opened),
            Err(error) => tracing::debug!(%error, "source not open yet"),
        }
        if arrivals.wait(retry.next(), counted) {
            return None;
        }
        if arrivals.count() != counted {
            counted = arrivals.count();
            retry.device_event();
        }
    }
}

/// The open source in use.
struct Current {
    opened: OpenSource,
    live: bool,
    /// Media time of a clip's time zero.
    origin_ns: Option<u64>,
    /// End of what has been taken, in media time.
    end_ns: u64,
    video_missed: Arc<Missed>,
    audio_missed: Missed,
    clock: MediaClock,
}

/// What a live source has delivered, which was asked for at `asked_ns`.
fn live(delivered: Delivered, asked_ns: u64, clock: &MediaClock) -> TimedBuffer {
    let Delivered { time, buffer, caps } = delivered;
    let media_ns = live_time_ns(time.map(nanoseconds), asked_ns, || clock.now_ns());
    TimedBuffer { media_ns, buffer, caps }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The capture time of a live buffer that was asked for at `asked_ns`. A time in the future is not
/// accepted, because it would never be due; but the buffer may be newer than `asked_ns`, when this
/// thread was not scheduled in between.
fn live_time_ns(time_ns: Option<u64>, asked_ns: u64, clock: impl Fn() -> u64) -> u64 {
    match time_ns.filter(|ns| ns.abs_diff(asked_ns) < WRONG_TIME_NS) {
        Some(ns) if ns <= asked_ns => ns,
        Some(ns) => ns.min(clock()),
        None => asked_ns,
    }
}

/// Since when a track has delivered nothing, in media time; 0 while it delivers.
#[derive(Debug, Default)]
struct Missed(AtomicU64);

impl Missed {
    fn note(&self, now_ns: u64) {
        let _ = self.0.compare_exchange(0, now_ns, Ordering::Relaxed, Ordering::Relaxed);
    }

    fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn is_stall(&self, now_ns: u64) -> bool {
        let since_ns = self.0.load(Ordering::Relaxed);
        since_ns != 0 && now_ns > since_ns + STALL_NS
    }
}

impl Current {
    fn new(opened: OpenSource, live: bool, origin_ns: Option<u64>, clock: &MediaClock) -> Current {
        let (video_missed, audio_missed) = (Arc::default(), Missed::default());
        let clock = clock.clone();
        Current { opened, live, origin_ns, end_ns: 0, video_missed, audio_missed, clock }
    }

    fn failure(&self, now_ns: u64) -> Option<String> {
        let stalled = |missed: &Missed| missed.is_stall(now_ns);
        self.opened.failure().or_else(|| {
            let what = match (stalled(&self.video_missed), stalled(&self.audio_missed)) {
                (true, _) => "video",
                (false, true) => "audio",
                (false, false) => return None,
            };
            Some(format!("no {what} for {} ms", CAPTURE_STALL.as_millis()))
        })
    }

    fn is_drained(&self) -> bool {
        let readers = [&self.opened.video, &self.opened.audio];
        readers.into_iter().flatten().all(TrackReader::is_drained)
    }

    fn next(&mut self, role: Source, now_ns: u64) -> Option<TimedBuffer> {
        let over = self.is_drained();
        let (reader, missed) = match role {
            Source::Camera => (self.opened.video.as_mut()?, &*self.video_missed),
            Source::Microphone => (self.opened.audio.as_mut()?, &self.audio_missed),
        };
        let Some(delivered) = reader.next() else {
            // The shorter track of a clip waits for the longer one.
            if over || !reader.is_drained() {
                missed.note(now_ns);
            }
            return None;
        };
        missed.clear();
        if self.live {
            return Some(live(delivered, now_ns, &self.clock));
        }
        let Delivered { time, buffer, caps } = delivered;
        let origin_ns = *self.origin_ns.get_or_insert(now_ns);
        let media_ns = origin_ns.saturating_add(time.map_or(0, nanoseconds));
        let duration_ns = buffer.duration().map_or(0, gst::ClockTime::nseconds);
        self.end_ns = self.end_ns.max(media_ns.saturating_add(duration_ns));
        Some(TimedBuffer { media_ns, buffer, caps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_while_this_thread_waits_keeps_its_time_and_nothing_comes_from_the_future() {
        const MS: u64 = 1_000_000;
        let captured_ns = |time_ms: u64| live_time_ns(Some(time_ms * MS), 100 * MS, || 130 * MS);
        assert_eq!(captured_ns(90), 90 * MS);
        assert_eq!(captured_ns(124), 124 * MS);
        assert_eq!(captured_ns(131), 130 * MS);
        assert_eq!(captured_ns(9_000), 100 * MS, "a wrong clock");
        assert_eq!(live_time_ns(None, 100 * MS, || 130 * MS), 100 * MS);
    }
}
