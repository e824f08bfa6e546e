//! What goes into a source's JPEG decoder and comes out of it, which is counted.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use gstreamer::{self as gst, prelude::*};

use super::{
    description::{DECODER, VIDEO_HEAD},
    jpeg::{self, InDecoder},
    watched::{Place, sink},
};
use crate::capture::{decode::DECODER_QUEUE, gst::build::Running, stats::Counters};

/// Where the decoder is.
pub fn place_of_decoder(running: &Running) -> Place {
    Place { name: DECODER, entry: entry(running), exit: sink(running, VIDEO_HEAD) }
}

/// Keeps corrupt JPEGs away from a decoder, and counts them together with those that it cannot
/// decode. `on_whole` is called for each of the others.
pub fn drop_corrupt_jpegs(
    running: &Running,
    counters: &Arc<Counters>,
    on_whole: Option<impl Fn() + Send + Sync + 'static>,
) {
    let (Some(into), Some(out)) = (sink(running, DECODER), sink(running, VIDEO_HEAD)) else {
        return;
    };
    let inside = Arc::new(Mutex::new(InDecoder::default()));
    let counted = {
        let counters = Arc::clone(counters);
        move |corrupt| counters.corrupt.fetch_add(corrupt, Ordering::Relaxed)
    };
    let count = counted.clone();
    let camera = entry(running).unwrap_or_else(|| into.clone());
    camera.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        match info.buffer().filter(|_| is_jpeg(pad)) {
            Some(buffer) if is_corrupt(buffer) => {
                count(1);
                // Not `Drop`: the buffer is freed with `info`, and GStreamer complains about it.
                gst::PadProbeReturn::Handled
            }
            _ => {
                on_whole.iter().for_each(|on_whole| on_whole());
                gst::PadProbeReturn::Ok
            }
        }
    });
    let (entering, count) = (Arc::clone(&inside), counted.clone());
    into.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        if let Some(buffer) = info.buffer().filter(|_| is_jpeg(pad)) {
            let time_ns = buffer.pts().map(gst::ClockTime::nseconds);
            count(entering.lock().unwrap_or_else(PoisonError::into_inner).entered(time_ns));
        }
        gst::PadProbeReturn::Ok
    });
    out.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let time_ns = info.buffer().and_then(|b| b.pts()).map(gst::ClockTime::nseconds);
        counted(inside.lock().unwrap_or_else(PoisonError::into_inner).left(time_ns));
        gst::PadProbeReturn::Ok
    });
}

/// Where the camera's JPEGs come in.
fn entry(running: &Running) -> Option<gst::Pad> {
    sink(running, DECODER_QUEUE).or_else(|| sink(running, DECODER))
}

fn is_jpeg(pad: &gst::Pad) -> bool {
    let caps = pad.current_caps();
    caps.is_some_and(|caps| caps.structure(0).is_some_and(|s| s.name() == "image/jpeg"))
}

fn is_corrupt(buffer: &gst::BufferRef) -> bool {
    buffer.flags().contains(gst::BufferFlags::CORRUPTED)
        || buffer.map_readable().is_ok_and(|map| !jpeg::is_whole(&map))
}
