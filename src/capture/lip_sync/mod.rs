//! Lip-sync of a recorded programme: how far its sound lies behind its picture.
//!
//! Two ways lead there. The test picture flashes where the test tone beeps; and of a programme made
//! from a clip, pictures and sound are looked up in that clip. Times are those at which a player
//! would show a picture and play a sample. The decoder is in `decode`; what is made of its pictures
//! and samples is pure.

mod decode;
mod lookup;
mod markers;
mod recording;
mod sound;
mod thumbnail;

use std::path::Path;

use decode::{Decoded, decode};
use lookup::Clip;
use markers::{Beeps, Flashes};
use recording::{Envelope, Film};

use super::error::CaptureError;
use crate::limits::{LIP_SYNC_CLIP_MAX, LIP_SYNC_PROGRAMME_MAX};

/// How far the test tone's beeps lie behind the test picture's flashes in a recorded programme: the
/// median over its first `LIP_SYNC_PROGRAMME_MAX`, in milliseconds, negative when the sound is
/// early; `None` when no pair of them was found.
///
/// # Errors
/// When the file cannot be decoded, with what GStreamer said.
pub fn marker_offset_ms(programme: &Path) -> Result<Option<f64>, CaptureError> {
    let (flashes, beeps) = (Flashes::default(), Beeps::default());
    let seen = decode(programme, LIP_SYNC_PROGRAMME_MAX, flashes, beeps)?;
    Ok(markers::median_distance_ms(&seen.viewer, &seen.listener))
}

/// How much further the sound lies behind the picture in a recorded programme than in the clip that
/// it was made from: the median over its first `LIP_SYNC_PROGRAMME_MAX`, in milliseconds, negative
/// when the sound is early. The clip may have been played again and again, and of a long one only
/// the first `LIP_SYNC_CLIP_MAX` are known. `None` when picture or sound have nothing that could be
/// told apart.
///
/// # Errors
/// When a file cannot be decoded, with what GStreamer said.
pub fn clip_offset_ms(programme: &Path, clip: &Path) -> Result<Option<f64>, CaptureError> {
    let programme =
        decode(programme, LIP_SYNC_PROGRAMME_MAX, Film::default(), Envelope::default())?;
    let Some(aspect) = programme.viewer.aspect else { return Ok(None) };
    let Decoded { viewer, listener, whole } =
        decode(clip, LIP_SYNC_CLIP_MAX, Film::within(aspect), Envelope::default())?;
    let clip = Clip::new(viewer, listener, whole);
    Ok(lookup::offset_ms(&programme.viewer, &programme.listener, &clip))
}
