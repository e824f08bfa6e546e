//! Board profiles: hardware as data.
//!
//! Pure room. It promises that a [`Profile`] in hand is complete and consistent (every key known,
//! typed and in range, no GPIO line used twice) and that everything that is wrong with a profile and
//! those that it inherits from is reported by file, line and key. It knows nothing of Linux: a profile says *which* device, other rooms know
//! *how*. Profiles are embedded in the binary, so that a bare binary works; [`Profile::load`](crate::board::Profile::load) takes
//! text from anywhere else.
//!
//! ```
//! let sim = firstmile::board::Profile::named("sim").expect("embedded");
//! assert_eq!((sim.video.width, sim.video.fps), (1280, 30));
//!
//! let tree = ["raspberrypi,4-model-b".to_owned(), "brcm,bcm2711".to_owned()];
//! assert_eq!(firstmile::board::select(&tree), Some("rpi4"));
//! ```

mod check;
mod display;
mod embedded;
mod error;
mod keys;
mod load;
mod profile;
mod read;
mod select;
mod sensor;
mod source;
mod table;
mod wiring;

pub use display::{Bus, Chip, Display};
pub use embedded::{embedded, names};
pub use error::ProfileError;
pub use profile::{
    Audio, Button, Console, ConverterOrder, DecoderOrder, EncoderOrder, Fitted, Health, Key, Led,
    Lights, Line, Place, Profile, Pull, Sensors, Setup, Video, Wiring,
};
pub use select::{most_specific, select};
pub use sensor::{Sensor, SensorPlace, is_like};
pub use source::{CameraSource, MicrophoneSource};

pub use crate::selection::{CameraDevice, CameraMode, MicrophoneDevice, VideoFormat};
