//! What to capture, and how to encode it.

use std::{ops::RangeInclusive, path::PathBuf};

use super::error::CaptureError;
use crate::{
    audio::Adjustments,
    board::Profile,
    limits::{
        CAPTURE_AUDIO_KBPS_MAX, CAPTURE_AUDIO_KBPS_MIN, CAPTURE_FPS_MAX, CAPTURE_HEIGHT_MAX,
        CAPTURE_KEYFRAME_INTERVAL_MS_MAX, CAPTURE_KEYFRAME_INTERVAL_MS_MIN, CAPTURE_SIDE_MIN,
        CAPTURE_VIDEO_KBPS_MAX, CAPTURE_VIDEO_KBPS_MIN, CAPTURE_WIDTH_MAX,
    },
    video::Framing,
};

use crate::selection::{CameraDevice, CameraMode, MicrophoneDevice};

pub use crate::board::{
    CameraSource, ConverterOrder, DecoderOrder, EncoderOrder, MicrophoneSource,
};

/// Sample rate of the audio track, in hertz: what platforms ask for, and what every AAC encoder
/// here offers.
pub const SAMPLE_RATE_HZ: u32 = 48_000;

/// What to capture: the sources, the form of the tracks, the encoders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where the video comes from.
    pub camera: CameraSource,
    /// Where the audio comes from.
    pub microphone: MicrophoneSource,
    /// How the video is encoded.
    pub video: VideoSettings,
    /// How the audio is encoded.
    pub audio: AudioSettings,
    /// What is done to the audio before it is encoded, at the start.
    pub adjustments: Adjustments,
    /// What is done to the camera's video before it is encoded, at the start.
    pub framing: Framing,
    /// Encoders, in order of preference.
    pub encoders: EncoderOrder,
    /// Decoders, in order of preference.
    pub decoders: DecoderOrder,
    /// Converters, in order of preference.
    pub converters: ConverterOrder,
    /// What is drawn over or instead of the camera's video.
    pub look: Look,
    /// Which sources may be missing at the start.
    pub start_without: StartWithout,
}

/// What is drawn over or instead of the camera's video.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// The name of the box, shown on the slate.
    pub name: String,
    /// A PNG image that replaces the built-in slate.
    pub slate: Option<PathBuf>,
    /// The time of day is shown in the video.
    pub clock: bool,
    /// A line of text that is shown in the video.
    pub text: Option<String>,
    /// A PNG image that is shown in the video.
    pub logo: Option<PathBuf>,
}

impl Look {
    /// Whether something is drawn over each frame.
    pub(super) fn is_drawn_over_frames(&self) -> bool {
        self.clock || self.text.is_some() || self.logo.is_some()
    }
}

/// Which sources may be missing at the start; slate and silence replace them until they are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StartWithout {
    /// The camera.
    pub camera: bool,
    /// The microphone.
    pub microphone: bool,
}

/// How the video is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoSettings {
    /// Width, in pixels; even, `CAPTURE_SIDE_MIN` to `CAPTURE_WIDTH_MAX`.
    pub width: u32,
    /// Height, in pixels; even, `CAPTURE_SIDE_MIN` to `CAPTURE_HEIGHT_MAX`.
    pub height: u32,
    /// Frames a second, 1 to `CAPTURE_FPS_MAX`.
    pub fps: u32,
    /// Bitrate at start, in kbit/s.
    pub bitrate_kbps: u32,
    /// Highest bitrate that is asked of this board's encoders, in kbit/s.
    pub bitrate_max_kbps: u32,
    /// Time between key frames, in milliseconds.
    pub keyframe_interval_ms: u32,
}

impl VideoSettings {
    /// Frames from one key frame to the next; at least two, because some hardware encoders hang
    /// when every frame is a key frame.
    pub fn gop_frames(&self) -> u32 {
        let frames = u64::from(self.keyframe_interval_ms) * u64::from(self.fps) / 1_000;
        u32::try_from(frames).unwrap_or(u32::MAX).max(2)
    }

    /// The highest bitrate that a stream may come to, in kbit/s.
    pub fn kbps_max(&self) -> u32 {
        self.bitrate_max_kbps.max(self.bitrate_kbps)
    }
}

#[cfg(test)]
impl VideoSettings {
    /// 1280×720 at 30 frames a second.
    pub(super) fn of_720p() -> VideoSettings {
        VideoSettings {
            width: 1280,
            height: 720,
            fps: 30,
            bitrate_kbps: 2_500,
            bitrate_max_kbps: CAPTURE_VIDEO_KBPS_MAX,
            keyframe_interval_ms: 2_000,
        }
    }
}

/// How the audio is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioSettings {
    /// Bitrate, in kbit/s.
    pub bitrate_kbps: u32,
    /// Sample rate, in hertz; [`SAMPLE_RATE_HZ`] is the only one offered.
    pub sample_rate_hz: u32,
    /// Channels, one or two.
    pub channels: u32,
}

impl Request {
    /// Captures what an owner has chosen in place of the board's own. The audio of a clip stays when its
    /// video is exchanged.
    pub fn choose(
        &mut self,
        camera: Option<&CameraDevice>,
        mode: CameraMode,
        microphone: Option<&MicrophoneDevice>,
    ) {
        let chosen = self.camera.chosen(camera, mode);
        self.microphone = match (&self.camera, self.microphone.chosen(microphone)) {
            (CameraSource::File { path }, MicrophoneSource::CameraFile)
                if !matches!(chosen, CameraSource::File { .. }) =>
            {
                MicrophoneSource::File { path: path.clone() }
            }
            (_, microphone) => microphone,
        };
        self.camera = chosen;
    }

    /// Whether every setting is within its bounds.
    ///
    /// # Errors
    /// [`CaptureError::BadRequest`] with what is allowed.
    pub fn check(&self) -> Result<(), CaptureError> {
        let (video, audio) = (&self.video, &self.audio);
        within("width", video.width, CAPTURE_SIDE_MIN..=CAPTURE_WIDTH_MAX)?;
        within("height", video.height, CAPTURE_SIDE_MIN..=CAPTURE_HEIGHT_MAX)?;
        within("fps", video.fps, 1..=CAPTURE_FPS_MAX)?;
        within("bitrate", video.bitrate_kbps, CAPTURE_VIDEO_KBPS_MIN..=CAPTURE_VIDEO_KBPS_MAX)?;
        within(
            "key frame interval",
            video.keyframe_interval_ms,
            CAPTURE_KEYFRAME_INTERVAL_MS_MIN..=CAPTURE_KEYFRAME_INTERVAL_MS_MAX,
        )?;
        within(
            "audio bitrate",
            audio.bitrate_kbps,
            CAPTURE_AUDIO_KBPS_MIN..=CAPTURE_AUDIO_KBPS_MAX,
        )?;
        within("sample rate", audio.sample_rate_hz, SAMPLE_RATE_HZ..=SAMPLE_RATE_HZ)?;
        within("number of channels", audio.channels, 1..=2)?;
        let clip = matches!(self.camera, CameraSource::File { .. });
        if self.microphone == MicrophoneSource::CameraFile && !clip {
            return Err(CaptureError::BadRequest {
                what: "microphone",
                value: "the audio of the camera's clip".to_owned(),
                allowed: "something else unless the camera is a clip".to_owned(),
            });
        }
        for (what, side) in [("width", video.width), ("height", video.height)] {
            if side % 2 == 1 {
                let (value, allowed) = (side.to_string(), "even".to_owned());
                return Err(CaptureError::BadRequest { what, value, allowed });
            }
        }
        Ok(())
    }
}

fn within(what: &'static str, value: u32, range: RangeInclusive<u32>) -> Result<(), CaptureError> {
    if range.contains(&value) {
        return Ok(());
    }
    let allowed = format!("from {} to {}", range.start(), range.end());
    Err(CaptureError::BadRequest { what, value: value.to_string(), allowed })
}

impl From<&Profile> for Request {
    /// The board's defaults.
    fn from(profile: &Profile) -> Request {
        let (video, audio) = (&profile.video, &profile.audio);
        Request {
            camera: profile.camera.clone(),
            microphone: profile.microphone.clone(),
            video: VideoSettings {
                width: video.width,
                height: video.height,
                fps: video.fps,
                bitrate_kbps: video.bitrate_kbps,
                bitrate_max_kbps: video.bitrate_max_kbps,
                keyframe_interval_ms: video.keyframe_interval_ms,
            },
            audio: AudioSettings {
                bitrate_kbps: audio.bitrate_kbps,
                sample_rate_hz: SAMPLE_RATE_HZ,
                channels: audio.channels,
            },
            adjustments: Adjustments::default(),
            framing: Framing::default(),
            encoders: profile.encoders.clone(),
            decoders: profile.decoders.clone(),
            converters: profile.converters.clone(),
            look: Look { name: env!("CARGO_PKG_NAME").to_owned(), ..Look::default() },
            start_without: StartWithout::default(),
        }
    }
}
