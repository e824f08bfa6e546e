//! What there is to capture from and to encode with, which of it would be used, and why the rest
//! would not.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gstreamer::{self as gst, prelude::*};
use serde::Serialize;

use super::{
    CaptureError, Request,
    bus::one_line,
    encoders,
    trial::{try_audio, try_video},
};
use crate::board::{Camera, Microphone, Profile};

/// What there is, and what would be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeviceReport {
    /// Video4Linux2 nodes.
    pub cameras: Vec<Device>,
    /// ALSA capture devices.
    pub microphones: Vec<Device>,
    /// H.264 encoders, in the order in which they are tried.
    pub video_encoders: Vec<EncoderReport>,
    /// AAC encoders, in the order in which they are tried.
    pub audio_encoders: Vec<EncoderReport>,
}

/// A camera or a microphone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// What a profile or setting calls it; a name that survives replugging when there is one.
    pub device: String,
    /// What its maker calls it.
    pub name: String,
    /// It is the one that would be used.
    pub chosen: bool,
    /// Why it would not be used.
    pub why_not: Option<String>,
}

/// An encoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EncoderReport {
    /// Its element.
    pub element: String,
    /// It is the one that would be used.
    pub chosen: bool,
    /// Why it would not be used.
    pub why_not: Option<String>,
}

/// Looks for devices and tries every encoder. Takes up to `CAPTURE_TRIAL_TIMEOUT` for each encoder
/// that does not work.
///
/// # Errors
/// When GStreamer cannot be started.
pub fn devices(profile: &Profile) -> Result<DeviceReport, CaptureError> {
    gst::init().map_err(|error| CaptureError::Gstreamer(one_line(&error.to_string())))?;
    let request = Request::from(profile);
    let root = Path::new("/");
    let video = |element: &str| match encoders::video(element) {
        Some(encoder) => try_video(encoder, &request.video),
        None => Err(UNKNOWN.to_owned()),
    };
    let audio = |element: &str| match encoders::audio(element) {
        Some(encoder) => try_audio(encoder, &request.audio),
        None => Err(UNKNOWN.to_owned()),
    };
    let (video_order, audio_order) = (&profile.encoders.video, &profile.encoders.audio);
    Ok(DeviceReport {
        cameras: cameras(root, &profile.camera, &pictures_offered()),
        microphones: microphones(root, &profile.microphone),
        video_encoders: judge(video_order, encoders::video_encoder_names(), video),
        audio_encoders: judge(audio_order, encoders::audio_encoder_names(), audio),
    })
}

const UNKNOWN: &str = "is not an encoder that firstmile knows";

/// Tries the encoders in order; the first that works is chosen.
fn judge(
    order: &[String],
    known: impl Iterator<Item = &'static str>,
    attempt: impl Fn(&str) -> Result<(), String>,
) -> Vec<EncoderReport> {
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
        let (element, chosen) = (element.clone(), why_not.is_none());
        reports.push(EncoderReport { element, chosen, why_not });
    }
    let others = known.filter(|element| order.iter().all(|listed| listed != element));
    reports.extend(others.map(|element| EncoderReport {
        element: element.to_owned(),
        chosen: false,
        why_not: Some("the board profile does not name it".to_owned()),
    }));
    reports
}

/// The nodes on which GStreamer finds pictures; the metadata node of a camera is not among them.
fn pictures_offered() -> Vec<PathBuf> {
    let monitor = gst::DeviceMonitor::new();
    monitor.add_filter(Some("Video/Source"), None);
    if monitor.start().is_err() {
        return Vec::new();
    }
    let paths = monitor.devices().into_iter().filter_map(|device| {
        let properties = device.properties()?;
        ["api.v4l2.path", "device.path"]
            .into_iter()
            .find_map(|key| properties.get::<String>(key).ok())
            .map(PathBuf::from)
    });
    let paths = paths.collect();
    monitor.stop();
    paths
}

fn cameras(root: &Path, wanted: &Camera, offered: &[PathBuf]) -> Vec<Device> {
    let wanted = match wanted {
        Camera::V4l2 { device } => Some(device.as_path()),
        Camera::TestPattern | Camera::File { .. } | Camera::Launch { .. } => None,
    };
    let stable_names = entries(&root.join("dev/v4l/by-id"));
    let mut found = Vec::new();
    for node in entries(&root.join("dev")) {
        let file_name = node.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(number) = file_name.strip_prefix("video").and_then(|n| n.parse::<u32>().ok())
        else {
            continue;
        };
        let about = root.join("sys/class/video4linux").join(&file_name).join("name");
        let name = fs::read_to_string(about).map(|name| name.trim().to_owned());
        let stable = stable_names.iter().find(|link| same_file(link, &node));
        let chosen = wanted.is_some_and(|wanted| same_file(wanted, &node));
        let why_not = match (chosen, offered.iter().any(|path| same_file(path, &node)), wanted) {
            (_, false, _) => Some("it gives no picture, or another program holds it".to_owned()),
            (true, true, _) => None,
            (false, true, Some(wanted)) => Some(format!("{} is set", wanted.display())),
            (false, true, None) => Some("the camera that is set is not a device".to_owned()),
        };
        let device = stable.unwrap_or(&node).display().to_string();
        let name = name.unwrap_or_else(|_| file_name.clone());
        found.push((number, Device { device, name, chosen: why_not.is_none(), why_not }));
    }
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, device)| device).collect()
}

fn microphones(root: &Path, wanted: &Microphone) -> Vec<Device> {
    let read = |file: &str| fs::read_to_string(root.join("proc/asound").join(file));
    let (Ok(cards), Ok(pcms)) = (read("cards"), read("pcm")) else { return Vec::new() };
    let can_record: Vec<u32> = pcms.lines().filter_map(recording_card).collect();
    cards
        .lines()
        .filter_map(card)
        .filter(|(number, _, _)| can_record.contains(number))
        .map(|(_, id, name)| {
            let device = format!("plughw:CARD={id}");
            let why_not = match wanted {
                Microphone::Alsa { device: wanted } if names_card(wanted, id) => None,
                Microphone::Alsa { device: wanted } => Some(format!("{wanted} is set")),
                _ => Some("the microphone that is set is not a device".to_owned()),
            };
            Device { device, name: name.to_owned(), chosen: why_not.is_none(), why_not }
        })
        .collect()
}

/// Number, identifier and name from a line such as
/// ` 1 [Device         ]: USB-Audio - USB Audio Device`.
fn card(line: &str) -> Option<(u32, &str, &str)> {
    let (number, rest) = line.split_once('[')?;
    let (id, rest) = rest.split_once("]:")?;
    let name = rest.split_once(" - ").map_or(rest, |(_, name)| name);
    Some((number.trim().parse().ok()?, id.trim(), name.trim()))
}

/// The card of a line such as `01-00: USB Audio : USB Audio : playback 1 : capture 1`, if it can
/// record.
fn recording_card(line: &str) -> Option<u32> {
    let (number, _) = line.split_once('-')?;
    let records = line.split(':').any(|part| part.trim().starts_with("capture"));
    records.then(|| number.trim().parse().ok()).flatten()
}

/// Whether an ALSA device name means the card of that identifier.
fn names_card(device: &str, id: &str) -> bool {
    let arguments = device.split_once(':').map_or("", |(_, arguments)| arguments);
    let first = arguments.split(',').next().unwrap_or_default();
    first.strip_prefix("CARD=").unwrap_or(first) == id
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_encoder_that_works_is_chosen_and_each_other_says_why_not() {
        let order = ["broken", "good", "better"].map(str::to_owned);
        let reports = judge(&order, ["good", "spare"].into_iter(), |element| match element {
            "broken" => Err("no such device".to_owned()),
            _ => Ok(()),
        });
        let told: Vec<_> =
            reports.iter().map(|r| (&*r.element, r.chosen, r.why_not.as_deref())).collect();
        assert_eq!(
            told,
            [
                ("broken", false, Some("no such device")),
                ("good", true, None),
                ("better", false, Some("works, but good comes first")),
                ("spare", false, Some("the board profile does not name it")),
            ]
        );
    }

    #[test]
    fn cameras_are_called_by_the_name_that_survives_replugging() {
        let root = Tree::new("cameras");
        root.file("dev/video0", "");
        root.file("dev/video1", "");
        root.file("dev/video10", "");
        root.file("dev/videodev", "");
        root.file("sys/class/video4linux/video0/name", "HD Camera\n");
        root.link("dev/v4l/by-id/usb-Maker_HD_Camera-video-index0", "dev/video0");
        let wanted = Camera::V4l2 { device: root.0.join("dev/video0") };
        let offered = [root.0.join("dev/video0"), root.0.join("dev/video10")];
        let found = cameras(&root.0, &wanted, &offered);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].device.ends_with("usb-Maker_HD_Camera-video-index0") && found[0].chosen);
        assert_eq!(found[0].name, "HD Camera");
        assert!(found[1].device.ends_with("video1") && !found[1].chosen);
        assert!(found[1].why_not.as_deref().is_some_and(|why| why.contains("no picture")));
        assert!(found[2].device.ends_with("video10"), "by number, not by spelling");
    }

    #[test]
    fn microphones_are_called_by_their_card_and_playback_is_none() {
        let root = Tree::new("microphones");
        root.file(
            "proc/asound/cards",
            " 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones\n\
             \x20                     bcm2835 Headphones\n \
             1 [Device         ]: USB-Audio - USB Audio Device\n\
             \x20                     Maker USB Audio Device at usb-1.3, full speed\n",
        );
        root.file(
            "proc/asound/pcm",
            "00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8\n\
             01-00: USB Audio : USB Audio : playback 1 : capture 1\n",
        );
        let wanted = Microphone::Alsa { device: "plughw:CARD=Device,DEV=0".to_owned() };
        let found = microphones(&root.0, &wanted);
        let expected = Device {
            device: "plughw:CARD=Device".to_owned(),
            name: "USB Audio Device".to_owned(),
            chosen: true,
            why_not: None,
        };
        assert_eq!(found, [expected]);
        assert!(!microphones(&root.0, &Microphone::Tone)[0].chosen);
    }

    #[test]
    fn a_machine_without_devices_is_not_an_error() {
        let root = Tree::new("bare");
        assert!(cameras(&root.0, &Camera::TestPattern, &[]).is_empty());
        assert!(microphones(&root.0, &Microphone::Tone).is_empty());
    }

    #[test]
    fn card_names_are_recognised_in_every_spelling() {
        for (device, same) in [
            ("plughw:CARD=Device", true),
            ("hw:Device,0", true),
            ("plughw:CARD=Device2", false),
            ("default", false),
        ] {
            assert_eq!(names_card(device, "Device"), same, "{device}");
        }
    }

    /// A directory that stands for the root of a machine.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Tree {
            let directory = format!("firstmile-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(directory);
            fs::create_dir_all(&path).expect("a directory");
            Tree(path)
        }

        fn file(&self, path: &str, content: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            fs::write(path, content).expect("a file");
        }

        fn link(&self, path: &str, target: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            std::os::unix::fs::symlink(self.0.join(target), path).expect("a link");
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
