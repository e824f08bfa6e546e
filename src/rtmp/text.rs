//! Text of a server, made safe for a screen and a journal.

use crate::{
    limits::{SERVER_TEXT_CHARS_MAX, URL_BYTES_MAX},
    sanitize,
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
    mask(&sanitize::words(text), key).chars().take(SERVER_TEXT_CHARS_MAX).collect()
}

/// A URL that a server gave, without the stream key; `None` when nothing usable is left.
pub(super) fn clean_url(url: &str, key: &StreamKey) -> Option<String> {
    if url.len() > URL_BYTES_MAX || sanitize::words(url) != url || url.contains(char::is_whitespace)
    {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> StreamKey {
        StreamKey::parse("FB-1-0-canary?s_bl=1&a=Ab_/").unwrap()
    }

    #[test]
    fn a_servers_words_cannot_steer_a_terminal() {
        let text = "red \u{1b}[31mtext\u{1b}[0m turned \u{202e}round\u{2028}here";
        assert_eq!(clean_text(text, &key()), "red text turned round here");
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
