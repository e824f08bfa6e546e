//! From the table of keys to a [`Profile`].

use std::{cell::RefCell, collections::BTreeSet, ops::RangeInclusive};

use super::{
    CameraDevice, CameraSource, MicrophoneDevice, MicrophoneSource, PictureFormat, ProfileError,
    document::{Document, Entry, Value},
    profile::{
        Audio, Button, Console, EncoderOrder, Fitted, Key, Led, Lights, Line, Place, Profile, Pull,
        Video,
    },
};
use crate::limits::{
    BOARD_INHERIT_DEPTH_MAX, CAPTURE_AUDIO_KBPS_MAX, CAPTURE_AUDIO_KBPS_MIN, CAPTURE_FPS_MAX,
    CAPTURE_HEIGHT_MAX, CAPTURE_KEYFRAME_INTERVAL_MS_MAX, CAPTURE_KEYFRAME_INTERVAL_MS_MIN,
    CAPTURE_SIDE_MIN, CAPTURE_VIDEO_KBPS_MAX, CAPTURE_VIDEO_KBPS_MIN, CAPTURE_WIDTH_MAX,
};

mod header;

/// Reads a profile and what it inherits, and checks the whole.
pub(super) fn profile(
    text: &str,
    name: &str,
    resolver: &impl Fn(&str) -> Option<String>,
) -> Result<Profile, ProfileError> {
    let mut document = Document::parse(&format!("{name}.toml"), text)?;
    add_parents(&mut document, resolver)?;
    let keys = Keys { document: &document, used: RefCell::default() };
    let profile = keys.profile(name)?;
    keys.check_lines(&profile)?;
    keys.check_pins(&profile)?;
    keys.check_all_used()?;
    Ok(profile)
}

/// Follows `inherit` to its end; the nearer file wins.
fn add_parents(
    document: &mut Document,
    resolver: &impl Fn(&str) -> Option<String>,
) -> Result<(), ProfileError> {
    let mut chain = vec![document.file.clone()];
    let mut next = document.entries.get("inherit").cloned();
    while let Some(Entry { value: Value::Text(parent), file, line }) = next {
        let known = chain.contains(&parent) || chain.len() > BOARD_INHERIT_DEPTH_MAX;
        chain.push(parent.clone());
        if known {
            return Err(ProfileError::InheritCircle { file, line, chain: chain.join(" → ") });
        }
        let Some(text) = resolver(&parent) else {
            return Err(ProfileError::ParentMissing { file, line, parent });
        };
        let parent = Document::parse(&parent, &text)?;
        next = parent.entries.get("inherit").cloned();
        document.inherit(parent);
    }
    Ok(())
}

/// Typed reading; remembers what was read, so that what has no meaning can be named.
struct Keys<'a> {
    document: &'a Document,
    used: RefCell<BTreeSet<String>>,
}

impl Keys<'_> {
    fn profile(&self, name: &str) -> Result<Profile, ProfileError> {
        let _ = self.optional("inherit");
        Ok(Profile {
            name: name.to_owned(),
            compatible: self.texts("compatible", "a profile says which machines it fits")?,
            description: self.text("description", "one line for people")?,
            camera: self.camera()?,
            microphone: self.microphone()?,
            video: self.video()?,
            audio: Audio {
                bitrate_kbps: self.number(
                    "audio.bitrate_kbps",
                    CAPTURE_AUDIO_KBPS_MIN..=CAPTURE_AUDIO_KBPS_MAX,
                )?,
                channels: self.number("audio.channels", 1..=2)?,
            },
            encoders: EncoderOrder {
                video: self.texts("encoder.video", "H.264 encoders in the order to try them")?,
                audio: self.texts("encoder.audio", "AAC encoders in the order to try them")?,
            },
            lights: self.lights()?,
            button: self.button()?,
            console: self.console()?,
            wiring: self.wiring()?,
            setup: self.setup()?,
        })
    }

    fn camera(&self) -> Result<CameraSource, ProfileError> {
        const WHY: &str = "the camera needs it";
        const SOURCES: &[&str] =
            &["test-pattern", "file", "v4l2", "libcamera", "argus", "hdmi", "launch"];
        match self.choice("camera.source", SOURCES)? {
            "file" => Ok(CameraSource::File { path: self.text("camera.path", WHY)?.into() }),
            "v4l2" => {
                Ok(CameraSource::V4l2 { device: self.camera_device()?, formats: self.formats()? })
            }
            "libcamera" => Ok(CameraSource::Libcamera { name: self.optional_text("camera.name")? }),
            "argus" => Ok(CameraSource::Argus {
                sensor: match self.optional("camera.sensor") {
                    Some(_) => self.number("camera.sensor", 0..=15)?,
                    None => 0,
                },
            }),
            "hdmi" => Ok(CameraSource::Hdmi {
                device: self.camera_device()?,
                subdevice: self.optional_text("camera.subdevice")?.map(Into::into),
                edid: self.optional_text("camera.edid")?.map(Into::into),
            }),
            "launch" => Ok(CameraSource::Launch {
                launch: self.text("camera.launch", WHY)?,
                passthrough: self.formats()? == [PictureFormat::H264],
            }),
            _ => Ok(CameraSource::TestPattern),
        }
    }

    fn camera_device(&self) -> Result<CameraDevice, ProfileError> {
        let text = self.text("camera.device", "which camera; `auto` takes the first that works")?;
        CameraDevice::parse(&text).map_err(|why| self.bad("camera.device", why))
    }

    fn formats(&self) -> Result<Vec<PictureFormat>, ProfileError> {
        const KEY: &str = "camera.formats";
        if self.optional(KEY).is_none() {
            return Ok(PictureFormat::USUAL.to_vec());
        }
        let format = |text: &String| {
            let known = PictureFormat::ALL.iter().find(|(name, _)| name == text);
            known.map(|(_, format)| *format).ok_or_else(|| {
                self.bad(KEY, &format!("holds `{text}`, which is none of raw, mjpeg, h264"))
            })
        };
        self.texts(KEY, "forms of the picture, best first")?.iter().map(format).collect()
    }

    fn microphone(&self) -> Result<MicrophoneSource, ProfileError> {
        const WHY: &str = "the microphone needs it";
        const SOURCES: &[&str] = &["tone", "silence", "camera-file", "file", "alsa", "launch"];
        match self.choice("microphone.source", SOURCES)? {
            "silence" => Ok(MicrophoneSource::Silence),
            "camera-file" => Ok(MicrophoneSource::CameraFile),
            "file" => {
                Ok(MicrophoneSource::File { path: self.text("microphone.path", WHY)?.into() })
            }
            "alsa" => {
                let text = self.text("microphone.device", WHY)?;
                let device = MicrophoneDevice::parse(&text)
                    .map_err(|why| self.bad("microphone.device", why))?;
                Ok(MicrophoneSource::Alsa { device })
            }
            "launch" => {
                Ok(MicrophoneSource::Launch { launch: self.text("microphone.launch", WHY)? })
            }
            _ => Ok(MicrophoneSource::Tone),
        }
    }

    fn video(&self) -> Result<Video, ProfileError> {
        const KBPS: RangeInclusive<u32> = CAPTURE_VIDEO_KBPS_MIN..=CAPTURE_VIDEO_KBPS_MAX;
        let bitrate_kbps = self.number("video.bitrate_kbps", KBPS)?;
        Ok(Video {
            width: self.even("video.width", CAPTURE_SIDE_MIN..=CAPTURE_WIDTH_MAX)?,
            height: self.even("video.height", CAPTURE_SIDE_MIN..=CAPTURE_HEIGHT_MAX)?,
            fps: self.number("video.fps", 1..=CAPTURE_FPS_MAX)?,
            bitrate_kbps,
            bitrate_max_kbps: self
                .number("video.bitrate_max_kbps", bitrate_kbps..=CAPTURE_VIDEO_KBPS_MAX)?,
            keyframe_interval_ms: self.number(
                "video.keyframe_interval_ms",
                CAPTURE_KEYFRAME_INTERVAL_MS_MIN..=CAPTURE_KEYFRAME_INTERVAL_MS_MAX,
            )?,
        })
    }

    fn lights(&self) -> Result<Lights, ProfileError> {
        match self.choice("lights.backend", &["terminal", "cdev", "sysfs", "none"])? {
            "cdev" => Ok(Lights::Cdev(self.fitted(Keys::line)?)),
            "sysfs" => Ok(Lights::Sysfs(self.fitted(Keys::led)?)),
            "none" => Ok(Lights::None),
            _ => Ok(Lights::Terminal),
        }
    }

    /// One light where a profile has `lights.single`, else two.
    fn fitted<T>(
        &self,
        light: impl Fn(&Self, &str) -> Result<T, ProfileError>,
    ) -> Result<Fitted<T>, ProfileError> {
        // The file itself knows better than what it inherits from.
        let own = |table: &str| self.keys_of(table).any(|(_, entry)| self.is_own(entry));
        let is_two_here = own("lights.live") || own("lights.status");
        if self.has_table("lights.single") && (own("lights.single") || !is_two_here) {
            return Ok(Fitted::One { single: light(self, "lights.single")? });
        }
        Ok(Fitted::Two { live: light(self, "lights.live")?, status: light(self, "lights.status")? })
    }

    fn led(&self, prefix: &str) -> Result<Led, ProfileError> {
        let key = format!("{prefix}.led");
        let led = self.text(&key, "the kernel's name of the light")?;
        if led.contains('/') {
            return Err(self.bad(&key, "is a name below /sys/class/leds, not a path"));
        }
        Ok(Led { led })
    }

    fn button(&self) -> Result<Button, ProfileError> {
        let has_reset = self.has_table("button.reset");
        match self.choice("button.backend", &["keys", "cdev", "input", "none"])? {
            "cdev" => Ok(Button::Cdev {
                line: self.line("button")?,
                debounce_ms: self.number("button.debounce_ms", 1..=500)?,
                pull: self.pull()?,
                reset: has_reset.then(|| self.line("button.reset")).transpose()?,
            }),
            "input" => {
                let key = self.key("button", "button.device")?;
                let own = self.document.entries.contains_key("button.reset.device");
                let device = if own { "button.reset.device" } else { "button.device" };
                let reset = has_reset.then(|| self.key("button.reset", device)).transpose()?;
                if reset.as_ref() == Some(&key) {
                    let (key, other) = ("button.reset.code".to_owned(), "button.code".to_owned());
                    let (file, line) = self.place(&key);
                    return Err(ProfileError::SharedLine { file, line, key, other });
                }
                Ok(Button::Input { key, reset })
            }
            "none" => Ok(Button::None),
            _ => Ok(Button::Keys),
        }
    }

    fn key(&self, prefix: &str, device: &str) -> Result<Key, ProfileError> {
        Ok(Key {
            device: self.text(device, "the input device's node")?.into(),
            code: self.number(&format!("{prefix}.code"), 1..=767)? as u16,
        })
    }

    fn pull(&self) -> Result<Option<Pull>, ProfileError> {
        if !self.document.entries.contains_key("button.pull") {
            return Ok(None);
        }
        Ok(match self.choice("button.pull", &["up", "down", "none"])? {
            "up" => Some(Pull::Up),
            "down" => Some(Pull::Down),
            _ => None,
        })
    }

    fn console(&self) -> Result<Console, ProfileError> {
        match self.choice("console.port", &["stdio", "pty", "serial"])? {
            "pty" => Ok(Console::Pty),
            "serial" => Ok(Console::Serial {
                paths: self
                    .texts("console.path", "the serial port's device node")?
                    .into_iter()
                    .map(Into::into)
                    .collect(),
                baud: self.number("console.baud", 1_200..=4_000_000)?,
            }),
            _ => Ok(Console::Stdio),
        }
    }

    /// A line by its name, by its chip and offset, or by both.
    fn line(&self, prefix: &str) -> Result<Line, ProfileError> {
        let [name_key, chip_key, line_key] =
            ["line_name", "chip", "line"].map(|key| format!("{prefix}.{key}"));
        let has = |key: &String| self.document.entries.contains_key(key);
        let line_name = has(&name_key)
            .then(|| self.text(&name_key, "the line's name in the device tree"))
            .transpose()?;
        let by_place = line_name.is_none() || has(&chip_key) || has(&line_key);
        let place = by_place.then(|| self.chip_and_line(&chip_key, &line_key)).transpose()?;
        let active_low = self.flag(&format!("{prefix}.active_low"))?;
        let pin = self.pin(&format!("{prefix}.pin"))?;
        Ok(Line { line_name, place, active_low, pin })
    }

    fn chip_and_line(&self, chip_key: &str, line_key: &str) -> Result<Place, ProfileError> {
        let chip = self.text(chip_key, "the label of the GPIO chip, or a line_name instead")?;
        if chip.contains("gpiochip") || chip.contains('/') {
            let why = "must be the chip's label, because chip numbers change between kernels \
                       (`gpiodetect` prints it)";
            return Err(self.bad(chip_key, why));
        }
        Ok(Place { chip, line: self.number(line_key, 0..=1_023)? })
    }

    fn check_lines(&self, profile: &Profile) -> Result<(), ProfileError> {
        let lines = profile.lines();
        let same = |a: &Line, b: &Line| {
            (a.place.is_some() && a.place == b.place)
                || (a.line_name.is_some() && a.line_name == b.line_name)
        };
        for (i, (table, line)) in lines.iter().enumerate() {
            if let Some((other, _)) = lines[..i].iter().find(|(_, other)| same(line, other)) {
                let key = |table: &str| {
                    let by_place = format!("{table}.line");
                    let known = self.document.entries.contains_key(&by_place);
                    if known { by_place } else { format!("{table}.line_name") }
                };
                let (key, other) = (key(table), key(other));
                let (file, line) = self.place(&key);
                return Err(ProfileError::SharedLine { file, line, key, other });
            }
        }
        Ok(())
    }

    /// A key of the file itself that the chosen source or backend does not look at is a mistake;
    /// one that was inherited is not.
    fn check_all_used(&self) -> Result<(), ProfileError> {
        let used = self.used.borrow();
        let stray = self
            .document
            .entries
            .iter()
            .find(|(key, entry)| self.is_own(entry) && !used.contains(*key));
        match stray {
            Some((key, _)) => {
                Err(self.bad(key, "has no meaning with the source, backend or port chosen"))
            }
            None => Ok(()),
        }
    }

    /// Whether the profile says anything in this table.
    fn has_table(&self, table: &str) -> bool {
        self.keys_of(table).next().is_some()
    }

    fn keys_of<'b>(&'b self, table: &'b str) -> impl Iterator<Item = (&'b String, &'b Entry)> {
        let inside = move |key: &str| key.strip_prefix(table).is_some_and(|k| k.starts_with('.'));
        self.document.entries.iter().filter(move |(key, _)| inside(key))
    }

    fn is_own(&self, entry: &Entry) -> bool {
        entry.file == self.document.file
    }

    fn optional(&self, key: &str) -> Option<&Entry> {
        let entry = self.document.entries.get(key)?;
        self.used.borrow_mut().insert(key.to_owned());
        Some(entry)
    }

    fn required(&self, key: &str, why: &str) -> Result<&Entry, ProfileError> {
        self.optional(key).ok_or_else(|| ProfileError::MissingKey {
            file: self.document.file.clone(),
            key: key.to_owned(),
            why: why.to_owned(),
        })
    }

    fn place(&self, key: &str) -> (String, usize) {
        match self.document.entries.get(key) {
            Some(entry) => (entry.file.clone(), entry.line),
            None => (self.document.file.clone(), 1),
        }
    }

    fn bad(&self, key: &str, why: &str) -> ProfileError {
        let (file, line) = self.place(key);
        ProfileError::BadValue { file, line, key: key.to_owned(), why: why.to_owned() }
    }

    fn text(&self, key: &str, why: &str) -> Result<String, ProfileError> {
        match &self.required(key, why)?.value {
            Value::Text(text) if !text.trim().is_empty() => Ok(text.clone()),
            _ => Err(self.bad(key, "must not be empty")),
        }
    }

    fn optional_text(&self, key: &str) -> Result<Option<String>, ProfileError> {
        match self.optional(key) {
            Some(_) => self.text(key, "").map(Some),
            None => Ok(None),
        }
    }

    fn texts(&self, key: &str, why: &str) -> Result<Vec<String>, ProfileError> {
        match &self.required(key, why)?.value {
            Value::Texts(texts) if !texts.is_empty() => Ok(texts.clone()),
            _ => Err(self.bad(key, "must not be empty")),
        }
    }

    fn flag(&self, key: &str) -> Result<bool, ProfileError> {
        match self.required(key, "polarity is never guessed")?.value {
            Value::Flag(flag) => Ok(flag),
            _ => Err(self.bad(key, "must be true or false")),
        }
    }

    fn choice(&self, key: &str, choices: &[&'static str]) -> Result<&'static str, ProfileError> {
        let why = format!("one of {}", choices.join(", "));
        let text = self.text(key, &why)?;
        choices
            .iter()
            .find(|choice| **choice == text)
            .copied()
            .ok_or_else(|| self.bad(key, &format!("must be {why}, not `{text}`")))
    }

    fn number(&self, key: &str, range: RangeInclusive<u32>) -> Result<u32, ProfileError> {
        let why = format!("a number from {} to {}", range.start(), range.end());
        let Value::Integer(number) = self.required(key, &why)?.value else {
            return Err(self.bad(key, &format!("must be {why}")));
        };
        u32::try_from(number)
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| self.bad(key, &format!("must be {why}, not {number}")))
    }

    /// H.264 with 4:2:0 chroma has no odd sizes (ITU-T H.264 section 6.2).
    fn even(&self, key: &str, range: RangeInclusive<u32>) -> Result<u32, ProfileError> {
        let number = self.number(key, range)?;
        if number % 2 == 1 {
            return Err(self.bad(key, &format!("must be even, not {number}")));
        }
        Ok(number)
    }
}
