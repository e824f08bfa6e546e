//! What was wrong with a server's certificate or its TLS, in words for the owner of the box.

use std::net::IpAddr;
use std::{error, io};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError};

use crate::limits::{CLOCK_EARLIEST, SERVER_TEXT_CHARS_MAX};
use crate::spki_pin::SpkiPin;

use super::date::Date;
use super::identity::printable;
use super::verifier::OtherKey;

/// What was wrong with a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// it has expired, or one of its issuers has
    #[error(
        "it or its issuer expired on {on}, and today is {today} by this box's clock; the server's owner must renew it"
    )]
    Expired {
        /// Its last day.
        on: Date,
        /// The box's date.
        today: Date,
    },
    /// it is not valid yet by this box's clock
    #[error(
        "it or its issuer is valid from {from}, and this box's clock says {today}; check the date of the box, which may be wrong for a while after power-up"
    )]
    NotYetValid {
        /// Its first day.
        from: Date,
        /// The box's date.
        today: Date,
    },
    /// this box's clock has not been set, so that no certificate can be judged
    #[error(
        "this box's clock says {today}, so it has not been set and no certificate can be judged; connect the box to a network with a time server"
    )]
    ClockNotSet {
        /// The box's date.
        today: Date,
    },
    /// it was issued for another name
    #[error(
        "it was issued for another name, {names}; check the server address, and whether this network asks to log in on a web page first"
    )]
    WrongName {
        /// The names that it bears, or some of them.
        names: String,
    },
    /// it bears no name at all
    #[error(
        "it bears no subject alternative name, and a common name does not count; the server's owner must have it issued again"
    )]
    NoName,
    /// nobody this box trusts has issued it
    #[error(
        "nobody this box trusts has issued it, or the server does not send its whole chain; check the address, and whether this network asks to log in on a web page first, or set ca_file for a server of your own"
    )]
    UnknownIssuer,
    /// the server's key is not the pinned one
    #[error(
        "the server's key is {presented} and not the pinned one; replace pinned_key only if the server's owner says that the key was changed"
    )]
    WrongKey {
        /// The key that the server has.
        presented: SpkiPin,
    },
    /// its issuer has lost the trust of those who keep the lists
    #[error(
        "it was revoked or its issuer is distrusted; the server's owner must have it issued again"
    )]
    Revoked,
    /// it is not meant for a server
    #[error(
        "it or its issuer is not meant for servers; the server's owner must have it issued for server authentication"
    )]
    NotForServers,
    /// it is an authority's certificate
    #[error(
        "it is the certificate of an authority and not of a server; the server's owner must make one with basicConstraints CA:FALSE"
    )]
    OfAuthority,
    /// its issuer was not allowed to issue it
    #[error(
        "an issuer in its chain was not allowed to issue it ({why}); the server's owner must have it issued again"
    )]
    NotAllowed {
        /// What the issuer was not allowed to.
        why: &'static str,
    },
    /// the server does not prove that it holds the certificate's key
    #[error(
        "the server does not prove that it holds its key, or the key is too short; somebody may be in between"
    )]
    NotItsKey,
    /// its key is of a kind that this box does not know
    #[error(
        "its key is of a kind that this box does not know, such as ECDSA on P-521; the server's owner must have it issued for another key: RSA of 2048 bits and more, ECDSA on P-256 or P-384, or Ed25519"
    )]
    UnknownKey,
    /// it is signed in a way that is not accepted
    #[error(
        "it or its issuer is signed in a way that is not safe any more (SHA-1) or that this box does not know (ECDSA on P-521); the server's owner must have it issued again, signed with RSA, or with ECDSA on P-256 or P-384, and SHA-256"
    )]
    WeakSignature,
    /// it is malformed or demands what this box does not know
    #[error(
        "it is malformed or demands what this box does not know; the server's owner must have it issued again"
    )]
    Malformed,
}

/// Why there is no TLS with a server, its certificate aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// the server does not speak TLS
    #[error(
        "it does not speak TLS; is this an rtmps port? Does this network ask to log in on a web page first?"
    )]
    NotTls,
    /// the server speaks plain RTMP on this port
    #[error(
        "this port speaks plain RTMP and no TLS; use the port of the server's rtmps:// address, or its \
         rtmp:// address with allow_plain"
    )]
    PlainRtmp,
    /// server and box have no safe version, cipher or group in common
    #[error(
        "it offers no TLS 1.2 or 1.3 with a cipher that is allowed here, or its certificate has a key of a kind that this box does not know, such as ECDSA on P-521; its owner must update it or have the certificate issued for RSA or P-256, or switch strict_tls off if it is on"
    )]
    NothingInCommon,
    /// the server refused the handshake
    #[error("it refused the handshake ({message}); check the server address")]
    Refused {
        /// The server's alert.
        message: String,
    },
    /// the server's name cannot stand in a certificate
    #[error("no certificate can be issued for this name; check the server address")]
    NameImpossible,
    /// the server breaks the rules of TLS
    #[error("it breaks the rules of TLS ({message}); something in between may be interfering")]
    Misbehaved {
        /// Which rule.
        message: String,
    },
}

/// How a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::publish) enum Failed {
    Certificate(CertificateFault),
    Tls(TlsFault),
    /// The connection ended in the middle.
    Ended(io::ErrorKind),
}

impl From<&io::Error> for Failed {
    fn from(error: &io::Error) -> Failed {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(certificate)) => {
                Failed::Certificate(certificate_fault(certificate))
            }
            Some(error) => Failed::Tls(tls_fault(error)),
            None => Failed::Ended(error.kind()),
        }
    }
}

fn tls_fault(error: &Error) -> TlsFault {
    use AlertDescription as Alert;
    use InvalidMessage as Message;
    match error {
        Error::InvalidMessage(
            Message::InvalidContentType
            | Message::UnknownProtocolVersion
            | Message::MessageTooLarge
            | Message::InvalidEmptyPayload,
        ) => TlsFault::NotTls,
        Error::PeerIncompatible(_)
        | Error::AlertReceived(
            Alert::ProtocolVersion | Alert::HandshakeFailure | Alert::InsufficientSecurity,
        ) => TlsFault::NothingInCommon,
        Error::AlertReceived(alert) => TlsFault::Refused { message: format!("{alert:?}") },
        other => TlsFault::Misbehaved {
            message: printable(&other.to_string()).chars().take(SERVER_TEXT_CHARS_MAX).collect(),
        },
    }
}

fn certificate_fault(error: &CertificateError) -> CertificateFault {
    use CertificateError as C;
    match error {
        C::ExpiredContext { time, not_after } => {
            CertificateFault::Expired { on: Date::of(*not_after), today: Date::of(*time) }
        }
        C::NotValidYetContext { time, not_before } => not_yet_valid(*time, *not_before),
        C::NotValidForNameContext { presented, .. } => wrong_name(presented),
        C::UnknownIssuer => CertificateFault::UnknownIssuer,
        C::Revoked => CertificateFault::Revoked,
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => CertificateFault::NotForServers,
        C::BadSignature => CertificateFault::NotItsKey,
        C::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => CertificateFault::UnknownKey,
        C::UnsupportedSignatureAlgorithmContext { .. } => CertificateFault::WeakSignature,
        C::Other(OtherError(other)) => other_fault(other.as_ref()),
        _ => CertificateFault::Malformed,
    }
}

fn not_yet_valid(time: UnixTime, not_before: UnixTime) -> CertificateFault {
    let today = Date::of(time);
    if time.as_secs() < CLOCK_EARLIEST.as_secs() {
        CertificateFault::ClockNotSet { today }
    } else {
        CertificateFault::NotYetValid { from: Date::of(not_before), today }
    }
}

fn wrong_name(presented: &[String]) -> CertificateFault {
    const SHOWN: usize = 3;
    // The library prints them as DnsName("a.example") and IpAddress(192.0.2.1).
    let bare = |name: &String| {
        let (kind, inner) = name.split_once('(').unwrap_or(("", name));
        let inner = inner.trim_end_matches(')').trim_matches('"');
        let misplaced = kind == "DnsName" && inner.parse::<IpAddr>().is_ok();
        printable(inner) + if misplaced { " as a name, which does not count" } else { "" }
    };
    let mut names: Vec<String> = presented.iter().take(SHOWN).map(bare).collect();
    match presented.len() {
        0 => return CertificateFault::NoName,
        more if more > SHOWN => names.push(format!("{} more", more - SHOWN)),
        _ => {}
    }
    let names = names.join(", ").chars().take(SERVER_TEXT_CHARS_MAX).collect();
    CertificateFault::WrongName { names }
}

fn other_fault(other: &(dyn error::Error + Send + Sync + 'static)) -> CertificateFault {
    use webpki::Error as E;
    if let Some(OtherKey { presented }) = other.downcast_ref() {
        return CertificateFault::WrongKey { presented: *presented };
    }
    let not_allowed = |why| CertificateFault::NotAllowed { why };
    match other.downcast_ref() {
        Some(E::CertDistrusted) => CertificateFault::Revoked,
        Some(E::CaUsedAsEndEntity) => CertificateFault::OfAuthority,
        Some(E::EmptyEkuExtension) => CertificateFault::NotForServers,
        Some(E::EndEntityUsedAsCa) => not_allowed("it is no authority"),
        Some(E::NameConstraintViolation) => not_allowed("not for this name"),
        Some(E::PathLenConstraintViolated) => not_allowed("its chain is too long"),
        Some(
            E::MaximumPathDepthExceeded
            | E::MaximumPathBuildCallsExceeded
            | E::MaximumSignatureChecksExceeded
            | E::MaximumNameConstraintComparisonsExceeded,
        ) => not_allowed("its chain is too long or too tangled"),
        _ => CertificateFault::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::END_TEXT_CHARS_MAX;
    use std::time::Duration;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_clock_that_was_never_set_is_no_certificate_of_the_future() {
        let not_before = at(1_800_000_000);
        let judged = |seconds| {
            certificate_fault(&CertificateError::NotValidYetContext {
                time: at(seconds),
                not_before,
            })
        };
        let at_power_up = judged(20);
        assert_eq!(at_power_up, CertificateFault::ClockNotSet { today: Date::of(at(20)) });
        assert!(at_power_up.to_string().starts_with("this box's clock says 1970-01-01, so it"));
        assert!(matches!(
            judged(CLOCK_EARLIEST.as_secs() - 1),
            CertificateFault::ClockNotSet { .. }
        ));
        let message = judged(1_799_000_000).to_string();
        assert!(
            message.starts_with(
                "it or its issuer is valid from 2027-01-15, and this box's clock says 2027-01-03;"
            ),
            "{message}"
        );
    }

    #[test]
    fn names_of_a_certificate_are_shown_bare_printable_and_few() {
        let shown = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            match wrong_name(&names) {
                CertificateFault::WrongName { names } => names,
                other => format!("{other:?}"),
            }
        };
        assert_eq!(shown(&[]), "NoName");
        assert_eq!(
            shown(&["DnsName(\"*.a.example\")", "IpAddress(192.0.2.1)"]),
            "*.a.example, 192.0.2.1"
        );
        assert_eq!(shown(&["DnsName(\"192.0.2.1\")"]), "192.0.2.1 as a name, which does not count");
        assert_eq!(shown(&["a", "b", "c", "d", "e"]), "a, b, c, 2 more");
        assert_eq!(shown(&["DnsName(\"a\u{1b}[2Jb\")"]), "a?[2Jb");
        assert_eq!(
            shown(&["n"; 3].map(|n| n.repeat(999)).each_ref().map(String::as_str)).len(),
            200
        );
    }

    #[test]
    fn what_to_do_is_not_cut_off_beside_the_name_of_a_server() {
        use crate::publish::PublishError;
        let host = "x".repeat(64);
        let names = "n".repeat(SERVER_TEXT_CHARS_MAX / 2);
        let certificates = [
            CertificateFault::WrongName { names },
            CertificateFault::NoName,
            CertificateFault::UnknownIssuer,
            CertificateFault::UnknownKey,
            CertificateFault::WeakSignature,
        ];
        let certificate = |fault| PublishError::Certificate { host: host.clone(), fault };
        let tls = [TlsFault::NotTls, TlsFault::PlainRtmp, TlsFault::NothingInCommon];
        let tls = tls.into_iter().map(|fault| PublishError::Tls { host: host.clone(), fault });
        for error in certificates.into_iter().map(certificate).chain(tls) {
            let message = error.to_string();
            assert!(message.chars().count() <= END_TEXT_CHARS_MAX, "{message}");
        }
    }

    #[test]
    fn a_connection_that_ends_in_the_handshake_is_no_fault_of_the_certificate() {
        let ended = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(Failed::from(&ended), Failed::Ended(io::ErrorKind::UnexpectedEof));
    }
}
