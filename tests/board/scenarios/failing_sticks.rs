//! Sticks that fail, are full, locked or slow, or are pulled out too early: the settings are the old ones or the new ones, whole,
//! the box says in words what became of the stick and of the key on it, and the next stick works.
//!
//! With: USB storage that is slowed down or fails to read or write, the kernel's FAT, exFAT and ext4.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::rig::lights::{StickLight, of_stick};
use crate::rig::stick::{Flaw, Stick};
use crate::rig::{Board, live_or_skip, ready_or_skip};

/// The key on these sticks, which is to be erased from them.
const SPARE_KEY: &str = "spare-k3y-8842c6d1";
/// Their owner has them in each of the formats that the box reads.
const FORMATS: [&str; 3] = ["FAT32", "exfat", "ext4"];
/// A stick that is pulled out in the middle has begun before.
const BEGUN: Duration = Duration::from_secs(2);

/// Settings with a key that is to be erased, and a name for the box by which it is seen whether they are in force.
fn settings(name: &str) -> String {
    format!(
        "version = 1\nerase_key = true\n[box]\nname = \"{name}\"\n[[destination]]\nname = \"spare\"\n\
         url = \"rtmps://spare.example/live\"\nenabled = false\nkey = \"{SPARE_KEY}\"\n"
    )
}

/// An empty stick, which a computer has not been at.
fn empty(format: &str) -> Stick {
    match format {
        "FAT32" => Stick::fat32(),
        other => Stick::formatted_by(&format!("mkfs.{other}")),
    }
}

/// A stick with settings that give the box this name.
fn stick(board: &mut Board, format: &str, name: &str) -> Stick {
    stick_and(board, format, name, "sync")
}

/// The same after its owner has done something more at the computer.
fn stick_and(board: &mut Board, format: &str, name: &str, more: &str) -> Stick {
    let stick = empty(format);
    let put = format!("cat >firstmile.toml <<'TOML'\n{}TOML\n{more}", settings(name));
    board.on_computer(&stick, &put);
    stick
}

/// Whether the stick has the key anywhere.
fn has_key(stick: &Stick) -> bool {
    stick.sector_of(SPARE_KEY.as_bytes()).is_some()
}

/// Waits until the box has logged all of these words of a stick since then, and the console shows them. Gives the line.
#[track_caller]
fn until_shown(board: &mut Board, since: Duration, words: &[&str]) -> String {
    let mut last = words.iter();
    let at = board.until_logged(last.next_back().expect("words"), since);
    let journal = board.journal();
    let mut lines = journal.lines().filter_map(|line| Some(line.split_once("USB stick ")?.1));
    let line = lines.rfind(|line| words.iter().all(|word| line.contains(word)));
    let line = line.unwrap_or_else(|| panic!("at {at:?} no {words:?}: {journal}")).to_owned();
    assert!(!line.contains(SPARE_KEY), "the key is shown");
    let console = board.asks("log");
    assert!(console.contains(line.trim_end()), "the console has no {line:?}: {console}");
    line
}

/// The name that the box has, as the console shows it.
fn name(board: &mut Board) -> String {
    let shown = board.asks("show box.name");
    let lines = shown.lines().filter_map(|line| Some(line.split_once("box.name ")?.1));
    lines
        .filter_map(|line| line.split_whitespace().next())
        .next_back()
        .unwrap_or_default()
        .to_owned()
}

/// Nothing is mounted and nobody is at work any more, and a good stick is taken.
#[track_caller]
fn next_stick_works(board: &mut Board, name_of_next: &str) {
    board.until_no_import();
    assert_eq!(board.mounted_sticks(), "", "still mounted");
    assert_eq!(board.sh("pgrep -f 'firstmile import' || :"), "", "still at work");
    let next = Stick::with_settings(&format!("version = 1\n[box]\nname = \"{name_of_next}\"\n"));
    let output = board.offer(&next);
    assert!(output.contains("settings applied"), "{output}");
    assert_eq!(name(board), name_of_next);
    assert!(next.read("firstmile-result.txt").contains("accepted"));
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_stick_that_is_pulled_out_while_it_is_read_changes_nothing_and_the_owner_hears_of_it() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    for format in FORMATS {
        let stick = stick(&mut board, format, "pulled");
        let (then, before) = (board.now(), board.asks("show"));
        board.watch_lights();
        board.plug_as(&stick, Flaw::Slow);
        board.until_an_import();
        board.slow_down(&stick, "bps-read", 1);
        thread::sleep(BEGUN);
        board.until_an_import(); // it waits for the stick
        board.unplug(&stick);
        until_shown(
            &mut board,
            then,
            &["refused: the stick was pulled out while it was read", "nothing was changed"],
        );
        board.until_no_import();
        thread::sleep(Duration::from_secs(5));
        let looks = board.watched();
        assert_eq!(of_stick(&looks), StickLight::Refused, "{format}: {looks:?}");
        assert_eq!(board.asks("show"), before, "{format}");
        next_stick_works(&mut board, &format!("after-{format}"));
    }
    board.until("live");
    server.receives(30_000);
    board.stops();
    server.only_stream();
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_stick_that_is_pulled_out_while_its_result_is_written_is_applied_and_its_key_is_not_called_erased()
 {
    let Some((ready, server, mut board)) = live_or_skip() else { return };
    for format in FORMATS {
        let (stick, new) = (stick(&mut board, format, format), format);
        let then = board.now();
        board.watch_lights();
        board.plug_as(&stick, Flaw::Slow);
        board.slow_down(&stick, "bps-write", 1);
        board.wait_until("in force", |board| name(board) == new);
        thread::sleep(BEGUN);
        board.until_an_import(); // it still waits for the stick
        board.unplug(&stick);
        let shown = until_shown(
            &mut board,
            then,
            &["accepted: settings applied", "was pulled out too early"],
        );
        assert!(shown.contains("firstmile-result.txt was not written"), "{shown}");
        assert!(shown.contains("STILL CONTAINS the stream key") || !has_key(&stick), "{shown}");
        assert!(!shown.contains("erased"), "{shown}");
        board.until_no_import();
        thread::sleep(Duration::from_secs(5));
        let looks = board.watched();
        assert_eq!(of_stick(&looks), StickLight::Accepted, "{format}: {looks:?}");
        next_stick_works(&mut board, &format!("after-{format}"));
    }
    board.until("live");
    server.receives(30_000);
    board.stops();
    server.only_stream();
    let disks = board.cut_power();
    let mut board = Board::booted(&ready, disks);
    board.start_box();
    board.until("ready");
    assert_eq!(name(&mut board), "after-ext4");
    assert!(board.asks("show destination.spare").contains("set, 18 characters"));
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_stick_that_does_not_answer_is_given_up_in_words_before_it_is_pulled_out() {
    let Some((_ready, server, mut board)) = live_or_skip() else { return };
    let silent = stick(&mut board, "FAT32", "silent");
    let (then, before) = (board.now(), board.asks("show"));
    board.plug_as(&silent, Flaw::Slow);
    board.until_an_import();
    board.slow_down(&silent, "bps-read", 1);
    until_shown(&mut board, then, &["refused: the stick does not answer", "nothing was changed"]);
    assert_eq!(board.asks("show"), before);
    board.unplug(&silent);
    next_stick_works(&mut board, "after-silent");

    let silent = stick(&mut board, "FAT32", "late");
    let then = board.now();
    board.plug_as(&silent, Flaw::Slow);
    board.slow_down(&silent, "bps-write", 1);
    until_shown(
        &mut board,
        then,
        &["accepted: settings applied", "does not answer", "may STILL CONTAIN keys"],
    );
    assert_eq!(name(&mut board), "late");
    board.unplug(&silent);
    next_stick_works(&mut board, "after-late");
    board.until("live");
    server.receives(30_000);
    board.stops();
    server.only_stream();
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_stick_of_which_the_file_or_its_folder_cannot_be_read_is_refused_as_damaged_and_not_passed_over()
 {
    let Some(ready) = ready_or_skip() else { return };
    let mut board = Board::fresh(&ready);
    let stick = stick(&mut board, "FAT32", "unreadable");
    let before = board.asks("show");
    // The short name of the file, in the root folder.
    for (what, bytes) in [("file", &b"version = 1"[..]), ("folder", b"FIRSTM~1TOM")] {
        let sector = stick.sector_of(bytes);
        assert!(sector.is_some_and(|sector| sector > 200), "{what}: {sector:?}");
        let then = board.now();
        let output = board.offer_as(&stick, Flaw::Fails { to: "read", sector });
        assert!(output.contains("the stick cannot be read"), "{what}: {output}");
        let shown = until_shown(&mut board, then, &["refused: the stick cannot be read"]);
        assert!(
            shown.contains("damaged or worn out") && shown.contains("use another one"),
            "{shown}"
        );
        assert_eq!(board.asks("show"), before, "{what}");
        next_stick_works(&mut board, what);
        board.asks("unset box.name");
    }
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_stick_whose_key_cannot_be_overwritten_says_that_it_still_contains_it() {
    let Some(ready) = ready_or_skip() else { return };
    let mut board = Board::fresh(&ready);
    // The file alone: there is a result, and it says so.
    let worn = stick(&mut board, "FAT32", "worn");
    let sector = worn.sector_of(SPARE_KEY.as_bytes());
    let then = board.now();
    board.offer_as(&worn, Flaw::Fails { to: "write", sector });
    let result = worn.read("firstmile-result.txt");
    assert!(result.contains("accepted") && !result.contains(SPARE_KEY), "{result}");
    assert!(result.contains("the stick STILL CONTAINS the stream key"), "{result}");
    assert!(result.contains("damaged or worn out") && !result.contains("erased from"), "{result}");
    assert!(has_key(&worn), "so it is as its result says");
    until_shown(
        &mut board,
        then,
        &["accepted", "STILL CONTAINS the stream key", "damaged or worn out"],
    );
    assert_eq!(name(&mut board), "worn");
    next_stick_works(&mut board, "after-worn");
    // All of it: the console alone can say so.
    for format in FORMATS {
        let worn = stick(&mut board, format, &format!("all-{format}"));
        let then = board.now();
        let output = board.offer_as(&worn, Flaw::Fails { to: "write", sector: None });
        assert!(output.contains("settings applied") && !output.contains("erased from"), "{output}");
        assert!(has_key(&worn), "{format}");
        let shown =
            until_shown(&mut board, then, &["accepted", "STILL CONTAINS", "was not written"]);
        assert!(shown.contains("damaged") || shown.contains("cannot be mounted"), "{shown}");
        assert_eq!(name(&mut board), format!("all-{format}"));
        next_stick_works(&mut board, &format!("after-{format}"));
    }
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_full_stick_loses_its_key_and_the_console_says_that_there_is_no_result() {
    let Some(ready) = ready_or_skip() else { return };
    let mut board = Board::fresh(&ready);
    for format in FORMATS {
        let films = "(dd if=/dev/zero of=film bs=64k; dd if=/dev/zero of=film2 bs=512) 2>&1; sync";
        let full = stick_and(&mut board, format, format, films);
        let then = board.now();
        let output = board.offer(&full);
        assert!(output.contains("settings applied"), "{output}");
        let shown = until_shown(
            &mut board,
            then,
            &["accepted", "was not written", "make room on the stick"],
        );
        assert!(!shown.contains("STILL CONTAINS"), "{shown}");
        assert_eq!(name(&mut board), format);
        let kept = board.on_computer(&full, "ls; cat firstmile.toml");
        assert!(!kept.contains(SPARE_KEY) && kept.contains("version = 1"), "{kept}");
        assert!(!kept.contains("firstmile-result.txt"), "half a result: {kept}");
        next_stick_works(&mut board, &format!("after-{format}"));
    }
}

#[test]
#[ignore = "in the full set: make test-board-all"]
fn a_locked_stick_is_applied_and_keeps_every_byte_which_the_console_says() {
    let Some(ready) = ready_or_skip() else { return };
    let mut board = Board::fresh(&ready);
    for format in FORMATS {
        let locked = stick(&mut board, format, format);
        let before = fs::read(locked.image()).expect("the stick");
        let then = board.now();
        let output = board.offer_as(&locked, Flaw::Locked);
        assert!(output.contains("settings applied") && !output.contains("erased from"), "{output}");
        assert!(before == fs::read(locked.image()).expect("the stick"), "{format}: written to");
        let shown = until_shown(
            &mut board,
            then,
            &["accepted", "STILL CONTAINS the stream key: the stick is locked"],
        );
        assert!(shown.contains("was not written: the stick is locked"), "{shown}");
        assert_eq!(name(&mut board), format);
        next_stick_works(&mut board, &format!("after-{format}"));
    }
}
