//! The sources that a running capture has, and how one takes the place of another.
//!
//! What is captured from now on is ordered as plans ([`Orders`]); the mixer carries it out. A source
//! whose plan is still wanted stays as it is. Another one gets a thread of its own, which first waits until
//! its device is connected: until then the one on air stays there, also when it is lost for a while. Then that one is
//! closed, slate or silence replace it, and the new one is opened, for as long as that takes. So one device
//! can be opened again in another mode, and two that share a bus need not have room there together.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
    mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
};

use super::{
    known::Known,
    managed::{Change, Ended, ManagedSource, OnFrame, Shared, Turn},
    opener::{Elements, SourceOpener},
};
use crate::{
    capture::{
        decode::JpegDecoders,
        discovery::{SourcePlan, hotplug},
        event::Source,
        frame_format::WantedFrames,
        gst::clock::MediaClock,
        request::{AudioSettings, MicrophoneSource, Request, VideoSettings},
        stats::Counters,
        threads::{Notifier, StopFlag},
    },
    limits::{CAPTURE_DEVICE_CLOSE_TIMEOUT, CAPTURE_REOPEN_INTERVAL, CAPTURE_SOURCES_MAX},
    selection::Exchanged,
};

/// What is to be captured from now on.
#[derive(Debug, Clone)]
pub struct Order {
    number: u64,
    plans: Vec<SourcePlan>,
    may_deliver_jpeg: bool,
    microphone: MicrophoneSource,
}

impl Order {
    /// The sources of a request.
    pub fn of(number: u64, request: &Request) -> Order {
        Order {
            number,
            plans: SourcePlan::of(request),
            may_deliver_jpeg: request.camera.may_deliver_jpeg(),
            microphone: request.microphone.clone(),
        }
    }
}

/// Where orders wait for the mixer, the newest alone.
#[derive(Debug, Clone, Default)]
pub struct Orders(Arc<Mutex<Option<Order>>>);

impl Orders {
    /// From any thread.
    pub fn put(&self, order: Order) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
    }

    /// Never waits.
    fn take(&self) -> Option<Order> {
        self.0.try_lock().ok()?.take()
    }
}

/// What happened to the sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// Slate or silence replace it.
    Lost { roles: Vec<Source>, why: String },
    /// The same, because another one is being opened in its place.
    Replaced { role: Source },
    /// It is on air again, or for the first time.
    Back { role: Source },
    /// What the owner has chosen and a source is used without.
    Note(String),
    /// What has come of an order.
    Exchange { number: u64, source: Source, outcome: Exchanged },
    /// From now on the audio comes from this, or is generated.
    Microphone(MicrophoneSource),
}

/// How sources of this capture are opened.
pub struct Starter {
    pub video: VideoSettings,
    pub audio: AudioSettings,
    pub frames: WantedFrames,
    pub clock: MediaClock,
    pub counters: Arc<Counters>,
    pub elements: Elements,
    pub known: Known,
    pub jpeg_order: Vec<String>,
    /// Decoders of devices were tried.
    pub has_tried_decoders: bool,
    /// The kernel is listened to for devices that are plugged in.
    pub listens: bool,
    pub shared: Shared,
}

impl Starter {
    pub fn opener(&self, plan: SourcePlan) -> SourceOpener {
        SourceOpener {
            plan,
            video: self.video.clone(),
            scales: true,
            frames: self.frames.clone(),
            audio: self.audio.clone(),
            clock: self.clock.clone(),
            counters: Arc::clone(&self.counters),
            elements: self.elements.clone(),
            known: self.known.clone(),
        }
    }

    /// Devices that are plugged in from now on are noticed at once.
    pub fn listen(&mut self) {
        if !std::mem::replace(&mut self.listens, true) {
            hotplug::listen(&self.shared.threads, self.shared.arrivals.clone());
        }
    }

    /// JPEGs may come from now on.
    fn try_decoders(&mut self) {
        if !std::mem::replace(&mut self.has_tried_decoders, true) {
            self.elements.decoders = JpegDecoders::of(&self.jpeg_order, &self.video, true);
        }
    }
}

/// A source that waits until it takes the place of others.
struct Successor {
    source: ManagedSource,
    number: u64,
    microphone: MicrophoneSource,
    /// Its device is connected, or why it is not.
    presence: Receiver<Result<(), String>>,
    /// It is connected.
    is_there: bool,
    /// Why it is not, as far as that is known.
    absent: Option<String>,
    /// Begins its turn, with what has to end before.
    begin: SyncSender<Vec<Ended>>,
}

/// A source on air, and the order that has brought it there until it delivers.
struct OnAir {
    source: ManagedSource,
    order: Option<u64>,
    /// What it is used without, as it was reported last.
    note: Option<String>,
}

/// The sources of a running capture.
pub struct SourceSet {
    all: Vec<OnAir>,
    waiting: Vec<Successor>,
    starter: Starter,
    orders: Orders,
    on_frame: Option<OnFrame>,
    /// The greatest number of an opening of those that were retired.
    last_opening: u64,
}

impl SourceSet {
    pub fn new(all: Vec<ManagedSource>, starter: Starter) -> SourceSet {
        let on_air = |source: ManagedSource| {
            // It was reported at the start.
            let note = source.description().and_then(|(_, note)| note.map(str::to_owned));
            OnAir { source, order: None, note }
        };
        SourceSet {
            all: all.into_iter().map(on_air).collect(),
            waiting: Vec::new(),
            starter,
            orders: Orders::default(),
            on_frame: None,
            last_opening: 0,
        }
    }

    /// Where orders are left.
    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Starts clips at a media time.
    pub fn start_at(&mut self, media_ns: u64) {
        self.all.iter_mut().for_each(|on_air| on_air.source.start_at(media_ns));
    }

    /// Lets a live camera's own thread deal with its frames, also that of one that comes later.
    pub fn on_frame(&mut self, on_frame: &OnFrame) {
        self.on_frame = Some(Arc::clone(on_frame));
        self.all.iter_mut().for_each(|on_air| on_air.source.on_frame(Arc::clone(on_frame)));
    }

    /// The source of a track.
    pub fn of(&mut self, role: Source) -> Option<&mut ManagedSource> {
        let mut all = self.all.iter_mut().map(|on_air| &mut on_air.source);
        all.find(|source| source.roles().contains(&role))
    }

    /// Closes all of them.
    pub fn close(&mut self) {
        self.all.clear();
        self.waiting.clear();
    }

    /// Replaces what failed, has ended or is not wanted any more; to be called before anything is taken.
    pub fn poll(&mut self, now_ns: u64) -> Vec<SourceEvent> {
        let mut events = Vec::new();
        if let Some(order) = self.orders.take() {
            self.carry_out(order, &mut events);
        }
        self.let_successors_begin(&mut events);
        for on_air in &mut self.all {
            on_air.poll(now_ns, &mut events);
        }
        events
    }

    fn carry_out(&mut self, order: Order, events: &mut Vec<SourceEvent>) {
        let Order { number, plans, may_deliver_jpeg, microphone } = order;
        if may_deliver_jpeg {
            self.starter.try_decoders();
        }
        if plans.iter().any(SourcePlan::is_device) {
            self.starter.listen();
        }
        let (wanted, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|successor| plans.contains(successor.source.plan()));
        self.waiting = wanted;
        // They hold no device.
        others.into_iter().for_each(|successor| drop(successor.source.retire()));
        for role in [Source::Camera, Source::Microphone] {
            let plan = plans.iter().find(|plan| match role {
                Source::Camera => plan.has_video(),
                Source::Microphone => plan.has_audio(),
            });
            let Some(plan) = plan else {
                drop(self.retire(&[role]));
                if role == Source::Microphone {
                    events.push(SourceEvent::Microphone(microphone.clone()));
                }
                events.push(SourceEvent::Back { role });
                let outcome = Exchanged::Delivers(String::new());
                events.push(SourceEvent::Exchange { number, source: role, outcome });
                continue;
            };
            if let Some(outcome) = self.stands_for(plan, number) {
                events.extend(outcome.map(|outcome| SourceEvent::Exchange {
                    number,
                    source: role,
                    outcome,
                }));
            } else if let Err(why) = self.start_successor(plan, number, &microphone) {
                let outcome = Exchanged::Fails(why);
                events.push(SourceEvent::Exchange { number, source: role, outcome });
            }
        }
    }

    /// Whether a plan is already carried out, or about to be, and what is known of that.
    fn stands_for(&mut self, plan: &SourcePlan, number: u64) -> Option<Option<Exchanged>> {
        if let Some(on_air) = self.all.iter_mut().find(|on_air| on_air.source.plan() == plan) {
            on_air.order = on_air.source.is_closed().then_some(number);
            // What went wrong before has nothing to do with this order.
            drop(on_air.source.take_trouble());
            let name = on_air.source.description().map(|(name, _)| name.to_owned());
            return Some(name.map(Exchanged::Delivers));
        }
        let waiting = self.waiting.iter_mut();
        let successor = waiting.into_iter().find(|it| it.source.plan() == plan)?;
        successor.number = number;
        Some(successor.absent.clone().map(Exchanged::Waits))
    }

    fn start_successor(
        &mut self,
        plan: &SourcePlan,
        number: u64,
        microphone: &MicrophoneSource,
    ) -> Result<(), String> {
        // One reference is the starter's own.
        if Arc::strong_count(&self.starter.shared.alive) > CAPTURE_SOURCES_MAX {
            return Err("the drivers of earlier ones do not respond; it is used from the next \
                        broadcast on"
                .to_owned());
        }
        let shared = self.starter.shared.clone();
        let (found, presence) = sync_channel(2);
        let (begin, turn) = sync_channel(1);
        let (wake, arrivals) = (shared.wake.clone(), shared.arrivals.clone());
        let waits = WaitsForTurn { plan: plan.clone(), wake, arrivals, found, turn };
        let turn: Turn = Box::new(move |stop, is_retired| waits.wait(stop, is_retired));
        let source = ManagedSource::start_later(self.starter.opener(plan.clone()), &shared, turn)
            .map_err(|error| error.to_string())?;
        let microphone = microphone.clone();
        let (is_there, absent) = (false, None);
        let successor = Successor { source, number, microphone, presence, is_there, absent, begin };
        self.waiting.push(successor);
        Ok(())
    }

    /// Lets each source begin whose device is connected, where nothing that it takes the place of is left
    /// without a successor. Until then the one before is used, and looked for when it is lost.
    fn let_successors_begin(&mut self, events: &mut Vec<SourceEvent>) {
        for successor in &mut self.waiting {
            successor.look(events);
        }
        while let Some(at) = self.waiting.iter().position(|successor| self.may_begin(successor)) {
            let successor = self.waiting.remove(at);
            let roles = successor.source.roles().to_vec();
            self.begin(successor, &roles, events);
        }
    }

    /// One source may deliver both video and audio: it is closed when each of them has a successor.
    fn may_begin(&self, successor: &Successor) -> bool {
        let roles = successor.source.roles();
        let has_successor = |role: &Source| {
            self.waiting.iter().any(|it| it.is_there && it.source.roles().contains(role))
        };
        let before = self.all.iter().map(|on_air| on_air.source.roles());
        let mut before = before.filter(|before| before.iter().any(|role| roles.contains(role)));
        successor.is_there && before.all(|before| before.iter().all(has_successor))
    }

    fn begin(&mut self, successor: Successor, roles: &[Source], events: &mut Vec<SourceEvent>) {
        let Successor { mut source, number, microphone, begin, .. } = successor;
        let ended = self.retire(roles);
        source.count_openings_from(self.last_opening + 1);
        if let Some(on_frame) = &self.on_frame {
            source.on_frame(Arc::clone(on_frame));
        }
        // It waits for nothing else, and has room for it.
        let _ = begin.try_send(ended);
        self.starter.shared.arrivals.notify();
        if roles.contains(&Source::Microphone) {
            events.push(SourceEvent::Microphone(microphone));
        }
        events.extend(roles.iter().map(|source| SourceEvent::Exchange {
            number,
            source: *source,
            outcome: Exchanged::Begins,
        }));
        self.all.push(OnAir { source, order: Some(number), note: None });
    }

    /// Gives the sources of these tracks up.
    fn retire(&mut self, roles: &[Source]) -> Vec<Ended> {
        let shares = |on_air: &OnAir| roles.iter().any(|it| on_air.source.roles().contains(it));
        let (retired, others) =
            std::mem::take(&mut self.all).into_iter().partition::<Vec<_>, _>(shares);
        self.all = others;
        let openings = retired.iter().map(|on_air| on_air.source.opening());
        self.last_opening = openings.max().unwrap_or_default().max(self.last_opening);
        retired.into_iter().map(|on_air| on_air.source.retire()).collect()
    }
}

impl Successor {
    /// Takes what is known of its device.
    fn look(&mut self, events: &mut Vec<SourceEvent>) {
        match self.presence.try_recv() {
            Ok(Ok(())) => self.is_there = true,
            Ok(Err(why)) => {
                let (number, outcome) = (self.number, Exchanged::Waits(why.clone()));
                events.extend(self.source.roles().iter().map(|source| SourceEvent::Exchange {
                    number,
                    source: *source,
                    outcome: outcome.clone(),
                }));
                self.absent = Some(why);
            }
            // It is not known yet, or the capture stops.
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
    }
}

impl OnAir {
    fn poll(&mut self, now_ns: u64, events: &mut Vec<SourceEvent>) {
        let change = self.source.poll(now_ns);
        let roles = self.source.roles();
        match change {
            Some(Change::Lost { why }) => {
                events.push(SourceEvent::Lost { roles: roles.to_vec(), why });
            }
            Some(Change::Begins) => {
                events.extend(roles.iter().map(|role| SourceEvent::Replaced { role: *role }));
            }
            Some(Change::Back) => {
                events.extend(roles.iter().map(|role| SourceEvent::Back { role: *role }));
                self.is_back(events);
            }
            None => {}
        }
        let Some(number) = self.order else { return };
        if let Some(why) = self.source.take_trouble() {
            let roles = self.source.roles().iter();
            events.extend(roles.map(|source| SourceEvent::Exchange {
                number,
                source: *source,
                outcome: Exchanged::Fails(why.clone()),
            }));
        }
    }

    fn is_back(&mut self, events: &mut Vec<SourceEvent>) {
        // That is over.
        drop(self.source.take_trouble());
        let Some((name, note)) = self.source.description() else { return };
        if note != self.note.as_deref() {
            events.extend(note.map(|note| SourceEvent::Note(note.to_owned())));
        }
        let (name, note) = (name.to_owned(), note.map(str::to_owned));
        if let Some(number) = self.order.take() {
            let with_note = [Some(name), note.clone()];
            let what = with_note.into_iter().flatten().collect::<Vec<_>>().join("; ");
            let roles = self.source.roles().iter();
            events.extend(roles.map(|source| SourceEvent::Exchange {
                number,
                source: *source,
                outcome: Exchanged::Delivers(what.clone()),
            }));
        }
        self.note = note;
    }
}

/// A source's thread before it is its turn.
struct WaitsForTurn {
    plan: SourcePlan,
    wake: Notifier,
    arrivals: Notifier,
    found: SyncSender<Result<(), String>>,
    turn: Receiver<Vec<Ended>>,
}

impl WaitsForTurn {
    /// Waits until the device is connected, reports that, and then until it is the source's turn and what
    /// was before it is closed, or does not respond; `false` when it never is.
    fn wait(&self, stop: &StopFlag, is_retired: &AtomicBool) -> bool {
        let mut is_reported = false;
        let before = loop {
            // Before anything is looked at, so that what happens meanwhile ends the wait.
            let counted = self.arrivals.count();
            if stop.is_set() || is_retired.load(Ordering::Relaxed) {
                return false;
            }
            match self.turn.try_recv() {
                Ok(before) => break before,
                Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => {}
            }
            match self.plan.check_presence() {
                Ok(()) => {
                    self.report(Ok(()));
                    let Ok(before) = self.turn.recv() else { return false };
                    break before;
                }
                Err(why) if !std::mem::replace(&mut is_reported, true) => self.report(Err(why)),
                Err(_) => {}
            }
            if self.arrivals.wait(CAPTURE_REOPEN_INTERVAL, counted) {
                return false;
            }
        };
        for ended in before {
            // It ends by itself, or hangs in a driver.
            let _ = ended.recv_timeout(CAPTURE_DEVICE_CLOSE_TIMEOUT);
        }
        !stop.is_set()
    }

    fn report(&self, presence: Result<(), String>) {
        // There is room for both reports.
        let _ = self.found.try_send(presence);
        self.wake.notify();
    }
}
