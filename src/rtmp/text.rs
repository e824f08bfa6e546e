//! Text of a server, made safe for a screen and a journal.

use std::fmt;

use zeroize::Zeroizing;

use crate::{
    limits::{SECRET_PART_BYTES, SERVER_TEXT_CHARS_MAX, SERVER_TEXT_CHARS_READ_MAX, URL_BYTES_MAX},
    sanitize,
    secret::{Mask, StreamKey},
};

/// Makes what a server writes fit to be shown and followed.
pub(super) struct Cleaner {
    key: StreamKey,
    mask: Mask,
    /// Of a key that is long enough to be distinguished from a name in an address.
    of_key: Mask,
}

impl Cleaner {
    /// Hides this key, and what else is secret.
    pub(super) fn new(key: &StreamKey, more: &[Zeroizing<String>]) -> Cleaner {
        let secrets = more.iter().map(|secret| secret.as_str());
        let is_long = key.reveal().len() >= SECRET_PART_BYTES;
        Cleaner {
            key: key.clone(),
            mask: Mask::of([key.reveal()].into_iter().chain(secrets)),
            of_key: Mask::of(is_long.then_some(key.reveal())),
        }
    }

    /// Strips terminal escapes, control and invisible characters, hides secrets, and cuts; in this
    /// order, so that neither a control character inside the key nor the cut can let a part of it
    /// through.
    pub(super) fn text(&self, text: &str) -> String {
        let read: String = sanitize::words(text).chars().take(SERVER_TEXT_CHARS_READ_MAX).collect();
        self.mask.hide(&read).chars().take(SERVER_TEXT_CHARS_MAX).collect()
    }

    /// A URL that a server gave, without the stream key; `None` when nothing usable is left. Most
    /// repeat what the owner's address has behind its host, and that may be there.
    pub(super) fn url(&self, url: &str) -> Option<String> {
        let is_plain = sanitize::words(url) == url && !url.contains(char::is_whitespace);
        if url.len() > URL_BYTES_MAX || !is_plain {
            return None;
        }
        let key = self.key.reveal();
        let bare = url.strip_suffix(key).and_then(|url| url.strip_suffix('/'));
        // What is left must have an app: a key may be called as the app is.
        let has_app = |url: &&str| {
            url.split_once("://").map_or(!url.is_empty(), |(_, rest)| rest.contains('/'))
        };
        let url = bare.filter(has_app).unwrap_or(url);
        (!url.is_empty() && !self.of_key.is_in(url)).then(|| url.to_owned())
    }
}

impl fmt::Debug for Cleaner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cleaner(••••)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaner() -> Cleaner {
        let key = StreamKey::parse("FB-1-0-canary?s_bl=1&a=Ab_/").unwrap();
        Cleaner::new(&key, &[Zeroizing::new("correct horse".to_owned())])
    }

    #[test]
    fn a_servers_words_cannot_steer_a_terminal() {
        let text = "red \u{1b}[31mtext\u{1b}[0m turned \u{202e}round\u{2028}here";
        assert_eq!(cleaner().text(text), "red text turned round here");
    }

    #[test]
    fn a_servers_words_never_show_the_key() {
        for text in [
            "no FB-1-0-canary?s_bl=1&a=Ab_/ here",
            "no FB-1-0-canary here",
            "no FB-1-0-can\u{1b}[0mary here",
            "no FB-1-0-can\u{200b}ary?s_bl=1&a=Ab_/ here",
            "no fb-1-0-CANARY here",
            "no FB-1-0-c%61nary%3Fs_bl=1 here",
            "no 46422d312d302d63616e617279 here",
            "no RkItMS0wLWNhbmFyeT9zX2JsPTE here",
            "no FB-1-0-can here",
            "no Correct%20Horse here",
        ] {
            assert_eq!(cleaner().text(text), "no •••• here", "{text:?}");
        }
    }

    #[test]
    fn the_cut_never_lets_half_a_key_through() {
        let text = format!("{}FB-1-0-canary?s_bl=1&a=Ab_/", "x".repeat(SERVER_TEXT_CHARS_MAX - 6));
        let shown = cleaner().text(&text);
        assert_eq!(shown.chars().count(), SERVER_TEXT_CHARS_MAX - 2);
        assert!(shown.ends_with("x••••"));
    }

    #[test]
    fn a_url_may_repeat_what_the_owners_address_has() {
        let secrets =
            ["_definst_", "eu-west-1", "example.com"].map(|s| Zeroizing::new(s.to_owned()));
        let cleaner = Cleaner::new(&StreamKey::parse("live").unwrap(), &secrets);
        for url in [
            "rtmp://b/live",
            "rtmp://b/live/_definst_",
            "rtmps://b/app/eu-west-1",
            "rtmps://b/live?vhost=example.com",
            "/live",
        ] {
            assert_eq!(cleaner.url(url).as_deref(), Some(url));
        }
        assert_eq!(cleaner.url("rtmp://b/live/live").as_deref(), Some("rtmp://b/live"));
    }

    #[test]
    fn a_url_of_a_server_is_taken_without_the_key_or_not_at_all() {
        let taken = |url: &str| cleaner().url(url);
        assert_eq!(taken("rtmp://b/live").as_deref(), Some("rtmp://b/live"));
        assert_eq!(
            taken("rtmp://b/live/FB-1-0-canary?s_bl=1&a=Ab_/").as_deref(),
            Some("rtmp://b/live")
        );
        for url in [
            "",
            "rtmp://b/FB-1-0-canary/x",
            "rtmp://b/live/fb-1-0-%43anary",
            "rtmp://b/\u{1b}[0m",
            "rtmp://b/a b",
        ] {
            assert_eq!(taken(url), None, "{url:?}");
        }
        assert_eq!(taken(&format!("rtmp://b/{}", "x".repeat(URL_BYTES_MAX))), None);
    }
}
