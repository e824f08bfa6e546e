//! A camera that delivers H.264: its access units go on air unchanged. While it is lost the slate is
//! encoded instead, with a codec configuration of its own; each change from one to the other begins
//! with the configuration and a key frame.

use super::encoder_pipeline::EncoderPipeline;
use crate::{
    capture::{
        gst::buffer::{TimedBuffer, is_key},
        on_air::OnAir,
    },
    limits::{CAPTURE_KEYFRAME_INTERVAL_MS_MAX, CAPTURE_PASS_AGE_MAX},
};

const AGE_NS: u64 = CAPTURE_PASS_AGE_MAX.as_nanos() as u64;
const KEYS_NS: u64 = CAPTURE_KEYFRAME_INTERVAL_MS_MAX as u64 * 1_000_000;

/// Which is on air: the camera's H.264 or the encoder.
#[derive(Debug, Default)]
pub struct Passthrough {
    on_air: bool,
    /// When the camera's last key frame came, in media time.
    last_key_ns: u64,
    warned: bool,
}

impl Passthrough {
    /// Sends what an H.264 camera has delivered; `true` while it is on air. `next_unit` is `None`
    /// unless there is such a camera.
    pub fn poll(
        &mut self,
        now_ns: u64,
        next_unit: Option<impl FnMut() -> Option<TimedBuffer>>,
        pipeline: &EncoderPipeline,
        on_air: &OnAir,
    ) -> bool {
        match next_unit {
            Some(next_unit) => self.pass_units(now_ns, next_unit, pipeline, on_air),
            None if self.on_air => {
                self.on_air = false;
                pipeline.return_to_encoder();
            }
            None => {}
        }
        self.on_air
    }

    fn pass_units(
        &mut self,
        now_ns: u64,
        mut next_unit: impl FnMut() -> Option<TimedBuffer>,
        pipeline: &EncoderPipeline,
        on_air: &OnAir,
    ) {
        while let Some(unit) = next_unit() {
            let key = is_key(&unit.buffer);
            // What queued while the camera was being opened is too old, and what comes before a
            // key frame cannot be decoded.
            let fresh = now_ns.saturating_sub(unit.media_ns) < AGE_NS;
            let goes_on_air = self.on_air || (key && fresh && on_air.takes(unit.media_ns));
            if !goes_on_air {
                continue;
            }
            if key {
                self.last_key_ns = now_ns;
            }
            self.on_air = true;
            pipeline.pass_through(&unit, now_ns);
        }
        if self.on_air && !self.warned && now_ns.saturating_sub(self.last_key_ns) > KEYS_NS {
            self.warned = true;
            tracing::warn!(
                "the camera sent no key frame for {} s, so viewers wait as long; remove h264 from \
                 camera.formats",
                KEYS_NS / 1_000_000_000
            );
        }
    }
}
