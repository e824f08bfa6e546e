//! The pin of a server's public key, as settings write it and TLS compares it.
//!
//! Pure room. It promises that what it prints it also reads, and that nothing which is not the
//! whole hash of a key is taken for one. It does not know certificates or connections.
//!
//! ```
//! use firstmile::spki_pin::SpkiPin;
//! let pin: SpkiPin = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse()?;
//! assert_eq!(pin.to_string(), "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
//! # Ok::<(), firstmile::spki_pin::PinError>(())
//! ```

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

const PREFIX: &str = "sha256//";
const HASH_BYTES: usize = 32;

/// The SHA-256 of a public key (SubjectPublicKeyInfo, DER), as in RFC 7469 section 2.4; written
/// like curl's `--pinnedpubkey`: `sha256//` and base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpkiPin([u8; HASH_BYTES]);

/// Why a text is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// a pin begins with sha256//
    #[error("a pin begins with sha256//")]
    NoPrefix,
    /// after sha256// come 44 characters of base64, which are 32 bytes
    #[error("after sha256// come 44 characters of base64, which are {HASH_BYTES} bytes")]
    NoHash,
}

impl From<[u8; HASH_BYTES]> for SpkiPin {
    fn from(hash: [u8; HASH_BYTES]) -> SpkiPin {
        SpkiPin(hash)
    }
}

impl FromStr for SpkiPin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<SpkiPin, PinError> {
        let hash = text.strip_prefix(PREFIX).ok_or(PinError::NoPrefix)?;
        let mut bytes = [0; HASH_BYTES];
        match STANDARD.decode_slice(hash, &mut bytes) {
            Ok(HASH_BYTES) => Ok(SpkiPin(bytes)),
            _ => Err(PinError::NoHash),
        }
    }
}

impl fmt::Display for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for SpkiPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SpkiPin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of nothing.
    const EMPTY: &str = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    #[test]
    fn a_pin_reads_back_as_it_is_printed() {
        for hash in [[0; 32], [0xff; 32], std::array::from_fn(|i| i as u8)] {
            let pin = SpkiPin::from(hash);
            assert_eq!(pin.to_string().parse(), Ok(pin));
        }
        assert_eq!(EMPTY.parse::<SpkiPin>().unwrap().0[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    }

    #[test]
    fn what_is_not_a_whole_hash_is_refused_and_says_what_a_pin_is() {
        for (text, error) in [
            ("", PinError::NoPrefix),
            (&EMPTY[8..], PinError::NoPrefix),
            ("SHA256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", PinError::NoPrefix),
            ("sha256//", PinError::NoHash),
            (&EMPTY[..EMPTY.len() - 1], PinError::NoHash),
            ("sha256//47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=", PinError::NoHash),
            ("sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= ", PinError::NoHash),
            ("sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUAAAA=", PinError::NoHash),
            ("sha256//AAAA", PinError::NoHash),
            (
                "sha256//e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                PinError::NoHash,
            ),
        ] {
            assert_eq!(text.parse::<SpkiPin>(), Err(error), "{text}");
        }
    }
}
