//! `firstmile push`: publishes an FLV file with the box's own client, for diagnosis and measurements.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::publish::{Close, ConnectionStats, FlvFile, publish};
use crate::rtmp::ConnectOrder;

use super::destination::DestinationArgs;
use super::exit::{Code, Failure};

/// Publish an existing FLV file as it is: H.264, AAC, and the codecs of Enhanced RTMP
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The FLV file
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
struct Pushed {
    bytes: u64,
    seconds: f64,
    acknowledged_bytes: Option<u64>,
    messages: u64,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] with its exit code.
pub async fn run(args: PushArgs) -> Result<(), Failure> {
    let clock = Clock::start();
    let target = args.destination.target()?.in_order(args.order.into());
    let pace = (!args.no_pace).then_some(clock);
    let mut file = FlvFile::open(&args.file, args.rounds, pace)
        .map_err(|message| Failure::new(Code::Settings, message))?;
    let close = interrupted();
    let started = clock.now();
    let stats = publish(clock, &target, &mut file, &mut |_| {}, close).await?;
    print(&stats, clock.now().saturating_sub(started), args.json);
    Ok(())
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

fn print(stats: &ConnectionStats, took: Duration, json: bool) {
    let pushed = Pushed {
        bytes: stats.sent_bytes,
        seconds: took.as_secs_f64(),
        acknowledged_bytes: stats.acknowledged_bytes,
        messages: stats.messages,
    };
    if json {
        println!("{}", serde_json::json!(pushed));
    } else {
        let acknowledged = match pushed.acknowledged_bytes {
            Some(bytes) => format!("{bytes} acknowledged by the server"),
            None => "the server acknowledges nothing".to_owned(),
        };
        println!(
            "{} messages, {} bytes in {:.2} s; {acknowledged}",
            pushed.messages, pushed.bytes, pushed.seconds
        );
    }
}
