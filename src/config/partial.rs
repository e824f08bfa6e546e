//! What one source says: some settings, and nothing about the others.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::error::Problem;
use super::schema::{self, Kind, PathError, Section, SettingPath, VERSION, Value, ValueError};
use crate::limits::DESTINATIONS_MAX;
use crate::secret::StreamKey;

/// The settings of one source: a file, or what was set at the console.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partial {
    /// Of the box as a whole.
    values: BTreeMap<(Section, &'static str), Value>,
    /// Of the destinations, in the order in which they were named.
    pub(super) destinations: Vec<PartialDestination>,
}

/// What one source says about one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialDestination {
    name: String,
    values: BTreeMap<&'static str, Value>,
}

/// Why a setting was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// no such setting
    #[error(transparent)]
    Path(#[from] PathError),
    /// there can be no more destinations
    #[error("there can be no more than {DESTINATIONS_MAX} destinations")]
    TooMany,
    /// the value is not taken
    #[error("{name} {error}")]
    Value {
        /// The setting.
        name: String,
        /// What is wrong.
        error: ValueError,
    },
}

impl Partial {
    /// Sets one setting as it is typed: `video.fps`, `destination.NAME.url`. A destination that
    /// was not named before is added. A new server's address drops key, consent and authority of
    /// the old one.
    ///
    /// # Errors
    /// [`SetError`]; nothing is changed then.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SetError> {
        let path: SettingPath = name.parse()?;
        let setting = path.setting();
        let value = setting
            .kind
            .read(text)
            .map_err(|error| SetError::Value { name: setting.name(), error })?;
        match path.destination() {
            None => self.change(setting.section, setting.key, value),
            Some(name) => self.destination_or_new(name)?.change(setting.key, value),
        }
        Ok(())
    }

    /// Takes one setting back, so that other sources or the default hold; `destination.NAME` takes
    /// back all of a destination. Says whether it was set.
    ///
    /// # Errors
    /// [`SetError::Path`].
    pub fn unset(&mut self, name: &str) -> Result<bool, SetError> {
        if let Some(name) = name.strip_prefix("destination.").filter(|n| !n.contains('.')) {
            let before = self.destinations.len();
            self.destinations.retain(|d| d.name != name);
            return Ok(self.destinations.len() < before);
        }
        let path: SettingPath = name.parse()?;
        let setting = path.setting();
        Ok(match path.destination() {
            None => self.values.remove(&(setting.section, setting.key)).is_some(),
            Some(name) => self
                .destinations
                .iter_mut()
                .find(|d| d.name == name)
                .is_some_and(|d| d.values.remove(setting.key).is_some()),
        })
    }

    /// Sets the key of a destination, as it comes from its own file or was typed without echo.
    ///
    /// # Errors
    /// [`SetError`] when the name cannot be one, or there are too many.
    pub fn set_key(&mut self, destination: &str, key: StreamKey) -> Result<(), SetError> {
        self.destination_or_new(destination)?.put("key", Value::Key(key));
        Ok(())
    }

    /// The keys with the names of their destinations, for the store that keeps them apart.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &StreamKey)> {
        self.destinations.iter().filter_map(|d| match d.get("key") {
            Some(Value::Key(key)) => Some((d.name(), key)),
            _ => None,
        })
    }

    /// All secrets by their console names with the text that is stored for them, for the store that
    /// keeps them apart. A PIN that was not hashed is none of them.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (String, Zeroizing<String>)> {
        let of_box = self.values.iter().filter_map(|((section, key), value)| {
            let text = match value {
                Value::Passphrase(passphrase) => passphrase.reveal().to_owned(),
                Value::ConsolePin(pin) => pin.stored()?,
                _ => return None,
            };
            Some((format!("{}.{key}", section.name()), Zeroizing::new(text)))
        });
        let keys = self.keys();
        of_box.chain(keys.map(|(name, key)| (name.to_owned(), Zeroizing::new(key.reveal().into()))))
    }

    /// Puts one of [`Partial::secrets`] back.
    pub(super) fn put_secret(&mut self, name: &str, text: &str) -> Option<()> {
        match name.contains('.') {
            true => self.set(name, text).ok(),
            false => self.set_key(name, StreamKey::parse(text).ok()?).ok(),
        }
    }

    /// How many secrets it has: stream keys, passphrase, PIN.
    pub fn secret_count(&self) -> usize {
        self.keys().count() + self.values.values().filter(|value| value.is_secret()).count()
    }

    /// Hashes a PIN that is still as it was typed, with this salt, which should be random.
    pub fn hash_pin(&mut self, salt: [u8; 16]) {
        if let Some(Value::ConsolePin(pin)) = self.values.get_mut(&(Section::Console, "pin")) {
            *pin = pin.clone().hashed(salt);
        }
    }

    /// Puts a later source over this one: what it says holds from now on.
    pub fn import(&mut self, later: &Partial) {
        self.overlay(later);
    }

    /// Whether what would be stored reads back as this.
    ///
    /// # Errors
    /// What is wrong with the settings as a whole, such as `rtmp://` without consent.
    pub fn check(&self) -> Result<(), Problem> {
        match super::parse::parse("settings", &self.render()) {
            Ok(_) => Ok(()),
            Err(mut wrong) => Err(wrong.errors.swap_remove(0).problem),
        }
    }

    /// The file that says this, without keys, passphrase and PIN. It holds what addresses themselves carry, login
    /// and tokens, so only its owner may read it.
    pub fn render(&self) -> String {
        let mut text = format!("version = {VERSION}\n");
        for section in Section::ALL.into_iter().filter(|s| *s != Section::Destination) {
            let of_section = self.values.iter().filter(|((s, _), _)| *s == section);
            let open = of_section.filter(|(_, value)| !value.is_secret());
            let values: Vec<_> = open.map(|((_, key), value)| (*key, value)).collect();
            if !values.is_empty() {
                text.push_str(&format!("\n[{}]\n", section.name()));
                render_values(&mut text, section, |key| {
                    values.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
                });
            }
        }
        for destination in &self.destinations {
            text.push_str(&format!("\n[[destination]]\nname = {}\n", quoted(&destination.name)));
            render_values(&mut text, Section::Destination, |key| destination.get(key));
        }
        text
    }

    pub(super) fn get(&self, section: Section, key: &str) -> Option<&Value> {
        let setting = schema::find(section, key)?;
        self.values.get(&(section, setting.key))
    }

    pub(super) fn put(&mut self, section: Section, key: &'static str, value: Value) {
        self.values.insert((section, key), value);
    }

    /// Sets one value. The passphrase of one network is not handed to another.
    fn change(&mut self, section: Section, key: &'static str, value: Value) {
        let is_ssid = (section, key) == (Section::Wifi, "ssid");
        if is_ssid && self.values.get(&(section, key)).is_some_and(|old| *old != value) {
            self.values.remove(&(section, "passphrase"));
        }
        self.put(section, key, value);
    }

    pub(super) fn destination(&self, name: &str) -> Option<&PartialDestination> {
        self.destinations.iter().find(|d| d.name == name)
    }

    fn destination_or_new(&mut self, name: &str) -> Result<&mut PartialDestination, SetError> {
        if let Err(error) = Kind::Name.read(name) {
            return Err(PathError::DestinationName(error).into());
        }
        match self.destinations.iter().position(|d| d.name == name) {
            Some(at) => Ok(&mut self.destinations[at]),
            None if self.destinations.len() >= DESTINATIONS_MAX => Err(SetError::TooMany),
            None => {
                self.destinations.push(PartialDestination::new(name.to_owned()));
                let last = self.destinations.len() - 1;
                Ok(&mut self.destinations[last])
            }
        }
    }

    /// Puts a later source over this one.
    pub(super) fn overlay(&mut self, later: &Partial) {
        if let Some(ssid) = later.get(Section::Wifi, "ssid") {
            self.change(Section::Wifi, "ssid", ssid.clone());
        }
        self.values.extend(later.values.iter().map(|(key, value)| (*key, value.clone())));
        for theirs in &later.destinations {
            match self.destinations.iter_mut().find(|d| d.name == theirs.name) {
                Some(ours) => ours.overlay(theirs),
                None => self.destinations.push(theirs.clone()),
            }
        }
    }
}

impl PartialDestination {
    pub(super) fn new(name: String) -> PartialDestination {
        PartialDestination { name, values: BTreeMap::new() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    pub(super) fn put(&mut self, key: &'static str, value: Value) {
        self.values.insert(key, value);
    }

    /// Sets one value. What was given for one server is not handed to another: a new server's
    /// address drops the key, the consent to plain RTMP, the authority, the pin and the backup; a new
    /// backup server drops the key.
    fn change(&mut self, key: &'static str, value: Value) {
        if let ("backup_url", Value::Address(new)) = (key, &value) {
            let known = [self.get("url"), self.get("backup_url")];
            let is_known = |old: &Value| matches!(old, Value::Address(old) if new.same_server(old));
            if !known.into_iter().flatten().any(is_known) {
                self.values.remove("key");
            }
        } else if let (Value::Address(new), Some(Value::Address(old))) = (&value, self.get("url"))
            && !new.same_server(old)
        {
            for of_old in ["key", "allow_plain", "ca_file", "pinned_key", "backup_url"] {
                self.values.remove(of_old);
            }
        }
        self.put(key, value);
    }

    fn overlay(&mut self, later: &PartialDestination) {
        for key in ["url", "backup_url"] {
            if let Some(address) = later.get(key) {
                self.change(key, address.clone());
            }
        }
        self.values.extend(later.values.iter().map(|(key, value)| (*key, value.clone())));
    }
}

/// Writes a table's values in the order of the schema, but for its keys and names.
fn render_values<'a>(
    text: &mut String,
    section: Section,
    get: impl Fn(&'static str) -> Option<&'a Value>,
) {
    for setting in schema::of_section(section).filter(|s| s.kind != Kind::Name) {
        let value = match get(setting.key) {
            None | Some(Value::Key(_) | Value::ConsolePin(_) | Value::Passphrase(_)) => continue,
            Some(Value::Flag(flag)) => flag.to_string(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Text(line)) => quoted(line),
            Some(Value::Address(address)) => quoted(&address.reveal()),
            Some(Value::Path(path)) => quoted(&path.to_string_lossy()),
            Some(Value::Pin(pin)) => quoted(&pin.to_string()),
        };
        text.push_str(&format!("{} = {value}\n", setting.key));
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
