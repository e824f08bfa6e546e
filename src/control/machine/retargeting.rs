//! Destinations in line with the settings, and the bitrate that follows from all of them.

use std::time::Duration;

use super::Control;
use crate::appliance::{DestinationId, Event as Happening, PublishEvent, Target};
use crate::config::{self, NotReady};
use crate::control::action::{Action, Level};
use crate::control::destinations::Destination;
use crate::control::event::{PublishFailure, PublishReport};
use crate::ending::Evidence;
use crate::pace::{self, PathTarget};

impl Control {
    /// Brings destinations in line with the settings. One that is as it was is left alone; another
    /// address, key or trust is another revision.
    pub(super) fn retarget(&mut self, now: Duration) {
        let settings = self.in_force.settings.clone();
        let fixed = self.setup.destinations.clone();
        let mut order = Vec::new();
        for name in fixed {
            order.push(self.known_or_new(&name, true));
        }
        for set in settings.destinations.iter().filter(|set| set.enabled) {
            let id = self.known_or_new(&set.name, false);
            self.bring_in_line(id, set);
            order.push(id);
        }
        let target = |id: &DestinationId| {
            let known = self.destinations.known.get(id)?;
            Some(Target {
                id: *id,
                name: known.name.clone(),
                revision: known.revision,
                has_key: known.is_ready,
                has_backup: known.has_backup,
            })
        };
        let targets = order.iter().filter_map(target).collect();
        self.destinations.order = order;
        self.tell(now, Happening::Targets(targets));
    }

    fn known_or_new(&mut self, name: &str, is_ready: bool) -> DestinationId {
        let known = self.destinations.known.iter().find(|(_, known)| known.name == name);
        if let Some((id, _)) = known {
            return *id;
        }
        let id = DestinationId(self.destinations.next_id);
        self.destinations.next_id = self.destinations.next_id.wrapping_add(1);
        let new = Destination {
            name: name.to_owned(),
            made_of: None,
            revision: 0,
            is_ready,
            has_backup: false,
            path: PathTarget::default(),
        };
        self.destinations.known.insert(id, new);
        self.act(Action::AddDestination { dest: id, name: name.to_owned() });
        id
    }

    fn bring_in_line(&mut self, id: DestinationId, set: &config::Destination) {
        let Some(known) = self.destinations.known.get_mut(&id) else { return };
        if known.made_of.as_ref() == Some(set) {
            return;
        }
        let ingest = set.ingest();
        known.revision += 1;
        known.path.forget();
        known.is_ready = ingest.is_ok();
        known.has_backup = matches!(set.backup_ingest(), Ok(Some(_)));
        known.made_of = Some(set.clone());
        match ingest {
            Ok(_) | Err(NotReady::NoKey | NotReady::NoAddress) => {}
            Err(why) => self.log(Level::Warn, format!("destination {}: {why}", set.name)),
        }
        self.act(Action::Retarget { dest: id, to: Box::new(set.clone()) });
    }

    /// Forgets those that nobody wants and nobody waits for.
    pub(super) fn destinations_gone(&mut self) {
        let is_gone = |id: &DestinationId| !self.appliance.holds(*id);
        let gone: Vec<_> = self.destinations.known.keys().copied().filter(is_gone).collect();
        for dest in gone {
            self.destinations.known.remove(&dest);
            self.rates.remove(dest);
            self.act(Action::RemoveDestination { dest });
        }
    }

    pub(super) fn publish_reports(
        &mut self,
        now: Duration,
        dest: DestinationId,
        attempt: u64,
        what: PublishReport,
    ) {
        let ceiling_kbps = self.destinations.ceiling_kbps;
        if let Some(known) = self.destinations.known.get_mut(&dest) {
            what.steer(&mut known.path, ceiling_kbps);
        }
        self.steer_encoder();
        let what = match what {
            PublishReport::TargetBitrate(_) => return,
            PublishReport::Accepted => PublishEvent::Accepted,
            PublishReport::Returned => PublishEvent::Returned,
            PublishReport::Ended(Ok(())) => {
                PublishEvent::Ended { evidence: Evidence::Stopped, message: String::new() }
            }
            PublishReport::Ended(Err(PublishFailure { evidence, message })) => {
                let name = self.destinations.name(dest).unwrap_or_default().to_owned();
                let meaning = evidence.once();
                self.note_end(&name, &meaning.with_advice(&message), meaning.row().due_to);
                PublishEvent::Ended { evidence, message }
            }
        };
        self.tell(now, Happening::Publish { dest, attempt, what });
    }

    /// The highest bitrate of the video, from the settings and the board.
    pub(super) fn set_ceiling(&mut self) {
        let ceiling_kbps = self.video_kbps(&self.in_force.settings);
        let before = std::mem::replace(&mut self.destinations.ceiling_kbps, ceiling_kbps);
        if before == ceiling_kbps {
            return;
        }
        for known in self.destinations.known.values_mut() {
            known.path.handle_ceiling(before, ceiling_kbps);
        }
        self.act(Action::Ceiling(ceiling_kbps));
        self.steer_encoder();
    }

    /// One encode has one bitrate: the one that the setting makes of all paths.
    pub(super) fn steer_encoder(&mut self) {
        let known = &self.destinations.known;
        let in_order = self.destinations.order.iter().filter_map(|id| known.get(id));
        let paths = in_order.map(|known| known.path);
        let follow = self.in_force.settings.video.follow;
        let kbps = pace::combine(follow, self.destinations.ceiling_kbps, paths);
        if self.capture.set_bitrate(kbps) {
            self.act(Action::SetBitrate(kbps));
        }
    }
}
