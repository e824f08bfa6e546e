//! The machine itself: read when it is due, and its warnings in the log, the black box and at the light.

use std::time::Duration;

use super::Control;
use crate::appliance::Event as Happening;
use crate::control::action::{Action, Level};
use crate::control::stats::CaptureCounters;
use crate::health::Readings;
use crate::status::Change;

impl Control {
    pub(super) fn health_timeout(&mut self, now: Duration) {
        if self.health.handle_timeout(now) {
            self.act(Action::ReadHealth);
        }
    }

    pub(super) fn health_read(&mut self, now: Duration, readings: Readings) {
        self.health.read(now, readings, self.capture.is_on_air());
    }

    pub(super) fn encoder_counted(&mut self, now: Duration, capture: &CaptureCounters) {
        let CaptureCounters { video_frames, frames_skipped, restarts, .. } = *capture;
        self.health.counted(now, video_frames, frames_skipped, restarts);
    }

    /// What of it has changed is reported, and shown by the light.
    pub(super) fn health_settles(&mut self, now: Duration) {
        if !self.capture.is_on_air() {
            self.health.encoder_stopped();
        }
        let mut has_changed = false;
        while let Some(change) = self.health.poll_change() {
            has_changed = true;
            let begun = matches!(change, Change::Warning { begun: true, .. });
            self.report_at(now, if begun { Level::Warn } else { Level::Info }, change);
        }
        if has_changed {
            self.tell(now, Happening::Warning(self.health.concerns_the_broadcast()));
        }
    }
}
