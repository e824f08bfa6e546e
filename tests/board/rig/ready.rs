//! A board that is ready to be tried: booted once with our package in it, its state saved, restored
//! for each scenario.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use nix::fcntl::{Flock, FlockArg};
use ring::digest::{Context, SHA256};

use super::agent::Agent;
use super::qemu::{Base, Begin, Disks, Parts, Qemu};

/// Longest that a boot may take on a busy machine.
pub const BOOT_TIMEOUT: Duration = Duration::from_secs(600);
/// Raised when what is done before the state is saved changes.
const VERSION: u32 = 1;

/// Where everything is.
pub struct Ready {
    pub parts: Parts,
    folder: PathBuf,
}

impl Ready {
    /// The board that the make target names; `None` when it names none.
    pub fn find() -> Option<Ready> {
        let image = PathBuf::from(env::var_os("FIRSTMILE_BOARD_IMAGE")?);
        let package = env::var_os("FIRSTMILE_BOARD_PACKAGE").expect("FIRSTMILE_BOARD_PACKAGE");
        let bytes = fs::read(&package).unwrap_or_else(|e| panic!("{}: {e}", package.display()));
        let cache = image.parent().expect("it lies in the cache").to_owned();
        let folder = cache.join(format!("board-ready-{}", key(&image, &bytes)));
        let package = folder.join("package.img");
        let ready = Ready { parts: Parts { image, package }, folder };
        let lock = fs::File::create(cache.join("board-ready.lock")).expect("a lock");
        let _lock = Flock::lock(lock, FlockArg::LockExclusive).expect("its turn");
        if !ready.state().exists() {
            ready.forget_others(&cache);
            ready.prepare(&bytes);
        }
        Some(ready)
    }

    /// The image as it was built, without our package.
    pub fn bare(&self) -> Base {
        Base { file: self.parts.image.join("root.img"), format: "raw" }
    }

    /// The image with our package.
    pub fn installed(&self) -> Base {
        Base { file: self.folder.join("root.qcow2"), format: "qcow2" }
    }

    /// The state of the booted board.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    fn forget_others(&self, cache: &Path) {
        for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("board-ready-") {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    fn prepare(&self, package: &[u8]) {
        let began = Instant::now();
        fs::create_dir_all(&self.folder).expect("a folder in the cache");
        // A disk is made of sectors.
        let mut disk = fs::File::create(&self.parts.package).expect("a disk");
        disk.write_all(package).expect("the package");
        disk.set_len(package.len().next_multiple_of(4096) as u64).expect("its size");
        let disks = Disks::new(&self.bare());
        let (mut qemu, agent, _console) = Qemu::start(&self.parts, disks, &Begin::Boot, &[]);
        let mut agent = Agent::on(agent);
        let booted = agent.wait_ready(BOOT_TIMEOUT);
        booted.unwrap_or_else(|why| panic!("{why}\n{}\n{}", qemu.kernel_log(), qemu.log()));
        let install = format!(
            "set -e; {SUIT}; head -c {} /dev/vdc >/tmp/firstmile.deb; dpkg -i /tmp/firstmile.deb; rm /tmp/firstmile.deb",
            package.len()
        );
        let installed = agent.run(&format!("( {install} ) 2>&1"), BOOT_TIMEOUT);
        assert_eq!(installed.code, 0, "{}", installed.text);
        for command in SETTLE {
            let settled = agent.run(&format!("( {command} ) 2>&1"), BOOT_TIMEOUT);
            assert_eq!(settled.code, 0, "{command}: {}", settled.text);
        }
        qemu.save(&self.folder.join("state.new"));
        let disks = qemu.cut_power();
        fs::copy(disks.root(), self.installed().file).expect("keeps its disk");
        fs::rename(self.folder.join("state.new"), self.state()).expect("keeps its state");
        eprintln!("board: booted, package installed and state saved in {:?}", began.elapsed());
    }
}

/// What suits the board to emulation: on a busy machine it may stand still for longer than the service's watchdog waits
/// on a board, and the buses are not asked for all their devices at boot because that alone takes half a minute.
const SUIT: &str = "mkdir -p /etc/systemd/system/firstmile.service.d; \
     printf '[Service]\\nTimeoutStartSec=900\\nWatchdogSec=60\\n' >/etc/systemd/system/firstmile.service.d/emulated.conf; \
     printf 'virtio_net\\nvirtio_rng\\nxhci_pci\\n' >/etc/modules-load.d/board.conf; \
     modprobe -a virtio_net virtio_rng xhci_pci";

/// What happens on the board before its state is saved: it has come up, our service has run once and
/// filled its caches, and the data partition is not mounted, so that any may be put in its place.
const SETTLE: &[&str] = &[
    "systemctl is-system-running --wait || :",
    "until ip -4 -o address | grep -q 10.0.2.; do sleep 1; done",
    "systemctl is-active board-world board-tone",
    "udevadm settle; ls -l /dev/gpiochip* | grep -q ' gpio '",
    "systemctl start firstmile",
    "setpriv --reuid=firstmile --regid=firstmile --init-groups \
         env GST_REGISTRY_1_0=/var/cache/firstmile/gstreamer.registry firstmile devices; \
         [ -s /var/cache/firstmile/gstreamer.registry ]",
    "systemctl stop firstmile firstmile-reboot.path",
    "umount /var/lib/firstmile; rm -rf /var/lib/firstmile/*; sync; echo 3 >/proc/sys/vm/drop_caches",
];

fn key(image: &Path, package: &[u8]) -> String {
    let version = std::process::Command::new("qemu-system-aarch64").arg("--version").output();
    let mut hash = Context::new(&SHA256);
    hash.update(&VERSION.to_le_bytes());
    hash.update(image.as_os_str().as_encoded_bytes());
    hash.update(&version.expect("qemu-system-aarch64 is installed").stdout);
    hash.update(include_bytes!("qemu.rs"));
    hash.update(include_bytes!("ready.rs"));
    hash.update(package);
    hash.finish().as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
