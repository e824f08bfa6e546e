//! Every encoder is measured for what its entry in the table claims, in the pipeline of the product.
//!
//! The pipelines are fed as fast as they take it, so nothing here depends on the machine's speed.

use firstmile::capture::{
    FrameFormat, audio_encoder_names, encoder_pipelines, video_encoder_names,
};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app::{AppSink, AppSrc};

use crate::common::small;

const HZ: usize = 48_000;
pub const FPS: u64 = 30;
/// Those that a Debian has; the others are measured where they are.
const ALWAYS_HERE: [&str; 4] = ["x264enc", "openh264enc", "avenc_aac", "voaacenc"];

/// The encoders of these that this machine has.
fn here(names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    gst::init().expect("GStreamer");
    names
        .filter(|name| {
            let is_here = gst::ElementFactory::find(name).is_some();
            assert!(is_here || !ALWAYS_HERE.contains(name), "{name} is missing (.ci/setup test)");
            if !is_here {
                println!("{name}: not measured, not on this machine");
            }
            is_here
        })
        .collect()
}

/// A running pipeline of text.
pub struct Pipeline(gst::Bin);

impl Pipeline {
    fn start(text: &str) -> Pipeline {
        gst::init().expect("GStreamer");
        let pipeline = gst::parse::launch(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        pipeline.set_state(gst::State::Playing).expect("plays");
        Pipeline(pipeline.downcast().expect("a bin"))
    }

    /// The product's pipelines of two encoders.
    pub fn of(video: &str, audio: &str, kbps: [u32; 2]) -> Pipeline {
        let mut request = small();
        request.video.keyframe_interval_ms = 2_000;
        [request.video.bitrate_kbps, request.audio.bitrate_kbps] = kbps;
        let frames = FrameFormat::drawn(gstreamer_video::VideoFormat::I420);
        let text = encoder_pipelines(&request, frames, video, audio).expect("known encoders");
        Pipeline::start(&text.to_string())
    }

    pub fn source(&self, name: &str) -> AppSrc {
        self.0.by_name(name).expect("is there").downcast().expect("an appsrc")
    }

    pub fn sink(&self, name: &str) -> AppSink {
        self.0.by_name(name).expect("is there").downcast().expect("an appsink")
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

pub fn bytes(sample: &gst::Sample) -> Vec<u8> {
    sample.buffer().expect("a buffer").map_readable().expect("readable").to_vec()
}

/// The parameters of the codec that stand in the caps.
pub fn configuration(sample: &gst::Sample) -> Vec<u8> {
    let caps = sample.caps().expect("caps").structure(0).expect("one").to_owned();
    let data: gst::Buffer = caps.get("codec_data").expect("parameters of the codec");
    data.map_readable().expect("readable").to_vec()
}

/// What an AAC encoder makes of interleaved stereo: access units and their configuration.
fn encode_audio(encoder: &str, kbps: u32, samples: &[[f32; 2]]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let pipeline = Pipeline::of("x264enc", encoder, [300, kbps]);
    let source = pipeline.source("audio_in");
    for (i, block) in samples.chunks(960).enumerate() {
        let whole = block.iter().flatten();
        let pcm: Vec<u8> = whole.flat_map(|v| ((v * 32_767.0) as i16).to_le_bytes()).collect();
        let mut buffer = gst::Buffer::from_slice(pcm);
        let times = buffer.make_mut();
        times.set_pts(gst::ClockTime::from_mseconds(i as u64 * 20));
        times.set_duration(gst::ClockTime::from_mseconds(20));
        source.push_buffer(buffer).expect("takes it");
    }
    source.end_of_stream().expect("ends");
    let (mut units, mut parameters) = (Vec::new(), Vec::new());
    let sink = pipeline.sink("audio_out");
    while let Ok(sample) = sink.pull_sample() {
        if parameters.is_empty() {
            parameters = configuration(&sample);
        }
        units.push(bytes(&sample));
    }
    (units, parameters)
}

/// Decoded by a decoder that adds no delay of its own.
fn decode_audio(units: &[Vec<u8>], parameters: &[u8]) -> Vec<[f32; 2]> {
    let hex: String = parameters.iter().map(|byte| format!("{byte:02x}")).collect();
    let pipeline = Pipeline::start(&format!(
        "appsrc name=in format=time max-bytes=0 caps=\"audio/mpeg, mpegversion=(int)4, \
         stream-format=(string)raw, framed=(boolean)true, rate=(int)48000, channels=(int)2, \
         codec_data=(buffer){hex}\" ! avdec_aac ! audioconvert ! \
         audio/x-raw,format=F32LE,channels=2,layout=interleaved ! appsink name=out sync=false"
    ));
    let source = pipeline.source("in");
    for (i, unit) in units.iter().enumerate() {
        let mut buffer = gst::Buffer::from_slice(unit.clone());
        let at_ns = i as u64 * 1_024 * 1_000_000_000 / HZ as u64;
        buffer.make_mut().set_pts(gst::ClockTime::from_nseconds(at_ns));
        source.push_buffer(buffer).expect("takes it");
    }
    source.end_of_stream().expect("ends");
    let (sink, mut samples) = (pipeline.sink("out"), Vec::new());
    while let Ok(sample) = sink.pull_sample() {
        let raw = bytes(&sample);
        let value = |b: &[u8]| f32::from_le_bytes(b.try_into().expect("four bytes"));
        samples.extend(raw.chunks_exact(8).map(|pair| [value(&pair[..4]), value(&pair[4..])]));
    }
    samples
}

/// How loud a second of samples is within 20 Hz of a tone, in dB of full scale.
fn band_db(second: &[[f32; 2]], channel: usize, hz: i32) -> f64 {
    let power = |hz| 10_f64.powf(tone_db(second, channel, f64::from(hz)) / 10.0);
    10.0 * (hz - 20..=hz + 20).map(power).sum::<f64>().log10()
}

/// How loud a tone is within samples, in dB of full scale (Goertzel).
fn tone_db(samples: &[[f32; 2]], channel: usize, hz: f64) -> f64 {
    let turn = std::f64::consts::TAU * hz / HZ as f64;
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let value = f64::from(sample[channel]);
        sine += value * (turn * i as f64).sin();
        cosine += value * (turn * i as f64).cos();
    }
    20.0 * (2.0 * sine.hypot(cosine) / samples.len() as f64).max(1e-9).log10()
}

fn seconds(seconds: f64, mut at: impl FnMut(usize) -> [f32; 2]) -> Vec<[f32; 2]> {
    (0..(seconds * HZ as f64) as usize).map(&mut at).collect()
}

fn sine(hz: f64, i: usize) -> f32 {
    (0.4 * (std::f64::consts::TAU * hz * i as f64 / HZ as f64).sin()) as f32
}

// Shows F49.
#[test]
fn what_is_heard_on_one_side_stays_there_and_as_loud_as_it_was() {
    let tones = seconds(3.0, |i| [sine(440.0, i), sine(1_000.0, i)]);
    let middle = HZ..2 * HZ; // one second: both tones fit in whole periods
    for encoder in here(audio_encoder_names()) {
        for (kbps, off_db) in [(64, 2.0), (96, 0.5), (128, 0.5), (192, 0.5)] {
            let (units, parameters) = encode_audio(encoder, kbps, &tones);
            let heard = decode_audio(&units, &parameters);
            for (channel, own, other) in [(0, 440, 1_000), (1, 1_000, 440)] {
                let before = band_db(&tones[middle.clone()], channel, own);
                let after = band_db(&heard[middle.clone()], channel, own);
                let leaks = band_db(&heard[middle.clone()], channel, other) - after;
                println!("{encoder} at {kbps}: {:+.2} dB, leaks {leaks:.1} dB", after - before);
                assert!(
                    (after - before).abs() <= off_db,
                    "{encoder} at {kbps}: {before:.1} -> {after:.1} dB"
                );
                assert!(leaks <= -30.0, "{encoder} at {kbps}: crosstalk {leaks:.1} dB");
            }
        }
    }
}

#[test]
fn voices_in_the_middle_and_at_one_side_keep_their_places() {
    // Harmonics at the left, the same harmonics on both sides, and a pause: what mid/side coding
    // and intensity stereo treat differently.
    let voice = |hz: f64, i: usize| (1..8).map(|n| sine(hz * f64::from(n), i) / 6.0).sum::<f32>();
    for (name, left, right) in [("left", 1.0, 0.0), ("right", 0.0, 1.0), ("middle", 1.0, 1.0)] {
        let voices = seconds(2.0, |i| [voice(150.0, i) * left, voice(150.0, i) * right]);
        for encoder in here(audio_encoder_names()) {
            let (units, parameters) = encode_audio(encoder, 128, &voices);
            let heard = decode_audio(&units, &parameters);
            let middle = HZ / 2..HZ * 3 / 2;
            for hz in [150.0, 450.0, 900.0] {
                let level = |channel| tone_db(&heard[middle.clone()], channel, hz);
                let apart = level(0) - level(1);
                let expected = match name {
                    "left" => apart >= 30.0,
                    "right" => apart <= -30.0,
                    _ => apart.abs() <= 0.5,
                };
                assert!(expected, "{encoder}: {hz} Hz at the {name}: {apart:.1} dB apart");
            }
        }
    }
}

#[test]
fn an_audio_encoder_delays_by_what_its_entry_says_and_keeps_its_bitrate() {
    let mut rng = fastrand::Rng::with_seed(1);
    let noise: Vec<f32> = (0..10 * HZ).map(|_| rng.f32() * 0.6 - 0.3).collect();
    // Everything that a low-pass leaves of noise, so that the rate has something to spend on.
    let full = seconds(10.0, |i| [noise[i], noise[(i + 99) % noise.len()]]);
    let burst = HZ..HZ + 4_800;
    let single = seconds(2.0, |i| if burst.contains(&i) { [noise[i]; 2] } else { [0.0; 2] });
    for encoder in here(audio_encoder_names()) {
        let (units, parameters) = encode_audio(encoder, 128, &single);
        let heard = decode_audio(&units, &parameters);
        let likeness = |lag: &usize| {
            let both = burst.clone().map(|i| noise[i] * heard.get(i + lag).map_or(0.0, |h| h[0]));
            both.sum::<f32>()
        };
        let found = (0..4_000).max_by(|a, b| likeness(a).total_cmp(&likeness(b))).expect("some");
        let claimed = firstmile::capture::audio_encoder_delay_samples(encoder).expect("known");
        println!("{encoder}: delays by {found} samples, {claimed} are claimed");
        assert!(found.abs_diff(claimed as usize) <= 2, "{encoder}: {found}, not {claimed}");

        for kbps in [64_u32, 128, 192] {
            let (units, parameters) = encode_audio(encoder, kbps, &full);
            let total: usize = units.iter().map(Vec::len).sum();
            let length_s = units.len() as f64 * 1_024.0 / HZ as f64;
            let made = total as f64 / 125.0 / length_s;
            println!("{encoder}: {made:.1} kbit/s of {kbps}");
            let off = (made / f64::from(kbps) - 1.0).abs();
            assert!(off <= 0.1, "{encoder}: {made:.1} kbit/s instead of {kbps}");
            // AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1): AAC-LC, 48 kHz, stereo.
            assert_eq!(parameters[..2], [0x11, 0x90], "{encoder}");
        }
    }
}

/// Ten seconds of moving detail, as the product's encoders take it.
pub fn moving_detail() -> Vec<gst::Buffer> {
    let pipeline = Pipeline::start(
        "videotestsrc pattern=zone-plate kx2=40 ky2=40 kt=9 num-buffers=300 ! \
         video/x-raw,format=I420,width=320,height=180,framerate=30/1 ! \
         appsink name=out sync=false",
    );
    let sink = pipeline.sink("out");
    std::iter::from_fn(|| sink.pull_sample().ok())
        .map(|sample| sample.buffer_owned().expect("a buffer"))
        .collect()
}

// Shows F49.
#[test]
fn a_video_encoder_holds_back_no_frame_and_keeps_bitrate_interval_and_profile() {
    let frames = moving_detail();
    assert_eq!(frames.len(), 300);
    for encoder in here(video_encoder_names()) {
        for kbps in [600_u32, 2_000] {
            let pipeline = Pipeline::of(encoder, "avenc_aac", [kbps, 128]);
            let (source, sink) = (pipeline.source("video_in"), pipeline.sink("video_out"));
            let (mut sizes, mut keys, mut parameters) = (Vec::new(), Vec::new(), Vec::new());
            let mut first = None; // some begin far from zero, so that no decoding time is negative
            for (i, frame) in frames.iter().enumerate() {
                let at = gst::ClockTime::from_nseconds(i as u64 * 1_000_000_000 / FPS);
                let mut buffer = frame.copy();
                buffer.make_mut().set_pts(at);
                source.push_buffer(buffer).expect("takes it");
                let patience = gst::ClockTime::from_seconds(10);
                let sample = sink.try_pull_sample(patience);
                let sample = sample.unwrap_or_else(|| panic!("{encoder} holds frame {i} back"));
                let unit = sample.buffer().expect("a buffer");
                let (pts, dts) = (unit.pts().expect("a time"), unit.dts());
                let since = pts - *first.get_or_insert(pts);
                assert_eq!(since, at, "{encoder}: frame {i} out of order");
                assert!(dts.is_none_or(|dts| dts == pts), "{encoder}: frame {i} is reordered");
                if !unit.flags().contains(gst::BufferFlags::DELTA_UNIT) {
                    keys.push(i);
                }
                sizes.push(unit.size());
                parameters = configuration(&sample);
            }
            assert_eq!(keys, [0, 60, 120, 180, 240], "{encoder}: key frames");
            let made = sizes.iter().sum::<usize>() as f64 / 125.0 / 10.0;
            println!("{encoder}: {made:.0} kbit/s of {kbps}");
            let off = (made / f64::from(kbps) - 1.0).abs();
            assert!(off <= 0.1, "{encoder}: {made:.0} kbit/s instead of {kbps}");
            // AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1).
            let (profile, level) = (parameters[1], parameters[3]);
            let expected = if encoder == "openh264enc" { 66 } else { 100 };
            assert_eq!(profile, expected, "{encoder}: profile_idc");
            assert!(level <= 40, "{encoder}: level {level}");
        }
    }
}
