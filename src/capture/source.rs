//! Cameras, microphones and clips: each a pipeline of its own that ends in raw frames, raw samples
//! or H.264, opened and closed on a thread of its own, and opened again when it is lost.

mod converting;
mod decoding;
mod description;
mod exchange;
mod jpeg;
mod known;
mod managed;
mod opener;
mod recolour;
mod start;
mod watched;

pub use description::{SourceElements, source_pipeline};
pub use exchange::{Order, Orders, SourceEvent, SourceSet};
pub use managed::{ManagedSource, OnFrame};
pub use opener::Elements;
pub use recolour::Recolour;
pub use start::{Sources, start_all};
