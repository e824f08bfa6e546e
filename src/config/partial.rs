//! What one source says: some settings, and nothing about the others.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::recipient::Recipient;
use super::schema::{
    DESTINATION, Kind, PathError, SETTINGS, Setting, SettingPath, Text, VERSION, Value, ValueError,
};
use crate::device_controls::{ControlName, ControlSettings, ControlValue, ControlsOf};
use crate::limits::DESTINATIONS_MAX;
use crate::rtmp::url::ServerUrl;
use crate::secret::StreamKey;

/// The settings of one source: a file, or what was set at the console.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partial {
    values: BTreeMap<SettingPath, Value>,
    /// In the order in which they were named.
    destinations: Vec<String>,
    /// Whom each secret was given for, where that is known.
    given_for: BTreeMap<SettingPath, Vec<Recipient>>,
}

/// What becomes of a secret that was given before its server or network was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unbound {
    /// Nobody knows which one it was given for.
    IsDropped,
    /// Its source leaves that to others.
    Stays,
}

/// A secret's name in its file, with whom it was given for.
const FOR: &str = "/for";
/// Another value of one of these drops others that were meant for the one before.
const DROPS: [&str; 3] = ["wifi.ssid", "destination.url", "destination.backup_url"];
/// By it the settings of a destination are found.
const DESTINATION_NAME: &str = "destination.name";

/// Why a setting was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// no such setting
    #[error(transparent)]
    Path(#[from] PathError),
    /// there can be no more destinations
    #[error("there can be no more than {DESTINATIONS_MAX} destinations")]
    TooMany,
    /// the value is not allowed
    #[error("{name} {error}")]
    Value {
        /// The setting.
        name: &'static str,
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
        self.set_at(name.parse()?, text)
    }

    /// The same for a setting that is known.
    ///
    /// # Errors
    /// [`SetError`]; nothing is changed then.
    pub fn set_at(&mut self, path: SettingPath, text: &str) -> Result<(), SetError> {
        let Setting { name, kind, .. } = path.setting();
        let value = kind.read(text).map_err(|error| SetError::Value { name, error })?;
        path.destination().map_or(Ok(()), |name| self.add_destination(name))?;
        self.change(path, value, Unbound::IsDropped);
        Ok(())
    }

    /// Resets one setting, so that other sources or the default hold; `destination.NAME` removes all
    /// of a destination. Says whether it was set.
    ///
    /// # Errors
    /// [`SetError::Path`].
    pub fn unset(&mut self, name: &str) -> Result<bool, SetError> {
        let destination = name.strip_prefix(DESTINATION).and_then(|name| name.strip_prefix('.'));
        match destination.filter(|name| !name.contains('.')) {
            Some(name) => Ok(self.remove_destination(name)),
            None => Ok(self.unset_at(&name.parse()?)),
        }
    }

    /// Removes all of a destination. Says whether there was any.
    pub fn remove_destination(&mut self, name: &str) -> bool {
        let before = self.destinations.len();
        self.destinations.retain(|known| known != name);
        self.keep(|path| path.destination() != Some(name));
        self.destinations.len() < before
    }

    /// Resets one setting, as [`Partial::unset`] does. Says whether it was set.
    pub fn unset_at(&mut self, path: &SettingPath) -> bool {
        let is_removed = self.values.remove(path).is_some();
        self.given_for.remove(path);
        // The secret goes with the server or network that it was given for.
        let secret = match path.setting().name {
            "destination.url" => "destination.key",
            "wifi.ssid" => "wifi.passphrase",
            _ => return is_removed,
        };
        self.keep(|known| {
            !is_removed
                || known.destination() != path.destination()
                || known.setting().name != secret
        });
        is_removed
    }

    /// Keeps what is known of these settings.
    fn keep(&mut self, is_kept: impl Fn(&SettingPath) -> bool) {
        self.values.retain(|path, _| is_kept(path));
        self.given_for.retain(|path, _| is_kept(path));
    }

    /// Remembers whom a secret was given for.
    pub fn remember_given_for(&mut self, secret: &SettingPath, recipients: Vec<Recipient>) {
        if self.values.contains_key(secret) && !recipients.is_empty() {
            self.given_for.insert(secret.clone(), recipients);
        }
    }

    /// The secrets of which it is not known whom they were given for. A PIN is for nobody else.
    pub fn unbound(&self) -> Vec<SettingPath> {
        let is_bound = |path: &SettingPath| {
            self.given_for.contains_key(path)
                || !matches!(path.setting().name, "destination.key" | "wifi.passphrase")
        };
        self.values.keys().filter(|path| !is_bound(path)).cloned().collect()
    }

    /// Whom a secret was given for; empty where that is not known.
    pub(super) fn given_for(&self, destination: Option<&str>, name: &str) -> &[Recipient] {
        let setting = SETTINGS.find(name);
        let known = setting.and_then(|s| self.given_for.get(&SettingPath::of(destination, s)));
        known.map_or(&[], Vec::as_slice)
    }

    /// The servers that this names for a destination, with the names of their settings.
    pub(super) fn addresses<'a>(
        &'a self,
        destination: &'a str,
    ) -> impl Iterator<Item = (&'static str, &'a ServerUrl)> {
        ["destination.url", "destination.backup_url"].into_iter().filter_map(move |name| match self
            .get(Some(destination), name)
        {
            Some(Value::Text(Text::Address(address))) => Some((name, address)),
            _ => None,
        })
    }

    /// What this source says about one setting.
    pub fn value(&self, path: &SettingPath) -> Option<&Value> {
        self.values.get(path)
    }

    /// The settings that this source says something about.
    pub fn paths(&self) -> impl Iterator<Item = &SettingPath> {
        self.values.keys()
    }

    /// Whether this source says anything about a destination.
    pub fn names(&self, destination: &str) -> bool {
        self.destinations.iter().any(|known| known == destination)
    }

    /// Sets the key of a destination, as it comes from its own file or was typed without echo.
    ///
    /// # Errors
    /// [`SetError`] when the name cannot be one, or there are too many.
    pub fn set_key(&mut self, destination: &str, key: StreamKey) -> Result<(), SetError> {
        let path = format!("{DESTINATION}.{destination}.key").parse()?;
        self.add_destination(destination)?;
        self.put(path, Value::Text(Text::Key(key)));
        Ok(())
    }

    /// The keys with the names of their destinations, for the store that keeps them separately.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &StreamKey)> {
        self.destinations.iter().filter_map(|name| match self.get(Some(name), "destination.key") {
            Some(Value::Text(Text::Key(key))) => Some((name.as_str(), key)),
            _ => None,
        })
    }

    /// All secrets with the text that is stored for them: by the name of its destination for a key,
    /// by its own name for another. A PIN that was not hashed is none of them. Addresses that hold a
    /// secret are, and whom secrets were given for.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (String, Zeroizing<String>)> {
        let secrets = self.values.iter().filter(|(path, value)| is_secret(path.setting(), value));
        let secrets = secrets.filter_map(|(path, value)| match value {
            Value::Text(text) => Some((name_of_secret(path), text.stored()?)),
            _ => None,
        });
        let given_for = self.given_for.iter().map(|(path, recipients)| {
            let recipients: Vec<String> = recipients.iter().map(Recipient::stored).collect();
            (name_of_secret(path) + FOR, Zeroizing::new(recipients.join(" ")))
        });
        secrets.chain(given_for)
    }

    /// Puts one of [`Partial::secrets`] back.
    pub(super) fn put_secret(&mut self, name: &str, text: &str) -> Option<()> {
        if let Some(name) = name.strip_suffix(FOR) {
            let recipients: Option<Vec<Recipient>> =
                text.split(' ').map(Recipient::parse).collect();
            self.given_for.insert(path_of_secret(name)?, recipients?);
            return Some(());
        }
        let path = path_of_secret(name)?;
        let value = match path.setting().name {
            "destination.key" => {
                Value::Text(Text::Key(StreamKey::exact(Zeroizing::new(text.to_owned())).ok()?))
            }
            _ => path.setting().kind.read(text).ok()?,
        };
        path.destination().map_or(Ok(()), |name| self.add_destination(name)).ok()?;
        // Not as it is set by somebody: all of it was stored together.
        self.values.insert(path, value);
        Some(())
    }

    /// The same without anything that is not for everybody.
    pub(super) fn without_secrets(&self) -> Partial {
        let mut open = Partial { given_for: BTreeMap::new(), ..self.clone() };
        open.values.retain(|path, value| !is_secret(path.setting(), value));
        open
    }

    /// Whether anything of it is not for everybody.
    pub fn holds_secrets(&self) -> bool {
        self.secrets().next().is_some()
    }

    /// The addresses that hold a secret: a password, a token, or a key in their path.
    pub(super) fn has_secret_addresses(&self) -> bool {
        self.values.iter().any(|(path, value)| {
            !path.setting().kind.is_secret() && is_secret(path.setting(), value)
        })
    }

    /// How many secrets it has: stream keys, passphrase, PIN.
    pub fn secret_count(&self) -> usize {
        self.values.keys().filter(|path| path.setting().kind.is_secret()).count()
    }

    /// Hashes a PIN that is still as it was typed, with this salt, which should be random.
    pub fn hash_pin(&mut self, salt: [u8; 16]) {
        for value in self.values.values_mut() {
            if let Value::Text(Text::ConsolePin(pin)) = value {
                *pin = pin.clone().hashed(salt);
            }
        }
    }

    /// Adds a file to what is stored: what it says applies from now on. A secret that was stored without
    /// the server or network that it is for does not go to the one that the file names.
    pub fn import(&mut self, later: &Partial) {
        self.put_over(later, Unbound::IsDropped);
        // Whoever gives a secret means the server or network that is named with it, or that is
        // stored already.
        for secret in later.unbound() {
            let recipients = self.own_recipients(&secret);
            self.remember_given_for(&secret, recipients);
        }
    }

    /// Whom a secret is for by what this says; nobody where it names no server or network itself.
    fn own_recipients(&self, secret: &SettingPath) -> Vec<Recipient> {
        let is_url = |(name, _): (&str, _)| name == "destination.url";
        match secret.destination() {
            Some(name) if !self.addresses(name).any(is_url) => Vec::new(),
            _ => self.named(secret),
        }
    }

    /// The servers, or the network, that this names for a secret.
    fn named(&self, secret: &SettingPath) -> Vec<Recipient> {
        match (secret.destination(), self.get(None, "wifi.ssid")) {
            (Some(name), _) => {
                self.addresses(name).map(|(_, server)| Recipient::server(server)).collect()
            }
            (None, Some(Value::Text(Text::Line(ssid)))) => vec![Recipient::network(ssid)],
            (None, _) => Vec::new(),
        }
    }

    /// Forgets all of this and takes a file in its place. A secret that an earlier import has erased
    /// from the file stays, if the file names the server or network that it was given for.
    pub(super) fn replace(&mut self, later: &Partial, erased: &[SettingPath]) {
        let before = std::mem::take(self);
        self.import(later);
        // Addresses go first: keys are for them.
        for path in erased.iter().filter(|path| !path.setting().kind.is_secret()) {
            if let Some(value) = before.value(path) {
                self.put(path.clone(), value.clone());
            }
        }
        for path in erased.iter().filter(|path| path.setting().kind.is_secret()) {
            let remembered = before.given_for.get(path).cloned();
            let given_for = remembered.unwrap_or_else(|| before.own_recipients(path));
            let is_for_the_same = path.setting().name == "console.pin"
                || self.named(path).iter().all(|named| given_for.contains(named));
            if let (true, Some(value)) = (is_for_the_same, before.value(path)) {
                self.put(path.clone(), value.clone());
                self.remember_given_for(path, given_for);
            }
        }
    }

    /// Puts a stronger source over this one. A secret without a server or network of its own source is
    /// for whichever the other one names.
    pub(super) fn overlay(&mut self, later: &Partial) {
        self.put_over(later, Unbound::Stays);
    }

    fn put_over(&mut self, later: &Partial, unbound: Unbound) {
        for name in &later.destinations {
            if !self.destinations.contains(name) {
                self.destinations.push(name.clone());
            }
        }
        // First what drops something, which the source may set again; a server before its backup,
        // which is the order of their names turned round.
        for (path, value) in later.values.iter().rev() {
            if DROPS.contains(&path.setting().name) {
                self.change(path.clone(), value.clone(), unbound);
            }
        }
        for (path, value) in &later.values {
            self.put(path.clone(), value.clone());
        }
    }

    /// The file that says this, without keys, passphrase and PIN. It holds what addresses themselves
    /// carry, login and tokens.
    pub fn render(&self) -> String {
        self.render_those(|setting, _| !setting.kind.is_secret())
    }

    /// The file that says this, without anything that is not for everybody.
    pub(super) fn render_open(&self) -> String {
        self.render_those(|setting, value| !is_secret(setting, value))
    }

    fn render_those(&self, is_shown: impl Fn(&Setting, &Value) -> bool + Copy) -> String {
        let mut text = format!("version = {VERSION}\n");
        let mut section = "";
        for (setting, value) in self.lines(None, is_shown) {
            if setting.section() != section {
                section = setting.section();
                text.push_str(&format!("\n[{section}]\n"));
            }
            text.push_str(&format!("{} = {value}\n", setting.key()));
        }
        let mut table = String::new();
        for (ControlName { of, device, control }, value) in self.controls() {
            let of_device = format!("\n[{}.{}]\n", of.section(), quoted(device));
            if table != of_device {
                text.push_str(&of_device);
                table = of_device;
            }
            text.push_str(&format!("{control} = {}\n", control_as_toml(value)));
        }
        for name in &self.destinations {
            text.push_str(&format!("\n[[{DESTINATION}]]\nname = {}\n", quoted(name)));
            for (setting, value) in self.lines(Some(name), is_shown) {
                text.push_str(&format!("{} = {value}\n", setting.key()));
            }
        }
        text
    }

    /// What is no secret, as TOML.
    fn lines(
        &self,
        destination: Option<&str>,
        is_shown: impl Fn(&Setting, &Value) -> bool,
    ) -> impl Iterator<Item = (&'static Setting, String)> {
        self.of(destination).filter_map(move |(setting, value)| {
            let value = value.filter(|value| is_shown(setting, value));
            let toml = match value? {
                Value::Flag(flag) => flag.to_string(),
                Value::Number(number) => number.to_string(),
                Value::Decimal(decimal) => decimal.to_string(),
                Value::Word(word) => quoted(word),
                Value::Text(text) => quoted(&text.stored()?),
                Value::Numbers(_) | Value::Texts(_) => return None, // no setting is a list
            };
            Some((setting, toml))
        })
    }

    /// All settings of the box or of one destination, with what this says about them.
    pub(super) fn of(
        &self,
        destination: Option<&str>,
    ) -> impl Iterator<Item = (&'static Setting, Option<&Value>)> {
        let of_destination = destination.is_some();
        let all =
            SETTINGS.entries().filter(move |s| (s.section() == DESTINATION) == of_destination);
        // Those whose keys are not known beforehand are in `controls`.
        let all = all.filter(|setting| {
            setting.name != DESTINATION_NAME && !matches!(setting.kind, Kind::Open(_))
        });
        all.map(move |setting| (setting, self.values.get(&SettingPath::of(destination, setting))))
    }

    /// What this says about the hardware controls of devices, in the order of their names.
    fn controls(&self) -> impl Iterator<Item = (&ControlName, &ControlValue)> {
        self.values.iter().filter_map(|(path, value)| match value {
            Value::Text(Text::Control(value)) => Some((path.control()?, value)),
            _ => None,
        })
    }

    /// The same of one sort of device.
    pub(super) fn controls_of(&self, of: ControlsOf) -> ControlSettings {
        let mut settings = ControlSettings::new();
        for (name, value) in self.controls().filter(|(name, _)| name.of == of) {
            let device = settings.entry(name.device.clone()).or_default();
            device.insert(name.control.clone(), value.clone());
        }
        settings
    }

    /// What this says about a setting, of a destination or of the box.
    pub(super) fn get(&self, destination: Option<&str>, name: &str) -> Option<&Value> {
        let setting = SETTINGS.find(name)?;
        self.values.get(&SettingPath::of(destination, setting))
    }

    /// The names of the destinations.
    pub(super) fn destinations(&self) -> &[String] {
        &self.destinations
    }

    /// Adds a destination that was not named before.
    pub(super) fn add_destination(&mut self, name: &str) -> Result<(), SetError> {
        if self.destinations.iter().any(|known| known == name) {
            return Ok(());
        }
        if self.destinations.len() >= DESTINATIONS_MAX {
            return Err(SetError::TooMany);
        }
        self.destinations.push(name.to_owned());
        Ok(())
    }

    pub(super) fn put(&mut self, path: SettingPath, value: Value) {
        // Another secret may be for somebody else.
        self.given_for.remove(&path);
        self.values.insert(path, value);
    }

    /// Keeps what holds: no more destinations than the bound, and no value that is the default
    /// anyway. Gives the names of the destinations that are left out.
    pub(super) fn keep_what_holds(&mut self) -> Vec<String> {
        let bound = self.destinations.len().min(DESTINATIONS_MAX);
        let left_out = self.destinations.split_off(bound);
        self.values.retain(|path, value| {
            let is_left_out = path.destination().is_some_and(|d| left_out.iter().any(|l| l == d));
            !is_left_out && path.setting().fallback_value().as_ref() != Some(value)
        });
        self.given_for.retain(|path, _| self.values.contains_key(path));
        left_out
    }

    /// Sets one value. What was given for one server or network is not handed to another: a new
    /// server's address drops the key, the consent to unencrypted RTMP, the authority, the pin and
    /// the backup; another app at the same server drops the key; a new backup server drops the key; a new network drops the passphrase. So does the
    /// first one after the secret, where `unbound` says so.
    fn change(&mut self, path: SettingPath, value: Value, unbound: Unbound) {
        let destination = path.destination();
        let address = |name: &str| match self.get(destination, name) {
            Some(Value::Text(Text::Address(address))) => Some(address),
            _ => None,
        };
        let is_for =
            |secret: &str, recipient| self.given_for(destination, secret).contains(&recipient);
        let dropped: &[&str] = match (path.setting().name, &value) {
            ("wifi.ssid", Value::Text(Text::Line(ssid)))
                if is_for("wifi.passphrase", Recipient::network(ssid)) =>
            {
                &[]
            }
            ("wifi.ssid", new) => match self.values.get(&path) {
                Some(old) if old != new => &["wifi.passphrase"],
                None if unbound == Unbound::IsDropped => &["wifi.passphrase"],
                _ => &[],
            },
            ("destination.url", Value::Text(Text::Address(new)))
                if address("destination.url").is_some_and(|old| !new.same_server(old)) =>
            {
                &[
                    "destination.key",
                    "destination.allow_plain",
                    "destination.ca_file",
                    "destination.pinned_key",
                    "destination.redirect_hosts",
                    "destination.backup_url",
                ]
            }
            ("destination.url", Value::Text(Text::Address(new)))
                if address("destination.url").is_some_and(|old| !new.same_recipient(old)) =>
            {
                &["destination.key"]
            }
            ("destination.url", Value::Text(Text::Address(new)))
                if address("destination.url").is_none()
                    && unbound == Unbound::IsDropped
                    && !is_for("destination.key", Recipient::server(new)) =>
            {
                &["destination.key"]
            }
            ("destination.backup_url", Value::Text(Text::Address(new)))
                if !["destination.url", "destination.backup_url"]
                    .into_iter()
                    .filter_map(address)
                    .any(|old| new.same_recipient(old)) =>
            {
                &["destination.key"]
            }
            _ => &[],
        };
        self.keep(|known| {
            known.destination() != path.destination() || !dropped.contains(&known.setting().name)
        });
        self.put(path, value);
    }
}

/// Whether a value is not for everybody.
fn is_secret(setting: &Setting, value: &Value) -> bool {
    let in_address = matches!(value, Value::Text(Text::Address(address)) if address.holds_secret());
    setting.kind.is_secret() || in_address
}

/// A key is known by its destination, whose name has no dot.
fn name_of_secret(path: &SettingPath) -> String {
    match path.destination() {
        Some(name) if path.setting().name == "destination.key" => name.to_owned(),
        _ => path.to_string(),
    }
}

fn path_of_secret(name: &str) -> Option<SettingPath> {
    match name.contains('.') {
        true => name.parse().ok(),
        false => format!("{DESTINATION}.{name}.key").parse().ok(),
    }
}

/// Numbers and flags as such; an entry of a menu as a text.
fn control_as_toml(value: &ControlValue) -> String {
    match value {
        ControlValue::Flag(_) | ControlValue::Number(_) => value.to_string(),
        ControlValue::Word(word) => quoted(word),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
