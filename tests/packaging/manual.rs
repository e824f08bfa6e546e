//! The manual says what the box does: tables in it are made from the same data.

use std::fs;

use firstmile::board::Profile;
use firstmile::config::schema::{SETTINGS, Setting, VERSION};
use firstmile::config::{merge, parse};
use firstmile::panel::manual::table_markdown;

const BEGIN: &str = "<!-- lights: begin (generated from src/panel, checked by a test) -->\n";
const END: &str = "<!-- lights: end -->";

/// `FIRSTMILE_BLESS=1` writes the table anew.
#[test]
fn the_table_of_lights_in_the_readme_is_what_the_lights_do() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the table's beginning");
    let (found, after) = rest.split_once(END).expect("the table's end");
    let made = table_markdown();
    if std::env::var_os("FIRSTMILE_BLESS").is_some() {
        fs::write(path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(found, made, "run the test with FIRSTMILE_BLESS=1 to write the table anew");
}

/// `FIRSTMILE_BLESS=1` writes the drawing anew.
#[test]
fn the_wiring_in_the_manual_is_that_of_the_profile() {
    const BEGIN: &str =
        "<!-- wiring: begin (generated from board/rpi4.toml, checked by a test) -->\n";
    const END: &str = "<!-- wiring: end -->";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/hardware.md");
    let manual = fs::read_to_string(path).unwrap();
    let (before, rest) = manual.split_once(BEGIN).expect("the drawing's beginning");
    let (found, after) = rest.split_once(END).expect("the drawing's end");
    let made = format!("```\n{}```\n", Profile::named("rpi4").unwrap().wiring_text());
    if std::env::var_os("FIRSTMILE_BLESS").is_some() {
        fs::write(path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(found, made, "run the test with FIRSTMILE_BLESS=1 to write the drawing anew");
}

/// `FIRSTMILE_BLESS=1` writes the table again.
#[test]
fn the_manual_lists_every_setting_and_when_it_takes_effect() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    let manual = fs::read_to_string(path).unwrap();
    let table: Vec<String> = SETTINGS
        .iter()
        .map(|setting| {
            let Setting { name, kind, fallback, applies, help } = setting;
            format!("| `{name}` | {help} | {kind} | {fallback} | {applies} |")
        })
        .collect();
    let is_row = |line: &&str| line.starts_with("| `");
    if std::env::var_os("FIRSTMILE_BLESS").is_some() {
        let before = manual.lines().take_while(|line| !is_row(line));
        let after = manual.lines().skip_while(|line| !is_row(line)).skip_while(is_row);
        let lines: Vec<&str> =
            before.chain(table.iter().map(String::as_str)).chain(after).collect();
        fs::write(path, lines.join("\n") + "\n").unwrap();
        return;
    }
    let listed: Vec<&str> = manual.lines().filter(is_row).collect();
    for (listed, made) in listed.iter().zip(&table) {
        assert_eq!(listed, made, "FIRSTMILE_BLESS=1 writes the table again");
    }
    assert_eq!(listed.len(), table.len(), "FIRSTMILE_BLESS=1 writes the table again");
    let head = "| setting | what it does | allowed | when nobody sets it | a change takes effect |";
    assert!(manual.lines().any(|line| line == head), "the columns of the table");
    let example = manual.split("```toml\n").nth(1).and_then(|t| t.split("```").next()).unwrap();
    let settings = merge(&[parse("docs/settings.md", example).unwrap()]);
    assert!(settings.destinations.iter().all(|d| d.ingest().is_ok()));
    assert!(example.starts_with(&format!("version = {VERSION}\n")));
}
