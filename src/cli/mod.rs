//! The command line: one file per subcommand; each parses, calls and prints.
//!
//! Shell room. It decides nothing about streaming; it turns arguments into calls and results into
//! text, JSON and exit codes.

mod board;
mod check;
pub mod crash;
mod ctl;
#[cfg(feature = "demo")]
mod demo;
mod destination;
mod devices;
mod exit;
mod import;
mod key;
mod log;
mod output;
mod progress;
mod push;
mod run;
mod signals;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::device::terminal;
use exit::{Code, Failure};

#[derive(Debug, Parser)]
#[command(name = "firstmile", version, about = "A live-streaming encoder box", after_help = exit::TABLE)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    #[cfg(feature = "demo")]
    Demo(demo::DemoArgs),
    Push(push::PushArgs),
    Check(check::CheckArgs),
    Ctl(ctl::CtlArgs),
    Import(import::ImportArgs),
    #[command(subcommand)]
    Board(board::BoardCommand),
    Devices(devices::DevicesArgs),
}

/// The command line as data, for manual pages and completions.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let message = format!("the program could not be started: {error}");
            return Failure::new(Code::Failed, message).report();
        }
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            // On the heap: these futures are large, and every other subcommand would reserve their size.
            Command::Run(args) => Box::pin(run::run(args)).await,
            #[cfg(feature = "demo")]
            Command::Demo(args) => Box::pin(demo::run(args)).await,
            Command::Push(args) => {
                log::to_stderr("info");
                crash::hide_memory();
                Box::pin(push::run(args)).await
            }
            Command::Check(args) => {
                log::to_stderr("warn");
                crash::hide_memory();
                check::run(args).await
            }
            Command::Ctl(args) => {
                crash::hide_memory();
                ctl::run(&args)
            }
            Command::Import(args) => {
                log::to_stderr("warn");
                crash::hide_memory();
                import::run(&args)
            }
            Command::Board(command) => board::run(&command),
            Command::Devices(args) => {
                log::to_stderr("warn");
                devices::run(&args)
            }
        }
    });
    // A name look-up or a device that does not answer must not delay the exit.
    runtime.shutdown_background();
    // A thread that reads keys may hold it until the process is gone.
    terminal::restore();
    let outcome = outcome.and_then(|()| output::finish());
    outcome.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}
