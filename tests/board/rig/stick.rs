//! USB sticks: made on the host, plugged in and pulled out through the emulator.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::Board;
use crate::support::{Folder, run};

const BYTES: u64 = 16 * 1024 * 1024;
const TOOL_TIMEOUT: Duration = Duration::from_secs(60);

/// A stick of FAT without a partition table, as many are.
pub struct Stick {
    folder: Folder,
    number: u32,
}

impl Stick {
    /// An empty stick.
    pub fn empty() -> Stick {
        let stick = Stick { folder: Folder::new("stick"), number: fastrand::u32(1..) };
        fs::File::create(stick.image()).expect("a stick").set_len(BYTES).expect("its size");
        let mut format = Command::new("mformat");
        format.args(["-i"]).arg(stick.image()).args(["-v", "BOX", "::"]);
        run(&mut format, TOOL_TIMEOUT).ok();
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
        let stick = Stick { folder: Folder::new("stick"), number: fastrand::u32(1..) };
        fs::write(stick.image(), bytes).expect("a stick");
        let file = fs::OpenOptions::new().write(true).open(stick.image()).expect("a stick");
        file.set_len(BYTES).expect("its size");
        stick
    }

    /// Puts a file on it.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let file = self.folder.path().join("file");
        fs::write(&file, bytes).expect("writes");
        let mut copy = Command::new("mcopy");
        copy.arg("-o").arg("-i").arg(self.image()).arg(file).arg(format!("::{name}"));
        run(&mut copy, TOOL_TIMEOUT).ok();
    }

    /// A file of it, empty when there is none.
    pub fn read(&self, name: &str) -> String {
        let mut kind = Command::new("mtype");
        kind.arg("-i").arg(self.image()).arg(format!("::{name}"));
        run(&mut kind, TOOL_TIMEOUT).stdout
    }

    pub fn image(&self) -> PathBuf {
        self.folder.path().join("stick.img")
    }
}

impl Board {
    /// Plugs a stick in.
    pub fn plug(&mut self, stick: &Stick) {
        let (node, id) = (format!("file{}", stick.number), format!("usb{}", stick.number));
        self.ask(
            "blockdev-add",
            json!({ "driver": "raw", "node-name": node,
                    "file": { "driver": "file", "filename": stick.image() } }),
        );
        let device = json!({ "driver": "usb-storage", "id": id, "drive": node, "bus": "xhci.0" });
        self.ask("device_add", device);
    }

    /// Pulls it out.
    pub fn unplug(&mut self, stick: &Stick) {
        self.ask("device_del", json!({ "id": format!("usb{}", stick.number) }));
        let node = json!({ "node-name": format!("file{}", stick.number) });
        let gone = crate::support::eventually(TOOL_TIMEOUT, || {
            self.qemu().qmp.try_ask("blockdev-del", node.clone()).ok()
        });
        assert!(gone.is_some(), "the stick does not come out");
    }
}
