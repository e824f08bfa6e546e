//! Who a server is, for the owner's eyes: after the handshake, from the certificate that was
//! verified. Nothing is decided by what is read here.

use rustls::ClientConnection;
use rustls::pki_types::UnixTime;
use serde::Serialize;

use crate::limits::SERVER_TEXT_CHARS_MAX;
use crate::sanitize::is_hidden;
use crate::spki_pin::SpkiPin;

use super::date::Date;
use super::verifier::pin_of;

/// Who a server is and how it speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerIdentity {
    /// Whom the certificate names: the common name, or the organisation, or nothing.
    pub subject: String,
    /// Who issued it, in the same way.
    pub issuer: String,
    /// The last day of the certificate.
    pub valid_until: Date,
    /// Days left by this box's clock.
    pub days_left: i64,
    /// The pin of the server's key, as `pinned_key` takes it.
    pub pin: SpkiPin,
    /// The version of TLS.
    pub version: String,
    /// The cipher suite.
    pub suite: String,
}

/// Who is at the other end of a connection whose handshake is done.
pub(in crate::publish) fn identity(tls: &ClientConnection) -> Option<ServerIdentity> {
    let certificate = tls.peer_certificates()?.first()?;
    let Shown { subject, issuer, valid_until } = shown(certificate)?;
    Some(ServerIdentity {
        subject,
        issuer,
        valid_until,
        days_left: valid_until.days_since(Date::of(UnixTime::now())),
        pin: pin_of(certificate).ok()?,
        version: format!("{:?}", tls.protocol_version()?),
        suite: format!("{:?}", tls.negotiated_cipher_suite()?.suite()),
    })
}

struct Shown {
    subject: String,
    issuer: String,
    valid_until: Date,
}

const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// `id-at-commonName` and `id-at-organizationName` (RFC 5280 appendix A.1).
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// Reads a certificate as far as the subject (RFC 5280 section 4.1).
fn shown(certificate: &[u8]) -> Option<Shown> {
    let (certificate, _) = expect(SEQUENCE, certificate)?;
    let (mut rest, _) = expect(SEQUENCE, certificate)?;
    if let Some((_, after)) = expect(VERSION, rest) {
        rest = after;
    }
    let (_serial, rest) = expect(INTEGER, rest)?;
    let (_signature, rest) = expect(SEQUENCE, rest)?;
    let (issuer, rest) = expect(SEQUENCE, rest)?;
    let (validity, rest) = expect(SEQUENCE, rest)?;
    let (subject, _) = expect(SEQUENCE, rest)?;
    let (_, _, not_after) = element(validity)?;
    let (tag, time, _) = element(not_after)?;
    let (subject, issuer) = (name(subject), name(issuer));
    Some(Shown { subject, issuer, valid_until: day(tag, time)? })
}

/// One element of DER (X.690 section 8.1): its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(found, _, _)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// The elements of a SEQUENCE or SET one after the other.
fn elements(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = element(bytes)?;
        bytes = rest;
        Some((tag, content))
    })
}

/// The common name of a distinguished name, else its organisation, else nothing.
fn name(distinguished: &[u8]) -> String {
    let attribute = |wanted: &[u8]| {
        let sets = elements(distinguished).filter(|(tag, _)| *tag == SET);
        let mut attributes = sets.flat_map(|(_, set)| elements(set));
        attributes.find_map(|(_, attribute)| {
            let (kind, rest) = expect(OBJECT_IDENTIFIER, attribute)?;
            let (_, value, _) = element(rest)?;
            (kind == wanted).then(|| printable(&String::from_utf8_lossy(value)))
        })
    };
    let found = attribute(COMMON_NAME).or_else(|| attribute(ORGANIZATION)).unwrap_or_default();
    found.chars().take(SERVER_TEXT_CHARS_MAX).collect()
}

/// A text of the server's without anything that a terminal could obey.
pub(super) fn printable(text: &str) -> String {
    let is_letter = |c: char| c.is_ascii_graphic() || c.is_alphanumeric();
    let keep = |c: char| c == ' ' || is_letter(c) && !is_hidden(c);
    text.chars().map(|c| if keep(c) { c } else { '?' }).collect()
}

/// The day of a `Time`: years of UTCTime are 1950 to 2049 (RFC 5280 section 4.1.2.5).
fn day(tag: u8, time: &[u8]) -> Option<Date> {
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<i64>().ok();
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = time.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = time.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    Some(Date::of_calendar(year, number(rest.get(..2)?)?, number(rest.get(2..4)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

    fn certificate(year: i32, name: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 2, 28);
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in name {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn both_forms_of_time_are_read() {
        for (year, day) in [(2030, "2030-02-28"), (2049, "2049-02-28"), (2120, "2120-02-28")] {
            let shown = shown(&certificate(year, &[])).unwrap();
            assert_eq!(shown.valid_until.to_string(), day);
            assert_eq!(shown.subject, "");
        }
        assert_eq!(day(UTC_TIME, b"500101000000Z").unwrap().to_string(), "1950-01-01");
    }

    #[test]
    fn the_common_name_is_shown_before_the_organisation_and_nothing_obeys_it() {
        let both = [(DnType::OrganizationName, "Radio Ü"), (DnType::CommonName, "a\u{1b}[2J")];
        assert_eq!(shown(&certificate(2030, &both)).unwrap().subject, "a?[2J");
        assert_eq!(shown(&certificate(2030, &both[..1])).unwrap().subject, "Radio Ü");
        assert_eq!(printable("a\u{202e}b\n\u{9b}c\u{3164}"), "a?b??c?");
    }

    #[test]
    fn a_certificate_cut_or_altered_at_any_byte_does_no_harm() {
        let whole = certificate(2030, &[(DnType::CommonName, "a.example")]);
        for at in 0..whole.len() {
            let _ = shown(&whole[..at]);
            let mut altered = whole.clone();
            for value in [0x00, 0x7f, 0x80, 0x83, 0x84, 0xff] {
                altered[at] = value;
                let _ = shown(&altered);
            }
        }
        assert!(shown(&whole[..40]).is_none());
    }
}
