//! Which JPEG decoder is used.

use super::{decoders::JpegDecoderSpec, probe::probe_jpeg};
use crate::{
    capture::{
        choice::{Choice, DeviceElement, known},
        encode::KnownBug,
        request::VideoSettings,
    },
    limits::CAPTURE_PROBE_TIMEOUT,
};

/// The JPEG decoders of a capture. Those of devices are tried while the encoders are.
pub type JpegDecoders = Choice<JpegDecoderSpec>;

impl DeviceElement for JpegDecoderSpec {
    const KIND: &'static str = "JPEG decoder";

    fn software() -> &'static JpegDecoderSpec {
        super::decoders::software()
    }

    fn named(element: &str) -> Option<&'static JpegDecoderSpec> {
        super::decoders::jpeg(element)
    }

    fn element(&self) -> &'static str {
        self.element
    }

    fn is_software(&self) -> bool {
        self.software
    }

    fn known_bugs(&self) -> &'static [KnownBug] {
        self.known_bugs
    }
}

impl Choice<JpegDecoderSpec> {
    /// Those of an order, best first. With `needed`, because a camera may deliver JPEGs, those of
    /// devices are tried from now on.
    pub fn of(order: &[String], video: &VideoSettings, needed: bool) -> JpegDecoders {
        let video = video.clone();
        let attempt = move |decoder| probe_jpeg(decoder, &video);
        Choice::tried_by(known(order), needed, CAPTURE_PROBE_TIMEOUT, attempt)
    }

    /// The decoder for a source. One without JPEGs waits for no verdict.
    pub fn current_for(&self, is_jpeg: bool) -> &'static JpegDecoderSpec {
        if is_jpeg { self.current() } else { super::decoders::software() }
    }
}
