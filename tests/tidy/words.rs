//! The field's words: what has a standard name is called by it, in names, comments, messages and
//! documents.

use std::collections::BTreeSet;
use std::fs;

use crate::{File, assert_none, files, root};

/// Where a word is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// In names, in prose and in messages.
    Everywhere,
    /// In the names of `src` alone; as prose it has a meaning of its own.
    Names,
}
use Scope::{Everywhere, Names};

/// Each word in all its forms, or a phrase, and what stands in its place.
const HOUSE_WORDS: &[(Scope, &[&str], &str)] = &[
    (Everywhere, &["picture", "pictures"], "frame, video"),
    (Everywhere, &["sound", "sounds"], "audio"),
    (Everywhere, &["programme", "programmes"], "encoder pipeline; for people stream, broadcast"),
    (Everywhere, &["told"], "notified, reported"),
    (Everywhere, &["said"], "message"),
    (Names, &["seen"], "observation, observed"),
    (Everywhere, &["news"], "mailbox, event"),
    (Names, &["numbers"], "stats, figures"),
    (Names, &["desk"], "context"),
    (Names, &["hands"], "devices"),
    (Everywhere, &["wish", "wishes", "wished"], "request"),
    (Everywhere, &["errand", "errands"], "single-flight job"),
    (Everywhere, &["latch", "latches", "latched"], "persisted live state"),
    (Names, &["recipe", "recipes", "ways", "sight"], "source candidates, candidates, presence"),
    (Names, &["pulse", "mender"], "mixer, encoder supervisor"),
    (Everywhere, &["keeper", "keepers"], "settings writer"),
    (Names, &["sealed", "dots"], "checksummed record, bitmap"),
    (Everywhere, &["journey", "journeys"], "connect attempt"),
    (Everywhere, &["dance", "dances"], "publish sequence"),
    (Names, &["manner", "humbler"], "compatibility, fall back"),
    (Everywhere, &["farewell", "farewells"], "graceful close"),
    (Everywhere, &["anew"], "again, restarted"),
    (Everywhere, &["settings hold", "settings held", "default holds"], "applied, applies"),
    (Everywhere, &["kept apart"], "stored separately"),
    (Everywhere, &["takes over the settings", "settings are taken over"], "imports, imported"),
    (Everywhere, &["can bear"], "target bitrate"),
    (Everywhere, &["for ever"], "permanently, without end"),
];

/// The one setting, and names of others, in which a house word is right.
const RIGHT: &[&str] = &[
    "slate.picture",
    "slate_picture",
    "`picture`", // the command, as is the next one
    "ctl picture",
    "picture parameter set",
    "picture order count",
    "sound card",
    "no sound",    // what its owner says of a clip without an audio track
    "SoundFormat", // of FLV, as are the next three
    "SoundRate",
    "SoundSize",
    "SoundType",
    "sound_format",
];

/// Where a word has a meaning of its own.
const ELSEWHERE: &[(&str, &str)] = &[
    ("src/typed_toml", "numbers"),
    ("src/board", "numbers"),
    ("src/console", "picture"), // the name of a command, as in the next four
    ("tests/console", "picture"),
    ("tests/control", "picture"),
    ("tests/program/before_live", "picture"),
    ("tests/stories/control", "picture"),
    ("src/config", "numbers"),
    ("src/device/store", "latch"), // the name of a file that boxes have
    ("src/capture/discovery", "sound"), // the kernel's name of a subsystem, and of its cards
    ("src/capture/controls", "sound"), // the same cards
];

/// Everything that the field reads.
fn texts() -> Vec<File> {
    let below = |folder: &'static str, end: &str| {
        let files = files(folder, &[end]).into_iter();
        files.map(move |f| File { path: format!("{folder}/{}", f.path), text: f.text })
    };
    let mut found: Vec<File> = below("src", ".rs").collect();
    found.extend(below("tests", ".rs"));
    found.extend(below("tests/stories", ".txt"));
    found.extend(below("tests/console", ".txt"));
    found.extend(below("docs", ".md"));
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    found.push(File { path: "README.md".to_owned(), text: readme });
    // The list does not find itself.
    found.retain(|file| file.path != "tests/tidy/words.rs");
    found
}

/// A name of more parts than this is a sentence, as those of tests are.
const PARTS_MAX: usize = 4;

/// The parts of the names in a line of Rust, sentences aside.
fn parts_of_names(line: &str) -> BTreeSet<String> {
    let code = code(line);
    let names = code.split(|c: char| !c.is_alphanumeric() && c != '_');
    let short = names.filter(|name| name.split('_').count() <= PARTS_MAX);
    short.flat_map(parts).collect()
}

/// The parts of a line's words, in small letters: `PicturesLeft_now` is `pictures`, `left`, `now`.
fn parts(line: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    let (mut part, mut before) = (String::new(), ' ');
    for c in line.chars().chain([' ']) {
        if !c.is_alphanumeric() || (before.is_lowercase() && c.is_uppercase()) {
            parts.insert(std::mem::take(&mut part));
        }
        if c.is_alphanumeric() {
            part.extend(c.to_lowercase());
        }
        before = c;
    }
    parts
}

/// A line of Rust without its comment and its texts.
fn code(line: &str) -> String {
    let (mut code, mut in_text, mut escaped, mut before) = (String::new(), false, false, ' ');
    for c in line.chars() {
        match c {
            '/' if !in_text && before == '/' => break,
            '"' if !escaped => in_text = !in_text,
            _ if !in_text => code.push(c),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        before = c;
    }
    code
}

/// Whether a line in small letters has a phrase of whole words.
fn has_phrase(line: &str, phrase: &str) -> bool {
    line.match_indices(phrase).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + phrase.len()..]);
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    })
}

/// The house words of a text, with their lines and what stands in their places.
fn house_words(file: &File) -> Vec<String> {
    let is_code = file.path.starts_with("src/");
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        let line = RIGHT.iter().fold(line.to_owned(), |line, name| line.replace(name, ""));
        let (low, all) = (line.to_lowercase(), parts(&line));
        let names = if is_code { parts_of_names(&line) } else { BTreeSet::new() };
        for (scope, words, instead) in HOUSE_WORDS {
            let is_there = |word: &&&str| match scope {
                Names => names.contains(**word),
                Everywhere if word.contains(' ') => has_phrase(&low, word),
                Everywhere => all.contains(**word),
            };
            let is_right = |word: &&&str| {
                ELSEWHERE.iter().any(|(place, right)| right == *word && is_of(file, place))
            };
            let there = words.iter().filter(is_there).filter(|word| !is_right(word));
            let path = &file.path;
            found.extend(there.map(|word| format!("{path}:{}: {word}: {instead}", number + 1)));
        }
    }
    found
}

/// Whether a file is that file or in that folder.
fn is_of(file: &File, place: &str) -> bool {
    let rest = file.path.strip_prefix(place);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
}

#[test]
fn what_has_a_standard_name_is_called_by_it() {
    assert_none(texts().iter().flat_map(house_words));
}

fn found(path: &str, text: &str) -> Vec<String> {
    house_words(&File { path: path.to_owned(), text: text.to_owned() })
}

#[test]
fn a_house_word_is_found_in_names_comments_messages_and_documents() {
    for (path, text, word) in [
        ("src/a.rs", "fn set_picture() {}", "picture"),
        ("src/a.rs", "struct PictureFormat;", "picture"),
        ("src/a.rs", "const SOUNDS_MAX: u32 = 1;", "sounds"),
        ("src/a.rs", "// It begins anew.", "anew"),
        ("src/a.rs", "let a = \"what this path can bear\";", "can bear"),
        ("src/a/b.rs", "let numbers = 1; // figures", "numbers"),
        ("src/a.rs", "// For every box (for ever).", "for ever"),
        ("tests/a/b.rs", "let told = 1;", "told"),
        ("docs/a.md", "Programmes end.", "programmes"),
        ("README.md", "It takes over the Settings of a stick.", "takes over the settings"),
    ] {
        let found = found(path, &format!("\n{text}"));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("{path}:2: {word}: ")), "{found:?}");
    }
}

#[test]
fn other_words_and_other_meanings_are_let_be() {
    for (path, text) in [
        ("src/a.rs", "// The key `slate.picture`; a picture parameter set; a sound card."),
        ("src/a.rs", "// It has numbers, is held in both hands and was seen. \" numbers"),
        ("src/a.rs", "println!(\"numbers // {hands}\"); fn soundness() {}"),
        ("src/a.rs", "// It asks for every frame that it can bearing no delay."),
        ("src/a.rs", "fn an_address_that_refuses_hands_over_to_the_next() {}"),
        ("src/typed_toml/kind.rs", "let numbers = 1;"),
        ("tests/a/b.rs", "let numbers = hands;"),
        ("docs/a.md", "The recipe has two ways."),
    ] {
        assert_eq!(found(path, text), [""; 0], "{text}");
    }
}

#[test]
fn a_place_is_a_file_or_a_whole_folder() {
    let is_of = |path: &str, place| {
        super::words::is_of(&File { path: path.to_owned(), text: String::new() }, place)
    };
    assert!(is_of("src/run/mod.rs", "src/run") && is_of("src/run.rs", "src/run"));
    assert!(!is_of("src/runner/mod.rs", "src/run") && is_of("README.md", "README"));
}
