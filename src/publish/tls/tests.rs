use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use rustls::crypto::ring;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{CipherSuite, ClientConnection, NamedGroup, ProtocolVersion, SignatureScheme};

use super::*;

/// Reads what TLS writes: numbers, and vectors that are led by their length (RFC 8446 section 3.4).
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn number(&mut self, bytes: usize) -> usize {
        self.take(bytes).iter().fold(0, |number, byte| (number << 8) | usize::from(*byte))
    }

    fn vector(&mut self, length_bytes: usize) -> Reader<'a> {
        let length = self.number(length_bytes);
        Reader(self.take(length))
    }

    fn u16s(mut self) -> Vec<u16> {
        std::iter::from_fn(|| (!self.0.is_empty()).then(|| self.number(2) as u16)).collect()
    }
}

/// The ClientHello (RFC 8446 section 4.1.2) that a policy sends to a server of this name, as text:
/// everything that is decided by us, in the order of the wire, but for the extensions, which are
/// shuffled on purpose.
fn client_hello(policy: &Policy, has_aes: bool, name: &str) -> String {
    let config = config_for(policy, has_aes).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut wire = Vec::new();
    ClientConnection::new(config, name).unwrap().write_tls(&mut wire).unwrap();
    let mut record = Reader(&wire);
    let (kind, _version) = (record.number(1), record.number(2));
    let mut message = record.vector(2);
    assert!(record.0.is_empty(), "one record and nothing after it, such as early data");
    assert_eq!((kind, message.number(1)), (22, 1), "a handshake record with a ClientHello");
    describe(message.vector(3))
}

fn describe(mut hello: Reader<'_>) -> String {
    let mut text = String::new();
    let version = ProtocolVersion::from(hello.number(2) as u16);
    let _random = hello.take(32);
    let session = hello.vector(1).0.len();
    list(&mut text, "suites", hello.vector(2).u16s().into_iter().map(CipherSuite::from));
    let compression = hello.vector(1).0;
    writeln!(text, "legacy: {version:?}, session id of {session}, compression {compression:?}")
        .unwrap();
    let mut extensions = Vec::new();
    let mut rest = hello.vector(2);
    while !rest.0.is_empty() {
        extensions.push((rest.number(2), rest.vector(2)));
    }
    extensions.sort_by_key(|(kind, _)| *kind);
    for (kind, body) in extensions {
        extension(&mut text, kind, body);
    }
    text
}

fn extension(text: &mut String, kind: usize, mut body: Reader<'_>) {
    match kind {
        0 => {
            let mut names = body.vector(2);
            assert_eq!(names.number(1), 0, "a host name");
            let name = String::from_utf8(names.vector(2).0.to_vec()).unwrap();
            list(text, "server_name", [name]);
        }
        5 => list(text, "status_request", [body.number(1)]),
        10 => list(text, "groups", body.vector(2).u16s().into_iter().map(NamedGroup::from)),
        11 => list(text, "ec_point_formats", body.vector(1).0),
        13 => {
            let schemes = body.vector(2).u16s().into_iter().map(SignatureScheme::from);
            list(text, "signature_algorithms", schemes);
        }
        23 => list::<u8>(text, "extended_master_secret", []),
        35 => list(text, "session_ticket of", [body.0.len()]),
        43 => {
            let versions = body.vector(1).u16s().into_iter().map(ProtocolVersion::from);
            list(text, "supported_versions", versions);
        }
        45 => list(text, "psk_key_exchange_modes", body.vector(1).0),
        51 => {
            let mut shares = body.vector(2);
            let groups = std::iter::from_fn(|| {
                (!shares.0.is_empty()).then(|| {
                    let group = NamedGroup::from(shares.number(2) as u16);
                    (group, shares.vector(2).0.len())
                })
            });
            list(text, "key_share", groups.collect::<Vec<_>>());
        }
        other => list(text, "extension", [other]),
    }
}

fn list<T: std::fmt::Debug>(text: &mut String, what: &str, items: impl IntoIterator<Item = T>) {
    writeln!(text, "{what}").unwrap();
    for item in items {
        writeln!(text, "    {item:?}").unwrap();
    }
}

/// A file of its own, so that the system's store has no part in the test.
fn trusting_a_file(strict: bool) -> (Policy, CaFile) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    let file = CaFile::new(&certificate.pem());
    (Policy { ca_file: Some(file.0.clone()), pinned_key: None, strict }, file)
}

struct CaFile(PathBuf);

impl CaFile {
    fn new(text: &str) -> CaFile {
        let name = format!("firstmile-ca-{}-{:016x}.pem", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        CaFile(path)
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_client_hello_is_the_one_that_was_reviewed() {
    for (strict, has_aes, file) in [
        (false, true, "client_hello_aes.txt"),
        (false, false, "client_hello_no_aes.txt"),
        (true, true, "client_hello_strict.txt"),
        (true, false, "client_hello_strict.txt"),
    ] {
        let (policy, _file) = trusting_a_file(strict);
        let sent = client_hello(&policy, has_aes, "live.example");
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(file);
        if std::env::var_os("FIRSTMILE_BLESS").is_some() {
            fs::write(&path, &sent).unwrap();
        }
        let reviewed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(sent, reviewed, "{file} differs; FIRSTMILE_BLESS=1 accepts it, after a look");
    }
}

#[test]
fn an_address_in_numbers_is_not_sent_to_the_server_as_a_name() {
    let (policy, _file) = trusting_a_file(false);
    let named = client_hello(&policy, true, "live.example");
    assert!(named.contains("server_name\n    \"live.example\"\n"));
    for address in ["192.0.2.7", "2001:db8::7"] {
        let unnamed = client_hello(&policy, true, address);
        assert!(!unnamed.contains("server_name"), "{unnamed}");
        assert_eq!(named.replace("server_name\n    \"live.example\"\n", ""), unnamed);
    }
}

#[test]
fn neither_early_data_nor_alpn_nor_old_versions_are_offered() {
    for (strict, has_aes) in [(false, true), (false, false), (true, true)] {
        let (policy, _file) = trusting_a_file(strict);
        let config = config_for(&policy, has_aes).unwrap();
        assert!(!config.enable_early_data && config.alpn_protocols.is_empty());
        let sent = client_hello(&policy, has_aes, "live.example");
        assert!(sent.contains("supported_versions\n    TLSv1_3\n    TLSv1_2\nps"), "{sent}");
        assert!(!sent.contains("    42\n") && !sent.contains("    16\n"), "{sent}");
    }
}

fn trust_error(text: Option<&str>) -> TrustError {
    let file = text.map(CaFile::new);
    let path = file.as_ref().map_or(PathBuf::from("no/such/ca.pem"), |file| file.0.clone());
    let policy = Policy { ca_file: Some(path), ..Policy::default() };
    client_config(&policy).unwrap_err()
}

#[test]
fn a_ca_file_that_is_of_no_use_is_named_with_its_flaw() {
    let missing = trust_error(None);
    assert!(missing.to_string().starts_with("the CA file no/such/ca.pem cannot be read: No such"));
    assert!(matches!(trust_error(Some("")), TrustError::NoCertificate { .. }));
    assert!(matches!(trust_error(Some("version = 1\n")), TrustError::NoCertificate { .. }));

    let key = rcgen::KeyPair::generate().unwrap();
    let good = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap().pem();
    let bad = good.replacen("MII", "AII", 1);
    let second = trust_error(Some(&format!("{good}{bad}")));
    assert!(matches!(second, TrustError::Damaged { number: 2, .. }), "{second}");
    let cut = trust_error(Some(&good[..good.len() / 2]));
    assert!(matches!(cut, TrustError::Damaged { number: 1, .. }), "{cut}");

    let large = trust_error(Some(&"#".repeat(CA_FILE_BYTES_MAX + 1)));
    assert!(large.to_string().ends_with("it is longer than 1048576 bytes"), "{large}");
    let policy = Policy { ca_file: Some("src".into()), ..Policy::default() };
    let folder = client_config(&policy).unwrap_err();
    assert!(folder.to_string().ends_with("it is not a plain file"), "{folder}");
}

#[test]
fn a_box_without_a_store_trusts_the_mozilla_roots_and_one_with_a_store_that_alone() {
    let mozilla = webpki_roots::TLS_SERVER_ROOTS.len();
    assert!(mozilla > 50);
    assert_eq!(roots_or_mozilla(Vec::new()).len(), mozilla);
    assert_eq!(roots_or_mozilla(vec![CertificateDer::from(vec![0x30, 0x00])]).len(), mozilla);
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    assert_eq!(roots_or_mozilla(vec![own.der().clone()]).len(), 1);
}

/// A handshake in memory with a server of this certificate name, called by another name; gives how
/// it ended for us and how many bytes of ours the server could read.
fn called(name: &str, certificate_name: &str) -> (Result<(), rustls::Error>, usize) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new([]).unwrap();
    params.subject_alt_names = vec![rcgen::SanType::DnsName(certificate_name.try_into().unwrap())];
    let certificate = params.self_signed(&key).unwrap();
    let file = CaFile::new(&certificate.pem());
    let policy = Policy { ca_file: Some(file.0.clone()), ..Policy::default() };
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap();
    let mut server = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client_config(&policy).unwrap(), name).unwrap();
    client.writer().write_all(b"C0 and C1").unwrap(); // as if we could not wait
    let mut ended = Ok(());
    let mut read = 0;
    while ended.is_ok() && (client.wants_write() || server.wants_write()) {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut &wire[..]).unwrap();
        let state = server.process_new_packets().unwrap();
        read += state.plaintext_bytes_to_read();
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut &wire[..]).unwrap();
        ended = client.process_new_packets().map(|_| ());
    }
    (ended, read)
}

#[test]
fn a_wildcard_stands_for_one_whole_label_at_the_front() {
    for (name, certificate_name) in [
        ("a.live.example", "*.live.example"),
        ("A.Live.Example", "*.live.EXAMPLE"),
        ("a.live.example", "a.live.example"),
    ] {
        let (ended, read) = called(name, certificate_name);
        assert_eq!(ended, Ok(()), "{name} by {certificate_name}");
        assert!(read > 0);
    }
    for (name, certificate_name) in [
        ("a.b.live.example", "*.live.example"),
        ("live.example", "*.live.example"),
        ("live.example", "*.example"),
        ("a.live.example", "a.*.example"),
        ("a.live.example", "*a.live.example"),
        ("ab.live.example", "a*.live.example"),
        ("a.b.live.example", "*.*.live.example"),
        ("a.live.example", "*"),
        ("a.live.example", "a.live.example.evil.example"),
    ] {
        let (ended, read) = called(name, certificate_name);
        let error = ended.expect_err(certificate_name);
        let fault = Failed::from(&std::io::Error::other(error));
        assert!(
            matches!(
                fault,
                Failed::Certificate(
                    CertificateFault::WrongName { .. } | CertificateFault::Malformed
                )
            ),
            "{name} by {certificate_name}: {fault:?}"
        );
        assert_eq!(read, 0, "{name} by {certificate_name}");
    }
}
