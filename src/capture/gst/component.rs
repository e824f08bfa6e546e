//! Where luma and chroma of a frame lie in its memory.

use gstreamer_video::{VideoInfo, VideoMeta};

/// Where the values of luma, Cb or Cr lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// Of the first value, in bytes, like the other two.
    pub offset: usize,
    /// From one row to the next.
    pub stride: usize,
    /// From one value of a row to the next; at least 1.
    pub step: usize,
    /// Pixels that share a value, as powers of two: across, down.
    pub shared: (u32, u32),
}

impl Component {
    /// Luma, Cb and Cr of frames of eight bits; where a frame says by itself how it lies, that counts.
    pub fn of(info: &VideoInfo, meta: Option<&VideoMeta>) -> [Component; 3] {
        let format = info.format_info();
        let (offsets, strides) = match meta {
            Some(meta) => (meta.offset(), meta.stride()),
            None => (info.offset(), info.stride()),
        };
        [0, 1, 2].map(|number| {
            let value = |of: &[u32]| of.get(number).copied().unwrap_or(0);
            let plane = value(format.plane()) as usize;
            let size = |value: Option<&i32>| {
                value.and_then(|value| usize::try_from(*value).ok()).unwrap_or(0)
            };
            Component {
                offset: offsets.get(plane).copied().unwrap_or(0) + value(format.poffset()) as usize,
                stride: size(strides.get(plane)),
                step: size(format.pixel_stride().get(number)).max(1),
                shared: (value(format.w_sub()), value(format.h_sub())),
            }
        })
    }

    /// Where the value at a pixel lies.
    pub fn at(&self, x: usize, y: usize) -> usize {
        self.offset + (y >> self.shared.1) * self.stride + (x >> self.shared.0) * self.step
    }

    /// Whether the value at this pixel is its own: of those that share one, the first gives it.
    pub fn is_own(&self, x: usize, y: usize) -> bool {
        x.is_multiple_of(1 << self.shared.0) && y.is_multiple_of(1 << self.shared.1)
    }
}
