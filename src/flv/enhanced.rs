//! What the audio and the video tags of Enhanced RTMP share: the ModEx packets in front of a head.
//!
//! Sections in quotes are those of the Veovera specification enhanced-rtmp-v2.

use super::error::BodyError;
use super::four_cc::FourCc;

/// `ModEx`, the same number among the audio and the video packet types ("Enhanced Audio",
/// "Enhanced Video").
const MOD_EX: u8 = 7;
/// `TimestampOffsetNano`, the only ModEx type defined.
const TIMESTAMP_OFFSET_NANO: u8 = 0;
/// A larger offset would reach into the next millisecond.
const NANO_OFFSET_MAX: u32 = 999_999;

/// Reads the head of a body from its start; beyond the end everything is [`BodyError::TooShort`].
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(body: &'a [u8]) -> Cursor<'a> {
        Cursor { body, at: 0 }
    }

    /// Where the next byte is; never beyond the end.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn byte(&mut self) -> Result<u8, BodyError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], BodyError> {
        let bytes = self.body[self.at..].first_chunk().ok_or(BodyError::TooShort)?;
        self.at += N;
        Ok(*bytes)
    }

    pub(super) fn four_cc(&mut self) -> Result<FourCc, BodyError> {
        self.array().map(FourCc)
    }

    /// SI24.
    pub(super) fn signed_24(&mut self) -> Result<i32, BodyError> {
        let [high, middle, low] = self.array()?;
        Ok(i32::from_be_bytes([high, middle, low, 0]) >> 8) // keeps the sign
    }

    fn skip(&mut self, count: usize) -> Result<&'a [u8], BodyError> {
        let (skipped, _) =
            self.body[self.at..].split_at_checked(count).ok_or(BodyError::TooShort)?;
        self.at += count;
        Ok(skipped)
    }

    /// Passes over the ModEx packets that stand behind the first byte, and gives the type of the
    /// packet they modify and what they add to its presentation time, in nanoseconds. Types of
    /// ModEx that are not defined yet change nothing.
    pub(super) fn packet_type(&mut self, first: u8) -> Result<(u8, u32), BodyError> {
        let (mut packet_type, mut nano_offset) = (first & 0x0F, 0);
        while packet_type == MOD_EX {
            let data = match self.byte()? {
                u8::MAX => {
                    let size = u16::from_be_bytes(self.array()?);
                    self.skip(usize::from(size) + 1)?
                }
                size => self.skip(usize::from(size) + 1)?,
            };
            let types = self.byte()?;
            if types >> 4 == TIMESTAMP_OFFSET_NANO {
                let &[high, middle, low, ..] = data else { return Err(BodyError::TooShort) };
                nano_offset = u32::from_be_bytes([0, high, middle, low]).min(NANO_OFFSET_MAX);
            }
            packet_type = types & 0x0F;
        }
        Ok((packet_type, nano_offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet_type(body: &[u8]) -> Result<(u8, u32, usize), BodyError> {
        let mut cursor = Cursor::new(body);
        let first = cursor.byte()?;
        cursor.packet_type(first).map(|(packet_type, nanos)| (packet_type, nanos, cursor.at()))
    }

    #[test]
    fn a_packet_without_modifiers_is_itself() {
        assert_eq!(packet_type(&[0x91]), Ok((1, 0, 1)));
    }

    /// "Enhanced Video", pseudo code at `VideoPacketType.ModEx`: size minus one, data, then type of
    /// ModEx and of the packet that follows.
    #[test]
    fn nanoseconds_are_read_from_a_modifier() {
        assert_eq!(packet_type(&[0x97, 2, 0x01, 0x02, 0x03, 0x01]), Ok((1, 0x01_0203, 6)));
        assert_eq!(packet_type(&[0x97, 2, 0xFF, 0xFF, 0xFF, 0x03]), Ok((3, 999_999, 6)));
        assert_eq!(packet_type(&[0x97, 3, 0, 0, 9, 0xEE, 0x03]), Ok((3, 9, 7)), "longer data");
        assert_eq!(packet_type(&[0x97, 1, 0, 9, 0x03]), Err(BodyError::TooShort));
    }

    #[test]
    fn modifiers_follow_each_other_and_unknown_ones_change_nothing() {
        let body = [0x97, 0, 0xAA, 0x17, 2, 0, 0, 5, 0x07, 0, 0xBB, 0xF1];
        assert_eq!(packet_type(&body), Ok((1, 5, body.len())));
    }

    #[test]
    fn a_modifier_may_be_as_long_as_16_bits_say() {
        let mut body = vec![0x97, 0xFF, 0x01, 0x00];
        body.extend_from_slice(&[0; 0x101]);
        body.push(0x12);
        assert_eq!(packet_type(&body), Ok((2, 0, body.len())));
        body.pop();
        assert_eq!(packet_type(&body), Err(BodyError::TooShort));
    }

    #[test]
    fn modifiers_cut_anywhere_are_too_short() {
        let body = [0x97, 2, 0, 0, 5, 0x07, 0, 0xBB, 0x11];
        for len in 0..body.len() {
            assert_eq!(packet_type(&body[..len]), Err(BodyError::TooShort), "{len}");
        }
    }
}
