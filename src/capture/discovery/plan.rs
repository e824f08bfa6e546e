//! Which sources a request needs, and of which elements each can be made on this machine.

use std::path::{Path, PathBuf};

use super::{
    cameras::candidates,
    hdmi,
    inventory::{VideoNode, sound_cards},
    modes::{Form, Mode},
};
use crate::{
    board::{CameraDevice, MicrophoneDevice, PictureFormat},
    capture::{
        error::CaptureError,
        request::{CameraSource, MicrophoneSource, Request, VideoSettings},
    },
};

/// What is wanted as a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourcePlan {
    /// A Video4Linux2 device that is looked for each time it is opened.
    V4l2 {
        /// Which one.
        device: CameraDevice,
        /// What it may deliver, best first.
        formats: Vec<PictureFormat>,
    },
    /// An HDMI input that is set up and looked for each time it is opened.
    Hdmi {
        /// Which one.
        device: CameraDevice,
        /// The node of the receiver chip, when it is not that of the device.
        subdevice: Option<PathBuf>,
        /// The EDID that it offers.
        edid: Option<PathBuf>,
    },
    /// A sound card that is looked for each time it is opened.
    Alsa(MicrophoneDevice),
    /// What is the same on every machine.
    Fixed(Recipe),
}

/// What a source is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipe {
    /// A Video4Linux2 device in one of its modes.
    V4l2 {
        /// Its node.
        node: PathBuf,
        /// The mode.
        mode: Mode,
    },
    /// A camera of libcamera; the first one when it has no name.
    Libcamera(Option<String>),
    /// A sensor of a Jetson board.
    Argus(u32),
    /// Elements that end in video.
    CameraLaunch(String),
    /// Elements that end in H.264.
    CodedLaunch(String),
    /// An ALSA device, by its ALSA name.
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

/// How a source can be made, in the order in which that is tried.
#[derive(Debug, Default)]
pub struct Ways {
    /// What it is called, and how to make it.
    pub ways: Vec<(String, Recipe)>,
    /// What was found and cannot be used, with the reason.
    pub refused: Vec<String>,
}

impl SourcePlan {
    /// The sources of a request; none for what is drawn or computed. At most two.
    pub fn of(request: &Request) -> Vec<SourcePlan> {
        let camera = match &request.camera {
            CameraSource::TestPattern => None,
            CameraSource::File { path } => Some(SourcePlan::Fixed(Recipe::Clip {
                path: path.clone(),
                picture: true,
                sound: request.microphone == MicrophoneSource::CameraFile,
            })),
            CameraSource::V4l2 { device, formats } => {
                Some(SourcePlan::V4l2 { device: device.clone(), formats: formats.clone() })
            }
            CameraSource::Libcamera { name } => {
                Some(SourcePlan::Fixed(Recipe::Libcamera(name.clone())))
            }
            CameraSource::Argus { sensor } => Some(SourcePlan::Fixed(Recipe::Argus(*sensor))),
            CameraSource::Hdmi { device, subdevice, edid } => Some(SourcePlan::Hdmi {
                device: device.clone(),
                subdevice: subdevice.clone(),
                edid: edid.clone(),
            }),
            CameraSource::Launch { launch, passthrough: false } => {
                Some(SourcePlan::Fixed(Recipe::CameraLaunch(launch.clone())))
            }
            CameraSource::Launch { launch, passthrough: true } => {
                Some(SourcePlan::Fixed(Recipe::CodedLaunch(launch.clone())))
            }
        };
        let microphone = match &request.microphone {
            MicrophoneSource::Tone | MicrophoneSource::Silence | MicrophoneSource::CameraFile => {
                None
            }
            MicrophoneSource::File { path } => Some(SourcePlan::Fixed(Recipe::Clip {
                path: path.clone(),
                picture: false,
                sound: true,
            })),
            MicrophoneSource::Alsa { device } => Some(SourcePlan::Alsa(device.clone())),
            MicrophoneSource::Launch { launch } => {
                Some(SourcePlan::Fixed(Recipe::MicrophoneLaunch(launch.clone())))
            }
        };
        camera.into_iter().chain(microphone).collect()
    }

    /// Looks on this machine for what is wanted. Asks drivers, which may take as long as a driver
    /// likes.
    pub(in crate::capture) fn look(&self, video: &VideoSettings) -> Ways {
        match self {
            SourcePlan::V4l2 { device, formats } => cameras(device, formats, video),
            SourcePlan::Hdmi { device, subdevice, edid } => {
                match hdmi::prepare(device, subdevice.as_deref(), edid.as_deref()) {
                    Ok(()) => cameras(device, &[PictureFormat::Raw], video),
                    Err(why) => Ways { ways: Vec::new(), refused: vec![why] },
                }
            }
            SourcePlan::Alsa(device) => microphones(device),
            SourcePlan::Fixed(recipe) => {
                Ways { ways: vec![(String::new(), recipe.clone())], refused: Vec::new() }
            }
        }
    }

    /// Whether it is a device that can be plugged in and out.
    pub(in crate::capture) fn is_device(&self) -> bool {
        !matches!(self, SourcePlan::Fixed(_))
    }

    /// Whether it goes on by itself, rather than ending and being played again.
    pub(in crate::capture) fn is_live(&self) -> bool {
        !matches!(self, SourcePlan::Fixed(recipe) if !recipe.is_live())
    }

    pub(in crate::capture) fn has_picture(&self) -> bool {
        match self {
            SourcePlan::V4l2 { .. } | SourcePlan::Hdmi { .. } => true,
            SourcePlan::Alsa(_) => false,
            SourcePlan::Fixed(recipe) => recipe.has_picture(),
        }
    }

    pub(in crate::capture) fn has_sound(&self) -> bool {
        match self {
            SourcePlan::V4l2 { .. } | SourcePlan::Hdmi { .. } => false,
            SourcePlan::Alsa(_) => true,
            SourcePlan::Fixed(recipe) => recipe.has_sound(),
        }
    }

    /// The error that names this source.
    pub(in crate::capture) fn blame(&self, why: String) -> CaptureError {
        let no_camera = |device: String, why| CaptureError::NoCamera { device, why };
        let no_microphone = |device: String, why| CaptureError::NoMicrophone { device, why };
        match self {
            SourcePlan::V4l2 { device, .. } | SourcePlan::Hdmi { device, .. } => {
                no_camera(device.to_string(), why)
            }
            SourcePlan::Alsa(device) => no_microphone(device.to_string(), why),
            SourcePlan::Fixed(recipe) => match recipe {
                Recipe::V4l2 { node, .. } => no_camera(node.display().to_string(), why),
                Recipe::Libcamera(name) => {
                    no_camera(name.clone().unwrap_or_else(|| "of libcamera".to_owned()), why)
                }
                Recipe::Argus(sensor) => no_camera(format!("sensor {sensor}"), why),
                Recipe::CameraLaunch(device) | Recipe::CodedLaunch(device) => {
                    no_camera(device.clone(), why)
                }
                Recipe::Alsa(device) | Recipe::MicrophoneLaunch(device) => {
                    no_microphone(device.clone(), why)
                }
                Recipe::Clip { path, .. } => {
                    CaptureError::FileUnreadable { path: path.clone(), why }
                }
            },
        }
    }
}

impl Recipe {
    pub(in crate::capture) fn is_live(&self) -> bool {
        !matches!(self, Recipe::Clip { .. })
    }

    /// Whether it gives H.264 that is passed through.
    pub(in crate::capture) fn is_coded(&self) -> bool {
        match self {
            Recipe::V4l2 { mode, .. } => mode.form == Form::H264,
            Recipe::CodedLaunch(_) => true,
            _ => false,
        }
    }

    pub(in crate::capture) fn has_picture(&self) -> bool {
        match self {
            Recipe::Alsa(_) | Recipe::MicrophoneLaunch(_) => false,
            Recipe::Clip { picture, .. } => *picture,
            _ => true,
        }
    }

    pub(in crate::capture) fn has_sound(&self) -> bool {
        match self {
            Recipe::Alsa(_) | Recipe::MicrophoneLaunch(_) => true,
            Recipe::Clip { sound, .. } => *sound,
            _ => false,
        }
    }
}

fn cameras(device: &CameraDevice, formats: &[PictureFormat], video: &VideoSettings) -> Ways {
    let mut found = Ways::default();
    let mut uncoded: Vec<VideoNode> = Vec::new();
    for candidate in candidates(device, formats, video) {
        let name = format!("{} ({})", candidate.node.name, candidate.node.node.display());
        match (candidate.why_not, candidate.modes.chosen) {
            (None, Some(mode)) => {
                let node = candidate.node.node.clone();
                let coded = mode.form == Form::H264;
                found.ways.push((format!("{name}, {mode}"), Recipe::V4l2 { node, mode }));
                if coded {
                    uncoded.push(candidate.node);
                }
            }
            (why, _) => found.refused.push(format!("{name}: {}", why.unwrap_or_default())),
        }
    }
    // A camera whose H.264 has no key frames may still give pictures.
    let others: Vec<PictureFormat> =
        formats.iter().copied().filter(|format| *format != PictureFormat::H264).collect();
    if !uncoded.is_empty() && !others.is_empty() {
        let again = candidates(device, &others, video);
        found.ways.extend(again.into_iter().filter_map(|candidate| {
            let mode = candidate.modes.chosen.filter(|_| uncoded.contains(&candidate.node))?;
            let name = format!("{} ({})", candidate.node.name, candidate.node.node.display());
            let node = candidate.node.node;
            Some((format!("{name}, {mode}"), Recipe::V4l2 { node, mode }))
        }));
    }
    found
}

fn microphones(device: &MicrophoneDevice) -> Ways {
    let cards = sound_cards(Path::new("/"));
    let ways = match device {
        // What is behind a name without a card is ALSA's own affair.
        MicrophoneDevice::Alsa(name) => vec![(name.clone(), Recipe::Alsa(name.clone()))],
        MicrophoneDevice::Auto | MicrophoneDevice::Usb(_) => cards
            .iter()
            .filter(|card| card.is(device))
            .map(|card| {
                let name = card.alsa_name();
                (format!("{} ({name})", card.name), Recipe::Alsa(name))
            })
            .collect(),
    };
    Ways { ways, refused: Vec::new() }
}
