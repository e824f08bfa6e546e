//! What is linked into the program, from `cargo metadata` and the lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// The program and everything it is linked with.
pub struct Dependencies {
    /// The program itself.
    pub program: Package,
    /// By name and version; without the program.
    pub packages: Vec<Package>,
}

/// A package.
pub struct Package {
    pub name: String,
    pub version: String,
    /// An SPDX expression.
    pub licence: String,
    pub authors: Vec<String>,
    pub repository: Option<String>,
    /// Where its source is.
    pub folder: PathBuf,
    /// SHA-256 of the source archive.
    pub checksum: Option<String>,
    /// What it is linked with, by purl.
    pub needs: Vec<String>,
}

impl Package {
    /// The package's address among all of the world's (package-url).
    pub fn purl(&self) -> String {
        purl(&self.name, &self.version)
    }
}

fn purl(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{version}")
}

impl Dependencies {
    pub fn of(root: &Path, target: &str) -> Result<Dependencies, Box<dyn Error>> {
        let metadata = metadata(root, target)?;
        let nodes = by_id(&metadata["resolve"]["nodes"]);
        let known = by_id(&metadata["packages"]);
        let program = text(&metadata["resolve"]["root"])?;
        let linked = linked(&nodes, program);
        let checksums = checksums(&fs::read_to_string(root.join("Cargo.lock"))?)?;
        let mut packages = Vec::new();
        for id in &linked {
            packages.push(package(known[id], nodes[id], &known, &checksums)?);
        }
        packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        let program = package(known[program], nodes[program], &known, &checksums)?;
        Ok(Dependencies { program, packages })
    }
}

fn metadata(root: &Path, target: &str) -> Result<Value, Box<dyn Error>> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", target])
        // As this program itself is built, so is the one that is described.
        .args((!cfg!(feature = "demo")).then_some("--no-default-features"))
        .current_dir(root)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("not a text: {value}"))
}

fn by_id(list: &Value) -> BTreeMap<&str, &Value> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| Some((item["id"].as_str()?, item))).collect()
}

/// A node's dependencies that end up in the program, not in its build.
fn needs(node: &Value) -> impl Iterator<Item = &str> {
    let deps = node["deps"].as_array().into_iter().flatten();
    let normal = |dep: &&Value| {
        dep["dep_kinds"].as_array().into_iter().flatten().any(|kind| kind["kind"].is_null())
    };
    deps.filter(normal).filter_map(|dep| dep["pkg"].as_str())
}

fn linked<'a>(nodes: &BTreeMap<&'a str, &'a Value>, program: &'a str) -> BTreeSet<&'a str> {
    let (mut found, mut next) = (BTreeSet::new(), vec![program]);
    while let Some(id) = next.pop() {
        let new: Vec<&str> = needs(nodes[id]).filter(|id| found.insert(*id)).collect();
        next.extend(new);
    }
    found
}

fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>, Box<dyn Error>> {
    let lock: toml::Table = lock.parse()?;
    let packages = lock.get("package").and_then(|packages| packages.as_array());
    let field = |package: &toml::Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    let checksum = |package: &toml::Value| {
        let id = (field(package, "name")?, field(package, "version")?);
        Some((id, field(package, "checksum")?))
    };
    Ok(packages.into_iter().flatten().filter_map(checksum).collect())
}

fn package(
    about: &Value,
    node: &Value,
    known: &BTreeMap<&str, &Value>,
    checksums: &BTreeMap<(String, String), String>,
) -> Result<Package, Box<dyn Error>> {
    let (name, version) = (text(&about["name"])?.to_owned(), text(&about["version"])?.to_owned());
    let licence = about["license"].as_str().ok_or_else(|| format!("{name} has no licence"))?;
    let manifest = Path::new(text(&about["manifest_path"])?);
    let authors = about["authors"].as_array().into_iter().flatten();
    let named = |id: &str| {
        let package = known.get(id)?;
        Some(purl(package["name"].as_str()?, package["version"].as_str()?))
    };
    Ok(Package {
        // Older packages write `MIT/Apache-2.0`.
        licence: licence.replace('/', " OR ").replace("  ", " "),
        authors: authors.filter_map(|author| Some(author.as_str()?.to_owned())).collect(),
        repository: about["repository"].as_str().map(str::to_owned),
        folder: manifest.parent().unwrap_or(Path::new("")).to_owned(),
        checksum: checksums.get(&(name.clone(), version.clone())).cloned(),
        needs: needs(node).filter_map(named).collect(),
        name,
        version,
    })
}
