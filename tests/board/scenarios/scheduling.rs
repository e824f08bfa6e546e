//! What systemd makes of the service's unit: how the threads of the box are scheduled.
//!
//! With: systemd, the kernel's scheduler.

use crate::rig::live_or_skip;

/// `SCHED_RR` (sched(7)), and the priority that the unit permits.
const REAL_TIME: (u32, u32) = (2, 5);
const ORDINARY: (u32, u32) = (0, 0);

// Shows F54.
#[test]
fn audio_has_real_time_scheduling_under_the_service_and_the_rest_has_the_unit_s_niceness() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    let process = board.main_process();
    let stats = board.sh(&format!("cat /proc/{process}/task/*/stat"));
    // By proc_pid_stat(5), where the name is the second field.
    let threads: Vec<(&str, (u32, u32), i32)> = stats
        .lines()
        .filter_map(|stat| {
            let (name, fields) = stat.split_once('(')?.1.rsplit_once(") ")?;
            let fields: Vec<&str> = fields.split(' ').collect();
            let field = |number: usize| fields[number - 3].parse::<i32>().ok();
            let policy = (field(41)?.unsigned_abs(), field(40)?.unsigned_abs());
            Some((name, policy, field(19)?))
        })
        .collect();
    for (begins, wanted) in [
        ("audiosrc-ringbu", REAL_TIME),
        ("alsasrc", REAL_TIME),
        ("audio_in", REAL_TIME),
        ("capture-mixer", REAL_TIME),
        ("capture-source", ORDINARY),
        ("v4l2src", ORDINARY),
        ("video_in", ORDINARY),
        ("firstmile", ORDINARY),
    ] {
        let mut found = threads.iter().filter(|(name, ..)| name.starts_with(begins)).peekable();
        assert!(found.peek().is_some(), "no {begins}: {threads:?}");
        assert!(found.all(|(_, policy, _)| *policy == wanted), "{begins}: {threads:?}");
    }
    assert!(threads.iter().all(|(.., niceness)| *niceness == -10), "{threads:?}");
    let about = board.asks("about");
    assert!(!about.contains("no real-time scheduling"), "{about}");
    let check = board.try_sh("firstmile board check 2>&1").text;
    assert!(check.contains("audio of the running box has real-time scheduling"), "{check}");
    board.stops();
    server.only_stream();
}
