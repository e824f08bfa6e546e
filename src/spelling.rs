//! How far a word is from the one that was meant.
//!
//! Pure room. It promises that a letter left out, added or replaced and two neighbours swapped each
//! count as one change. Which words there are, and how far is too far, is for who asks.
//!
//! ```
//! use firstmile::spelling::changes;
//! assert_eq!(changes("lvie", "live"), 1);
//! assert_eq!(changes("bitrate", "bitrate_kbps"), 5);
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

#[cfg(test)]
mod tests {
    use super::changes;

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
