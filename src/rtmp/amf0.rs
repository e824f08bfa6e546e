//! AMF0, the encoding of commands and metadata (Action Message Format, AMF 0, 2007).

use std::borrow::Cow;

use bytes::{Buf, BufMut};

use crate::limits::{AMF_DEPTH_MAX, AMF_ELEMENTS_MAX, AMF_STRING_BYTES_MAX};

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

/// Why bytes are not an AMF0 value, or more of one than is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// an AMF0 value is cut short
    #[error("an AMF0 value is cut short")]
    Truncated,
    /// an AMF0 value is of an unknown type
    #[error("an AMF0 value is of the unknown type 0x{0:02x}")]
    UnknownMarker(u8),
    /// AMF0 objects are nested too deeply
    #[error("AMF0 objects are nested more than {AMF_DEPTH_MAX} deep")]
    TooDeep,
    /// an AMF0 message has too many values
    #[error("an AMF0 message has more than {AMF_ELEMENTS_MAX} values")]
    TooManyElements,
    /// an AMF0 string is too long
    #[error("an AMF0 string of {0} bytes is longer than the accepted {AMF_STRING_BYTES_MAX}")]
    StringTooLong(usize),
    /// a value of another type was expected
    #[error("an AMF0 value is not of the expected type")]
    UnexpectedType,
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
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    elements_left: usize,
}

impl<'a> Decoder<'a> {
    /// A decoder of a message's body.
    pub fn new(body: &'a [u8]) -> Decoder<'a> {
        Decoder { rest: body, elements_left: AMF_ELEMENTS_MAX }
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
            other => return Err(AmfError::UnknownMarker(other)),
        })
    }

    fn properties(&mut self, depth: usize) -> Result<Vec<Property<'a>>, AmfError> {
        let depth = deeper(depth)?;
        let mut properties = Vec::new();
        loop {
            let name = self.short_text()?;
            if name.is_empty() && self.rest.first() == Some(&marker::OBJECT_END) {
                self.rest.advance(1);
                return Ok(properties);
            }
            properties.push((name, self.value_at(depth)?));
        }
    }

    fn elements(&mut self, depth: usize) -> Result<Vec<Value<'a>>, AmfError> {
        let depth = deeper(depth)?;
        let count = self.u32()?;
        // Not allocated in advance: the count is only a claim.
        (0..count).map(|_| self.value_at(depth)).collect()
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
