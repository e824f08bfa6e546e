//! What is done to audio between source and encoder: channels, low cut, gain, limiter, delay.
//!
//! Pure room: samples in, samples out, 16 bits interleaved. It promises that a change of an
//! adjustment is heard at once and without a click; that no sample is above [`CEILING_DBTP`] between
//! the samples either, whatever the gain; that audio below it which nothing is adjusted of comes out
//! bit by bit as it went in, [`CHAIN_DELAY_SAMPLES`] later; and that nothing is allocated for a block.
//!
//! ```
//! use firstmile::audio::{Adjustments, Chain};
//! let mut chain = Chain::new(48_000, 2, Adjustments::default());
//! let mut out = [0; 512];
//! chain.process(&[1_000; 512], &mut out);
//! assert_eq!(out[511], 1_000);
//! chain.adjust(Adjustments { is_muted: true, ..Adjustments::default() });
//! for _ in 0..8 {
//!     chain.process(&[1_000; 512], &mut out);
//! }
//! assert_eq!(out, [0; 512]);
//! ```

mod adjustments;
mod chain;
mod delay;
pub mod filter;
mod limiter;
mod low_cut;
mod matrix;
mod true_peak;

pub use adjustments::{Adjustments, ChannelsFrom};
pub use chain::Chain;
pub use limiter::{CEILING_DBTP, DELAY_SAMPLES as CHAIN_DELAY_SAMPLES};
pub use true_peak::TruePeak;

/// Channels that come from a source; one with a single channel has it twice.
pub const SOURCE_CHANNELS: usize = 2;

/// A change takes this long, so that it does not click.
const RAMP_MS: u32 = 20;

/// The full scale of 16 bits.
const FULL_SCALE: f32 = 32_768.0;

#[cfg(test)]
mod tests;
