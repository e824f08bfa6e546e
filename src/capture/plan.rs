//! Which sources a request needs.

use std::path::PathBuf;

use super::{
    error::CaptureError,
    request::{CameraSource, MicrophoneSource, Request},
};

/// What a source is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourcePlan {
    /// A Video4Linux2 device.
    V4l2(PathBuf),
    /// Elements that end in video.
    CameraLaunch(String),
    /// An ALSA device.
    Alsa(String),
    /// Elements that end in audio.
    MicrophoneLaunch(String),
    /// A clip, or one of its tracks.
    Clip {
        /// The clip.
        path: PathBuf,
        /// Its picture is wanted.
        picture: bool,
        /// Its sound is wanted.
        sound: bool,
    },
}

impl SourcePlan {
    /// The sources of a request; none for what is drawn or computed. At most two.
    pub fn of(request: &Request) -> Vec<SourcePlan> {
        let mut plans = Vec::new();
        match &request.camera {
            CameraSource::TestPattern => {}
            CameraSource::File(path) => plans.push(SourcePlan::Clip {
                path: path.clone(),
                picture: true,
                sound: request.microphone == MicrophoneSource::CameraFile,
            }),
            CameraSource::V4l2 { device } => plans.push(SourcePlan::V4l2(device.clone())),
            CameraSource::Launch(text) => plans.push(SourcePlan::CameraLaunch(text.clone())),
        }
        match &request.microphone {
            MicrophoneSource::Tone | MicrophoneSource::Silence | MicrophoneSource::CameraFile => {}
            MicrophoneSource::File(path) => {
                plans.push(SourcePlan::Clip { path: path.clone(), picture: false, sound: true });
            }
            MicrophoneSource::Alsa { device } => plans.push(SourcePlan::Alsa(device.clone())),
            MicrophoneSource::Launch(text) => {
                plans.push(SourcePlan::MicrophoneLaunch(text.clone()));
            }
        }
        plans
    }

    /// Whether it goes on by itself, rather than ending and being played again.
    pub(super) fn is_live(&self) -> bool {
        !matches!(self, SourcePlan::Clip { .. })
    }

    pub(super) fn has_picture(&self) -> bool {
        match self {
            SourcePlan::V4l2(_) | SourcePlan::CameraLaunch(_) => true,
            SourcePlan::Alsa(_) | SourcePlan::MicrophoneLaunch(_) => false,
            SourcePlan::Clip { picture, .. } => *picture,
        }
    }

    pub(super) fn has_sound(&self) -> bool {
        match self {
            SourcePlan::V4l2(_) | SourcePlan::CameraLaunch(_) => false,
            SourcePlan::Alsa(_) | SourcePlan::MicrophoneLaunch(_) => true,
            SourcePlan::Clip { sound, .. } => *sound,
        }
    }

    /// The error that names this source.
    pub(super) fn blame(&self, why: String) -> CaptureError {
        match self {
            SourcePlan::V4l2(path) => {
                CaptureError::NoCamera { device: path.display().to_string(), why }
            }
            SourcePlan::CameraLaunch(device) => {
                CaptureError::NoCamera { device: device.clone(), why }
            }
            SourcePlan::Alsa(device) | SourcePlan::MicrophoneLaunch(device) => {
                CaptureError::NoMicrophone { device: device.clone(), why }
            }
            SourcePlan::Clip { path, .. } => {
                CaptureError::FileUnreadable { path: path.clone(), why }
            }
        }
    }
}
