//! From a description to a pipeline, on the one media clock.

use std::sync::{Arc, OnceLock};

use gstreamer::{self as gst, prelude::*};

use super::{
    bus::one_line,
    error::{CaptureError, debian_package},
    pipeline::PipelineDescription,
};

/// The one clock of all captures of this process: the system's monotonic clock, counted from the
/// first start. So a capture that takes another one's place goes on where that one was, and no time
/// goes back in a stream that both feed. A sound card is never the clock, because one that stops
/// would stop the picture.
#[derive(Debug, Clone)]
pub(super) struct MediaClock {
    clock: gst::Clock,
    base: gst::ClockTime,
}

impl MediaClock {
    /// Media time starts at one second, so that what an encoder puts before the first sample has a
    /// time too.
    pub(super) fn start() -> MediaClock {
        static BASE: OnceLock<gst::ClockTime> = OnceLock::new();
        let clock = gst::SystemClock::obtain();
        let base = *BASE.get_or_init(|| clock.time().saturating_sub(gst::ClockTime::SECOND));
        MediaClock { clock, base }
    }

    /// Media time now, in nanoseconds.
    pub(super) fn now_ns(&self) -> u64 {
        self.clock.time().saturating_sub(self.base).nseconds()
    }

    /// Puts a pipeline on this clock, so that its running time is media time.
    pub(super) fn drive(&self, pipeline: &gst::Pipeline) {
        pipeline.use_clock(Some(&self.clock));
        pipeline.set_start_time(None::<gst::ClockTime>);
        pipeline.set_base_time(self.base);
    }
}

/// One second, in nanoseconds.
pub(super) const SECOND_NS: u64 = 1_000_000_000;

/// `value * numerator / denominator`, rounded, without an overflow in between: samples times
/// nanoseconds leave 64 bits after four days.
pub(super) fn scale(value: u64, numerator: u64, denominator: u64) -> u64 {
    let (numerator, denominator) = (u128::from(numerator), u128::from(denominator.max(1)));
    let scaled = (u128::from(value) * numerator + denominator / 2) / denominator;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// A pipeline that is taken down when the last owner lets go.
#[derive(Debug, Clone)]
pub(super) struct Running(Arc<Inner>);

#[derive(Debug)]
struct Inner(gst::Pipeline);

impl Drop for Inner {
    fn drop(&mut self) {
        // Going to NULL has no failure that could be answered.
        let _ = self.0.set_state(gst::State::Null);
        if let Some(bus) = self.0.bus() {
            bus.unset_sync_handler();
        }
    }
}

impl Running {
    /// Builds a pipeline; it does not run yet.
    pub(super) fn build(description: &PipelineDescription) -> Result<Running, CaptureError> {
        gst::init().map_err(|error| CaptureError::Gstreamer(one_line(&error.to_string())))?;
        if let Some(element) =
            description.elements().find(|element| gst::ElementFactory::find(element).is_none())
        {
            let (element, package) = (element.to_owned(), debian_package(element));
            return Err(CaptureError::MissingPlugin { element, package });
        }
        let element = gst::parse::launch(&description.to_string())
            .map_err(|error| CaptureError::Gstreamer(one_line(error.message())))?;
        // A description of one chain with one element would be that element alone.
        let pipeline = element
            .downcast::<gst::Pipeline>()
            .map_err(|_| CaptureError::Gstreamer("the description is not a pipeline".to_owned()))?;
        Ok(Running(Arc::new(Inner(pipeline))))
    }

    /// Stops it and frees its devices, even while others still own it.
    pub(super) fn shut_down(&self) {
        let _ = self.pipeline().set_state(gst::State::Null);
    }

    pub(super) fn pipeline(&self) -> &gst::Pipeline {
        &self.0.0
    }

    /// An element of the pipeline, by its name.
    pub(super) fn element<E: IsA<gst::Element>>(&self, name: &str) -> Result<E, CaptureError> {
        self.optional_element(name)
            .ok_or_else(|| CaptureError::Gstreamer(format!("the pipeline has no {name}")))
    }

    /// The same for an element that need not be there.
    pub(super) fn optional_element<E: IsA<gst::Element>>(&self, name: &str) -> Option<E> {
        self.pipeline().by_name(name)?.downcast().ok()
    }

    /// Starts it. An element that refuses says why on the bus.
    pub(super) fn play(&self) -> Result<(), CaptureError> {
        match self.pipeline().set_state(gst::State::Playing) {
            Ok(_) => Ok(()),
            Err(_) => Err(CaptureError::Gstreamer("an element does not start".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_time_goes_on_from_one_capture_to_the_next() {
        gst::init().expect("GStreamer");
        let first = MediaClock::start();
        let at_ns = first.now_ns();
        assert!(at_ns >= SECOND_NS, "what an encoder puts before the first sample has a time");
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(MediaClock::start().now_ns() >= at_ns + 20_000_000);
    }

    #[test]
    fn a_step_of_the_time_of_day_is_no_step_of_media_time() {
        gst::init().expect("GStreamer");
        let kind: gst::ClockType = MediaClock::start().clock.property("clock-type");
        assert_eq!(kind, gst::ClockType::Monotonic);
    }

    #[test]
    fn times_hold_for_years_and_return_to_the_same_sample() {
        let year_ns = 365 * 86_400 * SECOND_NS;
        for ns in [0, 1_000, year_ns / 100, year_ns * 10] {
            let sample = scale(ns, 48_000, SECOND_NS);
            let back = scale(sample, SECOND_NS, 48_000);
            assert!(back.abs_diff(ns) <= SECOND_NS / 48_000);
            assert_eq!(scale(back, 48_000, SECOND_NS), sample);
        }
        assert_eq!(scale(u64::MAX, 2, 1), u64::MAX);
        assert_eq!(scale(1, 1, 0), 1);
    }
}
