//! The servers of the matrix, behind one face.

pub mod ffmpeg;
pub mod nginx;
pub mod node_media_server;
pub mod rtmp_rs;

use std::path::PathBuf;

use firstmile::secret::StreamKey;

use crate::media::Packets;
use crate::probes::Probe;

/// Where to publish, and whom to trust there.
#[derive(Debug, Clone)]
pub struct Address {
    pub url: String,
    pub ca_file: Option<PathBuf>,
}

/// A place at a server, or what the server has no such place for.
pub type Place = Option<(Address, StreamKey)>;

/// A real server on the loopback.
pub trait Server {
    /// Where to publish the stream `name` next; what has to be started for it is started.
    fn place(&mut self, name: &str) -> (Address, StreamKey);

    /// What was received of the stream `name`, once its publisher has left.
    ///
    /// # Errors
    /// Why there is nothing, in the server's words.
    fn received(&mut self, name: &str) -> Result<Packets, String>;

    /// Whether several publishers may come, one after the other or at once.
    fn takes_several(&self) -> bool {
        true
    }

    /// Whether it pings a publisher that is silent for a second.
    fn pings(&self) -> bool {
        false
    }

    /// Whether it keeps no stream that a publisher has ended; `None` when nobody can know.
    fn was_unpublished(&mut self, _name: &str) -> Option<bool> {
        None
    }

    /// The Enhanced RTMP capabilities that it has read from the stream's `connect`, if it can.
    fn capabilities(&mut self, _name: &str) -> Option<String> {
        None
    }

    /// An application that does not exist.
    fn unknown_app(&mut self) -> Place {
        None
    }

    /// A key that it refuses.
    fn wrong_key(&mut self) -> Place {
        None
    }

    /// Where it refuses `connect`, with words of its own.
    fn refuses(&mut self) -> Option<(Address, StreamKey, &'static str)> {
        None
    }

    /// Where it sends publishers to a place where it takes them.
    fn redirects(&mut self) -> Place {
        None
    }

    /// Ends it as a power cut would.
    fn kill(&mut self);

    /// What a reader of its cell for this probe should know.
    fn remark(&self, probe: Probe) -> Option<&'static str>;
}

fn key(text: &str) -> StreamKey {
    StreamKey::parse(text).expect("a key")
}
