//! Requests of consoles, sticks and programs: in their order, answered once, and with success only
//! where what was asked for is in force.

use std::time::Duration;

use firstmile::console::{self, ClientId, Reply};
use firstmile::control::{JobResult, PublishReport};
use firstmile::limits::{CLIENT_REQUESTS_MAX, STORE_PATIENCE, WATCHERS_MAX};
use firstmile::status::Mode;

use crate::rig::{Before, Rig, Temper};

const A: &str = "[[destination]]\nname = \"a\"\nurl = \"rtmps://a.example/live\"\n";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn answers(rig: &Rig, client: u32) -> Vec<String> {
    let replies = rig.answers.get(&ClientId(client)).cloned().unwrap_or_default();
    replies.iter().flat_map(Reply::render_text).collect()
}

/// A box that is live at `a`.
fn live() -> Rig {
    let mut rig = Rig::started(&Before { stored: A.to_owned(), ..Before::default() });
    rig.asks(1, "key a", Some("canary-k3y"));
    rig.advance(ms(100));
    rig.asks(1, "live", None);
    rig.first_key();
    rig.reports("a", PublishReport::Accepted);
    rig.advance(ms(100));
    assert_eq!(rig.control.mode(), Mode::Live);
    rig.answers.clear();
    rig
}

#[test]
fn the_requests_of_one_client_are_answered_in_their_order_and_others_are_not_kept_waiting() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Takes(ms(500));
    rig.asks(1, "set box.name first", None);
    rig.asks(1, "show box.name", None);
    rig.asks(2, "show box.name", None);
    assert_eq!(answers(&rig, 1), [""; 0], "nothing is claimed yet");
    assert!(answers(&rig, 2)[0].contains("firstmile"), "{:?}", answers(&rig, 2));
    rig.advance(ms(600));
    let shown = answers(&rig, 1);
    assert!(shown[0] == "box.name is set" && shown[1].contains("first"), "{shown:?}");
}

#[test]
fn more_requests_than_may_wait_are_refused_in_words() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Hangs;
    for n in 0..CLIENT_REQUESTS_MAX + 2 {
        rig.asks(1, &format!("set box.name n{n}"), None);
    }
    assert_eq!(answers(&rig, 1), ["error: too many requests wait; try again"]);
}

#[test]
fn twenty_pasted_lines_are_carried_out_in_their_order_however_slow_the_store() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Takes(ms(400));
    let block: String = (0..20).map(|n| format!("set box.name name-{n}\r")).collect();
    rig.types(&block);
    rig.advance(Duration::from_secs(9));
    let set: Vec<_> = rig.transcript.iter().filter(|line| line.contains("is set")).collect();
    assert_eq!(set.len(), 20, "{:?}", rig.transcript);
    assert!(rig.control.status(rig.now).note.is_none());
    rig.types("show box.name\r");
    assert!(rig.take_transcript().contains("name-19"));
}

#[test]
fn a_pasted_key_answers_its_question_and_is_never_shown() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Takes(ms(400));
    rig.types("destination add a rtmps://a.example/live\rkey a\rcanary-k3y\rlive\r");
    rig.advance(Duration::from_secs(2));
    let shown = rig.take_transcript();
    assert!(!shown.contains("canary") && shown.contains("10 characters"), "{shown}");
    assert!(shown.contains("going live"), "{shown}");
    rig.types("\x1b[A\x1b[A\x1b[A\r");
    assert!(!rig.take_transcript().contains("canary"));
}

#[test]
fn a_store_that_hangs_is_reported_and_does_not_lock_its_client_out() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Hangs;
    rig.types("set box.name late\rstatus\r");
    rig.advance(STORE_PATIENCE + ms(1));
    let shown = rig.take_transcript();
    assert!(shown.contains("error: the disk has not stored this in time"), "{shown}");
    assert!(shown.contains("state        "), "the next command is carried out: {shown}");
    rig.temper = Temper::Takes(ms(1));
    rig.advance(ms(10));
    assert!(rig.take_transcript().contains("journal: box.name is set"));
}

#[test]
fn what_cannot_be_stored_is_not_in_force() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Full;
    rig.asks(1, "set box.name full", None);
    rig.advance(ms(10));
    assert!(answers(&rig, 1)[0].starts_with("error: the change was not stored"));
    rig.asks(2, "show box.name", None);
    assert!(!answers(&rig, 2)[0].contains("full"));
    let mut rig = Rig::started(&Before { no_store: true, ..Before::default() });
    rig.asks(1, "set box.name none", None);
    assert_eq!(answers(&rig, 1), ["error: this box has no place to store settings"]);
}

#[test]
fn success_says_what_is_in_force_and_otherwise_what_prevails() {
    let before = Before {
        integrator: format!("[video]\nfps = 25\n{A}"),
        credential_keys: vec![("a".to_owned(), "canary-of-the-system".to_owned())],
        ..Before::default()
    };
    let mut rig = Rig::started(&before);
    let mut asks = |line: &str, secret: Option<&str>| {
        rig.answers.clear();
        rig.asks(1, line, secret);
        rig.advance(ms(100));
        answers(&rig, 1).join("; ")
    };
    let key = asks("key a", Some("canary-of-the-owner"));
    assert!(key.contains("stored, but without effect: a credential"), "{key}");
    assert_eq!(
        asks("unset video.fps", None),
        "error: video.fps comes from the integrator's file and cannot be reset here"
    );
    assert_eq!(asks("set video.fps 30", None), "video.fps is set");
    assert_eq!(
        asks("unset video.fps", None),
        "video.fps is no longer set here; the integrator's file sets it to 25"
    );
    let removed = asks("destination remove a", None);
    assert!(removed.contains("itself comes from") && removed.contains("stays"), "{removed}");
    let again = asks("destination remove a", None);
    assert!(again.starts_with("error: a comes from the integrator's file"), "{again}");
    let limited = asks("set video.bitrate_kbps 20000", None);
    assert_eq!(limited, "video.bitrate_kbps is set; limited to 6000 kb/s by this board");
    assert!(asks("set video.fpps 30", None).contains("did you mean"));
    assert!(asks("set video.fps none", None).starts_with("error: video.fps "));
}

#[test]
fn a_setting_that_waits_for_the_next_broadcast_says_so_while_live() {
    let mut rig = live();
    rig.asks(1, "set video.fps 25", None);
    rig.advance(ms(100));
    assert_eq!(answers(&rig, 1), ["video.fps is set; it takes effect at the next broadcast"]);
}

#[test]
fn a_lower_bitrate_reaches_the_running_encoder_once() {
    let mut rig = live();
    rig.asks(1, "set video.bitrate_kbps 1500", None);
    assert_eq!(rig.bitrates, [0; 0], "not before it is stored");
    rig.advance(ms(2_000));
    assert_eq!(rig.bitrates, [1_500]);
    rig.reports("a", PublishReport::TargetBitrate(1_500));
    rig.reports("a", PublishReport::TargetBitrate(900));
    rig.reports("a", PublishReport::TargetBitrate(900));
    assert_eq!(rig.bitrates, [1_500, 900]);
}

#[test]
fn a_client_watches_until_it_says_otherwise_or_leaves() {
    let mut rig = Rig::started(&Before::default());
    for client in 1..20 {
        rig.asks(client, "watch", None);
    }
    let watches = |rig: &Rig| (1..20).filter(|n| !rig.over.contains(&ClientId(*n))).count();
    assert_eq!(watches(&rig), WATCHERS_MAX);
    rig.happens(firstmile::control::Event::Gone(ClientId(1)));
    rig.asks(19, "watch", None);
    assert!(!rig.over.contains(&ClientId(19)), "a place became free");
    rig.asks(2, "watch", None);
    assert!(rig.over.contains(&ClientId(2)));
}

#[test]
fn every_command_of_the_console_is_answered_once_to_whoever_asked() {
    let starts: [&dyn Fn() -> Rig; 3] =
        [&|| Rig::new(&Before::default()), &|| Rig::started(&Before::default()), &live];
    for start in starts {
        for entry in console::COMMANDS {
            let mut rig = start();
            rig.asks(3, entry.example, Some("4711"));
            rig.advance(ms(500));
            if entry.name == "check" || entry.name == "destination test" {
                continue; // its answer is a job's, below
            }
            let shown = rig.answers.get(&ClientId(3)).map_or(0, Vec::len);
            let is_job = rig.transcript.iter().any(|line| line.starts_with("job: "));
            assert_eq!(shown, usize::from(!is_job), "{} in {:?}", entry.name, rig.control.mode());
        }
    }
}

#[test]
fn a_job_is_waited_for_by_its_client_alone_and_runs_once_at_a_time() {
    let mut rig = live();
    rig.asks(1, "check a", None);
    rig.asks(1, "about", None);
    rig.asks(2, "check a", None);
    assert_eq!(answers(&rig, 2), ["error: still checking a"]);
    assert_eq!(answers(&rig, 1), [""; 0]);
    rig.checked("a");
    assert_eq!(rig.answers[&ClientId(1)].len(), 2);
    rig.asks(2, "check a", None);
    rig.job_comes_to(JobResult::Failed("no route".to_owned()));
    assert_eq!(answers(&rig, 2).last().map(String::as_str), Some("error: no route"));
}

// Shows F28.
#[test]
fn a_live_state_that_cannot_be_written_is_written_as_soon_as_it_can_and_the_latest_value_wins() {
    let mut rig = live();
    assert_eq!(rig.live_written, Some(true));
    rig.temper = Temper::Full;
    rig.asks(1, "stop", None);
    rig.advance(ms(100));
    let note = rig.control.status(rig.now).note;
    assert!(note.is_some_and(|note| note.starts_with("could not save the live state")));
    rig.asks(1, "live", None);
    rig.asks(1, "stop", None);
    rig.advance(Duration::from_secs(10));
    assert_eq!(rig.live_written, Some(true), "what was written before is still there");
    rig.temper = Temper::Takes(ms(20));
    rig.advance(Duration::from_secs(3));
    assert_eq!(rig.live_written, Some(false));
    assert_eq!(rig.control.status(rig.now).note, None);
}

#[test]
fn a_live_state_is_written_before_changes_that_wait_for_a_slow_store() {
    let mut rig = live();
    rig.temper = Temper::Takes(ms(1_000));
    for client in 4..8 {
        rig.asks(client, &format!("set box.name n{client}"), None);
    }
    rig.asks(1, "stop", None);
    rig.advance(ms(2_100));
    assert_eq!(rig.live_written, Some(false));
}

#[test]
fn an_address_of_another_server_does_not_get_the_key_and_that_is_reported() {
    let mut rig = live();
    rig.asks(1, "destination set a rtmps://elsewhere.example/live", None);
    rig.advance(ms(100));
    let shown = answers(&rig, 1).join("\n");
    assert!(shown.contains("was given for another server and is not sent to this one"), "{shown}");
}

#[test]
fn a_stored_key_does_not_go_to_a_server_or_network_that_it_was_not_given_for() {
    // The address is taken away and another one set.
    let mut rig = live();
    for line in ["unset destination.a.url", "destination set a rtmps://evil.example/live"] {
        rig.asks(1, line, None);
        rig.advance(ms(100));
    }
    rig.asks(2, "show destination.a.key", None);
    assert!(answers(&rig, 2)[0].contains("none"), "{:?} {:?}", answers(&rig, 1), answers(&rig, 2));
    // The integrator names the server, the owner typed the key, and a stick names another server.
    let before = Before { integrator: A.to_owned(), ..Before::default() };
    let mut rig = Rig::started(&before);
    rig.asks(1, "key a", Some("of-the-owner"));
    rig.advance(ms(100));
    rig.imports(&A.replace("a.example", "evil.example"));
    rig.asks(1, "reload", None);
    rig.advance(ms(100));
    rig.asks(2, "show destination.a.key", None);
    assert!(answers(&rig, 2)[0].contains("none"), "{:?}", answers(&rig, 2));
    // The same with a key of the service manager.
    let credential_keys = vec![("a".to_owned(), "of-the-system".to_owned())];
    let mut rig = Rig::started(&Before { integrator: A.to_owned(), credential_keys, ..before });
    rig.asks(1, "destination set a rtmps://evil.example/live", None);
    rig.advance(ms(100));
    rig.asks(1, "live", None);
    assert!(answers(&rig, 1)[1].starts_with("error: no destination with a stream key"));
    let faults = rig.control.status(rig.now).settings_faults;
    assert!(faults[0].contains("is not sent to rtmps://evil.example"), "{faults:?}");
    // A passphrase and another network.
    let mut rig = Rig::started(&Before::default());
    rig.asks(1, "set wifi.ssid hall", None);
    rig.asks(1, "set wifi.passphrase", Some("correct horse"));
    rig.asks(1, "unset wifi.ssid", None);
    rig.asks(1, "set wifi.ssid evil", None);
    rig.advance(ms(500));
    rig.asks(2, "show wifi.passphrase", None);
    assert!(answers(&rig, 2)[0].contains("none"), "{:?} {:?}", answers(&rig, 1), answers(&rig, 2));
    assert!(answers(&rig, 1)[2].contains("its passphrase is removed"), "{:?}", answers(&rig, 1));
}

#[test]
fn each_setting_is_shown_with_the_value_in_force_where_it_comes_from_and_what_it_may_be() {
    let before = Before {
        integrator: format!("[video]\nfps = 25\n[audio]\nchannels = 1\n{A}"),
        credentials: "[box]\nname = \"fixed\"\n".to_owned(),
        credential_keys: vec![("a".to_owned(), "canary-of-the-system".to_owned())],
        stored: "[audio]\nchannels = 2\n[box]\nname = \"mine\"\nresume_live = true\n".to_owned(),
        ..Before::default()
    };
    let mut rig = Rig::started(&before);
    rig.asks(1, "set video.bitrate_kbps 20000", None);
    rig.advance(ms(100));
    rig.answers.clear();
    rig.asks(1, "show", None);
    let data = serde_json::to_value(&rig.answers[&ClientId(1)][0]).expect("data");
    let of = |name: &str| {
        let settings = data["settings"].as_array().expect("a list");
        settings.iter().find(|line| line["name"] == name).expect(name).clone()
    };
    for (name, value, origin) in [
        ("video.width", 1_280.into(), "board"),
        ("video.height", 720.into(), "board"),
        ("video.fps", 25.into(), "integrator"),
        ("video.keyframe_interval_ms", 2_000.into(), "board"),
        // What the board makes of it.
        ("video.bitrate_kbps", 6_000.into(), "stored"),
        ("audio.bitrate_kbps", 128.into(), "board"),
        ("audio.channels", 2.into(), "stored"),
        ("video.follow", "primary".into(), "default"),
        ("box.name", "fixed".into(), "credential"),
        ("box.resume_live", true.into(), "stored"),
        ("box.start_without_camera", false.into(), "default"),
        ("wifi.ssid", serde_json::Value::Null, "default"),
        ("destination.a.url", "rtmps://a.example/live".into(), "integrator"),
        ("destination.a.enabled", true.into(), "default"),
    ] {
        let line = of(name);
        assert_eq!(line["value"], value, "{line}");
        assert_eq!(line["origin"], origin, "{line}");
    }
    let fps = of("video.fps");
    assert_eq!(fps["limits"]["type"], "number");
    assert_eq!((fps["limits"]["min"].as_u64(), fps["limits"]["max"].as_u64()), (Some(1), Some(60)));
    assert_eq!(of("video.follow")["limits"]["words"][1], "slowest");
    let key = of("destination.a.key");
    assert_eq!((&key["origin"], &key["limits"]["secret"]), (&"credential".into(), &true.into()));
    assert!(key["value"].as_str().expect("words").starts_with("set, 20 characters"), "{key}");
    // People see what is set, on one screen, and how to see the rest.
    let shown = answers(&rig, 1);
    assert!(shown.len() < 24, "{shown:#?}");
    assert!(!shown.iter().any(|line| line.starts_with("video.width")), "{shown:#?}");
    let line = |name: &str| shown.iter().find(|line| line.starts_with(name)).expect(name).clone();
    assert!(line("box.name").contains("fixed") && line("box.name").contains("credential"));
    assert!(line("video.bitrate_kbps").contains("6000, the most of this board (20000 is set)"));
    rig.asks(2, "show all", None);
    let all = answers(&rig, 2);
    let width = all.iter().find(|line| line.starts_with("video.width")).expect("all of them");
    assert!(width.contains(" 1280 ") && width.contains(" board "), "{width}");
}

#[test]
fn a_failure_that_nobody_else_hears_of_is_a_warning_in_the_log() {
    let mut rig = Rig::started(&Before::default());
    rig.temper = Temper::Hangs;
    rig.asks(1, "set box.name late", None);
    rig.advance(STORE_PATIENCE);
    rig.temper = Temper::Full;
    rig.advance(ms(10));
    let words = rig.take_transcript();
    assert!(words.contains("journal, a warning: error: the change was not stored"), "{words}");
    let mut rig = live();
    rig.take_transcript();
    rig.temper = Temper::Full;
    rig.asks(1, "stop", None);
    rig.advance(ms(100));
    let words = rig.take_transcript();
    assert!(words.contains("journal, a warning: could not save the live state"), "{words}");
    let why = "no such connection".to_owned();
    let failed = firstmile::status::NetworkManaged::Failed(why);
    rig.happens(firstmile::control::Event::NetworkManaged(failed));
    let words = rig.take_transcript();
    assert!(words.contains("journal, a warning: network settings: not managed here"), "{words}");
}

#[test]
fn a_stick_whose_settings_have_no_effect_says_so() {
    let before =
        Before { credentials: "[box]\nname = \"fixed\"\n".to_owned(), ..Before::default() };
    let mut rig = Rig::started(&before);
    rig.imports("[box]\nname = \"of-the-stick\"\nresume_live = true\n[video]\nfps = 25\n");
    rig.asks(1, "reload", None);
    rig.advance(ms(100));
    let shown = answers(&rig, 1);
    assert_eq!(
        shown[..2],
        [
            "the settings are read",
            "box.name is stored, but without effect: a credential of the service manager sets it",
        ]
    );
    assert_eq!(shown.iter().filter(|line| line.contains("without effect")).count(), 1, "{shown:?}");
}

#[test]
fn a_name_that_may_be_a_key_in_the_wrong_place_is_not_repeated() {
    let mut rig = Rig::started(&Before { stored: A.to_owned(), ..Before::default() });
    // The rig fails when anything that is shown, logged or answered has a canary in it.
    for line in [
        "key canary-k3y",
        "check canary-k3y",
        "destination set canary-k3y rtmps://a.example/live",
        "show canary-k3y",
        "set canary-k3y canary-k3y",
        "live canary-k3y",
    ] {
        rig.asks(1, line, Some("canary-2"));
        rig.advance(ms(100));
    }
    assert_eq!(rig.answers[&ClientId(1)].len(), 6);
    assert_eq!(rig.answers[&ClientId(1)].iter().filter(|reply| reply.is_error()).count(), 5);
}

#[test]
fn what_changes_frames_is_not_reported_as_done_where_the_camera_s_own_h264_is_sent() {
    let mut rig = live();
    for (is_passed_through, expected) in [
        (
            true,
            "video.rotate is set; it has no effect on this broadcast, because the camera's own H.264 is \
             sent as it is",
        ),
        (false, "video.rotate is set"),
    ] {
        rig.encoder.is_passed_through = is_passed_through;
        rig.skips_percent = Some(0);
        rig.advance(ms(3_000));
        rig.asks(1, "set video.rotate 180", None);
        rig.advance(ms(100));
        assert_eq!(answers(&rig, 1), [expected]);
        rig.answers.clear();
    }
}
