//! How far a word is from the one that was meant.
//!
//! Pure room. It promises that a letter left out, added or replaced and two neighbours swapped each
//! count as one change. Which words there are is for the caller to say.
//!
//! ```
//! use firstmile::spelling::changes;
//! assert_eq!(changes("lvie", "live"), 1);
//! assert_eq!(changes("bitrate", "bitrate_kbps"), 5);
//! assert_eq!(firstmile::spelling::nearest("widht", ["width", "height"].into_iter()), Some("width"));
//! ```

/// The fewest changes from what was typed to a word that is known, in characters (optimal string
/// alignment). Memory follows from the known word alone.
pub fn changes(typed: &str, known: &str) -> usize {
    let known: Vec<char> = known.chars().collect();
    // Each row has the changes from the beginning of `typed` to every beginning of `known`.
    let mut last: Vec<usize> = (0..=known.len()).collect();
    let (mut before_last, mut row) = (last.clone(), last.clone());
    let mut previous = None;
    for (i, x) in typed.chars().enumerate() {
        row[0] = i + 1;
        for (j, y) in known.iter().enumerate() {
            let replaced = last[j] + usize::from(x != *y);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if j > 0 && previous == Some(*y) && x == known[j - 1] {
                row[j + 1] = row[j + 1].min(before_last[j - 1] + 1);
            }
        }
        previous = Some(x);
        std::mem::swap(&mut before_last, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last[known.len()]
}

/// The known key that `typed` most probably means: a few letters apart, or one begins the other.
pub fn nearest(typed: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let scored = known.filter_map(|name| {
        let distance = changes(&typed, name);
        let related = typed.len() >= 3
            && (name.starts_with(&typed) || typed.starts_with(name) || typed.ends_with(name));
        (related || distance <= 1 + name.len() / 4).then_some((distance, name))
    });
    scored.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::{changes, nearest};

    #[test]
    fn a_key_that_is_nearly_right_is_recognised() {
        const KEYS: [&str; 6] =
            ["width", "height", "fps", "bitrate_kbps", "bitrate_max_kbps", "keyframe_interval_ms"];
        for (typed, meant) in [
            ("bitrate", Some("bitrate_kbps")),
            ("bitrate-kbps", Some("bitrate_kbps")),
            ("widht", Some("width")),
            ("FPS", Some("fps")),
            ("keyframe_interval", Some("keyframe_interval_ms")),
            ("gop", None),
        ] {
            assert_eq!(nearest(typed, KEYS.into_iter()), meant, "{typed}");
        }
        let keys = || ["name", "url", "key"].into_iter();
        assert_eq!(nearest("stream_key", keys()), Some("key"));
        assert_eq!(nearest("q1w2-e3r4-t5y6", keys()), None);
    }

    #[test]
    fn each_slip_of_the_finger_is_one_change() {
        for (typed, known, expected) in [
            ("live", "live", 0),
            ("lvie", "live", 1),
            ("sto", "stop", 1),
            ("stopp", "stop", 1),
            ("stap", "stop", 1),
            ("", "ab", 2),
            ("ab", "", 2),
            ("statsu", "status", 1),
            ("tsatsu", "status", 2),
            ("bühen", "bühne", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(changes(typed, known), expected, "{typed} {known}");
        }
    }
}
