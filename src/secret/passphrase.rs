//! The passphrase of a wireless network: as secret as a stream key.

use std::fmt;

use zeroize::Zeroizing;

use super::pasted;

/// A WPA passphrase, or a key in its place (IEEE 802.11-2020 annex J.4).
///
/// ```
/// use firstmile::secret::Passphrase;
/// let passphrase = Passphrase::parse("correct horse").unwrap();
/// assert_eq!(format!("{passphrase} {passphrase:?}"), "•••• Passphrase(••••)");
/// assert_eq!(passphrase.reveal(), "correct horse");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

/// Why a text cannot be a passphrase. The text itself is never part of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// a Wi-Fi passphrase has 8 to 63 characters of ASCII, or is a key of 64 hexadecimal digits
    #[error(
        "a Wi-Fi passphrase has 8 to 63 characters without accents, or is a key of 64 hexadecimal \
         digits"
    )]
    Length,
    /// a Wi-Fi passphrase has no such character
    #[error(
        "a Wi-Fi passphrase has plain characters alone, without accents, typographic quotes and \
         no-break spaces; this one has another (character {at})"
    )]
    NotPlain {
        /// Which character it is, from 1.
        at: usize,
    },
}

impl Passphrase {
    /// Takes a passphrase; blanks inside and at its ends belong to it, line ends and characters that
    /// show nothing do not.
    ///
    /// # Errors
    /// [`PassphraseError`]; the text itself is no part of it.
    pub fn parse(text: &str) -> Result<Passphrase, PassphraseError> {
        let text = pasted::visible(text.trim_end_matches(['\r', '\n']));
        let plain = |c: char| matches!(c, ' '..='~');
        if let Some(at) = text.chars().position(|c| !plain(c)) {
            return Err(PassphraseError::NotPlain { at: at + 1 });
        }
        let is_key = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !(8..=63).contains(&text.len()) && !is_key {
            return Err(PassphraseError::Length);
        }
        Ok(Passphrase(text))
    }

    /// The passphrase itself, for the network manager and for its own file; never for a
    /// message, a log or a command line.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("••••")
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(••••)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_what_access_points_take() {
        for good in ["12345678", " with blanks ", &"x".repeat(63), &"aF09".repeat(16)] {
            assert_eq!(Passphrase::parse(good).unwrap().reveal(), good);
        }
        for pasted in ["12345678\r\n", "\u{feff}12345678", "1234\u{200b}5678\u{ad}\n"] {
            assert_eq!(Passphrase::parse(pasted).unwrap().reveal(), "12345678", "{pasted:?}");
        }
        for bad in ["", "1234567", &"x".repeat(64)] {
            assert_eq!(Passphrase::parse(bad), Err(PassphraseError::Length), "{bad:?}");
        }
        for (bad, at) in [
            ("tab\there, no", 4),
            ("accént-here", 4),
            ("two\nlines ok?", 4),
            ("no\u{a0}break space", 3),
            ("it’s typographic", 3),
        ] {
            assert_eq!(Passphrase::parse(bad), Err(PassphraseError::NotPlain { at }), "{bad:?}");
        }
    }
}
