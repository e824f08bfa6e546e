//! TLS servers on the loopback that remember what they received.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use firstmile::spki_pin::SpkiPin;
use rcgen::{KeyPair, PublicKeyData};
use rustls::crypto::ring::{cipher_suite, default_provider, kx_group};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use super::pki::Issued;

/// C0 and C1, which a publisher sends before it hears anything (RTMP 1.0 section 5.2).
pub const RTMP_HELLO_BYTES: usize = 1 + 1_536;

/// What a server shows and how it speaks.
pub struct Speaks {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub only_tls12: bool,
    pub only_chacha20: bool,
    pub only_x25519: bool,
}

impl Speaks {
    pub fn with(server: &Issued, rest: &[&Issued]) -> Speaks {
        Speaks {
            chain: [&[server], rest].concat().iter().map(|issued| issued.der.clone()).collect(),
            key: PrivatePkcs8KeyDer::from(server.key.serialize_der()).into(),
            only_tls12: false,
            only_chacha20: false,
            only_x25519: false,
        }
    }

    pub fn config(&self) -> Arc<ServerConfig> {
        let mut provider = default_provider();
        if self.only_chacha20 {
            provider.cipher_suites = vec![cipher_suite::TLS13_CHACHA20_POLY1305_SHA256];
        }
        if self.only_x25519 {
            provider.kx_groups = vec![kx_group::X25519];
        }
        let key = provider.key_provider.load_private_key(self.key.clone_key()).unwrap();
        let shown = Arc::new(CertifiedKey::new(self.chain.clone(), key));
        let versions = if self.only_tls12 { vec![&TLS12] } else { vec![&TLS12, &TLS13] };
        let versions = if self.only_chacha20 { vec![&TLS13] } else { versions };
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Always(shown)));
        Arc::new(config)
    }
}

/// Shows a certificate whether or not the key belongs to it.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// What a server saw of one connection.
#[derive(Debug, Default)]
pub struct Seen {
    /// What came through TLS.
    pub application: Vec<u8>,
    pub kind: Option<HandshakeKind>,
}

/// Serves one connection until the RTMP hello is there or the publisher leaves.
pub fn serve(listener: &TcpListener, config: &Arc<ServerConfig>) -> Seen {
    let mut socket = accept(listener);
    let mut tls = ServerConnection::new(config.clone()).unwrap();
    let mut seen = Seen::default();
    while seen.application.len() < RTMP_HELLO_BYTES && tls.complete_io(&mut socket).is_ok() {
        let mut piece = [0; 4_096];
        match tls.reader().read(&mut piece) {
            Ok(0) => break,
            Ok(length) => seen.application.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    seen.kind = tls.handshake_kind();
    tls.send_close_notify();
    let _ = tls.write_tls(&mut socket);
    seen
}

/// Answers whatever comes first with these bytes; gives what came in all.
pub fn answer(listener: &TcpListener, bytes: &[u8]) -> Vec<u8> {
    let mut socket = accept(listener);
    let mut seen = vec![0; 4_096];
    let length = socket.read(&mut seen).unwrap_or(0);
    seen.truncate(length);
    if !bytes.is_empty() {
        let _ = socket.write_all(bytes);
        let _ = socket.read_to_end(&mut seen);
    }
    seen
}

pub fn accept(listener: &TcpListener) -> TcpStream {
    let (socket, _) = listener.accept().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

pub fn loopback() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

pub fn pin_of(key: &KeyPair) -> SpkiPin {
    let suite = cipher_suite::TLS13_AES_128_GCM_SHA256.tls13().unwrap();
    let hash = suite.common.hash_provider.hash(&key.subject_public_key_info());
    SpkiPin::from(<[u8; 32]>::try_from(hash.as_ref()).unwrap())
}
