//! The store's folder on the box's own disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::{FallocateFlags, Flock, FlockArg, fallocate};
use nix::libc::{O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK};
use zeroize::Zeroizing;

use super::store::Disk;

/// The file that processes lock while they change the others.
const LOCK: &str = "lock";

/// A folder that only its owner may enter, with files that only their owner may read.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`, made if it is missing. Others lose their rights to it.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Folder> {
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        }
        if fs::metadata(path)?.mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        }
        Ok(Folder { path: path.to_owned() })
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
        let file = self.open_to_write(LOCK)?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            .open(self.path.join(name));
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
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
