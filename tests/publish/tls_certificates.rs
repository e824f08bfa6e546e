//! Certificates and TLS servers of every make, and what publishing does with them: a good one gets
//! the RTMP handshake, any other gets not one byte of RTMP and has an error of its own.

use std::future::pending;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::support::Folder;
use crate::support::pki::{Issued, signed_by_algorithm};
use crate::support::tls::{RTMP_HELLO_BYTES, Speaks, accept, answer, loopback, pin_of, serve};
use firstmile::clock::Clock;
use firstmile::publish::tls::Policy;
use firstmile::publish::{CertificateFault as Fault, PublishError, Target, TlsFault, publish};
use firstmile::rtmp::url::{Ingest, ServerUrl};
use firstmile::secret::StreamKey;
use firstmile::spki_pin::SpkiPin;
use firstmile::stream::{Error, Next, Source};
use rcgen::{
    BasicConstraints, CrlDistributionPoint, CustomExtension, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, NameConstraints, SanType, date_time_ymd,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{HandshakeKind, ServerConfig};

const CANARY: &str = "canary-7Qx9";

/// A source that never comes so far as to be sent.
struct NoMedia;

impl Source for NoMedia {
    fn restart(&mut self) {}
    fn next(&mut self, _now: Duration) -> Result<Next, String> {
        Ok(Next::NothingYet)
    }
    async fn ready(&mut self) {
        pending().await
    }
}

fn target(host: &str, port: u16, policy: &Policy) -> Result<Target, PublishError> {
    let server = ServerUrl::parse(&format!("rtmps://{host}:{port}/live")).unwrap();
    let key = StreamKey::parse(CANARY).unwrap();
    Target::new(Ingest::from_server_and_key(server, key).unwrap(), policy, false)
}

/// One attempt to publish; it ends with an error, since no server here goes on after the hello.
async fn attempt(target: &Target) -> PublishError {
    let ended = publish(Clock::start(), target, &mut NoMedia, &mut |_| {}, pending()).await;
    ended.expect_err("no server here takes a stream")
}

fn try_once(target: &Target) -> PublishError {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(attempt(target))
}

/// Where certificates are kept that a policy trusts.
struct Trusted(Folder);

impl Trusted {
    fn policy(&self, trusted: &[&Issued]) -> Policy {
        let ca_file: PathBuf = self.0.path().join(format!("{:016x}.pem", fastrand::u64(..)));
        let pem: String = trusted.iter().map(|issued| issued.pem()).collect();
        std::fs::write(&ca_file, pem).unwrap();
        Policy { ca_file: Some(ca_file), ..Policy::default() }
    }
}

/// What must come of a case.
enum Expect {
    Accepted,
    Certificate(fn(&Fault) -> bool),
    Tls(fn(&TlsFault) -> bool),
}

use Expect::{Accepted, Certificate};

struct Case {
    name: &'static str,
    host: &'static str,
    server: Speaks,
    policy: Policy,
    expect: Expect,
}

/// The table as it is written down: a certificate for `localhost` unless it says otherwise.
struct Table {
    trusted: Trusted,
    root: Issued,
    cases: Vec<Case>,
}

impl Table {
    fn new() -> Table {
        let trusted = Trusted(Folder::new("tls"));
        Table { trusted, root: Issued::authority("root"), cases: Vec::new() }
    }

    fn policy(&self) -> Policy {
        self.trusted.policy(&[&self.root])
    }

    /// A server that shows `server` and `rest`, where the root is trusted.
    fn case(&mut self, name: &'static str, server: &Issued, rest: &[&Issued], expect: Expect) {
        let policy = self.policy();
        self.full(name, "localhost", Speaks::with(server, rest), policy, expect);
    }

    fn called(&mut self, host: &'static str, name: &'static str, server: &Issued, expect: Expect) {
        let policy = self.policy();
        self.full(name, host, Speaks::with(server, &[]), policy, expect);
    }

    fn full(
        &mut self,
        name: &'static str,
        host: &'static str,
        server: Speaks,
        policy: Policy,
        expect: Expect,
    ) {
        self.cases.push(Case { name, host, server, policy, expect });
    }

    /// Runs every case and lists all that went otherwise.
    fn check(&self) {
        assert!(!self.cases.is_empty());
        let wrong: Vec<String> = self.cases.iter().filter_map(Case::wrong).collect();
        assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    }
}

impl Case {
    fn wrong(&self) -> Option<String> {
        let (listener, port) = loopback();
        let config = self.server.config();
        let target = target(self.host, port, &self.policy).unwrap();
        let (error, received) = thread::scope(|scope| {
            let server = scope.spawn(|| serve(&listener, &config));
            (try_once(&target), server.join().unwrap())
        });
        let bytes = received.application.len();
        let as_expected = match (&self.expect, &error) {
            (Accepted, PublishError::Stream(Error::Rtmp(_) | Error::Lost { .. })) => {
                bytes == RTMP_HELLO_BYTES && received.application[0] == 3
            }
            (Certificate(is), PublishError::Certificate { fault, .. }) => bytes == 0 && is(fault),
            (Expect::Tls(is), PublishError::Tls { fault, .. }) => bytes == 0 && is(fault),
            _ => false,
        };
        println!("{:<60} {bytes:>5} bytes  {error}", self.name);
        let message = error.to_string();
        let readable = !message.contains('\n')
            && !message.ends_with('.')
            && !message.contains(CANARY)
            && message.len() < 300
            && matches!(self.expect, Accepted) != message.contains(self.host);
        let wrong = (!as_expected).then_some("otherwise than expected");
        let wrong = wrong.or((!readable).then_some("badly worded"));
        wrong.map(|wrong| format!("{}: {wrong}: {bytes} bytes, {error:?}: {error}", self.name))
    }
}

#[test]
fn a_certificate_counts_for_the_names_it_bears_and_no_others() {
    let mut table = Table::new();
    let server = |names: &[&str]| table.root.server(names);
    let by_name = server(&["localhost"]);
    let by_address = server(&["127.0.0.1"]);
    let capitals = server(&["LocalHost"]);
    let others: Vec<String> = (0..50).map(|i| format!("n{i}.example")).collect();
    let mut many: Vec<&str> = others.iter().map(String::as_str).collect();
    let none_of_many = server(&many);
    many.push("localhost");
    let one_of_many = server(&many);
    let other = server(&["elsewhere.example"]);
    let longer = server(&["localhost.example", "a.localhost", "xlocalhost"]);
    let address_as_name = table.root.server_with(&[], |params| {
        params.subject_alt_names = vec![SanType::DnsName("127.0.0.1".try_into().unwrap())];
    });
    let common_name_only = table.root.server_with(&[], |params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
    });

    let wrong = || Certificate(|fault| matches!(fault, Fault::WrongName { .. }));
    table.called("localhost", "for the name", &by_name, Accepted);
    table.called("127.0.0.1", "for the address", &by_address, Accepted);
    table.called("localhost", "for the name in capitals", &capitals, Accepted);
    table.called("localhost", "for one of many names", &one_of_many, Accepted);
    table.called("localhost", "for another name", &other, wrong());
    table.called("localhost", "for none of many names", &none_of_many, wrong());
    table.called("localhost", "for names that contain it", &longer, wrong());
    table.called("127.0.0.1", "for the name, called by address", &by_name, wrong());
    table.called("localhost", "for the address, called by name", &by_address, wrong());
    table.called("127.0.0.1", "the address as a DNS name", &address_as_name, wrong());
    table.called(
        "localhost",
        "a common name and no subject alternative name",
        &common_name_only,
        Certificate(|fault| *fault == Fault::NoName),
    );
    table.check();
}

#[test]
fn a_certificate_counts_in_its_time_and_for_its_purpose() {
    let mut table = Table::new();
    let server = |otherwise: fn(&mut rcgen::CertificateParams)| {
        table.root.server_with(&["localhost"], otherwise)
    };
    let soon = server(|p| p.not_after = (SystemTime::now() + Duration::from_secs(90)).into());
    let expired = server(|p| p.not_after = date_time_ymd(2021, 1, 1));
    let future = server(|p| p.not_before = date_time_ymd(2119, 1, 1));
    let reversed = server(|p| {
        (p.not_before, p.not_after) = (date_time_ymd(2119, 1, 1), date_time_ymd(2020, 1, 1));
    });
    let any_use = server(|p| p.extended_key_usages.clear());
    let two_uses = server(|p| p.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth));
    let for_clients = server(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let for_mail =
        server(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection]);
    let authority = server(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let with_list = server(|p| {
        let uris = vec!["http://192.0.2.1/list.crl".to_owned()];
        p.crl_distribution_points = vec![CrlDistributionPoint { uris }];
    });
    let demands = server(|p| {
        let mut extension =
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
        extension.set_criticality(true);
        p.custom_extensions = vec![extension];
    });

    table.case("expires in a minute and a half", &soon, &[], Accepted);
    table.case("for any use", &any_use, &[], Accepted);
    table.case("for servers and clients", &two_uses, &[], Accepted);
    table.case("names a revocation list, which is not looked up", &with_list, &[], Accepted);
    let is_expired = |fault: &Fault| {
        matches!(fault, Fault::Expired { .. }) && fault.to_string().contains("on 2021-01-01")
    };
    table.case("expired", &expired, &[], Certificate(is_expired));
    let is_future = |fault: &Fault| {
        matches!(fault, Fault::NotYetValid { .. }) && fault.to_string().contains("2119-01-01")
    };
    table.case("not valid yet", &future, &[], Certificate(is_future));
    let malformed = || Certificate(|fault| *fault == Fault::Malformed);
    table.case("ends before it begins", &reversed, &[], malformed());
    let not_for_servers = || Certificate(|fault| *fault == Fault::NotForServers);
    table.case("for clients alone", &for_clients, &[], not_for_servers());
    table.case("for mail alone", &for_mail, &[], not_for_servers());
    table.case(
        "an authority's",
        &authority,
        &[],
        Certificate(|fault| *fault == Fault::OfAuthority),
    );
    table.case("demands what nobody knows", &demands, &[], malformed());
    table.check();
}

#[test]
fn a_chain_must_reach_a_trusted_authority_by_issuers_that_were_allowed_to_issue() {
    let mut table = Table::new();
    let root = &table.root;
    let middle = root.below("middle", |_| {});
    let lower = middle.below("lower", |_| {});
    let (below_middle, below_lower) = (middle.server(&["localhost"]), lower.server(&["localhost"]));
    let stranger = Issued::authority("stranger");
    let namesake = Issued::authority("root");
    let of_stranger = stranger.server(&["localhost"]);
    let of_namesake = namesake.server(&["localhost"]);
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let of_other_namesake = Issued::authority_for("root", ed25519).server(&["localhost"]);
    let alone = Issued::self_signed(&["localhost"], |_| {});

    let expired = root.below("expired", |p| p.not_after = date_time_ymd(2021, 1, 1));
    let no_authority = root.below("no authority", |p| p.is_ca = IsCa::ExplicitNoCa);
    let unspoken = root.below("unspoken", |p| p.is_ca = IsCa::NoCa);
    let last = root.below("last", |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let after_last = last.below("after last", |_| {});
    let for_clients = root.below("for clients", |p| {
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let names = |permitted: &[&str], excluded: &[&str]| {
        let subtrees = |names: &[&str]| {
            names.iter().map(|n| GeneralSubtree::DnsName((*n).to_owned())).collect()
        };
        let permitted_subtrees = subtrees(permitted);
        Some(NameConstraints { permitted_subtrees, excluded_subtrees: subtrees(excluded) })
    };
    let permits = root.below("permits", |p| p.name_constraints = names(&["localhost"], &[]));
    let permits_other = root.below("other", |p| p.name_constraints = names(&["example"], &[]));
    let excludes = root.below("excludes", |p| p.name_constraints = names(&[], &["localhost"]));
    let server_of = |issuer: &Issued| issuer.server(&["localhost"]);
    let mut ladder = vec![root.below("rung", |_| {})];
    for _ in 0..9 {
        let next = ladder[ladder.len() - 1].below("rung", |_| {});
        ladder.push(next);
    }
    let top_of_ladder = server_of(&ladder[9]);
    let rungs: Vec<&Issued> = ladder.iter().rev().collect();
    let below = [&expired, &no_authority, &unspoken, &after_last, &for_clients, &permits];
    let [of_expired, of_no_authority, of_unspoken, of_after_last, of_for_clients, of_permits] =
        below.map(server_of);
    let [of_permits_other, of_excludes] = [&permits_other, &excludes].map(server_of);

    let unknown = || Certificate(|fault| *fault == Fault::UnknownIssuer);
    let not_allowed = || Certificate(|fault| matches!(fault, Fault::NotAllowed { .. }));
    table.case("intermediate sent", &below_middle, &[&middle], Accepted);
    table.case("intermediates in the wrong order", &below_lower, &[&middle, &lower], Accepted);
    let crowd: &[&Issued] = &[&stranger, &middle, &expired, &namesake];
    table.case("strangers sent along", &below_middle, crowd, Accepted);
    table.case("names that the issuer may issue for", &of_permits, &[&permits], Accepted);
    table.case("intermediate missing", &below_middle, &[], unknown());
    table.case("one of two intermediates missing", &below_lower, &[&lower], unknown());
    table.case("unknown authority", &of_stranger, &[], unknown());
    table.case("unknown authority that is sent along", &of_stranger, &[&stranger], unknown());
    table.case("vouches for itself", &alone, &[], unknown());
    table.case("authority of the same name and another key", &of_namesake, &[], unknown());
    table.case("of the same name and another kind of key", &of_other_namesake, &[], unknown());
    table.case(
        "intermediate expired",
        &of_expired,
        &[&expired],
        Certificate(|fault| matches!(fault, Fault::Expired { .. })),
    );
    table.case("issued by a server", &of_no_authority, &[&no_authority], not_allowed());
    table.case("issuer does not say that it is one", &of_unspoken, &[&unspoken], not_allowed());
    let too_low: &[&Issued] = &[&after_last, &last];
    table.case("lower than its issuers allow", &of_after_last, too_low, not_allowed());
    table.case("chain of ten", &top_of_ladder, &rungs, not_allowed());
    table.case(
        "issuer is for clients alone",
        &of_for_clients,
        &[&for_clients],
        Certificate(|fault| *fault == Fault::NotForServers),
    );
    table.case("issuer is for other names", &of_permits_other, &[&permits_other], not_allowed());
    table.case("issuer is not for this name", &of_excludes, &[&excludes], not_allowed());
    table.check();
}

/// ecdsa-with-SHA1 (RFC 3279 section 2.2.3).
const ECDSA_WITH_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];

#[test]
fn a_certificate_that_was_altered_or_stolen_or_is_weakly_signed_does_not_count() {
    let mut table = Table::new();
    let server = || table.root.server(&["localhost"]);
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let ed25519 = table.root.server_for(&["localhost"], ed25519, |_| {});
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let p384 = table.root.server_for(&["localhost"], p384, |_| {});
    let altered = |at_from_end: usize| {
        server().flawed(|mut der| {
            let at = der.len() - at_from_end;
            der[at] ^= 1;
            der
        })
    };
    let (altered_signature, altered_body) = (altered(1), altered(200));
    let sha1 = server().flawed(|der| signed_by_algorithm(der, ECDSA_WITH_SHA1));
    let cut = server().flawed(|der| der[..der.len() - 9].to_vec());
    let longer = server().flawed(|der| [der, vec![0]].concat());
    let noise = server().flawed(|_| (0..600).map(|i: u32| (i * 31) as u8).collect());
    let nothing = server().flawed(|_| Vec::new());
    let huge = Issued::self_signed(&["localhost"], |p| {
        let extension =
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 2], vec![4; 60_000]);
        p.custom_extensions = vec![extension];
    });
    let mut stolen = Speaks::with(&server(), &[]);
    stolen.key = PrivatePkcs8KeyDer::from(KeyPair::generate().unwrap().serialize_der()).into();
    let mut stolen_tls12 = Speaks::with(&server(), &[]);
    stolen_tls12.key = stolen.key.clone_key();
    stolen_tls12.only_tls12 = true;
    let mut empty = Speaks::with(&server(), &[]);
    empty.chain.clear();
    let usual = server();

    let not_its_key = || Certificate(|fault| *fault == Fault::NotItsKey);
    let unknown = || Certificate(|fault| *fault == Fault::UnknownIssuer);
    let malformed = || Certificate(|fault| *fault == Fault::Malformed);
    table.case("a key on P-384", &p384, &[], Accepted);
    table.case("an Ed25519 key", &ed25519, &[], Accepted);
    table.case("signature altered", &altered_signature, &[], unknown());
    table.case("contents altered", &altered_body, &[], unknown());
    table.case("signed with SHA-1", &sha1, &[], Certificate(|f| *f == Fault::WeakSignature));
    table.case("cut short", &cut, &[], malformed());
    table.case("a byte too long", &longer, &[], malformed());
    table.case("noise", &noise, &[], malformed());
    table.case("a certificate of no bytes", &nothing, &[], malformed());
    let policy = table.policy();
    table.full("the key of another", "localhost", stolen, policy, not_its_key());
    let policy = table.policy();
    table.full("the key of another, TLS 1.2", "localhost", stolen_tls12, policy, not_its_key());
    let misbehaved = || Expect::Tls(|fault| matches!(fault, TlsFault::Misbehaved { .. }));
    let policy = table.policy();
    table.full("no certificate at all", "localhost", empty, policy, misbehaved());
    table.case("a chain of 120 KB", &usual, &[&huge, &huge], misbehaved());
    table.check();
}

#[test]
fn a_policy_narrows_what_is_trusted_and_never_widens_it() {
    let mut table = Table::new();
    let root = &table.root;
    let other_root = Issued::authority("other root");
    let middle = root.below("middle", |_| {});
    let usual = root.server(&["localhost"]);
    let renewed_key = KeyPair::from_pem(&usual.key.serialize_pem()).unwrap();
    let renewed = root.server_for(&["localhost"], renewed_key, |_| {});
    let below_middle = middle.server(&["localhost"]);
    let expired = root.server_with(&["localhost"], |p| p.not_after = date_time_ymd(2021, 1, 1));
    let of_other = other_root.server(&["localhost"]);
    let misnamed = root.server(&["elsewhere.example"]);
    let alone = Issued::self_signed(&["localhost"], |_| {});
    let alone_authority = Issued::self_signed(&["localhost"], |p| {
        p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let ed25519 = root.server_for(&["localhost"], ed25519, |_| {});
    let trust = |trusted: &[&Issued]| table.trusted.policy(trusted);
    let pinned = |trusted: &[&Issued], pinned: &Issued| Policy {
        pinned_key: Some(pin_of(&pinned.key)),
        ..trust(trusted)
    };
    let strict = |trusted: &[&Issued]| Policy { strict: true, ..trust(trusted) };
    let plain = |server: &Issued| Speaks::with(server, &[]);

    let unknown = || Certificate(|fault| *fault == Fault::UnknownIssuer);
    let wrong_key = || Certificate(|fault| matches!(fault, Fault::WrongKey { .. }));
    let nothing_in_common = || Expect::Tls(|fault| *fault == TlsFault::NothingInCommon);
    let rows: Vec<(&'static str, Speaks, Policy, Expect)> = vec![
        ("one of two authorities", plain(&usual), trust(&[&other_root, root]), Accepted),
        ("its own certificate in the CA file", plain(&alone), trust(&[&alone]), Accepted),
        ("the intermediate in the CA file", plain(&below_middle), trust(&[&middle]), Accepted),
        (
            "its own certificate in the CA file, but an authority's",
            plain(&alone_authority),
            trust(&[&alone_authority]),
            Certificate(|fault| *fault == Fault::OfAuthority),
        ),
        ("another authority in the CA file", plain(&usual), trust(&[&other_root]), unknown()),
        ("another server in the CA file", plain(&usual), trust(&[&alone]), unknown()),
        ("no CA file: the system's store", plain(&usual), Policy::default(), unknown()),
        ("the pinned key", plain(&usual), pinned(&[root], &usual), Accepted),
        ("the pinned key, certificate renewed", plain(&renewed), pinned(&[root], &usual), Accepted),
        ("the pinned key of itself", plain(&alone), pinned(&[&alone], &alone), Accepted),
        ("not the pinned key", plain(&usual), pinned(&[root], &ed25519), wrong_key()),
        ("the pinned key is the authority's", plain(&usual), pinned(&[root], root), wrong_key()),
        ("pinned, unknown authority", plain(&of_other), pinned(&[root], &of_other), unknown()),
        ("pinned, vouches for itself", plain(&alone), pinned(&[root], &alone), unknown()),
        (
            "pinned, expired",
            plain(&expired),
            pinned(&[root], &expired),
            Certificate(|fault| matches!(fault, Fault::Expired { .. })),
        ),
        (
            "pinned, for another name",
            plain(&misnamed),
            pinned(&[root], &misnamed),
            Certificate(|fault| matches!(fault, Fault::WrongName { .. })),
        ),
        ("TLS 1.2", Speaks { only_tls12: true, ..plain(&usual) }, trust(&[root]), Accepted),
        ("strict, TLS 1.3", plain(&usual), strict(&[root]), Accepted),
        (
            "strict, TLS 1.2",
            Speaks { only_tls12: true, ..plain(&usual) },
            strict(&[root]),
            Accepted,
        ),
        (
            "ChaCha20 alone",
            Speaks { only_chacha20: true, ..plain(&usual) },
            trust(&[root]),
            Accepted,
        ),
        (
            "strict, ChaCha20 alone",
            Speaks { only_chacha20: true, ..plain(&usual) },
            strict(&[root]),
            nothing_in_common(),
        ),
        (
            "strict, X25519 alone",
            Speaks { only_x25519: true, ..plain(&usual) },
            strict(&[root]),
            nothing_in_common(),
        ),
        ("strict, an Ed25519 key", plain(&ed25519), strict(&[root]), nothing_in_common()),
    ];
    for (name, server, policy, expect) in rows {
        table.full(name, "localhost", server, policy, expect);
    }
    table.check();
}

/// What a server that never agrees on TLS may have received: no record of application data (RFC 8446
/// section 5.1), no RTMP, no key.
fn assert_nothing_sent(name: &str, received: &[u8]) {
    let mut rest = received;
    while let [kind, _, _, high, low, after @ ..] = rest {
        assert!([20, 21, 22].contains(kind), "{name}: a record of kind {kind}");
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        rest = after.get(length..).unwrap_or_else(|| panic!("{name}: half a record"));
    }
    assert!(rest.is_empty(), "{name}");
    assert!(!received.windows(CANARY.len()).any(|w| w == CANARY.as_bytes()), "{name}");
}

#[test]
fn a_server_without_tls_has_an_error_of_its_own_and_gets_no_rtmp() {
    let hello_of_tls11: Vec<u8> = [
        &[0x16, 0x03, 0x02, 0x00, 0x2a, 0x02, 0x00, 0x00, 0x26, 0x03, 0x02][..],
        &[0x5a; 32],
        &[0x00, 0xc0, 0x13, 0x00],
    ]
    .concat();
    let alert = |description: u8| vec![0x15, 0x03, 0x01, 0x00, 0x02, 0x02, description];
    let rtmp = [&[3][..], &[0; 1_536]].concat();
    type Is = fn(&PublishError) -> bool;
    let nothing_in_common: Is =
        |e| matches!(e, PublishError::Tls { fault: TlsFault::NothingInCommon, .. });
    let not_tls: Is = |e| matches!(e, PublishError::Tls { fault: TlsFault::NotTls, .. });
    let hung_up: Is = |e| matches!(e, PublishError::Stream(Error::Lost { why }) if why.contains("during the TLS handshake"));
    let rows: [(&str, Vec<u8>, Is); 9] = [
        ("TLS 1.1", hello_of_tls11, nothing_in_common),
        ("alert protocol_version", alert(70), nothing_in_common),
        ("alert handshake_failure", alert(40), nothing_in_common),
        ("alert unrecognized_name", alert(112), |e| {
            matches!(e, PublishError::Tls { fault: TlsFault::Refused { .. }, .. })
        }),
        ("plain RTMP", rtmp, not_tls),
        ("a web server", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), not_tls),
        ("a mail server", b"220 mail.example ESMTP\r\n".to_vec(), not_tls),
        ("hangs up", Vec::new(), hung_up),
        ("half a record", vec![0x16, 0x03, 0x03, 0x40, 0x00, 0x02, 0x00], |e| {
            matches!(e, PublishError::Stream(Error::Lost { .. }) | PublishError::Tls { .. })
        }),
    ];
    for (name, bytes, is) in rows {
        let (listener, port) = loopback();
        let target = target("localhost", port, &Policy::default()).unwrap();
        let (error, received) = thread::scope(|scope| {
            let server = scope.spawn(move || {
                if bytes.len() < 10 && bytes.first() == Some(&0x16) {
                    let mut socket = accept(&listener);
                    let mut received = vec![0; 4_096];
                    let length = socket.read(&mut received).unwrap();
                    received.truncate(length);
                    socket.write_all(&bytes).unwrap();
                    return received; // and hangs up
                }
                answer(&listener, &bytes)
            });
            (try_once(&target), server.join().unwrap())
        });
        println!("{name:<30} {error}");
        assert!(is(&error), "{name}: {error:?}");
        assert!(error.to_string().contains("localhost"), "{name}: {error}");
        assert!(!error.to_string().contains(CANARY) && !error.to_string().contains('\n'));
        assert_nothing_sent(name, &received);
    }
}

#[test]
fn a_server_that_is_silent_in_the_handshake_is_given_up_in_time() {
    let (listener, port) = loopback();
    let target = target("127.0.0.1", port, &Policy::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let error = runtime.block_on(attempt(&target));
    assert!(matches!(error, PublishError::Timeout { phase: "the TLS handshake", .. }), "{error}");
    let (mut socket, _) = listener.accept().unwrap();
    drop(target);
    let mut received = Vec::new();
    let _ = socket.read_to_end(&mut received);
    assert_nothing_sent("silent", &received);
}

/// Publishes twice, to one server, with these targets; gives how each handshake went.
fn kinds(
    config: &Arc<ServerConfig>,
    targets: impl Fn(u16) -> [Arc<Target>; 2],
) -> [HandshakeKind; 2] {
    let (listener, port) = loopback();
    let targets = targets(port);
    targets.map(|target| {
        let (error, received) = thread::scope(|scope| {
            let server = scope.spawn(|| serve(&listener, config));
            (try_once(&target), server.join().unwrap())
        });
        assert_eq!(received.application.len(), RTMP_HELLO_BYTES, "{error}");
        received.kind.unwrap()
    })
}

#[test]
fn a_reconnect_resumes_the_session_and_another_policy_begins_a_new_one() {
    let trusted = Trusted(Folder::new("tls"));
    let root = Issued::authority("root");
    let server = root.server(&["localhost"]);
    let policy = trusted.policy(&[&root]);
    let narrower = Policy { pinned_key: Some(pin_of(&server.key)), ..policy.clone() };
    let strict = Policy { strict: true, ..policy.clone() };
    let to = |port, policy: &Policy| Arc::new(target("localhost", port, policy).unwrap());
    for policy in [&policy, &narrower, &strict] {
        let config = Speaks::with(&server, &[]).config();
        let same = kinds(&config, |port| {
            let target = to(port, policy);
            [target.clone(), target]
        });
        assert_eq!(same, [HandshakeKind::Full, HandshakeKind::Resumed], "{policy:?}");
    }
    for (before, after) in [(&policy, &narrower), (&policy, &strict), (&policy, &policy)] {
        let config = Speaks::with(&server, &[]).config();
        let renewed = kinds(&config, |port| [to(port, before), to(port, after)]);
        assert_eq!(renewed, [HandshakeKind::Full, HandshakeKind::Full], "{before:?} {after:?}");
    }
}

#[test]
fn what_a_plain_address_could_not_keep_is_refused_before_anything_is_sent() {
    let pin = Some(SpkiPin::from([7; 32]));
    for policy in [
        Policy { strict: true, ..Policy::default() },
        Policy { pinned_key: pin, ..Policy::default() },
    ] {
        let server = ServerUrl::parse("rtmp://127.0.0.1/live").unwrap();
        let ingest =
            Ingest::from_server_and_key(server, StreamKey::parse(CANARY).unwrap()).unwrap();
        let refused = Target::new(ingest, &policy, true).unwrap_err().to_string();
        assert!(refused.contains("plain rtmp://") && !refused.contains(CANARY), "{refused}");
    }
}
