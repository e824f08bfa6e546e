//! What is answered when the store has answered: success only where what was asked for is in force.

use super::settings::{InForce, Layer};
use super::store::StoreFailure;
use crate::config::Settings;
use crate::config::schema::{Applies, SettingPath, Value};
use crate::console::Reply;
use crate::secret::StreamKey;

/// What was asked for.
#[derive(Debug)]
pub(super) enum Confirm {
    /// A setting.
    Set { path: SettingPath },
    /// A setting is to be removed.
    Unset { path: SettingPath },
    /// A stream key, and how it may be shown.
    Key { path: SettingPath, key: StreamKey, shown: String },
    /// A destination is to be removed.
    RemoveDestination { name: String },
    /// A hardware control, which has its new value already; in words.
    Control {
        path: SettingPath,
        words: String,
        /// What may be set for its device under other names; the last that is set prevails.
        fitting: Vec<SettingPath>,
    },
    /// A hardware control is to be forgotten: where it is stored, all that its device is called where
    /// the settings say something of it, the last of which prevails, and what the device made of it.
    ResetControl {
        removed: Vec<SettingPath>,
        fitting: Vec<SettingPath>,
        outcome: Result<String, String>,
    },
    /// The settings were to be read again.
    Reload,
    /// A factory reset.
    Reset,
    /// Nobody asked, and nobody is answered.
    Nobody,
    /// Nothing is answered; the log has it when it fails.
    Nothing { what: &'static str },
}

/// Who waits for the store's answer, and how it is confirmed.
#[derive(Debug)]
pub(super) struct Pending {
    /// The request of a client that waits for it.
    pub request: Option<u64>,
    pub confirm: Confirm,
}

/// How the box stood and stands.
pub(super) struct Standing<'a> {
    pub before: &'a Settings,
    pub now: &'a InForce,
    pub on_air: bool,
    pub bitrate_max_kbps: u32,
    /// The camera's own H.264 is sent as it is.
    pub is_passed_through: bool,
}

/// The settings that change frames, and so nothing where there are none.
const OF_FRAMES: [&str; 5] = [
    "video.rotate",
    "video.mirror",
    "video.zoom_percent",
    "video.pan_percent",
    "video.tilt_percent",
];

impl Confirm {
    pub fn reply(&self, standing: &Standing<'_>, failure: Option<&StoreFailure>) -> Reply {
        match failure {
            Some(why) => Reply::error(self.refusal(standing, why)),
            None => Reply::text(self.success(standing)),
        }
    }

    fn refusal(&self, standing: &Standing<'_>, why: &StoreFailure) -> String {
        match (self, why) {
            (Confirm::Set { path } | Confirm::Key { path, .. }, StoreFailure::Exists) => {
                exists(path.destination().unwrap_or_default())
            }
            (Confirm::Set { path } | Confirm::Key { path, .. }, StoreFailure::Gone) => {
                let name = path.destination().unwrap_or_default();
                format!("{name} was removed meanwhile; `destination add` adds it again")
            }
            (Confirm::Unset { path }, StoreFailure::NotSet) => match standing.now.other_layer(path)
            {
                Some(layer) => {
                    format!("{path} comes from {} and cannot be reset here", layer.name())
                }
                None => format!("{path} was not set"),
            },
            (Confirm::RemoveDestination { name }, StoreFailure::NotSet) => {
                match standing.now.layer_naming(name) {
                    Some(layer) => format!(
                        "{name} comes from {} and cannot be removed here; `set \
                         destination.{name}.enabled false` disables it",
                        layer.name()
                    ),
                    None => NO_DESTINATION.to_owned(),
                }
            }
            (Confirm::Control { words, .. }, why) => format!("{words}; it is not stored: {why}"),
            (Confirm::ResetControl { removed, .. }, StoreFailure::NotSet) => {
                format!("{} any more", all_are(removed, "not set"))
            }
            (Confirm::ResetControl { outcome: Ok(words) | Err(words), .. }, why) => {
                format!("{words}; what is stored stays: {why}")
            }
            (_, why) => why.to_string(),
        }
    }

    /// What is so from now on. After settings were read, also what of them is without effect, and where
    /// the box publishes to.
    fn success(&self, standing: &Standing<'_>) -> Vec<String> {
        let now = standing.now;
        let without_effect_all = || {
            let not_so = now.stored.paths().filter(|path| {
                now.other_layer(path) == Some(Layer::Credentials) && !now.is_in_force(path)
            });
            not_so.map(|path| without_effect(path, now))
        };
        let first = self.first_line(standing);
        match self {
            Confirm::Reload => {
                let held_back = now.held_back.iter().cloned();
                let all = std::iter::once(first).chain(held_back).chain(without_effect_all());
                all.chain(now.settings.destinations_in_words()).collect()
            }
            _ => vec![first],
        }
    }

    fn first_line(&self, standing: &Standing<'_>) -> String {
        let now = standing.now;
        match self {
            Confirm::Set { path } if !now.is_in_force(path) => without_effect(path, now),
            Confirm::Set { path } => {
                let mut parts = vec![format!("{path} is set")];
                parts.extend(standing.when(path));
                parts.extend(standing.limit(path));
                parts.extend(standing.not_done(path));
                parts.extend(standing.key_left(path));
                parts.join("; ")
            }
            Confirm::Unset { path } => {
                let mut parts = vec![match now.other_layer(path) {
                    Some(layer) => {
                        let value = now.shown(path);
                        format!("{path} is no longer set here; {} sets it to {value}", layer.name())
                    }
                    None => format!("{path} is reset to its default"),
                }];
                parts.extend(standing.when(path));
                parts.extend(standing.secret_removed(path));
                parts.join("; ")
            }
            Confirm::Key { path, key, shown } => {
                let name = path.destination().unwrap_or_default();
                let set = now.destination(name);
                match set.and_then(|set| set.key.as_ref()) {
                    Some(used) if used == key && set.is_some_and(|set| set.url.is_some()) => {
                        format!("{path} is set: {shown}")
                    }
                    Some(used) if used == key => {
                        format!("{path} is stored, but without effect: {name} has no address")
                    }
                    _ => without_effect(path, now),
                }
            }
            Confirm::RemoveDestination { name } => match now.layer_naming(name) {
                Some(layer) => format!(
                    "what was stored of {name} is removed; {name} itself comes from {} and stays",
                    layer.name()
                ),
                None => format!("{name} is removed"),
            },
            Confirm::Control { path, .. } if !now.is_in_force(path) => without_effect(path, now),
            Confirm::ResetControl { removed, fitting, outcome } => {
                control_reset(now, removed, fitting, outcome)
            }
            Confirm::Control { path, fitting, .. }
                if now.last_set(fitting).is_some_and(|by| by != path) =>
            {
                overridden(path, fitting, now)
            }
            Confirm::Control { path, words, .. } => {
                let device = path.control().map_or("", |name| name.device.as_str());
                format!("{words}, and stored for {device}")
            }
            Confirm::Reload => "the settings are read".to_owned(),
            Confirm::Reset => ERASED.to_owned(),
            Confirm::Nobody | Confirm::Nothing { .. } => String::new(),
        }
    }
}

impl Standing<'_> {
    /// When it takes effect, if not at once.
    fn when(&self, path: &SettingPath) -> Option<String> {
        match path.setting().applies {
            Applies::NextBroadcast if self.on_air => {
                Some("it takes effect at the next broadcast".to_owned())
            }
            Applies::Restart => Some("it takes effect when the service restarts".to_owned()),
            Applies::Now | Applies::Reconnect | Applies::NextBroadcast => None,
        }
    }

    /// What the board makes of it.
    fn limit(&self, path: &SettingPath) -> Option<String> {
        let is_video_bitrate = path.setting().name == "video.bitrate_kbps";
        let most_kbps = self.bitrate_max_kbps;
        match self.now.stored.value(path) {
            Some(Value::Number(kbps)) if is_video_bitrate && *kbps > most_kbps => {
                Some(format!("limited to {most_kbps} kb/s by this board"))
            }
            _ => None,
        }
    }

    /// What needs frames has none.
    fn not_done(&self, path: &SettingPath) -> Option<String> {
        (self.is_passed_through && OF_FRAMES.contains(&path.setting().name)).then(|| {
            "it has no effect on this broadcast, because the camera's own H.264 is sent as it is"
                .to_owned()
        })
    }

    /// What became of the secret that was given for the server or network that is removed.
    fn secret_removed(&self, path: &SettingPath) -> Option<String> {
        let has_secret = |settings: &Settings| match (path.setting().name, path.destination()) {
            ("wifi.ssid", _) => settings.wifi.passphrase.is_some(),
            ("destination.url", Some(name)) => {
                settings.destinations.iter().any(|d| d.name == name && d.key.is_some())
            }
            _ => false,
        };
        let is_removed = has_secret(self.before) && !has_secret(&self.now.settings);
        is_removed.then(|| match path.destination() {
            Some(name) => format!(
                "its stream key was given for that server and is removed; `key {name}` sets a new one"
            ),
            None => "its passphrase is removed".to_owned(),
        })
    }

    /// What became of the secret of a destination with another address, or of another network.
    fn key_left(&self, path: &SettingPath) -> Option<String> {
        let has_passphrase = |settings: &Settings| settings.wifi.passphrase.is_some();
        if path.setting().name == "wifi.ssid"
            && has_passphrase(self.before)
            && !has_passphrase(&self.now.settings)
        {
            return Some(
                "the passphrase was given for another network and is not used for this one; \
                 `set wifi.passphrase` sets a new one"
                    .to_owned(),
            );
        }
        let name = path.destination()?;
        let has_key = |settings: &Settings| {
            settings.destinations.iter().any(|d| d.name == name && d.key.is_some())
        };
        match (has_key(self.before), has_key(&self.now.settings)) {
            (true, false) => Some(format!(
                "its stream key was given for another server and is not sent to this one; \
                 `key {name}` sets a new one"
            )),
            (false, false) if path.setting().name == "destination.url" => {
                Some(format!("`key {name}` sets its stream key"))
            }
            _ => None,
        }
    }
}

/// What a factory reset has done, and what it cannot do.
const ERASED: &str = "all settings and keys are erased; flash memory may keep traces that no program \
    can reach, so renew the stream keys at the platforms before you give the box away";

/// What prevails of a control that is forgotten, and why the device does not have it.
fn control_reset(
    now: &InForce,
    removed: &[SettingPath],
    fitting: &[SettingPath],
    outcome: &Result<String, String>,
) -> String {
    let prevails = now.last_set(fitting).map(|by| {
        let value = now.shown(by);
        match now.other_layer(by) {
            Some(layer) if removed.contains(by) => {
                format!("{} here; {} sets it to {value}", all_are(removed, NO_LONGER), layer.name())
            }
            _ => format!("{}; {by} sets it to {value}", all_are(removed, NO_LONGER)),
        }
    });
    match (prevails, outcome) {
        (Some(prevails), Ok(_)) => prevails,
        (Some(prevails), Err(why)) => format!("{prevails}; {why}"),
        (None, Ok(words)) => words.clone(),
        (None, Err(why)) => format!("{}; {why}", all_are(removed, NO_LONGER)),
    }
}

const NO_LONGER: &str = "no longer set";

fn all_are(paths: &[SettingPath], what: &str) -> String {
    let names: Vec<String> = paths.iter().map(ToString::to_string).collect();
    let are = if names.len() == 1 { "is" } else { "are" };
    format!("{} {are} {what}", names.join(" and "))
}

/// What is set for this device under another name comes after what is stored now.
fn overridden(path: &SettingPath, fitting: &[SettingPath], now: &InForce) -> String {
    match now.last_set(fitting) {
        Some(by) => {
            let value = now.shown(by);
            format!("{path} is stored, but without effect: {by} sets it to {value}")
        }
        None => without_effect(path, now),
    }
}

fn without_effect(path: &SettingPath, now: &InForce) -> String {
    match now.other_layer(path) {
        Some(layer) if layer == Layer::Credentials => {
            format!("{path} is stored, but without effect: {} sets it", layer.name())
        }
        _ => format!("{path} is stored, but without effect; `show` says what is in force"),
    }
}

/// There is one of this name.
pub(super) fn exists(name: &str) -> String {
    format!("{name} exists; `destination set` changes its address")
}

/// There is none of this name, which is not repeated: it may be a key in the wrong place.
pub(super) const NO_DESTINATION: &str =
    "there is no such destination; `destination list` shows all, `destination add` makes one";
