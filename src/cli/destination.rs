//! The destination given on a command line: `--url`, `--key-file`, `--ca-file`.

use std::path::PathBuf;

use clap::Args;

use crate::publish::Target;
use crate::rtmp::url::{Ingest, ServerUrl};

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
    /// Allow plain rtmp://, which sends the key unencrypted
    #[arg(long)]
    pub allow_plain: bool,
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
        Ok(Target::new(ingest, self.ca_file.clone(), self.allow_plain)?)
    }
}
