use super::*;

const A: &str = "192.0.2.1:1935";
const B: &str = "192.0.2.2:1935";
const C: &str = "[2001:db8::3]:1935";
const CERTAIN: PathEnd = PathEnd::LargeLost(Finding::Certain);
const LIKELY: PathEnd = PathEnd::LargeLost(Finding::Likely);
const GUESSED: PathEnd = PathEnd::LargeLost(Finding::Guess);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn usual(text: &str) -> Path {
    Path { address: address(text), segments: Segments::Usual }
}

fn small(text: &str) -> Path {
    Path { address: address(text), segments: Segments::Small }
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// In which order an attempt that begins now tries these.
fn order(paths: &Paths, now: Duration, found: &[&str]) -> Vec<String> {
    let found: Vec<_> = found.iter().map(|text| address(text)).collect();
    let candidates = paths.candidates(now, &mut paths.begin(now), &found);
    candidates.iter().map(|candidate| candidate.address.to_string()).collect()
}

#[test]
fn an_address_that_failed_comes_after_the_others_in_whatever_order_they_are_found() {
    for how in [PathEnd::Failed, PathEnd::Silent] {
        let mut paths = Paths::default();
        paths.handle_ended(s(0), usual(A), how, false);
        assert_eq!(order(&paths, s(1), &[A, C, B]), [C, B, A], "{how:?}");
        assert_eq!(order(&paths, s(1), &[B, A, C]), [B, C, A], "{how:?}");
    }
}

#[test]
fn of_addresses_that_failed_the_one_that_worked_before_is_first_and_then_they_take_turns() {
    let mut paths = Paths::default();
    paths.handle_ended(s(0), usual(A), PathEnd::Silent, false);
    paths.handle_accepted(s(6), usual(B));
    paths.handle_ended(s(90), usual(B), PathEnd::Silent, true);
    assert_eq!(order(&paths, s(90), &[A, B]), [B, A]);
    let mut tried = Vec::new();
    for now in [91, 97, 103, 109].map(s) {
        let first = order(&paths, now, &[A, B]).remove(0);
        paths.handle_ended(now, usual(&first), PathEnd::Silent, false);
        tried.push(first);
    }
    assert_eq!(tried, [B, A, B, A]);
}

#[test]
fn what_is_held_against_an_address_ends_with_its_first_success_and_with_time() {
    let mut paths = Paths::default();
    paths.handle_ended(s(0), usual(A), PathEnd::Failed, false);
    paths.handle_ended(s(0), usual(B), PathEnd::Failed, false);
    paths.handle_accepted(s(9), usual(A));
    assert_eq!(order(&paths, s(10), &[B, A]), [A, B]);
    assert_eq!(order(&paths, ADDRESS_AVOIDED_FOR, &[B, A]), [B, A]);
}

#[test]
fn words_of_the_server_are_not_held_against_its_address() {
    let mut paths = Paths::default();
    paths.handle_ended(s(0), usual(A), PathEnd::Fine, false);
    assert_eq!(order(&paths, s(1), &[A, B]), [A, B]);
}

#[test]
fn an_address_that_is_avoided_cannot_win_by_being_near() {
    let mut paths = Paths::default();
    paths.handle_ended(s(0), usual(A), PathEnd::Silent, false);
    let found = [A, B, C].map(address);
    let candidates = paths.candidates(s(1), &mut paths.begin(s(1)), &found);
    let waits = candidates.iter().map(|candidate| candidate.after);
    assert_eq!(
        waits.collect::<Vec<_>>(),
        [HAPPY_EYEBALLS_DELAY, HAPPY_EYEBALLS_DELAY, AVOIDED_ADDRESS_DELAY]
    );
}

#[test]
fn of_more_addresses_than_are_tried_those_that_failed_are_left_out() {
    let found: Vec<_> = (1..=20).map(|n| format!("192.0.2.{n}:1935")).collect();
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    let mut paths = Paths::default();
    for text in &found[..8] {
        paths.handle_ended(s(0), usual(text), PathEnd::Failed, false);
    }
    assert_eq!(order(&paths, s(1), &found), found[8..16]);
}

#[test]
fn names_that_give_other_addresses_each_time_do_not_fill_the_memory() {
    let mut paths = Paths::default();
    for n in 0..1_000_u64 {
        let text = format!("[2001:db8::{n:x}]:1935");
        paths.handle_ended(Duration::from_millis(n), usual(&text), PathEnd::Failed, false);
    }
    assert_eq!(paths.known.len(), ADDRESSES_REMEMBERED_MAX);
    assert!(paths.known.iter().all(|known| known.at >= Duration::from_millis(984)), "the latest");
}

/// What one attempt makes of addresses at each of which a connection fails so, after so long.
fn attempt(paths: &mut Paths, found: &[&str], how: PathEnd, each: Duration) -> Vec<Path> {
    let found: Vec<_> = found.iter().map(|text| address(text)).collect();
    let (mut now, mut tries, mut made) = (s(100), paths.begin(s(100)), Vec::new());
    loop {
        let candidates = paths.candidates(now, &mut tries, &found);
        let path = Path { address: candidates[0].address, segments: tries.segments() };
        made.push(path);
        now += each;
        paths.handle_ended(now, path, how, false);
        if !tries.go_on(now, path, how, false) {
            return made;
        }
    }
}

#[test]
fn an_attempt_tries_each_address_once() {
    let made = attempt(&mut Paths::default(), &[A, B, C], PathEnd::Failed, Duration::ZERO);
    assert_eq!(made, [usual(A), usual(B), usual(C)]);
}

#[test]
fn an_attempt_bears_one_silence_and_leaves_a_second_one_to_the_next() {
    let mut paths = Paths::default();
    assert_eq!(attempt(&mut paths, &[A, B, C], PathEnd::Silent, s(5)), [usual(A), usual(B)]);
    assert_eq!(attempt(&mut paths, &[A, B, C], PathEnd::Silent, s(5))[0], usual(C));
}

#[test]
fn a_server_that_spoke_is_not_asked_again_at_its_other_address() {
    let paths = Paths::default();
    let mut tries = paths.begin(s(0));
    paths.candidates(s(0), &mut tries, &[A, B].map(address));
    assert!(!tries.go_on(s(0), usual(A), PathEnd::Fine, true));
    assert!(!tries.go_on(s(0), usual(A), PathEnd::Failed, true), "it came through the handshake");
}

#[test]
fn where_large_packets_are_lost_small_ones_are_tried_at_once_at_the_same_address() {
    for how in [CERTAIN, LIKELY, GUESSED] {
        let made = attempt(&mut Paths::default(), &[A], how, s(2));
        assert_eq!(made, [usual(A), small(A)], "{how:?}");
        let made = attempt(&mut Paths::default(), &[A, B], how, s(2));
        assert_eq!(made, [usual(A), small(A), small(B)], "{how:?}");
    }
}

#[test]
fn small_segments_that_helped_are_kept_for_a_while_and_the_reason_is_given_once() {
    for (how, finding) in [(CERTAIN, Finding::Certain), (LIKELY, Finding::Likely)] {
        let mut paths = Paths::default();
        paths.handle_ended(s(2), usual(A), how, false);
        assert_eq!(paths.handle_accepted(s(3), small(A)), Some(finding));
        assert_eq!(paths.handle_accepted(s(9), small(A)), None);
        // A server that is restarted has nothing to do with it.
        paths.handle_ended(s(20), small(A), PathEnd::Failed, true);
        paths.handle_ended(s(21), small(A), PathEnd::Silent, false);
        assert_eq!(paths.begin(s(30)).segments(), Segments::Small);
        assert_eq!(paths.begin(s(3) + SMALL_SEGMENTS_FOR).segments(), Segments::Usual);
    }
}

#[test]
fn a_stream_that_stalls_while_live_is_begun_again_with_small_segments() {
    let mut paths = Paths::default();
    paths.handle_accepted(s(1), usual(A));
    paths.handle_ended(s(60), usual(A), LIKELY, true);
    assert_eq!(paths.begin(s(61)).segments(), Segments::Small);
    assert_eq!(order(&paths, s(61), &[A, B]), [A, B], "its address is as good as before");
}

#[test]
fn a_path_that_was_only_cut_is_not_called_narrow_and_its_segments_are_the_usual_ones_again() {
    let mut paths = Paths::default();
    paths.handle_ended(s(4), usual(A), GUESSED, false);
    assert_eq!(paths.begin(s(5)).segments(), Segments::Small, "it may be");
    assert_eq!(paths.handle_accepted(s(30), small(A)), None);
    assert_eq!(paths.begin(s(60)).segments(), Segments::Usual);
}

#[test]
fn small_segments_that_did_not_help_are_given_up() {
    let mut paths = Paths::default();
    paths.handle_ended(s(2), usual(A), LIKELY, false);
    paths.handle_ended(s(7), small(A), LIKELY, false);
    assert_eq!(paths.begin(s(8)).segments(), Segments::Usual);
    assert_eq!(order(&paths, s(8), &[A, B]), [B, A], "it is the address after all");

    let mut paths = Paths::default();
    paths.handle_ended(s(2), usual(A), LIKELY, false);
    assert_eq!(paths.handle_accepted(s(3), usual(B)), None);
    assert_eq!(paths.begin(s(4)).segments(), Segments::Usual);
}

#[test]
fn a_handshake_without_an_answer_is_begun_again_with_small_segments_at_the_last_address() {
    let made = attempt(&mut Paths::default(), &[A], PathEnd::NoAnswer, s(5));
    assert_eq!(made, [usual(A), small(A)]);
    // Another address comes first: the far end may be dead. Then it is the next attempt's.
    let mut paths = Paths::default();
    assert_eq!(attempt(&mut paths, &[A, B], PathEnd::NoAnswer, s(5)), [usual(A), usual(B)]);
    assert_eq!(paths.begin(s(111)).segments(), Segments::Small);
}

#[test]
fn small_segments_that_were_guessed_in_vain_are_not_guessed_again_for_a_while() {
    let mut paths = Paths::default();
    assert_eq!(attempt(&mut paths, &[A], PathEnd::NoAnswer, s(5)), [usual(A), small(A)]);
    for _ in 0..3 {
        assert_eq!(
            attempt(&mut paths, &[A], PathEnd::NoAnswer, s(5)),
            [usual(A)],
            "at 100 s again"
        );
    }
    let again = s(110) + NO_GUESS_FOR;
    paths.handle_ended(again, usual(A), PathEnd::NoAnswer, false);
    assert_eq!(paths.begin(again).segments(), Segments::Small);
}

#[test]
fn a_guess_that_helped_at_the_same_address_is_kept_and_one_that_did_not_is_forgotten() {
    for how in [PathEnd::NoAnswer, GUESSED] {
        let mut paths = Paths::default();
        paths.handle_ended(s(5), usual(A), how, false);
        assert_eq!(paths.handle_accepted(s(6), small(A)), Some(Finding::Guess), "{how:?}");
        assert_eq!(paths.begin(s(9)).segments(), Segments::Small);
        assert_eq!(paths.begin(s(6) + SMALL_SEGMENTS_FOR).segments(), Segments::Usual);

        for (path, when) in [(small(B), s(6)), (usual(A), s(6)), (small(A), s(5) + GUESS_HOLDS_FOR)]
        {
            let mut paths = Paths::default();
            paths.handle_ended(s(5), usual(A), how, false);
            assert_eq!(paths.handle_accepted(when, path), None, "{how:?} {path:?}");
            assert_eq!(paths.begin(s(60)).segments(), Segments::Usual);
        }
    }
}

#[test]
fn a_name_with_many_addresses_behind_a_narrow_path_ends_with_small_segments() {
    let mut paths = Paths::default();
    let mut in_vain = 0;
    for n in 0..5 {
        let (now, found) = (s(12 * n), [A, B, C].map(address));
        let mut tries = paths.begin(now);
        for later in [5, 10] {
            let first = paths.candidates(now, &mut tries, &found)[0].address;
            let path = Path { address: first, segments: tries.segments() };
            if path.segments == Segments::Small {
                paths.handle_accepted(now + s(1), path);
                break;
            }
            in_vain += 1;
            paths.handle_ended(now + s(later), path, PathEnd::NoAnswer, false);
            if !tries.go_on(now + s(later), path, PathEnd::NoAnswer, false) {
                break;
            }
        }
    }
    assert!(in_vain <= 4, "{in_vain}");
    assert_eq!(paths.begin(s(60)).segments(), Segments::Small);
}
