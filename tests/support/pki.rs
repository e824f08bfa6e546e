//! A certificate authority for tests, and server certificates good and bad.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

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
