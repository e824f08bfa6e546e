//! The publishers that are compared, and how each is started.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring::{cipher_suite, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;

use super::material::{Material, ROUNDS};
use super::myself;
use super::support::Folder;
use super::support::drain::Drain;
use super::support::pki::{Flaw, Pki};

/// A publisher. Its name is also the application that it publishes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// `firstmile push`.
    Push,
    /// The product's live path.
    Live,
    Floor,
    /// The floor, fed through standard input.
    FedFloor,
    /// The same with one thread that is fed and another that writes, as an encoder and a sender are.
    HopFloor,
    Ffmpeg,
    Gstreamer,
}

/// Acknowledgements as common servers send them, whatever is asked for.
const ACK_EVERY_BYTES: u32 = 2_000_000;

/// The server and what its publishers must know.
pub struct Site {
    pub drain: Drain,
    pub folder: Folder,
    pki: Pki,
    key_file: PathBuf,
}

impl Site {
    /// A server that speaks TLS 1.3 with AES-256-GCM, so that all do the same work.
    pub fn open() -> Site {
        let pki = Pki::new();
        let identity = pki.identity(&["localhost"], Flaw::None);
        let mut provider = default_provider();
        provider.cipher_suites = vec![cipher_suite::TLS13_AES_256_GCM_SHA384];
        let certificate = CertificateDer::from_pem_file(&identity.certificate).expect("just made");
        let key = PrivateKeyDer::from_pem_file(&identity.key).expect("just made");
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![certificate], key)
            })
            .expect("they belong together");
        let folder = Folder::new("peers");
        let key_file = folder.path().join("key");
        fs::write(&key_file, "peers").expect("writes");
        let drain = Drain::start(&Arc::new(config), Some(ACK_EVERY_BYTES));
        Site { drain, folder, pki, key_file }
    }

    fn url(&self, client: Client) -> String {
        format!("rtmps://localhost:{}/{}", self.drain.rtmps_port, client.name())
    }
}

impl Client {
    pub fn name(self) -> &'static str {
        match self {
            Client::Push => "push",
            Client::Live => "live",
            Client::Floor => "floor",
            Client::FedFloor => "floor-fed",
            Client::HopFloor => "floor-hop",
            Client::Ffmpeg => "ffmpeg",
            Client::Gstreamer => "rtmp2sink",
        }
    }

    /// Publishes the repeated clip as fast as the server accepts it.
    pub fn unpaced(self, site: &Site, material: &Material) -> Command {
        match self {
            Client::Push => push(site, &material.repeated, &["--no-pace"]),
            Client::Live | Client::FedFloor | Client::HopFloor => {
                panic!("{} goes at its feed's pace", self.name())
            }
            Client::Floor => floor(site, self, Some((&material.once, ROUNDS)), &[]),
            Client::Ffmpeg => ffmpeg(site, &material.repeated.display().to_string()),
            Client::Gstreamer => {
                gstreamer(site, &format!("filesrc location={}", material.repeated.display()))
            }
        }
    }

    /// Publishes the clip once at its own pace: those that are not fed keep time themselves.
    pub fn paced(self, site: &Site, material: &Material) -> Command {
        match self {
            Client::Push => push(site, &material.once, &[]),
            Client::Live => live(site),
            Client::Floor => floor(site, self, Some((&material.once, 1)), &["--paced"]),
            Client::FedFloor => floor(site, self, None, &[]),
            Client::HopFloor => floor(site, self, None, &["--hop"]),
            Client::Ffmpeg => ffmpeg(site, "pipe:0"),
            Client::Gstreamer => gstreamer(site, "fdsrc fd=0"),
        }
    }

    /// Whether a paced run is fed through standard input.
    pub fn is_fed(self) -> bool {
        !matches!(self, Client::Push | Client::Floor)
    }
}

fn push(site: &Site, file: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstmile"));
    command.arg("push").arg(file).args(["--url", &site.url(Client::Push), "--key-file"]);
    command.arg(&site.key_file).arg("--ca-file").arg(site.pki.ca_file()).args(more);
    command
}

fn live(site: &Site) -> Command {
    let mut command = Command::new(myself());
    command.args(["live", "--url", &site.url(Client::Live), "--ca-file"]);
    command.arg(site.pki.ca_file());
    command
}

fn floor(site: &Site, client: Client, file: Option<(&Path, u64)>, more: &[&str]) -> Command {
    let mut command = Command::new(myself());
    command.args(["floor", "--app", client.name(), "--ca-file"]).arg(site.pki.ca_file());
    command.args(["--port", &site.drain.rtmps_port.to_string()]);
    if let Some((file, rounds)) = file {
        command.arg("--file").arg(file).args(["--rounds", &rounds.to_string()]);
    }
    command.args(more);
    command
}

fn ffmpeg(site: &Site, input: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-f", "flv", "-i", input, "-c", "copy", "-f", "flv"]);
    command.arg(format!("{}/peers", site.url(Client::Ffmpeg)));
    command
}

fn gstreamer(site: &Site, source: &str) -> Command {
    let url = format!("{}/peers", site.url(Client::Gstreamer));
    let pipeline = format!(
        "{source} ! flvdemux name=demux \
         demux.video ! queue ! mux.video demux.audio ! queue ! mux.audio \
         flvmux name=mux streamable=true ! \
         rtmp2sink sync=false chunk-size=4096 tls-validation-flags=0 location={url}"
    );
    let mut command = Command::new("gst-launch-1.0");
    command.arg("-q").args(pipeline.split_whitespace());
    command
}
