//! The PIN of the serial console: kept as a salted hash, never as it was typed.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ring::pbkdf2;
use zeroize::Zeroizing;

use crate::limits::{PIN_DIGITS_MAX, PIN_DIGITS_MIN, PIN_ITERATIONS, PIN_ITERATIONS_MAX};

/// What a hash in a file begins with.
const MARK: &str = "pbkdf2-sha256$";

/// A console PIN, as typed or as its hash (PBKDF2 with HMAC-SHA-256, RFC 8018 section 5.2).
///
/// ```
/// use firstmile::secret::ConsolePin;
/// let pin = ConsolePin::parse("4711").unwrap().hashed([7; 16]);
/// assert!(pin.admits("4711") && !pin.admits("4712"));
/// assert_eq!(ConsolePin::parse(&pin.stored().unwrap()), Ok(pin.clone()));
/// assert_eq!(format!("{pin} {pin:?}"), "•••• ConsolePin(••••)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConsolePin(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Typed(Zeroizing<String>),
    Hashed { iterations: NonZeroU32, salt: [u8; 16], hash: [u8; 32] },
}

/// a PIN has 4 to 16 digits
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits")]
pub struct PinError;

impl ConsolePin {
    /// Takes a PIN as it is typed, or its hash as it is stored.
    ///
    /// # Errors
    /// [`PinError`]; what was typed is no part of it.
    pub fn parse(text: &str) -> Result<ConsolePin, PinError> {
        let text = text.trim();
        if let Some(hash) = text.strip_prefix(MARK) {
            return read_hash(hash).map(ConsolePin).ok_or(PinError);
        }
        let long_enough = (PIN_DIGITS_MIN..=PIN_DIGITS_MAX).contains(&text.len());
        if !long_enough || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PinError);
        }
        Ok(ConsolePin(Form::Typed(Zeroizing::new(text.to_owned()))))
    }

    /// The same as a hash with this salt, which should be random. Takes as long as a try does:
    /// some 0.1 s on a small board.
    #[must_use]
    pub fn hashed(self, salt: [u8; 16]) -> ConsolePin {
        let Form::Typed(typed) = self.0 else { return self };
        let iterations = PIN_ITERATIONS;
        let mut hash = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, typed.as_bytes(), &mut hash);
        ConsolePin(Form::Hashed { iterations, salt, hash })
    }

    /// Whether this is what was typed. The time it takes does not depend on how much of it is right.
    pub fn admits(&self, typed: &str) -> bool {
        match &self.0 {
            Form::Typed(_) => self.clone().hashed([0; 16]).admits(typed),
            Form::Hashed { iterations, salt, hash } => {
                let typed = typed.trim().as_bytes();
                pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, *iterations, salt, typed, hash).is_ok()
            }
        }
    }

    /// The hash as it is stored; `None` for a PIN that was not hashed.
    pub fn stored(&self) -> Option<String> {
        match &self.0 {
            Form::Typed(_) => None,
            Form::Hashed { iterations, salt, hash } => {
                let [salt, hash] = [salt.as_slice(), hash].map(|bytes| BASE64.encode(bytes));
                Some(format!("{MARK}{iterations}${salt}${hash}"))
            }
        }
    }
}

/// `ITERATIONS$SALT$HASH`; more iterations than a board can afford are refused.
fn read_hash(text: &str) -> Option<Form> {
    let mut parts = text.split('$');
    let iterations: NonZeroU32 = parts.next()?.parse().ok()?;
    let mut bytes = || BASE64.decode(parts.next()?).ok();
    let salt = bytes()?.try_into().ok()?;
    let hash = bytes()?.try_into().ok()?;
    let is_whole = parts.next().is_none() && iterations.get() <= PIN_ITERATIONS_MAX;
    is_whole.then_some(Form::Hashed { iterations, salt, hash })
}

impl fmt::Display for ConsolePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("••••")
    }
}

impl fmt::Debug for ConsolePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsolePin(••••)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_digits_and_nothing_else() {
        for good in ["4711", " 0000\r\n", "1234567890123456"] {
            assert!(ConsolePin::parse(good).is_ok(), "{good:?}");
        }
        for bad in ["", "123", "12345678901234567", "12a4", "12 34", "１２３４", "-1234"] {
            assert_eq!(ConsolePin::parse(bad), Err(PinError), "{bad:?}");
        }
    }

    #[test]
    fn what_is_stored_says_nothing_of_the_pin_and_differs_by_its_salt() {
        let stored = |salt| ConsolePin::parse("90210").unwrap().hashed([salt; 16]).stored();
        let one = stored(1).unwrap();
        assert!(!one.contains("90210"), "{one}");
        assert_ne!(Some(one), stored(2));
        assert_eq!(ConsolePin::parse("90210").unwrap().stored(), None, "never as it was typed");
    }

    #[test]
    fn a_hash_that_is_torn_or_would_keep_a_board_busy_without_end_is_none() {
        let whole = ConsolePin::parse("4711").unwrap().hashed([3; 16]).stored().unwrap();
        for cut in 0..whole.len() {
            assert!(ConsolePin::parse(&whole[..cut]).is_err(), "{cut}");
        }
        let endless = whole.replacen(&PIN_ITERATIONS.to_string(), "4000000000", 1);
        assert_ne!(endless, whole);
        for bad in
            [endless, format!("{whole}$x"), whole.replacen(&PIN_ITERATIONS.to_string(), "0", 1)]
        {
            assert!(ConsolePin::parse(&bad).is_err(), "{bad}");
        }
    }
}
