//! The state of the capture.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::capture_slot::Slot;
use crate::appliance::Event as Happening;
use crate::config::Settings;
use crate::limits::{DRIVER_HANGS, REPROBE_INTERVAL};

/// What is known of the capture.
#[derive(Debug)]
pub(super) struct CaptureState {
    pub slot: Slot,
    /// What is captured from the next broadcast on, and what is captured in this one.
    pub wanted: Arc<Settings>,
    pub on_air: Arc<Settings>,
    /// What the encoder was asked for last, in kbit/s.
    pub bitrate_kbps: u32,
    /// The camera or microphone that is not there, in words.
    pub missing: Option<String>,
    pub next_look: Duration,
    pub drivers: Drivers,
    pub ended: VecDeque<Happening>,
}

/// Devices that are being opened or closed by their drivers.
#[derive(Debug, Default)]
pub(super) struct Drivers {
    at_work: u32,
    /// When one of them was last asked, or last answered.
    since: Duration,
}

impl Drivers {
    pub fn asked(&mut self, now: Duration) {
        (self.at_work, self.since) = (self.at_work.saturating_add(1), now);
    }

    pub fn answered(&mut self, now: Duration) {
        (self.at_work, self.since) = (self.at_work.saturating_sub(1), now);
    }
}

impl CaptureState {
    pub fn new(now: Duration, settings: Arc<Settings>) -> CaptureState {
        CaptureState {
            slot: Slot::new(),
            wanted: settings.clone(),
            on_air: settings,
            bitrate_kbps: 0,
            missing: None,
            next_look: now + REPROBE_INTERVAL,
            drivers: Drivers::default(),
            ended: VecDeque::new(),
        }
    }

    /// Nobody holds a device or is to have one.
    pub fn is_off(&self) -> bool {
        self.slot.is_off()
    }

    pub fn is_on(&self) -> bool {
        self.slot.is_on()
    }

    /// Whether a driver holds a device for good.
    pub fn drivers_hang(&self, now: Duration) -> bool {
        self.drivers.at_work > 0 && now.saturating_sub(self.drivers.since) > DRIVER_HANGS
    }

    pub fn poll_timeout(&self) -> Option<Duration> {
        let look = self.is_off().then_some(self.next_look);
        look.into_iter().chain(self.slot.poll_timeout()).min()
    }

    /// A run has ended: for the appliance.
    pub fn poll_ended(&mut self) -> Option<Happening> {
        self.ended.pop_front()
    }

    /// The encoder is to have this bitrate; whether it has to be set.
    pub fn set_bitrate(&mut self, kbps: u32) -> bool {
        let is_other = self.is_on() && self.bitrate_kbps != kbps;
        if is_other {
            self.bitrate_kbps = kbps;
        }
        is_other
    }
}
