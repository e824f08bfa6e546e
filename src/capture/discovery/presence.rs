//! Whether the sources of a request are connected, as far as that can be known without opening them.

use std::path::Path;

use super::inventory::{
    cameras_to_choose, microphones_to_choose, no_camera, no_microphone, sound_cards, video_nodes,
};
use super::plan::SourcePlan;
use crate::capture::{
    error::CaptureError,
    event::Source,
    request::{CameraSource, MicrophoneSource, Request},
};
use crate::selection::{CameraDevice, MicrophoneDevice};

/// What a setting may call the cameras and the microphones of this machine, each with its own name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DevicesToChoose {
    /// For `camera.device`.
    pub cameras: Vec<(String, String)>,
    /// For `microphone.device`.
    pub microphones: Vec<(String, String)>,
}

/// What there is to choose from. Reads what the kernel lists, and asks no driver.
pub fn devices_to_choose() -> DevicesToChoose {
    let root = Path::new("/");
    DevicesToChoose {
        cameras: cameras_to_choose(&video_nodes(root)),
        microphones: microphones_to_choose(&sound_cards(root)),
    }
}

impl SourcePlan {
    /// Checks that the device is connected, without opening it. What is no device passes.
    ///
    /// # Errors
    /// Why it is not, and which ones are.
    pub(in crate::capture) fn check_presence(&self) -> Result<(), String> {
        match self {
            SourcePlan::V4l2 { device, .. } | SourcePlan::Hdmi { device, .. } => {
                camera_is_there(device)
            }
            SourcePlan::Alsa(device) => microphone_is_there(device),
            SourcePlan::Fixed(_) => Ok(()),
        }
    }
}

fn camera_is_there(device: &CameraDevice) -> Result<(), String> {
    let nodes = video_nodes(Path::new("/"));
    let is_there = nodes.iter().any(|node| node.is(device));
    if is_there { Ok(()) } else { Err(no_camera(device, &nodes)) }
}

fn microphone_is_there(device: &MicrophoneDevice) -> Result<(), String> {
    let cards = sound_cards(Path::new("/"));
    let is_there = cards.iter().any(|card| card.is(device));
    if is_there { Ok(()) } else { Err(no_microphone(device, &cards)) }
}

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
        CameraSource::V4l2 { device, .. } | CameraSource::Hdmi { device, .. } => {
            camera_is_there(device)
                .map_err(|why| CaptureError::NoCamera { device: device.to_string(), why })
        }
        _ => Ok(()),
    }
}

fn find_microphone(microphone: &MicrophoneSource) -> Result<(), CaptureError> {
    match microphone {
        MicrophoneSource::File { path } => find_clip(path),
        MicrophoneSource::Alsa { device } => microphone_is_there(device)
            .map_err(|why| CaptureError::NoMicrophone { device: device.to_string(), why }),
        _ => Ok(()),
    }
}

fn find_clip(path: &Path) -> Result<(), CaptureError> {
    std::fs::metadata(path).map(|_| ()).map_err(|error| CaptureError::FileUnreadable {
        path: path.to_owned(),
        why: error.to_string(),
    })
}
