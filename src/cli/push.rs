//! `firstmile push`: publishes an FLV file with the box's own client, for diagnosis and measurements.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::publish::{Close, FlvFile, Numbers, publish};
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
    /// Send as fast as the server takes it instead of by the file's timestamps
    #[arg(long)]
    no_pace: bool,
    /// How much to send before the server has answered
    #[arg(long, value_enum, default_value_t)]
    order: Order,
    /// Play the file this many times
    #[arg(long = "loop", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Print one JSON object instead of a line of text
    #[arg(long)]
    json: bool,
}

/// [`ConnectOrder`] on the command line.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Order {
    /// One step at a time: first media after 6.5 round trips over TLS 1.3
    Patient,
    /// The handshake by the book, then everything at once: 3.5 round trips
    #[default]
    Conforming,
    /// Everything at once: 2.5 round trips; against the letter of RTMP, and most servers take it
    Early,
}

impl From<Order> for ConnectOrder {
    fn from(order: Order) -> ConnectOrder {
        match order {
            Order::Patient => ConnectOrder::Patient,
            Order::Conforming => ConnectOrder::Conforming,
            Order::Early => ConnectOrder::Early,
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
        .map_err(|words| Failure::new(Code::Settings, words))?;
    let close = interrupted();
    let started = clock.now();
    let numbers = publish(clock, &target, &mut file, &mut |_| {}, close).await?;
    print(&numbers, clock.now().saturating_sub(started), args.json);
    Ok(())
}

/// Resolves once the owner has had enough. The signal is waited for in a task of its own: whoever
/// waits here is woken with each frame.
async fn interrupted() -> Close {
    let (had_enough, interrupted) = oneshot::channel();
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            let _ = had_enough.send(());
        }
    });
    match interrupted.await {
        Ok(()) => Close::Polite,
        Err(_) => std::future::pending().await,
    }
}

fn print(numbers: &Numbers, took: Duration, json: bool) {
    let pushed = Pushed {
        bytes: numbers.sent_bytes,
        seconds: took.as_secs_f64(),
        acknowledged_bytes: numbers.acknowledged_bytes,
        messages: numbers.messages,
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
