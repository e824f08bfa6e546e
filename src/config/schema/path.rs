//! The name of a setting as it is typed: `video.fps`, `destination.NAME.url`.

use std::fmt;
use std::str::FromStr;

use super::{Kind, Section, Setting, ValueError, find, nearest, of_section};

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
        let place = |path: &SettingPath| (path.setting.section, path.setting.key);
        place(self) == place(other) && self.destination == other.destination
    }
}

impl Eq for SettingPath {}

impl fmt::Display for SettingPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { section, key, .. } = self.setting;
        match &self.destination {
            Some(destination) => write!(f, "{}.{destination}.{key}", section.name()),
            None => write!(f, "{}.{key}", section.name()),
        }
    }
}

impl FromStr for SettingPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<SettingPath, PathError> {
        let (typed, rest) = text.split_once('.').unwrap_or((text, ""));
        let Some(section) = Section::ALL.into_iter().find(|s| s.name() == typed) else {
            let section = nearest(typed, Section::ALL.map(Section::name).into_iter());
            return Err(PathError::Unknown { nearest: section.map(str::to_owned) });
        };
        let (destination, key) = match rest.split_once('.') {
            Some((name, key)) if section == Section::Destination => (Some(name.to_owned()), key),
            None if section == Section::Destination => (Some(rest.to_owned()), ""),
            _ => (None, rest),
        };
        // The name of a destination is no setting of it: it is how its settings are found.
        let Some(setting) = find(section, key).filter(|s| s.kind != Kind::Name) else {
            let key = nearest(key, of_section(section).map(|s| s.key));
            let named = if destination.is_some() { ".NAME" } else { "" };
            let nearest = key.map(|key| format!("{}{named}.{key}", section.name()));
            return Err(PathError::Unknown { nearest });
        };
        if let Some(name) = &destination {
            Kind::Name.read(name).map_err(PathError::DestinationName)?;
        }
        Ok(SettingPath { setting, destination })
    }
}
