//! A table of tests: whatever a new entry needs beyond itself would have to be written here.

use std::fmt;

use super::*;

/// A word of small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word;

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word of small letters")
    }
}

impl Form for Word {
    type Text = String;

    fn read(self, text: &str) -> Result<String, ValueError> {
        match text.bytes().all(|b| b.is_ascii_lowercase()) && !text.is_empty() {
            true => Ok(text.to_owned()),
            false => Err(ValueError::must_be(self)),
        }
    }
}

const fn entry(name: &'static str, kind: Kind<Word>) -> Entry<Word> {
    let fallback = Fallback::Words("none");
    Entry { name, kind, fallback, applies: Applies::Now, help: "what it does" }
}

const TABLE: Table<Word> = Table {
    head: &[entry("title", Kind::Text(Word))],
    groups: &[&[
        entry("clock.shown", Kind::Flag),
        entry("clock.face.hours", Kind::Choice(&["twelve", "all"])),
        entry("clock.face.size", Kind::Number { min: 2, max: 8, step: 2, unit: "" }),
        entry("clock.late", Kind::Decimal { min: -15, max: 20, decimals: 1, unit: "s" }),
        entry("clock.zone", Kind::Decimal { min: -12, max: 14, decimals: 0, unit: "" }),
        entry("clock.pins", Kind::Numbers { min: 1, max: 40 }),
        entry("clock.names", Kind::Texts(Word)),
        entry("clock.words", Kind::Texts(Word)),
        entry("clock.bells", Kind::Open(Word)),
        entry("alarm.name", Kind::Text(Word)),
    ]],
    lists: &["alarm"],
};

fn values(text: &str) -> Vec<String> {
    let document = TABLE.read("t.toml", text);
    assert!(document.mistakes.is_empty(), "{:?}", document.mistakes);
    let mut values: Vec<String> = document
        .found
        .iter()
        .map(|found| format!("{} {}", found.entry.name, found.value.as_ref().expect("read")))
        .collect();
    values.sort();
    values
}

#[test]
fn each_kind_is_read_from_a_file() {
    let text = "title = 'x'\n[clock]\nshown = true\npins = [1, 0x28]\nnames = 'a'\nwords = []\n\
                face = { hours = 'all', size = 4 }\n[[alarm]]\nname = 'b'\n";
    let expected = [
        "alarm.name b",
        "clock.face.hours all",
        "clock.face.size 4",
        "clock.names a",
        "clock.pins 1, 40",
        "clock.shown true",
        "clock.words ",
        "title x",
    ];
    assert_eq!(values(text), expected);
}

#[test]
fn a_number_below_zero_or_with_decimals_is_exact_and_one_with_too_many_is_refused() {
    for (written, read) in [
        ("0", "0"),
        ("-1.5", "-1.5"),
        ("+2", "2"),
        ("1.0", "1"),
        ("-0.5", "-0.5"),
        ("2.00", "2"),
        ("0.1", "0.1"),
    ] {
        let text = format!("clock.late = {written}\nclock.zone = -3\n");
        assert_eq!(values(&text), [format!("clock.late {read}"), "clock.zone -3".to_owned()]);
        let late = TABLE.find("clock.late").expect("is there").kind;
        assert_eq!(late.read(written).map(|value| value.to_string()), Ok(read.to_owned()));
    }
    for (written, problem) in [
        ("-1.6", "is -1.6, must be a number from -1.5 to 2 with at most one decimal (s)"),
        ("21", "is 21, must be a number from -1.5 to 2 with at most one decimal (s)"),
        ("0.15", "must be a number from -1.5 to 2 with at most one decimal (s)"),
        ("nan", "must be a number from -1.5 to 2 with at most one decimal (s)"),
        ("1e0", "must be a number from -1.5 to 2 with at most one decimal (s)"),
        ("99999999999", "must be a number from -1.5 to 2 with at most one decimal (s)"),
        ("'1'", "must be a number from -1.5 to 2 with at most one decimal (s)"),
    ] {
        let document = TABLE.read("t.toml", &format!("clock.late = {written}\n"));
        assert_eq!(document.mistakes[0].problem, problem, "{written}");
    }
    let zone = TABLE.find("clock.zone").expect("is there").kind;
    assert_eq!(zone.to_string(), "a whole number from -12 to 14");
    for refused in ["1.5", "", "-", ".", "1.", ".5", "- 1", "--1", "1,5", "15"] {
        assert!(zone.read(refused).is_err(), "{refused:?}");
    }
}

#[test]
fn every_mistake_has_its_place_and_says_what_is_allowed() {
    let text = "tilte = 'x'\n[clock]\nshown = 1\npins = [41]\nnames = ['a', 'B']\nwords = 3\n\
                face = { hours = 'none', size = 3, hour = 1 }\n[alarm]\n";
    let mistakes = Mistakes::new("t.toml", TABLE.read("t.toml", text).mistakes);
    let expected = "\
t.toml:1:1: tilte: does not exist; did you mean title?
t.toml:3:9: clock.shown: must be true or false
t.toml:4:8: clock.pins: is 41, must be a list of whole numbers from 1 to 40
t.toml:5:9: clock.names: must be a word of small letters
t.toml:6:9: clock.words: must be a word of small letters, or a list of them
t.toml:7:18: clock.face.hours: must be one of twelve, all
t.toml:7:33: clock.face.size: is 3, must be an even number from 2 to 8
t.toml:7:36: clock.face.hour: does not exist; did you mean hours?
t.toml:8:2: alarm: each alarm begins with a line [[alarm]], with two brackets";
    assert_eq!(mistakes.to_string(), expected);
}

#[test]
fn a_value_of_a_broken_line_is_neither_read_nor_missing() {
    let document = TABLE.read("t.toml", "title = = 'x'\n[clock]\nshown = true\n");
    assert!(document.is_broken && document.get("title").is_none());
    assert_eq!(document.get("clock.shown").and_then(|f| f.value.clone()), Some(Value::Flag(true)));
    assert_eq!(document.mistakes.len(), 1, "{:?}", document.mistakes);
    assert_eq!(document.sections["clock"].line, 2);
}

#[test]
fn tables_of_things_with_keys_of_their_own_are_read_with_both_names() {
    let text =
        "[clock.bells.\"north 1\"]\nlow = 'ding'\nhigh = 'dong'\n[clock.bells.south]\nlow = true\n";
    let document = TABLE.read("t.toml", text);
    assert!(document.mistakes.is_empty(), "{:?}", document.mistakes);
    let mut found: Vec<String> = document
        .found
        .iter()
        .map(|found| {
            let (thing, key) = found.open.clone().expect("names");
            let value = found.value.as_ref().expect("read");
            format!("{} {thing} {key} {value} {}", found.entry.name, found.place.line)
        })
        .collect();
    found.sort();
    let expected = [
        "clock.bells north 1 high dong 3",
        "clock.bells north 1 low ding 2",
        "clock.bells south low true 5",
    ];
    assert_eq!(found, expected);
    let problem = "must be tables: [clock.bells.\"NAME\"] on a line of its own, with one setting a line \
                   below it";
    for wrong in ["clock.bells = 'x'\n", "[clock.bells]\nlow = 'ding'\n", "[[clock.bells]]\n"] {
        let document = TABLE.read("t.toml", wrong);
        assert_eq!(document.mistakes[0].problem, problem, "{wrong}");
    }
    let document = TABLE.read("t.toml", "clock.bells.south.low = [1]\n");
    assert_eq!(document.mistakes[0].problem, "must be a word of small letters");
}
