//! Trying an encoder, a decoder or a converter: it is opened and given the same frame or block again and again,
//! until something comes out.

use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer_app as gst_app;

use super::{
    build::Running,
    bus::{self, BusEvent, Failure},
    clock::MediaClock,
    description::PipelineDescription,
};
use crate::{
    capture::{error::CaptureError, threads::Bounded},
    limits::{CAPTURE_FRAMES_WAITING_MAX, CAPTURE_PROBE_TIMEOUT},
};

/// How often the output is polled.
const POLL: Duration = Duration::from_millis(10);

/// What is tried, and with what.
#[derive(Debug)]
pub struct Trial {
    pub description: PipelineDescription,
    /// Name of its appsrc, and of its appsink.
    pub input: &'static str,
    pub output: &'static str,
    pub content: gst::Buffer,
    /// The duration of the content.
    pub interval: gst::ClockTime,
}

/// Why what was tried does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// It fails, or does not do what it is for.
    #[error("{0}")]
    Fails(String),
    /// It took longer than it had; its device may be in use from then on.
    #[error("its driver does not respond")]
    Hangs,
}

impl Trial {
    /// Tries it for so long, on a thread of its own because a driver may hang; `check` judges the first
    /// output.
    pub fn run(
        self,
        at_most: Duration,
        check: impl FnOnce(&gst::Sample) -> Result<(), String> + Send + 'static,
    ) -> Result<(), TrialError> {
        let work = move || self.outputs(1).and_then(|(sample, _)| check(&sample));
        let trial = Bounded::start("capture-probe", at_most, work)
            .map_err(|error| TrialError::Fails(error.to_string()))?;
        trial.wait().ok_or(TrialError::Hangs)?.map_err(TrialError::Fails)
    }

    /// The time from one output to the next, at most so many after the first; the least counts, because
    /// then nothing else wanted the processor.
    pub fn time_an_output(self, at_most: Duration, outputs: u32) -> Option<Duration> {
        let work = move || self.outputs(1 + outputs);
        let trial = Bounded::start("capture-probe", at_most, work).ok()?;
        trial.wait()?.ok().map(|(_, time)| time)
    }

    /// The first output, and the least time from one to the next.
    fn outputs(&self, count: u32) -> Result<(gst::Sample, Duration), String> {
        let running = Running::build(&self.description).map_err(|error| match error {
            CaptureError::Gstreamer(why) => why,
            other => other.to_string(),
        })?;
        let source: gst_app::AppSrc =
            running.element(self.input).map_err(|error| error.to_string())?;
        let sink: gst_app::AppSink =
            running.element(self.output).map_err(|error| error.to_string())?;
        MediaClock::start().drive(running.pipeline());
        let failure = Failure::default();
        let noted = failure.clone();
        bus::listen(running.pipeline(), move |event| {
            if let BusEvent::Error { message } = event {
                noted.note(message);
            }
        });
        running.play().map_err(|error| failure.message().unwrap_or_else(|| error.to_string()))?;

        let deadline = Instant::now() + CAPTURE_PROBE_TIMEOUT;
        let waiting_max = CAPTURE_FRAMES_WAITING_MAX * self.content.size() as u64;
        let mut at = gst::ClockTime::ZERO;
        let mut first: Option<gst::Sample> = None;
        let (mut came, mut last, mut least) = (0, Instant::now(), Duration::MAX);
        while Instant::now() < deadline {
            if source.current_level_bytes() < waiting_max {
                let mut buffer = self.content.copy();
                let times = buffer.make_mut();
                times.set_pts(at);
                times.set_duration(self.interval);
                at += self.interval;
                let _ = source.push_buffer(buffer);
            }
            let poll = gst::ClockTime::from_nseconds(POLL.as_nanos() as u64);
            if let Some(sample) = sink.try_pull_sample(poll) {
                if came > 0 {
                    least = least.min(last.elapsed());
                }
                (came, last) = (came + 1, Instant::now());
                let first = first.get_or_insert(sample);
                if came == count {
                    return Ok((first.clone(), least));
                }
            }
            if let Some(message) = failure.message() {
                return Err(message);
            }
        }
        Err(format!("nothing came out within {} s", CAPTURE_PROBE_TIMEOUT.as_secs()))
    }
}
