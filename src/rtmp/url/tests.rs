use super::*;
use crate::secret::KeyError;

fn server(text: &str) -> ServerUrl {
    ServerUrl::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn key(text: &str) -> StreamKey {
    StreamKey::parse(text).unwrap()
}

fn combined(text: &str) -> (String, String) {
    let ingest = Ingest::from_combined(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    (ingest.server.app.clone(), ingest.key.reveal().to_owned())
}

#[test]
fn every_refused_scheme_says_what_to_use_instead() {
    for (scheme, instead) in REFUSED {
        let message = ServerUrl::parse(&format!("{scheme}://h/live")).unwrap_err().to_string();
        assert!(message.contains(instead) && message.starts_with(scheme), "{message}");
    }
    for text in ["live_123-abc", "foo://h/a", "//h/a", "://h/a"] {
        assert_eq!(ServerUrl::parse(text), Err(UrlError::NoScheme), "{text}");
    }
}

#[test]
fn an_address_that_cannot_be_called_is_refused_by_its_reason() {
    let long = format!("rtmp://h/{}", "a".repeat(URL_BYTES_MAX));
    let long_label = format!("rtmp://{}.example/a", "a".repeat(64));
    for (text, error) in [
        ("", UrlError::Empty),
        (" \r\n", UrlError::Empty),
        (&*long, UrlError::TooLong),
        (&*long_label, UrlError::BadHost),
        ("rtmp://h/a b", UrlError::NotPrintable { at: 11 }),
        ("rtmp://h/a\u{1b}[0m", UrlError::NotPrintable { at: 11 }),
        ("rtmp:///live", UrlError::NoHost),
        ("rtmp://:1935/live", UrlError::NoHost),
        ("rtmp://h", UrlError::NoApp),
        ("rtmp://h?a=1/live", UrlError::NoApp),
        ("rtmps://a.rtmps.youtube.com?backup=1", UrlError::NoPlatformApp { app: "live2" }),
        ("rtmps://a.rtmps.youtube.com/?backup=1", UrlError::NoPlatformApp { app: "live2" }),
        ("rtmp://h:0/live", UrlError::BadPort),
        ("rtmp://h:65536/live", UrlError::BadPort),
        ("rtmp://h:+80/live", UrlError::BadPort),
        ("rtmp://h:/live", UrlError::BadPort),
        ("rtmp://2001:db8::1/live", UrlError::BareIpv6),
        ("rtmp://[2001:db8::g]/live", UrlError::BadHost),
        ("rtmp://[fe80::1%25eth0]/live", UrlError::BadHost),
        ("rtmp://[::1]x/live", UrlError::BadHost),
        ("rtmp://256.1.1.1/live", UrlError::BadHost),
        ("rtmp://10.1/live", UrlError::BadHost),
        ("rtmp://a..b/live", UrlError::BadHost),
        ("rtmp://-a.b/live", UrlError::BadHost),
        ("rtmp://bücher.example/live", UrlError::BadHost),
        ("rtmp://:p@h/live", UrlError::BadLogin),
        ("rtmp://u%zz:p@h/live", UrlError::BadLogin),
        ("rtmp://u%0a:p@h/live", UrlError::BadLogin),
        ("rtmp://h/a/{stream_key}/b", UrlError::BadTemplate),
        ("rtmp://h/a/{stream_key}{stream_key}", UrlError::BadTemplate),
        ("rtmp://h/a?key={stream_key}", UrlError::BadTemplate),
        ("rtmps://a.rtmps.youtube.com/live2/abcd", UrlError::KeyInAddress),
        ("rtmps://fra05.contribute.live-video.net/app/live_1", UrlError::KeyInAddress),
    ] {
        assert_eq!(ServerUrl::parse(text), Err(error), "{text}");
    }
}

#[test]
fn hosts_are_compared_in_one_spelling() {
    assert_eq!(server("RTMPS://Live.EXAMPLE./App"), server("rtmps://live.example:443/App"));
    assert_eq!(server("rtmp://[2001:DB8:0::1]:1936/x").authority(), "[2001:db8::1]:1936");
    assert!(!Host::Name("notyoutube.com".into()).is_within("youtube.com"));
}

#[test]
fn the_default_port_belongs_to_the_scheme() {
    assert_eq!(server("rtmp://h/a").port, 1935);
    assert_eq!(server("rtmps://h/a").port, 443);
    assert_eq!(server("rtmp://h:443/a").tc_url(), "rtmp://h:443/a");
    assert_eq!(server("rtmps://h:1935/a").tc_url(), "rtmps://h:1935/a");
}

#[test]
fn one_trailing_slash_of_the_app_is_none() {
    assert_eq!(server("rtmps://h/rtmp/").tc_url(), "rtmps://h/rtmp");
    assert_eq!(server("rtmp://h/").app, "");
    assert_eq!(server("rtmp://h//live").app, "/live");
    assert_eq!(combined("rtmp://h/app//key"), ("app".into(), "key".into()));
}

#[test]
fn login_is_kept_apart_and_never_shown() {
    let server = server("rtmp://us%40er:p%2Fss%3A@h/live?token=s3cret&backup=1");
    let login = server.login.as_ref().unwrap();
    assert_eq!((login.user.as_str(), login.reveal_password()), ("us@er", "p/ss:"));
    assert_eq!(server.tc_url(), "rtmp://h/live?token=s3cret&backup=1");
    assert_eq!(server.to_string(), "rtmp://••••@h/live?token=••••&backup=1");
    let shown = format!("{server:?} {login:?}");
    assert!(!shown.contains("p/ss") && !shown.contains("er:") && !shown.contains("s3cret"));
}

#[test]
fn what_was_written_down_is_read_back_unchanged() {
    for text in [
        "rtmp://h/",
        "rtmps://h:4443/live2?backup=1",
        "rtmp://us@er:p%2Fss:@[::1]:80/a/b",
        "rtmp://u%3As:%25%20ü@h/a",
        "rtmp://user@h/a",
        "rtmp://h/{stream_key}",
        "rtmp://h/app/pre_{stream_key}?bandwidthtest=true",
        "rtmp://h/a//",
        "rtmp://h/a///{stream_key}",
    ] {
        assert_eq!(*server(text).reveal(), text);
        assert_eq!(server(&server(text).reveal()), server(text));
    }
}

#[test]
fn an_address_at_the_bound_can_be_written_down() {
    for filler in ["!", "@", ":", "[", "ü", "%2F", "%21", "%C2%A0"] {
        let (front, back) = ("rtmp://u:", "@h/a");
        let room = URL_BYTES_MAX - front.len() - back.len();
        let text = format!("{front}{}{back}", filler.repeat(room / filler.len()));
        assert!(server(&text).reveal().len() <= URL_BYTES_MAX);
        assert_eq!(server(&server(&text).reveal()), server(&text), "{filler}");
    }
}

#[test]
fn a_template_puts_its_own_text_around_the_key() {
    let template = server("rtmp://h/app/{stream_key}?bandwidthtest=true");
    assert_eq!(template.app, "app");
    assert_eq!(template.to_string(), "rtmp://h/app/{stream_key}");
    let ingest = Ingest::from_server_and_key(template.clone(), key("live_1")).unwrap();
    assert_eq!(ingest.key.reveal(), "live_1?bandwidthtest=true");
    let long = key(&"k".repeat(1_020));
    assert_eq!(Ingest::from_server_and_key(template, long), Err(UrlError::Key(KeyError::TooLong)));
}

#[test]
fn queries_stay_on_the_side_where_they_stood() {
    for (text, app, key) in [
        ("rtmp://h/app/key", "app", "key"),
        ("rtmp://h/app/inst/key", "app/inst", "key"),
        ("rtmp://h/app/key?a=1&b=2", "app", "key?a=1&b=2"),
        ("rtmp://h/live2?backup=1/key", "live2?backup=1", "key"),
        ("rtmp://h/live2/?backup=1/key", "live2/?backup=1", "key"),
        ("rtmp://h/live2?backup=1/key?a=x/y", "live2?backup=1", "key?a=x/y"),
        ("rtmp://h/live?token=a/b/key", "live?token=a/b", "key"),
        ("rtmp://h/a/_definst_?t=1/key", "a/_definst_?t=1", "key"),
        ("rtmps://x.facebook.com/rtmp/FB-1?s=1&a=x/y", "rtmp", "FB-1?s=1&a=x/y"),
    ] {
        assert_eq!(combined(text), (app.to_owned(), key.to_owned()), "{text}");
    }
}

#[test]
fn an_address_without_a_certain_key_is_refused() {
    for (text, error) in [
        ("rtmp://h", UrlError::NoApp),
        ("rtmp://h/app", UrlError::NoKey),
        ("rtmp://h/app/", UrlError::NoKey),
        ("rtmp://h//key", UrlError::NoKey),
        ("rtmp://h/app?x=1", UrlError::NoKey),
        ("rtmp://h/app/{stream_key}", UrlError::NoKey),
        ("rtmp://h/app/key?a=x/y", UrlError::Ambiguous),
    ] {
        assert_eq!(Ingest::from_combined(text), Err(error), "{text}");
    }
}

#[test]
fn a_key_that_the_address_ends_with_is_noticed() {
    let pasted = Ingest::from_server_and_key(server("rtmp://h/a/k3y-0815"), key("k3y-0815"));
    assert_eq!(pasted, Err(UrlError::KeyTwice));
    for (address, name) in [("rtmp://h/live/hall", "hall"), ("rtmp://h/k3y-0815", "k3y-0815")] {
        assert!(Ingest::from_server_and_key(server(address), key(name)).is_ok(), "{address}");
    }
}

#[test]
fn a_platform_s_address_without_its_app_means_that_app() {
    for (text, app) in [
        ("rtmps://fa723fc1b171.global-contribute.live-video.net", "app"),
        ("rtmps://fa723fc1b171.global-contribute.live-video.net/", "app"),
        ("rtmps://fa723fc1b171.global-contribute.live-video.net:443", "app"),
        ("rtmps://a.rtmps.youtube.com///", "live2"),
        ("rtmps://live.twitch.tv/{stream_key}", "app"),
    ] {
        assert_eq!(server(text).app, app, "{text}");
    }
}

#[test]
fn what_copying_adds_to_an_address_is_cut() {
    for text in
        ["\u{feff}rtmps://h/a\r\n", "\u{a0}rtmps://h/a\u{200b}", "rtmps://\u{2060}h/\u{ad}a"]
    {
        assert_eq!(server(text), server("rtmps://h/a"), "{text:?}");
    }
}

#[test]
fn no_rendering_of_an_ingest_shows_its_key() {
    for text in ["rtmps://h/app/canary?a=canary", "rtmp://u:canary@h/live2?backup=1/canary"] {
        let ingest = Ingest::from_combined(text).unwrap();
        let shown = format!("{} {ingest:?} {}", ingest.masked(), ingest.server);
        assert!(!shown.contains("canary"), "{shown}");
    }
    let left_inside = server("rtmp://own.example/live/canary");
    assert!(!format!("{left_inside} {left_inside:?}").contains("canary"));
}

#[test]
fn another_virtual_host_is_another_recipient_wherever_it_is_named() {
    let app = server("rtmps://h/app");
    for same in ["rtmps://h/app?token=1", "rtmps://h/app/{stream_key}?t=2", "rtmps://h:443/app/"] {
        assert!(app.same_recipient(&server(same)), "{same}");
    }
    for other in [
        "rtmps://h/app?vhost=evil",
        "rtmps://h/app/{stream_key}?vhost=evil",
        "rtmps://h/app/{stream_key}?t=2&vhost=evil",
        "rtmps://h/app?token=1?vhost=evil",
        "rtmps://h/app?domain=evil",
        "rtmps://h/app?VHOST=evil",
        "rtmps://h/app?%76host=evil",
        "rtmps://h/app?a=1=vhost=evil",
    ] {
        assert!(!app.same_recipient(&server(other)), "{other}");
    }
    let mine = server("rtmps://h/app?vhost=mine&token=1");
    assert!(mine.same_recipient(&server("rtmps://h/app?token=2&vhost=mine")));
    assert!(mine.same_recipient(&server("rtmps://h/app/{stream_key}?vhost=mine")));
    assert!(!mine.same_recipient(&server("rtmps://h/app?vhost=mine&vhost=evil")));
}
