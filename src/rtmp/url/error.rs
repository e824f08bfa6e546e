//! What can be wrong with an address.

use crate::limits::URL_BYTES_MAX;
use crate::secret::KeyError;

/// Where the key stands in an address of the third shape.
pub(super) const PLACEHOLDER: &str = "{stream_key}";

/// Why a text is no address to publish to. The text itself is never part of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// the address is empty
    #[error("the address is empty")]
    Empty,
    /// the address is longer than 2048 bytes
    #[error("the address is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// the address contains a space or a control character
    #[error("the address contains a space or a control character (character {at})")]
    NotPrintable {
        /// Which character it is, from 1.
        at: usize,
    },
    /// the address does not begin with rtmps:// or rtmp://
    #[error("the address does not begin with rtmps:// or rtmp://")]
    NoScheme,
    /// the address begins with a scheme that is not supported; names what to use instead
    #[error("{scheme}:// is refused: {instead}")]
    RefusedScheme {
        /// The scheme that was given.
        scheme: &'static str,
        /// What to use instead.
        instead: &'static str,
    },
    /// the address names no host
    #[error("the address names no host")]
    NoHost,
    /// the host of the address is neither a name nor an IP address
    #[error(
        "the host of the address is neither a name nor an IP address \
         (a name with other letters than a to z is written in its xn-- form)"
    )]
    BadHost,
    /// an IPv6 address must stand in square brackets
    #[error("an IPv6 address must stand in square brackets, as in rtmps://[2001:db8::1]/app")]
    BareIpv6,
    /// the port of the address is not a number from 1 to 65535
    #[error("the port of the address is not a number from 1 to 65535")]
    BadPort,
    /// the user and password of the address cannot be read
    #[error("the user and password before the @ cannot be read; write special characters as %XX")]
    BadLogin,
    /// the address has no app: something like /live must follow the host
    #[error("the address has no app: something like /live must follow the host")]
    NoApp,
    /// the platform's app must follow the host
    #[error("the address has no app: /{app} must follow the host of this platform")]
    NoPlatformApp {
        /// The app that the platform always has.
        app: &'static str,
    },
    /// {stream_key} must stand once, in the last part of the path
    #[error("{PLACEHOLDER} must stand once, in the last part of the path")]
    BadTemplate,
    /// the address goes on after the platform's app: that part belongs into the stream key
    #[error("the address goes on after the platform's app: that part belongs into the stream key")]
    KeyInAddress,
    /// the address has no stream key after its app
    #[error("the address has no stream key after its app")]
    NoKey,
    /// it is not clear where the app ends and the stream key begins; give the server address and
    /// the stream key separately
    #[error(
        "it is not clear where the app ends and the stream key begins; \
         give the server address and the stream key separately"
    )]
    Ambiguous,
    /// the address ends with the stream key
    #[error("the address ends with the stream key; leave it out there")]
    KeyTwice,
    /// the stream key cannot be used
    #[error(transparent)]
    Key(#[from] KeyError),
}
