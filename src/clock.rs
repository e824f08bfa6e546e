//! The monotonic clock of the process, handed to pure rooms as `now`.
//!
//! Shell room. Built on tokio's clock, so that a test that pauses time pauses the whole program.

use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// Where the process's time began. Copies share the same zero.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zero: Instant,
}

impl Clock {
    /// A clock that reads zero now.
    pub fn start() -> Clock {
        Clock { zero: Instant::now() }
    }

    /// Monotonic time since the zero.
    pub fn now(&self) -> Duration {
        self.zero.elapsed()
    }

    /// Waits until the clock reads `deadline`; without one, never returns.
    pub async fn reach(&self, deadline: Option<Duration>) {
        match deadline {
            Some(at) => tokio::time::sleep_until(self.zero + at).await,
            None => std::future::pending().await,
        }
    }
}

/// Rings at one time after the other, some tens of times a second.
///
/// A timer of the kernel's own (timerfd_create(2)): the runtime keeps its timers in bundles of 64 ms,
/// and to open each costs a wake-up more. So a test that pauses time does not pause this one.
#[derive(Debug)]
pub struct Alarm {
    clock: Clock,
    /// None where the kernel has none left; the runtime's timers do as well.
    timer: Option<AsyncFd<Timer>>,
    set_to: Option<Duration>,
}

#[derive(Debug)]
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    #[expect(deprecated, reason = "its successor is unsafe; what we hand over owns its descriptor")]
    fn open() -> Option<AsyncFd<Timer>> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = Timer(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).ok()?);
        AsyncFd::with_interest(timer, Interest::READABLE).ok()
    }

    /// Setting it again clears an expiration that was not read.
    fn set(&self, wait: Duration) -> nix::Result<()> {
        let wait = wait.max(Duration::from_nanos(1)); // zero would mean never
        self.0.set(Expiration::OneShot(wait.into()), TimerSetTimeFlags::empty())
    }
}

impl Alarm {
    /// An alarm that is not set yet. Must be made inside of a tokio runtime.
    pub fn new(clock: Clock) -> Alarm {
        Alarm { clock, timer: Timer::open(), set_to: None }
    }

    /// Waits until the clock reads `at`. May be dropped at any time and asked again.
    pub async fn ring(&mut self, at: Duration) {
        if self.ring_by_kernel(at).await.is_none() {
            self.clock.reach(Some(at)).await;
        }
        self.set_to = None;
    }

    async fn ring_by_kernel(&mut self, at: Duration) -> Option<()> {
        let timer = self.timer.as_ref()?;
        if self.set_to != Some(at) {
            timer.get_ref().set(at.saturating_sub(self.clock.now())).ok()?;
            self.set_to = Some(at);
        }
        loop {
            timer.readable().await.ok()?.clear_ready();
            // It may have rung for a time that was given up.
            if self.clock.now() >= at {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_rings_at_each_time_and_not_before() {
        let clock = Clock::start();
        let mut alarm = Alarm::new(clock);
        assert!(alarm.timer.is_some(), "this kernel has timers");
        for at in [0, 21, 21, 33, 43, 64, 66, 150, 151].map(Duration::from_millis) {
            let early = at.saturating_sub(clock.now()) / 2;
            let _ = tokio::time::timeout(early, alarm.ring(at)).await;
            alarm.ring(at).await;
            assert!(clock.now() >= at, "{:?} is before {at:?}", clock.now());
        }
    }

    #[tokio::test]
    async fn an_alarm_that_rang_for_a_time_given_up_does_not_ring_early_for_the_next() {
        let clock = Clock::start();
        let mut alarm = Alarm::new(clock);
        let (given_up, next) = (Duration::from_millis(5), Duration::from_millis(60));
        tokio::select! {
            biased;
            () = alarm.ring(given_up) => panic!("it has not been waited for"),
            () = std::future::ready(()) => {}
        }
        clock.reach(Some(given_up * 4)).await;
        alarm.ring(next).await;
        assert!(clock.now() >= next);
    }

    #[tokio::test]
    async fn where_the_kernel_has_no_timer_left_the_alarm_rings_all_the_same() {
        let clock = Clock::start();
        let mut alarm = Alarm { clock, timer: None, set_to: None };
        for at in [0, 5, 21].map(Duration::from_millis) {
            alarm.ring(at).await;
            assert!(clock.now() >= at);
        }
    }
}
