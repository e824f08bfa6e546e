//! Sticks that were made for harm, or by nobody for this box: the kernel goes on, and what is not meant
//! for the box stays as it is.
//!
//! With: USB storage, the kernel's FAT, exFAT and ext4.

use std::fs;

use crate::rig::stick::Stick;
use crate::rig::{Board, PATIENCE, ready_or_skip};
use crate::support::eventually;

/// Plugs the stick in, waits until the box has finished with it, and expects that not a byte of it changed.
#[track_caller]
fn untouched(board: &mut Board, stick: &Stick) -> String {
    let before = fs::read(stick.image()).expect("the stick");
    let output = board.offer(stick);
    let after = fs::read(stick.image()).expect("the stick");
    assert!(before == after, "the stick was written to: {output}");
    output
}

// Mounted as its own superblock asks for, the damaged inode ends the kernel.
// Shows F40.
#[test]
fn a_stick_that_asks_for_a_panic_is_refused_and_the_machine_goes_on() {
    let Some(ready) = ready_or_skip() else { return };
    let mut board = Board::fresh(&ready);
    let (boot, stick) = (board.boot(), Stick::asking_for_a_panic());
    let output = untouched(&mut board, &stick);
    assert!(output.contains("the stick cannot be read"), "{output}");
    assert_eq!(board.boot(), boot, "the machine was restarted");
    board.until("needs setup");
    assert!(!board.qemu().kernel_log().contains("panic"), "{}", board.qemu().kernel_log());
    // So the stick is what its name promises.
    board.plug(&stick);
    board.sh("until [ -b /dev/sda ]; do sleep 0.5; done; udevadm settle; mkdir -p /run/computer");
    board.until_no_import();
    board.agent.begin(
        "mount -t ext4 -o ro,nosuid,nodev,noexec /dev/sda /run/computer; \
         cat /run/computer/firstmile.toml",
    );
    let panicked = eventually(PATIENCE, || {
        board.qemu().kernel_log().contains("panic forced after error").then_some(())
    });
    assert!(panicked.is_some(), "{}", board.qemu().kernel_log());
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_stick_that_is_not_for_the_box_keeps_every_byte() {
    let Some(ready) = ready_or_skip() else { return };
    let mut board = Board::fresh(&ready);
    let fat = Stick::partitioned();
    fat.put("holiday.txt", b"not for the box");
    for stick in [fat, Stick::formatted_by("mkfs.exfat"), Stick::formatted_by("mkfs.ext4")] {
        let output = untouched(&mut board, &stick);
        assert!(output.contains("nothing to do"), "{output}");
    }
}
