//! A camera that delivers H.264 itself: its access units go on air as they are. While it is lost
//! the slate is encoded here instead, with a configuration of its own; each change from one to the
//! other begins with a configuration and a key frame.

use super::encoder_pipeline::Programme;
use crate::{
    capture::gst::buffer::{TimedBuffer, is_key},
    limits::{CAPTURE_KEYFRAME_INTERVAL_MS_MAX, CAPTURE_PASS_AGE_MAX},
};

const AGE_NS: u64 = CAPTURE_PASS_AGE_MAX.as_nanos() as u64;
const KEYS_NS: u64 = CAPTURE_KEYFRAME_INTERVAL_MS_MAX as u64 * 1_000_000;

/// Who is on air: the camera or what is drawn and encoded here.
#[derive(Debug, Default)]
pub struct Passthrough {
    on_air: bool,
    /// When the camera's last key frame came, in media time.
    last_key_ns: u64,
    warned: bool,
}

impl Passthrough {
    /// Hands on what a camera of H.264 gave, and says whether it is on air. `next_unit` is `None`
    /// unless there is such a camera.
    pub fn turn(
        &mut self,
        now_ns: u64,
        next_unit: Option<impl FnMut() -> Option<TimedBuffer>>,
        programme: &Programme,
    ) -> bool {
        match next_unit {
            Some(next_unit) => self.hand_on(now_ns, next_unit, programme),
            None if self.on_air => {
                self.on_air = false;
                programme.hear_encoder();
            }
            None => {}
        }
        self.on_air
    }

    fn hand_on(
        &mut self,
        now_ns: u64,
        mut next_unit: impl FnMut() -> Option<TimedBuffer>,
        programme: &Programme,
    ) {
        while let Some(unit) = next_unit() {
            let key = is_key(&unit.buffer);
            // What waited while the camera was opened is old, and what comes before a key frame
            // cannot be decoded.
            let fresh = now_ns.saturating_sub(unit.media_ns) < AGE_NS;
            let goes_on_air = self.on_air || (key && fresh);
            if !goes_on_air {
                continue;
            }
            if key {
                self.last_key_ns = now_ns;
            }
            self.on_air = true;
            programme.pass(&unit, now_ns);
        }
        if self.on_air && !self.warned && now_ns.saturating_sub(self.last_key_ns) > KEYS_NS {
            self.warned = true;
            tracing::warn!(
                "the camera gave no key frame for {} s, so viewers wait as long; leave h264 out \
                 of camera.formats",
                KEYS_NS / 1_000_000_000
            );
        }
    }
}
