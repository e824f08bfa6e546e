//! The bus of a pipeline, as a small enum.
//!
//! Messages are translated on the thread that posts them and dropped there, so that nothing queues.

use std::sync::{Arc, Mutex, PoisonError};

use gstreamer::{self as gst, prelude::*};

/// What a pipeline says that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusEvent {
    /// An element gave up; nothing comes out any more.
    Error {
        /// What it said, in one line.
        said: String,
    },
    /// Everything has been played.
    Ended,
}

/// Calls `handler` for what matters, on the thread that posts it; it must not block.
pub fn listen(pipeline: &gst::Pipeline, handler: impl Fn(BusEvent) + Send + Sync + 'static) {
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Error(error) => {
                let element = error.src().map_or_else(String::new, |src| src.name().to_string());
                tracing::debug!(%element, debug = ?error.debug(), "{}", error.error());
                handler(BusEvent::Error { said: one_line(&error.error().to_string()) });
            }
            gst::MessageView::Eos(_) => handler(BusEvent::Ended),
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}

/// The first line, without its full stop.
pub fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// Why a pipeline failed; the first reason counts.
#[derive(Debug, Clone, Default)]
pub struct Failure(Arc<Mutex<Option<String>>>);

impl Failure {
    /// Keeps the reason, unless there is one already.
    pub fn note(&self, message: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
    }

    /// The reason, if it failed.
    pub fn message(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The reason, if it failed; reported once.
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
