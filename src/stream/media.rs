//! Media of the running broadcast: one destination's queue, steered by the path to it.

use std::sync::Arc;
use std::time::Duration;

use crate::flv::metadata::Metadata;
use crate::limits::{PACE_TICK, RTMP_OUT_LIVE_BYTES, VIDEO_FLOOR_KBPS};
use crate::media::{QueueStats, Subscriber};
use crate::pace::{self, Decision, PathSample, Policy, Settings};

use super::source::{Advice, Demands, Next, Source};

/// Media from a queue. Each connection starts with configuration and a key frame.
#[derive(Debug)]
pub struct Media {
    queue: Arc<Subscriber>,
    metadata: Arc<Metadata>,
    ceiling_kbps: u32,
    /// What the first connection begins with, where the path is known from before.
    start_kbps: Option<u32>,
    /// Of the connection that stands.
    policy: Option<Policy>,
}

impl Media {
    /// Frames of `queue`, with a video bitrate of at most `ceiling_kbps` that begins at `start_kbps`, or
    /// at the ceiling. Until a connection takes media the queue keeps its newest GOP, so
    /// that what is sent first is not old.
    pub fn new(
        queue: Arc<Subscriber>,
        metadata: Arc<Metadata>,
        ceiling_kbps: u32,
        start_kbps: Option<u32>,
    ) -> Media {
        Media { queue, metadata, ceiling_kbps, start_kbps, policy: None }
    }

    /// The set bitrate is another one; holds at once.
    pub fn set_ceiling(&mut self, now: Duration, kbps: u32) {
        self.ceiling_kbps = kbps;
        if let Some(policy) = &mut self.policy {
            policy.set_ceiling(now, kbps);
        }
    }

    /// The queue that the frames come from.
    pub fn subscriber(&self) -> &Arc<Subscriber> {
        &self.queue
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.queue.set_connected(false);
    }
}

impl Source for Media {
    fn demands(&self) -> Demands {
        Demands { look: PACE_TICK, ahead_bytes: RTMP_OUT_LIVE_BYTES, minds_the_path: true }
    }

    fn metadata(&self) -> Option<&Metadata> {
        Some(&self.metadata)
    }

    fn connected(&mut self, now: Duration) {
        let settings = Settings {
            ceiling_kbps: self.ceiling_kbps,
            floor_kbps: VIDEO_FLOOR_KBPS,
            audio_kbps: self.metadata.audio_kbps,
            start_kbps: self.resume_kbps().or(self.start_kbps),
        };
        self.policy = Some(Policy::new(now, settings));
    }

    fn begin(&mut self, _now: Duration) {
        self.queue.restart();
        self.queue.set_connected(true);
    }

    fn restart(&mut self) {
        self.queue.restart();
    }

    fn next(&mut self, _now: Duration) -> Result<Next, String> {
        Ok(self.queue.try_pop().map_or(Next::NothingYet, Next::Frame))
    }

    fn queue(&self) -> QueueStats {
        self.queue.stats()
    }

    fn observe(&mut self, now: Duration, sample: &PathSample) -> Advice {
        let mut advice = Advice::default();
        let Some(policy) = &mut self.policy else { return advice };
        policy.handle(now, *sample);
        while let Some(decision) = policy.poll_decision() {
            match decision {
                Decision::TargetBitrate { kbps, because } => {
                    tracing::debug!(kbps, ?because, "target bitrate");
                    advice.target_kbps = Some(kbps);
                }
                Decision::Drop(pace::Drop::Disposable) => {
                    self.queue.drop_disposable();
                }
                Decision::Drop(pace::Drop::ToNextKey) => {
                    self.queue.drop_to_next_key();
                }
                Decision::PauseVideo(paused) => {
                    self.queue.pause_video(paused);
                }
                Decision::ReconnectAdvised => advice.reconnect = true,
            }
        }
        advice
    }

    fn start_kbps(&self) -> Option<u32> {
        let target_kbps = self.policy.as_ref()?.target_kbps();
        (target_kbps < self.ceiling_kbps).then_some(target_kbps)
    }

    fn resume_kbps(&self) -> Option<u32> {
        self.policy.as_ref().map(Policy::resume_kbps)
    }

    async fn ready(&mut self) {
        self.queue.ready().await;
    }
}
