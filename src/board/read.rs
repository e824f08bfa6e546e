//! From the keys of a profile to its types.

use std::path::PathBuf;

use super::display::{Chip, Display};
use super::keys::Keys;
use super::profile::{
    Audio, Button, Console, ConverterOrder, DecoderOrder, EncoderOrder, Fitted, Health, Key, Led,
    Lights, Line, Place, Profile, Pull, Sensors, Setup, Video, Wiring,
};
use super::sensor::Sensor;
use super::source::{CameraSource, MicrophoneSource};
use crate::limits::CONSOLE_PORTS_MAX;
use crate::selection::{CameraMode, VideoFormat};

impl Keys {
    /// The profile; it is of use only when no mistake was reported.
    pub(super) fn profile(&self, name: &str) -> Profile {
        self.optional::<String>("inherit");
        Profile {
            name: name.to_owned(),
            compatible: self.list("compatible"),
            description: self.get("description"),
            camera: self.camera(),
            microphone: self.microphone(),
            video: self.video(),
            audio: Audio {
                bitrate_kbps: self.get("audio.bitrate_kbps"),
                channels: self.get("audio.channels"),
            },
            encoders: EncoderOrder {
                video: self.list("encoder.video"),
                audio: self.list("encoder.audio"),
            },
            decoders: DecoderOrder {
                jpeg: match self.has("decoder.jpeg") {
                    true => self.list("decoder.jpeg"),
                    false => vec![DecoderOrder::SOFTWARE.to_owned()],
                },
            },
            converters: ConverterOrder {
                raw: match self.has("converter.raw") {
                    true => self.list("converter.raw"),
                    false => vec![ConverterOrder::SOFTWARE.to_owned()],
                },
            },
            lights: self.lights(),
            button: self.button(),
            display: self.display(),
            console: self.console(),
            wiring: self.wiring(),
            health: self.health(),
            setup: self.setup(),
        }
    }

    fn health(&self) -> Health {
        if self.optional("health.source") == Some("none") {
            return Health::None;
        }
        let sensors = |name: &str, usual: &[&str]| -> Vec<Sensor> {
            let usual = || usual.iter().flat_map(|text| Sensor::parse(text)).collect();
            self.optional(name).unwrap_or_else(usual)
        };
        Health::Machine(Sensors {
            temperature: sensors("health.temperature", &Sensors::TEMPERATURE),
            temperature_limit_celsius: self.optional("health.temperature_limit_celsius"),
            undervoltage: sensors("health.undervoltage", &[]),
            throttled: sensors("health.throttled", &Sensors::THROTTLED),
        })
    }

    fn camera(&self) -> CameraSource {
        match self.word("camera.source") {
            "file" => CameraSource::File { path: self.path("camera.path") },
            "v4l2" => CameraSource::V4l2 {
                device: self.get("camera.device"),
                formats: self.formats(),
                mode: CameraMode::default(),
            },
            "libcamera" => CameraSource::Libcamera { name: self.optional("camera.name") },
            "argus" => {
                CameraSource::Argus { sensor: self.optional("camera.sensor").unwrap_or_default() }
            }
            "hdmi" => CameraSource::Hdmi {
                device: self.get("camera.device"),
                subdevice: self.optional("camera.subdevice").map(String::into),
                edid: self.optional("camera.edid").map(String::into),
            },
            "launch" if self.formats() == [VideoFormat::Mjpeg] => {
                CameraSource::LaunchJpeg { launch: self.get("camera.launch") }
            }
            "launch" => CameraSource::Launch {
                launch: self.get("camera.launch"),
                passthrough: self.formats() == [VideoFormat::H264],
            },
            _ => CameraSource::TestPattern,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.get::<String>(name).into()
    }

    fn formats(&self) -> Vec<VideoFormat> {
        match self.has("camera.formats") {
            true => self.list("camera.formats"),
            false => VideoFormat::USUAL.to_vec(),
        }
    }

    fn microphone(&self) -> MicrophoneSource {
        match self.word("microphone.source") {
            "silence" => MicrophoneSource::Silence,
            "camera-file" => MicrophoneSource::CameraFile,
            "file" => MicrophoneSource::File { path: self.path("microphone.path") },
            "alsa" => MicrophoneSource::Alsa { device: self.get("microphone.device") },
            "launch" => MicrophoneSource::Launch { launch: self.get("microphone.launch") },
            _ => MicrophoneSource::Tone,
        }
    }

    fn video(&self) -> Video {
        let video = Video {
            width: self.get("video.width"),
            height: self.get("video.height"),
            fps: self.get("video.fps"),
            bitrate_kbps: self.get("video.bitrate_kbps"),
            bitrate_max_kbps: self.get("video.bitrate_max_kbps"),
            keyframe_interval_ms: self.get("video.keyframe_interval_ms"),
        };
        let (start, max) = (video.bitrate_kbps, video.bitrate_max_kbps);
        // A number that is missing or wrong is 0 here.
        if max > 0 && max < start {
            let why = format!("is {max}, must be at least video.bitrate_kbps, {start}");
            let other = format!("is {start}, must be at most video.bitrate_max_kbps, {max}");
            self.report_pair(("video.bitrate_max_kbps", why), ("video.bitrate_kbps", other));
        }
        video
    }

    fn lights(&self) -> Lights {
        match self.word("lights.backend") {
            "cdev" => Lights::Cdev(self.fitted(Keys::line)),
            "sysfs" => Lights::Sysfs(
                self.fitted(|keys, table| Led { led: keys.get(&format!("{table}.led")) }),
            ),
            "none" => Lights::None,
            _ => Lights::Terminal,
        }
    }

    /// One light where a profile has `lights.single`, else two.
    fn fitted<T>(&self, light: impl Fn(&Keys, &str) -> T) -> Fitted<T> {
        // The file itself knows better than what it inherits from.
        let own = |table: &str| self.keys_of(table).any(|found| self.is_own(found));
        let is_two_here = own("lights.live") || own("lights.status");
        if self.has_table("lights.single") && (own("lights.single") || !is_two_here) {
            return Fitted::One { single: light(self, "lights.single") };
        }
        Fitted::Two { live: light(self, "lights.live"), status: light(self, "lights.status") }
    }

    fn button(&self) -> Button {
        let has_reset = self.has_table("button.reset");
        match self.word("button.backend") {
            "cdev" => Button::Cdev {
                line: self.line("button"),
                debounce_ms: self.get("button.debounce_ms"),
                pull: match self.optional("button.pull") {
                    Some("up") => Some(Pull::Up),
                    Some("down") => Some(Pull::Down),
                    _ => None,
                },
                reset: has_reset.then(|| self.line("button.reset")),
            },
            "input" => {
                let key = self.key("button", "button.device");
                let own = self.has("button.reset.device");
                let device = if own { "button.reset.device" } else { "button.device" };
                let reset = has_reset.then(|| self.key("button.reset", device));
                if reset.as_ref() == Some(&key) && key.code > 0 {
                    let why = |other: &str| format!("is the key that {other} uses already");
                    self.report_pair(
                        ("button.reset.code", why("button.code")),
                        ("button.code", why("button.reset.code")),
                    );
                }
                Button::Input { key, reset }
            }
            "none" => Button::None,
            _ => Button::Keys,
        }
    }

    fn key(&self, table: &str, device: &str) -> Key {
        let code: u32 = self.get(&format!("{table}.code"));
        Key { device: self.path(device), code: u16::try_from(code).unwrap_or_default() }
    }

    fn display(&self) -> Option<Display> {
        if !self.has_table("display") {
            return None;
        }
        let chip = match self.word("display.chip") {
            "ssd1306" => Chip::Ssd1306,
            "sh1106" => Chip::Sh1106,
            _ => return None,
        };
        let [usual, _] = Display::ADDRESSES;
        let given: u32 = self.optional("display.address").unwrap_or(usual.into());
        let address = Display::ADDRESSES.into_iter().find(|address| u32::from(*address) == given);
        if address.is_none() {
            let why = format!(
                "is {given:#x}, must be 0x3c or 0x3d (0x78 and 0x7a on modules that count the bit \
                 for reading)"
            );
            self.report("display.address", why);
        }
        Some(Display {
            chip,
            bus: self.get("display.bus"),
            address: address.unwrap_or(usual),
            upside_down: self.optional("display.upside_down").unwrap_or_default(),
            brightness_percent: self
                .optional("display.brightness_percent")
                .unwrap_or(Display::BRIGHTNESS_PERCENT),
            manual: self.optional("display.manual"),
        })
    }

    fn console(&self) -> Console {
        match self.word("console.port") {
            "pty" => Console::Pty,
            "serial" => {
                let paths: Vec<PathBuf> =
                    self.list("console.path").into_iter().map(String::into).collect();
                if paths.len() > CONSOLE_PORTS_MAX {
                    let why = format!("must not have more than {CONSOLE_PORTS_MAX} ports");
                    self.report("console.path", why);
                }
                Console::Serial { paths, baud: self.get("console.baud") }
            }
            _ => Console::Stdio,
        }
    }

    /// A line by its name, by its chip and offset, or by both.
    fn line(&self, table: &str) -> Line {
        let [name, chip, line] = ["line_name", "chip", "line"].map(|key| format!("{table}.{key}"));
        let by_place = !self.has(&name) || self.has(&chip) || self.has(&line);
        Line {
            line_name: self.optional(&name),
            place: by_place.then(|| Place { chip: self.get(&chip), line: self.get(&line) }),
            active_low: self.get(&format!("{table}.active_low")),
            pin: self.optional(&format!("{table}.pin")),
        }
    }

    fn wiring(&self) -> Option<Wiring> {
        self.has_table("wiring").then(|| Wiring {
            header: self.get("wiring.header"),
            pins: self.get("wiring.pins"),
            ground: self.list("wiring.ground"),
            supply: self.get("wiring.supply"),
            weak: self.optional("wiring.weak").unwrap_or_default(),
            console_tx: self.optional("wiring.console_tx"),
            console_rx: self.optional("wiring.console_rx"),
            i2c_sda: self.optional("wiring.i2c_sda"),
            i2c_scl: self.optional("wiring.i2c_scl"),
        })
    }

    fn setup(&self) -> Setup {
        Setup {
            steps: self.optional("setup.steps").unwrap_or_default(),
            display: self.optional("setup.display").unwrap_or_default(),
            service: self.optional("setup.service"),
        }
    }
}
