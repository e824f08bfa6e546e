//! Whether frames are copied on their way from the camera to the encoder: by where they lie in memory.

#[path = "../../benches/capture/camera.rs"]
#[allow(dead_code, reason = "benchmarks use the rest")]
mod camera;
#[path = "../../benches/capture/null_encoder.rs"]
mod null_encoder;

use std::sync::Arc;
use std::time::Duration;

use firstmile::board::Profile;
use firstmile::capture::{CameraSource, Capture, MicrophoneSource, Request};
use firstmile::video::{Framing, Rotation};

use crate::support::eventually;
use camera::{FPS, Format, Mode};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_frame_of_a_format_that_the_encoder_takes_reaches_it_without_a_copy() {
    let _alone = crate::alone();
    let mode = Mode { format: Format::Nv12, width: 320, height: 180, fps: FPS };
    camera::register(mode);
    null_encoder::register(mode);
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    request.camera =
        CameraSource::Launch { launch: camera::ELEMENT.to_owned(), passthrough: false };
    request.microphone = MicrophoneSource::Silence;
    request.encoders.video = vec![null_encoder::ELEMENT.to_owned()];
    (request.video.width, request.video.height, request.video.fps) =
        (mode.width, mode.height, mode.fps);
    let capture = Capture::start(request, Arc::new(|_| ()), |_| ()).expect("starts");
    // Frames with which the encoder was tried are not the camera's.
    let reaches_it_as_it_is = |what: &str| {
        let (frames_before, originals_before) = null_encoder::seen();
        let is_enough = || null_encoder::seen().0 >= frames_before + 30;
        eventually(LONG, || is_enough().then_some(())).expect("thirty frames");
        let (frames, originals) = null_encoder::seen();
        let (frames, originals) = (frames - frames_before, originals - originals_before);
        assert_eq!(
            originals, frames,
            "{what}, of {frames} frames {originals} lay where the camera had put them"
        );
    };
    reaches_it_as_it_is("where nothing is set");
    let upside_down = Framing { rotate: Rotation::Half, ..Framing::default() };
    capture.set_framing(upside_down);
    let (_, originals) = null_encoder::seen();
    let turned = || {
        let before = null_encoder::seen();
        std::thread::sleep(Duration::from_millis(100));
        let now = null_encoder::seen();
        (now.0 > before.0 && now.1 == before.1).then_some(())
    };
    eventually(LONG, turned).expect("frames that were turned");
    capture.set_framing(Framing::default());
    eventually(LONG, || (null_encoder::seen().1 > originals + 3).then_some(())).expect("as it is");
    reaches_it_as_it_is("once it is no longer turned");
    assert_eq!(capture.stats().slate_frames, 0, "the camera's own frames");
    capture.stop();
}
