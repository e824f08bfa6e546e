//! User name and password for servers that want them inside RTMP: `authmod=adobe` and
//! `authmod=llnw`.
//!
//! Neither is specified in public: what is sent here is what librtmp and FFmpeg send, which the servers
//! of Adobe, Wowza, Akamai and Limelight expect. The exchange takes up to three connections: the first `connect` is
//! refused with a request for authentication, the second (with the user's name in its `app`) with a
//! challenge, the third carries the response.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};

use crate::limits::AUTH_FIELD_BYTES_MAX;

/// Which of the two schemes a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Adobe Media Server's, also spoken by Wowza and Akamai.
    Adobe,
    /// Limelight's, a digest as in HTTP (RFC 2617).
    Llnw,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Scheme::Adobe => "adobe",
            Scheme::Llnw => "llnw",
        }
    }
}

/// What a server asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme.
    pub scheme: Scheme,
    /// How far the exchange has come.
    pub step: Step,
}

/// How far the exchange has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The server asks for the user name.
    NeedUser,
    /// The server wants a response computed with the password.
    NeedResponse(Nonces),
    /// The server does not know the user or did not like the response; trying again will not help.
    Failed,
}

/// What the server wants mixed into the response; which of them are set depends on the scheme.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nonces {
    /// Adobe: goes with user and password.
    pub salt: String,
    /// Adobe: goes with the client's nonce, unless there is an `opaque`.
    pub challenge: String,
    /// Adobe: goes with the client's nonce, and is sent back.
    pub opaque: String,
    /// Limelight: the server's nonce.
    pub nonce: String,
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = if self.step == Step::Failed { ", and refused the given one" } else { "" };
        write!(f, "authmod={}{failed}", self.scheme.name())
    }
}

impl Challenge {
    /// Finds a request for authentication in the description of a refused `connect`.
    pub fn parse(description: &str) -> Option<Challenge> {
        let (_, after) = description.split_once("authmod=")?;
        let scheme = match after {
            _ if after.starts_with("adobe") => Scheme::Adobe,
            _ if after.starts_with("llnw") => Scheme::Llnw,
            _ => return None,
        };
        let Some((_, query)) = after.split_once("?reason=") else {
            return Some(Challenge { scheme, step: Step::NeedUser });
        };
        let step = match query.strip_prefix("needauth") {
            Some(query) => Step::NeedResponse(Nonces::parse(query)?),
            None => Step::Failed,
        };
        Some(Challenge { scheme, step })
    }

    /// What to append to `app` and `tcUrl` of the next connection, or `None` when the server has
    /// refused for good. `app` is the application without any such suffix; `client_nonce` has to be
    /// new each time.
    ///
    /// ```
    /// # use firstmile::rtmp::auth::Challenge;
    /// let description = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
    /// let suffix = Challenge::parse(description).unwrap().answer("live", "anna", "secret", 0x1234_5678);
    /// assert_eq!(suffix.as_deref(), Some("?authmod=adobe&user=anna"));
    /// ```
    pub fn answer(
        &self,
        app: &str,
        user: &str,
        password: &str,
        client_nonce: u32,
    ) -> Option<String> {
        let client_nonce = format!("{client_nonce:08x}");
        let name = self.scheme.name();
        match (&self.step, self.scheme) {
            (Step::Failed, _) => None,
            (Step::NeedUser, _) => Some(format!("?authmod={name}&user={user}")),
            (Step::NeedResponse(server), Scheme::Adobe) => {
                Some(adobe(server, user, password, &client_nonce))
            }
            (Step::NeedResponse(server), Scheme::Llnw) => {
                Some(llnw(server, app, user, password, &client_nonce))
            }
        }
    }
}

impl Nonces {
    /// `None` when a field is longer than any server's.
    fn parse(query: &str) -> Option<Nonces> {
        let mut nonces = Nonces::default();
        for (name, value) in query.split(['&', ' ']).filter_map(|field| field.split_once('=')) {
            if value.len() > AUTH_FIELD_BYTES_MAX || value.contains(char::is_control) {
                return None;
            }
            match name {
                "salt" => nonces.salt = value.to_owned(),
                "challenge" => nonces.challenge = value.to_owned(),
                "opaque" => nonces.opaque = value.to_owned(),
                "nonce" => nonces.nonce = value.to_owned(),
                _ => {}
            }
        }
        Some(nonces)
    }
}

fn adobe(server: &Nonces, user: &str, password: &str, client_nonce: &str) -> String {
    let secret = BASE64_STANDARD.encode(md5(&[user, &server.salt, password]));
    let mixed_in = if server.opaque.is_empty() { &server.challenge } else { &server.opaque };
    let response = BASE64_STANDARD.encode(md5(&[&secret, mixed_in, client_nonce]));
    let mut suffix =
        format!("?authmod=adobe&user={user}&challenge={client_nonce}&response={response}");
    if !server.opaque.is_empty() {
        suffix.push_str("&opaque=");
        suffix.push_str(&server.opaque);
    }
    suffix
}

fn llnw(server: &Nonces, app: &str, user: &str, password: &str, client_nonce: &str) -> String {
    const COUNT: &str = "00000001";
    let instance = if app.contains('/') { "" } else { "/_definst_" };
    let secret = hex(md5(&[user, ":live:", password]));
    let resource = hex(md5(&["publish:/", app, instance]));
    let nonce = server.nonce.as_str();
    let fields = [&secret, nonce, COUNT, client_nonce, "auth", &resource].join(":");
    let response = hex(md5(&[&fields]));
    format!(
        "?authmod=llnw&user={user}&nonce={nonce}&cnonce={client_nonce}&nc={COUNT}\
         &response={response}"
    )
}

fn md5(parts: &[&str]) -> [u8; 16] {
    let mut digest = Md5::new();
    parts.iter().for_each(|part| digest.update(part.as_bytes()));
    digest.finalize().into()
}

fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REJECT: &str = "[ AccessManager.Reject ] : [ authmod=adobe ] : ";

    fn answer(description: &str, app: &str) -> Option<String> {
        Challenge::parse(description).unwrap().answer(app, "anna", "secret", 0x1234_5678)
    }

    #[test]
    fn a_request_for_authentication_is_recognized_step_by_step() {
        let step = |text: &str| Challenge::parse(text).map(|found| (found.scheme, found.step));
        let need_user = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
        assert_eq!(step(need_user), Some((Scheme::Adobe, Step::NeedUser)));
        let need_user = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=llnw ] : ";
        assert_eq!(step(need_user), Some((Scheme::Llnw, Step::NeedUser)));
        for reason in ["authfailed", "nosuchuser"] {
            let failed = format!("{REJECT}?reason={reason}&opaque=vgoAAA==");
            assert_eq!(step(&failed), Some((Scheme::Adobe, Step::Failed)));
            assert_eq!(answer(&failed, "live"), None);
        }
        assert_eq!(step("authmod=other"), None);
        assert_eq!(step("no such application"), None);
    }

    #[test]
    fn the_challenge_is_read_field_by_field() {
        let text = format!(
            "{REJECT}?reason=needauth&user=anna&salt=SnPy0w==&challenge=c4a11e00&opaque=rzsD7A=="
        );
        let nonces = Nonces {
            salt: "SnPy0w==".to_owned(),
            challenge: "c4a11e00".to_owned(),
            opaque: "rzsD7A==".to_owned(),
            nonce: String::new(),
        };
        assert_eq!(Challenge::parse(&text).unwrap().step, Step::NeedResponse(nonces));
        let long =
            format!("{REJECT}?reason=needauth&salt={}", "s".repeat(AUTH_FIELD_BYTES_MAX + 1));
        assert_eq!(Challenge::parse(&long), None);
    }

    #[test]
    fn the_adobe_response_mixes_in_opaque_or_challenge() {
        // Responses computed with openssl.
        let salt = "&salt=SnPy0w==";
        assert_eq!(
            answer(&format!("{REJECT}?reason=needauth&user=anna{salt}&opaque=rzsD7A=="), "live")
                .unwrap(),
            "?authmod=adobe&user=anna&challenge=12345678&response=i0iWhgRM8sBvVck+2VOx/A==\
             &opaque=rzsD7A=="
        );
        assert_eq!(
            answer(&format!("{REJECT}?reason=needauth{salt}&challenge=c4a11e00"), "live").unwrap(),
            "?authmod=adobe&user=anna&challenge=12345678&response=oXq/fKSM1j9edp/aLiZhTg=="
        );
    }

    #[test]
    fn the_llnw_response_names_the_default_instance() {
        // Responses computed with openssl.
        let text = "[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=needauth&nonce=5f3c2b1a";
        for (app, response) in [
            ("live", "1c5858a946adc76e46ae891356b0ce28"),
            ("app/inst", "7ae48410023c86e0639d415601aa6124"),
        ] {
            let wanted = format!(
                "?authmod=llnw&user=anna&nonce=5f3c2b1a&cnonce=12345678&nc=00000001\
                 &response={response}"
            );
            assert_eq!(answer(text, app).unwrap(), wanted);
        }
    }
}
