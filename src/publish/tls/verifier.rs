//! Who is let through: a chain to a trusted authority for this name and time, and the pinned key
//! where one is set.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use crate::spki_pin::SpkiPin;

use super::trust::TrustError;

/// The whole verification of RFC 5280 and the pin on top. There is no other verifier in the house,
/// and none of it can be left out: it is made only by [`Verifier::new`], which takes no switch.
#[derive(Debug)]
pub(super) struct Verifier {
    chain: Arc<WebPkiServerVerifier>,
    pin: Option<SpkiPin>,
}

/// the server's key is not the pinned one
#[derive(Debug, thiserror::Error)]
#[error("the server's key is {presented} and not the pinned one")]
pub(super) struct OtherKey {
    pub presented: SpkiPin,
}

impl Verifier {
    pub fn new(
        roots: RootCertStore,
        pin: Option<SpkiPin>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Verifier, TrustError> {
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| TrustError::Setup(error.to_string()))?;
        Ok(Verifier { chain, pin })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self
            .chain
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(not_from_its_namesake)?;
        let Some(pin) = self.pin else { return Ok(verified) };
        let presented = pin_of(end_entity)?;
        if presented == pin {
            Ok(verified)
        } else {
            Err(CertificateError::Other(OtherError(Arc::new(OtherKey { presented }))).into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// A signature in the chain that does not fit says that the issuer is another one by the same name;
/// one in the handshake, that the server does not hold the key.
fn not_from_its_namesake(error: Error) -> Error {
    match error {
        Error::InvalidCertificate(
            CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
        ) => CertificateError::UnknownIssuer.into(),
        other => other,
    }
}

/// The pin of a certificate's key.
pub(super) fn pin_of(certificate: &CertificateDer<'_>) -> Result<SpkiPin, Error> {
    let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
    sha256(&key).map(SpkiPin::from).ok_or_else(|| Error::General("no SHA-256".to_owned()))
}

/// By way of a cipher suite, which is where the provider keeps its hashes.
fn sha256(bytes: &[u8]) -> Option<[u8; 32]> {
    let suite = ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13()?;
    suite.common.hash_provider.hash(bytes).as_ref().try_into().ok()
}
