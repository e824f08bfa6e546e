//! What holds: all sources together, as types that the other rooms use.

use std::ops::Deref;

use super::network::Addressing;
use super::partial::Partial;
use super::schema::form::{Get, Text};
use super::schema::{
    Audio, Camera, Destination, Microphone, Overlay, SETTINGS, SettingPath, Value, Values, Video,
    Wifi, Wired,
};
use crate::audio::Adjustments;
use crate::device_controls::{ControlSettings, ControlsOf};
use crate::rtmp::url::{Ingest, Scheme, ServerUrl, UrlError};
use crate::video::{Framing, Rotation};

/// The settings that hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    values: Values,
    /// Names of destinations beyond the bound, when several sources have more together.
    pub left_out: Vec<String>,
    /// The same as one source, without what is the default anyway.
    effective: Partial,
}

impl Deref for Settings {
    type Target = Values;

    fn deref(&self) -> &Values {
        &self.values
    }
}

impl Video {
    /// What is done to the camera's video.
    pub fn framing(&self) -> Framing {
        Framing {
            rotate: Rotation::of_degrees(self.rotate_degrees),
            mirror: self.mirror,
            zoom: self.zoom,
            pan_percent: self.pan_percent,
            tilt_percent: self.tilt_percent,
        }
    }

    /// The same with another framing.
    #[must_use]
    pub fn with(self, framing: &Framing) -> Video {
        let Framing { rotate, mirror, zoom, pan_percent, tilt_percent } = *framing;
        let rotate_degrees = rotate.degrees();
        Video { rotate_degrees, mirror, zoom, pan_percent, tilt_percent, ..self }
    }
}

impl Audio {
    /// What is done to the audio before it is encoded.
    pub fn adjustments(&self) -> Adjustments {
        Adjustments {
            gain_tenths_db: self.gain_tenths_db,
            is_muted: self.is_muted,
            channels_from: self.channels_from,
            lowcut_hz: self.lowcut_hz,
            delay_ms: self.delay_ms,
        }
    }
}

impl Wired {
    /// Whether the owner says anything about it.
    pub fn is_set(&self) -> bool {
        *self != Wired::default()
    }
}

/// Why a destination cannot be published to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// switched off
    #[error("switched off")]
    Disabled,
    /// no address
    #[error("no address")]
    NoAddress,
    /// no stream key
    #[error("no stream key")]
    NoKey,
    /// rtmp:// without consent
    #[error("rtmp:// shows the stream key to everybody on the way, and allow_plain is not set")]
    PlainRefused,
    /// address and key do not fit together
    #[error(transparent)]
    Address(#[from] UrlError),
}

impl Destination {
    /// Why nothing can be published to it, in words that name it; `None` when everything is there.
    pub fn lacks(&self) -> Option<String> {
        let name = &self.name;
        let backup = || self.backup_ingest().err();
        Some(match self.ingest().err().or_else(backup)? {
            NotReady::Disabled => format!("destination {name} is switched off"),
            NotReady::NoAddress => format!("destination {name} has no address"),
            NotReady::NoKey => format!("destination {name} has no stream key"),
            why @ (NotReady::PlainRefused | NotReady::Address(_)) => {
                format!("destination {name}: {why}")
            }
        })
    }

    /// Where it publishes and what it lacks, in words for its owner.
    fn in_words(&self) -> String {
        let name = &self.name;
        let url = self.url.as_ref().map_or_else(|| "no address".to_owned(), ToString::to_string);
        let key = match &self.key {
            Some(_) => "with a stream key".to_owned(),
            None => format!(
                "NO STREAM KEY: a line key = \"...\" on a stick or `key {name}` at the console sets it"
            ),
        };
        let off = if self.enabled { "" } else { ", switched off" };
        format!("{name}: {url}, {key}{off}")
    }

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
    sources.iter().for_each(|source| all.overlay(source));
    let left_out = all.keep_what_holds();
    Settings::new(all, left_out)
}

/// The file that says these settings, without the keys; they are in the destinations.
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
            if let Some(url) = url.as_ref().filter(|url| url.holds_secret()) {
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
    fn new(effective: Partial, left_out: Vec<String>) -> Settings {
        let value = |destination: Option<&str>, name: &str| match (destination, name) {
            (Some(destination), "destination.name") => {
                Some(Value::Text(Text::Line(destination.to_owned())))
            }
            _ => {
                let set = effective.get(destination, name).cloned();
                set.or_else(|| SETTINGS.find(name)?.fallback_value())
            }
        };
        let get: Get<'_> = &|name| value(None, name);
        let destinations = effective.destinations().iter();
        let more = (
            Camera::read(get),
            Microphone::read(get),
            Video::read(get),
            Audio::read(get),
            Overlay::read(get),
            Wired::read(get, (Addressing::read(get, "network"),)),
            Wifi::read(get, (Addressing::read(get, "wifi"),)),
            destinations.map(|name| Destination::read(&|key| value(Some(name), key))).collect(),
        );
        let values = Values::read(get, more);
        Settings { values, left_out, effective }
    }

    /// What stands between the box and going live, as far as settings say: `None` when at least one
    /// destination is ready.
    pub fn lack(&self) -> Option<String> {
        if self.destinations.iter().any(|destination| destination.ingest().is_ok()) {
            return None;
        }
        let lacks: Vec<String> = self.destinations.iter().filter_map(Destination::lacks).collect();
        match lacks.is_empty() {
            true => Some("no destination is set".to_owned()),
            false => Some(lacks.join("; ")),
        }
    }

    /// The names of the destinations.
    pub fn names(&self) -> Vec<String> {
        self.destinations.iter().map(|destination| destination.name.clone()).collect()
    }

    /// Every destination that now holds, a line each, for the owner of a stick.
    pub fn destinations_in_words(&self) -> Vec<String> {
        if self.destinations.is_empty() {
            return vec!["no destination holds: one is needed to go live".to_owned()];
        }
        let mut lines = vec!["destinations that now hold:".to_owned()];
        lines.extend(self.destinations.iter().map(|d| format!("  {}", d.in_words())));
        lines
    }

    /// The same without anything that is not for everybody, for whoever may keep them longer than they
    /// hold.
    #[must_use]
    pub fn without_secrets(&self) -> Settings {
        Settings::new(self.effective.without_secrets(), self.left_out.clone())
    }

    /// The same with what others say of the settings of these names.
    #[must_use]
    pub fn with_those_of(&self, others: &Settings, names: &[&str]) -> Settings {
        let mut effective = self.effective.clone();
        for setting in names.iter().filter_map(|name| SETTINGS.find(name)) {
            let path = SettingPath::of(None, setting);
            match others.effective.value(&path) {
                Some(value) => effective.put(path, value.clone()),
                None => drop(effective.unset_at(&path)),
            }
        }
        Settings::new(effective, self.left_out.clone())
    }

    /// The settings that differ from their defaults, as one source.
    pub fn to_partial(&self) -> Partial {
        self.effective.clone()
    }

    /// Every setting by its console name with the value that holds: keys and whatever is secret in an
    /// address are dots.
    pub fn shown(&self) -> Vec<(String, String)> {
        let shown = |path: SettingPath| {
            let value = self.effective.value(&path).map(Value::to_string);
            (path.to_string(), value.unwrap_or_else(|| path.setting().fallback.to_string()))
        };
        self.paths().into_iter().map(shown).collect()
    }

    /// Every setting that there is, of the box and of each destination, in the order of the file.
    pub fn paths(&self) -> Vec<SettingPath> {
        let of = |destination: Option<&str>| -> Vec<SettingPath> {
            let of = self.effective.of(destination);
            of.map(|(setting, _)| SettingPath::of(destination, setting)).collect()
        };
        let controls = self.effective.paths().filter(|path| path.control().is_some()).cloned();
        let destinations = self.effective.destinations().iter();
        let destinations = destinations.flat_map(|name| of(Some(name)));
        of(None).into_iter().chain(controls).chain(destinations).collect()
    }

    /// The hardware controls of one sort of device.
    pub fn controls(&self, of: ControlsOf) -> ControlSettings {
        self.effective.controls_of(of)
    }
}
