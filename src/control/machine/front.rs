//! What a display at the front shows, and what became of a stick.

use std::time::Duration;

use super::Control;
use crate::control::action::Level;
use crate::display::{Around, Front};
use crate::panel::{Fault, Indication};
use crate::status::{Change, Mode, Status, StickImport};

impl Control {
    /// What a display at the front shows from `now` on. Until something changes that is to be noticed,
    /// it is the same.
    pub fn front(&mut self, now: Duration) -> Front {
        let status = self.status(now);
        self.live_since = self.live_since(now, &status);
        let (indication, moment) = self.blinker.indications();
        let settings = &self.in_force.settings;
        let missing = match indication {
            Indication::Fault(Fault::Camera) => self.capture.missing.camera.as_deref(),
            Indication::Fault(Fault::Microphone) => self.capture.missing.microphone.as_deref(),
            _ => None,
        };
        let audio_kbps = settings.audio.bitrate_kbps.unwrap_or(self.setup.board.audio_kbps);
        let around = Around {
            name: &settings.name,
            interfaces: &self.network.interfaces,
            indication,
            moment,
            missing,
            live_since: self.live_since,
            full_kbps: self.video_kbps(settings).saturating_add(audio_kbps),
        };
        Front::of(&status, &around)
    }

    /// Shows in words what became of a stick: its result file may not have been written.
    pub(super) fn report_stick(&mut self, now: Duration, stick: StickImport, words: &str) {
        let (level, what) = match stick {
            StickImport::Working => (Level::Info, "is being read"),
            StickImport::Accepted => (Level::Info, "accepted"),
            StickImport::Refused => (Level::Warn, "refused"),
        };
        let message = format!("USB stick {what}: {words}");
        self.report_at(now, level, Change::Note { message });
    }

    /// The time on air goes on while no destination accepts the stream.
    fn live_since(&self, now: Duration, status: &Status) -> Option<Duration> {
        let accepted = status.destinations.iter().filter_map(|of| of.live_for_ms).max();
        match status.mode {
            Mode::Live => self
                .live_since
                .or(Some(now.saturating_sub(Duration::from_millis(accepted.unwrap_or(0))))),
            Mode::Starting | Mode::Retrying => self.live_since,
            _ => None,
        }
    }
}
