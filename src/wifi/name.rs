//! Names of networks as people see and type them.

use crate::sanitize;
use crate::spelling::changes;

/// The shortest name of which one with another letter may be meant.
const SIMILAR_CHARS_MIN: usize = 5;
const CHANGES_MAX: usize = 2;

/// A name made safe to show. Of bytes that are no text, signs stand in their places.
pub fn shown(ssid: &[u8]) -> String {
    sanitize::words(&String::from_utf8_lossy(ssid))
}

/// The name in range that was probably meant: one that differs in what people do not see or cannot type,
/// or by a slip.
pub fn meant<'a>(typed: &str, in_range: impl Iterator<Item = &'a [u8]> + Clone) -> Option<String> {
    let folded = fold(typed);
    let same = in_range.clone().find(|ssid| fold(&shown(ssid)) == folded);
    let near = || {
        let is_long = folded.chars().count() >= SIMILAR_CHARS_MIN;
        let near = in_range.filter(|ssid| !ssid.is_empty() && is_long).filter_map(|ssid| {
            let changes = changes(&folded, &fold(&shown(ssid)));
            (changes <= CHANGES_MAX).then_some((changes, ssid))
        });
        near.min().map(|(_, ssid)| ssid)
    };
    same.or_else(near).map(shown)
}

/// A name without what people do not see in it: capitals, the kind of apostrophes, dashes and blanks,
/// and quotes around all of it, as one who knows a shell types them.
fn fold(name: &str) -> String {
    let plain = name.chars().filter(|c| !sanitize::is_hidden(*c)).map(|c| match c {
        '‘' | '’' | 'ʼ' | '′' | '´' | '`' | '＇' => '\'',
        '“' | '”' | '„' | '«' | '»' | '″' => '"',
        '‐' | '‑' | '‒' | '–' | '—' | '−' | '_' => '-',
        c if c.is_whitespace() => ' ',
        c => c,
    });
    let plain: String = plain.flat_map(char::to_lowercase).collect();
    let unquoted = ['"', '\''].into_iter().find_map(|quote| {
        let inner = plain.trim().strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.is_empty()).then(|| inner.to_owned())
    });
    let words = unquoted.unwrap_or(plain);
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_typed_is_recognised_by_what_was_typed_for_it() {
        let in_range =
            ["Anna’s iPhone", "Café Zoë", "hall", "My Phone", "Büro – 5\u{a0}GHz", "studio-guest"];
        let in_range = || in_range.iter().map(|name| name.as_bytes());
        for (typed, expected) in [
            ("Anna's iPhone", Some("Anna’s iPhone")),
            ("annas iphone", Some("Anna’s iPhone")),
            ("\"My Phone\"", Some("My Phone")),
            ("'my phone'", Some("My Phone")),
            ("Büro - 5 GHz", Some("Büro – 5\u{a0}GHz")),
            ("Cafe Zoe", Some("Café Zoë")),
            ("HALL", Some("hall")),
            ("studio_guest", Some("studio-guest")),
            ("studio-geust", Some("studio-guest")),
            ("hell", None), // short names have many neighbours
            ("attic", None),
            ("", None),
        ] {
            assert_eq!(meant(typed, in_range()).as_deref(), expected, "{typed:?}");
        }
        let hidden: [&[u8]; 2] = [b"", b"\x1b[2J"];
        assert_eq!(meant("attic", hidden.into_iter()), None);
    }
}
