//! What encoders really do when their bitrate is lowered, on video that is hard for them.

use std::{sync::Arc, thread, time::Duration};

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::VideoFormat;

use super::*;
use crate::{
    capture::{
        encode::{
            access_units::TrackOutput,
            encoders,
            video_encoder::{VideoEncoder, VideoEncoderSetup},
        },
        frame_format::FrameFormat,
        gst::clock::MediaClock,
        request::VideoSettings,
        stats::Counters,
    },
    media::Track,
};

const FPS: u64 = 30;

/// Two seconds of a test pattern in the size of the stream.
fn drawn(pattern: &str) -> Vec<gst::Buffer> {
    gst::init().expect("GStreamer");
    let text = format!(
        "videotestsrc {pattern} num-buffers=60 ! \
         video/x-raw,format=I420,width=320,height=180,framerate=30/1 ! \
         appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&text).expect("a pipeline").downcast::<gst::Bin>();
    let pipeline = pipeline.expect("a bin");
    let sink = pipeline.by_name("out").expect("a sink").downcast::<gstreamer_app::AppSink>();
    let sink = sink.expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("plays");
    let sample = || sink.pull_sample().ok();
    let frames = std::iter::from_fn(sample).map(|sample| sample.buffer_owned().expect("a buffer"));
    let frames = frames.collect();
    pipeline.set_state(gst::State::Null).expect("stops");
    frames
}

/// What is answered to an encoder that is given seconds of video at bitrates, and what it made of them, in
/// kbit/s. It is fed as fast as it takes it.
fn judged(element: &str, parts: &[(u64, u32, &[gst::Buffer])]) -> (Vec<Answer>, Vec<u64>) {
    let spec = encoders::video(element).expect("known");
    let video = VideoSettings {
        width: 320,
        height: 180,
        bitrate_kbps: parts[0].1,
        ..VideoSettings::of_720p()
    };
    let counters = Arc::new(Counters::default());
    let output = TrackOutput::new(Track::Video, 0, Arc::clone(&counters), Arc::new(|_| ()));
    let setup = VideoEncoderSetup {
        frames: FrameFormat::drawn(VideoFormat::I420),
        tried: (spec.element, spec.takes.to_vec()),
        imports: false,
        clock: MediaClock::start(),
        output,
        counters: Arc::clone(&counters),
        video,
    };
    let encoder = VideoEncoder::start(spec, &setup).expect("starts");
    encoder.go_on_air();
    let mut watch = BitrateWatch::new(FPS as u32, setup.video.keyframe_interval_ms, parts[0].1);
    let count =
        |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    let (mut answers, mut made, mut number) = (Vec::new(), Vec::new(), 0);
    for (seconds, kbps, frames) in parts {
        encoder.set_bitrate_kbps(*kbps);
        let target_kbps = spec.bitrate.nearest_kbps(*kbps);
        while counters.bitrate_kbps.load(std::sync::atomic::Ordering::Relaxed) != target_kbps {
            thread::sleep(Duration::from_micros(50));
        }
        let before = count(&counters.video_bytes);
        for i in 0..seconds * FPS {
            let mut frame = frames[i as usize % frames.len()].copy();
            let at_ns = number * SECOND_NS / FPS;
            frame.make_mut().set_pts(gst::ClockTime::from_nseconds(at_ns));
            assert!(encoder.push(frame), "nothing waits");
            number += 1;
            while count(&counters.video_frames) < number {
                thread::sleep(Duration::from_micros(50));
            }
            let output =
                Output { bytes: count(&counters.video_bytes), frames: number, target_kbps };
            answers.extend(watch.check(at_ns, output, element));
        }
        made.push((count(&counters.video_bytes) - before) / 125 / seconds);
    }
    (answers, made)
}

#[test]
fn encoders_that_follow_as_far_as_the_video_lets_them_are_left_alone() {
    let noise = drawn("pattern=snow");
    let detail = drawn("pattern=zone-plate kx2=40 ky2=40 kt=9");
    let bars = drawn("pattern=smpte");
    for element in ["x264enc", "openh264enc"] {
        for (name, parts) in [
            ("moving detail", [(12, 4_000, &detail[..]), (12, 1_000, &detail), (12, 250, &detail)]),
            ("noise", [(12, 4_000, &noise), (12, 1_000, &noise), (12, 250, &noise)]),
            ("noise that fits", [(12, 12_000, &noise), (12, 4_000, &noise), (12, 1_000, &noise)]),
            ("detail, then noise", [(12, 2_000, &detail), (12, 2_000, &noise), (12, 500, &noise)]),
            (
                "noise as it is lowered",
                [(12, 4_000, &detail), (12, 1_000, &noise), (12, 250, &noise)],
            ),
            ("a slate between", [(12, 2_000, &detail), (12, 500, &bars), (12, 250, &detail)]),
        ] {
            let (answers, made) = judged(element, &parts);
            println!("{element}: {name}: {made:?} kbit/s");
            assert_eq!(answers, [], "{element}: {name}");
        }
    }
}
