//! Whether the sources of a request are connected, as far as that can be known without opening them.

use std::path::Path;

use super::inventory::{sound_cards, video_nodes};
use crate::capture::{
    error::CaptureError,
    event::Source,
    request::{CameraSource, MicrophoneSource, Request},
};

impl Request {
    /// Whether only opening the source shows that it is connected.
    pub fn presence_is_unknown(&self, source: Source) -> bool {
        match source {
            Source::Camera => matches!(
                self.camera,
                CameraSource::Libcamera { .. }
                    | CameraSource::Argus { .. }
                    | CameraSource::Launch { .. }
                    | CameraSource::LaunchJpeg { .. }
            ),
            Source::Microphone => matches!(self.microphone, MicrophoneSource::Launch { .. }),
        }
    }

    /// Checks that a source is connected, without opening it. One whose presence is unknown passes.
    ///
    /// # Errors
    /// The source that is missing.
    pub fn check_presence(&self, source: Source) -> Result<(), CaptureError> {
        match source {
            Source::Camera => find_camera(&self.camera),
            Source::Microphone => find_microphone(&self.microphone),
        }
    }
}

fn find_camera(camera: &CameraSource) -> Result<(), CaptureError> {
    match camera {
        CameraSource::File { path } => find_clip(path),
        CameraSource::V4l2 { device, .. } | CameraSource::Hdmi { device, .. }
            if !video_nodes(Path::new("/")).iter().any(|node| node.is(device)) =>
        {
            let (device, why) = (device.to_string(), "not connected".to_owned());
            Err(CaptureError::NoCamera { device, why })
        }
        _ => Ok(()),
    }
}

fn find_microphone(microphone: &MicrophoneSource) -> Result<(), CaptureError> {
    match microphone {
        MicrophoneSource::File { path } => find_clip(path),
        MicrophoneSource::Alsa { device }
            if !sound_cards(Path::new("/")).iter().any(|card| card.is(device)) =>
        {
            let (device, why) = (device.to_string(), "no such sound card".to_owned());
            Err(CaptureError::NoMicrophone { device, why })
        }
        _ => Ok(()),
    }
}

fn find_clip(path: &Path) -> Result<(), CaptureError> {
    std::fs::metadata(path).map(|_| ()).map_err(|error| CaptureError::FileUnreadable {
        path: path.to_owned(),
        why: error.to_string(),
    })
}
