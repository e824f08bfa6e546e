//! Bits from the most significant on, with the codes that H.264 and AAC configuration use.

use super::error::ConfigError;

/// Reads bits; at the end it answers with [`ConfigError::TooShort`], never beyond.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: std::slice::Iter<'a, u8>,
    current: u8,
    bits_left: u8,
    /// Bits read so far, without emulation prevention.
    position: usize,
    /// Zero bytes in a row just read; counted in a NAL unit only.
    zeros: u8,
    is_nal_unit: bool,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader {
            bytes: bytes.iter(),
            current: 0,
            bits_left: 0,
            position: 0,
            zeros: 0,
            is_nal_unit: false,
        }
    }

    /// Leaves out emulation prevention: the 03 after 00 00 (H.264 section 7.4.1).
    pub(super) fn of_nal_unit(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { is_nal_unit: true, ..BitReader::new(bytes) }
    }

    /// Bits read so far; emulation prevention does not count.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    fn next_byte(&mut self) -> Option<u8> {
        let mut byte = *self.bytes.next()?;
        if self.is_nal_unit && self.zeros >= 2 && byte == 3 {
            self.zeros = 0;
            byte = *self.bytes.next()?;
        }
        self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        Some(byte)
    }

    pub(super) fn flag(&mut self) -> Result<bool, ConfigError> {
        if self.bits_left == 0 {
            self.current = self.next_byte().ok_or(ConfigError::TooShort)?;
            self.bits_left = 8;
        }
        self.bits_left -= 1;
        self.position += 1;
        Ok(self.current >> self.bits_left & 1 == 1)
    }

    /// An unsigned number of `count` bits, at most 32.
    pub(super) fn bits(&mut self, count: u32) -> Result<u32, ConfigError> {
        debug_assert!(count <= 32);
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.flag()?);
        }
        Ok(value)
    }

    /// ue(v) (H.264 section 9.1); codes above 32 bits do not exist.
    pub(super) fn unsigned(&mut self, field: &'static str) -> Result<u32, ConfigError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros == 32 {
                return Err(ConfigError::Forbidden { field, value: u32::MAX });
            }
        }
        Ok((1 << zeros) - 1 + self.bits(zeros)?)
    }

    /// ue(v) that may be `max` at most.
    pub(super) fn at_most(&mut self, max: u32, field: &'static str) -> Result<u32, ConfigError> {
        let value = self.unsigned(field)?;
        if value > max { Err(ConfigError::Forbidden { field, value }) } else { Ok(value) }
    }

    /// se(v) (H.264 section 9.1.1).
    pub(super) fn signed(&mut self, field: &'static str) -> Result<i64, ConfigError> {
        let code = i64::from(self.unsigned(field)?);
        Ok(if code % 2 == 1 { (code + 1) / 2 } else { -(code / 2) })
    }
}

/// Writes the bits of a NAL unit.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    bits_free: u32,
}

impl BitWriter {
    pub(super) fn flag(&mut self, bit: bool) -> &mut BitWriter {
        if self.bits_free == 0 {
            self.bytes.push(0);
            self.bits_free = 8;
        }
        self.bits_free -= 1;
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << self.bits_free;
        }
        self
    }

    /// The last `count` bits of a number, at most 32.
    pub(super) fn bits(&mut self, value: u32, count: u32) -> &mut BitWriter {
        debug_assert!(count <= 32);
        for at in (0..count).rev() {
            self.flag(value >> at & 1 == 1);
        }
        self
    }

    /// Ends the NAL unit: stop bit, zeros to the end of its byte, emulation prevention (H.264 sections
    /// 7.3.2.11 and 7.4.1).
    pub(super) fn nal_unit(mut self) -> Vec<u8> {
        self.flag(true);
        let (mut nal_unit, mut zeros) = (Vec::with_capacity(self.bytes.len() + 8), 0);
        for byte in self.bytes {
            if zeros >= 2 && byte <= 3 {
                nal_unit.push(3);
                zeros = 0;
            }
            nal_unit.push(byte);
            zeros = if byte == 0 { zeros + 1 } else { 0 };
        }
        nal_unit
    }
}

#[cfg(test)]
impl BitWriter {
    /// ue(v).
    pub(super) fn unsigned(&mut self, value: u32) -> &mut BitWriter {
        let length = (value + 1).ilog2();
        self.bits(0, length).bits(value + 1, length + 1)
    }

    /// se(v).
    pub(super) fn signed(&mut self, value: i32) -> &mut BitWriter {
        let code = if value > 0 { 2 * value - 1 } else { -2 * value };
        self.unsigned(code as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_never_looks_like_a_start_code() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let mut bits = BitWriter::default();
            let values: Vec<(u32, u32)> = (0..rng.usize(0..60))
                .map(|_| (rng.u32(..) & rng.u32(..) & rng.u32(..), rng.u32(0..=32)))
                .map(|(value, count)| (value & ((1_u64 << count) - 1) as u32, count))
                .collect();
            for &(value, count) in &values {
                bits.bits(value, count);
            }
            let nal_unit = bits.nal_unit();
            let forbidden = |three: &[u8]| three[..2] == [0, 0] && three[2] < 3;
            assert!(!nal_unit.windows(3).any(forbidden), "{nal_unit:02x?}");
            assert_ne!(nal_unit.last(), Some(&0));
            let mut bits = BitReader::of_nal_unit(&nal_unit);
            let mut position = 0;
            for (value, count) in values {
                assert_eq!(bits.bits(count), Ok(value));
                position += count as usize;
                assert_eq!(bits.position(), position);
            }
            assert_eq!(bits.flag(), Ok(true), "the stop bit");
            while let Ok(bit) = bits.flag() {
                assert!(!bit, "nothing but zeros follows");
            }
        }
    }

    #[test]
    fn bits_come_from_the_most_significant_on() {
        let mut bits = BitReader::new(&[0b1010_0101, 0xFF]);
        assert_eq!(bits.bits(3), Ok(0b101));
        assert_eq!(bits.bits(9), Ok(0b0_0101_1111));
        assert_eq!(bits.bits(4), Ok(0b1111));
        assert_eq!(bits.flag(), Err(ConfigError::TooShort));
    }

    #[test]
    fn exp_golomb_codes_follow_the_table_of_section_9_1() {
        // 1 010 011 00100 00101 and padding: 0 1 2 3 4
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        for expected in 0..=4 {
            assert_eq!(bits.unsigned("code"), Ok(expected));
        }
        let mut bits = BitReader::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        for expected in [0, 1, -1, 2, -2] {
            assert_eq!(bits.signed("code"), Ok(expected));
        }
    }

    #[test]
    fn the_longest_exp_golomb_code_is_read_and_a_longer_one_is_refused() {
        let mut longest = BitReader::new(&[0, 0, 0, 0b1, 0xFF, 0xFF, 0xFF, 0xFE]);
        assert_eq!(longest.unsigned("code"), Ok(u32::MAX - 1));
        let mut longer = BitReader::new(&[0; 100]);
        let refused = ConfigError::Forbidden { field: "code", value: u32::MAX };
        assert_eq!(longer.unsigned("code"), Err(refused));
    }

    #[test]
    fn emulation_prevention_is_left_out_in_nal_units_only() {
        let bytes = [0, 0, 3, 1, 0, 0, 3, 0, 0, 3];
        let mut bits = BitReader::of_nal_unit(&bytes);
        let read: Vec<u32> = std::iter::from_fn(|| bits.bits(8).ok()).collect();
        assert_eq!(read, [0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(BitReader::new(&bytes).bits(32), Ok(0x0000_0301));
    }
}
