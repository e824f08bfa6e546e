//! The cameras and sound cards that the kernel lists, without opening any: names, drivers and USB
//! ports. Read below a root directory, so that a test can have one of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::limits::DEVICES_NAMED_MAX;
use crate::sanitize;
use crate::selection::{CameraDevice, MicrophoneDevice};

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
    /// Which one of its device's it is.
    index: u32,
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
    /// What stays with it whatever else is plugged in: the name that survives replugging and restarts
    /// longest.
    pub fn stable_name(&self) -> String {
        match (self.links.first(), &self.usb_port, &self.driver) {
            (Some(link), _, _) => link.display().to_string(),
            (None, Some(port), _) => format!("usb:{port}"),
            (None, None, Some(driver)) => format!("driver:{driver}"),
            (None, None, None) => self.node.display().to_string(),
        }
    }

    /// What `camera.device` of a profile and of the settings calls it: what survives replugging and
    /// restarts longest, and means no other one of `all`. Cameras of one make have the same link unless
    /// each has a serial number, so the port tells them apart.
    pub fn device(&self, all: &[VideoNode]) -> CameraDevice {
        let others = || all.iter().filter(|other| other.node != self.node);
        let has_twin = |port: &String| {
            let at_another_port = |other: &VideoNode| {
                other.name == self.name && other.usb_port.as_ref().is_some_and(|it| it != port)
            };
            others().any(at_another_port)
        };
        let is_only_one_of = |driver: &String| {
            let of_it = |other: &VideoNode| other.driver.as_ref() == Some(driver);
            !others().any(|other| of_it(other) && !other.is_further(all))
        };
        match (self.links.first(), &self.usb_port, &self.driver) {
            (_, Some(port), _) if has_twin(port) => CameraDevice::Usb(port.clone()),
            (Some(link), _, _) => CameraDevice::Path(link.clone()),
            (None, Some(port), _) => CameraDevice::Usb(port.clone()),
            (None, None, Some(driver)) if is_only_one_of(driver) => {
                CameraDevice::Driver(driver.clone())
            }
            (None, None, _) => CameraDevice::Name(self.name.clone()),
        }
    }

    /// Whether it is one that a device has besides that of its frames, as for metadata.
    fn is_further(&self, all: &[VideoNode]) -> bool {
        all.iter().any(|other| {
            other.index < self.index
                && (&other.name, &other.driver, &other.usb_port)
                    == (&self.name, &self.driver, &self.usb_port)
        })
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
                index: index(&about),
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

/// What `camera.device` may say of these cameras, each with the camera's own name. Nodes of codecs, and
/// those that a camera has besides that of its frames, are left out.
pub fn cameras_to_choose(all: &[VideoNode]) -> Vec<(String, String)> {
    let cameras = all.iter().filter(|node| node.may_be_camera() && !node.is_further(all));
    cameras.map(|node| (node.device(all).to_string(), node.name.clone())).collect()
}

/// The same for `microphone.device`.
pub fn microphones_to_choose(all: &[SoundCard]) -> Vec<(String, String)> {
    all.iter().map(|card| (card.device(all), card.name.clone())).collect()
}

/// Why none of these cameras is the one that is meant; names those that there are.
pub fn no_camera(wanted: &CameraDevice, all: &[VideoNode]) -> String {
    let none = match wanted {
        CameraDevice::Auto => return "no camera is connected".to_owned(),
        CameraDevice::Path(path) => format!("no camera is {}", path.display()),
        CameraDevice::Usb(port) => format!("no camera is at USB port {port}"),
        CameraDevice::Driver(driver) => format!("no camera has the driver {driver}"),
        CameraDevice::Name(text) => format!("no camera matches \"{text}\""),
    };
    format!("{none}: {}", there_are(&cameras_to_choose(all)))
}

/// The same for sound cards.
pub fn no_microphone(wanted: &MicrophoneDevice, all: &[SoundCard]) -> String {
    let none = match wanted {
        MicrophoneDevice::Auto => return "no sound card that records is connected".to_owned(),
        MicrophoneDevice::Usb(port) => format!("no sound card is at USB port {port}"),
        MicrophoneDevice::Alsa(name) => format!("no sound card is {name}"),
        MicrophoneDevice::Name(text) => format!("no sound card matches \"{text}\""),
    };
    format!("{none}: {}", there_are(&microphones_to_choose(all)))
}

/// The devices that there are, each by what a setting calls it.
fn there_are(all: &[(String, String)]) -> String {
    let named = |(device, name): &(String, String)| format!("{device} ({name})");
    let mut named: Vec<String> = all.iter().take(DEVICES_NAMED_MAX).map(named).collect();
    let more = all.len() - named.len();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    match named.as_slice() {
        [] => "there is none".to_owned(),
        [only] => format!("there is {only}"),
        [first @ .., last] => format!("there are {} and {last}", first.join(", ")),
    }
}

/// A sound card that records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundCard {
    /// The kernel's number of it, which changes with the order of plugging.
    pub number: u32,
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

    /// What `microphone.device` of a profile and of the settings calls it. The kernel numbers the
    /// identifiers of cards of one make in the order of plugging, so the port tells those apart.
    pub fn device(&self, all: &[SoundCard]) -> String {
        let is_twin = |other: &SoundCard| other.id != self.id && other.name == self.name;
        match &self.usb_port {
            Some(port) if all.iter().any(is_twin) => format!("usb:{port}"),
            _ => format!("card:{}", self.id),
        }
    }

    /// Whether it matches. The ALSA name `default` may stand for any card.
    pub fn is(&self, wanted: &MicrophoneDevice) -> bool {
        match wanted {
            MicrophoneDevice::Auto => true,
            MicrophoneDevice::Usb(port) => self.usb_port.as_ref() == Some(port),
            MicrophoneDevice::Alsa(name) => card_of(name).is_none_or(|card| card == self.id),
            MicrophoneDevice::Name(text) => {
                let holds = |name: &str| name.to_lowercase().contains(&text.to_lowercase());
                holds(&self.name) || holds(&self.id)
            }
        }
    }
}

/// The sound cards that record, those at USB ports first, then by number.
pub fn sound_cards(root: &Path) -> Vec<SoundCard> {
    let read = |file: &str| fs::read_to_string(root.join("proc/asound").join(file));
    let (Ok(cards), Ok(pcms)) = (read("cards"), read("pcm")) else { return Vec::new() };
    let can_record: Vec<u32> = pcms.lines().filter_map(recording_card).collect();
    let mut found: Vec<SoundCard> = cards
        .lines()
        .filter_map(card)
        .filter(|(number, _, _)| can_record.contains(number))
        .map(|(number, id, name)| {
            let about = root.join(format!("sys/class/sound/card{number}/device"));
            let (id, name) = (id.to_owned(), plain(name));
            SoundCard { number, id, name, usb_port: usb_port(&about) }
        })
        .collect();
    found.sort_by_key(|card| (card.usb_port.is_none(), card.number));
    found
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
    // The line after it is what the device calls itself, which may look like one.
    let (number, rest) = line.split_once(" [").filter(|(number, _)| number.len() == 2)?;
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

/// Which node of its device one is.
fn index(about: &Path) -> u32 {
    let index = fs::read_to_string(about.join("index")).ok();
    index.and_then(|index| index.trim().parse().ok()).unwrap_or_default()
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
        let names: Vec<String> = nodes.iter().map(|node| node.device(&nodes).to_string()).collect();
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
            ("name:usb audio", true),
            ("name:DEVICE", true),
            ("name:hifiberry", false),
        ] {
            let wanted = MicrophoneDevice::parse(wanted).expect("well formed");
            assert_eq!(cards[0].is(&wanted), is, "{wanted}");
        }
    }

    #[test]
    fn cameras_of_one_make_are_distinguished_by_what_stays_with_each() {
        let root = Tree::new("twins");
        for (number, port) in [(0, "1-1"), (2, "1-2")] {
            let at = format!("sys/devices/usb1/{port}/{port}:1.0");
            root.camera(number, "HD Camera", "uvcvideo", &at);
        }
        // Without a serial number, both claim it.
        root.link("dev/v4l/by-id/usb-Maker_HD_Camera-video-index0", "dev/video0");
        for number in [4, 5] {
            root.camera(
                number,
                &format!("vivid-00{number}"),
                "vivid",
                &format!("sys/devices/v{number}"),
            );
        }
        root.camera(6, "unicam", "unicam", "sys/devices/platform/csi");
        root.camera(7, "unicam", "unicam", "sys/devices/platform/csi");
        root.file("sys/class/video4linux/video7/index", "1\n");
        let nodes = video_nodes(&root.0);
        let devices: Vec<String> =
            cameras_to_choose(&nodes).into_iter().map(|(device, _)| device).collect();
        let expected = ["usb:1-1", "usb:1-2", "name:vivid-004", "name:vivid-005", "driver:unicam"];
        assert_eq!(devices, expected);
        for (node, device) in nodes.iter().zip(devices) {
            let device = CameraDevice::of_owner(&device).expect("it can be set");
            let meant: Vec<_> = nodes.iter().filter(|node| node.is(&device)).collect();
            assert_eq!(meant, [node], "{device}");
            if node.name == "vivid-005" {
                break;
            }
        }
    }

    #[test]
    fn cards_of_one_make_are_distinguished_by_their_ports() {
        let card = |id: &str, port: &str| SoundCard {
            number: 0,
            id: id.to_owned(),
            name: "USB Audio Device".to_owned(),
            usb_port: Some(port.to_owned()),
        };
        let twins = [card("Device", "1-1"), card("Device_1", "1-2")];
        assert_eq!(twins[0].device(&twins), "usb:1-1");
        assert_eq!(twins[1].device(&twins), "usb:1-2");
        assert_eq!(twins[0].device(&twins[..1]), "card:Device");
    }

    #[test]
    fn an_error_names_the_devices_that_there_are() {
        let root = Tree::new("named");
        let wanted = CameraDevice::of_owner("logi").expect("a name");
        assert_eq!(no_camera(&wanted, &[]), "no camera matches \"logi\": there is none");
        root.camera(0, "HD Camera", "uvcvideo", "sys/devices/usb1/1-1/1-1:1.0");
        root.camera(1, "vivid-000-vid-cap", "vivid", "sys/devices/platform/vivid.0");
        root.camera(10, "decoder", "bcm2835-codec", "sys/devices/platform/codec");
        root.with_sound_cards();
        let nodes = video_nodes(&root.0);
        assert_eq!(
            no_camera(&wanted, &nodes),
            "no camera matches \"logi\": there are usb:1-1 (HD Camera) and driver:vivid \
             (vivid-000-vid-cap)"
        );
        let cards = sound_cards(&root.0);
        let wanted = MicrophoneDevice::of_owner("usb:2-1").expect("a port");
        assert_eq!(
            no_microphone(&wanted, &cards),
            "no sound card is at USB port 2-1: there are card:Device (USB Audio Device) and \
             card:sndrpihifiberry (snd_rpi_hifiberry_dacplusadc)"
        );
        let many: Vec<(String, String)> = (0..40).map(|n| (n.to_string(), String::new())).collect();
        assert!(there_are(&many).ends_with("and 24 more"), "{}", there_are(&many));
    }

    #[test]
    fn a_machine_without_devices_is_not_an_error() {
        let root = Tree::new("bare");
        assert!(video_nodes(&root.0).is_empty() && sound_cards(&root.0).is_empty());
    }
}
