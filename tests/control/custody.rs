//! Stream keys: taken as they are given, handed to the server they were given for, shown to nobody.

use std::time::Duration;

use firstmile::appliance::DestinationId;

use crate::rig::{Before, CANARY, Rig, Temper};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn asks(rig: &mut Rig, line: &str, secret: Option<&str>) -> String {
    rig.answered.clear();
    rig.asks(1, line, secret);
    rig.advance(ms(200));
    let replies = rig.answered.iter().flat_map(|(_, reply)| reply.render_text());
    replies.collect::<Vec<_>>().join("; ")
}

/// The server and the key that a publish task would use.
fn ingest(rig: &Rig, name: &str) -> Option<(String, String)> {
    let target = rig.target(name)?;
    target.ingest().ok()?;
    let (url, key) = (target.url.as_ref()?, target.key.as_ref()?);
    Some((url.to_string(), key.reveal().to_string()))
}

#[test]
fn a_key_with_odd_characters_reaches_its_destination_byte_for_byte() {
    for key in [
        "aZ9!0x3%XjQ",
        "a%2Fb",
        "x+y=z#frag&q",
        "r77?user=1&cover=http://192.0.2.9/x/y.png",
        "r?title=café-中文",
        "{braces}and\"quotes\"and\\",
        "\u{201c}curly\u{201d}",
    ] {
        let key = format!("{CANARY}-{key}");
        for by_terminal in [false, true] {
            let mut rig = Rig::started(&Before::default());
            asks(&mut rig, "destination add a rtmps://a.example/live", None);
            if by_terminal {
                rig.types(&format!("key a\r{key}\r"));
                rig.advance(ms(200));
            } else {
                let shown = asks(&mut rig, "key a", Some(&key));
                let characters = key.chars().count();
                assert!(shown.contains(&format!("is set: {characters} characters")), "{shown}");
            }
            let used = ingest(&rig, "a").map(|(_, key)| key);
            assert_eq!(used.as_deref(), Some(key.as_str()), "by the terminal: {by_terminal}");
        }
    }
}

#[test]
fn a_key_that_cannot_be_one_is_refused_without_being_repeated() {
    let mut rig = Rig::started(&Before::default());
    asks(&mut rig, "destination add a rtmps://a.example/live", None);
    let long = format!("{CANARY}{}", "x".repeat(1_024));
    for key in ["", " ", &format!("{CANARY} \u{7}"), &long] {
        let shown = asks(&mut rig, "key a", Some(key));
        assert!(shown.starts_with("error: ") && shown.ends_with("nothing was changed"), "{shown}");
        assert_eq!(ingest(&rig, "a"), None);
    }
}

#[test]
fn a_key_is_in_force_only_when_it_is_stored_and_the_one_before_holds_until_then() {
    let mut rig = Rig::started(&Before::default());
    asks(&mut rig, "destination add a rtmps://a.example/live", None);
    asks(&mut rig, "key a", Some("canary-1"));
    let key = |rig: &Rig| ingest(rig, "a").map(|(_, key)| key).unwrap_or_default();
    rig.temper = Temper::FullAfter(ms(100));
    assert!(asks(&mut rig, "key a", Some("canary-2")).starts_with("error: "));
    assert_eq!(key(&rig), "canary-1");
    rig.temper = Temper::Takes(ms(500));
    rig.asks(1, "key a", Some("canary-3"));
    rig.advance(ms(499));
    assert_eq!(key(&rig), "canary-1");
    rig.advance(ms(1));
    assert_eq!(key(&rig), "canary-3");
}

#[test]
fn a_key_for_the_integrators_server_is_not_handed_to_a_server_set_at_the_console() {
    let before = Before {
        integrator: "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\n".to_owned(),
        ..Before::default()
    };
    let mut rig = Rig::started(&before);
    asks(&mut rig, "key a", Some("canary-k3y"));
    assert!(ingest(&rig, "a").is_some());
    let shown = asks(&mut rig, "destination set a rtmps://elsewhere.example/live", None);
    assert_eq!(ingest(&rig, "a"), None, "{shown}");
    assert!(shown.contains("was given for another server"), "{shown}");
}

#[test]
fn a_key_goes_with_the_address_that_it_was_given_for() {
    for integrator in ["", "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\n"] {
        let mut rig =
            Rig::started(&Before { integrator: integrator.to_owned(), ..Before::default() });
        asks(&mut rig, "set destination.a.url rtmps://elsewhere.example/live", None);
        asks(&mut rig, "key a", Some("canary-k3y"));
        let shown = asks(&mut rig, "unset destination.a.url", None);
        assert!(shown.contains("was given for that server and is removed"), "{shown}");
        asks(&mut rig, "set destination.a.url rtmps://third.example/live", None);
        assert_eq!(ingest(&rig, "a"), None);
    }
}

#[test]
fn a_passphrase_for_the_integrators_network_is_not_tried_at_another_one() {
    let integrator = "[wifi]\nssid = \"hall\"\n".to_owned();
    let mut rig = Rig::started(&Before { integrator, ..Before::default() });
    asks(&mut rig, "set wifi.passphrase", Some("canary-passphrase"));
    assert!(rig.stored.secret_count() == 1);
    asks(&mut rig, "set wifi.ssid cafe", None);
    assert!(rig.stored.secret_count() == 0);
}

#[test]
fn export_and_show_hold_no_key_whatever_layer_it_comes_from() {
    let before = Before {
        integrator: "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\n\
                     key = \"canary-integrator\"\n[[destination]]\nname = \"b\"\n\
                     url = \"rtmps://b.example/live\"\n"
            .to_owned(),
        credential_keys: vec![("b".to_owned(), "canary-credential".to_owned())],
        ..Before::default()
    };
    let mut rig = Rig::started(&before);
    asks(&mut rig, "destination add c rtmps://c.example/live", None);
    asks(&mut rig, "key c", Some("canary-stored"));
    // The rig looks for the keys in every answer, for people and for programs.
    let export = asks(&mut rig, "export", None);
    assert!(export.contains("c.example") && !export.contains("key"), "{export}");
    let shown = asks(&mut rig, "show", None);
    assert_eq!(shown.matches("set, ").count(), 3, "{shown}");
    assert_eq!(rig.targets.len(), 3);
    for name in ["a", "b", "c"] {
        let unset = asks(&mut rig, &format!("unset destination.{name}.key"), None);
        assert!(!unset.is_empty());
    }
    assert!(rig.targets.contains_key(&DestinationId(0)));
}

const A: &str = "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\n";

/// A box with a key of the service manager for `a`, and what the other files say.
fn with_credential(integrator: &str, credentials: &str) -> Rig {
    Rig::started(&Before {
        integrator: integrator.to_owned(),
        credentials: credentials.to_owned(),
        credential_keys: vec![("a".to_owned(), "canary-k3y".to_owned())],
        ..Before::default()
    })
}

/// The backup server that a publish task would hand the key to.
fn backup(rig: &Rig, name: &str) -> Option<String> {
    let target = rig.target(name)?;
    target.backup_ingest().ok()??;
    target.backup_url.as_ref().map(ToString::to_string)
}

fn faults(rig: &Rig) -> String {
    rig.control.status(rig.now).settings_faults.join("; ")
}

#[test]
fn a_credential_is_not_handed_to_a_backup_server_of_a_stick_or_console() {
    for (integrator, credentials) in [(A, ""), ("", A)] {
        for by_stick in [false, true] {
            let mut rig = with_credential(integrator, credentials);
            let shown = if by_stick {
                rig.imports(
                    "[[destination]]\nname = \"a\"\nallow_plain = true\n\
                     backup_url = \"rtmp://evil.example/live\"\n",
                );
                asks(&mut rig, "reload", None)
            } else {
                asks(&mut rig, "set destination.a.allow_plain true", None);
                asks(&mut rig, "set destination.a.backup_url rtmp://evil.example/live", None)
            };
            assert_eq!(backup(&rig, "a"), None, "{shown}");
            let used = ingest(&rig, "a").map(|(url, _)| url);
            assert_eq!(used.as_deref(), Some("rtmps://a.example/live"), "{shown}");
            let faults = faults(&rig);
            assert!(faults.contains("is not sent to rtmp://evil.example/live"), "{faults}");
            assert!(faults.contains("this backup server is not used"), "{faults}");
            asks(&mut rig, "unset destination.a.backup_url", None);
            assert_eq!(rig.control.status(rig.now).settings_faults, [""; 0]);
        }
    }
}

#[test]
fn a_credential_goes_to_the_backup_server_that_the_integrator_names() {
    let both = format!("{A}backup_url = \"rtmps://b.example/live\"\n");
    let mut rig = with_credential(&both, "");
    assert_eq!(backup(&rig, "a").as_deref(), Some("rtmps://b.example/live"));
    // The owner's other backup is not used, and the integrator's still is.
    asks(&mut rig, "set destination.a.backup_url rtmps://evil.example/live", None);
    assert_eq!(backup(&rig, "a").as_deref(), Some("rtmps://b.example/live"), "{}", faults(&rig));
    assert!(faults(&rig).contains("this backup server is not used"), "{}", faults(&rig));
    // Another way to an app of the integrator is the owner's choice.
    asks(&mut rig, "set destination.a.backup_url rtmps://a.example/live?backup=1", None);
    assert_eq!(backup(&rig, "a").as_deref(), Some("rtmps://a.example/live?backup=1"));
    assert_eq!(faults(&rig), "");
}

#[test]
fn a_credential_is_held_back_from_a_server_that_its_own_files_do_not_name() {
    let named_as_backup = A.replace("url =", "backup_url =");
    let mut rig = with_credential("", &named_as_backup);
    asks(&mut rig, "destination set a rtmps://evil.example/live", None);
    assert_eq!(ingest(&rig, "a"), None);
    assert_eq!(backup(&rig, "a"), None);
    assert!(faults(&rig).contains("is not sent to rtmps://evil.example/live"), "{}", faults(&rig));
}

#[test]
fn a_credential_without_an_address_goes_to_the_server_of_the_owner_and_to_no_backup_elsewhere() {
    let mut rig = with_credential("", "");
    asks(&mut rig, "destination set a rtmps://own.example/live", None);
    let used = ingest(&rig, "a").map(|(url, _)| url);
    assert_eq!(used.as_deref(), Some("rtmps://own.example/live"));
    asks(&mut rig, "set destination.a.backup_url rtmps://evil.example/live", None);
    assert_eq!(backup(&rig, "a"), None);
    assert!(ingest(&rig, "a").is_some());
    assert!(faults(&rig).contains("this backup server is not used"), "{}", faults(&rig));
    asks(&mut rig, "set destination.a.backup_url rtmps://own.example/live?backup=1", None);
    assert_eq!(backup(&rig, "a").as_deref(), Some("rtmps://own.example/live?backup=1"));
    assert_eq!(faults(&rig), "");
    // A backup alone is no server that the key is for.
    asks(&mut rig, "unset destination.a.url", None);
    assert_eq!(backup(&rig, "a"), None, "{}", faults(&rig));
}

/// The box after a restart, with another integrator's file.
fn restarted(rig: &Rig, integrator: &str) -> Rig {
    let remembered = Some(rig.stored.clone());
    let integrator = integrator.to_owned();
    Rig::started(&Before { integrator, remembered, ..Before::default() })
}

#[test]
fn a_key_is_for_one_app_of_one_server() {
    for (address, is_the_same) in [
        ("rtmps://a.example:443/live/", true),
        ("rtmps://A.example/live?token=other", true),
        ("rtmps://a.example/live/{stream_key}?bandwidthtest=true", true),
        ("rtmps://a.example/other", false),
        ("rtmps://a.example/live/instance", false),
        ("rtmps://a.example/live?vhost=other.example", false),
        ("rtmps://a.example:444/live", false),
        ("rtmps://b.example/live", false),
        ("rtmp://a.example:443/live", false),
        ("rtmp://a.example/live", false),
    ] {
        for by_stick in [false, true] {
            let mut rig = Rig::started(&Before::default());
            asks(&mut rig, "destination add a rtmps://a.example/live", None);
            asks(&mut rig, "key a", Some("canary-k3y"));
            asks(&mut rig, "set destination.a.allow_plain true", None);
            let shown = if by_stick {
                let allow_plain = address.starts_with("rtmp:");
                rig.imports(&format!(
                    "[[destination]]\nname = \"a\"\nurl = \"{address}\"\nallow_plain = {allow_plain}\n"
                ));
                asks(&mut rig, "reload", None)
            } else {
                asks(&mut rig, &format!("set destination.a.url {address}"), None)
            };
            // Where consent is missing too, the address is refused and the former one holds.
            let used = ingest(&rig, "a").map(|(url, _)| url);
            let is_former = used.as_deref() == Some("rtmps://a.example/live");
            assert!(
                if is_the_same { used.is_some() } else { used.is_none() || is_former },
                "{address}: {used:?}, {shown}"
            );
        }
    }
}

#[test]
fn a_stored_key_does_not_follow_the_integrators_file_to_another_server() {
    let mut rig = Rig::started(&Before { integrator: A.to_owned(), ..Before::default() });
    asks(&mut rig, "key a", Some("canary-k3y"));
    assert!(ingest(&restarted(&rig, A), "a").is_some());
    for other in ["rtmps://b.example/live", "rtmps://a.example/other"] {
        let moved = restarted(&rig, &A.replace("rtmps://a.example/live", other));
        assert_eq!(ingest(&moved, "a"), None);
        assert!(faults(&moved).contains("was given for another server"), "{}", faults(&moved));
        // It is not lost: where the file names its server again, it is used again.
        assert!(ingest(&restarted(&moved, A), "a").is_some());
    }
    let backup_elsewhere = format!("{A}backup_url = \"rtmps://evil.example/live\"\n");
    let moved = restarted(&rig, &backup_elsewhere);
    assert_eq!((ingest(&moved, "a").is_some(), backup(&moved, "a")), (true, None));
    assert!(faults(&moved).contains("this backup server is not used"), "{}", faults(&moved));
}

#[test]
fn a_stored_passphrase_does_not_follow_the_integrators_file_to_another_network() {
    let hall = "[wifi]\nssid = \"hall\"\n";
    let mut rig = Rig::started(&Before { integrator: hall.to_owned(), ..Before::default() });
    asks(&mut rig, "set wifi.passphrase", Some("canary-passphrase"));
    let uses = |rig: &mut Rig| asks(rig, "show wifi.passphrase", None).contains("••••");
    assert!(uses(&mut restarted(&rig, hall)));
    let mut moved = restarted(&rig, &hall.replace("hall", "evil"));
    assert!(!uses(&mut moved));
    assert!(faults(&moved).contains("given for another network"), "{}", faults(&moved));
}

#[test]
fn a_key_of_a_stick_without_an_address_is_for_the_server_in_force() {
    let mut rig = Rig::started(&Before { integrator: A.to_owned(), ..Before::default() });
    rig.imports("[[destination]]\nname = \"a\"\nkey = \"canary-k3y\"\n");
    asks(&mut rig, "reload", None);
    assert!(ingest(&rig, "a").is_some());
    let moved = restarted(&rig, &A.replace("a.example", "b.example"));
    assert_eq!(ingest(&moved, "a"), None, "{}", faults(&moved));
}

#[test]
fn an_integrators_key_beside_a_backup_alone_goes_to_no_other_server() {
    let integrator = "[[destination]]\nname = \"a\"\nkey = \"canary-k3y\"\n\
                      backup_url = \"rtmps://b.example/live\"\n";
    for by_stick in [false, true] {
        let before = Before { integrator: integrator.to_owned(), ..Before::default() };
        let mut rig = Rig::started(&before);
        let shown = if by_stick {
            rig.imports("[[destination]]\nname = \"a\"\nurl = \"rtmps://evil.example/live\"\n");
            asks(&mut rig, "reload", None)
        } else {
            asks(&mut rig, "set destination.a.url rtmps://evil.example/live", None)
        };
        assert_eq!(ingest(&rig, "a"), None, "{shown}");
        assert!(faults(&rig).contains("is not sent to rtmps://evil.example"), "{}", faults(&rig));
        // The server that its own file names is one.
        asks(&mut rig, "set destination.a.url rtmps://b.example/live", None);
        assert!(ingest(&rig, "a").is_some(), "{}", faults(&rig));
    }
}

#[test]
fn a_key_goes_to_the_server_that_it_was_asked_for_and_to_none_that_was_set_while_it_was_typed() {
    let mut rig = Rig::started(&Before::default());
    asks(&mut rig, "destination add a rtmps://a.example/live", None);
    rig.types("key a\r");
    rig.advance(ms(200));
    asks(&mut rig, "destination set a rtmps://evil.example/live", None);
    rig.types("canary-k3y\r");
    rig.advance(ms(200));
    assert_eq!(ingest(&rig, "a"), None);
    let shown = rig.take_transcript();
    assert!(shown.contains("destination.a.key is stored, but without effect"), "{shown}");
    asks(&mut rig, "key a", Some("canary-other"));
    assert!(ingest(&rig, "a").is_some());
}

#[test]
fn a_stick_that_makes_the_key_of_another_source_unusable_is_reported() {
    let with_key = format!("{A}key = \"canary-k3y\"\n");
    let evil = "[[destination]]\nname = \"a\"\nurl = \"rtmps://evil.example/live\"\n";
    for (mut rig, whose) in [
        (with_credential(A, ""), "the key of the service manager"),
        (
            Rig::started(&Before { integrator: with_key, ..Before::default() }),
            "the key of the integrator's file",
        ),
    ] {
        assert!(!asks(&mut rig, "reload", None).contains("is not sent"));
        rig.imports(evil);
        let shown = asks(&mut rig, "reload", None);
        assert!(shown.starts_with("the settings are read; "), "{shown}");
        assert!(shown.contains(whose), "{shown}");
        assert!(shown.contains("is not sent to rtmps://evil.example/live"), "{shown}");
        assert_eq!(ingest(&rig, "a"), None);
    }
}

#[test]
fn a_key_stays_where_the_stick_names_the_server_that_it_was_given_for() {
    let mut rig = Rig::started(&Before { integrator: A.to_owned(), ..Before::default() });
    asks(&mut rig, "key a", Some("canary-k3y"));
    rig.imports(A);
    asks(&mut rig, "reload", None);
    assert!(ingest(&rig, "a").is_some());
}

#[test]
fn a_restart_takes_no_wrong_pin_back() {
    let mut rig = Rig::started(&Before::default());
    asks(&mut rig, "set console.pin", Some("4711"));
    let (at, greet) = (firstmile::console::ClientId(0), true);
    rig.happens(firstmile::control::Event::TerminalOpened { at, greet });
    for _ in 0..5 {
        rig.types("0000\r");
        rig.advance(Duration::from_secs(10));
    }
    assert_eq!(rig.wrong_pins_written, Some(5));
    let remembered = Some(rig.stored.clone());
    let wrong_pins = rig.wrong_pins_written.unwrap_or_default();
    let mut again = Rig::started(&Before { remembered, wrong_pins, ..Before::default() });
    again.types("4711\r");
    assert!(again.take_transcript().contains("too many wrong PINs; wait"));
    again.advance(Duration::from_secs(61));
    again.types("4711\rabout\r");
    again.advance(ms(200));
    assert!(again.take_transcript().contains("firstmile 0 on story"));
    assert_eq!(again.wrong_pins_written, Some(0), "the right one ends it");
}
