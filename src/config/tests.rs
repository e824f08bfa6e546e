use super::schema::{DESTINATION, Kind, SETTINGS, SettingPath};
use super::stick::Stick;
use super::*;
use crate::audio::ChannelsFrom;
use crate::limits::{DESTINATIONS_MAX, SETTINGS_BYTES_MAX, SETTINGS_ERRORS_MAX};
use crate::pace::Follow;
use crate::secret::StreamKey;
use crate::video::{Mirror, Zoom};

mod controls;

const CANARY: &str = "canary-7Qx9";
const PIN: &str = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const PINNED: &str = "pinned_key = \"sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"";

/// A file that uses every setting.
const FULL: &str = r#"version = 1

[box]
name = "St. Mary's, stage 2"
start_without_camera = true
start_without_microphone = true

[video]
width = 1280
height = 720
fps = 25
bitrate_kbps = 4_500
keyframe_interval_ms = 1000
follow = "slowest"
rotate = 270
mirror = "vertical"
zoom_percent = 150
pan_percent = -100
tilt_percent = 25

[audio]
bitrate_kbps = 128
channels = 1
gain_db = -12.5
mute = true
channels_from = "left"
lowcut_hz = 80
delay_ms = -200

[[destination]]
name = "main"
url = "rtmps://b.rtmps.youtube.com/live2?backup=1"
backup_url = "rtmps://user:pass-7Qx9@c.example/live2?token=tok-7Qx9"
key = "canary-7Qx9"
ca_file = "/etc/firstmile/own-ca.pem"
pinned_key = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
strict_tls = true
enabled = false

[[destination]]
name = "hall"
url = "rtmp://user:pass-7Qx9@192.0.2.7/live?token=tok-7Qx9"
key = "hall?pass=canary-7Qx9"
allow_plain = true
"#;

fn source(text: &str) -> Partial {
    parse("t.toml", text).unwrap_or_else(|e| panic!("{e}"))
}

fn errors(text: &str) -> String {
    parse("t.toml", text).expect_err(text).to_string()
}

fn destination(lines: &str) -> Partial {
    source(&format!("version = 1\n[[destination]]\nname = \"a\"\n{lines}\n"))
}

#[test]
fn a_broadcast_may_stand_upright() {
    let (upright, landscape) = ((1_080, 1_920), (1_920, 1_080));
    for (width, height) in [(720, 1_280), upright, landscape] {
        source(&format!("version = 1\n[video]\nwidth = {width}\nheight = {height}\n"));
    }
    let refused = errors("version = 1\n[video]\nheight = 1922\n");
    assert!(refused.contains("from 128 to 1920"), "{refused}");
}

#[test]
fn a_full_file_is_understood() {
    let settings = merge(&[source(FULL)]);
    assert_eq!(settings.name, "St. Mary's, stage 2");
    assert!(settings.start_without_camera && settings.start_without_microphone);
    let video = Video {
        width: Some(1280),
        height: Some(720),
        fps: Some(25),
        bitrate_kbps: Some(4500),
        keyframe_interval_ms: Some(1000),
        follow: Follow::Slowest,
        rotate_degrees: 270,
        mirror: Mirror::Vertical,
        zoom: Zoom::of_percent(150),
        pan_percent: -100,
        tilt_percent: 25,
    };
    assert_eq!(settings.video, video);
    let audio = Audio {
        bitrate_kbps: Some(128),
        channels: Some(1),
        gain_tenths_db: -125,
        is_muted: true,
        channels_from: ChannelsFrom::Left,
        lowcut_hz: Some(80),
        delay_ms: -200,
    };
    assert_eq!(settings.audio, audio);
    let [main, hall] = &settings.destinations[..] else { panic!("two destinations") };
    assert_eq!(main.ingest(), Err(NotReady::Disabled));
    assert_eq!(main.ca_file.as_deref(), Some("/etc/firstmile/own-ca.pem".as_ref()));
    assert_eq!((main.pinned_key, main.strict_tls), (PIN.parse().ok(), true));
    assert_eq!((hall.pinned_key, hall.strict_tls), (None, false));
    let ingest = hall.ingest().unwrap();
    assert_eq!(ingest.server.app, "live?token=tok-7Qx9");
    assert_eq!(ingest.key.reveal(), "hall?pass=canary-7Qx9");
}

#[test]
fn an_empty_file_means_the_defaults() {
    let settings = merge(&[source("version = 1")]);
    assert_eq!(settings, merge(&[]));
    assert_eq!(settings.name, "firstmile");
    assert!(!settings.start_without_camera && !settings.start_without_microphone);
    assert_eq!((settings.video, settings.audio), (Video::default(), Audio::default()));
    assert!(settings.destinations.is_empty());
}

#[test]
fn files_of_any_editor_are_read() {
    assert_eq!(source(&FULL.replace('\n', "\r\n")), source(FULL));
    assert_eq!(source(&format!("\u{feff}{FULL}")), source(FULL));
    assert_eq!(parse_bytes("t.toml", FULL.as_bytes()), Ok(source(FULL)));
    for (mark, units) in
        [(0xfeff_u16, u16::to_le_bytes as fn(u16) -> [u8; 2]), (0xfeff, u16::to_be_bytes)]
    {
        let bytes: Vec<u8> =
            std::iter::once(mark).chain(FULL.encode_utf16()).flat_map(units).collect();
        assert_eq!(parse_bytes("t.toml", &bytes), Ok(source(FULL)));
    }
    for bytes in [&b"version = 1\n\0"[..], b"\xff\xfev", b"\xff\xfe\x00\xd8", b"v\0e\0r\0"] {
        let refused = parse_bytes("t.toml", bytes).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "t.toml:1:1: the file is not text; save it again with the encoding UTF-8"
        );
    }
}

#[test]
fn a_stick_s_keys_are_erased_in_their_place_and_nothing_else_changes() {
    let text = "version = 1\r\nerase_key = true\r\n[[destination]]\r\nname = \"a\"\r\nurl = \"rtmps://h/a\"\r\n\
                key = \"cänary\" # mine\r\n[[destination]]\r\nname = 'b'\r\nkey = \'\'\'can\"ary\'\'\'\r\n";
    let utf_16: Vec<u8> =
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for bytes in [text.as_bytes().to_vec(), format!("\u{feff}{text}").into_bytes(), utf_16] {
        let stick = Stick::parse("t.toml", &bytes).unwrap();
        assert_eq!(stick.partial.keys().count(), 2);
        let erased = stick.erased.expect("was asked for");
        assert_eq!(erased.len(), bytes.len());
        let again = Stick::parse("t.toml", &erased).expect("still good");
        assert_eq!(again.partial.keys().count(), 0);
        let mut without = stick.partial.clone();
        for name in ["a", "b"] {
            without.unset(&format!("destination.{name}.key")).unwrap();
        }
        assert_eq!(again.partial, without);
        let left = String::from_utf8_lossy(&erased).replace('\0', "");
        assert!(!left.contains("nary") && left.contains("# mine"), "{left}");
    }
    assert!(Stick::parse("t.toml", b"version = 1\n").unwrap().erased.is_none());
    assert!(parse("t.toml", "version = 1\nerase_key = true\n").is_err(), "only on a stick");
}

#[test]
fn each_mistake_is_reported_with_its_place_and_what_is_allowed() {
    for (text, reported) in [
        ("", "t.toml:1:1: version: the file must begin with the line version = 1"),
        (
            "version = 2\nnew = 1",
            "t.toml:1:11: version: this version of a settings file is not understood; 1 is",
        ),
        (
            "version = \"1\"",
            "t.toml:1:11: version: this version of a settings file is not understood; 1 is",
        ),
        ("version = 1\n[vidio]", "t.toml:2:2: vidio: does not exist; did you mean video?"),
        (
            "version = 1\nvideo = 3",
            "t.toml:2:1: video: must be a table: [video] on a line of its own",
        ),
        (
            "version = 1\n[video]\nfps = 0",
            "t.toml:3:7: video.fps: is 0, must be a whole number from 1 to 60 (frames per second)",
        ),
        (
            "version = 1\n[video]\nwidth = 641",
            "t.toml:3:9: video.width: is 641, must be an even number from 128 to 1920 (pixels)",
        ),
        (
            "version = 1\n[video]\nfps = 29.97",
            "t.toml:3:7: video.fps: must be a whole number from 1 to 60 (frames per second)",
        ),
        (
            "version = 1\n[video]\nfps = \"25\"",
            "t.toml:3:7: video.fps: must be a whole number from 1 to 60 (frames per second)",
        ),
        (
            "version = 1\n[video]\nfps = 99999999999999999999",
            "t.toml:3:7: video.fps: must be a whole number from 1 to 60 (frames per second)",
        ),
        (
            "version = 1\n[box]\nstart_without_camera = \"yes\"",
            "t.toml:3:24: box.start_without_camera: must be true or false",
        ),
        (
            "version = 1\n[audio]\nchannels = 0x6",
            "t.toml:3:12: audio.channels: is 6, must be a whole number from 1 to 2 (channels)",
        ),
        (
            "version = 1\n[destination]\nname = \"a\"",
            "t.toml:2:2: destination: each destination begins with a line [[destination]], with two brackets",
        ),
        (
            "version = 1\n[[destination]]\nkey = \"k\"",
            "t.toml:2:1: destination.name: the destination has no name; write name = \"…\" below this line",
        ),
        (
            "version = 1\n[[destination]]\nname = \"my church\"",
            "t.toml:3:8: destination.name: must be a name of 1 to 64 letters a to z, digits, - and _",
        ),
        (
            "version = 1\n[[destination]]\nname = \"a\"\nurl = \"srt://h/a\"",
            "t.toml:4:7: destination.url: srt:// is refused: SRT is not supported; look for an RTMPS ingest of the same platform",
        ),
        (
            "version = 1\n[[destination]]\nname = \"a\"\nkey = \"a b\"",
            "t.toml:4:7: destination.key: the stream key contains a space or a control character (character 2)",
        ),
        (
            "version = 1\n[[destination]]\nname = \"a\"\nurl = \"rtmp://h/a\"",
            "t.toml:4:7: destination.url: rtmp:// shows the stream key to everybody on the way; use the rtmps:// address, or write allow_plain = true next to it",
        ),
        (
            "version = 1\n[[destination]]\nname = \"a\"\n[[destination]]\nname = \"a\"",
            "t.toml:5:8: destination.name: another destination of this file has the same name",
        ),
    ] {
        assert_eq!(errors(text), reported);
    }
}

#[test]
fn columns_count_characters_not_bytes() {
    assert_eq!(
        errors("version = 1\nvideo = { \"ü\" = 1, fps = 0 }").lines().nth(1),
        Some(
            "t.toml:2:26: video.fps: is 0, must be a whole number from 1 to 60 (frames per second)"
        )
    );
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once() {
    let reported = errors(
        "version = 1\n[video]\nfps = 0\nhight = 1\nwidth = 1e3\n[cameras]\n[box]\nname = ''\n",
    );
    let places: Vec<_> = reported.lines().map(|l| l.split(": ").nth(1).unwrap()).collect();
    assert_eq!(places, ["video.fps", "video.hight", "video.width", "cameras", "box.name"]);
}

#[test]
fn a_line_that_is_not_toml_does_not_hide_the_mistakes_of_others() {
    let reported = errors("version = 1\n[video]\nfps = 0\nwidth = = 3\n[audio]\nchannels = 7\n");
    let lines: Vec<_> = reported.lines().collect();
    assert!(lines[0].starts_with("t.toml:3:7: video.fps: is 0"), "{reported}");
    assert!(lines[1].starts_with("t.toml:4:"), "{reported}");
    assert!(lines[2].starts_with("t.toml:6:12: audio.channels: is 7"), "{reported}");
}

#[test]
fn what_is_reported_is_bounded_and_in_the_order_of_the_file() {
    let wrong: String = (0..100).map(|i| format!("a{i} = 1\n")).collect();
    let refused = parse("t.toml", &format!("version = 1\n[video]\n{wrong}")).unwrap_err();
    assert_eq!((refused.errors.len(), refused.not_shown), (SETTINGS_ERRORS_MAX, 68));
    assert!(refused.errors.is_sorted_by_key(|e| e.place.line));
    assert!(refused.to_string().ends_with("\nt.toml: 68 more"));
}

#[test]
fn a_file_beyond_the_bounds_is_refused() {
    let long = format!("version = 1\n#{}", "x".repeat(SETTINGS_BYTES_MAX));
    assert_eq!(errors(&long), "t.toml:1:1: the file is longer than 65536 bytes");
    let many: String =
        (0..=DESTINATIONS_MAX).map(|i| format!("[[destination]]\nname = \"d{i}\"\n")).collect();
    let reported = errors(&format!("version = 1\n{many}"));
    assert_eq!(reported, "t.toml:18:1: destination: there are more than 8 destinations");
    let deep = format!("version = 1\nx = {}", "[".repeat(SETTINGS_BYTES_MAX - 20));
    assert!(errors(&deep).contains("t.toml:2:"));
}

#[test]
fn no_error_shows_a_key_however_the_file_is_broken() {
    let mut broken = 0;
    let mut check = |text: &str| {
        if let Err(refused) = parse("t.toml", text) {
            broken += 1;
            let shown = format!("{refused}{refused:?}");
            assert!(!shown.contains("7Qx9"), "{shown}\n{text}");
        }
    };
    for (at, _) in FULL.char_indices() {
        check(&FULL[..at]);
        for put in ["", "\"", "\n", "=", "[", "]", "'", "\\", "#", "{", "\u{1b}"] {
            check(&format!("{}{put}{}", &FULL[..at], &FULL[at + 1..]));
            check(&format!("{}{put}{}", &FULL[..at], &FULL[at..]));
        }
    }
    for line in FULL.lines().filter(|l| l.contains("7Qx9")) {
        check(&FULL.replace(line, CANARY));
        check(&FULL.replace(line, &format!("{CANARY} = 1")));
        check(&FULL.replace(line, &format!("key{CANARY} = 1")));
        check(&FULL.replace(line, &format!("{CANARY}url = 1")));
        check(&FULL.replace(line, &format!("fps = \"{CANARY}\"")));
        check(&FULL.replace(line, &format!("key = {CANARY}")));
        check(&FULL.replace(line, &format!("[{CANARY}]")));
        check(&FULL.replace(line, &format!("url = \"{CANARY}\"")));
        check(&FULL.replace(line, &format!("url = \"http://h/{CANARY}\"")));
    }
    assert!(broken > 5_000, "{broken}");
}

#[test]
fn later_sources_win_and_silence_leaves_what_was() {
    let integrator = source("version = 1\n[video]\nfps = 25\nwidth = 1280\n");
    let store = source("version = 1\n[video]\nfps = 30\n[box]\nstart_without_camera = true\n");
    let stick = source("version = 1\n[box]\nstart_without_camera = false\n");
    let settings = merge(&[integrator, store, stick]);
    assert_eq!((settings.video.fps, settings.video.width), (Some(30), Some(1280)));
    assert!(!settings.start_without_camera);
}

#[test]
fn a_key_may_come_from_another_source_than_its_address() {
    let integrator = destination("url = \"rtmps://h/app/{stream_key}?a=1\"");
    let stick = destination("key = \"k\"");
    let missing = merge(std::slice::from_ref(&integrator));
    assert_eq!(missing.destinations[0].ingest(), Err(NotReady::NoKey));
    let ingest = merge(&[integrator, stick.clone()]).destinations[0].ingest().unwrap();
    assert_eq!(ingest.key.reveal(), "k?a=1");
    assert_eq!(merge(&[stick]).destinations[0].ingest(), Err(NotReady::NoAddress));
}

#[test]
fn what_was_given_for_one_server_is_not_handed_to_another() {
    let stored = destination(&format!(
        "url = \"rtmp://h/a\"\nkey = \"k\"\nallow_plain = true\nca_file = \"/c\"\n{PINNED}"
    ));
    let moved = merge(&[stored.clone(), destination("url = \"rtmps://other/a\"")]);
    let Destination { key, ca_file, pinned_key, allow_plain, .. } = &moved.destinations[0];
    assert_eq!((key, ca_file, pinned_key, allow_plain), (&None, &None, &None, &false));
    let same_server = merge(&[stored.clone(), destination("url = \"rtmps://h/a\"\nkey = \"n\"")]);
    assert_eq!(same_server.destinations[0].key, StreamKey::parse("n").ok());
    let mut console = stored;
    console.set("destination.a.url", "rtmp://h/a?token=n3w").unwrap();
    assert_eq!(console.keys().count(), 1);
    let mut other_app = console.clone();
    other_app.set("destination.a.url", "rtmp://h/b").unwrap();
    assert_eq!(other_app.keys().count(), 0, "another app may be somebody else's");
    assert_eq!(merge(&[other_app]).destinations[0].ca_file, Some("/c".into()), "as is the server");
    console.set("destination.a.url", "rtmp://evil/a").unwrap();
    assert_eq!(console.keys().count(), 0);
    assert_eq!(merge(&[console]).destinations[0].ingest(), Err(NotReady::PlainRefused));
}

#[test]
fn a_new_backup_server_does_not_get_the_key_of_the_old_one() {
    let first = destination("url = \"rtmps://h/a\"\nbackup_url = \"rtmps://b/a\"\nkey = \"k\"");
    for (backup, keeps) in
        [("rtmps://b/other", false), ("rtmps://h/a?backup=1", true), ("rtmps://elsewhere/a", false)]
    {
        let later = destination(&format!("backup_url = \"{backup}\""));
        let merged = merge(&[first.clone(), later]);
        assert_eq!(merged.destinations[0].key.is_some(), keeps, "{backup}");
    }
    let moved = merge(&[first, destination("url = \"rtmps://new/a\"\nkey = \"n\"")]);
    assert_eq!(moved.destinations[0].backup_url, None);
}

#[test]
fn a_plain_backup_needs_consent_too() {
    let text = "url = \"rtmps://h/a\"\nbackup_url = \"rtmp://b/a\"";
    let reported = parse("t.toml", &format!("version = 1\n[[destination]]\nname = \"a\"\n{text}"));
    let reported = reported.unwrap_err().to_string();
    assert!(reported.contains("t.toml:5:14: destination.backup_url: rtmp://"), "{reported}");
    let consenting = merge(&[destination(&format!("{text}\nallow_plain = true\nkey = \"k\""))]);
    let backup = consenting.destinations[0].backup_ingest().expect("ready").expect("a backup");
    assert_eq!(backup.server.to_string(), "rtmp://b/a");
}

#[test]
fn whom_the_encoder_follows_is_one_of_three_words() {
    let with = |value: &str| parse("t.toml", &format!("version = 1\n[video]\nfollow = {value}"));
    for follow in [Follow::Primary, Follow::Slowest, Follow::Fixed] {
        let settings = merge(&[with(&format!("\"{}\"", follow.name())).expect("a word")]);
        assert_eq!(settings.video.follow, follow);
        let again = parse("t.toml", &render(&settings)).expect("what is written is read");
        assert_eq!(merge(&[again]).video.follow, follow);
    }
    assert_eq!(merge(&[]).video.follow, Follow::Primary);
    let reported = with("\"fastest\"").unwrap_err().to_string();
    assert!(
        reported.contains("video.follow: must be one of primary, slowest, fixed"),
        "{reported}"
    );
}

#[test]
fn destinations_beyond_the_bound_are_named_not_forgotten() {
    let named = |letter: char| {
        let all = (0..5).map(|i| format!("[[destination]]\nname = \"{letter}{i}\"\n"));
        source(&format!("version = 1\n{}", all.collect::<String>()))
    };
    let settings = merge(&[named('a'), named('b')]);
    assert_eq!(settings.destinations.len(), DESTINATIONS_MAX);
    assert_eq!(settings.left_out, ["b3", "b4"]);
}

#[test]
fn what_is_rendered_reads_back_and_has_no_key() {
    let whole = source(FULL);
    let text = whole.render();
    let mut back = source(&text);
    assert_ne!(back, whole);
    for (name, key) in whole.keys() {
        assert!(!text.contains(key.reveal()));
        back.set_key(name, key.clone()).unwrap();
    }
    assert_eq!(back, whole);
    assert_eq!(source(&render(&merge(&[source(&text)]))), source(&text));
}

#[test]
fn texts_with_quotes_and_backslashes_survive_the_file() {
    let mut partial = Partial::default();
    partial.set("box.name", r#"a "b" \c ü 'd' # e"#).unwrap();
    assert_eq!(source(&partial.render()), partial);
}

#[test]
fn every_setting_of_the_table_can_be_set_holds_is_shown_and_stored() {
    for setting in SETTINGS.entries().filter(|s| s.name != "destination.name") {
        let (name, key) = match setting.section() {
            DESTINATION => (format!("destination.a.{}", setting.key()), setting.key()),
            _ if matches!(setting.kind, Kind::Open(_)) => {
                (format!("{}.usb:1-1.3.gain", setting.name), "gain")
            }
            _ => (setting.name.to_owned(), setting.key()),
        };
        let value = match setting.fallback.to_string().as_str() {
            "false" => "true",
            "true" => "false",
            "primary" => "slowest",
            "stereo" => "swap",
            // Any wired one, by DHCP, and so on: the first of these that fits.
            _ => [
                "2",
                "64",
                "640",
                "90",
                "128",
                "vertical",
                "rtmps://h/app",
                PIN,
                "/x",
                "4711",
                "192.0.2.7/24",
                "192.0.2.1",
                "DE",
                "eth7",
                "longenough",
                "1280x720@30 mjpeg",
            ]
            .into_iter()
            .find(|v| setting.kind.read(v).is_ok())
            .unwrap(),
        };
        let mut partial = Partial::default();
        partial.set("destination.a.enabled", "true").unwrap();
        let before = merge(std::slice::from_ref(&partial));
        partial.set(&name, value).unwrap();
        let settings = merge(&[partial]);
        assert_ne!(settings, before, "{name} does not reach the settings");
        assert_eq!(merge(&[settings.to_partial()]), settings, "{name} is lost on the way back");
        let before = before.shown();
        let shown = settings.shown().into_iter();
        let changed: Vec<_> =
            shown.filter(|now| !before.contains(now)).map(|(name, _)| name).collect();
        assert_eq!(changed, [name.as_str()], "{name} is not shown");
        let stored = render(&settings).contains(&format!("\n{key} = "));
        assert_eq!(stored, !setting.kind.is_secret(), "{name}");
    }
}

#[test]
fn show_hides_keys_and_secrets_of_addresses() {
    let shown = merge(&[source(FULL)]).shown();
    assert!(!format!("{shown:?}").contains("7Qx9"));
    let of = |name: &str| shown.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(of("destination.main.key"), Some("••••"));
    assert_eq!(of("destination.hall.url"), Some("rtmp://••••@192.0.2.7/live?token=••••"));
    assert_eq!(of("destination.hall.ca_file"), Some("the well-known authorities"));
    let nothing = merge(&[]).shown();
    assert!(nothing.contains(&("video.width".into(), "the board's profile".into())));
}

#[test]
fn an_export_shows_no_secret_and_reads_back() {
    let whole = merge(&[source(FULL)]);
    let text = super::export(&whole);
    assert!(!text.contains("7Qx9") && text.contains("# An address of hall"), "{text}");
    assert_eq!(merge(&[source(&text)]).video, whole.video);
}

#[test]
fn the_console_suggests_what_was_probably_meant() {
    let mut partial = Partial::default();
    let reported = [
        ("video.bitrate", "no such setting; did you mean video.bitrate_kbps?"),
        ("vidoe.fps", "no such setting; did you mean video.fps?"),
        ("vidoe", "no such setting; did you mean video?"),
        ("destination.a.stream_key", "no such setting; did you mean destination.NAME.key?"),
        ("destination.a.name", "no such setting; did you mean destination.NAME.name?"),
        ("zzz", "no such setting"),
        ("video.fps", "video.fps is 500, must be a whole number from 1 to 60 (frames per second)"),
        ("destination.a.enabled", "destination.enabled must be true or false"),
        ("destination.a.b.enabled", "no such setting; did you mean destination.NAME.enabled?"),
    ];
    for (name, expected) in reported {
        assert_eq!(partial.set(name, "500").unwrap_err().to_string(), expected, "{name}");
    }
    assert_eq!(partial, Partial::default());
    let refused = partial.set("destination.a b.enabled", "true").unwrap_err();
    assert!(refused.to_string().starts_with("destination.name must be a name"), "{refused}");
    for i in 0..DESTINATIONS_MAX {
        partial.set(&format!("destination.d{i}.enabled"), "true").unwrap();
    }
    assert_eq!(partial.set("destination.one_more.enabled", "true"), Err(SetError::TooMany));
}

#[test]
fn the_name_of_a_setting_reads_back_from_its_own_text() {
    for (name, destination) in [("video.fps", None), ("destination.main.url", Some("main"))] {
        let path: SettingPath = name.parse().unwrap();
        assert_eq!((path.to_string().as_str(), path.destination()), (name, destination));
    }
    for unknown in ["", ".", "video", "video.", "video.fps.x", "destination", "destination.main"] {
        assert!(unknown.parse::<SettingPath>().is_err(), "{unknown}");
    }
}

#[test]
fn what_is_reset_no_longer_holds() {
    let mut partial = source(FULL);
    assert_eq!(partial.unset("video.fps"), Ok(true));
    assert_eq!(partial.unset("video.fps"), Ok(false));
    assert_eq!(partial.unset("destination.main.key"), Ok(true));
    assert_eq!(partial.unset("destination.hall"), Ok(true));
    assert!(partial.unset("video.nonsense").is_err());
    let settings = merge(&[partial]);
    assert_eq!((settings.video.fps, settings.destinations.len()), (None, 1));
    assert_eq!(settings.destinations[0].key, None);
}

#[test]
fn the_passphrase_of_one_network_is_not_handed_to_another() {
    let mut partial = Partial::default();
    partial.set("wifi.ssid", "hall").unwrap();
    partial.set("wifi.passphrase", "correct horse").unwrap();
    partial.set("wifi.ssid", "hall").unwrap();
    assert!(merge(std::slice::from_ref(&partial)).wifi.passphrase.is_some(), "the same network");
    let stick = source("version = 1\n[wifi]\nssid = \"evil\"\n");
    assert_eq!(merge(&[partial.clone(), stick]).wifi.passphrase, None);
    partial.set("wifi.ssid", "evil").unwrap();
    assert_eq!(merge(&[partial]).wifi.passphrase, None);
}

#[test]
fn dhcp_resets_an_address_of_another_source() {
    let fixed = source("version = 1\n[network]\naddress = \"192.0.2.7/24\"\n");
    let dhcp = source("version = 1\n[network]\naddress = \"dhcp\"\n");
    assert_eq!(
        merge(std::slice::from_ref(&fixed)).wired.addressing.address.as_deref(),
        Some("192.0.2.7/24")
    );
    assert_eq!(merge(&[fixed, dhcp]).wired.addressing.address, None);
}

#[test]
fn a_pin_is_never_stored_as_it_was_typed() {
    let mut partial = Partial::default();
    partial.set("console.pin", "90210").unwrap();
    assert_eq!(partial.secrets().count(), 0, "not before it is hashed");
    partial.hash_pin([1; 16]);
    let (name, text) = partial.secrets().next().unwrap();
    assert!(name == "console.pin" && !text.contains("90210"), "{name}");
    assert!(!format!("{partial:?} {}", partial.render()).contains("90210"));
    assert!(merge(&[partial]).console_pin.as_ref().is_some_and(|pin| pin.admits("90210")));
}

/// The template as its owner fills it in.
fn filled_in(template: &str) -> String {
    template.replace("paste-your-stream-key-here", CANARY)
}

#[test]
fn the_template_is_a_good_file_once_its_key_is_filled_in_and_the_readme_shows_it() {
    let stick = Stick::parse("firstmile.toml", filled_in(super::TEMPLATE).as_bytes()).unwrap();
    assert_eq!(stick.partial.keys().count(), 1);
    assert!(stick.erased.is_some() && !stick.replace);
    assert!(
        include_str!("../../README.md").contains(super::TEMPLATE),
        "README.md shows another one"
    );
    // What is commented out is good as well.
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting.to_owned() + "\n",
        _ => line.to_owned() + "\n",
    };
    let all: String = super::TEMPLATE.lines().map(uncommented).collect();
    assert_ne!(all, super::TEMPLATE);
    let all = Stick::parse("firstmile.toml", filled_in(&all).as_bytes()).unwrap();
    assert!(all.replace);
}

#[test]
fn a_placeholder_of_the_template_or_the_manual_is_refused_in_every_source() {
    let error = |text: &str| {
        let stick = Stick::parse("t.toml", text.as_bytes()).unwrap_err().to_string();
        assert_eq!(errors(text), stick, "a file of the integrator");
        stick
    };
    let unfilled = super::TEMPLATE.replace("erase_key = true", "").replace("#replace", "#");
    let refused = error(&unfilled);
    assert!(refused.contains("destination.key: no stream key was filled in"), "{refused}");
    // Of the manual's lines for Wi-Fi.
    let readme = include_str!("../../README.md");
    let wifi = &readme[readme.find("[wifi]").unwrap()..];
    let wifi = &wifi[..wifi.find("```").unwrap()];
    let refused = error(&format!("version = 1\n{wifi}"));
    for setting in ["wifi.ssid", "wifi.passphrase"] {
        assert!(refused.contains(&format!("{setting}: this is the placeholder")), "{refused}");
    }
    let mut console = Partial::default();
    let typed = console.set("destination.a.key", "paste-your-stream-key-here");
    assert!(typed.unwrap_err().to_string().contains("no stream key was filled in"));
}

#[test]
fn a_stored_key_reads_back_whatever_is_refused_of_new_ones() {
    let mut partial = Partial::default();
    for key in ["your-stream-key", "a\u{200b}b"] {
        assert_eq!(partial.put_secret("a", key), Some(()));
        assert_eq!(partial.keys().next().map(|(_, key)| key.reveal()), Some(key));
    }
}

#[test]
fn what_copying_adds_outside_of_texts_does_not_matter() {
    let plain = "version = 1\n[[destination]]\nname = \"a\"\nkey = \"k\"\n";
    let pasted = "\u{a0}version\u{200b} =\u{a0}1\u{2028}\n\u{2060}[[destination]]\u{3000}\nname = \"a\"\n\
                  \u{a0}\u{a0}key\u{a0}= \"\u{200b}k\u{a0}\"\n";
    assert_eq!(source(pasted), source(plain));
    // Places are those of the file.
    assert_eq!(
        errors("version = 1\n[video]\n\u{a0}\u{a0}fps\u{a0}= 99\n"),
        "t.toml:3:9: video.fps: is 99, must be a whole number from 1 to 60 (frames per second)"
    );
    // An erased key is blank in its place.
    let stick = format!("erase_key = true\n{pasted}");
    let stick = Stick::parse("t.toml", stick.as_bytes()).unwrap();
    let left = String::from_utf8(stick.erased.unwrap().to_vec()).unwrap();
    assert!(left.contains("key\u{a0}= \"      \"\n"), "{left:?}");
}

#[test]
fn typographic_quotes_are_named_in_their_place() {
    for (line, column) in [("name = “a”", 8), ("name = \"a”", 10), ("name = ‘a’ # “", 8)]
    {
        let refused = errors(&format!("version = 1\n[[destination]]\n{line}\n"));
        let place = format!("t.toml:3:{column}: this is a typographic quote");
        assert!(refused.contains(&place), "{line}: {refused}");
    }
    let inside = errors("version = 1\n[[destination]]\nname = \"a\"\nkey = \"“k3y”\"\n");
    assert_eq!(
        inside,
        "t.toml:4:7: destination.key: the stream key stands in quotes; leave them out"
    );
}

#[test]
fn an_old_encoding_does_not_matter_in_comments_and_is_named_elsewhere() {
    let good = b"# B\xfchne \x93x\x94\nversion = 1\nerase_key = true\n[[destination]]\nname = \"a\"\nkey = \"k3y\" # \xe4\n";
    let stick = Stick::parse("t.toml", good).unwrap();
    let erased = stick.erased.unwrap();
    assert_eq!(erased.len(), good.len());
    assert!(
        erased.starts_with(b"# B\xfchne \x93x\x94\n") && !erased.windows(3).any(|w| w == b"k3y")
    );
    let refused = parse_bytes("t.toml", b"version = 1\n[wifi]\nssid = \"B\xfchne\"\n").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "t.toml:3:10: this character is not text in UTF-8; save the file again with the encoding UTF-8"
    );
}

#[test]
fn other_formats_of_word_processors_and_browsers_are_named() {
    for (text, words) in [
        ("{\\rtf1\\ansi version = 1}", "rich text"),
        ("<!DOCTYPE html><html>version = 1", "web page"),
        ("\r\n<HTML><pre>", "web page"),
    ] {
        let refused = parse_bytes("t.toml", text.as_bytes()).unwrap_err().to_string();
        assert!(refused.starts_with("t.toml:1:1: ") && refused.contains(words), "{refused}");
    }
}

#[test]
fn a_key_that_its_own_address_ends_with_is_named_in_its_place() {
    let refused = errors(
        "version = 1\n[[destination]]\nname = \"a\"\nurl = \"rtmps://h/live/k3y-0815-x\"\n\
         key = \"k3y-0815-x\"\n",
    );
    assert!(refused.starts_with("t.toml:4:7: destination.url: the address ends with"), "{refused}");
    assert!(!refused.contains("0815"));
}

#[test]
fn a_stick_may_replace_everything_and_keeps_a_key_that_it_has_lost_to_an_earlier_import() {
    let stick =
        |text: &str| Stick::parse("t.toml", format!("version = 1\n{text}").as_bytes()).unwrap();
    let mut stored = source(FULL);
    stored.set("wifi.ssid", "hall").unwrap();
    stored.set("wifi.passphrase", "correct horse").unwrap();
    let main = |url: &str, key: &str| {
        format!(
            "erase_key = true\nreplace = true\n[wifi]\nssid = \"hall\"\npassphrase = \"   \"\n\
             [[destination]]\nname = \"main\"\nurl = \"{url}\"\nkey = \"{key}\"\n"
        )
    };
    stick(&main("rtmps://b.rtmps.youtube.com/live2", "           ")).apply(&mut stored);
    let settings = merge(&[stored.clone()]);
    assert_eq!((settings.names(), settings.video), (vec!["main".to_owned()], Video::default()));
    assert_eq!(settings.destinations[0].key.as_ref().map(StreamKey::reveal), Some(CANARY));
    assert!(settings.wifi.passphrase.is_some());
    // Not for another server.
    stick(&main("rtmps://other.example/live2", "           ")).apply(&mut stored);
    assert_eq!(stored.keys().count(), 0);
    // And without the line it adds.
    stick("[video]\nfps = 25\n").apply(&mut stored);
    assert_eq!((merge(&[stored.clone()]).names().len(), stored.keys().count()), (1, 0));
}

#[test]
fn what_a_destination_lacks_is_named() {
    let lack = |text: &str| merge(&[source(&format!("version = 1\n{text}"))]).lack();
    assert_eq!(lack("").as_deref(), Some("no destination is set"));
    let youtube = "[[destination]]\nname = \"youtube\"\nurl = \"rtmps://h/a\"\n";
    assert_eq!(lack(youtube).as_deref(), Some("destination youtube has no stream key"));
    let both = format!("{youtube}[[destination]]\nname = \"b\"\nenabled = false\n");
    let lacks = "destination youtube has no stream key; destination b is switched off";
    assert_eq!(lack(&both).as_deref(), Some(lacks));
    assert_eq!(
        lack(&format!("{both}key = \"k\"\nurl = \"rtmps://h/a\"\n")).as_deref(),
        Some(lacks)
    );
    assert_eq!(lack(&format!("{youtube}key = \"k\"\n")), None);
}
