//! Why an attempt ended: who is at fault and what the owner can do.

use std::net::SocketAddr;

use crate::ending::Evidence;
use crate::{rtmp, stream};

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
        /// In the words of the resolver.
        why: String,
    },
    /// the name service cannot say where the server is
    #[error("the name service (DNS) does not say where {host} is ({why}); check the network")]
    NoNameService {
        /// The name.
        host: String,
        /// In the words of the resolver.
        why: String,
    },
    /// the name service is silent
    #[error(
        "the name service (DNS) does not answer where {host} is; the network may be blocking it"
    )]
    NameServiceSilent {
        /// The name.
        host: String,
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
    /// no address of the server answers TCP
    #[error("no answer from {host} during the TCP connection; the network may be blocking it")]
    Unanswered {
        /// The server.
        host: String,
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
    /// the connection that stood is over
    #[error(transparent)]
    Stream(#[from] stream::Error),
    /// what is wrong says less than what a server wrote before it
    #[error("{error}; before that, {words}")]
    Behind {
        /// What ended the attempt.
        error: Box<PublishError>,
        /// Which server, and what it wrote.
        words: String,
    },
}

impl From<rtmp::Error> for PublishError {
    fn from(error: rtmp::Error) -> PublishError {
        PublishError::Stream(error.into())
    }
}

impl PublishError {
    /// The same with what a server wrote earlier in the attempt, unless this one wrote something itself.
    #[must_use]
    pub fn behind(self, words: Option<&str>) -> PublishError {
        let has_words = matches!(&self, PublishError::Stream(error) if error.session().is_some_and(rtmp::Error::has_words));
        match words {
            Some(words) if !has_words => {
                PublishError::Behind { error: Box::new(self), words: words.to_owned() }
            }
            _ => self,
        }
    }

    /// What the server refused, where that is why.
    pub fn refusal(&self) -> Option<rtmp::Refusal> {
        match self {
            PublishError::Stream(error) => error.refusal(),
            PublishError::Behind { error, .. } => error.refusal(),
            _ => None,
        }
    }

    /// What this end shows.
    pub fn evidence(&self) -> Evidence {
        match self {
            PublishError::Trust(_) | PublishError::PlainNotAllowed { .. } => Evidence::BadSettings,
            PublishError::NameNotFound { .. }
            | PublishError::NoNameService { .. }
            | PublishError::NoRoute { .. }
            | PublishError::Refused { .. }
            | PublishError::Unanswered { .. } => Evidence::Unreachable,
            PublishError::Timeout { .. } | PublishError::NameServiceSilent { .. } => {
                Evidence::Timeout
            }
            PublishError::Certificate { fault, .. } => {
                use CertificateFault::{ClockNotSet, NotYetValid};
                let not_yet_valid = matches!(fault, NotYetValid { .. } | ClockNotSet { .. });
                Evidence::Certificate { not_yet_valid }
            }
            PublishError::Tls { .. } => Evidence::NoTls,
            PublishError::Stream(error) => error.evidence(),
            PublishError::Behind { error, .. } => error.evidence(),
        }
    }

    /// In words for whoever tried once: what went wrong, and what to do.
    pub fn sentence(&self) -> String {
        self.evidence().once().with_advice(&self.to_string())
    }
}
