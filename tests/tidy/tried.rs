//! The README says what the emulated board tries, because the scenarios say so themselves: in the words that
//! their file begins with, and in its line `//! With:`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::generated::between_marks;

const SCENARIOS: &str = "tests/board/scenarios";
const WITH: &str = "With: ";

/// What a file of scenarios says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Tried {
    promise: String,
    with: String,
    all: usize,
    fast: usize,
}

impl Tried {
    /// `None` for what lacks a promise, or does not say with what it is tried.
    fn of(text: &str) -> Option<Tried> {
        let about = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
        let about: Vec<&str> = about.collect();
        let (promise, with) = about.split_at(about.iter().position(|l| l.starts_with(WITH))?);
        let words = |lines: &[&str]| lines.join(" ").trim().trim_end_matches('.').to_owned();
        let (promise, with) = (words(promise), words(with));
        let count = |attribute: &str| {
            text.lines().filter(|line| line.trim().starts_with(attribute)).count()
        };
        let all = count("#[test]");
        let with = with.trim_start_matches(WITH).to_owned();
        let fast = all.checked_sub(count("#[ignore"))?;
        (!promise.is_empty() && all > 0).then_some(Tried { promise, with, all, fast })
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| !file.ends_with("mod.rs"));
    files.sort();
    files
}

fn table() -> String {
    let mut table = "| what is tried | with | scenarios | of these in the fast set |\n\
                     |---|---|---|---|\n"
        .to_owned();
    let (mut all, mut fast) = (0, 0);
    for file in files(&root().join(SCENARIOS)) {
        let text = fs::read_to_string(&file).expect("reads");
        let tried = Tried::of(&text);
        let tried =
            tried.unwrap_or_else(|| panic!("{}: no promise, or no `With:`", file.display()));
        (all, fast) = (all + tried.all, fast + tried.fast);
        let Tried { promise, with, all, fast } = tried;
        let _ = writeln!(table, "| {promise} | {with} | {all} | {fast} |");
    }
    let _ = writeln!(table, "| all together | | {all} | {fast} |");
    table
}

#[test]
fn the_readme_says_what_each_scenario_of_the_emulated_board_tries() {
    between_marks("README.md", "tried", &table());
}

#[test]
fn scenarios_that_do_not_say_with_what_they_are_tried_are_found() {
    let text = "//! A box is\n//! live.\n//!\n//! With: `a`,\n//! b.\n\n#[test]\nfn x() {}\n#[test]\n\
                #[ignore = \"slow\"]\nfn y() {}\n";
    let (promise, with) = ("A box is live".to_owned(), "`a`, b".to_owned());
    assert_eq!(Tried::of(text), Some(Tried { promise, with, all: 2, fast: 1 }));
    assert_eq!(Tried::of(&text.replace("With", "by")), None);
    assert_eq!(Tried::of(&text.replace("#[test]", "")), None);
}
