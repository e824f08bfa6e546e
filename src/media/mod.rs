//! Access units, their time on the wire, and the queue where they may wait or be dropped.
//!
//! Pure room. It promises that a destination sees whole GOPs that start with their codec
//! configuration, whatever was dropped before; it knows nothing of GStreamer, FLV or the network.

mod frame;

pub use frame::{Codec, Frame, Kind, Track};
