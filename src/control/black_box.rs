//! The black box: what was reported and what was measured in the last minutes, in bounded memory.
//!
//! What it holds is bounded, and allocated once.

use std::collections::VecDeque;
use std::time::Duration;

use crate::appliance::DestinationId;

use crate::limits::{
    BLACK_BOX_EVENT_BYTES_MAX, BLACK_BOX_EVENTS_MAX, BLACK_BOX_KEEP_INTERVAL,
    BLACK_BOX_SAMPLES_MAX, BLACK_BOX_TIME, DESTINATIONS_MAX,
};
use crate::status::{BlackBox, Health, Mode, PastEvent, PastSample, PastStats, SendStats};

/// A second of the past.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Duration,
    encoder_target_kbps: u32,
    encoder_kbps: u32,
    frames_skipped_percent: u32,
    celsius: Option<i32>,
    cpu_percent: Option<u32>,
    destinations: [Option<Of>; DESTINATIONS_MAX],
}

/// One destination in it.
#[derive(Debug, Clone, Copy)]
struct Of {
    id: DestinationId,
    target_kbps: u32,
    sent_kbps: u32,
    acknowledged_kbps: u32,
    queue_ms: u32,
    unacknowledged_bytes: u32,
    frames_dropped: u32,
    rtt_ms: Option<u32>,
}

/// The last minutes. What it holds is allocated once.
#[derive(Debug)]
pub(super) struct Recorder {
    events: VecDeque<(Duration, String)>,
    samples: VecDeque<Sample>,
    mode: Mode,
    /// When it was last to be kept because the stream broke.
    kept_break: Option<Duration>,
}

impl Recorder {
    pub fn new() -> Recorder {
        Recorder {
            events: VecDeque::with_capacity(BLACK_BOX_EVENTS_MAX),
            samples: VecDeque::with_capacity(BLACK_BOX_SAMPLES_MAX),
            mode: Mode::Booting,
            kept_break: None,
        }
    }

    /// Something was reported.
    pub fn note(&mut self, now: Duration, message: &str) {
        if self.events.len() >= BLACK_BOX_EVENTS_MAX {
            self.events.pop_front();
        }
        let mut end = message.len().min(BLACK_BOX_EVENT_BYTES_MAX);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        self.events.push_back((now, message[..end].to_owned()));
        self.forget_old(now);
    }

    /// A second on air is over; `encoder_kbps` is what the encoder was asked for and what it made.
    pub fn sample<'a>(
        &mut self,
        now: Duration,
        encoder_kbps: (u32, u32),
        health: &Health,
        destinations: impl Iterator<Item = (DestinationId, &'a SendStats)>,
    ) {
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let (encoder_target_kbps, encoder_kbps) = encoder_kbps;
        let mut sample = Sample {
            at: now,
            encoder_target_kbps,
            encoder_kbps,
            frames_skipped_percent: health.frames_skipped_percent.unwrap_or_default(),
            celsius: health.temperature.as_ref().map(|shown| shown.celsius),
            cpu_percent: health.cpu_percent,
            destinations: [None; DESTINATIONS_MAX],
        };
        for (place, (id, figures)) in sample.destinations.iter_mut().zip(destinations) {
            *place = Some(Of {
                id,
                target_kbps: figures.target_kbps,
                sent_kbps: figures.sent_kbps,
                acknowledged_kbps: figures.acknowledged_kbps,
                queue_ms: small(figures.queue_ms),
                unacknowledged_bytes: small(figures.unacknowledged_bytes),
                frames_dropped: small(figures.frames_dropped),
                rtt_ms: figures.rtt_ms,
            });
        }
        if self.samples.len() >= BLACK_BOX_SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        self.forget_old(now);
    }

    /// The box does this now; says whether what is in the black box is to be kept: at a fault, and
    /// when the stream broke at every destination.
    pub fn is_to_be_kept(&mut self, now: Duration, mode: Mode) -> bool {
        let before = std::mem::replace(&mut self.mode, mode);
        match (before, mode) {
            (before, Mode::Fault) => before != Mode::Fault,
            (Mode::Live, Mode::Retrying) => {
                let is_new = self.kept_break.is_none_or(|at| now >= at + BLACK_BOX_KEEP_INTERVAL);
                if is_new {
                    self.kept_break = Some(now);
                }
                is_new
            }
            _ => false,
        }
    }

    /// What there is; `name` knows the destinations that are still set.
    pub fn read(&self, now: Duration, name: impl Fn(DestinationId) -> Option<String>) -> BlackBox {
        let ago = |at: Duration| now.saturating_sub(at);
        let is_recent = |at: Duration| ago(at) <= BLACK_BOX_TIME;
        let ago_ms = |at| u64::try_from(ago(at).as_millis()).unwrap_or(u64::MAX);
        let events = self.events.iter().filter(|(at, _)| is_recent(*at));
        let samples = self.samples.iter().filter(|sample| is_recent(sample.at));
        let of = |of: &Of| PastStats {
            name: name(of.id).unwrap_or_else(|| format!("number {}, removed", of.id.0)),
            target_kbps: of.target_kbps,
            sent_kbps: of.sent_kbps,
            acknowledged_kbps: of.acknowledged_kbps,
            queue_ms: of.queue_ms,
            unacknowledged_bytes: of.unacknowledged_bytes,
            frames_dropped: of.frames_dropped,
            rtt_ms: of.rtt_ms,
        };
        BlackBox {
            events: events
                .map(|(at, message)| PastEvent { ago_ms: ago_ms(*at), message: message.clone() })
                .collect(),
            samples: samples
                .map(|sample| PastSample {
                    ago_ms: ago_ms(sample.at),
                    encoder_target_kbps: sample.encoder_target_kbps,
                    encoder_kbps: sample.encoder_kbps,
                    frames_skipped_percent: sample.frames_skipped_percent,
                    celsius: sample.celsius,
                    cpu_percent: sample.cpu_percent,
                    destinations: sample.destinations.iter().flatten().map(of).collect(),
                })
                .collect(),
        }
    }

    fn forget_old(&mut self, now: Duration) {
        let is_old = |at: Duration| now.saturating_sub(at) > BLACK_BOX_TIME;
        while self.events.front().is_some_and(|(at, _)| is_old(*at)) {
            self.events.pop_front();
        }
        while self.samples.front().is_some_and(|sample| is_old(sample.at)) {
            self.samples.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::DropStats;

    const FIGURES: SendStats = SendStats {
        target_kbps: 4_000,
        sent_kbps: 3_000,
        acknowledged_kbps: 2_900,
        frames_sent: 1,
        frames_dropped: 2,
        dropped: DropStats { video_disposable: 2, video_delta: 0, video_key: 0, audio: 0 },
        queue_ms: 30,
        queue_bytes: 1,
        acknowledged_bytes: 1,
        unacknowledged_bytes: u64::MAX,
        rtt_ms: None,
    };

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_day_leaves_its_last_ten_minutes_and_no_more_memory_than_an_hour() {
        let mut recorder = Recorder::new();
        let held = |recorder: &Recorder| (recorder.events.capacity(), recorder.samples.capacity());
        let before = held(&recorder);
        let long = "ä".repeat(10_000);
        for second in 0..24 * 3_600 {
            let destinations = (0..20).map(|id| (DestinationId(id), &FIGURES));
            recorder.sample(secs(second), (4_000, 3_900), &Health::default(), destinations);
            recorder.note(secs(second), &long);
        }
        assert_eq!(held(&recorder), before);
        let now = secs(24 * 3_600);
        let read = recorder.read(now, |id| (id.0 == 0).then(|| "main".to_owned()));
        assert_eq!(read.samples.len(), BLACK_BOX_SAMPLES_MAX);
        assert!(read.samples[0].ago_ms <= 600_000 && read.events[0].ago_ms <= 600_000);
        assert!(read.events.iter().all(|e| e.message.len() <= BLACK_BOX_EVENT_BYTES_MAX));
        let first = &read.samples[0].destinations;
        assert_eq!(first.len(), DESTINATIONS_MAX);
        assert_eq!((first[0].name.as_str(), first[1].name.as_str()), ("main", "number 1, removed"));
        assert!(recorder.read(now + secs(601), |_| None).samples.is_empty());
    }

    #[test]
    fn it_is_kept_at_a_fault_and_at_a_break_but_not_at_every_break_of_a_bad_night() {
        let mut recorder = Recorder::new();
        let mut kept = 0;
        for minute in 0..60 {
            for mode in [Mode::Live, Mode::Retrying, Mode::Retrying] {
                kept += u32::from(recorder.is_to_be_kept(secs(60 * minute), mode));
            }
        }
        assert_eq!(kept, 12);
        assert!(recorder.is_to_be_kept(secs(3_601), Mode::Fault));
        assert!(!recorder.is_to_be_kept(secs(3_602), Mode::Fault), "once");
        assert!(!recorder.is_to_be_kept(secs(3_603), Mode::Ready));
    }
}
