//! What boxes run is built without the demo, and nothing of the demo is in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const WITHOUT: &str = "--no-default-features";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The crates that are linked into the program with these features.
fn linked(features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges=normal", "--prefix=none", "--format={p}"])
        .args(features)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn no_crate_of_the_demo_is_linked_into_the_firmware() {
    let (demo, firmware) = (linked(&[]), linked(&[WITHOUT]));
    for name in ["rcgen", "yasna"] {
        assert!(demo.contains(name) && !firmware.contains(name), "{name}");
    }
    assert!(firmware.is_subset(&demo) && firmware.contains("ring"), "{firmware:?}");
}

#[test]
fn packages_and_images_are_built_without_the_demo() {
    let cargo: toml::Table = read("Cargo.toml").parse().expect("TOML");
    assert_eq!(cargo["features"]["default"], toml::Value::from(vec!["demo"]));
    let deb = &cargo["package"]["metadata"]["deb"];
    assert_eq!(deb["default-features"], toml::Value::Boolean(false));
    // Every build of the program, and the paper that describes it.
    for file in [".ci/deb", ".ci/cross"] {
        let text = read(file);
        let builds = text.lines().filter(|line| {
            line.contains("cargo auditable build") || line.contains("--example paperwork")
        });
        let builds: Vec<&str> = builds.collect();
        assert!(!builds.is_empty(), "{file} builds");
        assert!(builds.iter().all(|line| line.contains(WITHOUT)), "{file}: {builds:?}");
    }
    let recipe = read("yocto-layer/recipes-multimedia/firstmile/firstmile_0.1.0.bb");
    let flags = format!("CARGO_BUILD_FLAGS:append = \" {WITHOUT}\"");
    assert!(recipe.lines().any(|line| line == flags), "the recipe has no line {flags}");
}

#[test]
fn the_demo_is_compiled_with_its_feature_alone() {
    for (file, item) in [("src/lib.rs", "pub mod sim;"), ("src/cli/mod.rs", "mod demo;")] {
        let text = read(file);
        let before = text.lines().zip(text.lines().skip(1));
        let gated = before.filter(|(_, line)| *line == item).map(|(gate, _)| gate);
        assert_eq!(gated.collect::<Vec<_>>(), ["#[cfg(feature = \"demo\")]"], "{file}: {item}");
    }
}
