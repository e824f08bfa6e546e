//! The world at random: what may happen at any moment.

use firstmile::appliance::{
    By, DestinationId, Event, LinkChange, PipelineEvent, PipelineFault, Presence, PublishEvent,
    Source,
};
use firstmile::ending::Evidence;
use firstmile::limits::DESTINATIONS_MAX;
use firstmile::panel::Gesture;
use firstmile::status::{Clock, StickImport};

use super::{Soon, World, target};

impl World {
    /// What is shown for a moment and changes nothing.
    fn some_moment(&mut self) -> Event {
        match self.rng.u8(..7) {
            0 => Event::Stick(StickImport::Working),
            1 => Event::Stick(StickImport::Accepted),
            2 => Event::Stick(StickImport::Refused),
            3 => Event::Button(Gesture::ResetBegun),
            4 => Event::Warning(true),
            5 => Event::Warning(false),
            _ => Event::Button(Gesture::ResetArmed),
        }
    }

    pub fn some_event(&mut self) -> Event {
        match self.rng.u8(..100) {
            0..22 => Event::Button(Gesture::Press),
            22..28 => Event::Button(Gesture::Hold),
            28..30 => Event::Button(Gesture::Down),
            30..36 => Event::GoLive { by: By::Console },
            36..40 => Event::Stop { by: By::Console },
            40..49 => Event::Button(Gesture::Press),
            49..61 => self.some_targets(),
            61..64 => Event::Link(LinkChange::Changed),
            64..66 => self.some_stranding(),
            66..69 => Event::Link(LinkChange::Down),
            69..72 => Event::Link(LinkChange::Up),
            72..75 => Event::Clock(Clock::Trusted),
            75..77 => Event::Clock(Clock::Untrusted),
            77..82 => Event::Source(Source::Camera, Presence::Lost),
            82..84 => Event::Source(Source::Camera, Presence::Unsure),
            84..89 => Event::Source(Source::Camera, Presence::Back),
            89..92 => Event::Source(Source::Microphone, Presence::Lost),
            92..97 => Event::Source(Source::Microphone, Presence::Back),
            97 if self.rng.bool() => self.some_consent(),
            97 => Event::Booted,
            98 if self.rng.u8(..3) == 0 => self.some_reset(),
            98 if self.rng.bool() => self.some_stranger(),
            98 => self.some_moment(),
            _ if self.rng.u8(..4) == 0 => Event::Terminate,
            _ => Event::Button(Gesture::Press),
        }
    }

    /// The settings' consent to go live with slate or silence.
    fn some_consent(&mut self) -> Event {
        Event::StartWithout { camera: self.rng.u8(..4) == 0, microphone: self.rng.bool() }
    }

    /// A factory reset, by the button or not; the settings are gone as soon as the disk has done it, if ever.
    fn some_reset(&mut self) -> Event {
        if self.rng.u8(..4) > 0 {
            self.within_ms(4_000, Soon::SettingsGone);
        }
        if self.rng.bool() { Event::FactoryReset } else { Event::Button(Gesture::Reset) }
    }

    /// The address is gone that some attempt came from, or came from a while ago.
    fn some_stranding(&mut self) -> Event {
        let dest = self.rng.u32(..12);
        let open = self.tasks.get(&dest).and_then(|task| task.open);
        let attempt = open.unwrap_or_else(|| self.rng.u64(..=self.attempts));
        Event::Stranded { dest: DestinationId(dest), attempt }
    }

    /// An event that belongs to nothing that runs.
    fn some_stranger(&mut self) -> Event {
        let attempt = self.rng.u64(..=self.attempts).saturating_sub(3);
        let what = self.some_end();
        if self.rng.bool() {
            let dest = DestinationId(if self.rng.bool() { 99 } else { self.rng.u32(..12) });
            match self.rng.u8(..3) {
                0 => Event::Publish { dest: DestinationId(99), attempt, what },
                // A server cannot return to us on its own, and an older attempt is long over.
                1 => Event::Publish { dest, attempt: 0, what: PublishEvent::Returned },
                _ => Event::Stranded { dest, attempt: 0 },
            }
        } else {
            Event::Pipeline { run: 0, what: PipelineEvent::FirstKey }
        }
    }

    pub fn some_targets(&mut self) -> Event {
        let change = self.rng.u8(..4);
        if change == 0 || self.targets.is_empty() {
            let count = self.rng.u32(..=DESTINATIONS_MAX as u32 + 1).min(self.rng.u32(..10));
            self.targets = (0..count).map(|_| target(self.rng.u32(..12), 1)).collect();
        } else {
            let index = self.rng.usize(..self.targets.len());
            match change {
                1 => self.targets[index].revision += 1,
                2 => self.targets[index].has_key = self.rng.bool(),
                _ => drop(self.targets.remove(index)),
            }
        }
        Event::Targets(self.targets.clone())
    }

    pub fn some_end(&mut self) -> PublishEvent {
        let evidence = match self.rng.u8(..40) {
            0..7 => Evidence::Lost,
            7..11 => Evidence::Timeout,
            11..13 => Evidence::Closed,
            13..15 => Evidence::ClosedAtConnect,
            15..19 => Evidence::Unreachable,
            19..21 => Evidence::Busy,
            21 => Evidence::KeyRefused,
            22 => Evidence::Rejected,
            23..25 => Evidence::Certificate { not_yet_valid: true },
            25 => Evidence::Certificate { not_yet_valid: false },
            26 => Evidence::Kicked,
            27 => Evidence::BadSettings,
            28 => Evidence::NoTls,
            29 => Evidence::NotRtmp,
            30 => Evidence::SilentAtPublish,
            31..33 => Evidence::ClosedAtPublish,
            33..35 => Evidence::ClosedAtOnce,
            35 => Evidence::ClosedWhileLive,
            36 => Evidence::Unpublished,
            37 => Evidence::BusyWhileLive,
            38 => Evidence::Reset,
            _ => Evidence::Stopped,
        };
        PublishEvent::Ended { evidence, message: "as it was reported".to_owned() }
    }

    pub fn some_pipeline_error(&mut self) -> PipelineEvent {
        let faults = [
            PipelineFault::Camera,
            PipelineFault::Microphone,
            PipelineFault::Encoder,
            PipelineFault::Internal,
        ];
        let fault = faults[self.rng.usize(..faults.len())];
        PipelineEvent::Error { fault, message: "no more".to_owned() }
    }
}
