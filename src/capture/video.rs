//! The video track: which frame goes to the encoder at each instant, and what is drawn here: the
//! slate, the overlay and the test pattern.

mod bitmap_text;
mod black;
mod canvas;
mod overlay;
mod png;
mod shared;
mod slate;
mod test_pattern;
mod track;

pub use shared::{HeldTrack, SharedTrack};
pub use track::{Camera, VideoTrack};
