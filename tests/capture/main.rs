//! Capture with real encoders: what comes out is decoded and looked at.

mod common;
#[path = "../support/mod.rs"]
mod support;

mod adjusted_audio;
mod colour_chart;
mod colours;
mod dead_air;
mod devices;
mod encoders;
mod exchange;
mod framing;
mod lip_sync;
mod loaded;
mod real_time;
mod sources;
mod standby;
mod sync;
mod test_pattern;
