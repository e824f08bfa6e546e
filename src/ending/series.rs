//! What the ends of one destination show together.

use std::time::Duration;

use super::evidence::{Again, Evidence};
use super::meaning::Meaning;
use crate::limits::{KEY_HELD_FOR, TAKEN_ROUND_MAX, TAKEN_ROUNDS_MAX, WORDLESS_ENDS_DOUBTED};

/// The ends of one destination so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Series {
    /// Ends in a row at which the server refused without saying so.
    doubtful: u32,
    /// Rounds in a row: live for a short time, and ended by the server.
    rounds: u32,
    /// When a stream was live last: the server may have that connection still.
    live_until: Option<Duration>,
}

impl Series {
    /// A destination at which a stream may have been live until now, before this program started.
    pub fn after_power_cut(now: Duration) -> Series {
        Series { live_until: Some(now), ..Series::default() }
    }

    /// Another broadcast begins: what servers did in the last one does not count, but they may still
    /// have its connection.
    pub fn begin(&mut self) {
        *self = Series { live_until: self.live_until, ..Series::default() };
    }

    /// What an end means after those before it. `live_for`: how long the stream was live, if it was.
    pub fn judge(
        &mut self,
        now: Duration,
        evidence: Evidence,
        live_for: Option<Duration>,
    ) -> Meaning {
        let reading = evidence.reading();
        let was_live = self.live_until.is_some_and(|until| now < until + KEY_HELD_FOR);
        if let Some(live_for) = live_for {
            self.live_until = Some(now);
            self.doubtful = 0;
            if live_for >= TAKEN_ROUND_MAX {
                self.rounds = 0;
            }
        }
        let is_doubtful = matches!(reading.again, Again::Doubt(_) | Again::DoubtOrHeld(_));
        if !is_doubtful {
            self.doubtful = 0;
        }
        match reading.again {
            Again::DoubtOrHeld(_) if live_for.is_none() && was_live => Meaning::Busy,
            Again::Doubt(meaning) | Again::DoubtOrHeld(meaning) if live_for.is_none() => {
                self.doubtful = self.doubtful.saturating_add(1);
                if self.doubtful >= WORDLESS_ENDS_DOUBTED { meaning } else { reading.first }
            }
            Again::Round(meaning) if live_for.is_some_and(|live| live < TAKEN_ROUND_MAX) => {
                self.rounds = self.rounds.saturating_add(1);
                if self.rounds >= TAKEN_ROUNDS_MAX { meaning } else { reading.first }
            }
            Again::Same if reading.first.row().network_may_help => {
                self.rounds = 0; // the path breaks: no sign of another encoder
                reading.first
            }
            _ => reading.first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ending::READINGS;

    const SHORT: Option<Duration> = Some(Duration::from_secs(5));

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn closes_without_a_word_at_publish_are_a_wrong_key_from_the_third_on() {
        for evidence in [Evidence::ClosedAtPublish, Evidence::ClosedAtOnce] {
            let mut series = Series::default();
            let judged: Vec<_> =
                (0..4).map(|second| series.judge(at(second), evidence, None)).collect();
            let (first, doubted) = (Meaning::ClosedByServer, Meaning::KeyDoubted);
            assert_eq!(judged, [first, first, doubted, doubted], "{evidence:?}");
        }
    }

    #[test]
    fn a_publish_that_is_never_answered_is_doubted_like_one_that_is_closed() {
        let mut series = Series::default();
        let judged: Vec<_> =
            (0..3).map(|n| series.judge(at(n), Evidence::SilentAtPublish, None)).collect();
        assert_eq!(judged, [Meaning::Timeout, Meaning::Timeout, Meaning::KeyDoubted]);
    }

    #[test]
    fn a_connect_that_is_closed_again_and_again_is_a_wrong_address() {
        let mut series = Series::default();
        let judged = (0..3).map(|n| series.judge(at(n), Evidence::ClosedAtConnect, None)).last();
        assert_eq!(judged, Some(Meaning::AddressDoubted));
    }

    #[test]
    fn an_end_of_another_kind_lets_the_count_begin_again() {
        let mut series = Series::default();
        for other in [Evidence::Unreachable, Evidence::Lost, Evidence::Timeout, Evidence::Busy] {
            for second in 0..2 {
                let meaning = series.judge(at(second), Evidence::ClosedAtPublish, None);
                assert_eq!(meaning, Meaning::ClosedByServer, "{other:?}");
            }
            series.judge(at(2), other, None);
        }
    }

    #[test]
    fn a_server_that_had_the_stream_just_now_has_it_still_and_later_does_not() {
        let mut series = Series::default();
        series.judge(at(100), Evidence::Lost, Some(at(90)));
        for second in 101..110 {
            let meaning = series.judge(at(second), Evidence::ClosedAtOnce, None);
            assert_eq!(meaning, Meaning::Busy, "{second} s");
        }
        let later = 100 + KEY_HELD_FOR.as_secs();
        let judged: Vec<_> =
            (later..later + 3).map(|s| series.judge(at(s), Evidence::ClosedAtOnce, None)).collect();
        assert_eq!(judged.last(), Some(&Meaning::KeyDoubted), "{judged:?}");
    }

    #[test]
    fn a_key_that_is_taken_in_short_rounds_has_another_encoder() {
        for evidence in [
            Evidence::ClosedWhileLive,
            Evidence::Reset,
            Evidence::Unpublished,
            Evidence::BusyWhileLive,
        ] {
            let mut series = Series::default();
            series.judge(at(0), evidence, Some(at(3_600)));
            let judged: Vec<_> = (1..=TAKEN_ROUNDS_MAX.into())
                .map(|n| series.judge(at(n * 6), evidence, SHORT))
                .collect();
            assert_eq!(judged.last(), Some(&Meaning::Contended), "{evidence:?}");
            assert!(!judged[..judged.len() - 1].contains(&Meaning::Contended), "{judged:?}");
            let after = series.judge(at(4_000), evidence, Some(at(60)));
            assert_ne!(after, Meaning::Contended, "it was live for a minute: {evidence:?}");
        }
    }

    #[test]
    fn a_path_that_breaks_is_no_other_encoder() {
        let mut series = Series::default();
        for round in 0..20 {
            series.judge(at(round * 20), Evidence::Reset, SHORT);
            let meaning = series.judge(at(round * 20 + 10), Evidence::Lost, SHORT);
            assert_eq!(meaning, Meaning::Lost);
        }
    }

    #[test]
    fn nothing_but_plain_words_and_settings_is_final_however_often_it_comes() {
        for reading in READINGS {
            for live_for in [None, SHORT, Some(at(600))] {
                let mut series = Series::default();
                for n in 0..50 {
                    let meaning = series.judge(at(n), reading.evidence, live_for);
                    let is_final = meaning.row().retry.wait(n as u32 + 1, true).is_none();
                    let may = matches!(reading.evidence, Evidence::Kicked | Evidence::BadSettings);
                    assert_eq!(is_final, may, "{reading:?}: {meaning:?}");
                }
            }
        }
    }
}
