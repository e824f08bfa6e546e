//! H.264 configuration: `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 section 5.3.3.1) and, as
//! far as the frame size needs it, the sequence parameter set (ITU-T H.264 section 7.3.2.1.1).

use super::bits::BitReader;
use super::error::ConfigError;

/// NAL unit type of a sequence parameter set (H.264 table 7-1).
const NAL_SEQUENCE_PARAMETER_SET: u8 = 7;
/// Profiles whose parameter set has chroma format and bit depth (H.264 section 7.3.2.1.1).
const PROFILES_WITH_CHROMA_FORMAT: [u8; 13] =
    [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// The longest side of a frame in macroblocks: √(8 × 139 264) at level 6.2 (H.264 table A-1).
const SIDE_MACROBLOCKS_MAX: u32 = 1_055;

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
        let &[version, profile, constraints, level, lengths, count, ref rest @ ..] = record else {
            return Err(ConfigError::TooShort);
        };
        if version != 1 {
            return Err(ConfigError::Version { version });
        }
        let nal_length_bytes = (lengths & 0b11) + 1;
        if nal_length_bytes == 3 {
            return Err(ConfigError::NalLength);
        }
        let (first, rest) = parameter_sets(count & 0x1F, rest)?;
        let (&pps_count, rest) = rest.split_first().ok_or(ConfigError::TooShort)?;
        parameter_sets(pps_count, rest)?;
        let (width, height) = frame_size(first.ok_or(ConfigError::NoParameterSet)?)?;
        Ok(AvcConfig { profile, constraints, level, nal_length_bytes, width, height })
    }
}

/// Splits `count` parameter sets off, each after its length of 16 bits. Gives the first and what
/// follows the last.
fn parameter_sets(count: u8, mut rest: &[u8]) -> Result<(Option<&[u8]>, &[u8]), ConfigError> {
    let mut first = None;
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk().ok_or(ConfigError::TooShort)?;
        let length = u16::from_be_bytes(*length).into();
        let (set, after) = after.split_at_checked(length).ok_or(ConfigError::TooShort)?;
        first.get_or_insert(set);
        rest = after;
    }
    Ok((first, rest))
}

/// Width and height that a sequence parameter set shows, in pixels (H.264 section 7.4.2.1.1).
fn frame_size(nal_unit: &[u8]) -> Result<(u32, u32), ConfigError> {
    let mut bits = BitReader::of_nal_unit(nal_unit);
    let nal_unit_type = bits.bits(8)? & 0x1F;
    if nal_unit_type != u32::from(NAL_SEQUENCE_PARAMETER_SET) {
        return Err(ConfigError::Forbidden { field: "nal_unit_type", value: nal_unit_type });
    }
    let profile = bits.bits(8)?;
    bits.bits(16)?; // constraint flags and level_idc
    bits.at_most(31, "seq_parameter_set_id")?;
    let has_chroma_format = PROFILES_WITH_CHROMA_FORMAT.iter().any(|&p| u32::from(p) == profile);
    let chroma = if has_chroma_format { chroma_format(&mut bits)? } else { Chroma::Sampled420 };
    skip_order_and_references(&mut bits)?;

    let width_mbs = side(&mut bits, "pic_width_in_mbs_minus1")?;
    let height_units = side(&mut bits, "pic_height_in_map_units_minus1")?;
    let is_progressive = bits.flag()?; // frame_mbs_only_flag
    if !is_progressive {
        bits.flag()?; // mb_adaptive_frame_field_flag
    }
    bits.flag()?; // direct_8x8_inference_flag
    let crop = crop(&mut bits)?;

    let fields = if is_progressive { 1 } else { 2 };
    let (unit_x, unit_y) = chroma.crop_units();
    let width = cropped(width_mbs * 16, crop[0], crop[1], unit_x)?;
    let height = cropped(height_units * fields * 16, crop[2], crop[3], unit_y * fields)?;
    Ok((width, height))
}

/// How colour is sampled, as far as cropping counts in it (H.264 table 6-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chroma {
    /// None, or as separate planes.
    Unsampled,
    Sampled420,
    Sampled422,
    Sampled444,
}

impl Chroma {
    /// `CropUnitX`, and `CropUnitY` of progressive video (H.264 equations 7-19 to 7-22).
    fn crop_units(self) -> (u32, u32) {
        match self {
            Chroma::Unsampled | Chroma::Sampled444 => (1, 1),
            Chroma::Sampled420 => (2, 2),
            Chroma::Sampled422 => (2, 1),
        }
    }
}

fn chroma_format(bits: &mut BitReader) -> Result<Chroma, ConfigError> {
    let chroma = match bits.at_most(3, "chroma_format_idc")? {
        0 => Chroma::Unsampled,
        1 => Chroma::Sampled420,
        2 => Chroma::Sampled422,
        _ if bits.flag()? => Chroma::Unsampled, // separate_colour_plane_flag
        _ => Chroma::Sampled444,
    };
    let has_444_lists = matches!(chroma, Chroma::Sampled444);
    bits.at_most(6, "bit_depth_luma_minus8")?;
    bits.at_most(6, "bit_depth_chroma_minus8")?;
    bits.flag()?; // qpprime_y_zero_transform_bypass_flag
    if bits.flag()? {
        skip_scaling_lists(bits, if has_444_lists { 12 } else { 8 })?;
    }
    Ok(chroma)
}

/// H.264 section 7.3.2.1.1.1.
fn skip_scaling_lists(bits: &mut BitReader, count: u32) -> Result<(), ConfigError> {
    for list in 0..count {
        if !bits.flag()? {
            continue;
        }
        let size = if list < 6 { 16 } else { 64 };
        let mut last_scale = 8;
        for _ in 0..size {
            let next_scale = (last_scale + bits.signed("delta_scale")?).rem_euclid(256);
            if next_scale == 0 {
                break; // the rest repeats the last one, without a code
            }
            last_scale = next_scale;
        }
    }
    Ok(())
}

fn skip_order_and_references(bits: &mut BitReader) -> Result<(), ConfigError> {
    bits.at_most(12, "log2_max_frame_num_minus4")?;
    match bits.at_most(2, "pic_order_cnt_type")? {
        0 => {
            bits.at_most(12, "log2_max_pic_order_cnt_lsb_minus4")?;
        }
        1 => {
            bits.flag()?; // delta_pic_order_always_zero_flag
            bits.signed("offset_for_non_ref_pic")?;
            bits.signed("offset_for_top_to_bottom_field")?;
            for _ in 0..bits.at_most(255, "num_ref_frames_in_pic_order_cnt_cycle")? {
                bits.signed("offset_for_ref_frame")?;
            }
        }
        _ => {}
    }
    bits.unsigned("max_num_ref_frames")?;
    bits.flag()?; // gaps_in_frame_num_value_allowed_flag
    Ok(())
}

fn side(bits: &mut BitReader, field: &'static str) -> Result<u32, ConfigError> {
    Ok(bits.at_most(SIDE_MACROBLOCKS_MAX - 1, field)? + 1)
}

/// Left, right, top, bottom, in crop units.
fn crop(bits: &mut BitReader) -> Result<[u32; 4], ConfigError> {
    let mut crop = [0; 4];
    if bits.flag()? {
        for offset in &mut crop {
            *offset = bits.unsigned("frame_crop_offset")?;
        }
    }
    Ok(crop)
}

fn cropped(size: u32, before: u32, after: u32, unit: u32) -> Result<u32, ConfigError> {
    let cut = (u64::from(before) + u64::from(after)) * u64::from(unit);
    match u32::try_from(cut) {
        Ok(cut) if cut < size => Ok(size - cut),
        _ => Err(ConfigError::Forbidden { field: "frame_crop_offset", value: before.max(after) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Writes parameter sets, so that each field can take each of its values.
    #[derive(Default)]
    struct BitWriter {
        bytes: Vec<u8>,
        used: u32,
    }

    impl BitWriter {
        fn bits(&mut self, value: u32, count: u32) -> &mut Self {
            for at in (0..count).rev() {
                if self.used.is_multiple_of(8) {
                    self.bytes.push(0);
                }
                let last = self.bytes.last_mut().expect("just pushed");
                *last |= ((value >> at & 1) as u8) << (7 - self.used % 8);
                self.used += 1;
            }
            self
        }

        fn unsigned(&mut self, value: u32) -> &mut Self {
            let length = (value + 1).ilog2();
            self.bits(0, length).bits(value + 1, length + 1)
        }

        fn signed(&mut self, value: i32) -> &mut Self {
            let code = if value > 0 { 2 * value - 1 } else { -2 * value };
            self.unsigned(code as u32)
        }

        /// Stop bit, then emulation prevention (H.264 section 7.4.1).
        fn nal_unit(&mut self) -> Vec<u8> {
            self.bits(1, 1);
            let (mut nal, mut zeros) = (Vec::new(), 0);
            for &byte in &self.bytes {
                if zeros >= 2 && byte <= 3 {
                    nal.push(3);
                    zeros = 0;
                }
                nal.push(byte);
                zeros = if byte == 0 { zeros + 1 } else { 0 };
            }
            nal
        }
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
            let lists = if format == 3 && !is_separate { 12 } else { 8 };
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
