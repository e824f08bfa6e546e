//! What copying adds to a text, and what stands where a secret should be.

use zeroize::Zeroizing;

/// A text as it is copied out of a chat, a browser, a word processor or a file of an editor: without
/// white space around it, and without characters that show nothing, wherever they stand; those that
/// shape letters or emoji stay.
///
/// ```
/// use firstmile::secret::pasted;
/// assert_eq!(*pasted::clean("\u{feff}\u{a0}ab\u{200b}cd\u{2060}\r\n"), "abcd");
/// assert_eq!(*pasted::clean("a b"), "a b");
/// ```
pub fn clean(text: &str) -> Zeroizing<String> {
    visible(text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c)))
}

/// A text without characters that show nothing; white space stays, and so does what shapes the letters
/// or emoji before and after it.
pub fn visible(text: &str) -> Zeroizing<String> {
    let mut visible = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let is_shaped = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && !is_blank(c));
        let before = is_shaped(visible.chars().next_back());
        let is_part = match c {
            // Joiners, of Persian, Indic scripts and emoji that are made of several.
            '\u{200c}' | '\u{200d}' => before && is_shaped(rest.clone().next()),
            // How the character before is drawn.
            '\u{34f}' | '\u{fe00}'..='\u{fe0f}' => before,
            _ => false,
        };
        if is_part || !is_invisible(c) {
            visible.push(c);
        }
    }
    visible
}

/// Whether a character is none that others shape.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || (is_invisible(c) && !matches!(c, '\u{fe00}'..='\u{fe0f}'))
}

/// Whether a character shows nothing and takes no room: break opportunities, joiners, marks of
/// direction, byte order marks and stand-ins for objects. No platform puts one into a key.
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fffc}'
    )
}

/// Which character of a text, from 1, is white space or a control character.
pub fn first_unprintable(text: &str) -> Option<usize> {
    text.chars().position(|c| c.is_whitespace() || c.is_control()).map(|at| at + 1)
}

/// Whether a text stands in quotes, those of a file or those that word processors make of them.
pub(super) fn is_quoted(text: &str) -> bool {
    const QUOTES: [char; 8] = ['"', '“', '”', '„', '‟', '«', '»', '＂'];
    text.chars().count() > 1 && text.starts_with(QUOTES) && text.ends_with(QUOTES)
}

/// Whether a text is what a page shows in place of a hidden key.
pub(super) fn is_mask(text: &str) -> bool {
    text.chars()
        .all(|c| matches!(c, '•' | '*' | '●' | '·' | '∙' | '‧' | '⋅' | '■' | '∗' | '…' | '.'))
}

/// Whether a text is what a template, a manual or a page writes where the key belongs.
pub(super) fn is_placeholder(text: &str) -> bool {
    /// Letters and digits of what stands in no key.
    const PARTS: [&str; 4] = ["yourstreamkey", "yourstreamingkey", "streamkeyhere", "yourkeyhere"];
    /// The same as whole words: `hockey-here` is a name that somebody may give to a stream.
    const WORDS: [&str; 3] = ["your key", "key here", "yourkey"];
    let mut letters = Zeroizing::new(String::with_capacity(2 * text.len()));
    letters.extend(text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase));
    let mut words = Zeroizing::new(String::with_capacity(2 * text.len() + 2));
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        words.push(' ');
        words.extend(word.chars().flat_map(char::to_lowercase));
    }
    words.push(' ');
    let has_words = |part: &&str| {
        let parts = words.match_indices(*part);
        parts
            .into_iter()
            .any(|(at, _)| words[..at].ends_with(' ') && words[at + part.len()..].starts_with(' '))
    };
    let in_brackets = [('<', '>'), ('{', '}'), ('[', ']'), ('(', ')')]
        .iter()
        .any(|(open, close)| text.starts_with(*open) && text.ends_with(*close));
    let is_named = ["streamkey", "streamname", "key"].contains(&letters.as_str());
    PARTS.iter().any(|part| letters.contains(part))
        || WORDS.iter().any(has_words)
        || (in_brackets && is_named)
        || ["STREAM_KEY", "STREAM-KEY"].contains(&text)
        || (letters.len() >= 8 && letters.bytes().all(|b| b == b'x'))
}

/// The text of UTF-16 after its byte order mark, and whether its bytes are big-endian; `None` where
/// there is no mark. The text is `None` where it is damaged.
pub fn utf_16(bytes: &[u8]) -> Option<(Option<Zeroizing<String>>, bool)> {
    let (big_endian, units) = match bytes {
        [0xff, 0xfe, units @ ..] => (false, units),
        [0xfe, 0xff, units @ ..] => (true, units),
        _ => return None,
    };
    let (pairs, []) = units.as_chunks() else { return Some((None, big_endian)) };
    let unit = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let Ok(c) = c else { return Some((None, big_endian)) };
        text.push(c);
    }
    Some((Some(text), big_endian))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joiner_stays_where_it_shapes_what_stands_around_it() {
        for kept in ["می\u{200c}خواهم", "👩\u{200d}🚒", "❤\u{fe0f}\u{200d}🔥", "☀\u{fe0f}live"]
        {
            assert_eq!(*clean(kept), kept);
        }
        for cut in ["ab\u{200d}cd", "\u{200c}ab\u{fe0f}cd\u{200d}", "ab\u{200b}\u{200c}cd"] {
            assert_eq!(*clean(cut), "abcd", "{cut:?}");
        }
        assert_eq!(*clean("é\u{200d}\u{200b}"), "é");
    }

    #[test]
    fn what_stands_where_a_key_should_be_is_no_key() {
        for text in [
            "paste-your-stream-key-here",
            "YOUR_STREAM_KEY",
            "your-key",
            "PASTE_KEY_HERE",
            "yourkey",
            "InsertYourKeyHere",
            "<stream key>",
            "{stream_key}",
            "[KEY]",
            "STREAM_KEY",
            "xxxx-xxxx-xxxx-xxxx-xxxx",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in [
            "streamkey",
            "stream",
            "hall",
            "live_123_AbCd",
            "xxx",
            "{7f3a}",
            "monkey-1",
            "hockey-here",
            "turkeyhere",
            "yourkeynote",
        ] {
            assert!(!is_placeholder(text), "{text}");
        }
        assert!(is_mask("••••••••") && is_mask("****") && !is_mask("live_•"));
        assert!(
            is_quoted("\"abc\"") && is_quoted("“abc”") && !is_quoted("a\"b") && !is_quoted("\"")
        );
    }
}
