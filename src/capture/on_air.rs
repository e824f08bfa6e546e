//! From when on what is captured is sent. Before that the encoders get nothing, so that nothing of
//! it can ever leave the box.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// In standby: nothing is sent.
const STANDBY: u64 = u64::MAX;

/// From which media time on what is captured is sent.
#[derive(Debug, Clone)]
pub(super) struct OnAir(Arc<AtomicU64>);

impl OnAir {
    /// Everything is sent.
    pub(super) fn from_the_start() -> OnAir {
        OnAir(Arc::new(AtomicU64::new(0)))
    }

    /// Nothing is sent before [`OnAir::begin`].
    pub(super) fn in_standby() -> OnAir {
        OnAir(Arc::new(AtomicU64::new(STANDBY)))
    }

    /// What is captured from now on is sent. Only the first time counts.
    pub(super) fn begin(&self, now_ns: u64) {
        let _ = self.0.compare_exchange(STANDBY, now_ns, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether anything is sent.
    pub(super) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed) != STANDBY
    }

    /// Whether what was captured at that media time is sent.
    pub(super) fn takes(&self, captured_ns: u64) -> bool {
        let from_ns = self.0.load(Ordering::Relaxed);
        from_ns != STANDBY && captured_ns >= from_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_captured_before_the_capture_went_on_air_is_never_sent() {
        let on_air = OnAir::in_standby();
        assert!(!on_air.takes(0) && !on_air.takes(u64::MAX) && !on_air.has_begun());
        on_air.begin(70);
        on_air.begin(30);
        assert!(!on_air.takes(69) && on_air.takes(70) && on_air.has_begun());
        assert!(OnAir::from_the_start().takes(0));
    }
}
