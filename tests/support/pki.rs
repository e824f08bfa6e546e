//! A certificate authority for tests, and server certificates good and bad.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::CertificateDer;

use super::Folder;

/// What is wrong with a certificate, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    WrongName,
    Expired,
    NotYetValid,
    SelfSigned,
}

/// A certificate authority of its own.
pub struct Pki {
    folder: Folder,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// PEM files of a server's certificate and key.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Pki {
    pub fn new() -> Pki {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "firstmile test authority");
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("signs");
        let folder = Folder::new("pki");
        fs::write(folder.path().join("ca.pem"), authority.pem()).expect("writes");
        Pki { folder, authority }
    }

    /// The authority's certificate, as PEM.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for these names and IP addresses, good or with one flaw.
    pub fn identity(&self, names: &[&str], flaw: Flaw) -> Identity {
        let names = if flaw == Flaw::WrongName { &["somebody.else.example"] } else { names };
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names or addresses");
        params.distinguished_name.push(DnType::CommonName, "firstmile test server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        (params.not_before, params.not_after) = match flaw {
            Flaw::Expired => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Flaw::NotYetValid => (date_time_ymd(2120, 1, 1), date_time_ymd(2121, 1, 1)),
            _ => (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1)),
        };
        let key = KeyPair::generate().expect("a key");
        let certificate = match flaw {
            Flaw::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &self.authority),
        };
        let certificate = certificate.expect("signs").pem();
        let name = format!("{flaw:?}-{}", fs::read_dir(self.folder.path()).expect("reads").count());
        let file =
            |what: &str, pem: &str| write(self.folder.path(), &format!("{name}.{what}"), pem);
        Identity { certificate: file("pem", &certificate), key: file("key", &key.serialize_pem()) }
    }
}

fn write(folder: &Path, name: &str, pem: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, pem).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    path
}

/// A certificate of any make, and the key that it is for.
pub struct Issued {
    params: CertificateParams,
    pub key: KeyPair,
    pub der: CertificateDer<'static>,
}

impl Issued {
    /// An authority that vouches for itself.
    pub fn authority(name: &str) -> Issued {
        Issued::authority_for(name, KeyPair::generate().expect("a key"))
    }

    /// An authority that vouches for itself, with this key.
    pub fn authority_for(name: &str, key: KeyPair) -> Issued {
        let params = authority_params(name);
        let der = params.self_signed(&key).expect("signs").der().clone();
        Issued { params, key, der }
    }

    /// Something that vouches for itself, made otherwise than usual.
    pub fn self_signed(names: &[&str], otherwise: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = server_params(names);
        otherwise(&mut params);
        let key = KeyPair::generate().expect("a key");
        let der = params.self_signed(&key).expect("signs").der().clone();
        Issued { params, key, der }
    }

    /// An authority below this one, made otherwise than usual.
    pub fn below(&self, name: &str, otherwise: impl FnOnce(&mut CertificateParams)) -> Issued {
        let mut params = authority_params(name);
        otherwise(&mut params);
        self.sign(params, KeyPair::generate().expect("a key"))
    }

    /// A server's certificate.
    pub fn server(&self, names: &[&str]) -> Issued {
        self.server_with(names, |_| {})
    }

    /// A server's certificate, made otherwise than usual.
    pub fn server_with(
        &self,
        names: &[&str],
        otherwise: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        self.server_for(names, KeyPair::generate().expect("a key"), otherwise)
    }

    /// A server's certificate for a key that is there already.
    pub fn server_for(
        &self,
        names: &[&str],
        key: KeyPair,
        otherwise: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let mut params = server_params(names);
        otherwise(&mut params);
        self.sign(params, key)
    }

    fn sign(&self, params: CertificateParams, key: KeyPair) -> Issued {
        let issuer = Issuer::from_params(&self.params, &self.key);
        let der = params.signed_by(&key, &issuer).expect("signs").der().clone();
        Issued { params, key, der }
    }

    /// The same with a flaw in its bytes.
    pub fn flawed(mut self, flaw: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Issued {
        self.der = flaw(self.der.to_vec()).into();
        self
    }

    pub fn pem(&self) -> String {
        pem(&self.der)
    }
}

/// One certificate as PEM.
pub fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([]).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1));
    params
}

fn server_params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names or addresses");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "firstmile test server");
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1));
    params
}

/// A certificate that says that it was signed by this algorithm (RFC 5280 section 4.1.1.2).
pub fn signed_by_algorithm(certificate: Vec<u8>, identifier: &[u8]) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &element(0x06, identifier));
    let parts = elements(elements(&certificate)[0].1);
    let mut fields: Vec<Vec<u8>> =
        elements(parts[0].1).iter().map(|(tag, content)| element(*tag, content)).collect();
    fields[2] = algorithm.clone(); // after version and serial number
    let signed = element(SEQUENCE, &fields.concat());
    element(SEQUENCE, &[signed, algorithm, element(parts[2].0, parts[2].1)].concat())
}

const SEQUENCE: u8 = 0x30;

/// The elements of DER one after the other, tags and contents.
fn elements(mut der: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let [tag, first, rest @ ..] = der {
        let digits = if *first < 0x80 { 0 } else { usize::from(first & 0x7f) };
        let long = rest[..digits].iter().fold(0, |length, d| (length << 8) | usize::from(*d));
        let length = if digits == 0 { usize::from(*first) } else { long };
        let (content, after) = rest[digits..].split_at(length);
        found.push((*tag, content));
        der = after;
    }
    found
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..0x80 => vec![tag, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content.to_vec()].concat()
}
