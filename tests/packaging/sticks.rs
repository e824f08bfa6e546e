//! Which sticks the import is started for: the rules of udev as they ship, read as udev reads them.

use std::collections::BTreeMap;

const RULES: &str = include_str!("../../systemd/70-firstmile.rules");

/// A block device that is plugged in: what udev knows of it, and `removable` of it and its parents.
struct Plugged {
    known: BTreeMap<&'static str, &'static str>,
    removable: &'static [&'static str],
}

/// A stick has `1`, the ports of USB above it have words.
const STICK: &[&str] = &["1", "removable", "unknown"];
const DRIVE: &[&str] = &["0", "fixed", "unknown"];

fn plugged(kind: &'static str, known: &[(&'static str, &'static str)]) -> Plugged {
    let usual = [
        ("SUBSYSTEM", "block"),
        ("ACTION", "add"),
        ("ENV{DEVTYPE}", kind),
        ("ENV{ID_BUS}", "usb"),
        ("ATTR{size}", "30720000"),
    ];
    let known = usual.into_iter().chain(known.iter().copied()).collect();
    Plugged { known, removable: STICK }
}

/// One part of a rule: its key, its operator, its value.
fn parts(line: &str) -> Vec<(&str, &str, &str)> {
    let parts = line.split(", ").map(|part| {
        let (key, rest) = part.split_at(part.find(['=', '!', '+']).expect("an operator"));
        let (operator, value) = rest.split_once('"').expect("a value");
        (key, operator, value.trim_end_matches('"'))
    });
    parts.collect()
}

impl Plugged {
    fn matches(&self, key: &str, value: &str) -> bool {
        let is =
            |known: &str| value.split('|').any(|v| v == known || (v == "?*" && !known.is_empty()));
        match key {
            "ATTRS{removable}" => self.removable.iter().any(|known| is(known)),
            key => is(self.known.get(key).unwrap_or(&"")),
        }
    }

    /// Whether the import is started.
    fn starts(&self) -> bool {
        let mut skip_to = None;
        for line in RULES.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let parts = parts(line);
            let label = parts.iter().find(|(key, ..)| *key == "LABEL").map(|(.., label)| *label);
            if skip_to.is_some() && label != skip_to {
                continue;
            }
            skip_to = None;
            let holds = parts.iter().all(|(key, operator, value)| match *operator {
                "==" => self.matches(key, value),
                "!=" => {
                    assert!(!key.starts_with("ATTRS"), "any parent would do: {line}");
                    !self.matches(key, value)
                }
                _ => true,
            });
            if !holds {
                continue;
            }
            if parts.iter().any(|(key, ..)| *key == "ENV{SYSTEMD_WANTS}") {
                return true;
            }
            skip_to = parts.iter().find(|(key, ..)| *key == "GOTO").map(|(.., label)| *label);
        }
        false
    }
}

// Shows F41.
#[test]
fn a_stick_of_any_format_starts_the_import_so_that_its_owner_gets_an_answer() {
    for kind in ["disk", "partition"] {
        for format in
            ["vfat", "exfat", "ext4", "ntfs", "crypto_LUKS", "BitLocker", "hfsplus", "udf"]
        {
            assert!(plugged(kind, &[("ENV{ID_FS_TYPE}", format)]).starts(), "{kind} with {format}");
        }
    }
    assert!(plugged("disk", &[]).starts(), "not formatted");
}

#[test]
fn a_stick_with_partitions_and_no_file_system_starts_the_import_too() {
    for (table, kind) in [
        ("gpt", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"),
        ("gpt", "0fc63daf-8483-4772-8e79-3d69d8477de4"),
        ("gpt", "48465300-0000-11aa-aa11-00306543ecac"),
        ("dos", "0x7"),
        ("dos", "0xb"),
        ("dos", "0xc"),
        ("dos", "0x83"),
    ] {
        let known = [("ENV{ID_PART_TABLE_TYPE}", table), ("ENV{ID_PART_ENTRY_TYPE}", kind)];
        assert!(plugged("partition", &known).starts(), "{kind}: not formatted");
        let known = [known[0], ("TEST", "%k1")];
        assert!(!plugged("disk", &known).starts(), "its partition is looked at");
        assert!(plugged("disk", &known[..1]).starts(), "{table} without any partition");
    }
}

#[test]
fn what_is_no_stick_does_not_start_the_import() {
    let table = ("ENV{ID_PART_TABLE_TYPE}", "gpt");
    for (what, plugged) in [
        ("the whole of a stick with partitions", plugged("disk", &[table, ("TEST", "%k1")])),
        ("the whole with one in another place", plugged("disk", &[table, ("TEST", "%k3")])),
        (
            "a partition for the firmware of a computer",
            plugged(
                "partition",
                &[("ENV{ID_PART_ENTRY_TYPE}", "21686148-6449-6e6f-744e-656564454649")],
            ),
        ),
        (
            "the frame of further partitions",
            plugged("partition", &[("ENV{ID_PART_ENTRY_TYPE}", "0xf")]),
        ),
        ("a partition without a type", plugged("partition", &[])),
        (
            "one that is not formatted on another drive",
            Plugged {
                removable: DRIVE,
                ..plugged("partition", &[("ENV{ID_PART_ENTRY_TYPE}", "0x83")])
            },
        ),
        ("a reader of cards without a card", plugged("disk", &[("ATTR{size}", "0")])),
        (
            "what Microsoft reserves, with traces of an old format",
            plugged(
                "partition",
                &[
                    ("ENV{ID_PART_ENTRY_TYPE}", "e3c9e316-0b5c-4db8-817d-f92df00215ae"),
                    ("ENV{ID_FS_TYPE}", "ntfs"),
                ],
            ),
        ),
        (
            "what Windows or macOS would be recovered from",
            plugged(
                "partition",
                &[
                    ("ENV{ID_PART_ENTRY_TYPE}", "de94bba4-06d1-4d40-a16a-bfd50179d6ac"),
                    ("ENV{ID_FS_TYPE}", "ntfs"),
                ],
            ),
        ),
        ("swap space", plugged("partition", &[("ENV{ID_FS_TYPE}", "swap")])),
        (
            "a disk of the board itself",
            plugged("disk", &[("ENV{ID_BUS}", "ata"), ("ENV{ID_FS_TYPE}", "ntfs")]),
        ),
        (
            "what is pulled out",
            plugged("disk", &[("ACTION", "remove"), ("ENV{ID_FS_TYPE}", "vfat")]),
        ),
        (
            "a part of a whole that is looked at",
            plugged("partition", &[("ENV{FIRSTMILE_STICK}", "whole"), ("ENV{ID_FS_TYPE}", "vfat")]),
        ),
        (
            "another drive",
            Plugged { removable: DRIVE, ..plugged("partition", &[("ENV{ID_FS_TYPE}", "ntfs")]) },
        ),
    ] {
        assert!(!plugged.starts(), "{what}");
    }
    // A drive that is not removable may hold settings all the same.
    assert!(
        Plugged { removable: DRIVE, ..plugged("partition", &[("ENV{ID_FS_TYPE}", "ext4")]) }
            .starts()
    );
}
