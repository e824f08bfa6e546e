//! A stick that is pulled out, or that stops answering: either way its owner hears what became of it.

use std::process;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

use nix::sys::signal::{SigSet, Signal};

use crate::cli::exit::{Code, Failure};
use crate::limits::STICK_PATIENCE;

use super::running::RunningBox;

/// What an import is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The stick is read, and nothing is changed yet.
    Reading,
    /// The settings are stored and taken over; that waits for no stick.
    Storing,
    /// They are in force, and the stick is written to.
    Writing,
    /// They are, and it is waited for a wireless network.
    Joining,
    /// They are not, and the stick is written to.
    WritingRefusal,
}

/// Goes on when the service manager ends this because the stick is gone: what was begun is brought to its
/// end, which takes no time, as reading and writing fail at once then. The processes that this starts do
/// the same. For a program with one thread.
pub fn outlive_the_stick() {
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTERM);
    if let Err(error) = stop.thread_block() {
        tracing::warn!(%error, "an import that is ended may not say what became of it");
    }
}

/// From now on somebody else says what became of the stick, and ends this process, when a stage lasts too
/// long: whoever waits for a stick that does not answer hangs in its driver. Each stage is reported there;
/// dropping it ends that.
pub fn begin(running: Arc<RunningBox>) -> Sender<Stage> {
    let (report, stages) = channel();
    let watching = move || watch(&stages, &running);
    if let Err(error) = thread::Builder::new().name("patience".to_owned()).spawn(watching) {
        tracing::warn!(%error, "nobody notices a stick that does not answer");
    }
    report
}

fn watch(stages: &Receiver<Stage>, running: &RunningBox) {
    let mut stage = Stage::Reading;
    loop {
        let next = match stage {
            Stage::Storing | Stage::Joining => {
                stages.recv().map_err(|_| RecvTimeoutError::Disconnected)
            }
            _ => stages.recv_timeout(STICK_PATIENCE),
        };
        match next {
            Ok(next) => stage = next,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    let (word, words) = given_up(stage);
    running.show(word, words);
    let _ = Failure::new(Code::Settings, words).report();
    process::exit(Code::Settings as i32);
}

/// What is shown of a stick that does not answer.
fn given_up(stage: Stage) -> (&'static str, &'static str) {
    match stage {
        Stage::Reading | Stage::Storing => (
            "refused",
            "the stick does not answer, and nothing was changed; it may be defective: use another one",
        ),
        Stage::Writing | Stage::Joining => (
            "accepted",
            "settings applied, but the stick does not answer any more: it may STILL CONTAIN keys and \
             other secrets, and has no result; it may be defective",
        ),
        Stage::WritingRefusal => (
            "refused",
            "its settings are not in force, and the stick does not answer any more, so that it has no \
             result; it may be defective: use another one",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_stick_that_does_not_answer_it_is_not_claimed_that_its_keys_are_erased() {
        for stage in [Stage::Reading, Stage::Storing, Stage::WritingRefusal] {
            let (word, words) = given_up(stage);
            assert_eq!(word, "refused");
            assert!(words.contains("use another one"), "{words}");
        }
        let (word, words) = given_up(Stage::Writing);
        assert_eq!(word, "accepted");
        assert!(words.contains("may STILL CONTAIN keys") && words.contains("no result"), "{words}");
    }
}
