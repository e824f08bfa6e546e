//! The monotonic clock of the process, handed to pure rooms as `now`.
//!
//! Shell room. Built on tokio's clock, so that a test that pauses time pauses the whole house.

use std::time::Duration;

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

    /// Waits until the clock reads `deadline`; for ever when there is none.
    pub async fn reach(&self, deadline: Option<Duration>) {
        match deadline {
            Some(at) => tokio::time::sleep_until(self.zero + at).await,
            None => std::future::pending().await,
        }
    }
}
