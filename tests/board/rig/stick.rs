//! USB sticks: made on the host, plugged in and pulled out through the emulator.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::Board;
use crate::support::{Folder, run};

const BYTES: u64 = 16 * 1024 * 1024;
const BYTES_OF_FAT32: u64 = 48 * 1024 * 1024;
pub const SECTOR_BYTES: u64 = 512;
const TOOL_TIMEOUT: Duration = Duration::from_secs(60);
/// The log of all sticks so far, by the box's importer and by systemd.
const IMPORTS: &str = "{ journalctl -u 'firstmile-import@*' -o cat --no-pager 2>/dev/null || :; }";

/// Where the partition of a stick begins that has one.
const PARTITION_BYTES: u64 = 1024 * 1024;

/// A stick of FAT.
pub struct Stick {
    folder: Folder,
    number: u32,
    /// Where its file system begins.
    begin_bytes: u64,
}

impl Stick {
    /// An empty stick without a partition table, as some are.
    pub fn empty() -> Stick {
        Stick::formatted(0, &[])
    }

    /// An empty stick with a partition, as most are sold.
    pub fn partitioned() -> Stick {
        const FAT32_LBA: u8 = 0x0C;
        let mut table = [0; SECTOR_BYTES as usize];
        let (entry, sectors) = (&mut table[446..462], (BYTES - PARTITION_BYTES) / SECTOR_BYTES);
        entry[4] = FAT32_LBA;
        entry[8..12].copy_from_slice(&((PARTITION_BYTES / SECTOR_BYTES) as u32).to_le_bytes());
        entry[12..].copy_from_slice(&(sectors as u32).to_le_bytes());
        table[510..].copy_from_slice(&[0x55, 0xAA]);
        Stick::formatted(PARTITION_BYTES, &table)
    }

    /// An empty stick of FAT32, whose root folder lies behind what is read to find out what a stick has.
    pub fn fat32() -> Stick {
        let stick = Stick::raw(&[]);
        stick.set_bytes(BYTES_OF_FAT32);
        stick.format(&["-F", "-c", "1"]);
        stick
    }

    fn formatted(begin_bytes: u64, table: &[u8]) -> Stick {
        let stick = Stick { begin_bytes, ..Stick::raw(table) };
        stick.format(&[]);
        stick
    }

    fn format(&self, how: &[&str]) {
        let mut format = Command::new("mformat");
        format.arg("-i").arg(self.file_system()).args(how).args(["-v", "BOX", "::"]);
        run(&mut format, TOOL_TIMEOUT).ok();
    }

    /// An empty stick with another file system, which the host may be unable to write to.
    pub fn formatted_by(tool: &str) -> Stick {
        let stick = Stick::raw(&[]);
        run(Command::new(tool).arg(stick.image()), TOOL_TIMEOUT).ok();
        stick
    }

    /// A stick of ext4 whose file of settings has a damaged inode, and whose superblock wants the kernel
    /// to panic then.
    pub fn asking_for_a_panic() -> Stick {
        let stick = Stick::formatted_by("mkfs.ext4");
        let settings = stick.folder.path().join("settings");
        fs::write(&settings, "version = 1\n").expect("writes");
        let tool = |name: &str, arguments: &[&str]| {
            run(Command::new(name).args(arguments).arg(stick.image()), TOOL_TIMEOUT).ok().stdout
        };
        let put = format!("write {} firstmile.toml", settings.display());
        tool("debugfs", &["-w", "-R", &put]);
        tool("tune2fs", &["-e", "panic"]);
        // Such as "located at block 137, offset 0x0100".
        let place = tool("debugfs", &["-R", "imap firstmile.toml"]);
        let after = |word: &str| {
            let (_, rest) = place.split_once(word).expect("where the inode lies");
            rest.trim().split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()
        };
        let block: usize = after("located at block").parse().expect("a number");
        let offset = usize::from_str_radix(after("offset 0x"), 16).expect("a number");
        let mut bytes = fs::read(stick.image()).expect("the stick");
        const SUPERBLOCK: usize = 1024;
        const LOG_BLOCK_SIZE: usize = SUPERBLOCK + 24;
        let block_bytes = 1024 << bytes[LOG_BLOCK_SIZE];
        // Its length, which its checksum covers.
        bytes[block * block_bytes + offset + 4] ^= 0xFF;
        fs::write(stick.image(), bytes).expect("the stick");
        stick
    }

    /// A stick with this file of settings.
    pub fn with_settings(text: &str) -> Stick {
        let stick = Stick::empty();
        stick.put("firstmile.toml", text.as_bytes());
        stick
    }

    /// A stick whose first bytes are these.
    pub fn raw(bytes: &[u8]) -> Stick {
        let folder = Folder::new("stick");
        let stick = Stick { folder, number: fastrand::u32(1..), begin_bytes: 0 };
        fs::write(stick.image(), bytes).expect("a stick");
        stick.set_bytes(BYTES);
        stick
    }

    fn set_bytes(&self, bytes: u64) {
        let file = fs::OpenOptions::new().write(true).open(self.image()).expect("a stick");
        file.set_len(bytes).expect("its size");
    }

    /// The sector that begins with, or has in it, the first of these bytes.
    pub fn sector_of(&self, bytes: &[u8]) -> Option<u64> {
        let image = fs::read(self.image()).expect("the stick");
        let at = image.windows(bytes.len()).position(|window| window == bytes)?;
        Some(at as u64 / SECTOR_BYTES)
    }

    /// Puts a file on it.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let file = self.folder.path().join("file");
        fs::write(&file, bytes).expect("writes");
        let mut copy = Command::new("mcopy");
        copy.arg("-o").arg("-i").arg(self.file_system()).arg(file).arg(format!("::{name}"));
        run(&mut copy, TOOL_TIMEOUT).ok();
    }

    /// A file of it, empty when there is none.
    pub fn read(&self, name: &str) -> String {
        let mut kind = Command::new("mtype");
        kind.arg("-i").arg(self.file_system()).arg(format!("::{name}"));
        run(&mut kind, TOOL_TIMEOUT).stdout
    }

    /// The name of its group of limits.
    fn pace(&self) -> String {
        format!("pace{}", self.number)
    }

    /// What mtools call its file system.
    fn file_system(&self) -> String {
        format!("{}@@{}", self.image().display(), self.begin_bytes)
    }

    pub fn image(&self) -> PathBuf {
        self.folder.path().join("stick.img")
    }
}

/// What is wrong with a stick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// It has a switch that keeps it from being written to.
    Locked,
    /// It fails to `read` or to `write`, this sector or any.
    Fails { to: &'static str, sector: Option<u64> },
    /// It is slow from [`Board::slow_down`] on.
    Slow,
}

impl Board {
    /// Plugs a stick in.
    pub fn plug(&mut self, stick: &Stick) {
        self.plug_as(stick, Flaw::None);
    }

    /// Plugs a stick in that has a flaw.
    pub fn plug_as(&mut self, stick: &Stick, flaw: Flaw) {
        let (node, id) = (format!("file{}", stick.number), format!("usb{}", stick.number));
        let file = json!({ "driver": "file", "filename": stick.image() });
        let file = match flaw {
            Flaw::None | Flaw::Locked => file,
            Flaw::Fails { to, sector } => {
                let mut error = json!({ "event": "none", "iotype": to });
                if let Some(sector) = sector {
                    error["sector"] = json!(sector);
                }
                json!({ "driver": "blkdebug", "image": file, "inject-error": [error] })
            }
            Flaw::Slow => {
                let group = stick.pace();
                self.ask("object-add", json!({ "qom-type": "throttle-group", "id": group }));
                json!({ "driver": "throttle", "throttle-group": group, "file": file })
            }
        };
        self.ask(
            "blockdev-add",
            json!({ "driver": "raw", "node-name": node, "file": file,
                    "read-only": matches!(flaw, Flaw::Locked) }),
        );
        let mut device =
            json!({ "driver": "usb-storage", "id": id, "drive": node, "bus": "xhci.0" });
        if flaw != Flaw::None {
            // As sticks say of themselves; so they are looked at even where nothing is found on them.
            device["removable"] = json!(true);
        }
        self.ask("device_add", device);
    }

    /// From now on a stick that is slow takes so many bytes a second, or so many of its reads or writes, by QEMU's
    /// names. What it has taken before, and one more, are answered at once.
    pub fn slow_down(&mut self, stick: &Stick, limit: &str, of_a_second: u32) {
        let path = format!("/objects/{}", stick.pace());
        let limits = json!({ limit: of_a_second });
        self.ask("qom-set", json!({ "path": path, "property": "limits", "value": limits }));
    }

    /// Plugs a stick in with settings, waits until the box has finished with it, and pulls it out. Returns what the box logged
    /// of it in its journal.
    #[track_caller]
    pub fn offer(&mut self, stick: &Stick) -> String {
        self.offer_as(stick, Flaw::None)
    }

    /// The same with a stick that has a flaw.
    #[track_caller]
    pub fn offer_as(&mut self, stick: &Stick, flaw: Flaw) -> String {
        let before = self.imports().len();
        self.plug_until_done(stick, flaw);
        self.unplug(stick);
        self.imports().split_off(before)
    }

    /// Plugs a stick in and waits until the box has finished with it.
    #[track_caller]
    fn plug_until_done(&mut self, stick: &Stick, flaw: Flaw) {
        let ends =
            format!("{IMPORTS} | grep -c 'Deactivated successfully\\|Failed with result' || :");
        let before = self.sh(&ends);
        self.plug_as(stick, flaw);
        self.sh(&format!("until [ \"$({ends})\" -gt {} ]; do sleep 0.5; done", before.trim()));
        self.until_no_import();
    }

    /// Runs a command in the root folder of a stick without partitions, as its owner does on a computer.
    #[track_caller]
    pub fn on_computer(&mut self, stick: &Stick, command: &str) -> String {
        self.plug_until_done(stick, Flaw::None);
        let output = self.sh(&format!(
            "mkdir -p /run/computer; mount /dev/disk/by-id/usb-*:0 /run/computer && \
             {{ (cd /run/computer && {command}); umount /run/computer; }}"
        ));
        self.unplug(stick);
        output
    }

    /// Waits until a stick is looked at.
    #[track_caller]
    pub fn until_an_import(&mut self) {
        self.sh(
            "until systemctl list-units --state=activating | grep -q firstmile-import; do :; done",
        );
    }

    /// Waits until no stick is looked at.
    #[track_caller]
    pub fn until_no_import(&mut self) {
        self.sh("until ! systemctl -q is-active 'firstmile-import@*' && \
                 ! systemctl list-units --all --state=activating,deactivating | grep -q firstmile-import; do sleep 0.5; done; sync");
    }

    /// Everything that was logged about sticks so far.
    #[track_caller]
    pub fn imports(&mut self) -> String {
        self.sh(IMPORTS)
    }

    /// Pulls it out.
    pub fn unplug(&mut self, stick: &Stick) {
        self.ask("device_del", json!({ "id": format!("usb{}", stick.number) }));
        let node = json!({ "node-name": format!("file{}", stick.number) });
        let gone = crate::support::eventually(TOOL_TIMEOUT, || {
            self.qemu().qmp.try_ask("blockdev-del", node.clone()).ok()
        });
        assert!(gone.is_some(), "the stick does not come out");
        let _ = self.qemu().qmp.try_ask("object-del", json!({ "id": stick.pace() }));
    }

    /// Where the file system of a stick is still mounted, by whomever; a line each.
    pub fn mounted_sticks(&mut self) -> String {
        self.sh("cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -E '/run/firstmile/stick|/dev/sd' | sort -u || :")
    }
}
