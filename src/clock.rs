//! The monotonic clock of the process, handed to pure rooms as `now`.
//!
//! Shell room. Built on tokio's clock, so that a test that pauses time pauses the whole house.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

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

    /// Waits until the clock reads `deadline`; for ever when there is none.
    pub async fn reach(&self, deadline: Option<Duration>) {
        match deadline {
            Some(at) => tokio::time::sleep_until(self.zero + at).await,
            None => std::future::pending().await,
        }
    }
}

/// Rings at one time after the other, some tens of times a second.
///
/// Two timers take turns, so that the one for the time after next is armed before the next one goes
/// off. To arm what is then the earliest timer of all would wake the runtime's own driver, which
/// costs two system calls.
#[derive(Debug)]
pub struct Alarm {
    clock: Clock,
    timers: [(Duration, Pin<Box<Sleep>>); 2],
}

impl Alarm {
    /// An alarm that is not set yet. Must be made inside of a tokio runtime.
    pub fn new(clock: Clock) -> Alarm {
        let timer = || (Duration::ZERO, Box::pin(sleep_until(clock.zero)));
        Alarm { clock, timers: [timer(), timer()] }
    }

    /// Waits until the clock reads `at`. It will ring at `then` next, if that is known. May be
    /// dropped at any time and asked again.
    pub async fn ring(&mut self, at: Duration, then: Option<Duration>) {
        let present = usize::from(self.timers[1].0 == at);
        self.set(present, at);
        if let Some(then) = then {
            self.set(1 - present, then);
        }
        self.timers[present].1.as_mut().await;
    }

    fn set(&mut self, which: usize, at: Duration) {
        let (set_to, timer) = &mut self.timers[which];
        if *set_to != at {
            *set_to = at;
            timer.as_mut().reset(self.clock.zero + at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_alarm_rings_at_each_time_and_not_before() {
        let clock = Clock::start();
        let mut alarm = Alarm::new(clock);
        let times = [0, 21, 21, 33, 43, 64, 66, 500, 501].map(Duration::from_millis);
        for (n, at) in times.into_iter().enumerate() {
            let then = times.get(n + 1).copied();
            let early = at.saturating_sub(clock.now()) / 2;
            let _ = tokio::time::timeout(early, alarm.ring(at, then)).await;
            alarm.ring(at, then).await;
            let late = clock.now().checked_sub(at).expect("not before");
            assert!(late <= Duration::from_millis(1), "{late:?} after {at:?}");
        }
    }
}
