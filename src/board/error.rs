//! What can be wrong with a board profile.

use crate::typed_toml::Mistakes;

/// Why there is no profile.
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
    /// the profile, or one that it inherits from, has mistakes
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
}
