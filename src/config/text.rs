//! The encodings in which editors save text.

use zeroize::Zeroizing;

use crate::secret::pasted;
use crate::typed_toml::{Region, regions};

/// How a file's text is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// UTF-8, with this many bytes of a byte order mark.
    Utf8 { mark: usize },
    /// UTF-16 after its byte order mark.
    Utf16 { big_endian: bool },
    /// One byte for each character, as old editors save. Which one it is nobody knows, so only its
    /// ASCII has a meaning.
    SingleByte,
}

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of a file, without its byte order mark; `None` when it is none.
pub(super) fn decode(bytes: &[u8]) -> Option<(Zeroizing<String>, Encoding)> {
    if let Some((text, big_endian)) = pasted::utf_16(bytes) {
        return Some((text?, Encoding::Utf16 { big_endian }));
    }
    if bytes.contains(&0) {
        return None;
    }
    let text = bytes.strip_prefix(UTF_8_MARK).unwrap_or(bytes);
    let mark = bytes.len() - text.len();
    if let Ok(text) = std::str::from_utf8(text) {
        return Some((Zeroizing::new(text.to_owned()), Encoding::Utf8 { mark }));
    }
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    text.extend(bytes.iter().map(|byte| char::from(*byte)));
    Some((text, Encoding::SingleByte))
}

/// Where a text has a character, outside of comments, that its encoding leaves unclear: line and
/// column.
pub(super) fn unclear(text: &str, encoding: Encoding) -> Option<(usize, usize)> {
    if encoding != Encoding::SingleByte {
        return None;
    }
    let is_unclear = |c: char, region| !c.is_ascii() && region != Region::Comment;
    let (at, ..) = regions(text).find(|(_, c, region)| is_unclear(*c, *region))?;
    let line = text[..at].rsplit('\n').next().unwrap_or_default();
    Some((1 + text[..at].matches('\n').count(), 1 + line.chars().count()))
}

/// What else a file of text may be, with what to do about it.
pub(super) fn other_format(text: &str) -> Option<&'static str> {
    let begin = text.trim_start().get(..9).unwrap_or_default().to_ascii_lowercase();
    match begin.as_str() {
        b if b.starts_with("{\\rtf") => {
            Some("this is rich text (RTF); save it again as plain text")
        }
        b if b.starts_with("<!doctype") || b.starts_with("<html") || b.starts_with("<?xml") => {
            Some("this is a web page; save the settings themselves as plain text")
        }
        _ => None,
    }
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
            // What was decoded from a byte fits into one.
            Encoding::SingleByte => {
                bytes.extend(text.chars().map(|c| u8::try_from(c).unwrap_or(b' ')));
            }
        }
        bytes
    }

    /// How many blanks take as many bytes as `c`.
    pub fn blanks(self, c: char) -> usize {
        match self {
            Encoding::Utf8 { .. } => c.len_utf8(),
            Encoding::Utf16 { .. } => c.len_utf16(),
            Encoding::SingleByte => 1,
        }
    }
}
