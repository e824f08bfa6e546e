//! Secrets (stream key, Wi-Fi passphrase, console PIN): never printed, wiped when dropped.
//!
//! Pure room. A key enters the program in one of three ways (a file, standard input, the console
//! without echo) and leaves it only through [`reveal`](crate::secret::StreamKey::reveal), which the RTMP session calls to
//! write `publish` and the settings store to write the key's own file. `Debug` and `Display` show
//! a mask, so a key that strays into a log line shows nothing, not even its length.

mod passphrase;
mod pin;

use std::fmt;

pub use passphrase::{Passphrase, PassphraseError};
pub use pin::{ConsolePin, PinError};
use zeroize::Zeroizing;

use crate::limits::KEY_BYTES_MAX;

/// A stream key.
///
/// ```
/// use firstmile::secret::StreamKey;
/// let key = StreamKey::parse("live_1234-abcd\n").unwrap();
/// assert_eq!(format!("{key} {key:?}"), "•••• StreamKey(••••)");
/// assert_eq!(key.reveal(), "live_1234-abcd");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey(Zeroizing<String>);

/// Why a text cannot be a stream key. The text itself is never part of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// the stream key is empty
    #[error("the stream key is empty")]
    Empty,
    /// the stream key is longer than 1024 bytes
    #[error("the stream key is longer than {KEY_BYTES_MAX} bytes")]
    TooLong,
    /// the stream key contains a space or a control character
    #[error("the stream key contains a space or a control character")]
    NotPrintable,
    /// the stream key is not UTF-8 text
    #[error("the stream key is not UTF-8 text")]
    NotText,
}

impl StreamKey {
    /// Takes a key as people hand it over: surrounding white space and a byte order mark are cut,
    /// nothing else is changed or re-encoded.
    ///
    /// # Errors
    /// [`KeyError`] when nothing is left, it is over [`KEY_BYTES_MAX`] bytes, or it has white
    /// space or control characters inside.
    pub fn parse(text: &str) -> Result<StreamKey, KeyError> {
        let key = text.trim_start_matches('\u{feff}').trim();
        if key.is_empty() {
            return Err(KeyError::Empty);
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        if key.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(KeyError::NotPrintable);
        }
        Ok(StreamKey(Zeroizing::new(key.to_owned())))
    }

    /// The same from raw bytes, as a file or standard input gives them.
    ///
    /// # Errors
    /// As [`StreamKey::parse`], and [`KeyError::NotText`] when the bytes are not UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<StreamKey, KeyError> {
        StreamKey::parse(std::str::from_utf8(bytes).map_err(|_| KeyError::NotText)?)
    }

    /// Four hexadecimal digits by which an owner can distinguish keys without seeing them. `salt` is
    /// random and stays inside, so that the digits reveal nothing about the key to anybody else.
    pub fn tag(&self, salt: &[u8; 16]) -> String {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(salt);
        context.update(self.reveal().as_bytes());
        let digest = context.finish();
        digest.as_ref().iter().take(2).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key itself, for the wire and for its own file; never for a message or a log.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("••••")
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(••••)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_taken_as_people_paste_it() {
        for text in ["abc", " abc\r\n", "\u{feff}abc\n"] {
            assert_eq!(StreamKey::parse(text).unwrap().reveal(), "abc", "{text:?}");
        }
    }

    #[test]
    fn slashes_queries_and_ampersands_stay_as_they_are() {
        let facebook = "FB-1-0-abc?s_bl=1&s_ps=1&a=Ab_/%2F";
        assert_eq!(StreamKey::parse(facebook).unwrap().reveal(), facebook);
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_by_name() {
        assert_eq!(StreamKey::parse(" \n"), Err(KeyError::Empty));
        assert_eq!(StreamKey::parse("a b"), Err(KeyError::NotPrintable));
        assert_eq!(StreamKey::parse("a\u{1b}[0m"), Err(KeyError::NotPrintable));
        assert_eq!(StreamKey::parse(&"k".repeat(KEY_BYTES_MAX + 1)), Err(KeyError::TooLong));
        assert_eq!(StreamKey::from_bytes(&[0xff, 0xfe]), Err(KeyError::NotText));
    }

    #[test]
    fn a_tag_distinguishes_keys_and_depends_on_the_salt() {
        let tag = |key: &str, salt| StreamKey::parse(key).unwrap().tag(&[salt; 16]);
        assert_eq!(tag("canary", 1), tag("canary", 1));
        assert_ne!(tag("canary", 1), tag("canarz", 1));
        assert_ne!(tag("canary", 1), tag("canary", 2));
        assert_eq!(tag("canary", 1).len(), 4);
    }

    #[test]
    fn printing_a_key_shows_nothing_of_it() {
        let key = StreamKey::parse("canary").unwrap();
        assert!(!format!("{key} {key:?} {:#?}", Some(&key)).contains("canary"));
    }
}
