//! What each connect order costs in round trips, and what becomes of a server's answers.

use std::time::Duration;

use crate::pair::{CANARY, ORDERS, Pair, audio, client_config, key, video};
use firstmile::{
    limits::{STOP_TIMEOUT, URL_BYTES_MAX},
    rtmp::{ConnectOrder, ErrorKind, Event, Phase, Redirect, Refusal, message::Kind},
    secret::StreamKey,
    sim::ingest::session::{IngestConfig, IngestEnd, IngestEvent, Policy, Refuse},
};

const ROUND_TRIP: Duration = Duration::from_millis(100);

fn pair_with(order: ConnectOrder, policy: Policy) -> Pair {
    let server = IngestConfig { policy, ..IngestConfig::default() };
    Pair::new(client_config(order), server, ROUND_TRIP / 2)
}

#[test]
fn first_media_takes_four_and_a_half_one_and_a_half_or_half_a_round_trip() {
    for (order, half_round_trips) in
        [(ConnectOrder::Patient, 9), (ConnectOrder::Conforming, 3), (ConnectOrder::Early, 1)]
    {
        let mut pair = pair_with(order, Policy::default());
        pair.media.push_back(video(0, 1000));
        pair.run_to(ROUND_TRIP * 10);
        let (at, _) = pair.received()[0];
        assert_eq!(at, ROUND_TRIP / 2 * half_round_trips, "{order:?}");
    }
}

#[test]
fn each_phase_is_reported_once_and_in_order() {
    for order in ORDERS {
        let mut pair = Pair::friendly(order);
        pair.run_to(ROUND_TRIP * 10);
        let events: Vec<Event> = pair.client_events.into_iter().map(|(_, event)| event).collect();
        let phases = [
            Phase::Handshake,
            Phase::Connect,
            Phase::CreateStream,
            Phase::Publish,
            Phase::Publishing,
        ];
        let mut wanted: Vec<Event> = phases.into_iter().map(Event::Phase).collect();
        wanted.push(Event::Accepted);
        assert_eq!(events, wanted, "{order:?}");
    }
}

#[test]
fn the_server_learns_application_address_and_key() {
    for order in ORDERS {
        let server = IngestConfig {
            app: Some("live".to_owned()),
            expected_key: Some(key()),
            ..IngestConfig::default()
        };
        let mut pair = Pair::new(client_config(order), server, ROUND_TRIP / 2);
        pair.run_to(ROUND_TRIP * 10);
        assert!(pair.accepted(), "{order:?}");
        let tc_url = "rtmp://server.example/live".to_owned();
        assert!(pair.server_saw(&IngestEvent::Connected { app: "live".to_owned(), tc_url }));
        assert!(pair.server_saw(&IngestEvent::Publishing { key_matches: true }));
    }
}

#[test]
fn a_wrong_key_is_refused_by_name() {
    for order in ORDERS {
        let expected_key = Some(StreamKey::parse("another-key").unwrap());
        let server = IngestConfig { expected_key, ..IngestConfig::default() };
        let mut pair = Pair::new(client_config(order), server, ROUND_TRIP / 2);
        pair.media.push_back(video(0, 1000));
        pair.run_to(ROUND_TRIP * 10);
        let error = pair.error().unwrap();
        assert_eq!(error.refusal(), Some(Refusal::KeyRejected), "{order:?}");
        assert!(!error.may_dislike_pipelining());
        assert!(pair.received().is_empty(), "media of a refused stream");
    }
}

#[test]
fn a_busy_key_is_distinguished_from_a_wrong_one() {
    let refuse_publish = Some(Refuse {
        code: "NetStream.Publish.BadName".to_owned(),
        description: format!("Already publishing {CANARY}"),
    });
    let mut pair =
        pair_with(ConnectOrder::Conforming, Policy { refuse_publish, ..Policy::default() });
    pair.run_to(ROUND_TRIP * 10);
    let error = pair.error().unwrap();
    assert_eq!((error.refusal(), error.during), (Some(Refusal::KeyBusy), Phase::Publish));
    assert_eq!(
        error.to_string(),
        "the server refused the stream: NetStream.Publish.BadName: Already publishing •••• \
         (during publish)"
    );
}

#[test]
fn an_unknown_application_is_refused_at_connect() {
    let server = IngestConfig { app: Some("other".to_owned()), ..IngestConfig::default() };
    let mut pair = Pair::new(client_config(ConnectOrder::Conforming), server, ROUND_TRIP / 2);
    pair.run_to(ROUND_TRIP * 10);
    let error = pair.error().unwrap();
    assert_eq!((error.during, error.refusal()), (Phase::Connect, Some(Refusal::Other)));
}

#[test]
fn a_redirect_names_the_place_to_go_to() {
    let redirect_to = Some("rtmp://elsewhere.example/live".to_owned());
    for order in ORDERS {
        let policy = Policy { redirect_to: redirect_to.clone(), ..Policy::default() };
        let mut pair = pair_with(order, policy);
        pair.run_to(ROUND_TRIP * 10);
        let ErrorKind::ConnectRejected { redirect, .. } = &pair.error().unwrap().kind else {
            panic!("{order:?}: {:?}", pair.error())
        };
        assert_eq!(
            *redirect,
            redirect_to.clone().map(|tc_url| Redirect { tc_url: Some(tc_url) }),
            "{order:?}"
        );
    }
}

#[test]
fn another_stream_id_than_the_expected_one_only_restarts_the_media() {
    for order in ORDERS {
        let mut pair = pair_with(order, Policy { stream_id: 7, ..Policy::default() });
        pair.media.push_back(video(0, 1000));
        pair.run_to(ROUND_TRIP * 10);
        assert!(pair.accepted(), "{order:?}: {:?}", pair.error());
        let restarted = pair.client_time(&Event::RestartMedia).is_some();
        assert_eq!(restarted, order != ConnectOrder::Patient, "{order:?}");
        // What came before the right number was known is lost, as the event says.
        pair.media.extend([video(40, 1000), audio(41, 100)]);
        pair.run_for(ROUND_TRIP);
        let timestamps: Vec<u64> =
            pair.received().into_iter().map(|(_, media)| media.timestamp_ms).collect();
        let wanted: &[u64] = if restarted { &[40, 41] } else { &[0, 40, 41] };
        assert_eq!(timestamps, wanted, "{order:?}");
    }
}

#[test]
fn media_that_still_waits_for_the_wrong_stream_is_never_written() {
    let mut pair = pair_with(ConnectOrder::Early, Policy { stream_id: 7, ..Policy::default() });
    pair.run_to(ROUND_TRIP / 2);
    pair.up.stalled = true;
    for timestamp_ms in 0..5 {
        crate::pair::send(&mut pair.client, &video(timestamp_ms, 50_000));
    }
    pair.run_to(ROUND_TRIP);
    assert!(pair.client_time(&Event::RestartMedia).is_some());
    assert!(pair.client.transmit().len() < 200, "{:?}", pair.client);
    pair.up.stalled = false;
    pair.media.push_back(video(9, 1000));
    pair.run_for(ROUND_TRIP * 2);
    assert!(pair.accepted());
    assert_eq!(pair.received().len(), 1);
}

#[test]
fn a_publisher_that_is_kicked_reports_it() {
    for order in ORDERS {
        let mut pair = Pair::friendly(order);
        pair.run_to(ROUND_TRIP * 10);
        pair.server.kick();
        pair.run_for(ROUND_TRIP);
        let error = pair.error().unwrap();
        assert_eq!((error.refusal(), error.during), (Some(Refusal::Kicked), Phase::Publishing));
        assert!(!error.pipelined);
    }
}

#[test]
fn a_request_to_reconnect_is_passed_on_and_ends_nothing() {
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    pair.run_to(ROUND_TRIP * 10);
    for tc_url in [None, Some("//other.example/live"), Some("rtmps://other.example/live")] {
        pair.server.request_reconnect(tc_url);
        pair.media.push_back(video(40, 10));
        pair.run_for(ROUND_TRIP);
        let description = "the server goes away".to_owned();
        let tc_url = tc_url.map(str::to_owned);
        let wanted = Event::ReconnectRequest { tc_url, description };
        assert!(pair.client_time(&wanted).is_some(), "{wanted:?}");
    }
    assert_eq!(pair.received().len(), 3);
    assert_eq!(pair.error(), None);
}

// Shows F50.
#[test]
fn a_request_to_reconnect_at_an_address_that_is_none_is_remarked_and_is_no_request() {
    let with_key_inside = format!("rtmps://other.example/{CANARY}/live");
    let too_long = format!("rtmps://other.example/{}", "x".repeat(URL_BYTES_MAX));
    for tc_url in ["", " ", "rtmps://other.example/a b", "\u{1b}[2J", &with_key_inside, &too_long] {
        let mut pair = Pair::friendly(ConnectOrder::Conforming);
        pair.run_to(ROUND_TRIP * 10);
        pair.server.request_reconnect(Some(tc_url));
        pair.run_for(ROUND_TRIP);
        let events: Vec<_> = pair.client_events.iter().map(|(_, event)| event).collect();
        let is_request = |event: &&Event| matches!(event, Event::ReconnectRequest { .. });
        assert!(!events.iter().any(is_request), "{tc_url:?}: {events:?}");
        let warning = events.iter().find_map(|event| match event {
            Event::Warning(warning) => Some(warning.to_string()),
            _ => None,
        });
        let warning = warning.unwrap_or_default();
        assert!(warning.contains("stays where it is"), "{tc_url:?}: {warning:?}");
        assert_eq!(pair.error(), None);
    }
}

#[test]
fn a_stop_delivers_all_media_and_then_unpublishes() {
    for order in ORDERS {
        let mut pair = Pair::friendly(order);
        pair.run_to(ROUND_TRIP * 10);
        for timestamp_ms in 0..20 {
            crate::pair::send(&mut pair.client, &video(timestamp_ms, 30_000));
        }
        pair.client.stop(pair.now);
        assert!(!pair.client.may_stream());
        pair.run_for(ROUND_TRIP);
        assert_eq!(pair.received().len(), 20, "{order:?}");
        assert!(pair.server_saw(&IngestEvent::Unpublished));
        assert_eq!(pair.client_events.last().unwrap().1, Event::Stopped);
        assert_eq!(pair.client.poll_timeout(), None);
    }
}

#[test]
fn a_stop_at_any_moment_ends_in_time_and_without_an_error() {
    for order in ORDERS {
        for step in 0..=20 {
            let mut pair = Pair::friendly(order);
            pair.run_to(ROUND_TRIP / 4 * step);
            pair.client.stop(pair.now);
            let stopped_at = pair.now;
            pair.run_for(STOP_TIMEOUT * 2);
            let at = pair.client_time(&Event::Stopped).unwrap();
            assert!(at <= stopped_at + STOP_TIMEOUT, "{order:?} step {step}");
            assert_eq!(pair.error(), None, "{order:?} step {step}");
            // Whoever got the stream also got its end.
            let publishing = pair.server_saw(&IngestEvent::Publishing { key_matches: true });
            assert_eq!(publishing, pair.server_saw(&IngestEvent::Unpublished), "{order:?} {step}");
        }
    }
}

#[test]
fn a_stop_on_a_stalled_link_ends_when_its_time_is_up() {
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    pair.run_to(ROUND_TRIP * 10);
    pair.up.stalled = true;
    crate::pair::send(&mut pair.client, &video(0, 30_000));
    pair.client.stop(pair.now);
    let deadline = pair.now + STOP_TIMEOUT;
    pair.run_for(STOP_TIMEOUT * 2);
    assert_eq!(pair.client_time(&Event::Stopped), Some(deadline));
    assert!(!pair.client.transmit().is_empty(), "the driver can notice that bytes were lost");
}

#[test]
fn a_publisher_that_is_cut_off_never_unpublishes() {
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    pair.run_to(ROUND_TRIP * 10);
    pair.close_if(true);
    pair.run_for(ROUND_TRIP);
    assert!(!pair.server_saw(&IngestEvent::Unpublished));
    assert!(pair.server_saw(&IngestEvent::Ended(IngestEnd::Closed)));
}

#[test]
fn a_silent_server_is_given_up_after_the_time_of_its_phase() {
    for order in ORDERS {
        for phase in [Phase::Handshake, Phase::Connect, Phase::CreateStream, Phase::Publish] {
            let mut pair =
                pair_with(order, Policy { silent_from: Some(phase), ..Policy::default() });
            pair.run_to(Duration::from_secs(60));
            let error = pair.error().unwrap();
            assert_eq!((&error.kind, error.during), (&ErrorKind::Timeout, phase), "{order:?}");
            let began = pair.client_time(&Event::Phase(phase)).unwrap();
            let (ended, _) = pair.client_events.last().unwrap();
            assert_eq!(*ended - began, phase.timeout().unwrap(), "{order:?} {phase:?}");
            let ahead = order == ConnectOrder::Early
                || order == ConnectOrder::Conforming && phase != Phase::Handshake;
            assert_eq!(error.may_dislike_pipelining(), ahead, "{order:?} {phase:?}");
        }
    }
}

#[test]
fn metadata_arrives_as_servers_expect_it() {
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    pair.run_to(ROUND_TRIP * 10);
    let fields =
        [("width", 1280.0.into()), ("stereo", true.into()), ("encoder", "firstmile".into())];
    pair.client.send_metadata(fields.into_iter());
    pair.run_for(ROUND_TRIP);
    let (_, media) = &pair.received()[0];
    assert_eq!((media.kind, media.timestamp_ms), (Kind::Data, 0));
    let wanted = b"\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x08\x00\x00\x00\x03\
        \x00\x05width\x00\x40\x94\x00\x00\x00\x00\x00\x00\x00\x06stereo\x01\x01\
        \x00\x07encoder\x02\x00\x09firstmile\x00\x00\x09";
    assert_eq!(&media.payload[..], wanted);
}
