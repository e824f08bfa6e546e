//! The configuration of a session.

use std::fmt;

use zeroize::Zeroizing;

use crate::{limits::RTMP_CHUNK_SIZE_OUT, secret::StreamKey};

/// What to publish, and how to ask for it. Its `Debug` shows neither key nor address.
#[derive(Clone)]
pub struct SessionConfig {
    /// The server's URL with scheme, host and application, as the server is to see it.
    pub tc_url: String,
    /// The application.
    pub app: String,
    /// The stream key: the name under which the stream is published.
    pub key: StreamKey,
    /// What else must not be shown when the server repeats it, such as a token in the address.
    pub secrets: Vec<Zeroizing<String>>,
    /// How much is sent ahead of answers.
    pub order: ConnectOrder,
    /// The `flashVer` of `connect`; `None` for the usual one.
    pub flash_ver: Option<String>,
    /// Whether `connect` announces Enhanced RTMP v2: the codecs (`fourCcList`, `videoFourCcInfoMap`,
    /// `audioFourCcInfoMap`), and in `capsEx` that the server may ask for a reconnect. Some old
    /// servers cannot read it.
    pub enhanced: bool,
    /// The chunk size to announce and to cut messages by, in bytes; clamped to 1 to 0x7FFFFFFF (RTMP
    /// 1.0 section 5.4.1). Every server that was tried accepts 128 to 65536.
    pub chunk_bytes: u32,
    /// Seed of the random bytes of the handshake; they need not be secret.
    pub seed: u64,
}

/// How much is sent ahead of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConnectOrder {
    /// One step at a time: first media 4.5 round trips after TCP and TLS are connected.
    Patient,
    /// The handshake as RTMP 1.0 section 5.2.1 orders it, then all commands and media at once, on
    /// the message stream id that servers give first: 1.5 round trips.
    #[default]
    Conforming,
    /// Everything at once, before the server has sent a byte: half a round trip. It breaks section
    /// 5.2.1; most servers accept it.
    Early,
}

impl SessionConfig {
    /// The defaults: conforming order, default `flashVer`, no Enhanced RTMP, seed 0.
    pub fn new(tc_url: &str, app: &str, key: StreamKey) -> SessionConfig {
        SessionConfig {
            tc_url: tc_url.to_owned(),
            app: app.to_owned(),
            key,
            secrets: Vec::new(),
            order: ConnectOrder::default(),
            flash_ver: None,
            enhanced: false,
            chunk_bytes: RTMP_CHUNK_SIZE_OUT as u32,
            seed: 0,
        }
    }
}

impl fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionConfig").field("order", &self.order).finish_non_exhaustive()
    }
}
