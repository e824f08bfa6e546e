//! The committed seeds of every fuzz target go through what the targets assert, without libFuzzer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::fuzz::{TARGETS, Target};

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target)
}

/// The committed seeds of a target: file names and bytes.
fn committed(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a readable seed"))
        })
        .collect()
}

#[test]
fn every_committed_seed_keeps_what_its_target_asserts() {
    let mut broken = Vec::new();
    for (target, assert) in TARGETS {
        for (name, bytes) in committed(target) {
            if catch_unwind(AssertUnwindSafe(|| assert(&bytes))).is_err() {
                broken.push(format!("fuzz/seeds/{target}/{name}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_seeds_are_many_small_and_for_the_targets_that_exist() {
    let mut all = 0;
    for (target, _) in TARGETS {
        let seeds = committed(target);
        assert!(seeds.len() >= 10, "{target} has {}", seeds.len());
        assert!(seeds.iter().all(|(_, bytes)| bytes.len() <= 8 * 1024), "{target}");
        all += seeds.len();
    }
    assert!(all >= 200, "{all}");
    let files = fs::read_dir(folder("").join("../fuzz_targets")).expect("fuzz targets").count();
    assert_eq!(files, TARGETS.len(), "each target is a file in fuzz/fuzz_targets");
}

#[test]
fn seeds_are_meaningful_many_are_understood_to_their_end() {
    let made = crate::seeds::all();
    for (target, understands) in TARGETS {
        let of_target: Vec<_> = made.iter().filter(|seed| seed.target == *target).collect();
        let understood = of_target.iter().filter(|seed| understands(&seed.bytes)).count();
        assert!(understood * 3 >= of_target.len(), "{target}: {understood} of {}", of_target.len());
        assert!(!understands(&[]), "{target} understands nothing at all");
    }
}

/// Short inputs that no seed leads to; libFuzzer does this for minutes.
#[test]
fn noise_keeps_what_the_targets_assert() {
    let mut rng = fastrand::Rng::with_seed(1);
    let made = crate::seeds::all();
    for &(target, assert) in TARGETS {
        let target: Target = (target, assert);
        let seeds: Vec<_> = made.iter().filter(|seed| seed.target == target.0).collect();
        for _ in 0..200 {
            let mut bytes = rng.choice(&seeds).expect("seeds").bytes.clone();
            for _ in 0..rng.usize(1..5) {
                let at = rng.usize(..=bytes.len());
                match rng.u8(..3) {
                    0 => bytes.insert(at, rng.u8(..)),
                    1 => bytes.truncate(at),
                    _ if at < bytes.len() => bytes[at] = rng.u8(..),
                    _ => {}
                }
            }
            let kept = catch_unwind(AssertUnwindSafe(|| assert(&bytes))).is_ok();
            assert!(kept, "{}: {}", target.0, bytes.escape_ascii());
        }
    }
}

/// `cargo test --test pure fuzz_seeds -- --ignored` writes the seeds afresh; those that were found by
/// fuzzing stay.
#[test]
#[ignore = "writes into the tree"]
fn write_the_seeds() {
    for seed in crate::seeds::all() {
        let folder = folder(seed.target);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(&seed.name), &seed.bytes).expect("a seed");
    }
}
