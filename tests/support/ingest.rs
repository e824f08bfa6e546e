//! The product's own RTMPS server, for boxes under test.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use firstmile::clock::Clock;
use firstmile::secret::StreamKey;
use firstmile::sim::ingest::{Report, Server};
use tokio::sync::oneshot;

/// A server on the loopback, on a thread of its own.
pub struct Ingest {
    server: Server,
    /// The authority that vouches for it.
    pub ca_file: PathBuf,
    /// Dropping it ends the thread.
    _running: oneshot::Sender<()>,
}

impl Ingest {
    /// A server that takes this key and records in `folder`.
    pub fn start(folder: &Path, key: &str) -> Ingest {
        let key = StreamKey::parse(key).expect("a key");
        let (started, server) = mpsc::channel();
        let (running, ended) = oneshot::channel();
        let records = folder.to_owned();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let server = Server::start(Clock::start(), key, &records).await;
                started.send(server.expect("a server")).expect("is waited for");
                let _ = ended.await;
            });
        });
        let server: Server = server.recv().expect("a server");
        let ca_file = folder.join("ca.pem");
        std::fs::write(&ca_file, server.ca_pem()).expect("its certificate");
        Ingest { server, ca_file, _running: running }
    }

    /// A settings file with a destination `tube` that leads here.
    pub fn settings(&self, key: &str) -> String {
        format!(
            "version = 1\n[[destination]]\nname = \"tube\"\nurl = \"{}\"\nkey = \"{key}\"\nca_file = \"{}\"\n",
            self.url(),
            self.ca_file.display()
        )
    }

    /// The address, without the key.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// What came in.
    pub fn reports(&self) -> Vec<Report> {
        self.server.reports()
    }
}
