//! Why an attempt ended: who is at fault and what the owner can do.

use std::net::SocketAddr;

use crate::rtmp;

use super::tls::TrustError;

/// What was wrong with a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// it has expired
    #[error("it has expired; the server's owner must renew it")]
    Expired,
    /// it is not valid yet by this box's clock
    #[error("it is not valid yet by this box's clock; check the date")]
    NotYetValid,
    /// it was issued for another name
    #[error("it was issued for another name; check the server address")]
    WrongName,
    /// nobody this box trusts has issued it
    #[error(
        "nobody this box trusts has issued it; check the address, or set ca_file for a server of your own"
    )]
    UnknownIssuer,
    /// it has been revoked
    #[error("it has been revoked")]
    Revoked,
    /// it is not acceptable
    #[error("it is malformed or not meant for a server")]
    Unacceptable,
}

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
    /// the server does not speak TLS as expected
    #[error("{host} does not speak TLS as expected ({said}); is this an rtmps port?")]
    Tls {
        /// The server.
        host: String,
        /// What the TLS library said.
        said: String,
    },
    /// the RTMP session ended
    #[error(transparent)]
    Rtmp(#[from] rtmp::Error),
    /// the connection was lost
    #[error("the connection was lost ({why})")]
    Lost {
        /// What the system said.
        why: String,
    },
    /// nothing was delivered any more
    #[error("the path is dead: nothing was delivered for {after_ms} ms")]
    DeadPath {
        /// How long bytes had waited, in milliseconds.
        after_ms: u64,
    },
    /// the media could not be read
    #[error("{0}")]
    Media(String),
}

/// Finds the certificate fault in what rustls said during the handshake.
pub(super) fn certificate_fault(error: &rustls::Error) -> Option<CertificateFault> {
    use rustls::CertificateError as C;
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return None;
    };
    Some(match certificate {
        C::Expired | C::ExpiredContext { .. } => CertificateFault::Expired,
        C::NotValidYet | C::NotValidYetContext { .. } => CertificateFault::NotYetValid,
        C::NotValidForName | C::NotValidForNameContext { .. } => CertificateFault::WrongName,
        // A signature that does not fit is that of another CA by the same name.
        C::UnknownIssuer | C::BadSignature => CertificateFault::UnknownIssuer,
        C::Revoked => CertificateFault::Revoked,
        _ => CertificateFault::Unacceptable,
    })
}
