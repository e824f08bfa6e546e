//! Converters: what raw frames need so that the encoder takes them, which elements can do it, which of
//! those work, and which one a camera's frames go through; and how they are turned and enlarged.

mod choice;
pub mod converters;
mod description;
mod framer;
pub mod probe;
mod turned;
mod work;

pub use choice::Converters;
pub use converters::{ConverterSpec, converter, converter_names};
pub use description::{CONVERTED, CONVERTER, converter_chain};
pub use framer::Framer;
pub use work::{Shape, Task, Work};
