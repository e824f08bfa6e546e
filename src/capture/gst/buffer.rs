//! Buffers of encoded or raw media.

use gstreamer as gst;

/// A frame, an access unit or a piece of audio with its time on the media clock.
#[derive(Debug)]
pub struct TimedBuffer {
    pub media_ns: u64,
    pub buffer: gst::Buffer,
    pub caps: Option<gst::Caps>,
}

/// Whether a buffer of H.264 can be decoded without those before it.
pub fn is_key(buffer: &gst::BufferRef) -> bool {
    !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT)
}
