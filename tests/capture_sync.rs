//! Sound and picture belong together: the tone's beep is heard at the full second, whichever AAC
//! encoder made it.

mod common;

use std::str::FromStr;

use common::{Taken, small};
use firstmile::{
    capture::Capture,
    media::{Frame, Kind, Track},
};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;

const RATE_HZ: u64 = 48_000;
/// Louder than the hum, quieter than the beep, of full scale.
const BEEP_LEVEL: f32 = 0.12;

/// Decodes the audio track and gives the times at which the tone becomes loud, in nanoseconds.
fn beeps_ns(frames: &[Frame]) -> Vec<u64> {
    gst::init().expect("GStreamer");
    let text = "appsrc name=in format=time ! avdec_aac ! audioconvert ! \
                audio/x-raw,format=F32LE,channels=1 ! appsink name=out sync=false";
    let pipeline = gst::parse::launch(text).expect("a pipeline").downcast::<gst::Bin>();
    let pipeline = pipeline.expect("a bin");
    let named = |name| pipeline.by_name(name).expect("an element");
    let source = named("in").downcast::<gst_app::AppSrc>().expect("an appsrc");
    let sink = named("out").downcast::<gst_app::AppSink>().expect("an appsink");
    let config: String = frames[0].payload.iter().map(|byte| format!("{byte:02x}")).collect();
    let caps = format!(
        "audio/mpeg, mpegversion=(int)4, stream-format=(string)raw, rate=(int)48000, \
         channels=(int)2, framed=(boolean)true, codec_data=(buffer){config}"
    );
    source.set_caps(Some(&gst::Caps::from_str(&caps).expect("caps")));
    pipeline.set_state(gst::State::Playing).expect("plays");
    for frame in &frames[1..] {
        let mut buffer = gst::Buffer::from_slice(frame.payload.clone());
        buffer.make_mut().set_pts(gst::ClockTime::from_nseconds(frame.pts_ns));
        source.push_buffer(buffer).expect("takes it");
    }
    source.end_of_stream().expect("ends");

    let (mut beeps, mut loud_until) = (Vec::new(), 0);
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().expect("a buffer");
        let start_ns = buffer.pts().expect("a time").nseconds();
        let map = buffer.map_readable().expect("readable");
        for (i, bytes) in map.chunks_exact(4).enumerate() {
            let value = f32::from_le_bytes(bytes.try_into().expect("four bytes"));
            if value.abs() > BEEP_LEVEL {
                let at_ns = start_ns + i as u64 * 1_000_000_000 / RATE_HZ;
                if at_ns > loud_until {
                    beeps.push(at_ns);
                }
                loud_until = at_ns + 50_000_000;
            }
        }
    }
    pipeline.set_state(gst::State::Null).expect("stops");
    beeps
}

#[test]
fn the_beep_is_heard_at_the_full_second_with_each_encoder() {
    for encoder in ["avenc_aac", "voaacenc"] {
        let taken = Taken::default();
        let mut request = small();
        request.encoders.audio = vec![encoder.to_owned()];
        let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
        taken.wait_for("two seconds of sound", |t| t.count(Kind::Audio) > 100);
        assert_eq!(capture.stats().audio_encoder, encoder);
        capture.stop();

        let beeps = beeps_ns(&taken.of(Track::Audio));
        assert!(!beeps.is_empty(), "{encoder}: no beep heard");
        for at_ns in beeps {
            let off_ns = (at_ns + 500_000_000) as i64 % 1_000_000_000 - 500_000_000;
            assert!(off_ns.abs() < 5_000_000, "{encoder}: {} µs off", off_ns / 1_000);
        }
    }
}
