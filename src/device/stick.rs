//! A USB stick: one file by its name, read and written with care, because anybody may have made it.

mod file_system;
mod names;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc::{O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use zeroize::Zeroizing;

use crate::limits::{SETTINGS_BYTES_MAX, STICK_NAMES_MAX};
pub use names::{RESULT_FILE, SETTINGS_FILE};

/// The file systems that a stick may have.
const FILE_SYSTEMS: [&str; 3] = ["vfat", "exfat", "ext4"];

/// Why a stick is not read.
#[derive(Debug, thiserror::Error)]
pub enum StickError {
    /// the stick has no settings file; without one of a similar name it is not meant for this box
    #[error("there is no {SETTINGS_FILE} on the stick{}", remedy(.nearly))]
    Missing {
        /// Files whose name is nearly right.
        nearly: Vec<String>,
    },
    /// it is not a plain file
    #[error("{SETTINGS_FILE} is not a plain file; links, folders and devices are not read")]
    NotPlain,
    /// it is too long
    #[error("{SETTINGS_FILE} is longer than {SETTINGS_BYTES_MAX} bytes")]
    TooLong,
    /// it cannot be read
    #[error("the stick cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// the device cannot be mounted
    #[error(
        "{} has no file system that can be read here (FAT, exFAT or ext4) but {found}; format the \
         stick with FAT32 or exFAT", .device.display()
    )]
    NoFileSystem {
        /// The device.
        device: PathBuf,
        /// What it has instead.
        found: &'static str,
    },
}

/// What is to be done with files whose name is nearly right.
fn remedy(nearly: &[String]) -> String {
    match nearly {
        [] => String::new(),
        [folder] if folder.contains('/') => {
            format!("; move {folder} out of its folder, to where the stick begins")
        }
        [one] => format!(
            "; rename {one} to {SETTINGS_FILE}, in small letters and with nothing before or after"
        ),
        several => format!("; rename one of these to {SETTINGS_FILE}: {}", several.join(", ")),
    }
}

/// The root folder of a stick.
#[derive(Debug)]
pub struct StickFolder {
    path: PathBuf,
    /// Kept open, so that the folder stays the same one.
    _folder: File,
    mounted: Option<Mounted>,
}

/// A mount that is undone when this is dropped.
#[derive(Debug)]
struct Mounted {
    at: PathBuf,
}

impl StickFolder {
    /// The stick at `path`: a folder, or a block device, which is mounted read-only below `runtime`
    /// so that nothing on it can be executed or act as a device.
    ///
    /// # Errors
    /// [`StickError`].
    pub fn open(path: &Path, runtime: &Path) -> Result<StickFolder, StickError> {
        let kind = fs::metadata(path)?.file_type();
        let mounted = match kind.is_block_device() {
            true => Some(Mounted::new(path, runtime)?),
            // The image of a stick.
            false if kind.is_file() => return Err(StickError::no_file_system(path)),
            false => None,
        };
        let path = mounted.as_ref().map_or(path, |mounted| &mounted.at).to_owned();
        let flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        let folder = OpenOptions::new().read(true).custom_flags(flags).open(&path)?;
        Ok(StickFolder { path, _folder: folder, mounted })
    }

    /// The bytes of the settings file.
    ///
    /// # Errors
    /// [`StickError`]; never more is read than a settings file may have.
    pub fn settings(&self) -> Result<Zeroizing<Vec<u8>>, StickError> {
        let file = match self.open_file(SETTINGS_FILE, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StickError::Missing { nearly: self.near_misses() });
            }
            // A link, a socket, or a device without a driver.
            Err(error) if matches!(error.raw_os_error(), Some(ELOOP | ENXIO | ENODEV)) => {
                return Err(StickError::NotPlain);
            }
            Err(error) => return Err(error.into()),
        };
        let about = file.metadata()?;
        if !about.is_file() || about.nlink() > 1 {
            return Err(StickError::NotPlain);
        }
        if about.len() > SETTINGS_BYTES_MAX as u64 {
            return Err(StickError::TooLong);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(SETTINGS_BYTES_MAX + 1));
        file.take(SETTINGS_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > SETTINGS_BYTES_MAX {
            return Err(StickError::TooLong);
        }
        Ok(bytes)
    }

    /// Files whose names are nearly that of the settings file; a folder of such a name counts when the
    /// file is in it.
    pub fn near_misses(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.path) else { return Vec::new() };
        let names = entries.take(STICK_NAMES_MAX).flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            if !entry.file_type().ok()?.is_dir() {
                return Some(name);
            }
            let inside = entry.path().join(SETTINGS_FILE).symlink_metadata().ok()?;
            inside.is_file().then(|| format!("{name}/{SETTINGS_FILE}"))
        });
        names::near_misses(names)
    }

    /// Makes the stick writable; one with a write lock stays read-only.
    pub fn unlock(&self) {
        if let Some(mounted) = &self.mounted {
            mounted.make_writable();
        }
    }

    /// Overwrites the settings file in its place with as many bytes.
    ///
    /// # Errors
    /// What the system reported.
    pub fn overwrite_settings(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.open_file(SETTINGS_FILE, OpenOptions::new().write(true))?;
        if !file.metadata()?.is_file() || file.metadata()?.len() != bytes.len() as u64 {
            return Err(io::Error::other("the file has changed meanwhile"));
        }
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Writes the result file.
    ///
    /// # Errors
    /// What the system reported; a locked stick is common.
    pub fn write_result(&self, text: &str) -> io::Result<()> {
        let mut file = self.open_file(RESULT_FILE, OpenOptions::new().write(true).create(true))?;
        if !file.metadata()?.is_file() || file.metadata()?.nlink() > 1 {
            return Err(io::Error::other("it is not a plain file"));
        }
        file.set_len(0)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// Opens a file of the root without following a link, and without waiting for a pipe.
    fn open_file(&self, name: &str, how: &mut OpenOptions) -> io::Result<File> {
        how.custom_flags(O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC).open(self.path.join(name))
    }
}

const ELOOP: i32 = nix::libc::ELOOP;
const ENXIO: i32 = nix::libc::ENXIO;
const ENODEV: i32 = nix::libc::ENODEV;

impl StickError {
    fn no_file_system(device: &Path) -> StickError {
        let mut head = Vec::with_capacity(file_system::HEAD_BYTES);
        let read = File::open(device)
            .and_then(|file| file.take(file_system::HEAD_BYTES as u64).read_to_end(&mut head));
        let found = match read {
            Ok(_) => file_system::found(&head),
            Err(_) => "something that cannot be read",
        };
        StickError::NoFileSystem { device: device.to_owned(), found }
    }
}

impl Mounted {
    fn new(device: &Path, runtime: &Path) -> Result<Mounted, StickError> {
        let at = runtime.join("stick");
        fs::create_dir_all(&at)?;
        let flags =
            MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let mounts = |kind: &str| mount(Some(device), &at, Some(kind), flags, None::<&str>).is_ok();
        match FILE_SYSTEMS.into_iter().find(|kind| mounts(kind)) {
            Some(_) => Ok(Mounted { at }),
            None => Err(StickError::no_file_system(device)),
        }
    }

    fn make_writable(&self) {
        // Synchronous, because the stick may be pulled out as soon as the lights show a result.
        let flags = MsFlags::MS_REMOUNT
            | MsFlags::MS_NOSUID
            | MsFlags::MS_NODEV
            | MsFlags::MS_NOEXEC
            | MsFlags::MS_SYNCHRONOUS;
        if let Err(error) = mount(None::<&str>, &self.at, None::<&str>, flags, None::<&str>) {
            tracing::info!(%error, "the stick is locked");
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = umount2(&self.at, MntFlags::MNT_DETACH) {
            tracing::warn!(%error, "the stick cannot be unmounted");
        }
    }
}
