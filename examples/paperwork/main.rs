//! Writes what a package contains besides the program: manual pages, shell completions, the licences
//! of everything that is linked in, and a list of it (CycloneDX). All of it is made from the source and
//! its lock file, without network access.
//!
//! ```text
//! cargo run --no-default-features --example paperwork -- FOLDER [TARGET]
//! ```
//!
//! Build it with the features of the program that it describes: packages contain one without the demo.

mod dependencies;
mod licences;
mod manual;
mod sbom;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use dependencies::Dependencies;

/// What most boxes are.
const TARGET: &str = "aarch64-unknown-linux-gnu";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let folder =
        PathBuf::from(arguments.next().ok_or("the folder is missing: paperwork FOLDER [TARGET]")?);
    let target = arguments.next().unwrap_or_else(|| TARGET.to_owned());
    fs::create_dir_all(&folder)?;
    manual::pages(&folder.join("man"))?;
    manual::completions(&folder.join("completions"))?;
    let dependencies = Dependencies::of(Path::new(env!("CARGO_MANIFEST_DIR")), &target)?;
    fs::write(folder.join("THIRD-PARTY.txt"), licences::text(&dependencies)?)?;
    fs::write(folder.join("sbom.cdx.json"), sbom::text(&dependencies)?)?;
    println!("{}: {} packages", folder.display(), dependencies.packages.len());
    Ok(())
}
