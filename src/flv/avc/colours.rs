//! The colours and the level of an H.264 stream, written into its sequence parameter sets.
//!
//! Encoders differ in what they write there: everything, nothing, or what their driver takes for
//! granted. A player believes it, so the sender writes it: the video signal type of the VUI is
//! replaced, a VUI that holds nothing else is added where there is none, a level that is too low for
//! the stream is raised, because a decoder may refuse what is beyond it, and all other bits stay as the
//! encoder wrote them.
//!
//! Of the crates for this, `h264-reader` only reads, `scuffle-h264` writes a parameter set back without
//! its HRD and its bitstream restriction, and whole codecs are far more than the few bits to replace
//! between two runs of copied ones. What copies need be known of the syntax is its length.

use super::{
    Record,
    level::{self, Demand},
    sps::{Layout, NAL_SEQUENCE_PARAMETER_SET},
};
use crate::flv::{
    bits::{BitReader, BitWriter},
    error::ConfigError,
};

/// `video_format` when nothing is known of it (H.264 table E-2).
const UNSPECIFIED_FORMAT: u32 = 5;

/// What the values of samples mean, in the code points of ISO/IEC 23091-2, which are those of H.264
/// (tables E-3 to E-5); 2 is unspecified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColourTags {
    /// Values use the full range: 0 is black, 255 is white.
    pub full_range: bool,
    /// `colour_primaries`.
    pub primaries: u8,
    /// `transfer_characteristics`.
    pub transfer: u8,
    /// `matrix_coefficients`.
    pub matrix: u8,
}

impl ColourTags {
    /// HD video: ITU-R BT.709 in limited range.
    pub const BT709: ColourTags =
        ColourTags { full_range: false, primaries: 1, transfer: 1, matrix: 1 };
}

/// What is written into parameter sets. [`ColourTags`] alone leave the level as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tags {
    /// The colours.
    pub colours: ColourTags,
    /// What the level must have room for, besides the size of the frames.
    pub demand: Option<Demand>,
}

impl From<ColourTags> for Tags {
    fn from(colours: ColourTags) -> Tags {
        Tags { colours, demand: None }
    }
}

/// An `AVCDecoderConfigurationRecord` with these tags in each of its sequence parameter sets.
///
/// # Errors
/// [`ConfigError`] when the record or a set in it cannot be read to its end.
pub fn tagged_config(record: &[u8], tags: impl Into<Tags>) -> Result<Vec<u8>, ConfigError> {
    let tags = tags.into();
    let Record { head, sequence_sets, rest } = Record::split(record)?;
    if sequence_sets.is_empty() {
        return Err(ConfigError::NoParameterSet);
    }
    let mut tagged = Vec::with_capacity(record.len() + 16);
    // With the byte of their count.
    tagged.extend_from_slice(&record[..=head.len()]);
    for (i, set) in sequence_sets.into_iter().enumerate() {
        let tagged_set = tagged_set(set, tags)?;
        push_nal_unit(&mut tagged, &tagged_set, 2)?;
        // The record has the constraint flags and the level of its first set.
        if let (0, Some(from), Some(to)) = (i, tagged_set.get(2..4), tagged.get_mut(2..4))
            && set.get(2..4) == Some(&*to)
        {
            to.copy_from_slice(from);
        }
    }
    tagged.extend_from_slice(rest);
    Ok(tagged)
}

/// An access unit with these tags in each sequence parameter set that is repeated in it; `None` when
/// there is none. NAL units follow their length of `length_bytes` bytes.
///
/// # Errors
/// [`ConfigError`] when the access unit or a set in it cannot be read to its end.
pub fn tagged_key_frame(
    access_unit: &[u8],
    length_bytes: usize,
    tags: impl Into<Tags>,
) -> Result<Option<Vec<u8>>, ConfigError> {
    let tags = tags.into();
    let (mut tagged, mut copied, mut at) = (Vec::new(), 0, 0);
    while at < access_unit.len() {
        let nal_unit = nal_unit(&access_unit[at..], length_bytes).ok_or(ConfigError::TooShort)?;
        let end = at + length_bytes + nal_unit.len();
        if nal_unit.first().is_some_and(|header| header & 0x1F == NAL_SEQUENCE_PARAMETER_SET) {
            tagged.reserve(access_unit.len() + 16);
            tagged.extend_from_slice(&access_unit[copied..at]);
            push_nal_unit(&mut tagged, &tagged_set(nal_unit, tags)?, length_bytes)?;
            copied = end;
        }
        at = end;
    }
    if copied == 0 {
        return Ok(None);
    }
    tagged.extend_from_slice(&access_unit[copied..]);
    Ok(Some(tagged))
}

/// The first NAL unit, without its length.
fn nal_unit(bytes: &[u8], length_bytes: usize) -> Option<&[u8]> {
    let (length, after) = bytes.split_at_checked(length_bytes)?;
    let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    after.get(..length)
}

fn push_nal_unit(
    to: &mut Vec<u8>,
    nal_unit: &[u8],
    length_bytes: usize,
) -> Result<(), ConfigError> {
    let value = u32::try_from(nal_unit.len()).unwrap_or(u32::MAX);
    let value_bytes = value.to_be_bytes();
    let (too_large, length) = value_bytes.split_at(4 - length_bytes.min(4));
    if too_large.iter().any(|byte| *byte != 0) {
        return Err(ConfigError::Forbidden { field: "NALUnitLength", value });
    }
    to.extend_from_slice(length);
    to.extend_from_slice(nal_unit);
    Ok(())
}

fn tagged_set(nal_unit: &[u8], tags: impl Into<Tags>) -> Result<Vec<u8>, ConfigError> {
    let Tags { colours: tags, demand } = tags.into();
    let Layout { signal_type, has_vui, video_format, end, frames } = Layout::read(nal_unit)?;
    let (mut from, mut to) = (BitReader::of_nal_unit(nal_unit), BitWriter::default());
    while from.position() < signal_type.start {
        to.flag(from.flag()?);
    }
    if !has_vui {
        to.flag(true); // vui_parameters_present_flag
        to.bits(0, 2); // neither aspect ratio nor overscan
    }
    to.flag(true); // video_signal_type_present_flag
    to.bits(video_format.unwrap_or(UNSPECIFIED_FORMAT), 3);
    to.flag(tags.full_range);
    to.flag(true); // colour_description_present_flag
    for code_point in [tags.primaries, tags.transfer, tags.matrix] {
        to.bits(code_point.into(), 8);
    }
    if !has_vui {
        // Neither location of chroma, timing, HRD (of either kind), pic_struct, nor restriction.
        to.bits(0, 6);
    }
    while from.position() < signal_type.end {
        from.flag()?;
    }
    while from.position() < end {
        to.flag(from.flag()?);
    }
    let mut set = to.nal_unit();
    // What is changed there is never zero, so no emulation prevention begins or ends with it.
    demand.into_iter().for_each(|demand| level::raise(&mut set, frames, demand));
    Ok(set)
}

#[cfg(test)]
mod tests;
