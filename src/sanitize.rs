//! Text from outside, made safe for a screen, a serial line and a journal.
//!
//! Pure room. Whatever a server, a device, a stick or a network calls itself passes here before
//! anybody is shown it: [`words()`] where it comes in, and [`line()`] once more where lines go out.
//! Neither lets a terminal be steered, a line be forged, or a part of a text be invisible or in
//! another order than it is stored in.

/// Where a terminal's escape sequence (ECMA-48 section 5) is being skipped.
enum Skip {
    Nothing,
    /// After ESC.
    Escape,
    /// CSI: up to a final byte.
    Control,
    /// OSC and the other strings: up to BEL or ST.
    Text,
}

/// A text from outside without escape sequences and without what [`is_hidden()`]; ends of lines become
/// blanks. A sequence that does not end takes the rest with it, so this is for a text that stands
/// alone; our own words around it go through [`line()`].
pub fn words(text: &str) -> String {
    let mut skip = Skip::Nothing;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        skip = match (skip, c) {
            (_, '\u{1b}') => Skip::Escape,
            (_, '\u{9b}') => Skip::Control,
            (_, '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}') => Skip::Text,
            (Skip::Escape, '[') => Skip::Control,
            (Skip::Escape, ']' | 'P' | 'X' | '^' | '_') => Skip::Text,
            (Skip::Escape, ' '..='/') => Skip::Escape,
            (Skip::Control, ' '..='?') => Skip::Control,
            (Skip::Text, '\u{7}' | '\u{9c}') => Skip::Nothing,
            (Skip::Text, _) => Skip::Text,
            (Skip::Escape | Skip::Control, _) => Skip::Nothing,
            (Skip::Nothing, c) => {
                kept.extend(shown(c));
                Skip::Nothing
            }
        };
    }
    kept
}

/// A line as it goes out: control characters become blanks, and what else [`is_hidden`] is left out,
/// character by character, so that nothing in it can take other words away.
pub fn line(text: &str) -> String {
    text.chars().filter_map(|c| if c.is_control() { Some(' ') } else { shown(c) }).collect()
}

/// JSON that shows everything it contains: what [`is_hidden()`] is written as `\uXXXX`, which means
/// the same to whoever parses it.
pub fn json(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) && c != '\n' {
            true => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| kept.push_str(&format!("\\u{unit:04x}"))),
            false => kept.push(c),
        }
    }
    kept
}

/// What a character of a line becomes.
fn shown(c: char) -> Option<char> {
    match c {
        '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some(' '),
        c => (!is_hidden(c)).then_some(c),
    }
}

/// Control characters; line and paragraph separators; what turns the direction of writing; and what
/// takes no room (Unicode's `Default_Ignorable_Code_Point`, DerivedCoreProperties.txt, and the
/// annotation characters).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}')
        || matches!(c, '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}')
        || matches!(c, '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}')
        || matches!(c, '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_cannot_steer_a_terminal() {
        for (text, shown) in [
            ("plain — ünïcode", "plain — ünïcode"),
            ("red \u{1b}[31mtext\u{1b}[0m", "red text"),
            ("title \u{1b}]0;owned\u{7}here", "title here"),
            ("title \u{1b}]0;owned\u{1b}\\here", "title here"),
            ("csi \u{9b}2Jcleared", "csi cleared"),
            ("charset \u{1b}(Bhere", "charset here"),
            ("bell\u{7} null\0 back\u{8}", "bell null back"),
            ("two\r\nlines", "two  lines"),
            ("turned \u{202e}round\u{2066}", "turned round"),
            ("two\u{2028}lines\u{2029}", "two lines "),
            ("zero\u{200b}\u{feff}width\u{3164}\u{e0041}", "zerowidth"),
            ("cut short \u{1b}[", "cut short "),
        ] {
            assert_eq!(words(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_line_loses_what_is_hidden_and_never_the_words_after_it() {
        assert_eq!(line("a \u{1b}]0;b\u{202e} \u{9d}c\nd\u{2028}e"), "a  ]0;b  c d e");
    }

    #[test]
    fn json_shows_what_is_hidden_and_means_the_same() {
        let value = serde_json::json!({ "name": "a\u{1b}b\u{202e}c\u{7f}d\u{e0041}e\u{9b}é" });
        let shown = json(&value.to_string());
        assert!(!shown.chars().any(is_hidden), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
