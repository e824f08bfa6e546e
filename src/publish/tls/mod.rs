//! Whom we trust: the TLS configuration of a destination.
//!
//! TLS 1.2 and 1.3 only. Certificates are always verified; there is no switch that turns it off. A
//! destination with a CA file trusts that file alone. Otherwise the system's store decides, and
//! where a box has none, the Mozilla roots that are built in. A pinned key narrows this further and
//! never widens it.

mod date;
mod fault;
mod identity;
mod provider;
mod trust;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use crate::file;
use crate::limits::{CA_FILE_BYTES_MAX, TLS_TICKETS_MAX};
use crate::spki_pin::SpkiPin;
use verifier::Verifier;

pub use date::Date;
pub use fault::{CertificateFault, TlsFault};
pub use identity::ServerIdentity;
pub use trust::TrustError;

pub(super) use fault::Failed;
pub(super) use identity::identity;

/// Whom a destination trusts. The default is any authority of the system's store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// PEM file of the only authorities to trust; a server's own certificate will do, unless it
    /// says that it is an authority.
    pub ca_file: Option<PathBuf>,
    /// The key that the server must have, beside a certificate that is trusted otherwise.
    pub pinned_key: Option<SpkiPin>,
    /// Offer only what NIST SP 800-52r2 approves. Conformance is not claimed: revocation is not
    /// looked up.
    pub strict: bool,
}

impl Policy {
    /// Whether it demands something that only TLS can give.
    pub(super) fn demands_tls(&self) -> bool {
        self.pinned_key.is_some() || self.strict
    }
}

/// The configuration of one destination; keep it across attempts, since it also holds the session
/// tickets that make a reconnect cheaper. Two configurations never share tickets, so what one
/// policy let through is no way around another.
///
/// # Errors
/// [`TrustError`] when the CA file is of no use.
pub(super) fn client_config(policy: &Policy) -> Result<Arc<ClientConfig>, TrustError> {
    config_for(policy, provider::has_aes())
}

fn config_for(policy: &Policy, has_aes: bool) -> Result<Arc<ClientConfig>, TrustError> {
    let roots = match &policy.ca_file {
        Some(path) => roots_of_file(path)?,
        None => roots_or_mozilla(rustls_native_certs::load_native_certs().certs),
    };
    let provider = Arc::new(provider::provider(policy.strict, has_aes));
    let verifier = Verifier::new(roots, policy.pinned_key, provider.clone())?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| TrustError::Setup(error.to_string()))?
        .dangerous() // rustls' word for any verifier but its own; ours wraps its own
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(TLS_TICKETS_MAX);
    config.require_ems = policy.strict; // extended master secret, RFC 7627
    Ok(Arc::new(config))
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, TrustError> {
    let pem = file::read(path, CA_FILE_BYTES_MAX).map_err(|error| TrustError::Unreadable {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    let mut roots = RootCertStore::empty();
    for (i, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        if added.is_none() {
            return Err(TrustError::Damaged { path: path.to_owned(), number: i + 1 });
        }
    }
    if roots.is_empty() {
        return Err(TrustError::NoCertificate { path: path.to_owned() });
    }
    Ok(roots)
}

fn roots_or_mozilla(found: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 {
        tracing::debug!("no system store; the built-in Mozilla roots are used");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

#[cfg(test)]
mod tests;
