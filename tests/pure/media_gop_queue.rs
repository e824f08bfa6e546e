//! What a destination's queue promises, in a small notation: `V1` and `A1` are configurations of
//! video and audio (version 1), `K`, `d`, `b` and `a` are a key frame, a delta frame, a
//! disposable frame and audio, each with its time in ms.

use std::time::Duration;

use firstmile::limits::{FORCE_KEY_AGAIN, QUEUE_BYTES_MAX, QUEUE_FRAMES_MAX, QUEUE_TIME_MAX};
use firstmile::media::{Bounds, Codec, Drops, Frame, GopQueue, Kind, QueueStats, Track};

const PAYLOAD_BYTES: usize = 100;

fn frame(word: &str) -> Frame {
    let (letter, number) = word.split_at(1);
    let number: u64 = number.parse().expect("a number after the letter");
    let kind = match letter {
        "V" => Kind::VideoConfig,
        "A" => Kind::AudioConfig,
        "K" => Kind::VideoKey,
        "d" => Kind::VideoDelta,
        "b" => Kind::VideoDisposable,
        "a" => Kind::Audio,
        other => panic!("no such letter: {other}"),
    };
    let codec = if kind.track() == Track::Video { Codec::Avc } else { Codec::Aac };
    let (time_ns, payload) = if kind.is_config() {
        (0, number.to_be_bytes().to_vec())
    } else {
        (number * 1_000_000, vec![0; PAYLOAD_BYTES])
    };
    Frame { kind, codec, pts_ns: time_ns, dts_ns: time_ns, payload: payload.into() }
}

fn word(frame: &Frame) -> String {
    let letter = match frame.kind {
        Kind::VideoConfig => "V",
        Kind::AudioConfig => "A",
        Kind::VideoKey => "K",
        Kind::VideoDelta => "d",
        Kind::VideoDisposable => "b",
        Kind::Audio => "a",
    };
    let number =
        if frame.kind.is_config() { u64::from(frame.payload[7]) } else { frame.dts_ns / 1_000_000 };
    format!("{letter}{number}")
}

/// Pushes all; gives the words at which a key frame was requested.
fn push(queue: &mut GopQueue, words: &str) -> String {
    let requests = words.split_whitespace().filter(|word| queue.push(frame(word)).wants_key);
    requests.collect::<Vec<_>>().join(" ")
}

fn pop(queue: &mut GopQueue, count: usize) -> String {
    let frames = (0..count).map_while(|_| queue.pop());
    frames.map(|frame| word(&frame)).collect::<Vec<_>>().join(" ")
}

fn pop_all(queue: &mut GopQueue) -> String {
    pop(queue, usize::MAX)
}

fn bounded(frames: usize) -> GopQueue {
    GopQueue::new(Bounds { frames, ..Bounds::default() })
}

fn lasting(time_ms: u64) -> GopQueue {
    GopQueue::new(Bounds { time: Duration::from_millis(time_ms), ..Bounds::default() })
}

// ── order and start ───────────────────────────────────────────────────────────────────────────

#[test]
fn frames_come_out_in_the_order_they_went_in() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0 a0 d33 a21 a42 b66 d100");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0 a0 d33 a21 a42 b66 d100");
    push(&mut queue, "a63 d133");
    assert_eq!(pop_all(&mut queue), "a63 d133");
    assert_eq!(queue.stats().frames, 0);
}

#[test]
fn video_starts_with_its_configuration_and_a_key_frame() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 d0 b33");
    assert_eq!(pop_all(&mut queue), "");
    push(&mut queue, "K66 d100");
    assert_eq!(pop_all(&mut queue), "V1 K66 d100");
    assert_eq!(queue.stats().skipped, 2);
}

#[test]
fn a_frame_is_never_sent_without_its_configuration() {
    let mut queue = GopQueue::default();
    push(&mut queue, "K0 a0 d33");
    assert_eq!(pop_all(&mut queue), "");
    push(&mut queue, "V1 d66 a66 A1 K100 a100");
    assert_eq!(pop_all(&mut queue), "V1 A1 K100 a100");
}

#[test]
fn at_the_start_audio_older_than_the_key_frame_is_skipped() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 a0 a21 a42 a64 a85");
    assert_eq!(pop_all(&mut queue), "", "audio waits for the video");
    push(&mut queue, "K50");
    assert_eq!(pop_all(&mut queue), "V1 A1 K50 a64 a85");
    assert_eq!(queue.stats().skipped, 3);
    assert_eq!(queue.stats().dropped, Drops::default(), "nothing was lost");
}

#[test]
fn audio_that_is_late_at_the_start_is_skipped_and_flows_from_the_key_frame_on() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K50");
    assert_eq!(pop_all(&mut queue), "V1 A1 K50");
    push(&mut queue, "a10 a31 a52 a49");
    assert_eq!(pop_all(&mut queue), "a52 a49", "once it flows it is not judged again");
}

#[test]
fn audio_alone_flows_at_once() {
    let mut queue = GopQueue::default();
    push(&mut queue, "A1 a0 a21");
    assert_eq!(pop_all(&mut queue), "A1 a0 a21");
}

#[test]
fn a_video_that_joins_audio_starts_with_its_key_frame_and_does_not_stop_the_audio() {
    let mut queue = GopQueue::default();
    push(&mut queue, "A1 a0");
    assert_eq!(pop_all(&mut queue), "A1 a0");
    push(&mut queue, "V1 d10 a21 d43 a42 K76 a63");
    assert_eq!(pop_all(&mut queue), "a21 a42 V1 K76 a63");
}

#[test]
fn a_video_alone_needs_no_audio() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 K0 d33 K66");
    assert_eq!(pop_all(&mut queue), "V1 K0 d33 K66");
}

// ── configuration ─────────────────────────────────────────────────────────────────────────────

#[test]
fn an_unchanged_configuration_is_not_sent_again() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0 V1 d33 A1 a33 V1 K66");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0 d33 a33 K66");
}

#[test]
fn a_changed_configuration_reaches_the_wire_between_the_frames_it_separates() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0 a0 d33 V2 K66 a42 A2 a63 d100");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0 a0 d33 V2 K66 a42 A2 a63 d100");
}

#[test]
fn a_changed_configuration_survives_the_loss_of_everything_around_it() {
    let mut queue = lasting(150);
    push(&mut queue, "V1 K0");
    assert_eq!(pop_all(&mut queue), "V1 K0");
    push(&mut queue, "d33 V2 K66 d100 V3 K133 d166 K200");
    assert_eq!(pop_all(&mut queue), "V2 K66 d100 V3 K133 d166 K200");
    push(&mut queue, "d233 V4 K266 d300 V5 K333 d366 K400 d433 K466");
    assert_eq!(pop_all(&mut queue), "V5 K333 d366 K400 d433 K466");
}

#[test]
fn a_configuration_that_changed_back_while_frames_were_lost_is_not_sent_again() {
    let mut queue = lasting(50);
    push(&mut queue, "V1 K0");
    assert_eq!(pop_all(&mut queue), "V1 K0");
    push(&mut queue, "V2 K33 d66 V1 K100 d133");
    assert_eq!(pop_all(&mut queue), "K100 d133");
}

#[test]
fn a_new_connection_gets_the_configuration_of_the_gop_it_starts_with() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0 d33 V2");
    queue.restart();
    assert_eq!(pop_all(&mut queue), "V1 A1 K0 d33");
    push(&mut queue, "K66");
    assert_eq!(pop_all(&mut queue), "V2 K66");
}

#[test]
fn configuration_that_changes_for_ever_takes_no_room() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 K0");
    for version in 0..10_000 {
        push(&mut queue, &format!("V{version} A{version}"));
    }
    assert!(queue.stats().frames <= 2);
}

// ── a new connection ──────────────────────────────────────────────────────────────────────────

#[test]
fn a_new_connection_starts_with_the_newest_gop_that_waits() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0 a0 d33 a21 K66 a42 a63 a85 d100");
    assert_eq!(pop(&mut queue, 3), "V1 A1 K0");
    queue.restart();
    assert_eq!(pop_all(&mut queue), "V1 A1 K66 a85 d100");
}

#[test]
fn a_new_connection_waits_for_a_key_frame_when_no_whole_gop_is_left() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0 a0 d33 a21");
    assert_eq!(pop(&mut queue, 3), "V1 A1 K0");
    queue.restart();
    assert_eq!(push(&mut queue, "a42 d66 d100 a100"), "d66", "one request for a key frame");
    assert_eq!(pop_all(&mut queue), "");
    push(&mut queue, "K133 a121 a142");
    assert_eq!(pop_all(&mut queue), "V1 A1 K133 a142");
}

#[test]
fn without_a_connection_only_the_newest_gop_is_kept() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0 a0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0 a0");
    queue.set_connected(false);
    assert_eq!(push(&mut queue, "d33 a33 K66 a66 d100 a80 K133 a120 a141 d166"), "");
    assert_eq!(queue.pop(), None, "nobody to send to");
    assert_eq!(queue.stats().frames, 3);
    queue.set_connected(true);
    assert_eq!(pop_all(&mut queue), "V1 A1 K133 a141 d166");
    assert_eq!(queue.stats().dropped, Drops::default(), "an outage of the link is no congestion");
}

#[test]
fn without_a_connection_a_long_gop_does_not_outgrow_the_bounds() {
    let mut queue = lasting(100);
    queue.set_connected(false);
    push(&mut queue, "V1 K0 d33 d66 d100 d133 d166");
    assert_eq!(queue.stats().frames, 0);
    queue.set_connected(true);
    assert_eq!(push(&mut queue, "d200 d233"), "d200", "the connection asks for a key frame");
    push(&mut queue, "K266");
    assert_eq!(pop_all(&mut queue), "V1 K266");
}

#[test]
fn audio_alone_starts_again_with_the_next_access_unit() {
    let mut queue = GopQueue::default();
    push(&mut queue, "A1 a0 a21 a42");
    queue.restart();
    push(&mut queue, "a64");
    assert_eq!(pop_all(&mut queue), "A1 a64");
    queue.set_connected(false);
    push(&mut queue, "a85 a106");
    queue.set_connected(true);
    push(&mut queue, "a128");
    assert_eq!(pop_all(&mut queue), "A1 a128");
}

#[test]
fn saying_twice_that_a_connection_begins_changes_nothing() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0 a0 K33 a33 d66");
    queue.set_connected(false);
    queue.set_connected(false);
    queue.set_connected(true);
    queue.restart();
    queue.restart();
    assert_eq!(pop_all(&mut queue), "V1 A1 K33 a33 d66");
}

// ── bounds ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn when_full_the_oldest_gop_goes_whole_and_its_audio_stays() {
    let mut queue = bounded(8);
    push(&mut queue, "V1 A1 K0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0");
    push(&mut queue, "d33 a21 d66 a42 K100 a63 d133 a85");
    assert_eq!(queue.stats().dropped, Drops::default());
    push(&mut queue, "d166");
    assert_eq!(pop_all(&mut queue), "a21 a42 K100 a63 d133 a85 d166");
    assert_eq!(queue.stats().dropped, Drops { video_delta: 2, ..Drops::default() });
}

#[test]
fn after_a_loss_video_goes_on_with_a_key_frame_and_audio_goes_on() {
    let mut queue = bounded(4);
    push(&mut queue, "V1 A1 K0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0");
    assert_eq!(push(&mut queue, "d33 a33 d66 b100 d133 a66 d166 b200"), "d133");
    assert_eq!(pop_all(&mut queue), "a33 a66");
    push(&mut queue, "d233 a87 K266 d300");
    assert_eq!(pop_all(&mut queue), "a87 K266 d300");
    let lost = Drops { video_delta: 5, video_disposable: 2, ..Drops::default() };
    assert_eq!(queue.stats().dropped, lost);
}

#[test]
fn the_request_for_a_key_frame_is_repeated_when_it_was_not_met() {
    let mut queue = bounded(2);
    push(&mut queue, "V1 K0");
    assert_eq!(pop_all(&mut queue), "V1 K0");
    assert_eq!(FORCE_KEY_AGAIN, Duration::from_secs(1));
    let requests = push(&mut queue, "d33 d66 d100 d133 d1099 d1100 d1133 d2099 d2100 K2133 d2166");
    assert_eq!(requests, "d100 d1100 d2100");
    assert_eq!(pop_all(&mut queue), "K2133 d2166");
}

#[test]
fn each_loss_and_each_connection_asks_for_a_key_frame_of_its_own() {
    let mut queue = bounded(2);
    push(&mut queue, "V1 K0");
    assert_eq!(pop_all(&mut queue), "V1 K0");
    assert_eq!(push(&mut queue, "d33 d66 d100 K133 d166 d200 d233"), "d100 d200");
    queue.restart();
    assert_eq!(push(&mut queue, "d266 d300"), "d266");
}

#[test]
fn audio_is_dropped_last_and_only_when_it_breaks_a_bound_by_itself() {
    let mut queue = bounded(5);
    push(&mut queue, "V1 A1 K0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0");
    push(&mut queue, "a0 a21 a42 a63 a85 d33 K66 a106 a127");
    assert_eq!(pop_all(&mut queue), "a42 a63 a85 a106 a127");
    let lost = Drops { video_delta: 1, video_key: 1, audio: 2, ..Drops::default() };
    assert_eq!(queue.stats().dropped, lost);
}

#[test]
fn media_time_is_bounded_for_each_track_by_itself() {
    let mut queue = lasting(100);
    push(&mut queue, "V1 A1 K0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0");
    push(&mut queue, "d33 a33 d66 a66 K100 a100 a133");
    assert_eq!(queue.stats().span, Duration::from_millis(100));
    push(&mut queue, "d134");
    assert_eq!(pop_all(&mut queue), "a33 a66 K100 a100 a133 d134");
}

#[test]
fn payload_bytes_are_bounded() {
    let bytes = 10 * PAYLOAD_BYTES;
    let mut queue = GopQueue::new(Bounds { bytes, ..Bounds::default() });
    push(&mut queue, "V1 K0 d1 d2 d3 d4 K5 d6 d7 d8 d9");
    assert_eq!(queue.stats().bytes, bytes);
    push(&mut queue, "d10");
    assert_eq!(queue.stats().bytes, 6 * PAYLOAD_BYTES);
    assert_eq!(queue.stats().high_water.bytes, bytes);
}

#[test]
fn an_access_unit_that_never_fits_is_lost_and_harms_no_bound() {
    let bytes = PAYLOAD_BYTES - 1;
    let mut queue = GopQueue::new(Bounds { bytes, ..Bounds::default() });
    assert_eq!(push(&mut queue, "V1 A1 K0 a0 d33 a33"), "K0");
    assert_eq!(queue.stats().frames, 0);
    assert_eq!(pop_all(&mut queue), "");
}

#[test]
fn a_clock_that_jumps_ahead_costs_no_more_than_what_waited() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0 a0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0 a0");
    push(&mut queue, "d33 a33 K9000066 a9000066 d9000100");
    assert_eq!(pop_all(&mut queue), "K9000066 a9000066 d9000100");
}

#[test]
fn the_bounds_of_the_product_hold_ten_minutes_of_a_dead_link() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0");
    for n in 1..36_000_u64 {
        let kind = if n % 120 == 0 { 'K' } else { 'd' };
        push(&mut queue, &format!("{kind}{} a{}", n * 1_000 / 60, n * 1_000 / 60));
        let QueueStats { frames, bytes, span, .. } = queue.stats();
        assert!(frames <= QUEUE_FRAMES_MAX && bytes <= QUEUE_BYTES_MAX && span <= QUEUE_TIME_MAX);
    }
    let stats = queue.stats();
    assert!(stats.high_water.frames <= QUEUE_FRAMES_MAX);
    assert!(stats.high_water.span > QUEUE_TIME_MAX - Duration::from_millis(100));
}

// ── drops that congestion asks for ────────────────────────────────────────────────────────────

#[test]
fn disposable_frames_go_alone() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0");
    push(&mut queue, "b33 d66 a66 b100 V2 b133 K166 b200");
    assert_eq!(queue.drop_disposable(), Drops { video_disposable: 4, ..Drops::default() });
    assert_eq!(queue.drop_disposable(), Drops::default());
    assert_eq!(push(&mut queue, "b233 d266"), "", "the encoder need not help");
    assert_eq!(pop_all(&mut queue), "d66 a66 V2 K166 b233 d266");
    assert_eq!(queue.stats().bytes, 0);
}

#[test]
fn video_goes_up_to_the_newest_key_frame_that_waits() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0");
    push(&mut queue, "d33 a33 K66 V2 a66 K100 d133 a133");
    let lost = Drops { video_delta: 1, video_key: 1, ..Drops::default() };
    assert_eq!(queue.drop_to_next_key(), lost);
    assert_eq!(queue.drop_to_next_key(), Drops::default(), "nothing older is left");
    assert_eq!(push(&mut queue, "d166"), "");
    assert_eq!(pop_all(&mut queue), "a33 a66 V2 K100 d133 a133 d166");
    assert_eq!(queue.stats().dropped, lost);
}

#[test]
fn without_a_key_frame_that_waits_video_goes_on_with_the_next_one() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0");
    push(&mut queue, "d33 a33 d66");
    assert_eq!(queue.drop_to_next_key(), Drops { video_delta: 2, ..Drops::default() });
    assert!(queue.stats().awaiting_key);
    assert_eq!(push(&mut queue, "a66 d100 d133 K166"), "d100");
    assert_eq!(pop_all(&mut queue), "a33 a66 K166");
    assert_eq!(queue.stats().dropped, Drops { video_delta: 4, ..Drops::default() });
    assert!(!queue.stats().awaiting_key);
}

#[test]
fn paused_video_lets_the_audio_through_and_goes_on_with_a_key_frame() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 A1 K0");
    assert_eq!(pop_all(&mut queue), "V1 A1 K0");
    push(&mut queue, "d33 a33 K66");
    assert_eq!(queue.pause_video(true), Drops { video_delta: 1, video_key: 1, ..Drops::default() });
    assert_eq!(push(&mut queue, "a66 d100 K1500 d1533 V2 K2500 a2500"), "", "no request meanwhile");
    assert_eq!(pop_all(&mut queue), "a33 a66 a2500");
    queue.pause_video(false);
    assert_eq!(push(&mut queue, "d2533 d2566 K2600 d2633"), "d2533");
    assert_eq!(pop_all(&mut queue), "V2 K2600 d2633");
    assert_eq!(queue.stats().dropped.total(), 8);
}

#[test]
fn a_new_connection_is_not_paused() {
    let mut queue = GopQueue::default();
    push(&mut queue, "V1 K0");
    queue.pause_video(true);
    queue.restart();
    push(&mut queue, "K33");
    assert_eq!(pop_all(&mut queue), "V1 K33");
}
