//! The encoders we know how to set up, as data.
//!
//! A board profile orders them by name; what they are told stands here. In properties and caps,
//! `{kbps}` and `{bps}` are the bitrate in kbit/s and bit/s, `{gop}` the frames from one key frame
//! to the next, `{level}` the H.264 level.

use super::request::VideoSettings;

/// An H.264 encoder.
#[derive(Debug)]
pub(super) struct VideoEncoder {
    /// Its element.
    pub(super) element: &'static str,
    /// What it is told before it starts.
    pub(super) properties: &'static [(&'static str, &'static str)],
    /// The caps it must produce.
    pub(super) caps: &'static str,
    /// The property that changes the bitrate of a running encoder, and its value.
    pub(super) live_bitrate: (&'static str, &'static str),
}

/// An AAC encoder.
#[derive(Debug)]
pub(super) struct AudioEncoder {
    /// Its element.
    pub(super) element: &'static str,
    /// What it is told before it starts.
    pub(super) properties: &'static [(&'static str, &'static str)],
    /// Samples that the encoder puts before the first one it was given. A decoder plays them, so
    /// the sound would be late by as much.
    pub(super) delay_samples: u32,
}

/// No B-frames anywhere, so that decoding time is presentation time; key frames only where they
/// are due, so that platforms can cut segments of equal length.
const VIDEO: &[VideoEncoder] = &[
    VideoEncoder {
        element: "v4l2h264enc",
        // Codec parameters are repeated at each key frame, because the first ones are lost when
        // the driver restarts.
        properties: &[(
            "extra-controls",
            "controls,video_bitrate={bps},h264_i_frame_period={gop},repeat_sequence_header=1",
        )],
        // Without a level the driver takes a low one and refuses to start.
        caps: "video/x-h264, profile=(string)high, level=(string){level}",
        live_bitrate: ("extra-controls", "controls,video_bitrate={bps}"),
    },
    VideoEncoder {
        element: "x264enc",
        properties: &[
            ("bitrate", "{kbps}"),
            ("key-int-max", "{gop}"),
            ("tune", "zerolatency"),
            ("speed-preset", "superfast"),
            ("bframes", "0"),
            ("aud", "false"),
            ("vbv-buf-capacity", "1000"),
            ("option-string", "scenecut=0"),
        ],
        caps: "video/x-h264, profile=(string)high",
        live_bitrate: ("bitrate", "{kbps}"),
    },
    VideoEncoder {
        element: "openh264enc",
        properties: &[
            // Its default keeps the quality and lets the bitrate go where it will.
            ("rate-control", "bitrate"),
            ("bitrate", "{bps}"),
            ("gop-size", "{gop}"),
            ("complexity", "low"),
            ("scene-change-detection", "false"),
        ],
        caps: "video/x-h264, profile=(string)constrained-baseline",
        live_bitrate: ("bitrate", "{bps}"),
    },
];

const AUDIO: &[AudioEncoder] = &[
    AudioEncoder {
        element: "avenc_aac",
        properties: &[("bitrate", "{bps}")],
        delay_samples: 1_024,
    },
    AudioEncoder { element: "voaacenc", properties: &[("bitrate", "{bps}")], delay_samples: 1_600 },
    AudioEncoder {
        element: "fdkaacenc",
        properties: &[("bitrate", "{bps}")],
        delay_samples: 2_048,
    },
];

/// The H.264 encoder of that element.
pub(super) fn video(element: &str) -> Option<&'static VideoEncoder> {
    VIDEO.iter().find(|encoder| encoder.element == element)
}

/// The AAC encoder of that element.
pub(super) fn audio(element: &str) -> Option<&'static AudioEncoder> {
    AUDIO.iter().find(|encoder| encoder.element == element)
}

/// Elements of the H.264 encoders that a board profile may name.
pub fn video_encoder_names() -> impl Iterator<Item = &'static str> {
    VIDEO.iter().map(|encoder| encoder.element)
}

/// Elements of the AAC encoders that a board profile may name.
pub fn audio_encoder_names() -> impl Iterator<Item = &'static str> {
    AUDIO.iter().map(|encoder| encoder.element)
}

/// Fills in the numbers.
pub(super) fn fill_in(template: &str, bitrate_kbps: u32, video: Option<&VideoSettings>) -> String {
    let mut text = template
        .replace("{kbps}", &bitrate_kbps.to_string())
        .replace("{bps}", &(u64::from(bitrate_kbps) * 1_000).to_string());
    if let Some(video) = video {
        text =
            text.replace("{gop}", &video.gop_frames().to_string()).replace("{level}", level(video));
    }
    text
}

/// The lowest of the levels offered that has room for size and rate (ITU-T H.264 table A-1).
/// Nothing below level 4: with a lower one some drivers stop after a few frames.
fn level(video: &VideoSettings) -> &'static str {
    let macroblocks = u64::from(video.width.div_ceil(16)) * u64::from(video.height.div_ceil(16));
    let per_second = macroblocks * u64::from(video.fps);
    match (macroblocks, per_second) {
        (..=8_192, ..=245_760) => "4",
        (..=8_704, ..=522_240) => "4.2",
        _ => "5.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_has_room_for_size_and_rate() {
        for (width, height, fps, expected) in [
            (320, 180, 30, "4"),
            (1280, 720, 60, "4"),
            (1920, 1080, 30, "4"),
            (1920, 1080, 60, "4.2"),
            (1920, 1088, 60, "4.2"),
            (1920, 1200, 60, "5.1"),
        ] {
            let video =
                VideoSettings { width, height, fps, bitrate_kbps: 1, keyframe_interval_ms: 2_000 };
            assert_eq!(level(&video), expected, "{width}x{height} at {fps}");
        }
    }

    /// The hardware encoder is on few machines, but every element of its plug-in reads the same
    /// kind of text.
    #[test]
    fn gstreamer_reads_the_live_bitrate_of_the_hardware_encoder() {
        use gstreamer::{self as gst, prelude::*};

        gst::init().expect("GStreamer");
        let encoder = video("v4l2h264enc").expect("in the table");
        let (property, template) = encoder.live_bitrate;
        let element = gst::ElementFactory::make("v4l2src").build().expect("the plug-in");
        element.set_property_from_str(property, &fill_in(template, 1_234, None));
        let controls: gst::Structure = element.property(property);
        assert_eq!(controls.get::<i32>("video_bitrate"), Ok(1_234_000));
    }

    #[test]
    fn no_placeholder_is_left_in_any_encoder() {
        let video = VideoSettings {
            width: 640,
            height: 360,
            fps: 30,
            bitrate_kbps: 900,
            keyframe_interval_ms: 2_000,
        };
        let video_templates = VIDEO.iter().flat_map(|e| {
            let properties = e.properties.iter().map(|(_, value)| *value);
            properties.chain([e.caps, e.live_bitrate.1])
        });
        for template in video_templates {
            let filled = fill_in(template, 900, Some(&video));
            assert!(!filled.contains('{'), "{filled}");
        }
        for template in AUDIO.iter().flat_map(|e| e.properties) {
            let filled = fill_in(template.1, 128, None);
            assert!(!filled.contains('{'), "{filled}");
        }
    }
}
