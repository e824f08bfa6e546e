//! The cameras and sound cards that the kernel lists, without opening any: names, drivers and USB
//! ports. Read below a root directory, so that a test can have one of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::board::{CameraDevice, MicrophoneDevice};
use crate::sanitize;

/// A Video4Linux2 node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoNode {
    /// The node, `/dev/videoN`.
    pub node: PathBuf,
    number: u32,
    /// Its name, from the driver.
    pub name: String,
    /// The kernel driver.
    pub driver: Option<String>,
    /// The USB port that it is plugged into.
    pub usb_port: Option<String>,
    /// Links to it that survive replugging.
    pub links: Vec<PathBuf>,
}

/// Drivers of codecs and scalers, whose nodes capture nothing.
const NO_CAMERA: &[&str] = &[
    "bcm2835-codec",
    "bcm2835-isp",
    "bcm2835_codec",
    "bcm2835_isp",
    "hantro-vpu",
    "mtk-vcodec-enc",
    "pispbe",
    "rkvdec",
    "rockchip-rga",
    "rpi-hevc-dec",
    "rpivid",
    "vim2m",
];

impl VideoNode {
    /// The best name for a profile: the one that survives replugging and restarts longest.
    pub fn stable_name(&self) -> String {
        match (self.links.first(), &self.usb_port, &self.driver) {
            (Some(link), _, _) => link.display().to_string(),
            (None, Some(port), _) => format!("usb:{port}"),
            (None, None, Some(driver)) => format!("driver:{driver}"),
            (None, None, None) => self.node.display().to_string(),
        }
    }

    /// Whether it can be a camera at all.
    pub fn may_be_camera(&self) -> bool {
        self.driver.as_deref().is_none_or(|driver| !NO_CAMERA.contains(&driver))
    }

    /// Whether it matches.
    pub fn is(&self, wanted: &CameraDevice) -> bool {
        match wanted {
            CameraDevice::Auto => self.may_be_camera(),
            CameraDevice::Path(path) => {
                *path == self.node || self.links.contains(path) || same_file(path, &self.node)
            }
            CameraDevice::Usb(port) => self.usb_port.as_ref() == Some(port),
            CameraDevice::Driver(driver) => self.driver.as_ref() == Some(driver),
            CameraDevice::Name(text) => self.name.to_lowercase().contains(&text.to_lowercase()),
        }
    }
}

/// The nodes, those at USB ports first, then by number.
pub fn video_nodes(root: &Path) -> Vec<VideoNode> {
    let links: Vec<PathBuf> = ["dev/v4l/by-id", "dev/v4l/by-path"]
        .into_iter()
        .flat_map(|directory| entries(&root.join(directory)))
        .collect();
    let mut nodes: Vec<VideoNode> = entries(&root.join("dev"))
        .into_iter()
        .filter_map(|node| {
            let file_name = node.file_name()?.to_str()?.to_owned();
            let number = file_name.strip_prefix("video")?.parse().ok()?;
            let about = root.join("sys/class/video4linux").join(&file_name);
            let name = fs::read_to_string(about.join("name"));
            Some(VideoNode {
                number,
                name: name.map_or_else(|_| file_name.clone(), |name| plain(&name)),
                driver: driver(&about.join("device")),
                usb_port: usb_port(&about.join("device")),
                links: links.iter().filter(|link| same_file(link, &node)).cloned().collect(),
                node,
            })
        })
        .collect();
    nodes.sort_by_key(|node| (node.usb_port.is_none(), node.number));
    nodes
}

/// The Video4Linux2 nodes that this process has open.
pub fn nodes_held_open() -> Vec<PathBuf> {
    let open = entries(Path::new("/proc/self/fd")).into_iter();
    let files = open.filter_map(|link| fs::read_link(link).ok());
    files.filter(|file| file.starts_with("/dev")).collect()
}

/// A sound card that records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundCard {
    /// Its identifier, which does not change with the order of plugging.
    pub id: String,
    /// Its name, from the driver.
    pub name: String,
    /// The USB port that it is plugged into.
    pub usb_port: Option<String>,
}

impl SoundCard {
    /// Its ALSA name; `plughw` converts the rate and the channels that the card does not have.
    pub fn alsa_name(&self) -> String {
        format!("plughw:CARD={}", self.id)
    }

    /// Whether it matches. The ALSA name `default` may stand for any card.
    pub fn is(&self, wanted: &MicrophoneDevice) -> bool {
        match wanted {
            MicrophoneDevice::Auto => true,
            MicrophoneDevice::Usb(port) => self.usb_port.as_ref() == Some(port),
            MicrophoneDevice::Alsa(name) => card_of(name).is_none_or(|card| card == self.id),
        }
    }
}

/// The sound cards that record, those at USB ports first, then by number.
pub fn sound_cards(root: &Path) -> Vec<SoundCard> {
    let read = |file: &str| fs::read_to_string(root.join("proc/asound").join(file));
    let (Ok(cards), Ok(pcms)) = (read("cards"), read("pcm")) else { return Vec::new() };
    let can_record: Vec<u32> = pcms.lines().filter_map(recording_card).collect();
    let mut found: Vec<(u32, SoundCard)> = cards
        .lines()
        .filter_map(card)
        .filter(|(number, _, _)| can_record.contains(number))
        .map(|(number, id, name)| {
            let about = root.join(format!("sys/class/sound/card{number}/device"));
            let (id, name) = (id.to_owned(), plain(name));
            (number, SoundCard { id, name, usb_port: usb_port(&about) })
        })
        .collect();
    found.sort_by_key(|(number, card)| (card.usb_port.is_none(), *number));
    found.into_iter().map(|(_, card)| card).collect()
}

/// What a device calls itself; whoever makes one chooses it freely.
fn plain(name: &str) -> String {
    sanitize::words(name.trim())
}

/// The card in an ALSA name, if there is one (`plughw:CARD=Device,DEV=0`, `hw:Device`).
fn card_of(name: &str) -> Option<&str> {
    let (_, arguments) = name.split_once(':')?;
    let first = arguments.split(',').next().unwrap_or_default();
    Some(first.strip_prefix("CARD=").unwrap_or(first))
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

fn driver(device: &Path) -> Option<String> {
    let target = fs::canonicalize(device.join("driver")).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

/// The USB port in the path of a device such as `…/usb1/1-1/1-1.3/1-1.3:1.0`: the last part that
/// is an interface, without its configuration and number.
fn usb_port(device: &Path) -> Option<String> {
    let path = fs::canonicalize(device).ok()?;
    let parts = path.components().rev().filter_map(|part| part.as_os_str().to_str());
    let port = parts.filter_map(|part| part.split_once(':')).map(|(port, _)| port);
    let is_port = |port: &&str| {
        port.split_once('-').is_some_and(|(bus, ports)| {
            let digits =
                |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            !ports.is_empty() && digits(bus) && digits(ports)
        })
    };
    port.filter(is_port).map(str::to_owned).next()
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
pub mod tests {
    use super::*;

    /// A directory that stands in for the root of a machine.
    pub struct Tree(pub PathBuf);

    impl Tree {
        pub fn new(name: &str) -> Tree {
            let directory = format!("firstmile-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(directory);
            fs::create_dir_all(&path).expect("a directory");
            Tree(path)
        }

        pub fn file(&self, path: &str, content: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            fs::write(path, content).expect("a file");
        }

        pub fn link(&self, path: &str, target: &str) {
            let (path, target) = (self.0.join(path), self.0.join(target));
            fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            if !target.exists() {
                fs::create_dir_all(&target).expect("directories");
            }
            std::os::unix::fs::symlink(target, path).expect("a link");
        }

        /// A camera with its place in sysfs.
        pub fn camera(&self, number: u32, name: &str, driver: &str, at: &str) {
            self.file(&format!("dev/video{number}"), "");
            self.file(&format!("sys/class/video4linux/video{number}/name"), &format!("{name}\n"));
            self.link(&format!("sys/class/video4linux/video{number}/device"), at);
            if !self.0.join(at).join("driver").exists() {
                self.link(&format!("{at}/driver"), &format!("sys/bus/drivers/{driver}"));
            }
        }

        /// The sound cards of a Raspberry Pi with a USB microphone.
        pub fn with_sound_cards(&self) {
            self.file(
                "proc/asound/cards",
                " 0 [Headphones     ]: bcm2835_headpho - bcm2835 Headphones\n\
                 \x20                     bcm2835 Headphones\n \
                 1 [sndrpihifiberry]: RPi-simple - snd_rpi_hifiberry_dacplusadc\n\
                 \x20                     snd_rpi_hifiberry_dacplusadc\n \
                 2 [Device         ]: USB-Audio - USB Audio Device\n\
                 \x20                     Maker USB Audio Device at usb-1.3, full speed\n",
            );
            self.file(
                "proc/asound/pcm",
                "00-00: bcm2835 Headphones : bcm2835 Headphones : playback 8\n\
                 01-00: HiFiBerry ADC : : capture 1\n\
                 02-00: USB Audio : USB Audio : playback 1 : capture 1\n",
            );
            self.link("sys/class/sound/card2/device", "sys/devices/usb1/1-1/1-1.3/1-1.3:1.0");
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_camera_is_known_by_its_link_its_port_its_driver_and_its_name() {
        let root = Tree::new("cameras");
        root.camera(0, "unicam", "unicam", "sys/devices/platform/soc/fe801000.csi");
        root.camera(10, "bcm2835-codec-decode", "bcm2835-codec", "sys/devices/platform/codec");
        root.camera(2, "HD Camera", "uvcvideo", "sys/devices/pci0/usb1/1-1/1-1.3/1-1.3:1.0");
        root.file("dev/videodev", "");
        root.link("dev/v4l/by-id/usb-Maker_HD_Camera-video-index0", "dev/video2");
        let nodes = video_nodes(&root.0);
        let names: Vec<String> = nodes.iter().map(VideoNode::stable_name).collect();
        assert!(names[0].ends_with("usb-Maker_HD_Camera-video-index0"), "USB first: {names:?}");
        assert_eq!(names[1..], ["driver:unicam", "driver:bcm2835-codec"]);
        let usb = &nodes[0];
        for (wanted, is) in [
            (CameraDevice::Auto, true),
            (CameraDevice::Path(root.0.join("dev/video2")), true),
            (CameraDevice::Path(usb.links[0].clone()), true),
            (CameraDevice::Path(root.0.join("dev/video0")), false),
            (CameraDevice::Usb("1-1.3".to_owned()), true),
            (CameraDevice::Usb("1-1".to_owned()), false),
            (CameraDevice::Driver("uvcvideo".to_owned()), true),
            (CameraDevice::Driver("unicam".to_owned()), false),
            (CameraDevice::Name("hd cam".to_owned()), true),
        ] {
            assert_eq!(usb.is(&wanted), is, "{wanted}");
        }
        assert!(!nodes[2].is(&CameraDevice::Auto), "a decoder is no camera");
    }

    #[test]
    fn what_a_device_calls_itself_cannot_steer_a_terminal() {
        let root = Tree::new("hostile");
        let name = "Cam\u{1b}]0;owned\u{7}\u{202e}era\u{2028}\u{200b}2";
        root.camera(0, name, "uvcvideo", "sys/devices/pci0/usb1/1-1/1-1:1.0");
        root.file("proc/asound/cards", &format!(" 0 [Device ]: USB-Audio - {name}\n"));
        root.file("proc/asound/pcm", "00-00: x : x : capture 1\n");
        assert_eq!(video_nodes(&root.0)[0].name, "Camera 2");
        assert_eq!(sound_cards(&root.0)[0].name, "Camera 2");
    }

    #[test]
    fn a_sound_card_is_known_by_its_identifier_and_its_port() {
        let root = Tree::new("cards");
        root.with_sound_cards();
        let cards = sound_cards(&root.0);
        let names: Vec<String> = cards.iter().map(SoundCard::alsa_name).collect();
        assert_eq!(names, ["plughw:CARD=Device", "plughw:CARD=sndrpihifiberry"], "USB first");
        for (wanted, is) in [
            ("auto", true),
            ("usb:1-1.3", true),
            ("usb:1-1.4", false),
            ("plughw:CARD=Device,DEV=0", true),
            ("hw:Device,0", true),
            ("plughw:CARD=Device2", false),
            ("default", true),
        ] {
            let wanted = MicrophoneDevice::parse(wanted).expect("well formed");
            assert_eq!(cards[0].is(&wanted), is, "{wanted}");
        }
    }

    #[test]
    fn a_machine_without_devices_is_not_an_error() {
        let root = Tree::new("bare");
        assert!(video_nodes(&root.0).is_empty() && sound_cards(&root.0).is_empty());
    }
}
