//! Settings that have changed: what they mean for capture and destinations.

use crate::appliance::{DestinationId, Event, Target as ApplianceTarget};
use crate::config::{self, Partial};
use crate::console::{ClientId, Reply};
use crate::device::network_manager::{NOT_SET, NetworkManager};
use crate::pace::PathTarget;
use crate::publish::{self, Order};
use crate::run::keeper::{Order as KeepOrder, Wish};
use crate::run::runner::{Runner, Running};
use crate::run::{Destination, Input, Kept, plan};
use crate::status::Change;

impl Runner {
    /// Hands a wish to the keeper; the reply only if that cannot be done.
    pub(super) fn keep(&mut self, from: ClientId, wish: Wish, done: String) -> Option<Reply> {
        let Some(keeper) = &self.keeper else {
            return Some(Reply::error("this box has no place to store settings"));
        };
        let order = KeepOrder { from: Some(from), wish, done };
        keeper.order(order).err().map(Reply::error)
    }

    pub(in crate::run::runner) fn persist_live(&mut self, live: bool) {
        if let Some(keeper) = &self.keeper {
            keeper.latch(live);
        }
    }

    /// The latch is not written, or is at last: for the log and `status`.
    pub(in crate::run::runner) fn handle_unlatched(&mut self, why: Option<String>) {
        const UNSAFE: &str = "could not save the live state";
        let said = match &why {
            Some(why) => format!("{UNSAFE}: {why}"),
            None => "the live state is saved again".to_owned(),
        };
        self.desk.note = why.is_some().then(|| said.clone());
        self.announce(Change::Note { message: said });
    }

    /// A factory reset by the button; what comes of it is in the log.
    pub(in crate::run::runner) fn forget(&mut self) {
        let Some(keeper) = &self.keeper else { return };
        let order = KeepOrder { from: None, wish: Wish::Reset, done: String::new() };
        if let Err(error) = keeper.order(order) {
            tracing::error!(error, "the factory reset is not done");
        }
    }

    pub(in crate::run::runner) fn handle_kept(&mut self, kept: Kept) {
        let reply = match kept.outcome {
            Ok(stored) => {
                self.apply(stored);
                Reply::text([kept.done])
            }
            Err(why) => Reply::error(why),
        };
        match (kept.from, &reply) {
            (Some(from), reply) => self.reply(from, reply),
            (None, Reply::Error { message, .. }) => tracing::error!("{message}"),
            (None, _) => {}
        }
    }

    /// What is stored holds from now on. A broadcast goes on, but for destinations that changed.
    fn apply(&mut self, stored: Partial) {
        self.settings = self.sources.effective(&stored);
        self.stored = stored;
        self.request = plan::request(&self.of_board, &self.settings);
        self.set_ceiling();
        self.tell_session();
        self.tell_network();
        self.tell(Event::StartWithout {
            camera: self.settings.start_without_camera,
            microphone: self.settings.start_without_microphone,
        });
        self.retarget();
    }

    /// What the console shows and asks for, as the settings have it.
    pub(in crate::run::runner) fn tell_session(&mut self) {
        self.session.set_name(&self.settings.name);
        self.session.set_has_pin(self.settings.console_pin.is_some());
    }

    /// Hands the network's settings over when they are others than before. Where none are set, what an
    /// earlier run left at NetworkManager is taken back, a passphrase with it; but not while a source
    /// could not be read that may set them.
    pub(in crate::run::runner) fn tell_network(&mut self) {
        let (wired, wifi) = (&self.settings.wired, &self.settings.wifi);
        let is_set = wired.is_set() || wifi.ssid.is_some();
        let wanted = (wired.clone(), wifi.clone());
        let is_known = is_set || self.handed.is_some() || self.is_whole;
        if self.handed.as_ref() == Some(&wanted) || !is_known {
            return;
        }
        if self.desk.network.is_none() {
            let inputs = self.inputs.clone();
            let started = NetworkManager::start(move |told| {
                // Nobody listens any more when the box is ending.
                let _ = inputs.blocking_send(Input::NetworkManaged(told));
            });
            self.desk.network = started
                .inspect_err(|error| tracing::error!(%error, "no thread for the network"))
                .ok();
        }
        let Some(network) = &self.desk.network else { return };
        network.order(&self.settings.wired, &self.settings.wifi);
        self.handed = Some(wanted);
    }

    pub(in crate::run::runner) fn handle_network_managed(&mut self, told: String) {
        if told == NOT_SET && self.managed == NOT_SET {
            return;
        }
        let said = format!("network settings: {told}");
        self.managed = told;
        self.announce(Change::Note { message: said });
    }

    /// Brings destinations and their tasks in line with the settings.
    pub(in crate::run::runner) fn retarget(&mut self) {
        let fixed = self.fixed.iter().map(|fixed| (fixed.name.clone(), None));
        let enabled = self.settings.destinations.iter().filter(|d| d.enabled);
        let wanted: Vec<_> =
            fixed.chain(enabled.map(|d| (d.name.clone(), Some(d.clone())))).collect();
        let mut targets = Vec::new();
        for (name, made_of) in wanted {
            let id = self.bring_in_line(&name, made_of);
            if let Some(Running { settings, revision, .. }) = self.destinations.get(&id) {
                let has_key = settings.target.is_some();
                let has_backup = settings.backup.is_some();
                let revision = *revision;
                targets.push(ApplianceTarget { id, name, revision, has_key, has_backup });
            }
        }
        self.order = targets.iter().map(|target| target.id).collect();
        self.tell(Event::Targets(targets));
        self.drop_gone();
        self.name_choices();
    }

    /// A destination that is as it was keeps its TLS tickets; another address or key is another
    /// revision.
    fn bring_in_line(&mut self, name: &str, made_of: Option<config::Destination>) -> DestinationId {
        let known = self.destinations.iter_mut().find(|(_, d)| d.settings.name == name);
        if let Some((id, running)) = &known
            && running.settings.made_of == made_of
        {
            return **id;
        }
        let wanted = match &made_of {
            Some(made_of) => plan::destination(made_of),
            None => match self.fixed.iter().find(|fixed| fixed.name == name) {
                Some(fixed) => fixed.clone(),
                None => {
                    Destination { name: name.to_owned(), target: None, backup: None, made_of: None }
                }
            },
        };
        match known {
            Some((id, running)) => {
                running.settings = wanted;
                running.revision += 1;
                running.path.forget();
                // A task that does not take it is stuck, which the next order finds.
                let _ = running.handle.orders.try_send(Order::ForgetPath);
                *id
            }
            None => self.begin_destination(wanted),
        }
    }

    fn begin_destination(&mut self, settings: Destination) -> DestinationId {
        let id = DestinationId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let handle = publish::spawn(self.clock, id.0, self.fan_out.clone(), self.reports.clone());
        handle.ceiling_kbps.send_replace(self.request.video.bitrate_kbps);
        let path = PathTarget::default();
        self.destinations.insert(id, Running { settings, revision: 0, handle, path });
        id
    }

    /// Ends the tasks of destinations that nobody wants and nobody waits for.
    pub(in crate::run::runner) fn drop_gone(&mut self) {
        let appliance = &self.appliance;
        self.destinations.retain(|id, _| appliance.holds(*id));
        let destinations = &self.destinations;
        self.rates.retain(|id| destinations.contains_key(id));
    }

    /// What the console completes arguments to.
    fn name_choices(&mut self) {
        let settings = self.settings.shown().into_iter().map(|(name, _)| name);
        let settings = settings.collect();
        let destinations = self.settings.destinations.iter().map(|d| d.name.clone()).collect();
        self.session.set_names(settings, destinations);
    }
}
