//! Access units, their time on the wire, and the queue where they may wait or be dropped.
//!
//! Pure room, with one exception: `fan_out` holds short locks and wakes a reader, because it is
//! where the encoder's threads end. The room promises that a destination sees whole GOPs that
//! start with their codec configuration, whatever was dropped before; that time on the wire never
//! goes back; and that no destination delays another, nor the encoder. It knows nothing of
//! GStreamer, FLV or the network.
//!
//! ```
//! use firstmile::media::{Codec, FanOut, Frame, Kind, Timeline};
//! # fn frame(kind: Kind, ms: u64) -> Frame {
//! #     let time_ns = ms * 1_000_000;
//! #     Frame { kind, codec: Codec::Avc, pts_ns: time_ns, dts_ns: time_ns, payload: "x".into() }
//! # }
//! let encoder = FanOut::new();
//! let destination = encoder.subscribe();
//! for (kind, ms) in [(Kind::VideoConfig, 0), (Kind::VideoKey, 70), (Kind::VideoDelta, 103)] {
//!     encoder.publish(frame(kind, ms));
//! }
//! let mut timeline = Timeline::new();
//! let mut sent = Vec::new();
//! while let Some(frame) = destination.try_pop() {
//!     sent.push((frame.kind, timeline.stamp(&frame).dts_ms));
//! }
//! assert_eq!(sent, [(Kind::VideoConfig, 0), (Kind::VideoKey, 0), (Kind::VideoDelta, 33)]);
//! ```

pub mod fan_out;
mod frame;
pub mod gop_queue;
mod stats;
pub mod timeline;
mod track_queue;

pub use fan_out::{FanOut, Subscriber};
pub use frame::{Codec, Frame, Kind, Track};
pub use gop_queue::{Bounds, GopQueue, PushOutcome};
pub use stats::{Drops, HighWater, QueueStats};
pub use timeline::{Stamp, Timeline};
