//! What can be wrong with an AMF0 value.

use crate::limits::{AMF_DEPTH_MAX, AMF_ELEMENTS_MAX, AMF_STRING_BYTES_MAX};

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
