//! The destination given on a command line: its address, its key, and which certificates to trust there.

use std::path::PathBuf;

use clap::Args;

use crate::publish::Target;
use crate::publish::tls::Policy;
use crate::rtmp::url::{Hosts, Ingest, ServerUrl};
use crate::spki_pin::SpkiPin;

use super::exit::{Code, Failure};
use super::key;

/// Where to publish.
#[derive(Debug, Args)]
pub struct DestinationArgs {
    /// Server address without the key, such as rtmps://a.example/live
    #[arg(long)]
    pub url: String,
    /// File that holds the stream key; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// PEM file of the only CA to trust, for a server of your own
    #[arg(long, value_name = "PEM")]
    pub ca_file: Option<PathBuf>,
    /// The public key that the server must have, besides a trusted certificate; `check` prints it
    #[arg(long, value_name = "SHA256//...")]
    pub pinned_key: Option<SpkiPin>,
    /// Offer only the TLS versions and ciphers that NIST SP 800-52r2 approves
    #[arg(long)]
    pub strict_tls: bool,
    /// Allow unencrypted rtmp://; everybody on the network path can read the key
    #[arg(long)]
    pub allow_plain: bool,
    /// Other hosts or domains that the server may send the stream to, with commas between them
    #[arg(long, value_name = "HOSTS")]
    pub redirect_hosts: Option<Hosts>,
}

impl DestinationArgs {
    /// The target that these arguments name.
    ///
    /// # Errors
    /// When the address, the key or the CA file cannot be used.
    pub fn target(&self) -> Result<Target, Failure> {
        let server = ServerUrl::parse(&self.url)
            .map_err(|error| Failure::new(Code::Settings, format!("--url: {error}")))?;
        let ingest = Ingest::from_server_and_key(server, key::read(&self.key_file)?)
            .map_err(|error| Failure::new(Code::Settings, error))?;
        let policy = Policy {
            ca_file: self.ca_file.clone(),
            pinned_key: self.pinned_key,
            strict: self.strict_tls,
        };
        let target = Target::new(ingest, &policy, self.allow_plain)?;
        Ok(target.may_be_sent_to(self.redirect_hosts.clone().unwrap_or_default()))
    }
}
