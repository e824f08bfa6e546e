//! How much of a stick is looked at, and for how long it is waited for.

use std::time::Duration;

/// Names in the root of a stick that are looked at; FAT has room for 65,536 entries, and a stick that
/// is for the box has few.
pub const STICK_NAMES_MAX: usize = 4_096;
/// For how long a stick may leave a read or a write unanswered, with everything that belongs to it: a slow
/// one takes a second. The kernel itself would wait for minutes.
pub const STICK_PATIENCE: Duration = Duration::from_secs(25);
/// From an error of a stick that was pulled out until the kernel takes its node away. Not longer: the next
/// stick may take its name.
pub const STICK_GONE_PATIENCE: Duration = Duration::from_secs(1);
/// Between looks whether it has.
pub const STICK_GONE_LOOK: Duration = Duration::from_millis(20);
/// What consoles and log are given to show of a stick; its result file has all of it.
pub const STICK_WORDS_CHARACTERS_MAX: usize = 600;
/// Names that are nearly that of the settings file, and are listed.
pub const STICK_NEAR_MISSES_MAX: usize = 4;
