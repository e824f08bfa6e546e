//! The form of a broadcast's raw frames: how the pixels lie in memory, and what their values mean.
//!
//! It is that of the camera's mode where the encoder takes it, so that nothing is converted between
//! them. Slate, overlay and a camera that is exchanged adapt to it, because codec parameters never
//! change within a broadcast.

use gstreamer as gst;
use gstreamer_video::{
    VideoColorMatrix, VideoColorPrimaries, VideoColorRange, VideoColorimetry, VideoFormat,
    VideoInfo, VideoTransferFunction,
};

/// The form of raw frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameFormat {
    /// How the pixels lie in memory.
    pub layout: VideoFormat,
    /// What their values mean: matrix, range, primaries, transfer.
    pub colorimetry: VideoColorimetry,
}

impl FrameFormat {
    /// Frames of that layout that are not a camera's: ITU-R BT.709, narrow range.
    pub fn drawn(layout: VideoFormat) -> FrameFormat {
        let colorimetry = VideoColorimetry::new(
            VideoColorRange::Range16_235,
            VideoColorMatrix::Bt709,
            VideoTransferFunction::Bt709,
            VideoColorPrimaries::Bt709,
        );
        FrameFormat { layout, colorimetry }
    }

    /// The form that caps name; `None` unless they name raw video.
    pub(super) fn of(caps: &gst::CapsRef) -> Option<FrameFormat> {
        let info = VideoInfo::from_caps(caps).ok()?;
        Some(FrameFormat { layout: info.format(), colorimetry: info.colorimetry() })
    }

    /// Whether values go from 0 to 255 rather than from 16 to 235.
    pub(super) fn is_full_range(&self) -> bool {
        self.colorimetry.range() == VideoColorRange::Range0_255
    }
}

/// What is wanted of a source's raw frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedFrames {
    /// Its own layout where it is one of these, and otherwise the first of them that loses nothing;
    /// its own colorimetry.
    OneOf(Vec<VideoFormat>),
    /// This form.
    Exactly(FrameFormat),
}

impl WantedFrames {
    /// The layouts that need no conversion.
    pub fn layouts(&self) -> &[VideoFormat] {
        match self {
            WantedFrames::OneOf(layouts) => layouts,
            WantedFrames::Exactly(format) => std::slice::from_ref(&format.layout),
        }
    }
}
