//! Why a stick is not read.

use std::io;
use std::path::{Path, PathBuf};

use nix::libc::{EBADMSG, EIO, EUCLEAN};

use super::file_system;
use super::names::SETTINGS_FILE;
use crate::limits::SETTINGS_BYTES_MAX;

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
    #[error("the stick cannot be read: {0}{remedy}", remedy = repair(.0))]
    Unreadable(#[from] io::Error),
    /// it is not there any more
    #[error(
        "the stick was pulled out while it was read, and nothing was changed; plug it in again, and \
         leave it in until the lights show what became of it"
    )]
    PulledOut,
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
    /// its file system is damaged, or the kernel cannot mount it for another reason
    #[error(
        "the {name} of the stick cannot be mounted: {error}; a computer may be able to repair it"
    )]
    NotMounted {
        /// The file system.
        name: &'static str,
        /// What the system reported.
        error: io::Error,
    },
    /// it may hold the settings where they cannot be looked at without writing to it
    #[error(
        "the stick was pulled out before it was ejected, and {SETTINGS_FILE} may be missing because \
         of that; plug it into the computer again and eject it there"
    )]
    NotEjected,
    /// the same, and it cannot be written to
    #[error(
        "the stick was pulled out before it was ejected, and is locked, so that it cannot be put in \
         order here; unlock it, or plug it into the computer again and eject it there"
    )]
    NotEjectedAndLocked,
    /// the same, and it cannot be put in order for another reason
    #[error(
        "the stick was pulled out before it was ejected, and cannot be put in order here ({0}), so \
         that {SETTINGS_FILE} may be an older one; plug it into the computer again and eject it there"
    )]
    NotEjectedAndLeftSo(String),
    /// it cannot be kept from being written to
    #[error("the stick is not read, because it cannot be protected against being written to: {0}")]
    Unprotected(String),
}

/// What is to be done about a stick that fails.
pub(super) fn repair(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(EIO | EUCLEAN | EBADMSG) => {
            "; it is damaged or worn out: let a computer repair it, or use another one"
        }
        _ => "",
    }
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

impl StickError {
    /// Whether the stick is meant for this box, so that a result may be written to it.
    pub fn is_of_our_file(&self) -> bool {
        matches!(self, StickError::Missing { .. } | StickError::NotPlain | StickError::TooLong)
    }

    /// Whether it may come of a stick that was pulled out.
    pub(super) fn is_of_the_device(&self) -> bool {
        matches!(
            self,
            StickError::Unreadable(_) | StickError::NotMounted { .. } | StickError::Unprotected(_)
        )
    }

    /// What a device or an image has in place of a file system that is read.
    pub(super) fn no_file_system(device: &Path, head: &[u8]) -> StickError {
        StickError::NoFileSystem { device: device.to_owned(), found: file_system::found(head) }
    }
}
