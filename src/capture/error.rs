//! Why a capture does not start.

use std::path::PathBuf;

use crate::media::Track;

/// Why a capture does not start; each message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// the camera is missing or delivers no video
    #[error(
        "no video from camera {device} ({why}); plug it in or name another one, `devices` lists them"
    )]
    NoCamera {
        /// The camera, as it was asked for.
        device: String,
        /// The reason, in one line.
        why: String,
    },
    /// the microphone is missing or delivers no audio
    #[error(
        "no audio from microphone {device} ({why}); plug it in or name another one, `devices` lists them"
    )]
    NoMicrophone {
        /// The microphone, as it was asked for.
        device: String,
        /// The reason, in one line.
        why: String,
    },
    /// no encoder works
    #[error("no {what} encoder works: {}; install one of them or correct the board profile", reasons(.tried))]
    NoEncoder {
        /// `H.264` or `AAC`.
        what: &'static str,
        /// Each encoder that was tried, and why it was rejected.
        tried: Vec<Rejected>,
    },
    /// a clip cannot be played
    #[error("cannot play {}: {why}; name a clip that GStreamer can decode", .path.display())]
    FileUnreadable {
        /// The clip.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// a clip lacks the track that is wanted of it
    #[error("{} has {}", .path.display(), without(*.track))]
    NoTrack {
        /// The clip.
        path: PathBuf,
        /// What it lacks.
        track: Track,
    },
    /// a GStreamer element is not installed
    #[error("the GStreamer element {element} is missing; install {package}")]
    MissingPlugin {
        /// The element.
        element: String,
        /// The Debian package that holds it.
        package: &'static str,
    },
    /// a setting is out of range
    #[error("{what} cannot be {value}; it must be {allowed}")]
    BadRequest {
        /// The setting's name.
        what: &'static str,
        /// Its value.
        value: String,
        /// The values that are allowed.
        allowed: String,
    },
    /// the slate cannot be drawn
    #[error("the slate cannot be drawn: {0}; correct board/graphics/slate.toml and build again")]
    Slate(String),
    /// GStreamer failed in a way that no setting causes
    #[error("GStreamer failed: {0}; run with GST_DEBUG=3 to learn more")]
    Gstreamer(String),
}

/// An encoder that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Rejected {
    /// Its GStreamer element.
    pub element: String,
    /// Why.
    pub why: String,
}

/// What a clip lacks, and what to do about it.
fn without(track: Track) -> &'static str {
    match track {
        Track::Audio => {
            "no sound (no audio track); choose another microphone source: `tone`, `silence` or a \
             sound card (for `demo`: --mic tone)"
        }
        Track::Video => "no video track; name a clip with video, or a camera",
    }
}

fn reasons(tried: &[Rejected]) -> String {
    let each: Vec<String> = tried.iter().map(|r| format!("{}: {}", r.element, r.why)).collect();
    each.join("; ")
}

/// The Debian package that holds an element.
pub(super) fn debian_package(element: &str) -> &'static str {
    match element {
        "x264enc" => "gstreamer1.0-plugins-ugly",
        "openh264enc" | "voaacenc" | "h264parse" | "jpegparse" => "gstreamer1.0-plugins-bad",
        // The plug-in offers it only where the kernel has a driver for it.
        "v4l2h264enc" => "the kernel driver of the encoder and gstreamer1.0-plugins-good",
        "v4l2convert" => "the kernel driver of the converter and gstreamer1.0-plugins-good",
        "pispconvert" => "gstreamer1.0-pispconvert",
        "v4l2jpegdec" => "the kernel driver of the decoder and gstreamer1.0-plugins-good",
        "v4l2src" | "jpegdec" | "jpegenc" | "pngdec" | "aacparse" | "videoflip" => {
            "gstreamer1.0-plugins-good"
        }
        "avenc_aac" => "gstreamer1.0-libav",
        "alsasrc" => "gstreamer1.0-alsa",
        "fdkaacenc" => "gstreamer1.0-fdkaac",
        "libcamerasrc" => "gstreamer1.0-libcamera",
        "appsrc" | "appsink" | "decodebin" | "videoconvert" | "videoscale" | "audioconvert"
        | "audioresample" => "gstreamer1.0-plugins-base",
        "capsfilter" | "queue" | "filesrc" => "libgstreamer1.0-0",
        _ => "the plug-in that has it (`apt-file search` helps)",
    }
}
