//! The video track: which frame goes to the encoder at each instant, and what is drawn here: the
//! slate, the overlay and the test pattern. Whoever asks gets a frame of it as a JPEG.

mod bitmap_text;
mod black;
mod canvas;
mod framed;
mod overlay;
mod png;
mod reduced;
mod shared;
mod slate;
mod still;
mod test_pattern;
mod track;

pub use shared::{HeldTrack, SharedTrack};
pub use still::{Still, Stills};
pub use track::{Camera, VideoTrack};
