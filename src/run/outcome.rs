//! How an attempt ended, in the words of the appliance's policy and of the exit code.

use crate::appliance::{EndKind, PipelineFault, Source};
use crate::capture::{self, CaptureError};
use crate::publish::{CertificateFault, PublishError};
use crate::rtmp::{self, ErrorKind, Refusal};
use crate::status::DueTo;
use crate::stream;

/// What the appliance's policy makes of an error.
pub fn end_kind(error: &PublishError) -> EndKind {
    match error {
        PublishError::Trust(_) | PublishError::PlainNotAllowed { .. } => EndKind::BadDestination,
        PublishError::NameNotFound { .. }
        | PublishError::NoRoute { .. }
        | PublishError::Refused { .. } => EndKind::Unreachable,
        PublishError::Timeout { .. } => EndKind::Timeout,
        PublishError::Certificate { fault, .. } => {
            use CertificateFault::{ClockNotSet, NotYetValid};
            let not_yet_valid = matches!(fault, NotYetValid { .. } | ClockNotSet { .. });
            EndKind::Certificate { not_yet_valid }
        }
        PublishError::Tls { .. } => EndKind::Certificate { not_yet_valid: false },
        PublishError::Stream(error) => match error {
            stream::Error::Media(_) => EndKind::BadDestination,
            stream::Error::Lost { .. }
            | stream::Error::DeadPath { .. }
            | stream::Error::NotConfirmed { .. }
            | stream::Error::TooSlow => EndKind::Lost,
            stream::Error::BadRedirect { .. } => EndKind::Rejected,
            stream::Error::Rtmp(error) => rtmp_end_kind(error),
        },
    }
}

fn rtmp_end_kind(error: &rtmp::Error) -> EndKind {
    match &error.kind {
        ErrorKind::ClosedByServer => EndKind::ClosedByServer,
        ErrorKind::Timeout => EndKind::Timeout,
        ErrorKind::ServerMisbehaved { .. } => EndKind::Lost,
        _ => match error.refusal() {
            Some(Refusal::KeyRejected) => EndKind::KeyRefused,
            Some(Refusal::KeyBusy) => EndKind::Busy,
            Some(Refusal::Kicked) => EndKind::Kicked,
            Some(Refusal::ServerGoingAway) => EndKind::ClosedByServer,
            _ => EndKind::Rejected,
        },
    }
}

/// Whom an error is due to.
pub(super) fn due_to(error: &PublishError) -> DueTo {
    match end_kind(error) {
        EndKind::BadDestination => DueTo::Settings,
        EndKind::Certificate { .. } => DueTo::Tls,
        EndKind::KeyRefused | EndKind::Busy | EndKind::Kicked | EndKind::Rejected => DueTo::Refusal,
        _ => DueTo::Network,
    }
}

/// The appliance's name for a source.
pub(super) fn source(source: capture::Source) -> Source {
    match source {
        capture::Source::Camera => Source::Camera,
        capture::Source::Microphone => Source::Microphone,
    }
}

/// The appliance's name for what kept a capture from starting.
pub(super) fn start_fault(error: &CaptureError) -> PipelineFault {
    match error {
        CaptureError::NoCamera { .. } | CaptureError::FileUnreadable { .. } => {
            PipelineFault::Camera
        }
        CaptureError::NoMicrophone { .. } => PipelineFault::Microphone,
        CaptureError::NoEncoder { .. } | CaptureError::MissingPlugin { .. } => {
            PipelineFault::Encoder
        }
        CaptureError::BadRequest { .. } | CaptureError::Slate(_) | CaptureError::Gstreamer(_) => {
            PipelineFault::Internal
        }
    }
}
