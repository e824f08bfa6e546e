//! Whatever happens, in whatever order: the appliance keeps its promises.
//!
//! Each seed makes a world of its own: an owner who presses, holds and types, settings that
//! change, up to nine destinations with servers of every temper, a pipeline that starts late,
//! fails or hangs, and delays on every order and event. After each step all promises are checked.
//! At the end the world turns calm and the box must go live at every destination.
//!
//! `FIRSTMILE_SEEDS=200000` runs more seeds, `FIRSTMILE_SEED=1234` one of them with its whole story.

mod random;
mod requests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use firstmile::appliance::{
    Action, Appliance, DestinationId, Event, LinkChange, PipelineEvent, PipelineFault,
    PipelineOrder, Presence, PublishEvent, PublishOrder, Setup, Source, Target,
};
use firstmile::ending::Evidence;
use firstmile::limits::{
    ACTIONS_MAX, DESTINATIONS_MAX, FAULT_WAIT_MAX, FIRST_KEY_TIMEOUT, ORDERS_MAX, STOPPING_TIMEOUT,
};
use firstmile::panel::{Attention, Gesture, Indication};
use firstmile::status::{Clock, DestinationState, Mode, Server};

const SEEDS: u64 = 25_000;

#[test]
fn the_appliance_keeps_its_promises_for_any_seed() {
    if let Some(seed) = number("FIRSTMILE_SEED") {
        let (end, story) = run_seed(seed);
        println!("{story}");
        return end.unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
    let broken = first_broken(SEEDS, |seed| World::new(seed, Laws::REAL).run());
    if let Some(seed) = broken {
        let (end, story) = run_seed(seed);
        panic!("{}\nFIRSTMILE_SEED={seed}: {}", last_lines(&story), end.unwrap_err());
    }
}

/// The first of so many seeds whose world breaks a promise; all processors look for it.
fn first_broken(seeds: u64, run: impl Fn(u64) -> Kept + Sync) -> Option<u64> {
    let seeds = number("FIRSTMILE_SEEDS").unwrap_or(seeds);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let first = |thread: u64| (thread..seeds).step_by(threads).find(|seed| run(*seed).is_err());
    std::thread::scope(|scope| {
        let first = &first;
        let threads: Vec<_> =
            (0..threads as u64).map(|thread| scope.spawn(move || first(thread))).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("no panic")).min()
    })
}

fn last_lines(story: &str) -> String {
    let lines: Vec<&str> = story.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// Runs one seed and keeps its whole story.
fn run_seed(seed: u64) -> (Kept, String) {
    let mut world = World::new(seed, Laws::REAL);
    world.story = Some(String::new());
    (world.run(), world.story.unwrap_or_default())
}

/// The model can fail: without its order guarantee it finds two publishes at once.
#[test]
fn orders_out_of_order_would_open_two_publishes_at_once() {
    let laws = Laws { orders_in_order: false, ..Laws::REAL };
    assert!(broken(laws).iter().any(|b| b.contains("two publishes")), "the model has lost a tooth");
}

/// The model can fail: without attempt numbers it finds that a late end ends the wrong attempt.
#[test]
fn events_without_attempt_numbers_would_end_the_wrong_attempt() {
    let laws = Laws { events_numbered: false, ..Laws::REAL };
    let broken = broken(laws);
    assert!(broken.iter().any(|b| b.contains("is not over")), "the model has lost a tooth");
}

/// The model goes everywhere: a promise about a state that never comes would be kept by nobody.
#[test]
fn the_model_sees_every_light() {
    let mut seen = HashSet::new();
    for seed in 0..600 {
        let mut world = World::new(seed, Laws::REAL);
        world.run().unwrap_or_else(|broken| panic!("FIRSTMILE_SEED={seed}: {broken}"));
        seen.extend(world.seen);
    }
    for indication in Indication::ALL {
        assert!(seen.contains(&indication), "{} is never shown", indication.name());
    }
}

fn broken(laws: Laws) -> Vec<String> {
    (0..600).filter_map(|seed| World::new(seed, laws).run().err()).collect()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// What the world guarantees to the appliance.
#[derive(Clone, Copy)]
struct Laws {
    orders_in_order: bool,
    events_numbered: bool,
}

impl Laws {
    const REAL: Laws = Laws { orders_in_order: true, events_numbered: true };
}

/// A publish task and its server.
#[derive(Default)]
struct Task {
    open: Option<u64>,
    closing: bool,
    on_the_way: usize,
    /// The attempt has the stream at the backup server.
    at_backup: bool,
    last_arrival: Duration,
}

/// What the checks know of a destination from orders given and events delivered alone.
#[derive(Default)]
struct Ledger {
    attempt: u64,
    server: Server,
    accepted: bool,
    closing: bool,
    over: bool,
    /// It ended so that only the owner or the settings can begin again.
    ended_for_good: bool,
}

enum Soon {
    Deliver(Event),
    Arrive(PublishOrder),
    /// A server or the network does something to an attempt.
    Fate(DestinationId, u64, PublishEvent),
    /// A polite goodbye is done.
    Closed(DestinationId, u64),
    /// The pipeline does something of its own.
    Pipeline(u64, PipelineEvent),
    /// The pipeline has released its devices.
    PipelineGone(u64),
    /// A factory reset has reached the disk.
    SettingsGone,
    Owner,
}

struct World {
    rng: fastrand::Rng,
    laws: Laws,
    now: Duration,
    appliance: Appliance,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    soon: BTreeMap<u64, Soon>,
    next: u64,
    calm: bool,
    tasks: BTreeMap<u32, Task>,
    ledger: BTreeMap<u32, Ledger>,
    attempts: u64,
    targets: Vec<Target>,
    pipeline: Option<u64>,
    pipeline_stop: Option<Duration>,
    stop_by: Option<Duration>,
    persisted_live: bool,
    may_resume: bool,
    /// There was a factory reset, and nobody has asked to be live since.
    forgotten: bool,
    /// The camera could not be opened, and was not lost before or since, nor has it delivered.
    camera_failed: bool,
    camera_lost: bool,
    exit_by: Option<Duration>,
    exited: bool,
    seen: HashSet<Indication>,
    /// Everything that happened; kept only when somebody will read it.
    story: Option<String>,
}

type Kept = Result<(), String>;

fn keep(promise: bool, broken: impl FnOnce() -> String) -> Kept {
    if promise { Ok(()) } else { Err(broken()) }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl World {
    fn new(seed: u64, laws: Laws) -> World {
        let mut rng = fastrand::Rng::with_seed(seed);
        let was_live = rng.u8(..10) == 0;
        let setup = Setup {
            seed: rng.u64(..),
            start_without_camera: rng.u8(..4) == 0,
            start_without_microphone: rng.bool(),
            was_live,
        };
        World {
            laws,
            now: Duration::ZERO,
            appliance: Appliance::new(Duration::ZERO, setup),
            queue: BinaryHeap::new(),
            soon: BTreeMap::new(),
            next: 0,
            calm: false,
            tasks: BTreeMap::new(),
            ledger: BTreeMap::new(),
            attempts: 0,
            targets: Vec::new(),
            pipeline: None,
            pipeline_stop: None,
            stop_by: None,
            persisted_live: was_live,
            may_resume: was_live,
            forgotten: false,
            camera_failed: false,
            camera_lost: false,
            exit_by: None,
            exited: false,
            seen: HashSet::new(),
            story: None,
            rng,
        }
    }

    fn run(&mut self) -> Kept {
        self.perform(None)?;
        self.within_ms(500, Soon::Deliver(Event::Booted));
        for source in [Source::Camera, Source::Microphone] {
            if self.rng.u8(..8) > 0 {
                let event = Event::Source(source, Presence::Back);
                self.within_ms(3_000, Soon::Deliver(event));
            }
        }
        let settings = self.some_targets();
        self.within_ms(2_000, Soon::Deliver(settings));
        self.later(ms(200), Soon::Owner);
        let length = ms(self.rng.u64(20_000..240_000));
        self.advance_to(length)?;
        if !self.exited && self.exit_by.is_none() { self.calm_end() } else { self.end_of_exit() }
    }

    /// The storm is over: nothing may be left of it.
    fn calm_end(&mut self) -> Kept {
        self.calm = true;
        self.deliver(Event::Targets(vec![target(0, 77), target(20, 78), target(21, 79)]))?;
        for source in [Source::Camera, Source::Microphone] {
            self.deliver(Event::Source(source, Presence::Back))?;
        }
        self.deliver(Event::Link(LinkChange::Up))?;
        self.deliver(Event::Clock(Clock::Trusted))?;
        self.deliver(Event::Warning(false))?;
        self.check_that_it_is_live_by_itself()?;
        // Twice: the first may have ended a broadcast that had already failed, with a fault to see.
        for _ in 0..2 {
            self.deliver(Event::Button(Gesture::Hold))?;
            self.advance_to(self.now + ms(3_000))?;
        }
        let rests = matches!(self.appliance.mode(), Mode::Ready | Mode::NotReady);
        keep(rests, || "no rest after the storm".to_owned())?;
        self.deliver(Event::Button(Gesture::Press))?;
        self.advance_to(self.now + ms(8_000))?;
        let all = Indication::Live { attention: Attention::None };
        keep(self.appliance.indication() == all, || "not live everywhere in calm".to_owned())?;
        self.deliver(Event::Button(Gesture::Hold))?;
        self.advance_to(self.now + ms(3_000))?;
        keep(self.appliance.mode() == Mode::Ready, || "no rest after calm".to_owned())?;
        keep(self.pipeline.is_none(), || "the pipeline runs on".to_owned())?;
        keep(self.tasks.values().all(|t| t.open.is_none()), || "a publish runs on".to_owned())?;
        keep(self.appliance.poll_timeout().is_none(), || "a timer at rest".to_owned())
    }

    /// A box that is to be live gets there without a hand, whatever it was in the middle of.
    fn check_that_it_is_live_by_itself(&mut self) -> Kept {
        if !self.persisted_live || self.rng.bool() {
            return Ok(());
        }
        // A failure that the storm has left behind, the longest wait of a destination or after a fault, and a
        // start that had begun in the storm.
        self.advance_to(self.now + FAULT_WAIT_MAX + FIRST_KEY_TIMEOUT + ms(120_000))?;
        let all = Indication::Live { attention: Attention::None };
        keep(self.appliance.indication() == all, || "not live in calm by itself".to_owned())
    }

    fn end_of_exit(&mut self) -> Kept {
        self.advance_to(self.now + STOPPING_TIMEOUT + ms(100))?;
        keep(self.exited, || "no exit after the system asked for it".to_owned())
    }

    // ── time ──────────────────────────────────────────────────────────────────────────────────

    fn later(&mut self, delay: Duration, what: Soon) {
        self.next += 1;
        self.queue.push(Reverse((self.now + delay, self.next)));
        self.soon.insert(self.next, what);
    }

    fn within_ms(&mut self, longest_ms: u64, what: Soon) {
        let delay = ms(self.rng.u64(..longest_ms));
        self.later(delay, what);
    }

    fn advance_to(&mut self, end: Duration) -> Kept {
        loop {
            let due = self.queue.peek().map(|Reverse((at, _))| *at);
            let timer = self.appliance.poll_timeout();
            let Some(at) = due.into_iter().chain(timer).min().filter(|at| *at <= end) else {
                self.now = end;
                return Ok(());
            };
            if timer.is_some_and(|timer| timer <= at) {
                // Timers come late, never early; and not so late that the checks would mind.
                self.now = self.now.max(at + ms(self.rng.u64(..3)));
                self.timeout()?;
                continue;
            }
            self.now = self.now.max(at);
            let Some(Reverse((_, id))) = self.queue.pop() else { continue };
            let Some(what) = self.soon.remove(&id) else { continue };
            self.happen(what)?;
        }
    }

    fn timeout(&mut self) -> Kept {
        self.appliance.handle_timeout(self.now);
        self.tell(|| "timeout".to_owned());
        self.perform(None)?;
        let next = self.appliance.poll_timeout();
        keep(next.is_none_or(|next| next > self.now), || format!("a timer that spins: {next:?}"))
    }

    fn happen(&mut self, what: Soon) -> Kept {
        match what {
            Soon::Deliver(event) => self.deliver(event),
            Soon::Arrive(order) => self.arrive(order),
            Soon::Fate(dest, attempt, what) => self.fate(dest, attempt, what),
            Soon::Closed(dest, attempt) => self.closed(dest, attempt),
            Soon::Pipeline(run, what) => {
                if self.pipeline == Some(run) {
                    self.report(Event::Pipeline { run, what });
                }
                Ok(())
            }
            Soon::PipelineGone(run) => {
                if self.pipeline == Some(run) {
                    self.pipeline = None;
                    self.report(Event::Pipeline { run, what: PipelineEvent::Ended });
                }
                Ok(())
            }
            Soon::Owner | Soon::SettingsGone if self.calm => Ok(()),
            Soon::SettingsGone => {
                self.targets.clear();
                self.deliver(Event::Targets(Vec::new()))
            }
            Soon::Owner => {
                let pause = ms(if self.rng.u8(..3) == 0 {
                    self.rng.u64(..300)
                } else {
                    self.rng.u64(..9_000)
                });
                self.later(pause, Soon::Owner);
                let event = self.some_event();
                self.deliver(event)
            }
        }
    }

    fn report(&mut self, event: Event) {
        let delay = ms(if self.rng.bool() { 0 } else { self.rng.u64(..60) });
        self.later(delay, Soon::Deliver(event));
    }

    // ── publish tasks ─────────────────────────────────────────────────────────────────────────

    fn send(&mut self, order: PublishOrder) -> Kept {
        let dest = destination(&order);
        let delay = ms(if self.rng.bool() { 0 } else { self.rng.u64(..60) });
        let task = self.tasks.entry(dest.0).or_default();
        task.on_the_way += 1;
        let waiting = task.on_the_way;
        let mut arrival = self.now + delay;
        if self.laws.orders_in_order {
            arrival = arrival.max(task.last_arrival);
        }
        task.last_arrival = arrival;
        self.later(arrival - self.now, Soon::Arrive(order));
        keep(waiting <= ORDERS_MAX, || format!("{waiting} orders wait for {dest:?}"))
    }

    fn arrive(&mut self, order: PublishOrder) -> Kept {
        match order {
            PublishOrder::Open { dest, attempt, server } => {
                let task = self.tasks.entry(dest.0).or_default();
                task.on_the_way -= 1;
                keep(task.open.is_none(), || format!("two publishes at once at {dest:?}"))?;
                task.open = Some(attempt);
                task.closing = false;
                task.at_backup = server == Server::Backup;
                self.plan_fate(dest, attempt);
            }
            PublishOrder::Return { dest, attempt } => {
                let task = self.tasks.entry(dest.0).or_default();
                task.on_the_way -= 1;
                let is_possible = task.open == Some(attempt) && !task.closing && task.at_backup;
                if is_possible && (self.calm || self.rng.u8(..3) > 0) {
                    let dial = ms(self.rng.u64(20..2_000));
                    self.later(dial, Soon::Fate(dest, attempt, PublishEvent::Returned));
                }
            }
            PublishOrder::Close { dest, attempt, polite } => {
                let task = self.tasks.entry(dest.0).or_default();
                task.on_the_way -= 1;
                if task.open != Some(attempt) {
                    return Ok(());
                }
                if !polite {
                    return self.closed(dest, attempt);
                }
                task.closing = true;
                let stuck = !self.calm && self.rng.u8(..8) == 0;
                let goodbye = ms(if stuck { 9_000 } else { self.rng.u64(..1_800) });
                self.later(goodbye, Soon::Closed(dest, attempt));
            }
        }
        Ok(())
    }

    /// What server and network will do to an attempt.
    fn plan_fate(&mut self, dest: DestinationId, attempt: u64) {
        let dial = ms(self.rng.u64(20..2_000));
        if self.calm {
            return self.later(dial, Soon::Fate(dest, attempt, PublishEvent::Accepted));
        }
        match self.rng.u8(..10) {
            0 => {} // silence
            1..5 => {
                let end = self.some_end();
                self.later(dial, Soon::Fate(dest, attempt, end));
            }
            _ => {
                self.later(dial, Soon::Fate(dest, attempt, PublishEvent::Accepted));
                if self.rng.bool() {
                    let end = self.some_end();
                    let life = ms(self.rng.u64(..90_000));
                    self.later(dial + life, Soon::Fate(dest, attempt, end));
                }
            }
        }
    }

    fn fate(&mut self, dest: DestinationId, attempt: u64, what: PublishEvent) -> Kept {
        let task = self.tasks.entry(dest.0).or_default();
        if task.open != Some(attempt) || task.closing {
            return Ok(());
        }
        match what {
            PublishEvent::Ended { .. } => task.open = None,
            PublishEvent::Returned => task.at_backup = false,
            PublishEvent::Accepted => {}
        }
        self.report(Event::Publish { dest, attempt, what });
        Ok(())
    }

    fn closed(&mut self, dest: DestinationId, attempt: u64) -> Kept {
        let task = self.tasks.entry(dest.0).or_default();
        if task.open == Some(attempt) {
            task.open = None;
            let what = PublishEvent::Ended { evidence: Evidence::Stopped, message: String::new() };
            self.report(Event::Publish { dest, attempt, what });
        }
        Ok(())
    }

    // ── the pipeline ──────────────────────────────────────────────────────────────────────────

    fn order_pipeline(&mut self, order: PipelineOrder) {
        match order {
            PipelineOrder::Start { run } | PipelineOrder::Restart { run } => {
                self.pipeline = Some(run);
                self.pipeline_stop = None;
                let start = ms(self.rng.u64(20..3_000));
                self.later(start / 2, Soon::Pipeline(run, PipelineEvent::Playing));
                let luck = if self.calm { 99 } else { self.rng.u8(..100) };
                if luck >= 10 {
                    self.later(start, Soon::Pipeline(run, PipelineEvent::FirstKey));
                }
                if (5..30).contains(&luck) {
                    let life = ms(self.rng.u64(..100_000));
                    let error = self.some_pipeline_error();
                    self.later(life, Soon::Pipeline(run, error));
                }
            }
            PipelineOrder::Stop => {
                self.pipeline_stop = Some(self.now);
                let Some(run) = self.pipeline else { return };
                let stuck = !self.calm && self.rng.u8(..40) == 0;
                let teardown = ms(if stuck { 30_000 } else { self.rng.u64(..1_500) });
                self.later(teardown, Soon::PipelineGone(run));
            }
        }
    }

    // ── the appliance and its promises ────────────────────────────────────────────────────────

    fn deliver(&mut self, mut event: Event) -> Kept {
        let mode = self.appliance.mode();
        self.note_requests(&event, mode);
        self.enter_into_ledger(&event);
        if !self.laws.events_numbered
            && let Event::Publish { dest, attempt, .. } = &mut event
            && let Some(ledger) = self.ledger.get(&dest.0)
        {
            *attempt = ledger.attempt; // as if nobody had counted
        }
        if self.rng.u8(..16) == 0
            && self.appliance.poll_timeout().is_none_or(|timer| timer > self.now)
        {
            self.appliance.handle_timeout(self.now);
            let spurious = self.appliance.poll_action();
            keep(spurious.is_none(), || format!("an early timeout did {spurious:?}"))?;
        }
        self.tell(|| format!("{event:?}"));
        self.appliance.handle(self.now, event.clone());
        self.note_camera(&event, mode);
        self.perform(Some((&event, mode)))
    }

    fn note_requests(&mut self, event: &Event, mode: Mode) {
        let live = asks_to_be_live(event);
        let reset = is_reset(event);
        let stop = reset || matches!(event, Event::Button(Gesture::Hold) | Event::Stop { .. });
        self.forgotten = !live && (self.forgotten || (reset && !self.exited));
        // A stop of a box that is stopping already does not begin its two seconds again.
        if stop && (self.stop_by.is_none() || mode != Mode::Stopping) {
            self.stop_by = Some(self.now + STOPPING_TIMEOUT + ms(5));
            self.may_resume = false;
        }
        if live || self.exit_by.is_some() || matches!(event, Event::Terminate) {
            self.stop_by = None;
        }
        if matches!(event, Event::Terminate) && self.exit_by.is_none() {
            self.exit_by = Some(self.now + STOPPING_TIMEOUT + ms(5));
        }
    }

    fn note_camera(&mut self, event: &Event, before: Mode) {
        let is_on_air = |mode| matches!(mode, Mode::Starting | Mode::Live | Mode::Retrying);
        match event {
            Event::Pipeline { what: PipelineEvent::Error { fault, .. }, .. } => {
                let ended = is_on_air(before) && !is_on_air(self.appliance.mode());
                self.camera_failed |= *fault == PipelineFault::Camera && ended && !self.camera_lost;
            }
            Event::Pipeline { what: PipelineEvent::FirstKey, .. } => self.camera_failed = false,
            Event::Source(Source::Camera, presence) => {
                self.camera_lost = *presence == Presence::Lost;
                self.camera_failed &= !self.camera_lost;
            }
            _ => {}
        }
    }

    fn enter_into_ledger(&mut self, event: &Event) {
        if asks_to_be_live(event) || matches!(event, Event::Targets(_)) {
            self.ledger.values_mut().for_each(|ledger| ledger.ended_for_good = false);
        }
        let Event::Publish { dest, attempt, what } = event else { return };
        let Some(ledger) = self.ledger.get_mut(&dest.0) else { return };
        if ledger.attempt != *attempt || ledger.over {
            return;
        }
        ledger.over = matches!(what, PublishEvent::Ended { .. });
        let is_for_good = matches!(
            what,
            PublishEvent::Ended { evidence: Evidence::Kicked | Evidence::BadSettings, .. }
        );
        ledger.ended_for_good = is_for_good && !ledger.closing;
        if *what == PublishEvent::Returned && ledger.accepted {
            ledger.server = Server::First;
        }
        ledger.accepted = match what {
            PublishEvent::Accepted => !ledger.closing,
            PublishEvent::Returned => ledger.accepted,
            PublishEvent::Ended { .. } => false,
        };
    }

    /// Does what the appliance wants done, and checks every promise.
    fn perform(&mut self, because: Option<(&Event, Mode)>) -> Kept {
        let is_by_button = matches!(because, Some((Event::Button(Gesture::Reset), _)));
        let mut orders = Vec::new();
        let mut count = 0;
        while let Some(action) = self.appliance.poll_action() {
            count += 1;
            keep(!self.exited, || format!("{action:?} after the exit"))?;
            if !matches!(action, Action::WentLive(_) | Action::Stopped(_)) {
                self.tell(|| format!("    {action:?}"));
            }
            match action {
                // The model asks for nothing that the hands answer.
                Action::FactoryReset => keep(is_by_button, || "nobody asked for a reset".into())?,
                Action::Publish(order) => {
                    self.check_order(order)?;
                    orders.push(order);
                    self.send(order)?;
                }
                Action::Pipeline(order) => {
                    keep(!is_lost_source(because), || "a lost source moved the pipeline".into())?;
                    self.order_pipeline(order);
                }
                Action::Show(indication) => {
                    self.seen.insert(indication);
                    self.check_light(indication)?;
                }
                Action::PersistLive(live) => {
                    keep(live != self.persisted_live, || "a live state that is no other".into())?;
                    self.persisted_live = live;
                }
                Action::Exit(code) => {
                    keep(code == 0 && self.exit_by.is_some(), || "an exit unasked for".into())?;
                    self.exited = true;
                }
                Action::Report(_)
                | Action::WentLive(_)
                | Action::Stopped(_)
                | Action::Notify(_) => {}
            }
        }
        keep(count <= ACTIONS_MAX, || format!("{count} actions for one event"))?;
        self.check_cause(because, &orders)?;
        self.check_that_it_goes_on(because)?;
        self.check_state()
    }

    fn check_order(&mut self, order: PublishOrder) -> Kept {
        match order {
            PublishOrder::Open { dest, attempt, server } => {
                keep(attempt > self.attempts, || format!("attempt {attempt} is not new"))?;
                self.attempts = attempt;
                let ledger = self.ledger.entry(dest.0).or_default();
                keep(ledger.attempt == 0 || ledger.over, || {
                    format!("{dest:?} is opened while attempt {} is not over", ledger.attempt)
                })?;
                keep(!self.forgotten, || {
                    format!("{dest:?} is opened although all was to be forgotten")
                })?;
                keep(!ledger.ended_for_good, || {
                    format!("{dest:?} is opened by itself after it was kicked or cannot work")
                })?;
                *ledger = Ledger { attempt, server, ..Ledger::default() };
                keep(server == Server::First || has_backup(dest.0), || {
                    format!("{dest:?} is opened at a backup server that it does not have")
                })?;
            }
            PublishOrder::Return { dest, attempt } => {
                let ledger = self.ledger.entry(dest.0).or_default();
                keep(ledger.attempt == attempt && ledger.accepted, || {
                    format!("{dest:?}: what is not live is to return")
                })?;
                keep(ledger.server == Server::Backup, || {
                    format!("{dest:?} is to return from its first server")
                })?;
            }
            PublishOrder::Close { dest, attempt, polite } => {
                let ledger = self.ledger.entry(dest.0).or_default();
                keep(ledger.attempt == attempt, || format!("{dest:?}: a wrong one is closed"))?;
                ledger.accepted = false;
                ledger.closing = true;
                ledger.over |= !polite;
            }
        }
        Ok(())
    }

    fn check_light(&self, indication: Indication) -> Kept {
        let stuck = |at: Duration| self.now >= at + STOPPING_TIMEOUT;
        let resting = self.pipeline.is_none() || self.pipeline_stop.is_some_and(stuck);
        let is_ready = matches!(indication, Indication::Ready | Indication::ReadyWarning);
        keep(!is_ready || resting, || "the light says ready while the camera runs".to_owned())
    }

    /// Nothing disturbs what it has nothing to do with.
    fn check_cause(&self, because: Option<(&Event, Mode)>, orders: &[PublishOrder]) -> Kept {
        let Some((event, before)) = because else { return Ok(()) };
        let of = destination;
        match event {
            Event::Publish { dest, .. } if self.appliance.mode() != Mode::Stopping => {
                keep(orders.iter().all(|order| of(order) == *dest), || {
                    format!("an event of {dest:?} moved another destination: {orders:?}")
                })
            }
            Event::Source(..) if !matches!(before, Mode::Ready | Mode::NotReady) => {
                keep(orders.is_empty(), || "a source moved a publish".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Nothing but plain words of a server, or settings that cannot work, ends a destination for good: any
    /// other end leaves it waiting for its next attempt.
    fn check_that_it_goes_on(&self, because: Option<(&Event, Mode)>) -> Kept {
        let Some((Event::Publish { dest, attempt, what }, before)) = because else { return Ok(()) };
        let PublishEvent::Ended { evidence, .. } = what else { return Ok(()) };
        let Some(ledger) = self.ledger.get(&dest.0) else { return Ok(()) };
        let is_current = ledger.attempt == *attempt && !ledger.closing && ledger.over;
        let was_on_air = matches!(before, Mode::Starting | Mode::Live | Mode::Retrying);
        if !is_current || !was_on_air || ledger.ended_for_good {
            return Ok(());
        }
        let status = self.appliance.status(self.now);
        let state = status.destinations.iter().find(|d| d.id == dest.0).map(|d| d.state);
        let goes_on = [DestinationState::Waiting, DestinationState::Connecting];
        keep(state.is_none_or(|state| goes_on.contains(&state)), || {
            format!("{dest:?} is {state:?} after {evidence:?}")
        })
    }

    fn check_state(&mut self) -> Kept {
        let mode = self.appliance.mode();
        let indication = self.appliance.indication();
        let status = self.appliance.status(self.now);
        keep(!self.camera_failed || !status.facts.camera, || {
            "the camera counts as present although it could not be opened".to_owned()
        })?;
        for destination in &status.destinations {
            let says = destination.state == DestinationState::Accepted;
            let is = self.ledger.get(&destination.id).is_some_and(|ledger| ledger.accepted);
            keep(says == is, || format!("{} is accepted: {is}, says {says}", destination.name))?;
            let server = self.ledger.get(&destination.id).map(|ledger| ledger.server);
            keep(!is || destination.server.is_none_or(|says| Some(says) == server), || {
                format!("{} is at {server:?}, says {:?}", destination.name, destination.server)
            })?;
            let waits = destination.state == DestinationState::Waiting;
            keep(!waits || !self.forgotten, || "a wait after a factory reset".to_owned())?;
            let wait_ms = destination.next_attempt_in_ms.unwrap_or(0);
            keep(wait_ms <= 72_000, || format!("a wait of {wait_ms} ms"))?;
        }
        let on_air = matches!(mode, Mode::Starting | Mode::Live | Mode::Retrying);
        let accepted = status.destinations.iter().any(|d| d.state == DestinationState::Accepted);
        keep(!on_air || (mode == Mode::Live) == accepted, || format!("{mode:?}, {accepted}"))?;
        keep(status.destinations.len() <= DESTINATIONS_MAX, || "too many".to_owned())?;
        keep(on_air == indication.is_broadcast(), || format!("{mode:?} shows {indication:?}"))?;
        keep(!status.because.is_empty(), || format!("{mode:?} without a sentence"))?;
        keep(mode != Mode::Fault || matches!(indication, Indication::Fault(_)), || {
            format!("a fault shows {indication:?}")
        })?;
        let says_live = matches!(indication, Indication::Live { .. });
        let acknowledged = self.ledger.values().any(|ledger| ledger.accepted);
        keep(!says_live || acknowledged, || "LIVE before anything is acknowledged".to_owned())?;
        // A warning of the machine comes last.
        let hides =
            [Attention::None, Attention::Warning].map(|a| Indication::Live { attention: a });
        keep(
            !hides.contains(&indication)
                || status.destinations.iter().all(|d| d.state == DestinationState::Accepted),
            || "the light hides a missing destination".to_owned(),
        )?;
        self.check_deadlines(mode, on_air)
    }

    fn check_deadlines(&mut self, mode: Mode, on_air: bool) -> Kept {
        // After a power cut what it takes to be live may come late.
        self.may_resume &= !on_air;
        keep(!on_air || self.persisted_live, || {
            "on air, but a power cut would forget it".to_owned()
        })?;
        let resting = matches!(mode, Mode::Ready | Mode::NotReady | Mode::NeedsSetup);
        keep(!resting || !self.persisted_live || self.may_resume, || {
            "at rest, yet to be live".to_owned()
        })?;
        keep(!self.forgotten || (!self.persisted_live && !on_air), || {
            format!("{mode:?}, to be live: {}, after a factory reset", self.persisted_live)
        })?;
        let soon = self.appliance.poll_timeout().is_some_and(|at| at <= self.now + FAULT_WAIT_MAX);
        keep(mode != Mode::Fault || soon == self.persisted_live, || {
            format!("a fault that is tried again: {soon}, to be live: {}", self.persisted_live)
        })?;
        if self.stop_by.is_some_and(|by| self.now > by) {
            keep(!on_air && mode != Mode::Stopping, || format!("{mode:?} long after a stop"))?;
            self.stop_by = None;
        }
        keep(self.exited || self.exit_by.is_none_or(|by| self.now <= by), || "no exit".to_owned())
    }

    // ── the story, for whoever has to find out ────────────────────────────────────────────────

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let _ = writeln!(story, "{:9.3}  {}", self.now.as_secs_f64(), what());
        }
    }
}

fn asks_to_be_live(event: &Event) -> bool {
    matches!(event, Event::Button(Gesture::Press) | Event::GoLive { .. })
}

fn is_reset(event: &Event) -> bool {
    matches!(event, Event::FactoryReset | Event::Button(Gesture::Reset))
}

fn is_lost_source(because: Option<(&Event, Mode)>) -> bool {
    matches!(because, Some((Event::Source(_, Presence::Lost), _)))
}

fn destination(order: &PublishOrder) -> DestinationId {
    let (PublishOrder::Open { dest, .. }
    | PublishOrder::Return { dest, .. }
    | PublishOrder::Close { dest, .. }) = order;
    *dest
}

fn has_backup(id: u32) -> bool {
    id.is_multiple_of(2)
}

fn target(id: u32, revision: u64) -> Target {
    let name = format!("d{id}");
    Target { id: DestinationId(id), name, revision, has_key: true, has_backup: has_backup(id) }
}
