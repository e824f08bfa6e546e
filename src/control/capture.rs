//! The state of the capture.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::action::Still;
use super::capture_slot::Slot;
use super::event::Missing;
use super::exchange::Exchanges;
use super::standby::Standby;
use crate::appliance::Event as Happening;
use crate::audio::Adjustments;
use crate::config::Settings;
use crate::config::schema::{Audio, Values, Video, Wifi, Wired};
use crate::limits::{
    CAPTURE_RUNS_MAX, DRIVER_HANGS, LEVELS_LOOK, REPROBE_INTERVAL, STANDBY_PATIENCE,
};
use crate::video::Framing;

/// What is known of the capture.
#[derive(Debug)]
pub(super) struct CaptureState {
    pub slot: Slot,
    /// Whom the devices are for; `None` when they are to be held by nobody.
    pub user: Option<User>,
    pub standby: Standby,
    /// The program ends: nothing is opened or asked any more.
    pub is_over: bool,
    /// Questions that wait for the devices, or for what they deliver.
    pub questions: Vec<Question>,
    /// The next look for what they deliver, and when the levels are shown next to whoever watches.
    pub next_levels_look: Duration,
    pub next_levels_shown: Duration,
    /// The number of the last run of the devices.
    last_run: u64,
    /// What the appliance calls those runs of the devices that are for a broadcast.
    broadcasts: BTreeMap<u64, u64>,
    /// The devices of the current run were opened in standby, and are not on air yet.
    pub in_standby: bool,
    /// What is captured from the next broadcast on, and what is captured in the current run.
    pub wanted: Arc<Settings>,
    pub in_use: Arc<Settings>,
    /// What the encoder was asked for last, in kbit/s.
    pub bitrate_kbps: u32,
    /// What was to be done to the audio last.
    pub audio: Adjustments,
    /// What was to be done to the camera's video last.
    pub framing: Framing,
    pub exchanges: Exchanges,
    /// The camera or microphone that is not there, in words.
    pub missing: Missing,
    pub next_look: Duration,
    pub drivers: Drivers,
    /// What the appliance learns as soon as its decisions are carried out.
    pub ended: VecDeque<Happening>,
}

/// Whom the devices are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    Broadcast,
    Standby,
}

/// A question that only the devices can answer.
#[derive(Debug)]
pub(super) struct Question {
    pub request: u64,
    pub of: Asks,
    /// How long it waits.
    pub until: Duration,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// How loud the audio is.
    Levels,
    /// A frame as a JPEG.
    Still(Still),
    /// Which devices there are: it waits until none is in use.
    Devices,
}

impl Asks {
    pub fn is_still(self) -> bool {
        matches!(self, Asks::Still(_))
    }
}

/// What settings say about a capture. What is not left out here counts, so that no capture is used for
/// settings that it does not have.
fn of_capture(settings: &Settings) -> Values {
    let mut values: Values = (**settings).clone();
    // These are set while it runs.
    let Video { width, height, fps, keyframe_interval_ms, .. } = values.video;
    let of_encoder = Video { width, height, fps, keyframe_interval_ms, ..Video::default() };
    // A camera in standby is opened again where it has to deliver something else.
    values.video = of_encoder.with(&settings.video.framing().for_opening());
    let (bitrate_kbps, channels) = (values.audio.bitrate_kbps, values.audio.channels);
    values.audio = Audio { bitrate_kbps, channels, ..Audio::default() };
    // These are none of its business.
    (values.resume_live, values.standby, values.console_pin) = (false, false, None);
    (values.wired, values.wifi) = (Wired::default(), Wifi::default());
    values.destinations.clear();
    values
}

/// Devices that are being opened or closed by their drivers.
#[derive(Debug, Default)]
pub(super) struct Drivers {
    at_work: u32,
    /// When one of them was last asked, or last answered.
    since: Duration,
    /// That one hangs for good has been reported.
    pub is_left_alone: bool,
}

impl Drivers {
    pub fn asked(&mut self, now: Duration) {
        (self.at_work, self.since) = (self.at_work.saturating_add(1), now);
    }

    pub fn answered(&mut self, now: Duration) {
        (self.at_work, self.since) = (self.at_work.saturating_sub(1), now);
        self.is_left_alone = false;
    }
}

impl CaptureState {
    pub fn new(now: Duration, settings: Arc<Settings>) -> CaptureState {
        CaptureState {
            slot: Slot::new(),
            user: None,
            standby: Standby::default(),
            is_over: false,
            questions: Vec::new(),
            next_levels_look: now,
            next_levels_shown: now,
            last_run: 0,
            broadcasts: BTreeMap::new(),
            in_standby: false,
            wanted: settings.clone(),
            in_use: settings,
            bitrate_kbps: 0,
            audio: Adjustments::default(),
            framing: Framing::default(),
            exchanges: Exchanges::default(),
            missing: Missing::default(),
            next_look: now + REPROBE_INTERVAL,
            drivers: Drivers::default(),
            ended: VecDeque::new(),
        }
    }

    /// Nobody holds a device or is to have one.
    pub fn is_off(&self) -> bool {
        self.slot.is_off()
    }

    /// Whether devices deliver, for whomever.
    pub fn is_on(&self) -> bool {
        self.slot.is_on()
    }

    /// Whether the devices are a broadcast's, or are to be.
    pub fn is_for_broadcast(&self) -> bool {
        self.user == Some(User::Broadcast)
    }

    /// Whether they deliver for a broadcast.
    pub fn is_on_air(&self) -> bool {
        self.is_for_broadcast() && self.is_on()
    }

    /// A new run of the devices, and the broadcast that it is for, if it is for one.
    pub fn new_run(&mut self, broadcast: Option<u64>) -> u64 {
        self.last_run += 1;
        if let Some(broadcast) = broadcast {
            self.is_for(self.last_run, broadcast);
        }
        self.last_run
    }

    /// A run of the devices is a broadcast's from now on.
    pub fn is_for(&mut self, run: u64, broadcast: u64) {
        self.broadcasts.insert(run, broadcast);
        while self.broadcasts.len() > CAPTURE_RUNS_MAX {
            self.broadcasts.pop_first();
        }
    }

    /// What the appliance calls this run; `None` where it is not a broadcast's.
    pub fn broadcast_of(&self, run: u64) -> Option<u64> {
        self.broadcasts.get(&run).copied()
    }

    /// The same for the last time.
    pub fn end_of(&mut self, run: u64) -> Option<u64> {
        self.broadcasts.remove(&run)
    }

    /// Whether this run is in standby, and not one that is being closed.
    pub fn is_standby(&self, run: u64) -> bool {
        self.user == Some(User::Standby) && self.slot.current() == Some(run)
    }

    /// Whether what is captured is what the settings want.
    pub fn is_as_wanted(&self) -> bool {
        of_capture(&self.in_use) == of_capture(&self.wanted)
    }

    /// Other settings are in force; whether a capture would be another one.
    pub fn want(&mut self, settings: Settings) -> bool {
        let before = std::mem::replace(&mut self.wanted, Arc::new(settings));
        of_capture(&before) != of_capture(&self.wanted)
    }

    pub fn ask(&mut self, now: Duration, request: u64, of: Asks) {
        self.questions.push(Question { request, of, until: now + STANDBY_PATIENCE });
        self.next_levels_look = now;
    }

    /// Whether anybody waits for this.
    pub fn is_asked(&self, of: Asks) -> bool {
        self.questions.iter().any(|question| question.of == of)
    }

    /// Takes the requests that wait for this.
    pub fn take_questions(&mut self, is_it: impl Fn(&Question) -> bool) -> Vec<Question> {
        let all = std::mem::take(&mut self.questions);
        let (taken, left) = all.into_iter().partition(is_it);
        self.questions = left;
        taken
    }

    /// When the levels are to be read.
    fn levels_due(&self) -> Option<Duration> {
        let asked = self.is_asked(Asks::Levels).then_some(self.next_levels_look);
        let watched = self.next_levels_shown.max(self.next_levels_look);
        let watched = self.standby.is_watched().then_some(watched);
        asked.into_iter().chain(watched).min().filter(|_| self.is_on())
    }

    /// Whether the levels are to be read now.
    pub fn takes_levels(&mut self, now: Duration) -> bool {
        let is_due = self.levels_due().is_some_and(|at| now >= at);
        if is_due {
            self.next_levels_look = now + LEVELS_LOOK;
        }
        is_due
    }

    /// Whether a driver holds a device for good.
    pub fn drivers_hang(&self, now: Duration) -> bool {
        self.drivers.at_work > 0 && now.saturating_sub(self.drivers.since) > DRIVER_HANGS
    }

    pub fn poll_timeout(&self) -> Option<Duration> {
        let look = self.is_off().then_some(self.next_look);
        let held = self.user == Some(User::Standby);
        let release = self.standby.release_at().filter(|_| held && self.questions.is_empty());
        let patience = self.questions.iter().map(|question| question.until).min();
        let exchange = self.exchanges.poll_timeout();
        let all = [look, self.slot.poll_timeout(), release, patience, self.levels_due(), exchange];
        all.into_iter().flatten().min()
    }

    /// A run has ended: for the appliance.
    pub fn poll_ended(&mut self) -> Option<Happening> {
        self.ended.pop_front()
    }

    /// The encoder is to have this bitrate; whether it has to be set.
    pub fn set_bitrate(&mut self, kbps: u32) -> bool {
        let is_other = self.is_on_air() && self.bitrate_kbps != kbps;
        if is_other {
            self.bitrate_kbps = kbps;
        }
        is_other
    }

    /// This is to be done to the camera's video; whether the running capture has to be notified.
    pub fn set_framing(&mut self, framing: Framing) -> bool {
        let is_other = self.is_on() && self.framing != framing;
        if is_other {
            self.framing = framing;
        }
        is_other
    }

    /// This is to be done to the audio; whether the running capture has to be adjusted.
    pub fn set_audio(&mut self, audio: Adjustments) -> bool {
        let is_other = self.is_on() && self.audio != audio;
        if is_other {
            self.audio = audio;
        }
        is_other
    }
}
