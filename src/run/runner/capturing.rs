//! The capture: orders to it, and what it says.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::Runner;
use crate::appliance::{Event, PipelineEvent, PipelineFault, PipelineOrder, Presence};
use crate::capture::{self, Capture, CaptureError, CaptureEvent, Fault};
use crate::limits::DRIVER_HANGS;
use crate::run::slot::Act;
use crate::run::{Input, outcome};
use crate::status::{Change, DueTo};

/// Devices that are being opened or closed by their drivers.
#[derive(Debug, Default)]
pub(super) struct Drivers {
    at_work: u32,
    /// When one of them was last asked, or last answered.
    since: Duration,
}

impl Drivers {
    pub(super) fn asked(&mut self, now: Duration) {
        (self.at_work, self.since) = (self.at_work.saturating_add(1), now);
    }

    pub(super) fn answered(&mut self, now: Duration) {
        (self.at_work, self.since) = (self.at_work.saturating_sub(1), now);
    }

    pub(super) fn hang(&self, now: Duration) -> bool {
        self.at_work > 0 && now.saturating_sub(self.since) > DRIVER_HANGS
    }
}

impl Runner {
    pub(super) fn perform_pipeline(&mut self, order: PipelineOrder) {
        match order {
            PipelineOrder::Start { run } => {
                self.on_air = self.request.clone();
                self.fan_out.begin_anew();
                self.start_capture(run);
            }
            PipelineOrder::Stop => self.stop_capture(),
            PipelineOrder::Restart { run } => {
                self.stop_capture();
                self.start_capture(run);
            }
        }
    }

    fn start_capture(&mut self, run: u64) {
        let act = self.capture.start(self.clock.now(), run);
        self.carry_out([act]);
    }

    fn stop_capture(&mut self) {
        let act = self.capture.stop(self.clock.now());
        self.carry_out([act]);
    }

    pub(super) fn carry_out(&mut self, acts: impl IntoIterator<Item = Option<Act<Capture>>>) {
        for act in acts.into_iter().flatten() {
            match act {
                Act::Open { run } => self.open_capture(run),
                Act::Close { run, capture } => self.close_capture(run, capture),
                Act::Ended { run } => {
                    let ended = Event::Pipeline { run, what: PipelineEvent::Ended };
                    self.desk.later.push_back(ended);
                }
            }
        }
    }

    /// Opening devices takes time, so it happens on the blocking pool.
    fn open_capture(&mut self, run: u64) {
        self.drivers.asked(self.clock.now());
        let request = self.on_air.clone();
        let (fan_out, key_wanted) = (self.fan_out.clone(), self.key_wanted.clone());
        let sink: capture::FrameSink = Arc::new(move |frame| {
            if fan_out.publish(frame) {
                key_wanted.notify_one();
            }
        });
        let (inputs, news) = (self.inputs.clone(), self.news.clone());
        spawn_blocking(move || {
            let started = Capture::start(request, sink, move |event| news.tell(run, event));
            // Nobody listens any more when the box is ending.
            let _ = inputs.blocking_send(Input::CaptureStarted(run, started));
        });
    }

    /// Closing devices takes time, so it happens on the blocking pool.
    fn close_capture(&mut self, run: u64, capture: Capture) {
        self.drivers.asked(self.clock.now());
        let inputs = self.inputs.clone();
        spawn_blocking(move || {
            drop(capture);
            let _ = inputs.blocking_send(Input::CaptureStopped(run));
        });
    }

    pub(super) fn force_key_frame(&mut self) {
        if let Some(capture) = self.capture.running() {
            capture.force_key_frame();
        }
    }

    fn tell_pipeline(&mut self, run: u64, what: PipelineEvent) {
        self.tell(Event::Pipeline { run, what });
    }

    /// What the capture has told since it was last heard.
    pub(super) fn hear_capture(&mut self) {
        while let Some((run, event)) = self.news.next() {
            self.handle_capture(run, event);
        }
    }

    fn handle_capture(&mut self, run: u64, event: CaptureEvent) {
        match event {
            CaptureEvent::Playing => self.tell_pipeline(run, PipelineEvent::Playing),
            CaptureEvent::FirstKey => self.tell_pipeline(run, PipelineEvent::FirstKey),
            CaptureEvent::SourceLost(source) => {
                self.tell(Event::Source(outcome::source(source), Presence::Lost));
            }
            CaptureEvent::SourceBack(source) => {
                self.tell(Event::Source(outcome::source(source), Presence::Back));
            }
            CaptureEvent::LeftOut { message } => {
                self.announce(Change::Note { message });
            }
            // A lost source is reported as such; it ends nothing.
            CaptureEvent::Error { fault: Fault::Source(source), message } => {
                tracing::warn!(?source, message, "a source failed");
            }
            CaptureEvent::Error { fault: Fault::Encoder, message } => {
                self.note_end("encoder", &message, DueTo::Device);
                let fault = PipelineFault::Encoder;
                self.tell_pipeline(run, PipelineEvent::Error { fault, message });
            }
            CaptureEvent::Ended => self.tell_pipeline(run, PipelineEvent::Ended),
        }
    }

    pub(super) fn handle_started(&mut self, run: u64, started: Result<Capture, CaptureError>) {
        if let Err(error) = &started {
            self.note_end("capture", error, DueTo::Device);
            let fault = outcome::start_fault(error);
            self.tell_pipeline(run, PipelineEvent::Error { fault, message: error.to_string() });
        }
        let acts = self.capture.opened(self.clock.now(), run, started.ok());
        self.carry_out(acts);
        // It begins with the bitrate of the broadcast's begin.
        self.steer_encoder();
    }
}
