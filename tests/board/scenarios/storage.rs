//! Disks that are full, clocks that are wrong, settings that are forgotten, and keys that leak nowhere.
//!
//! With: ext4, the clock of the machine.

use std::time::{Duration, SystemTime};

use firstmile::panel::{Attention, Because, Indication};

use crate::rig::qemu::Disks;
use crate::rig::server::Server;
use crate::rig::{Board, KEY, live_or_skip, ready_or_skip};

// Shows F28.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_full_data_partition_refuses_a_change_and_leaves_the_broadcast_alone() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.goes_live();
    board.sh("dd if=/dev/zero of=/var/lib/firstmile/full bs=64k 2>/dev/null || :; \
              dd if=/dev/zero of=/var/lib/firstmile/full2 bs=1k 2>/dev/null || :; \
              df /var/lib/firstmile");
    let output = board.asks("set video.bitrate_kbps 444");
    assert!(output.contains("error: "), "{output}");
    assert!(output.contains("space") || output.contains("full"), "{output}");
    board.until("live");
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(30_000);
    board.sh("rm /var/lib/firstmile/full /var/lib/firstmile/full2");
    board.types("set video.bitrate_kbps 222\r", "video.bitrate_kbps is set");
    board.stops();
    server.only_stream();
    let disks = board.cut_power();
    let mut board = Board::booted(&ready, disks);
    board.trust(&server);
    board.start_box();
    board.until("ready");
    board.types("show video.bitrate\r", "222");
}

// Shows F23.
#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_box_whose_clock_is_wrong_waits_for_the_time_and_then_goes_live() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::booted(&ready, Disks::new(&ready.installed()));
    board.set_clock(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400));
    board.start_box();
    board.provision(&server);
    board.until_status("no time", |output| output.contains("clock        not synchronized"));
    board.press();
    board.until("retrying");
    board.until_lights(Indication::Retrying { because: Because::Certificate });
    assert_eq!(server.recorded_bytes(), 0, "it sent to a server whose certificate it cannot judge");
    board.set_clock(SystemTime::now());
    board.until("live");
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(40_000);
    // The wall clock may jump; the stream does not.
    board.set_clock(SystemTime::now() + Duration::from_secs(3_600));
    server.receives(40_000);
    board.stops();
    server.only_stream();
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_factory_reset_forgets_settings_and_key() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.types("factory-reset\r", "factory-reset yes");
    board.types("factory-reset yes\r", "needs setup");
    board.until("needs setup");
    board.until_lights(Indication::NeedsSetup);
    let found = board.try_sh(&format!("grep -r {} /var/lib/firstmile", &KEY[7..]));
    assert_eq!(found.code, 1, "{}", found.text);
    let disks = board.cut_power();
    let mut board = Board::booted(&ready, disks);
    board.start_box();
    board.until("needs setup");
    assert_eq!(server.recorded_bytes(), 0);
}

#[test]
fn the_key_lies_in_clear_nowhere_and_no_port_is_open() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    let sockets = board.sh("ss -Hltunp");
    assert!(!sockets.contains("firstmile"), "{sockets}");
    assert_eq!(board.sh("ss -Hltn"), "", "somebody listens");
    // From a file, because a command that searches would find the key among its own arguments.
    // The copy in /run shows that the search finds what is there.
    let search = format!(
        "printf '%s\\n' {KEY} >/dev/shm/key; cp /dev/shm/key /run/found; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | \
         grep -c -a -F -f /dev/shm/key; journalctl --no-pager -a | grep -c -F -f /dev/shm/key; \
         grep -r -l -F -f /dev/shm/key /etc /run /tmp /var /root 2>/dev/null; rm /dev/shm/key /run/found"
    );
    let found = board.sh(&search);
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines[..2], ["0", "0"], "in arguments, environments or the log: {found}");
    assert_eq!(lines[2..], ["/run/found"], "stored secrets are encrypted: {found}");
    assert!(!board.console.output().contains(KEY), "the console showed the key");
    board.stops();
    server.only_stream();
    board.sh("sync");
    let disks = board.cut_power();
    assert_eq!(occurrences(&std::fs::read(disks.root()).expect("the root disk")), 0, "root disk");
    assert_eq!(occurrences(&std::fs::read(disks.data()).expect("the data disk")), 0, "data disk");
}

fn occurrences(disk: &[u8]) -> usize {
    disk.windows(KEY.len()).filter(|window| *window == KEY.as_bytes()).count()
}
