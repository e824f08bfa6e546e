//! One encode, several destinations: where the encoder's threads end and the readers begin.
//!
//! Above [`FanOut::publish`] nothing is async, below [`Subscriber`] nothing blocks. Between them
//! are two short locks, always taken in this order: the list of subscribers, then one queue. No
//! one waits, allocates per frame or calls out while holding one, and a reader takes only the lock
//! of its own queue.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::{Drops, Frame, GopQueue, Kind, QueueStats};

/// Hands each frame to every subscriber's queue. Clones are handles on the same thing.
#[derive(Debug, Clone, Default)]
pub struct FanOut {
    hub: Arc<Mutex<Hub>>,
}

#[derive(Debug, Default)]
struct Hub {
    configs: Configs,
    lanes: Vec<Arc<Lane>>,
}

/// The newest codec configuration of each track.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configs {
    /// Of the video, once the encoder has made it.
    pub video: Option<Frame>,
    /// Of the audio, once the encoder has made it.
    pub audio: Option<Frame>,
}

/// One queue and the bell that rings when a frame waits in it.
#[derive(Debug, Default)]
struct Lane {
    queue: Mutex<GopQueue>,
    ready: Notify,
}

impl FanOut {
    /// No subscribers, no configuration yet.
    pub fn new() -> FanOut {
        FanOut::default()
    }

    /// A queue of its own for one reader. It knows the configurations so far and starts with the
    /// next key frame.
    pub fn subscribe(&self) -> Subscriber {
        let lane = Arc::new(Lane::default());
        let mut hub = lock(&self.hub);
        let Configs { video, audio } = hub.configs.clone();
        for config in [video, audio].into_iter().flatten() {
            lock(&lane.queue).push(config);
        }
        hub.lanes.push(Arc::clone(&lane));
        Subscriber { lane, hub: Arc::downgrade(&self.hub) }
    }

    /// Puts `frame` into every subscriber's queue; the payload is shared. Never waits for a reader.
    /// Returns whether some subscriber has nothing to show before the next key frame, so that the
    /// encoder should make one now.
    pub fn publish(&self, frame: Frame) -> bool {
        let mut hub = lock(&self.hub);
        match frame.kind {
            Kind::VideoConfig => hub.configs.video = Some(frame.clone()),
            Kind::AudioConfig => hub.configs.audio = Some(frame.clone()),
            _ => {}
        }
        let mut wants_key = false;
        for lane in &hub.lanes {
            wants_key |= lane.push(frame.clone());
        }
        wants_key
    }

    /// A new broadcast begins: what waits of the one before, see [`GopQueue::forget`], is sent to
    /// nobody.
    pub fn restart(&self) {
        let mut hub = lock(&self.hub);
        hub.configs = Configs::default();
        for lane in &hub.lanes {
            lock(&lane.queue).forget();
        }
    }

    /// The newest codec configuration of each track.
    pub fn latest_configs(&self) -> Configs {
        lock(&self.hub).configs.clone()
    }
}

impl Lane {
    fn push(&self, frame: Frame) -> bool {
        let mut queue = lock(&self.queue);
        let outcome = queue.push(frame);
        if queue.is_ready() {
            self.ready.notify_one();
        }
        outcome.wants_key
    }
}

/// The reader's end of one queue. Dropping it ends the subscription. One task reads it.
#[derive(Debug)]
pub struct Subscriber {
    lane: Arc<Lane>,
    hub: Weak<Mutex<Hub>>,
}

impl Subscriber {
    /// The next frame to send, see [`GopQueue::pop`].
    pub fn try_pop(&self) -> Option<Frame> {
        lock(&self.lane.queue).pop()
    }

    /// Resolves when [`try_pop`](Subscriber::try_pop) has a frame. Cancel safe: nothing is taken.
    pub async fn ready(&self) {
        // The bell keeps one ring for a reader that is not waiting yet, so none is missed between
        // the look and the wait; an old ring only leads to one more look.
        while !lock(&self.lane.queue).is_ready() {
            self.lane.ready.notified().await;
        }
    }

    /// A new connection begins, see [`GopQueue::restart`].
    pub fn restart(&self) {
        lock(&self.lane.queue).restart();
    }

    /// Whether there is a connection, see [`GopQueue::set_connected`].
    pub fn set_connected(&self, connected: bool) {
        let mut queue = lock(&self.lane.queue);
        queue.set_connected(connected);
        if queue.is_ready() {
            self.lane.ready.notify_one();
        }
    }

    /// What waits, what was lost.
    pub fn stats(&self) -> QueueStats {
        lock(&self.lane.queue).stats()
    }

    /// See [`GopQueue::drop_disposable`].
    pub fn drop_disposable(&self) -> Drops {
        lock(&self.lane.queue).drop_disposable()
    }

    /// See [`GopQueue::drop_to_next_key`].
    pub fn drop_to_next_key(&self) -> Drops {
        lock(&self.lane.queue).drop_to_next_key()
    }

    /// See [`GopQueue::pause_video`].
    pub fn pause_video(&self, paused: bool) -> Drops {
        lock(&self.lane.queue).pause_video(paused)
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            lock(&hub).lanes.retain(|lane| !Arc::ptr_eq(lane, &self.lane));
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
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::media::{Codec, Track};

    fn frame(kind: Kind, ms: u64) -> Frame {
        let codec = if kind.track() == Track::Video { Codec::Avc } else { Codec::Aac };
        let time_ns = ms * 1_000_000;
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
        assert_eq!(lock(&fan_out.hub).lanes.len(), 1);
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
        assert!(!is_ready(&subscriber), "an old ring is no frame");
    }

    #[test]
    fn a_panic_while_locked_does_not_end_the_stream() {
        let fan_out = FanOut::new();
        let subscriber = fan_out.subscribe();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _guards = (fan_out.hub.lock(), subscriber.lane.queue.lock());
            panic!("this panic is meant to happen");
        }));
        assert!(panicked.is_err());
        assert!(fan_out.hub.is_poisoned() && subscriber.lane.queue.is_poisoned());
        fan_out.publish(frame(Kind::VideoConfig, 0));
        fan_out.publish(frame(Kind::VideoKey, 0));
        assert_eq!(popped(&subscriber).len(), 2);
    }
}
