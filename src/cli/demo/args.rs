//! What `firstmile demo` may be asked for.

use std::path::PathBuf;

use clap::Args;

/// Go live on a simulated board, and show it
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Board profile to simulate: its frame size, encoders and bitrate
    #[arg(long, value_name = "NAME|FILE", default_value = "sim")]
    pub(super) board: String,
    /// Video: `test`, a clip, or a V4L2 device
    #[arg(long, value_name = "test|FILE|/dev/videoN", default_value = "test")]
    pub(super) camera: String,
    /// Audio: `tone`, `file` (the audio of the camera's clip), `silence`, or an ALSA device
    #[arg(long, value_name = "tone|file|silence|ALSA", default_value = "tone")]
    pub(super) mic: String,
    /// Length of the broadcast when headless
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) seconds: u64,
    /// Press the button without being asked, for the broadcast's length, and end
    #[arg(long)]
    pub(super) headless: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Publish to this server as well (address without the key); the encoder follows the link to it
    #[arg(long, requires = "key_file")]
    pub(super) url: Option<String>,
    /// File that holds that server's stream key; `-` reads it from standard input
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(super) key_file: Option<PathBuf>,
    /// PEM file of the only CA to trust for that server
    #[arg(long, value_name = "PEM", requires = "url")]
    pub(super) ca_file: Option<PathBuf>,
    /// Allow plain rtmp:// for that server
    #[arg(long, requires = "url")]
    pub(super) allow_plain: bool,
}
