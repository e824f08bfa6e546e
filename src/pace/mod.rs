//! Congestion: what was observed on the way to a destination, and what that costs.
//!
//! Pure room; it sees figures only, no sockets, encoders or frames. One [`Policy`] watches one
//! connection and answers with a target bitrate for the encoder and with drops for that
//! destination's queue; [`combine`] makes one encoder bitrate of the targets of all destinations.
//!
//! It promises that
//! - delay is judged by what was *delivered*; what was only written counts as waiting;
//! - the bitrate goes first, then frames that no other refers to, then video up to the next key
//!   frame; audio is never asked to go;
//! - a path that delivers nothing is never a reason to send more;
//! - the target stays between floor and ceiling, and a new ceiling holds at once;
//! - a connection that crawls below the floor is given up in favour of a new one, not endured.
//!
//! ```
//! use std::time::Duration;
//! use firstmile::pace::{Decision, Policy, PathSample, Settings};
//!
//! let settings =
//!     Settings { ceiling_kbps: 6_000, floor_kbps: 300, audio_kbps: 128, start_kbps: None };
//! let mut policy = Policy::new(Duration::ZERO, settings);
//! let mut now = Duration::ZERO;
//! let mut encoder_kbps = policy.target_kbps();
//! // 25 KB each 33 ms are written, of which the path delivers a sixth.
//! while now < Duration::from_secs(2) {
//!     now = policy.poll_timeout();
//!     let written_bytes = now.as_millis() as u64 * 757;
//!     let waiting = written_bytes * 5 / 6;
//!     let sample =
//!         PathSample { written_bytes, tcp_unacknowledged_bytes: Some(waiting), ..PathSample::default() };
//!     policy.handle(now, sample);
//!     while let Some(decision) = policy.poll_decision() {
//!         match decision {
//!             Decision::TargetBitrate { kbps, .. } => encoder_kbps = kbps,
//!             Decision::Drop(_) | Decision::PauseVideo(_) => {} // for the destination's queue
//!             Decision::ReconnectAdvised => {}
//!         }
//!     }
//! }
//! assert!(encoder_kbps < 1_000);
//! ```

mod combine;
mod policy;
mod sample;

pub use combine::{Follow, PathTarget, combine};
pub use policy::{Because, Decision, Drop, Policy, Settings, State};
pub use sample::PathSample;
