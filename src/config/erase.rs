//! What of a file's text is secret, and the same text without it.
//!
//! Besides the values of secret settings these are addresses that hold one, the same in lines that are
//! commented out, and a secret that is repeated in a comment.

use std::ops::Range;

use zeroize::Zeroizing;

use super::schema::{Form, Kind, SETTINGS};
use super::text::Encoding;
use crate::rtmp::url::ServerUrl;

/// A shorter text may stand in a comment by chance.
const REPEATED_BYTES_MIN: usize = 4;

/// The secrets of a text, without blank ones. `values` are those that were found as settings, with
/// their quotes.
pub(super) fn secrets(text: &str, values: &[Range<usize>]) -> Vec<Range<usize>> {
    let inside = values.iter().map(|value| between_quotes(text, value));
    let mut found: Vec<_> = inside.filter(|at| trimmed(text, at.clone()).is_some()).collect();
    let known = found.iter().filter_map(|at| text.get(trimmed(text, at.clone())?));
    let known: Vec<&str> = known.collect();
    let mut in_comments = Vec::new();
    for comment in comments(text) {
        in_comments.extend(commented_out(text, &comment));
        for secret in known.iter().filter(|secret| secret.len() >= REPEATED_BYTES_MIN) {
            let words = text.get(comment.clone()).unwrap_or_default();
            let repeated = words.match_indices(secret).map(|(at, _)| comment.start + at);
            in_comments.extend(repeated.map(|at| at..at + secret.len()));
        }
    }
    // One that is commented out and repeated is one.
    in_comments.sort_by_key(|at| (at.start, std::cmp::Reverse(at.end)));
    let mut end = 0;
    in_comments.retain(|at| {
        let is_new = at.start >= end;
        end = end.max(at.end);
        is_new
    });
    found.extend(in_comments);
    found
}

/// `text` with blanks in these places; as long as before.
pub(super) fn blank(text: &str, places: &[Range<usize>], encoding: Encoding) -> Zeroizing<String> {
    let mut blanked = Zeroizing::new(String::with_capacity(2 * text.len()));
    for (at, c) in text.char_indices() {
        if c != '\n' && c != '\r' && places.iter().any(|range| range.contains(&at)) {
            (0..encoding.blanks(c)).for_each(|_| blanked.push(' '));
        } else {
            blanked.push(c);
        }
    }
    blanked
}

/// A value without its quotes, which are one or three characters on each side.
fn between_quotes(text: &str, value: &Range<usize>) -> Range<usize> {
    let quoted = text.get(value.clone()).unwrap_or_default();
    let is_long = quoted.starts_with("\"\"\"") || quoted.starts_with("'''");
    let quotes = if is_long { 3 } else { 1 };
    value.start + quotes..value.end.saturating_sub(quotes)
}

/// Without blanks at its ends; `None` when nothing is left.
fn trimmed(text: &str, at: Range<usize>) -> Option<Range<usize>> {
    let words = text.get(at.clone())?;
    let start = at.start + (words.len() - words.trim_start().len());
    let end = start + words.trim().len();
    (start < end).then_some(start..end)
}

/// The comments of a TOML text (TOML 1.0.0, sections Comment and String), without their signs.
fn comments(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|q| rest.starts_with(q));
        if let Some(quote) = quote {
            at += quote.len() + string_bytes(&rest[quote.len()..], quote);
        } else if rest.starts_with('#') {
            let end = at + rest.find(['\n', '\r']).unwrap_or(rest.len());
            found.push(at + 1..end);
            at = end;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// How long a string is after its first quotes, with its last ones.
fn string_bytes(rest: &str, quote: &str) -> usize {
    let may_escape = quote.starts_with('"');
    let is_long = quote.len() == 3;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if may_escape => escaped = true,
            '\n' if !is_long => return at,
            _ if rest[at..].starts_with(quote) => return at + quote.len(),
            _ => {}
        }
    }
    rest.len()
}

/// Values of secret settings, and addresses that hold a secret, in a line that is commented out.
fn commented_out(text: &str, comment: &Range<usize>) -> Vec<Range<usize>> {
    let words = text.get(comment.clone()).unwrap_or_default();
    let mut found = Vec::new();
    for setting in SETTINGS.entries() {
        let is_address = setting.kind == Kind::Text(Form::Address);
        if !setting.kind.is_secret() && !is_address {
            continue;
        }
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        for (at, name) in words.match_indices(setting.key()) {
            let after = &words[at + name.len()..];
            let sign = after.trim_start_matches(['"', '\'']).trim_start();
            if words[..at].ends_with(is_word) || !sign.starts_with(['=', ':']) {
                continue;
            }
            let begin = words.len() - sign[1..].trim_start().len();
            let value = &words[begin..];
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
            let at = match quote.and_then(|quote| Some((1, 1 + value[1..].find(quote)?))) {
                Some((from, to)) => begin + from..begin + to,
                None => begin..words.len(),
            };
            let is_open = |at: &Range<usize>| {
                ServerUrl::parse(&words[at.clone()]).is_ok_and(|url| !url.holds_secret())
            };
            if !(is_address && is_open(&at)) {
                found.extend(trimmed(text, comment.start + at.start..comment.start + at.end));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a text without settings.
    fn found(text: &str) -> Vec<&str> {
        secrets(text, &[]).into_iter().map(|at| &text[at]).collect()
    }

    #[test]
    fn a_secret_that_is_commented_out_is_found_however_it_is_written() {
        for (line, secret) in [
            ("#key = \"old-one\"", "old-one"),
            ("# key='old-one' # since May", "old-one"),
            ("  ## destination.key = old-one", "old-one"),
            ("fps = 25 # key: old-one ", "old-one"),
            ("#passphrase = \"my dog's name\"", "my dog's name"),
            ("# { name = \"a\", \"key\" = \"old-one\", url = \"rtmps://h/a\" }", "old-one"),
            ("#url = \"rtmps://u:p@h/a\"", "rtmps://u:p@h/a"),
            ("#url = \"rtmps://h/a?token=abc\"", "rtmps://h/a?token=abc"),
            ("#backup_url = \"rtmps://h/a/k3y\"", "rtmps://h/a/k3y"),
            ("#pin = \"4711\"", "4711"),
            ("#key = \"unclosed", "\"unclosed"),
        ] {
            assert_eq!(found(line), [secret], "{line}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for line in [
            "# The key is on the platform's page.",
            "#erase_key = true",
            "#url = \"rtmps://h/live\"",
            "#key = \"\"",
            "name = \"# key = is-no-comment\"",
            "name = '''\n# key = 'is-no-comment'\n'''",
            "name = \"\\\"# key = is-no-comment\"",
            "#keyframe_interval_ms = 2000",
        ] {
            assert_eq!(found(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn a_secret_that_a_comment_repeats_is_found_there_too() {
        let text = "key = \"abcd-efgh\" # abcd-efgh until June";
        let at = 6..17;
        let places = secrets(text, &[at]);
        assert_eq!(places.len(), 2);
        let blanked = blank(text, &places, Encoding::Utf8 { mark: 0 });
        assert_eq!(*blanked, "key = \"         \" #           until June");
    }
}
