//! The supported encoders, as data.
//!
//! A board profile orders them by name; their settings are here. In properties and caps,
//! `{kbps}` and `{bps}` are the bitrate in kbit/s and bit/s, `{gop}` the frames from one key frame
//! to the next, `{level}` the H.264 level (`4.2`) and `{level10}` ten times that.
//!
//! Not used yet, though the same chips have them: encoders of HEVC (`v4l2h265enc`,
//! `nvv4l2h265enc`, `mpph265enc`, `x265enc`).

use gstreamer as gst;
use gstreamer_video::VideoFormat;

pub use super::import::Import;
use crate::{
    capture::request::VideoSettings,
    flv::avc::{Demand, least_level},
    limits::{CAPTURE_VIDEO_KBPS_MAX, CAPTURE_VIDEO_KBPS_MIN},
};

/// An H.264 encoder.
#[derive(Debug)]
pub struct VideoEncoderSpec {
    /// Its GStreamer element.
    pub element: &'static str,
    /// It needs no device, so it can replace a hardware encoder that fails.
    pub software: bool,
    /// The memory from which it reads frames.
    pub memory: Memory,
    /// How it reads frames where another device has put them, where it does so only when asked to.
    pub imports: Option<Import>,
    /// Layouts of raw frames that can be given to it, the best first. A driver may take fewer.
    pub takes: &'static [VideoFormat],
    /// Its properties before the start; among them the repetition of codec parameters at each key
    /// frame, where that is not its default.
    pub properties: &'static [(&'static str, &'static str)],
    /// The caps of its output.
    pub caps: &'static str,
    /// How its bitrate is changed while it runs.
    pub bitrate: Bitrate,
    /// How it is asked for a key frame.
    pub force_key: ForceKey,
    /// Greatest width and height, in pixels.
    pub size_max: (u32, u32),
    /// Its known bugs.
    pub known_bugs: &'static [KnownBug],
}

/// The memory from which an encoder reads frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The memory of the process.
    System,
    /// Memory of its own: the element that copies frames there, and the caps behind it.
    Device { element: &'static str, caps: &'static str },
}

impl VideoEncoderSpec {
    /// The layouts that it takes on this machine: those of the table that its element offers, which a
    /// driver decides for some.
    pub fn layouts(&self) -> Vec<VideoFormat> {
        let element = match self.memory {
            Memory::System => self.element,
            Memory::Device { element, .. } => element,
        };
        let factory = gst::ElementFactory::find(element);
        let offered = |layout: &VideoFormat| {
            let caps = gst::Caps::builder("video/x-raw").field("format", layout.to_str()).build();
            factory.as_ref().is_some_and(|factory| factory.can_sink_any_caps(&caps))
        };
        let layouts: Vec<VideoFormat> = self.takes.iter().copied().filter(offered).collect();
        // An element that is missing is reported when it is tried.
        if layouts.is_empty() { self.takes.to_vec() } else { layouts }
    }
}

/// How a bitrate is changed while the encoder runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bitrate {
    /// The property, which may be set while it plays.
    pub property: &'static str,
    /// Its value.
    pub value: &'static str,
    /// Lowest value, in kbit/s.
    pub kbps_min: u32,
    /// Highest value, in kbit/s.
    pub kbps_max: u32,
    /// Values are multiples of this, in kbit/s.
    pub kbps_step: u32,
}

impl Bitrate {
    /// Any useful bitrate, to the kbit/s.
    pub const fn any(property: &'static str, value: &'static str) -> Bitrate {
        Bitrate { property, value, kbps_min: 1, kbps_max: 20_000, kbps_step: 1 }
    }

    /// The bitrate nearest to `kbps` that the encoder supports and that is within our bounds.
    pub fn nearest_kbps(&self, kbps: u32) -> u32 {
        let step = self.kbps_step.max(1);
        let least = self.kbps_min.max(CAPTURE_VIDEO_KBPS_MIN).next_multiple_of(step);
        let most = self.kbps_max.min(CAPTURE_VIDEO_KBPS_MAX) / step * step;
        (kbps / step * step).clamp(least, most.max(least))
    }
}

/// How an encoder is asked for a key frame. Where it ignores that, the next regular one still comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForceKey {
    /// By GStreamer's event that asks for a key unit.
    Event,
    /// By a signal of the element.
    Signal(&'static str),
}

/// A known bug of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct KnownBug {
    /// What the encoder does.
    pub does: &'static str,
    /// The workaround.
    pub answer: &'static str,
}

/// An AAC encoder.
#[derive(Debug)]
pub struct AudioEncoderSpec {
    /// Its GStreamer element.
    pub element: &'static str,
    /// Its properties before the start.
    pub properties: &'static [(&'static str, &'static str)],
    /// Samples that the encoder puts before the first one. A decoder plays them, so uncorrected the
    /// audio would be late by as much.
    pub delay_samples: u32,
    /// Its known bugs.
    pub known_bugs: &'static [KnownBug],
}

/// The encoders of a capture.
#[derive(Debug)]
pub struct Chosen {
    pub video: &'static VideoEncoderSpec,
    /// The layouts that it takes, the one that it was tried with first.
    pub layouts: Vec<VideoFormat>,
    /// It reads the camera's frames where they lie, at first.
    pub imports: bool,
    pub audio: &'static AudioEncoderSpec,
}

const SILENT_WHEN_OVERLOADED: KnownBug = KnownBug {
    does: "delivers a few frames and then none, without an error, when size and rate are beyond it",
    answer: "it is restarted when nothing comes out, and replaced by software after that",
};

const IGNORES_BITRATE: KnownBug = KnownBug {
    does: "goes on at its bitrate when another one is set",
    answer: "it is set again, then the encoder is restarted with it, and replaced by software when it \
             does it once more",
};

/// What a unit that converts by itself takes: the usual layouts of cameras. Which of them a driver really
/// takes is asked of its element.
const ANY_YUV: &[VideoFormat] = &[
    VideoFormat::I420,
    VideoFormat::Nv12,
    VideoFormat::Yv12,
    VideoFormat::Nv21,
    VideoFormat::Yuy2,
    VideoFormat::Uyvy,
    VideoFormat::Yvyu,
];

/// No B-frames anywhere, so that decoding time is presentation time; key frames only where they
/// are due, so that platforms can cut segments of equal length.
const VIDEO: &[VideoEncoderSpec] = &[
    VideoEncoderSpec {
        element: "v4l2h264enc",
        software: false,
        memory: Memory::System,
        imports: Some(Import {
            memory: "dmabuf",
            properties: &[("output-io-mode", "dmabuf-import")],
        }),
        takes: ANY_YUV,
        properties: &[(
            "extra-controls",
            "controls,video_bitrate={bps},h264_i_frame_period={gop},repeat_sequence_header=1",
        )],
        caps: "video/x-h264, profile=(string)high, level=(string){level}",
        bitrate: Bitrate {
            property: "extra-controls",
            value: "controls,video_bitrate={bps}",
            kbps_min: 25,
            kbps_max: 20_000,
            kbps_step: 25,
        },
        force_key: ForceKey::Event,
        size_max: (1_920, 1_920),
        known_bugs: &[
            KnownBug {
                does: "takes too low a level by itself and refuses to start",
                answer: "the caps behind it name the level, never one below 4",
            },
            KnownBug {
                does: "names a level that is too low for its video",
                answer: "the stream names the lowest one that has room for it",
            },
            KnownBug {
                does: "refuses 25 Mbit/s though its driver claims it",
                answer: "it is never asked for more than 20 Mbit/s",
            },
            KnownBug {
                does: "hangs when each frame is a key frame",
                answer: "key frames are at least two frames apart",
            },
            KnownBug {
                does: "loses its codec parameters when the driver restarts",
                answer: "they are repeated at each key frame",
            },
            KnownBug {
                does: "ignores requests for a key frame before GStreamer 1.22.4",
                answer: "key frames come at their interval all the same",
            },
            IGNORES_BITRATE,
            SILENT_WHEN_OVERLOADED,
        ],
    },
    VideoEncoderSpec {
        element: "nvv4l2h264enc",
        software: false,
        memory: Memory::Device {
            element: "nvvidconv",
            caps: "video/x-raw(memory:NVMM), format=(string)NV12",
        },
        imports: None,
        takes: ANY_YUV,
        properties: &[
            ("bitrate", "{bps}"),
            // Constant bitrate, the fastest preset, profile High.
            ("control-rate", "1"),
            ("preset-level", "1"),
            ("profile", "4"),
            ("iframeinterval", "{gop}"),
            ("idrinterval", "{gop}"),
            ("insert-sps-pps", "true"),
            ("maxperf-enable", "true"),
        ],
        caps: "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au",
        bitrate: Bitrate::any("bitrate", "{bps}"),
        force_key: ForceKey::Signal("force-IDR"),
        size_max: (3_840, 2_160),
        known_bugs: &[
            KnownBug {
                does: "is registered on Orin Nano, whose chip has no encoder",
                answer: "it is tried with frames before it is used",
            },
            KnownBug {
                does: "makes only every 256th frame one at which a viewer can join",
                answer: "idrinterval is that of the key frames",
            },
            KnownBug {
                does: "sends its codec parameters only once",
                answer: "insert-sps-pps repeats them at each key frame",
            },
            KnownBug {
                does: "reorders frames when their times do not follow the frame rate",
                answer: "frames are numbered, and their times follow from their numbers",
            },
            IGNORES_BITRATE,
            SILENT_WHEN_OVERLOADED,
        ],
    },
    VideoEncoderSpec {
        element: "mpph264enc",
        software: false,
        memory: Memory::System,
        imports: None,
        takes: ANY_YUV,
        properties: &[
            ("bps", "{bps}"),
            ("rc-mode", "cbr"),
            ("gop", "{gop}"),
            ("profile", "high"),
            ("level", "{level10}"),
            ("header-mode", "each-idr"),
        ],
        caps: "video/x-h264, profile=(string)high",
        bitrate: Bitrate::any("bps", "{bps}"),
        force_key: ForceKey::Event,
        size_max: (1_920, 1_088),
        known_bugs: &[
            KnownBug {
                does: "sends its codec parameters only with the first frame",
                answer: "header-mode repeats them at each key frame",
            },
            KnownBug {
                does: "ignores requests for a key frame in builds of 2021",
                answer: "key frames come at their interval all the same",
            },
            KnownBug {
                does: "takes no frame wider than 1,920 in some builds",
                answer: "another encoder is used for larger ones",
            },
            IGNORES_BITRATE,
        ],
    },
    VideoEncoderSpec {
        element: "x264enc",
        software: true,
        memory: Memory::System,
        imports: None,
        takes: &[VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Yv12],
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
        bitrate: Bitrate::any("bitrate", "{kbps}"),
        force_key: ForceKey::Event,
        size_max: (4_096, 4_096),
        known_bugs: &[],
    },
    VideoEncoderSpec {
        element: "openh264enc",
        software: true,
        memory: Memory::System,
        imports: None,
        takes: &[VideoFormat::I420],
        properties: &[
            ("rate-control", "bitrate"),
            ("bitrate", "{bps}"),
            ("gop-size", "{gop}"),
            ("complexity", "low"),
            ("scene-change-detection", "false"),
        ],
        caps: "video/x-h264, profile=(string)constrained-baseline",
        bitrate: Bitrate::any("bitrate", "{bps}"),
        force_key: ForceKey::Event,
        size_max: (3_840, 2_160),
        known_bugs: &[
            KnownBug {
                does: "keeps the quality, whatever the bitrate",
                answer: "rate-control makes it keep the bitrate",
            },
            KnownBug {
                does: "goes far beyond the bitrate when the video is nothing but noise",
                answer: "none: skipped frames would be visible; the queues drop what is late",
            },
        ],
    },
];

const AUDIO: &[AudioEncoderSpec] = &[
    AudioEncoderSpec {
        element: "avenc_aac",
        properties: &[("bitrate", "{bps}"), ("aac-ms", "false"), ("aac-is", "false")],
        delay_samples: 1_024,
        known_bugs: &[
            KnownBug {
                does: "forces mid/side stereo by default and loses the side: different tones left and \
                       right become the same on both (GStreamer 1.22)",
                answer: "aac-ms turns it off",
            },
            KnownBug {
                does: "moves audio from one side to the other at low bitrates by intensity stereo",
                answer: "aac-is turns it off",
            },
            KnownBug {
                does: "plays pure tones up to 1.5 dB too loud or too quiet at 64 kbit/s",
                answer: "none: from 96 kbit/s on it is within 0.5 dB; the usual bitrate is 128",
            },
        ],
    },
    AudioEncoderSpec {
        element: "voaacenc",
        properties: &[("bitrate", "{bps}")],
        delay_samples: 1_600,
        known_bugs: &[],
    },
    AudioEncoderSpec {
        element: "fdkaacenc",
        properties: &[("bitrate", "{bps}")],
        delay_samples: 2_048,
        known_bugs: &[],
    },
];

/// The H.264 encoder of that element.
pub fn video(element: &str) -> Option<&'static VideoEncoderSpec> {
    VIDEO.iter().find(|encoder| encoder.element == element)
}

/// The AAC encoder of that element.
pub fn audio(element: &str) -> Option<&'static AudioEncoderSpec> {
    AUDIO.iter().find(|encoder| encoder.element == element)
}

/// The known bugs of an encoder.
pub fn known_bugs(element: &str) -> &'static [KnownBug] {
    let of_video = video(element).map(|encoder| encoder.known_bugs);
    of_video.or_else(|| audio(element).map(|encoder| encoder.known_bugs)).unwrap_or_default()
}

/// By how many samples an AAC encoder delays the audio; the capture makes up for it.
pub fn audio_encoder_delay_samples(element: &str) -> Option<u32> {
    audio(element).map(|encoder| encoder.delay_samples)
}

/// The layouts of raw frames that can be given to an H.264 encoder, the best first; a driver may take
/// fewer.
pub fn video_encoder_layouts(element: &str) -> &'static [VideoFormat] {
    video(element).map(|encoder| encoder.takes).unwrap_or_default()
}

/// Elements of the H.264 encoders that a board profile may name.
pub fn video_encoder_names() -> impl Iterator<Item = &'static str> {
    VIDEO.iter().map(|encoder| encoder.element)
}

/// Elements of the AAC encoders that a board profile may name.
pub fn audio_encoder_names() -> impl Iterator<Item = &'static str> {
    AUDIO.iter().map(|encoder| encoder.element)
}

/// Replaces the placeholders with their values.
pub fn fill_in(template: &str, bitrate_kbps: u32, video: Option<&VideoSettings>) -> String {
    let mut text = template
        .replace("{kbps}", &bitrate_kbps.to_string())
        .replace("{bps}", &(u64::from(bitrate_kbps) * 1_000).to_string());
    if let Some(video) = video {
        let level = level_idc(video);
        text = text
            .replace("{gop}", &video.gop_frames().to_string())
            .replace("{level}", &level_name(level))
            .replace("{level10}", &level.to_string());
    }
    text
}

/// Ten times the lowest level that has room for the stream. Nothing below level 4: with a lower one
/// some drivers stop after a few frames.
fn level_idc(video: &VideoSettings) -> u8 {
    const LEAST: u8 = 40;
    let demand = Demand { fps: video.fps, kbps_max: video.kbps_max() };
    least_level(video.width, video.height, demand).unwrap_or(LEAST).max(LEAST)
}

/// A level as caps name it: `4`, `4.2`.
fn level_name(idc: u8) -> String {
    match (idc / 10, idc % 10) {
        (whole, 0) => whole.to_string(),
        (whole, part) => format!("{whole}.{part}"),
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
            (1920, 1200, 60, "5"),
            (720, 1280, 60, "4"),
            (1920, 1920, 60, "5.1"),
        ] {
            let video = VideoSettings { width, height, fps, ..VideoSettings::of_720p() };
            let filled = fill_in("{level} {level10}", 0, Some(&video));
            let tenfold = expected.parse::<f64>().expect("a number") * 10.0;
            let both = format!("{expected} {tenfold}");
            assert_eq!(filled, both, "{width}x{height} at {fps}");
        }
    }

    #[test]
    fn a_bitrate_is_what_the_encoder_takes() {
        let takes = |element, kbps| video(element).expect("known").bitrate.nearest_kbps(kbps);
        for (element, asked, expected) in [
            ("v4l2h264enc", 0, 50),
            ("v4l2h264enc", 60, 50),
            ("v4l2h264enc", 2_510, 2_500),
            ("v4l2h264enc", u32::MAX, 20_000),
            ("nvv4l2h264enc", 2_510, 2_510),
            ("mpph264enc", 1, 50),
            ("x264enc", u32::MAX, 20_000),
        ] {
            assert_eq!(takes(element, asked), expected, "{element} asked for {asked}");
        }
        for encoder in VIDEO {
            for kbps in [0, 49, 50, 51, 1_111, 19_999, 20_000, 20_001] {
                let taken = encoder.bitrate.nearest_kbps(kbps);
                assert_eq!(taken % encoder.bitrate.kbps_step, 0, "{}", encoder.element);
                assert_eq!(encoder.bitrate.nearest_kbps(taken), taken, "{}", encoder.element);
            }
        }
    }

    #[test]
    fn every_encoder_is_given_its_bitrate_and_its_key_frame_interval() {
        for encoder in VIDEO {
            let values: String = encoder.properties.iter().map(|(_, value)| *value).collect();
            assert!(values.contains("{gop}"), "{}", encoder.element);
            assert!(values.contains("{bps}") || values.contains("{kbps}"), "{}", encoder.element);
            let at_start = encoder.properties.iter().any(|(p, _)| *p == encoder.bitrate.property);
            assert!(at_start, "{}: the same property at start and later", encoder.element);
        }
        assert!(VIDEO.iter().any(|encoder| encoder.software));
    }

    /// The hardware encoder is on few machines, but every element of its plug-in reads the same
    /// kind of text.
    #[test]
    fn gstreamer_reads_the_live_bitrate_of_the_hardware_encoder() {
        use gstreamer::{self as gst, prelude::*};

        gst::init().expect("GStreamer");
        let encoder = video("v4l2h264enc").expect("in the table");
        let Bitrate { property, value: template, .. } = encoder.bitrate;
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
            ..VideoSettings::of_720p()
        };
        let video_templates = VIDEO.iter().flat_map(|e| {
            let properties = e.properties.iter().map(|(_, value)| *value);
            properties.chain([e.caps, e.bitrate.value])
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
