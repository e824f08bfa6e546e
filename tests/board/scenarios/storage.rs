//! Disks that are full, clocks that are wrong, and settings that are forgotten.

use std::time::{Duration, SystemTime};

use firstmile::panel::{Attention, Indication};

use crate::rig::qemu::Disks;
use crate::rig::server::Server;
use crate::rig::{Board, KEY, ready_or_skip};

// Shows F28.
#[test]
fn a_full_data_partition_refuses_a_change_and_leaves_the_broadcast_alone() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::fresh(&ready);
    board.provision(&server);
    board.goes_live();
    board.sh("dd if=/dev/zero of=/var/lib/firstmile/full bs=64k 2>/dev/null || :; \
              dd if=/dev/zero of=/var/lib/firstmile/full2 bs=1k 2>/dev/null || :; \
              df /var/lib/firstmile");
    let said = board.asks("set video.bitrate_kbps 444");
    assert!(said.contains("error: "), "{said}");
    assert!(said.contains("space") || said.contains("full"), "{said}");
    board.until("live");
    server.receives(30_000);
    board.sh("rm /var/lib/firstmile/full /var/lib/firstmile/full2");
    board.types("set video.bitrate_kbps 222\r", "video.bitrate_kbps is set");
    board.stops();
    server.only_programme();
    let disks = board.cut_power();
    let mut board = Board::booted(&ready, disks);
    board.trust(&server);
    board.start_box();
    board.until("ready");
    board.types("show video.bitrate\r", "222");
}

// Shows F23.
#[test]
fn a_box_whose_clock_is_wrong_waits_for_the_time_and_then_goes_live() {
    let Some(ready) = ready_or_skip() else { return };
    let server = Server::start();
    let mut board = Board::booted(&ready, Disks::new(&ready.installed()));
    board.set_clock(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400));
    board.start_box();
    board.provision(&server);
    board.until_told("not trusted", |said| said.contains("clock        not trusted"));
    board.set_clock(SystemTime::now());
    board.until_told("trusted", |said| said.contains("clock        trusted"));
    board.goes_live();
    board.until_lights(Indication::Live { attention: Attention::None });
    server.receives(40_000);
    // The wall clock may jump; the programme does not.
    board.set_clock(SystemTime::now() + Duration::from_secs(3_600));
    server.receives(40_000);
    board.stops();
    server.only_programme();
}

#[test]
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
