//! Embeds every board profile, so that a new board is a new file in `board/` and nothing else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=board");
    // A checkout that was moved has its profiles elsewhere.
    println!("cargo::rerun-if-env-changed=CARGO_MANIFEST_DIR");
    let folder = PathBuf::from(var("CARGO_MANIFEST_DIR")?).join("board");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|ends| ends == "toml"));
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        let name = file.file_stem().unwrap_or_default();
        let _ = writeln!(table, "    ({:?}, include_str!({file:?})),", name.to_string_lossy());
    }
    table.push_str("]\n");
    fs::write(Path::new(&var("OUT_DIR")?).join("boards.rs"), table)
}

fn var(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}
