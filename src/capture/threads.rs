//! The threads of a capture: started, woken, stopped, and waited for within a bound.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::real_time;

/// What the threads of one capture share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    running: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done`, or for that long; `false` in the latter case.
    fn wait_until(&self, at_most: Duration, done: impl Fn(&State) -> bool) -> bool {
        let deadline = Instant::now() + at_most;
        let mut state = self.lock();
        while !done(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// Starts the threads of a capture, and ends them.
#[derive(Debug, Clone, Default)]
pub(super) struct Threads(Arc<Shared>);

impl Threads {
    /// Starts a thread that [`Threads::stop_and_wait`] waits for.
    pub(super) fn spawn(
        &self,
        name: &str,
        work: impl FnOnce(&StopFlag) + Send + 'static,
    ) -> std::io::Result<()> {
        let running = Registered::new(&self.0);
        let stop = self.stop_flag();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _running = running;
            // It may have been started by a thread that has it.
            real_time::end();
            work(&stop);
        })?;
        Ok(())
    }

    /// The flag that tells the threads to end.
    pub(super) fn stop_flag(&self) -> StopFlag {
        StopFlag(Arc::clone(&self.0))
    }

    /// A new notifier for threads of this capture.
    pub(super) fn notifier(&self) -> Notifier {
        Notifier { count: Arc::default(), shared: Arc::clone(&self.0) }
    }

    /// Tells every thread to end.
    pub(super) fn stop(&self) {
        self.0.lock().stopped = true;
        self.0.changed.notify_all();
    }

    /// Tells every thread to end and waits for them; `false` when one has not ended in time. That
    /// one goes on by itself, and frees what it holds when the driver lets go of it.
    pub(super) fn stop_and_wait(&self, at_most: Duration) -> bool {
        self.stop();
        self.0.wait_until(at_most, |state| state.running == 0)
    }
}

/// Whether the capture is to stop.
#[derive(Debug, Clone)]
pub(super) struct StopFlag(Arc<Shared>);

impl StopFlag {
    /// Whether it is time to end.
    pub(super) fn is_set(&self) -> bool {
        self.0.lock().stopped
    }

    /// Waits for that long or until the stop; `true` when it is time to end.
    #[cfg(test)]
    fn wait(&self, at_most: Duration) -> bool {
        self.0.wait_until(at_most, |state| state.stopped)
    }
}

/// Wakes the threads that wait for it. Notifications are counted, so that one that comes before the
/// wait is not lost.
#[derive(Debug, Clone)]
pub(super) struct Notifier {
    count: Arc<AtomicU64>,
    shared: Arc<Shared>,
}

impl Notifier {
    /// Wakes the threads that wait for it.
    pub(super) fn notify(&self) {
        // Counted under the lock, so that a thread about to wait does not miss it.
        let state = self.shared.lock();
        self.count.fetch_add(1, Ordering::Relaxed);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Notifications so far, for [`Notifier::wait`].
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits for that long, until there are more notifications than `counted`, or until the stop;
    /// `true` when it is time to end.
    pub(super) fn wait(&self, at_most: Duration, counted: u64) -> bool {
        self.shared.wait_until(at_most, |state| state.stopped || self.count() != counted);
        self.shared.lock().stopped
    }
}

/// Counts a thread for as long as it lives, even when it panics.
struct Registered(Arc<Shared>);

impl Registered {
    fn new(shared: &Arc<Shared>) -> Registered {
        shared.lock().running += 1;
        Registered(Arc::clone(shared))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
        self.0.changed.notify_all();
    }
}

/// Until when something is to be done that takes several steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(time: Duration) -> Deadline {
        Deadline(Instant::now() + time)
    }

    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// For how long a step may go on that may take so long by itself.
    pub(super) fn at_most(self, step: Duration) -> Duration {
        self.left().min(step)
    }
}

/// Work that may hang in a driver, on a thread of its own. When it takes longer than allowed from its start
/// on, the thread is abandoned and its result is dropped.
#[derive(Debug)]
pub(super) struct Bounded<T>(Receiver<T>, Deadline);

impl<T: Send + 'static> Bounded<T> {
    pub(super) fn start(
        name: &str,
        at_most: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<Bounded<T>> {
        let (sender, result) = sync_channel(1);
        let deadline = Deadline::after(at_most);
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(move || {
            real_time::end();
            // Nobody waits any more when it took too long.
            let _ = sender.send(work());
        })?;
        Ok(Bounded(result, deadline))
    }

    pub(super) fn wait(self) -> Option<T> {
        self.0.recv_timeout(self.1.left()).ok()
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
    fn work_at_the_same_time_has_its_time_from_the_start_whichever_is_waited_for_first() {
        let (short, long) = (Duration::from_millis(10), Duration::from_secs(20));
        let hung = || Bounded::start("hung", short, move || thread::sleep(long));
        let (first, second) = (hung().expect("a thread"), hung().expect("a thread"));
        assert_eq!(first.wait(), None);
        thread::sleep(short);
        assert_eq!(second.1.left(), Duration::ZERO);
        let done = Bounded::start("done", long, || 7).expect("a thread");
        assert_eq!(done.wait(), Some(7), "what is there is taken");
    }

    #[test]
    fn a_thread_that_does_not_end_does_not_hold_up_the_stop() {
        let threads = Threads::default();
        threads.spawn("stuck", |_| thread::sleep(Duration::from_secs(2))).expect("a thread");
        assert!(!threads.stop_and_wait(Duration::from_millis(20)));
    }

    #[test]
    fn a_notification_is_not_lost_and_ends_one_wait() {
        let (threads, long) = (Threads::default(), Duration::from_secs(60));
        let wake = threads.notifier();
        let counted = wake.count();
        wake.notify();
        assert!(!wake.wait(long, counted), "it came before the wait, and is no stop");
        let (counted, notifying) = (wake.count(), wake.clone());
        assert!(!wake.wait(Duration::from_millis(1), counted), "it ended one wait");
        threads.spawn("notifying", move |_| notifying.notify()).expect("a thread");
        assert!(!wake.wait(long, counted), "it comes during the wait");
        threads.stop();
        assert!(wake.wait(long, wake.count()));
    }

    #[test]
    fn one_notifier_does_not_end_the_wait_for_another() {
        let threads = Threads::default();
        let (wake, other) = (threads.notifier(), threads.notifier());
        other.notify();
        let asked = Instant::now();
        assert!(!wake.wait(Duration::from_millis(20), wake.count()));
        assert!(asked.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn what_a_thread_with_real_time_scheduling_starts_begins_without_it() {
        if let Some(why) = real_time::refusal() {
            return eprintln!("skipped: {why}");
        }
        let has_it = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("this thread's");
            let mut fields = stat.rsplit_once(") ").expect("a name").1.split(' ');
            fields.nth(41 - 3).expect("a policy") == "2"
        };
        let threads = Threads::default();
        let (sender, found) = sync_channel(3);
        let inner = threads.clone();
        let starting = move |_: &StopFlag| {
            real_time::begin();
            sender.send(has_it()).expect("room");
            let spawned = sender.clone();
            inner.spawn("spawned", move |_| spawned.send(has_it()).expect("room")).expect("one");
            let bounded = Bounded::start("bounded", Duration::from_secs(20), has_it);
            let bounded = bounded.expect("a thread").wait().expect("an answer");
            sender.send(bounded).expect("room");
        };
        threads.spawn("starting", starting).expect("a thread");
        let found: Vec<bool> = found.iter().collect();
        assert_eq!(found.iter().filter(|has_it| **has_it).count(), 1, "{found:?}");
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn threads_that_wait_are_woken_by_the_stop() {
        let threads = Threads::default();
        for _ in 0..3 {
            let waiting = |stop: &StopFlag| assert!(stop.wait(Duration::from_secs(60)));
            threads.spawn("waiting", waiting).expect("a thread");
        }
        assert!(threads.stop_and_wait(Duration::from_secs(20)));
    }
}
