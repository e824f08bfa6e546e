//! Which servers a key of the service manager may go to.

use super::partial::Partial;
use super::settings::{Settings, merge};
use crate::rtmp::url::ServerUrl;

/// The settings of all layers together, the weakest first, and what of them is not used and why, a
/// line each.
///
/// Whoever stores settings, with a stick or at a console, may be somebody else than who gave a key
/// to the service manager. Such a key is for the servers that the integrator's file and the
/// credentials name. A stored address of another server holds the key back, and a stored backup on
/// another server is not used. Where neither names a server, the key is for the one that is stored,
/// and for no backup elsewhere.
pub fn effective(
    integrator: &Partial,
    stored: &Partial,
    credentials: &Partial,
) -> (Settings, Vec<String>) {
    let settings = merge(&[integrator.clone(), stored.clone(), credentials.clone()]);
    let (mut usable_stored, mut usable_credentials) = (stored.clone(), credentials.clone());
    let mut held_back = Vec::new();
    for destination in &settings.destinations {
        let name = destination.name.as_str();
        if credentials.get(Some(name), "destination.key").is_none() {
            continue;
        }
        let mut meant: Vec<&ServerUrl> = Vec::new();
        for layer in [integrator, credentials] {
            for address in layer.addresses(name) {
                if !is_one_of(address, &meant) {
                    meant.push(address);
                }
            }
        }
        if meant.is_empty() {
            meant.extend(&destination.url);
        }
        let elsewhere = |url: &Option<ServerUrl>| url.clone().filter(|url| !is_one_of(url, &meant));
        let is_for = || match meant[..] {
            [] => "no server that is named".to_owned(),
            _ => meant.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
        };
        // The names of settings are known. Without this key, another one is used only where its own
        // layer sends it.
        if let Some(url) = elsewhere(&destination.url) {
            let _ = usable_credentials.unset(&format!("destination.{name}.key"));
            held_back.push(format!(
                "destination {name}: the key of the service manager is for {} and is not sent to \
                 {url}",
                is_for()
            ));
        } else if let Some(backup) = elsewhere(&destination.backup_url) {
            let _ = usable_stored.unset(&format!("destination.{name}.backup_url"));
            held_back.push(format!(
                "destination {name}: the key of the service manager is for {} and is not sent to \
                 {backup}; this backup server is not used",
                is_for()
            ));
        }
    }
    if held_back.is_empty() {
        return (settings, held_back);
    }
    (merge(&[integrator.clone(), usable_stored, usable_credentials]), held_back)
}

fn is_one_of(url: &ServerUrl, servers: &[&ServerUrl]) -> bool {
    servers.iter().any(|server| url.same_server(server))
}
