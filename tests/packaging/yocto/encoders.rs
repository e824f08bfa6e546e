//! Encoders and their licences, the elements of the pipelines, and what an image may not be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use super::boards::local_conf_of_each_board;
use super::layer::{file, given, layer, read, root, strings};

/// What Python prints with the layer's own module at hand and `d` to ask for these variables.
fn python(variables: &[(&str, &str)], ask: &str) -> String {
    let values: Vec<String> = variables.iter().map(|(n, v)| format!("{n:?}: {v:?}")).collect();
    let program = format!(
        "import json, sys\nsys.dont_write_bytecode = True\nsys.path.insert(0, 'yocto-layer/lib')\n\
         from firstmile import encoders, image\n\
         class d:\n    getVar = staticmethod({{{}}}.get)\n\
         print(json.dumps({ask}))",
        values.join(", ")
    );
    let output = Command::new("python3").args(["-c", &program]).current_dir(root()).output();
    let output = output.expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// Encoder to the recipes whose licence flag it needs.
fn encoders() -> BTreeMap<String, Vec<String>> {
    let printed = python(&[], "{e: r for e, (_, r) in encoders.ENCODERS.items()}");
    serde_json::from_str(&printed).expect("JSON")
}

fn accepted(flags: &str) -> String {
    python(&[("LICENSE_FLAGS_ACCEPTED", flags)], "encoders.accepted(d)")
}

#[test]
fn an_encoder_comes_in_when_its_licences_are_accepted() {
    assert_eq!(accepted(""), r#""""#);
    assert_eq!(accepted("commercial_x264"), r#""""#, "half of it is nothing");
    assert_eq!(accepted("commercial_x264 commercial_gstreamer1.0-plugins-ugly"), r#""x264""#);
    assert_eq!(accepted("commercial_vo-aacenc"), r#""voaacenc""#);
    assert_eq!(accepted("commercial"), r#""x264 openh264 libav voaacenc fdkaac""#);
}

#[test]
fn an_image_that_could_not_go_live_is_not_built() {
    let missing = |variables: &[(&str, &str)]| python(variables, "encoders.missing(d)");
    assert_eq!(missing(&[("FIRSTMILE_ENCODERS", "x264 libav")]), "[]");
    assert_eq!(missing(&[("FIRSTMILE_ENCODERS", "openh264 fdkaac")]), "[]");
    let hardware = ("FIRSTMILE_HARDWARE_ENCODERS", "v4l2h264enc");
    assert_eq!(missing(&[hardware, ("FIRSTMILE_ENCODERS", "voaacenc")]), "[]");
    assert_eq!(
        missing(&[hardware]),
        r#"[["AAC", ["commercial_gstreamer1.0-libav", "commercial_ffmpeg"]]]"#
    );
    assert_eq!(
        missing(&[("FIRSTMILE_ENCODERS", "libav")]),
        r#"[["H.264", ["commercial_gstreamer1.0-plugins-ugly", "commercial_x264"]]]"#
    );
}

#[test]
fn licence_flags_cover_exactly_the_commercial_recipes_used() {
    let (encoders, given) = (encoders(), given());
    let known: BTreeSet<String> = strings(&given["commercial"]["recipes"]).into_iter().collect();
    let used: BTreeSet<String> = encoders.values().flatten().cloned().collect();
    assert_eq!(used, known, "lib/firstmile/encoders.py and the recipes that are commercial");
    let recipe = file("firstmile_0.1.0.bb");
    for (encoder, recipes) in &encoders {
        let config = recipe.words(&format!("PACKAGECONFIG[{encoder}]"));
        assert_eq!(config.len(), 1, "PACKAGECONFIG[{encoder}]");
        let package = config[0].trim_start_matches(',');
        let from_plugins_bad = package.starts_with("gstreamer1.0-plugins-bad-");
        assert!(
            from_plugins_bad || package.starts_with(&recipes[0]),
            "{package} needs {recipes:?}"
        );
    }
    let boards: BTreeSet<String> = strings(&given["boards"]["flags"]).into_iter().collect();
    for (path, local) in local_conf_of_each_board() {
        let flags: BTreeSet<String> = local.words("LICENSE_FLAGS_ACCEPTED").into_iter().collect();
        let wanted = ["x264", "libav"].iter().flat_map(|e| &encoders[*e]);
        let wanted: BTreeSet<String> = wanted.map(|r| format!("commercial_{r}")).collect();
        let commercial: BTreeSet<String> = flags.difference(&boards).cloned().collect();
        assert_eq!(commercial, wanted, "{path}");
    }
    let readme = file("README.md").text;
    for flag in used.iter().map(|r| format!("commercial_{r}")) {
        assert!(readme.contains(&flag), "yocto-layer/README.md does not explain {flag}");
    }
}

#[test]
fn every_element_of_the_pipelines_is_in_a_package_that_the_recipes_name() {
    let given = given();
    let packages = given["elements"].as_table().expect("elements");
    let left_out: BTreeSet<String> =
        strings(&given["elements_without_package"]["names"]).into_iter().collect();
    let recipes: Vec<_> = layer().into_iter().filter(|f| f.is_recipe()).collect();
    let named: BTreeSet<String> = recipes
        .iter()
        .flat_map(|f| {
            let lines = f.text.replace(['"', '\'', ','], " ");
            lines.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let mut elements = BTreeSet::new();
    for entry in fs::read_dir(root().join("tests/pipelines")).expect("pipelines").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // The others show what owners may write, who then add their plugins.
        if !root().join("board").join(&name).with_extension("toml").exists() {
            continue;
        }
        for line in read(&format!("tests/pipelines/{name}")).lines().filter(|l| !l.starts_with('#'))
        {
            for part in line.split(" ! ") {
                let word =
                    part.trim_start_matches("  ! ").split_whitespace().next().unwrap_or_default();
                // What remains are caps, `name.` and pads.
                if !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    elements.insert((word.to_owned(), name.clone()));
                }
            }
        }
    }
    assert!(elements.len() > 15, "{elements:?}");
    let wanted = elements.iter().filter(|(element, _)| !left_out.contains(element));
    let untold = wanted.filter_map(|(element, file)| {
        let Some(package) = packages.get(element).and_then(|p| p.as_str()) else {
            return Some(format!(
                "{file}: say in tests/data/yocto.toml which package {element} is in"
            ));
        };
        (!named.contains(package))
            .then(|| format!("{file}: no recipe names {package}, for {element}"))
    });
    let untold: Vec<String> = untold.collect();
    assert!(untold.is_empty(), "\n{}\n", untold.join("\n"));
}

/// A root file system as a good image has it.
fn rootfs(name: &str) -> PathBuf {
    let root = env::temp_dir().join(format!("firstmile-rootfs-{}-{name}", std::process::id()));
    let units = root.join("usr/lib/systemd/system");
    let masks = root.join("etc/systemd/system");
    for folder in [&units, &masks, &root.join("usr/sbin")] {
        fs::create_dir_all(folder).expect("a folder");
    }
    let write = |path: &str, text: &str| fs::write(root.join(path), text).expect("written");
    write(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nfirstmile:x:998:998::/var/lib/firstmile:/sbin/nologin\n",
    );
    write("etc/shadow", "root:*:1::::::\nfirstmile:!:1::::::\n");
    write("usr/lib/systemd/systemd-timesyncd", "");
    for unit in ["getty@.service", "serial-getty@.service", "console-getty.service"] {
        fs::write(units.join(unit), "").expect("written");
        std::os::unix::fs::symlink("/dev/null", masks.join(unit)).expect("linked");
    }
    root
}

fn open_doors(name: &str, spoil: impl FnOnce(&PathBuf)) -> String {
    let root = rootfs(name);
    spoil(&root);
    let output = python(&[], &format!("image.open_doors({root:?})"));
    fs::remove_dir_all(root).expect("removed");
    output
}

#[test]
fn an_image_that_lets_somebody_in_is_not_built() {
    assert_eq!(open_doors("good", |_| ()), "[]");
    let empty =
        open_doors("empty", |r| fs::write(r.join("etc/shadow"), "root::1::::::\n").unwrap());
    assert_eq!(empty, r#"["account root in /etc/shadow is not locked"]"#);
    let known =
        open_doors("known", |r| fs::write(r.join("etc/shadow"), "root:$6$a$b:1::::::\n").unwrap());
    assert_eq!(known, r#"["account root in /etc/shadow is not locked"]"#);
    let plain = open_doors("plain", |r| {
        fs::write(r.join("etc/passwd"), "guest::9:9::/:/bin/sh\n").unwrap()
    });
    assert_eq!(plain, r#"["account guest in /etc/passwd is not locked"]"#);
    let ssh = open_doors("ssh", |r| fs::write(r.join("usr/sbin/sshd"), "").unwrap());
    assert_eq!(ssh, r#"["/usr/sbin/sshd lets people in over the network"]"#);
    let getty = open_doors("getty", |r| {
        fs::remove_file(r.join("etc/systemd/system/serial-getty@.service")).unwrap();
    });
    assert_eq!(getty, r#"["serial-getty@.service would take a serial port or a screen"]"#);
    let time = open_doors("time", |r| {
        fs::remove_file(r.join("usr/lib/systemd/systemd-timesyncd")).unwrap()
    });
    assert_eq!(time, r#"["nothing sets the clock, so no certificate can be checked"]"#);
}

#[test]
fn the_debug_image_is_visibly_another_one() {
    let (sold, bench) = (file("firstmile-image.bb"), file("firstmile-image-debug.bb"));
    let shared = file("firstmile-image.inc");
    assert_eq!(shared.words("FIRSTMILE_IMAGE_NAME"), ["firstmile"]);
    assert_eq!(bench.words("FIRSTMILE_IMAGE_NAME"), ["firstmile-debug"]);
    assert!(bench.words("FIRSTMILE_IMAGE_ISSUE").contains(&"DEBUG".to_owned()));
    assert!(shared.words("IMAGE_FEATURES").contains(&"read-only-rootfs".to_owned()));
    let loose = ["password", "login", "autologin", "ssh", "allow"];
    for feature in shared.words("IMAGE_FEATURES").iter().chain(&sold.words("IMAGE_FEATURES")) {
        assert!(!loose.iter().any(|word| feature.contains(word)), "firstmile-image has {feature}");
    }
}
