//! From the keys of a profile to its types. Reading goes on after a mistake, with what stands in
//! for the missing value, so that all mistakes of a profile are reported at once.

use std::{cell::RefCell, collections::BTreeMap, collections::BTreeSet, sync::Arc};

use super::table::{Form, Text};
use super::{
    Audio, Button, CameraDevice, CameraSource, Console, EncoderOrder, Fitted, Key, Led, Lights,
    Line, MicrophoneDevice, MicrophoneSource, PictureFormat, Place, Profile, Pull, Video,
};
use crate::typed_toml::{self, Document, Found, Kind, Mistake, Problem};

mod check;
mod header;

type Value = typed_toml::Value<Text>;

/// Typed reading; remembers what was read, so that what has no meaning can be named.
pub(super) struct Keys {
    file: Arc<str>,
    keys: BTreeMap<&'static str, Found<Form>>,
    sections: BTreeMap<String, typed_toml::Place>,
    is_broken: bool,
    used: RefCell<BTreeSet<&'static str>>,
    mistakes: RefCell<Vec<Mistake>>,
}

impl Keys {
    pub(super) fn new(document: Document<Form>) -> Keys {
        let Document { file, found, mistakes, sections, is_broken, .. } = document;
        let keys = found.into_iter().map(|found| (found.entry.name, found)).collect();
        let (used, mistakes) = (RefCell::default(), RefCell::new(mistakes));
        Keys { file, keys, sections, is_broken, used, mistakes }
    }

    /// The profile, and what is wrong with it; it is of use only when that is nothing.
    pub(super) fn profile(self, name: &str) -> (Profile, Vec<Mistake>) {
        let _ = self.optional("inherit");
        let profile = Profile {
            name: name.to_owned(),
            compatible: self.texts("compatible"),
            description: self.text("description"),
            camera: self.camera(),
            microphone: self.microphone(),
            video: self.video(),
            audio: Audio {
                bitrate_kbps: self.number("audio.bitrate_kbps"),
                channels: self.number("audio.channels"),
            },
            encoders: EncoderOrder {
                video: self.texts("encoder.video"),
                audio: self.texts("encoder.audio"),
            },
            lights: self.lights(),
            button: self.button(),
            console: self.console(),
            wiring: self.wiring(),
            setup: self.setup(),
        };
        self.check_lines(&profile);
        self.check_pins(&profile);
        self.check_all_used();
        (profile, self.mistakes.into_inner())
    }

    fn camera(&self) -> CameraSource {
        match self.word("camera.source") {
            "file" => CameraSource::File { path: self.text("camera.path").into() },
            "v4l2" => CameraSource::V4l2 { device: self.camera_device(), formats: self.formats() },
            "libcamera" => CameraSource::Libcamera { name: self.optional_text("camera.name") },
            "argus" => CameraSource::Argus {
                sensor: self.optional_number("camera.sensor").unwrap_or_default(),
            },
            "hdmi" => CameraSource::Hdmi {
                device: self.camera_device(),
                subdevice: self.optional_text("camera.subdevice").map(Into::into),
                edid: self.optional_text("camera.edid").map(Into::into),
            },
            "launch" => CameraSource::Launch {
                launch: self.text("camera.launch"),
                passthrough: self.formats() == [PictureFormat::H264],
            },
            _ => CameraSource::TestPattern,
        }
    }

    fn camera_device(&self) -> CameraDevice {
        match self.required("camera.device") {
            Some(Value::Text(Text::Camera(device))) => device.clone(),
            _ => CameraDevice::Auto,
        }
    }

    fn formats(&self) -> Vec<PictureFormat> {
        let Some(Value::Texts(texts)) = self.optional("camera.formats") else {
            return PictureFormat::USUAL.to_vec();
        };
        self.check_not_empty("camera.formats", texts);
        let format = |text: &Text| match text {
            Text::Format(format) => Some(*format),
            _ => None,
        };
        texts.iter().filter_map(format).collect()
    }

    fn microphone(&self) -> MicrophoneSource {
        match self.word("microphone.source") {
            "silence" => MicrophoneSource::Silence,
            "camera-file" => MicrophoneSource::CameraFile,
            "file" => MicrophoneSource::File { path: self.text("microphone.path").into() },
            "alsa" => match self.required("microphone.device") {
                Some(Value::Text(Text::Microphone(device))) => {
                    MicrophoneSource::Alsa { device: device.clone() }
                }
                _ => MicrophoneSource::Alsa { device: MicrophoneDevice::Auto },
            },
            "launch" => MicrophoneSource::Launch { launch: self.text("microphone.launch") },
            _ => MicrophoneSource::Tone,
        }
    }

    fn video(&self) -> Video {
        let video = Video {
            width: self.number("video.width"),
            height: self.number("video.height"),
            fps: self.number("video.fps"),
            bitrate_kbps: self.number("video.bitrate_kbps"),
            bitrate_max_kbps: self.number("video.bitrate_max_kbps"),
            keyframe_interval_ms: self.number("video.keyframe_interval_ms"),
        };
        let (start, max) = (video.bitrate_kbps, video.bitrate_max_kbps);
        // A number that is missing or wrong is 0 here.
        if max > 0 && max < start {
            let why = format!("is {max}, must be at least video.bitrate_kbps, {start}");
            self.report("video.bitrate_max_kbps", why);
        }
        video
    }

    fn lights(&self) -> Lights {
        match self.word("lights.backend") {
            "cdev" => Lights::Cdev(self.fitted(Keys::line)),
            "sysfs" => Lights::Sysfs(
                self.fitted(|keys, table| Led { led: keys.text(&format!("{table}.led")) }),
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
                debounce_ms: self.number("button.debounce_ms"),
                pull: match self.optional("button.pull") {
                    Some(Value::Word("up")) => Some(Pull::Up),
                    Some(Value::Word("down")) => Some(Pull::Down),
                    _ => None,
                },
                reset: has_reset.then(|| self.line("button.reset")),
            },
            "input" => {
                let key = self.key("button", "button.device");
                let own = self.keys.contains_key("button.reset.device");
                let device = if own { "button.reset.device" } else { "button.device" };
                let reset = has_reset.then(|| self.key("button.reset", device));
                if reset.as_ref() == Some(&key) && key.code > 0 {
                    self.report("button.reset.code", "is the key that button.code uses already");
                }
                Button::Input { key, reset }
            }
            "none" => Button::None,
            _ => Button::Keys,
        }
    }

    fn key(&self, table: &str, device: &str) -> Key {
        let code = self.number(&format!("{table}.code"));
        Key { device: self.text(device).into(), code: u16::try_from(code).unwrap_or_default() }
    }

    fn console(&self) -> Console {
        match self.word("console.port") {
            "pty" => Console::Pty,
            "serial" => Console::Serial {
                paths: self.texts("console.path").into_iter().map(Into::into).collect(),
                baud: self.number("console.baud"),
            },
            _ => Console::Stdio,
        }
    }

    /// A line by its name, by its chip and offset, or by both.
    fn line(&self, table: &str) -> Line {
        let [name, chip, line] = ["line_name", "chip", "line"].map(|key| format!("{table}.{key}"));
        let has = |key: &str| self.keys.contains_key(key);
        let by_place = !has(&name) || has(&chip) || has(&line);
        Line {
            line_name: self.optional_text(&name),
            place: by_place.then(|| Place { chip: self.text(&chip), line: self.number(&line) }),
            active_low: matches!(
                self.required(&format!("{table}.active_low")),
                Some(Value::Flag(true))
            ),
            pin: self.optional_number(&format!("{table}.pin")),
        }
    }

    /// Whether the profile says anything in this table.
    fn has_table(&self, table: &str) -> bool {
        self.keys_of(table).next().is_some()
    }

    /// The keys in a table and below it.
    fn keys_of(&self, table: &str) -> impl Iterator<Item = &Found<Form>> {
        let inside = move |key: &str| key.strip_prefix(table).is_some_and(|k| k.starts_with('.'));
        self.keys.iter().filter(move |(key, _)| inside(key)).map(|(_, found)| found)
    }

    fn is_own(&self, found: &Found<Form>) -> bool {
        found.place.file == self.file
    }

    fn optional(&self, name: &str) -> Option<&Value> {
        let found = self.keys.get(name)?;
        self.used.borrow_mut().insert(found.entry.name);
        found.value.as_ref()
    }

    /// Reports a key that is not there; what is wrong with one that is there is reported already.
    fn required(&self, name: &str) -> Option<&Value> {
        if !self.keys.contains_key(name)
            && !self.is_broken
            && let Some(entry) = super::table::PROFILE.find(name)
        {
            let place = self.sections.get(entry.section()).cloned();
            let place = place.unwrap_or_else(|| self.beginning());
            let problem = Problem::Missing(match entry.kind {
                Kind::Text(_) | Kind::Texts(_) | Kind::TextOrTexts(_) => entry.help.to_owned(),
                kind => kind.to_string(),
            });
            self.mistakes.borrow_mut().push(Mistake { place, key: name.to_owned(), problem });
        }
        self.optional(name)
    }

    fn beginning(&self) -> typed_toml::Place {
        typed_toml::Place { file: self.file.clone(), line: 1, column: 1 }
    }

    /// Reports what is wrong with a key that is there.
    fn report(&self, name: &str, why: impl Into<String>) {
        let place = self.keys.get(name).map(|found| found.place.clone());
        let place = place.unwrap_or_else(|| self.beginning());
        let problem = Problem::Rule(why.into());
        self.mistakes.borrow_mut().push(Mistake { place, key: name.to_owned(), problem });
    }

    fn check_not_empty<T>(&self, name: &str, list: &[T]) {
        if list.is_empty() {
            self.report(name, "must not be empty");
        }
    }

    fn text(&self, name: &str) -> String {
        text_of(self.required(name)).unwrap_or_default()
    }

    fn optional_text(&self, name: &str) -> Option<String> {
        text_of(self.optional(name))
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let Some(Value::Texts(texts)) = self.required(name) else { return Vec::new() };
        self.check_not_empty(name, texts);
        lines(texts)
    }

    fn number(&self, name: &str) -> u32 {
        number_of(self.required(name)).unwrap_or_default()
    }

    fn optional_number(&self, name: &str) -> Option<u32> {
        number_of(self.optional(name))
    }

    /// The word of a choice. Without it nobody knows which other keys of its table have a meaning.
    fn word(&self, name: &str) -> &'static str {
        if let Some(Value::Word(word)) = self.required(name) {
            return word;
        }
        let table = name.rsplit_once('.').map_or("", |(table, _)| table);
        self.used.borrow_mut().extend(self.keys_of(table).map(|found| found.entry.name));
        ""
    }
}

fn text_of(value: Option<&Value>) -> Option<String> {
    match value {
        Some(Value::Text(Text::Line(text))) => Some(text.clone()),
        _ => None,
    }
}

fn number_of(value: Option<&Value>) -> Option<u32> {
    match value {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    }
}

fn lines(texts: &[Text]) -> Vec<String> {
    let line = |text: &Text| match text {
        Text::Line(line) => Some(line.clone()),
        _ => None,
    };
    texts.iter().filter_map(line).collect()
}
