//! JPEG decoders: which there are, which of them work, and which one a camera's frames go through.

mod choice;
pub mod decoders;
mod description;
pub mod probe;

pub use choice::JpegDecoders;
pub use decoders::{JpegDecoderSpec, jpeg as jpeg_decoder, jpeg_decoder_names};
pub use description::{DECODER, DECODER_QUEUE, jpeg_chain};
