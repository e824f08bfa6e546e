//! Colours of raw frames, as an H.264 stream names them.

use gstreamer_video::{VideoColorRange, VideoColorimetry};

use crate::flv::avc::ColourTags;

/// "unspecified" in every table of ISO/IEC 23091-2.
const UNSPECIFIED: u8 = 2;

impl From<&VideoColorimetry> for ColourTags {
    fn from(colorimetry: &VideoColorimetry) -> ColourTags {
        let code_point = |iso: u32| u8::try_from(iso).unwrap_or(UNSPECIFIED);
        ColourTags {
            full_range: colorimetry.range() == VideoColorRange::Range0_255,
            primaries: code_point(colorimetry.primaries().to_iso()),
            transfer: code_point(colorimetry.transfer().to_iso()),
            matrix: code_point(colorimetry.matrix().to_iso()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cameras_deliver_has_the_code_points_of_the_standard() {
        gstreamer::init().expect("GStreamer");
        for (text, full_range, [primaries, transfer, matrix]) in [
            ("bt709", false, [1, 1, 1]),
            ("bt601", false, [6, 6, 6]),
            ("smpte240m", false, [7, 7, 7]),
            ("bt2020", false, [9, 15, 9]),
            ("bt2020-10", false, [9, 14, 9]),
            ("bt2100-pq", false, [9, 16, 9]),
            ("bt2100-hlg", false, [9, 18, 9]),
            // Webcams: MJPEG of BT.601, and what the kernel says of most of them.
            ("1:4:0:0", true, [2, 2, 6]),
            ("1:4:7:1", true, [1, 13, 6]),
            ("1:3:5:1", true, [1, 1, 1]),
            ("0:0:0:0", false, [2, 2, 2]),
        ] {
            let colorimetry: VideoColorimetry = text.parse().expect("a colorimetry");
            let expected = ColourTags { full_range, primaries, transfer, matrix };
            assert_eq!(ColourTags::from(&colorimetry), expected, "{text}");
        }
        let today: VideoColorimetry = "bt709".parse().expect("a colorimetry");
        assert_eq!(ColourTags::from(&today), ColourTags::BT709);
    }
}
