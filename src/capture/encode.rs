//! Encoders: which there are, which of them work, how one that fails is restarted or replaced, and
//! how access units leave.

mod access_units;
mod bitrate_watch;
mod colours;
mod description;
mod encoder_pipeline;
pub mod encoders;
mod import;
mod orders;
mod passthrough;
pub mod probe;
mod supervisor;
mod video_delay;
mod video_encoder;
mod watchdog;

pub use access_units::FrameSink;
pub use description::{encoder_pipelines, importing_pipeline};
pub use encoder_pipeline::EncoderPipeline;
pub use encoders::{
    KnownBug, audio_encoder_delay_samples, audio_encoder_names, known_bugs, video_encoder_layouts,
    video_encoder_names,
};
pub use passthrough::Passthrough;
pub use supervisor::EncoderSupervisor;
