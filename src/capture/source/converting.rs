//! A source's converter while it works: it is asked for the colours of the camera.

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::VideoInfo;

use super::{
    description::VIDEO_HEAD,
    watched::{Place, Watched, sink},
};
use crate::capture::{
    choice::Choice,
    convert::{CONVERTED, CONVERTER, ConverterSpec, probe::is_tried_with},
    gst::{build::Running, bus::Failure},
};

/// Watches the converter of a pipeline that does not run yet, and holds it to the colours of the camera.
pub fn watch_converter(
    spec: &'static ConverterSpec,
    choice: &Choice<ConverterSpec>,
    running: &Running,
    failure: &Failure,
) -> Watched<ConverterSpec> {
    let (entry, exit) = (sink(running, VIDEO_HEAD), sink(running, CONVERTED));
    let place = Place { name: CONVERTER, entry: entry.clone(), exit };
    let watched = Watched::new(spec, choice, running, place);
    if let Some(pad) = entry {
        // What follows is fixed. The camera must not negotiate again, and wait for a converter that hangs.
        pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, |_, info| {
            match info.event().map(|event| event.type_()) {
                Some(gst::EventType::Reconfigure) => gst::PadProbeReturn::Handled,
                _ => gst::PadProbeReturn::Ok,
            }
        });
        let on_frame = watched.on_frame();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            on_frame();
            gst::PadProbeReturn::Ok
        });
    }
    let wanted = running.optional_element::<gst::Element>(CONVERTED);
    if let (Some(pad), Some(wanted)) = (sink(running, CONVERTER), wanted) {
        let refuse = watched.on_refusal(failure);
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            let Some(gst::EventView::Caps(event)) = info.event().map(|event| event.view()) else {
                return gst::PadProbeReturn::Ok;
            };
            // Before the converter is: what its caps leave open it chooses by itself.
            if let Ok(camera) = VideoInfo::from_caps(event.caps()) {
                let colours = camera.colorimetry();
                if !is_tried_with(&colours) {
                    refuse(format!("{} was not tried with the colours {colours}", spec.element));
                    return gst::PadProbeReturn::Handled;
                }
                let mut caps = wanted.property::<gst::Caps>("caps");
                caps.make_mut().set("colorimetry", colours.to_string());
                wanted.set_property("caps", caps);
            }
            gst::PadProbeReturn::Ok
        });
    }
    watched
}
