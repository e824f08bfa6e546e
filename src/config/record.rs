//! How settings are stored: two copies, each of a file of settings and a file of keys. Each file is a
//! checksummed record: one line with generation, length and checksum, then the text.
//!
//! A copy counts when both of its files are whole and of one generation; of two copies the newer
//! counts. So a copy can be replaced file by file, and whatever a power cut leaves of it is either
//! recognised or not looked at.

use zeroize::Zeroizing;

use super::parse::parse_stored;
use super::partial::Partial;
use crate::limits::{DESTINATIONS_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX, SETTINGS_BYTES_MAX};

/// What the first line of a record begins with; the number is the version of the record.
const MARK: &str = "firstmile-sealed-1";
/// The longest first line.
const FIRST_LINE_BYTES_MAX: usize = 80;
/// The longest record.
pub const RECORD_BYTES_MAX: usize = FIRST_LINE_BYTES_MAX
    + if SETTINGS_BYTES_MAX > KEYS_BYTES_MAX { SETTINGS_BYTES_MAX } else { KEYS_BYTES_MAX };
const KEYS_BYTES_MAX: usize =
    DESTINATIONS_MAX * (NAME_BYTES_MAX + KEY_BYTES_MAX + 2) + OF_BOX_BYTES_MAX;
/// Passphrase and hashed PIN with their names.
const OF_BOX_BYTES_MAX: usize = 256;

/// The names of one copy's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyNames {
    /// Everything but the keys.
    pub settings: &'static str,
    /// The keys.
    pub keys: &'static str,
}

/// The two copies.
pub const COPIES: [CopyNames; 2] = [
    CopyNames { settings: "settings.a", keys: "keys.a" },
    CopyNames { settings: "settings.b", keys: "keys.b" },
];

/// What is found of one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It was never written whole.
    Nothing,
    /// It is whole.
    Whole {
        /// Grows with each change.
        generation: u64,
        /// What was stored.
        partial: Box<Partial>,
    },
    /// Something is there, but not what was stored.
    Damaged,
}

/// The record of a text.
pub fn encode(generation: u64, text: &str) -> Zeroizing<Vec<u8>> {
    let line = first_line(generation, text);
    let mut record = Zeroizing::new(Vec::with_capacity(line.len() + text.len()));
    record.extend_from_slice(line.as_bytes());
    record.extend_from_slice(text.as_bytes());
    record
}

/// The generation and the text of a record; `None` unless every byte is as it was written.
pub fn decode(bytes: &[u8]) -> Option<(u64, &str)> {
    let record = std::str::from_utf8(bytes).ok()?;
    let text = &record[record.find('\n')? + 1..];
    let generation = record.split(' ').nth(1)?.parse().ok()?;
    let whole = record.strip_suffix(text) == Some(&first_line(generation, text));
    whole.then_some((generation, text))
}

fn first_line(generation: u64, text: &str) -> String {
    let sum = crc32(&checked(generation, text));
    format!("{MARK} {generation} {} {sum:08x}\n", text.len())
}

/// The secrets of `partial` as the text of their file: a line each, name and secret. A name with a
/// dot is a setting, one without is a destination.
pub fn keys_text(partial: &Partial) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(KEYS_BYTES_MAX));
    for (name, secret) in partial.secrets() {
        for piece in [&name, " ", &secret, "\n"] {
            text.push_str(piece);
        }
    }
    text
}

/// One copy from the bytes of its two files, where they exist.
pub fn open(settings: Option<&[u8]>, keys: Option<&[u8]>) -> Found {
    let Some(settings) = settings else { return Found::Nothing };
    whole(settings, keys).unwrap_or(Found::Damaged)
}

fn whole(settings: &[u8], keys: Option<&[u8]>) -> Option<Found> {
    let (generation, text) = decode(settings)?;
    let (of_keys, lines) = decode(keys?)?;
    if of_keys != generation {
        return None;
    }
    let mut partial = parse_stored("store", text).ok()?;
    for line in lines.lines() {
        let (name, secret) = line.split_once(' ')?;
        partial.put_secret(name, secret)?;
    }
    Some(Found::Whole { generation, partial: Box::new(partial) })
}

/// What the checksum covers.
fn checked(generation: u64, text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 + text.len()));
    bytes.extend_from_slice(&generation.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// CRC-32 as in IEEE 802.3, bit by bit: settings are short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::StreamKey;

    fn partial() -> Partial {
        let mut partial = Partial::default();
        partial.set("video.fps", "25").unwrap();
        partial.set("destination.a.url", "rtmps://h/app").unwrap();
        partial.set_key("a", StreamKey::parse("k?a=1&b=2").unwrap()).unwrap();
        partial.set_key("b", StreamKey::parse("ü/%2F").unwrap()).unwrap();
        partial.set("wifi.ssid", "hall").unwrap();
        partial.set("wifi.passphrase", " blanks at its ends ").unwrap();
        partial.set("console.pin", "4711").unwrap();
        partial.hash_pin([7; 16]);
        partial
    }

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926); // the usual check value
    }

    #[test]
    fn what_is_recorded_reads_back_as_it_was() {
        let (settings, keys) = (encode(7, &partial().render()), encode(7, &keys_text(&partial())));
        let found = open(Some(&settings), Some(&keys));
        assert_eq!(found, Found::Whole { generation: 7, partial: Box::new(partial()) });
        let text = String::from_utf8_lossy(&settings).into_owned();
        for secret in ["a=1", "blanks", "passphrase", "4711", "pbkdf2"] {
            assert!(!text.contains(secret), "secrets are stored separately: {text}");
        }
        assert!(!String::from_utf8_lossy(&keys).contains("4711"), "no PIN as it was typed");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let record = encode(7, &partial().render());
        for at in 0..record.len() {
            assert_eq!(decode(&record[..at]), None, "cut at {at}");
            for bit in 0..8 {
                let mut flipped = record.to_vec();
                flipped[at] ^= 1 << bit;
                assert_eq!(decode(&flipped), None, "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn files_of_two_generations_are_no_copy() {
        let (settings, keys) = (encode(7, &partial().render()), encode(8, &keys_text(&partial())));
        assert_eq!(open(Some(&settings), Some(&keys)), Found::Damaged);
        assert_eq!(open(Some(&settings), None), Found::Damaged);
        assert_eq!(open(None, Some(&keys)), Found::Nothing);
    }

    #[test]
    fn the_fullest_store_fits_its_bound() {
        let mut full = Partial::default();
        let key = StreamKey::parse(&"k".repeat(KEY_BYTES_MAX)).unwrap();
        for n in 0..DESTINATIONS_MAX {
            let name = format!("{}{n}", "n".repeat(NAME_BYTES_MAX - 1));
            full.set_key(&name, key.clone()).unwrap();
        }
        full.set("wifi.passphrase", &"p".repeat(63)).unwrap();
        full.set("console.pin", "1234567890123456").unwrap();
        full.hash_pin([0xff; 16]);
        assert!(encode(u64::MAX, &keys_text(&full)).len() <= RECORD_BYTES_MAX);
    }
}
