//! Our own side in the simulated world: the product's code with the product's constants, put together
//! as the shell does it. No figure stands here; a test sees to it.

use std::sync::Arc;

use firstmile::flv::Metadata;
use firstmile::limits::TCP_NOTSENT_LOWAT_BYTES;
use firstmile::media::{FanOut, Frame, Subscriber};
use firstmile::pace::{Follow, PathTarget, combine};
use firstmile::stream::{Media, Queue, What};

/// One box with one destination.
pub struct Ours {
    fan_out: FanOut,
    /// The destination's own queue.
    standing: Arc<Subscriber>,
    metadata: Arc<Metadata>,
    ceiling_kbps: u32,
    path: PathTarget,
}

impl Ours {
    /// A box that is set to these bitrates.
    pub fn new(ceiling_kbps: u32, audio_kbps: u32) -> Ours {
        let fan_out = FanOut::new();
        let standing = Arc::new(fan_out.subscribe());
        standing.set_connected(false);
        let metadata = Metadata { video_kbps: ceiling_kbps, audio_kbps, ..Metadata::default() };
        let (metadata, path) = (Arc::new(metadata), PathTarget::default());
        Ours { fan_out, standing, metadata, ceiling_kbps, path }
    }

    pub fn lowat(&self) -> u64 {
        TCP_NOTSENT_LOWAT_BYTES.into()
    }

    pub fn push(&self, frame: Frame) -> bool {
        self.fan_out.publish(frame)
    }

    /// The encoder's bitrate.
    pub fn target_kbps(&self) -> u32 {
        combine(Follow::default(), self.ceiling_kbps, [self.path])
    }

    pub fn waiting_bytes(&self) -> u64 {
        self.standing.stats().bytes as u64
    }

    /// The media of a connection.
    pub fn media(&self, queue: Queue, start_kbps: Option<u32>) -> Media {
        let queue = match queue {
            Queue::Standing => self.standing.clone(),
            Queue::Fresh => Arc::new(self.fan_out.subscribe()),
        };
        Media::new(queue, self.metadata.clone(), self.ceiling_kbps, start_kbps)
    }

    /// This connection has the stream.
    pub fn show(&mut self, media: &Media) {
        self.standing = media.subscriber().clone();
    }

    /// What was reported of the destination.
    pub fn handle<E>(&mut self, what: &What<E>) {
        what.steer(&mut self.path, self.ceiling_kbps);
    }
}
