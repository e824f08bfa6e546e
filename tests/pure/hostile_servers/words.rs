//! What a server writes beside its answers, and what is kept of it.

use std::time::Duration;

use firstmile::rtmp::amf0::Value;
use firstmile::rtmp::{ConnectOrder, Event, Session, SessionConfig};

use super::{accepted, after, command, created, handshake, info, outcome, refused};
use crate::pair::{CANARY, ORDERS, client_config};

#[test]
fn what_a_server_writes_before_it_closes_is_part_of_the_reason() {
    let remark = |name: &str, level: &str, code: &str, words: &str| {
        command(name, 0.0, 0, &[Value::Null, info(level, code, words)])
    };
    for (start, words, shown) in [
        (
            handshake(),
            remark("onStatus", "warning", "NetConnection.Connect.Busy", "come back later"),
            "NetConnection.Connect.Busy: come back later",
        ),
        (
            created(),
            remark("onFCPublish", "error", "NetStream.Publish.BadName", "quota used up"),
            "NetStream.Publish.BadName: quota used up",
        ),
        (
            created(),
            command("_error", 3.0, 0, &[Value::Null, info("error", "", "no such key")]),
            "no such key",
        ),
        (
            accepted(),
            remark("onStatus", "status", "NetStream.Publish.Idle", "no frame for 10 s"),
            "NetStream.Publish.Idle: no frame for 10 s",
        ),
        (accepted(), remark("onStatus", "warning", "", &format!("{CANARY} leaves")), "•••• leaves"),
        (accepted(), remark("close", "", "", "maintenance at noon"), "maintenance at noon"),
    ] {
        for order in ORDERS {
            let (found, mut session) = outcome(order, &after(start.clone(), &words), usize::MAX);
            session.handle_eof(Duration::from_secs(2));
            let ended = std::iter::from_fn(|| session.poll_event()).last();
            let reason = ended.map_or(found, |event| match event {
                Event::Ended(error) => error.to_string(),
                other => format!("{other:?}"),
            });
            assert!(reason.starts_with("the server closed the connection"), "{reason}");
            assert!(reason.ends_with(&format!("; shortly before, it wrote: {shown}")), "{reason}");
        }
    }
    // What it wrote long before explains nothing.
    let wire = after(accepted(), remark("onStatus", "warning", "A.B", "slow"));
    let (_, mut session) = outcome(ConnectOrder::Conforming, &wire, usize::MAX);
    session.handle_eof(Duration::from_secs(60));
    let ended = std::iter::from_fn(|| session.poll_event()).last();
    let Some(Event::Ended(error)) = ended else { panic!("{ended:?}") };
    assert_eq!(error.remark, None);
}

#[test]
fn a_server_that_hangs_up_on_plain_rtmp_without_a_byte_may_want_tls() {
    let closed = |tc_url: &str, answer: &[u8]| {
        let config = client_config(ConnectOrder::Conforming);
        let mut session =
            Session::new(Duration::ZERO, SessionConfig { tc_url: tc_url.to_owned(), ..config });
        session.handle_input(Duration::ZERO, answer);
        session.handle_eof(Duration::ZERO);
        match std::iter::from_fn(|| session.poll_event()).last() {
            Some(Event::Ended(error)) => error.to_string(),
            other => format!("{other:?}"),
        }
    };
    assert!(closed("rtmp://a.example/live", b"").ends_with("must begin with rtmps://"));
    for (tc_url, answer) in [("rtmp://a.example/live", &handshake()[..]), ("rtmps://a/live", b"")] {
        assert!(!closed(tc_url, answer).contains("rtmps"), "{tc_url}");
    }
}

#[test]
fn a_request_to_reconnect_means_the_same_place_only_where_it_names_none() {
    for (tc_url, is_same_place) in [
        (None, true),
        (Some(Value::Null), true),
        (Some(Value::Undefined), true),
        (Some(7.0.into()), false),
        (Some(Value::Object(Vec::new())), false),
    ] {
        let code = "NetConnection.Connect.ReconnectRequest";
        let Value::Object(mut request) = info("status", code, "") else { panic!("an object") };
        request.extend(tc_url.clone().map(|tc_url| ("tcUrl".into(), tc_url)));
        let wire =
            after(accepted(), command("onStatus", 0.0, 0, &[Value::Null, Value::Object(request)]));
        let mut session = Session::new(Duration::ZERO, client_config(ConnectOrder::Conforming));
        session.handle_input(Duration::ZERO, &wire);
        let events: Vec<Event> = std::iter::from_fn(|| session.poll_event()).collect();
        let is_request =
            |event: &Event| matches!(event, Event::ReconnectRequest { tc_url: None, .. });
        assert_eq!(events.iter().any(is_request), is_same_place, "{tc_url:?}: {events:?}");
        let is_remarked = |event: &Event| matches!(event, Event::Warning(_));
        assert_eq!(events.iter().any(is_remarked), !is_same_place, "{tc_url:?}: {events:?}");
    }
}

#[test]
fn redirects_are_read_in_both_shapes() {
    let ex = |properties: &[(&'static str, &'static str)]| {
        let properties = properties.iter().map(|(name, url)| ((*name).into(), (*url).into()));
        ("ex", Value::Object(properties.collect()))
    };
    let with_key: &str = Box::leak(format!("rtmp://b/live/{CANARY}").into_boxed_str());
    for (extra, wanted) in [
        (("ex.redirect", "rtmp://a/live".into()), Some(Some("rtmp://a/live"))),
        (
            ex(&[("redirect", "rtmp://a/live"), ("redirect2", with_key)]),
            Some(Some("rtmp://a/live")),
        ),
        (ex(&[("redirect2", with_key)]), Some(Some("rtmp://b/live"))),
        // One of the two is enough.
        (ex(&[("redirect", ""), ("redirect2", "rtmp://c/live")]), Some(Some("rtmp://c/live"))),
        // A server that refuses may fill in what it does not mean.
        (ex(&[("redirect", "")]), None),
        (ex(&[("redirect", "rtmp://a b/live")]), Some(None)),
        (ex(&[]), None),
    ] {
        let wire = after(handshake(), refused(extra));
        let mut session = Session::new(Duration::ZERO, client_config(ConnectOrder::Conforming));
        session.handle_input(Duration::ZERO, &wire);
        let end = std::iter::from_fn(|| session.poll_event()).last();
        let Some(Event::Ended(error)) = end else { panic!("{end:?}") };
        let firstmile::rtmp::ErrorKind::ConnectRejected { redirect, .. } = error.kind else {
            panic!("{error}")
        };
        let redirect = redirect.map(|redirect| redirect.tc_url);
        assert_eq!(redirect.as_ref().map(Option::as_deref), wanted);
    }
}
