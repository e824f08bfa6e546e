//! The camera's video turned, mirrored and enlarged: a frame with a colour in each corner and another
//! one in the middle goes in, and what viewers get is decoded and read.

use std::{fs, path::Path};

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::{VideoFormat, VideoInfo};

use crate::common::{Taken, play, small};
use crate::support::Folder;
use crate::support::fake_device::FakeDevice;
use firstmile::{
    capture::{CameraSource, Capture, CaptureEvent, Request, StartWithout},
    media::{Frame, Kind, Track},
    video::{Framing, Mirror, Rotation, Zoom},
};

/// Each colour has a letter: red, green, blue, yellow, white, magenta, black; in Y', Cb and Cr of
/// ITU-R BT.601.
const COLOURS: [(char, [u8; 3]); 7] = [
    ('r', [81, 90, 240]),
    ('g', [145, 54, 34]),
    ('b', [41, 240, 110]),
    ('y', [210, 16, 146]),
    ('w', [235, 128, 128]),
    ('m', [106, 202, 222]),
    ('.', [16, 128, 128]),
];
/// Width and height, as in [`small`].
const SIZE: [usize; 2] = [320, 180];
/// The side of the white square in the middle of a frame of that size.
const SQUARE: usize = 40;
/// The corners of the camera's frame from the upper left on, row by row, and its middle.
const CAMERA: &str = "rg by w";

/// A frame that was decoded.
struct Seen {
    info: VideoInfo,
    data: Vec<u8>,
}

impl Seen {
    fn letter(&self, x: usize, y: usize) -> char {
        let value = |plane: usize, x: usize, y: usize| {
            self.data[self.info.offset()[plane] + y * self.info.stride()[plane] as usize + x]
        };
        let found = [value(0, x, y), value(1, x / 2, y / 2), value(2, x / 2, y / 2)];
        let off = |colour: &[u8; 3]| {
            let parts = colour.iter().zip(found).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2));
            parts.sum::<u32>()
        };
        COLOURS.iter().min_by_key(|(_, colour)| off(colour)).expect("some").0
    }

    /// The corners of a part, and its middle.
    fn part(&self, [x, y, width, height]: [usize; 4]) -> String {
        let (near, far) = (|side: usize| side / 8, |side: usize| side - side / 8);
        let at = |across: usize, down: usize| self.letter(x + across, y + down);
        let row = |down| [at(near(width), down), at(far(width), down)].iter().collect::<String>();
        format!("{} {} {}", row(near(height)), row(far(height)), at(width / 2 + 2, height / 2 + 2))
    }

    fn whole(&self) -> String {
        self.part([0, 0, self.info.width() as usize, self.info.height() as usize])
    }

    /// How many pixels of that colour there are in a row and in a column through the middle.
    fn spans(&self, letter: char) -> [usize; 2] {
        let [width, height] = [self.info.width() as usize, self.info.height() as usize];
        let across = (0..width).filter(|x| self.letter(*x, height / 2) == letter).count();
        let down = (0..height).filter(|y| self.letter(width / 2, *y) == letter).count();
        [across, down]
    }
}

/// What elements in `gst-launch` notation make of these buffers: frames.
fn decoded(elements: &str, caps: &str, buffers: &[Vec<u8>]) -> Vec<Seen> {
    gst::init().expect("GStreamer");
    let text = format!(
        "appsrc name=in format=time ! {elements} ! videoconvert ! video/x-raw,format=I420 \
         ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&text).expect("a pipeline");
    let pipeline = pipeline.downcast::<gst::Bin>().expect("a bin");
    let named = |name| pipeline.by_name(name).expect("an element");
    let source = named("in").downcast::<gstreamer_app::AppSrc>().expect("an appsrc");
    let sink = named("out").downcast::<gstreamer_app::AppSink>().expect("an appsink");
    source.set_caps(Some(&caps.parse::<gst::Caps>().expect("caps")));
    pipeline.set_state(gst::State::Playing).expect("plays");
    for (number, bytes) in buffers.iter().enumerate() {
        let mut buffer = gst::Buffer::from_slice(bytes.clone());
        let pts = gst::ClockTime::from_mseconds(33 * number as u64);
        buffer.get_mut().expect("its own").set_pts(pts);
        source.push_buffer(buffer).expect("takes it");
    }
    source.end_of_stream().expect("ends");
    let mut frames = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let info = VideoInfo::from_caps(sample.caps().expect("caps")).expect("video");
        let data = sample.buffer().expect("a buffer").map_readable().expect("readable").to_vec();
        frames.push(Seen { info, data });
    }
    pipeline.set_state(gst::State::Null).expect("stops");
    frames
}

/// Every frame of a track that begins with its configuration.
fn frames_of(track: &[Frame]) -> Vec<Seen> {
    let config: String = track[0].payload.iter().map(|byte| format!("{byte:02x}")).collect();
    let caps = format!(
        "video/x-h264, stream-format=(string)avc, alignment=(string)au, codec_data=(buffer){config}"
    );
    let units: Vec<Vec<u8>> = track[1..].iter().map(|frame| frame.payload.to_vec()).collect();
    decoded("avdec_h264", &caps, &units)
}

/// What `picture` shows.
fn still(capture: &Capture) -> Seen {
    let still = capture.stills().next(640, 95).expect("a frame");
    decoded("jpegdec", "image/jpeg", &[still.jpeg]).pop().expect("a JPEG")
}

/// A frame of planes: a colour in each quarter, and the square in the middle.
fn quarters([width, height]: [usize; 2]) -> Vec<u8> {
    let square = SQUARE * height / SIZE[1];
    let letter = |x: usize, y: usize| {
        let is_middle = x.abs_diff(width / 2) < square / 2 && y.abs_diff(height / 2) < square / 2;
        match (is_middle, x < width / 2, y < height / 2) {
            (true, ..) => 'w',
            (_, true, true) => 'r',
            (_, false, true) => 'g',
            (_, true, false) => 'b',
            (_, false, false) => 'y',
        }
    };
    painted([width, height], letter)
}

/// A frame of planes, as GStreamer has it in memory.
fn painted([width, height]: [usize; 2], letter: impl Fn(usize, usize) -> char) -> Vec<u8> {
    gst::init().expect("GStreamer");
    let info = VideoInfo::builder(VideoFormat::I420, width as u32, height as u32);
    let info = info.build().expect("a form");
    let mut data = vec![0; info.size()];
    for y in 0..height {
        for x in 0..width {
            let letter = letter(x, y);
            let (_, colour) = COLOURS.iter().find(|(own, _)| *own == letter).expect("known");
            for (plane, value) in colour.iter().enumerate() {
                let shared = usize::from(plane > 0);
                let row = info.offset()[plane] + (y >> shared) * info.stride()[plane] as usize;
                data[row + (x >> shared)] = *value;
            }
        }
    }
    data
}

fn caps([width, height]: [usize; 2]) -> String {
    format!(
        "video/x-raw, format=(string)I420, width=(int){width}, height=(int){height}, \
         framerate=(fraction)30/1, pixel-aspect-ratio=(fraction)1/1, \
         interlace-mode=(string)progressive, colorimetry=(string)bt601"
    )
}

/// A camera without end that delivers this frame, of that size.
fn camera(folder: &Folder, size: [usize; 2], frame: &[u8]) -> CameraSource {
    let path = folder.path().join("camera.raw");
    fs::write(&path, frame).expect("writes");
    let launch = format!(
        "multifilesrc location=\"{}\" loop=true do-timestamp=true caps=\"{}\" \
         ! identity sleep-time=33000",
        path.display(),
        caps(size)
    );
    CameraSource::Launch { launch, passthrough: false }
}

fn request(camera: CameraSource, [width, height]: [usize; 2]) -> Request {
    let mut request = Request { camera, ..small() };
    (request.video.width, request.video.height) = (width as u32, height as u32);
    request.video.bitrate_kbps = 3_000;
    request
}

fn framing(degrees: u32, mirror: Mirror) -> Framing {
    Framing { rotate: Rotation::of_degrees(degrees), mirror, ..Framing::default() }
}

fn png(path: &Path, size: [usize; 2], frame: &[u8]) {
    let raw = path.with_extension("raw");
    fs::write(&raw, frame).expect("writes");
    let text = format!(
        "multifilesrc location=\"{}\" num-buffers=1 caps=\"{}\" ! videoconvert ! pngenc \
         ! filesink location=\"{}\"",
        raw.display(),
        caps(size),
        path.display()
    );
    play(&text);
}

/// A capture in which one setting follows the other: what each looks like in `picture`, and in the
/// stream.
fn looks(request: Request, settings: &[Framing]) -> Vec<[Seen; 2]> {
    let taken = Taken::default();
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    let more_frames = |more: usize| {
        let now = taken.of(Track::Video).len();
        taken.wait_for("frames", |t| t.of(Track::Video).len() > now + more);
    };
    let mut stills = Vec::new();
    for framing in settings {
        capture.set_framing(*framing);
        // What is on its way to the encoder is still as it was before.
        more_frames(4);
        let still = still(&capture);
        more_frames(2);
        stills.push((still, taken.of(Track::Video).len() - 2));
    }
    let stats = capture.stats();
    capture.stop();
    assert_eq!(taken.count(Kind::VideoConfig), 1, "codec parameters never change");
    assert_eq!((stats.sources_lost, stats.encoder_restarts), (0, 0), "nothing is opened again");
    let mut frames: Vec<_> = frames_of(&taken.of(Track::Video)).into_iter().map(Some).collect();
    let both = |(still, at): (Seen, usize)| [still, frames[at].take().expect("each once")];
    stills.into_iter().map(both).collect()
}

#[test]
fn the_video_is_turned_and_mirrored_on_air_as_it_is_set() {
    let folder = Folder::new("framing-corners");
    let all = [
        (0, Mirror::None, CAMERA),
        (180, Mirror::None, "yb gr w"),
        (0, Mirror::Horizontal, "gr yb w"),
        (0, Mirror::Vertical, "by rg w"),
        (180, Mirror::Horizontal, "by rg w"),
        (180, Mirror::Vertical, "gr yb w"),
        (0, Mirror::None, CAMERA),
    ];
    let settings = all.map(|(degrees, mirror, _)| framing(degrees, mirror));
    let looks = looks(request(camera(&folder, SIZE, &quarters(SIZE)), SIZE), &settings);
    for ((degrees, mirror, expected), looks) in all.iter().zip(looks) {
        for (seen, what) in looks.iter().zip(["a still", "the stream"]) {
            assert_eq!(seen.whole(), *expected, "{degrees} {mirror:?} in {what}");
        }
    }
}

#[test]
fn a_quarter_turn_of_a_landscape_is_whole_and_in_proportion_with_black_at_its_sides() {
    let folder = Folder::new("framing-landscape");
    let all = [
        (90, Mirror::None, "br yg w"),
        (270, Mirror::None, "gy rb w"),
        (90, Mirror::Horizontal, "rb gy w"),
        (270, Mirror::Horizontal, "yg br w"),
    ];
    let settings = all.map(|(degrees, mirror, _)| framing(degrees, mirror));
    // At the start, where the camera is opened for it, and on air, where it is not.
    for start in [Framing::default(), settings[0]] {
        let mut request = request(camera(&folder, SIZE, &quarters(SIZE)), SIZE);
        request.framing = start;
        for ((degrees, mirror, expected), looks) in all.iter().zip(looks(request, &settings)) {
            for (seen, what) in looks.iter().zip(["a still", "the stream"]) {
                let what = format!("{degrees} {mirror:?} in {what}, begun with {start:?}");
                // 180 pixels of 320 are 101 of 180.
                assert_eq!(seen.part([109, 0, 102, 180]), *expected, "{what}");
                assert_eq!(seen.part([0, 0, 104, 180]), ".. .. .", "{what}");
                assert_eq!(seen.part([216, 0, 104, 180]), ".. .. .", "{what}");
                let [across, down] = seen.spans('w');
                assert!(across.abs_diff(down) <= 3, "{what}: {across}x{down}");
                assert!(across.abs_diff(SQUARE * 180 / 320) <= 3, "{what}: {across}");
            }
        }
    }
}

#[test]
fn a_quarter_turn_fills_a_portrait_and_can_be_taken_back_on_air() {
    let folder = Folder::new("framing-portrait");
    let portrait = [SIZE[1], SIZE[0]];
    let all = [90, 270, 0, 90].map(|degrees| framing(degrees, Mirror::None));
    for start in [Framing::default(), all[0]] {
        let mut request = request(camera(&folder, SIZE, &quarters(SIZE)), portrait);
        request.framing = start;
        let looks = looks(request, &all);
        for (seen, what) in [0, 1].into_iter().zip(["a still", "the stream"]) {
            let what = format!("{what}, begun with {start:?}");
            assert_eq!(looks[0][seen].whole(), "br yg w", "{what}");
            assert_eq!(looks[1][seen].whole(), "gy rb w", "{what}");
            // As it is: from side to side, with black above and below.
            assert_eq!(looks[2][seen].part([0, 109, 180, 102]), CAMERA, "{what}");
            assert_eq!(looks[2][seen].part([0, 0, 180, 104]), ".. .. .", "{what}");
            assert_eq!(looks[3][seen].whole(), "br yg w", "{what}");
            // Sharp whichever way it was opened: nothing was made small and large again.
            let [across, down] = looks[0][seen].spans('w');
            assert!(across.abs_diff(SQUARE) <= 3 && down.abs_diff(SQUARE) <= 3, "{across}x{down}");
        }
    }
}

#[test]
fn zoom_shows_the_middle_and_pan_and_tilt_what_is_beside_it() {
    let folder = Folder::new("framing-zoom");
    let zoomed = |percent, pan_percent, tilt_percent| Framing {
        zoom: Zoom::of_percent(percent),
        pan_percent,
        tilt_percent,
        ..Framing::default()
    };
    let all = [
        (zoomed(200, 0, 0), CAMERA),
        (zoomed(400, -100, 100), "rr rr r"),
        (zoomed(400, 100, 100), "gg gg g"),
        (zoomed(400, -100, -100), "bb bb b"),
        (zoomed(400, 100, -100), "yy yy y"),
        (zoomed(100, 100, -100), CAMERA),
        // Right and up are what viewers see.
        (Framing { mirror: Mirror::Horizontal, ..zoomed(400, 100, 100) }, "rr rr r"),
        (Framing { rotate: Rotation::Half, ..zoomed(400, 100, 100) }, "bb bb b"),
    ];
    let settings = all.map(|(framing, _)| framing);
    let looks = looks(request(camera(&folder, SIZE, &quarters(SIZE)), SIZE), &settings);
    for ((framing, expected), looks) in all.iter().zip(&looks) {
        for (seen, what) in looks.iter().zip(["a still", "the stream"]) {
            assert_eq!(seen.whole(), *expected, "{framing:?} in {what}");
        }
    }
    for seen in &looks[0] {
        let [across, down] = seen.spans('w');
        let is_twice = across.abs_diff(2 * SQUARE) <= 4 && down.abs_diff(2 * SQUARE) <= 4;
        assert!(is_twice, "{across}x{down}");
    }
}

#[test]
fn zoom_that_is_set_before_the_camera_is_opened_shows_every_pixel_of_a_larger_one() {
    let folder = Folder::new("framing-detail");
    let large = [2 * SIZE[0], 2 * SIZE[1]];
    // Lines of one pixel: in half the size they would be grey.
    let lines = painted(large, |x, _| if x % 2 == 0 { 'w' } else { '.' });
    let mut request = request(camera(&folder, large, &lines), SIZE);
    request.framing = Framing { zoom: Zoom::of_percent(200), ..Framing::default() };
    request.video.bitrate_kbps = 8_000;
    let setting = request.framing;
    for seen in looks(request, &[setting]).remove(0) {
        let row: String = (150..160).map(|x| seen.letter(x, 90)).collect();
        assert!(["w.w.w.w.w.", ".w.w.w.w.w"].contains(&&*row), "{row}");
    }
}

#[test]
fn what_is_drawn_over_the_video_and_instead_of_it_is_not_turned() {
    let folder = Folder::new("framing-look");
    let (logo, slate) = (folder.path().join("logo.png"), folder.path().join("slate.png"));
    png(&logo, [40, 40], &painted([40, 40], |_, y| if y < 20 { 'm' } else { 'w' }));
    png(&slate, SIZE, &quarters(SIZE));
    let upside_down = framing(180, Mirror::None);
    let mut with_logo = request(camera(&folder, SIZE, &quarters(SIZE)), SIZE);
    with_logo.look.logo = Some(logo);
    for seen in looks(with_logo, &[upside_down]).remove(0) {
        // A thirtieth of the height away from the corner, upright.
        assert_eq!([seen.letter(26, 14), seen.letter(26, 38)], ['m', 'w']);
        assert_eq!(seen.letter(80, 20), 'y');
        assert_eq!(seen.whole().split_once(' ').expect("rows").1, "gr w");
    }

    let unplugged = FakeDevice::camera(30);
    unplugged.plug(false);
    std::thread::sleep(std::time::Duration::from_millis(100));
    let launch = CameraSource::Launch { launch: unplugged.launch(), passthrough: false };
    let mut without_camera = request(launch, SIZE);
    without_camera.start_without = StartWithout { camera: true, microphone: false };
    without_camera.look.slate = Some(slate);
    without_camera.framing = upside_down;
    let taken = Taken::default();
    let capture = Capture::start(without_camera, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("the slate", |t| t.of(Track::Video).len() > 10);
    assert_eq!(still(&capture).whole(), CAMERA, "a still of the slate");
    capture.stop();
    let seen = frames_of(&taken.of(Track::Video)).pop().expect("a frame");
    assert_eq!(seen.whole(), CAMERA, "the slate in the stream");
}

#[test]
fn a_camera_that_comes_back_is_turned_as_it_was() {
    let folder = Folder::new("framing-back");
    let path = folder.path().join("camera.raw");
    fs::write(&path, quarters(SIZE)).expect("writes");
    let launch = format!(
        "multifilesrc location=\"{}\" loop=true num-buffers=90 do-timestamp=true caps=\"{}\" \
         ! identity sleep-time=33000",
        path.display(),
        caps(SIZE)
    );
    let mut request = request(CameraSource::Launch { launch, passthrough: false }, SIZE);
    request.framing = framing(180, Mirror::None);
    let taken = Taken::default();
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    let back = CaptureEvent::SourceBack(firstmile::capture::Source::Camera);
    taken.wait_for("the return", |t| t.has(&back));
    // It is there for three seconds at a time.
    let seen = (0..90).map(|_| still(&capture).whole()).find(|seen| seen == "yb gr w");
    assert!(seen.is_some(), "it is not seen turned");
    capture.stop();
    assert_eq!(taken.count(Kind::VideoConfig), 1, "codec parameters never change");
    assert!(frames_of(&taken.of(Track::Video)).iter().all(|seen| seen.whole() != CAMERA));
}

#[test]
fn a_turned_camera_that_changes_its_size_is_placed_again_and_not_lost() {
    let device = FakeDevice::camera(30);
    let launch = CameraSource::Launch { launch: device.launch(), passthrough: false };
    let mut request = request(launch, SIZE);
    request.framing = framing(90, Mirror::None);
    let taken = Taken::default();
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    // Three to four: 135 pixels of 320.
    let is_placed = |what: &str| {
        let seen = still(&capture);
        // Its grey is nearer to white than to any colour.
        let read: String = [84, 100, 220, 236].map(|x| seen.letter(x, 20)).iter().collect();
        assert_eq!(read, ".ww.", "{what}");
    };
    is_placed("as it was opened");
    let now = taken.of(Track::Video).len();
    device.set_width(240);
    taken.wait_for("larger frames", |t| t.of(Track::Video).len() > now + 30);
    is_placed("larger");
    assert_eq!(capture.stats().sources_lost, 0);
    capture.stop();
    assert_eq!(taken.count(Kind::VideoConfig), 1, "codec parameters never change");
}

#[test]
fn h264_that_is_passed_through_is_not_turned_and_that_is_reported_once() {
    let taken = Taken::default();
    let launch = "videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=30/1 \
                  ! x264enc tune=zerolatency key-int-max=15"
        .to_owned();
    let mut request = request(CameraSource::Launch { launch, passthrough: true }, SIZE);
    request.framing = framing(90, Mirror::None);
    let capture = Capture::start(request, taken.sink(), taken.events()).expect("starts");
    taken.wait_for("the camera", |t| t.of(Track::Video).len() > 20);
    let notes = || {
        let notes = taken.seen_events().into_iter().filter_map(|event| match event {
            CaptureEvent::LeftOut { message } => Some(message),
            _ => None,
        });
        notes.collect::<Vec<_>>()
    };
    assert_eq!(notes().len(), 1, "{:?}", notes());
    assert!(notes()[0].contains("turned by 90 degrees (video.rotate)"), "{:?}", notes());
    assert!(notes()[0].contains("own H.264"), "{:?}", notes());
    for setting in [Framing::default(), framing(0, Mirror::Vertical)] {
        capture.set_framing(setting);
        let now = taken.of(Track::Video).len();
        taken.wait_for("more of it", |t| t.of(Track::Video).len() > now + 10);
    }
    assert_eq!(notes().len(), 2, "{:?}", notes());
    assert!(notes()[1].contains("mirrored, vertical (video.mirror)"), "{:?}", notes());
    assert_eq!(capture.stats().video_encoder, "camera");
    capture.stop();
}
