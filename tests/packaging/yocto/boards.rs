//! The kas files: one for each board, of layers, branches and machines that exist.

use std::collections::{BTreeMap, BTreeSet};

use saphyr::{LoadableYamlNode, Yaml};

use super::layer::{Metadata, file, given, layer, read, strings, table};

/// The collections of all layers that were looked at.
pub fn collections() -> BTreeSet<String> {
    let given = given();
    let layers = given["repository"].as_array().expect("repositories").iter();
    let layers = layers.flat_map(|r| r["layers"].as_table().expect("layers").values().cloned());
    layers.map(|c| c.as_str().expect("a collection").to_owned()).collect()
}

/// A kas file with what it includes, later files over earlier ones.
#[derive(Default)]
struct Kas {
    machine: String,
    branch: String,
    targets: Vec<String>,
    /// Address to (branch of its own, layers).
    repositories: BTreeMap<String, (Option<String>, Vec<String>)>,
    /// Parts of local.conf by name.
    local: BTreeMap<String, String>,
}

impl Kas {
    fn load(path: &str) -> Self {
        let text = read(path);
        let documents = Yaml::load_from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
        let document = documents.first().unwrap_or_else(|| panic!("{path} is empty"));
        let header = &document["header"];
        assert!(header["version"].as_integer().is_some(), "{path}: a version is wanted");
        let mut all = Kas::default();
        for include in
            header.as_mapping_get("includes").and_then(Yaml::as_vec).into_iter().flatten()
        {
            all.merge(Kas::load(include.as_str().expect("a path below the repository")));
        }
        all.merge(Kas::own(document));
        all
    }

    fn own(document: &Yaml) -> Self {
        let text = |node: Option<&Yaml>| node.and_then(Yaml::as_str).unwrap_or_default().to_owned();
        let target = document.as_mapping_get("target");
        let targets =
            target.and_then(Yaml::as_vec).map(|l| l.iter().map(|t| text(Some(t))).collect());
        let branch = document.as_mapping_get("defaults").map(|d| text(Some(&d["repos"]["branch"])));
        Kas {
            machine: text(document.as_mapping_get("machine")),
            branch: branch.unwrap_or_default(),
            targets: targets.unwrap_or_else(|| vec![text(target)]),
            repositories: pairs(document.as_mapping_get("repos"))
                .filter_map(|(_, repo)| {
                    let branch = repo.as_mapping_get("branch").map(|b| text(Some(b)));
                    let layers = pairs(repo.as_mapping_get("layers"));
                    let used = layers.filter(|(_, v)| v.as_str() != Some("disabled"));
                    Some((
                        text(Some(repo.as_mapping_get("url")?)),
                        (branch, used.map(|(k, _)| k).collect()),
                    ))
                })
                .collect(),
            local: pairs(document.as_mapping_get("local_conf_header"))
                .map(|(name, value)| (name, text(Some(value))))
                .collect(),
        }
    }

    fn merge(&mut self, later: Kas) {
        let over = |old: &mut String, new: String| {
            if !new.is_empty() {
                *old = new
            }
        };
        over(&mut self.machine, later.machine);
        over(&mut self.branch, later.branch);
        if later.targets.iter().any(|t| !t.is_empty()) {
            self.targets = later.targets;
        }
        self.repositories.extend(later.repositories);
        self.local.extend(later.local);
    }
}

fn pairs<'a>(node: Option<&'a Yaml<'a>>) -> impl Iterator<Item = (String, &'a Yaml<'a>)> {
    let mapping = node.and_then(Yaml::as_mapping).into_iter().flatten();
    mapping.map(|(k, v)| (k.as_str().map_or_else(|| panic!("{k:?} is no name"), str::to_owned), v))
}

/// The files for boards: path below the project, and all that they say.
fn boards() -> Vec<(String, Kas)> {
    let files =
        layer().into_iter().filter(|f| f.path.starts_with("kas/") && !f.path.contains("include/"));
    let loaded =
        files.map(|f| format!("yocto-layer/{}", f.path)).map(|p| (p.clone(), Kas::load(&p)));
    loaded.collect()
}

/// What local.conf gets, all parts together.
pub fn local_conf_of_each_board() -> Vec<(String, Metadata)> {
    let each = boards().into_iter().map(|(path, kas)| {
        let text = kas.local.into_values().collect::<Vec<_>>().join("\n");
        (path.clone(), Metadata { path, text })
    });
    each.collect()
}

#[test]
fn kas_files_name_layers_and_branches_that_exist() {
    let given = given();
    let known = given["repository"].as_array().expect("repositories");
    let series = given["series"]["name"].as_str().expect("a name");
    for (path, kas) in boards() {
        assert_eq!(kas.branch, series, "{path}");
        for (url, (branch, layers)) in &kas.repositories {
            let repo = known.iter().find(|r| r["url"].as_str() == Some(url));
            let repo =
                repo.unwrap_or_else(|| panic!("{path}: {url} is not among those that were read"));
            let branch = branch.as_deref().unwrap_or(&kas.branch);
            assert_eq!(repo["branch"].as_str(), Some(branch), "{path}: {url}");
            let there = repo["layers"].as_table().expect("layers");
            for layer in layers {
                assert!(there.contains_key(layer), "{path}: {url} has no layer {layer}");
            }
        }
        let used = kas.repositories.iter().flat_map(|(url, (_, layers))| {
            let repo = known.iter().find(|r| r["url"].as_str() == Some(url)).expect("known");
            let there = repo["layers"].as_table().expect("layers");
            let named = there.iter().filter(move |(name, _)| *name == "." || layers.contains(name));
            named.map(|(_, collection)| collection.as_str().expect("a name").to_owned())
        });
        let used: BTreeSet<String> = used.collect();
        for needed in file("conf/layer.conf").words("LAYERDEPENDS_firstmile") {
            assert!(used.contains(&needed), "{path}: the layer {needed} is missing");
        }
    }
}

#[test]
fn every_board_has_a_machine_settings_of_its_own_and_a_line_in_the_readme() {
    let (given, readme) = (given(), file("README.md").text);
    let machines = given["repository"].as_array().expect("repositories").iter();
    let machines = machines.filter_map(|r| Some((r["url"].as_str()?, r.get("machines")?)));
    let machines: Vec<(&str, Vec<String>)> =
        machines.map(|(url, list)| (url, strings(list))).collect();
    let core = strings(&given["core"]["machines"]);
    for (path, kas) in boards() {
        let from = machines.iter().find(|(_, list)| list.contains(&kas.machine));
        match from {
            Some((url, _)) => {
                assert!(kas.repositories.contains_key(*url), "{path}: {url} is missing")
            }
            None => assert!(core.contains(&kas.machine), "{path}: no layer has {}", kas.machine),
        }
        for target in &kas.targets {
            file(&format!("{target}.bb"));
        }
        let settings = kas.local["board"].lines().filter_map(|l| l.trim().strip_prefix("require "));
        let settings: Vec<_> = settings.map(|name| file(name).path).collect();
        assert_eq!(settings.len(), 1, "{path}: one file of settings");
        let name = path.rsplit('/').next().unwrap_or_default();
        assert!(
            readme.contains(&format!("`kas/{name}`")),
            "yocto-layer/README.md does not explain {name}"
        );
    }
}

#[test]
fn settings_of_boards_name_files_that_exist() {
    for settings in layer().iter().filter(|f| f.path.starts_with("conf/firstmile/")) {
        for wks in settings.words("WKS_FILE") {
            assert!(file(&wks).path.starts_with("files/wic/"), "{}: {wks}", settings.path);
            let text = file(&wks).text;
            assert!(text.contains("--label firstmile-data"), "{wks} has no data partition");
        }
        for line in settings.text.lines().filter_map(|l| l.strip_prefix("require ")) {
            file(line);
        }
    }
    assert!(file("data.mount").text.contains("What=/dev/disk/by-label/firstmile-data\n"));
}

/// A value of a profile in `board/`, or of the one that it inherits from.
fn of_profile(name: &str, section: &str, key: &str) -> toml::Value {
    let profile = table(&format!("board/{name}.toml"));
    let value = profile.get(section).and_then(|s| s.get(key)).cloned();
    value.unwrap_or_else(|| {
        let from = profile.get("inherit").and_then(|i| i.as_str());
        let from = from.unwrap_or_else(|| panic!("board/{name}.toml has no {section}.{key}"));
        of_profile(from.trim_end_matches(".toml"), section, key)
    })
}

#[test]
fn a_raspberry_pi_is_set_up_as_its_profile_asks() {
    let settings = file("raspberrypi.inc");
    let gadget = file(
        "dynamic-layers/raspberrypi/recipes-core/packagegroups/packagegroup-firstmile.bbappend",
    );
    for (machine, profile) in given()["raspberrypi"].as_table().expect("machines") {
        let profile = profile.as_str().expect("a name");
        let set = |name: &str| -> Vec<String> {
            let all = settings.words(name).into_iter();
            all.chain(settings.words(&format!("{name}:{machine}"))).collect()
        };
        let steps = strings(&of_profile(profile, "setup", "steps")).join("\n");
        for line in steps.lines().filter(|l| l.contains('=') && !l.contains(' ')) {
            let done = match line {
                "dtoverlay=dwc2,dr_mode=peripheral" => set("ENABLE_DWC2_PERIPHERAL") == ["1"],
                "enable_uart=1" => set("ENABLE_UART") == ["1"],
                "modules-load=dwc2,g_serial" => {
                    let packages = gadget.words(&format!("RDEPENDS:${{PN}}:append:{machine}"));
                    packages == ["firstmile-gadget-serial"]
                }
                other => set("RPI_EXTRA_CONFIG:append").join(" ").contains(other),
            };
            assert!(done, "raspberrypi.inc does not set {line} for {machine}");
        }
        if steps.contains("take console=serial0") {
            let kernels = settings.assignments().into_iter().find(|(n, _)| n == "CMDLINE_SERIAL");
            assert_eq!(kernels.expect("CMDLINE_SERIAL").1, "", "{machine}");
        }
        let first = strings(&of_profile(profile, "encoder", "video"))[0].clone();
        let hardware = (!first.starts_with("x264")).then_some(first);
        let values = settings.words(&format!("FIRSTMILE_HARDWARE_ENCODERS:{machine}"));
        assert_eq!(values, hardware.into_iter().collect::<Vec<_>>(), "{machine}");
    }
}

#[test]
fn an_update_finds_the_slots_that_the_card_has() {
    let system = file("system.conf");
    let machine = system.path.rsplit('/').nth(1).expect("a folder for each machine");
    let values = |key: &str| -> Vec<String> {
        let lines = system.text.lines().filter_map(|l| l.strip_prefix(key)?.strip_prefix('='));
        lines.map(str::to_owned).collect()
    };
    let bundle = file("firstmile-bundle.bb");
    assert_eq!(bundle.words("COMPATIBLE_MACHINE"), [machine]);
    let compatible =
        bundle.words("RAUC_BUNDLE_COMPATIBLE").join(" ").replace("${MACHINE}", machine);
    assert_eq!(values("compatible"), [compatible]);
    assert_eq!(bundle.words("RAUC_BUNDLE_FORMAT"), ["verity"]);

    let settings = file(&format!("rauc-{machine}.inc"));
    let card = file(&settings.words("WKS_FILE")[0]).text;
    let parts: Vec<&str> = card.lines().filter(|l| l.starts_with("part ")).collect();
    let roots = parts.iter().enumerate().filter(|(_, l)| l.contains("--source rootfs"));
    let roots: Vec<String> = roots.map(|(at, _)| format!("/dev/mmcblk0p{}", at + 1)).collect();
    assert_eq!(values("device"), roots, "system.conf and {card}");
    let script = file("boot.cmd.in").text;
    for (name, device) in values("bootname").iter().zip(&roots) {
        let number = device.trim_start_matches("/dev/mmcblk0p");
        let chosen = format!("setenv slot {name}\n      setenv part {number}\n");
        assert!(script.contains(&chosen), "boot.cmd.in takes another partition for {name}");
    }
    let label = file("boot.mount").text.contains("What=/dev/disk/by-label/boot\n");
    assert!(
        label && parts[0].contains("--label boot "),
        "U-Boot's memory is in the first partition"
    );
}
