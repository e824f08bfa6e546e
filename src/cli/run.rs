//! `firstmile run`: the box itself, as the service starts it.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use clap::Args;
use tokio::sync::{mpsc, watch};

use crate::appliance::LinkChange;
use crate::capture;
use crate::clock::Clock;
use crate::config::{Partial, SettingPath, effective, recipients};
use crate::device::store::{SECRETS_LOST, Store, Stored};
use crate::device::{
    Display, Folder, HealthReader, Lights, Machine, Port, PortEvent, Restarts, ServiceManager,
    Sources, button, control, network, restarts,
};
use crate::run::{self as box_loop, Devices, Input, Memory, Setup};
use crate::{board, limits, status};

use super::board::BoardArgs;
use super::exit::{Code, Failure};
use super::{crash, log, signals};

/// The machine name of the simulated board.
const SIMULATED: &str = "firstmile,sim";

/// Run the box
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    board: BoardArgs,
    /// Settings file; docs/settings.md describes it
    #[arg(long, value_name = "FILE", default_value = "/etc/firstmile/firstmile.toml")]
    settings: PathBuf,
    /// Folder where settings, keys and the state across power cuts are stored
    #[arg(long, value_name = "DIR", default_value = "/var/lib/firstmile")]
    state: PathBuf,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] when the box cannot start, or ends because of a fault of its own.
pub async fn run(args: RunArgs) -> Result<(), Failure> {
    let log = log::for_service("info");
    // Before any secret is read.
    crash::end_on_panic();
    crash::hide_memory();
    let clock = Clock::start();
    let is_power_up = restarts::is_power_up(env::var("RUNTIME_DIRECTORY").ok().as_deref());
    // Before devices are opened, because one of them may be what ends the program.
    let restarts = wait_after_failures().await;
    let profile = args.board.profile()?;
    let has_failed = restarts.as_ref().is_some_and(|restarts| restarts.has_failed());
    let memory = Memory { has_failed, ..remember(&args) };
    load_plugins();
    let (inputs, received) = box_loop::inputs();
    // Before a terminal is changed that would stay so.
    signals::end_the_box(inputs.clone());
    signals::withdraw_real_time();

    let at_port = inputs.clone();
    let ports = Port::open_all(&profile.console, move |port, event| {
        let _ = at_port.blocking_send(match event {
            PortEvent::Opened { greet } => Input::ConsoleOpened { port, greet },
            PortEvent::Bytes(bytes) => Input::Typed { port, bytes: bytes.to_vec() },
        });
    })
    .map_err(|error| Failure::new(Code::Device, error))?;
    let console =
        |port: Port| -> Box<dyn FnMut(Vec<u8>) + Send> { Box::new(move |bytes| port.send(bytes)) };
    let lights = Lights::keep_trying(&profile.lights);
    let contacts = inputs.clone();
    button::watch(&profile.button, clock, is_power_up, move |event| {
        let _ = contacts.blocking_send(Input::Contact(event));
    });
    let devices = Devices {
        lights,
        display: profile.display.as_ref().and_then(|display| Display::start(display, clock)),
        consoles: ports.into_iter().map(console).collect(),
        manager: ServiceManager::at(
            env::var("NOTIFY_SOCKET").ok().as_deref(),
            env::var("WATCHDOG_USEC").ok().as_deref(),
        ),
        control: listen(),
        health: HealthReader::of(Path::new("/"), &profile.health, Some(&args.state))
            .map(|reader| Arc::new(Mutex::new(reader))),
        log,
    };
    watch_world(&profile, &inputs);
    let request = capture::Request::from(&profile);
    let machine = Machine::this();
    let setup = Setup { request, destinations: Vec::new(), memory, machine, profile };
    let (view, _) = watch::channel(None);
    match box_loop::run(clock, setup, devices, (inputs, received), view).await {
        0 => {
            restarts.iter().for_each(|restarts| restarts.forget());
            Ok(())
        }
        code => Err(Failure::new(Code::Failed, format!("the box ended with code {code}"))),
    }
}

/// Loads in advance what the first broadcast would have to wait for.
fn load_plugins() {
    let look = || {
        if let Err(error) = capture::init() {
            tracing::error!("{error}");
        }
    };
    if let Err(error) = thread::Builder::new().name("plugins".to_owned()).spawn(look) {
        tracing::warn!(%error, "the plugins are loaded when the first broadcast begins");
    }
}

/// A program that keeps ending starts more and more slowly.
async fn wait_after_failures() -> Option<Arc<Restarts>> {
    let restarts = Arc::new(Restarts::count(env::var("RUNTIME_DIRECTORY").ok().as_deref())?);
    let wait = restarts.wait();
    if !wait.is_zero() {
        tracing::warn!(
            seconds = wait.as_secs(),
            "ended too often recently; waiting before the next run"
        );
        tokio::time::sleep(wait).await;
    }
    let lasting = restarts.clone();
    tokio::spawn(async move {
        tokio::time::sleep(limits::RESTARTS_FORGOTTEN_AFTER).await;
        lasting.forget();
    });
    Some(restarts)
}

/// The settings of all sources. A box where one cannot be used still runs with the others.
fn remember(args: &RunArgs) -> Memory {
    let credentials = env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let sources = Sources::read(&args.settings, credentials.as_deref());
    let mut store = match Folder::open(&args.state) {
        Ok(folder) => Store::new(folder),
        Err(error) => {
            let state = args.state.display();
            let fault = format!("{state} cannot be used, and no setting can be stored: {error}");
            tracing::warn!("{fault}");
            return Memory { sources, store_fault: Some(fault), ..Memory::default() };
        }
    };
    let stored = store.repair().map(|stored| bind_secrets(&mut store, stored, &sources));
    let is_whole = stored.as_ref().is_ok_and(|stored| !stored.secrets_lost);
    let is_whole = is_whole && sources.faults.is_empty();
    let store_fault = match &stored {
        Ok(Stored { secrets_lost: true, .. }) => Some(SECRETS_LOST.to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    store_fault.iter().for_each(|fault| tracing::error!("{fault}"));
    let stored = stored.unwrap_or_default().partial;
    let (was_live, wrong_pins) = (store.was_live(), store.wrong_pins());
    let store = Some(store);
    let has_failed = false;
    Memory { sources, stored, store_fault, is_whole, was_live, has_failed, wrong_pins, store }
}

/// Secrets of an earlier version, or of a stick that the box was not running for, are for the server
/// or network in force: from now on they go to no other one.
fn bind_secrets(store: &mut Store<Folder>, stored: Stored, sources: &Sources) -> Stored {
    let bind = |partial: &mut Partial| {
        let (settings, _) = effective(&sources.integrator, partial, &sources.credentials);
        let in_force = settings.to_partial();
        let is_used = |secret: &SettingPath, partial: &Partial| {
            in_force.value(secret).is_some_and(|used| partial.value(secret) == Some(used))
        };
        let mut unbound = partial.unbound();
        unbound.retain(|secret| is_used(secret, partial));
        for secret in unbound {
            partial.remember_given_for(&secret, recipients(&settings, &secret));
        }
    };
    let mut bound = stored.partial.clone();
    bind(&mut bound);
    if stored.secrets_lost || bound == stored.partial {
        return stored;
    }
    let change = |partial: &mut Partial| {
        bind(partial);
        Ok(())
    };
    store.update(change).unwrap_or_else(|error| {
        tracing::warn!(%error, "whom the stored secrets are for is not stored");
        stored
    })
}

fn listen() -> Option<mpsc::Receiver<control::SocketEvent>> {
    let path = control::path(env::var("RUNTIME_DIRECTORY").ok().as_deref());
    control::listen(&path)
        .inspect_err(|error| {
            tracing::warn!(%error, "no control socket at {}", path.display());
        })
        .ok()
}

/// Reports network and clock to the box. The simulated board has a network and a clock that are always
/// good.
fn watch_world(profile: &board::Profile, inputs: &mpsc::Sender<Input>) {
    if profile.compatible.iter().any(|machine| machine == SIMULATED) {
        let _ = inputs.try_send(Input::Network(LinkChange::Up, None));
        let _ = inputs.try_send(Input::Clock(status::Clock::Trusted));
        return;
    }
    let to_box = inputs.clone();
    let mut before = status::Link::Down;
    network::watch(move |interfaces| {
        let link = network::link(&interfaces);
        let change = match (before, link) {
            (_, status::Link::Down) => LinkChange::Down,
            (status::Link::Down, status::Link::Up) => LinkChange::Up,
            (status::Link::Up, status::Link::Up) => LinkChange::Changed,
        };
        before = link;
        let _ = to_box.blocking_send(Input::Network(change, Some(interfaces)));
    });
    tokio::spawn(watch_clock(inputs.clone()));
}

/// A clock that was right once stays right.
async fn watch_clock(inputs: mpsc::Sender<Input>) {
    while network::clock() == status::Clock::Untrusted {
        tokio::time::sleep(limits::CLOCK_LOOK_INTERVAL).await;
    }
    let _ = inputs.send(Input::Clock(status::Clock::Trusted)).await;
}
