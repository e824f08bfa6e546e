//! From a description to a pipeline that runs.

use std::sync::Arc;

use gstreamer::{self as gst, prelude::*};

use super::{bus::one_line, description::PipelineDescription};
use crate::capture::error::{CaptureError, debian_package};

/// A pipeline that is shut down when its last owner is dropped.
#[derive(Debug, Clone)]
pub struct Running(Arc<Inner>);

#[derive(Debug)]
struct Inner(gst::Pipeline);

impl Drop for Inner {
    fn drop(&mut self) {
        // Nothing can be done about a failure to reach NULL.
        let _ = self.0.set_state(gst::State::Null);
        if let Some(bus) = self.0.bus() {
            bus.unset_sync_handler();
        }
    }
}

/// Why elements in `gst-launch` notation cannot be made into a source; nothing is opened.
pub fn launch_fault(launch: &str) -> Option<String> {
    // Settings of elements that do not exist are faults too.
    let flags = gst::ParseFlags::FATAL_ERRORS;
    let parsed = gst::parse::bin_from_description_full(launch, true, None, flags);
    parsed.err().map(|error| one_line(error.message()))
}

/// Why an element cannot be had.
pub fn element_fault(element: &str) -> Option<String> {
    if gst::ElementFactory::find(element).is_some() {
        return None;
    }
    let (element, package) = (element.to_owned(), debian_package(element));
    Some(CaptureError::MissingPlugin { element, package }.to_string())
}

impl Running {
    /// Builds a pipeline; it does not run yet.
    pub fn build(description: &PipelineDescription) -> Result<Running, CaptureError> {
        gst::init().map_err(|error| CaptureError::Gstreamer(one_line(&error.to_string())))?;
        if let Some(element) =
            description.elements().find(|element| gst::ElementFactory::find(element).is_none())
        {
            let (element, package) = (element.to_owned(), debian_package(element));
            return Err(CaptureError::MissingPlugin { element, package });
        }
        let element = gst::parse::launch(&description.to_string())
            .map_err(|error| CaptureError::Gstreamer(one_line(error.message())))?;
        // `parse::launch` returns a bare element for a description of a single one.
        let pipeline = element
            .downcast::<gst::Pipeline>()
            .map_err(|_| CaptureError::Gstreamer("the description is not a pipeline".to_owned()))?;
        Ok(Running(Arc::new(Inner(pipeline))))
    }

    /// Stops it and frees its devices, even while it has other owners.
    pub fn shut_down(&self) {
        let _ = self.pipeline().set_state(gst::State::Null);
    }

    pub fn pipeline(&self) -> &gst::Pipeline {
        &self.0.0
    }

    /// An element of the pipeline, by its name.
    pub fn element<E: IsA<gst::Element>>(&self, name: &str) -> Result<E, CaptureError> {
        self.optional_element(name)
            .ok_or_else(|| CaptureError::Gstreamer(format!("the pipeline has no {name}")))
    }

    /// The same for an element that may be missing.
    pub fn optional_element<E: IsA<gst::Element>>(&self, name: &str) -> Option<E> {
        self.pipeline().by_name(name)?.downcast().ok()
    }

    /// Starts it. The reason for a failure is posted on the bus.
    pub fn play(&self) -> Result<(), CaptureError> {
        match self.pipeline().set_state(gst::State::Playing) {
            Ok(_) => Ok(()),
            Err(_) => Err(CaptureError::Gstreamer("an element does not start".to_owned())),
        }
    }
}
