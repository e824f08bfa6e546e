//! Audio and video stay in sync, measured on what a viewer would decode.

use std::{str::FromStr, thread};

use crate::common::{Clip, Taken, small};
use firstmile::{
    capture::{CameraSource, Capture, MicrophoneSource, Request},
    media::{Frame, Kind, Track},
};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;

const MS: u64 = 1_000_000;

/// Decodes a track; calls `look` with the time and the raw content of each piece.
pub fn decode(frames: &[Frame], caps: &str, decoder: &str, mut look: impl FnMut(u64, &[u8])) {
    gst::init().expect("GStreamer");
    let text = format!("appsrc name=in format=time ! {decoder} ! appsink name=out sync=false");
    let pipeline = gst::parse::launch(&text).expect("a pipeline").downcast::<gst::Bin>();
    let pipeline = pipeline.expect("a bin");
    let named = |name| pipeline.by_name(name).expect("an element");
    let source = named("in").downcast::<gst_app::AppSrc>().expect("an appsrc");
    let sink = named("out").downcast::<gst_app::AppSink>().expect("an appsink");
    let config: String = frames[0].payload.iter().map(|byte| format!("{byte:02x}")).collect();
    let caps = format!("{caps}, codec_data=(buffer){config}");
    source.set_caps(Some(&gst::Caps::from_str(&caps).expect("caps")));
    pipeline.set_state(gst::State::Playing).expect("plays");
    for frame in &frames[1..] {
        let mut buffer = gst::Buffer::from_slice(frame.payload.clone());
        buffer.make_mut().set_pts(gst::ClockTime::from_nseconds(frame.pts_ns));
        source.push_buffer(buffer).expect("takes it");
    }
    source.end_of_stream().expect("ends");
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().expect("a buffer");
        let at_ns = buffer.pts().expect("a time").nseconds();
        look(at_ns, &buffer.map_readable().expect("readable"));
    }
    pipeline.set_state(gst::State::Null).expect("stops");
}

/// The times at which the audio becomes louder than `level` of full scale, in nanoseconds. What is
/// heard in the first tenth of a second may have begun before the track did, and does not count.
fn beeps_ns(frames: &[Frame], level: f32) -> Vec<u64> {
    let caps = "audio/mpeg, mpegversion=(int)4, stream-format=(string)raw, rate=(int)48000, \
                channels=(int)2, framed=(boolean)true";
    let decoder = "avdec_aac ! audioconvert ! audio/x-raw,format=F32LE,channels=1";
    let counts_from_ns = frames[1].pts_ns + 100 * MS;
    let (mut beeps, mut loud_until) = (Vec::new(), 0);
    decode(frames, caps, decoder, |start_ns, samples| {
        for (i, bytes) in samples.chunks_exact(4).enumerate() {
            let value = f32::from_le_bytes(bytes.try_into().expect("four bytes"));
            if value.abs() > level {
                let at_ns = start_ns + i as u64 * 1_000 * MS / 48_000;
                if at_ns > loud_until.max(counts_from_ns) {
                    beeps.push(at_ns);
                }
                loud_until = at_ns + 50 * MS;
            }
        }
    });
    beeps
}

/// The times at which the video turns white, in nanoseconds.
fn flashes_ns(frames: &[Frame]) -> Vec<u64> {
    let caps = "video/x-h264, stream-format=(string)avc, alignment=(string)au";
    let decoder = "avdec_h264 ! videoconvert ! video/x-raw,format=GRAY8";
    let (mut flashes, mut was_white) = (Vec::new(), true);
    decode(frames, caps, decoder, |at_ns, frame| {
        let is_white = frame[frame.len() / 2] > 128;
        if is_white && !was_white {
            flashes.push(at_ns);
        }
        was_white = is_white;
    });
    flashes
}

#[test]
fn the_beep_comes_at_the_full_second_with_each_encoder() {
    for encoder in ["avenc_aac", "voaacenc"] {
        let taken = Taken::default();
        let mut request = small();
        request.encoders.audio = vec![encoder.to_owned()];
        let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
        taken.wait_for("two seconds of audio", |t| t.count(Kind::Audio) > 100);
        assert_eq!(capture.stats().audio_encoder, encoder);
        capture.stop();

        // Louder than the hum, quieter than the beep.
        let beeps = beeps_ns(&taken.of(Track::Audio), 0.12);
        assert!(!beeps.is_empty(), "{encoder}: no beep heard");
        for at_ns in beeps {
            let off_ns = (at_ns + 500 * MS) % (1_000 * MS);
            assert!(off_ns.abs_diff(500 * MS) < 5 * MS, "{encoder}: beep at {at_ns} ns");
        }
    }
}

#[test]
fn flash_and_beep_of_a_clip_stay_together_from_round_to_round() {
    let clip = Clip::flashing("flashing");
    let taken = Taken::default();
    let request = Request {
        camera: CameraSource::File { path: clip.path.clone() },
        microphone: MicrophoneSource::CameraFile,
        ..small()
    };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("four rounds", |t| {
        t.of(Track::Video).len() > 110 && t.count(Kind::Audio) > 47 * 4 - 15
    });
    capture.stop();

    let flashes = flashes_ns(&taken.of(Track::Video));
    let beeps = beeps_ns(&taken.of(Track::Audio), 0.2);
    assert!(flashes.len() >= 2, "{flashes:?}");
    for flash in &flashes {
        let apart = beeps.iter().map(|beep| beep.abs_diff(*flash)).min();
        let apart = apart.expect("a beep");
        assert!(apart < 20 * MS, "flash at {flash} ns, beeps at {beeps:?}");
    }
    for pair in flashes.windows(2) {
        let round = pair[1] - pair[0];
        assert!(round.abs_diff(1_000 * MS) < 40 * MS, "a round of {round} ns");
    }
}

/// A sound card whose crystal is one per mille fast or slow: it delivers 48,048 or 47,952 samples a
/// second and calls them 48,000. It ticks once a second of its
/// true rate.
fn card(true_rate_hz: u32) -> MicrophoneSource {
    MicrophoneSource::Launch {
        launch: format!(
            "audiotestsrc is-live=true wave=ticks freq=1000 volume=0.8 ! \
         audio/x-raw,format=S16LE,rate={true_rate_hz},channels=1 ! \
         capssetter caps=audio/x-raw,rate=48000"
        ),
    }
}

/// `FIRSTMILE_SOAK_SECONDS` makes it longer; `make soak` is ten minutes.
#[test]
fn an_audio_device_one_per_mille_off_stays_within_20_ms() {
    let asked = std::env::var("FIRSTMILE_SOAK_SECONDS").ok();
    let seconds = asked.and_then(|text| text.parse().ok()).unwrap_or(12);
    // Side by side, because most of it is waiting.
    thread::scope(|scope| {
        for (true_rate_hz, expected_ppm) in [(48_048, 1_000), (47_952, -1_000)] {
            scope.spawn(move || stays_in_place(seconds, true_rate_hz, expected_ppm));
        }
    });
}

fn stays_in_place(seconds: u64, true_rate_hz: u32, expected_ppm: i32) {
    let taken = Taken::default();
    let request = Request { microphone: card(true_rate_hz), ..small() };
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_as_long_as(seconds + 30, "the audio", |t| {
        t.count(Kind::Audio) > seconds as usize * 47
    });
    let stats = capture.stats();
    capture.stop();

    let beeps = beeps_ns(&taken.of(Track::Audio), 0.2);
    // The card starts to tick when it is opened, some milliseconds after a full second.
    let mut phases: Vec<u64> = beeps.iter().map(|at| (at + 500 * MS) % (1_000 * MS)).collect();
    phases.sort_unstable();
    let median = phases[phases.len() / 2];
    let worst = phases.iter().map(|phase| phase.abs_diff(median)).max().expect("a tick");
    eprintln!(
        "{true_rate_hz} Hz for {seconds} s: {} ticks within {} us, drift {:?} ppm, silence \
         instead of {} samples",
        beeps.len(),
        worst / 1_000,
        stats.microphone_drift_ppm,
        stats.silent_samples
    );
    assert!(beeps.len() as u64 + 2 >= seconds, "{} ticks in {seconds} s", beeps.len());
    assert!(worst < 20 * MS, "a tick is {worst} ns away from its place: {beeps:?}");
    if let Some(ppm) = stats.microphone_drift_ppm {
        assert!((ppm - expected_ppm).abs() < 100, "{ppm} ppm");
    }
}
