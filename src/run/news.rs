//! What the capture tells the loop: it never waits, and nothing that matters is ever lost, however
//! much else there is to hear.
//!
//! A newer word about the same thing takes the place of one that was not heard yet. So what waits is
//! bounded by what there is to tell, not by how fast the loop listens.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::capture::CaptureEvent;
use crate::limits::CAPTURE_NOTES_MAX;

/// The words that wait, with the runs that they are of, in their order.
#[derive(Default)]
pub(super) struct News {
    waiting: Mutex<VecDeque<(u64, CaptureEvent)>>,
    came: Notify,
}

impl News {
    /// From any thread.
    pub(super) fn tell(&self, run: u64, event: CaptureEvent) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        take_up(&mut waiting, run, event);
        drop(waiting);
        self.came.notify_one();
    }

    /// Returns when there may be something to hear.
    pub(super) async fn came(&self) {
        self.came.notified().await;
    }

    /// The next word that was not heard yet.
    pub(super) fn next(&self) -> Option<(u64, CaptureEvent)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

fn take_up(waiting: &mut VecDeque<(u64, CaptureEvent)>, run: u64, event: CaptureEvent) {
    if let CaptureEvent::Error { fault, .. } = &event {
        // The first error is the cause of those after it.
        let is_known = |(of, told): &(u64, CaptureEvent)| {
            *of == run && matches!(told, CaptureEvent::Error { fault: told, .. } if told == fault)
        };
        if waiting.iter().any(is_known) {
            return;
        }
    }
    waiting.retain(|(of, told)| *of != run || !replaces(&event, told));
    let is_note = |(_, told): &(u64, CaptureEvent)| matches!(told, CaptureEvent::LeftOut { .. });
    if matches!(event, CaptureEvent::LeftOut { .. })
        && waiting.iter().filter(|told| is_note(told)).count() >= CAPTURE_NOTES_MAX
        && let Some(oldest) = waiting.iter().position(is_note)
    {
        waiting.remove(oldest);
    }
    waiting.push_back((run, event));
}

/// Whether who hears the newer word need not hear the older one.
fn replaces(newer: &CaptureEvent, older: &CaptureEvent) -> bool {
    use CaptureEvent::{SourceBack, SourceLost};
    match (newer, older) {
        (SourceLost(source) | SourceBack(source), SourceLost(of) | SourceBack(of)) => source == of,
        (newer, older) => newer == older,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Fault, Source};

    fn error(said: &str) -> CaptureEvent {
        CaptureEvent::Error { fault: Fault::Encoder, message: said.to_owned() }
    }

    fn heard(news: &News) -> Vec<(u64, CaptureEvent)> {
        std::iter::from_fn(|| news.next()).collect()
    }

    #[test]
    fn what_nobody_hears_for_a_long_time_is_bounded_and_loses_no_first_key_no_error_and_no_source()
    {
        let news = News::default();
        news.tell(1, CaptureEvent::Playing);
        news.tell(1, CaptureEvent::FirstKey);
        for n in 0..10_000 {
            news.tell(1, CaptureEvent::SourceLost(Source::Camera));
            news.tell(1, CaptureEvent::SourceLost(Source::Microphone));
            news.tell(1, CaptureEvent::SourceBack(Source::Camera));
            news.tell(1, error(&format!("error {n}")));
            news.tell(1, CaptureEvent::LeftOut { message: format!("note {n}") });
        }
        news.tell(1, CaptureEvent::Ended);
        let heard = heard(&news);
        assert!(heard.len() <= CAPTURE_NOTES_MAX + 6, "{} words wait", heard.len());
        let events: Vec<&CaptureEvent> = heard.iter().map(|(_, event)| event).collect();
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
    fn the_word_of_one_run_does_not_replace_that_of_another() {
        let news = News::default();
        for run in [1, 2] {
            news.tell(run, CaptureEvent::FirstKey);
            news.tell(run, error("device reset"));
        }
        let runs: Vec<u64> = heard(&news).into_iter().map(|(run, _)| run).collect();
        assert_eq!(runs, [1, 1, 2, 2]);
    }

    #[tokio::test]
    async fn who_listens_later_hears_that_something_came() {
        let news = News::default();
        news.tell(7, CaptureEvent::FirstKey);
        news.came().await;
        assert_eq!(news.next(), Some((7, CaptureEvent::FirstKey)));
        assert_eq!(news.next(), None);
    }
}
