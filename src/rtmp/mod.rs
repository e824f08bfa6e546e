//! The RTMP client without sockets and clocks: bytes in, bytes out.
//!
//! Pure room. It promises to publish to any server that speaks RTMP 1.0 or something like it, to end
//! with a named reason where that fails, to stay within the bounds of [`crate::limits`] whatever a
//! server sends, and never to show the stream key. It does not know sockets, TLS, clocks, FLV or
//! how often to try again: it carries opaque audio, video and data payloads over one connection.
//!
//! [`Session`] is the room's face. Below it: [`handshake`], [`chunk`] (messages cut into chunks and
//! put together again), [`message`] (their content), [`amf0`] (the encoding of commands),
//! [`outbound`] (what waits to be written) and [`auth`] (user names and passwords inside RTMP).
//!
//! [`Session`]: crate::rtmp::Session
//! [`handshake`]: crate::rtmp::handshake
//! [`chunk`]: crate::rtmp::chunk
//! [`message`]: crate::rtmp::message
//! [`amf0`]: crate::rtmp::amf0
//! [`outbound`]: crate::rtmp::outbound
//! [`auth`]: crate::rtmp::auth
//!
//! ```
//! use std::time::Duration;
//! use bytes::Buf;
//! use firstmile::{rtmp::{Event, Phase, Session, SessionConfig}, secret::StreamKey};
//!
//! let key = StreamKey::parse("my-key")?;
//! let mut session =
//!     Session::new(Duration::ZERO, SessionConfig::new("rtmp://example.org/live", "live", key));
//! assert_eq!(session.poll_event(), Some(Event::Phase(Phase::Handshake)));
//! assert_eq!(session.transmit().remaining(), 1 + 1536); // C0 and C1, to be written to the socket
//! # Ok::<(), firstmile::secret::KeyError>(())
//! ```

pub mod amf0;
mod amf3;
pub mod auth;
pub mod chunk;
mod error;
pub mod handshake;
pub mod message;
pub mod outbound;
mod session;
mod text;
pub mod type_id;
pub mod url;

pub use error::{Error, ErrorKind, Misbehaviour, Phase, Redirect, Refusal, Remark};
pub use outbound::Outbound;
pub use session::{ConnectOrder, Event, Session, SessionConfig, Stats, Warning};
