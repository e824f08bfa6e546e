//! A value of a setting, and why one is not taken.

use std::fmt;
use std::path::PathBuf;

use super::Kind;
use crate::rtmp::url::{ServerUrl, UrlError};
use crate::secret::{self, ConsolePin, KeyError, Passphrase, PassphraseError, StreamKey};
use crate::spki_pin::{PinError, SpkiPin};

/// A value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Number`], in range.
    Number(u32),
    /// Of the kinds that are a word or a line.
    Text(String),
    /// Of [`Kind::Address`].
    Address(ServerUrl),
    /// Of [`Kind::Key`].
    Key(StreamKey),
    /// Of [`Kind::Path`].
    Path(PathBuf),
    /// Of [`Kind::Pin`].
    Pin(SpkiPin),
    /// Of [`Kind::ConsolePin`].
    ConsolePin(ConsolePin),
    /// Of [`Kind::Passphrase`].
    Passphrase(Passphrase),
}

impl Value {
    /// Whether it is kept apart and never shown.
    pub fn is_secret(&self) -> bool {
        matches!(self, Value::Key(_) | Value::ConsolePin(_) | Value::Passphrase(_))
    }
}

impl fmt::Display for Value {
    /// As people may see it: keys and whatever is secret in an address are dots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => flag.fmt(f),
            Value::Number(number) => number.fmt(f),
            Value::Text(text) => text.fmt(f),
            Value::Address(address) => address.fmt(f),
            Value::Key(key) => key.fmt(f),
            Value::Path(path) => path.display().fmt(f),
            Value::Pin(pin) => pin.fmt(f),
            Value::ConsolePin(pin) => pin.fmt(f),
            Value::Passphrase(passphrase) => passphrase.fmt(f),
        }
    }
}

/// Why a value is not taken. Texts are never quoted: they may be a key in the wrong place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// it must be of another kind
    #[error("must be {0}")]
    WrongKind(Kind),
    /// it is out of range
    #[error("is {given}, must be {allowed}")]
    OutOfRange {
        /// What was given.
        given: i64,
        /// What would have been taken.
        allowed: Kind,
    },
    /// the address cannot be used
    #[error(transparent)]
    Address(#[from] UrlError),
    /// the key cannot be used
    #[error(transparent)]
    Key(#[from] KeyError),
    /// the pin cannot be used
    #[error(transparent)]
    Pin(#[from] PinError),
    /// the PIN cannot be used
    #[error(transparent)]
    ConsolePin(#[from] secret::PinError),
    /// the passphrase cannot be used
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
}
