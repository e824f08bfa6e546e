//! The messages of a pipeline that matter here.
//!
//! Messages are handled on the thread that posts them and dropped there, so that none queue up.

use std::sync::{Arc, Mutex, PoisonError};

use gstreamer::{self as gst, prelude::*};

use crate::capture::real_time;

/// A message of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusEvent {
    /// An element failed; nothing more comes out.
    Error {
        /// Why, in one line.
        message: String,
    },
    /// End of stream.
    Ended,
}

/// Calls `handler` on the thread that posts a message; it must not block.
pub fn listen(pipeline: &gst::Pipeline, handler: impl Fn(BusEvent) + Send + Sync + 'static) {
    listen_to_all(pipeline, move |message| handle(message, &handler));
}

/// The same, with the name of the element that posts it.
pub fn listen_to_elements(
    pipeline: &gst::Pipeline,
    handler: impl Fn(&str, BusEvent) + Send + Sync + 'static,
) {
    listen_to_all(pipeline, move |message| {
        let element = message.src().map(|src| src.name());
        handle(message, |event| handler(element.as_deref().unwrap_or_default(), event));
    });
}

/// The same for a pipeline whose threads have real-time scheduling. Each reports itself as it begins
/// and ends, before and after anything else that it does.
pub fn listen_in_real_time(
    pipeline: &gst::Pipeline,
    handler: impl Fn(BusEvent) + Send + Sync + 'static,
) {
    listen_to_all(pipeline, move |message| match message.view() {
        gst::MessageView::StreamStatus(status) => match status.get().0 {
            gst::StreamStatusType::Enter => real_time::begin(),
            gst::StreamStatusType::Leave => real_time::end(),
            _ => {}
        },
        _ => handle(message, &handler),
    });
}

fn listen_to_all(
    pipeline: &gst::Pipeline,
    handler: impl Fn(&gst::Message) + Send + Sync + 'static,
) {
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_, message| {
        handler(message);
        gst::BusSyncReply::Drop
    });
}

fn handle(message: &gst::Message, handler: impl Fn(BusEvent)) {
    match message.view() {
        gst::MessageView::Error(error) => {
            let element = error.src().map_or_else(String::new, |src| src.name().to_string());
            tracing::debug!(%element, debug = ?error.debug(), "{}", error.error());
            handler(BusEvent::Error { message: one_line(&error.error().to_string()) });
        }
        gst::MessageView::Eos(_) => handler(BusEvent::Ended),
        _ => {}
    }
}

/// The first line of a message, without its full stop.
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
