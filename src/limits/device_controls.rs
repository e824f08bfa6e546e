//! Bounds of the hardware controls of cameras and sound cards.

use std::time::Duration;

/// Controls of one device that are considered. A webcam has about twenty; the kernel's simulated camera
/// has sixty.
pub const CONTROLS_MAX: usize = 128;
/// Entries of one menu; a list of colour effects or scenes has about twenty.
pub const CONTROL_CHOICES_MAX: i32 = 64;
/// The name of a control, in bytes. V4L2 has 31, ALSA has 43 and adds what kind of switch it is.
pub const CONTROL_NAME_BYTES_MAX: usize = 64;
/// An entry of a menu, in bytes. V4L2 has 31, ALSA has 63.
pub const CONTROL_WORD_BYTES_MAX: usize = 64;
/// From a question about controls to its answer, even when the driver hangs.
pub const CONTROLS_PATIENCE: Duration = Duration::from_secs(10);
/// From starting the tool that asks or sets a driver to its end; a webcam on a slow bus answers thirty
/// requests of 20 ms each. Setting takes four runs of it at most.
pub const CONTROLS_TOOL_TIMEOUT: Duration = Duration::from_millis(2_400);
/// What is read of the tool's output: a mixer with 1,000 controls.
pub const CONTROLS_TOOL_BYTES_MAX: u64 = 256 * 1024;
/// Orders that wait for the thread that asks the drivers.
pub const CONTROLS_ORDERS_MAX: usize = 8;
/// Until a device is looked for again that has controls in the settings and is not there: the names that
/// survive replugging come a moment after the device.
pub const CONTROLS_RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How often it is looked for; on a board that encodes, udev takes some seconds to name a device.
pub const CONTROLS_TRIES_MAX: u32 = 10;
/// Rounds of setting what a device refused before: exposure is refused until automatic exposure is off.
pub const CONTROLS_ROUNDS_MAX: usize = 3;

const _: () = assert!(4 * CONTROLS_TOOL_TIMEOUT.as_millis() < CONTROLS_PATIENCE.as_millis());
