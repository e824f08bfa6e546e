//! Whether camera and microphone are held while the box is not on air: while somebody watches the
//! levels, for a while after a question, or always where the owner wants that.
//!
//! It takes what was asked and how opening went, and says whether the devices are to be held.

use std::time::Duration;

use crate::ending::doubled;
use crate::limits::{
    CAPTURE_REOPEN_INTERVAL, FAULT_WAIT_MAX, PIPELINE_FAILURE_FORGOTTEN_AFTER, STANDBY_FOR,
};

/// What is wanted of a box that is not on air.
#[derive(Debug, Default)]
pub(super) struct Standby {
    /// The owner wants the devices held in any case.
    pub always: bool,
    /// Somebody is shown the levels all the time.
    watched: bool,
    /// Until when they are held because somebody has asked.
    asked_until: Option<Duration>,
    /// Why they could not be opened last, or failed, if they have not been opened since; and the last
    /// such reason that was new.
    failure: Option<String>,
    reported: Option<String>,
    failures_in_a_row: u32,
    /// Not tried again before.
    retry_at: Duration,
    opened_at: Option<Duration>,
}

impl Standby {
    /// Somebody has asked something that needs the devices.
    pub fn asked(&mut self, now: Duration) {
        self.asked_until = Some(now + STANDBY_FOR);
    }

    /// Somebody is shown the levels all the time, or nobody is. The last of them has asked until then.
    pub fn watch(&mut self, now: Duration, watched: bool) {
        if std::mem::replace(&mut self.watched, watched) && !watched {
            self.asked(now);
        }
    }

    /// Whether somebody is shown the levels all the time.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// Whether the devices are to be held.
    pub fn is_wanted(&self, now: Duration) -> bool {
        self.is_wanted_in_any_case() || self.asked_until.is_some_and(|until| now < until)
    }

    /// Whether they are to be held without a question.
    pub fn is_wanted_in_any_case(&self) -> bool {
        self.always || self.watched
    }

    /// Whether opening them has to wait, and why: because it has just failed.
    pub fn obstacle(&self, now: Duration) -> Option<&str> {
        self.failure().filter(|_| now < self.retry_at)
    }

    /// They deliver.
    pub fn opened(&mut self, now: Duration) {
        (self.failure, self.opened_at) = (None, Some(now));
    }

    /// They could not be opened, or failed. Questions are answered by that; the devices are opened again
    /// by themselves only where they are wanted in any case, each time after a longer wait. Whether the
    /// reason is another one than before.
    pub fn failed(&mut self, now: Duration, why: String) -> bool {
        let worked_for = self.opened_at.take().map(|at| now.saturating_sub(at));
        if worked_for.is_some_and(|long| long >= PIPELINE_FAILURE_FORGOTTEN_AFTER) {
            self.forget_failure();
        }
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let wait = doubled(CAPTURE_REOPEN_INTERVAL, self.failures_in_a_row, FAULT_WAIT_MAX);
        let is_new = self.reported.as_ref() != Some(&why);
        self.reported = Some(why.clone());
        (self.failure, self.retry_at) = (Some(why), now + wait);
        self.asked_until = None;
        is_new
    }

    /// What failed may work now: it is another device, or other settings are in force.
    pub fn forget_failure(&mut self) {
        (self.failure, self.reported, self.failures_in_a_row) = (None, None, 0);
    }

    /// Why they could not be opened last, if they have not been opened since.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// A broadcast begins, or all is forgotten: no earlier question holds the devices after that.
    pub fn forget_questions(&mut self) {
        self.asked_until = None;
    }

    /// When devices that are held are let go.
    pub fn release_at(&self) -> Option<Duration> {
        self.asked_until.filter(|_| !self.is_wanted_in_any_case())
    }

    /// When devices that are wanted in any case are tried again.
    pub fn retry_at(&self) -> Option<Duration> {
        (self.is_wanted_in_any_case() && self.failure.is_some()).then_some(self.retry_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn after(seconds: u64) -> Duration {
        NOW + Duration::from_secs(seconds)
    }

    #[test]
    fn the_devices_are_let_go_30_s_after_the_last_question() {
        let mut standby = Standby::default();
        assert!(!standby.is_wanted(NOW));
        standby.asked(NOW);
        standby.asked(after(20));
        assert_eq!(standby.release_at(), Some(after(50)));
        assert!(standby.is_wanted(after(49)) && !standby.is_wanted(after(50)));
    }

    #[test]
    fn devices_that_are_wanted_in_any_case_are_never_let_go() {
        for standby in [
            Standby { always: true, ..Standby::default() },
            Standby { watched: true, ..Standby::default() },
        ] {
            let mut standby = standby;
            standby.asked(NOW);
            assert!(standby.is_wanted(after(1_000_000)));
            assert_eq!(standby.release_at(), None);
        }
    }

    #[test]
    fn devices_that_cannot_be_opened_are_tried_at_ever_longer_intervals() {
        let mut standby = Standby { always: true, ..Standby::default() };
        let mut waits = Vec::new();
        for _ in 0..9 {
            let is_new = standby.failed(NOW, "no permission".to_owned());
            assert_eq!(is_new, waits.is_empty(), "it is reported once");
            let retry_at = standby.retry_at().expect("it failed");
            assert_eq!(standby.obstacle(NOW), Some("no permission"));
            assert_eq!(standby.obstacle(retry_at), None);
            waits.push((retry_at - NOW).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        // One that is opened and fails at once again does not begin from the start.
        standby.opened(NOW);
        assert_eq!((standby.obstacle(NOW), standby.failure()), (None, None));
        standby.failed(after(1), "no permission".to_owned());
        assert_eq!(standby.retry_at(), Some(after(61)));
        standby.opened(after(100));
        standby.failed(after(1_000), "unplugged".to_owned());
        assert_eq!(standby.retry_at(), Some(after(1_001)), "it had worked");
        standby.forget_failure();
        assert_eq!((standby.obstacle(after(1_000)), standby.failure()), (None, None));
    }

    #[test]
    fn a_question_that_found_no_device_is_answered_and_tries_no_more() {
        let mut standby = Standby::default();
        standby.asked(NOW);
        standby.failed(NOW, "busy".to_owned());
        assert!(!standby.is_wanted(after(1)));
        assert_eq!(standby.failure(), Some("busy"));
    }
}
