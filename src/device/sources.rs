//! Where settings come from beside the store: the integrator's file, and credentials of the
//! service manager.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::{self, Partial, Settings};
use crate::limits::{DESTINATIONS_MAX, KEY_BYTES_MAX, SETTINGS_BYTES_MAX};
use crate::secret::StreamKey;

/// The credential that is a settings file; `key.NAME` beside it is the key of a destination.
const CREDENTIAL_SETTINGS: &str = "firstmile.toml";
const CREDENTIAL_KEY: &str = "key.";

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// a file cannot be read
    #[error("{} cannot be read: {error}", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// a settings file has mistakes
    #[error(transparent)]
    Mistakes(#[from] config::ConfigErrors),
    /// a credential is no stream key
    #[error("the credential {name}: {error}")]
    Key {
        /// The credential.
        name: String,
        /// What is wrong.
        error: crate::secret::KeyError,
    },
}

/// The sources that are as strong as they are fixed; the store stands between them.
#[derive(Debug, Default)]
pub struct Sources {
    /// The integrator's file.
    pub integrator: Partial,
    /// What the service manager fixes; it is stronger than the store.
    pub credentials: Partial,
}

impl Sources {
    /// Reads both; `credentials` is the folder that the service manager made.
    ///
    /// # Errors
    /// [`SourceError`]; a file that does not exist is none.
    pub fn read(integrator: &Path, credentials: Option<&Path>) -> Result<Sources, SourceError> {
        Ok(Sources {
            integrator: file(integrator)?,
            credentials: credentials.map_or(Ok(Partial::default()), from_credentials)?,
        })
    }

    /// The settings that hold with this in the store.
    pub fn effective(&self, stored: &Partial) -> Settings {
        config::merge(&[self.integrator.clone(), stored.clone(), self.credentials.clone()])
    }
}

fn file(path: &Path) -> Result<Partial, SourceError> {
    match bounded(path, SETTINGS_BYTES_MAX)? {
        Some(bytes) => Ok(config::parse_bytes(&path.display().to_string(), &bytes)?),
        None => Ok(Partial::default()),
    }
}

fn from_credentials(folder: &Path) -> Result<Partial, SourceError> {
    let mut partial = file(&folder.join(CREDENTIAL_SETTINGS))?;
    let unreadable = |error| SourceError::Unreadable { path: folder.to_owned(), error };
    let names = fs::read_dir(folder).map_err(unreadable)?.flatten();
    let mut names: Vec<String> = names
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_prefix(CREDENTIAL_KEY)?.into()))
        .collect();
    names.sort();
    for name in names.iter().take(DESTINATIONS_MAX) {
        let credential = format!("{CREDENTIAL_KEY}{name}");
        let bytes = bounded(&folder.join(&credential), KEY_BYTES_MAX + 64)?.unwrap_or_default();
        let key = StreamKey::from_bytes(&bytes)
            .map_err(|error| SourceError::Key { name: credential.clone(), error })?;
        if let Err(error) = partial.set_key(name, key) {
            tracing::warn!(credential, %error, "a credential is not used");
        }
    }
    Ok(partial)
}

/// A file's bytes, one more than the bound at most; `None` when it does not exist.
fn bounded(path: &Path, bytes_max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, SourceError> {
    let unreadable = |error| SourceError::Unreadable { path: path.to_owned(), error };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Some(bytes))
}
