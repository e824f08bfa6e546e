//! What is left on the disk of secrets: nothing that can be read after a factory reset, whatever the
//! disk keeps of replaced and removed files, and whenever the power is cut.

use firstmile::config::record::{COPIES, encode};
use firstmile::config::wrapping::{WRAPPING_KEY_FILES, WrappingKey};
use firstmile::config::{Partial, Recipient, parse};
use firstmile::device::store::{Disk as _, Store};

use crate::power_loss::{BLOCK_BYTES, Files, Model};

/// What no part of the disk may hold.
const CANARY: &str = "canary";

/// Settings with a secret of each kind.
fn owned() -> Partial {
    let text = "version = 1\n[video]\nfps = 25\n[wifi]\nssid = \"hall\"\n\
                passphrase = \"canary-passphrase\"\n[[destination]]\nname = \"a\"\n\
                url = \"rtmps://h/app\"\nkey = \"canary-k3y\"\n[[destination]]\nname = \"b\"\n\
                url = \"rtmps://user:canary-word@h/app?token=canary-t0ken\"\nkey = \"canary-b\"\n\
                [[destination]]\nname = \"c\"\nurl = \"rtmps://h/app/canary-path\"\n";
    parse("stick", text).expect("settings")
}

fn import(store: &mut Store<Model>) -> Partial {
    let imported = store.update(|partial| {
        partial.import(&owned());
        Ok(())
    });
    imported.expect("stores").partial
}

/// A disk as an earlier version left it, with every secret in clear.
fn of_an_earlier_version() -> Model {
    let mut disk = Model::default();
    let settings = owned().render();
    let keys = "a canary-k3y\nb canary-b\nwifi.passphrase canary-passphrase\n";
    for copy in COPIES {
        for (name, text) in [(copy.keys, keys), (copy.settings, settings.as_str())] {
            disk.write(name, &encode(7, text)).expect("writes");
            disk.sync(name).expect("writes");
        }
    }
    disk.sync_folder().expect("writes");
    // A change that was cut off left this.
    disk.write("new", &encode(8, keys)).expect("writes");
    disk.sync("new").and_then(|()| disk.sync_folder()).expect("writes");
    Model::holding(disk.files())
}

fn holds(files: &Files, word: &str) -> bool {
    let word = word.as_bytes();
    files.contents.iter().any(|bytes| bytes.windows(word.len()).any(|window| window == word))
}

/// Whether the disk holds a key that opens anything, with or without a name.
fn holds_wrapping_key(files: &Files) -> bool {
    files.contents.iter().any(|bytes| WrappingKey::read(bytes).is_some())
}

#[test]
fn no_secret_ever_lies_in_clear_on_the_disk() {
    let disk = Model::default();
    let mut store = Store::new(disk.clone());
    import(&mut store);
    store
        .update(|partial| partial.unset("destination.a").map(|_| ()).map_err(|e| e.to_string()))
        .expect("stores");
    for cut in 0..=disk.operations() {
        for files in disk.crashes(cut) {
            assert!(!holds(&files, CANARY), "before operation {cut}");
        }
    }
    assert!(holds_wrapping_key(&disk.files()), "it is encrypted");
}

#[test]
fn a_factory_reset_leaves_no_secret_and_no_key_to_one_anywhere_on_the_disk() {
    let disk = Model::default();
    let mut store = Store::new(disk.clone());
    import(&mut store);
    // Earlier contents of the same files are still on the disk.
    store
        .update(|partial| partial.set("video.fps", "30").map_err(|e| e.to_string()))
        .expect("stores");
    assert!(holds_wrapping_key(&disk.files()));
    assert_eq!(store.reset().expect("resets").partial, Partial::default());
    assert!(!holds(&disk.files(), CANARY) && !holds_wrapping_key(&disk.files()));
    // Secrets that are given afterwards have a key of their own.
    import(&mut store);
    assert!(holds_wrapping_key(&disk.files()));
    store.reset().expect("resets");
    assert!(!holds_wrapping_key(&disk.files()));
}

// Shows F46.
#[test]
fn a_factory_reset_that_was_cut_off_is_finished_when_the_box_starts() {
    let disk = Model::default();
    let mut store = Store::new(disk.clone());
    let before = import(&mut store);
    let from = disk.operations();
    store.reset().expect("resets");
    let mut finished = 0;
    for cut in from..=disk.operations() {
        for files in disk.crashes(cut) {
            let found = Model::holding(files);
            let stored = Store::new(found.clone()).repair().expect("repairs");
            assert!(!stored.secrets_lost, "cut at {}", cut - from);
            if stored.partial == before {
                continue;
            }
            assert_eq!(stored.partial, Partial::default(), "cut at {}", cut - from);
            assert!(!holds_wrapping_key(&found.files()), "cut at {}", cut - from);
            finished += 1;
        }
    }
    assert!(finished > 10, "{finished} were finished");
}

// Shows F51.
#[test]
fn a_factory_reset_of_a_full_disk_destroys_every_key_and_holds() {
    for (room, earlier) in
        [0, 1, 2, 3, 5].into_iter().flat_map(|room| [(room, false), (room, true)])
    {
        let disk = if earlier { of_an_earlier_version() } else { Model::default() };
        let mut store = Store::new(disk.clone());
        if !earlier {
            import(&mut store);
            store
                .update(|partial| partial.set("video.fps", "30").map_err(|e| e.to_string()))
                .expect("stores");
        }
        store.persist_live(true).expect("stores");
        store.keep_black_box(b"{}").expect("stores");
        let before = store.read().expect("reads").partial;
        disk.fill_up_after(room);
        let from = disk.operations();
        let reset = store.reset().unwrap_or_else(|error| panic!("room for {room}: {error}"));
        assert_eq!(reset.partial, Partial::default());
        let traces =
            |disk: &Model| holds(&disk.files(), CANARY) || holds_wrapping_key(&disk.files());
        assert!(!traces(&disk), "room for {room}, {earlier}");
        let read = store.read().expect("reads");
        assert_eq!((read.partial, read.secrets_lost), (Partial::default(), false), "{room}");
        assert!(!store.was_live(), "room for {room}");
        for cut in from..=disk.operations() {
            for files in disk.crashes(cut) {
                let found = Model::holding(files);
                // The disk may have room again, and another cut ends in one of these states too.
                let Ok(stored) = Store::new(found.clone()).repair() else {
                    assert!(!holds_wrapping_key(&found.files()), "{room}: cut at {}", cut - from);
                    continue;
                };
                let is_traceless = !traces(&found);
                assert!(stored.partial == before || is_traceless, "{room}: cut at {}", cut - from);
            }
        }
        // There is room again, and the box can be set up.
        disk.fill_up_after(usize::MAX);
        import(&mut store);
        assert_eq!(store.read().expect("reads").stale, [""; 0]);
    }
}

#[test]
fn a_factory_reset_destroys_the_key_whichever_other_file_cannot_be_read() {
    let disk = Model::default();
    import(&mut Store::new(disk.clone()));
    for name in COPIES.iter().flat_map(|copy| [copy.settings, copy.keys]) {
        let worn = Model::holding(disk.files());
        worn.wear_out(name);
        Store::new(worn.clone()).reset().expect("resets");
        assert!(!holds_wrapping_key(&worn.files()), "{name}");
    }
}

#[test]
fn what_an_earlier_version_stored_in_clear_is_kept_and_its_traces_are_overwritten() {
    let disk = of_an_earlier_version();
    assert!(holds(&disk.files(), CANARY), "it lay in clear");
    let mut store = Store::new(disk.clone());
    let before = store.read().expect("reads").partial;
    assert_eq!(before.keys().count(), 2);
    let after = store.repair().expect("repairs");
    assert_eq!(after.partial, before);
    assert_eq!(store.read().expect("reads").stale, [""; 0]);
    assert!(!holds(&disk.files(), CANARY), "nothing of it is left in clear");
    assert!(holds_wrapping_key(&disk.files()));
    for cut in 0..=disk.operations() {
        for files in disk.crashes(cut) {
            let found = Model::holding(files);
            let repaired = Store::new(found.clone()).repair().expect("repairs");
            assert_eq!(repaired.partial, before, "cut at {cut}");
            assert!(!repaired.secrets_lost, "cut at {cut}");
            assert!(!holds(&found.files(), CANARY), "cut at {cut}");
        }
    }
    assert_eq!(store.reset().expect("resets").partial, Partial::default());
    assert!(!holds(&disk.files(), CANARY) && !holds_wrapping_key(&disk.files()));
}

#[test]
fn a_factory_reset_right_after_an_upgrade_overwrites_what_lies_in_clear() {
    let disk = of_an_earlier_version();
    Store::new(disk.clone()).reset().expect("resets");
    assert!(!holds(&disk.files(), CANARY) && !holds_wrapping_key(&disk.files()));
}

// Shows F45.
#[test]
fn a_lost_wrapping_key_loses_the_secrets_and_nothing_else() {
    let disk = Model::default();
    import(&mut Store::new(disk.clone()));
    let mut files = disk.files();
    for name in WRAPPING_KEY_FILES {
        let content = files.names[name];
        files.contents[content].truncate(BLOCK_BYTES);
    }
    let disk = Model::holding(files);
    let mut store = Store::new(disk);
    let found = store.repair().expect("reads");
    assert!(found.secrets_lost, "and that is known");
    assert_eq!((found.partial.secret_count(), found.partial.keys().count()), (0, 0));
    let expected = owned().render();
    for line in found.partial.render().lines() {
        assert!(expected.contains(line), "{line}");
    }
    assert!(found.partial.render().contains("url = \"rtmps://h/app\""), "a plain address stays");
    assert!(store.repair().expect("reads").secrets_lost, "until somebody changes settings");
    let whole = import(&mut store);
    let read = store.read().expect("reads");
    assert_eq!((read.partial, read.secrets_lost, read.stale), (whole, false, Vec::new()));
}

// Shows F45.
#[test]
fn one_copy_of_the_wrapping_key_is_enough_and_makes_the_other_again() {
    for lost in WRAPPING_KEY_FILES {
        let disk = Model::default();
        let whole = import(&mut Store::new(disk.clone()));
        let mut files = disk.files();
        files.names.remove(lost);
        let mut store = Store::new(Model::holding(files));
        assert_eq!(store.read().expect("reads").stale, [lost]);
        let repaired = store.repair().expect("repairs");
        assert_eq!((&repaired.partial, repaired.secrets_lost), (&whole, false));
        assert_eq!(store.read().expect("reads").stale, [""; 0]);
    }
}

#[test]
fn whom_a_secret_was_given_for_is_stored_with_it() {
    let disk = Model::default();
    let mut store = Store::new(disk.clone());
    let key = "destination.a.key".parse().expect("a setting");
    let stored = store.update(|partial| {
        partial.set("destination.a.key", "canary-k3y").map_err(|e| e.to_string())?;
        partial.remember_given_for(&key, vec![Recipient::network("a"), Recipient::network("b")]);
        Ok(())
    });
    let stored = stored.expect("stores").partial;
    assert!(stored.unbound().is_empty());
    assert_eq!(Store::new(disk).read().expect("reads").partial, stored);
}

#[test]
fn a_copy_of_the_wrapping_key_that_was_not_finished_is_no_trace_after_a_reset() {
    let disk = Model::default();
    import(&mut Store::new(disk.clone()));
    let mut files = disk.files();
    let lost = files.names.remove(WRAPPING_KEY_FILES[1]).expect("it is there");
    files.contents[lost].clear();
    let lost = Model::holding(files);
    let change = |disk: &Model| {
        let change = |partial: &mut Partial| {
            partial.set("video.fps", "30").map_err(|error| error.to_string())
        };
        Store::new(disk.clone()).update(change).expect("stores");
    };
    change(&lost);
    for cut in 0..=lost.operations() {
        // One whose name was not written yet is found by nobody.
        let named = |files: &Files| files.names.contains_key("new");
        for files in lost.crashes(cut).into_iter().filter(named) {
            // The next change is an import, which does not start by putting the store in order.
            let found = Model::holding(files);
            change(&found);
            Store::new(found.clone()).reset().expect("resets");
            assert!(!holds_wrapping_key(&found.files()), "cut at {cut}");
        }
    }
}
