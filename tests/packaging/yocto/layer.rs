//! Reads the Yocto layer as BitBake would, as far as the promises about it need.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

/// A file of the layer: its path below `yocto-layer`, and what it says.
pub struct Metadata {
    pub path: String,
    pub text: String,
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn table(path: &str) -> Table {
    read(path).parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What was read in the layers of the series.
pub fn given() -> Table {
    table("tests/data/yocto.toml")
}

pub fn strings(value: &toml::Value) -> Vec<String> {
    let list = value.as_array().expect("a list").iter();
    list.map(|v| v.as_str().expect("a string").to_owned()).collect()
}

/// Every file of the layer.
pub fn layer() -> Vec<Metadata> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the layer is there").flatten() {
            let path = entry.path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let (base, mut found) = (root().join("yocto-layer"), Vec::new());
    walk(&base, &mut found);
    found.sort();
    let read = |path: &PathBuf| Metadata {
        path: path.strip_prefix(&base).expect("below the layer").display().to_string(),
        text: fs::read_to_string(path).expect("the layer is text"),
    };
    found
        .iter()
        .filter(|p| !p.components().any(|c| c.as_os_str() == "__pycache__"))
        .map(read)
        .collect()
}

/// The one file of the layer whose path ends so.
pub fn file(ends: &str) -> Metadata {
    let mut found = layer().into_iter().filter(|f| f.path.ends_with(ends));
    let one = found.next().unwrap_or_else(|| panic!("yocto-layer has no {ends}"));
    assert!(found.next().is_none(), "yocto-layer has more than one {ends}");
    one
}

/// Lines without comments, with those that end in a backslash joined to the next.
pub fn logical_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let (text, continues) = match line.strip_suffix('\\') {
            Some(text) => (text, true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some(last) if open => *last = format!("{last} {}", text.trim()),
            _ => lines.push(text.trim_end().to_owned()),
        }
        open = continues;
    }
    lines
}

impl Metadata {
    pub fn is_recipe(&self) -> bool {
        [".bb", ".bbappend", ".inc"].iter().any(|end| self.path.ends_with(end))
    }

    /// Assignments as (name, value), whatever their operator.
    pub fn assignments(&self) -> Vec<(String, String)> {
        let lines = logical_lines(&self.text);
        let pairs = lines.iter().filter(|line| !line.starts_with([' ', '\t'])).filter_map(|line| {
            let (left, right) = line.split_once('=')?;
            let name =
                left.trim_start_matches("export ").trim_end_matches([' ', '?', '+', ':', '.']);
            let value = right.trim().strip_prefix('"')?.strip_suffix('"')?;
            (!name.contains(char::is_whitespace)).then(|| (name.to_owned(), value.to_owned()))
        });
        pairs.collect()
    }

    /// Everything that is assigned to this name, word by word.
    pub fn words(&self, name: &str) -> Vec<String> {
        let values = self.assignments().into_iter().filter(|(n, _)| n == name);
        values
            .flat_map(|(_, v)| v.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// The paths in `file://` entries, wherever they are named.
    pub fn local_sources(&self) -> Vec<String> {
        let entries = logical_lines(&self.text).join("\n");
        let entries =
            entries.split([' ', '"', '\n', '\t']).filter_map(|w| w.strip_prefix("file://"));
        let taken = entries.filter(|e| !e.contains(";md5="));
        taken.map(|e| e.split(';').next().unwrap_or_default().to_owned()).collect()
    }

    /// What `install` copies from below `from`, with the loops of the shell unrolled.
    pub fn installed_from(&self, from: &str) -> Vec<String> {
        let (mut found, mut looped): (Vec<String>, Option<(String, Vec<String>)>) =
            (Vec::new(), None);
        for line in self.text.lines().map(str::trim) {
            if let Some((name, list)) = line.strip_prefix("for ").and_then(|l| l.split_once(" in "))
            {
                let list = list.trim_end_matches("; do").split_whitespace();
                looped = Some((format!("${name}"), list.map(str::to_owned).collect()));
            } else if line == "done" {
                looped = None;
            } else if line.starts_with("install ") {
                let sources = line.split_whitespace().filter_map(|word| word.strip_prefix(from));
                for source in sources {
                    match &looped {
                        Some((name, list)) => {
                            found.extend(list.iter().map(|each| source.replace(name, each)));
                        }
                        None => found.push(source.to_owned()),
                    }
                }
            }
        }
        found
    }
}
