//! Which sources a request needs, and the candidates for each on this machine.

use std::path::{Path, PathBuf};

use gstreamer as gst;
use gstreamer_video::VideoFormat as Layout;

use super::{
    cameras::candidates,
    drivers::{Drivers, Offered},
    hdmi,
    inventory::{VideoNode, no_camera, no_microphone, sound_cards},
    modes::{Format, Mode},
};
use crate::{
    capture::{
        convert::{Shape, Work},
        error::CaptureError,
        request::{CameraSource, MicrophoneSource, Request, VideoSettings},
        threads::Deadline,
    },
    limits::CAPTURE_SEARCH_TIMEOUT,
    media::Track,
    selection::{CameraDevice, CameraMode, MicrophoneDevice, VideoFormat},
};

/// What a source says when it has none of that track.
pub fn lacks(track: Track) -> &'static str {
    match track {
        Track::Video => "it has no video",
        Track::Audio => "it has no audio",
    }
}

/// A source that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourcePlan {
    /// A Video4Linux2 device that is searched for each time it is opened.
    V4l2 {
        /// Which one.
        device: CameraDevice,
        /// The formats that are allowed, best first.
        formats: Vec<VideoFormat>,
        /// What of its mode is chosen.
        mode: CameraMode,
    },
    /// An HDMI input that is set up and searched for each time it is opened.
    Hdmi {
        /// Which one.
        device: CameraDevice,
        /// The node of the receiver chip, when it differs from that of the device.
        subdevice: Option<PathBuf>,
        /// The EDID file to load.
        edid: Option<PathBuf>,
    },
    /// A sound card that is searched for each time it is opened.
    Alsa(MicrophoneDevice),
    /// One that needs no search.
    Fixed(SourceSpec),
}

/// How a source is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSpec {
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
    H264Launch(String),
    /// Elements that end in JPEGs.
    JpegLaunch(String),
    /// An ALSA device, by its ALSA name.
    Alsa(String),
    /// Elements that end in audio.
    MicrophoneLaunch(String),
    /// A clip, or one of its tracks.
    Clip {
        /// The clip.
        path: PathBuf,
        /// Its video is wanted.
        video: bool,
        /// Its audio is wanted.
        audio: bool,
    },
}

/// The candidates for a source, in the order in which they are tried.
#[derive(Debug, Default)]
pub struct SourceCandidates {
    /// The name of each, for the log, and how it is built.
    pub usable: Vec<(String, SourceSpec)>,
    /// Devices that were found but cannot be used, with the reason.
    pub rejected: Vec<String>,
    /// What the owner has chosen and a candidate is used without, by its name.
    pub notes: Vec<(String, String)>,
}

/// The Video4Linux2 nodes that a source may be, and what their drivers offer.
#[derive(Debug, Default)]
pub(in crate::capture) struct Found {
    nodes: Vec<VideoNode>,
    offered: Offered,
}

impl SourcePlan {
    /// The sources of a request, at most two; none for what is generated here.
    pub fn of(request: &Request) -> Vec<SourcePlan> {
        let camera = match &request.camera {
            CameraSource::TestPattern => None,
            CameraSource::File { path } => Some(SourcePlan::Fixed(SourceSpec::Clip {
                path: path.clone(),
                video: true,
                audio: request.microphone == MicrophoneSource::CameraFile,
            })),
            CameraSource::V4l2 { device, formats, mode } => Some(SourcePlan::V4l2 {
                device: device.clone(),
                formats: formats.clone(),
                mode: *mode,
            }),
            CameraSource::Libcamera { name } => {
                Some(SourcePlan::Fixed(SourceSpec::Libcamera(name.clone())))
            }
            CameraSource::Argus { sensor } => Some(SourcePlan::Fixed(SourceSpec::Argus(*sensor))),
            CameraSource::Hdmi { device, subdevice, edid } => Some(SourcePlan::Hdmi {
                device: device.clone(),
                subdevice: subdevice.clone(),
                edid: edid.clone(),
            }),
            CameraSource::Launch { launch, passthrough: false } => {
                Some(SourcePlan::Fixed(SourceSpec::CameraLaunch(launch.clone())))
            }
            CameraSource::Launch { launch, passthrough: true } => {
                Some(SourcePlan::Fixed(SourceSpec::H264Launch(launch.clone())))
            }
            CameraSource::LaunchJpeg { launch } => {
                Some(SourcePlan::Fixed(SourceSpec::JpegLaunch(launch.clone())))
            }
        };
        let microphone = match &request.microphone {
            MicrophoneSource::Tone | MicrophoneSource::Silence | MicrophoneSource::CameraFile => {
                None
            }
            MicrophoneSource::File { path } => Some(SourcePlan::Fixed(SourceSpec::Clip {
                path: path.clone(),
                video: false,
                audio: true,
            })),
            MicrophoneSource::Alsa { device } => Some(SourcePlan::Alsa(device.clone())),
            MicrophoneSource::Launch { launch } => {
                Some(SourcePlan::Fixed(SourceSpec::MicrophoneLaunch(launch.clone())))
            }
        };
        camera.into_iter().chain(microphone).collect()
    }

    /// Searches this machine for the nodes that are meant, and asks the drivers of these alone, for as long
    /// as `CAPTURE_SEARCH_TIMEOUT`; why there are none. Ends early when `given_up`.
    pub(in crate::capture) fn search(
        &self,
        drivers: &Drivers,
        given_up: &impl Fn() -> bool,
    ) -> Result<Found, String> {
        let deadline = Deadline::after(CAPTURE_SEARCH_TIMEOUT);
        let device = match self {
            SourcePlan::V4l2 { device, .. } => device,
            SourcePlan::Hdmi { device, subdevice, edid } => {
                hdmi::prepare(device, subdevice.as_deref(), edid.as_deref())?;
                device
            }
            SourcePlan::Alsa(_) | SourcePlan::Fixed(_) => return Ok(Found::default()),
        };
        let all = drivers.nodes();
        let nodes: Vec<VideoNode> = all.iter().filter(|node| node.is(device)).cloned().collect();
        if nodes.is_empty() {
            return Err(no_camera(device, &all));
        }
        let offered = drivers.ask(&nodes, deadline.left(), given_up);
        Ok(Found { nodes, offered })
    }

    /// The candidates among what was found; a camera's modes in one of these layouts need no conversion.
    pub(in crate::capture) fn candidates(
        &self,
        found: &Result<Found, String>,
        video: &VideoSettings,
        layouts: &[Layout],
    ) -> SourceCandidates {
        let of_cameras = |formats: &[VideoFormat], mode| match found {
            Ok(found) => cameras(found, (formats, mode), video, layouts),
            Err(why) => {
                SourceCandidates { rejected: vec![why.clone()], ..SourceCandidates::default() }
            }
        };
        match self {
            SourcePlan::V4l2 { formats, mode, .. } => of_cameras(formats, *mode),
            SourcePlan::Hdmi { .. } => of_cameras(&[VideoFormat::Raw], CameraMode::default()),
            SourcePlan::Alsa(device) => microphones(device),
            SourcePlan::Fixed(spec) => SourceCandidates {
                usable: vec![(String::new(), spec.clone())],
                ..SourceCandidates::default()
            },
        }
    }

    /// Whether it is a device that can be plugged in and unplugged.
    pub(in crate::capture) fn is_device(&self) -> bool {
        !matches!(self, SourcePlan::Fixed(_))
    }

    /// Whether it is live, rather than a clip that ends and is repeated.
    pub(in crate::capture) fn is_live(&self) -> bool {
        !matches!(self, SourcePlan::Fixed(spec) if !spec.is_live())
    }

    pub(in crate::capture) fn has_video(&self) -> bool {
        match self {
            SourcePlan::V4l2 { .. } | SourcePlan::Hdmi { .. } => true,
            SourcePlan::Alsa(_) => false,
            SourcePlan::Fixed(spec) => spec.has_video(),
        }
    }

    pub(in crate::capture) fn has_audio(&self) -> bool {
        match self {
            SourcePlan::V4l2 { .. } | SourcePlan::Hdmi { .. } => false,
            SourcePlan::Alsa(_) => true,
            SourcePlan::Fixed(spec) => spec.has_audio(),
        }
    }

    /// The error that names this source.
    pub(in crate::capture) fn unavailable(&self, why: String) -> CaptureError {
        let no_camera = |device: String, why| CaptureError::NoCamera { device, why };
        let no_microphone = |device: String, why| CaptureError::NoMicrophone { device, why };
        match self {
            SourcePlan::V4l2 { device, .. } | SourcePlan::Hdmi { device, .. } => {
                no_camera(device.to_string(), why)
            }
            SourcePlan::Alsa(device) => no_microphone(device.to_string(), why),
            SourcePlan::Fixed(spec) => match spec {
                SourceSpec::V4l2 { node, .. } => no_camera(node.display().to_string(), why),
                SourceSpec::Libcamera(name) => {
                    no_camera(name.clone().unwrap_or_else(|| "of libcamera".to_owned()), why)
                }
                SourceSpec::Argus(sensor) => no_camera(format!("sensor {sensor}"), why),
                SourceSpec::CameraLaunch(device)
                | SourceSpec::H264Launch(device)
                | SourceSpec::JpegLaunch(device) => no_camera(device.clone(), why),
                SourceSpec::Alsa(device) | SourceSpec::MicrophoneLaunch(device) => {
                    no_microphone(device.clone(), why)
                }
                SourceSpec::Clip { path, .. } => {
                    let path = path.clone();
                    match [Track::Video, Track::Audio]
                        .into_iter()
                        .find(|track| why == lacks(*track))
                    {
                        Some(track) => CaptureError::NoTrack { path, track },
                        None => CaptureError::FileUnreadable { path, why },
                    }
                }
            },
        }
    }
}

impl SourceSpec {
    pub(in crate::capture) fn is_live(&self) -> bool {
        !matches!(self, SourceSpec::Clip { .. })
    }

    /// Whether it delivers H.264 that is passed through.
    pub(in crate::capture) fn is_h264(&self) -> bool {
        match self {
            SourceSpec::V4l2 { mode, .. } => mode.format == Format::H264,
            SourceSpec::H264Launch(_) => true,
            _ => false,
        }
    }

    /// Whether it delivers JPEGs, which a decoder of the board decodes.
    pub fn is_jpeg(&self) -> bool {
        match self {
            SourceSpec::V4l2 { mode, .. } => mode.format == Format::Mjpeg,
            SourceSpec::JpegLaunch(_) => true,
            _ => false,
        }
    }

    /// What its raw frames need to be those that are wanted, of the wanted size where they are scaled;
    /// `None` where that is nothing, or where it is not known before they come.
    pub(in crate::capture) fn work(
        &self,
        video: &VideoSettings,
        layouts: &[Layout],
        scales: bool,
    ) -> Option<Work> {
        let size = (video.width, video.height);
        let from = match self {
            SourceSpec::V4l2 { mode, .. } => mode.shape(),
            // As it is asked for.
            SourceSpec::Libcamera(_) => Some(Shape { layout: Layout::Nv12, size }),
            SourceSpec::CameraLaunch(launch) => last_caps(launch),
            _ => None,
        }?;
        Work::between(from, layouts, if scales { size } else { from.size })
    }

    pub(in crate::capture) fn has_video(&self) -> bool {
        match self {
            SourceSpec::Alsa(_) | SourceSpec::MicrophoneLaunch(_) => false,
            SourceSpec::Clip { video, .. } => *video,
            _ => true,
        }
    }

    pub(in crate::capture) fn has_audio(&self) -> bool {
        match self {
            SourceSpec::Alsa(_) | SourceSpec::MicrophoneLaunch(_) => true,
            SourceSpec::Clip { audio, .. } => *audio,
            _ => false,
        }
    }
}

/// The shape of what elements in `gst-launch` notation end in, where the last of them are caps that say it.
fn last_caps(launch: &str) -> Option<Shape> {
    let last = launch.rsplit('!').next()?.trim().trim_matches('"');
    let caps: gst::Caps = last.parse().ok().filter(|_| last.starts_with("video/x-raw"))?;
    let (structure, features) = caps.iter_with_features().next().filter(|_| caps.size() == 1)?;
    if !features.is_equal(gst::CAPS_FEATURES_MEMORY_SYSTEM_MEMORY.as_ref()) {
        return None;
    }
    let side = |name| u32::try_from(structure.get::<i32>(name).ok()?).ok();
    Shape::of(structure.get::<&str>("format").ok()?, side("width")?, side("height")?)
}

fn cameras(
    Found { nodes, offered }: &Found,
    (formats, set): (&[VideoFormat], CameraMode),
    video: &VideoSettings,
    layouts: &[Layout],
) -> SourceCandidates {
    let mut found = SourceCandidates::default();
    let mut raw_too: Vec<VideoNode> = Vec::new();
    for candidate in candidates(nodes, offered, (formats, set), video, layouts) {
        let name = format!("{} ({})", candidate.node.name, candidate.node.node.display());
        match (candidate.why_not, candidate.modes.chosen) {
            (None, Some(mode)) => {
                let node = candidate.node.node.clone();
                let h264 = mode.format == Format::H264;
                let used = format!("{name}, {mode}");
                if let Some(why) = candidate.modes.not_offered {
                    found.notes.push((used.clone(), format!("{}: {why}", candidate.node.name)));
                }
                found.usable.push((used, SourceSpec::V4l2 { node, mode }));
                if h264 {
                    raw_too.push(candidate.node);
                }
            }
            (why, _) => found.rejected.push(format!("{name}: {}", why.unwrap_or_default())),
        }
    }
    // A camera whose H.264 has no key frames may still work in another format.
    let others: Vec<VideoFormat> =
        formats.iter().copied().filter(|format| *format != VideoFormat::H264).collect();
    if !raw_too.is_empty() && !others.is_empty() {
        let again = candidates(nodes, offered, (&others, set), video, layouts);
        found.usable.extend(again.into_iter().filter_map(|candidate| {
            let mode = candidate.modes.chosen.filter(|_| raw_too.contains(&candidate.node))?;
            let name = format!("{} ({})", candidate.node.name, candidate.node.node.display());
            let node = candidate.node.node;
            Some((format!("{name}, {mode}"), SourceSpec::V4l2 { node, mode }))
        }));
    }
    found
}

fn microphones(device: &MicrophoneDevice) -> SourceCandidates {
    let cards = sound_cards(Path::new("/"));
    let usable = match device {
        // ALSA itself resolves a name without a card.
        MicrophoneDevice::Alsa(name) => vec![(name.clone(), SourceSpec::Alsa(name.clone()))],
        MicrophoneDevice::Auto | MicrophoneDevice::Usb(_) | MicrophoneDevice::Name(_) => cards
            .iter()
            .filter(|card| card.is(device))
            .map(|card| {
                let name = card.alsa_name();
                (format!("{} ({name})", card.name), SourceSpec::Alsa(name))
            })
            .collect(),
    };
    let none = usable.is_empty().then(|| no_microphone(device, &cards));
    SourceCandidates { usable, rejected: none.into_iter().collect(), notes: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_of_a_launch_line_is_known_where_it_ends_in_caps() {
        gst::init().expect("GStreamer");
        let video = VideoSettings::of_720p();
        let work = |launch: &str| {
            let spec = SourceSpec::CameraLaunch(launch.to_owned());
            spec.work(&video, &[Layout::I420], true)
        };
        let known = "v4l2src ! video/x-raw, format=(string)YUY2, width=(int)1280, height=720";
        assert_eq!(work(known).expect("known").from.layout, Layout::Yuy2);
        assert_eq!(
            work("a ! \"video/x-raw,format=NV12,width=640,height=360\" ").map(|w| w.from.size),
            Some((640, 360))
        );
        for unknown in [
            "v4l2src",
            "rtspsrc location=rtsp://10.0.0.2/1",
            "a ! video/x-raw, format=YUY2",
            "a ! video/x-raw, format={ YUY2, NV12 }, width=640, height=360",
            "a ! video/x-raw(memory:NVMM), format=NV12, width=640, height=360",
            "a ! video/x-raw, format=I420, width=1280, height=720",
            "",
        ] {
            assert_eq!(work(unknown), None, "{unknown}");
        }
    }
}
