//! The plain values of AMF3 that servers put inside of AMF0 (Action Message Format, AMF 3, 2013, section
//! 3). Objects and arrays refer to earlier ones and are not read.

use std::borrow::Cow;

use bytes::Buf;

use super::amf0::AmfError;
use crate::limits::AMF_STRING_BYTES_MAX;

/// Type markers (AMF 3 section 3.1).
mod marker {
    pub const UNDEFINED: u8 = 0x00;
    pub const NULL: u8 = 0x01;
    pub const FALSE: u8 = 0x02;
    pub const TRUE: u8 = 0x03;
    pub const INTEGER: u8 = 0x04;
    pub const DOUBLE: u8 = 0x05;
    pub const STRING: u8 = 0x06;
    pub const DATE: u8 = 0x08;
}

/// A value that stands for itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain<'a> {
    Undefined,
    Null,
    Boolean(bool),
    /// An integer or a double.
    Number(f64),
    Text(Cow<'a, str>),
    /// Milliseconds since 1970.
    Date(f64),
    /// It refers to an earlier one.
    Unsupported,
}

/// Reads one value from the begin of `rest`; `None` when it is none of the plain ones.
///
/// # Errors
/// [`AmfError::Truncated`] and [`AmfError::StringTooLong`].
pub(super) fn plain_value<'a>(rest: &mut &'a [u8]) -> Result<Option<Plain<'a>>, AmfError> {
    let marker = rest.try_get_u8().map_err(|_| AmfError::Truncated)?;
    let value = match marker {
        marker::UNDEFINED => Plain::Undefined,
        marker::NULL => Plain::Null,
        marker::FALSE => Plain::Boolean(false),
        marker::TRUE => Plain::Boolean(true),
        marker::INTEGER => Plain::Number(signed(u29(rest)?).into()),
        marker::DOUBLE => Plain::Number(double(rest)?),
        marker::STRING => match u29(rest)? {
            length if length & 1 == 1 => text(rest, (length >> 1) as usize)?,
            _ => Plain::Unsupported, // a reference to an earlier string
        },
        marker::DATE => match u29(rest)? & 1 {
            1 => Plain::Date(double(rest)?),
            _ => Plain::Unsupported,
        },
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// 29 bits in one to four bytes (section 1.3.1): the fourth one has all of its eight.
fn u29(rest: &mut &[u8]) -> Result<u32, AmfError> {
    let mut number = 0;
    for at in 0..4 {
        let byte = rest.try_get_u8().map_err(|_| AmfError::Truncated)?;
        if at == 3 {
            return Ok(number << 8 | u32::from(byte));
        }
        number = number << 7 | u32::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(number)
}

fn signed(number: u32) -> i32 {
    const SIGN: u32 = 1 << 28;
    if number & SIGN == 0 { number as i32 } else { number as i32 - (1 << 29) }
}

fn double(rest: &mut &[u8]) -> Result<f64, AmfError> {
    rest.try_get_f64().map_err(|_| AmfError::Truncated)
}

fn text<'a>(rest: &mut &'a [u8], length: usize) -> Result<Plain<'a>, AmfError> {
    if length > AMF_STRING_BYTES_MAX {
        return Err(AmfError::StringTooLong(length));
    }
    let (text, after) = rest.split_at_checked(length).ok_or(AmfError::Truncated)?;
    *rest = after;
    Ok(Plain::Text(String::from_utf8_lossy(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_are_read_to_their_last_byte_and_none_beyond_the_message() {
        for (bytes, value) in [
            (&b"\x00"[..], Plain::Undefined),
            (b"\x01", Plain::Null),
            (b"\x02", Plain::Boolean(false)),
            (b"\x03", Plain::Boolean(true)),
            (b"\x04\x05", Plain::Number(5.0)),
            (b"\x04\xff\xff\xff\xff", Plain::Number(-1.0)),
            (b"\x04\x81\x00", Plain::Number(128.0)),
            (b"\x04\xbf\xff\xff\xff", Plain::Number(268_435_455.0)),
            (b"\x05\x40\x0c\x00\x00\x00\x00\x00\x00", Plain::Number(3.5)),
            (b"\x06\x07key", Plain::Text("key".into())),
            (b"\x06\x01", Plain::Text("".into())),
            (b"\x06\x02", Plain::Unsupported),
            (b"\x08\x01\x3f\xf0\x00\x00\x00\x00\x00\x00", Plain::Date(1.0)),
        ] {
            let with_more = [bytes, b"more"].concat();
            let mut rest = &with_more[..];
            assert_eq!(plain_value(&mut rest), Ok(Some(value)), "{bytes:?}");
            assert_eq!(rest, b"more", "{bytes:?}");
            for cut in 0..bytes.len() {
                assert_eq!(plain_value(&mut &bytes[..cut]), Err(AmfError::Truncated), "{bytes:?}");
            }
        }
        assert_eq!(plain_value(&mut &b"\x0a\x0b\x01"[..]), Ok(None));
        assert!(matches!(
            plain_value(&mut &b"\x06\xff\xff\xff\xff"[..]),
            Err(AmfError::StringTooLong(_))
        ));
    }
}
