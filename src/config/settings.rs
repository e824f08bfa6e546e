//! What holds: all sources together, as types that the other rooms use.

use std::path::PathBuf;

use super::network::{Wifi, Wired};
use super::partial::{Partial, PartialDestination};
use super::schema::{self, Kind, Section, Value};
use crate::limits::DESTINATIONS_MAX;
use crate::pace::Follow;
use crate::rtmp::url::{Ingest, Scheme, ServerUrl, UrlError};
use crate::secret::{ConsolePin, StreamKey};
use crate::spki_pin::SpkiPin;

/// The settings that hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What the box calls itself.
    pub name: String,
    /// Go live with the slate picture when no camera is there.
    pub start_without_camera: bool,
    /// Go live with silence when no microphone is there.
    pub start_without_microphone: bool,
    /// The picture.
    pub video: Video,
    /// The sound.
    pub audio: Audio,
    /// The picture that is shown in place of a lost camera; `None` for the drawn one.
    pub slate_picture: Option<PathBuf>,
    /// What is laid over the picture.
    pub overlay: Overlay,
    /// The PIN of the serial console.
    pub console_pin: Option<ConsolePin>,
    /// The wired network.
    pub wired: Wired,
    /// The wireless network.
    pub wifi: Wifi,
    /// Where to, at most [`DESTINATIONS_MAX`].
    pub destinations: Vec<Destination>,
    /// Names of destinations beyond the bound, when several sources have more together.
    pub left_out: Vec<String>,
}

/// The picture; what is `None` is up to the board's profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Video {
    /// Width in pixels, even.
    pub width: Option<u32>,
    /// Height in pixels, even.
    pub height: Option<u32>,
    /// Frames a second.
    pub fps: Option<u32>,
    /// Highest bitrate, in kb/s.
    pub bitrate_kbps: Option<u32>,
    /// Time from one key frame to the next, in milliseconds.
    pub keyframe_interval_ms: Option<u32>,
    /// Whose path sets the bitrate.
    pub follow: Follow,
}

/// The sound; what is `None` is up to the board's profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audio {
    /// Bitrate, in kb/s.
    pub bitrate_kbps: Option<u32>,
    /// 1 or 2.
    pub channels: Option<u32>,
}

/// What is laid over the picture; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay {
    /// The time of day.
    pub clock: bool,
    /// Words.
    pub text: Option<String>,
    /// A PNG picture.
    pub logo: Option<PathBuf>,
}

/// One place to publish to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its name at the console.
    pub name: String,
    /// The server.
    pub url: Option<ServerUrl>,
    /// The server to use while that one fails; it gets the same key.
    pub backup_url: Option<ServerUrl>,
    /// The stream key.
    pub key: Option<StreamKey>,
    /// Certificates of the authority that this server is checked against.
    pub ca_file: Option<PathBuf>,
    /// The key that this server must have.
    pub pinned_key: Option<SpkiPin>,
    /// Offer only the TLS that NIST SP 800-52r2 approves.
    pub strict_tls: bool,
    /// Consent to plain RTMP.
    pub allow_plain: bool,
    /// Whether going live includes it.
    pub enabled: bool,
}

/// Why a destination cannot be published to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// it is switched off
    #[error("it is switched off")]
    Disabled,
    /// it has no address
    #[error("it has no address")]
    NoAddress,
    /// it has no stream key
    #[error("it has no stream key")]
    NoKey,
    /// rtmp:// without consent
    #[error("rtmp:// shows the stream key to everybody on the way, and allow_plain is not set")]
    PlainRefused,
    /// address and key do not fit together
    #[error(transparent)]
    Address(#[from] UrlError),
}

impl Destination {
    /// Server and key together, when everything that publishing needs is there.
    ///
    /// # Errors
    /// [`NotReady`] says what is missing.
    pub fn ingest(&self) -> Result<Ingest, NotReady> {
        match &self.url {
            Some(url) => self.ingest_at(url),
            None if !self.enabled => Err(NotReady::Disabled),
            None => Err(NotReady::NoAddress),
        }
    }

    /// The same at the backup server; `None` without one.
    ///
    /// # Errors
    /// [`NotReady`] says what is missing.
    pub fn backup_ingest(&self) -> Result<Option<Ingest>, NotReady> {
        self.backup_url.as_ref().map(|url| self.ingest_at(url)).transpose()
    }

    fn ingest_at(&self, url: &ServerUrl) -> Result<Ingest, NotReady> {
        if !self.enabled {
            return Err(NotReady::Disabled);
        }
        if url.scheme == Scheme::Rtmp && !self.allow_plain {
            return Err(NotReady::PlainRefused);
        }
        let key = self.key.as_ref().ok_or(NotReady::NoKey)?;
        Ok(Ingest::from_server_and_key(url.clone(), key.clone())?)
    }

    fn from_partial(from: &PartialDestination) -> Destination {
        let flag = |key| match from.get(key) {
            Some(Value::Flag(flag)) => *flag,
            _ => default_flag(Section::Destination, key),
        };
        let address = |key| match from.get(key) {
            Some(Value::Address(url)) => Some(url.clone()),
            _ => None,
        };
        Destination {
            name: from.name().to_owned(),
            url: address("url"),
            backup_url: address("backup_url"),
            key: match from.get("key") {
                Some(Value::Key(key)) => Some(key.clone()),
                _ => None,
            },
            ca_file: match from.get("ca_file") {
                Some(Value::Path(path)) => Some(path.clone()),
                _ => None,
            },
            pinned_key: match from.get("pinned_key") {
                Some(Value::Pin(pin)) => Some(*pin),
                _ => None,
            },
            strict_tls: flag("strict_tls"),
            allow_plain: flag("allow_plain"),
            enabled: flag("enabled"),
        }
    }

    fn to_partial(&self) -> PartialDestination {
        let mut partial = PartialDestination::new(self.name.clone());
        let mut put = |key, value: Option<Value>| {
            if let Some(value) = value {
                partial.put(key, value);
            }
        };
        put("url", self.url.clone().map(Value::Address));
        put("backup_url", self.backup_url.clone().map(Value::Address));
        put("key", self.key.clone().map(Value::Key));
        put("ca_file", self.ca_file.clone().map(Value::Path));
        put("pinned_key", self.pinned_key.map(Value::Pin));
        put("strict_tls", other_than_default(Section::Destination, "strict_tls", self.strict_tls));
        put(
            "allow_plain",
            other_than_default(Section::Destination, "allow_plain", self.allow_plain),
        );
        put("enabled", other_than_default(Section::Destination, "enabled", self.enabled));
        partial
    }
}

fn default_flag(section: Section, key: &str) -> bool {
    schema::find(section, key).is_some_and(|s| s.default == "true")
}

fn other_than_default(section: Section, key: &str, flag: bool) -> Option<Value> {
    (flag != default_flag(section, key)).then_some(Value::Flag(flag))
}

/// Puts sources together, the weakest first: integrator's file, store, stick or console. What none
/// of them says is the default. A destination is known by its name; what an earlier source gave
/// for one server (key, consent, authority) is not handed to another server that a later one names.
pub fn merge(sources: &[Partial]) -> Settings {
    let mut all = Partial::default();
    for source in sources {
        all.overlay(source);
    }
    let flag = |section, key| match all.get(section, key) {
        Some(Value::Flag(flag)) => *flag,
        _ => default_flag(section, key),
    };
    let path = |section, key| match all.get(section, key) {
        Some(Value::Path(path)) => Some(path.clone()),
        _ => None,
    };
    let number = |section, key| match all.get(section, key) {
        Some(Value::Number(number)) => Some(*number),
        _ => None,
    };
    let (video, audio) = (|key| number(Section::Video, key), |key| number(Section::Audio, key));
    let bound = all.destinations.len().min(DESTINATIONS_MAX);
    let (destinations, left_out) = all.destinations.split_at(bound);
    Settings {
        name: match all.get(Section::Box, "name") {
            Some(Value::Text(name)) => name.clone(),
            _ => schema::find(Section::Box, "name").map(|s| s.default).unwrap_or_default().into(),
        },
        start_without_camera: flag(Section::Box, "start_without_camera"),
        start_without_microphone: flag(Section::Box, "start_without_microphone"),
        video: Video {
            width: video("width"),
            height: video("height"),
            fps: video("fps"),
            bitrate_kbps: video("bitrate_kbps"),
            keyframe_interval_ms: video("keyframe_interval_ms"),
            follow: match all.get(Section::Video, "follow") {
                Some(Value::Text(name)) => Follow::named(name).unwrap_or_default(),
                _ => Follow::default(),
            },
        },
        audio: Audio { bitrate_kbps: audio("bitrate_kbps"), channels: audio("channels") },
        slate_picture: path(Section::Slate, "picture"),
        overlay: Overlay {
            clock: flag(Section::Overlay, "clock"),
            text: match all.get(Section::Overlay, "text") {
                Some(Value::Text(text)) => Some(text.clone()),
                _ => None,
            },
            logo: path(Section::Overlay, "logo"),
        },
        console_pin: match all.get(Section::Console, "pin") {
            Some(Value::ConsolePin(pin)) => Some(pin.clone()),
            _ => None,
        },
        wired: Wired::from_partial(&all),
        wifi: Wifi::from_partial(&all),
        destinations: destinations.iter().map(Destination::from_partial).collect(),
        left_out: left_out.iter().map(|d| d.name().to_owned()).collect(),
    }
}

/// The file that says these settings, without the keys; they are in [`Settings::destinations`].
pub fn render(settings: &Settings) -> String {
    settings.to_partial().render()
}

/// The file that says these settings, as it may be shown to anybody: without the keys, and with
/// addresses that hold a secret left out and named.
pub fn export(settings: &Settings) -> String {
    let mut settings = settings.clone();
    let mut left_out = String::new();
    for destination in &mut settings.destinations {
        for url in [&mut destination.url, &mut destination.backup_url] {
            if let Some(url) = url.take_if(|url| *url.reveal() != url.to_string()) {
                let name = &destination.name;
                left_out.push_str(&format!(
                    "\n# An address of {name} holds a secret and must be written again: {url}\n"
                ));
            }
        }
    }
    render(&settings) + &left_out
}

impl Settings {
    /// The settings that differ from their defaults, as one source.
    pub fn to_partial(&self) -> Partial {
        let mut partial = Partial::default();
        let mut put = |section, key, value: Option<Value>| {
            if let Some(value) = value {
                partial.put(section, key, value);
            }
        };
        let Settings { start_without_camera, start_without_microphone, video, audio, .. } = self;
        let overlay = &self.overlay;
        let named = schema::find(Section::Box, "name").is_none_or(|s| s.default != self.name);
        put(Section::Box, "name", named.then(|| Value::Text(self.name.clone())));
        for (section, key, flag) in [
            (Section::Box, "start_without_camera", *start_without_camera),
            (Section::Box, "start_without_microphone", *start_without_microphone),
            (Section::Overlay, "clock", overlay.clock),
        ] {
            put(section, key, other_than_default(section, key, flag));
        }
        for (key, number) in [
            ("width", video.width),
            ("height", video.height),
            ("fps", video.fps),
            ("bitrate_kbps", video.bitrate_kbps),
            ("keyframe_interval_ms", video.keyframe_interval_ms),
        ] {
            put(Section::Video, key, number.map(Value::Number));
        }
        let follows = (video.follow != Follow::default()).then(|| video.follow.name().to_owned());
        put(Section::Video, "follow", follows.map(Value::Text));
        put(Section::Audio, "bitrate_kbps", audio.bitrate_kbps.map(Value::Number));
        put(Section::Audio, "channels", audio.channels.map(Value::Number));
        put(Section::Slate, "picture", self.slate_picture.clone().map(Value::Path));
        put(Section::Overlay, "text", overlay.text.clone().map(Value::Text));
        put(Section::Overlay, "logo", overlay.logo.clone().map(Value::Path));
        put(Section::Console, "pin", self.console_pin.clone().map(Value::ConsolePin));
        let (wired, wifi) = (&self.wired, &self.wifi);
        for (section, interface, addressing) in [
            (Section::Network, &wired.interface, &wired.addressing),
            (Section::Wifi, &wifi.interface, &wifi.addressing),
        ] {
            put(section, "interface", interface.clone().map(Value::Text));
            addressing.values().into_iter().for_each(|(key, value)| put(section, key, value));
        }
        put(Section::Wifi, "ssid", wifi.ssid.clone().map(Value::Text));
        put(Section::Wifi, "passphrase", wifi.passphrase.clone().map(Value::Passphrase));
        put(Section::Wifi, "country", wifi.country.clone().map(Value::Text));
        put(Section::Wifi, "hidden", wifi.hidden.then_some(Value::Flag(true)));
        partial.destinations = self.destinations.iter().map(Destination::to_partial).collect();
        partial
    }

    /// Every setting by its console name with the value that holds, for `show`: keys and whatever
    /// is secret in an address are dots.
    pub fn shown(&self) -> Vec<(String, String)> {
        let partial = self.to_partial();
        let shown = |value: Option<&Value>, default: &str| {
            value.map_or_else(|| default.to_owned(), Value::to_string)
        };
        let mut lines = Vec::new();
        for setting in schema::SETTINGS.iter().filter(|s| s.section != Section::Destination) {
            let value = partial.get(setting.section, setting.key);
            lines.push((setting.name(), shown(value, setting.default)));
        }
        for destination in &partial.destinations {
            for setting in schema::of_section(Section::Destination) {
                if setting.kind != Kind::Name {
                    let name = format!("destination.{}.{}", destination.name(), setting.key);
                    lines.push((name, shown(destination.get(setting.key), setting.default)));
                }
            }
        }
        lines
    }
}
