//! The manual says what the box does: tables in it are made from the same data.

use std::fs;

use firstmile::board::Profile;
use firstmile::config::schema::{SETTINGS, Setting, VERSION};
use firstmile::config::{merge, parse};
use firstmile::panel::manual::table_markdown;

use crate::generated::between_marks;

#[test]
fn the_table_of_lights_in_the_readme_is_what_the_lights_do() {
    between_marks("README.md", "lights", &table_markdown());
}

#[test]
fn the_table_of_endings_in_the_readme_is_what_box_and_commands_go_by() {
    between_marks("README.md", "endings", &firstmile::ending::manual::table_markdown());
}

#[test]
fn the_wiring_in_the_manual_is_that_of_the_profile() {
    let wiring = Profile::named("rpi4").unwrap().wiring_text();
    between_marks("docs/hardware.md", "wiring", &format!("```\n{wiring}```\n"));
}

/// `FIRSTMILE_BLESS=1` writes the table again.
#[test]
fn the_manual_lists_every_setting_and_when_it_takes_effect() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
    let manual = fs::read_to_string(path).unwrap();
    let table: Vec<String> = SETTINGS
        .entries()
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

/// Where what programs read is declared.
const FOR_PROGRAMS: [&str; 15] = [
    "src/device_controls/mod.rs",
    "src/device_controls/control.rs",
    "src/status/answer.rs",
    "src/status/black_box.rs",
    "src/status/change.rs",
    "src/status/facts.rs",
    "src/status/report.rs",
    "src/status/stats.rs",
    "src/console/reply.rs",
    "src/cli/check.rs",
    "src/cli/push.rs",
    "src/cli/board/check.rs",
    "src/capture/discovery/devices.rs",
    "src/publish/preflight.rs",
    "src/publish/tls/identity.rs",
];

/// The fields of every type that is serialized, in the order of a source.
fn serialized_fields(source: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    for item in source.split("\n#[derive(").skip(1) {
        let (derived, item) = item.split_once(")]").unwrap_or_default();
        let body = item.split("\n}\n").next().unwrap_or_default();
        if !derived.contains("Serialize") || derived.contains("Deserialize") {
            continue;
        }
        let above = std::iter::once("").chain(body.lines());
        fields.extend(above.zip(body.lines()).filter_map(|(above, line)| {
            let line = Some(line.trim_start()).filter(|_| above.trim() != "#[serde(skip)]")?;
            let (name, _) = line.strip_prefix("pub ").unwrap_or(line).split_once(": ")?;
            name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_').then_some(name)
        }));
    }
    fields
}

#[test]
fn the_manual_names_every_field_that_programs_read() {
    let manual = include_str!("../../docs/programs.md");
    let mut count = 0;
    for path in FOR_PROGRAMS {
        let source = fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for field in serialized_fields(&source) {
            assert!(manual.contains(&format!("`{field}`")), "{path}: {field} is not in the manual");
            count += 1;
        }
    }
    assert!(count > 100, "{count} fields are found");
}

#[test]
fn the_package_carries_the_manuals_that_its_readers_need_on_the_box() {
    let manifest = include_str!("../../Cargo.toml");
    for document in ["README.md", "docs/settings.md", "docs/hardware.md", "docs/programs.md"] {
        let asset = format!("[\"{document}\", \"usr/share/doc/firstmile/\", \"644\"],");
        assert!(manifest.contains(&asset), "{document}");
    }
}

/// The documents for people, with the folders that their links start from.
fn documents() -> Vec<(String, String)> {
    let root = env!("CARGO_MANIFEST_DIR");
    let docs = fs::read_dir(format!("{root}/docs")).unwrap();
    let mut paths: Vec<String> = docs
        .map(|entry| format!("docs/{}", entry.unwrap().file_name().to_string_lossy()))
        .filter(|path| path.ends_with(".md"))
        .collect();
    paths.extend(["README.md", "board/README.md", "yocto-layer/README.md"].map(str::to_owned));
    let read = |path: String| (fs::read_to_string(format!("{root}/{path}")).unwrap(), path);
    paths.into_iter().map(read).map(|(text, path)| (path, text)).collect()
}

/// The words that follow `program` at the beginning of lines of code: in blocks and in spans, which are
/// what every second backtick begins.
fn words_after<'a>(text: &'a str, program: &str) -> Vec<&'a str> {
    let lines = text.split('`').skip(1).step_by(2).flat_map(str::lines);
    let rests = lines.filter_map(|line| {
        line.strip_prefix("sudo ").unwrap_or(line).strip_prefix(program)?.strip_prefix(' ')
    });
    let is_word = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
    rests.filter_map(|rest| rest.split(' ').next()).filter(is_word).collect()
}

#[test]
fn every_command_and_every_make_target_of_the_documents_exists() {
    let makefile = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Makefile")).unwrap();
    let command = firstmile::cli::command();
    let mut count = 0;
    for (path, text) in documents() {
        for target in words_after(&text, "make") {
            assert!(makefile.contains(&format!("\n{target}: ")), "{path}: make {target}");
            count += 1;
        }
        for name in words_after(&text, "firstmile") {
            // `demo` is left out of the firmware.
            let exists = name == "demo" || command.find_subcommand(name).is_some();
            assert!(exists, "{path}: firstmile {name}");
            count += 1;
        }
    }
    assert!(count > 30, "{count} commands are found in the documents");
}

#[test]
fn every_link_between_the_documents_leads_to_a_file() {
    let mut count = 0;
    for (path, text) in documents() {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || link.contains("://") {
                continue;
            }
            let target = format!("{}/{folder}/{file}", env!("CARGO_MANIFEST_DIR"));
            assert!(fs::exists(&target).unwrap(), "{path}: {link}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} links are found in the documents");
}

/// The name by which a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || " -".contains(*c))
        .collect::<String>()
        .replace(' ', "-")
}

#[test]
fn every_link_into_the_readme_leads_to_a_heading() {
    let readme = include_str!("../../README.md");
    let headings = readme.lines().filter(|line| line.starts_with("##"));
    let anchors: Vec<String> =
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect();
    let links: Vec<&str> =
        readme.split("](#").skip(1).filter_map(|r| r.split(')').next()).collect();
    assert!(links.len() > 4, "{links:?}");
    for link in links {
        assert!(anchors.iter().any(|anchor| anchor == link), "#{link}: {anchors:?}");
    }
}
