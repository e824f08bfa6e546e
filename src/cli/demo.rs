//! `firstmile demo`: the whole box on the simulated board, going live to a server of its own.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::appliance::LinkChange;
use crate::board::{CameraDevice, MicrophoneDevice, PictureFormat, Profile};
use crate::capture::{self, CameraSource, MicrophoneSource};
use crate::clock::Clock;
use crate::console::{self, DestinationState, DestinationStatus, Mode};
use crate::device::button::Seen;
use crate::device::{Lights, LogRing, Machine, ServiceManager};
use crate::limits::BUTTON_HOLD;
use crate::panel::Contact;
use crate::publish::Target;
use crate::publish::tls::Policy;
use crate::rtmp::url::{Ingest, ServerUrl};
use crate::run::{self as box_loop, Destination, DueTo, Hands, Input, Memory, Setup, View};
use crate::secret::StreamKey;
use crate::sim::ingest::{Report, Server, Summary};
use crate::sim::terminal::{Key, Terminal};

use super::exit::{Code, Failure};
use super::{key, log};

/// How long the box may take from the press to the first picture at the server.
const FIRST_VIDEO_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the box may take to start and to stop.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the demo looks at the server.
const LOOK: Duration = Duration::from_millis(10);
/// How long the demo's finger stays on the button for a short press.
const TAP: Duration = Duration::from_millis(80);
/// How often the front is drawn anew at most.
const REDRAW: Duration = Duration::from_millis(200);
/// A share of the pictures may be missing before the programme counts as not whole.
const PICTURES_MISSING_MAX_PERCENT: f64 = 2.0;

/// Go live on a simulated board, and show it
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Board profile to simulate: its picture size, encoders and bitrate
    #[arg(long, value_name = "NAME|FILE", default_value = "sim")]
    board: String,
    /// Picture: `test`, a clip, or a V4L2 device
    #[arg(long, value_name = "test|FILE|/dev/videoN", default_value = "test")]
    camera: String,
    /// Sound: `tone`, `file` (the sound of the camera's clip), `silence`, or an ALSA device
    #[arg(long, value_name = "tone|file|silence|ALSA", default_value = "tone")]
    mic: String,
    /// Length of the programme when headless
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Press the button without being asked, for the programme's length, and end
    #[arg(long)]
    headless: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
    /// Publish to this server as well (address without the key); the encoder follows the link to it
    #[arg(long, requires = "key_file")]
    url: Option<String>,
    /// File that holds that server's stream key; `-` reads it from standard input
    #[arg(long, value_name = "FILE", requires = "url")]
    key_file: Option<PathBuf>,
    /// PEM file of the only CA to trust for that server
    #[arg(long, value_name = "PEM", requires = "url")]
    ca_file: Option<PathBuf>,
    /// Allow plain rtmp:// for that server
    #[arg(long, requires = "url")]
    allow_plain: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] when the programme was not whole, or why it did not come about.
pub async fn run(args: DemoArgs) -> Result<(), Failure> {
    let clock = Clock::start();
    let folder = folder()?;
    let (inputs, received) = box_loop::inputs();
    let terminal = if args.headless { None } else { open_terminal(clock, inputs.clone()) };
    start_log(&folder, terminal.is_some())?;

    let server = start_server(clock, &folder).await?;
    let profile = super::board::profile(&args.board)?;
    let request = request(&profile, &args)?;
    let fps = request.video.fps;
    // The encoder follows the first one, and the link to the user's server may be slow.
    let destinations = own_server(&args)?.into_iter().chain([server.destination]).collect();
    let machine = Machine::default();
    let setup = Setup { request, destinations, memory: Memory::default(), machine, profile };
    let _ = inputs.send(Input::Network(LinkChange::Up, None)).await;
    let _ = inputs.send(Input::Clock(console::Clock::Trusted)).await;
    let (view, watched) = watch::channel(None);
    let running =
        box_loop::run(clock, setup, hands(terminal.clone()), (inputs.clone(), received), view);
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
            // The power switch was used: the director has nothing left to do.
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
    report(&server.server.reports(), pressed_at, fps, &args)
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
fn start_log(folder: &Path, drawn: bool) -> Result<(), Failure> {
    if drawn {
        let path = folder.join("log.txt");
        let file = File::create(&path).map_err(|error| {
            Failure::new(Code::Failed, format!("{} cannot be made: {error}", path.display()))
        })?;
        log::to_file(file, "info");
    } else {
        log::to_stderr("warn");
    }
    Ok(())
}

struct OwnServer {
    server: Server,
    destination: Destination,
}

async fn start_server(clock: Clock, folder: &Path) -> Result<OwnServer, Failure> {
    let failed = |words: String| Failure::new(Code::Failed, words);
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
    let destination = Destination {
        name: "demo".to_owned(),
        target: Some(Arc::new(target)),
        backup: None,
        made_of: None,
    };
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
    Ok(Some(Destination {
        name: "yours".to_owned(),
        target: Some(Arc::new(target)),
        backup: None,
        made_of: None,
    }))
}

fn request(profile: &Profile, args: &DemoArgs) -> Result<capture::Request, Failure> {
    let mut request = capture::Request::from(profile);
    request.camera = match args.camera.as_str() {
        "test" => CameraSource::TestPattern,
        device if device.starts_with("/dev/") => {
            let device = CameraDevice::Path(PathBuf::from(device));
            CameraSource::V4l2 { device, formats: PictureFormat::USUAL.to_vec() }
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
                "--mic file plays the sound of the camera's clip; name one with --camera FILE",
            ));
        }
        device => MicrophoneSource::Alsa {
            device: MicrophoneDevice::parse(device)
                .map_err(|why| Failure::new(Code::Settings, format!("--mic {why}")))?,
        },
    };
    Ok(request)
}

fn hands(terminal: Option<Terminal>) -> Hands {
    let console = terminal.clone();
    Hands {
        lights: Lights::Drawn(Box::new(move |levels| {
            if let Some(terminal) = &terminal {
                terminal.lights(levels);
            }
        })),
        console: Box::new(move |bytes| {
            if let Some(terminal) = &console {
                terminal.write(&bytes);
            }
        }),
        manager: ServiceManager::at(None, None),
        control: None,
        log: LogRing::default(),
    }
}

fn open_terminal(clock: Clock, inputs: mpsc::Sender<Input>) -> Option<Terminal> {
    let runtime = tokio::runtime::Handle::current();
    Terminal::open(move |key| {
        let inputs = inputs.clone();
        match key {
            Key::Press => {
                runtime.spawn(async move { press(clock, &inputs, TAP).await });
            }
            Key::Hold => {
                runtime.spawn(async move { press(clock, &inputs, BUTTON_HOLD + TAP).await });
            }
            Key::Typed(bytes) => {
                let _ = inputs.blocking_send(Input::Typed(bytes));
            }
            Key::Quit => {
                let _ = inputs.blocking_send(Input::Terminate);
            }
        }
    })
}

/// The simulated contact: closed for as long as the finger stays on it.
async fn press(clock: Clock, inputs: &mpsc::Sender<Input>, hold: Duration) {
    let seen = |pressed| {
        let (contact, at) = (Contact::GoLive, clock.now());
        Input::Contact(Seen { contact, at, pressed, found: false })
    };
    let _ = inputs.send(seen(true)).await;
    tokio::time::sleep(hold).await;
    let _ = inputs.send(seen(false)).await;
}

/// Whoever stands in front of the box.
struct Director<'a> {
    clock: Clock,
    inputs: mpsc::Sender<Input>,
    watched: watch::Receiver<Option<View>>,
    server: &'a Server,
}

impl Director<'_> {
    /// Presses the button, lets the programme run for `length`, holds the button, and switches off.
    /// Gives the time of the press.
    async fn press_and_stop(mut self, length: Duration) -> Result<Duration, Failure> {
        let played = self.play(length).await;
        let _ = self.inputs.send(Input::Terminate).await;
        played
    }

    async fn play(&mut self, length: Duration) -> Result<Duration, Failure> {
        self.reach("ready", |view| view.status.mode == Mode::Ready).await?;
        let pressed_at = self.clock.now();
        press(self.clock, &self.inputs, TAP).await;
        self.first_video(pressed_at).await?;
        self.reach("accepted everywhere", |view| {
            let accepted = |shown: &DestinationStatus| shown.state == DestinationState::Accepted;
            view.status.destinations.iter().all(accepted)
        })
        .await?;
        // The stop is a long hold, so the finger goes down before the programme's end.
        let hold_at = self.first_video_at() + length.saturating_sub(BUTTON_HOLD);
        while self.clock.now() < hold_at {
            self.look_for_failure()?;
            self.clock.reach(Some(hold_at.min(self.clock.now() + REDRAW))).await;
        }
        press(self.clock, &self.inputs, BUTTON_HOLD + TAP).await;
        self.reach("off air", |view| view.status.mode == Mode::Ready).await?;
        Ok(pressed_at)
    }

    async fn first_video(&mut self, pressed_at: Duration) -> Result<(), Failure> {
        while self.first_video_at() == Duration::ZERO {
            self.look_for_failure()?;
            if self.clock.now() > pressed_at + FIRST_VIDEO_TIMEOUT {
                let words = "no picture reached the server in time; FIRSTMILE_LOG=debug tells more";
                return Err(Failure::new(Code::Failed, words));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// When the first picture was at the server; zero while none is.
    fn first_video_at(&self) -> Duration {
        self.server.reports().iter().find_map(|report| report.first_video_at).unwrap_or_default()
    }

    async fn reach(&mut self, what: &str, is: impl Fn(&View) -> bool) -> Result<(), Failure> {
        let deadline = self.clock.now() + SETTLE_TIMEOUT;
        loop {
            if self.watched.borrow_and_update().as_ref().is_some_and(&is) {
                return Ok(());
            }
            self.look_for_failure()?;
            tokio::select! {
                changed = self.watched.changed() => if changed.is_err() {
                    return Err(Failure::new(Code::Failed, "the box ended by itself"));
                },
                () = self.clock.reach(Some(deadline)) => {
                    let words = format!("the box was not {what} in time");
                    return Err(Failure::new(Code::Failed, words));
                }
            }
        }
    }

    /// A demo that nobody watches ends at the first thing that goes wrong.
    fn look_for_failure(&self) -> Result<(), Failure> {
        let view = self.watched.borrow();
        if let Some(missing) = view.as_ref().and_then(|view| view.missing.as_ref()) {
            return Err(Failure::new(Code::Device, missing));
        }
        let Some(end) = view.as_ref().and_then(|view| view.last_end.as_ref()) else {
            return Ok(());
        };
        let code = match end.due_to {
            DueTo::Settings => Code::Settings,
            DueTo::Device => Code::Device,
            DueTo::Network => Code::Network,
            DueTo::Tls => Code::Tls,
            DueTo::Refusal => Code::Refused,
            DueTo::Inside => Code::Failed,
        };
        Err(Failure::new(code, format!("{}: {}", end.destination, end.words)))
    }

    /// Shows the box until it is switched off.
    async fn show(mut self, terminal: &Terminal) -> Result<Duration, Failure> {
        while self.watched.changed().await.is_ok() {
            let view = self.watched.borrow_and_update().clone();
            if let Some(view) = view {
                let lines = front_lines(&view);
                terminal.numbers(view.status.mode.name().to_owned(), lines);
            }
            tokio::time::sleep(REDRAW).await;
        }
        Ok(Duration::ZERO)
    }
}

/// The running numbers, as few lines as the front has room for.
fn front_lines(view: &View) -> Vec<String> {
    let status = &view.status;
    let mut lines = Vec::new();
    lines.push(match &status.encoder {
        None => "camera and encoder are off".to_owned(),
        Some(encoder) => format!(
            "encoder {} of {} kb/s, {:.0} pictures/s",
            encoder.actual_kbps, encoder.target_kbps, encoder.frames_per_s
        ),
    });
    for destination in &status.destinations {
        lines.push(match &destination.numbers {
            None => format!("{}: {}", destination.name, destination.state.name()),
            Some(numbers) => format!(
                "{}: {} kb/s, {} bytes acknowledged, {} ms waiting, {} dropped",
                destination.name,
                numbers.sent_kbps,
                numbers.acknowledged_bytes,
                numbers.queue_ms,
                numbers.frames_dropped
            ),
        });
    }
    lines
}

/// What the demo prints at its end.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(flatten)]
    summary: Summary,
    /// How far the sound lies behind the picture, in milliseconds; negative when it is early.
    av_offset_ms: f64,
    /// How that was measured.
    av_offset_from: &'static str,
    /// From the press of the button to the first picture at the server.
    press_to_first_video_ms: Option<u64>,
    /// The recorded programme.
    file: PathBuf,
}

/// Prints what the server received; a failure when the programme was not whole.
fn report(
    reports: &[Report],
    pressed_at: Option<Duration>,
    fps: u32,
    args: &DemoArgs,
) -> Result<(), Failure> {
    let Some(report) = reports.first() else {
        // Nobody went live: nothing to report, and nothing went wrong.
        return Ok(());
    };
    let mut outcome = outcome(report, pressed_at, args);
    let faults = &mut outcome.summary.faults;
    if reports.len() > 1 && args.headless {
        faults.push(format!("the programme came in {} parts", reports.len()));
    }
    let expected = outcome.summary.seconds * f64::from(fps);
    let missing = expected - outcome.summary.video_frames as f64;
    if missing > expected * PICTURES_MISSING_MAX_PERCENT / 100.0 + 1.0 {
        faults.push(format!("{missing:.0} of {expected:.0} pictures are missing"));
    }
    if args.json {
        println!("{}", serde_json::json!(outcome));
    } else {
        print(&outcome);
    }
    if outcome.summary.faults.is_empty() {
        return Ok(());
    }
    let faults = outcome.summary.faults.join("; ");
    Err(Failure::new(Code::Failed, format!("the programme was not whole: {faults}")))
}

fn outcome(report: &Report, pressed_at: Option<Duration>, args: &DemoArgs) -> Outcome {
    let (av_offset_ms, av_offset_from) = av_offset(report, args);
    Outcome {
        summary: report.summary.clone(),
        av_offset_ms,
        av_offset_from,
        press_to_first_video_ms: pressed_at
            .zip(report.first_video_at)
            .map(|(pressed, seen)| seen.saturating_sub(pressed).as_millis() as u64),
        file: report.file.clone(),
    }
}

/// The lip-sync by the best measure that there is, in milliseconds, and which one that is.
fn av_offset(report: &Report, args: &DemoArgs) -> (f64, &'static str) {
    let (measured, from) = match (args.camera.as_str(), args.mic.as_str()) {
        ("test", "tone") => (capture::marker_offset_ms(&report.file), "flashes and beeps"),
        (clip, "file") => (
            capture::clip_offset_ms(&report.file, Path::new(clip)),
            "pictures and sound of the clip",
        ),
        _ => (Ok(None), ""),
    };
    if let Err(error) = &measured {
        tracing::warn!(%error, "lip-sync not measured");
    }
    match measured {
        Ok(Some(offset_ms)) => ((offset_ms * 10.0).round() / 10.0, from),
        _ => (report.summary.track_offset_ms as f64, "beginnings of the tracks"),
    }
}

fn print(outcome: &Outcome) {
    let summary = &outcome.summary;
    println!("The server received {:.1} s:", summary.seconds);
    println!(
        "  video        {} pictures, {} of them key frames",
        summary.video_frames, summary.key_frames
    );
    println!("  audio        {} access units", summary.audio_frames);
    println!("  bitrate      {} kb/s", summary.bitrate_kbps);
    println!("  largest gap  {} ms", summary.largest_gap_ms);
    println!("  A/V offset   {} ms (by {})", outcome.av_offset_ms, outcome.av_offset_from);
    if let Some(ms) = outcome.press_to_first_video_ms {
        println!("  from the press of the button to the first picture: {ms} ms");
    }
    println!("  programme    {}", outcome.file.display());
}
