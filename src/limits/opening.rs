//! Bounds of searching for cameras and microphones, of opening them, and of the start of a capture.

use std::time::Duration;

use super::{
    CAPTURE_DEVICE_CLOSE_TIMEOUT, CAPTURE_DEVICE_SILENCE, CAPTURE_PROBE_TIMEOUT,
    CAPTURE_STOP_TIMEOUT, EXCHANGE_PATIENCE, FIRST_KEY_TIMEOUT,
};

/// From the search for a camera to the answers of all drivers that are asked what they offer. A webcam
/// answers in a tenth of a second; one with thousands of modes takes two to four on a slow board that is
/// busy. One that takes longer counts as silent, and its answer when it comes as that to the next search.
pub const CAPTURE_SEARCH_TIMEOUT: Duration = Duration::from_secs(4);
/// From opening a device or clip to the first buffer of each track. Several candidates share it.
pub const CAPTURE_OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// The least share of that with which a candidate is opened: with less none delivers, and it would be opened
/// and closed for nothing.
pub const CAPTURE_SHARE_MIN: Duration = Duration::from_millis(250);
/// Candidates that wait for their turn to have all of that time; a machine has a few.
pub const CAPTURE_TURNS_MAX: usize = 32;
/// From a request to open a device that was found, or an encoder, to the answer, even when its driver
/// hangs.
pub const CAPTURE_DRIVER_TIMEOUT: Duration = Duration::from_secs(7);
/// From the request to capture until it runs or has failed, whatever drivers do: what one step takes is
/// taken from those after it. A driver that hangs leaves room for what is used in its place.
pub const CAPTURE_START_TIMEOUT: Duration = Duration::from_secs(15);
/// Modes of one camera that are considered; webcams offer up to a hundred.
pub const CAPTURE_OFFERS_MAX: usize = 512;
/// From starting the tool that sets up an HDMI input to its end; it waits for nothing.
pub const CAPTURE_HDMI_TOOL_TIMEOUT: Duration = Duration::from_secs(1);

// ── relations ─────────────────────────────────────────────────────────────────────────────────

const _: () = assert!(CAPTURE_OPEN_TIMEOUT.as_secs() < CAPTURE_DRIVER_TIMEOUT.as_secs());
const _: () = assert!(CAPTURE_PROBE_TIMEOUT.as_secs() < CAPTURE_DRIVER_TIMEOUT.as_secs());
const _: () = assert!(CAPTURE_SHARE_MIN.as_millis() * 8 < CAPTURE_OPEN_TIMEOUT.as_millis());
// An HDMI input is set up by two runs of the tool, and its driver is still asked.
const _: () =
    assert!(2 * CAPTURE_HDMI_TOOL_TIMEOUT.as_millis() < CAPTURE_SEARCH_TIMEOUT.as_millis());
/// All that opening a device may take, which was found: the candidates share the time, one more may hang as it
/// is closed.
const OPENED_BY_MS: u128 = CAPTURE_OPEN_TIMEOUT.as_millis()
    + CAPTURE_DEVICE_SILENCE.as_millis()
    + CAPTURE_DEVICE_CLOSE_TIMEOUT.as_millis();
// A source is opened a second time, when its decoder failed at the first, within the driver's time.
const _: () = assert!(OPENED_BY_MS < CAPTURE_DRIVER_TIMEOUT.as_millis());
// A camera that is found as slowly as may be has all its time to be opened, and an encoder has it after
// that.
const _: () = assert!(
    CAPTURE_SEARCH_TIMEOUT.as_millis()
        + CAPTURE_DRIVER_TIMEOUT.as_millis()
        + CAPTURE_PROBE_TIMEOUT.as_millis()
        < CAPTURE_START_TIMEOUT.as_millis()
);
// One encoder hangs, and the next one is tried.
const _: () = assert!(
    CAPTURE_DRIVER_TIMEOUT.as_millis() + CAPTURE_PROBE_TIMEOUT.as_millis() + 1_000
        < CAPTURE_START_TIMEOUT.as_millis()
);
// The run before is closed, the next one starts, and a second is left for its first key frame.
const _: () = assert!(
    CAPTURE_STOP_TIMEOUT.as_millis() + CAPTURE_START_TIMEOUT.as_millis() + 1_000
        < FIRST_KEY_TIMEOUT.as_millis()
);
// Whoever exchanges a camera learns why the new one does not open: the old one is closed first.
const _: () = assert!(
    CAPTURE_DEVICE_CLOSE_TIMEOUT.as_millis() + CAPTURE_SEARCH_TIMEOUT.as_millis() + OPENED_BY_MS
        < EXCHANGE_PATIENCE.as_millis()
);
