//! The media clock.

use std::sync::OnceLock;

use gstreamer::{self as gst, prelude::*};

/// The one clock of all captures of this process: the system's monotonic clock, counted from the
/// first start. So a capture that replaces another one continues its time, and no time goes back in
/// a stream that both deliver to. A sound card is never the clock, because one that stops would stop
/// the video.
#[derive(Debug, Clone)]
pub struct MediaClock {
    clock: gst::Clock,
    base: gst::ClockTime,
}

impl MediaClock {
    /// Media time starts at one second, because an encoder puts samples before the first one, and
    /// their times must not be negative.
    pub fn start() -> MediaClock {
        static BASE: OnceLock<gst::ClockTime> = OnceLock::new();
        let clock = gst::SystemClock::obtain();
        let base = *BASE.get_or_init(|| clock.time().saturating_sub(gst::ClockTime::SECOND));
        MediaClock { clock, base }
    }

    /// Media time now, in nanoseconds.
    pub fn now_ns(&self) -> u64 {
        self.clock.time().saturating_sub(self.base).nseconds()
    }

    /// Puts a pipeline on this clock, so that its running time is media time.
    pub fn drive(&self, pipeline: &gst::Pipeline) {
        pipeline.use_clock(Some(&self.clock));
        pipeline.set_start_time(None::<gst::ClockTime>);
        pipeline.set_base_time(self.base);
    }
}

/// One second, in nanoseconds.
pub const SECOND_NS: u64 = 1_000_000_000;

/// How long the test pattern flashes and the test tone beeps at each full second of media time, in
/// nanoseconds. One value, because a viewer compares the two.
pub const MARK_NS: u64 = 100_000_000;

/// `value * numerator / denominator`, rounded. Computed in 128 bits, because samples times
/// nanoseconds overflow 64 after four days.
pub fn scale(value: u64, numerator: u64, denominator: u64) -> u64 {
    let (numerator, denominator) = (u128::from(numerator), u128::from(denominator.max(1)));
    let scaled = (u128::from(value) * numerator + denominator / 2) / denominator;
    u64::try_from(scaled).unwrap_or(u64::MAX)
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
