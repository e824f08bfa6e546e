//! The audio track: which samples go to the encoder in each block, with the drift of a sound card's
//! clock taken out.

mod buffer;
mod drift;
mod levels;
mod resampler;
mod tone;
mod track;

pub use track::AudioTrack;
