//! How settings are stored: two copies, each of a file of settings and a file of secrets. Each file is
//! a checksummed record: one line with generation, length and checksum, then the text. The text of
//! secrets is encrypted; an earlier version stored it in clear.
//!
//! A copy counts when both of its files are whole and of one generation; of two copies the newer
//! counts. So a copy can be replaced file by file, and whatever a power cut leaves of it is either
//! recognised or not looked at.

use zeroize::Zeroizing;

use super::parse::parse_stored;
use super::partial::Partial;
use super::recipient::Recipient;
use super::wrapping::{NONCE_BYTES, WrappingKey, encrypted_bytes_max};
use crate::limits::{
    DESTINATIONS_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX, SETTINGS_BYTES_MAX, URL_BYTES_MAX,
};

/// What the first line of a record begins with; the number is the version of the record.
const MARK: &str = "firstmile-sealed-1";
/// The same where the text is encrypted.
const ENCRYPTED: &str = "firstmile-encrypted-1";
/// The longest first line.
const FIRST_LINE_BYTES_MAX: usize = 80;
/// The longest record.
pub const RECORD_BYTES_MAX: usize = FIRST_LINE_BYTES_MAX
    + if SETTINGS_BYTES_MAX > ENCRYPTED_BYTES_MAX {
        SETTINGS_BYTES_MAX
    } else {
        ENCRYPTED_BYTES_MAX
    };
const ENCRYPTED_BYTES_MAX: usize = encrypted_bytes_max(KEYS_BYTES_MAX);
/// For each destination: its key, both addresses, and whom the key is for.
const KEYS_BYTES_MAX: usize = DESTINATIONS_MAX
    * (4 * (NAME_BYTES_MAX + NAMES_BYTES)
        + KEY_BYTES_MAX
        + 2 * URL_BYTES_MAX
        + 2 * (Recipient::TEXT_BYTES + 1))
    + OF_BOX_BYTES_MAX;
/// What a line has around the name of a destination and the secret.
const NAMES_BYTES: usize = "destination..backup_url \n".len();
/// Passphrase and hashed PIN with their names, and which network the passphrase is for.
const OF_BOX_BYTES_MAX: usize = 320;

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
        /// How its secrets were found.
        secrets: Secrets,
    },
    /// Something is there, but not what was stored.
    Damaged,
}

/// How the secrets of a copy were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secrets {
    /// It has none.
    None,
    /// As they were encrypted with this key.
    Encrypted(WrappingKey),
    /// In clear, as an earlier version stored them.
    InClear,
    /// The key that they are encrypted with is lost.
    Lost,
}

/// The record of a text.
pub fn encode(generation: u64, text: &str) -> Zeroizing<Vec<u8>> {
    record(MARK, generation, text)
}

/// The record of the secrets: encrypted, if there are any. `None` when that is not possible.
pub fn encode_secrets(
    generation: u64,
    partial: &Partial,
    with: Option<(&WrappingKey, [u8; NONCE_BYTES])>,
) -> Option<Zeroizing<Vec<u8>>> {
    let text = keys_text(partial);
    if text.is_empty() {
        return Some(encode(generation, ""));
    }
    let (key, nonce) = with?;
    Some(record(ENCRYPTED, generation, &key.encrypt(nonce, generation, &text)?))
}

/// The record of everything that is no secret.
pub fn encode_settings(generation: u64, partial: &Partial) -> Zeroizing<Vec<u8>> {
    encode(generation, &partial.render_open())
}

fn record(mark: &str, generation: u64, text: &str) -> Zeroizing<Vec<u8>> {
    let line = first_line(mark, generation, text);
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
    let mark = if is_encrypted(bytes) { ENCRYPTED } else { MARK };
    let whole = record.strip_suffix(text) == Some(&first_line(mark, generation, text));
    whole.then_some((generation, text))
}

fn is_encrypted(record: &[u8]) -> bool {
    record.starts_with(ENCRYPTED.as_bytes())
}

fn first_line(mark: &str, generation: u64, text: &str) -> String {
    let sum = crc32(&checked(generation, text));
    format!("{mark} {generation} {} {sum:08x}\n", text.len())
}

/// The secrets of `partial` as the text of their file: a line each, name and secret. A name with a
/// dot is a setting, one without is a destination.
fn keys_text(partial: &Partial) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(KEYS_BYTES_MAX));
    for (name, secret) in partial.secrets() {
        for piece in [&name, " ", &secret, "\n"] {
            text.push_str(piece);
        }
    }
    text
}

/// One copy from the bytes of its two files, where they exist.
pub fn open(settings: Option<&[u8]>, keys: Option<&[u8]>, wrapping: &[WrappingKey]) -> Found {
    let Some(settings) = settings else { return Found::Nothing };
    whole(settings, keys, wrapping).unwrap_or(Found::Damaged)
}

fn whole(settings: &[u8], keys: Option<&[u8]>, wrapping: &[WrappingKey]) -> Option<Found> {
    let (keys, (generation, text)) = (keys?, decode(settings)?);
    let (of_keys, lines) = decode(keys)?;
    if of_keys != generation {
        return None;
    }
    let mut partial = parse_stored("store", text).ok()?;
    let in_clear = partial.has_secret_addresses();
    let opened = |key: &WrappingKey| Some((key.clone(), key.decrypt(generation, lines)?));
    let secrets = match is_encrypted(keys) {
        true => match wrapping.iter().find_map(opened) {
            Some((key, lines)) => {
                put_secrets(&mut partial, &lines)?;
                Secrets::Encrypted(key)
            }
            None => Secrets::Lost,
        },
        false => {
            put_secrets(&mut partial, lines)?;
            let any = in_clear || !lines.is_empty();
            if any { Secrets::InClear } else { Secrets::None }
        }
    };
    Some(Found::Whole { generation, partial: Box::new(partial), secrets })
}

fn put_secrets(partial: &mut Partial, lines: &str) -> Option<()> {
    for line in lines.lines() {
        let (name, secret) = line.split_once(' ')?;
        partial.put_secret(name, secret)?;
    }
    Some(())
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
    use crate::config::wrapping::WRAPPING_SEED_BYTES;
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
        partial.set("destination.c.url", "rtmps://u:s3cret@h/app?token=t0ken").unwrap();
        partial.set("destination.d.url", "rtmps://h/app/k3y").unwrap();
        let key = "destination.a.key".parse().unwrap();
        partial.remember_given_for(&key, vec![Recipient::network("a"), Recipient::network("b")]);
        partial
    }

    /// The same as an earlier version knew it: without whom its secrets are for.
    fn before(partial: &Partial) -> Partial {
        let mut before = Partial::default();
        before.import(&parse_stored("store", &partial.render()).unwrap());
        partial.keys().for_each(|(name, key)| before.set_key(name, key.clone()).unwrap());
        before
    }

    fn wrapping(byte: u8) -> WrappingKey {
        WrappingKey::of_seed(Zeroizing::new(vec![byte; WRAPPING_SEED_BYTES]))
    }

    /// Both files of a copy.
    fn files(generation: u64, partial: &Partial) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
        let with = Some((&wrapping(2), [9; NONCE_BYTES]));
        let secrets = encode_secrets(generation, partial, with);
        (encode_settings(generation, partial), secrets.expect("encrypts"))
    }

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926); // the usual check value
    }

    #[test]
    fn what_is_recorded_reads_back_as_it_was() {
        let (settings, keys) = files(7, &partial());
        let found = open(Some(&settings), Some(&keys), &[wrapping(1), wrapping(2)]);
        let secrets = Secrets::Encrypted(wrapping(2));
        assert_eq!(found, Found::Whole { generation: 7, partial: Box::new(partial()), secrets });
        for file in [&settings, &keys] {
            let text = String::from_utf8_lossy(file).into_owned();
            for secret in
                ["a=1", "blanks", "passphrase", "4711", "pbkdf2", "t0ken", "s3cret", "k3y"]
            {
                assert!(!text.contains(secret), "secrets are encrypted: {text}");
            }
        }
    }

    #[test]
    fn without_its_key_what_is_encrypted_is_lost_and_nothing_else() {
        let (settings, keys) = files(7, &partial());
        for wrapping in [&[][..], &[wrapping(1)]] {
            let Found::Whole { partial: found, secrets, .. } =
                open(Some(&settings), Some(&keys), wrapping)
            else {
                panic!("the settings are whole")
            };
            assert_eq!(secrets, Secrets::Lost);
            assert!(!found.holds_secrets());
            assert_eq!(found.render_open(), partial().render_open());
        }
    }

    #[test]
    fn what_an_earlier_version_stored_in_clear_is_read_and_known_as_such() {
        let before = before(&partial());
        let lines = "a k?a=1&b=2\nb ü/%2F\n";
        let found = open(Some(&encode(7, &before.render())), Some(&encode(7, lines)), &[]);
        let (partial, secrets) = (Box::new(before), Secrets::InClear);
        assert_eq!(found, Found::Whole { generation: 7, partial, secrets });
        // An address with a password is a secret in clear, even without a key.
        let mut partial = Partial::default();
        partial.set("destination.a.url", "rtmps://u:s3cret@h/app").unwrap();
        let found = open(Some(&encode(7, &partial.render())), Some(&encode(7, "")), &[]);
        let (partial, secrets) = (Box::new(partial), Secrets::InClear);
        assert_eq!(found, Found::Whole { generation: 7, partial, secrets });
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
        let (settings, keys) = (files(7, &partial()).0, files(8, &partial()).1);
        assert_eq!(open(Some(&settings), Some(&keys), &[wrapping(2)]), Found::Damaged);
        assert_eq!(open(Some(&settings), None, &[wrapping(2)]), Found::Damaged);
        assert_eq!(open(None, Some(&keys), &[wrapping(2)]), Found::Nothing);
    }

    #[test]
    fn the_fullest_store_fits_its_bound() {
        let mut full = Partial::default();
        let key = StreamKey::parse(&"k".repeat(KEY_BYTES_MAX)).unwrap();
        for n in 0..DESTINATIONS_MAX {
            let name = format!("{}{n}", "n".repeat(NAME_BYTES_MAX - 1));
            let long = format!("rtmps://u:{}@h/a", "p".repeat(URL_BYTES_MAX - 14));
            for setting in ["url", "backup_url"] {
                full.set(&format!("destination.{name}.{setting}"), &long).unwrap();
            }
            full.set_key(&name, key.clone()).unwrap();
            let path = format!("destination.{name}.key").parse().unwrap();
            full.remember_given_for(&path, vec![Recipient::network("a"); 2]);
        }
        full.set("wifi.ssid", "hall").unwrap();
        full.set("wifi.passphrase", &"p".repeat(63)).unwrap();
        full.set("console.pin", "1234567890123456").unwrap();
        full.hash_pin([0xff; 16]);
        let passphrase = "wifi.passphrase".parse().unwrap();
        full.remember_given_for(&passphrase, vec![Recipient::network("hall")]);
        assert!(keys_text(&full).len() <= KEYS_BYTES_MAX);
        let record = encode_secrets(u64::MAX, &full, Some((&wrapping(1), [7; NONCE_BYTES])));
        assert!(record.expect("encrypts").len() <= RECORD_BYTES_MAX);
    }
}
