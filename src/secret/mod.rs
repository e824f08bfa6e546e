//! Secrets (stream key, Wi-Fi passphrase, console PIN): never printed, wiped when dropped.
//!
//! Pure room. A key enters the program in one of three ways (a file, standard input, the console
//! without echo) and leaves it only through [`reveal`](crate::secret::StreamKey::reveal), which the RTMP session calls to
//! write `publish` and the settings store to write the key's own file. `Debug` and `Display` show
//! a mask, so a key that strays into a log line shows nothing, not even its length.

mod mask;
mod passphrase;
pub mod pasted;
mod pin;

use std::fmt;

pub use mask::{Mask, SUBSTITUTE};
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
    #[error("the stream key contains a space or a control character (character {at})")]
    NotPrintable {
        /// Which character it is, from 1.
        at: usize,
    },
    /// the stream key is not text
    #[error("the stream key is not text; save its file again with the encoding UTF-8")]
    NotText,
    /// the placeholder of a template or a manual
    #[error(
        "no stream key was filled in: this is the placeholder of a template; copy the key from the \
         platform's page"
    )]
    Placeholder,
    /// what a page shows in place of the key
    #[error(
        "these are the dots that a page shows in place of the stream key; copy it with the page's \
         own button"
    )]
    Mask,
    /// the stream key stands in quotes
    #[error("the stream key stands in quotes; leave them out")]
    Quoted,
    /// the stream key is a whole address
    #[error("the stream key is a whole address; only what follows the app is the key")]
    IsAddress,
}

/// What an address begins with: a key that does so is one.
const ADDRESSES: [&str; 4] = ["rtmp://", "rtmps://", "rtmpt://", "rtmpe://"];

impl StreamKey {
    /// Takes a key as people hand it over: surrounding white space and invisible characters are cut,
    /// nothing else is changed or re-encoded.
    ///
    /// # Errors
    /// [`KeyError`] when nothing is left, it is over [`KEY_BYTES_MAX`] bytes, has white space or
    /// control characters inside, or is something that stands in place of a key.
    pub fn parse(text: &str) -> Result<StreamKey, KeyError> {
        let key = StreamKey::exact(pasted::clean(text))?;
        let text = key.reveal();
        let begins = |scheme: &&str| {
            text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
        };
        match text {
            _ if ADDRESSES.iter().any(begins) => Err(KeyError::IsAddress),
            _ if pasted::is_mask(text) => Err(KeyError::Mask),
            _ if pasted::is_quoted(text) => Err(KeyError::Quoted),
            _ if pasted::is_placeholder(text) => Err(KeyError::Placeholder),
            _ => Ok(key),
        }
    }

    /// Takes a key that was parsed before, such as a stored one, as it is.
    ///
    /// # Errors
    /// [`KeyError`] when it is empty, too long, or has white space or control characters inside.
    pub fn exact(text: Zeroizing<String>) -> Result<StreamKey, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > KEY_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        match pasted::first_unprintable(&text) {
            Some(at) => Err(KeyError::NotPrintable { at }),
            None => Ok(StreamKey(text)),
        }
    }

    /// The same as [`StreamKey::parse`] from raw bytes, as a file or standard input gives them.
    ///
    /// # Errors
    /// As [`StreamKey::parse`], and [`KeyError::NotText`] when the bytes are neither UTF-8 nor UTF-16
    /// with its byte order mark.
    pub fn from_bytes(bytes: &[u8]) -> Result<StreamKey, KeyError> {
        match pasted::utf_16(bytes) {
            Some((text, _)) => StreamKey::parse(&text.ok_or(KeyError::NotText)?),
            None => StreamKey::parse(std::str::from_utf8(bytes).map_err(|_| KeyError::NotText)?),
        }
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
        for text in [
            "abc",
            " abc\r\n",
            "\u{feff}abc\n",
            "\u{a0}abc\u{a0}",
            "a\u{200b}b\u{ad}c",
            "\u{2068}abc\u{2069}",
            "\u{200e}abc\u{fffc}",
        ] {
            assert_eq!(StreamKey::parse(text).unwrap().reveal(), "abc", "{text:?}");
        }
        for bytes in
            [&b"\xef\xbb\xbfabc\r\n"[..], b"\xff\xfea\0b\0c\0\r\0\n\0", b"\xfe\xff\0a\0b\0c"]
        {
            assert_eq!(StreamKey::from_bytes(bytes).unwrap().reveal(), "abc", "{bytes:?}");
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
        assert_eq!(StreamKey::parse("a b"), Err(KeyError::NotPrintable { at: 2 }));
        assert_eq!(StreamKey::parse("ab\u{a0}c"), Err(KeyError::NotPrintable { at: 3 }));
        assert_eq!(StreamKey::parse("a\u{1b}[0m"), Err(KeyError::NotPrintable { at: 2 }));
        assert_eq!(StreamKey::parse("\u{200b}"), Err(KeyError::Empty));
        assert_eq!(StreamKey::parse("RTMPS://h/a/k"), Err(KeyError::IsAddress));
        assert_eq!(StreamKey::parse("paste-your-stream-key-here"), Err(KeyError::Placeholder));
        assert_eq!(StreamKey::parse("••••••••"), Err(KeyError::Mask));
        assert_eq!(StreamKey::parse("“abc”"), Err(KeyError::Quoted));
        assert_eq!(StreamKey::from_bytes(b"\xff\xfea"), Err(KeyError::NotText));
        assert_eq!(StreamKey::parse(&"k".repeat(KEY_BYTES_MAX + 1)), Err(KeyError::TooLong));
        assert_eq!(StreamKey::from_bytes(&[0xff, 0xfd]), Err(KeyError::NotText));
    }

    #[test]
    fn any_printable_key_stays_as_it_is() {
        for key in [
            "rtmp-room?cover=http://192.0.2.9/x.png",
            "r?title=café-中文",
            "x+y=z#frag&q",
            "a%2Fb\"c'd",
            "it's",
            "//k",
            "h264://x",
        ] {
            assert_eq!(StreamKey::parse(key).map(|k| k.reveal().to_owned()).as_deref(), Ok(key));
        }
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
