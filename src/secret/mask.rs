//! Hiding secrets in what others write: a server that repeats a key may do so in another spelling.

use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};
use zeroize::Zeroizing;

use crate::limits::{SECRET_PART_BYTES, SECRET_STEM_BYTES_MIN};

/// What stands in for a secret.
pub const SUBSTITUTE: &str = "••••";

/// How often `%XX` is undone: an address inside of an address is encoded twice.
const PERCENT_LAYERS_MAX: usize = 3;

/// Bits behind the last whole byte do not matter where a text was cut.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Finds secrets, and parts of them, in a text: in capitals or not, with `%XX`, as hexadecimal digits,
/// in base64, and cut off on either side.
///
/// ```
/// use firstmile::secret::Mask;
/// let mask = Mask::of(["live_1234-abcdef"]);
/// assert_eq!(mask.hide("no stream LIVE_1234-ab..."), "no stream ••••...");
/// assert_eq!(mask.hide("no stream named live"), "no stream named live");
/// ```
#[derive(Default)]
pub struct Mask {
    /// All that is [`SECRET_PART_BYTES`] long in a secret, in order.
    parts: Zeroizing<Vec<[u8; SECRET_PART_BYTES]>>,
    /// Shorter secrets.
    wholes: Vec<Zeroizing<Vec<u8>>>,
}

/// A byte that a text means, and where in the text it stands.
type Meant = (u8, Range<usize>);

impl Mask {
    /// A mask for these secrets. Of a key with a query, the part before the `?` is one too: some
    /// servers show only that.
    pub fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Mask {
        let mut mask = Mask::default();
        for secret in secrets {
            mask.add(secret);
            match secret.split_once('?') {
                // A shorter one would be found inside ordinary text.
                Some((stem, _)) if stem.len() >= SECRET_STEM_BYTES_MIN => mask.add(stem),
                _ => {}
            }
        }
        mask.parts.sort_unstable();
        mask.parts.dedup();
        mask
    }

    fn add(&mut self, secret: &str) {
        let bytes = Zeroizing::new(secret.to_ascii_lowercase().into_bytes());
        match bytes.len() {
            0 => {}
            1..SECRET_PART_BYTES => self.wholes.push(bytes),
            _ => {
                let parts = bytes.windows(SECRET_PART_BYTES);
                self.parts.extend(
                    parts.filter_map(|part| <[u8; SECRET_PART_BYTES]>::try_from(part).ok()),
                );
            }
        }
    }

    /// The text with [`SUBSTITUTE`] for each secret in it.
    pub fn hide(&self, text: &str) -> String {
        let hidden = self.find(text);
        let mut shown = String::with_capacity(text.len());
        let mut before = false;
        for (at, c) in text.char_indices() {
            let is_hidden = hidden[at..at + c.len_utf8()].contains(&true);
            match (is_hidden, before) {
                (true, false) => shown.push_str(SUBSTITUTE),
                (true, true) => {}
                (false, _) => shown.push(c),
            }
            before = is_hidden;
        }
        shown
    }

    /// Whether there is a secret in `text`.
    pub fn is_in(&self, text: &str) -> bool {
        self.find(text).contains(&true)
    }

    /// For each byte of `text`, whether it belongs to a secret.
    fn find(&self, text: &str) -> Vec<bool> {
        let mut hidden = vec![false; text.len()];
        let mut layer: Vec<Meant> =
            text.bytes().enumerate().map(|(at, byte)| (byte, at..at + 1)).collect();
        self.mark(&layer, &mut hidden);
        for _ in 0..PERCENT_LAYERS_MAX {
            let decoded = percent_decoded(&layer);
            if decoded.len() == layer.len() {
                break;
            }
            layer = decoded;
            self.mark(&layer, &mut hidden);
        }
        for run in runs(text, |byte| byte.is_ascii_hexdigit(), |byte| b":- ".contains(&byte)) {
            for from in 0..run.len().min(2) {
                self.mark(&hex_decoded(&run[from..]), &mut hidden);
            }
        }
        for run in runs(text, |byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte), never)
        {
            for from in 0..run.len().min(4) {
                self.mark(&base64_decoded(&run[from..]), &mut hidden);
            }
        }
        hidden
    }

    fn mark(&self, layer: &[Meant], hidden: &mut [bool]) {
        let bytes: Zeroizing<Vec<u8>> =
            Zeroizing::new(layer.iter().map(|(byte, _)| byte.to_ascii_lowercase()).collect());
        let mut hide = |from: usize, length: usize| {
            let (Some(first), Some(last)) = (layer.get(from), layer.get(from + length - 1)) else {
                return;
            };
            hidden[first.1.start..last.1.end].fill(true);
        };
        for (at, part) in bytes.windows(SECRET_PART_BYTES).enumerate() {
            if self.parts.binary_search_by(|known| known.as_slice().cmp(part)).is_ok() {
                hide(at, SECRET_PART_BYTES);
            }
        }
        for whole in &self.wholes {
            for (at, part) in bytes.windows(whole.len()).enumerate() {
                if part == &whole[..] {
                    hide(at, whole.len());
                }
            }
        }
    }
}

fn never(_: u8) -> bool {
    false
}

/// Everything that is made of `wanted` bytes, with single ones between them that are left out.
fn runs(text: &str, wanted: impl Fn(u8) -> bool, between: impl Fn(u8) -> bool) -> Vec<Vec<Meant>> {
    let bytes = text.as_bytes();
    let (mut found, mut run) = (Vec::new(), Vec::new());
    for (at, byte) in bytes.iter().copied().enumerate() {
        if wanted(byte) {
            run.push((byte, at..at + 1));
        } else if !(between(byte) && bytes.get(at + 1).is_some_and(|next| wanted(*next))) {
            found.push(std::mem::take(&mut run));
        }
    }
    found.push(run);
    found.retain(|run: &Vec<Meant>| !run.is_empty());
    found
}

fn percent_decoded(layer: &[Meant]) -> Vec<Meant> {
    let mut decoded = Vec::with_capacity(layer.len());
    let mut rest = layer;
    while let Some(((byte, place), after)) = rest.split_first() {
        let digits = match after {
            [high, low, ..] if *byte == b'%' => hex_byte(high, low),
            _ => None,
        };
        match digits {
            Some((value, end)) => {
                decoded.push((value, place.start..end));
                rest = &after[2..];
            }
            None => {
                decoded.push((*byte, place.clone()));
                rest = after;
            }
        }
    }
    decoded
}

fn hex_decoded(run: &[Meant]) -> Vec<Meant> {
    let pairs = run.chunks_exact(2);
    let decoded = pairs.filter_map(|pair| {
        let (value, end) = hex_byte(&pair[0], &pair[1])?;
        Some((value, pair[0].1.start..end))
    });
    decoded.collect()
}

fn hex_byte(high: &Meant, low: &Meant) -> Option<(u8, usize)> {
    let digit = |meant: &Meant| char::from(meant.0).to_digit(16);
    Some(((digit(high)? * 16 + digit(low)?) as u8, low.1.end))
}

/// Each byte at the place of the whole group that it is in.
fn base64_decoded(run: &[Meant]) -> Vec<Meant> {
    let mut decoded = Vec::with_capacity(run.len());
    for group in run.chunks(4) {
        let letters: Vec<u8> = group
            .iter()
            .map(|(letter, _)| match letter {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            })
            .collect();
        let Ok(bytes) = BASE64.decode(letters) else { break };
        let place = group[0].1.start..group[group.len() - 1].1.end;
        decoded.extend(Zeroizing::new(bytes).iter().map(|byte| (*byte, place.clone())));
    }
    decoded
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mask(••••)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

    const KEY: &str = "FB-1-0-Canary?s_bl=1&a=Ab_/";

    fn hidden(text: &str) -> String {
        Mask::of([KEY]).hide(text)
    }

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    fn percent(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    /// Every spelling of `secret` that a server, a proxy or a log of theirs might use.
    fn spellings(secret: &str) -> Vec<String> {
        let odd = secret
            .bytes()
            .enumerate()
            .map(|(at, byte)| match at % 3 {
                0 => format!("%{byte:02x}"),
                _ => char::from(byte).to_string(),
            })
            .collect();
        let spaced = |gap: &str| {
            secret.bytes().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(gap)
        };
        let mut all = vec![
            secret.to_owned(),
            secret.to_uppercase(),
            secret.to_lowercase(),
            percent(secret),
            percent(secret).to_lowercase(),
            percent(&percent(secret)),
            odd,
            hex(secret),
            hex(secret).to_uppercase(),
            spaced(":"),
            spaced(" "),
        ];
        // Alone, and as a part of something longer, at each place in a group of three.
        for before in ["", "a", "ab"] {
            let longer = format!("{before}{secret}{before}");
            all.push(BASE64_STANDARD.encode(&longer));
            all.push(BASE64_URL_SAFE_NO_PAD.encode(&longer));
        }
        all
    }

    #[test]
    fn a_key_is_found_in_every_usual_spelling() {
        for spelling in spellings(KEY) {
            let text = format!("no stream <{spelling}> here");
            let shown = hidden(&text);
            assert!(shown.starts_with("no stream <"), "{text}: {shown}");
            assert!(shown.ends_with("> here"), "{text}: {shown}");
            let left = shown.trim_start_matches("no stream <").trim_end_matches("> here");
            let left = left.replace(SUBSTITUTE, "");
            // Of what stood around it in base64 a group may be left, and the sign that fills it up.
            assert!(left.len() <= 8, "{text}: {shown}");
        }
    }

    #[test]
    fn a_key_that_is_cut_off_is_found_from_the_bound_on() {
        for spelling in [KEY.to_owned(), percent(KEY), hex(KEY), BASE64_STANDARD.encode(KEY)] {
            for length in spelling.len() / 2..spelling.len() {
                for part in [&spelling[..length], &spelling[spelling.len() - length..]] {
                    let shown = hidden(&format!("<{part}...>"));
                    let left = shown.chars().filter(char::is_ascii_alphanumeric).count();
                    assert!(shown.contains(SUBSTITUTE) && left <= 8, "{part}: {shown}");
                }
            }
        }
        assert_eq!(hidden("FB-1-0-"), "FB-1-0-", "too short to be a part");
        assert_eq!(hidden("FB-1-0-C"), SUBSTITUTE);
    }

    #[test]
    fn a_short_key_is_found_as_a_whole() {
        let mask = Mask::of(["a-k3y"]);
        assert_eq!(mask.hide("no A-K3Y, no %61-k3y, no 612d6b3379"), "no ••••, no ••••, no ••••");
        assert_eq!(mask.hide("no a-k3, no k3y"), "no a-k3, no k3y");
    }

    #[test]
    fn the_part_before_a_query_is_found_alone_unless_it_is_short() {
        assert_eq!(Mask::of(["canary?s=12345678"]).hide("no canary here"), "no •••• here");
        assert_eq!(Mask::of(["live?s=12345678"]).hide("no live here"), "no live here");
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        let words =
            "Stream not found: NetStream.Publish.BadName (403), see https://a.example/help?id=7";
        assert_eq!(hidden(words), words);
        assert_eq!(hidden("ünïcode — ••••"), "ünïcode — ••••");
        assert_eq!(Mask::of(["ключ-от-потока"]).hide("нет КЛЮЧ-от-потока"), "нет КЛЮЧ••••");
        assert_eq!(Mask::default().hide("text"), "text");
        assert_eq!(Mask::of([""]).hide("text"), "text");
    }

    #[test]
    fn any_text_is_taken_and_nothing_of_the_key_is_left() {
        for seed in 0..400 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let noise = |rng: &mut fastrand::Rng| -> String {
                (0..rng.usize(..30)).map(|_| rng.char(' '..'ÿ')).collect()
            };
            let spellings = spellings(KEY);
            let spelling = &spellings[rng.usize(..spellings.len() - 6)];
            let text = format!("{}{spelling}{}", noise(&mut rng), noise(&mut rng));
            assert!(!hidden(&text).contains(spelling.as_str()), "seed {seed}: {text}");
        }
    }
}
