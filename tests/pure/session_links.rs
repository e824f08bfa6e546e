//! What a session makes of slow, stalling and broken links.

use std::time::Duration;

use crate::pair::{Media, ORDERS, Pair, Pieces, audio, client_config, video};
use firstmile::{
    limits::{RTMP_ACK_WINDOW_BYTES, RTMP_MESSAGE_WARN_BYTES, RTMP_PONGS_WAITING_MAX},
    rtmp::{
        ConnectOrder, ErrorKind, Event, Misbehaviour, Phase, Warning, chunk::MESSAGE_BYTES_WIRE_MAX,
    },
    sim::ingest::session::{IngestConfig, IngestEvent, Policy},
};

const LONG: Duration = Duration::from_secs(3);

/// A little of everything, with each kind's timestamps rising.
fn some_media() -> Vec<Media> {
    vec![video(0, 30), audio(0, 4), video(33, 70_000), audio(21, 300), audio(42, 300), video(66, 1)]
}

fn assert_all_arrived(pair: &Pair, sent: &[Media]) {
    let received: Vec<Media> = pair.received().into_iter().map(|(_, media)| media).collect();
    assert_eq!(received, sent);
}

#[test]
fn a_session_survives_a_link_that_delivers_one_byte_at_a_time() {
    for order in ORDERS {
        let mut pair = Pair::friendly(order);
        pair.up.pieces = Pieces::Of(1);
        pair.down.pieces = Pieces::Of(1);
        pair.media.extend(some_media());
        pair.run_to(LONG);
        assert!(pair.accepted(), "{order:?}: {:?}", pair.error());
        assert_all_arrived(&pair, &some_media());
    }
}

#[test]
fn a_session_survives_pieces_of_any_size() {
    for seed in 0..300 {
        let order = ORDERS[seed as usize % 3];
        let mut pair = Pair::friendly(order);
        let mut rng = fastrand::Rng::with_seed(seed);
        pair.up.pieces = Pieces::Random(rng.fork(), 5_000);
        pair.down.pieces = Pieces::Random(rng.fork(), 700);
        pair.media.extend(some_media());
        pair.run_to(LONG);
        assert!(pair.accepted(), "seed {seed}: {:?}", pair.error());
        assert_all_arrived(&pair, &some_media());
    }
}

// Shows F16.
#[test]
fn a_server_may_use_any_chunk_size() {
    for chunk_size in [1, 2, 127, 128, 129, 4096, 65_536, 0x7FFF_FFFF] {
        for order in ORDERS {
            let policy = Policy { chunk_size, ..Policy::default() };
            let server = IngestConfig { policy, ..IngestConfig::default() };
            let mut pair = Pair::new(client_config(order), server, Duration::from_millis(1));
            pair.run_to(LONG);
            assert!(pair.accepted(), "{chunk_size} {order:?}: {:?}", pair.error());
        }
    }
}

/// Every byte of a direction; in the packets of the handshake one of many stands for all.
fn cuts(bytes: u64) -> impl Iterator<Item = u64> {
    (0..bytes).filter(|cut| *cut < 10 || *cut > 3_060 || cut.abs_diff(1_536) < 5 || cut % 61 == 0)
}

#[test]
fn a_cut_at_any_byte_from_the_server_ends_with_a_named_phase() {
    for order in ORDERS {
        let mut whole = Pair::friendly(order);
        whole.run_to(LONG);
        let mut reached = Phase::Handshake;
        for cut in cuts(whole.down.delivered) {
            let mut pair = Pair::friendly(order);
            pair.down.cut_after = Some(cut);
            pair.run_to(LONG);
            let error = pair.error().unwrap_or_else(|| panic!("{order:?} cut at {cut}: no end"));
            assert_eq!(error.kind, ErrorKind::ClosedByServer, "{order:?} cut at {cut}");
            assert!(error.during >= reached, "{order:?} cut at {cut}: {error}");
            reached = error.during;
            let phase = pair.client_events.iter().rev().find_map(|(_, event)| match event {
                Event::Phase(phase) => Some(*phase),
                _ => None,
            });
            assert_eq!(phase, Some(error.during));
        }
        assert_eq!(reached, Phase::Publish, "{order:?}");
    }
}

#[test]
fn a_cut_at_any_byte_to_the_server_ends_both_sides() {
    for order in ORDERS {
        let mut whole = Pair::friendly(order);
        whole.media.extend([video(0, 300), audio(0, 30)]);
        whole.run_to(LONG);
        for cut in cuts(whole.up.delivered) {
            let mut pair = Pair::friendly(order);
            pair.media.extend([video(0, 300), audio(0, 30)]);
            pair.up.cut_after = Some(cut);
            pair.run_to(LONG);
            assert!(pair.error().is_some(), "{order:?} cut at {cut}");
            assert!(
                matches!(pair.server_events.last(), Some((_, IngestEvent::Ended(_)))),
                "{order:?} cut at {cut}"
            );
        }
    }
}

// Shows F20.
#[test]
fn a_ping_is_answered_while_media_waits() {
    for started in [0, 1, 700, 29_999] {
        let mut pair = Pair::friendly(ConnectOrder::Conforming);
        pair.run_to(LONG);
        pair.up.stalled = true;
        (0..10).for_each(|n| crate::pair::send(&mut pair.client, &video(n, 30_000)));
        // Part of the first message is on its way already.
        let out = pair.client.transmit();
        let written = bytes::Buf::copy_to_bytes(out, started);
        pair.server.handle_input(pair.now, &written);
        pair.server.ping(pair.now);
        pair.run_for(Duration::from_secs(1));
        pair.up.stalled = false;
        pair.up.pieces = Pieces::Of(1_000);
        pair.run_for(Duration::from_secs(1));
        let pong = pair.server_events.iter().position(|(_, event)| *event == IngestEvent::Pong);
        let is_media = |event: &IngestEvent| matches!(event, IngestEvent::Message { .. });
        let media_before = pair.server_events[..pong.unwrap()].iter().filter(|(_, e)| is_media(e));
        assert_eq!(media_before.count(), usize::from(started > 0), "{started} bytes written");
        assert_eq!(pair.received().len(), 10, "{started} bytes written");
    }
}

// Shows F20.
#[test]
fn several_pings_are_answered_in_their_order_and_no_more_are_kept_than_allowed() {
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    pair.run_to(LONG);
    pair.up.stalled = true;
    crate::pair::send(&mut pair.client, &video(0, 30_000));
    (0..RTMP_PONGS_WAITING_MAX).for_each(|_| pair.server.ping(pair.now));
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.error(), None);
    pair.server.ping(pair.now);
    pair.run_for(Duration::from_secs(1));
    let what = Misbehaviour::TooManyPings;
    assert_eq!(pair.error().unwrap().kind, ErrorKind::ServerMisbehaved { what });
}

#[test]
fn delivery_is_known_from_acknowledgements() {
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    pair.run_to(LONG);
    (0..100).for_each(|n| crate::pair::send(&mut pair.client, &video(n * 33, 25_000)));
    pair.run_for(Duration::from_secs(1));
    let stats = pair.client.stats();
    assert!(stats.acknowledges);
    assert_eq!(stats.bytes_sent, stats.bytes_queued);
    let behind = stats.bytes_sent - stats.bytes_acknowledged;
    assert!(behind <= u64::from(RTMP_ACK_WINDOW_BYTES), "{stats:?}");
}

#[test]
fn a_server_that_never_acknowledges_is_recognized() {
    let policy = Policy { acknowledges: false, ..Policy::default() };
    let server = IngestConfig { policy, ..IngestConfig::default() };
    let mut pair =
        Pair::new(client_config(ConnectOrder::Patient), server, Duration::from_millis(1));
    pair.media.extend((0..100).map(|n| video(n * 33, 25_000)));
    pair.run_to(LONG);
    assert_eq!(pair.received().len(), 100);
    let stats = pair.client.stats();
    assert_eq!((stats.acknowledges, stats.bytes_acknowledged), (false, 0));
}

#[test]
fn a_spurious_timeout_or_a_late_input_changes_nothing() {
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    for _ in 0..10 {
        pair.client.handle_timeout(pair.now);
        pair.run_for(Duration::from_millis(40));
    }
    assert!(pair.accepted());
    pair.close_if(true);
    pair.run_for(LONG);
    let events = pair.client_events.len();
    pair.client.handle_input(pair.now, &[3; 5_000]);
    pair.client.handle_timeout(pair.now + LONG);
    pair.client.handle_eof(pair.now);
    pair.client.stop(pair.now);
    pair.run_for(LONG);
    assert_eq!(pair.client_events.len(), events, "{:?}", pair.client_events);
    assert!(matches!(pair.client_events.last(), Some((_, Event::Ended(_)))));
}

// Shows F21, F22.
#[test]
fn media_crosses_every_border_of_the_timestamp_unchanged() {
    for border in [0xFF_FFFF_u64, 1 << 31, 1 << 32] {
        let mut pair = Pair::friendly(ConnectOrder::Conforming);
        let at = |n: u64| border - 100 + n * 20;
        let media = (0..11).flat_map(|n| [video(at(n), 9_000), audio(at(n) + 3, 300)]);
        pair.media.extend(media.clone());
        pair.run_to(LONG);
        let wanted: Vec<Media> = media
            .map(|media| Media { timestamp_ms: media.timestamp_ms % (1 << 32), ..media })
            .collect();
        assert_all_arrived(&pair, &wanted);
    }
}

#[test]
fn a_message_that_some_servers_refuse_is_sent_with_one_warning() {
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    let bytes = RTMP_MESSAGE_WARN_BYTES + 1;
    let media = [video(0, RTMP_MESSAGE_WARN_BYTES), video(33, bytes), video(66, bytes)];
    pair.media.extend(media.clone());
    pair.run_to(LONG);
    assert_all_arrived(&pair, &media);
    let warnings = pair.client_events.iter().filter(|(_, e)| matches!(e, Event::Warning(_)));
    let warnings: Vec<&Event> = warnings.map(|(_, event)| event).collect();
    assert_eq!(warnings, [&Event::Warning(Warning::LargeMessage { bytes })]);
}

#[test]
fn a_message_that_rtmp_cannot_carry_is_left_out_with_a_warning() {
    let mut pair = Pair::friendly(ConnectOrder::Conforming);
    let bytes = MESSAGE_BYTES_WIRE_MAX + 1;
    pair.media.extend([video(0, bytes), video(33, 10)]);
    pair.run_to(LONG);
    assert_all_arrived(&pair, &[video(33, 10)]);
    let warning = Event::Warning(Warning::MessageNotSent { bytes });
    assert!(pair.client_time(&warning).is_some());
}

#[test]
fn media_outside_of_a_stream_is_ignored() {
    let mut pair = Pair::friendly(ConnectOrder::Patient);
    crate::pair::send(&mut pair.client, &video(0, 10));
    pair.run_to(LONG);
    pair.client.stop(pair.now);
    crate::pair::send(&mut pair.client, &video(33, 10));
    pair.run_for(LONG);
    assert_all_arrived(&pair, &[]);
}
