//! `firstmile check`: would this destination accept the stream? Phase by phase, without going live.

use clap::Args;
use serde::Serialize;

use crate::clock::Clock;
use crate::publish::tls::ServerIdentity;
use crate::publish::{Depth, Phase, Preflight, preflight};

use super::destination::DestinationArgs;
use super::exit::Failure;
use super::output;

/// Check a destination without going live
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    destination: DestinationArgs,
    /// Test the key as well: begins to publish, sends no media, and stops at once
    #[arg(long)]
    publish: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Checked<'a> {
    server: String,
    phases: &'a [Phase],
    tls: Option<ServerIdentity>,
    verdict: String,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Failure`] by the phase that failed.
pub async fn run(args: CheckArgs) -> Result<(), Failure> {
    let target = args.destination.target()?;
    let depth = if args.publish { Depth::Publish } else { Depth::Connect };
    let Preflight { phases, server, failure } = preflight(Clock::start(), &target, depth).await;
    let verdict = match &failure {
        None if args.publish => "server accepts the stream".to_owned(),
        None => "server accepts RTMP; key not tested (--publish tests it)".to_owned(),
        Some(error) => error.sentence(),
    };
    if args.json {
        let checked = Checked { server: target.server(), phases: &phases, tls: server, verdict };
        output::json(&checked);
    } else {
        for phase in &phases {
            output::text(&format!("{:<14} ok  {:>5} ms", phase.name, phase.took_ms));
        }
        if let Some(server) = &server {
            print_identity(server);
        }
        if failure.is_none() {
            output::text(&verdict);
        }
    }
    failure.map_or(Ok(()), |error| Err(Failure::from(error)))
}

fn print_identity(server: &ServerIdentity) {
    let ServerIdentity { subject, issuer, valid_until, days_left, pin, version, suite } = server;
    let named = |name: &str| if name.is_empty() { "(no name)".to_owned() } else { name.to_owned() };
    output::text(&format!("certificate    {}, issued by {}", named(subject), named(issuer)));
    output::text(&format!("valid until    {valid_until} ({days_left} days)"));
    output::text(&format!("pinned_key     {pin}"));
    output::text(&format!("TLS            {version}, {suite}"));
}
