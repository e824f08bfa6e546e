//! Files whose paths come from outside: settings, profiles, command lines, sticks.
//!
//! Shell room. It promises that to open or read one never waits, whatever stands at the path (a
//! pipe that nobody writes to, a device, an endless file), and that no more is read than the
//! caller names.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc::{ELOOP, ENODEV, ENXIO, O_CLOEXEC, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};
use zeroize::Zeroizing;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// it is a folder, a pipe, a device or, where links are not followed, a link
    #[error("it is not a plain file")]
    NotPlain,
    /// it is too long
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    /// the system reports something else
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FileError {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, FileError::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> io::Error {
        match error {
            FileError::Io(error) => error,
            other => io::Error::new(io::ErrorKind::InvalidInput, other),
        }
    }
}

/// Standard input, past the buffer of the standard library: that one keeps what was read, which may be a
/// secret, as long as the process lives.
///
/// # Errors
/// What the system says.
pub fn standard_input() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Opens a plain file to be read.
///
/// # Errors
/// [`FileError`].
pub fn open(path: &Path) -> Result<File, FileError> {
    open_plain(path, 0)
}

/// The same, where the path itself must not be a link.
///
/// # Errors
/// [`FileError`].
pub fn open_itself(path: &Path) -> Result<File, FileError> {
    open_plain(path, O_NOFOLLOW)
}

fn open_plain(path: &Path, flags: i32) -> Result<File, FileError> {
    let flags = flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        // A socket, a device without a driver, or a link that is not followed.
        Some(ENXIO | ENODEV) => FileError::NotPlain,
        Some(ELOOP) if flags & O_NOFOLLOW != 0 => FileError::NotPlain,
        _ => FileError::Io(error),
    })?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(FileError::NotPlain),
    }
}

/// Opens a device to be read, without waiting for it; reading it waits as usual.
///
/// # Errors
/// What the system reports.
pub fn open_device(path: &Path) -> io::Result<File> {
    let flags = O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    let device = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let flags = OFlag::from_bits_truncate(fcntl(&device, FcntlArg::F_GETFL)?);
    fcntl(&device, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(device)
}

/// All bytes of a plain file.
///
/// # Errors
/// [`FileError`]; of a file with more than `bytes_max` no more than that is read.
pub fn read(path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    read_open(open(path)?, bytes_max)
}

/// All bytes of an open file; they are wiped when dropped, and no copy stays behind.
///
/// # Errors
/// [`FileError`].
pub fn read_open(file: File, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if length > bytes_max {
        return Err(FileError::TooLong(bytes_max));
    }
    // Files below /proc have no length; one that grows while it is read has another.
    let mut room = if length == 0 { bytes_max + 1 } else { length + 1 };
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let mut file = file.take(bytes_max as u64 + 1);
    loop {
        let before = bytes.len();
        (&mut file).take((room - before) as u64).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            return Err(FileError::TooLong(bytes_max));
        }
        if bytes.len() < room {
            return Ok(bytes);
        }
        room = bytes_max + 1;
        let mut longer = Zeroizing::new(Vec::with_capacity(room));
        longer.extend_from_slice(&bytes);
        bytes = longer;
    }
}

/// The text of a plain file.
///
/// # Errors
/// [`FileError`], also when it is not UTF-8.
pub fn read_text(path: &Path, bytes_max: usize) -> Result<String, FileError> {
    let bytes = read(path, bytes_max)?;
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use nix::sys::stat::Mode;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Folder {
            let path = std::env::temp_dir().join(format!("firstmile-file-{}", fastrand::u64(..)));
            fs::create_dir(&path).expect("a folder");
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_no_plain_file_is_refused_without_waiting() {
        let folder = Folder::new();
        let at = |name: &str| folder.0.join(name);
        nix::unistd::mkfifo(&at("pipe"), Mode::S_IRWXU).expect("a pipe");
        symlink(at("pipe"), at("link to a pipe")).expect("a link");
        for path in [
            at("pipe"),
            at("link to a pipe"),
            folder.0.clone(),
            "/dev/zero".into(),
            "/dev/tty".into(),
        ] {
            let error = read(&path, 100).expect_err("refused");
            let passes = matches!(error, FileError::NotPlain)
                // Without a terminal it cannot even be opened.
                || path.ends_with("tty") && matches!(error, FileError::Io(_));
            assert!(passes, "{}: {error}", path.display());
        }
        assert!(read(&at("nothing"), 100).expect_err("missing").is_missing());
    }

    #[test]
    fn a_link_is_followed_unless_the_file_itself_is_asked_for() {
        let folder = Folder::new();
        let (file, link) = (folder.0.join("file"), folder.0.join("link"));
        fs::write(&file, "text").expect("a file");
        symlink(&file, &link).expect("a link");
        assert_eq!(read_text(&link, 4).expect("read"), "text");
        assert!(matches!(open_itself(&link), Err(FileError::NotPlain)));
        assert!(open_itself(&file).is_ok());
    }

    #[test]
    fn no_more_is_read_than_the_bound() {
        let folder = Folder::new();
        let file = folder.0.join("file");
        fs::write(&file, [7; 1_000]).expect("a file");
        assert_eq!(*read(&file, 1_000).expect("read"), [7; 1_000]);
        assert!(matches!(read(&file, 999), Err(FileError::TooLong(999))));
        // It has no length and, for this purpose, no end.
        assert!(matches!(read(Path::new("/proc/kallsyms"), 999), Err(FileError::TooLong(999))));
        assert!(!read(Path::new("/proc/self/stat"), 100_000).expect("read").is_empty());
        let huge = fs::File::create(folder.0.join("huge")).expect("a file");
        huge.set_len(1 << 40).expect("a hole");
        assert!(matches!(read(&folder.0.join("huge"), 999), Err(FileError::TooLong(999))));
    }
}
