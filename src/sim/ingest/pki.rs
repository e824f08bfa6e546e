//! Certificates made at start: a CA of one run's own and a leaf for loopback.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// The CA certificate as PEM, and the configuration of a server that it vouches for.
pub(super) fn make() -> Result<(String, Arc<ServerConfig>), String> {
    let words = |error: &dyn std::fmt::Display| format!("no certificate could be made: {error}");
    let ca_key = KeyPair::generate().map_err(|error| words(&error))?;
    let mut ca = CertificateParams::new(Vec::new()).map_err(|error| words(&error))?;
    ca.distinguished_name.push(DnType::CommonName, "firstmile demo CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let ca_certificate = ca.self_signed(&ca_key).map_err(|error| words(&error))?;

    let leaf_key = KeyPair::generate().map_err(|error| words(&error))?;
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut leaf = CertificateParams::new(names).map_err(|error| words(&error))?;
    leaf.distinguished_name.push(DnType::CommonName, "firstmile demo ingest");
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let issuer = Issuer::from_params(&ca, &ca_key);
    let leaf_certificate = leaf.signed_by(&leaf_key, &issuer).map_err(|error| words(&error))?;

    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| words(&error))?
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf_certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der())),
        )
        .map_err(|error| words(&error))?;
    Ok((ca_certificate.pem(), Arc::new(config)))
}
