//! Whom we trust: the TLS configuration of a destination.
//!
//! Certificates are always verified; there is no switch that turns it off. A destination with a CA
//! file trusts that file alone. Otherwise the system's store decides, and where a box has none, the
//! Mozilla roots that are built in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CipherSuite, ClientConfig, RootCertStore};

/// Why a destination's trust could not be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// the CA file cannot be read
    #[error("the CA file {} cannot be read: {why}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// the CA file holds no usable certificate
    #[error("the CA file {} holds no usable certificate; it must be PEM", .path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// TLS could not be set up
    #[error("TLS could not be set up: {0}")]
    Setup(String),
}

/// The configuration of one destination; keep it across attempts, since it also holds the session
/// tickets that make a reconnect one round trip cheaper.
///
/// # Errors
/// [`TrustError`] when the CA file is of no use.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let roots = match ca_file {
        Some(path) => roots_of_file(path)?,
        None => system_roots(),
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider(has_aes())))
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::Setup(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.enable_sni = true;
    Ok(Arc::new(config))
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, TrustError> {
    let unreadable = |why: String| TrustError::Unreadable { path: path.to_owned(), why };
    let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        return Err(TrustError::NoCertificate { path: path.to_owned() });
    }
    Ok(roots)
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

/// ChaCha20 comes first where the CPU has no AES instructions: on such a board AES-GCM costs some
/// five times as much.
fn provider(has_aes: bool) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !has_aes {
        provider.cipher_suites.sort_by_key(|suite| !is_chacha20(suite.suite()));
    }
    provider
}

fn is_chacha20(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull")
}

#[cfg(target_arch = "x86_64")]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
fn has_aes() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_without_aes_instructions_offers_chacha20_first_and_loses_no_suite() {
        let with = provider(true).cipher_suites;
        let without = provider(false).cipher_suites;
        assert!(is_chacha20(without[0].suite()));
        assert!(!is_chacha20(with[0].suite()));
        assert_eq!(with.len(), without.len());
    }

    #[test]
    fn a_ca_file_that_is_missing_or_holds_no_certificate_is_named() {
        let missing = client_config(Some(Path::new("no/such/ca.pem"))).unwrap_err();
        assert!(missing.to_string().starts_with("the CA file no/such/ca.pem cannot be read"));
        let empty = client_config(Some(Path::new("Cargo.toml"))).unwrap_err();
        assert!(matches!(empty, TrustError::NoCertificate { .. }), "{empty}");
    }
}
