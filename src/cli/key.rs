//! The stream key's way in: a file or standard input, never the command line.

use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::file::{self, FileError};
use crate::limits::KEY_BYTES_MAX;
use crate::secret::StreamKey;

use super::exit::{Code, Failure};

/// Reads the key from `path`, or from standard input when it is `-`.
///
/// # Errors
/// When it cannot be read or holds no key; what was read is never part of the error.
pub fn read(path: &Path) -> Result<StreamKey, Failure> {
    let (name, bytes) = if path == Path::new("-") {
        ("standard input".to_owned(), file::standard_input().and_then(bounded))
    } else {
        (format!("the key file {}", path.display()), from_file(path))
    };
    let bytes = bytes
        .map_err(|error| Failure::new(Code::Settings, format!("{name} cannot be read: {error}")))?;
    StreamKey::from_bytes(&bytes)
        .map_err(|error| Failure::new(Code::Settings, format!("{name}: {error}")))
}

fn from_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let pipe = "it is not a plain file; - reads the key from standard input";
    file::open(path)
        .map_err(|error| match error {
            FileError::NotPlain => io::Error::new(io::ErrorKind::InvalidInput, pipe),
            other => other.into(),
        })
        .and_then(bounded)
}

/// Reads a little more than the longest key, so that a longer one is noticed.
fn bounded(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES_MAX + 64));
    from.take(KEY_BYTES_MAX as u64 + 64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
