//! Parts of the manual that are made from the product's data, and held to it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::Path;
use std::{env, fs};

/// Holds a page, by its path in the project, to what is made for it: from the line after `<!-- NAME: begin (…) -->`
/// to `<!-- NAME: end -->`. `FIRSTMILE_BLESS=1` writes it there.
#[track_caller]
pub fn between_marks(page: &str, name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{page}: {e}"));
    let begin = format!("<!-- {name}: begin (");
    let at = text.find(&begin).unwrap_or_else(|| panic!("{page} lacks `{begin}`"));
    let from = at + text[at..].find('\n').expect("a line") + 1;
    let end = format!("<!-- {name}: end -->");
    let to = from + text[from..].find(&end).unwrap_or_else(|| panic!("{page} lacks `{end}`"));
    if env::var_os("FIRSTMILE_BLESS").is_some() {
        fs::write(&path, format!("{}{made}{}", &text[..from], &text[to..])).expect("writes");
    } else {
        assert_eq!(&text[from..to], made, "{page}: FIRSTMILE_BLESS=1 writes it again");
    }
}

/// Holds a whole file, by its path in the project, to what is made for it. `FIRSTMILE_BLESS=1` writes it.
#[track_caller]
pub fn file(file: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("FIRSTMILE_BLESS").is_some() {
        return fs::write(&path, made).unwrap_or_else(|e| panic!("{file}: {e}"));
    }
    let found = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
    assert!(found == made, "{file} differs; FIRSTMILE_BLESS=1 writes it again:\n{made}");
}
