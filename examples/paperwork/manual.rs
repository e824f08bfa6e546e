//! Manual pages and shell completions, from the command line and the console's command table.

use std::error::Error;
use std::fs;
use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap_complete::{Shell, generate_to};
use firstmile::{cli, console};
use roff::{Roff, bold, roman};

/// One page for each subcommand, and one for the console.
pub fn pages(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(cli::command(), folder)?;
    Ok(fs::write(folder.join("firstmile-console.7"), console_page())?)
}

fn console_page() -> String {
    let mut page = Roff::new();
    page.control(
        "TH",
        ["firstmile-console", "7", "", concat!("firstmile ", env!("CARGO_PKG_VERSION"))],
    );
    page.control("SH", ["NAME"]);
    page.text([roman(
        "firstmile-console - commands at the console of the box, and of firstmile ctl",
    )]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "Type commands at the board's serial port, or send them on the box itself with firstmile ctl. \
         Tab completes, and the arrow keys bring back earlier lines. A stream key is asked for without \
         echo and never shown.",
    )]);
    page.control("SH", ["COMMANDS"]);
    for entry in console::COMMANDS {
        page.control("TP", []);
        page.text([bold(entry.name), roman(format!(" {}", entry.arguments))]);
        page.text([roman(format!("{}. {}", capital(entry.short), entry.long))]);
        if entry.example != entry.name {
            page.control("IP", []);
            page.text([roman("For example: "), bold(entry.example)]);
        }
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("firstmile"), roman("(1)")]);
    page.render()
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// For bash, zsh and fish; `firstmile ctl` completes the console's commands.
pub fn completions(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let mut commands: Vec<&str> =
        console::COMMANDS.iter().filter_map(|entry| entry.name.split(' ').next()).collect();
    commands.dedup();
    let mut command = cli::command().mut_subcommand("ctl", |ctl| {
        ctl.mut_arg("command", |arg| arg.value_parser(PossibleValuesParser::new(commands)))
    });
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command, "firstmile", folder)?;
    }
    Ok(())
}
