//! The encodings in which editors save text.

use zeroize::Zeroizing;

/// How a file's text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8, with this many bytes of a byte order mark.
    Utf8 { mark: usize },
    /// UTF-16 after its byte order mark.
    Utf16 { big_endian: bool },
}

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of a file, without its byte order mark; `None` when it is none.
pub(super) fn decode(bytes: &[u8]) -> Option<(Zeroizing<String>, Encoding)> {
    let (big_endian, units) = match bytes {
        [0xff, 0xfe, units @ ..] => (false, units),
        [0xfe, 0xff, units @ ..] => (true, units),
        _ => {
            let text = bytes.strip_prefix(UTF_8_MARK).unwrap_or(bytes);
            let encoding = Encoding::Utf8 { mark: bytes.len() - text.len() };
            let text = std::str::from_utf8(text).ok().filter(|text| !text.contains('\0'))?;
            return Some((Zeroizing::new(text.to_owned()), encoding));
        }
    };
    let (pairs, []) = units.as_chunks() else { return None };
    let unit = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        text.push(c.ok()?);
    }
    Some((text, Encoding::Utf16 { big_endian }))
}

impl Encoding {
    /// A file's bytes for `text`.
    pub fn encode(self, text: &str) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * text.len() + UTF_8_MARK.len()));
        match self {
            Encoding::Utf8 { mark } => {
                bytes.extend_from_slice(&UTF_8_MARK[..mark]);
                bytes.extend_from_slice(text.as_bytes());
            }
            Encoding::Utf16 { big_endian } => {
                let unit = if big_endian { u16::to_be_bytes } else { u16::to_le_bytes };
                let units = std::iter::once(0xfeff).chain(text.encode_utf16());
                units.for_each(|u| bytes.extend_from_slice(&unit(u)));
            }
        }
        bytes
    }

    /// How many blanks take as many bytes as `c`.
    pub fn blanks(self, c: char) -> usize {
        match self {
            Encoding::Utf8 { .. } => c.len_utf8(),
            Encoding::Utf16 { .. } => c.len_utf16(),
        }
    }
}
