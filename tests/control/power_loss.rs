//! A power cut at any moment leaves the old or the new settings, never torn ones and never the
//! defaults.
//!
//! The disk of these tests records every operation. A crash keeps what was synced and, of what was
//! not, any subset: names made or replaced in any combination, file contents not at all, whole, or
//! torn in their last block.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use firstmile::config::record::COPIES;
use firstmile::config::wrapping::WRAPPING_KEY_FILES;
use firstmile::config::{Partial, parse};
use firstmile::device::store::{Disk, Store, StoreError, Stored};
use firstmile::secret::StreamKey;
use zeroize::Zeroizing;

/// Size of a block that a torn write may leave half written.
pub const BLOCK_BYTES: usize = 64;

/// A file system: names point to contents.
#[derive(Clone, Default)]
pub struct Files {
    pub names: BTreeMap<String, usize>,
    /// Of removed and replaced files too: a disk does not forget them.
    pub contents: Vec<Vec<u8>>,
}

/// One thing that a power cut may undo until it is synced.
#[derive(Clone)]
enum Unsynced {
    /// A name points to this content.
    Name(String, usize),
    /// A name is gone.
    NoName(String),
    /// A content is this.
    Content(usize, Vec<u8>),
}

/// What the disk held before each operation, and what a power cut could undo then.
#[derive(Default)]
struct State {
    now: Files,
    safe: Files,
    unsynced: Vec<Unsynced>,
    history: Vec<(Files, Vec<Unsynced>)>,
    /// The operation that fails, counted from now.
    fail_in: Option<usize>,
    /// A file that cannot be read until it is replaced.
    worn: Option<usize>,
    /// So many more files can be written before the disk is full; what is there can be overwritten.
    room: Option<usize>,
}

#[derive(Clone, Default)]
pub struct Model(Rc<RefCell<State>>);

impl Model {
    pub fn holding(files: Files) -> Model {
        let state = State { now: files.clone(), safe: files, ..State::default() };
        Model(Rc::new(RefCell::new(state)))
    }

    /// What it holds now.
    pub fn files(&self) -> Files {
        self.0.borrow().now.clone()
    }

    /// The file of this name cannot be read any more.
    pub fn wear_out(&self, name: &str) {
        let mut state = self.0.borrow_mut();
        state.worn = Some(state.now.names[name]);
    }

    /// After so many more files the disk is full.
    pub fn fill_up_after(&self, files: usize) {
        self.0.borrow_mut().room = Some(files);
    }

    pub fn operations(&self) -> usize {
        self.0.borrow().history.len()
    }

    /// Every state that the disk may be found in when the power is cut before operation `index`.
    pub fn crashes(&self, index: usize) -> Vec<Files> {
        let state = self.0.borrow();
        let (safe, unsynced) = match state.history.get(index) {
            Some((safe, unsynced)) => (safe, unsynced),
            None => (&state.safe, &state.unsynced),
        };
        let mut found = vec![safe.clone()];
        for change in unsynced {
            let mut with = Vec::new();
            for files in &found {
                with.push(files.clone());
                with.extend(Model::kept(files, change));
            }
            found = with;
        }
        found
    }

    /// The states in which the change, or a part of it, came through.
    fn kept(files: &Files, change: &Unsynced) -> Vec<Files> {
        let mut all = Vec::new();
        let mut with = |change: &dyn Fn(&mut Files)| {
            let mut files = files.clone();
            change(&mut files);
            all.push(files);
        };
        match change {
            Unsynced::Name(name, content) => with(&|files| {
                files.names.insert(name.clone(), *content);
            }),
            Unsynced::NoName(name) => with(&|files| {
                files.names.remove(name);
            }),
            Unsynced::Content(content, bytes) => {
                let last_block = bytes.len() / BLOCK_BYTES * BLOCK_BYTES;
                let mut torn = bytes.clone();
                torn[last_block..].fill(0);
                let short = bytes[..last_block].to_vec();
                for bytes in [bytes.clone(), torn, short] {
                    with(&|files| files.contents[*content] = bytes.clone());
                }
            }
        }
        all
    }
}

impl State {
    fn begin(&mut self) -> io::Result<()> {
        self.history.push((self.safe.clone(), self.unsynced.clone()));
        match &mut self.fail_in {
            Some(0) => Err(io::Error::other("no space left on device")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Disk for Model {
    type Lock = ();

    fn lock(&self) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let state = self.0.borrow();
        if state.worn.is_some() && state.now.names.get(name) == state.worn.as_ref() {
            return Err(io::Error::other("a bad block"));
        }
        let content = state.now.names.get(name).map(|n| state.now.contents[*n].clone());
        Ok(content.map(|mut bytes| {
            bytes.truncate(bytes_max + 1);
            Zeroizing::new(bytes)
        }))
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        state.begin()?;
        let content = match state.now.names.get(name) {
            Some(content) => *content,
            None => {
                let new = state.now.contents.len();
                state.now.contents.push(Vec::new());
                state.safe.contents.push(Vec::new());
                state.now.names.insert(name.to_owned(), new);
                state.unsynced.push(Unsynced::Name(name.to_owned(), new));
                new
            }
        };
        // The blocks of an emptied file stay on the disk, without a name.
        let emptied = std::mem::replace(&mut state.now.contents[content], bytes.to_vec());
        if !emptied.is_empty() {
            state.now.contents.push(emptied.clone());
            state.safe.contents.push(emptied);
        }
        // The truncation of an old content is as unsure as the new bytes.
        state.unsynced.push(Unsynced::Content(content, Vec::new()));
        if let Some(room) = &mut state.room {
            if *room == 0 {
                // There is room for a name, and not for what is in it.
                state.now.contents[content].clear();
                return Err(io::ErrorKind::StorageFull.into());
            }
            *room -= 1;
        }
        state.unsynced.push(Unsynced::Content(content, bytes.to_vec()));
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        state.begin()?;
        let content = state.now.names[name];
        state.safe.contents[content] = state.now.contents[content].clone();
        state.unsynced.retain(|u| !matches!(u, Unsynced::Content(c, _) if *c == content));
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        state.begin()?;
        let content = state.now.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.now.names.insert(to.to_owned(), content);
        state.unsynced.push(Unsynced::Name(to.to_owned(), content));
        state.unsynced.push(Unsynced::NoName(from.to_owned()));
        Ok(())
    }

    fn overwrite(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        let content = *state.now.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        state.begin()?;
        if state.now.names.values().filter(|named| **named == content).count() > 1 {
            return Ok(());
        }
        let zeros = vec![0; state.now.contents[content].len()];
        state.now.contents[content] = zeros.clone();
        state.unsynced.push(Unsynced::Content(content, zeros));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        state.begin()?;
        if state.now.names.remove(name).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.unsynced.push(Unsynced::NoName(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let state = &mut *state;
        state.begin()?;
        state.safe.names = state.now.names.clone();
        state.unsynced.retain(|u| matches!(u, Unsynced::Content(..)));
        Ok(())
    }
}

/// What an owner does to the store.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Operation {
    Set,
    Import,
    Reset,
}

const ALL: [Operation; 3] = [Operation::Set, Operation::Import, Operation::Reset];

fn perform(store: &mut Store<Model>, operation: Operation, n: usize) -> Result<Stored, StoreError> {
    match operation {
        Operation::Set => store.update(|partial| {
            let fps = 20 + n;
            partial.set("video.fps", &fps.to_string()).map_err(|error| error.to_string())
        }),
        Operation::Import => store.update(|partial| {
            partial.import(&stick(n));
            Ok(())
        }),
        Operation::Reset => store.reset(),
    }
}

fn stick(n: usize) -> Partial {
    let text = format!(
        "version = 1\n[[destination]]\nname = \"a\"\nurl = \"rtmps://h{n}/app\"\nkey = \"key-{n}\"\n\
         [[destination]]\nname = \"b\"\nurl = \"rtmps://b{n}/app\"\n"
    );
    let mut partial = parse("stick", &text).expect("a good stick");
    partial.set_key("b", StreamKey::parse(&format!("second-{n}")).expect("a key")).expect("a name");
    partial
}

/// All sequences of one to three operations.
fn sequences() -> Vec<Vec<Operation>> {
    let mut all = vec![vec![]];
    let mut longest = all.clone();
    for _ in 0..3 {
        longest = longest
            .iter()
            .flat_map(|begun| ALL.map(|next| [begun.as_slice(), &[next]].concat()))
            .collect();
        all.extend(longest.clone());
    }
    all.retain(|sequence| !sequence.is_empty());
    all
}

/// A disk with settings that are not the defaults, all of it synced.
fn furnished() -> Model {
    let disk = Model::default();
    let mut store = Store::new(disk.clone());
    perform(&mut store, Operation::Import, 9).expect("stores");
    let files = disk.0.borrow().safe.clone();
    Model::holding(files)
}

// Shows F27.
#[test]
fn whatever_a_power_cut_leaves_the_old_or_the_new_settings_hold() {
    let mut crashes = 0;
    for (begin, sequence) in sequences().iter().flat_map(|s| [(false, s), (true, s)]) {
        let disk = if begin { furnished() } else { Model::default() };
        let mut store = Store::new(disk.clone());
        let mut before = store.read().expect("reads").partial;
        for (n, operation) in sequence.iter().enumerate() {
            let from = disk.operations();
            let after = perform(&mut store, *operation, n).expect("stores").partial;
            let to = disk.operations();
            // What happens before the last operation is the end of a shorter sequence.
            let cuts = if n + 1 == sequence.len() { from..=to } else { to..=to };
            for cut in cuts {
                for files in disk.crashes(cut) {
                    crashes += 1;
                    let mut found = Store::new(Model::holding(files));
                    let stored = found.repair().expect("reads after a power cut").partial;
                    let case = format!("{sequence:?}, operation {n}, cut at {}", cut - from);
                    // Once the operation has returned, it holds.
                    let old_is_right = cut < to && stored == before;
                    assert!(stored == after || old_is_right, "{case}");
                }
            }
            before = after;
        }
    }
    assert!(crashes > 10_000, "{crashes} power cuts were tried");
}

#[test]
fn a_store_goes_on_after_a_power_cut() {
    let disk = furnished();
    let mut store = Store::new(disk.clone());
    perform(&mut store, Operation::Set, 1).expect("stores");
    for cut in 0..=disk.operations() {
        for files in disk.crashes(cut) {
            let mut found = Store::new(Model::holding(files));
            found.repair().expect("repairs");
            assert_eq!(found.read().expect("reads").stale, [""; 0], "both copies are good again");
            let stored = perform(&mut found, Operation::Import, 2).expect("stores").partial;
            assert_eq!(found.read().expect("reads").partial, stored);
        }
    }
}

// Shows F28.
#[test]
fn a_disk_that_fails_at_any_operation_refuses_the_change_or_keeps_it() {
    for operation in ALL {
        let whole = furnished();
        let mut store = Store::new(whole.clone());
        let before = store.read().expect("reads").partial;
        let after = perform(&mut store, operation, 1).expect("stores").partial;
        for n in 0..whole.operations() {
            let disk = furnished();
            disk.0.borrow_mut().fail_in = Some(n);
            let mut store = Store::new(disk.clone());
            let outcome = perform(&mut store, operation, 1);
            disk.0.borrow_mut().fail_in = None;
            let found = store.read().expect("reads");
            match outcome {
                Ok(stored) => {
                    assert_eq!(found.partial, stored.partial, "{operation:?} {n}");
                    assert_eq!(found.partial, after, "{operation:?} {n}");
                }
                // A reset that leaves a copy with the keys says so, although it holds.
                Err(StoreError::Left(_)) => {
                    assert_eq!((operation, &found.partial), (Operation::Reset, &after));
                }
                Err(StoreError::Unsure(_)) => assert_eq!(found.partial, after),
                Err(error) => {
                    assert!(error.to_string().contains("no space left"), "{error}");
                    assert_eq!(found.partial, before, "{operation:?} {n}");
                }
            }
            perform(&mut store, operation, 1).expect("works again");
            assert_eq!(store.read().expect("reads").stale, [""; 0]);
        }
    }
}

/// A disk on which some files cannot be changed, and perhaps not be read either.
struct Spoilt {
    disk: Model,
    names: Vec<&'static str>,
    reads_too: bool,
}

impl Spoilt {
    fn refuse(&self, name: &str) -> io::Result<()> {
        let spoilt = self.names.contains(&name);
        if spoilt { Err(io::Error::other("input/output error")) } else { Ok(()) }
    }
}

impl Disk for Spoilt {
    type Lock = ();

    fn lock(&self) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        if self.reads_too {
            self.refuse(name)?;
        }
        self.disk.read(name, bytes_max)
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.refuse(name).and_then(|()| self.disk.write(name, bytes))
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.refuse(name).and_then(|()| self.disk.sync(name))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.refuse(to).and_then(|()| self.disk.rename(from, to))
    }

    fn overwrite(&mut self, name: &str) -> io::Result<()> {
        self.refuse(name).and_then(|()| self.disk.overwrite(name))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.refuse(name).and_then(|()| self.disk.remove(name))
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        self.disk.sync_folder()
    }
}

#[test]
fn a_factory_reset_says_forgotten_only_of_settings_that_are_forgotten() {
    let copies = COPIES.into_iter().flat_map(|copy| [copy.settings, copy.keys]);
    let all: Vec<&'static str> = copies.chain(WRAPPING_KEY_FILES).collect();
    let mut outcomes = BTreeMap::new();
    for (mask, reads_too) in (0..1_u32 << all.len()).flat_map(|m| [(m, false), (m, true)]) {
        let named = all.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
        let names: Vec<&'static str> = named.map(|(_, name)| *name).collect();
        let disk = furnished();
        let before = Store::new(disk.clone()).read().expect("reads").partial;
        let case = format!("{names:?} {reads_too}");
        let outcome = Store::new(Spoilt { disk: disk.clone(), names, reads_too }).reset();
        // The disk may read all of it again.
        let found = match Store::new(disk).read() {
            Ok(stored) => Some(stored.partial),
            Err(StoreError::Damaged) => None,
            Err(error) => panic!("{case}: {error}"),
        };
        let is_forgotten = found.as_ref().is_none_or(|found| *found == Partial::default());
        let word = match outcome {
            Ok(_) => {
                assert!(is_forgotten, "{case}");
                "done"
            }
            Err(StoreError::Left(_)) => {
                assert!(is_forgotten, "{case}");
                "left"
            }
            Err(StoreError::Remains(_)) => {
                assert!(!is_forgotten || reads_too, "{case}");
                "remains"
            }
            Err(error) => {
                assert_eq!(found, Some(before), "{case}: {error}");
                "as before"
            }
        };
        *outcomes.entry(word).or_insert(0) += 1;
    }
    assert_eq!(outcomes.len(), 4, "{outcomes:?}");
}

// Shows F28.
#[test]
fn one_flipped_bit_in_either_copy_changes_nothing() {
    let good = furnished();
    let stored = Store::new(good.clone()).read().expect("reads").partial;
    let files = good.0.borrow().now.clone();
    for (name, content) in &files.names {
        // A wrapping key fills a block, every byte of which counts the same.
        let step = if name.starts_with("wrapping") { 61 } else { 1 };
        for at in (0..files.contents[*content].len()).step_by(step) {
            let mut flipped = files.clone();
            flipped.contents[*content][at] ^= 0x04;
            let mut store = Store::new(Model::holding(flipped));
            assert_eq!(store.read().expect("reads").stale.len(), 1, "{name} {at}");
            assert_eq!(store.repair().expect("repairs").partial, stored, "{name} {at}");
        }
    }
}

#[test]
fn two_damaged_copies_are_reported_and_not_taken_for_an_empty_store() {
    let mut files = furnished().0.borrow().now.clone();
    files.contents.iter_mut().for_each(|bytes| bytes.truncate(10));
    let mut store = Store::new(Model::holding(files));
    assert!(matches!(store.read(), Err(StoreError::Damaged)));
    let set = perform(&mut store, Operation::Set, 1);
    assert!(matches!(set, Err(StoreError::Damaged)), "nothing is built on damage");
    assert_eq!(store.reset().expect("resets").partial, Partial::default());
    perform(&mut store, Operation::Set, 1).expect("works again");
}

#[test]
fn what_would_not_read_back_is_refused_with_its_reason() {
    let disk = furnished();
    let mut store = Store::new(disk);
    let before = store.read().expect("reads");
    let refused = store.update(|partial| {
        partial.set("destination.c.url", "rtmp://h/app").map_err(|error| error.to_string())
    });
    let message = refused.expect_err("no consent").to_string();
    assert!(message.contains("allow_plain"), "{message}");
    assert_eq!(store.read().expect("reads"), before);
}

// Shows F27.
#[test]
fn the_live_state_survives_a_power_cut_as_it_was_or_as_it_is() {
    let disk = furnished();
    let mut store = Store::new(disk.clone());
    for live in [true, false, true] {
        let was = store.was_live();
        let from = disk.operations();
        store.persist_live(live).expect("stores");
        for cut in from..=disk.operations() {
            for files in disk.crashes(cut) {
                let found = Store::new(Model::holding(files)).was_live();
                assert!(found == live || (found == was && cut < disk.operations()));
            }
        }
    }
    store.reset().expect("resets");
    assert!(!store.was_live(), "a reset box does not go live by itself");
}

#[test]
fn a_factory_reset_forgets_the_black_boxes_too() {
    let disk = furnished();
    let mut store = Store::new(disk.clone());
    for past in ["at home", "at church", "at the stadium"] {
        store.keep_black_box(past.as_bytes()).expect("keeps");
    }
    let kept = || {
        let state = disk.0.borrow();
        state.now.names.keys().filter(|name| name.starts_with("black-box")).count()
    };
    assert_eq!(kept(), 3);
    store.reset().expect("resets");
    assert_eq!(kept(), 0);
}

#[test]
fn a_real_folder_keeps_others_out() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("firstmile-store-{}", std::process::id()));
    let folder = firstmile::device::Folder::open(&path).expect("a folder");
    let mut store = Store::new(folder);
    let stored = store.update(|partial| {
        partial.import(&stick(1));
        Ok(())
    });
    let stored = stored.expect("stores").partial;
    store.persist_live(true).expect("stores");
    let mode = |path: &std::path::Path| {
        std::fs::metadata(path).expect("is there").permissions().mode() & 0o7777
    };
    assert_eq!(mode(&path), 0o700);
    let files: Vec<_> = std::fs::read_dir(&path).expect("a folder").flatten().collect();
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        assert_eq!(mode(&file.path()), 0o600, "{file:?}");
        let bytes = std::fs::read(file.path()).expect("reads");
        assert!(!String::from_utf8_lossy(&bytes).contains("second-1"), "{file:?}");
    }
    let again = Store::new(firstmile::device::Folder::open(&path).expect("a folder"));
    assert_eq!(again.read().expect("reads").partial, stored);
    assert!(again.was_live());
    std::fs::remove_dir_all(&path).expect("removes its own folder");
}
