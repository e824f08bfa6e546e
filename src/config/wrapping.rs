//! The key that the store's secrets are encrypted with, in files of its own.
//!
//! It is there so that it can be destroyed: whatever a disk keeps of replaced and removed files can
//! be read by nobody without it. Its file fills a whole block, so that no file system keeps it
//! together with something else, and the key is the hash of all of it: a disk that has overwritten
//! any part of it has destroyed the key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};
use zeroize::Zeroizing;

/// The names of its two copies.
pub const WRAPPING_KEY_FILES: [&str; 2] = ["wrapping-key.a", "wrapping-key.b"];
/// Random bytes that it is made of: a block of most file systems.
pub const WRAPPING_SEED_BYTES: usize = 4_096;
/// The longest file of it.
pub const WRAPPING_FILE_BYTES_MAX: usize = MARK.len() + WRAPPING_SEED_BYTES + CHECK_BYTES;
/// Random bytes that each encryption needs.
pub const NONCE_BYTES: usize = NONCE_LEN;

/// What its file begins with.
const MARK: &[u8] = b"firstmile-wrapping-key-1\n";
/// A torn or damaged file is recognised by them.
const CHECK_BYTES: usize = 8;
/// What an encrypted text begins with, followed by nonce and ciphertext.
const CIPHER: &str = "chacha20-poly1305 ";
/// Characters that a text of so many bytes has at most when it is encrypted.
pub(super) const fn encrypted_bytes_max(bytes: usize) -> usize {
    // Nonce and tag, three bytes in four characters.
    CIPHER.len() + (NONCE_LEN + bytes + 16).div_ceil(3) * 4 + 1
}

/// A wrapping key.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappingKey(Zeroizing<Vec<u8>>);

impl WrappingKey {
    /// The key that random bytes make.
    pub fn of_seed(seed: Zeroizing<Vec<u8>>) -> WrappingKey {
        WrappingKey(seed)
    }

    /// The bytes of its file.
    pub fn file(&self) -> Zeroizing<Vec<u8>> {
        let mut file = Zeroizing::new(Vec::with_capacity(WRAPPING_FILE_BYTES_MAX));
        file.extend_from_slice(MARK);
        file.extend_from_slice(&self.0);
        file.extend_from_slice(&check(&self.0));
        file
    }

    /// Reads its file; `None` unless every byte is as it was written.
    pub fn read(file: &[u8]) -> Option<WrappingKey> {
        let rest = file.strip_prefix(MARK)?;
        let (seed, sum) = rest.split_last_chunk::<CHECK_BYTES>()?;
        let is_whole = seed.len() == WRAPPING_SEED_BYTES && *sum == check(seed);
        is_whole.then(|| WrappingKey(Zeroizing::new(seed.to_vec())))
    }

    /// A text that can be read with this key alone, and is bound to its generation. The nonce is
    /// random and used once.
    pub(super) fn encrypt(
        &self,
        nonce: [u8; NONCE_BYTES],
        generation: u64,
        text: &str,
    ) -> Option<String> {
        let mut bytes =
            Zeroizing::new(Vec::with_capacity(text.len() + CHACHA20_POLY1305.tag_len()));
        bytes.extend_from_slice(text.as_bytes());
        let bound_to = Aad::from(generation.to_be_bytes());
        let (with, at) = (self.cipher()?, Nonce::assume_unique_for_key(nonce));
        let tag = with.seal_in_place_separate_tag(at, bound_to, &mut bytes).ok()?;
        let encrypted = [nonce.as_slice(), &bytes, tag.as_ref()].concat();
        Some(format!("{CIPHER}{}\n", BASE64.encode(encrypted)))
    }

    /// The text that was encrypted with this key.
    pub(super) fn decrypt(&self, generation: u64, encrypted: &str) -> Option<Zeroizing<String>> {
        let encoded = encrypted.strip_prefix(CIPHER)?.trim_end();
        let mut bytes = Zeroizing::new(BASE64.decode(encoded).ok()?);
        let (nonce, _) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let bound_to = Aad::from(generation.to_be_bytes());
        let text = self.cipher()?.open_within(nonce, bound_to, &mut bytes, NONCE_BYTES..).ok()?;
        std::str::from_utf8(text).ok().map(|text| Zeroizing::new(text.to_owned()))
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        let mut hash = Context::new(&SHA256);
        hash.update(&self.0);
        UnboundKey::new(&CHACHA20_POLY1305, hash.finish().as_ref()).ok().map(LessSafeKey::new)
    }
}

impl std::fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WrappingKey(••••)")
    }
}

/// Says nothing of the key, which is another hash of the same bytes.
fn check(seed: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hash = Context::new(&SHA256);
    hash.update(MARK);
    hash.update(seed);
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash.finish().as_ref()[..CHECK_BYTES]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> WrappingKey {
        WrappingKey::of_seed(Zeroizing::new(vec![byte; WRAPPING_SEED_BYTES]))
    }

    #[test]
    fn what_is_encrypted_reads_back_with_its_key_and_generation_alone() {
        let encrypted = key(1).encrypt([7; NONCE_BYTES], 3, "a canary\n").expect("encrypts");
        assert!(!encrypted.contains("canary") && encrypted.is_ascii(), "{encrypted}");
        let read = |key: &WrappingKey, generation| key.decrypt(generation, &encrypted);
        assert_eq!(read(&key(1), 3).as_deref().map(String::as_str), Some("a canary\n"));
        assert_eq!(read(&key(1), 4), None);
        assert_eq!(read(&key(2), 3), None);
        assert!(encrypted.len() <= encrypted_bytes_max("a canary\n".len()));
    }

    #[test]
    fn a_file_of_which_any_part_is_overwritten_holds_no_key() {
        let file = key(1).file();
        assert_eq!(WrappingKey::read(&file), Some(key(1)));
        for at in (0..file.len()).step_by(61).chain([file.len() - 1]) {
            let mut damaged = file.to_vec();
            damaged[at] ^= 0x10;
            assert_eq!(WrappingKey::read(&damaged), None, "byte {at}");
            assert_eq!(WrappingKey::read(&file[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn printing_a_wrapping_key_shows_nothing_of_it() {
        assert_eq!(format!("{:?}", key(0x41)), "WrappingKey(••••)");
    }
}
