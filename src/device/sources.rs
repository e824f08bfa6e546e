//! The sources of settings besides the store: the integrator's file, and credentials of the service
//! manager.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::{self, Partial};
use crate::file;
use crate::limits::{DESTINATIONS_MAX, KEY_BYTES_MAX, SETTINGS_BYTES_MAX};
use crate::secret::StreamKey;

/// The credential that is a settings file; `key.NAME` next to it is the key of a destination.
const CREDENTIAL_SETTINGS: &str = "firstmile.toml";
const CREDENTIAL_KEY: &str = "key.";

/// Why a source is left out.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    /// a file cannot be read
    #[error("{} cannot be read: {error}", .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system reported.
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
    /// a credential names no destination
    #[error("the credential {name}: {error}")]
    Name {
        /// The credential.
        name: String,
        /// What is wrong.
        error: config::SetError,
    },
}

/// The sources that do not change while the box runs. The integrator's file is weaker than the store,
/// and the credentials are stronger.
#[derive(Debug, Default)]
pub struct Sources {
    /// The integrator's file.
    pub integrator: Partial,
    /// What the service manager sets.
    pub credentials: Partial,
    /// What was left out and why, one line for each source.
    pub faults: Vec<String>,
}

impl Sources {
    /// Reads both; `credentials` is the folder that the service manager made. A source with a
    /// mistake is left out as a whole and every mistake is logged: the box must run to show what is
    /// wrong with it. A file that does not exist is none.
    pub fn read(integrator: &Path, credentials: Option<&Path>) -> Sources {
        let mut faults = Vec::new();
        let integrator = settings(integrator).unwrap_or_else(|error| left_out(&mut faults, &error));
        let credentials = credentials.map_or_else(Partial::default, |folder| {
            from_credentials(folder, &mut faults)
                .unwrap_or_else(|error| left_out(&mut faults, &error))
        });
        Sources { integrator, credentials, faults }
    }
}

fn settings(path: &Path) -> Result<Partial, SourceError> {
    match bounded(path, SETTINGS_BYTES_MAX)? {
        Some(bytes) => Ok(config::parse_bytes(&path.display().to_string(), &bytes)?),
        None => Ok(Partial::default()),
    }
}

/// Nothing, in place of a source that has a mistake.
fn left_out(faults: &mut Vec<String>, error: &SourceError) -> Partial {
    let message = error.to_string();
    message.lines().for_each(|line| tracing::error!("{line}"));
    let more = match message.lines().count() {
        0 | 1 => "",
        _ => " (the log has more)",
    };
    let first = message.lines().next().unwrap_or_default();
    faults.push(format!("{first}{more}; all of it is ignored"));
    Partial::default()
}

/// The credentials. Where their settings have a mistake, the keys are not used either: they may be
/// meant for servers that only those settings name. A key that is none is left out alone.
fn from_credentials(folder: &Path, faults: &mut Vec<String>) -> Result<Partial, SourceError> {
    let mut partial = settings(&folder.join(CREDENTIAL_SETTINGS))?;
    let unreadable = |error| SourceError::Unreadable { path: folder.to_owned(), error };
    let names = fs::read_dir(folder).map_err(unreadable)?.flatten();
    let mut names: Vec<String> = names
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_prefix(CREDENTIAL_KEY)?.into()))
        .collect();
    names.sort();
    for name in names.iter().take(DESTINATIONS_MAX) {
        if let Err(error) = put_key(folder, name, &mut partial) {
            left_out(faults, &error);
        }
    }
    Ok(partial)
}

fn put_key(folder: &Path, destination: &str, partial: &mut Partial) -> Result<(), SourceError> {
    let name = format!("{CREDENTIAL_KEY}{destination}");
    let bytes = bounded(&folder.join(&name), KEY_BYTES_MAX + 64)?.unwrap_or_default();
    match StreamKey::from_bytes(&bytes) {
        Ok(key) => {
            partial.set_key(destination, key).map_err(|error| SourceError::Name { name, error })
        }
        Err(error) => Err(SourceError::Key { name, error }),
    }
}

/// A file's bytes; `None` when it does not exist.
fn bounded(path: &Path, bytes_max: usize) -> Result<Option<Zeroizing<Vec<u8>>>, SourceError> {
    match file::read(path, bytes_max) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(SourceError::Unreadable { path: path.to_owned(), error: error.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALL: &str =
        "version = 1\n[[destination]]\nname = \"hall\"\nurl = \"rtmps://hall.example/live\"\n";

    /// The sources that these files make: the integrator's, and the credentials.
    fn read(integrator: &str, credentials: &[(&str, &str)]) -> Sources {
        let name = format!("firstmile-sources-{}", fastrand::u64(..));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("credentials")).unwrap();
        fs::write(folder.join("box.toml"), integrator).unwrap();
        for (name, text) in credentials {
            fs::write(folder.join("credentials").join(name), text).unwrap();
        }
        let sources = Sources::read(&folder.join("box.toml"), Some(&folder.join("credentials")));
        fs::remove_dir_all(&folder).unwrap();
        sources
    }

    /// The settings in force with nothing stored.
    fn effective(sources: &Sources) -> config::Settings {
        config::effective(&sources.integrator, &Partial::default(), &sources.credentials).0
    }

    #[test]
    fn a_file_with_a_mistake_is_ignored_as_a_whole_and_the_others_apply() {
        let sources = read(
            "version = 1\n[box]\nname = \"stage\"\n[video]\nfpps = 30\n[nonsense]\n",
            &[("firstmile.toml", HALL), ("key.hall", "canary-k3y\n")],
        );
        assert_eq!(sources.integrator, Partial::default(), "its name is ignored too");
        let settings = effective(&sources);
        assert!(settings.destinations[0].ingest().is_ok());
        let [fault] = &sources.faults[..] else { panic!("{:?}", sources.faults) };
        assert!(fault.contains("box.toml:5:1: video.fpps: does not exist"), "{fault}");
        assert!(fault.ends_with(" (the log has more); all of it is ignored"), "{fault}");
    }

    #[test]
    fn keys_next_to_a_file_of_credentials_with_a_mistake_go_to_no_other_server() {
        let broken = format!("{HALL}nonsense = 1\n");
        let sources = read(HALL, &[("firstmile.toml", &broken), ("key.hall", "canary-k3y\n")]);
        assert_eq!(sources.credentials, Partial::default());
        assert_eq!(sources.faults.len(), 1, "{:?}", sources.faults);
        assert!(sources.faults[0].contains("firstmile.toml:5:1"), "{:?}", sources.faults);
    }

    #[test]
    fn a_credential_that_is_no_key_is_left_out_alone_and_not_shown() {
        let keys = [("key.hall", "canary-k3y\n"), ("key.tube", "canary two\n"), ("key.", "x")];
        let sources = read(HALL, &keys);
        assert!(effective(&sources).destinations[0].ingest().is_ok());
        let [nameless, tube] = &sources.faults[..] else { panic!("{:?}", sources.faults) };
        assert!(nameless.starts_with("the credential key.: "), "{nameless}");
        assert!(tube.starts_with("the credential key.tube: "), "{tube}");
        assert!(!tube.contains("canary"), "{tube}");
    }
}
