//! Capture: when devices are opened and closed, with which settings, at which bitrate.

use std::time::Duration;

use super::Control;
use crate::appliance::{
    Event as Happening, PipelineEvent, PipelineFault, PipelineOrder, Presence, Source,
};
use crate::config::Settings;
use crate::control::action::{Action, Level};
use crate::control::capture::User;
use crate::control::capture_slot::Act;
use crate::control::event::{CaptureEvent, SourceLook};
use crate::limits::{REPROBE_INTERVAL, STATS_INTERVAL};
use crate::status::{Change, DueTo, Mode};

impl Control {
    pub(super) fn order_pipeline(&mut self, now: Duration, order: PipelineOrder) {
        match order {
            PipelineOrder::Start { run } => self.start_broadcast(now, run),
            PipelineOrder::Stop => {
                self.capture.user = None;
                if self.capture.exchanges.is_under_way() {
                    // The one that is set was not lost: it was not open yet.
                    let all = [Source::Camera, Source::Microphone];
                    let unknown = all.map(|it| Happening::Source(it, Presence::ToBeTried));
                    self.capture.ended.extend(unknown);
                    self.capture.exchanges.is_new = true;
                }
                self.capture.next_look = now;
                let act = self.capture.slot.stop(now);
                self.use_devices(now, [act]);
            }
            PipelineOrder::Restart { run } => {
                let run = self.capture.new_run(Some(run));
                let stop = self.capture.slot.stop(now);
                let start = self.capture.slot.start(now, run);
                self.use_devices(now, [stop, start]);
            }
        }
    }

    /// What is in standby goes on air as it is. Where the settings want another capture, that one is
    /// opened, as without standby.
    fn start_broadcast(&mut self, now: Duration, broadcast: u64) {
        self.act(Action::BeginBroadcast);
        self.capture.standby.forget_questions();
        let was_standby = self.capture.user.replace(User::Broadcast).is_some();
        let is_as_wanted = self.capture.is_as_wanted();
        self.capture.in_use = self.capture.wanted.clone();
        if let Some(run) = self.capture.slot.current().filter(|_| was_standby && is_as_wanted) {
            self.capture.is_for(run, broadcast);
            if self.capture.is_on() {
                self.go_on_air(now, run);
            }
            return;
        }
        let stop = self.capture.slot.stop(now);
        let run = self.capture.new_run(Some(broadcast));
        let start = self.capture.slot.start(now, run);
        self.use_devices(now, [stop, start]);
    }

    /// The devices deliver for a broadcast from now on.
    fn go_on_air(&mut self, now: Duration, run: u64) {
        if std::mem::take(&mut self.capture.in_standby) {
            let settings = self.capture.in_use.clone();
            let video_kbps = self.video_kbps(&settings);
            self.capture.bitrate_kbps = video_kbps;
            self.act(Action::GoOnAir { run, settings, video_kbps });
        }
        self.rates.begin(now);
        self.health.encoder_started(now);
        self.next_count = now + STATS_INTERVAL;
        // It began with the bitrate of the broadcast's begin.
        self.steer_encoder();
    }

    pub(super) fn use_devices(
        &mut self,
        now: Duration,
        acts: impl IntoIterator<Item = Option<Act>>,
    ) {
        for act in acts.into_iter().flatten() {
            match act {
                Act::Open { run } => {
                    self.capture.drivers.asked(now);
                    let settings = self.capture.in_use.clone();
                    let video_kbps = self.video_kbps(&settings);
                    self.capture.bitrate_kbps = video_kbps;
                    self.capture.exchanges.begin();
                    let standby = self.capture.broadcast_of(run).is_none();
                    self.capture.in_standby = standby;
                    // What was set since the broadcast's begin, such as silence, is so from the start.
                    let audio = self.in_force.settings.audio.adjustments();
                    self.capture.audio = audio;
                    let framing = self.in_force.settings.video.framing();
                    self.capture.framing = framing;
                    let open =
                        Action::OpenCapture { run, settings, video_kbps, audio, framing, standby };
                    self.act(open);
                }
                Act::Close { run } => {
                    self.capture.drivers.asked(now);
                    self.act(Action::CloseCapture { run });
                }
                Act::Ended { run } => {
                    let ended = self
                        .capture
                        .end_of(run)
                        .map(|run| Happening::Pipeline { run, what: PipelineEvent::Ended });
                    self.capture.ended.extend(ended);
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
        match (failure, self.capture.broadcast_of(run)) {
            (Some((fault, message)), Some(run)) => {
                self.note_end("capture", &message, DueTo::Device);
                let what = PipelineEvent::Error { fault, message };
                self.tell(now, Happening::Pipeline { run, what });
            }
            (Some((fault, message)), None) if self.capture.is_standby(run) => {
                self.standby_failed(now, fault, &message);
            }
            _ => {}
        }
        if is_open {
            self.restore_controls();
        }
        let acts = self.capture.slot.opened(now, run, is_open);
        self.use_devices(now, acts);
        self.drain_ended(now);
        match self.capture.user.filter(|_| self.capture.is_on()) {
            Some(User::Broadcast) => {
                self.go_on_air(now, run);
                if !self.exchange_sources() {
                    self.sources_opened(now, None);
                }
            }
            Some(User::Standby) => self.standby_opened(now),
            None => {}
        }
        self.adjust_capture();
    }

    /// What the settings want to be done to audio and video of a running capture is done.
    pub(super) fn adjust_capture(&mut self) {
        let audio = self.in_force.settings.audio.adjustments();
        if self.capture.set_audio(audio) {
            self.act(Action::AdjustAudio(audio));
        }
        let framing = self.in_force.settings.video.framing();
        if self.capture.set_framing(framing) {
            self.act(Action::SetFraming(framing));
        }
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
    }

    /// A source that was lost is opened next, or another one: whether that is there shows then.
    pub(super) fn forget_what_is_gone(&mut self, now: Duration) {
        for source in [Source::Camera, Source::Microphone] {
            self.tell(now, Happening::Source(source, Presence::ToBeTried));
        }
    }

    pub(super) fn look_if_due(&mut self, now: Duration) {
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
            CaptureEvent::Pipeline(what) => match (self.capture.broadcast_of(run), what) {
                (Some(run), what) => {
                    if let PipelineEvent::Error { message, .. } = &what {
                        self.note_end("encoder", message, DueTo::Device);
                    }
                    self.tell(now, Happening::Pipeline { run, what });
                }
                (None, PipelineEvent::Error { fault, message }) if self.capture.is_standby(run) => {
                    self.standby_failed(now, fault, &message);
                }
                (None, _) => {}
            },
            CaptureEvent::Source(source, presence) => {
                if presence == Presence::Back {
                    self.restore_controls();
                }
                self.tell(now, Happening::Source(source, presence));
            }
            CaptureEvent::LeftOut(message) => {
                self.report_at(now, Level::Warn, Change::Note { message });
            }
            CaptureEvent::Exchange { number, source, outcome } => {
                self.exchanged(now, number, source, &outcome);
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
        self.sources_looked_for(now, &look);
        if !self.capture.is_off() {
            return;
        }
        self.capture.missing = look.missing;
        let lacked = self.appliance.lacks_source().is_some();
        if std::mem::take(&mut self.capture.exchanges.is_new) {
            let facts = self.appliance.status(now).facts;
            let all = [(Source::Camera, facts.camera), (Source::Microphone, facts.microphone)];
            // Of one that is set now nothing is known but what this look shows.
            for (source, _) in all.into_iter().filter(|(_, is_there)| !is_there) {
                self.tell(now, Happening::Source(source, Presence::Lost));
            }
        }
        self.tell(now, Happening::Source(Source::Camera, look.camera.presence));
        self.tell(now, Happening::Source(Source::Microphone, look.microphone.presence));
        if lacked && self.appliance.lacks_source().is_none() {
            self.restore_controls();
            // It is another device, or has been plugged in again.
            self.capture.standby.forget_failure();
        }
        if self.appliance.mode() == Mode::Booting {
            self.tell(now, Happening::Booted);
        }
    }
}
