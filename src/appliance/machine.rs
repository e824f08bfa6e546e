//! The box: facts, mode, and the destinations under it.

mod requests;
#[cfg(test)]
mod tests;
mod view;

use std::collections::VecDeque;
use std::time::Duration;

use super::action::{Action, GoLive, Notify, PipelineOrder};
use super::backoff;
use super::destination::{Context, Destination};
use super::event::{
    Event, LinkChange, PipelineEvent, PipelineFault, Presence, Setup, Source, Target, bounded,
};
use super::mode::{Cause, Engine, Known, Mode, OnAir, Then};
use crate::limits::{
    ACTIONS_MAX, DESTINATIONS_HELD_MAX, DESTINATIONS_MAX, FIRST_KEY_TIMEOUT,
    PIPELINE_FAILURE_FORGOTTEN_AFTER, STOPPING_TIMEOUT,
};
use crate::panel::Indication;
use crate::status::{Change, Clock, Facts, Link, Mode as Shown, StickImport};

/// The appliance.
///
/// Drive it so: [`Appliance::handle`] for each event, [`Appliance::handle_timeout`] at
/// [`Appliance::poll_timeout`]; after each, and after [`Appliance::new`], do what
/// [`Appliance::poll_action`] gives until `None`. Early or repeated timeouts do no harm. `now`
/// never goes back.
#[derive(Debug)]
pub struct Appliance {
    setup: Setup,
    born_at: Duration,
    facts: Facts,
    /// The network was looked at.
    is_link_known: bool,
    camera: Known,
    microphone: Known,
    /// The machine itself has a warning.
    has_warning: bool,
    mode: Mode,
    engine: Engine,
    /// The number of the last pipeline run.
    run: u64,
    destinations: Vec<Destination>,
    /// The number of the last attempt of any destination.
    attempts: u64,
    rng: fastrand::Rng,
    /// What was last given out with `PersistLive`: the box is to be live. While it is not, because the power
    /// went or because of a fault, it goes live by itself as soon as it can.
    to_be_live: bool,
    /// Faults in a row that ended the broadcast.
    faults: u32,
    /// Why the box does what it does.
    because: String,
    reported: Reported,
    actions: VecDeque<Action>,
}

/// What was reported last, so that only changes are reported.
#[derive(Debug)]
struct Reported {
    mode: Shown,
    since: Duration,
    indication: Indication,
    /// Destinations that accept, and that are set.
    accepted: (usize, usize),
}

impl Appliance {
    /// A box that is being started: no destination, no camera, no microphone, no link and no time
    /// are known until events tell of them.
    pub fn new(now: Duration, setup: Setup) -> Appliance {
        let rng = fastrand::Rng::with_seed(setup.seed);
        let to_be_live = setup.was_live;
        let mut appliance = Appliance {
            setup,
            born_at: now,
            facts: Facts {
                camera: false,
                microphone: false,
                link: Link::Down,
                clock: Clock::Untrusted,
            },
            is_link_known: false,
            camera: Known::Unknown,
            microphone: Known::Unknown,
            has_warning: false,
            mode: Mode::Booting,
            engine: Engine::Off,
            run: 0,
            destinations: Vec::new(),
            attempts: 0,
            rng,
            to_be_live,
            faults: 0,
            because: "power on".to_owned(),
            reported: Reported {
                mode: Shown::Booting,
                since: now,
                indication: Indication::Starting,
                accepted: (0, 0),
            },
            actions: VecDeque::new(),
        };
        appliance.act(Action::Show(Indication::Starting));
        appliance
    }

    // ── what happens ──────────────────────────────────────────────────────────────────────────

    /// Something happened at `now`.
    pub fn handle(&mut self, now: Duration, event: Event) {
        debug_assert!(self.actions.is_empty(), "actions are done before the next event");
        if self.mode == Mode::Exited {
            return;
        }
        match event {
            Event::Booted => self.booted(),
            Event::Targets(targets) => self.retarget(now, targets),
            Event::Button(gesture) => self.button(now, gesture),
            Event::GoLive { by } => {
                let outcome = self.go_live(now, by.to_go_live());
                self.act(Action::WentLive(outcome));
            }
            Event::Stop { by } => {
                let outcome = self.stop(now, by.to_stop());
                self.act(Action::Stopped(outcome));
            }
            Event::Link(change) => self.link(now, change),
            Event::Clock(clock) => self.clock(now, clock),
            Event::StartWithout { camera, microphone } => {
                self.setup.start_without_camera = camera;
                self.setup.start_without_microphone = microphone;
            }
            Event::Warning(has_warning) => self.has_warning = has_warning,
            Event::Stick(stick) => self.act(Action::Show(match stick {
                StickImport::Working => Indication::StickWorking,
                StickImport::Accepted => Indication::StickAccepted,
                StickImport::Refused => Indication::StickRefused,
            })),
            Event::FactoryReset => self.factory_reset(now),
            Event::Source(source, presence) => {
                let known = match presence {
                    Presence::Back if self.is_sending() => Known::There, // the capture itself reports it
                    presence => self.known(source).reported(presence),
                };
                self.source(now, source, known);
            }
            Event::Pipeline { run, what } if run == self.run => self.pipeline(now, what),
            Event::Pipeline { .. } => {}
            Event::Publish { dest, attempt, what } => self.each(now, |destination, context| {
                if destination.id() == dest {
                    destination.handle(context, attempt, what.clone());
                }
            }),
            Event::Stranded { dest, attempt } => self.each(now, |destination, context| {
                if destination.id() == dest {
                    destination.stranded(context, attempt);
                }
            }),
            Event::Terminate => self.terminate(now),
        }
        self.settle(now);
    }

    /// Time has come to `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        debug_assert!(self.actions.is_empty(), "actions are done before the next timeout");
        if self.mode == Mode::Exited {
            return;
        }
        self.each(now, |destination, context| destination.handle_timeout(context));
        let due = |at: Duration| now >= at;
        match self.mode {
            Mode::OnAir(OnAir { first_key_by: Some(at), .. }) if due(at) => {
                self.pipeline_failed(now, Cause::NoFirstKey, "");
            }
            Mode::Stopping { deadline, .. } if due(deadline) => self.force_rest(now),
            Mode::Fault { cause, retry_at: Some(at) } if due(at) => {
                self.try_again(now, cause, "tried again after a fault");
            }
            _ => {}
        }
        self.settle(now);
    }

    /// When [`Appliance::handle_timeout`] should be called; `None` while nothing is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let of_mode = match self.mode {
            Mode::OnAir(OnAir { first_key_by, .. }) => first_key_by,
            Mode::Stopping { deadline, .. } => Some(deadline),
            Mode::Fault { retry_at, .. } => retry_at,
            Mode::Exited => return None,
            Mode::Booting | Mode::NeedsSetup | Mode::Ready => None,
        };
        let of_destinations = self.destinations.iter().filter_map(Destination::poll_timeout);
        of_destinations.chain(of_mode).min()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    // ── events ────────────────────────────────────────────────────────────────────────────────

    fn booted(&mut self) {
        if self.mode == Mode::Booting {
            self.rest("started");
            self.act(Action::Notify(Notify::Ready));
        }
    }

    fn link(&mut self, now: Duration, change: LinkChange) {
        self.is_link_known = true;
        self.facts.link = if change == LinkChange::Down { Link::Down } else { Link::Up };
        if change != LinkChange::Down {
            self.each(now, |destination, context| destination.network_changed(context));
        }
    }

    fn clock(&mut self, now: Duration, clock: Clock) {
        self.facts.clock = clock;
        if clock == Clock::Trusted {
            self.each(now, |destination, context| destination.clock_trusted(context));
        }
    }

    /// A lost source ends nothing: while on air, capture puts slate or silence in its place.
    fn source(&mut self, now: Duration, source: Source, known: Known) {
        let (last, fact, name) = match source {
            Source::Camera => (&mut self.camera, &mut self.facts.camera, "camera"),
            Source::Microphone => (&mut self.microphone, &mut self.facts.microphone, "microphone"),
        };
        *last = known;
        let present = known == Known::There;
        if *fact == present {
            return;
        }
        *fact = present;
        self.report_change(Change::Source { name, present });
        if let Mode::OnAir(on_air) = &mut self.mode {
            on_air.had_camera |= self.facts.camera;
            on_air.had_microphone |= self.facts.microphone;
        }
        if let Mode::Fault { cause, .. } = self.mode
            && present
            && cause.source() == Some(source)
        {
            let because = "the source is there again";
            if self.to_be_live {
                self.try_again(now, cause, because);
            } else {
                self.rest(because);
            }
        }
    }

    fn retarget(&mut self, now: Duration, mut targets: Vec<Target>) {
        targets.truncate(DESTINATIONS_MAX);
        let sending = self.is_sending();
        let ids: Vec<_> = targets.iter().map(|target| target.id).collect();
        self.each(now, |destination, context| {
            if destination.is_set() && !ids.contains(&destination.id()) {
                destination.remove(context);
            }
        });
        self.destinations.retain(|destination| !destination.is_gone());
        // In the order of the settings; those that still close stand behind.
        let mut old = std::mem::take(&mut self.destinations);
        for (n, target) in targets.into_iter().enumerate() {
            if ids[..n].contains(&target.id) {
                continue; // settings that name a destination twice: the first one counts
            }
            let mut destination = match old.iter().position(|d| d.id() == target.id) {
                Some(index) => old.remove(index),
                None => self.new_destination(now, target.clone()),
            };
            let (_, mut context) = self.split(now);
            destination.retarget(&mut context, target, sending);
            if sending {
                destination.go_live(&mut context);
            }
            self.destinations.push(destination);
        }
        self.destinations.append(&mut old);
        self.bound_closing(now);
    }

    /// After a power cut the server may still have the connection from before.
    fn new_destination(&self, now: Duration, target: Target) -> Destination {
        let mut destination = Destination::new(target);
        if self.setup.was_live {
            destination.was_live(self.born_at.min(now));
        }
        destination
    }

    /// Settings that change faster than servers close: the oldest connections are cut.
    fn bound_closing(&mut self, now: Duration) {
        let mut surplus = self.destinations.len().saturating_sub(DESTINATIONS_HELD_MAX);
        self.each(now, |destination, context| {
            if surplus > 0 && destination.is_removed_and_closing() {
                destination.force_close(context);
                surplus -= 1;
            }
        });
    }

    fn pipeline(&mut self, now: Duration, what: PipelineEvent) {
        match (self.engine, what) {
            (Engine::Running, PipelineEvent::FirstKey) => self.first_key(now),
            (Engine::Running, PipelineEvent::Error { fault, message }) => {
                self.pipeline_failed(now, Cause::Pipeline(fault), &message);
            }
            (Engine::Running, PipelineEvent::Ended) => {
                let cause = Cause::Pipeline(PipelineFault::Internal);
                self.pipeline_failed(now, cause, "it ended although nobody stopped it");
            }
            (Engine::Ending, PipelineEvent::Ended) => self.engine = Engine::Off,
            // The first key frame is what counts, not that the pipeline plays; and what a
            // pipeline says while it is being stopped changes nothing.
            (Engine::Running, PipelineEvent::Playing) | (Engine::Ending | Engine::Off, _) => {}
        }
    }

    fn first_key(&mut self, now: Duration) {
        if let Mode::OnAir(on_air) = &mut self.mode {
            on_air.first_key_by = None;
            on_air.sending_since.get_or_insert(now);
            for source in [Source::Camera, Source::Microphone] {
                self.source(now, source, self.known(source).delivers());
            }
            self.each(now, |destination, context| destination.go_live(context));
        }
    }

    /// Once the stream has begun, the pipeline is restarted under it; a second failure within
    /// [`PIPELINE_FAILURE_FORGOTTEN_AFTER`] ends the broadcast. It goes on later, see `try_again`.
    fn pipeline_failed(&mut self, now: Duration, cause: Cause, message: &str) {
        let Mode::OnAir(on_air) = self.mode else { return };
        if let Some(source) = cause.source() {
            self.source(now, source, self.known(source).failed());
        }
        let long_ago = |at| now.saturating_sub(at) >= PIPELINE_FAILURE_FORGOTTEN_AFTER;
        let recently = on_air.restarted.is_some_and(|at| !long_ago(at));
        let mut sentence = cause.sentence().to_owned();
        if !message.is_empty() {
            sentence = format!("{sentence}: {}", bounded(message));
        }
        if on_air.sending_since.is_none() || recently {
            let proven = on_air.sending_since.is_some_and(long_ago);
            self.faults = if proven { 1 } else { self.faults.saturating_add(1) };
            self.end_broadcast(now, Then::Fault(cause), &sentence);
            return;
        }
        self.note(format!("{sentence}; the pipeline is restarted"));
        self.mode = Mode::OnAir(OnAir {
            first_key_by: Some(now + FIRST_KEY_TIMEOUT),
            restarted: Some(now),
            ..on_air
        });
        for source in [Source::Camera, Source::Microphone] {
            self.source(now, source, self.known(source).reported(Presence::ToBeTried));
        }
        self.run += 1;
        self.act(Action::Pipeline(PipelineOrder::Restart { run: self.run }));
    }

    /// An orderly end that does not forget that the box was live.
    fn terminate(&mut self, now: Duration) {
        self.act(Action::Notify(Notify::Stopping));
        let because = "the system ends";
        match self.mode {
            Mode::OnAir(_) => self.end_broadcast(now, Then::Exit, because),
            Mode::Stopping { deadline, .. } => {
                because.clone_into(&mut self.because);
                self.mode = Mode::Stopping { deadline, then: Then::Exit };
            }
            _ => {
                because.clone_into(&mut self.because);
                self.mode = Mode::Exited;
            }
        }
    }

    // ── transitions ───────────────────────────────────────────────────────────────────────────

    fn begin_broadcast(&mut self, now: Duration, because: &str) {
        self.faults = 0;
        self.destinations.iter_mut().for_each(Destination::begin_broadcast);
        self.go_on_air(now, because);
    }

    /// A fault ended the broadcast, and the box is still to be live.
    fn try_again(&mut self, now: Duration, cause: Cause, because: &str) {
        self.destinations.iter_mut().for_each(Destination::go_on);
        if !self.destinations.iter().any(Destination::has_hope) {
            self.persist_live(false);
            self.rest(&self.hopeless());
        } else if self.obstacle().is_some() {
            self.mode = self.fault(now, cause);
        } else {
            self.go_on_air(now, because);
        }
    }

    fn go_on_air(&mut self, now: Duration, because: &str) {
        because.clone_into(&mut self.because);
        self.mode = Mode::OnAir(OnAir {
            first_key_by: Some(now + FIRST_KEY_TIMEOUT),
            sending_since: None,
            restarted: None,
            had_camera: self.facts.camera,
            had_microphone: self.facts.microphone,
        });
        self.engine = Engine::Running;
        self.run += 1;
        self.act(Action::Pipeline(PipelineOrder::Start { run: self.run }));
        self.persist_live(true);
    }

    fn end_broadcast(&mut self, now: Duration, then: Then, because: &str) {
        self.because = because.to_owned();
        self.mode = Mode::Stopping { deadline: now + STOPPING_TIMEOUT, then };
        self.each(now, |destination, context| destination.stop(context));
        self.engine = Engine::Ending;
        self.act(Action::Pipeline(PipelineOrder::Stop));
    }

    /// The deadline of a stop has come: what is still open is given up.
    fn force_rest(&mut self, now: Duration) {
        self.each(now, |destination, context| destination.force_close(context));
        if self.engine == Engine::Ending {
            self.engine = Engine::Off;
            self.note("the pipeline did not end in time".to_owned());
        }
    }

    /// Everything is closed.
    fn closed(&mut self, now: Duration, then: Then) {
        match then {
            Then::Rest => self.mode = self.resting(),
            Then::Fault(cause) => {
                self.mode = self.fault(now, cause);
                if self.to_be_live {
                    let wait_s = backoff::after_fault(self.faults).as_secs();
                    self.because = format!("{}; tried again in {wait_s} s", self.because);
                }
            }
            Then::TryAgain(cause) => {
                self.mode = self.fault(now, cause);
                self.try_again(now, cause, "asked for while stopping");
            }
            Then::Exit => self.mode = Mode::Exited,
            Then::GoLive => {
                self.mode = self.resting();
                if let GoLive::Refused(why) = self.go_live(now, "asked for while stopping") {
                    self.persist_live(false);
                    self.act(Action::Show(Indication::Refused));
                    let why = why.sentence();
                    self.note(format!("going live again was asked for, but {why}"));
                }
            }
        }
    }

    fn rest(&mut self, because: &str) {
        because.clone_into(&mut self.because);
        self.mode = self.resting();
    }

    fn is_sending(&self) -> bool {
        matches!(self.mode, Mode::OnAir(OnAir { sending_since: Some(_), .. }))
    }

    fn fault(&self, now: Duration, cause: Cause) -> Mode {
        let retry_at = self.to_be_live.then(|| now + backoff::after_fault(self.faults));
        Mode::Fault { cause, retry_at }
    }

    /// Brings the mode in line with facts and destinations, then reports what changed. Each round
    /// makes one step, and no chain of steps is longer than stop, closed, live again, stop.
    fn settle(&mut self, now: Duration) {
        const STEPS_MAX: usize = 8;
        for _ in 0..STEPS_MAX {
            self.destinations.retain(|destination| !destination.is_gone());
            if !self.step(now) {
                break;
            }
        }
        self.report(now);
        if self.mode == Mode::Exited {
            self.act(Action::Exit(0)); // the last action, and only once: see `handle`
        }
        debug_assert!(self.actions.len() <= ACTIONS_MAX, "one event causes bounded work");
    }

    /// Whether something followed from how things stand.
    fn step(&mut self, now: Duration) -> bool {
        match self.mode {
            Mode::OnAir(_) if !self.destinations.iter().any(Destination::has_hope) => {
                let because = self.hopeless();
                self.persist_live(false);
                self.end_broadcast(now, Then::Rest, &because);
            }
            Mode::Stopping { then, .. }
                if self.engine == Engine::Off
                    && self.destinations.iter().all(Destination::is_idle) =>
            {
                self.closed(now, then);
            }
            Mode::NeedsSetup | Mode::Ready if self.mode != self.resting() => {
                self.mode = self.resting();
                "the settings changed".clone_into(&mut self.because);
            }
            Mode::Ready if self.to_be_live && self.obstacle().is_none() => {
                self.begin_broadcast(now, "live when the power went");
            }
            _ => return false,
        }
        true
    }

    /// Reports to watchers, lights and the service manager what is different from the last time.
    fn report(&mut self, now: Duration) {
        let set = self.destinations.iter().filter(|d| d.is_set());
        let accepted = (set.clone().filter(|d| d.is_accepted()).count(), set.count());
        let mode = self.mode();
        let from = std::mem::replace(&mut self.reported.mode, mode);
        let because = self.because_now(mode, from).filter(|because| *because != self.because);
        let has_other_reason = because.is_some();
        if let Some(because) = because {
            self.because = because;
        }
        if mode != from {
            self.reported.since = now;
            let because = self.because.clone();
            self.report_change(Change::Box { from, to: mode, because });
        }
        let recount = accepted != std::mem::replace(&mut self.reported.accepted, accepted);
        let is_new = match mode {
            Shown::Live => recount,
            _ => has_other_reason,
        };
        if mode != from || is_new {
            let status = match mode {
                Shown::Live => format!("live at {} of {} destinations", accepted.0, accepted.1),
                _ => format!("{}: {}", mode.name(), self.because),
            };
            self.act(Action::Notify(Notify::Status(status)));
        }
        let indication = self.indication();
        if indication != self.reported.indication {
            self.reported.indication = indication;
            self.act(Action::Show(indication));
        }
    }

    // ── helpers ─────────────────────────────────────────────────────────────────────────────────

    /// Lets every destination handle something.
    fn each(&mut self, now: Duration, mut what: impl FnMut(&mut Destination, &mut Context<'_>)) {
        let (destinations, mut context) = self.split(now);
        for destination in destinations {
            what(destination, &mut context);
        }
    }

    fn split(&mut self, now: Duration) -> (&mut Vec<Destination>, Context<'_>) {
        let context = Context {
            now,
            clock: self.facts.clock,
            rng: &mut self.rng,
            attempts: &mut self.attempts,
            actions: &mut self.actions,
        };
        (&mut self.destinations, context)
    }

    fn persist_live(&mut self, live: bool) {
        if live != self.to_be_live {
            self.to_be_live = live;
            self.act(Action::PersistLive(live));
        }
    }

    fn note(&mut self, message: String) {
        self.report_change(Change::Note { message });
    }

    fn report_change(&mut self, change: Change) {
        self.act(Action::Report(change));
    }

    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }
}
