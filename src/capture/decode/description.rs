//! A JPEG decoder as a part of a pipeline.

use super::decoders::JpegDecoderSpec;
use crate::{capture::gst::description::Chain, limits::CAPTURE_VIDEO_HELD_MAX};

/// Name of a source's decoder.
pub const DECODER: &str = "decoder";
/// Name of the queue in front of the decoder of a device.
pub const DECODER_QUEUE: &str = "decoder_queue";

/// Adds a decoder to a chain that ends in JPEGs. That of a device has a thread of its own, so that
/// one that hangs holds up neither the camera nor the release of the camera.
pub fn jpeg_chain(chain: Chain, decoder: &JpegDecoderSpec) -> Chain {
    let holds_ns = CAPTURE_VIDEO_HELD_MAX.as_nanos().to_string();
    let queue = [
        ("name", DECODER_QUEUE),
        ("leaky", "downstream"),
        ("max-size-time", &holds_ns),
        ("max-size-bytes", "0"),
        ("max-size-buffers", "0"),
    ];
    let chain = if decoder.software { chain } else { chain.element("queue", &queue) };
    let chain = match decoder.parser {
        Some(parser) => chain.element(parser, &[]),
        None => chain,
    };
    let properties = [&[("name", DECODER)], decoder.properties].concat();
    let chain = chain.element(decoder.element, &properties);
    let chain = match decoder.caps {
        Some(caps) => chain.text(caps),
        None => chain,
    };
    match decoder.download {
        Some((element, caps)) => chain.element(element, &[]).text(caps),
        None => chain,
    }
}
