//! The machine: QEMU with the board's devices, its disks, and the plug that can be pulled.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::qmp::Qmp;
use crate::support::{Folder, eventually, run};

/// Longest that QEMU may take to make its sockets.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const DATA_BYTES: u64 = 64 * 1024 * 1024;
const TOOL_TIMEOUT: Duration = Duration::from_secs(120);

/// What the board keeps when its power is cut.
pub struct Disks {
    folder: Folder,
}

impl Disks {
    /// A root file system that begins as `base` is, and an empty data partition.
    pub fn new(base: &Base) -> Disks {
        let disks = Disks { folder: Folder::new("board") };
        disks.lay_root(base);
        disks.format_data(DATA_BYTES);
        disks
    }

    /// The same data with a root file system as it was in the beginning.
    pub fn lay_root(&self, base: &Base) {
        let _ = fs::remove_file(self.root());
        let mut create = Command::new("qemu-img");
        create.args(["create", "-q", "-f", "qcow2", "-F", base.format, "-b"]);
        run(create.arg(&base.file).arg(self.root()), TOOL_TIMEOUT).ok();
    }

    /// An empty data partition of this size.
    pub fn format_data(&self, bytes: u64) {
        let file = fs::File::create(self.data()).expect("a disk");
        file.set_len(bytes).expect("its size");
        let mut mkfs = Command::new("mkfs.ext4");
        mkfs.args(["-q", "-F", "-L", "firstmile-data"]).arg(self.data());
        run(&mut mkfs, TOOL_TIMEOUT).ok();
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.qcow2")
    }

    /// The data partition, raw.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data.img")
    }

    /// Where files for the board and sockets lie; its path is short, as sockets want it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What root file systems are laid over.
#[derive(Debug, Clone)]
pub struct Base {
    pub file: PathBuf,
    pub format: &'static str,
}

/// Kernel and first file system, and our package, of every board.
#[derive(Debug, Clone)]
pub struct Parts {
    pub image: PathBuf,
    pub package: PathBuf,
}

/// How the machine begins.
pub enum Begin<'a> {
    /// By booting.
    Boot,
    /// As it was when its state was saved here.
    Restore(&'a Path),
}

/// A running machine. Dropping it pulls the plug.
pub struct Qemu {
    child: Running,
    pub qmp: Qmp,
    pub disks: Disks,
}

/// The emulator's process; it never outlives the rig.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Qemu {
    /// Switches a machine on, and gives it with the sockets of the rig's shell and the box's console.
    pub fn start(
        parts: &Parts,
        disks: Disks,
        begin: &Begin,
        more: &[&str],
    ) -> (Qemu, UnixStream, UnixStream) {
        for name in ["qmp", "agent", "console"] {
            let _ = fs::remove_file(disks.folder().join(name));
        }
        let mut command = Command::new("qemu-system-aarch64");
        command.current_dir(disks.folder()).args(arguments(parts));
        if let Begin::Restore(state) = begin {
            command.arg("-incoming").arg(format!("file:{}", state.display()));
        }
        let errors = fs::File::create(disks.folder().join("qemu.log")).expect("a log");
        let started = command.args(more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let started = started.spawn().unwrap_or_else(|e| panic!("qemu-system-aarch64: {e}"));
        let mut child = Running(started);
        let mut connect = |name: &str| {
            let path = disks.folder().join(name);
            let stream = eventually(START_TIMEOUT, || {
                let ended = child.0.try_wait().expect("our own child");
                assert!(ended.is_none(), "QEMU: {}", read(&disks.folder().join("qemu.log")));
                UnixStream::connect(&path).ok()
            });
            stream.unwrap_or_else(|| panic!("QEMU makes no {name}"))
        };
        let (agent, console) = (connect("agent"), connect("console"));
        let qmp = Qmp::on(connect("qmp"));
        let mut qemu = Qemu { child, qmp, disks };
        if let Begin::Restore(_) = begin {
            qemu.resume();
        }
        (qemu, agent, console)
    }

    fn resume(&mut self) {
        let loaded = eventually(START_TIMEOUT, || {
            let status = self.qmp.ask("query-status", serde_json::json!({}));
            (status["status"] != "inmigrate").then_some(())
        });
        assert!(loaded.is_some(), "QEMU: {}", self.log());
        self.qmp.ask("cont", serde_json::json!({}));
    }

    /// Writes the machine's state to a file and leaves it stopped.
    pub fn save(&mut self, state: &Path) {
        self.qmp.ask("stop", serde_json::json!({}));
        let uri = format!("file:{}", state.display());
        self.qmp.ask("migrate", serde_json::json!({ "uri": uri }));
        let saved = eventually(Duration::from_secs(300), || {
            let status = self.qmp.ask("query-migrate", serde_json::json!({}))["status"].take();
            assert!(status != "failed", "QEMU: {}", self.log());
            (status == "completed").then_some(())
        });
        assert!(saved.is_some(), "the state was not saved: {}", self.log());
    }

    /// Cuts the power: nothing is finished in good order. Returns what is left.
    pub fn cut_power(self) -> Disks {
        let Qemu { child, disks, .. } = self;
        drop(child);
        disks
    }

    /// What QEMU itself complained of.
    pub fn log(&self) -> String {
        read(&self.disks.folder().join("qemu.log"))
    }

    /// The kernel's messages on the first serial port.
    pub fn kernel_log(&self) -> String {
        read(&self.disks.folder().join("kernel.log"))
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// The same line for booting, saving and restoring: QEMU wants it so. What takes a board seconds takes emulation on a
/// busy machine minutes, so systemd waits longer than it would.
fn arguments(parts: &Parts) -> Vec<String> {
    let image = parts.image.display();
    let package = parts.package.display();
    let line = format!(
        "-M virt -cpu cortex-a53 -smp 2 -m 1024 -accel tcg,thread=multi -nodefaults -display none \
         -kernel {image}/vmlinuz -initrd {image}/initrd \
         -append console=ttyAMA0|panic=5|loglevel=4|audit=0|systemd.show_status=0|systemd.default_timeout_start_sec=900|systemd.default_device_timeout_sec=900 \
         -serial file:kernel.log -serial unix:console,server=on,wait=off \
         -qmp unix:qmp,server=on,wait=off \
         -device virtio-serial-pci -chardev socket,id=agent,path=agent,server=on,wait=off \
         -device virtserialport,chardev=agent,name=agent \
         -drive file=root.qcow2,if=none,id=root,format=qcow2 -device virtio-blk-pci,drive=root \
         -drive file=data.img,if=none,id=data,format=raw -device virtio-blk-pci,drive=data \
         -drive file={package},if=none,id=package,format=raw,readonly=on \
         -device virtio-blk-pci,drive=package \
         -netdev user,id=n0 -device virtio-net-pci,netdev=n0,id=nic0,romfile= \
         -device qemu-xhci,id=xhci -device virtio-rng-pci -device i6300esb -action watchdog=reset"
    );
    line.split_whitespace().map(|word| word.replace('|', " ")).collect()
}
