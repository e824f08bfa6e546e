//! Bounds of the display at the front.

use std::time::Duration;

/// From one image to the next: nobody reads more than ten a second, and a bus of 100 kHz takes 100 ms for
/// a whole one.
pub const DISPLAY_INTERVAL: Duration = Duration::from_millis(100);
/// For how long a page at least is shown that tells of a moment, such as a stick that was accepted; the
/// lights have played it in less, and it takes about as long to read.
pub const DISPLAY_MOMENT: Duration = Duration::from_secs(4);
/// With a change that comes so long after the last whole image, all is sent again, the chip's set-up too: a
/// display that lost its power in between is dark, and has acknowledged everything else. It is a fifth of
/// what the figures of a broadcast take.
pub const DISPLAY_REFRESH_INTERVAL: Duration = Duration::from_secs(10);
/// Until a display that does not answer is tried again, the first time; then twice as long each time.
pub const DISPLAY_RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest of these waits. A try wakes the box and takes the bus for a millisecond.
pub const DISPLAY_RETRY_MAX: Duration = Duration::from_secs(60);
/// A display that has answered for so long is tried again quickly when it is lost; one with a loose contact
/// is not.
pub const DISPLAY_STEADY: Duration = Duration::from_secs(60);
/// How long the end of the program waits for the display to become dark: twice a whole image at 100 kHz, and
/// a transfer that is under way.
pub const DISPLAY_DARK_TIMEOUT: Duration = Duration::from_millis(500);
/// A display that has not taken an image for so long hangs in its driver. Drivers give a transfer up after
/// a second.
pub const DISPLAY_HANGS: Duration = Duration::from_secs(10);
/// The address of a manual, in bytes: as much as a QR code of 29 modules holds (version 3, lowest error
/// correction). A larger one would have modules of one pixel, which telephones do not read.
pub const DISPLAY_MANUAL_BYTES_MAX: usize = 53;
/// A folder of the kernel's with the buses of a board; a board has ten.
pub const DISPLAY_BUSES_MAX: usize = 256;
/// Until `board check` calls a bus that does not answer one that hangs. Its box has let go of it by then.
pub const DISPLAY_LOOK_TIMEOUT: Duration = Duration::from_secs(5);

const _: () = assert!(DISPLAY_INTERVAL.as_millis() < DISPLAY_MOMENT.as_millis());
const _: () = assert!(DISPLAY_RETRY_FIRST.as_millis() < DISPLAY_RETRY_MAX.as_millis());
const _: () = assert!(DISPLAY_INTERVAL.as_millis() < DISPLAY_REFRESH_INTERVAL.as_millis());
