//! The store's folder on the box's own disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, Flock, FlockArg, fallocate};
use nix::libc::{O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK};
use zeroize::Zeroizing;

use super::store::Disk;
use crate::file;
use crate::limits::STORE_PATIENCE;

/// The file that processes lock while they change the others.
const LOCK: &str = "lock";
/// How often a lock that somebody else has is tried.
const LOCK_LOOK: Duration = Duration::from_millis(20);

/// A folder that only its owner may enter, with files that only their owner may read.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`, made if it is missing. One that others may enter is refused, and not
    /// changed: it may be somebody else's.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Folder> {
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        }
        let about = fs::metadata(path)?;
        if !about.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        if about.mode() & 0o077 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "other users may look into it; if it is meant for settings and keys alone, \
                     `chmod 700 {}` closes it",
                    path.display()
                ),
            ));
        }
        Ok(Folder { path: path.to_owned() })
    }

    /// The lock. Whoever has it may be stopped, and is not waited for without end.
    fn lock_within(&self, patience: Duration) -> io::Result<Flock<File>> {
        let mut file = self.open_to_write(LOCK)?;
        let deadline = Instant::now() + patience;
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
                Err((_, errno)) => return Err(errno.into()),
            };
            if Instant::now() >= deadline {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another firstmile that changes settings does not come to an end",
                ));
            }
            thread::sleep(LOCK_LOOK);
        }
    }

    fn open_to_write(&self, name: &str) -> io::Result<File> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .mode(0o600)
            .custom_flags(O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            .open(self.path.join(name))?;
        // Another user, such as root for a USB stick, works for the folder's owner.
        let (owner, folder) = (file.metadata()?.uid(), fs::metadata(&self.path)?);
        if owner != folder.uid() {
            fchown(&file, Some(folder.uid()), Some(folder.gid()))?;
        }
        Ok(file)
    }
}

impl Disk for Folder {
    type Lock = Flock<File>;

    fn lock(&self) -> io::Result<Flock<File>> {
        self.lock_within(STORE_PATIENCE)
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let file = match file::open_itself(&self.path.join(name)) {
            Ok(file) => file,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
        file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.open_to_write(name)?;
        file.set_len(0)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        File::open(self.path.join(name))?.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn overwrite(&mut self, name: &str) -> io::Result<()> {
        // Never created or emptied: its blocks would be given back as they are.
        let mut file = OpenOptions::new()
            .write(true)
            .custom_flags(O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            .open(self.path.join(name))?;
        let found = file.metadata()?;
        if !found.is_file() || found.nlink() > 1 {
            return Ok(());
        }
        io::copy(&mut io::repeat(0).take(found.len()), &mut file)?;
        file.sync_all()?;
        // Lets the disk forget the blocks too, where the file system passes that on.
        if let Ok(length) = found.len().try_into()
            && length > 0
        {
            let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            if let Err(error) = fallocate(&file, hole, 0, length) {
                tracing::debug!(%error, name, "the file system discards nothing");
            }
        }
        file.sync_all()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_not_given_back_is_waited_for_a_while() {
        let path = std::env::temp_dir().join(format!("firstmile-lock-{}", fastrand::u64(..)));
        let folder = Folder::open(&path).expect("a folder");
        let held = folder.lock_within(Duration::ZERO).expect("free");
        let error = folder.lock_within(Duration::from_millis(50)).expect_err("held");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("does not come to an end"), "{error}");
        drop(held);
        assert!(folder.lock_within(Duration::ZERO).is_ok());
        fs::remove_dir_all(&path).expect("its own");
    }
}
