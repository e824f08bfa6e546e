//! Whom a secret was given for, and whether it may be used where the settings in force would use it.
//!
//! Whoever stores settings, with a stick or at a console, may be somebody else than who gave a
//! secret. So a stored secret remembers its [`Recipient`]s: the servers, or the network, that were in
//! force when it was given. Secrets of the integrator's file and of the service manager are for what
//! these two name. All of them are compared here, with what is in force, whenever that changes.

use super::partial::Partial;
use super::recipient::Recipient;
use super::schema::{Destination, SettingPath, Text, Value};
use super::settings::{Settings, merge};
use crate::rtmp::url::ServerUrl;

/// The layers, the weakest first.
const INTEGRATOR: usize = 0;
const STORED: usize = 1;

/// Whom a secret of this name is for at present: the servers of its destination, or the network.
pub fn recipients(settings: &Settings, secret: &SettingPath) -> Vec<Recipient> {
    match secret.destination() {
        Some(name) => {
            let named = settings.destinations.iter().find(|known| known.name == name);
            let servers = named.into_iter().flat_map(|known| [&known.url, &known.backup_url]);
            servers.flatten().map(Recipient::server).collect()
        }
        None => settings.wifi.ssid.iter().map(|ssid| Recipient::network(ssid)).collect(),
    }
}

/// The settings of all layers together, the weakest first, and what of them is not used and why, a
/// line each.
///
/// A stored key goes to the servers that it was given for. A key of the integrator's file or of the
/// service manager goes to the servers that these two name; where neither names a server, to the one
/// that is stored, and to no backup elsewhere. A key that is not for the server in force is held
/// back, and a weaker layer's key is used where that one is. A backup server that the key is not for
/// is not used. The same holds for the passphrase and the network.
pub fn effective(
    integrator: &Partial,
    stored: &Partial,
    credentials: &Partial,
) -> (Settings, Vec<String>) {
    let mut layers = [integrator.clone(), stored.clone(), credentials.clone()];
    let mut settings = merge(&layers);
    let mut held_back = Vec::new();
    for destination in settings.destinations.clone() {
        keep_key(&mut layers, &destination, &mut held_back);
    }
    keep_passphrase(&mut layers, settings.wifi.ssid.as_deref(), &mut held_back);
    if !held_back.is_empty() {
        settings = merge(&layers);
    }
    (settings, held_back)
}

/// Keeps a destination's key from servers that it was not given for.
fn keep_key(layers: &mut [Partial; 3], destination: &Destination, held_back: &mut Vec<String>) {
    let Destination { name, url, .. } = destination;
    let in_file = |key: &str| format!("destination.{name}.{key}");
    for layer in (0..layers.len()).rev() {
        if layers[layer].get(Some(name), "destination.key").is_none() {
            continue;
        }
        let given_for = GivenFor::of_key(layers, layer, destination);
        if let Some(url) = url.as_ref().filter(|url| !given_for.admits(url)) {
            held_back.push(format!(
                "destination {name}: {} and is not sent to {url}{}",
                given_for.in_words(layer),
                if layer == STORED {
                    format!("; `key {name}` sets a new one")
                } else {
                    String::new()
                }
            ));
            // The names of settings are known.
            let _ = layers[layer].unset(&in_file("key"));
            continue;
        }
        // The strongest backup that the key is for, if there is one.
        while let Some((at, backup)) = backup_in_force(layers, name)
            && !given_for.admits(&backup)
        {
            held_back.push(format!(
                "destination {name}: {} and is not sent to {backup}; this backup server is not used",
                given_for.in_words(layer)
            ));
            let _ = layers[at].unset(&in_file("backup_url"));
        }
        return;
    }
}

/// The backup server in force, and the layer that it comes from.
fn backup_in_force(layers: &[Partial; 3], name: &str) -> Option<(usize, ServerUrl)> {
    let settings = merge(layers);
    let backup =
        settings.destinations.iter().find(|known| known.name == name)?.backup_url.clone()?;
    let says = |layer: &Partial| layer.get(Some(name), "destination.backup_url").is_some();
    Some((layers.iter().rposition(says)?, backup))
}

/// Keeps the passphrase from a network that it was not given for.
fn keep_passphrase(layers: &mut [Partial; 3], ssid: Option<&str>, held_back: &mut Vec<String>) {
    const PASSPHRASE: &str = "wifi.passphrase";
    for layer in (0..layers.len()).rev() {
        if layers[layer].get(None, PASSPHRASE).is_none() {
            continue;
        }
        let Some(ssid) = ssid else { return };
        let remembered = layers[layer].given_for(None, PASSPHRASE);
        let own = |layer: &Partial| match layer.get(None, "wifi.ssid") {
            Some(Value::Text(Text::Line(ssid))) => Some(Recipient::network(ssid)),
            _ => None,
        };
        let others = || layers.iter().enumerate().filter(|(at, _)| *at != STORED);
        let meant: Vec<Recipient> = match (remembered, own(&layers[layer])) {
            ([], Some(own)) => vec![own],
            ([], None) => others().filter_map(|(_, layer)| own(layer)).collect(),
            (remembered, _) => remembered.to_vec(),
        };
        let is_any = meant.is_empty() && layer != STORED;
        if is_any || meant.contains(&Recipient::network(ssid)) {
            return;
        }
        held_back.push(
            "the Wi-Fi passphrase was given for another network and is not used for this one; \
             `set wifi.passphrase` sets a new one"
                .to_owned(),
        );
        let _ = layers[layer].unset(PASSPHRASE);
    }
}

/// Whom a key was given for.
enum GivenFor {
    /// What it remembers.
    Remembered(Vec<Recipient>),
    /// The servers that its source names.
    Named(Vec<ServerUrl>),
}

impl GivenFor {
    fn of_key(layers: &[Partial; 3], layer: usize, destination: &Destination) -> GivenFor {
        let name = destination.name.as_str();
        let remembered = layers[layer].given_for(Some(name), "destination.key");
        if !remembered.is_empty() {
            return GivenFor::Remembered(remembered.to_vec());
        }
        let own = |at: usize| layers[at].addresses(name).map(|(_, address)| address.clone());
        let of_system = || (0..layers.len()).filter(|at| *at != STORED).flat_map(own);
        let names_server =
            || layers[STORED].addresses(name).any(|(key, _)| key == "destination.url");
        let mut named: Vec<ServerUrl> = match layer {
            // One of an earlier version, or of a stick that named no server.
            STORED if names_server() => own(STORED).collect(),
            STORED => own(STORED).chain(of_system()).collect(),
            _ => of_system().collect(),
        };
        if named.is_empty() && layer != STORED {
            named.extend(destination.url.clone());
        }
        GivenFor::Named(named)
    }

    fn admits(&self, url: &ServerUrl) -> bool {
        match self {
            GivenFor::Remembered(recipients) => recipients.contains(&Recipient::server(url)),
            GivenFor::Named(servers) => servers.iter().any(|server| url.same_recipient(server)),
        }
    }

    fn in_words(&self, layer: usize) -> String {
        let key = match layer {
            INTEGRATOR => "the key of the integrator's file is for",
            STORED => return "its stream key was given for another server".to_owned(),
            _ => "the key of the service manager is for",
        };
        match self {
            GivenFor::Named(servers) if !servers.is_empty() => {
                let mut named: Vec<String> = servers.iter().map(ToString::to_string).collect();
                named.dedup();
                format!("{key} {}", named.join(" and "))
            }
            _ => format!("{key} no server that is named"),
        }
    }
}
