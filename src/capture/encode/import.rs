//! Reading frames where another device has put them, so that nobody copies them on the way.

use gstreamer as gst;
use gstreamer_video::{VideoInfo, VideoMeta};

/// A driver that wants wider rows than frames have refuses memory that is too small for them. Memory
/// comes in pages, which would hide a few bytes a row, but not 16 of them.
const WIDTH_STEP: u32 = 16;

/// How an encoder reads frames that lie in the memory of another device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Import {
    /// The kind of memory, as GStreamer names it.
    pub memory: &'static str,
    /// Its properties for this, besides its others. With them it takes no frame that lies elsewhere.
    pub properties: &'static [(&'static str, &'static str)],
}

impl Import {
    /// Whether this frame can be read where it lies. The encoder does not learn how: so its planes and
    /// rows must follow each other as in any frame of its form.
    pub fn takes(&self, frame: &gst::BufferRef, info: &VideoInfo) -> bool {
        let is_there =
            frame.n_memory() > 0 && frame.iter_memories().all(|memory| memory.is_type(self.memory));
        let is_plain = match frame.meta::<VideoMeta>() {
            Some(meta) => meta.stride() == info.stride() && meta.offset() == info.offset(),
            None => true,
        };
        is_there
            && is_plain
            && info.width().is_multiple_of(WIDTH_STEP)
            && frame.size() >= info.size()
    }
}

#[cfg(test)]
mod tests {
    use gstreamer_video::{VideoFormat, VideoFrameFlags};

    use super::*;

    const SYSTEM: Import = Import { memory: "SystemMemory", properties: &[] };

    fn info(width: u32) -> VideoInfo {
        VideoInfo::builder(VideoFormat::Nv12, width, 180).build().expect("valid")
    }

    #[test]
    fn a_frame_is_read_where_it_lies_if_all_of_it_lies_there() {
        gst::init().expect("GStreamer");
        let info = info(320);
        let there = gst::Buffer::with_size(info.size()).expect("memory");
        assert!(SYSTEM.takes(&there, &info));
        let elsewhere = gst::Buffer::from_mut_slice(vec![0_u8; info.size()]);
        assert!(!SYSTEM.takes(&elsewhere, &info), "in memory of another kind");
        let (mut partly, rest) = (there.copy(), elsewhere.copy());
        partly.make_mut().append_memory(rest.peek_memory(0).to_owned());
        assert!(!SYSTEM.takes(&partly, &info), "one of two");
        assert!(!SYSTEM.takes(&gst::Buffer::new(), &info), "nowhere");
        let short = gst::Buffer::with_size(info.size() - 1).expect("memory");
        assert!(!SYSTEM.takes(&short, &info), "cut short");
    }

    #[test]
    fn a_frame_with_gaps_between_its_rows_is_copied() {
        gst::init().expect("GStreamer");
        let described = |stride: i32, rows: usize| {
            let size = stride as usize * rows * 3 / 2;
            let mut frame = gst::Buffer::with_size(size).expect("memory");
            let (offsets, strides) = ([0, stride as usize * rows], [stride, stride]);
            let (flags, format) = (VideoFrameFlags::empty(), VideoFormat::Nv12);
            VideoMeta::add_full(frame.make_mut(), flags, format, 320, 180, &offsets, &strides)
                .expect("a description");
            frame
        };
        assert!(SYSTEM.takes(&described(320, 180), &info(320)), "as any frame lies");
        assert!(!SYSTEM.takes(&described(384, 180), &info(320)), "between rows");
        assert!(!SYSTEM.takes(&described(320, 192), &info(320)), "between planes");
        let odd = info(322);
        let frame = gst::Buffer::with_size(odd.size()).expect("memory");
        assert!(!SYSTEM.takes(&frame, &odd), "a driver's wider rows could go unnoticed");
    }
}
