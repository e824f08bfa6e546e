use super::*;
use crate::limits::{CLOSED_AT_ONCE, RATE_MEASURED_FOR, RTMP_ACK_WINDOW_BYTES};
use crate::stream::ack_window::Window;

/// Runs `seconds` of looks, four a second, and says when the path was declared dead.
/// The server was asked to acknowledge each `window_bytes`.
fn dead_after(
    seconds: u64,
    window_bytes: u32,
    mut at: impl FnMut(f64) -> PathSample,
) -> Option<f64> {
    let mut delivery = Delivery::new(Duration::ZERO);
    (0..seconds * 4).find_map(|tick| {
        let now = Duration::from_millis(tick * 250);
        delivery.observe(now, &at(now.as_secs_f64()), window_bytes).map(|_| now.as_secs_f64())
    })
}

/// A stream of `kbps` to a server that acknowledges each `window` until it freezes, behind
/// kernels that go on taking until `hidden` bytes are swallowed.
fn frozen_at(freeze: f64, kbps: f64, window: f64, hidden: f64) -> impl FnMut(f64) -> PathSample {
    move |t| {
        let sent = |t: f64| t * kbps * 125.0;
        let read = sent(t.min(freeze));
        let taken = sent(t).min(read + hidden);
        // Of what is hidden, half fits into the peer's kernel and half waits in ours.
        let arrived = taken.min(read + hidden / 2.0);
        let acknowledged = ((read / window).floor() * window) as u64;
        PathSample {
            written_bytes: taken as u64,
            unsent_bytes: (sent(t) - taken) as u64,
            server_acknowledged_bytes: (acknowledged > 0).then_some(acknowledged),
            tcp_unacknowledged_bytes: Some((taken - arrived) as u64),
            tcp_acknowledged_bytes: arrived as u64,
            ..PathSample::default()
        }
    }
}

#[test]
fn a_frozen_server_is_noticed_within_five_seconds_from_400_kbit_to_20_mbit() {
    for kbps in [400.0, 1_000.0, 3_000.0, 6_000.0, 20_000.0] {
        // Whatever the kernels swallow, and wherever in a window the freeze falls.
        for hidden in [0.0, 30e3, 130e3, 300e3, 3e6, 1e9] {
            for tenth in 0..20 {
                let freeze = 10.0 + f64::from(tenth) / 10.0;
                let mut following = Window::new(Duration::ZERO);
                let asked = following.observe(
                    RATE_MEASURED_FOR,
                    (kbps * 125.0 * RATE_MEASURED_FOR.as_secs_f64()) as u64,
                    RTMP_ACK_WINDOW_BYTES,
                );
                let window = asked.unwrap_or(RTMP_ACK_WINDOW_BYTES);
                let frozen = frozen_at(freeze, kbps, window.into(), hidden);
                let dead = dead_after(40, window, frozen);
                let after = dead.map(|dead| dead - freeze);
                assert!(
                    after.is_some_and(|after| (2.0..=5.0).contains(&after)),
                    "{after:?} s at {kbps} kbit/s, frozen at {freeze} s, {hidden} bytes hidden"
                );
            }
        }
    }
}

#[test]
fn a_server_with_a_large_window_of_its_own_is_not_dead_between_its_words() {
    for kbps in [400.0, 3_000.0, 6_000.0] {
        let alive = frozen_at(f64::INFINITY, kbps, 2_500_000.0, 0.0);
        assert_eq!(dead_after(300, RTMP_ACK_WINDOW_BYTES, alive), None, "{kbps}");
    }
}

/// As Linux shows it: a kernel with room for `room` bytes, of which it offers half; the first half of
/// what is not read costs an eighth of that.
fn rarely_acknowledged(
    freeze: f64,
    kbps: f64,
    room: f64,
    reads: impl Fn(f64) -> f64,
) -> impl FnMut(f64) -> PathSample {
    move |t| {
        let sent = t * kbps * 125.0;
        let read = reads(t.min(freeze)).min(sent);
        let arrived = sent.min(read + room);
        let unread = arrived - read;
        let window = (room / 2.0 - unread / 8.0).min(room - unread).max(0.0);
        let acknowledged = ((read / 2.5e6).floor() * 2.5e6) as u64;
        PathSample {
            written_bytes: sent.min(arrived + 64e3) as u64,
            unsent_bytes: (sent - arrived - 64e3).max(0.0) as u64,
            server_acknowledged_bytes: (acknowledged > 0).then_some(acknowledged),
            tcp_unacknowledged_bytes: Some((sent - arrived).min(64e3) as u64),
            tcp_acknowledged_bytes: arrived as u64,
            // The last ten bits are cut off.
            tcp_window_bytes: Some(window as u64 / 1_024 * 1_024),
            ..PathSample::default()
        }
    }
}

#[test]
fn a_frozen_server_that_acknowledges_each_2_5_mb_is_noticed_within_five_seconds() {
    for kbps in [400.0, 1_000.0, 3_000.0, 6_000.0, 20_000.0] {
        for room in [64e3, 131e3, 200e3] {
            for tenth in 0..20 {
                let freeze = 60.0 + f64::from(tenth) / 10.0;
                let reads = |t: f64| t * kbps * 125.0;
                let frozen = rarely_acknowledged(freeze, kbps, room, reads);
                let dead = dead_after(90, RTMP_ACK_WINDOW_BYTES, frozen);
                let after = dead.map(|dead| dead - freeze);
                assert!(
                    after.is_some_and(|after| (3.5..=5.0).contains(&after)),
                    "{after:?} s at {kbps} kbit/s with room for {room} bytes"
                );
            }
        }
    }
}

#[test]
fn a_server_that_reads_more_slowly_than_is_sent_is_not_dead_while_it_reads() {
    for part in [0.2, 0.5, 0.95] {
        for room in [64e3, 131e3, 2e6] {
            // In lumps of a second and a half, as small windows open again.
            let reads = |t: f64| (t / 1.5).floor() * 1.5 * 50e3 * part;
            let slow = rarely_acknowledged(f64::INFINITY, 400.0, room, reads);
            assert_eq!(dead_after(200, RTMP_ACK_WINDOW_BYTES, slow), None, "{part} {room}");
        }
    }
}

#[test]
fn a_path_that_stalls_in_front_of_a_reader_is_given_its_time() {
    // From 30 s on nothing gets through for 4 s; before, the window had shrunk for good.
    let stalls = |t: f64| {
        let passed = if t < 30.0 { t } else { 30.0 + (t - 34.0).max(0.0) };
        PathSample {
            written_bytes: (t * 50e3) as u64,
            tcp_unacknowledged_bytes: Some(((t - passed) * 50e3) as u64),
            tcp_acknowledged_bytes: (passed * 50e3) as u64,
            tcp_window_bytes: Some(if t < 10.0 { 65_536 } else { 40_960 }),
            ..PathSample::default()
        }
    };
    assert_eq!(dead_after(60, 0, stalls), None);
}

#[test]
fn a_burst_after_a_rest_is_given_its_time() {
    let burst = |t: f64| {
        let sent = if t < 10.0 { t * 50e3 } else { 500e3 };
        let more = if t >= 100.0 { 300e3 } else { 0.0 };
        let arrived = ((t - 103.0).max(0.0) * 100e3 + 60e3).min(more);
        PathSample {
            written_bytes: (sent + more) as u64,
            tcp_unacknowledged_bytes: Some((more - arrived) as u64),
            tcp_acknowledged_bytes: (sent + arrived) as u64,
            tcp_window_bytes: Some(if (100.0..103.0).contains(&t) { 0 } else { 65_536 }),
            ..PathSample::default()
        }
    };
    assert_eq!(dead_after(130, 0, burst), None);
}

#[test]
fn a_slow_path_is_not_dead_while_it_moves() {
    // 20 kB/s get through, so that a window takes 5 s; the rest waits in our kernel.
    let window = f64::from(RTMP_ACK_WINDOW_BYTES);
    let slow = |t: f64| {
        let arrived = t * 20e3;
        PathSample {
            written_bytes: (arrived + 400e3) as u64,
            unsent_bytes: 100_000,
            server_acknowledged_bytes: (arrived > window)
                .then_some(((arrived / window).floor() * window) as u64),
            tcp_unacknowledged_bytes: Some(400_000),
            tcp_acknowledged_bytes: arrived as u64,
            ..PathSample::default()
        }
    };
    assert_eq!(dead_after(120, RTMP_ACK_WINDOW_BYTES, slow), None);
}

#[test]
fn a_server_is_not_blamed_for_what_waits_behind_a_lost_segment() {
    // From 10 s on all arrives but one segment, which is repaired after 6 s.
    let window = 50_000;
    let lossy = |t: f64| {
        let sent = (t * 50e3) as u64;
        let read = if (10.0..16.0).contains(&t) { 500_000 } else { sent };
        PathSample {
            written_bytes: sent,
            server_acknowledged_bytes: Some(read / window * window),
            tcp_unacknowledged_bytes: Some(u64::from(read < sent) * 1_448),
            tcp_acknowledged_bytes: read,
            tcp_sacked_bytes: (sent - read).saturating_sub(1_448),
            ..PathSample::default()
        }
    };
    assert_eq!(dead_after(30, window as u32, lossy), None);
}

#[test]
fn a_rest_of_the_stream_is_no_silence_of_the_server() {
    // Media for 10 s, none for 20 s, and then a large key frame of which nothing has arrived yet.
    let rested = |t: f64| {
        let sent = t.min(10.0) * 50e3;
        let burst = if t >= 30.0 { 300e3 } else { 0.0 };
        let late = if t >= 32.0 { burst } else { 0.0 };
        PathSample {
            written_bytes: (sent + burst) as u64,
            server_acknowledged_bytes: (sent > 0.0).then_some((sent + late) as u64),
            tcp_unacknowledged_bytes: Some((burst - late) as u64),
            tcp_acknowledged_bytes: (sent + late) as u64,
            ..PathSample::default()
        }
    };
    assert_eq!(dead_after(60, RTMP_ACK_WINDOW_BYTES, rested), None);
}

#[test]
fn a_cut_path_is_noticed_by_the_kernels_acknowledgements_alone() {
    let dead = dead_after(40, 0, |t| PathSample {
        written_bytes: (t * 50_000.0) as u64,
        tcp_unacknowledged_bytes: Some(if t < 10.0 { 0 } else { 1 }),
        tcp_acknowledged_bytes: (t.min(10.0) * 50_000.0) as u64,
        ..PathSample::default()
    });
    assert!((14.0..=15.0).contains(&dead.unwrap()), "{dead:?}");
}

#[test]
fn a_stream_that_has_nothing_to_send_is_not_dead() {
    assert_eq!(dead_after(60, 0, |_| PathSample::default()), None);
}

#[test]
fn a_slow_server_that_keeps_acknowledging_is_not_dead() {
    let slow = |t: f64| PathSample {
        written_bytes: 4_000_000,
        unsent_bytes: 100_000,
        server_acknowledged_bytes: Some((t / 4.0) as u64 * 10_000),
        tcp_unacknowledged_bytes: Some(1_000),
        tcp_acknowledged_bytes: (t * 2.0) as u64,
        ..PathSample::default()
    };
    // The writer stands still, but only because the peer is slow: give it moving bytes.
    assert_eq!(
        dead_after(60, RTMP_ACK_WINDOW_BYTES, |t| PathSample {
            written_bytes: 4_000_000 + t as u64,
            ..slow(t)
        }),
        None
    );
}

#[test]
fn media_counts_as_delivered_only_when_the_peer_acknowledged_it() {
    let mut delivery = Delivery::new(Duration::ZERO);
    delivery.publish_starts(Duration::ZERO);
    delivery.media_ends_at(5_000);
    let written = PathSample {
        written_bytes: 6_000,
        tcp_unacknowledged_bytes: Some(6_000),
        ..PathSample::default()
    };
    delivery.observe(Duration::ZERO, &written, 0);
    assert!(!delivery.media_delivered());
    let acknowledged = PathSample { server_acknowledged_bytes: Some(5_000), ..written };
    delivery.observe(CLOSED_AT_ONCE, &acknowledged, 0);
    assert!(delivery.media_delivered());
}

#[test]
fn a_server_that_acknowledges_at_once_may_still_close_because_of_the_key() {
    let mut delivery = Delivery::new(Duration::ZERO);
    let started_at = Duration::from_secs(7);
    delivery.publish_starts(started_at);
    delivery.media_ends_at(5_000);
    let acknowledged = PathSample {
        written_bytes: 6_000,
        server_acknowledged_bytes: Some(6_000),
        ..PathSample::default()
    };
    for after in [Duration::from_millis(20), CLOSED_AT_ONCE - Duration::from_millis(1)] {
        delivery.observe(started_at + after, &acknowledged, 0);
        assert!(!delivery.media_delivered(), "{after:?}");
    }
    delivery.observe(started_at + CLOSED_AT_ONCE, &acknowledged, 0);
    assert!(delivery.media_delivered());
}

#[test]
fn what_a_server_acknowledges_before_it_accepts_proves_nothing() {
    let mut delivery = Delivery::new(Duration::ZERO);
    delivery.media_ends_at(5_000);
    let acknowledged = |bytes| PathSample {
        written_bytes: 20_000,
        tcp_unacknowledged_bytes: Some(9_000),
        server_acknowledged_bytes: Some(bytes),
        ..PathSample::default()
    };
    delivery.observe(Duration::ZERO, &acknowledged(6_000), 0);
    assert!(!delivery.media_delivered(), "it has not accepted yet");
    delivery.publish_starts(Duration::ZERO);
    delivery.media_ends_at(15_000);
    delivery.observe(CLOSED_AT_ONCE, &acknowledged(6_000), 0);
    assert!(!delivery.media_delivered(), "that was sent before");
    delivery.observe(CLOSED_AT_ONCE, &acknowledged(15_000), 0);
    assert!(delivery.media_delivered());
}

#[test]
fn a_server_that_never_acknowledges_has_the_stream_after_a_second_of_undisturbed_sending() {
    let mut delivery = Delivery::new(Duration::ZERO);
    delivery.publish_starts(Duration::from_secs(5));
    delivery.media_ends_at(5_000);
    // On a long path something is always on the way.
    let taken = PathSample {
        written_bytes: 9_000,
        tcp_unacknowledged_bytes: Some(4_000),
        ..PathSample::default()
    };
    let last = Duration::from_secs(5) + UNACKNOWLEDGED_LIVE;
    delivery.observe(last - Duration::from_millis(1), &taken, 0);
    assert!(!delivery.media_delivered());
    delivery.observe(last, &taken, 0);
    assert!(delivery.media_delivered());
}
