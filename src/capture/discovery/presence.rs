//! Whether the sources of a request are there, as far as that is known without opening them.

use std::path::Path;

use super::inventory::{sound_cards, video_nodes};
use crate::capture::{
    error::CaptureError,
    event::Source,
    request::{CameraSource, MicrophoneSource, Request},
};

impl Request {
    /// Whether only opening the source can tell that it is there.
    pub fn is_unseen(&self, source: Source) -> bool {
        match source {
            Source::Camera => matches!(
                self.camera,
                CameraSource::Libcamera { .. }
                    | CameraSource::Argus { .. }
                    | CameraSource::Launch { .. }
            ),
            Source::Microphone => matches!(self.microphone, MicrophoneSource::Launch { .. }),
        }
    }

    /// Looks whether a source is there, without opening it; one that is unseen is not missed.
    ///
    /// # Errors
    /// What is missing.
    pub fn look(&self, source: Source) -> Result<(), CaptureError> {
        match source {
            Source::Camera => look_for_camera(&self.camera),
            Source::Microphone => look_for_microphone(&self.microphone),
        }
    }
}

fn look_for_camera(camera: &CameraSource) -> Result<(), CaptureError> {
    match camera {
        CameraSource::File { path } => look_for_clip(path),
        CameraSource::V4l2 { device, .. } | CameraSource::Hdmi { device, .. }
            if !video_nodes(Path::new("/")).iter().any(|node| node.is(device)) =>
        {
            let (device, why) = (device.to_string(), "it is not there".to_owned());
            Err(CaptureError::NoCamera { device, why })
        }
        _ => Ok(()),
    }
}

fn look_for_microphone(microphone: &MicrophoneSource) -> Result<(), CaptureError> {
    match microphone {
        MicrophoneSource::File { path } => look_for_clip(path),
        MicrophoneSource::Alsa { device }
            if !sound_cards(Path::new("/")).iter().any(|card| card.is(device)) =>
        {
            let (device, why) = (device.to_string(), "there is no such sound card".to_owned());
            Err(CaptureError::NoMicrophone { device, why })
        }
        _ => Ok(()),
    }
}

fn look_for_clip(path: &Path) -> Result<(), CaptureError> {
    std::fs::metadata(path).map(|_| ()).map_err(|error| CaptureError::FileUnreadable {
        path: path.to_owned(),
        why: error.to_string(),
    })
}
