//! The name of a setting as it is typed: `video.fps`, `destination.NAME.url`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::form::Form;
use super::table::{DESTINATION, SETTINGS, Setting};
use crate::typed_toml::{Kind, ValueError};

/// One setting of the box, or of one destination.
#[derive(Debug, Clone)]
pub struct SettingPath {
    setting: &'static Setting,
    destination: Option<String>,
}

/// Why a text names no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// no such setting
    #[error("no such setting{}", .nearest.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    Unknown {
        /// What was most probably meant.
        nearest: Option<String>,
    },
    /// a destination cannot have this name
    #[error("destination.name {0}")]
    DestinationName(ValueError),
}

impl SettingPath {
    /// A setting of the box, or of a destination whose name is one.
    pub(in crate::config) fn of(
        destination: Option<&str>,
        setting: &'static Setting,
    ) -> SettingPath {
        SettingPath { setting, destination: destination.map(str::to_owned) }
    }

    /// The address of a destination.
    ///
    /// # Errors
    /// [`PathError::DestinationName`].
    pub fn url_of(destination: &str) -> Result<SettingPath, PathError> {
        SettingPath::named(destination, "destination.url")
    }

    /// The stream key of a destination.
    ///
    /// # Errors
    /// [`PathError::DestinationName`].
    pub fn key_of(destination: &str) -> Result<SettingPath, PathError> {
        SettingPath::named(destination, "destination.key")
    }

    fn named(destination: &str, setting: &str) -> Result<SettingPath, PathError> {
        Kind::Text(Form::Name).read(destination).map_err(PathError::DestinationName)?;
        let setting = SETTINGS.find(setting).ok_or(PathError::Unknown { nearest: None })?;
        Ok(SettingPath::of(Some(destination), setting))
    }

    /// The setting.
    pub fn setting(&self) -> &'static Setting {
        self.setting
    }

    /// The destination that it is of; `None` for a setting of the box.
    pub fn destination(&self) -> Option<&str> {
        self.destination.as_deref()
    }
}

impl PartialEq for SettingPath {
    fn eq(&self, other: &SettingPath) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SettingPath {}

impl PartialOrd for SettingPath {
    fn partial_cmp(&self, other: &SettingPath) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SettingPath {
    fn cmp(&self, other: &SettingPath) -> Ordering {
        let (ours, theirs) = (self.setting.name, other.setting.name);
        self.destination.cmp(&other.destination).then_with(|| ours.cmp(theirs))
    }
}

impl fmt::Display for SettingPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.destination {
            Some(destination) => write!(f, "{DESTINATION}.{destination}.{}", self.setting.key()),
            None => f.write_str(self.setting.name),
        }
    }
}

impl FromStr for SettingPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<SettingPath, PathError> {
        let (section, rest) = text.split_once('.').unwrap_or((text, ""));
        let (destination, key) = match rest.split_once('.') {
            _ if section != DESTINATION => (None, rest),
            Some((name, key)) => (Some(name), key),
            None => (Some(rest), ""),
        };
        if section.is_empty() || !SETTINGS.is_section(section) {
            let nearest = SETTINGS.nearest(section, "");
            // The whole name, where the rest of it is right.
            let whole = nearest.map(|section| format!("{section}.{rest}"));
            let whole = whole.filter(|whole| SETTINGS.find(whole).is_some());
            let nearest = whole.or_else(|| nearest.map(str::to_owned));
            return Err(PathError::Unknown { nearest });
        }
        // The name of a destination is no setting of it: it is how its settings are found.
        let setting = SETTINGS.find(&format!("{section}.{key}"));
        let Some(setting) = setting.filter(|s| s.kind != Kind::Text(Form::Name)) else {
            let named = if destination.is_some() { ".NAME" } else { "" };
            let nearest = SETTINGS.nearest(key, section);
            let nearest = nearest.map(|key| format!("{section}{named}.{key}"));
            return Err(PathError::Unknown { nearest });
        };
        if let Some(name) = destination {
            Kind::Text(Form::Name).read(name).map_err(PathError::DestinationName)?;
        }
        Ok(SettingPath::of(destination, setting))
    }
}
