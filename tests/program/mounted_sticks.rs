//! Sticks with a real file system, mounted by this machine's kernel: whatever its metadata says, one that
//! is not meant for the box is not written to. Root alone may mount; others skip these tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{Ended, Folder, has_or_skip, run};

const TIMEOUT: Duration = Duration::from_secs(100);
const SETTINGS: &str = "version = 1\n[box]\nname = \"stage\"\n";

/// A box and what is plugged into it.
struct Desk {
    folder: Folder,
}

/// A block device with the bytes of a file.
struct Device {
    node: String,
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.node]).status();
    }
}

/// A desk, or the reason for not trying it in one line.
fn desk_or_skip() -> Option<Desk> {
    if !has_or_skip(&["mkfs.ext4", "debugfs", "losetup", "blockdev", "unshare"]) {
        return None;
    }
    let desk = Desk { folder: Folder::new("mounted") };
    desk.format();
    let attempt = "mount -o loop,ro stick.img there && umount there";
    let mounts = nix::unistd::geteuid().is_root() && desk.try_alone(attempt).status.success();
    if !mounts {
        eprintln!("skipped: only root mounts, and not in every container");
    }
    mounts.then_some(desk)
}

impl Desk {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn image(&self) -> PathBuf {
        self.path().join("stick.img")
    }

    /// An empty stick of ext4.
    fn format(&self) {
        fs::create_dir_all(self.path().join("there")).expect("a folder");
        self.shell("truncate -s 8M stick.img && mkfs.ext4 -q -b 1024 stick.img");
        fs::write(self.path().join("settings"), SETTINGS).expect("writes");
    }

    #[track_caller]
    fn shell(&self, command: &str) -> String {
        let path = "export PATH=$PATH:/usr/sbin:/sbin;";
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{path} {command}")]).current_dir(self.path());
        run(&mut shell, TIMEOUT).ok().stdout
    }

    /// The same where what is mounted is seen by nobody else.
    fn try_alone(&self, command: &str) -> Ended {
        // A loop device that another test has just let go of may show for a moment what it held.
        let before = "export PATH=$PATH:/usr/sbin:/sbin; \
                      mount_it() { m='mount -o loop'$1' stick.img there'; $m || { sleep 1; $m; }; };";
        let mut shell = Command::new("unshare");
        shell.args(["-m", "sh", "-c", &format!("{before} {command}")]).current_dir(self.path());
        run(&mut shell, TIMEOUT)
    }

    /// Puts the settings on the stick.
    fn put_settings(&self) {
        self.debug("write settings firstmile.toml");
    }

    fn debug(&self, request: &str) {
        self.shell(&format!("debugfs -w -R '{request}' stick.img 2>&1"));
    }

    /// Leaves the stick as it is when it is pulled out while a computer uses it.
    fn pull_out_early(&self) {
        let use_it = "mount_it && echo x >there/x && sync && cp stick.img pulled \
                      && umount there && mv pulled stick.img";
        self.try_alone(use_it).ok();
    }

    fn plug(&self, options: &str) -> Device {
        let node = self.shell(&format!("losetup {options} -f --show stick.img"));
        Device { node: node.trim().to_owned() }
    }

    fn import(&self, options: &str) -> Ended {
        let device = self.plug(options);
        let program = env!("CARGO_BIN_EXE_firstmile");
        let arguments = format!("import {} --state state --socket none/control", device.node);
        self.try_alone(&format!("exec {program} {arguments}"))
    }

    /// Imports, and expects that not a byte of the stick changes.
    #[track_caller]
    fn import_untouched(&self, options: &str) -> Ended {
        let before = fs::read(self.image()).expect("the stick");
        let ended = self.import(options);
        let after = fs::read(self.image()).expect("the stick");
        let written = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        assert_eq!(written, 0, "bytes were written: {}{}", ended.stdout, ended.stderr);
        ended
    }
}

#[test]
fn a_stick_of_ext4_is_imported_and_gets_its_result() {
    let Some(desk) = desk_or_skip() else { return };
    desk.put_settings();
    let ended = desk.import("").ok();
    assert!(ended.stdout.contains("settings applied"), "{}", ended.stdout);
    let result = desk.shell("debugfs -R 'cat firstmile-result.txt' stick.img 2>/dev/null");
    assert!(result.contains("accepted"), "{result}");
}

// Shows F40.
#[test]
fn a_foreign_stick_is_not_written_to_whatever_its_metadata_asks_for() {
    let Some(desk) = desk_or_skip() else { return };
    let ended = desk.import_untouched("").ok();
    assert!(ended.stdout.contains("nothing to do"), "{}", ended.stdout);
    // A journal that waits to be replayed.
    desk.pull_out_early();
    let ended = desk.import_untouched("");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stdout);
    assert!(ended.stderr.contains("pulled out before it was ejected"), "{}", ended.stderr);
    // A file that waits to be deleted, as a program leaves it that still had it open.
    desk.format();
    desk.debug("write settings gone");
    let shown = desk.shell("debugfs -R 'stat gone' stick.img 2>/dev/null");
    let inode = shown.split_whitespace().nth(1).expect("its number").to_owned();
    desk.debug(&format!("set_super_value last_orphan {inode}"));
    desk.debug("set_inode_field gone links_count 0");
    let ended = desk.import_untouched("");
    assert!(ended.stderr.contains("pulled out before it was ejected"), "{}", ended.stderr);
    // A damaged folder, which the kernel would make a note of.
    desk.format();
    let block: u64 = desk
        .shell("debugfs -R 'blocks /' stick.img 2>/dev/null")
        .trim()
        .parse()
        .expect("its block");
    let checksum = (block + 1) * 1_024 - 4;
    desk.shell(&format!(
        "printf nope | dd of=stick.img bs=1 seek={checksum} conv=notrunc 2>/dev/null"
    ));
    let ended = desk.import_untouched("");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stdout);
    assert!(ended.stderr.contains("the stick cannot be read"), "{}", ended.stderr);
}

#[test]
fn a_stick_that_was_not_ejected_is_put_in_order_when_it_has_settings() {
    let Some(desk) = desk_or_skip() else { return };
    desk.put_settings();
    desk.pull_out_early();
    let ended = desk.import("").ok();
    assert!(ended.stdout.contains("settings applied"), "{}", ended.stdout);
    let state = desk.shell("dumpe2fs -h stick.img 2>/dev/null");
    assert!(!state.contains("needs_recovery"), "{state}");
}

#[test]
fn a_locked_stick_is_read_and_one_that_was_not_ejected_says_what_is_wrong() {
    let Some(desk) = desk_or_skip() else { return };
    desk.put_settings();
    let ended = desk.import_untouched("-r").ok();
    let not_written = "firstmile-result.txt was not written: the stick is locked";
    assert!(ended.stdout.contains(not_written), "{}", ended.stdout);
    desk.pull_out_early();
    let ended = desk.import_untouched("-r");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    for words in ["before it was ejected", "is locked", "unlock it"] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

// Shows F53.
#[test]
fn settings_are_not_read_as_they_were_before_a_change_that_is_in_the_journal_alone() {
    let Some(desk) = desk_or_skip() else { return };
    for protected in [false, true] {
        desk.format();
        desk.put_settings();
        // The newer ones are in the journal, and the file is as it was.
        let change = "mount_it ,data=journal && sed -i s/stage/newer/ there/firstmile.toml && \
                      sync there/firstmile.toml && cp stick.img pulled && umount there && mv pulled stick.img";
        desk.try_alone(change).ok();
        if !protected {
            let ended = desk.import("").ok();
            assert!(ended.stdout.contains("settings applied"), "{}", ended.stdout);
            assert!(desk.shell("cat state/settings.a").contains("newer"));
            continue;
        }
        // Other machines may use it at the same time.
        desk.debug("feature mmp");
        let ended = desk.import_untouched("");
        assert_eq!(ended.status.code(), Some(3), "{}{}", ended.stdout, ended.stderr);
        for words in ["before it was ejected", "waits for other machines", "an older one"] {
            assert!(ended.stderr.contains(words), "{}", ended.stderr);
        }
    }
}

#[test]
fn a_stick_that_is_not_read_is_named() {
    let Some(desk) = desk_or_skip() else { return };
    desk.shell("tune2fs -E mount_opts=debug stick.img");
    let ended = desk.import_untouched("");
    assert!(ended.stderr.contains("mount options of its own"), "{}", ended.stderr);
    let mut ntfs = vec![0; 1 << 20];
    ntfs[..11].copy_from_slice(b"\xeb\x52\x90NTFS    ");
    fs::write(desk.image(), &ntfs).expect("writes");
    let ended = desk.import_untouched("");
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("but NTFS"), "{}", ended.stderr);
    fs::write(desk.image(), vec![0x5a; 1 << 20]).expect("writes");
    let ended = desk.import_untouched("");
    assert!(ended.stderr.contains("no file system that can be read here"), "{}", ended.stderr);
    // A partition that nobody has formatted, and a table without any partition.
    if !has_or_skip(&["sfdisk"]) {
        return;
    }
    for (table, words) in [("size=4096", "not formatted"), ("", "partition table (GPT)")] {
        fs::write(desk.image(), vec![0; 8 << 20]).expect("writes");
        desk.shell(&format!("printf 'label: gpt\\n{table}\\n' | sfdisk -q stick.img"));
        let place = if table.is_empty() { "" } else { "-o 1048576 --sizelimit 2097152" };
        let ended = desk.import_untouched(place);
        assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}

#[test]
fn a_stick_without_room_has_no_result_rather_than_an_empty_one() {
    let Some(desk) = desk_or_skip() else { return };
    let program = env!("CARGO_BIN_EXE_firstmile");
    // Two pages: one for the settings, one for what fills it up.
    let ended = desk.try_alone(&format!(
        "mount -t tmpfs -o size=8k none there && cp settings there/firstmile.toml && \
         ! dd if=/dev/zero of=there/film bs=8k 2>/dev/null; \
         {program} import there --state state --socket none/control; ls there"
    ));
    assert!(ended.stdout.contains("settings applied"), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("was not written: No space left"), "{}", ended.stdout);
    assert!(!ended.stdout.lines().any(|line| line == "firstmile-result.txt"), "{}", ended.stdout);
}
