//! What follows from settings: what to capture, and where to publish.

use std::sync::Arc;

use crate::capture;
use crate::config::{self, Settings};
use crate::publish::Target;
use crate::publish::tls::Policy;

use super::Destination;

/// What to capture: the board's own, with the settings on top.
pub(super) fn request(board: &capture::Request, settings: &Settings) -> capture::Request {
    let mut request = board.clone();
    let put = |field: &mut u32, value: Option<u32>| *field = value.unwrap_or(*field);
    put(&mut request.video.width, settings.video.width);
    put(&mut request.video.height, settings.video.height);
    put(&mut request.video.fps, settings.video.fps);
    put(&mut request.video.bitrate_kbps, settings.video.bitrate_kbps);
    request.video.bitrate_kbps = request.video.bitrate_kbps.min(board.video.bitrate_max_kbps);
    put(&mut request.video.keyframe_interval_ms, settings.video.keyframe_interval_ms);
    put(&mut request.audio.bitrate_kbps, settings.audio.bitrate_kbps);
    put(&mut request.audio.channels, settings.audio.channels);
    request.look = capture::Look {
        name: settings.name.clone(),
        slate: settings.slate_picture.clone(),
        clock: settings.overlay.clock,
        text: settings.overlay.text.clone(),
        logo: settings.overlay.logo.clone(),
    };
    request.start_without = capture::StartWithout {
        camera: settings.start_without_camera,
        microphone: settings.start_without_microphone,
    };
    request
}

/// A destination. One that lacks something, or cannot be used, waits for better settings; what is
/// wrong with it is told in the log.
pub(super) fn destination(from: &config::Destination) -> Destination {
    let name = from.name.clone();
    let policy = Policy {
        ca_file: from.ca_file.clone(),
        pinned_key: from.pinned_key,
        strict: from.strict_tls,
    };
    let made = |ingest| {
        Target::new(ingest, &policy, from.allow_plain)
            .inspect_err(|error| tracing::warn!(destination = name, "{error}"))
            .ok()
            .map(Arc::new)
    };
    let target = match from.ingest() {
        Ok(ingest) => made(ingest),
        Err(config::NotReady::NoKey | config::NotReady::NoAddress) => None,
        Err(error) => {
            tracing::warn!(destination = name, "{error}");
            None
        }
    };
    // What is missing is told above already.
    let backup = from.backup_ingest().ok().flatten().and_then(made);
    Destination { name: from.name.clone(), target, backup, made_of: Some(from.clone()) }
}
