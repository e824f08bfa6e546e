//! Figures in words.

/// Hours, minutes and seconds.
pub(super) fn clock_time(ms: u64) -> String {
    let s = ms / 1_000;
    format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

pub(super) fn seconds(ms: u64) -> String {
    if ms < 60_000 { format!("{}.{} s", ms / 1_000, ms / 100 % 10) } else { clock_time(ms) }
}

pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
