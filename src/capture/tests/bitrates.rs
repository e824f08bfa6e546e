//! Encoders that stand for those of devices and go on at their bitrate whatever is set.

use super::*;

/// What is set while it runs goes to a property that means nothing to it.
static IGNORES: VideoEncoderSpec = VideoEncoderSpec {
    properties: &[
        ("bitrate", "{kbps}"),
        ("tune", "zerolatency"),
        ("speed-preset", "ultrafast"),
        ("vbv-buf-capacity", "1000"),
        ("key-int-max", "{gop}"),
    ],
    bitrate: Bitrate::any("multipass-cache-file", "{kbps}"),
    ..device("identity")
};

// Shows F59.
#[test]
fn an_encoder_that_ignores_its_bitrate_is_restarted_with_it_and_then_replaced() {
    let ran = start(&IGNORES, &["x264enc", "openh264enc"]);
    let mut frames = Vec::new();
    let mut until = |what: &str, done: &dyn Fn(&CaptureStats) -> bool| {
        let deadline = std::time::Instant::now() + LONG;
        while !done(&ran.capture.stats()) {
            assert!(
                std::time::Instant::now() < deadline,
                "never {what}: {:?}",
                ran.capture.stats()
            );
            frames.push(ran.frames.recv_timeout(LONG).expect("a frame"));
        }
    };
    until("eight seconds", &|stats| stats.video_frames > 8 * 30);
    ran.capture.set_bitrate_kbps(200);
    until("restarted", &|stats| stats.encoder_restarts == 1);
    assert_eq!(ran.capture.stats().video_encoder, "x264enc");
    ran.capture.set_bitrate_kbps(50);
    until("replaced", &|stats| stats.video_encoder == "openh264enc");
    assert_eq!(ran.capture.stats().encoder_restarts, 2);
    let count = ran.capture.stats().video_frames;
    until("three seconds by another", &|stats| stats.video_frames > count + 90);
    assert!(ran.capture.stop());
}
