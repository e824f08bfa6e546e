//! How a camera's frames are placed in those of the stream: turned, mirrored, enlarged.
//!
//! Pure room: sizes and places; what is in a frame is none of its business. It promises that what is
//! shown keeps its proportions, whatever the camera delivers and whatever the owner sets; that as much
//! of it is shown as fits; and that every place and size is even, as chroma wants it.
//!
//! ```
//! use firstmile::video::{CameraFrame, Framing, Placement, Rotation};
//! let camera = CameraFrame::of(1280, 720);
//! let framing = Framing { rotate: Rotation::Quarter, ..Framing::default() };
//! let on_its_side = Placement::of(&camera, [1280, 720], &framing).expect("it has pixels");
//! assert_eq!(on_its_side.to.size, [406, 720]);
//! let upright = Placement::of(&camera, [720, 1280], &framing).expect("it has pixels");
//! assert_eq!((upright.from.size, upright.to.size), ([1280, 720], [720, 1280]));
//! ```

mod framing;
mod placement;
mod turn;

pub use framing::{Framing, Mirror, Rotation, Zoom};
pub use placement::{CameraFrame, Placement};
pub use turn::{Area, Turn};
