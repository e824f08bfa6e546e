//! The store: settings, keys and the live state, kept across power cuts.
//!
//! A file is replaced by writing a new one, `fsync`, `rename`, `fsync` of the folder; the two copies
//! are replaced one after the other, keys before settings, and the good copy last. After any power
//! cut the old or the new settings apply, never a mixture and never the defaults.
//!
//! Secrets are encrypted with a wrapping key of the store's own. It is made when there are secrets to
//! store and destroyed when there are none any more, so that a factory reset leaves nothing behind
//! that can be read. Without it secrets are lost, and nothing else is. What an earlier version stored
//! in clear is overwritten when the store is repaired.

use std::io;

use ring::rand::SecureRandom as _;
use zeroize::Zeroizing;

use crate::config::record::{self, COPIES, CopyNames, Found, RECORD_BYTES_MAX, Secrets};
use crate::config::wrapping::{
    NONCE_BYTES, WRAPPING_FILE_BYTES_MAX, WRAPPING_KEY_FILES, WRAPPING_SEED_BYTES, WrappingKey,
};
use crate::config::{Partial, Problem};
use crate::limits::BLACK_BOXES_KEPT;

/// The file in which a new one is written before it takes its name.
const NEW: &str = "new";
/// The file that says whether the box was live.
const LIVE_STATE: &str = "latch";
/// The file that says how many wrong PINs were typed in a row.
const WRONG_PINS: &str = "wrong-pins";
/// What the editor of `nmcli` kept of its lines, the Wi-Fi passphrase among them, when the folder was
/// its home: the names before and since NetworkManager 1.52.
const NMCLI_HISTORY: [&str; 2] = [".nmcli-history", ".cache/nmcli-history"];

/// The files of the black boxes, the newest first.
fn black_box(number: usize) -> String {
    format!("black-box-{number}.json")
}

/// What is kept beside settings and keys, and goes with them.
fn kept() -> impl Iterator<Item = String> {
    let black_boxes = (1..=BLACK_BOXES_KEPT).map(black_box);
    let others = NMCLI_HISTORY.into_iter().chain([WRONG_PINS]);
    others.map(str::to_owned).chain(black_boxes)
}

/// The copies in the order in which they are replaced: the one that is good last.
fn in_order(good: Option<CopyNames>) -> [CopyNames; 2] {
    match good {
        Some(good) if good == COPIES[0] => [COPIES[1], COPIES[0]],
        _ => COPIES,
    }
}

/// What the store needs of a folder. The names are plain file names.
pub trait Disk {
    /// Holds off other processes while it lives.
    type Lock;

    /// Waits until no other process changes the folder.
    ///
    /// # Errors
    /// What the system says.
    fn lock(&self) -> io::Result<Self::Lock>;

    /// The bytes of a file, at most `bytes_max` and one; `None` when there is none.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>>;

    /// Creates or empties a file that only its owner may read, and writes it.
    ///
    /// # Errors
    /// What the system says; the file may hold anything then.
    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Returns when the file's bytes survive a power cut.
    ///
    /// # Errors
    /// What the system says.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Gives a file another name, replacing what has it.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Overwrites a file's bytes where they lie on the disk, and has the disk discard them where it
    /// can. The file is still there, and holds nothing of what it held. One that has another name too
    /// is left as it is.
    ///
    /// # Errors
    /// What the system says; `NotFound` when there is none.
    fn overwrite(&mut self, name: &str) -> io::Result<()>;

    /// Takes a file away.
    ///
    /// # Errors
    /// What the system says; `NotFound` when there is none.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Returns when the folder's names survive a power cut.
    ///
    /// # Errors
    /// What the system says.
    fn sync_folder(&mut self) -> io::Result<()>;
}

/// Why the store could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// both copies of the settings are damaged
    #[error(
        "both copies of the stored settings are damaged; a factory reset makes the store usable again"
    )]
    Damaged,
    /// the store cannot be read
    #[error("the stored settings cannot be read: {0}")]
    Read(io::Error),
    /// the change was not stored
    #[error("the change was not stored, and the settings are as before: {0}")]
    Write(io::Error),
    /// the disk failed during the change
    #[error(
        "the disk failed during the change; after a power cut either the old or the new settings apply: {0}"
    )]
    Unsure(io::Error),
    /// what is read is not what was written
    #[error("the storage does not return what was written to it")]
    NotAsWritten,
    /// the settings are forgotten, but something of them is left on the disk
    #[error(
        "all settings and keys are forgotten, but something of them is left on the disk ({0}); reset again"
    )]
    Left(io::Error),
    /// a reset has destroyed secrets, and settings still apply
    #[error(
        "the reset failed, and settings still apply; their keys and other secrets are destroyed \
         ({0}); reset again"
    )]
    Remains(io::Error),
    /// the change is refused
    #[error("{0}")]
    Refused(String),
    /// the settings would not fit together
    #[error("{0}")]
    Invalid(Problem),
}

/// What the store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Grows with each change; 0 before the first.
    pub generation: u64,
    /// The settings and keys.
    pub partial: Partial,
    /// Copies, by the names of their settings, that are not what was stored last. The next change,
    /// or [`Store::repair`], makes them so.
    pub stale: Vec<&'static str>,
    /// The key of its secrets is lost: they are left out.
    pub secrets_lost: bool,
}

/// The message of a store whose secrets cannot be read.
pub const SECRETS_LOST: &str = "the stored stream keys, the Wi-Fi passphrase, the PIN and addresses \
    with a password or token in them are lost, because the key that they were encrypted with is \
    damaged or missing: set them again; all other settings apply";

/// What is known of the store.
struct Look {
    stored: Stored,
    /// The copy that holds it.
    good: Option<CopyNames>,
    /// Copies that hold, or may hold, secrets in clear.
    in_clear: Vec<CopyNames>,
    /// The key that the secrets are encrypted with.
    wrapping: Option<WrappingKey>,
}

fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let filled = ring::rand::SystemRandom::new().fill(bytes);
    filled.map_err(|_| io::Error::other("the system gives no random numbers"))
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes).map(|()| bytes)
}

/// What is found of a copy of the wrapping key.
#[derive(PartialEq, Eq)]
enum WrappingFile {
    Missing,
    Damaged,
    Whole(WrappingKey),
}

impl WrappingFile {
    fn whole(&self) -> Option<&WrappingKey> {
        match self {
            WrappingFile::Whole(key) => Some(key),
            WrappingFile::Missing | WrappingFile::Damaged => None,
        }
    }
}

/// Settings and keys in a folder. Several processes may use one folder at a time.
#[derive(Debug)]
pub struct Store<D> {
    disk: D,
}

impl<D: Disk> Store<D> {
    /// The store in the folder of `disk`. Nothing is read yet.
    pub fn new(disk: D) -> Store<D> {
        Store { disk }
    }

    /// What is stored.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Read`].
    pub fn read(&self) -> Result<Stored, StoreError> {
        let _lock = self.disk.lock().map_err(StoreError::Read)?;
        self.look().map(|look| look.stored)
    }

    /// Changes what is stored, all of it or nothing. `change` is given what is stored now, also by
    /// other processes, and says why if it refuses.
    ///
    /// # Errors
    /// [`StoreError`]; what was stored before holds then.
    pub fn update(
        &mut self,
        change: impl FnOnce(&mut Partial) -> Result<(), String>,
    ) -> Result<Stored, StoreError> {
        let _lock = self.disk.lock().map_err(StoreError::Read)?;
        let look = self.look()?;
        let mut partial = look.stored.partial.clone();
        change(&mut partial).map_err(StoreError::Refused)?;
        partial.hash_pin(random().map_err(StoreError::Write)?);
        partial.check().map_err(StoreError::Invalid)?;
        let stored = self.replace(look.stored.generation + 1, partial, &look)?;
        // Read back before another process may change it.
        match self.look()? {
            Look { stored: read, .. } if read.partial == stored.partial => Ok(stored),
            _ => Err(StoreError::NotAsWritten),
        }
    }

    /// Makes both copies what was stored last, if a power cut or a bad block left them different or an
    /// earlier version left secrets in clear, and takes away secrets that lie where they do not belong.
    ///
    /// # Errors
    /// As [`Store::update`].
    pub fn repair(&mut self) -> Result<Stored, StoreError> {
        let _lock = self.disk.lock().map_err(StoreError::Read)?;
        if let Err(error) = self.remove_all(NMCLI_HISTORY) {
            tracing::warn!(%error, "a history of nmcli with the Wi-Fi passphrase is left");
        }
        // What was being written when the power went.
        if let Err(error) = self.destroy([NEW]) {
            tracing::warn!(%error, "a file that was not written whole is left");
        }
        let look = self.look()?;
        let Stored { generation, ref partial, ref stale, secrets_lost } = look.stored;
        // Lost secrets stay as they are until somebody changes settings: their key may come back.
        match look.good {
            Some(_) if !stale.is_empty() && !secrets_lost => {
                self.replace(generation, partial.clone(), &look)
            }
            _ => Ok(look.stored),
        }
    }

    /// Forgets settings, keys, the live state and the black boxes, whatever state the store is in.
    ///
    /// No room on the disk is needed: the key to all secrets is destroyed where it lies, as soon as a
    /// copy says that nothing is set, or at once where that cannot be written. A power cut in the second
    /// case may leave settings without their secrets.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Write`] and [`StoreError::Remains`]; [`StoreError::Left`] when
    /// the reset holds all the same.
    pub fn reset(&mut self) -> Result<Stored, StoreError> {
        let _lock = self.disk.lock().map_err(StoreError::Read)?;
        let mut newest = 0;
        for name in COPIES.iter().flat_map(|copy| [copy.settings, copy.keys]) {
            // One that cannot be read is not asked how old it is.
            let bytes = self.disk.read(name, RECORD_BYTES_MAX).ok().flatten();
            let record = bytes.as_deref().and_then(|bytes| record::decode(bytes));
            newest = newest.max(record.map_or(0, |(generation, _)| generation));
        }
        let (generation, empty) = (newest + 1, Partial::default());
        let look = self.look().unwrap_or_else(|_| Look {
            stored: Stored::default(),
            good: None,
            in_clear: COPIES.to_vec(),
            wrapping: None,
        });
        let [first, second] = in_order(look.good);
        let begun = match look.in_clear.contains(&first) {
            true => self.destroy([first.keys, first.settings]),
            false => Ok(()),
        };
        let begun = begun.and_then(|()| self.put_copy(first, generation, &empty, None));
        let mut left = self.destroy(WRAPPING_KEY_FILES).err();
        let rest = if begun.is_ok() { &[second][..] } else { &[first, second] };
        let mut stale = Vec::new();
        for copy in rest {
            // Taken away first, which makes room.
            let destroyed = self.destroy([copy.keys, copy.settings]);
            let written = destroyed.map_err(|error| left = left.take().or(Some(error)));
            if written.is_err() || self.put_copy(*copy, generation, &empty, None).is_err() {
                stale.push(copy.settings);
            }
        }
        if let Some(applies) = self.still_applies(&look) {
            let unread = || io::Error::other("the storage does not return what was written to it");
            let why = begun.err().or(left).unwrap_or_else(unread);
            return Err(applies(why));
        }
        for forgotten in [self.destroy([NEW]), self.forget_live_state(), self.remove_all(kept())] {
            left = left.or(forgotten.err());
        }
        match left {
            Some(error) => Err(StoreError::Left(error)),
            None => Ok(Stored { generation, partial: empty, stale, secrets_lost: false }),
        }
    }

    /// What a reset says that has not forgotten the settings; `None` when it has.
    fn still_applies(&self, before: &Look) -> Option<fn(io::Error) -> StoreError> {
        match self.look() {
            Ok(now) if now.stored.partial == Partial::default() => None,
            // Nothing that can be read is nothing that applies.
            Err(StoreError::Damaged) => None,
            Ok(now) if now.stored.partial == before.stored.partial => Some(StoreError::Write),
            // A copy that cannot be read now may be readable later.
            Ok(_) | Err(_) => Some(StoreError::Remains),
        }
    }

    /// A box of which nothing is remembered is not live either.
    fn forget_live_state(&mut self) -> io::Result<()> {
        self.put(LIVE_STATE, &record::encode(0, "idle"))
            .or_else(|_| self.remove_all([NEW, LIVE_STATE]))
    }

    /// Whether the box was live when that was last persisted; not if it never was.
    pub fn was_live(&self) -> bool {
        let bytes = self.disk.read(LIVE_STATE, RECORD_BYTES_MAX).ok().flatten();
        bytes.as_deref().and_then(|bytes| record::decode(bytes)).is_some_and(|(_, t)| t == "live")
    }

    /// Remembers whether the box is live.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn persist_live(&mut self, live: bool) -> Result<(), StoreError> {
        let _lock = self.disk.lock().map_err(StoreError::Read)?;
        let word = if live { "live" } else { "idle" };
        self.put(LIVE_STATE, &record::encode(0, word)).map_err(StoreError::Write)
    }

    /// How many wrong PINs were typed in a row when that was last kept.
    pub fn wrong_pins(&self) -> u32 {
        let bytes = self.disk.read(WRONG_PINS, RECORD_BYTES_MAX).ok().flatten();
        let number = bytes.as_deref().and_then(|bytes| record::decode(bytes)?.1.parse().ok());
        number.unwrap_or_default()
    }

    /// Remembers how many wrong PINs were typed in a row.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn keep_wrong_pins(&mut self, number: u32) -> Result<(), StoreError> {
        let _lock = self.disk.lock().map_err(StoreError::Read)?;
        match number {
            0 => self.remove_all([WRONG_PINS]),
            number => self.put(WRONG_PINS, &record::encode(0, &number.to_string())),
        }
        .map_err(StoreError::Write)
    }

    /// Keeps a black box as the newest of [`BLACK_BOXES_KEPT`]; the oldest one goes.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn keep_black_box(&mut self, past: &[u8]) -> Result<(), StoreError> {
        let _lock = self.disk.lock().map_err(StoreError::Read)?;
        for number in (1..BLACK_BOXES_KEPT).rev() {
            match self.disk.rename(&black_box(number), &black_box(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::Write(error));
                }
                _ => {}
            }
        }
        self.put(&black_box(1), past).map_err(StoreError::Write)
    }

    /// Takes files away, those that are there. One that stays is no reason to leave the others.
    fn remove_all(&mut self, names: impl IntoIterator<Item: AsRef<str>>) -> io::Result<()> {
        let (mut removed_any, mut failed) = (false, None);
        for name in names {
            match self.disk.remove(name.as_ref()) {
                Ok(()) => removed_any = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let synced = if removed_any { self.disk.sync_folder() } else { Ok(()) };
        failed.map_or(synced, Err)
    }

    /// Overwrites files and takes them away, those that are there. One that stays is no reason to leave
    /// the others.
    fn destroy(&mut self, names: impl IntoIterator<Item = &'static str>) -> io::Result<()> {
        let mut failed = None;
        for name in names {
            let destroyed = match self.disk.overwrite(name).and_then(|()| self.disk.sync(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
                Ok(()) => self.remove_all([name]),
            };
            failed = failed.or(destroyed.err());
        }
        failed.map_or(Ok(()), Err)
    }

    /// The copies of the wrapping key, as far as they are whole. One that cannot be read is as good as
    /// lost.
    fn wrapping_keys(&self) -> [(&'static str, WrappingFile); 2] {
        WRAPPING_KEY_FILES.map(|name| {
            let found = match self.disk.read(name, WRAPPING_FILE_BYTES_MAX) {
                Ok(None) => WrappingFile::Missing,
                Ok(Some(bytes)) => {
                    WrappingKey::read(&bytes).map_or(WrappingFile::Damaged, WrappingFile::Whole)
                }
                Err(error) => {
                    tracing::warn!(%error, name, "a copy of the wrapping key cannot be read");
                    WrappingFile::Damaged
                }
            };
            (name, found)
        })
    }

    /// What is stored, and which copy holds it.
    fn look(&self) -> Result<Look, StoreError> {
        let files = self.wrapping_keys();
        let whole = files.iter().filter_map(|(_, file)| file.whole().cloned());
        let wrapping: Vec<WrappingKey> = whole.collect();
        let (mut best, mut found_any) = (None, false);
        let (mut generations, mut in_clear) = (Vec::new(), Vec::new());
        for copy in COPIES {
            let read = |name| self.disk.read(name, RECORD_BYTES_MAX).map_err(StoreError::Read);
            let (settings, keys) = (read(copy.settings)?, read(copy.keys)?);
            let bytes = [&settings, &keys].map(|file| file.as_ref().map(|bytes| bytes.as_slice()));
            match record::open(bytes[0], bytes[1], &wrapping) {
                Found::Nothing => generations.push((copy, None)),
                Found::Damaged => {
                    found_any = true;
                    in_clear.push(copy);
                    generations.push((copy, None));
                }
                Found::Whole { generation, partial, secrets } => {
                    generations.push((copy, Some((generation, secrets.clone()))));
                    if secrets == Secrets::InClear {
                        in_clear.push(copy);
                    }
                    let is_better = |(newest, _, _, known): &(u64, _, _, Secrets)| {
                        let finds_more = *known == Secrets::Lost && secrets != Secrets::Lost;
                        generation > *newest || (generation == *newest && finds_more)
                    };
                    if best.as_ref().is_none_or(is_better) {
                        best = Some((generation, partial, copy, secrets));
                    }
                }
            }
        }
        let Some((generation, partial, good, secrets)) = best else {
            let (stored, good, wrapping) = (Stored::default(), None, None);
            return match found_any {
                true => Err(StoreError::Damaged),
                false => Ok(Look { stored, good, in_clear, wrapping }),
            };
        };
        let is_same = |found: &Option<(u64, Secrets)>| {
            found.as_ref().is_some_and(|(g, s)| (*g, s) == (generation, &secrets))
        };
        let is_stale = |copy: &CopyNames| {
            secrets == Secrets::InClear
                || !generations.iter().any(|(known, found)| known == copy && is_same(found))
        };
        let stale = COPIES.iter().filter(|copy| is_stale(copy)).map(|copy| copy.settings);
        let mut stale: Vec<&'static str> = stale.collect();
        let secrets_lost = secrets == Secrets::Lost;
        let wrapping = match secrets {
            Secrets::Encrypted(key) => Some(key),
            Secrets::None | Secrets::InClear | Secrets::Lost => None,
        };
        let is_stale = |file: &WrappingFile| match &wrapping {
            Some(key) => file.whole() != Some(key),
            // One that is needed by nothing is left of a reset, or of a change that was cut off.
            None => *file != WrappingFile::Missing,
        };
        let stale_keys = files.iter().filter(|(_, file)| is_stale(file)).map(|(name, _)| *name);
        stale.extend(stale_keys);
        let stored = Stored { generation, partial: *partial, stale, secrets_lost };
        Ok(Look { stored, good: Some(good), in_clear, wrapping })
    }

    /// The key for the secrets of what is to be stored, in both its files; `None` without secrets. One
    /// that nothing is encrypted with is not used again: a power cut may have kept a reset from
    /// destroying it.
    fn wrapping_key(&mut self, partial: &Partial, look: &Look) -> io::Result<Option<WrappingKey>> {
        if !partial.holds_secrets() {
            return Ok(None);
        }
        let key = match &look.wrapping {
            Some(key) => key.clone(),
            None => {
                let mut seed = Zeroizing::new(vec![0; WRAPPING_SEED_BYTES]);
                fill(&mut seed)?;
                WrappingKey::of_seed(seed)
            }
        };
        for (name, file) in self.wrapping_keys() {
            if file.whole() != Some(&key) {
                self.destroy([name])?;
                self.put(name, &key.file())?;
            }
        }
        Ok(Some(key))
    }

    /// Writes both copies, the good one last. Once one of them lies safely the change holds.
    fn replace(
        &mut self,
        generation: u64,
        partial: Partial,
        look: &Look,
    ) -> Result<Stored, StoreError> {
        let [first, second] = in_order(look.good);
        let key = self.wrapping_key(&partial, look).map_err(StoreError::Write)?;
        let put = |store: &mut Self, copy: CopyNames| {
            if look.in_clear.contains(&copy) {
                // The other copy holds meanwhile.
                store.destroy([copy.keys, copy.settings])?;
            }
            store.put_copy(copy, generation, &partial, key.as_ref())
        };
        if let Err(error) = put(self, first) {
            let visible = self.look().is_ok_and(|look| look.stored.generation == generation);
            return Err(if visible { StoreError::Unsure(error) } else { StoreError::Write(error) });
        }
        let mut stale = Vec::new();
        if let Err(error) = put(self, second) {
            tracing::warn!(%error, copy = second.settings, "the second copy was not written");
            stale.push(second.settings);
        }
        // What is no longer needed to read anything must not be there for others to read with.
        if key.is_none()
            && stale.is_empty()
            && let Err(error) = self.destroy(WRAPPING_KEY_FILES)
        {
            tracing::warn!(%error, "the key of the secrets that were stored is not destroyed");
            stale.extend(WRAPPING_KEY_FILES);
        }
        Ok(Stored { generation, partial, stale, secrets_lost: false })
    }

    fn put_copy(
        &mut self,
        copy: CopyNames,
        generation: u64,
        partial: &Partial,
        key: Option<&WrappingKey>,
    ) -> io::Result<()> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let secrets = record::encode_secrets(generation, partial, key.map(|key| (key, nonce)));
        let secrets = secrets.ok_or_else(|| io::Error::other("secrets cannot be encrypted"))?;
        self.put(copy.keys, &secrets)?;
        self.put(copy.settings, &record::encode_settings(generation, partial))
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // One that was not written whole may be a copy of the wrapping key: emptied, it would lie on the
        // disk without a name.
        self.destroy([NEW])?;
        self.disk.write(NEW, bytes)?;
        self.disk.sync(NEW)?;
        self.disk.rename(NEW, name)?;
        self.disk.sync_folder()
    }
}
