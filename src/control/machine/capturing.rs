//! Capture: when devices are opened and closed, with which settings, at which bitrate.

use std::time::Duration;

use super::Control;
use crate::appliance::{Event as Happening, PipelineEvent, PipelineFault, PipelineOrder, Source};
use crate::config::Settings;
use crate::control::action::{Action, Level};
use crate::control::capture_slot::Act;
use crate::control::event::{CaptureEvent, SourceLook};
use crate::limits::{REPROBE_INTERVAL, STATS_INTERVAL};
use crate::status::{Change, DueTo, Mode};

impl Control {
    pub(super) fn order_pipeline(&mut self, now: Duration, order: PipelineOrder) {
        match order {
            PipelineOrder::Start { run } => {
                self.capture.on_air = self.capture.wanted.clone();
                self.act(Action::BeginBroadcast);
                let act = self.capture.slot.start(now, run);
                self.use_devices(now, [act]);
            }
            PipelineOrder::Stop => {
                let act = self.capture.slot.stop(now);
                self.use_devices(now, [act]);
            }
            PipelineOrder::Restart { run } => {
                let stop = self.capture.slot.stop(now);
                let start = self.capture.slot.start(now, run);
                self.use_devices(now, [stop, start]);
            }
        }
    }

    fn use_devices(&mut self, now: Duration, acts: impl IntoIterator<Item = Option<Act>>) {
        for act in acts.into_iter().flatten() {
            match act {
                Act::Open { run } => {
                    self.capture.drivers.asked(now);
                    let settings = self.capture.on_air.clone();
                    let video_kbps = self.video_kbps(&settings);
                    self.capture.bitrate_kbps = video_kbps;
                    self.act(Action::OpenCapture { run, settings, video_kbps });
                }
                Act::Close { run } => {
                    self.capture.drivers.asked(now);
                    self.act(Action::CloseCapture { run });
                }
                Act::Ended { run } => {
                    let ended = Happening::Pipeline { run, what: PipelineEvent::Ended };
                    self.capture.ended.push_back(ended);
                }
            }
        }
    }

    /// The highest bitrate of the video with these settings, in kbit/s.
    pub(super) fn video_kbps(&self, settings: &Settings) -> u32 {
        let board = &self.setup.board;
        settings.video.bitrate_kbps.unwrap_or(board.bitrate_kbps).min(board.bitrate_max_kbps)
    }

    pub(super) fn capture_opened(
        &mut self,
        now: Duration,
        run: u64,
        failure: Option<(PipelineFault, String)>,
    ) {
        self.capture.drivers.answered(now);
        let is_open = failure.is_none();
        if let Some((fault, message)) = failure {
            self.note_end("capture", &message, DueTo::Device);
            let what = PipelineEvent::Error { fault, message };
            self.tell(now, Happening::Pipeline { run, what });
        }
        let acts = self.capture.slot.opened(now, run, is_open);
        self.use_devices(now, acts);
        self.drain_ended(now);
        if self.capture.is_on() {
            self.rates.begin(now);
            self.next_count = now + STATS_INTERVAL;
        }
        // It began with the bitrate of the broadcast's begin.
        self.steer_encoder();
    }

    pub(super) fn capture_closed(&mut self, now: Duration, run: u64) {
        self.capture.drivers.answered(now);
        let acts = self.capture.slot.closed(now, run);
        self.use_devices(now, acts);
        self.drain_ended(now);
    }

    pub(super) fn capture_timeout(&mut self, now: Duration) {
        let act = self.capture.slot.go_on(now);
        self.use_devices(now, [act]);
        self.drain_ended(now);
        if self.capture.is_off() && now >= self.capture.next_look {
            self.look_for_sources(now);
        }
    }

    fn drain_ended(&mut self, now: Duration) {
        while let Some(ended) = self.capture.poll_ended() {
            self.tell(now, ended);
        }
    }

    pub(super) fn capture_reports(&mut self, now: Duration, run: u64, what: CaptureEvent) {
        match what {
            CaptureEvent::Pipeline(what) => {
                if let PipelineEvent::Error { message, .. } = &what {
                    self.note_end("encoder", message, DueTo::Device);
                }
                self.tell(now, Happening::Pipeline { run, what });
            }
            CaptureEvent::Source(source, presence) => {
                self.tell(now, Happening::Source(source, presence));
            }
            CaptureEvent::LeftOut(message) => {
                self.report_at(now, Level::Warn, Change::Note { message });
            }
            CaptureEvent::SourceFailed(message) => self.log(Level::Warn, message),
        }
    }

    /// Whether camera and microphone are there. A running capture knows better and reports it itself.
    pub(super) fn look_for_sources(&mut self, now: Duration) {
        self.capture.next_look = now + REPROBE_INTERVAL;
        self.act(Action::LookForSources(self.capture.wanted.clone()));
    }

    pub(super) fn sources_found(&mut self, now: Duration, look: SourceLook) {
        if !self.capture.is_off() {
            return;
        }
        self.capture.missing = look.missing;
        self.tell(now, Happening::Source(Source::Camera, look.camera));
        self.tell(now, Happening::Source(Source::Microphone, look.microphone));
        if self.appliance.mode() == Mode::Booting {
            self.tell(now, Happening::Booted);
        }
    }
}
