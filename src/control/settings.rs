//! The layers that the settings in force are made of.

use std::sync::Arc;

use crate::config::schema::{SettingPath, Value};
use crate::config::{self, Partial, Settings};
use crate::status::Origin;

/// The sources of settings besides the store; they do not change while the box runs.
#[derive(Debug, Default)]
pub struct Layers {
    /// The integrator's file, weaker than the store.
    pub integrator: Partial,
    /// What the service manager fixes, stronger than the store.
    pub credentials: Partial,
    /// What was left out and why, one line for each source.
    pub faults: Vec<String>,
}

/// A layer that a setting can come from, besides the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    Integrator,
    Credentials,
}

/// The settings in force, and what they come from.
#[derive(Debug)]
pub(super) struct InForce {
    pub layers: Layers,
    pub stored: Partial,
    pub settings: Arc<Settings>,
    /// Keys and backup servers that are not used, and why, a line each.
    pub held_back: Vec<String>,
}

impl InForce {
    pub fn new(layers: Layers, stored: Partial) -> InForce {
        let (settings, held_back) =
            config::effective(&layers.integrator, &stored, &layers.credentials);
        InForce { layers, stored, settings: Arc::new(settings), held_back }
    }

    /// What is stored is so from now on.
    pub fn store(&mut self, stored: Partial) {
        let Layers { integrator, credentials, .. } = &self.layers;
        let (settings, held_back) = config::effective(integrator, &stored, credentials);
        (self.settings, self.held_back) = (Arc::new(settings), held_back);
        self.stored = stored;
    }

    /// The layer besides the store that says something about a setting, the strongest first.
    pub fn other_layer(&self, path: &SettingPath) -> Option<Layer> {
        if self.layers.credentials.value(path).is_some() {
            Some(Layer::Credentials)
        } else if self.layers.integrator.value(path).is_some() {
            Some(Layer::Integrator)
        } else {
            None
        }
    }

    /// The last of these that anybody sets.
    pub fn last_set<'a>(&self, paths: &'a [SettingPath]) -> Option<&'a SettingPath> {
        let settings = self.settings.to_partial();
        paths.iter().rev().find(|path| settings.value(path).is_some())
    }

    /// The layer besides the store that names a destination.
    pub fn layer_naming(&self, destination: &str) -> Option<Layer> {
        if self.layers.integrator.names(destination) {
            Some(Layer::Integrator)
        } else if self.layers.credentials.names(destination) {
            Some(Layer::Credentials)
        } else {
            None
        }
    }

    /// Whether what is stored of a setting is what the box does.
    pub fn is_in_force(&self, path: &SettingPath) -> bool {
        let Some(stored) = self.stored.value(path) else { return false };
        match self.settings.to_partial().value(path) {
            Some(value) => value == stored,
            // What equals the default is left out.
            None => path.setting().fallback_value().as_ref() == Some(stored),
        }
    }

    /// The strongest source of the value in force; `None` when nobody sets it.
    pub fn origin(&self, path: &SettingPath) -> Option<Origin> {
        let settings = self.settings.to_partial();
        let fallback = path.setting().fallback_value();
        // What equals the default is left out of the settings in force.
        let in_force = settings.value(path).or(fallback.as_ref())?;
        let layers = [
            (&self.layers.credentials, Origin::Credential),
            (&self.stored, Origin::Stored),
            (&self.layers.integrator, Origin::Integrator),
        ];
        let is_it = |(layer, _): &(&Partial, Origin)| layer.value(path) == Some(in_force);
        layers.into_iter().find(is_it).map(|(_, origin)| origin)
    }

    /// The value in force, as it may be shown.
    pub fn shown(&self, path: &SettingPath) -> String {
        let settings = self.settings.to_partial();
        let value = settings.value(path).map(Value::to_string);
        value.unwrap_or_else(|| path.setting().fallback.to_string())
    }

    pub fn destination(&self, name: &str) -> Option<&config::Destination> {
        self.settings.destinations.iter().find(|known| known.name == name)
    }
}

impl Layer {
    pub fn name(self) -> &'static str {
        match self {
            Layer::Integrator => "the integrator's file",
            Layer::Credentials => "a credential of the service manager",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partial(toml: &str) -> Partial {
        config::parse("test", &format!("version = 1\n{toml}")).expect("settings")
    }

    #[test]
    fn a_key_of_the_service_manager_goes_to_the_server_of_the_integrator_alone() {
        let integrator = "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\n";
        let mut credentials = Partial::default();
        credentials.set("destination.a.key", "of-the-system").expect("a key");
        let layers = Layers { integrator: partial(integrator), credentials, faults: Vec::new() };
        let elsewhere = integrator.replace("a.example", "evil.example");
        let mut in_force = InForce::new(layers, Partial::default());
        assert!(in_force.settings.destinations[0].key.is_some() && in_force.held_back.is_empty());
        in_force.store(partial(&elsewhere));
        assert!(in_force.settings.destinations[0].key.is_none());
        assert!(in_force.held_back[0].contains("is not sent to rtmps://evil.example"));
        in_force.store(Partial::default());
        assert!(in_force.settings.destinations[0].key.is_some());
    }
}
