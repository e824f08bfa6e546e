//! Counters become rates, for `status` and the black box.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Runner, Running};
use crate::appliance::DestinationId;
use crate::capture::{self, CaptureStats};
use crate::console::Reply;
use crate::publish::ConnectionStats;
use crate::run::keeper::{Order as KeepOrder, Wish};
use crate::status::{ChannelStats, DropStats, EncoderStats, LevelStats, Mode, SendStats, Status};

/// What the numbers were a while ago, and the rates that came of it.
#[derive(Default)]
pub(super) struct Rates {
    at: Duration,
    pub capture: CaptureStats,
    pub encoder: Option<EncoderStats>,
    destinations: BTreeMap<DestinationId, Rate>,
}

/// The same of one destination.
#[derive(Default, Clone, Copy)]
struct Rate {
    sent_bytes: u64,
    acknowledged_bytes: u64,
    sent_kbps: u32,
    acknowledged_kbps: u32,
}

impl Rates {
    /// Destinations that are gone are forgotten.
    pub fn retain(&mut self, is_known: impl Fn(&DestinationId) -> bool) {
        self.destinations.retain(|id, _| is_known(id));
    }
}

impl Runner {
    /// Adds what the appliance does not know.
    pub(super) fn complete(&self, status: &mut Status) {
        status.settings_faults.clone_from(&self.sources.faults);
        status.note.clone_from(&self.desk.note);
        if self.capture.running().is_some() {
            status.encoder.clone_from(&self.rates.encoder);
            status.levels = status.encoder.as_ref().map(|_| level_numbers(&self.rates.capture));
        }
        for shown in &mut status.destinations {
            let id = DestinationId(shown.id);
            if shown.live_for_ms.is_some()
                && let Some(running) = self.destinations.get(&id)
            {
                shown.stats = Some(self.send_numbers(id, running));
            }
        }
    }

    /// Turns counters into rates.
    pub(super) fn take_numbers(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.rates.at).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        self.rates.at = now;
        let Some(capture) = self.capture.running() else { return };
        let stats = capture.stats();
        let before = std::mem::replace(&mut self.rates.capture, stats.clone());
        let bytes = stats.video_bytes.saturating_sub(before.video_bytes);
        let frames = stats.video_frames.saturating_sub(before.video_frames);
        let encoder = EncoderStats {
            name: stats.video_encoder.clone(),
            target_kbps: stats.bitrate_kbps,
            actual_kbps: kbps(bytes, seconds),
            frames_per_s: (frames as f64 / seconds) as f32,
            frames: stats.video_frames,
            restarts: stats.encoder_restarts,
            frames_broken: stats.frames_corrupt,
            frames_skipped: stats.frames_skipped,
        };
        let of_encoder = (encoder.target_kbps, encoder.actual_kbps);
        self.rates.encoder = Some(encoder);
        for (id, running) in &self.destinations {
            let numbers = *running.handle.stats.borrow();
            let rate = self.rates.destinations.entry(*id).or_default();
            let (sent, acknowledged) = (numbers.sent_bytes, acknowledged_bytes(&numbers));
            // A new connection begins at nothing.
            let since = |now: u64, before: u64| if now < before { now } else { now - before };
            *rate = Rate {
                sent_bytes: sent,
                acknowledged_bytes: acknowledged,
                sent_kbps: kbps(since(sent, rate.sent_bytes), seconds),
                acknowledged_kbps: kbps(since(acknowledged, rate.acknowledged_bytes), seconds),
            };
        }
        let connected = |(id, running): (&DestinationId, &Running)| {
            let is_connected = running.handle.stats.borrow().attempt != 0;
            is_connected.then(|| (*id, self.send_numbers(*id, running)))
        };
        let numbers: Vec<_> = self.destinations.iter().filter_map(connected).collect();
        let of_destinations = numbers.iter().map(|(id, numbers)| (*id, numbers));
        self.recorder.sample(now, of_encoder, of_destinations);
    }

    fn send_numbers(&self, id: DestinationId, running: &Running) -> SendStats {
        let numbers = *running.handle.stats.borrow();
        let rate = self.rates.destinations.get(&id).copied().unwrap_or_default();
        let (queue, dropped) = (numbers.queue, numbers.queue.dropped);
        let acknowledged_bytes = acknowledged_bytes(&numbers);
        SendStats {
            target_kbps: running.path.live_kbps().unwrap_or(self.ceiling_kbps),
            sent_kbps: rate.sent_kbps,
            acknowledged_kbps: rate.acknowledged_kbps,
            frames_sent: numbers.messages,
            frames_dropped: dropped.total(),
            dropped: DropStats {
                video_disposable: dropped.video_disposable,
                video_delta: dropped.video_delta,
                video_key: dropped.video_key,
                audio: dropped.audio,
            },
            queue_ms: queue.span.as_millis() as u64,
            queue_bytes: queue.bytes as u64,
            acknowledged_bytes,
            unacknowledged_bytes: numbers.sent_bytes.saturating_sub(acknowledged_bytes),
            rtt_ms: numbers.rtt_us.map(|us| (us / 1_000) as u32),
        }
    }

    // ── the black box ─────────────────────────────────────────────────────────────────────────

    pub(super) fn past(&self) -> Reply {
        Reply::BlackBox(self.recorder.read(self.clock.now(), |id| {
            self.destinations.get(&id).map(|running| running.settings.name.clone())
        }))
    }

    /// Keeps the black box on the disk when the box has come to a fault, or the stream broke.
    pub(super) fn keep_past(&mut self, mode: Mode) {
        let is_to_be_kept = self.recorder.is_to_be_kept(self.clock.now(), mode);
        let Some(keeper) = self.keeper.as_ref().filter(|_| is_to_be_kept) else { return };
        let wish = Wish::BlackBox(self.past().render_json());
        let order = KeepOrder { from: None, wish, done: String::new() };
        if let Err(error) = keeper.order(order) {
            tracing::warn!(error, "the black box is not kept");
        }
    }
}

/// What has arrived, by the server's word or, where it gives none, by TCP's.
fn acknowledged_bytes(numbers: &ConnectionStats) -> u64 {
    let by_tcp = || {
        let in_flight = numbers.in_flight_bytes.map_or(0, u64::from);
        numbers.sent_bytes.saturating_sub(in_flight)
    };
    numbers.acknowledged_bytes.unwrap_or_else(by_tcp)
}

pub(super) fn level_numbers(stats: &CaptureStats) -> LevelStats {
    let channel = |level: &capture::ChannelLevel| ChannelStats {
        peak_dbfs: level.peak_dbfs,
        rms_dbfs: level.rms_dbfs,
    };
    LevelStats {
        channels: stats.levels.channels.iter().map(channel).collect(),
        silent_for_ms: stats.levels.silent_for_ms,
        black_for_ms: stats.levels.black_for_ms,
        microphone_drift_ppm: stats.microphone_drift_ppm,
    }
}

fn kbps(bytes: u64, seconds: f64) -> u32 {
    (bytes as f64 * 8.0 / 1_000.0 / seconds) as u32
}
