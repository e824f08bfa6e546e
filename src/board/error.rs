//! What can be wrong with a board profile.

/// What is wrong with a board profile, with the place to repair it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// no board profile has this name
    #[error("no board profile is called `{name}`; known are {known}")]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The names that exist, separated by commas.
        known: String,
    },
    /// the file is not TOML
    #[error("{file}:{line}: {why}")]
    Syntax {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// What the TOML parser said.
        why: String,
    },
    /// a key that no profile has
    #[error("{file}:{line}: unknown key `{key}`; did you mean `{nearest}`?")]
    UnknownKey {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// The key as written, with its tables.
        key: String,
        /// The known key that is spelt most like it.
        nearest: &'static str,
    },
    /// a value that the key cannot have
    #[error("{file}:{line}: `{key}` {why}")]
    BadValue {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// The key, with its tables.
        key: String,
        /// What it must be.
        why: String,
    },
    /// a key that must be there is not
    #[error("{file}: `{key}` is missing: {why}")]
    MissingKey {
        /// The file.
        file: String,
        /// The key, with its tables.
        key: String,
        /// Why it must be there.
        why: String,
    },
    /// the file that is inherited from does not exist
    #[error("{file}:{line}: `inherit` names `{parent}`, which does not exist")]
    ParentMissing {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// The file it inherits from.
        parent: String,
    },
    /// a file inherits from itself
    #[error("{file}:{line}: `inherit` goes round in a circle: {chain}")]
    InheritCircle {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// The files of the circle, in order.
        chain: String,
    },
    /// two users of one GPIO line
    #[error("{file}:{line}: `{key}` is the GPIO line that `{other}` uses already")]
    SharedLine {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// The second user.
        key: String,
        /// The first user.
        other: String,
    },
}
