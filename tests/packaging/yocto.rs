//! The Yocto layer keeps step with the program. None of this needs BitBake: what BitBake itself says
//! of the layer is in `yocto-layer/README.md`.

mod boards;
mod encoders;
mod layer;

use std::collections::BTreeSet;
use std::process::Command;
use std::{env, fs};

use layer::{Metadata, file, layer, read, root, table};

const CRATES: &str = "yocto-layer/recipes-multimedia/firstmile/firstmile-crates.inc";
const RECIPE: &str = "firstmile_0.1.0.bb";

#[track_caller]
fn assert_none(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Every crate that Cargo.lock pins, as BitBake fetches it.
fn crates() -> String {
    let lock = table("Cargo.lock");
    let packages = lock["package"].as_array().expect("packages");
    let fetched = packages.iter().filter_map(|package| {
        let source = package.get("source")?.as_str()?;
        assert!(
            source.contains("crates.io"),
            "{package} comes from elsewhere: the recipe must fetch it"
        );
        let text = |key: &str| package[key].as_str().expect("a string");
        Some((text("name"), text("version"), text("checksum")))
    });
    let (mut uris, mut sums) = (String::new(), String::new());
    for (name, version, sum) in fetched {
        uris += &format!("    crate://crates.io/{name}/{version};name={name}-{version} \\\n");
        sums += &format!("SRC_URI[{name}-{version}.sha256sum] = \"{sum}\"\n");
    }
    format!(
        "# Made from Cargo.lock by `make yocto-crates`.\n\nSRC_URI += \" \\\n{uris}\"\n\n{sums}"
    )
}

/// `make yocto-crates` is this with `FIRSTMILE_BLESS=1`, which writes the list again.
#[test]
fn the_recipe_fetches_the_crates_of_cargo_lock() {
    let made = crates();
    if env::var_os("FIRSTMILE_BLESS").is_some() {
        fs::write(root().join(CRATES), made).expect("the list is written");
        return;
    }
    assert!(
        read(CRATES) == made,
        "Cargo.lock has changed: `make yocto-crates` writes {CRATES} again"
    );
}

#[test]
fn the_recipe_is_of_this_version_and_compiles_with_the_series_compiler() {
    let (cargo, given) = (table("Cargo.toml"), layer::given());
    let package = &cargo["package"];
    let version = package["version"].as_str().expect("a version");
    assert_eq!(RECIPE, format!("firstmile_{version}.bb"), "rename the recipe and RECIPE here");
    file(RECIPE);
    let parts = |text: &toml::Value| -> Vec<u32> {
        text.as_str().expect("a version").split('.').map(|n| n.parse().expect("a number")).collect()
    };
    let (ours, theirs) = (parts(&package["rust-version"]), parts(&given["series"]["rust"]));
    assert!(ours <= theirs, "the series has Rust {theirs:?}, and we need {ours:?}");
}

#[test]
fn every_file_that_a_recipe_takes_exists() {
    assert_none(layer().iter().filter(|f| f.is_recipe()).flat_map(|recipe| {
        let here = root().join("yocto-layer").join(&recipe.path);
        let here = here.parent().expect("a folder").to_owned();
        let bases =
            if recipe.path.ends_with(RECIPE) { vec![root()] } else { vec![here.join("files")] };
        let missing = move |name: &String| {
            !bases.iter().any(|base| base.join(name.split('*').next().unwrap_or_default()).exists())
        };
        let named = recipe.local_sources().into_iter().filter(|n| !n.starts_with('$'));
        let taken = named
            .chain(recipe.installed_from("${UNPACKDIR}/"))
            .chain(recipe.installed_from("${S}/"));
        taken
            .filter(missing)
            .map(|n| format!("{}: {n} is nowhere", recipe.path))
            .collect::<Vec<_>>()
    }));
}

#[test]
fn the_recipe_takes_everything_that_the_build_reads() {
    let taken: BTreeSet<String> = file(RECIPE).local_sources().into_iter().collect();
    for name in &taken {
        let known = Command::new("git").args(["ls-files", name]).current_dir(root()).output();
        let known = known.expect("git runs");
        assert!(!known.status.success() || !known.stdout.is_empty(), "{name} is not in an archive");
    }
    let copy = env::temp_dir().join(format!("firstmile-yocto-{}", std::process::id()));
    fs::create_dir_all(&copy).expect("a folder");
    for name in &taken {
        let status = Command::new("cp").arg("-r").arg(root().join(name)).arg(&copy).status();
        assert!(status.expect("cp runs").success());
    }
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--frozen", "--no-deps", "--format-version=1", "--manifest-path"])
        .arg(copy.join("Cargo.toml"))
        .output();
    let read_by_sources = included(&copy.join("src"));
    let missing: Vec<_> = read_by_sources.into_iter().filter(|path| !path.exists()).collect();
    fs::remove_dir_all(&copy).expect("the folder goes");
    let metadata = metadata.expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    assert!(missing.is_empty(), "FIRSTMILE_CHECKOUT of the recipe lacks {missing:?}");
}

/// What the program's sources include, tests aside.
fn included(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).expect("sources").flatten().map(|e| e.path()) {
        if path.is_dir() {
            found.extend(included(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let after =
                text.split("include_str!(\"").chain(text.split("include_bytes!(\"")).skip(1);
            let names = after.filter_map(|rest| rest.split_once("\")").map(|(name, _)| name));
            let names = names.filter(|name| !name.contains(['\n', '(']));
            found.extend(names.map(|name| path.parent().expect("a folder").join(name)));
        }
    }
    found
}

#[test]
fn units_are_those_of_the_package_and_all_are_installed() {
    let recipe = file(RECIPE);
    let installed: BTreeSet<String> = recipe.installed_from("${S}/systemd/").into_iter().collect();
    let mut there = BTreeSet::new();
    for folder in ["", "boards", "options"] {
        for entry in fs::read_dir(root().join("systemd").join(folder)).expect("systemd/").flatten()
        {
            if entry.path().is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                there.insert(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
    }
    assert_eq!(installed, there, "the recipe installs what is in systemd/, and nothing else");
    assert_eq!(of_the_debian_package(&there), there, "Cargo.toml, [package.metadata.deb]");
    let enabled: BTreeSet<String> = recipe.words("SYSTEMD_SERVICE:${PN}").into_iter().collect();
    let wanted =
        there.iter().filter(|name| read(&format!("systemd/{name}")).contains("\n[Install]\n"));
    assert_eq!(
        enabled,
        wanted.cloned().collect(),
        "enabled are the units with an [Install] section"
    );
    let packages = recipe.words("PACKAGE_BEFORE_PN");
    for board in there.iter().filter_map(|n| n.strip_prefix("boards/")?.strip_suffix(".conf")) {
        assert!(packages.contains(&format!("${{PN}}-board-{board}")), "no package for {board}");
    }
}

/// What the Debian package takes from `systemd/`, by the patterns of its assets.
fn of_the_debian_package(there: &BTreeSet<String>) -> BTreeSet<String> {
    let cargo = table("Cargo.toml");
    let assets = cargo["package"]["metadata"]["deb"]["assets"].as_array().expect("assets");
    let patterns = assets.iter().filter_map(|a| a[0].as_str()?.strip_prefix("systemd/"));
    let taken = patterns.flat_map(|pattern| {
        let (begins, ends) = pattern.split_once('*').unwrap_or((pattern, ""));
        let fits = move |name: &&String| {
            let rest = name.strip_prefix(begins).and_then(|r| r.strip_suffix(ends));
            rest.is_some_and(|rest| {
                if pattern.contains('*') { !rest.contains('/') } else { rest.is_empty() }
            })
        };
        there.iter().filter(fits).cloned().collect::<Vec<_>>()
    });
    taken.collect()
}

#[test]
fn units_of_the_layer_are_all_enabled() {
    for recipe in layer().iter().filter(|f| f.path.ends_with(".bb") && !f.path.ends_with(RECIPE)) {
        let units: Vec<String> =
            recipe.local_sources().into_iter().filter(|n| n.ends_with(".mount")).collect();
        assert_eq!(recipe.words("SYSTEMD_SERVICE:${PN}"), units, "{}", recipe.path);
        let folder = recipe.path.rsplit_once('/').expect("a folder").0;
        for unit in units {
            let text = file(&format!("{folder}/files/{unit}")).text;
            assert!(text.contains("\n[Install]\n"), "{unit} cannot be enabled");
            let place = unit.trim_end_matches(".mount").replace('-', "/");
            assert!(
                text.contains(&format!("\nWhere=/{place}\n")),
                "{unit} is named for another place"
            );
        }
    }
}

#[test]
fn user_and_groups_are_those_of_the_package() {
    let text = read("systemd/sysusers.conf");
    let lines = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
    let lines: Vec<Vec<&str>> = lines.map(|l| l.split_whitespace().collect()).collect();
    let users: Vec<&str> = lines.iter().filter(|l| l[0] == "u").map(|l| l[1]).collect();
    let member_of: BTreeSet<&str> = lines
        .iter()
        .filter(|l| l[0] == "m")
        .inspect(|l| assert_eq!(l[1], users[0]))
        .map(|l| l[2])
        .collect();
    let recipe = file(RECIPE);
    let useradd = recipe.words("USERADD_PARAM:${PN}");
    assert_eq!(useradd.last().map(String::as_str), Some(users[0]));
    let groups = useradd.iter().skip_while(|w| *w != "--groups").nth(1).expect("--groups");
    assert_eq!(groups.split(',').collect::<BTreeSet<_>>(), member_of);
    let made = recipe.words("GROUPADD_PARAM:${PN}");
    for group in lines.iter().filter(|l| l[0] == "g") {
        assert!(
            made.iter().any(|w| w.trim_end_matches(';') == group[1]),
            "{} is made by nobody",
            group[1]
        );
    }
    let home = useradd.iter().skip_while(|w| *w != "--home-dir").nth(1).expect("--home-dir");
    let home = home.replace("${localstatedir}", "/var");
    assert!(lines.iter().any(|l| l[0] == "u" && l.contains(&home.as_str())), "{home}");
}

#[test]
fn the_layer_says_what_it_is() {
    let (conf, given) = (file("conf/layer.conf"), layer::given());
    let series = given["series"]["name"].as_str().expect("a name");
    assert_eq!(conf.words("LAYERSERIES_COMPAT_firstmile"), [series]);
    assert_eq!(conf.words("BBFILE_COLLECTIONS"), ["firstmile"]);
    assert_eq!(conf.words("BBFILE_PATTERN_firstmile"), ["^${LAYERDIR}/"]);
    for name in ["BBPATH", "BBFILES", "BBFILE_PRIORITY_firstmile", "LAYERVERSION_firstmile"] {
        assert!(!conf.words(name).is_empty(), "conf/layer.conf lacks {name}");
    }
    let collections = boards::collections();
    let depends = conf.words("LAYERDEPENDS_firstmile");
    assert_eq!(depends, ["core", "openembedded-layer", "multimedia-layer"]);
    let dynamic = conf.words("BBFILES_DYNAMIC");
    let folders: BTreeSet<String> =
        dynamic.iter().filter_map(|e| Some(e.split_once(':')?.0.to_owned())).collect();
    let there: BTreeSet<String> = layer()
        .iter()
        .filter_map(|f| Some(f.path.strip_prefix("dynamic-layers/")?.split('/').next()?.to_owned()))
        .collect();
    assert_eq!(folders, there, "dynamic-layers/ and BBFILES_DYNAMIC");
    assert_none(
        folders
            .union(&depends.into_iter().collect())
            .filter(|c| !collections.contains(*c))
            .map(|c| format!("no known layer is called {c}")),
    );
}

#[test]
fn recipes_are_written_for_the_series() {
    let wrong = |file: &Metadata| -> Vec<String> {
        let lines = layer::logical_lines(&file.text);
        let bad = lines.iter().filter(|line| {
            let assignment = line
                .split_once('"')
                .is_some_and(|(left, _)| !left.contains([' ', '(']) && left.ends_with('='));
            // Files are unpacked below UNPACKDIR; no network address of a machine, no tmp folder of one.
            assignment
                || line.contains("${WORKDIR}")
                || line.contains("file:///")
                || line.contains("_append")
        });
        bad.map(|line| format!("{}: {line}", file.path)).collect()
    };
    assert_none(
        layer().iter().filter(|f| f.is_recipe() || f.path.ends_with(".conf")).flat_map(wrong),
    );
    assert_none(layer().iter().filter(|f| f.path.ends_with(".bb")).filter_map(|f| {
        let lacks = ["SUMMARY", "LICENSE"]
            .into_iter()
            .find(|n| f.words(n).is_empty() && !f.path.contains("packagegroup"));
        lacks.map(|name| format!("{}: no {name}", f.path))
    }));
    let texts: String = layer().into_iter().filter(|f| f.is_recipe()).map(|f| f.text).collect();
    assert!(
        !texts.contains("create-spdx") && !texts.contains("INHERIT:remove"),
        "the bill of materials stays on"
    );
}
