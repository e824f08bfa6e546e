//! `firstmile demo`: the whole box on the simulated board, going live to a server of its own.

mod args;
mod director;
mod report;

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::appliance::LinkChange;
use crate::board::{CameraDevice, CameraMode, MicrophoneDevice, Profile, VideoFormat};
use crate::capture::{self, CameraSource, MicrophoneSource};
use crate::clock::Clock;
use crate::device::terminal::{Quiet, Typing};
use crate::device::{Lights, LogRing, Machine, ServiceManager};
use crate::limits::{BUTTON_HOLD, DEMO_PRESSES_WAITING_MAX};
use crate::publish::Target;
use crate::publish::tls::Policy;
use crate::rtmp::url::{Ingest, ServerUrl};
use crate::run::{self as box_loop, Destination, Devices, Input, Memory, Setup};
use crate::secret::StreamKey;
use crate::sim::ingest::Server;
use crate::sim::terminal::{self, Key, Looks, Terminal};
use crate::status;

use super::exit::{Code, Failure};
use super::{crash, key, log, signals};
pub use args::DemoArgs;
use director::{Director, TAP, press};

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] when the stream was incomplete, or did not start.
pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    let clock = Clock::start();
    let folder = folder()?;
    let (inputs, received) = box_loop::inputs();
    // Before the terminal is changed, which would stay so.
    signals::end_the_box(inputs.clone());
    crash::end_on_panic();
    let terminal = if args.headless { None } else { open_terminal(clock, inputs.clone()) };
    let log = start_log(&folder, terminal.is_some())?;
    // Before the button can be pressed, as the box does it while it starts: the first time the plugins
    // are looked through, which takes a second or more. What is wrong with them is reported by the capture.
    let _ = tokio::task::spawn_blocking(capture::init).await;

    let server = start_server(clock, &folder).await?;
    let profile = super::board::profile(&args.board)?;
    let request = request(&profile, &args)?;
    let fps = request.video.fps;
    // The encoder follows the first one, and the link to the user's server may be slow.
    let destinations = own_server(&args)?.into_iter().chain([server.destination]).collect();
    let machine = Machine::default();
    let setup = Setup { request, destinations, memory: Memory::default(), machine, profile };
    let _ = inputs.send(Input::Network(LinkChange::Up, None)).await;
    let _ = inputs.send(Input::Clock(status::Clock::Trusted)).await;
    let (view, watched) = watch::channel(None);
    let running = box_loop::run(
        clock,
        setup,
        devices(terminal.clone(), log),
        (inputs.clone(), received),
        view,
    );
    let director = Director { clock, inputs, watched, server: &server.server };
    let directing = async {
        match &terminal {
            Some(terminal) => director.show(terminal).await,
            None => director.press_and_stop(Duration::from_secs(args.seconds)).await,
        }
    };
    let mut running = Box::pin(running);
    let mut directing = Box::pin(directing);
    let pressed_at = tokio::select! {
        code = &mut running => {
            // The power switch was used: the director is done.
            if code != 0 {
                return Err(Failure::new(Code::Failed, format!("the box ended with code {code}")));
            }
            None
        }
        pressed_at = &mut directing => {
            running.await;
            Some(pressed_at?)
        }
    };
    drop(directing);
    if let Some(terminal) = terminal {
        terminal.close();
    }
    report::report(&server.server.reports(), pressed_at, fps, &args)
}

/// A fresh folder for this run's recording and certificate, readable by its owner only.
fn folder() -> Result<PathBuf, Failure> {
    let folder = std::env::temp_dir().join(format!("firstmile-demo-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    DirBuilder::new().mode(0o700).create(&folder).map_err(|error| {
        Failure::new(Code::Failed, format!("{} cannot be made: {error}", folder.display()))
    })?;
    Ok(folder)
}

/// Where the front is drawn on the terminal, log lines would spoil it.
fn start_log(folder: &Path, drawn: bool) -> Result<LogRing, Failure> {
    if !drawn {
        log::to_stderr("warn");
        return Ok(LogRing::default());
    }
    let path = folder.join("log.txt");
    let file = File::create(&path).map_err(|error| {
        Failure::new(Code::Failed, format!("{} cannot be made: {error}", path.display()))
    })?;
    Ok(log::to_file(file, "info"))
}

struct OwnServer {
    server: Server,
    destination: Destination,
}

async fn start_server(clock: Clock, folder: &Path) -> Result<OwnServer, Failure> {
    let failed = |message: String| Failure::new(Code::Failed, message);
    let key: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
    let key = StreamKey::parse(&key).map_err(|error| failed(error.to_string()))?;
    let server = Server::start(clock, key.clone(), folder).await.map_err(failed)?;
    let ca_file = folder.join("ca.pem");
    fs::write(&ca_file, server.ca_pem())
        .map_err(|error| failed(format!("{} cannot be written: {error}", ca_file.display())))?;
    let address = ServerUrl::parse(&server.url()).map_err(|error| failed(error.to_string()))?;
    let ingest =
        Ingest::from_server_and_key(address, key).map_err(|error| failed(error.to_string()))?;
    let policy = Policy { ca_file: Some(ca_file), ..Policy::default() };
    let target = Target::new(ingest, &policy, false)?;
    let destination = Destination { name: "demo".to_owned(), target: Arc::new(target) };
    Ok(OwnServer { server, destination })
}

fn own_server(args: &DemoArgs) -> Result<Option<Destination>, Failure> {
    let (Some(url), Some(key_file)) = (&args.url, &args.key_file) else {
        return Ok(None);
    };
    let unusable =
        |error: &dyn std::fmt::Display| Failure::new(Code::Settings, format!("--url: {error}"));
    let address = ServerUrl::parse(url).map_err(|error| unusable(&error))?;
    let ingest = Ingest::from_server_and_key(address, key::read(key_file)?)
        .map_err(|error| unusable(&error))?;
    let policy = Policy { ca_file: args.ca_file.clone(), ..Policy::default() };
    let target = Target::new(ingest, &policy, args.allow_plain)?;
    Ok(Some(Destination { name: "yours".to_owned(), target: Arc::new(target) }))
}

fn request(profile: &Profile, args: &DemoArgs) -> Result<capture::Request, Failure> {
    let mut request = capture::Request::from(profile);
    request.camera = match args.camera.as_str() {
        "test" => CameraSource::TestPattern,
        device if device.starts_with("/dev/") => {
            let device = CameraDevice::Path(PathBuf::from(device));
            CameraSource::V4l2 {
                device,
                formats: VideoFormat::USUAL.to_vec(),
                mode: CameraMode::default(),
            }
        }
        file => CameraSource::File { path: PathBuf::from(file) },
    };
    request.microphone = match args.mic.as_str() {
        "tone" => MicrophoneSource::Tone,
        "silence" => MicrophoneSource::Silence,
        "file" if matches!(request.camera, CameraSource::File { .. }) => {
            MicrophoneSource::CameraFile
        }
        "file" => {
            return Err(Failure::new(
                Code::Settings,
                "--mic file plays the audio of the camera's clip; name one with --camera FILE",
            ));
        }
        device => MicrophoneSource::Alsa {
            device: MicrophoneDevice::parse(device)
                .map_err(|why| Failure::new(Code::Settings, format!("--mic {why}")))?,
        },
    };
    Ok(request)
}

fn devices(terminal: Option<Terminal>, log: LogRing) -> Devices {
    let console = terminal.clone();
    Devices {
        lights: Lights::Drawn(Box::new(move |levels| {
            if let Some(terminal) = &terminal {
                terminal.lights(levels);
            }
        })),
        display: None,
        consoles: vec![Box::new(move |bytes| {
            if let Some(terminal) = &console {
                terminal.write(&bytes);
            }
        })],
        manager: ServiceManager::at(None, None),
        control: None,
        health: None,
        log,
    }
}

fn open_terminal(clock: Clock, inputs: mpsc::Sender<Input>) -> Option<Terminal> {
    let runtime = tokio::runtime::Handle::current();
    let variable = |name| std::env::var_os(name);
    let looks = Looks::wanted(variable("NO_COLOR").as_deref(), variable("TERM").as_deref());
    let quiet = |ending| -> Option<terminal::Quiet> {
        let quiet = Quiet::stdin(Typing::Raw(ending)).ok()??;
        Some(Box::new(quiet))
    };
    // One finger: what is pressed while it still holds the button comes after that.
    let (finger, mut holds) = mpsc::channel(DEMO_PRESSES_WAITING_MAX);
    let button = inputs.clone();
    runtime.spawn(async move {
        while let Some(hold) = holds.recv().await {
            press(clock, &button, hold).await;
            tokio::time::sleep(TAP).await;
        }
    });
    Terminal::open(looks, quiet, move |key| match key {
        Key::Press => {
            let _ = finger.try_send(TAP);
        }
        Key::Hold => {
            let _ = finger.try_send(BUTTON_HOLD + TAP);
        }
        Key::Typed(bytes) => {
            let _ = inputs.blocking_send(Input::Typed { port: 0, bytes });
        }
        Key::Quit => {
            let _ = inputs.blocking_send(Input::Terminate);
        }
    })
}
