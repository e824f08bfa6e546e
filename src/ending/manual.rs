//! The tables as they stand in the README, made from the same data that the box uses.

use std::fmt::Write as _;
use std::time::Duration;

use super::evidence::{Again, READINGS, Reading};
use super::meaning::{Meaning, Retry, Row};
use crate::limits::{BACKOFF_FIRST, TAKEN_ROUNDS_MAX, WORDLESS_ENDS_DOUBTED};
use crate::panel::Indication;

/// What each end means, as Markdown.
pub fn table_markdown() -> String {
    let mut text = String::from(
        "| What happened | Meaning | Light | Exit code | Next try |\n|---|---|---|---|---|\n",
    );
    for reading in READINGS.iter().filter(|reading| reading.first != Meaning::Stopped) {
        let mut rows = vec![(String::new(), reading.first)];
        rows.extend(again(reading));
        for (when, meaning) in rows {
            // A command never gets to the second time.
            let code = match when.as_str() {
                "" => format!("{}", reading.once.row().due_to.exit_code()),
                _ => String::new(),
            };
            let Row { name, light, retry, .. } = meaning.row();
            let light = Indication::Retrying { because: *light }.name();
            let words = reading.words;
            let next = next(*retry);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {words}{when} | {name} | {light} | {code} | {next} |");
        }
    }
    text
}

/// What it means later, and when that is.
fn again(reading: &Reading) -> Vec<(String, Meaning)> {
    let in_a_row = format!(", {WORDLESS_ENDS_DOUBTED} times in a row");
    match reading.again {
        Again::Same => Vec::new(),
        Again::Doubt(meaning) => vec![(in_a_row, meaning)],
        Again::DoubtOrHeld(meaning) => vec![
            (", where a stream was live a short time ago".to_owned(), Meaning::Busy),
            (in_a_row, meaning),
        ],
        Again::Round(meaning) => {
            vec![(format!(", {TAKEN_ROUNDS_MAX} times soon after it was accepted"), meaning)]
        }
    }
}

fn next(retry: Retry) -> String {
    let doubled = |most| format!("after {}, doubled up to {}", span(BACKOFF_FIRST), span(most));
    match retry {
        Retry::Doubled(most) => doubled(most),
        Retry::Clock(_) => "when the box knows the time".to_owned(),
        Retry::Steady(wait) => format!("every {}", span(wait)),
        Retry::Never => "when the owner or the settings say so".to_owned(),
    }
}

fn span(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::ending::{Evidence, ROWS};

    /// Every evidence once: the match makes a forgotten one an error of the compiler.
    const ALL: &[Evidence] = {
        use Evidence::*;
        &[
            Stopped,
            BadSettings,
            Unreachable,
            Certificate { not_yet_valid: false },
            Certificate { not_yet_valid: true },
            NoTls,
            NotRtmp,
            Misbehaved,
            Timeout,
            SilentAtPublish,
            Closed,
            ClosedAtConnect,
            ClosedAtPublish,
            ClosedAtOnce,
            ClosedUnconfirmed,
            ClosedWhileLive,
            Reset,
            Lost,
            Unpublished,
            GoingAway,
            Busy,
            BusyWhileLive,
            KeyRefused,
            Rejected,
            Kicked,
        ]
    };

    #[test]
    fn every_evidence_and_every_meaning_has_one_line_in_its_table() {
        let read: HashSet<_> = READINGS.iter().map(|reading| reading.evidence).collect();
        assert_eq!(read.len(), READINGS.len(), "one line each");
        assert_eq!(read, ALL.iter().copied().collect());
        let named: HashSet<_> = ROWS.iter().map(|row| row.meaning).collect();
        assert_eq!(named.len(), ROWS.len(), "one line each");
        for reading in READINGS {
            let of = reading.evidence.reading();
            assert_eq!(of.evidence, reading.evidence);
            for meaning in again(reading).into_iter().map(|(_, meaning)| meaning) {
                assert_eq!(meaning.row().meaning, meaning);
            }
            assert_eq!(reading.first.row().meaning, reading.first);
            assert_eq!(reading.once.row().meaning, reading.once);
        }
    }

    #[test]
    fn the_markdown_has_five_columns_and_names_the_key_where_it_is_doubted() {
        let text = table_markdown();
        assert!(text.lines().all(|line| line.matches('|').count() == 6), "{text}");
        assert!(text.contains("address or stream key probably wrong"), "{text}");
    }
}
