//! The bounds of what is measured of the machine. Nothing here is a fault: the box does its work, and
//! its owner may want to know that it will not for long. Two bounds for each warning, and times on both
//! sides, so that a reading at a bound does not write a line every few seconds.

use std::time::Duration;

/// How often the machine is read while on air, or while something is wrong with it: some twenty small
/// files of the kernel, a millisecond of work.
pub const HEALTH_INTERVAL: Duration = Duration::from_secs(5);
/// The same while the box rests and all is well. Each reading wakes it.
pub const HEALTH_IDLE_INTERVAL: Duration = Duration::from_secs(30);
/// A reading that takes longer hangs in a driver: what was read before is not true any more.
pub const HEALTH_ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// What shows the machine's state is looked for again after so many readings: drivers come and go.
pub const HEALTH_READS_BEFORE_SEARCH: u32 = 12;
/// One file of the kernel that shows it; those of sysfs say that they have a page of 4 KiB, whatever is in
/// them, and on some machines that is 64 KiB.
pub const HEALTH_FILE_BYTES_MAX: usize = 64 * 1024;
/// What is read of a longer one of /proc, whose first lines are of use.
pub const HEALTH_HEAD_BYTES_MAX: u64 = 2 * 1024;
/// Entries of one folder of the kernel that are looked at: thermometers, coolers. A server has some
/// hundred, a board ten.
pub const HEALTH_ENTRIES_MAX: usize = 256;
/// Trip points of one thermometer; the kernel allows no more than 31.
pub const HEALTH_TRIPS_MAX: usize = 31;
/// Without a trip point below it, a thermometer's limit is so far below what the machine switches itself
/// off at.
pub const CRITICAL_MARGIN_CELSIUS: i32 = 10;
/// What a thermometer shows outside of these is a broken or missing sensor, in degrees Celsius.
pub const CELSIUS_MIN: i32 = -60;
/// The other end.
pub const CELSIUS_MAX: i32 = 200;
/// Over which skipped frames are taken: three key frames at the usual interval.
pub const HEALTH_OVERLOAD_WINDOW: Duration = Duration::from_secs(6);
/// The least of it that is judged: longer than an encoder may be silent before it is restarted, which
/// is no overload.
pub const HEALTH_OVERLOAD_JUDGED_AFTER: Duration = Duration::from_secs(4);
/// For so long it must be too much: longer than the window, so that one hiccup never is.
pub const OVERLOAD_BEGINS_AFTER: Duration = Duration::from_secs(7);
/// Counters that are remembered for it, one a second and some to spare.
pub const HEALTH_SAMPLES_MAX: usize = 16;
/// So many frames skipped are visible: at 30 frames a second, three in two seconds.
pub const OVERLOAD_PERCENT: u32 = 5;
/// So few are a hiccup.
pub const OVERLOAD_EASED_PERCENT: u32 = 1;
/// Below its limit by so much, it is no longer too hot; fans and loads move it by one or two degrees.
pub const TEMPERATURE_EASED_CELSIUS: i32 = 5;
/// Of the memory so much is left when the kernel begins to throw out what it will need again: 25 MiB of
/// a board with 512.
pub const MEMORY_LOW_PERCENT: u64 = 5;
/// So much, and there is room again.
pub const MEMORY_EASED_PERCENT: u64 = 8;
/// Room for the settings: twice what two copies of everything and all black boxes take, and as much again
/// for the log of the system …
pub const STORAGE_LOW_KIB: u64 = 32 * 1024;
/// … or so much of a small partition.
pub const STORAGE_LOW_PERCENT: u64 = 5;
/// A processor that is so busy has nothing left for the next key frame.
pub const CPU_BUSY_PERCENT: u32 = 95;
/// So busy, and it has.
pub const CPU_EASED_PERCENT: u32 = 85;
/// For so long it must be busy: starting an encoder takes seconds of all cores.
pub const CPU_BUSY_FOR: Duration = Duration::from_secs(30);
/// A storage counts its life in tenths; in the last one it is to be replaced.
pub const WEAR_PERCENT: u32 = 90;
/// For so long the cause of most warnings must last: two readings that agree with a third.
pub const WARNING_BEGINS_AFTER: Duration = Duration::from_secs(10);
/// For so long it must be gone.
pub const WARNING_ENDS_AFTER: Duration = Duration::from_secs(30);
/// The same of an undervoltage, which a load causes that comes and goes.
pub const UNDERVOLTAGE_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
