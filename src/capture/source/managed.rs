//! A source as the mixer sees it: what it delivers, and whether it is lost.
//!
//! The mixer never opens or closes a device, because both may hang in a driver. A thread per source
//! does; the two exchange whole [`OpenSource`]s. A clip is repeated by the same means: it is opened
//! again while it plays, and the second one continues where the first ends.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
    mpsc::{Receiver, SyncSender, sync_channel},
};
use std::time::Duration;

use gstreamer as gst;

use super::opener::{Delivered, OpenSource, SourceOpener, TrackReader};
use crate::{
    capture::{
        discovery::{Retry, SourcePlan},
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
    Lost {
        why: String,
    },
    Back,
    /// It has taken the place of another one and is being opened.
    Begins,
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
    /// What it begins with, when that has not been reported yet.
    begins: Option<Change>,
    /// Its thread is opening it.
    opening_requested: bool,
    plan: SourcePlan,
    jobs: SyncSender<Job>,
    reopened: Receiver<OpenSource>,
    /// Why it could not be opened when that was tried first.
    trouble: Trouble,
    is_retired: Arc<AtomicBool>,
    /// Ends with its thread.
    ended: Ended,
    arrivals: Notifier,
    clock: MediaClock,
    /// Wakes the mixer.
    wake: Notifier,
    on_frame: Option<OnFrame>,
}

enum Job {
    Close(OpenSource),
    Open,
    /// Nobody takes what is still opened.
    Discard(Receiver<OpenSource>),
}

/// What ends with the thread of a source: by then its device is closed.
pub type Ended = Receiver<()>;

/// Why a source could not be opened, until that is taken.
#[derive(Debug, Clone, Default)]
struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    fn note(&self, why: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }

    /// Never waits.
    fn take(&self) -> Option<String> {
        self.0.try_lock().ok()?.take()
    }
}

/// What the threads of a capture's sources share.
#[derive(Clone)]
pub struct Shared {
    pub threads: Threads,
    /// Notified when one has delivered something.
    pub wake: Notifier,
    /// Notified when a device was plugged in.
    pub arrivals: Notifier,
    /// As many as there are threads of sources, and this one.
    pub alive: Arc<()>,
}

impl Shared {
    pub fn new(threads: &Threads) -> Shared {
        let (wake, arrivals) = (threads.notifier(), threads.notifier());
        Shared { threads: threads.clone(), wake, arrivals, alive: Arc::default() }
    }
}

/// What a source waits for before it is opened, on its own thread: `false` when it is never to be.
pub type Turn = Box<dyn FnOnce(&StopFlag, &AtomicBool) -> bool + Send>;

impl ManagedSource {
    /// A source that starts open, or lost; a thread of its own opens and closes it.
    pub fn start(
        opener: SourceOpener,
        opened: Option<OpenSource>,
        shared: &Shared,
    ) -> std::io::Result<ManagedSource> {
        let begins = opened.is_none().then(|| Change::Lost { why: "not connected".to_owned() });
        ManagedSource::start_with(opener, opened, begins, shared, Box::new(|_, _| true))
    }

    /// A source that is opened when it is its turn. No opening of it has a number up to this one.
    pub fn start_later(
        opener: SourceOpener,
        shared: &Shared,
        turn: Turn,
    ) -> std::io::Result<ManagedSource> {
        ManagedSource::start_with(opener, None, Some(Change::Begins), shared, turn)
    }

    fn start_with(
        opener: SourceOpener,
        opened: Option<OpenSource>,
        begins: Option<Change>,
        shared: &Shared,
        turn: Turn,
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
        let plan = opener.plan.clone();
        let (until_the_end, ended) = sync_channel(1);
        let (trouble, is_retired) = (Trouble::default(), Arc::new(AtomicBool::new(false)));
        let worker = Worker {
            opener,
            is_retired: Arc::clone(&is_retired),
            trouble: trouble.clone(),
            shared: shared.clone(),
        };
        shared.threads.spawn("capture-source", move |stop| {
            if turn(stop, &worker.is_retired) {
                worker.run_jobs(&pending, &done, stop);
            }
            // Whatever waits is closed here.
            drop(pending);
            drop::<SyncSender<()>>(until_the_end);
        })?;
        let mut source = ManagedSource {
            current: opened.map(|opened| Current::new(opened, live, None, &clock)),
            opening: 1,
            live,
            roles,
            lost_until_ns: None,
            begins,
            opening_requested: false,
            plan,
            jobs,
            reopened,
            trouble,
            is_retired,
            ended,
            clock,
            wake: shared.wake.clone(),
            arrivals: shared.arrivals.clone(),
            on_frame: None,
        };
        source.await_data();
        if !live || source.current.is_none() {
            source.request_opening();
        }
        Ok(source)
    }

    /// Gives the source up: its own thread closes it. What is given ends when it has.
    pub fn retire(mut self) -> Ended {
        self.is_retired.store(true, Ordering::Relaxed);
        self.close_current();
        // When the thread has ended, there is nothing to discard.
        let _ = self.jobs.try_send(Job::Discard(self.reopened));
        self.arrivals.notify();
        self.ended
    }

    /// Openings from now on have greater numbers than this one.
    pub fn count_openings_from(&mut self, opening: u64) {
        self.opening = self.opening.max(opening);
    }

    /// What it is opened by.
    pub fn plan(&self) -> &SourcePlan {
        &self.plan
    }

    /// What it is, in words, and what the owner has chosen that it is used without.
    pub fn description(&self) -> Option<(&str, Option<&str>)> {
        let opened = &self.current.as_ref()?.opened;
        Some((&opened.name, opened.note.as_deref()))
    }

    /// Why it could not be opened when that was tried first; only once.
    pub fn take_trouble(&self) -> Option<String> {
        self.trouble.take()
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

    /// Whether it is not open.
    pub fn is_closed(&self) -> bool {
        self.current.is_none()
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
        if let Some(begins) = self.begins.take() {
            self.lost_until_ns = Some(now_ns);
            return Some(begins);
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

/// What the thread of a source has.
struct Worker {
    opener: SourceOpener,
    is_retired: Arc<AtomicBool>,
    trouble: Trouble,
    shared: Shared,
}

impl Worker {
    /// Closes what it is given, and tries to open until it succeeds.
    fn run_jobs(&self, jobs: &Receiver<Job>, opened: &SyncSender<OpenSource>, stop: &StopFlag) {
        for job in jobs {
            let reopened = match job {
                Job::Close(old) => {
                    drop(old);
                    continue;
                }
                Job::Discard(old) => return drop(old),
                Job::Open => self.open_until_it_succeeds(stop),
            };
            let Some(reopened) = reopened else { return };
            if opened.send(reopened).is_err() {
                return;
            }
            self.shared.wake.notify();
        }
    }

    /// Tries until it succeeds, at once when a device was plugged in; `None` when the capture stops or
    /// the source is given up.
    fn open_until_it_succeeds(&self, stop: &StopFlag) -> Option<OpenSource> {
        let arrivals = &self.shared.arrivals;
        let (mut retry, mut is_first) = (Retry::default(), true);
        let mut counted = arrivals.count();
        loop {
            let (stopped, is_retired) = (stop.clone(), Arc::clone(&self.is_retired));
            let given_up = move || stopped.is_set() || is_retired.load(Ordering::Relaxed);
            match self.opener.open(given_up) {
                Ok(opened) => return Some(opened),
                Err(error) => {
                    tracing::debug!(%error, "source not open yet");
                    if std::mem::take(&mut is_first) {
                        self.trouble.note(&error.to_string());
                        self.shared.wake.notify();
                    }
                }
            }
            if self.is_retired.load(Ordering::Relaxed) || arrivals.wait(retry.next(), counted) {
                return None;
            }
            if arrivals.count() != counted {
                counted = arrivals.count();
                retry.device_event();
            }
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
