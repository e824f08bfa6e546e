//! `devices` on the machine at hand, whatever it has.

use firstmile::{
    board::Profile,
    capture::{Request, devices},
};

#[test]
fn the_report_says_of_each_encoder_whether_and_why_not() {
    let mut profile = Profile::named("sim").expect("embedded");
    profile.encoders.video = ["abacusenc", "openh264enc", "x264enc"].map(str::to_owned).to_vec();
    profile.decoders.jpeg = ["abacusdec", "jpegdec"].map(str::to_owned).to_vec();
    profile.converters.raw = ["abacusconvert", "videoconvert"].map(str::to_owned).to_vec();
    let report = devices(&Request::from(&profile)).expect("a report");
    let reported: Vec<_> = report
        .video_encoders
        .iter()
        .map(|encoder| (&*encoder.element, encoder.why_not.as_deref()))
        .collect();
    assert_eq!(
        reported,
        [
            ("abacusenc", Some("is not an encoder that firstmile knows")),
            ("openh264enc", None),
            ("x264enc", Some("works, but openh264enc comes first")),
            ("v4l2h264enc", Some("the board profile does not name it")),
            ("nvv4l2h264enc", Some("the board profile does not name it")),
            ("mpph264enc", Some("the board profile does not name it")),
        ]
    );
    for encoder in report.video_encoders.iter().chain(&report.audio_encoders) {
        assert_eq!(encoder.chosen, encoder.why_not.is_none());
    }
    let decoders: Vec<_> = report
        .jpeg_decoders
        .iter()
        .map(|decoder| (&*decoder.element, decoder.software, decoder.why_not.as_deref()))
        .collect();
    let not_named = Some("the board profile does not name it");
    assert_eq!(
        decoders,
        [
            ("abacusdec", false, Some("is not a JPEG decoder that firstmile knows")),
            ("jpegdec", true, None),
            ("v4l2jpegdec", false, not_named),
            ("mppjpegdec", false, not_named),
            ("nvv4l2decoder", false, not_named),
            ("nvjpegdec", false, not_named),
        ]
    );
    let converters: Vec<_> = report
        .converters
        .iter()
        .map(|converter| (&*converter.element, converter.software, converter.why_not.as_deref()))
        .collect();
    assert_eq!(
        converters,
        [
            ("abacusconvert", false, Some("is not a converter that firstmile knows")),
            ("videoconvert", true, None),
            ("v4l2convert", false, not_named),
            ("pispconvert", false, not_named),
            ("rgavideoconvert", false, not_named),
            ("nvvidconv", false, not_named),
        ]
    );
    let text = report.to_string();
    assert!(text.contains("\n * videoconvert (software)\n"), "{text}");
    assert!(text.contains("\n * jpegdec (software)\n"), "{text}");
    assert!(report.cameras.iter().all(|camera| !camera.chosen), "{:?}", report.cameras);
    assert!(report.microphones.iter().all(|card| !card.chosen), "{:?}", report.microphones);
    assert_eq!((&report.camera_advice, &report.microphone_advice), (&None, &None));
    let json = serde_json::to_value(&report).expect("serialises");
    assert_eq!(json["video_encoders"][1]["chosen"], true);
}
