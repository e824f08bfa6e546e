//! Why an attempt ended: who is at fault and what the owner can do.

use std::net::SocketAddr;

use crate::rtmp;

use super::tls::{CertificateFault, TlsFault, TrustError};

/// Why an attempt to publish ended.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// the destination's settings cannot be used
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// the server address is plain RTMP, which sends the stream key unencrypted
    #[error(
        "{server} is plain RTMP, which sends the stream key unencrypted; use rtmps:// or allow it for this destination with allow_plain"
    )]
    PlainNotAllowed {
        /// The address, without the key.
        server: String,
    },
    /// the name of the server was not found
    #[error("the name {host} was not found ({why}); check the address and the network")]
    NameNotFound {
        /// The name.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// there is no route to the server
    #[error("there is no route to {address}; check the cable or the Wi-Fi")]
    NoRoute {
        /// The address tried last.
        address: SocketAddr,
    },
    /// the server refuses connections on this port
    #[error("{address} refuses connections; check the port, or whether the server is running")]
    Refused {
        /// The address tried last.
        address: SocketAddr,
    },
    /// a phase of connecting took too long
    #[error("no answer from {host} during {phase}; the network may be blocking it")]
    Timeout {
        /// The server.
        host: String,
        /// What was being waited for.
        phase: &'static str,
    },
    /// the server's certificate was not accepted
    #[error("the certificate of {host} was not accepted: {fault}")]
    Certificate {
        /// The server.
        host: String,
        /// What was wrong.
        fault: CertificateFault,
    },
    /// there is no TLS with the server
    #[error("no TLS with {host}: {fault}")]
    Tls {
        /// The server.
        host: String,
        /// Why.
        fault: TlsFault,
    },
    /// the RTMP session ended
    #[error(transparent)]
    Rtmp(#[from] rtmp::Error),
    /// the server sends us to a place that cannot be used
    #[error("the server sends us to a place that cannot be used: {why}")]
    BadRedirect {
        /// What is wrong with it.
        why: String,
    },
    /// the connection was lost
    #[error("the connection was lost ({why})")]
    Lost {
        /// What the system said.
        why: String,
    },
    /// the programme has ended, but the server did not confirm all of it
    #[error(
        "the server has not confirmed the last {bytes} bytes of the programme; they may be lost"
    )]
    NotConfirmed {
        /// Of the connection, behind the last byte that it has confirmed.
        bytes: u64,
    },
    /// nothing was delivered any more
    #[error("the path is dead: nothing was delivered for {after_ms} ms")]
    DeadPath {
        /// How long bytes had waited, in milliseconds.
        after_ms: u64,
    },
    /// the path carries less than the lowest bitrate
    #[error("the path carries less than the lowest bitrate; a new connection may fare better")]
    TooSlow,
    /// the media could not be read
    #[error("{0}")]
    Media(String),
}
