//! `firstmile push`: publishes an FLV file with the box's own client, for diagnosis and measurements.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::publish::{Carried, Close, Cut, FlvFile, Pushed, push};
use crate::rtmp::ConnectOrder;

use super::destination::DestinationArgs;
use super::exit::{Code, Failure};
use super::output;
use super::progress::{Done, ProgressLine};

/// Publish an existing FLV file as it is: H.264, AAC, and the codecs of Enhanced RTMP
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The FLV file; `-` reads it from standard input
    file: PathBuf,
    #[command(flatten)]
    destination: DestinationArgs,
    /// Send as fast as the server accepts it, instead of by the file's timestamps
    #[arg(long)]
    no_pace: bool,
    /// How much to send before the server has answered
    #[arg(long, value_enum, default_value_t)]
    order: OrderArg,
    /// Play the file this many times
    #[arg(long = "loop", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Print one JSON object instead of a line of text
    #[arg(long)]
    json: bool,
}

/// [`ConnectOrder`] on the command line.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum OrderArg {
    /// One step at a time: first media after 6.5 round trips over TLS 1.3
    Patient,
    /// The handshake in the order that RTMP requires, then everything at once: 3.5 round trips
    #[default]
    Conforming,
    /// Everything at once: 2.5 round trips; breaks the order of RTMP, and most servers accept it
    Early,
}

impl From<OrderArg> for ConnectOrder {
    fn from(order: OrderArg) -> ConnectOrder {
        match order {
            OrderArg::Patient => ConnectOrder::Patient,
            OrderArg::Conforming => ConnectOrder::Conforming,
            OrderArg::Early => ConnectOrder::Early,
        }
    }
}

#[derive(Serialize)]
struct Figures {
    bytes: u64,
    seconds: f64,
    acknowledged_bytes: Option<u64>,
    messages: u64,
    media_seconds: f64,
    /// Where the file is cut off or damaged, and why.
    cut_off: Option<String>,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] with its exit code.
pub async fn run(args: PushArgs) -> Result<(), Failure> {
    let clock = Clock::start();
    let both = [&args.file, &args.destination.key_file].iter().all(|file| *file == Path::new("-"));
    if both {
        let message = "the file and the stream key cannot both come from standard input";
        return Err(Failure::new(Code::Settings, message));
    }
    let target = args.destination.target()?.in_order(args.order.into());
    let pace = (!args.no_pace).then_some(clock);
    let file = FlvFile::open(&args.file, args.rounds, pace)
        .map_err(|message| Failure::new(Code::Settings, message))?;
    let started = clock.now();
    let mut line = ProgressLine::new();
    let mut progress = |carried: &Carried, media| {
        let Carried { sent_bytes, acknowledged_bytes, .. } = *carried;
        line.show(clock.now(), &Done { media, sent_bytes, acknowledged_bytes });
    };
    let Pushed { result, carried, media, cut } =
        push(clock, target, file, &mut progress, interrupted()).await;
    drop(line);
    if let Err(error) = result {
        cut.iter().filter(|cut| !cut.goes_on).for_each(|cut| tracing::warn!("{}", cut.message));
        return Err(error.into());
    }
    let figures = Figures {
        bytes: carried.sent_bytes,
        seconds: clock.now().saturating_sub(started).as_secs_f64(),
        acknowledged_bytes: carried.acknowledged_bytes,
        messages: carried.messages,
        media_seconds: media.as_secs_f64(),
        cut_off: cut.as_ref().map(|cut| cut.message.clone()),
    };
    print(&figures, args.json);
    match cut {
        None => Ok(()),
        Some(Cut { message, goes_on: true, .. }) => {
            let seconds = media.as_secs_f64();
            let message = format!("{message}; what is whole was sent, {seconds:.1} s in all");
            Err(Failure::new(Code::Damaged, message))
        }
        Some(Cut { message, .. }) => {
            let seconds = media.as_secs_f64();
            let message = format!("{message}; what is whole before it was sent, {seconds:.1} s");
            Err(Failure::new(Code::Damaged, message))
        }
    }
}

/// Resolves once the owner interrupts. The signal is waited for in a task of its own, because this
/// future is polled with each frame.
async fn interrupted() -> Close {
    let (interrupt, interrupted) = oneshot::channel();
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            let _ = interrupt.send(());
        }
    });
    match interrupted.await {
        Ok(()) => Close::Polite,
        Err(_) => std::future::pending().await,
    }
}

fn print(figures: &Figures, json: bool) {
    if json {
        output::json(figures);
        return;
    }
    let acknowledged = match figures.acknowledged_bytes {
        Some(bytes) => format!("{bytes} acknowledged by the server"),
        None => "the server acknowledges nothing".to_owned(),
    };
    output::text(&format!(
        "{} messages, {} bytes in {:.2} s; {acknowledged}",
        figures.messages, figures.bytes, figures.seconds
    ));
}
