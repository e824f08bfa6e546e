//! Destinations: their numbers and revisions, and the target bitrate of each.

use std::collections::BTreeMap;

use crate::appliance::DestinationId;
use crate::config;
use crate::pace::PathTarget;

/// All that are known: those that are set, and those that are being closed.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    pub known: BTreeMap<DestinationId, Destination>,
    /// Those that are set, in the order of the settings.
    pub order: Vec<DestinationId>,
    pub next_id: u32,
    /// The highest bitrate of the video, as the connections know it.
    pub ceiling_kbps: u32,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Destination {
    pub name: String,
    /// What it was made of; `None` when no setting names it.
    pub made_of: Option<config::Destination>,
    pub revision: u64,
    pub is_ready: bool,
    pub has_backup: bool,
    /// The target bitrate of its path.
    pub path: PathTarget,
}

impl Destinations {
    pub fn name(&self, id: DestinationId) -> Option<&str> {
        self.known.get(&id).map(|known| known.name.as_str())
    }

    /// The destination that is set by this name, and whether it can be published to.
    pub fn ready(&self, name: &str) -> Option<(DestinationId, bool)> {
        let known = self.order.iter().filter_map(|id| Some((*id, self.known.get(id)?)));
        known.filter(|(_, known)| known.name == name).map(|(id, known)| (id, known.is_ready)).next()
    }

    /// The target bitrate of a destination, in kbit/s.
    pub fn target_kbps(&self, id: DestinationId) -> u32 {
        let known = self.known.get(&id).and_then(|known| known.path.live_kbps());
        known.unwrap_or(self.ceiling_kbps)
    }
}
