//! One encode, several destinations: where the encoder's threads end and the readers begin.
//!
//! Above [`FanOut::publish`] nothing is async, below [`Subscriber`] nothing blocks. Between them
//! are two short locks, always taken in this order: the list of subscribers, then one queue. No
//! one waits, allocates per frame or calls out while holding one, and a reader takes only the lock
//! of its own queue. A reader is woken once nobody holds its lock, and only if it waits for a frame
//! that it can take: a reader that wakes up finds the lock free, and one that is busy is left alone.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use super::{Drops, Frame, GopQueue, Kind, QueueStats};
use crate::limits::DESTINATIONS_MAX;

/// Hands each frame to every subscriber's queue. Clones are handles on the same subscribers.
#[derive(Debug, Clone, Default)]
pub struct FanOut {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    configs: Configs,
    queues: Vec<Arc<Mutex<Queue>>>,
}

/// The newest codec configuration of each track.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configs {
    /// Of the video, once the encoder has made it.
    pub video: Option<Frame>,
    /// Of the audio, once the encoder has made it.
    pub audio: Option<Frame>,
}

/// One subscriber's frames and, while it waits for one, how to wake it. Both are behind one lock, so
/// that no frame can come between the reader's look and its wait.
#[derive(Debug, Default)]
struct Queue {
    frames: GopQueue,
    reader: Option<Waker>,
}

impl Queue {
    /// The reader, if it waits and now has a frame to take. Wake it with the lock released.
    fn reader_to_wake(&mut self) -> Option<Waker> {
        if self.reader.is_some() && self.frames.is_ready() { self.reader.take() } else { None }
    }

    fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.frames.is_ready() {
            self.reader = None;
            return Poll::Ready(());
        }
        match &mut self.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            None => self.reader = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl FanOut {
    /// No subscribers, no configuration yet.
    pub fn new() -> FanOut {
        FanOut::default()
    }

    /// A queue of its own for one reader. It knows the configurations so far and starts with the
    /// next key frame.
    pub fn subscribe(&self) -> Subscriber {
        let mut queue = Queue::default();
        let mut shared = lock(&self.shared);
        let Configs { video, audio } = shared.configs.clone();
        for config in [video, audio].into_iter().flatten() {
            queue.frames.push(config);
        }
        let queue = Arc::new(Mutex::new(queue));
        shared.queues.push(Arc::clone(&queue));
        Subscriber { queue, shared: Arc::downgrade(&self.shared) }
    }

    /// Puts `frame` into every subscriber's queue; the payload is shared. Never waits for a reader.
    /// Returns whether some subscriber has nothing to show before the next key frame, so that the
    /// encoder should make one now.
    pub fn publish(&self, frame: Frame) -> bool {
        let mut readers = Readers::default();
        let mut shared = lock(&self.shared);
        match frame.kind {
            Kind::VideoConfig => shared.configs.video = Some(frame.clone()),
            Kind::AudioConfig => shared.configs.audio = Some(frame.clone()),
            _ => {}
        }
        let mut wants_key = false;
        for queue in &shared.queues {
            let mut queue = lock(queue);
            wants_key |= queue.frames.push(frame.clone()).wants_key;
            let reader = queue.reader_to_wake();
            drop(queue);
            readers.add(reader);
        }
        drop(shared);
        readers.wake();
        wants_key
    }

    /// A new broadcast begins: what waits of the one before, see [`GopQueue::forget`], is sent to
    /// nobody.
    pub fn restart(&self) {
        let mut shared = lock(&self.shared);
        shared.configs = Configs::default();
        for queue in &shared.queues {
            lock(queue).frames.forget();
        }
    }

    /// The newest codec configuration of each track.
    pub fn latest_configs(&self) -> Configs {
        lock(&self.shared).configs.clone()
    }
}

/// Readers to wake once no lock is held.
#[derive(Debug, Default)]
struct Readers {
    waiting: [Option<Waker>; DESTINATIONS_MAX],
    count: usize,
}

impl Readers {
    /// One more than there is room for, as while connections take over from others, is woken here.
    fn add(&mut self, reader: Option<Waker>) {
        let Some(reader) = reader else { return };
        match self.waiting.get_mut(self.count) {
            Some(free) => *free = Some(reader),
            None => return reader.wake(),
        }
        self.count += 1;
    }

    fn wake(self) {
        self.waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

/// The reader's end of one queue. Dropping it ends the subscription. One task reads it.
#[derive(Debug)]
pub struct Subscriber {
    queue: Arc<Mutex<Queue>>,
    shared: Weak<Mutex<Shared>>,
}

impl Subscriber {
    /// The next frame to send, see [`GopQueue::pop`].
    pub fn try_pop(&self) -> Option<Frame> {
        lock(&self.queue).frames.pop()
    }

    /// Resolves when [`try_pop`](Subscriber::try_pop) has a frame. Cancel safe: nothing is taken; at
    /// most, the task is woken once more.
    pub async fn ready(&self) {
        poll_fn(|cx| lock(&self.queue).poll_ready(cx)).await;
    }

    /// A new connection begins, see [`GopQueue::restart`].
    pub fn restart(&self) {
        lock(&self.queue).frames.restart();
    }

    /// Whether there is a connection, see [`GopQueue::set_connected`].
    pub fn set_connected(&self, connected: bool) {
        let mut queue = lock(&self.queue);
        queue.frames.set_connected(connected);
        let reader = queue.reader_to_wake();
        drop(queue);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// What waits, what was lost.
    pub fn stats(&self) -> QueueStats {
        lock(&self.queue).frames.stats()
    }

    /// See [`GopQueue::drop_disposable`].
    pub fn drop_disposable(&self) -> Drops {
        lock(&self.queue).frames.drop_disposable()
    }

    /// See [`GopQueue::drop_to_next_key`].
    pub fn drop_to_next_key(&self) -> Drops {
        lock(&self.queue).frames.drop_to_next_key()
    }

    /// See [`GopQueue::pause_video`].
    pub fn pause_video(&self, paused: bool) -> Drops {
        lock(&self.queue).frames.pause_video(paused)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            lock(&shared).queues.retain(|queue| !Arc::ptr_eq(queue, &self.queue));
        }
    }
}

/// A thread that panicked while it held a lock must not end the stream of every destination; the
/// worst it leaves behind is a frame that is missing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::Wake;
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use super::*;
    use crate::media::{Codec, Track};

    fn frame(kind: Kind, ms: u64) -> Frame {
        frame_at_ns(kind, ms * 1_000_000)
    }

    fn frame_at_ns(kind: Kind, time_ns: u64) -> Frame {
        let codec = if kind.track() == Track::Video { Codec::Avc } else { Codec::Aac };
        Frame { kind, codec, pts_ns: time_ns, dts_ns: time_ns, payload: vec![7; 100].into() }
    }

    fn popped(subscriber: &Subscriber) -> Vec<(Kind, u64)> {
        std::iter::from_fn(|| subscriber.try_pop())
            .map(|frame| (frame.kind, frame.dts_ns / 1_000_000))
            .collect()
    }

    fn is_ready(subscriber: &Subscriber) -> bool {
        let future = pin!(subscriber.ready());
        future.poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn what_waits_of_one_broadcast_is_sent_to_nobody_in_the_next() {
        let fan_out = FanOut::new();
        let (idle, cut_off) = (fan_out.subscribe(), fan_out.subscribe());
        cut_off.set_connected(false);
        let broadcast = |from_ms| {
            for kind in [Kind::VideoConfig, Kind::AudioConfig] {
                fan_out.publish(frame(kind, from_ms));
            }
            for kind in [Kind::Audio, Kind::VideoKey, Kind::Audio, Kind::VideoDelta] {
                fan_out.publish(frame(kind, from_ms));
            }
        };
        broadcast(1_000);
        fan_out.restart();
        assert!(!is_ready(&idle) && !is_ready(&cut_off));
        assert_eq!(fan_out.latest_configs(), Configs::default());

        cut_off.set_connected(true);
        broadcast(9_000);
        for subscriber in [idle, cut_off] {
            let frames = popped(&subscriber);
            assert!(frames.len() >= 5 && frames.iter().all(|(_, ms)| *ms == 9_000), "{frames:?}");
        }
    }

    #[test]
    fn every_subscriber_gets_every_frame_and_all_share_one_payload() {
        let fan_out = FanOut::new();
        let subscribers = [fan_out.subscribe(), fan_out.subscribe(), fan_out.subscribe()];
        let key = frame(Kind::VideoKey, 1);
        let payload = key.payload.as_ptr();
        fan_out.publish(frame(Kind::VideoConfig, 0));
        fan_out.publish(key);
        for subscriber in &subscribers {
            assert_eq!(subscriber.try_pop().map(|frame| frame.kind), Some(Kind::VideoConfig));
            assert_eq!(subscriber.try_pop().map(|frame| frame.payload.as_ptr()), Some(payload));
            assert_eq!(subscriber.try_pop(), None);
        }
    }

    #[test]
    fn a_late_subscriber_gets_the_configurations_and_starts_with_the_next_key_frame() {
        let fan_out = FanOut::new();
        for (kind, ms) in [(Kind::VideoConfig, 0), (Kind::AudioConfig, 0), (Kind::VideoKey, 0)] {
            fan_out.publish(frame(kind, ms));
        }
        let late = fan_out.subscribe();
        for (kind, ms) in [(Kind::VideoDelta, 33), (Kind::Audio, 40), (Kind::VideoKey, 66)] {
            fan_out.publish(frame(kind, ms));
        }
        fan_out.publish(frame(Kind::Audio, 70));
        let expected = [
            (Kind::VideoConfig, 0),
            (Kind::AudioConfig, 0),
            (Kind::VideoKey, 66),
            (Kind::Audio, 70),
        ];
        assert_eq!(popped(&late), expected);
    }

    #[test]
    fn frames_that_nobody_subscribed_to_leave_only_their_configuration() {
        let fan_out = FanOut::new();
        assert_eq!(fan_out.latest_configs(), Configs::default());
        assert!(!fan_out.publish(frame(Kind::VideoConfig, 1)));
        assert!(!fan_out.publish(frame(Kind::VideoKey, 2)));
        let configs = fan_out.latest_configs();
        assert_eq!(configs.video, Some(frame(Kind::VideoConfig, 1)));
        assert_eq!(configs.audio, None);
        assert_eq!(popped(&fan_out.subscribe()), []);
    }

    #[test]
    fn a_subscriber_that_needs_a_key_frame_asks_for_it_through_publish() {
        let fan_out = FanOut::new();
        fan_out.publish(frame(Kind::VideoConfig, 0));
        fan_out.publish(frame(Kind::VideoKey, 0));
        let _late = fan_out.subscribe();
        assert!(fan_out.publish(frame(Kind::VideoDelta, 33)));
        assert!(!fan_out.publish(frame(Kind::VideoDelta, 66)), "asked already");
        assert!(!fan_out.publish(frame(Kind::VideoKey, 100)));
    }

    #[test]
    fn a_subscriber_that_does_not_read_delays_no_other() {
        let fan_out = FanOut::new();
        let (reader, sleeper) = (fan_out.subscribe(), fan_out.subscribe());
        fan_out.publish(frame(Kind::VideoConfig, 0));
        let mut read = 0;
        for n in 0..3_000_u64 {
            let kind = if n % 60 == 0 { Kind::VideoKey } else { Kind::VideoDelta };
            fan_out.publish(frame(kind, n * 33));
            read += popped(&reader).len();
        }
        assert_eq!(read, 3_001);
        assert_eq!(reader.stats().dropped, Drops::default());
        assert!(sleeper.stats().frames < 100);
    }

    #[test]
    fn a_dropped_subscriber_is_forgotten() {
        let fan_out = FanOut::new();
        let (first, second) = (fan_out.subscribe(), fan_out.subscribe());
        drop(first);
        assert_eq!(lock(&fan_out.shared).queues.len(), 1);
        fan_out.publish(frame(Kind::AudioConfig, 0));
        fan_out.publish(frame(Kind::Audio, 0));
        assert_eq!(popped(&second).len(), 2);
        drop(fan_out);
        drop(second);
    }

    #[test]
    fn ready_resolves_only_when_a_frame_can_be_popped() {
        let fan_out = FanOut::new();
        let subscriber = fan_out.subscribe();
        assert!(!is_ready(&subscriber));
        fan_out.publish(frame(Kind::VideoConfig, 0));
        fan_out.publish(frame(Kind::VideoDelta, 0));
        assert!(!is_ready(&subscriber), "no key frame yet");
        fan_out.publish(frame(Kind::VideoKey, 33));
        assert!(is_ready(&subscriber));
        assert!(is_ready(&subscriber), "cancelling takes nothing away");
        assert_eq!(popped(&subscriber).len(), 2);
        assert!(!is_ready(&subscriber), "all are taken");
    }

    #[test]
    fn a_panic_while_locked_does_not_end_the_stream() {
        let fan_out = FanOut::new();
        let subscriber = fan_out.subscribe();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _guards = (fan_out.shared.lock(), subscriber.queue.lock());
            panic!("this panic is meant to happen");
        }));
        assert!(panicked.is_err());
        assert!(fan_out.shared.is_poisoned() && subscriber.queue.is_poisoned());
        fan_out.publish(frame(Kind::VideoConfig, 0));
        fan_out.publish(frame(Kind::VideoKey, 0));
        assert_eq!(popped(&subscriber).len(), 2);
    }

    /// Counts how often it is woken, and whether a lock was held then.
    #[derive(Debug)]
    struct Reader {
        subscriber: Subscriber,
        woken: AtomicUsize,
        woken_with_a_lock_held: AtomicBool,
    }

    impl Wake for Reader {
        fn wake(self: Arc<Self>) {
            let shared = self.subscriber.shared.upgrade().expect("the test has it");
            let all_free = shared.try_lock().is_ok() && self.subscriber.queue.try_lock().is_ok();
            self.woken_with_a_lock_held.fetch_or(!all_free, Ordering::Relaxed);
            self.woken.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Reader {
        fn of(fan_out: &FanOut) -> Arc<Reader> {
            let (woken, woken_with_a_lock_held) = (AtomicUsize::new(0), AtomicBool::new(false));
            Arc::new(Reader { subscriber: fan_out.subscribe(), woken, woken_with_a_lock_held })
        }

        /// Looks, and waits if there is nothing. Whether there is.
        fn waits(self: &Arc<Self>) -> Poll<()> {
            let future = pin!(self.subscriber.ready());
            future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
        }

        fn woken(&self) -> usize {
            self.woken.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn only_a_reader_that_waits_is_woken_and_only_for_a_frame_it_can_take() {
        let fan_out = FanOut::new();
        let reader = Reader::of(&fan_out);
        fan_out.publish(frame(Kind::AudioConfig, 0));
        assert_eq!((reader.waits(), reader.waits()), (Poll::Pending, Poll::Pending));
        for kind in [Kind::VideoConfig, Kind::VideoDelta, Kind::Audio] {
            fan_out.publish(frame(kind, 0));
        }
        assert_eq!(reader.woken(), 0, "nothing can be sent before the key frame");
        fan_out.publish(frame(Kind::VideoKey, 33));
        assert_eq!(reader.woken(), 1);
        fan_out.publish(frame(Kind::Audio, 40));
        assert_eq!(reader.woken(), 1, "it is awake");
        assert_eq!(reader.waits(), Poll::Ready(()));
        popped(&reader.subscriber);
        fan_out.publish(frame(Kind::VideoDelta, 66));
        assert_eq!(reader.woken(), 1, "it is busy and looks again before it waits");
        assert_eq!(reader.waits(), Poll::Ready(()));
    }

    #[test]
    fn a_reader_that_waits_for_a_connection_is_woken_by_it() {
        let fan_out = FanOut::new();
        let reader = Reader::of(&fan_out);
        reader.subscriber.set_connected(false);
        assert_eq!(reader.waits(), Poll::Pending);
        fan_out.publish(frame(Kind::VideoConfig, 0));
        fan_out.publish(frame(Kind::VideoKey, 0));
        assert_eq!(reader.woken(), 0);
        reader.subscriber.set_connected(true);
        assert_eq!((reader.woken(), reader.waits()), (1, Poll::Ready(())));
    }

    #[test]
    fn a_reader_is_woken_when_it_finds_all_locks_free() {
        let fan_out = FanOut::new();
        let readers: [_; DESTINATIONS_MAX] = std::array::from_fn(|_| Reader::of(&fan_out));
        assert!(readers.iter().all(|reader| reader.waits().is_pending()));
        fan_out.publish(frame(Kind::VideoConfig, 0));
        fan_out.publish(frame(Kind::VideoKey, 0));
        for reader in &readers {
            assert_eq!(reader.woken(), 1);
            assert!(!reader.woken_with_a_lock_held.load(Ordering::Relaxed));
        }
    }

    #[test]
    fn all_readers_are_woken_however_many_wait() {
        let fan_out = FanOut::new();
        let readers: [_; 2 * DESTINATIONS_MAX + 1] = std::array::from_fn(|_| Reader::of(&fan_out));
        assert!(readers.iter().all(|reader| reader.waits().is_pending()));
        fan_out.publish(frame(Kind::VideoConfig, 0));
        fan_out.publish(frame(Kind::VideoKey, 0));
        assert!(readers.iter().all(|reader| reader.woken() == 1));
    }

    #[test]
    fn a_task_that_waits_again_with_another_waker_is_woken_by_that_one() {
        let fan_out = FanOut::new();
        let reader = Reader::of(&fan_out);
        let first = pin!(reader.subscriber.ready());
        assert!(first.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(reader.waits().is_pending());
        fan_out.publish(frame(Kind::VideoConfig, 0));
        fan_out.publish(frame(Kind::VideoKey, 0));
        assert_eq!(reader.woken(), 1);
    }

    /// Reads audio frames as a destination's task does, each turn with another wait that wins now
    /// and then, and reports the time of each.
    async fn read_audio(subscriber: Subscriber, count: usize, read: mpsc::Sender<u64>) {
        let mut left = count;
        while left > 0 {
            tokio::select! {
                biased;
                () = subscriber.ready() => {}
                () = tokio::task::yield_now(), if left.is_multiple_of(3) => {}
            }
            while let Some(frame) = subscriber.try_pop() {
                if frame.kind == Kind::Audio {
                    left -= 1;
                    read.send(frame.dts_ns).expect("the test waits for it");
                }
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a wake-up is missed only between real threads")]
    fn reading(subscriber: Subscriber, count: usize) -> (JoinHandle<()>, mpsc::Receiver<u64>) {
        let (read, times) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("a runtime").block_on(read_audio(subscriber, count, read));
        });
        (thread, times)
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn a_frame_that_comes_between_a_readers_look_and_its_wait_is_not_missed() {
        const FRAMES: u64 = 5_000;
        let fan_out = FanOut::new();
        fan_out.publish(frame(Kind::AudioConfig, 0));
        let (thread, times) = reading(fan_out.subscribe(), FRAMES as usize);
        for ms in 0..FRAMES {
            // The reader is on its way to its wait; each time the frame comes a little later there.
            (0..ms % 200).for_each(|_| std::hint::spin_loop());
            fan_out.publish(frame(Kind::Audio, ms));
            let read = times.recv_timeout(LONG);
            assert_eq!(read, Ok(ms * 1_000_000), "only this frame is there to wake the reader");
        }
        thread.join().expect("the reader ends");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a wake-up is missed only between real threads")]
    fn many_threads_that_publish_lose_no_frame_of_any_reader() {
        const EACH: u64 = 1_000;
        const WRITERS: u64 = 4;
        let fan_out = FanOut::new();
        fan_out.publish(frame(Kind::AudioConfig, 0));
        let all = EACH * WRITERS;
        let readers: [_; 3] = std::array::from_fn(|_| reading(fan_out.subscribe(), all as usize));
        // So many at most are under way that no queue is full.
        let (go, gate) = mpsc::sync_channel::<()>(100);
        let gate = Arc::new(Mutex::new(gate));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (fan_out, gate) = (fan_out.clone(), Arc::clone(&gate));
                thread::spawn(move || {
                    for n in 0..EACH {
                        lock(&gate).recv_timeout(LONG).expect("the readers keep up");
                        fan_out.publish(frame_at_ns(Kind::Audio, writer * EACH + n));
                    }
                })
            })
            .collect();
        let mut read = [const { Vec::new() }; 3];
        for n in 0..all {
            go.send(()).expect("a writer waits for it");
            if n >= 50 {
                for (read, (_, times)) in read.iter_mut().zip(&readers) {
                    read.push(times.recv_timeout(LONG).expect("no wake-up is missed"));
                }
            }
        }
        for (mut read, (thread, times)) in read.into_iter().zip(readers) {
            read.extend((0..50).map(|_| times.recv_timeout(LONG).expect("the last ones too")));
            read.sort_unstable();
            assert!(read.into_iter().eq(0..all));
            thread.join().expect("the reader ends");
        }
        writers.into_iter().for_each(|writer| writer.join().expect("the writer ends"));
    }
}
