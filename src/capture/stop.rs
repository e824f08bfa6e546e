//! A flag that threads wait on, and the count of those that have not ended yet.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Ends the threads of a capture, and waits for them within a bound.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    rung: bool,
    /// Devices that came so far.
    news: u64,
    threads: usize,
}

impl Stop {
    /// Starts a thread that [`Stop::stop_and_wait`] waits for.
    pub(super) fn spawn(
        &self,
        name: &str,
        work: impl FnOnce(&Stop) + Send + 'static,
    ) -> std::io::Result<()> {
        let running = Registered::new(self.clone());
        thread::Builder::new().name(name.to_owned()).spawn(move || work(&running.0))?;
        Ok(())
    }

    /// Orders every thread to end.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.0.changed.notify_all();
    }

    /// Waits for that long or until the stop; `true` when it is time to end.
    pub(super) fn wait(&self, at_most: Duration) -> bool {
        self.wait_until(at_most, |state| state.stopped)
    }

    /// The same, and ends early as well when [`Stop::ring`] was called since the last time.
    pub(super) fn wait_for_ring(&self, at_most: Duration) -> bool {
        self.wait_until(at_most, |state| state.stopped || state.rung);
        let mut state = self.lock();
        state.rung = false;
        state.stopped
    }

    /// Wakes the thread that waits for it.
    pub(super) fn ring(&self) {
        self.lock().rung = true;
        self.0.changed.notify_all();
    }

    /// Something came that a thread may be waiting for.
    pub(super) fn tell_news(&self) {
        self.lock().news += 1;
        self.0.changed.notify_all();
    }

    /// The news so far, for [`Stop::wait_for_news`].
    pub(super) fn news(&self) -> u64 {
        self.lock().news
    }

    /// Waits for that long, until the stop, or until there is more news than `seen`.
    pub(super) fn wait_for_news(&self, at_most: Duration, seen: u64) -> bool {
        self.wait_until(at_most, |state| state.stopped || state.news != seen);
        self.lock().stopped
    }

    /// Orders every thread to end and waits for them; `false` when one has not ended in time. It
    /// goes on by itself, and lets go of what it holds when the driver lets go of it.
    pub(super) fn stop_and_wait(&self, at_most: Duration) -> bool {
        self.stop();
        self.wait_until(at_most, |state| state.threads == 0)
    }

    fn wait_until(&self, at_most: Duration, done: impl Fn(&State) -> bool) -> bool {
        let deadline = Instant::now() + at_most;
        let mut state = self.lock();
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let woken = self.0.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a thread for as long as it lives, even when it panics.
struct Registered(Stop);

impl Registered {
    fn new(stop: Stop) -> Registered {
        stop.lock().threads += 1;
        Registered(stop)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
        self.0.0.changed.notify_all();
    }
}

/// Work that a driver may hold up, on a thread of its own; `None` when it takes longer than
/// allowed. It is then left alone, and its result dropped when it comes.
#[derive(Debug)]
pub(super) struct Bounded<T>(Receiver<T>, Duration);

impl<T: Send + 'static> Bounded<T> {
    pub(super) fn start(
        name: &str,
        at_most: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<Bounded<T>> {
        let (sender, result) = sync_channel(1);
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(move || {
            // Nobody waits any more when it took too long.
            let _ = sender.send(work());
        })?;
        Ok(Bounded(result, at_most))
    }

    pub(super) fn wait(self) -> Option<T> {
        self.0.recv_timeout(self.1).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_hangs_is_left_alone() {
        let long = Duration::from_secs(20);
        let done = Bounded::start("done", long, || 7).expect("a thread");
        assert_eq!(done.wait(), Some(7));
        let hung = Bounded::start("hung", Duration::from_millis(10), move || thread::sleep(long));
        assert_eq!(hung.expect("a thread").wait(), None);
    }

    #[test]
    fn a_thread_that_does_not_end_does_not_hold_up_the_stop() {
        let stop = Stop::default();
        stop.spawn("stuck", |_| thread::sleep(Duration::from_secs(2))).expect("a thread");
        assert!(!stop.stop_and_wait(Duration::from_millis(20)));
    }

    #[test]
    fn a_ring_is_not_lost_and_ends_one_wait() {
        let (stop, long) = (Stop::default(), Duration::from_secs(20));
        stop.ring();
        assert!(!stop.wait_for_ring(long), "it rang before");
        let ringing = stop.clone();
        stop.spawn("ringing", move |_| ringing.ring()).expect("a thread");
        assert!(!stop.wait_for_ring(long), "it rings now");
        stop.stop();
        assert!(stop.wait_for_ring(long));
    }

    #[test]
    fn news_is_heard_at_once_even_when_it_came_before_the_wait() {
        let (stop, long) = (Stop::default(), Duration::from_secs(60));
        let seen = stop.news();
        stop.tell_news();
        assert!(!stop.wait_for_news(long, seen), "no stop");
        let seen = stop.news();
        assert!(!stop.wait_for_news(Duration::from_millis(1), seen));
        stop.stop();
        assert!(stop.wait_for_news(long, seen));
    }

    #[test]
    fn threads_that_wait_are_woken() {
        let stop = Stop::default();
        for _ in 0..3 {
            stop.spawn("waiting", |stop| assert!(stop.wait(Duration::from_secs(60))))
                .expect("a thread");
        }
        assert!(stop.stop_and_wait(Duration::from_secs(20)));
    }
}
