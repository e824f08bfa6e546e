//! Which cryptography is offered, and in which order.

use std::sync::LazyLock;

use rustls::crypto::ring::{self, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::{CipherSuite, SignatureScheme};

/// What a policy offers on a CPU with or without AES instructions.
pub(super) fn provider(strict: bool, has_aes: bool) -> CryptoProvider {
    if strict { strict_provider() } else { usual_provider(has_aes) }
}

/// ChaCha20 comes first where the CPU has no AES instructions: on such a board AES-GCM costs some
/// five times as much.
fn usual_provider(has_aes: bool) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !has_aes {
        provider.cipher_suites.sort_by_key(|suite| !is_chacha20(suite.suite()));
    }
    provider
}

/// The choice of NIST SP 800-52r2 section 4 (clients): AES-GCM with ephemeral keys on P-256 or
/// P-384, signatures by RSA of 2048 bits and more or by ECDSA.
fn strict_provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| !is_chacha20(suite.suite()));
    provider.kx_groups = vec![kx_group::SECP256R1, kx_group::SECP384R1];
    provider.signature_verification_algorithms = *STRICT_SIGNATURES;
    provider
}

/// All of ring's without Ed25519, which SP 800-52r2 does not list.
static STRICT_SIGNATURES: LazyLock<WebPkiSupportedAlgorithms> = LazyLock::new(|| {
    let every = ring::default_provider().signature_verification_algorithms;
    let ed25519 = every.mapping.iter().find(|(scheme, _)| *scheme == SignatureScheme::ED25519);
    let left_out = ed25519.map_or(&[][..], |(_, algorithms)| *algorithms);
    let is_left_out = |id| left_out.iter().any(|a| a.signature_alg_id() == id);
    let all = every.all.iter().filter(|a| !is_left_out(a.signature_alg_id()));
    let mapping = every.mapping.iter().filter(|(scheme, _)| *scheme != SignatureScheme::ED25519);
    // The library wants lists that live as long as the process; this runs once.
    WebPkiSupportedAlgorithms {
        all: all.copied().collect::<Vec<_>>().leak(),
        mapping: mapping.copied().collect::<Vec<_>>().leak(),
    }
});

fn is_chacha20(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
    )
}

#[cfg(target_arch = "aarch64")]
pub(super) fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull")
}

#[cfg(target_arch = "x86_64")]
pub(super) fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
pub(super) fn has_aes() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_without_aes_instructions_offers_chacha20_first_and_loses_no_suite() {
        let with = provider(false, true).cipher_suites;
        let without = provider(false, false).cipher_suites;
        assert!(is_chacha20(without[0].suite()));
        assert!(!is_chacha20(with[0].suite()));
        assert_eq!(with.len(), without.len());
    }

    #[test]
    fn strict_leaves_out_what_nist_does_not_list_and_nothing_else() {
        let (usual, strict) = (provider(false, true), provider(true, false));
        assert_eq!(usual.cipher_suites.len() - strict.cipher_suites.len(), 3);
        let (all, kept) =
            (usual.signature_verification_algorithms, strict.signature_verification_algorithms);
        assert_eq!(all.all.len() - kept.all.len(), 1);
        assert_eq!(all.mapping.len() - kept.mapping.len(), 1);
        assert!(!kept.supported_schemes().contains(&SignatureScheme::ED25519));
    }
}
