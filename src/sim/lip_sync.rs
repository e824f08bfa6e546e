//! Lip-sync of a recording: how far its audio lies behind its video.
//!
//! Two ways lead there. The test pattern flashes where the test tone beeps; and of a recording made
//! from a clip, frames and audio are looked up in that clip. Times are those at which a player
//! would show a frame and play a sample. The decoder is in `decode`; what is made of its frames
//! and samples is pure.

mod audio;
mod decode;
mod error;
mod lookup;
mod markers;
mod recording;
mod thumbnail;

use std::path::Path;

pub use error::LipSyncError;

use decode::{Decoded, decode};
use lookup::Clip;
use markers::{Beeps, Flashes};
use recording::{Envelope, Film};

use crate::limits::{LIP_SYNC_CLIP_MAX, LIP_SYNC_RECORDING_MAX};

/// How far the test tone's beeps lie behind the test pattern's flashes in a recording: the
/// median over its first `LIP_SYNC_RECORDING_MAX`, in milliseconds, negative when the audio is
/// early; `None` when no pair of them was found.
///
/// # Errors
/// When the file cannot be decoded, with what GStreamer reported.
pub fn marker_offset_ms(recording: &Path) -> Result<Option<f64>, LipSyncError> {
    let (flashes, beeps) = (Flashes::default(), Beeps::default());
    let decoded = decode(recording, LIP_SYNC_RECORDING_MAX, flashes, beeps)?;
    Ok(markers::median_distance_ms(&decoded.frames, &decoded.samples))
}

/// How much further the audio lies behind the video in a recording than in the clip that
/// it was made from: the median over its first `LIP_SYNC_RECORDING_MAX`, in milliseconds, negative
/// when the audio is early. The clip may have been played again and again, and of a long one only
/// the first `LIP_SYNC_CLIP_MAX` are known. `None` when video or audio have nothing that could be
/// distinguished.
///
/// # Errors
/// When a file cannot be decoded, with what GStreamer reported.
pub fn clip_offset_ms(recording: &Path, clip: &Path) -> Result<Option<f64>, LipSyncError> {
    let recording =
        decode(recording, LIP_SYNC_RECORDING_MAX, Film::default(), Envelope::default())?;
    let Some(aspect) = recording.frames.aspect else { return Ok(None) };
    let Decoded { frames, samples, whole } =
        decode(clip, LIP_SYNC_CLIP_MAX, Film::within(aspect), Envelope::default())?;
    let clip = Clip::new(frames, samples, whole);
    Ok(lookup::offset_ms(&recording.frames, &recording.samples, &clip))
}
