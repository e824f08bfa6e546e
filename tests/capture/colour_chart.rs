//! Colours from the camera to the viewer: a chart of known patches is delivered as cameras deliver
//! video, and what comes out is decoded by ffmpeg as the stream's own tags say.
//!
//! What a patch has to be in Y'CbCr is computed here from ITU-R BT.601 and BT.709, so that no
//! converter is compared with itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bytes::Bytes;
use firstmile::{
    capture::{CameraSource, Capture, CaptureEvent, Request, Source},
    media::{Frame, Kind, Track},
};

use crate::common::{Taken, play, small};
use crate::support::{Folder, has_or_skip, run};

/// Width and height of the frames, as in [`small`].
const SIZE: [usize; 2] = [320, 180];
/// How far a patch may be from its colour, of 255.
const OFF_MAX: f64 = 3.0;
/// Enough for patches to be what they were before they were encoded.
const KBPS: u32 = 8_000;
const LONG: Duration = Duration::from_secs(60);

const LOST_CAMERA: CaptureEvent = CaptureEvent::SourceLost(Source::Camera);
const BACK_CAMERA: CaptureEvent = CaptureEvent::SourceBack(Source::Camera);

/// Red, green and blue.
type Rgb = [u8; 3];

/// Patches of one colour each, in rows.
#[derive(Clone)]
struct Chart {
    size: [usize; 2],
    columns: usize,
    patches: Vec<Rgb>,
}

impl Chart {
    /// A ramp of grey; primary colours, pure and dark; four tones of skin, and four at the edge of
    /// what there is.
    fn new() -> Chart {
        let grey = [0, 36, 73, 109, 146, 182, 219, 255].map(|grey| [grey; 3]);
        let primaries = [
            [255, 0, 0],
            [0, 255, 0],
            [0, 0, 255],
            [0, 255, 255],
            [255, 0, 255],
            [255, 255, 0],
            [128, 0, 0],
            [0, 0, 128],
        ];
        let others = [
            [255, 219, 172],
            [224, 172, 105],
            [141, 85, 36],
            [68, 42, 29],
            [255, 128, 0],
            [0, 96, 32],
            [250, 245, 5],
            [3, 6, 250],
        ];
        Chart { size: SIZE, columns: 8, patches: [grey, primaries, others].concat() }
    }

    /// The same patches in the opposite order.
    fn reversed(mut self) -> Chart {
        self.patches.reverse();
        self
    }

    /// A logo that is as large as one may be.
    fn logo() -> Chart {
        let patches = vec![[200, 30, 40], [20, 140, 60], [30, 60, 190], [240, 240, 240]];
        Chart { size: [SIZE[0] / 4, SIZE[1] / 4 / 2 * 2], columns: 4, patches }
    }

    /// Width and height of a patch.
    fn patch(&self) -> [usize; 2] {
        let rows = self.patches.len() / self.columns;
        [self.size[0] / self.columns, self.size[1] / rows]
    }

    fn at(&self, x: usize, y: usize) -> Rgb {
        let [width, height] = self.patch();
        self.patches[y / height * self.columns + x / width]
    }

    /// The values of a plane, row by row, of which each stands for `across` x `down` pixels.
    fn plane(&self, across: usize, down: usize, value: impl Fn(Rgb) -> u8) -> Vec<u8> {
        let rows = (0..self.size[1]).step_by(down);
        let value = &value;
        rows.flat_map(|y| (0..self.size[0]).step_by(across).map(move |x| value(self.at(x, y))))
            .collect()
    }

    fn png(&self, path: PathBuf) -> PathBuf {
        let pixels: Vec<u8> = (0..self.size[1])
            .flat_map(|y| (0..self.size[0]).flat_map(move |x| self.at(x, y)))
            .collect();
        let raw = path.with_extension("rgb");
        fs::write(&raw, pixels).expect("writes");
        let mut ffmpeg = ffmpeg();
        ffmpeg.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-s"]);
        ffmpeg.arg(format!("{}x{}", self.size[0], self.size[1])).arg("-i").arg(&raw);
        run(ffmpeg.arg(&path), LONG).ok();
        path
    }

    /// Fails unless the middle of each patch has its colour, in a frame in which the chart begins at
    /// that place.
    #[track_caller]
    fn assert_seen(&self, what: &str, frame: &[u8], left: usize, top: usize) {
        let [width, height] = self.patch();
        let mut wrong = Vec::new();
        for (number, expected) in self.patches.iter().enumerate() {
            let x = left + number % self.columns * width + width / 2 - 4;
            let y = top + number / self.columns * height + height / 2 - 4;
            let seen = [0, 1, 2].map(|channel| {
                let at = |x, y| f64::from(frame[(y * SIZE[0] + x) * 3 + channel]);
                (y..y + 8).flat_map(|y| (x..x + 8).map(move |x| at(x, y))).sum::<f64>() / 64.0
            });
            let off = (0..3).map(|c| (seen[c] - f64::from(expected[c])).abs()).fold(0.0, f64::max);
            if off > OFF_MAX {
                wrong.push(format!("{expected:?} is {seen:.1?}"));
            }
        }
        assert!(wrong.is_empty(), "{what}: {}", wrong.join(", "));
    }
}

/// What the values of a camera mean.
#[derive(Clone, Copy)]
struct Colorimetry {
    /// As GStreamer's caps name it.
    caps: &'static str,
    /// Parts of red and blue in luma.
    red_blue: [f64; 2],
    full_range: bool,
    /// As ffprobe names it: range, matrix, transfer, primaries.
    tags: [&'static str; 4],
}

const BT601: [f64; 2] = [0.299, 0.114];
const BT709: [f64; 2] = [0.2126, 0.0722];

const COLORIMETRIES: [Colorimetry; 4] = [
    Colorimetry {
        caps: "bt601",
        red_blue: BT601,
        full_range: false,
        tags: ["tv", "smpte170m", "smpte170m", "smpte170m"],
    },
    Colorimetry {
        caps: "bt709",
        red_blue: BT709,
        full_range: false,
        tags: ["tv", "bt709", "bt709", "bt709"],
    },
    Colorimetry {
        caps: "1:4:16:4",
        red_blue: BT601,
        full_range: true,
        tags: ["pc", "smpte170m", "smpte170m", "smpte170m"],
    },
    Colorimetry {
        caps: "1:3:5:1",
        red_blue: BT709,
        full_range: true,
        tags: ["pc", "bt709", "bt709", "bt709"],
    },
];

impl Colorimetry {
    /// Y', Cb and Cr (BT.601 section 2.5, BT.709 section 3; full range as in JPEG).
    fn of(&self, rgb: Rgb) -> [u8; 3] {
        let [red, green, blue] = rgb.map(|value| f64::from(value) / 255.0);
        let [of_red, of_blue] = self.red_blue;
        let luma = of_red * red + (1.0 - of_red - of_blue) * green + of_blue * blue;
        let cb = (blue - luma) / (2.0 - 2.0 * of_blue);
        let cr = (red - luma) / (2.0 - 2.0 * of_red);
        let (scale, offset, chroma) =
            if self.full_range { (255.0, 0.0, 255.0) } else { (219.0, 16.0, 224.0) };
        // A float is clamped by the conversion: full blue is 256 where all values count.
        [scale * luma + offset, chroma * cb + 128.0, chroma * cr + 128.0].map(|v| v.round() as u8)
    }

    /// A frame in that layout, as GStreamer has it in memory.
    fn frame(&self, chart: &Chart, layout: &str) -> Vec<u8> {
        let plane =
            |channel: usize, across, down| chart.plane(across, down, |rgb| self.of(rgb)[channel]);
        let mixed = |a: Vec<u8>, b: Vec<u8>| -> Vec<u8> {
            a.into_iter().zip(b).flat_map(|(a, b)| [a, b]).collect()
        };
        match layout {
            "I420" => [plane(0, 1, 1), plane(1, 2, 2), plane(2, 2, 2)].concat(),
            "NV12" => [plane(0, 1, 1), mixed(plane(1, 2, 2), plane(2, 2, 2))].concat(),
            "YUY2" => mixed(plane(0, 1, 1), mixed(plane(1, 2, 1), plane(2, 2, 1))),
            other => panic!("{other}"),
        }
    }

    fn caps(&self, layout: &str) -> String {
        let [width, height] = SIZE;
        format!(
            "video/x-raw, format=(string){layout}, width=(int){width}, height=(int){height}, \
             framerate=(fraction)30/1, pixel-aspect-ratio=(fraction)1/1, \
             interlace-mode=(string)progressive, colorimetry=(string){}",
            self.caps
        )
    }
}

fn ffmpeg() -> Command {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-y"]);
    ffmpeg
}

/// A camera without end, in `gst-launch` notation: the chart in that layout.
fn camera(folder: &Folder, colorimetry: &Colorimetry, layout: &str) -> String {
    let path = folder.path().join("camera.raw");
    fs::write(&path, colorimetry.frame(&Chart::new(), layout)).expect("writes");
    repeated(&path, &colorimetry.caps(layout))
}

/// The same frame again and again, at its rate.
fn repeated(path: &Path, caps: &str) -> String {
    let path = path.display();
    format!(
        "multifilesrc location=\"{path}\" loop=true do-timestamp=true caps=\"{caps}\" \
         ! identity sleep-time=33000"
    )
}

/// A camera that tells its format each time it is opened, and is gone after so many frames.
fn write_camera(path: &Path, colorimetry: &Colorimetry, layout: &str, chart: &Chart, frames: u32) {
    let raw = path.with_extension("raw");
    fs::write(&raw, colorimetry.frame(chart, layout)).expect("writes");
    let unfinished = path.with_extension("unfinished");
    play(&format!(
        "multifilesrc location=\"{}\" loop=true num-buffers={frames} caps=\"{}\" ! gdppay \
         ! filesink location=\"{}\"",
        raw.display(),
        colorimetry.caps(layout),
        unfinished.display()
    ));
    fs::rename(unfinished, path).expect("moves");
}

fn written_camera(path: &Path) -> String {
    format!("filesrc location=\"{}\" ! gdpdepay ! identity sleep-time=33000", path.display())
}

fn request(camera: String, encoder: &str) -> Request {
    let mut request = small();
    request.camera = CameraSource::Launch { launch: camera, passthrough: false };
    request.encoders.video = vec![encoder.to_owned()];
    request.video.bitrate_kbps = KBPS;
    request
}

/// What a capture of some frames delivers.
fn frames_of(request: Request) -> Vec<Frame> {
    let taken = Taken::default();
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("some frames", |t| t.of(Track::Video).len() > 8);
    capture.stop();
    taken.of(Track::Video)
}

/// Access units as a file of H.264 (ITU-T H.264 annex B).
fn h264_file(folder: &Folder, frames: &[Frame]) -> PathBuf {
    const START: [u8; 4] = [0, 0, 0, 1];
    let mut stream = Vec::new();
    let mut unit = |bytes: &mut Bytes, length: usize| {
        stream.extend(START);
        stream.extend(bytes.split_to(length));
    };
    for frame in frames {
        let mut rest = frame.payload.clone();
        if frame.kind == Kind::VideoConfig {
            // Two lists of parameter sets, with lengths of 16 bit (ISO/IEC 14496-15 section 5.3.3.1.2).
            assert_eq!(rest.split_to(5)[4] & 3, 3, "units have lengths of four bytes");
            for mask in [0x1F, 0xFF] {
                for _ in 0..rest.split_to(1)[0] & mask {
                    let length = rest.split_to(2);
                    unit(&mut rest, usize::from(u16::from_be_bytes([length[0], length[1]])));
                }
            }
            continue;
        }
        while !rest.is_empty() {
            let length = rest.split_to(4);
            let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            unit(&mut rest, length);
        }
    }
    let path = folder.path().join("stream.h264");
    fs::write(&path, stream).expect("writes");
    path
}

/// What the stream says of its colours: range, matrix, transfer, primaries.
fn tags(stream: &Path) -> [String; 4] {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-of", "default=noprint_wrappers=1", "-show_entries"]);
    ffprobe.arg("stream=color_range,color_space,color_transfer,color_primaries").arg(stream);
    let message = run(&mut ffprobe, LONG).ok().stdout;
    ["color_range=", "color_space=", "color_transfer=", "color_primaries="].map(|key| {
        let value = message.lines().find_map(|line| line.strip_prefix(key));
        value.unwrap_or_else(|| panic!("{key} is missing in {message}")).to_owned()
    })
}

/// The last frame, in RGB, made of it by a decoder that knows the stream alone.
fn last_frame(folder: &Folder, stream: &Path) -> Vec<u8> {
    let decoded = folder.path().join("decoded.rgb");
    let mut ffmpeg = ffmpeg();
    ffmpeg.arg("-i").arg(stream);
    ffmpeg.args([
        "-vf",
        "scale=in_color_matrix=auto:in_range=auto:flags=accurate_rnd+full_chroma_int",
    ]);
    run(ffmpeg.args(["-pix_fmt", "rgb24", "-f", "rawvideo"]).arg(&decoded), LONG).ok();
    let frames = fs::read(&decoded).expect("reads");
    let bytes = SIZE[0] * SIZE[1] * 3;
    assert!(frames.len() >= bytes && frames.len().is_multiple_of(bytes), "{} bytes", frames.len());
    frames[frames.len() - bytes..].to_vec()
}

/// Fails unless the chart is seen in the last frame and the stream has these tags.
#[track_caller]
fn assert_right(
    what: &str,
    folder: &Folder,
    frames: &[Frame],
    chart: &Chart,
    expected: &[&str; 4],
) {
    let stream = h264_file(folder, frames);
    let seen = last_frame(folder, &stream);
    chart.assert_seen(what, &seen, 0, 0);
    assert_eq!(&tags(&stream), expected, "{what}: what the stream says of its colours");
}

/// Every colorimetry in every layout.
fn through(encoder: &str) {
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    for colorimetry in COLORIMETRIES {
        for layout in ["I420", "NV12", "YUY2"] {
            let folder = Folder::new("colours");
            let frames = frames_of(request(camera(&folder, &colorimetry, layout), encoder));
            let what = format!("{} {layout} through {encoder}", colorimetry.caps);
            assert_right(&what, &folder, &frames, &Chart::new(), &colorimetry.tags);
        }
    }
}

#[test]
fn the_colours_of_a_camera_pass_x264_and_the_stream_says_what_they_mean() {
    through("x264enc");
}

#[test]
fn the_colours_of_a_camera_pass_openh264_and_the_stream_says_what_they_mean() {
    through("openh264enc");
}

#[test]
fn the_colours_of_a_camera_of_jpegs_are_right_and_the_stream_says_what_they_mean() {
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let [.., full_601, _] = COLORIMETRIES;
    for encoder in ["x264enc", "openh264enc"] {
        let folder = Folder::new("colours-jpeg");
        let [raw, jpeg] = ["chart.raw", "chart.jpg"].map(|name| folder.path().join(name));
        fs::write(&raw, full_601.frame(&Chart::new(), "I420")).expect("writes");
        play(&format!(
            "multifilesrc location=\"{}\" num-buffers=1 caps=\"{}\" ! jpegenc quality=100 \
             ! filesink location=\"{}\"",
            raw.display(),
            full_601.caps("I420"),
            jpeg.display()
        ));
        let [width, height] = SIZE;
        let caps = format!(
            "image/jpeg, width=(int){width}, height=(int){height}, framerate=(fraction)30/1"
        );
        let frames = frames_of(request(repeated(&jpeg, &caps), encoder));
        let stream = h264_file(&folder, &frames);
        let what = format!("JPEG through {encoder}");
        Chart::new().assert_seen(&what, &last_frame(&folder, &stream), 0, 0);
        // A JPEG does not say which primaries it has.
        assert_eq!(tags(&stream)[..2], full_601.tags[..2], "{what}");
    }
}

#[test]
fn a_logo_has_its_colours_whatever_those_of_the_camera_mean() {
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    for colorimetry in COLORIMETRIES {
        for layout in ["I420", "NV12"] {
            let folder = Folder::new("colours-logo");
            let mut request = request(camera(&folder, &colorimetry, layout), "x264enc");
            request.look.logo = Some(Chart::logo().png(folder.path().join("logo.png")));
            let stream = h264_file(&folder, &frames_of(request));
            let what = format!("a logo in {} {layout}", colorimetry.caps);
            // It stands a thirtieth of the height away from the corner.
            let margin = SIZE[1] / 30;
            Chart::logo().assert_seen(&what, &last_frame(&folder, &stream), margin, margin);
            assert_eq!(tags(&stream), colorimetry.tags, "{what}");
        }
    }
}

#[test]
fn a_slate_has_its_colours_whatever_those_of_the_lost_camera_mean() {
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    for (colorimetry, layout) in COLORIMETRIES.iter().zip(["NV12", "I420", "YUY2", "NV12"]) {
        let folder = Folder::new("colours-slate");
        let path = folder.path().join("camera.gdp");
        write_camera(&path, colorimetry, layout, &Chart::new(), 20);
        let slate = Chart::new().reversed();
        let mut request = request(written_camera(&path), "x264enc");
        request.look.slate = Some(slate.clone().png(folder.path().join("slate.png")));
        let taken = Taken::default();
        let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
        fs::remove_file(&path).expect("removes");
        taken.wait_for("the loss", |t| t.has(&LOST_CAMERA));
        let lost_at = taken.of(Track::Video).len();
        taken.wait_for("the slate", |t| t.of(Track::Video).len() > lost_at + 20);
        capture.stop();
        let what = format!("a slate after {} {layout}", colorimetry.caps);
        assert_eq!(taken.count(Kind::VideoConfig), 1, "{what}: codec parameters changed");
        let frames = taken.of(Track::Video);
        assert_right(&what, &folder, &frames, &slate, &colorimetry.tags);
    }
}

// Shows F58.
#[test]
fn a_camera_that_replaces_one_of_another_colorimetry_has_its_own_colours() {
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let [tv_601, tv_709, full_601, full_709] = COLORIMETRIES;
    for ((first, its_layout), (second, layout)) in [
        ((tv_709, "I420"), (full_601, "YUY2")),
        ((full_601, "NV12"), (tv_709, "I420")),
        ((tv_601, "YUY2"), (full_709, "NV12")),
        ((tv_601, "I420"), (full_601, "NV12")),
    ] {
        let folder = Folder::new("colours-exchange");
        let path = folder.path().join("camera.gdp");
        write_camera(&path, &first, its_layout, &Chart::new(), 20);
        let taken = Taken::default();
        let request = request(written_camera(&path), "x264enc");
        let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
        let other = Chart::new().reversed();
        write_camera(&path, &second, layout, &other, 90);
        taken.wait_for("the other camera", |t| t.has(&LOST_CAMERA) && t.has(&BACK_CAMERA));
        let back_at = taken.of(Track::Video).len();
        taken.wait_for("its frames", |t| t.of(Track::Video).len() > back_at + 20);
        capture.stop();
        let what = format!("{} {layout} after {} {its_layout}", second.caps, first.caps);
        assert_eq!(taken.count(Kind::VideoConfig), 1, "{what}: codec parameters changed");
        let frames = taken.of(Track::Video);
        assert_right(&what, &folder, &frames, &other, &first.tags);
    }
}

#[test]
fn the_built_in_slate_looks_the_same_whatever_the_values_of_frames_mean() {
    if !has_or_skip(&["ffmpeg"]) {
        return;
    }
    let seen = COLORIMETRIES.map(|colorimetry| {
        let folder = Folder::new("colours-built-in-slate");
        let path = folder.path().join("camera.gdp");
        write_camera(&path, &colorimetry, "NV12", &Chart::new(), 20);
        let taken = Taken::default();
        let request = request(written_camera(&path), "x264enc");
        let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
        fs::remove_file(&path).expect("removes");
        taken.wait_for("the loss", |t| t.has(&LOST_CAMERA));
        let lost_at = taken.of(Track::Video).len();
        taken.wait_for("the slate", |t| t.of(Track::Video).len() > lost_at + 20);
        capture.stop();
        let stream = h264_file(&folder, &taken.of(Track::Video));
        last_frame(&folder, &stream)
    });
    let background =
        |frame: &[u8]| [0, 1, 2].map(|channel| f64::from(frame[(4 * SIZE[0] + 4) * 3 + channel]));
    let mean = |frame: &[u8]| frame.iter().map(|v| f64::from(*v)).sum::<f64>() / frame.len() as f64;
    for (frame, colorimetry) in seen.iter().zip(COLORIMETRIES) {
        let off = (mean(frame) - mean(&seen[1])).abs();
        assert!(off <= OFF_MAX, "{}: {off} brighter or darker", colorimetry.caps);
        for (value, expected) in background(frame).into_iter().zip(background(&seen[1])) {
            let off = (value - expected).abs();
            assert!(off <= OFF_MAX, "{}: {off} off", colorimetry.caps);
        }
    }
}

/// What measures is itself right: the chart, as this file computes it, is seen by ffmpeg as it is.
#[test]
fn what_measures_colours_sees_the_chart_as_it_is() {
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return;
    }
    let x264 = ["-c:v", "libx264", "-preset", "superfast", "-qp", "4", "-f", "h264"];
    for colorimetry in COLORIMETRIES {
        let folder = Folder::new("colours-measure");
        let [raw, stream] = ["chart.raw", "chart.h264"].map(|name| folder.path().join(name));
        fs::write(&raw, colorimetry.frame(&Chart::new(), "I420")).expect("writes");
        let [range, matrix, transfer, primaries] = colorimetry.tags;
        let mut ffmpeg = ffmpeg();
        ffmpeg.args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "320x180"]);
        ffmpeg.args(["-color_range", range]).arg("-i").arg(&raw).args(x264);
        ffmpeg.args(["-color_range", range, "-colorspace", matrix]);
        ffmpeg.args(["-color_trc", transfer, "-color_primaries", primaries]);
        run(ffmpeg.arg(&stream), LONG).ok();
        Chart::new().assert_seen(colorimetry.caps, &last_frame(&folder, &stream), 0, 0);
        assert_eq!(tags(&stream), colorimetry.tags);
    }
}
