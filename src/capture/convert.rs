//! Converters: what raw frames need so that the encoder takes them, which elements can do it, which of
//! those work, and which one a camera's frames go through.

mod choice;
pub mod converters;
mod description;
pub mod probe;
mod work;

pub use choice::Converters;
pub use converters::{ConverterSpec, converter, converter_names};
pub use description::{CONVERTED, CONVERTER, converter_chain};
pub use work::{Shape, Task, Work};
