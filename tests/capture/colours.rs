//! The colours that a stream names, as ffmpeg reads them of what real encoders made.

use std::{
    fs,
    path::PathBuf,
    process::{self, Command},
};

use firstmile::{
    capture::Capture,
    flv::{
        self, TagKind,
        avc::{ColourTags, tagged_config, tagged_key_frame},
        writer,
    },
    media::{Codec, Frame, Kind, Track},
};

use crate::{
    common::{Taken, small},
    encoders::{FPS, Pipeline, bytes, configuration, moving_detail},
    support::{flv_tags, has_or_skip},
};

/// A file of a stream's video, removed at its end.
struct Flv(PathBuf);

impl Flv {
    fn of(name: &str, frames: &[Frame]) -> Flv {
        let tag = |frame: &Frame| {
            let (dts_ms, pts_ms) = (frame.dts_ns / 1_000_000, frame.pts_ns / 1_000_000);
            let head = flv::head(frame, (pts_ms - dts_ms) as i32);
            (TagKind::Video, dts_ms as u32, [head.as_slice(), &frame.payload].concat())
        };
        let mut file = writer::header(false, true).to_vec();
        frames.iter().for_each(|frame| file.extend(flv_tags::tag(&tag(frame))));
        let path = std::env::temp_dir().join(format!("firstmile-{}-{name}.flv", process::id()));
        fs::write(&path, file).expect("a file");
        Flv(path)
    }

    /// What ffmpeg writes to its log with these arguments.
    fn ffmpeg(&self, level: &str, arguments: &[&str]) -> String {
        let ffmpeg = Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-v", level, "-i"])
            .arg(&self.0)
            .args(arguments)
            .args(["-f", "null", "-"])
            .output()
            .expect("ffmpeg runs");
        let log = String::from_utf8_lossy(&ffmpeg.stderr).into_owned();
        assert!(ffmpeg.status.success(), "{log}");
        log
    }

    /// The configuration and each set in a key frame name these colours, and ffmpeg decodes all of it.
    fn assert_colours(&self, what: &str, tags: ColourTags, sets_min: usize) {
        let log = self.ffmpeg("info", &["-c", "copy", "-bsf:v", "trace_headers"]);
        // A line is a position, a field, its bits, and its value behind an equals sign.
        let values = |field: &str| -> Vec<u8> {
            let has_field = |line: &&str| line.split_whitespace().any(|word| word == field);
            let value = |line: &str| line.rsplit("= ").next()?.trim().parse().ok();
            let lines = log.lines().filter(has_field);
            lines.map(|line| value(line).unwrap_or_else(|| panic!("{line}"))).collect()
        };
        let sets = values("nal_unit_type").iter().filter(|it| **it == 7).count();
        assert!(sets >= sets_min, "{what}: {sets} parameter sets");
        for (field, expected) in [
            ("vui_parameters_present_flag", 1),
            ("video_full_range_flag", u8::from(tags.full_range)),
            ("colour_description_present_flag", 1),
            ("colour_primaries", tags.primaries),
            ("transfer_characteristics", tags.transfer),
            ("matrix_coefficients", tags.matrix),
        ] {
            assert_eq!(values(field), vec![expected; sets], "{what}: {field}");
        }
        assert_eq!(self.ffmpeg("warning", &[]), "", "{what}: decoding");
    }
}

impl Drop for Flv {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What the product's pipeline of an encoder makes of some frames, the first and the sixtieth of them key frames.
fn encoded(encoder: &str) -> Vec<Frame> {
    let pipeline = Pipeline::of(encoder, "avenc_aac", [600, 128]);
    let (source, sink) = (pipeline.source("video_in"), pipeline.sink("video_out"));
    let mut frames = Vec::new();
    for (i, frame) in moving_detail().iter().take(70).enumerate() {
        let at_ns = i as u64 * 1_000_000_000 / FPS;
        let mut buffer = frame.copy();
        buffer.make_mut().set_pts(gstreamer::ClockTime::from_nseconds(at_ns));
        source.push_buffer(buffer).expect("takes it");
        let sample = sink.pull_sample().expect("an access unit");
        let frame = |kind, payload: Vec<u8>| Frame {
            kind,
            codec: Codec::Avc,
            pts_ns: at_ns,
            dts_ns: at_ns,
            payload: payload.into(),
        };
        if i == 0 {
            frames.push(frame(Kind::VideoConfig, configuration(&sample)));
        }
        let unit = sample.buffer().expect("a buffer");
        let is_delta = unit.flags().contains(gstreamer::BufferFlags::DELTA_UNIT);
        let kind = if is_delta { Kind::VideoDelta } else { Kind::VideoKey };
        frames.push(frame(kind, bytes(&sample)));
    }
    frames
}

#[test]
fn ffmpeg_reads_the_colours_that_were_written_and_decodes_without_a_warning() {
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    for encoder in ["x264enc", "openh264enc"] {
        let frames = encoded(encoder);
        for tags in [
            ColourTags::BT709,
            ColourTags { full_range: false, primaries: 6, transfer: 6, matrix: 6 },
            ColourTags { full_range: true, primaries: 1, transfer: 13, matrix: 5 },
            ColourTags { full_range: true, primaries: 2, transfer: 2, matrix: 2 },
        ] {
            let write = |frame: &Frame| {
                let payload = match frame.kind {
                    Kind::VideoConfig => tagged_config(&frame.payload, tags).expect("is read"),
                    Kind::VideoKey => tagged_key_frame(&frame.payload, 4, tags)
                        .expect("is read")
                        .expect("repeats its parameter sets"),
                    _ => return frame.clone(),
                };
                Frame { payload: payload.into(), ..frame.clone() }
            };
            let tagged: Vec<Frame> = frames.iter().map(write).collect();
            let file = Flv::of(&format!("{encoder}-{}", tags.matrix), &tagged);
            // The configuration, and two key frames.
            file.assert_colours(&format!("{encoder} {tags:?}"), tags, 3);
        }
    }
}

#[test]
fn a_stream_names_its_colours_whichever_encoder_made_it() {
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    for encoder in ["x264enc", "openh264enc"] {
        let (taken, mut request) = (Taken::default(), small());
        request.encoders.video = vec![encoder.to_owned()];
        let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
        taken.wait_for("two key frames", |t| t.count(Kind::VideoKey) >= 2);
        assert_eq!(capture.stats().video_encoder, encoder);
        assert!(capture.stop());
        let file = Flv::of(encoder, &taken.of(Track::Video));
        file.assert_colours(encoder, ColourTags::BT709, 3);
    }
}
