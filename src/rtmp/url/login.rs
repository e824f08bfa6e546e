//! User and password in an address.

use std::fmt;

use zeroize::Zeroizing;

use super::error::UrlError;

/// User and password of an address, percent-decoded; for servers that ask for `authmod`.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    password: Zeroizing<String>,
}

impl Login {
    /// The password itself, for the server's challenge; never for a message or a log.
    pub fn reveal_password(&self) -> &str {
        &self.password
    }

    pub(super) fn parse(text: &str) -> Result<Login, UrlError> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let user = percent_decode(user)?.to_string();
        if user.is_empty() {
            return Err(UrlError::BadLogin);
        }
        Ok(Login { user, password: percent_decode(password)? })
    }

    /// Writes it as it stands in an address; [`Login::parse`] reads it back.
    pub(super) fn encode(&self, text: &mut String) {
        push_encoded(text, &self.user, "%/?#:");
        if !self.password.is_empty() {
            text.push(':');
            push_encoded(text, &self.password, "%/?#");
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(••••)")
    }
}

fn percent_decode(text: &str) -> Result<Zeroizing<String>, UrlError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let decoded = if byte == b'%' {
            let mut digit = || rest.next().and_then(|d| char::from(d).to_digit(16));
            let (high, low) = (digit(), digit());
            let (Some(high), Some(low)) = (high, low) else { return Err(UrlError::BadLogin) };
            (high * 16 + low) as u8
        } else {
            byte
        };
        bytes.push(decoded);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| UrlError::BadLogin)?;
    if text.chars().any(char::is_control) {
        return Err(UrlError::BadLogin);
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// Encodes only what an address cannot hold as it is, so that no address grows beyond its bound by
/// being written again.
fn push_encoded(text: &mut String, plain: &str, reserved: &str) {
    for c in plain.chars() {
        if reserved.contains(c) || c.is_whitespace() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                text.push_str(&format!("%{byte:02X}"));
            }
        } else {
            text.push(c);
        }
    }
}
