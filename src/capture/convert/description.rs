//! A converter of a device as a part of a pipeline.

use super::{converters::ConverterSpec, work::Shape};
use crate::capture::gst::description::Chain;

/// Name of a source's converter.
pub const CONVERTER: &str = "converter";
/// Name of the element behind it, which says what is wanted of it.
pub const CONVERTED: &str = "converted";

/// Adds the converter of a device to a chain that ends in raw frames. It has a thread of its own, so
/// that one that hangs holds up neither the camera nor the release of the camera; the queue is called
/// `queue`. Behind it the camera's colours are asked for, at once or when they are known.
pub fn converter_chain(
    chain: Chain,
    queue: &str,
    converter: &ConverterSpec,
    to: Shape,
    colours: Option<&str>,
) -> Chain {
    let waiting = [
        ("name", queue),
        ("leaky", "downstream"),
        // Drivers have few frames, and what waits is late.
        ("max-size-buffers", "2"),
        ("max-size-time", "0"),
        ("max-size-bytes", "0"),
    ];
    let properties = [&[("name", CONVERTER)], converter.properties].concat();
    let chain = chain.element("queue", &waiting).element(converter.element, &properties);
    let chain = match converter.caps {
        Some(caps) => chain.text(caps),
        None => chain,
    };
    let chain = match converter.download {
        Some((element, caps)) => chain.element(element, &[]).text(caps),
        None => chain,
    };
    chain.element("capsfilter", &[("name", CONVERTED), ("caps", &wanted(to, colours))])
}

fn wanted(to: Shape, colours: Option<&str>) -> String {
    let Shape { layout, size: (width, height) } = to;
    let colours = colours.map(|colours| format!(", colorimetry=(string){colours}"));
    format!(
        "video/x-raw, format=(string){layout}, width=(int){width}, height=(int){height}, \
         pixel-aspect-ratio=(fraction)1/1{}",
        colours.unwrap_or_default()
    )
}
