//! The page of faults says which tests show which fault, because the tests say so themselves: by a name that
//! begins with the fault's number (`f03_…`), or by a line `// Shows F27, F28.` above the test.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::generated::between_marks;

/// How much of a test's world is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Unit,
    Simulated,
    Program,
    Board,
}

/// A test, and the faults that it shows.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    numbers: Vec<usize>,
    test: String,
    file: String,
    level: Level,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// How real the world of a file's tests is.
fn level(file: &str, text: &str) -> Level {
    if file.starts_with("tests/board/") {
        Level::Board
    } else if text.contains("use crate::world::") || text.contains("use crate::pair::") {
        Level::Simulated
    } else if ["Appliance::start", "&Appliance", "firstmile_ends"].iter().any(|s| text.contains(s))
    {
        Level::Program
    } else {
        Level::Unit
    }
}

/// The tests of a file that show a fault.
fn shown(file: &str, text: &str) -> Vec<Shown> {
    let (mut announced, mut is_test, mut found) = (Vec::new(), false, Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(numbers) = line.strip_prefix("// Shows ") {
            announced = numbers.split(", ").filter_map(number).collect();
        }
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let Some(name) = line.strip_prefix("fn ").or(line.strip_prefix("async fn ")) else {
            continue;
        };
        let name = name.split('(').next().unwrap_or_default();
        let named = name.split('_').next().and_then(number);
        let numbers: Vec<usize> = announced.drain(..).chain(named).collect();
        if is_test && !numbers.is_empty() {
            let (test, file) = (name.to_owned(), file.to_owned());
            let level = level(&file, text);
            found.push(Shown { numbers, test, file, level });
        }
        is_test = false;
    }
    found
}

fn number(word: &str) -> Option<usize> {
    let digits = word.trim_end_matches('.').strip_prefix(['F', 'f'])?;
    (digits.len() == 2).then(|| digits.parse().ok())?
}

fn all_shown() -> Vec<Shown> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut files = Vec::new();
    walk(&root().join("src"), &mut files);
    walk(&root().join("tests"), &mut files);
    files.sort();
    let sources = files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let shown = sources.flat_map(|path| {
        let text = fs::read_to_string(&path).expect("reads");
        let file = path.strip_prefix(root()).expect("below it").to_string_lossy().into_owned();
        if file == "tests/tidy/faults.rs" { Vec::new() } else { shown(&file, &text) }
    });
    shown.collect()
}

/// Number, name, bound, and why it cannot be shown in emulation.
fn faults() -> Vec<(String, String, Option<String>)> {
    let text = fs::read_to_string(root().join("tests/data/faults.toml")).expect("reads");
    let data: Value = toml::from_str(&text).expect("TOML");
    let list = data["fault"].as_array().expect("a list of faults");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let each = list.iter().map(|fault| {
        let (name, bound) = (text(&fault["name"]), text(&fault["bound"]));
        (name.expect("a name"), bound.expect("a bound"), text(&fault["not_emulated"]))
    });
    each.collect()
}

fn table() -> String {
    let mut by_number: BTreeMap<usize, Vec<Shown>> = BTreeMap::new();
    for shown in all_shown() {
        for number in &shown.numbers {
            let Shown { test, file, level, .. } = &shown;
            let one =
                Shown { numbers: vec![], test: test.clone(), file: file.clone(), level: *level };
            by_number.entry(*number).or_default().push(one);
        }
    }
    let mut table = String::from(
        "| | fault | bound | unit | simulated | with the program | on the emulated board |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (index, (name, bound, not_emulated)) in faults().into_iter().enumerate() {
        let shown = by_number.remove(&(index + 1)).unwrap_or_default();
        assert!(!shown.is_empty(), "no test shows F{:02}, {name}", index + 1);
        let cell = |level: Level| {
            let here = shown.iter().filter(|shown| shown.level == level);
            let names: Vec<String> = here.map(|s| format!("`{}` ({})", s.test, s.file)).collect();
            names.join("<br>")
        };
        let board = match (cell(Level::Board), not_emulated) {
            (cell, Some(why)) => {
                assert!(cell.is_empty(), "F{:02} is shown on the board after all", index + 1);
                format!("not there: {why}")
            }
            (cell, None) => cell,
        };
        let (unit, simulated, program) =
            (cell(Level::Unit), cell(Level::Simulated), cell(Level::Program));
        let _ = writeln!(
            table,
            "| F{:02} | {name} | {bound} | {unit} | {simulated} | {program} | {board} |",
            index + 1
        );
    }
    assert!(by_number.is_empty(), "tests show faults that nobody knows: {by_number:?}");
    table
}

#[test]
fn every_fault_has_a_test_and_the_page_says_which() {
    between_marks("docs/faults.md", "faults", &table());
}

#[test]
fn a_test_says_which_faults_it_shows_by_its_name_or_above_it() {
    let text = "fn f01_helper() {}\n// Shows F02, F03.\n#[test]\nfn a() {}\n#[test]\nfn f04_b() {}\n\
                #[test]\nfn fox_trot() {}\n";
    let found = shown("src/x.rs", text);
    let found: Vec<_> = found.iter().map(|s| (s.test.as_str(), s.numbers.as_slice())).collect();
    assert_eq!(found, [("a", &[2, 3][..]), ("f04_b", &[4])]);
}
