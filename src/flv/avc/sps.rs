//! The sequence parameter set (ITU-T H.264 sections 7.3.2.1.1 and E.1.1): the size that it shows, and
//! where it has its colours.

use std::ops::Range;

use super::level::Frames;
use crate::flv::{bits::BitReader, error::ConfigError};

/// NAL unit type of a sequence parameter set (H.264 table 7-1).
pub(super) const NAL_SEQUENCE_PARAMETER_SET: u8 = 7;
/// Profiles whose parameter set has chroma format and bit depth (H.264 section 7.3.2.1.1).
const PROFILES_WITH_CHROMA_FORMAT: [u8; 13] =
    [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// The longest side of a frame in macroblocks: √(8 × 139 264) at level 6.2 (H.264 table A-1).
const SIDE_MACROBLOCKS_MAX: u32 = 1_055;
/// `MaxDpbFrames` at any level (H.264 section A.3.1).
const REFERENCE_FRAMES_MAX: u32 = 16;

/// Width and height that a sequence parameter set shows, in pixels.
pub(super) fn frame_size(nal_unit: &[u8]) -> Result<(u32, u32), ConfigError> {
    up_to_cropping(&mut BitReader::of_nal_unit(nal_unit)).map(|(shown, _)| shown)
}

/// Where a parameter set has its colours, counted in bits without emulation prevention.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// `video_signal_type_present_flag` and what follows of it. Without a VUI:
    /// `vui_parameters_present_flag`.
    pub signal_type: Range<usize>,
    pub has_vui: bool,
    /// `video_format`, if there is one.
    pub video_format: Option<u32>,
    /// The stop bit.
    pub end: usize,
    pub frames: Frames,
}

impl Layout {
    /// Reads a whole parameter set.
    pub(super) fn read(nal_unit: &[u8]) -> Result<Layout, ConfigError> {
        let mut bits = BitReader::of_nal_unit(nal_unit);
        let (_, frames) = up_to_cropping(&mut bits)?;
        let vui_at = bits.position();
        let has_vui = bits.flag()?; // vui_parameters_present_flag
        let mut signal_type = vui_at..bits.position();
        let mut video_format = None;
        if has_vui {
            up_to_overscan(&mut bits)?;
            let start = bits.position();
            video_format = signal_type_of(&mut bits)?;
            signal_type = start..bits.position();
            skip_rest_of_vui(&mut bits)?;
        }
        let end = bits.position();
        let is_right_end = bits.flag()? && !std::iter::from_fn(|| bits.flag().ok()).any(|bit| bit);
        if !is_right_end {
            return Err(ConfigError::Forbidden { field: "rbsp_trailing_bits", value: 0 });
        }
        Ok(Layout { signal_type, has_vui, video_format, end, frames })
    }
}

/// E.1.1, its beginning.
fn up_to_overscan(bits: &mut BitReader) -> Result<(), ConfigError> {
    const EXTENDED_SAR: u32 = 255;
    if bits.flag()? && bits.bits(8)? == EXTENDED_SAR {
        bits.bits(32)?; // sar_width, sar_height
    }
    if bits.flag()? {
        bits.flag()?; // overscan_appropriate_flag
    }
    Ok(())
}

/// Gives `video_format`.
fn signal_type_of(bits: &mut BitReader) -> Result<Option<u32>, ConfigError> {
    if !bits.flag()? {
        return Ok(None);
    }
    let video_format = bits.bits(3)?;
    bits.flag()?; // video_full_range_flag
    if bits.flag()? {
        bits.bits(24)?; // colour_primaries, transfer_characteristics, matrix_coefficients
    }
    Ok(Some(video_format))
}

/// E.1.1, from the location of chroma samples on.
fn skip_rest_of_vui(bits: &mut BitReader) -> Result<(), ConfigError> {
    if bits.flag()? {
        bits.at_most(5, "chroma_sample_loc_type_top_field")?;
        bits.at_most(5, "chroma_sample_loc_type_bottom_field")?;
    }
    if bits.flag()? {
        bits.bits(32)?; // num_units_in_tick
        bits.bits(32)?; // time_scale
        bits.flag()?; // fixed_frame_rate_flag
    }
    let has_nal_hrd = bits.flag()?;
    if has_nal_hrd {
        skip_hrd(bits)?;
    }
    let has_vcl_hrd = bits.flag()?;
    if has_vcl_hrd {
        skip_hrd(bits)?;
    }
    if has_nal_hrd || has_vcl_hrd {
        bits.flag()?; // low_delay_hrd_flag
    }
    bits.flag()?; // pic_struct_present_flag
    if bits.flag()? {
        bits.flag()?; // motion_vectors_over_pic_boundaries_flag
        bits.at_most(16, "max_bytes_per_pic_denom")?;
        bits.at_most(16, "max_bits_per_mb_denom")?;
        bits.at_most(16, "log2_max_mv_length_horizontal")?;
        bits.at_most(16, "log2_max_mv_length_vertical")?;
        bits.at_most(REFERENCE_FRAMES_MAX, "max_num_reorder_frames")?;
        bits.at_most(REFERENCE_FRAMES_MAX, "max_dec_frame_buffering")?;
    }
    Ok(())
}

/// E.1.2.
fn skip_hrd(bits: &mut BitReader) -> Result<(), ConfigError> {
    let count = bits.at_most(31, "cpb_cnt_minus1")? + 1;
    bits.bits(8)?; // bit_rate_scale, cpb_size_scale
    for _ in 0..count {
        bits.unsigned("bit_rate_value_minus1")?;
        bits.unsigned("cpb_size_value_minus1")?;
        bits.flag()?; // cbr_flag
    }
    bits.bits(20)?; // the lengths of four fields
    Ok(())
}

/// 7.3.2.1.1 up to the VUI; gives width and height as shown, and the frames that are coded.
fn up_to_cropping(bits: &mut BitReader) -> Result<((u32, u32), Frames), ConfigError> {
    let nal_unit_type = bits.bits(8)? & 0x1F;
    if nal_unit_type != u32::from(NAL_SEQUENCE_PARAMETER_SET) {
        return Err(ConfigError::Forbidden { field: "nal_unit_type", value: nal_unit_type });
    }
    let profile = bits.bits(8)?;
    bits.bits(16)?; // constraint flags and level_idc
    bits.at_most(31, "seq_parameter_set_id")?;
    let has_chroma_format = PROFILES_WITH_CHROMA_FORMAT.iter().any(|&p| u32::from(p) == profile);
    let chroma = if has_chroma_format { chroma_format(bits)? } else { Chroma::Sampled420 };
    let references = order_and_references(bits)?;

    let width_mbs = side(bits, "pic_width_in_mbs_minus1")?;
    let height_units = side(bits, "pic_height_in_map_units_minus1")?;
    let is_progressive = bits.flag()?; // frame_mbs_only_flag
    if !is_progressive {
        bits.flag()?; // mb_adaptive_frame_field_flag
    }
    bits.flag()?; // direct_8x8_inference_flag
    let crop = crop(bits)?;

    let fields = if is_progressive { 1 } else { 2 };
    let (unit_x, unit_y) = chroma.crop_units();
    let width = cropped(width_mbs * 16, crop[0], crop[1], unit_x)?;
    let height = cropped(height_units * fields * 16, crop[2], crop[3], unit_y * fields)?;
    let frames = Frames { width: width_mbs, height: height_units * fields, references };
    Ok(((width, height), frames))
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
    let chroma_format_idc = bits.at_most(3, "chroma_format_idc")?;
    let chroma = match chroma_format_idc {
        0 => Chroma::Unsampled,
        1 => Chroma::Sampled420,
        2 => Chroma::Sampled422,
        _ if bits.flag()? => Chroma::Unsampled, // separate_colour_plane_flag
        _ => Chroma::Sampled444,
    };
    bits.at_most(6, "bit_depth_luma_minus8")?;
    bits.at_most(6, "bit_depth_chroma_minus8")?;
    bits.flag()?; // qpprime_y_zero_transform_bypass_flag
    if bits.flag()? {
        skip_scaling_lists(bits, if chroma_format_idc == 3 { 12 } else { 8 })?;
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
            let next_scale = (last_scale + delta_scale(bits)?).rem_euclid(256);
            if next_scale == 0 {
                break; // the rest repeats the last one, without a code
            }
            last_scale = next_scale;
        }
    }
    Ok(())
}

fn delta_scale(bits: &mut BitReader) -> Result<i64, ConfigError> {
    let delta = bits.signed("delta_scale")?;
    let value = delta.unsigned_abs() as u32;
    match delta {
        -128..=127 => Ok(delta),
        _ => Err(ConfigError::Forbidden { field: "delta_scale", value }),
    }
}

/// Gives `max_num_ref_frames`.
fn order_and_references(bits: &mut BitReader) -> Result<u32, ConfigError> {
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
    let references = bits.at_most(REFERENCE_FRAMES_MAX, "max_num_ref_frames")?;
    bits.flag()?; // gaps_in_frame_num_value_allowed_flag
    Ok(references)
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
