//! The names of the files of a stick, and those that are nearly right: what editors, browsers and file
//! managers make of them.

use crate::limits::STICK_NEAR_MISSES_MAX;
use crate::secret::pasted;

/// The file that is read.
pub const SETTINGS_FILE: &str = "firstmile.toml";
/// The file that is written back.
pub const RESULT_FILE: &str = "firstmile-result.txt";
/// What the name of the file begins with, without its ending.
const STEM: &str = "firstmile";
/// Endings that text has.
const ENDINGS: [&str; 12] = [
    ".txt", ".tml", ".tom", ".rtf", ".doc", ".docx", ".odt", ".ini", ".cfg", ".conf", ".json",
    ".yaml",
];

/// The names that are nearly that of the settings file, in their order, as they may be shown.
pub fn near_misses(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut near: Vec<String> = names.filter(|name| is_near(name)).collect();
    near.sort();
    near.truncate(STICK_NEAR_MISSES_MAX);
    near.iter().map(|name| shown(name)).collect()
}

fn is_near(name: &str) -> bool {
    let low = name.to_lowercase();
    let result = RESULT_FILE.trim_end_matches(".txt");
    // The twins that a Mac makes begin with a dot, as do files that a file manager hides.
    if name == SETTINGS_FILE || name.starts_with('.') || low.starts_with(result) {
        return false;
    }
    let is_text = || low.contains(".toml") || ENDINGS.iter().any(|ending| low.ends_with(ending));
    low.contains(STEM) && (is_text() || !low.contains('.'))
}

/// A name as it may be shown: anybody may have made it.
fn shown(name: &str) -> String {
    const CHARACTERS_MAX: usize = 64;
    let plain = |c: char| if c.is_control() || pasted::is_invisible(c) { '?' } else { c };
    name.chars().take(CHARACTERS_MAX).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_computers_make_of_the_name_is_noticed() {
        for name in [
            "firstmile.toml.txt",
            "firstmile (1).toml",
            "Firstmile.toml",
            "FIRSTMILE.TOML",
            "firstmile.toml (1)",
            "Copy of firstmile.toml",
            "firstmile - Kopie.toml",
            "firstmile.txt",
            "firstmile.rtf",
            "firstmile.tml",
            "firstmile",
            "firstmile.toml~",
            "firstmile.toml\u{200e}",
        ] {
            assert!(is_near(name), "{name}");
        }
        for name in [
            "firstmile.toml",
            "._firstmile.toml",
            ".firstmile.toml.swp",
            "firstmile-result.txt",
            "firstmile-result (1).txt",
            "firstmile_1.0_arm64.deb",
            "firstmile.img",
            "holiday.txt",
            "mile.toml",
        ] {
            assert!(!is_near(name), "{name}");
        }
    }

    #[test]
    fn what_is_shown_is_bounded_and_plain() {
        let names = (0..100).map(|n| format!("firstmile\u{1b}[2J{n}{}.toml", "x".repeat(200)));
        let near = near_misses(names);
        assert_eq!(near.len(), STICK_NEAR_MISSES_MAX);
        assert!(near.iter().all(|name| name.len() <= 64 && !name.contains('\u{1b}')));
    }
}
