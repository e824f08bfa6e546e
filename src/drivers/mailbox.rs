//! Where the capture leaves its events for the loop: it never waits, and no event that matters is
//! lost, however many come.
//!
//! A newer event of the same kind takes the place of one that was not read yet. So what waits is
//! bounded by the kinds of events, not by how fast the loop reads.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::capture::CaptureEvent;
use crate::limits::CAPTURE_NOTES_MAX;

/// The events that wait, with the runs that they are of, in their order.
#[derive(Default)]
pub(super) struct Mailbox {
    waiting: Mutex<VecDeque<(u64, CaptureEvent)>>,
    arrived: Notify,
}

impl Mailbox {
    /// From any thread.
    pub(super) fn put(&self, run: u64, event: CaptureEvent) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        replace_or_push(&mut waiting, run, event);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Returns when there may be something to read.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// The next event that was not read yet.
    pub(super) fn next(&self) -> Option<(u64, CaptureEvent)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

fn replace_or_push(waiting: &mut VecDeque<(u64, CaptureEvent)>, run: u64, event: CaptureEvent) {
    if let CaptureEvent::Error { fault, .. } = &event {
        // The first error is the cause of those after it.
        let is_known = |(of, other): &(u64, CaptureEvent)| {
            *of == run
                && matches!(other, CaptureEvent::Error { fault: other, .. } if other == fault)
        };
        if waiting.iter().any(is_known) {
            return;
        }
    }
    waiting.retain(|(of, other)| *of != run || !replaces(&event, other));
    let is_note = |(_, other): &(u64, CaptureEvent)| matches!(other, CaptureEvent::LeftOut { .. });
    if matches!(event, CaptureEvent::LeftOut { .. })
        && waiting.iter().filter(|other| is_note(other)).count() >= CAPTURE_NOTES_MAX
        && let Some(oldest) = waiting.iter().position(is_note)
    {
        waiting.remove(oldest);
    }
    waiting.push_back((run, event));
}

/// Whether who reads the newer event need not read the older one.
fn replaces(newer: &CaptureEvent, older: &CaptureEvent) -> bool {
    use CaptureEvent::{Exchange, SourceBack, SourceLost};
    match (newer, older) {
        (SourceLost(source) | SourceBack(source), SourceLost(of) | SourceBack(of)) => source == of,
        (Exchange { source, .. }, Exchange { source: of, .. }) => source == of,
        (newer, older) => newer == older,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Fault, Source};

    fn error(message: &str) -> CaptureEvent {
        CaptureEvent::Error { fault: Fault::Encoder, message: message.to_owned() }
    }

    fn read(mailbox: &Mailbox) -> Vec<(u64, CaptureEvent)> {
        std::iter::from_fn(|| mailbox.next()).collect()
    }

    #[test]
    fn what_nobody_reads_for_a_long_time_is_bounded_and_loses_no_first_key_no_error_and_no_source()
    {
        let mailbox = Mailbox::default();
        mailbox.put(1, CaptureEvent::Playing);
        mailbox.put(1, CaptureEvent::FirstKey);
        for n in 0..10_000 {
            mailbox.put(1, CaptureEvent::SourceLost(Source::Camera));
            mailbox.put(1, CaptureEvent::SourceLost(Source::Microphone));
            mailbox.put(1, CaptureEvent::SourceBack(Source::Camera));
            mailbox.put(1, error(&format!("error {n}")));
            mailbox.put(1, CaptureEvent::LeftOut { message: format!("note {n}") });
        }
        mailbox.put(1, CaptureEvent::Ended);
        let read = read(&mailbox);
        assert!(read.len() <= CAPTURE_NOTES_MAX + 6, "{} events wait", read.len());
        let events: Vec<&CaptureEvent> = read.iter().map(|(_, event)| event).collect();
        assert_eq!(events[..2], [&CaptureEvent::Playing, &CaptureEvent::FirstKey]);
        assert_eq!(events.last(), Some(&&CaptureEvent::Ended));
        for expected in [
            CaptureEvent::SourceLost(Source::Microphone),
            CaptureEvent::SourceBack(Source::Camera),
            error("error 0"),
            CaptureEvent::LeftOut { message: "note 9999".to_owned() },
        ] {
            assert!(events.contains(&&expected), "{expected:?} is lost");
        }
        assert!(!events.contains(&&CaptureEvent::SourceLost(Source::Camera)), "that is over");
    }

    #[test]
    fn the_event_of_one_run_does_not_replace_that_of_another() {
        let mailbox = Mailbox::default();
        for run in [1, 2] {
            mailbox.put(run, CaptureEvent::FirstKey);
            mailbox.put(run, error("device reset"));
        }
        let runs: Vec<u64> = read(&mailbox).into_iter().map(|(run, _)| run).collect();
        assert_eq!(runs, [1, 1, 2, 2]);
    }

    #[tokio::test]
    async fn who_looks_later_learns_that_something_arrived() {
        let mailbox = Mailbox::default();
        mailbox.put(7, CaptureEvent::FirstKey);
        mailbox.arrived().await;
        assert_eq!(mailbox.next(), Some((7, CaptureEvent::FirstKey)));
        assert_eq!(mailbox.next(), None);
    }
}
