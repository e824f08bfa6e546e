//! The passphrase of a wireless network: as secret as a stream key.

use std::fmt;

use zeroize::Zeroizing;

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

/// a Wi-Fi passphrase has 8 to 63 characters of ASCII, or is a key of 64 hexadecimal digits
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a Wi-Fi passphrase has 8 to 63 characters without accents, or is a key of 64 hexadecimal digits"
)]
pub struct PassphraseError;

impl Passphrase {
    /// Takes a passphrase; blanks inside and at its ends belong to it, line ends do not.
    ///
    /// # Errors
    /// [`PassphraseError`]; the text itself is no part of it.
    pub fn parse(text: &str) -> Result<Passphrase, PassphraseError> {
        let text = text.trim_end_matches(['\r', '\n']);
        let is_phrase =
            (8..=63).contains(&text.len()) && text.bytes().all(|b| matches!(b, 32..=126));
        let is_key = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_phrase && !is_key {
            return Err(PassphraseError);
        }
        Ok(Passphrase(Zeroizing::new(text.to_owned())))
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
        assert_eq!(Passphrase::parse("12345678\r\n").unwrap().reveal(), "12345678");
        for bad in
            ["", "1234567", &"x".repeat(64), "tab\there, no", "accént-here", "two\nlines ok?"]
        {
            assert_eq!(Passphrase::parse(bad), Err(PassphraseError), "{bad:?}");
        }
    }
}
