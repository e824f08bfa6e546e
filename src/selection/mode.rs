//! In which form a camera is to deliver its frames.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::limits::{CAMERA_MODE_FPS_MAX, CAMERA_MODE_SIDE_MAX, CAMERA_MODE_SIDE_MIN};

/// A form in which a camera may deliver its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoFormat {
    /// Not compressed.
    Raw,
    /// One JPEG a frame; decoded here.
    Mjpeg,
    /// H.264; passed through as it is, so that its bitrate is the camera's.
    H264,
}

impl VideoFormat {
    /// All of them, by the names that a profile uses.
    pub const ALL: [(&'static str, VideoFormat); 3] =
        [("raw", VideoFormat::Raw), ("mjpeg", VideoFormat::Mjpeg), ("h264", VideoFormat::H264)];

    /// What a camera is asked for unless the profile says otherwise, best first.
    pub const USUAL: [VideoFormat; 2] = [VideoFormat::Raw, VideoFormat::Mjpeg];
}

impl fmt::Display for VideoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = VideoFormat::ALL.iter().find(|(_, format)| format == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// What of a camera's mode its owner has chosen; the box chooses the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CameraMode {
    /// Width and height, in pixels.
    pub size: Option<(u32, u32)>,
    /// Thousandths of a frame a second.
    pub rate_milli: Option<u32>,
    /// The form of the frames.
    pub format: Option<ModeFormat>,
}

/// The form of a camera's frames, as its owner chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModeFormat {
    /// Not compressed, whatever its layout.
    Raw,
    /// One JPEG a frame.
    Mjpeg,
    /// Not compressed, in this layout by GStreamer's name.
    Layout(&'static str),
}

/// The layouts of raw frames: as they are written, by the kernel's names too, and GStreamer's name.
const LAYOUTS: [(&str, &str); 17] = [
    ("yuy2", "YUY2"),
    ("yuyv", "YUY2"),
    ("uyvy", "UYVY"),
    ("yvyu", "YVYU"),
    ("vyuy", "VYUY"),
    ("nv12", "NV12"),
    ("nv21", "NV21"),
    ("nv16", "NV16"),
    ("i420", "I420"),
    ("yu12", "I420"),
    ("yv12", "YV12"),
    ("y42b", "Y42B"),
    ("422p", "Y42B"),
    ("gray8", "GRAY8"),
    ("grey", "GRAY8"),
    ("rgb", "RGB"),
    ("bgr", "BGR"),
];

impl CameraMode {
    /// What may be written.
    pub const ALLOWED: &str =
        "auto, or a size, a rate and a format, each of which may be missing: 1280x720@30 mjpeg";

    /// Reads `auto`, or size, rate and format in any order: `1280x720@30 mjpeg`, `@60`, `nv12`, and as
    /// `devices` shows them, `MJPEG 1280x720 at 30`.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn parse(text: &str) -> Result<CameraMode, String> {
        let lower = text.to_ascii_lowercase().replace('@', " @ ");
        let mut words = lower.split_whitespace();
        let mut mode = CameraMode::default();
        let wrong = || format!("must be {}", CameraMode::ALLOWED);
        if text == "auto" {
            return Ok(mode);
        }
        while let Some(word) = words.next() {
            let is_new = match word {
                "@" | "at" => {
                    let rate = words.next().and_then(rate_milli).ok_or_else(|| {
                        format!("must have a rate from 1 to {CAMERA_MODE_FPS_MAX} after the @")
                    })?;
                    mode.rate_milli.replace(rate).is_none()
                }
                "h264" | "h.264" => {
                    return Err(
                        "cannot be H.264: only the board's profile may let a camera encode, \
                                by camera.formats"
                            .to_owned(),
                    );
                }
                word => match (size(word), format(word)) {
                    (Some(size), _) => mode.size.replace(size).is_none(),
                    (_, Some(format)) => mode.format.replace(format).is_none(),
                    (None, None) => return Err(wrong()),
                },
            };
            if !is_new {
                return Err(wrong());
            }
        }
        if mode.is_auto() { Err(wrong()) } else { Ok(mode) }
    }

    /// Whether nothing of it is chosen.
    pub fn is_auto(&self) -> bool {
        *self == CameraMode::default()
    }
}

fn size(word: &str) -> Option<(u32, u32)> {
    let (width, height) = word.split_once('x')?;
    let side = |text: &str| {
        let side: u32 = text.parse().ok().filter(|_| super::is_number(text))?;
        (CAMERA_MODE_SIDE_MIN..=CAMERA_MODE_SIDE_MAX).contains(&side).then_some(side)
    };
    Some((side(width)?, side(height)?))
}

fn rate_milli(word: &str) -> Option<u32> {
    let (whole, part) = word.split_once('.').unwrap_or((word, "0"));
    if !super::is_number(whole) || !super::is_number(part) || part.len() > 3 {
        return None;
    }
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    let milli = whole.parse::<u32>().ok()?.checked_mul(1_000)?.checked_add(part)?;
    (1_000..=CAMERA_MODE_FPS_MAX * 1_000).contains(&milli).then_some(milli)
}

fn format(word: &str) -> Option<ModeFormat> {
    match word {
        "raw" => Some(ModeFormat::Raw),
        "mjpeg" | "jpeg" | "mjpg" => Some(ModeFormat::Mjpeg),
        word => {
            let known = LAYOUTS.iter().find(|(written, _)| *written == word);
            known.map(|(_, layout)| ModeFormat::Layout(layout))
        }
    }
}

impl fmt::Display for CameraMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_auto() {
            return f.write_str("auto");
        }
        if let Some((width, height)) = self.size {
            write!(f, "{width}x{height}")?;
        }
        if let Some(milli) = self.rate_milli {
            write!(f, "@{}", milli / 1_000)?;
            if !milli.is_multiple_of(1_000) {
                write!(f, ".{}", format!("{:03}", milli % 1_000).trim_end_matches('0'))?;
            }
        }
        let Some(format) = self.format else { return Ok(()) };
        let blank = if self.size.is_some() || self.rate_milli.is_some() { " " } else { "" };
        write!(f, "{blank}{format}")
    }
}

impl fmt::Display for ModeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModeFormat::Raw => f.write_str("raw"),
            ModeFormat::Mjpeg => f.write_str("mjpeg"),
            ModeFormat::Layout(layout) => f.write_str(&layout.to_ascii_lowercase()),
        }
    }
}

impl Serialize for CameraMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_a_size_a_rate_and_a_format_each_of_which_may_be_missing() {
        for (text, shown) in [
            ("auto", "auto"),
            ("1280x720@30 mjpeg", "1280x720@30 mjpeg"),
            ("MJPEG 1280x720 at 30", "1280x720@30 mjpeg"),
            ("1280x720 @ 59.94", "1280x720@59.94"),
            ("1920X1080", "1920x1080"),
            ("@25", "@25"),
            ("@29.970 YUYV", "@29.97 yuy2"),
            ("raw", "raw"),
            ("yu12 640x480", "640x480 i420"),
        ] {
            let mode = CameraMode::parse(text).expect(text);
            assert_eq!(mode.to_string(), shown);
            assert_eq!(CameraMode::parse(shown), Ok(mode), "what is shown can be typed");
        }
    }

    #[test]
    fn what_is_no_mode_is_refused_with_what_is_allowed() {
        for text in [
            "",
            " ",
            "best",
            "720p",
            "1280x",
            "x720",
            "0x0",
            "1280x720x3",
            "+1x+1",
            "100000x720",
            "1280x720 640x480",
            "mjpeg yuy2",
            "auto mjpeg",
        ] {
            let why = CameraMode::parse(text).expect_err(text);
            assert!(why.contains("1280x720@30 mjpeg"), "{text}: {why}");
        }
        for text in
            ["@", "@0", "@0.5", "@1000", "@30fps", "@-30", "@1.2345", "@30 @25x", "1280x720@"]
        {
            assert!(CameraMode::parse(text).is_err(), "{text}");
        }
        assert!(CameraMode::parse("h264").expect_err("h264").contains("camera.formats"));
    }

    #[test]
    fn every_layout_is_written_as_it_is_read() {
        for (written, layout) in LAYOUTS {
            let mode = CameraMode::parse(written).expect(written);
            assert_eq!(mode.format, Some(ModeFormat::Layout(layout)));
            assert_eq!(CameraMode::parse(&mode.to_string()), Ok(mode), "{written}");
        }
    }
}
