//! The licences of everything that is linked in, with their texts; equal texts once.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;

use super::dependencies::{Dependencies, Package};

/// How the files begin in which packages keep their licences.
const NAMES: &[&str] = &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
const RULE: &str =
    "────────────────────────────────────────────────────────────────────────────────";

pub fn text(dependencies: &Dependencies) -> Result<String, Box<dyn Error>> {
    let mut out =
        "firstmile is linked with the packages below. Each is under the licence named beside it; \
                   the texts follow.\n\n"
            .to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in &dependencies.packages {
        let id = format!("{} {}", package.name, package.version);
        writeln!(out, "{id}  {}", package.licence)?;
        let found = files(package)?;
        if found.is_empty() {
            // Packages without a file of their own are under one of the texts that follow.
            let by = package.authors.join(", ");
            writeln!(
                out,
                "    brings no text; {by} {}",
                package.repository.as_deref().unwrap_or("")
            )?;
        }
        for text in found {
            texts.entry(text).or_default().push(id.clone());
        }
    }
    for (text, of) in &texts {
        writeln!(out, "\n{RULE}\n{}\n{RULE}\n\n{}", of.join(", "), text)?;
    }
    Ok(out)
}

/// The texts in a package's folder, with plain line ends.
fn files(package: &Package) -> Result<Vec<String>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(&package.folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && NAMES.iter().any(|begin| name.starts_with(begin)) {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path| Ok(fs::read_to_string(path)?.replace("\r\n", "\n").trim().to_owned());
    paths.into_iter().map(read).collect()
}
