//! Whom a secret was given for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ring::digest::{SHA256, digest};

use crate::rtmp::url::ServerUrl;

/// A server (scheme, host, port and app) or a wireless network that a secret was given for, as a
/// hash: an app may hold a secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipient([u8; 32]);

impl Recipient {
    /// How long it is as text.
    pub(super) const TEXT_BYTES: usize = 43;

    /// A server.
    pub fn server(url: &ServerUrl) -> Recipient {
        Recipient::of(&["server ", &url.recipient()].concat())
    }

    /// A wireless network.
    pub fn network(ssid: &str) -> Recipient {
        Recipient::of(&format!("network {ssid}"))
    }

    fn of(text: &str) -> Recipient {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        Recipient(hash)
    }

    /// As a file holds it.
    pub(super) fn stored(&self) -> String {
        BASE64.encode(self.0)
    }

    /// Reads it back.
    pub(super) fn parse(text: &str) -> Option<Recipient> {
        BASE64.decode(text).ok()?.try_into().ok().map(Recipient)
    }
}
