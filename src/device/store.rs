//! The store: settings, keys and the live state, kept across power cuts.
//!
//! A file is replaced by writing a new one, `fsync`, `rename`, `fsync` of the folder; the two copies
//! are replaced one after the other, keys before settings, and the good copy last. After any power
//! cut the old or the new settings apply, never a mixture and never the defaults.

use std::io;

use ring::rand::SecureRandom as _;
use zeroize::Zeroizing;

use crate::config::record::{self, COPIES, CopyNames, Found, RECORD_BYTES_MAX};
use crate::config::{Partial, Problem};
use crate::limits::BLACK_BOXES_KEPT;

/// The file in which a new one is written before it takes its name.
const NEW: &str = "new";
/// The file that says whether the box was live.
const LIVE_STATE: &str = "latch";
/// What the editor of `nmcli` kept of its lines, the Wi-Fi passphrase among them, when the folder was
/// its home: the names before and since NetworkManager 1.52.
const NMCLI_HISTORY: [&str; 2] = [".nmcli-history", ".cache/nmcli-history"];

/// The files of the black boxes, the newest first.
fn black_box(number: usize) -> String {
    format!("black-box-{number}.json")
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
    /// the settings are forgotten, but something of them is left on the disk
    #[error(
        "all settings and keys are forgotten, but something of them is left on the disk ({0}); reset again"
    )]
    Left(io::Error),
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
}

fn salt() -> io::Result<[u8; 16]> {
    let mut salt = [0; 16];
    let filled = ring::rand::SystemRandom::new().fill(&mut salt);
    filled.map(|()| salt).map_err(|_| io::Error::other("the system gives no random numbers"))
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
        self.look().map(|(stored, _)| stored)
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
        let (Stored { generation, mut partial, .. }, good) = self.look()?;
        change(&mut partial).map_err(StoreError::Refused)?;
        partial.hash_pin(salt().map_err(StoreError::Write)?);
        partial.check().map_err(StoreError::Invalid)?;
        self.replace(generation + 1, partial, good)
    }

    /// Makes both copies what was stored last, if a power cut or a bad block left them different, and
    /// takes away a passphrase that lies where it does not belong.
    ///
    /// # Errors
    /// As [`Store::update`].
    pub fn repair(&mut self) -> Result<Stored, StoreError> {
        let _lock = self.disk.lock().map_err(StoreError::Read)?;
        if let Err(error) = self.remove_all(NMCLI_HISTORY) {
            tracing::warn!(%error, "a history of nmcli with the Wi-Fi passphrase is left");
        }
        let (stored, good) = self.look()?;
        match good {
            Some(good) if !stored.stale.is_empty() => {
                self.replace(stored.generation, stored.partial, Some(good))
            }
            _ => Ok(stored),
        }
    }

    /// Forgets settings, keys, the live state and the black boxes, whatever state the store is in.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Write`] and [`StoreError::Unsure`]; [`StoreError::Left`]
    /// when the reset holds all the same.
    pub fn reset(&mut self) -> Result<Stored, StoreError> {
        let _lock = self.disk.lock().map_err(StoreError::Read)?;
        let mut newest = 0;
        for name in COPIES.iter().flat_map(|copy| [copy.settings, copy.keys]) {
            let bytes = self.disk.read(name, RECORD_BYTES_MAX).map_err(StoreError::Read)?;
            let record = bytes.as_deref().and_then(|bytes| record::decode(bytes));
            newest = newest.max(record.map_or(0, |(generation, _)| generation));
        }
        let stored = self.replace(newest + 1, Partial::default(), None)?;
        self.put(LIVE_STATE, &record::encode(0, "idle")).map_err(StoreError::Left)?;
        let black_boxes = (1..=BLACK_BOXES_KEPT).map(black_box);
        let left = NMCLI_HISTORY.map(str::to_owned).into_iter().chain(black_boxes);
        self.remove_all(left).map_err(StoreError::Left)?;
        match stored.stale.is_empty() {
            true => Ok(stored),
            false => Err(StoreError::Left(io::Error::other("a copy with the keys"))),
        }
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

    /// Takes files away, those that are there.
    fn remove_all(&mut self, names: impl IntoIterator<Item: AsRef<str>>) -> io::Result<()> {
        let mut removed_any = false;
        for name in names {
            match self.disk.remove(name.as_ref()) {
                Ok(()) => removed_any = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if removed_any { self.disk.sync_folder() } else { Ok(()) }
    }

    /// What is stored, and which copy holds it.
    fn look(&self) -> Result<(Stored, Option<CopyNames>), StoreError> {
        let (mut best, mut found_any) = (None, false);
        let mut generations = Vec::new();
        for copy in COPIES {
            let read = |name| self.disk.read(name, RECORD_BYTES_MAX).map_err(StoreError::Read);
            let (settings, keys) = (read(copy.settings)?, read(copy.keys)?);
            let bytes = [&settings, &keys].map(|file| file.as_ref().map(|bytes| bytes.as_slice()));
            match record::open(bytes[0], bytes[1]) {
                Found::Nothing => generations.push((copy, None)),
                Found::Damaged => {
                    found_any = true;
                    generations.push((copy, None));
                }
                Found::Whole { generation, partial } => {
                    generations.push((copy, Some(generation)));
                    if best.as_ref().is_none_or(|(newest, _, _)| generation > *newest) {
                        best = Some((generation, partial, copy));
                    }
                }
            }
        }
        match best {
            Some((generation, partial, good)) => {
                let stale = generations.iter().filter(|(_, g)| *g != Some(generation));
                let stale = stale.map(|(copy, _)| copy.settings).collect();
                Ok((Stored { generation, partial: *partial, stale }, Some(good)))
            }
            None if found_any => Err(StoreError::Damaged),
            None => Ok((Stored::default(), None)),
        }
    }

    /// Writes both copies, the good one last. Once one of them lies safely the change holds.
    fn replace(
        &mut self,
        generation: u64,
        partial: Partial,
        good: Option<CopyNames>,
    ) -> Result<Stored, StoreError> {
        let [first, second] = match good {
            Some(good) if good == COPIES[0] => [COPIES[1], COPIES[0]],
            _ => COPIES,
        };
        if let Err(error) = self.put_copy(first, generation, &partial) {
            let visible = self.look().is_ok_and(|(stored, _)| stored.generation == generation);
            return Err(if visible { StoreError::Unsure(error) } else { StoreError::Write(error) });
        }
        let stale = match self.put_copy(second, generation, &partial) {
            Ok(()) => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, copy = second.settings, "the second copy was not written");
                vec![second.settings]
            }
        };
        Ok(Stored { generation, partial, stale })
    }

    fn put_copy(&mut self, copy: CopyNames, generation: u64, partial: &Partial) -> io::Result<()> {
        self.put(copy.keys, &record::encode(generation, &record::keys_text(partial)))?;
        self.put(copy.settings, &record::encode(generation, &partial.render()))
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.disk.write(NEW, bytes)?;
        self.disk.sync(NEW)?;
        self.disk.rename(NEW, name)?;
        self.disk.sync_folder()
    }
}
