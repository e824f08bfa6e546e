//! `firstmile run`: the box itself, as the service starts it.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::capture;
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::device::{Lights, ServiceManager, button, open_port};
use crate::publish::Target;
use crate::publish::tls::Policy;
use crate::run::{self as box_loop, Destination, Hands, Input, Setup};
use crate::{board, limits};

use super::board::BoardArgs;
use super::exit::{Code, Failure};
use super::log;

/// Run the box
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    board: BoardArgs,
    /// Settings file; docs/settings.md describes it
    #[arg(long, value_name = "FILE", default_value = "/etc/firstmile/firstmile.toml")]
    settings: PathBuf,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] when the box cannot begin, or ends because of a fault of its own.
pub async fn run(args: RunArgs) -> Result<(), Failure> {
    log::for_service("info");
    let clock = Clock::start();
    let profile = args.board.profile()?;
    let settings = read_settings(&args.settings)?;
    let (inputs, received) = box_loop::inputs();

    let typed = inputs.clone();
    let console = open_port(&profile.console, move |bytes| {
        let _ = typed.blocking_send(Input::Typed(bytes.to_vec()));
    })
    .map_err(|error| Failure::new(Code::Device, error))?;
    let lights = Lights::open(&profile.lights, Box::new(|_| {}))
        .map_err(|error| Failure::new(Code::Device, error))?;
    if let board::Button::Cdev { line, .. } = &profile.button {
        let edges = inputs.clone();
        button::watch(line, clock, move |at, pressed| {
            let _ = edges.blocking_send(Input::Edge { at, pressed });
        })
        .map_err(|error| Failure::new(Code::Device, error))?;
    }
    let hands = Hands {
        lights,
        console: Box::new(move |bytes| console.send(bytes)),
        manager: ServiceManager::at(env::var("NOTIFY_SOCKET").ok().as_deref()),
    };
    let setup = Setup {
        request: request(&profile, &settings),
        destinations: destinations(&settings)?,
        start_without_camera: settings.start_without_camera,
        start_without_microphone: settings.start_without_microphone,
        profile,
    };
    tokio::spawn(end_on_signal(inputs.clone()));
    let (view, _) = watch::channel(None);
    match box_loop::run(clock, setup, hands, (inputs, received), view).await {
        0 => Ok(()),
        code => Err(Failure::new(Code::Failed, format!("the box ended with code {code}"))),
    }
}

async fn end_on_signal(inputs: mpsc::Sender<Input>) {
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be received");
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    let _ = inputs.send(Input::Terminate).await;
}

/// The settings file; a box without one needs set-up, which is not an error.
fn read_settings(path: &Path) -> Result<Settings, Failure> {
    let unusable = |words: String| Failure::new(Code::Settings, words);
    let name = path.display().to_string();
    let partial = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => config::Partial::default(),
        Ok(about) if about.len() > limits::SETTINGS_BYTES_MAX as u64 => {
            let most = limits::SETTINGS_BYTES_MAX;
            return Err(unusable(format!("{name} is larger than {most} bytes")));
        }
        _ => {
            let bytes = std::fs::read(path)
                .map_err(|error| unusable(format!("{name} cannot be read: {error}")))?;
            config::parse_bytes(&name, &bytes).map_err(|errors| unusable(errors.to_string()))?
        }
    };
    Ok(config::merge(&[partial]))
}

/// What to capture: the board's profile, with the settings on top.
fn request(profile: &board::Profile, settings: &Settings) -> capture::Request {
    let mut request = capture::Request::from(profile);
    let put = |field: &mut u32, value: Option<u32>| *field = value.unwrap_or(*field);
    put(&mut request.video.width, settings.video.width);
    put(&mut request.video.height, settings.video.height);
    put(&mut request.video.fps, settings.video.fps);
    put(&mut request.video.bitrate_kbps, settings.video.bitrate_kbps);
    put(&mut request.video.keyframe_interval_ms, settings.video.keyframe_interval_ms);
    put(&mut request.audio.bitrate_kbps, settings.audio.bitrate_kbps);
    put(&mut request.audio.channels, settings.audio.channels);
    request
}

/// The destinations that are enabled; one without a key waits for it.
fn destinations(settings: &Settings) -> Result<Vec<Destination>, Failure> {
    settings
        .destinations
        .iter()
        .filter(|destination| destination.enabled)
        .map(|destination| {
            let policy = Policy {
                ca_file: destination.ca_file.clone(),
                pinned_key: destination.pinned_key,
                strict: destination.strict_tls,
            };
            let target = match destination.ingest() {
                Ok(ingest) => {
                    Some(Arc::new(Target::new(ingest, &policy, destination.allow_plain)?))
                }
                Err(config::NotReady::NoKey) => None,
                Err(error) => {
                    let words = format!("destination {}: {error}", destination.name);
                    return Err(Failure::new(Code::Settings, words));
                }
            };
            Ok(Destination { name: destination.name.clone(), target })
        })
        .collect()
}
