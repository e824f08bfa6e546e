//! Where settings come from: integrator's file, store, credentials of the service manager.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::{self, Partial, Settings};
use crate::limits::{DESTINATIONS_MAX, KEY_BYTES_MAX, SETTINGS_BYTES_MAX};
use crate::secret::StreamKey;

use super::folder::Folder;
use super::store::{Store, StoreError, Stored};

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
    /// the store cannot be used
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The fixed sources and the store between them.
#[derive(Debug)]
pub struct Sources {
    /// The integrator's file.
    pub integrator: Partial,
    /// What the service manager fixes; it is stronger than the store.
    pub credentials: Partial,
    /// What was set at the console or by stick.
    pub store: Store<Folder>,
}

impl Sources {
    /// Reads the fixed sources; `credentials` is the folder that the service manager made.
    ///
    /// # Errors
    /// [`SourceError`]; a file that does not exist is none.
    pub fn open(
        integrator: &Path,
        state: &Path,
        credentials: Option<&Path>,
    ) -> Result<Sources, SourceError> {
        let unreadable = |error| SourceError::Unreadable { path: state.to_owned(), error };
        Ok(Sources {
            integrator: file(integrator)?,
            credentials: credentials.map_or(Ok(Partial::default()), from_credentials)?,
            store: Store::new(Folder::open(state).map_err(unreadable)?),
        })
    }

    /// The settings that hold with this in the store.
    pub fn effective(&self, stored: &Partial) -> Settings {
        config::merge(&[self.integrator.clone(), stored.clone(), self.credentials.clone()])
    }

    /// What is stored. A store of which both copies are damaged is told in the journal and counts as
    /// unreadable, not as empty.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn stored(&mut self) -> Result<Stored, StoreError> {
        let stored = self.store.repair()?;
        if !stored.stale.is_empty() {
            tracing::warn!(copies = ?stored.stale, "a copy of the settings could not be repaired");
        }
        Ok(stored)
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
