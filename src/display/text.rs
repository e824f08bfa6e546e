//! Texts cut to what a display has room for. Every character takes one column.

use embedded_graphics::mono_font::{MonoFont, iso_8859_1};

/// What stands for words that there is no room for.
const CUT: &str = "..";

/// Letters of one size.
#[derive(Debug, Clone, Copy)]
pub struct Letters {
    /// The font.
    pub font: &'static MonoFont<'static>,
    /// Width of a letter, in pixels.
    pub width: usize,
    /// From one line to the next, in pixels.
    pub line: usize,
}

/// For what a word on the page says at a glance.
pub const LARGE: Letters = Letters { font: &iso_8859_1::FONT_9X15_BOLD, width: 9, line: 16 };
/// For texts that are short.
pub const MIDDLE: Letters = Letters { font: &iso_8859_1::FONT_6X10, width: 6, line: 10 };
/// For texts that are long; a line is one strip of the chips.
pub const SMALL: Letters = Letters { font: &iso_8859_1::FONT_5X8, width: 5, line: 8 };
/// For what fits no other way.
pub const TINY: Letters = Letters { font: &iso_8859_1::FONT_4X6, width: 4, line: 8 };

impl Letters {
    /// Columns in so many pixels.
    pub fn columns(self, pixels: usize) -> usize {
        pixels / self.width
    }
}

/// One line, cut at the end.
pub fn cut(text: &str, columns: usize) -> String {
    wrap(text, columns, 1).pop().unwrap_or_default()
}

/// The text in lines, cut behind the last word that there is room for.
pub fn wrap(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let mut wrapped = all_lines(text, columns);
    if wrapped.len() <= lines {
        return wrapped;
    }
    wrapped.truncate(lines);
    if let Some(last) = wrapped.last_mut() {
        let room = columns.saturating_sub(CUT.len());
        while last.chars().count() > room {
            // A single word is cut inside.
            let end = last.rfind(' ').or_else(|| last.char_indices().nth(room).map(|(at, _)| at));
            last.truncate(end.unwrap_or(0));
        }
        last.push_str(CUT.get(..columns.min(CUT.len())).unwrap_or_default());
    }
    wrapped
}

/// How many lines the whole text takes.
pub fn lines(text: &str, columns: usize) -> usize {
    all_lines(text, columns).len()
}

fn all_lines(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if columns == 0 {
        return lines;
    }
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        // The fonts have no dots, which stand for what is hidden.
        let letters: Vec<char> = word.chars().map(|c| if c == '•' { '*' } else { c }).collect();
        // A word that is longer than a line begins one, and is broken.
        for part in letters.chunks(columns) {
            let begins = used == 0;
            if !begins && used + 1 + part.len() > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.extend(part);
            used += part.len();
        }
    }
    if used > 0 {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_wrapped_between_words_and_broken_only_inside_of_those_too_long() {
        assert_eq!(wrap("give the box air", 8, 9), ["give the", "box air"]);
        assert_eq!(wrap("  a\n\tb\u{7}c  ", 9, 9), ["a b c"]);
        assert_eq!(wrap("see rtmps://ab.example", 8, 9), ["see", "rtmps://", "ab.examp", "le"]);
        assert_eq!(wrap("", 8, 9), [""; 0]);
        assert_eq!(wrap("abc", 0, 9), [""; 0]);
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_behind_a_word() {
        assert_eq!(wrap("give the box air or shade", 8, 2), ["give the", "box.."]);
        assert_eq!(wrap("give the box air", 8, 2), ["give the", "box air"], "nothing is missing");
        assert_eq!(cut("youtube and more", 12), "youtube..");
        assert_eq!(cut("abcdefghij", 6), "abcd..");
        assert_eq!(cut("äöüß äöüß", 8), "äöüß..");
        assert_eq!(cut("abc", 1), ".");
        for columns in 0..30 {
            let cut = cut("a name with several words", columns);
            assert!(cut.chars().count() <= columns, "{columns}: {cut}");
        }
    }
}
