//! Where video and audio come from: what a profile names, and what a capture is asked for.

use std::{fmt, path::PathBuf};

use serde::Serialize;

use crate::selection::{CameraDevice, CameraMode, MicrophoneDevice, VideoFormat};

/// Where the video comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum CameraSource {
    /// A drawn, moving test pattern with a running clock and a flash at each full second.
    TestPattern,
    /// A clip, played in a loop at its own speed.
    File {
        /// The clip.
        path: PathBuf,
    },
    /// A Video4Linux2 device.
    V4l2 {
        /// Which one.
        device: CameraDevice,
        /// What it may deliver, best first; never empty.
        formats: Vec<VideoFormat>,
        /// What of its mode its owner has chosen.
        #[serde(skip_serializing_if = "CameraMode::is_auto")]
        mode: CameraMode,
    },
    /// A camera of libcamera: a sensor on the board's own ribbon connector.
    Libcamera {
        /// Its name in libcamera; the first camera when there is none.
        name: Option<String>,
    },
    /// A sensor of a Jetson board, through its image signal processor.
    Argus {
        /// Its number, from 0; it follows the device tree.
        sensor: u32,
    },
    /// An HDMI input: a Video4Linux2 device that is given what to offer to the source and that
    /// follows the source's timings.
    Hdmi {
        /// Which one.
        device: CameraDevice,
        /// The node of the receiver chip, when it is not that of the device.
        subdevice: Option<PathBuf>,
        /// The EDID that it offers, as a file of hexadecimal digits or bytes; the chip's own when
        /// there is none.
        edid: Option<PathBuf>,
    },
    /// Elements in `gst-launch` notation that end in raw or decodable video.
    Launch {
        /// The elements.
        launch: String,
        /// They end in H.264 that is passed through as it is.
        passthrough: bool,
    },
    /// Elements in `gst-launch` notation that end in JPEGs, for the decoders of the board.
    #[serde(rename = "launch")]
    LaunchJpeg {
        /// The elements.
        launch: String,
    },
}

/// Where the audio comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum MicrophoneSource {
    /// A quiet hum with a beep at each full second, together with the test pattern's flash.
    Tone,
    /// Silence; servers want an audio track even then.
    Silence,
    /// The audio of the camera's clip.
    CameraFile,
    /// An audio file or the audio of a clip, played in a loop.
    File {
        /// The file.
        path: PathBuf,
    },
    /// An ALSA device.
    Alsa {
        /// Which one.
        device: MicrophoneDevice,
    },
    /// Elements in `gst-launch` notation that end in raw or decodable audio.
    Launch {
        /// The elements.
        launch: String,
    },
}

impl CameraSource {
    /// The camera that an owner has chosen in place of the board's own. `auto` is the board's own one
    /// where that is not just any camera of the kernel.
    #[must_use]
    pub fn chosen(&self, device: Option<&CameraDevice>, mode: CameraMode) -> CameraSource {
        let v4l2 = |device: &CameraDevice, formats: &[VideoFormat]| CameraSource::V4l2 {
            device: device.clone(),
            formats: formats.to_vec(),
            mode,
        };
        match (self, device) {
            (CameraSource::V4l2 { device: own, formats, .. }, chosen) => {
                v4l2(chosen.unwrap_or(own), formats)
            }
            (own, None | Some(CameraDevice::Auto)) => own.clone(),
            // It has to be set up before it is opened.
            (CameraSource::Hdmi { device: own, .. }, Some(chosen)) if own == chosen => self.clone(),
            (_, Some(chosen)) => v4l2(chosen, &VideoFormat::USUAL),
        }
    }

    /// Whether its frames may be JPEGs that a decoder of the board decodes.
    pub fn may_deliver_jpeg(&self) -> bool {
        match self {
            CameraSource::V4l2 { formats, .. } => formats.contains(&VideoFormat::Mjpeg),
            CameraSource::LaunchJpeg { .. } => true,
            _ => false,
        }
    }
}

impl MicrophoneSource {
    /// The microphone that an owner has chosen in place of the board's own; `auto` as for cameras.
    #[must_use]
    pub fn chosen(&self, device: Option<&MicrophoneDevice>) -> MicrophoneSource {
        match (self, device) {
            (MicrophoneSource::Alsa { .. }, Some(chosen)) => {
                MicrophoneSource::Alsa { device: chosen.clone() }
            }
            (own, None | Some(MicrophoneDevice::Auto)) => own.clone(),
            (_, Some(chosen)) => MicrophoneSource::Alsa { device: chosen.clone() },
        }
    }
}

impl fmt::Display for CameraSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CameraSource::TestPattern => f.write_str("the test pattern"),
            CameraSource::File { path } => write!(f, "the clip {}", path.display()),
            CameraSource::V4l2 { device, .. } => write!(f, "{device}"),
            CameraSource::Libcamera { name: None } => f.write_str("the first camera of libcamera"),
            CameraSource::Libcamera { name: Some(name) } => write!(f, "{name} of libcamera"),
            CameraSource::Argus { sensor } => write!(f, "sensor {sensor} of the Jetson board"),
            CameraSource::Hdmi { device, .. } => write!(f, "the HDMI input {device}"),
            CameraSource::Launch { launch, .. } | CameraSource::LaunchJpeg { launch } => {
                f.write_str(launch)
            }
        }
    }
}

impl fmt::Display for MicrophoneSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MicrophoneSource::Tone => f.write_str("the tone"),
            MicrophoneSource::CameraFile => f.write_str("the audio of the clip"),
            MicrophoneSource::File { path } => write!(f, "the file {}", path.display()),
            MicrophoneSource::Silence => f.write_str("silence"),
            MicrophoneSource::Alsa { device } => write!(f, "{device}"),
            MicrophoneSource::Launch { launch } => f.write_str(launch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webcam() -> CameraDevice {
        CameraDevice::Usb("1-1.3".to_owned())
    }

    #[test]
    fn an_owner_chooses_a_camera_in_place_of_any_board_s_own() {
        let mode = CameraMode::parse("1280x720@30 mjpeg").expect("a mode");
        let usual = VideoFormat::USUAL.to_vec();
        let own = CameraSource::Libcamera { name: None };
        let chosen = own.chosen(Some(&webcam()), mode);
        let v4l2 = CameraSource::V4l2 { device: webcam(), formats: usual, mode };
        assert_eq!(chosen, v4l2);
        for device in [None, Some(&CameraDevice::Auto)] {
            assert_eq!(own.chosen(device, mode), own, "it has no modes to choose from");
        }
        let formats = vec![VideoFormat::H264];
        let (device, auto) = (webcam(), CameraMode::default());
        let own = CameraSource::V4l2 { device, formats: formats.clone(), mode: auto };
        let device = CameraDevice::Auto;
        assert_eq!(own.chosen(None, auto), own);
        assert_eq!(own.chosen(Some(&device), mode), CameraSource::V4l2 { device, formats, mode });
    }

    #[test]
    fn an_hdmi_input_that_is_named_stays_one() {
        let device = CameraDevice::Driver("rk_hdmirx".to_owned());
        let own = CameraSource::Hdmi { device: device.clone(), subdevice: None, edid: None };
        let auto = CameraMode::default();
        assert_eq!(own.chosen(Some(&device), auto), own);
        let chosen = own.chosen(Some(&webcam()), auto);
        assert!(matches!(chosen, CameraSource::V4l2 { device, .. } if device == webcam()));
    }

    #[test]
    fn an_owner_chooses_a_microphone_in_place_of_any_board_s_own() {
        let card = MicrophoneDevice::of_card("Device");
        for own in [
            MicrophoneSource::Silence,
            MicrophoneSource::Tone,
            MicrophoneSource::Alsa { device: MicrophoneDevice::Auto },
        ] {
            let chosen = MicrophoneSource::Alsa { device: card.clone() };
            assert_eq!(own.chosen(Some(&card)), chosen);
            assert_eq!(own.chosen(None), own);
            assert_eq!(own.chosen(Some(&MicrophoneDevice::Auto)), own);
        }
    }
}
