//! How far a request has come, and what the appliance's answers are in words.

use crate::appliance::{GoLive, Stop};
use crate::console::Reply;

/// How far a request has come.
pub(super) enum Progress {
    /// It is answered.
    Answered(Reply),
    /// It is answered by a question.
    Asked,
    /// The store has it.
    Store,
    /// A job is under way.
    Job,
}

pub(super) fn went_live(outcome: &GoLive) -> Reply {
    match outcome {
        GoLive::Begun => Reply::text(["going live"]),
        GoLive::AfterTheLast => Reply::text(["going live as soon as the last one is closed"]),
        GoLive::RetryingNow => Reply::text(["trying again at once"]),
        GoLive::AlreadyLive => Reply::text(["already live"]),
        GoLive::Refused(why) => Reply::error(why.sentence()),
    }
}

pub(super) fn stopped(outcome: Stop) -> Reply {
    Reply::text([match outcome {
        Stop::Nothing => "already stopped",
        Stop::NotByItself => "the box no longer goes live by itself",
        Stop::Ending => "ending the broadcast",
        Stop::AlreadyEnding => "the broadcast is being ended",
        Stop::FaultCleared => "the fault is cleared",
    }])
}
