//! The mount of a stick: first so that nothing is written to it, later to write the result.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::libc::{O_CLOEXEC, O_NONBLOCK};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{major, minor};

use super::error::StickError;
use super::file_system::HEAD_BYTES;
use super::kind::{FileSystem, Found, fat_root, find};
use crate::child;
use crate::limits::SYSTEM_TOOL_TIMEOUT;

/// Nothing on a stick can be executed or act as a device.
const HARMLESS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);

/// The root folder of a FAT has at most so many bytes in one piece: 65,535 entries of 32.
const ROOT_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// A mount that is undone when this is dropped.
#[derive(Debug)]
pub struct Mounted {
    device: PathBuf,
    at: PathBuf,
    file_system: FileSystem,
    /// Where its root folder lies, of a FAT.
    root: Option<Range<u64>>,
    /// It cannot be written to at all, by a switch of its own.
    is_locked: bool,
    /// The kernel refuses to write to it until this is undone.
    is_protected: bool,
    /// It is mounted now.
    is_mounted: bool,
    /// … so that it can be written to.
    is_writable: bool,
}

impl Mounted {
    /// Mounts a block device below `runtime` so that nothing is written to it.
    ///
    /// # Errors
    /// [`StickError`].
    pub fn new(device: &Path, runtime: &Path) -> Result<Mounted, StickError> {
        let at = runtime.join("stick");
        fs::create_dir_all(&at)?;
        let (head, is_locked) = look(device)?;
        let file_system = match find(&head) {
            Some(Found::Readable(file_system)) => file_system,
            Some(Found::Refused(found)) => {
                return Err(StickError::NoFileSystem { device: device.to_owned(), found });
            }
            None => return Err(StickError::no_file_system(device, &head)),
        };
        let device = device.to_owned();
        let mut mounted = Mounted {
            device,
            at,
            file_system,
            root: fat_root(&head).filter(|_| file_system == FileSystem::Fat),
            is_locked,
            is_protected: false,
            is_mounted: false,
            is_writable: false,
        };
        if file_system.is_written_when_read() && !is_locked {
            mounted.protect(true).map_err(StickError::Unprotected)?;
        }
        mounted.mount(MsFlags::MS_RDONLY, file_system.options_to_read())?;
        Ok(mounted)
    }

    /// Where it is mounted.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// What it has.
    pub fn file_system(&self) -> FileSystem {
        self.file_system
    }

    /// Whether it has a switch that keeps it from being written to.
    pub fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Whether the device gives its root folder, in which the kernel found nothing: of a FAT it does not say
    /// that it could not look.
    ///
    /// # Errors
    /// What the device reported.
    pub fn check_root(&self) -> io::Result<()> {
        let Some(root) = self.root.clone() else { return Ok(()) };
        let mut device = open(&self.device)?;
        device.seek(SeekFrom::Start(root.start))?;
        let length = root.end - root.start;
        io::copy(&mut device.take(length.min(ROOT_BYTES_MAX)), &mut io::sink()).map(|_| ())
    }

    /// Mounts it again so that it can be written to; no file of it may be open. A journal is replayed.
    ///
    /// # Errors
    /// Why it stays as it is.
    pub fn make_writable(&mut self) -> Result<(), String> {
        if self.is_writable {
            return Ok(());
        }
        if self.is_locked {
            return Err("the stick is locked".to_owned());
        }
        if !self.file_system.is_simple() {
            return Err("its ext4 has a journal elsewhere, or waits for other machines".to_owned());
        }
        self.unmount(MntFlags::empty()).map_err(|error| error.to_string())?;
        let made = self.protect(false).and_then(|()| {
            // Synchronous, because the stick may be pulled out as soon as the lights show a result.
            let mounted = self.mount(MsFlags::MS_SYNCHRONOUS, self.file_system.options_to_write());
            mounted.map_err(|error| error.to_string())
        });
        made.or_else(|why| {
            self.mount(MsFlags::MS_RDONLY, self.file_system.options_to_read())
                .map_err(|error| error.to_string())?;
            Err(why)
        })
    }

    fn mount(&mut self, flags: MsFlags, options: &str) -> Result<(), StickError> {
        let kind = self.file_system.kind();
        let mounted =
            mount(Some(&self.device), &self.at, Some(kind), HARMLESS | flags, Some(options));
        self.is_mounted = mounted.is_ok();
        self.is_writable = self.is_mounted && !flags.contains(MsFlags::MS_RDONLY);
        mounted.map_err(|errno| match errno {
            Errno::ENODEV => StickError::NotMounted {
                name: self.file_system.name(),
                error: io::Error::other("this system cannot read it"),
            },
            errno => StickError::NotMounted { name: self.file_system.name(), error: errno.into() },
        })
    }

    fn unmount(&mut self, flags: MntFlags) -> nix::Result<()> {
        if self.is_mounted {
            umount2(&self.at, flags)?;
            self.is_mounted = false;
        }
        Ok(())
    }

    /// Lets the kernel refuse to write to the device, or no longer (`BLKROSET`, which has no safe call).
    fn protect(&mut self, protect: bool) -> Result<(), String> {
        if self.is_protected == protect {
            return Ok(());
        }
        let mut tool = Command::new("blockdev");
        tool.arg(if protect { "--setro" } else { "--setrw" }).arg(&self.device);
        let ended = child::run(&mut tool, None, SYSTEM_TOOL_TIMEOUT);
        let ended = ended.map_err(|error| format!("blockdev cannot be run: {error}"))?;
        if !ended.status.success() {
            return Err(String::from_utf8_lossy(&ended.stderr).trim().to_owned());
        }
        self.is_protected = protect;
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = self.unmount(MntFlags::MNT_DETACH) {
            tracing::warn!(%error, "the stick cannot be unmounted");
        }
        if let Err(why) = self.protect(false) {
            tracing::warn!(why, "the stick stays protected until it is plugged in again");
        }
    }
}

fn open(device: &Path) -> io::Result<fs::File> {
    OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_CLOEXEC).open(device)
}

/// The first bytes of a block device, and whether it is locked.
fn look(device: &Path) -> io::Result<(Vec<u8>, bool)> {
    let opened = open(device)?;
    let about = opened.metadata()?;
    if !about.file_type().is_block_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no block device any more"));
    }
    let mut head = Vec::with_capacity(HEAD_BYTES);
    opened.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let number = about.rdev();
    let shown = format!("/sys/dev/block/{}:{}/ro", major(number), minor(number));
    // Where it is not shown, the attempt to write shows it.
    let is_locked = fs::read_to_string(shown).is_ok_and(|text| text.trim() == "1");
    Ok((head, is_locked))
}
