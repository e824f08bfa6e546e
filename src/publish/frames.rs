//! Media of the running programme: this destination's queue, stamped and wrapped for the wire.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::flv;
use crate::flv::metadata::{Field, Metadata};
use crate::limits::{PACE_TICK, ROLL_OVER_AT_MS, RTMP_OUT_LIVE_BYTES, VIDEO_FLOOR_KBPS};
use crate::media::{QueueStats, Subscriber, Timeline, Track};
use crate::pace::{self, Decision, Policy, Sample, Settings};
use crate::rtmp::Session;
use crate::rtmp::amf0::Value;

use super::drive::{Advice, Sent, Source};

/// Media from a queue, on a time line that begins with the connection.
pub struct Frames {
    queue: Arc<Subscriber>,
    metadata: Arc<Metadata>,
    timeline: Timeline,
    time_ms: u64,
    /// Made at the first look, which tells when the connection began.
    pace: Option<Policy>,
    ceiling: watch::Receiver<u32>,
}

impl Frames {
    /// A connection's view of `queue`: it starts with configuration and a key frame. The highest video
    /// bitrate, in kbit/s, is the newest of `ceiling`; while that is 0, the one of `metadata`.
    pub fn new(
        queue: Arc<Subscriber>,
        metadata: Arc<Metadata>,
        ceiling: watch::Receiver<u32>,
    ) -> Frames {
        queue.restart();
        queue.set_connected(true);
        Frames { queue, metadata, timeline: Timeline::new(), time_ms: 0, pace: None, ceiling }
    }

    fn ceiling_kbps(&mut self) -> u32 {
        match *self.ceiling.borrow_and_update() {
            0 => self.metadata.video_kbps,
            kbps => kbps,
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        self.queue.set_connected(false);
    }
}

impl Source for Frames {
    const LOOK: Duration = PACE_TICK;
    const AHEAD_BYTES: usize = RTMP_OUT_LIVE_BYTES;
    const MINDS_THE_PATH: bool = true;

    fn begin(&mut self, session: &mut Session) {
        session.send_metadata(self.metadata.fields().map(|(name, field)| {
            let value = match field {
                Field::Number(number) => Value::Number(number),
                Field::Bool(truth) => Value::Boolean(truth),
                Field::Text(text) => Value::String(text.into()),
            };
            (name, value)
        }));
    }

    fn restart(&mut self) {
        self.queue.restart();
    }

    fn send_next(&mut self, session: &mut Session) -> Result<Sent, String> {
        let Some(frame) = self.queue.try_pop() else {
            return Ok(Sent::NothingYet);
        };
        let stamp = self.timeline.stamp(&frame);
        self.time_ms = stamp.dts_ms;
        let head = flv::head(&frame, stamp.composition_time_ms);
        match frame.track() {
            Track::Video => session.send_video(stamp.dts_ms, head.as_slice(), frame.payload),
            Track::Audio => session.send_audio(stamp.dts_ms, head.as_slice(), frame.payload),
        }
        Ok(Sent::Message)
    }

    fn queue(&self) -> QueueStats {
        self.queue.stats()
    }

    fn observe(&mut self, now: Duration, sample: Sample) -> Advice {
        let has_new_ceiling = self.ceiling.has_changed().unwrap_or(false);
        let ceiling_kbps = self.ceiling_kbps();
        let settings = Settings {
            ceiling_kbps,
            floor_kbps: VIDEO_FLOOR_KBPS,
            audio_kbps: self.metadata.audio_kbps,
            start_kbps: None,
        };
        let pace = self.pace.get_or_insert_with(|| Policy::new(now, settings));
        if has_new_ceiling {
            pace.set_ceiling(now, ceiling_kbps);
        }
        pace.handle(now, sample);
        let mut advice = Advice::default();
        while let Some(decision) = pace.poll_decision() {
            match decision {
                Decision::SetTarget { kbps, because } => {
                    tracing::debug!(kbps, ?because, "pace");
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

    fn is_worn_out(&self) -> bool {
        self.time_ms >= ROLL_OVER_AT_MS
    }

    async fn ready(&mut self) {
        self.queue.ready().await;
    }
}
