//! AMF0, the encoding of commands and metadata (Action Message Format, AMF 0, 2007).

mod error;

use std::borrow::Cow;

use bytes::{Buf, BufMut};

use super::amf3::{self, Plain};
use crate::limits::{AMF_DEPTH_MAX, AMF_ELEMENTS_MAX, AMF_STRING_BYTES_MAX};
pub use error::AmfError;

/// Type markers (AMF 0 section 2.1).
mod marker {
    pub const NUMBER: u8 = 0x00;
    pub const BOOLEAN: u8 = 0x01;
    pub const STRING: u8 = 0x02;
    pub const OBJECT: u8 = 0x03;
    pub const NULL: u8 = 0x05;
    pub const UNDEFINED: u8 = 0x06;
    pub const REFERENCE: u8 = 0x07;
    pub const ECMA_ARRAY: u8 = 0x08;
    pub const OBJECT_END: u8 = 0x09;
    pub const STRICT_ARRAY: u8 = 0x0A;
    pub const DATE: u8 = 0x0B;
    pub const LONG_STRING: u8 = 0x0C;
    pub const UNSUPPORTED: u8 = 0x0D;
    pub const XML_DOCUMENT: u8 = 0x0F;
    pub const TYPED_OBJECT: u8 = 0x10;
    /// What follows is AMF3.
    pub const AVMPLUS: u8 = 0x11;
}

/// The name and value of an object's property.
pub type Property<'a> = (Cow<'a, str>, Value<'a>);

/// One AMF0 value. Strings are borrowed from the message where they are UTF-8.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A double.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A string; written as "long string" above 65,535 bytes.
    String(Cow<'a, str>),
    /// An anonymous object.
    Object(Vec<Property<'a>>),
    /// Null.
    Null,
    /// Undefined.
    Undefined,
    /// A reference to an object that was sent before.
    Reference(u16),
    /// An associative array.
    EcmaArray(Vec<Property<'a>>),
    /// An array with dense ordinal indices.
    StrictArray(Vec<Value<'a>>),
    /// Milliseconds since 1970; the time zone that follows on the wire is reserved and written 0.
    Date(f64),
    /// A type that the peer could not serialise.
    Unsupported,
    /// An XML document.
    Xml(Cow<'a, str>),
    /// An object of a named class.
    TypedObject(Cow<'a, str>, Vec<Property<'a>>),
}

impl<'a> Value<'a> {
    /// A string value.
    pub fn string(text: impl Into<Cow<'a, str>>) -> Value<'a> {
        Value::String(text.into())
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The property of that name, if this is an object or an associative array that has it.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let (Value::Object(properties)
        | Value::EcmaArray(properties)
        | Value::TypedObject(_, properties)) = self
        else {
            return None;
        };
        properties.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Appends the encoding to `to`.
    pub fn encode(&self, to: &mut impl BufMut) {
        match self {
            Value::Number(number) => {
                to.put_u8(marker::NUMBER);
                to.put_f64(*number);
            }
            Value::Boolean(flag) => to.put_slice(&[marker::BOOLEAN, u8::from(*flag)]),
            Value::String(text) => encode_string(text, to),
            Value::Object(properties) => {
                to.put_u8(marker::OBJECT);
                encode_properties(properties, to);
            }
            Value::Null => to.put_u8(marker::NULL),
            Value::Undefined => to.put_u8(marker::UNDEFINED),
            Value::Reference(index) => {
                to.put_u8(marker::REFERENCE);
                to.put_u16(*index);
            }
            Value::EcmaArray(properties) => {
                to.put_u8(marker::ECMA_ARRAY);
                to.put_u32(properties.len() as u32);
                encode_properties(properties, to);
            }
            Value::StrictArray(values) => {
                to.put_u8(marker::STRICT_ARRAY);
                to.put_u32(values.len() as u32);
                values.iter().for_each(|value| value.encode(to));
            }
            Value::Date(milliseconds) => {
                to.put_u8(marker::DATE);
                to.put_f64(*milliseconds);
                to.put_i16(0);
            }
            Value::Unsupported => to.put_u8(marker::UNSUPPORTED),
            Value::Xml(text) => {
                to.put_u8(marker::XML_DOCUMENT);
                to.put_u32(text.len() as u32);
                to.put_slice(text.as_bytes());
            }
            Value::TypedObject(class, properties) => {
                to.put_u8(marker::TYPED_OBJECT);
                encode_name(class, to);
                encode_properties(properties, to);
            }
        }
    }
}

impl<'a> From<Plain<'a>> for Value<'a> {
    fn from(value: Plain<'a>) -> Value<'a> {
        match value {
            Plain::Undefined => Value::Undefined,
            Plain::Null => Value::Null,
            Plain::Boolean(flag) => Value::Boolean(flag),
            Plain::Number(number) => Value::Number(number),
            Plain::Text(text) => Value::String(text),
            Plain::Date(milliseconds) => Value::Date(milliseconds),
            Plain::Unsupported => Value::Unsupported,
        }
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Boolean(flag)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::String(Cow::Borrowed(text))
    }
}

fn encode_string(text: &str, to: &mut impl BufMut) {
    match u16::try_from(text.len()) {
        Ok(len) => {
            to.put_u8(marker::STRING);
            to.put_u16(len);
        }
        Err(_) => {
            to.put_u8(marker::LONG_STRING);
            to.put_u32(text.len() as u32);
        }
    }
    to.put_slice(text.as_bytes());
}

/// Property and class names have 16-bit lengths; a longer one is cut.
fn encode_name(name: &str, to: &mut impl BufMut) {
    let name = &name[..name.floor_char_boundary(usize::from(u16::MAX))];
    to.put_u16(name.len() as u16);
    to.put_slice(name.as_bytes());
}

fn encode_properties(properties: &[Property<'_>], to: &mut impl BufMut) {
    for (name, value) in properties {
        encode_name(name, to);
        value.encode(to);
    }
    to.put_slice(&[0, 0, marker::OBJECT_END]);
}

/// Reads the values of one message, within the bounds of `limits`.
///
/// The length of a value of an unknown type is unknown too. Inside of an object or an array it ends the
/// message: what was read before it stands.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    elements_left: usize,
    /// What follows cannot be read.
    is_cut: bool,
}

impl<'a> Decoder<'a> {
    /// A decoder of a message's body.
    pub fn new(body: &'a [u8]) -> Decoder<'a> {
        Decoder { rest: body, elements_left: AMF_ELEMENTS_MAX, is_cut: false }
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value.
    ///
    /// # Errors
    /// [`AmfError`].
    pub fn value(&mut self) -> Result<Value<'a>, AmfError> {
        self.value_at(0)
    }

    /// The next value, which has to be a string.
    ///
    /// # Errors
    /// [`AmfError::UnexpectedType`] and all others.
    pub fn string(&mut self) -> Result<Cow<'a, str>, AmfError> {
        match self.value()? {
            Value::String(text) => Ok(text),
            _ => Err(AmfError::UnexpectedType),
        }
    }

    /// The next value, which has to be a number.
    ///
    /// # Errors
    /// [`AmfError::UnexpectedType`] and all others.
    pub fn number(&mut self) -> Result<f64, AmfError> {
        self.value()?.as_number().ok_or(AmfError::UnexpectedType)
    }

    /// The depth is bounded, and so is the recursion.
    fn value_at(&mut self, depth: usize) -> Result<Value<'a>, AmfError> {
        self.count_element()?;
        Ok(match self.u8()? {
            marker::NUMBER => Value::Number(self.f64()?),
            marker::BOOLEAN => Value::Boolean(self.u8()? != 0),
            marker::STRING => Value::String(self.short_text()?),
            marker::OBJECT => Value::Object(self.properties(depth)?),
            marker::NULL => Value::Null,
            marker::UNDEFINED => Value::Undefined,
            marker::REFERENCE => Value::Reference(self.u16()?),
            marker::ECMA_ARRAY => {
                self.u32()?; // a hint that servers get wrong: the end marker decides
                Value::EcmaArray(self.properties(depth)?)
            }
            marker::STRICT_ARRAY => Value::StrictArray(self.elements(depth)?),
            marker::DATE => {
                let milliseconds = self.f64()?;
                self.u16()?;
                Value::Date(milliseconds)
            }
            marker::LONG_STRING => Value::String(self.long_text()?),
            marker::UNSUPPORTED => Value::Unsupported,
            marker::XML_DOCUMENT => Value::Xml(self.long_text()?),
            marker::TYPED_OBJECT => {
                let class = self.short_text()?;
                Value::TypedObject(class, self.properties(depth)?)
            }
            marker::AVMPLUS => match amf3::plain_value(&mut self.rest)? {
                Some(value) => value.into(),
                None => return Err(AmfError::UnknownMarker(marker::AVMPLUS)),
            },
            other => return Err(AmfError::UnknownMarker(other)),
        })
    }

    fn properties(&mut self, depth: usize) -> Result<Vec<Property<'a>>, AmfError> {
        let depth = deeper(depth)?;
        let mut properties = Vec::new();
        while !self.is_cut {
            let name = self.short_text()?;
            if name.is_empty() && self.rest.first() == Some(&marker::OBJECT_END) {
                self.rest.advance(1);
                break;
            }
            if let Some(value) = self.value_within(depth)? {
                properties.push((name, value));
            }
        }
        Ok(properties)
    }

    fn elements(&mut self, depth: usize) -> Result<Vec<Value<'a>>, AmfError> {
        let depth = deeper(depth)?;
        let count = self.u32()?;
        // Not allocated in advance: the count is only a claim.
        let mut elements = Vec::new();
        for _ in 0..count {
            elements.extend(self.value_within(depth)?);
            if self.is_cut {
                break;
            }
        }
        Ok(elements)
    }

    fn value_within(&mut self, depth: usize) -> Result<Option<Value<'a>>, AmfError> {
        match self.value_at(depth) {
            Ok(value) => Ok(Some(value)),
            Err(AmfError::UnknownMarker(marker)) => {
                tracing::debug!(marker, "the rest of an AMF0 message is left out");
                (self.is_cut, self.rest) = (true, &[]);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn count_element(&mut self) -> Result<(), AmfError> {
        self.elements_left = self.elements_left.checked_sub(1).ok_or(AmfError::TooManyElements)?;
        Ok(())
    }

    fn short_text(&mut self) -> Result<Cow<'a, str>, AmfError> {
        let len = usize::from(self.u16()?);
        self.text(len)
    }

    fn long_text(&mut self) -> Result<Cow<'a, str>, AmfError> {
        let len = self.u32()? as usize;
        self.text(len)
    }

    fn text(&mut self, len: usize) -> Result<Cow<'a, str>, AmfError> {
        if len > AMF_STRING_BYTES_MAX {
            return Err(AmfError::StringTooLong(len));
        }
        let (text, rest) = self.rest.split_at_checked(len).ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(String::from_utf8_lossy(text))
    }

    fn u8(&mut self) -> Result<u8, AmfError> {
        self.rest.try_get_u8().map_err(|_| AmfError::Truncated)
    }

    fn u16(&mut self) -> Result<u16, AmfError> {
        self.rest.try_get_u16().map_err(|_| AmfError::Truncated)
    }

    fn u32(&mut self) -> Result<u32, AmfError> {
        self.rest.try_get_u32().map_err(|_| AmfError::Truncated)
    }

    fn f64(&mut self) -> Result<f64, AmfError> {
        self.rest.try_get_f64().map_err(|_| AmfError::Truncated)
    }
}

fn deeper(depth: usize) -> Result<usize, AmfError> {
    if depth == AMF_DEPTH_MAX {
        return Err(AmfError::TooDeep);
    }
    Ok(depth + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &Value<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        bytes
    }

    fn object(properties: &[(&'static str, Value<'static>)]) -> Vec<Property<'static>> {
        properties.iter().map(|(name, value)| ((*name).into(), value.clone())).collect()
    }

    #[test]
    fn every_type_has_its_bytes() {
        let nested = || object(&[("a", true.into()), ("b", Value::Null)]);
        for (value, bytes) in [
            (Value::Number(3.5), &b"\x00\x40\x0c\x00\x00\x00\x00\x00\x00"[..]),
            (Value::Boolean(true), b"\x01\x01"),
            (Value::from("key"), b"\x02\x00\x03key"),
            (Value::Object(nested()), b"\x03\x00\x01a\x01\x01\x00\x01b\x05\x00\x00\x09"),
            (Value::Null, b"\x05"),
            (Value::Undefined, b"\x06"),
            (Value::Reference(258), b"\x07\x01\x02"),
            (
                Value::EcmaArray(nested()),
                b"\x08\x00\x00\x00\x02\x00\x01a\x01\x01\x00\x01b\x05\x00\x00\x09",
            ),
            (
                Value::StrictArray(vec![Value::Null, Value::from("x")]),
                b"\x0a\x00\x00\x00\x02\x05\x02\x00\x01x",
            ),
            (Value::Date(1.0), b"\x0b\x3f\xf0\x00\x00\x00\x00\x00\x00\x00\x00"),
            (Value::Unsupported, b"\x0d"),
            (Value::Xml("<a/>".into()), b"\x0f\x00\x00\x00\x04<a/>"),
            (
                Value::TypedObject("C".into(), nested()),
                b"\x10\x00\x01C\x00\x01a\x01\x01\x00\x01b\x05\x00\x00\x09",
            ),
        ] {
            assert_eq!(encoded(&value), bytes, "{value:?}");
            let mut decoder = Decoder::new(bytes);
            assert_eq!(decoder.value(), Ok(value));
            assert!(decoder.is_empty());
            for cut in 0..bytes.len() {
                assert_eq!(Decoder::new(&bytes[..cut]).value(), Err(AmfError::Truncated));
            }
        }
    }

    #[test]
    fn a_string_above_65535_bytes_is_written_long_and_a_long_one_is_read() {
        let long = "x".repeat(65_536);
        assert_eq!(encoded(&Value::from(&*long))[..5], [0x0C, 0, 1, 0, 0]);
        let read = Decoder::new(b"\x0c\x00\x00\x00\x02hi").value();
        assert_eq!(read, Ok(Value::from("hi")));
    }

    #[test]
    fn a_wrong_count_of_an_associative_array_does_not_matter() {
        let read = Decoder::new(b"\x08\xff\xff\xff\xff\x00\x01a\x05\x00\x00\x09").value();
        assert_eq!(read, Ok(Value::EcmaArray(object(&[("a", Value::Null)]))));
    }

    #[test]
    fn text_that_is_not_utf_8_is_read_all_the_same() {
        assert_eq!(Decoder::new(b"\x02\x00\x02a\xff").value(), Ok(Value::from("a\u{fffd}")));
    }

    // Shows F18.
    #[test]
    fn depth_number_and_length_are_bounded() {
        let nest = |depth: usize| [b"\x0a\x00\x00\x00\x01".repeat(depth), vec![0x05]].concat();
        assert!(Decoder::new(&nest(AMF_DEPTH_MAX)).value().is_ok());
        assert_eq!(Decoder::new(&nest(AMF_DEPTH_MAX + 1)).value(), Err(AmfError::TooDeep));
        assert_eq!(Decoder::new(&nest(100_000)).value(), Err(AmfError::TooDeep));

        let array = |count: usize| {
            [&[0x0A][..], &(count as u32).to_be_bytes(), &vec![0x05; count]].concat()
        };
        assert!(Decoder::new(&array(AMF_ELEMENTS_MAX - 1)).value().is_ok());
        let too_many = array(AMF_ELEMENTS_MAX);
        assert_eq!(Decoder::new(&too_many).value(), Err(AmfError::TooManyElements));

        let text =
            |len: usize| [&[0x02][..], &(len as u16).to_be_bytes(), &vec![b'x'; len]].concat();
        assert!(Decoder::new(&text(AMF_STRING_BYTES_MAX)).value().is_ok());
        let len = AMF_STRING_BYTES_MAX + 1;
        assert_eq!(Decoder::new(&text(len)).value(), Err(AmfError::StringTooLong(len)));
        let claim = Decoder::new(b"\x0c\xff\xff\xff\xff").value();
        assert_eq!(claim, Err(AmfError::StringTooLong(u32::MAX as usize)));
        let claim = Decoder::new(b"\x0a\xff\xff\xff\xff").value();
        assert_eq!(claim, Err(AmfError::Truncated));
    }

    #[test]
    fn unknown_types_are_refused_by_name() {
        for marker in [0x04, 0x0E, 0x7F, 0xFF] {
            assert_eq!(Decoder::new(&[marker]).value(), Err(AmfError::UnknownMarker(marker)));
        }
        assert_eq!(Decoder::new(b"\x11\x0a").value(), Err(AmfError::UnknownMarker(0x11)));
    }

    #[test]
    fn a_plain_amf3_value_is_read_in_place() {
        let read = Decoder::new(b"\x03\x00\x01a\x11\x04\x05\x00\x01b\x11\x06\x07key\x00\x00\x09");
        let wanted = object(&[("a", 5.0.into()), ("b", "key".into())]);
        assert_eq!(read.clone().value(), Ok(Value::Object(wanted)));
    }

    #[test]
    fn what_stands_before_a_value_of_an_unknown_type_is_kept() {
        for unknown in [&b"\x11\x0a\x0b\x01"[..], b"\x0e", b"\xff and anything behind it"] {
            let inside = [b"\x03\x00\x01a\x01\x01\x00\x01b", unknown, b"\x00\x00\x09\x05"].concat();
            let kept = || Value::Object(object(&[("a", true.into())]));
            let mut decoder = Decoder::new(&inside);
            assert_eq!(decoder.value(), Ok(kept()));
            assert!(decoder.is_empty(), "nothing behind it can be read");
            // At any depth.
            let nested = [b"\x0a\x00\x00\x00\x07\x05\x03\x00\x01n", &inside[..]].concat();
            let outer = Value::Object(vec![("n".into(), kept())]);
            let wanted = Value::StrictArray(vec![Value::Null, outer]);
            assert_eq!(Decoder::new(&nested).value(), Ok(wanted));
        }
    }

    fn random_value(rng: &mut fastrand::Rng, depth: usize) -> Value<'static> {
        let text = |rng: &mut fastrand::Rng| -> Cow<'static, str> {
            (0..rng.usize(1..12)).map(|_| rng.char(..)).collect::<String>().into()
        };
        let properties = |rng: &mut fastrand::Rng| -> Vec<Property<'static>> {
            (0..rng.usize(..4)).map(|_| (text(rng), random_value(rng, depth + 1))).collect()
        };
        match rng.u8(..if depth < 4 { 13 } else { 8 }) {
            0 => Value::Number(rng.f64()),
            1 => Value::Boolean(rng.bool()),
            2 => Value::String(text(rng)),
            3 => Value::Null,
            4 => Value::Undefined,
            5 => Value::Reference(rng.u16(..)),
            6 => Value::Date(rng.f64()),
            7 => Value::Xml(text(rng)),
            8 => Value::Object(properties(rng)),
            9 => Value::EcmaArray(properties(rng)),
            10 => Value::TypedObject(text(rng), properties(rng)),
            11 => Value::StrictArray((0..3).map(|_| random_value(rng, depth + 1)).collect()),
            _ => Value::Unsupported,
        }
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        for seed in 0..2_000 {
            let value = random_value(&mut fastrand::Rng::with_seed(seed), 0);
            let bytes = encoded(&value);
            assert_eq!(Decoder::new(&bytes).value(), Ok(value), "seed {seed}");
        }
    }

    #[test]
    fn random_bytes_never_harm_the_decoder() {
        for seed in 0..5_000 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut bytes = vec![0; rng.usize(1..200)];
            rng.fill(&mut bytes);
            bytes.iter_mut().for_each(|byte| *byte %= 0x12); // many markers, short lengths
            let mut decoder = Decoder::new(&bytes);
            while !decoder.is_empty() && decoder.value().is_ok() {}
        }
    }
}
