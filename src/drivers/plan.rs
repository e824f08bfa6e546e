//! What follows from settings: what to capture, and where to publish.

use std::sync::Arc;

use crate::capture;
use crate::config::{self, Settings};
use crate::flv::metadata::Metadata;
use crate::publish::tls::Policy;
use crate::publish::{Learned, PublishError, Target};

/// What to capture: the board's own, with the settings on top, at this bitrate of the video in kbit/s.
pub(super) fn request(
    board: &capture::Request,
    settings: &Settings,
    video_kbps: u32,
) -> capture::Request {
    let mut request = board.clone();
    let (camera, microphone) = (&settings.camera, &settings.microphone);
    request.choose(camera.device.as_ref(), camera.mode, microphone.device.as_ref());
    let put = |field: &mut u32, value: Option<u32>| *field = value.unwrap_or(*field);
    put(&mut request.video.width, settings.video.width);
    put(&mut request.video.height, settings.video.height);
    put(&mut request.video.fps, settings.video.fps);
    request.video.bitrate_kbps = video_kbps;
    put(&mut request.video.keyframe_interval_ms, settings.video.keyframe_interval_ms);
    put(&mut request.audio.bitrate_kbps, settings.audio.bitrate_kbps);
    put(&mut request.audio.channels, settings.audio.channels);
    request.framing = settings.video.framing();
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

/// The metadata that a server gets.
pub(super) fn metadata(request: &capture::Request) -> Metadata {
    let (video, audio) = (&request.video, &request.audio);
    Metadata {
        width: video.width,
        height: video.height,
        fps: f64::from(video.fps),
        video_kbps: video.bitrate_kbps,
        audio_kbps: audio.bitrate_kbps,
        audio_sample_rate_hz: audio.sample_rate_hz,
        audio_channels: audio.channels,
        encoder: concat!("firstmile ", env!("CARGO_PKG_VERSION")).to_owned(),
    }
}

type Prepared = Option<Result<Arc<Target>, Arc<PublishError>>>;

/// The servers of a destination, the first and the backup one; none where an address or the key is
/// missing. What was learned of them `before`, or is `remembered` of an earlier destination, is kept.
pub(super) fn targets(
    from: &config::Destination,
    before: &[Prepared],
    remembered: impl Iterator<Item = Learned> + Clone,
) -> (Prepared, Prepared) {
    let policy = Policy {
        ca_file: from.ca_file.clone(),
        pinned_key: from.pinned_key,
        strict: from.strict_tls,
    };
    let hosts = from.redirect_hosts.clone().unwrap_or_default();
    let prepared = |ingest| {
        let before = before.iter().flatten().flatten().map(|target| Learned::from(&**target));
        let target = Target::new(ingest, &policy, from.allow_plain).map_err(Arc::new)?;
        let target = target.named(&from.name).may_be_sent_to(hosts.clone());
        Ok(Arc::new(target.knowing(before.chain(remembered.clone()))))
    };
    let first = from.ingest().ok().map(prepared);
    let backup = from.backup_ingest().ok().flatten().map(prepared);
    (first, backup)
}
