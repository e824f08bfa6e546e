//! GStreamer itself: pipelines as data, and pipelines that run, all on one media clock.

pub mod buffer;
pub mod build;
pub mod bus;
pub mod caps;
pub mod clock;
pub mod component;
pub mod description;
pub mod trial;
