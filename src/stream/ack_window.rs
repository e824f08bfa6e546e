//! How often the server is asked to acknowledge.

use std::time::Duration;

use crate::limits::{RATE_MEASURED_FOR, RTMP_ACK_WINDOW_BYTES, RTMP_ACK_WINDOW_BYTES_MIN};

/// Follows the rate of sending with the window at which the server should acknowledge.
#[derive(Debug)]
pub struct Window {
    measured_from: (Duration, u64),
    is_measured: bool,
}

impl Window {
    /// A connection that begins now.
    pub fn new(now: Duration) -> Window {
        Window { measured_from: (now, 0), is_measured: false }
    }

    /// Whether the window follows the rate by now. Until then servers have hardly had the time to obey.
    pub fn is_measured(&self) -> bool {
        self.is_measured
    }

    /// The window to ask for instead of `present`, when `written_bytes` call for another one: four
    /// acknowledgements a second, as far as the bounds allow.
    pub fn observe(&mut self, now: Duration, written_bytes: u64, present: u32) -> Option<u32> {
        let (then, written_then) = self.measured_from;
        let took = now.saturating_sub(then);
        if took < RATE_MEASURED_FOR {
            return None;
        }
        self.measured_from = (now, written_bytes);
        self.is_measured = true;
        let bytes = written_bytes.saturating_sub(written_then);
        let quarter = u128::from(bytes) * 250 / took.as_millis();
        let most = u128::from(RTMP_ACK_WINDOW_BYTES);
        let wanted = quarter.clamp(RTMP_ACK_WINDOW_BYTES_MIN.into(), most) as u32;
        // Small changes are not worth a message.
        let differs = wanted > present + present / 2 || present > wanted + wanted / 2;
        differs.then_some(wanted)
    }
}
