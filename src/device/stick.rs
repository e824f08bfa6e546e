//! A USB stick: one file by its name, read and written with care, because anybody may have made it.

mod error;
mod file_system;
mod kind;
mod mounted;
mod names;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use nix::libc::{ENOSPC, EROFS, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK};
use zeroize::Zeroizing;

use crate::file::{self, FileError};
use crate::limits::{SETTINGS_BYTES_MAX, STICK_GONE_LOOK, STICK_GONE_PATIENCE, STICK_NAMES_MAX};

pub use error::StickError;
use mounted::Mounted;
pub use names::{RESULT_FILE, SETTINGS_FILE};

/// The root folder of a stick.
#[derive(Debug)]
pub struct StickFolder {
    path: PathBuf,
    /// Where it was plugged in: a block device, or a folder.
    device: PathBuf,
    /// Open, so that the folder stays the same one; not while it is mounted again.
    folder: Option<File>,
    mounted: Option<Mounted>,
    /// Why nothing can be written to it.
    not_writable: Option<String>,
}

impl StickFolder {
    /// The stick at `path`: a folder, or a block device, which is mounted below `runtime` so that
    /// nothing is written to it.
    ///
    /// # Errors
    /// [`StickError`].
    pub fn open(path: &Path, runtime: &Path) -> Result<StickFolder, StickError> {
        StickFolder::mount(path, runtime).map_err(|error| pulled_out(path, error))
    }

    fn mount(device: &Path, runtime: &Path) -> Result<StickFolder, StickError> {
        let path = device;
        let kind = fs::metadata(path)?.file_type();
        let mounted = match kind.is_block_device() {
            true => Some(Mounted::new(path, runtime)?),
            // The image of a stick.
            false if kind.is_file() => {
                let mut head = Vec::with_capacity(file_system::HEAD_BYTES);
                let image = file::open(path).map_err(io::Error::from)?;
                image.take(file_system::HEAD_BYTES as u64).read_to_end(&mut head)?;
                return Err(StickError::no_file_system(path, &head));
            }
            false => None,
        };
        let path = mounted.as_ref().map_or(path, |mounted| mounted.at()).to_owned();
        let device = device.to_owned();
        let mut stick = StickFolder { path, device, folder: None, mounted, not_writable: None };
        stick.hold()?;
        Ok(stick)
    }

    fn hold(&mut self) -> io::Result<()> {
        let flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
        let folder = OpenOptions::new().read(true).custom_flags(flags).open(&self.path)?;
        self.folder = Some(folder);
        Ok(())
    }

    /// The bytes of the settings file. A stick that has none is not written to; one that has and that
    /// was not ejected is put in order first.
    ///
    /// # Errors
    /// [`StickError`]; never more is read than a settings file may have.
    pub fn settings(&mut self) -> Result<Zeroizing<Vec<u8>>, StickError> {
        self.find_settings().map_err(|error| pulled_out(&self.device, error))
    }

    fn find_settings(&mut self) -> Result<Zeroizing<Vec<u8>>, StickError> {
        let (is_dirty, is_locked) = self.mounted.as_ref().map_or((false, false), |mounted| {
            (mounted.file_system().is_dirty(), mounted.is_locked())
        });
        match self.read_settings() {
            Err(StickError::Missing { nearly }) if is_dirty && nearly.is_empty() => {
                Err(StickError::NotEjected)
            }
            Err(StickError::Missing { nearly }) => {
                self.mounted.as_ref().map_or(Ok(()), Mounted::check_root)?;
                Err(StickError::Missing { nearly })
            }
            Ok(_) if is_dirty && is_locked => Err(StickError::NotEjectedAndLocked),
            Ok(_) if is_dirty => {
                self.unlock();
                // Looked at without its journal, a file may be there as it was before the last change.
                match &self.not_writable {
                    Some(why) => Err(StickError::NotEjectedAndLeftSo(why.clone())),
                    None => self.read_settings(),
                }
            }
            read => read,
        }
    }

    fn read_settings(&self) -> Result<Zeroizing<Vec<u8>>, StickError> {
        let file = match file::open_itself(&self.path.join(SETTINGS_FILE)) {
            Ok(file) => file,
            Err(error) if error.is_missing() => {
                return Err(StickError::Missing { nearly: self.near_misses() });
            }
            Err(FileError::NotPlain) => return Err(StickError::NotPlain),
            Err(error) => return Err(StickError::Unreadable(error.into())),
        };
        if file.metadata()?.nlink() > 1 {
            return Err(StickError::NotPlain);
        }
        file::read_open(file, SETTINGS_BYTES_MAX).map_err(|error| match error {
            FileError::TooLong(_) => StickError::TooLong,
            error => StickError::Unreadable(error.into()),
        })
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

    /// Makes the stick writable; one that is locked stays as it is, and what is written to it later
    /// fails with the reason.
    pub fn unlock(&mut self) {
        let Some(mounted) = &mut self.mounted else { return };
        self.folder = None;
        self.not_writable = mounted.make_writable().err();
        if let Some(why) = &self.not_writable {
            tracing::info!(why, "the stick is not written to");
        }
        if let Err(error) = self.hold() {
            self.not_writable.get_or_insert(error.to_string());
        }
    }

    /// Overwrites the settings file in its place with as many bytes.
    ///
    /// # Errors
    /// What the system reported.
    pub fn overwrite_settings(&self, bytes: &[u8]) -> io::Result<()> {
        self.check_writable()?;
        let mut file = self.open_file(SETTINGS_FILE, OpenOptions::new().write(true))?;
        if !file.metadata()?.is_file() || file.metadata()?.len() != bytes.len() as u64 {
            return Err(io::Error::other("the file has changed meanwhile"));
        }
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Writes the result file. Where there is no room for all of it there is none.
    ///
    /// # Errors
    /// What the system reported; a locked stick is common.
    pub fn write_result(&self, text: &str) -> io::Result<()> {
        self.check_writable()?;
        let mut file = self.open_file(RESULT_FILE, OpenOptions::new().write(true).create(true))?;
        if !file.metadata()?.is_file() || file.metadata()?.nlink() > 1 {
            return Err(io::Error::other("it is not a plain file"));
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all());
        if written.is_err() {
            // Half a result, or that of an earlier stick, would be a wrong one.
            let _ = fs::remove_file(self.path.join(RESULT_FILE));
        }
        written
    }

    /// Why something was not written to it, and what to do about it.
    pub fn in_words(&self, error: &io::Error) -> String {
        if is_gone(&self.device) {
            return "the stick was pulled out too early".to_owned();
        }
        match error.raw_os_error() {
            Some(ENOSPC) => format!("{error}; make room on the stick"),
            // It was mounted to be written to: the kernel has met an error meanwhile.
            Some(EROFS) => {
                "the stick is damaged or worn out, and the system writes nothing more to \
                            it; use another one"
                    .to_owned()
            }
            _ => format!("{error}{}", error::repair(error)),
        }
    }

    fn check_writable(&self) -> io::Result<()> {
        let why = self.not_writable.as_ref();
        why.map_or(Ok(()), |why| {
            Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, why.clone()))
        })
    }

    /// Opens a file of the root without following a link, and without waiting for a pipe.
    fn open_file(&self, name: &str, how: &mut OpenOptions) -> io::Result<File> {
        how.custom_flags(O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC).open(self.path.join(name))
    }
}

/// What an error comes of: a stick that is not there any more has no other.
fn pulled_out(device: &Path, error: StickError) -> StickError {
    let is_gone = match error.is_of_the_device() {
        true => is_gone(device),
        // The kernel may take what it cannot read for what is not there.
        false => is_node(device) && !device.exists(),
    };
    if is_gone { StickError::PulledOut } else { error }
}

/// Whether the stick is not there any more. The kernel reports errors of a device a moment before it
/// takes its node away.
fn is_gone(device: &Path) -> bool {
    let deadline = Instant::now() + STICK_GONE_PATIENCE;
    while is_node(device) && device.exists() && Instant::now() < deadline {
        thread::sleep(STICK_GONE_LOOK);
    }
    is_node(device) && !device.exists()
}

/// Whether it is named as devices are; a folder that somebody names is another matter.
fn is_node(device: &Path) -> bool {
    device.starts_with("/dev")
}
