//! What holds: all sources together, as types that the other rooms use.

use std::path::PathBuf;

use super::network::{Wifi, Wired};
use super::partial::Partial;
use super::schema::{SettingPath, Value};
use super::view::View;
#[cfg(doc)]
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
    /// Go live with the slate when there is no camera.
    pub start_without_camera: bool,
    /// Go live with silence when there is no microphone.
    pub start_without_microphone: bool,
    /// Go live again at start-up if the box was live before.
    pub resume_live: bool,
    /// The video.
    pub video: Video,
    /// The audio.
    pub audio: Audio,
    /// The image that is shown in place of a lost camera; `None` for the drawn one.
    pub slate_picture: Option<PathBuf>,
    /// What is drawn over the video.
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
    /// All of this but what is the default, as one source.
    effective: Partial,
}

/// The video; what is `None` is up to the board's profile.
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
    /// Time from one keyframe to the next, in milliseconds.
    pub keyframe_interval_ms: Option<u32>,
    /// The destination that controls adaptive bitrate.
    pub follow: Follow,
}

/// The audio; what is `None` is up to the board's profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audio {
    /// Bitrate, in kb/s.
    pub bitrate_kbps: Option<u32>,
    /// 1 or 2.
    pub channels: Option<u32>,
}

/// What is drawn over the video; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay {
    /// The time of day.
    pub clock: bool,
    /// A line of text.
    pub text: Option<String>,
    /// A PNG image.
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
    /// Allow unencrypted RTMP.
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
}

/// Puts sources together, the weakest first: integrator's file, store, stick or console. What none
/// of them says is the default. A destination is known by its name; what an earlier source gave
/// for one server (key, consent, authority) is not handed to another server that a later one names.
pub fn merge(sources: &[Partial]) -> Settings {
    let mut all = Partial::default();
    sources.iter().for_each(|source| all.import(source));
    let left_out = all.keep_what_holds();
    Settings::new(all, left_out)
}

/// The file that says these settings, without the keys; they are in [`Settings::destinations`].
pub fn render(settings: &Settings) -> String {
    settings.effective.render()
}

/// The file that says these settings, as it may be shown to anybody: without the keys, and with
/// addresses that hold a secret left out and named.
pub fn export(settings: &Settings) -> String {
    let mut open = settings.effective.clone();
    let mut left_out = String::new();
    for Destination { name, url, backup_url, .. } in &settings.destinations {
        for (key, url) in [("url", url), ("backup_url", backup_url)] {
            if let Some(url) = url.as_ref().filter(|url| *url.reveal() != url.to_string()) {
                // The name of a setting is known.
                let _ = open.unset(&format!("destination.{name}.{key}"));
                left_out.push_str(&format!(
                    "\n# An address of {name} holds a secret and must be written again: {url}\n"
                ));
            }
        }
    }
    open.render() + &left_out
}

impl Settings {
    /// The one place where settings get their types.
    fn new(effective: Partial, left_out: Vec<String>) -> Settings {
        let of = View { effective: &effective, destination: None };
        Settings {
            name: of.get("box.name").unwrap_or_default(),
            start_without_camera: of.flag("box.start_without_camera"),
            start_without_microphone: of.flag("box.start_without_microphone"),
            resume_live: of.flag("box.resume_live"),
            video: Video {
                width: of.get("video.width"),
                height: of.get("video.height"),
                fps: of.get("video.fps"),
                bitrate_kbps: of.get("video.bitrate_kbps"),
                keyframe_interval_ms: of.get("video.keyframe_interval_ms"),
                follow: of.get("video.follow").unwrap_or_default(),
            },
            audio: Audio {
                bitrate_kbps: of.get("audio.bitrate_kbps"),
                channels: of.get("audio.channels"),
            },
            slate_picture: of.get("slate.picture"),
            overlay: Overlay {
                clock: of.flag("overlay.clock"),
                text: of.get("overlay.text"),
                logo: of.get("overlay.logo"),
            },
            console_pin: of.get("console.pin"),
            wired: Wired::new(of),
            wifi: Wifi::new(of),
            destinations: effective
                .destinations()
                .iter()
                .map(|name| {
                    let of = View { effective: &effective, destination: Some(name) };
                    Destination {
                        name: name.clone(),
                        url: of.get("destination.url"),
                        backup_url: of.get("destination.backup_url"),
                        key: of.get("destination.key"),
                        ca_file: of.get("destination.ca_file"),
                        pinned_key: of.get("destination.pinned_key"),
                        strict_tls: of.flag("destination.strict_tls"),
                        allow_plain: of.flag("destination.allow_plain"),
                        enabled: of.flag("destination.enabled"),
                    }
                })
                .collect(),
            left_out,
            effective,
        }
    }

    /// The settings that differ from their defaults, as one source.
    pub fn to_partial(&self) -> Partial {
        self.effective.clone()
    }

    /// Every setting by its console name with the value that holds, for `show`: keys and whatever
    /// is secret in an address are dots.
    pub fn shown(&self) -> Vec<(String, String)> {
        let names = self.effective.destinations().iter().map(|name| Some(name.as_str()));
        let all = std::iter::once(None).chain(names).flat_map(|destination| {
            self.effective.of(destination).map(move |(setting, value)| {
                let shown = value.map_or_else(|| setting.fallback.to_string(), Value::to_string);
                (SettingPath::of(destination, setting).to_string(), shown)
            })
        });
        all.collect()
    }
}
