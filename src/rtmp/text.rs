//! Text of a server, made safe for a screen and a journal.

use crate::{
    limits::{SERVER_TEXT_CHARS_MAX, URL_BYTES_MAX},
    secret::StreamKey,
};

/// What stands in for the stream key.
const MASK: &str = "••••";
/// The part of a key before its `?` is masked too where servers show only that, unless it is so
/// short that it would be found inside ordinary text.
const STEM_BYTES_MIN: usize = 6;

/// Strips terminal escapes, control and invisible characters, masks the key, and cuts; in this
/// order, so that neither a control character inside the key nor the cut can let a part of it through.
pub(super) fn clean_text(text: &str, key: &StreamKey) -> String {
    mask(&strip(text), key).chars().take(SERVER_TEXT_CHARS_MAX).collect()
}

/// A URL that a server gave, without the stream key; `None` when nothing usable is left.
pub(super) fn clean_url(url: &str, key: &StreamKey) -> Option<String> {
    if url.len() > URL_BYTES_MAX || strip(url) != url || url.contains(char::is_whitespace) {
        return None;
    }
    let url = url.strip_suffix(key.reveal()).and_then(|url| url.strip_suffix('/')).unwrap_or(url);
    (!url.is_empty() && mask(url, key) == url).then(|| url.to_owned())
}

fn mask(text: &str, key: &StreamKey) -> String {
    let masked = text.replace(key.reveal(), MASK);
    match key.reveal().split_once('?') {
        Some((stem, _)) if stem.len() >= STEM_BYTES_MIN => masked.replace(stem, MASK),
        _ => masked,
    }
}

/// Where a terminal escape sequence (ECMA-48 section 5) is being skipped.
enum Skip {
    Nothing,
    /// After ESC.
    Escape,
    /// CSI: up to a final byte.
    Control,
    /// OSC and the other strings: up to BEL or ST.
    Text,
}

fn strip(text: &str) -> String {
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
                if matches!(c, '\n' | '\r' | '\t') {
                    kept.push(' ');
                } else if !is_hidden(c) {
                    kept.push(c);
                }
                Skip::Nothing
            }
        };
    }
    kept
}

/// Control characters, and those that are invisible or turn the direction of writing.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> StreamKey {
        StreamKey::parse("FB-1-0-canary?s_bl=1&a=Ab_/").unwrap()
    }

    #[test]
    fn a_servers_words_cannot_steer_a_terminal() {
        for (text, shown) in [
            ("plain — ünïcode", "plain — ünïcode"),
            ("red \u{1b}[31mtext\u{1b}[0m", "red text"),
            ("title \u{1b}]0;owned\u{7}here", "title here"),
            ("title \u{1b}]0;owned\u{1b}\\here", "title here"),
            ("csi \u{9b}2Jcleared", "csi cleared"),
            ("charset \u{1b}(Bhere", "charset here"),
            ("bell\u{7} null\0 back\u{8}", "bell null back"),
            ("two\r\nlines", "two  lines"),
            ("turned \u{202e}round", "turned round"),
            ("cut short \u{1b}[", "cut short "),
        ] {
            assert_eq!(clean_text(text, &key()), shown, "{text:?}");
        }
    }

    #[test]
    fn a_servers_words_never_show_the_key() {
        for text in [
            "no FB-1-0-canary?s_bl=1&a=Ab_/ here",
            "no FB-1-0-canary here",
            "no FB-1-0-can\u{1b}[0mary here",
            "no FB-1-0-can\u{200b}ary?s_bl=1&a=Ab_/ here",
        ] {
            assert_eq!(clean_text(text, &key()), "no •••• here", "{text:?}");
        }
    }

    #[test]
    fn the_cut_never_lets_half_a_key_through() {
        let text = format!("{}FB-1-0-canary?s_bl=1&a=Ab_/", "x".repeat(SERVER_TEXT_CHARS_MAX - 6));
        let shown = clean_text(&text, &key());
        assert_eq!(shown.chars().count(), SERVER_TEXT_CHARS_MAX - 2);
        assert!(shown.ends_with("x••••"));
    }

    #[test]
    fn a_url_of_a_server_is_taken_without_the_key_or_not_at_all() {
        let taken = |url: &str| clean_url(url, &key());
        assert_eq!(taken("rtmp://b/live").as_deref(), Some("rtmp://b/live"));
        assert_eq!(
            taken("rtmp://b/live/FB-1-0-canary?s_bl=1&a=Ab_/").as_deref(),
            Some("rtmp://b/live")
        );
        for url in ["", "rtmp://b/FB-1-0-canary/x", "rtmp://b/\u{1b}[0m", "rtmp://b/a b"] {
            assert_eq!(taken(url), None, "{url:?}");
        }
        assert_eq!(taken(&format!("rtmp://b/{}", "x".repeat(URL_BYTES_MAX))), None);
    }
}
