//! The machine that owns the box's modes and destinations.
//!
//! Pure room. It promises that the box is *live* only while a destination accepts the current
//! attempt; that no destination disturbs another one; that a lost camera or microphone ends
//! nothing; that only plain words of a server, or settings that cannot work, end a
//! destination for good; that every wait has a bound and every fault a light and a sentence; and that a stop
//! comes to rest within two seconds from any state. It knows nothing of GStreamer, sockets,
//! lights' wiring, files, settings or consoles.
//!
//! ```
//! use std::time::Duration;
//! use firstmile::appliance::{Action, Appliance, Event, Setup};
//! use firstmile::status::Mode;
//!
//! let setup = Setup {
//!     seed: 1,
//!     start_without_camera: false,
//!     start_without_microphone: false,
//!     was_live: false,
//! };
//! let mut appliance = Appliance::new(Duration::ZERO, setup);
//! while appliance.poll_action().is_some() {} // the lights say "starting"
//! appliance.handle(Duration::from_millis(5), Event::Booted);
//! let actions: Vec<Action> = std::iter::from_fn(|| appliance.poll_action()).collect();
//! assert!(!actions.is_empty());
//! assert_eq!(appliance.mode(), Mode::NeedsSetup);
//! ```

mod action;
mod backoff;
mod destination;
mod event;
mod machine;
mod mode;

pub use action::{Action, GoLive, NotLive, Notify, PipelineOrder, PublishOrder, Stop};
pub use event::{
    By, DestinationId, Event, LinkChange, PipelineEvent, PipelineFault, Presence, PublishEvent,
    Setup, Source, Target,
};
pub use machine::Appliance;
