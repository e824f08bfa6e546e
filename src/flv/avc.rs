//! H.264 configuration: `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 section 5.3.3.1), as far as
//! its size, its colours and its level need it.

mod colours;
mod level;
mod sps;

pub use colours::{ColourTags, Tags, tagged_config, tagged_key_frame};
pub use level::{Demand, least_level};

use super::error::ConfigError;

/// The format of the video, from an `AVCDecoderConfigurationRecord`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvcConfig {
    /// `profile_idc`: 66 baseline, 77 main, 100 high.
    pub profile: u8,
    /// `constraint_set` flags; with profile 66, bit 0x40 means constrained baseline.
    pub constraints: u8,
    /// `level_idc`: ten times the level.
    pub level: u8,
    /// Bytes of the length in front of each NAL unit: 1, 2 or 4.
    pub nal_length_bytes: u8,
    /// Width shown, in pixels.
    pub width: u32,
    /// Height shown, in pixels.
    pub height: u32,
}

impl AvcConfig {
    /// Reads a record; the size is that of its first sequence parameter set.
    ///
    /// # Errors
    /// [`ConfigError`] when it is cut short or has a value that the specifications forbid.
    pub fn parse(record: &[u8]) -> Result<AvcConfig, ConfigError> {
        let Record { head, sequence_sets, rest: _ } = Record::split(record)?;
        let [_, profile, constraints, level, lengths] = *head;
        let (width, height) = match sequence_sets.first() {
            Some(first) => sps::frame_size(first)?,
            None => return Err(ConfigError::NoParameterSet),
        };
        let nal_length_bytes = (lengths & 0b11) + 1;
        Ok(AvcConfig { profile, constraints, level, nal_length_bytes, width, height })
    }
}

/// The parts of a record.
struct Record<'a> {
    /// Version, profile, constraints, level, and how long the lengths of NAL units are.
    head: &'a [u8; 5],
    sequence_sets: Vec<&'a [u8]>,
    /// The picture parameter sets, with their count, and what only some profiles have.
    rest: &'a [u8],
}

impl<'a> Record<'a> {
    fn split(record: &'a [u8]) -> Result<Record<'a>, ConfigError> {
        let (head, after) = record.split_first_chunk::<5>().ok_or(ConfigError::TooShort)?;
        let (&count, after) = after.split_first().ok_or(ConfigError::TooShort)?;
        if head[0] != 1 {
            return Err(ConfigError::Version { version: head[0] });
        }
        if head[4] & 0b11 == 2 {
            return Err(ConfigError::NalLength);
        }
        let (sequence_sets, rest) = parameter_sets(count & 0x1F, after)?;
        let (&count, after) = rest.split_first().ok_or(ConfigError::TooShort)?;
        parameter_sets(count, after)?;
        Ok(Record { head, sequence_sets, rest })
    }
}

/// Splits `count` parameter sets off, each after its length of 16 bits. Gives them and what follows the
/// last.
fn parameter_sets(count: u8, mut rest: &[u8]) -> Result<(Vec<&[u8]>, &[u8]), ConfigError> {
    let mut sets = Vec::with_capacity(count.into());
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk().ok_or(ConfigError::TooShort)?;
        let length = u16::from_be_bytes(*length).into();
        let (set, after) = after.split_at_checked(length).ok_or(ConfigError::TooShort)?;
        sets.push(set);
        rest = after;
    }
    Ok((sets, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::bits::BitWriter;

    /// x264, 1920×1080, high, level 4.0; 1088 lines coded.
    const HIGH_1080: &[u8] = &[
        0x01, 0x64, 0x00, 0x28, 0xFF,
        0xE1, // version, profile, level 40, 4-byte lengths, 1 SPS
        0x00, 0x1B, 0x67, 0x64, 0x00, 0x28, 0xAC, 0xD9, 0x40, 0x78, 0x02, 0x27, 0xE5, 0xC0, 0x44,
        0x00, 0x00, 0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xC8, 0x3C, 0x60, 0xC6,
        0x58, // SPS
        0x01, 0x00, 0x06, 0x68, 0xEB, 0xE3, 0xCB, 0x22, 0xC0, // 1 PPS
        0xFD, 0xF8, 0xF8, 0x00, // chroma format and bit depths again
    ];
    /// Where the record may end: the rest is there for some profiles only.
    const HIGH_1080_NEEDED: usize = 44;

    fn record(sps: &[u8]) -> Vec<u8> {
        let length = (sps.len() as u16).to_be_bytes();
        let mut record = vec![1, sps[1], sps[2], sps[3], 0xFF, 0xE1, length[0], length[1]];
        record.extend_from_slice(sps);
        record.extend_from_slice(&[1, 0, 4, 0x68, 0xCE, 0x3C, 0x80]);
        record
    }

    fn from_hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn size(sps: &[u8]) -> Result<(u32, u32), ConfigError> {
        AvcConfig::parse(&record(sps)).map(|config| (config.width, config.height))
    }

    #[test]
    fn a_record_has_profile_level_and_the_size_shown() {
        let expected = AvcConfig {
            profile: 100,
            constraints: 0,
            level: 40,
            nal_length_bytes: 4,
            width: 1920,
            height: 1080,
        };
        assert_eq!(AvcConfig::parse(HIGH_1080), Ok(expected));
    }

    /// Parameter sets as x264 writes them.
    #[test]
    fn sizes_of_all_profiles_are_those_of_the_source() {
        let baseline = "6742C01EDA0290BF8893011000000300100000030320F162EA";
        let interlaced = "674D401EECA05A126C0440000003004000000C87C50A6580";
        let ten_bit_422 = "677A0015B6CD941B1FE4F011000003000100000300320F162D96";
        let full_444 = "67F40015919B283610F3421FF81E202808800000030080000019078B16CB";
        let scaling_lists_in_pps = "6764001FACD9405005BB011000000300100000030320F1831960";
        for (sps, expected) in [
            (baseline, (642, 362)),
            (interlaced, (720, 576)),
            (ten_bit_422, (426, 240)),
            (full_444, (427, 241)),
            (scaling_lists_in_pps, (1280, 720)),
        ] {
            assert_eq!(size(&from_hex(sps)), Ok(expected), "{sps}");
        }
    }

    #[test]
    fn a_record_cut_anywhere_is_too_short() {
        for len in 0..HIGH_1080_NEEDED {
            assert_eq!(AvcConfig::parse(&HIGH_1080[..len]), Err(ConfigError::TooShort), "{len}");
        }
        for len in HIGH_1080_NEEDED..=HIGH_1080.len() {
            assert_eq!(AvcConfig::parse(&HIGH_1080[..len]), AvcConfig::parse(HIGH_1080), "{len}");
        }
    }

    #[test]
    fn a_parameter_set_cut_anywhere_gives_the_size_or_an_error() {
        let sps = &HIGH_1080[8..35];
        for len in 4..sps.len() {
            let size = size(&sps[..len]);
            assert!(size == Ok((1920, 1080)) || size == Err(ConfigError::TooShort), "{len}");
        }
    }

    #[test]
    fn any_single_wrong_byte_gives_a_value_or_an_error() {
        let mut record = HIGH_1080.to_vec();
        for at in 0..record.len() {
            for value in 0..=u8::MAX {
                let right = std::mem::replace(&mut record[at], value);
                if let Ok(config) = AvcConfig::parse(&record) {
                    assert!((1..=16_880).contains(&config.width));
                    assert!((1..=2 * 16_880).contains(&config.height));
                }
                record[at] = right;
            }
        }
    }

    #[test]
    fn noise_gives_a_value_or_an_error() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..50_000 {
            let mut sps = vec![0x67, *rng.choice(&[66, 100, 122, 244]).expect("not empty")];
            // Few ones make long codes, many make short ones: both get far into the fields.
            let mask = rng.u8(..) | rng.u8(..);
            sps.extend((0..rng.usize(2..64)).map(|_| rng.u8(..) & mask));
            let _ = AvcConfig::parse(&record(&sps));
        }
    }

    #[test]
    fn what_the_specification_forbids_is_named() {
        let with = |at: usize, value: u8| {
            let mut record = HIGH_1080.to_vec();
            record[at] = value;
            AvcConfig::parse(&record)
        };
        assert_eq!(with(0, 2), Err(ConfigError::Version { version: 2 }));
        assert_eq!(with(4, 0xFE), Err(ConfigError::NalLength));
        let not_a_set = ConfigError::Forbidden { field: "nal_unit_type", value: 8 };
        assert_eq!(with(8, 0x68), Err(not_a_set));
        let none = AvcConfig::parse(&[1, 66, 0, 30, 0xFF, 0xE0, 0]);
        assert_eq!(none, Err(ConfigError::NoParameterSet));
    }

    #[test]
    fn interlaced_frames_count_two_fields() {
        let mut sps = BitWriter::default();
        sps.bits(0x67, 8).bits(77, 8).bits(0, 8).bits(30, 8).unsigned(0);
        sps.unsigned(0).unsigned(2).unsigned(1).bits(0, 1); // order by output, one reference
        sps.unsigned(44).unsigned(17).bits(0, 1).bits(1, 1).bits(1, 1); // 720×576 in fields
        sps.bits(1, 1).unsigned(0).unsigned(4).unsigned(0).unsigned(3).bits(0, 1);
        assert_eq!(size(&sps.nal_unit()), Ok((712, 564)));
    }

    #[test]
    fn a_cycle_of_reference_offsets_is_skipped() {
        let mut sps = BitWriter::default();
        sps.bits(0x67, 8).bits(66, 8).bits(0, 8).bits(30, 8).unsigned(0).unsigned(0);
        sps.unsigned(1).bits(0, 1).signed(-70_000).signed(70_000).unsigned(255);
        for n in 0..255 {
            sps.signed(n - 100);
        }
        sps.unsigned(1).bits(0, 1).unsigned(39).unsigned(29).bits(1, 1).bits(1, 1).bits(0, 2);
        assert_eq!(size(&sps.nal_unit()), Ok((640, 480)));
    }

    #[test]
    fn each_chroma_format_crops_in_its_own_unit() {
        for (format, is_separate, expected) in [
            (0, false, (639, 478)),
            (1, false, (638, 476)),
            (2, false, (638, 478)),
            (3, false, (639, 478)),
            (3, true, (639, 478)),
        ] {
            let mut sps = BitWriter::default();
            sps.bits(0x67, 8).bits(244, 8).bits(0, 8).bits(30, 8).unsigned(0).unsigned(format);
            if format == 3 {
                sps.bits(is_separate.into(), 1);
            }
            sps.unsigned(0).unsigned(0).bits(0, 1).bits(1, 1);
            // By chroma_format_idc alone, separate planes or not.
            let lists = if format == 3 { 12 } else { 8 };
            for list in 0..lists {
                let deltas: &[i32] = match list {
                    0 => &[1; 16],
                    6 => &[-3; 64], // wraps around 0 without meeting it
                    2 | 8 => &[-8], // 0 ends the list at once
                    _ => &[],
                };
                sps.bits(u32::from(!deltas.is_empty()), 1);
                for &delta in deltas {
                    sps.signed(delta);
                }
            }
            sps.unsigned(0).unsigned(0).unsigned(0).unsigned(1).bits(0, 1);
            sps.unsigned(39).unsigned(29).bits(1, 1).bits(1, 1);
            sps.bits(1, 1).unsigned(1).unsigned(0).unsigned(1).unsigned(1).bits(0, 1);
            assert_eq!(size(&sps.nal_unit()), Ok(expected), "format {format} {is_separate}");
        }
    }

    #[test]
    fn cropping_more_than_there_is_is_forbidden() {
        let mut sps = BitWriter::default();
        sps.bits(0x67, 8).bits(66, 8).bits(0, 8).bits(30, 8).unsigned(0).unsigned(0).unsigned(2);
        sps.unsigned(1).bits(0, 1).unsigned(0).unsigned(0).bits(1, 1).bits(1, 1);
        sps.bits(1, 1).unsigned(8).unsigned(0).unsigned(0).unsigned(0).bits(0, 1);
        let forbidden = ConfigError::Forbidden { field: "frame_crop_offset", value: 8 };
        assert_eq!(size(&sps.nal_unit()), Err(forbidden));
    }
}
