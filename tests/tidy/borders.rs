//! What comes from outside passes one place each: files through `file`, texts through `sanitize`.

use crate::source::{Token, tokens};
use crate::{assert_none, in_src, sources};

/// Who opens files by itself, and why the path or the file cannot hold it up.
const OPENS_FILES: &[(&str, &str)] = &[
    ("file.rs", "the place"),
    ("capture/discovery/inventory.rs", "the kernel's own, below /sys and /proc"),
    ("cli/board/selection.rs", "the device tree, below /sys"),
    ("device/folder.rs", "writes to the store's folder, without following links or waiting"),
    ("device/lights/kernel_led.rs", "the kernel's own, below /sys"),
    ("device/machine.rs", "the kernel's own, below /sys"),
    ("device/network.rs", "the kernel's own, below /proc"),
    ("device/port/holder.rs", "the kernel's own, below /proc"),
    ("device/restarts.rs", "the service's own runtime folder, and /proc"),
    ("publish/file/input.rs", "somebody pushes a pipe, and waits for it"),
    ("device/stick/mounted.rs", "a block device, without waiting, and the kernel's own below /sys"),
    ("device/stick.rs", "writes to a stick, without following links or waiting"),
];

/// Calls that open a file to be read.
const OPENS: &[[&str; 3]] = &[
    ["File", "::", "open"],
    ["fs", "::", "read"],
    ["fs", "::", "read_to_string"],
    ["OpenOptions", "::", "new"],
];

/// Where in a file these tokens follow one another, tests aside.
fn calls(text: &str, wanted: &[&str]) -> Vec<usize> {
    let all: Vec<Token> = tokens(text).into_iter().filter(|token| !token.in_test).collect();
    let begins =
        |at: &[Token]| at.iter().map(|token| token.text.as_str()).eq(wanted.iter().copied());
    all.windows(wanted.len()).filter(|at| begins(at)).map(|at| at[0].line).collect()
}

#[test]
fn files_that_somebody_else_names_are_opened_in_one_place() {
    let sources = sources();
    let others = sources.iter().filter(|file| !file.is_test());
    let others = others.filter(|file| !OPENS_FILES.iter().any(|(path, _)| *path == file.path));
    assert_none(others.flat_map(|file| {
        let lines = OPENS.iter().flat_map(|call| calls(&file.text, call));
        let found = lines.map(|line| format!("{}:{line}: opens a file; `file` does", file.path));
        found.map(in_src).collect::<Vec<_>>()
    }));
    let gone = OPENS_FILES.iter().filter(|(path, _)| {
        let file = sources.iter().find(|file| file.path == *path);
        !file.is_some_and(|file| OPENS.iter().any(|call| !calls(&file.text, call).is_empty()))
    });
    assert_none(gone.map(|(path, _)| format!("OPENS_FILES: src/{path} opens no file any more")));
}

#[test]
fn texts_of_others_are_made_safe_in_one_place() {
    let sources = sources();
    let others = sources.iter().filter(|file| !file.is_test() && file.path != "sanitize.rs");
    assert_none(others.flat_map(|file| {
        let call = ["replace", "(", "char", "::", "is_control"];
        let found = calls(&file.text, &call).into_iter();
        let found =
            found.map(|line| format!("{}:{line}: cleans a text; `sanitize` does", file.path));
        found.map(in_src).collect::<Vec<_>>()
    }));
}

#[test]
fn a_file_that_is_opened_is_found_outside_tests_alone() {
    let text = "fn f() { File::open(path); }\n#[cfg(test)]\nmod tests { fn g() { File::open(x) } }";
    assert_eq!(calls(text, &OPENS[0]), [1]);
}
