//! Why the trust of a destination could not be set up.

use std::path::PathBuf;

/// Why a destination's trust could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// the CA file cannot be read
    #[error("the CA file {} cannot be read: {why}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// In the words of the system.
        why: String,
    },
    /// the CA file holds no certificate
    #[error("the CA file {} holds no certificate; it must be PEM", .path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// a certificate of the CA file is damaged
    #[error("certificate {number} of the CA file {} is damaged", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which one, from 1.
        number: usize,
    },
    /// pinned_key and strict_tls cannot be kept at a plain rtmp:// address
    #[error("pinned_key and strict_tls cannot be kept at a plain rtmp:// address; use rtmps://")]
    PlainAddress,
    /// TLS could not be set up
    #[error("TLS could not be set up: {0}")]
    Setup(String),
}
