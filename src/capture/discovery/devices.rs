//! The devices and encoders of this machine, which of them would be used, and why the others would
//! not.

use std::path::{Path, PathBuf};

use gstreamer as gst;
use serde::Serialize;

use super::{
    cameras::{self, CameraCandidate},
    conversion::Conversion,
    drivers::{Drivers, Offered},
    inventory::{sound_cards, video_nodes},
    modes::{Mode, RejectedMode},
    opening::{Opening, formats_for},
    plan::SourcePlan,
};
use crate::{
    capture::{
        choice::{DeviceElement, with_software},
        convert::{
            ConverterSpec, Shape, Work, converter, converter_names,
            probe::{probe, time_a_frame},
        },
        decode::{JpegDecoderSpec, decoders, jpeg_decoder_names, probe::probe_jpeg},
        encode::{
            KnownBug,
            encoders::{self, VideoEncoderSpec, known_bugs},
            probe::{probe_audio, probe_video},
        },
        error::CaptureError,
        gst::{
            build::{element_fault, launch_fault},
            bus::one_line,
        },
        request::{CameraSource, MicrophoneSource, Request, VideoSettings},
    },
    file,
    limits::CAPTURE_DRIVER_TIMEOUT,
    selection::{CameraDevice, CameraMode, VideoFormat},
};

/// The devices and encoders of this machine, and which would be used; `firstmile devices` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceReport {
    /// What profile and settings ask for as a camera.
    pub camera_wanted: String,
    /// Video4Linux2 nodes, in the order in which they would be tried.
    pub cameras: Vec<CameraReport>,
    /// What to do about the camera, when none would be used.
    pub camera_advice: Option<String>,
    /// What profile and settings ask for as a microphone.
    pub microphone_wanted: String,
    /// Sound cards that record, in the order in which they would be tried.
    pub microphones: Vec<MicrophoneReport>,
    /// What to do about the microphone, when none would be used.
    pub microphone_advice: Option<String>,
    /// H.264 encoders, in the order in which they are tried.
    pub video_encoders: Vec<EncoderReport>,
    /// AAC encoders, in the order in which they are tried.
    pub audio_encoders: Vec<EncoderReport>,
    /// JPEG decoders, for cameras that deliver MJPEG, in the order in which they are tried.
    pub jpeg_decoders: Vec<ElementReport>,
    /// Converters, for raw frames that the encoder does not take as they are, in the order in which they
    /// are tried.
    pub converters: Vec<ElementReport>,
}

/// A camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CameraReport {
    /// What `camera.device` calls it, in a profile and in the settings: what survives replugging.
    pub device: String,
    /// The product's name.
    pub name: String,
    /// Its node now.
    pub node: PathBuf,
    /// Its kernel driver.
    pub driver: Option<String>,
    /// The USB port that it is plugged into.
    pub usb_port: Option<String>,
    /// It would be used.
    pub chosen: bool,
    /// Why it would not be used.
    pub why_not: Option<String>,
    /// The mode that would be used.
    pub mode: Option<Mode>,
    /// Why that is not the one that is set.
    pub mode_note: Option<String>,
    /// What is done to its frames for the encoder; `None` when they go there as they are, or when that
    /// is not known before the camera is opened.
    pub conversion: Option<Conversion>,
    /// How its frames are turned, mirrored and enlarged; `None` when they are not.
    pub framing: Option<Conversion>,
    /// Its other modes, and why each would not be used.
    pub other_modes: Vec<RejectedMode>,
}

/// A microphone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MicrophoneReport {
    /// What `microphone.device` calls it, in a profile and in the settings; it survives replugging.
    pub device: String,
    /// The product's name.
    pub name: String,
    /// The USB port that it is plugged into.
    pub usb_port: Option<String>,
    /// It would be used.
    pub chosen: bool,
    /// Why it would not be used.
    pub why_not: Option<String>,
}

/// An encoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EncoderReport {
    /// Its element.
    pub element: String,
    /// It would be used.
    pub chosen: bool,
    /// Why it would not be used.
    pub why_not: Option<String>,
    /// Its known bugs.
    pub known_bugs: &'static [KnownBug],
}

/// A decoder or a converter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ElementReport {
    /// Its element.
    pub element: String,
    /// It works on the processor cores.
    pub software: bool,
    /// It would be used.
    pub chosen: bool,
    /// Why it would not be used.
    pub why_not: Option<String>,
    /// Its known bugs.
    pub known_bugs: &'static [KnownBug],
}

/// Finds the devices and tries every encoder, decoder and converter. Takes up to `CAPTURE_PROBE_TIMEOUT`
/// for each that does not work; cameras are asked for their modes, but not opened.
///
/// # Errors
/// When GStreamer cannot be started.
pub fn devices(request: &Request) -> Result<DeviceReport, CaptureError> {
    gst::init().map_err(|error| CaptureError::Gstreamer(one_line(&error.to_string())))?;
    let root = Path::new("/");
    let video = |element: &str| match encoders::video(element) {
        Some(encoder) => probe_video(encoder, &request.video, CAPTURE_DRIVER_TIMEOUT),
        None => Err(UNKNOWN.to_owned()),
    };
    let audio = |element: &str| match encoders::audio(element) {
        Some(encoder) => probe_audio(encoder, &request.audio, CAPTURE_DRIVER_TIMEOUT),
        None => Err(UNKNOWN.to_owned()),
    };
    let jpeg = |element: &str| match decoders::jpeg(element) {
        Some(decoder) => probe_jpeg(decoder, &request.video),
        None => Err(unknown::<JpegDecoderSpec>()),
    };
    let drivers = Drivers::default();
    let offered = drivers.ask(&drivers.nodes(), CAPTURE_DRIVER_TIMEOUT, &|| false);
    let video_encoders =
        encoder_reports(&request.encoders.video, encoders::video_encoder_names(), video);
    let chosen = video_encoders.iter().find(|encoder| encoder.chosen);
    let encoder = chosen.and_then(|encoder| encoders::video(&encoder.element));
    let mut cameras = cameras(root, request, encoder, &offered);
    let work = work_of(&cameras, request, encoder);
    let converters = converter_reports(&request.converters.raw, work.as_ref());
    let used = converters.iter().find(|converter| converter.chosen && !converter.software);
    if let Some((used, work)) = used.and_then(|used| converter(&used.element)).zip(work) {
        let conversion = cameras.iter_mut().find_map(|camera| camera.conversion.as_mut());
        let time = used.task(&work).ok().and_then(|task| time_a_frame(used, task));
        conversion.into_iter().for_each(|conversion| conversion.is_done_by(used, time));
    }
    let microphones = microphones(root, &request.microphone);
    Ok(DeviceReport {
        camera_wanted: request.camera.to_string(),
        camera_advice: camera_advice(&request.camera, &cameras),
        cameras,
        microphone_wanted: request.microphone.to_string(),
        microphone_advice: microphone_advice(&request.microphone, &microphones),
        microphones,
        video_encoders,
        audio_encoders: encoder_reports(
            &request.encoders.audio,
            encoders::audio_encoder_names(),
            audio,
        ),
        jpeg_decoders: element_reports::<JpegDecoderSpec>(
            &request.decoders.jpeg,
            jpeg_decoder_names(),
            jpeg,
        ),
        converters,
    })
}

const UNKNOWN: &str = "is not an encoder that firstmile knows";

fn unknown<S: DeviceElement>() -> String {
    format!("is not a {} that firstmile knows", S::KIND)
}

/// What is to be done to the frames of the camera that would be used; without one, or where nothing is,
/// what cameras need most often.
fn work_of(
    cameras: &[CameraReport],
    request: &Request,
    encoder: Option<&VideoEncoderSpec>,
) -> Option<Work> {
    let layouts = encoder.map(VideoEncoderSpec::layouts)?;
    let (video, scales) = opened_for(request);
    let size = (video.width, video.height);
    let chosen = cameras.iter().find(|camera| camera.chosen);
    let of_camera = chosen.and_then(|camera| camera.mode.as_ref()?.shape());
    let of_camera = of_camera
        .and_then(|shape| Work::between(shape, &layouts, if scales { size } else { shape.size }));
    let usual = || Work::between(Shape::of("YUY2", size.0, size.1)?, &layouts[..1], size);
    of_camera.or_else(usual)
}

/// What a camera is asked for, and whether its frames are made as large as those of the broadcast.
fn opened_for(request: &Request) -> (VideoSettings, bool) {
    let plans = SourcePlan::of(request);
    let camera = plans.iter().find(|plan| plan.has_video());
    let opening = camera.map(|plan| Opening::of(plan, &request.video, &request.framing));
    opening.map_or_else(|| (request.video.clone(), true), |opening| (opening.video, opening.scales))
}

fn converter_reports(order: &[String], work: Option<&Work>) -> Vec<ElementReport> {
    element_reports::<ConverterSpec>(order, converter_names(), |element| {
        let converter = converter(element).ok_or_else(unknown::<ConverterSpec>)?;
        match work {
            _ if converter.software => Ok(()),
            Some(work) => probe(converter, converter.task(work)?),
            None => Err("no encoder works that it could be tried for".to_owned()),
        }
    })
}

fn encoder_reports(
    order: &[String],
    known: impl Iterator<Item = &'static str>,
    attempt: impl Fn(&str) -> Result<(), String>,
) -> Vec<EncoderReport> {
    let report = |(element, why_not): (String, Option<String>)| EncoderReport {
        chosen: why_not.is_none(),
        why_not,
        known_bugs: known_bugs(&element),
        element,
    };
    judge(order, known, attempt).into_iter().map(report).collect()
}

fn element_reports<S: DeviceElement>(
    order: &[String],
    known: impl Iterator<Item = &'static str>,
    attempt: impl Fn(&str) -> Result<(), String>,
) -> Vec<ElementReport> {
    let report = |(element, why_not): (String, Option<String>)| {
        let known = S::named(&element);
        ElementReport {
            software: known.is_some_and(S::is_software),
            chosen: why_not.is_none(),
            why_not,
            known_bugs: known.map(S::known_bugs).unwrap_or_default(),
            element,
        }
    };
    judge(&with_software::<S>(order), known, attempt).into_iter().map(report).collect()
}

/// Tries elements in order, and says of each that is not chosen why: the first that works is.
fn judge(
    order: &[String],
    known: impl Iterator<Item = &'static str>,
    attempt: impl Fn(&str) -> Result<(), String>,
) -> Vec<(String, Option<String>)> {
    let mut chosen: Option<&str> = None;
    let mut reports = Vec::new();
    for element in order {
        let why_not = match (attempt(element), chosen) {
            (Err(why), _) => Some(why),
            (Ok(()), Some(first)) => Some(format!("works, but {first} comes first")),
            (Ok(()), None) => None,
        };
        if why_not.is_none() {
            chosen = Some(element);
        }
        reports.push((element.clone(), why_not));
    }
    let others = known.filter(|element| order.iter().all(|listed| listed != element));
    let unnamed = || Some("the board profile does not name it".to_owned());
    reports.extend(others.map(|element| (element.to_owned(), unnamed())));
    reports
}

fn cameras(
    root: &Path,
    request: &Request,
    encoder: Option<&VideoEncoderSpec>,
    offered: &Offered,
) -> Vec<CameraReport> {
    let wanted = &request.camera;
    let (video, scales) = opened_for(request);
    let auto = CameraMode::default();
    let named: &[VideoFormat] = match wanted {
        CameraSource::V4l2 { formats, .. } => formats,
        _ => &[],
    };
    let allowed = formats_for(named, &request.framing);
    let (device, formats) = match wanted {
        CameraSource::V4l2 { device, mode, .. } => (Some(device), (allowed.as_slice(), *mode)),
        CameraSource::Hdmi { device, .. } => (Some(device), (&[VideoFormat::Raw][..], auto)),
        _ => (None, (&VideoFormat::USUAL[..], auto)),
    };
    let layouts = encoder.map(VideoEncoderSpec::layouts).unwrap_or_default();
    let nodes = video_nodes(root);
    let judged = |formats, video: &VideoSettings| -> Vec<_> {
        let nodes = nodes.iter().cloned();
        nodes.map(|node| cameras::judge(node, offered, formats, video, &layouts)).collect()
    };
    let mut found = judged(formats, &video);
    let is_usable = |camera: &CameraCandidate| {
        camera.why_not.is_none() && device.is_some_and(|device| camera.node.is(device))
    };
    // As it is opened: what offers H.264 alone is used as it is, where there is no other.
    if allowed.len() < named.len() && !found.iter().any(is_usable) {
        let of_h264 = judged((&[VideoFormat::H264], formats.1), &request.video);
        if of_h264.iter().any(is_usable) {
            found = of_h264;
        }
    }
    found.sort_by_key(|candidate| candidate.why_not.is_some());
    let mut first: Option<String> = None;
    let mut reports = Vec::new();
    for candidate in found {
        let name = candidate.node.device(&nodes).to_string();
        let why_not = candidate.why_not.or_else(|| match (device, &first) {
            (None, _) => Some(format!("the profile asks for {wanted}")),
            (Some(device), _) if !candidate.node.is(device) => Some(format!("{device} is set")),
            (Some(_), Some(first)) => Some(format!("{first} is tried first")),
            (Some(_), None) => None,
        });
        if why_not.is_none() {
            first = Some(name.clone());
        }
        let mode = candidate.modes.chosen.as_ref().zip(encoder);
        let conversion = mode.and_then(|(mode, encoder)| {
            // Only that of the camera that would be used is measured.
            let is_used = why_not.is_none();
            is_used.then(|| Conversion::of(mode, encoder, &layouts, &video, scales))?
        });
        let used = candidate.modes.chosen.as_ref().filter(|_| why_not.is_none());
        let framing = used.and_then(|mode| {
            Conversion::of_framing(mode, &layouts, &request.video, &request.framing)
        });
        reports.push(CameraReport {
            device: name,
            name: candidate.node.name,
            node: candidate.node.node,
            driver: candidate.node.driver,
            usb_port: candidate.node.usb_port,
            chosen: why_not.is_none(),
            conversion,
            framing,
            why_not,
            mode: candidate.modes.chosen,
            mode_note: candidate.modes.not_offered,
            other_modes: candidate.modes.rejected,
        });
    }
    reports
}

fn camera_advice(wanted: &CameraSource, found: &[CameraReport]) -> Option<String> {
    let device = match wanted {
        CameraSource::V4l2 { device, .. } | CameraSource::Hdmi { device, .. } => device,
        CameraSource::Launch { launch, .. } | CameraSource::LaunchJpeg { launch } => {
            return launch_advice("camera.launch", launch);
        }
        CameraSource::File { path } => return file_advice("camera.path", path),
        CameraSource::Libcamera { .. } => return element_fault("libcamerasrc"),
        CameraSource::Argus { .. } => return element_fault("nvarguscamerasrc"),
        CameraSource::TestPattern => return None,
    };
    if found.iter().any(|camera| camera.chosen) {
        return None;
    }
    let looked = "looked for a Video4Linux2 camera in /dev/video*";
    Some(match (device, found.is_empty()) {
        (_, true) => format!(
            "{looked} and found no node: plug in a USB camera, or enable the board's own in its \
             device tree{}",
            if cfg!(feature = "demo") { "; `firstmile demo` needs none" } else { "" }
        ),
        (CameraDevice::Auto, false) => {
            format!("{looked}: none of them delivers video; plug in a USB camera")
        }
        (device, false) => format!(
            "{looked}: {device} is not among them or cannot be used; plug it in, or name another one \
             with `set camera.device`"
        ),
    })
}

fn launch_advice(key: &str, launch: &str) -> Option<String> {
    launch_fault(launch).map(|why| format!("{key} of the profile cannot be used: {why}"))
}

fn file_advice(key: &str, path: &Path) -> Option<String> {
    let fault = file::open(path).err();
    fault.map(|error| format!("{key} of the profile, {}: {error}", path.display()))
}

fn microphones(root: &Path, wanted: &MicrophoneSource) -> Vec<MicrophoneReport> {
    let mut first: Option<String> = None;
    let mut reports = Vec::new();
    let cards = sound_cards(root);
    for card in cards.clone() {
        let device = card.device(&cards);
        let why_not = match (wanted, &first) {
            (MicrophoneSource::Alsa { device: wanted }, _) if !card.is(wanted) => {
                Some(format!("{wanted} is set"))
            }
            (MicrophoneSource::Alsa { .. }, Some(first)) => Some(format!("{first} is tried first")),
            (MicrophoneSource::Alsa { .. }, None) => None,
            _ => Some(format!("the profile asks for {wanted}")),
        };
        if why_not.is_none() {
            first = Some(device.clone());
        }
        let (name, usb_port, chosen) = (card.name, card.usb_port, why_not.is_none());
        reports.push(MicrophoneReport { device, name, usb_port, chosen, why_not });
    }
    reports
}

fn microphone_advice(wanted: &MicrophoneSource, found: &[MicrophoneReport]) -> Option<String> {
    let device = match wanted {
        MicrophoneSource::Alsa { device } => device,
        MicrophoneSource::Launch { launch } => return launch_advice("microphone.launch", launch),
        MicrophoneSource::File { path } => return file_advice("microphone.path", path),
        MicrophoneSource::Tone | MicrophoneSource::Silence | MicrophoneSource::CameraFile => {
            return None;
        }
    };
    if found.iter().any(|microphone| microphone.chosen) {
        return None;
    }
    let looked = "looked for an ALSA card that records in /proc/asound";
    Some(if found.is_empty() {
        format!(
            "{looked} and found none: plug in a USB microphone or sound card, or let the profile \
             say `source = \"silence\"`"
        )
    } else {
        format!(
            "{looked}: {device} is not among them; plug it in, or name another one with `set \
             microphone.device`"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::{drivers::tests::Fake, inventory::tests::Tree, modes::Format, offers::offers},
        *,
    };
    use crate::board::Profile;
    use crate::selection::MicrophoneDevice;
    use crate::video::{Framing, Rotation};

    #[test]
    fn the_first_encoder_that_works_is_chosen_and_each_other_says_why_not() {
        let order = ["broken", "good", "better"].map(str::to_owned);
        let reports = judge(&order, ["good", "spare"].into_iter(), |element| match element {
            "broken" => Err("no such device".to_owned()),
            _ => Ok(()),
        });
        let reported: Vec<_> =
            reports.iter().map(|(element, why)| (&**element, why.as_deref())).collect();
        assert_eq!(
            reported,
            [
                ("broken", Some("no such device")),
                ("good", None),
                ("better", Some("works, but good comes first")),
                ("spare", Some("the board profile does not name it")),
            ]
        );
    }

    fn wanted(device: &str) -> CameraSource {
        let device = CameraDevice::parse(device).expect("well formed");
        let mode = CameraMode::default();
        CameraSource::V4l2 { device, formats: VideoFormat::USUAL.to_vec(), mode }
    }

    fn request(camera: &CameraSource) -> Request {
        let camera = camera.clone();
        let video = VideoSettings::of_720p();
        Request { camera, video, ..Request::from(&Profile::named("sim").expect("embedded")) }
    }

    fn found(root: &Tree, camera: &CameraSource, offered: &Offered) -> Vec<CameraReport> {
        cameras(&root.0, &request(camera), None, offered)
    }

    /// Two cameras, of which the one at a USB port also has a node for its metadata.
    fn two_cameras(root: &Tree) -> Offered {
        gst::init().expect("GStreamer");
        root.camera(0, "vivid-000-vid-cap", "vivid", "sys/devices/platform/vivid.0");
        for number in [2, 3] {
            root.camera(number, "HD Camera", "uvcvideo", "sys/devices/usb1/1-1/1-1:1.0");
        }
        let caps = |text| offers(text).expect("caps");
        let raw = "video/x-raw, format=YUY2, width=1280, height=720, framerate=30/1";
        let jpeg = "image/jpeg, width=1920, height=1080, framerate={30/1, 15/1}; \
                    image/jpeg, width=1280, height=720, framerate=30/1";
        vec![
            (root.0.join("dev/video0"), Ok(caps(raw))),
            (root.0.join("dev/video2"), Ok(caps(jpeg))),
        ]
    }

    #[test]
    fn of_two_cameras_the_one_that_is_named_is_used_else_the_first_that_works() {
        let root = Tree::new("two");
        let offered = two_cameras(&root);
        for (device, chosen, reasons) in [
            ("auto", "usb:1-1", ["", "usb:1-1 is tried first", "delivers no video"]),
            ("driver:vivid", "driver:vivid", ["driver:vivid is set", "", "delivers no video"]),
            ("name:hd", "usb:1-1", ["", "name:hd is set", "delivers no video"]),
        ] {
            let found = found(&root, &wanted(device), &offered);
            let used: Vec<&str> =
                found.iter().filter(|c| c.chosen).map(|c| c.device.as_str()).collect();
            assert_eq!(used, [chosen], "{device}");
            for (camera, reason) in found.iter().zip(reasons) {
                let why = camera.why_not.as_deref().unwrap_or_default();
                assert!(why.contains(reason) && why.is_empty() == reason.is_empty(), "{why}");
            }
            assert_eq!(camera_advice(&wanted(device), &found), None);
        }
        let found = found(&root, &wanted("auto"), &offered);
        let mode = found[0].mode.as_ref().map(ToString::to_string);
        assert_eq!(mode.as_deref(), Some("MJPEG 1280x720 at 30"));
        assert_eq!(found[0].other_modes[0].why, "larger than needed");
    }

    #[test]
    fn a_driver_that_hangs_is_named_at_its_camera_and_the_others_are_reported_as_ever() {
        let root = Tree::new("one-hangs");
        two_cameras(&root);
        let fake = Fake::new(&root, &[2]);
        let offered = fake.drivers.ask(&fake.drivers.nodes(), Duration::from_secs(2), &|| false);
        let found = found(&root, &wanted("auto"), &offered);
        let reported: Vec<(&Path, Option<&str>)> =
            found.iter().map(|camera| (camera.node.as_path(), camera.why_not.as_deref())).collect();
        let node = |number| root.0.join(format!("dev/video{number}"));
        let (first, second, third) = (node(3), node(0), node(2));
        assert_eq!(
            reported,
            [
                (first.as_path(), None),
                (second.as_path(), Some("usb:1-1 is tried first")),
                (third.as_path(), Some("its driver does not respond")),
            ]
        );
    }

    #[test]
    fn of_a_camera_whose_frames_are_turned_it_is_reported_what_that_costs() {
        let root = Tree::new("turned");
        let offered = two_cameras(&root);
        let rotate = Rotation::Quarter;
        let turned = Framing { rotate, ..Framing::default() };
        let request = Request { framing: turned, ..request(&wanted("driver:vivid")) };
        let encoder = encoders::video("x264enc");
        let found = cameras(&root.0, &request, encoder, &offered);
        let camera = found.iter().find(|camera| camera.chosen).expect("vivid");
        let text = camera.to_string();
        let line = |text: &str, begin: &str| {
            let line = text.lines().find(|line| line.trim_start().starts_with(begin));
            line.unwrap_or_else(|| panic!("{text}")).to_owned()
        };
        let turned = line(&text, "each frame is turned by 90 degrees (video.rotate)");
        assert!(turned.ends_with(" ms of a processor core)"), "{turned}");
        line(&text, "each frame is converted from YUY2");
        let others = found.iter().filter(|camera| !camera.chosen);
        assert!(others.into_iter().all(|camera| camera.framing.is_none()));
    }

    #[test]
    fn a_camera_of_h264_alone_is_used_as_it_is_although_its_frames_are_to_be_turned() {
        let root = Tree::new("h264");
        two_cameras(&root);
        let h264 =
            "video/x-h264, stream-format=byte-stream, width=1280, height=720, framerate=30/1";
        let offered = vec![(root.0.join("dev/video0"), Ok(offers(h264).expect("caps")))];
        let formats = vec![VideoFormat::H264, VideoFormat::Raw];
        let CameraSource::V4l2 { device, mode, .. } = wanted("driver:vivid") else { panic!() };
        let camera = CameraSource::V4l2 { device, formats, mode };
        for rotate in [Rotation::None, Rotation::Quarter] {
            let framing = Framing { rotate, ..Framing::default() };
            let request = Request { framing, ..request(&camera) };
            let found = cameras(&root.0, &request, encoders::video("x264enc"), &offered);
            let camera = found.iter().find(|camera| camera.chosen).expect("vivid");
            assert!(
                camera.mode.as_ref().is_some_and(|mode| mode.format == Format::H264),
                "{camera}"
            );
            assert!(camera.framing.is_none(), "{camera}");
        }
    }

    #[test]
    fn what_a_device_is_called_in_the_report_can_be_set_and_means_that_one() {
        let root = Tree::new("to-set");
        let offered = two_cameras(&root);
        root.with_sound_cards();
        for at in 0..2 {
            let device = &found(&root, &wanted("auto"), &offered)[at].device;
            let device = CameraDevice::of_owner(device).expect("it can be set");
            let set = wanted("auto").chosen(Some(&device), CameraMode::default());
            let found = found(&root, &set, &offered);
            let used: Vec<_> = found.iter().filter(|camera| camera.chosen).collect();
            assert_eq!(used.len(), 1);
            assert_eq!(used[0].device, device.to_string());
        }
        let alsa = MicrophoneSource::Alsa { device: MicrophoneDevice::Auto };
        for card in microphones(&root.0, &alsa) {
            let device = MicrophoneDevice::of_owner(&card.device).expect("it can be set");
            let found = microphones(&root.0, &alsa.chosen(Some(&device)));
            let used = found.iter().find(|card| card.chosen).expect("one is used");
            assert_eq!(used.device, card.device);
        }
    }

    #[test]
    fn the_mode_that_is_set_is_used_or_the_report_says_what_is_offered() {
        let root = Tree::new("mode-set");
        let offered = two_cameras(&root);
        let report = |mode: &str| {
            let mode = CameraMode::parse(mode).expect("a mode");
            let set = wanted("usb:1-1").chosen(None, mode);
            let found = found(&root, &set, &offered);
            found.into_iter().next().expect("a camera")
        };
        let camera = report("1920x1080@15");
        assert_eq!(camera.mode.expect("a mode").to_string(), "MJPEG 1920x1080 at 15");
        assert_eq!(camera.mode_note, None);
        let camera = report("1920x1080@60");
        assert!(camera.chosen && camera.mode.is_some());
        let note = camera.mode_note.expect("a note");
        assert!(note.contains("it offers 1920x1080@30 mjpeg, 1920x1080@15 mjpeg"), "{note}");
    }

    #[test]
    fn a_camera_that_is_not_there_is_asked_for_by_name() {
        let root = Tree::new("absent");
        let offered = two_cameras(&root);
        let absent = wanted("usb:3-2");
        let found = found(&root, &absent, &offered);
        assert!(found.iter().all(|camera| !camera.chosen));
        let advice = camera_advice(&absent, &found).expect("advice");
        assert!(advice.contains("usb:3-2 is not among them"), "{advice}");
        assert_eq!(camera_advice(&CameraSource::TestPattern, &found), None);
    }

    #[test]
    fn elements_and_files_that_are_not_there_are_named() {
        gst::init().expect("GStreamer");
        let launch = |launch: &str| {
            let (launch, passthrough) = (launch.to_owned(), false);
            camera_advice(&CameraSource::Launch { launch, passthrough }, &[])
        };
        assert_eq!(launch("videotestsrc is-live=true ! videoconvert"), None);
        for (fault, word) in [
            ("videotestsroce ! videoconvert", "videotestsroce"),
            ("videotestsrc patern=ball ! videoconvert", "patern"),
            ("videotestsrc ! ", "camera.launch of the profile cannot be used"),
        ] {
            let advice = launch(fault).unwrap_or_else(|| panic!("{fault}"));
            assert!(advice.contains(word), "{fault}: {advice}");
        }
        let microphone = MicrophoneSource::Launch { launch: "audiotestsroce".to_owned() };
        let advice = microphone_advice(&microphone, &[]).expect("advice");
        assert!(advice.starts_with("microphone.launch of the profile cannot be used"), "{advice}");
        let clip = CameraSource::File { path: "/none/clip.mp4".into() };
        let advice = camera_advice(&clip, &[]).expect("advice");
        assert!(advice.contains("camera.path of the profile, /none/clip.mp4"), "{advice}");
    }

    #[test]
    fn without_devices_the_report_says_what_was_looked_for_and_what_to_plug_in() {
        let root = Tree::new("empty");
        let found = found(&root, &wanted("auto"), &Vec::new());
        let advice = camera_advice(&wanted("auto"), &found).expect("advice");
        assert!(advice.contains("/dev/video*") && advice.contains("plug in a USB camera"));
        let alsa = MicrophoneSource::Alsa { device: MicrophoneDevice::Auto };
        let advice = microphone_advice(&alsa, &microphones(&root.0, &alsa)).expect("advice");
        assert!(advice.contains("/proc/asound") && advice.contains("plug in a USB microphone"));
    }

    #[test]
    fn the_microphone_at_a_usb_port_comes_before_that_of_the_board() {
        let root = Tree::new("microphones");
        root.with_sound_cards();
        let found = |wanted: &str| {
            let device = MicrophoneDevice::parse(wanted).expect("well formed");
            let found = microphones(&root.0, &MicrophoneSource::Alsa { device });
            let used = found.into_iter().filter(|m| m.chosen).map(|m| m.device);
            used.collect::<Vec<_>>()
        };
        assert_eq!(found("auto"), ["card:Device"]);
        assert_eq!(found("card:sndrpihifiberry"), ["card:sndrpihifiberry"]);
        assert_eq!(found("usb:1-1.3"), ["card:Device"]);
        assert!(found("card:Nobody").is_empty());
        assert!(!microphones(&root.0, &MicrophoneSource::Tone)[0].chosen);
    }
}
