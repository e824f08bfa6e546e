//! What the capture tests share: a small request and a place that keeps what comes out.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use gstreamer::{self as gst, prelude::*};

use crate::support::appliance::Appliance;
use crate::support::nginx::{Nginx, nginx_or_skip};
use crate::support::pki::{Flaw, Pki};
use crate::support::{Folder, has_or_skip};

use firstmile::{
    board::Profile,
    capture::{Capture, CaptureEvent, FrameSink, Request},
    media::{Frame, Kind, Track},
};

/// 320x180 at 30 frames a second, a key frame twice a second; test pattern and tone.
pub fn small() -> Request {
    let mut request = Request::from(&Profile::named("sim").expect("embedded"));
    request.video.width = 320;
    request.video.height = 180;
    request.video.bitrate_kbps = 300;
    request.video.keyframe_interval_ms = 500;
    request
}

/// Nothing that an encoder or a server could notice: one configuration per track, frames and
/// blocks at their rate.
pub fn assert_unbroken(taken: &Taken, capture: &Capture) {
    let skipped = capture.stats().frames_skipped;
    for (track, step_ns) in [(Track::Video, 33_333_333), (Track::Audio, 21_333_333)] {
        let frames = taken.of(track);
        assert_eq!(frames.iter().filter(|f| f.kind.is_config()).count(), 1, "{track:?}");
        if track == Track::Video && skipped > 0 {
            continue;
        }
        for pair in frames[1..].windows(2) {
            let off = (pair[1].dts_ns - pair[0].dts_ns).abs_diff(step_ns);
            assert!(off < 1_000_000, "{track:?}: {off} ns off its rate");
        }
    }
}

/// Keeps frames and events.
#[derive(Clone, Default)]
pub struct Taken(Arc<(Mutex<Kept>, Condvar)>);

#[derive(Default)]
pub struct Kept {
    frames: Vec<Frame>,
    events: Vec<CaptureEvent>,
}

impl Kept {
    pub fn count(&self, kind: Kind) -> usize {
        self.frames.iter().filter(|frame| frame.kind == kind).count()
    }

    pub fn of(&self, track: Track) -> Vec<Frame> {
        self.frames.iter().filter(|frame| frame.track() == track).cloned().collect()
    }

    /// Decoding time of the newest access unit of a track, in nanoseconds.
    pub fn newest_ns(&self, track: Track) -> u64 {
        let newest = self.frames.iter().rev().find(|frame| frame.track() == track);
        newest.map_or(0, |frame| frame.dts_ns)
    }

    pub fn events(&self) -> &[CaptureEvent] {
        &self.events
    }

    pub fn has(&self, event: &CaptureEvent) -> bool {
        self.events.contains(event)
    }
}

impl Taken {
    pub fn sink(&self) -> FrameSink {
        let taken = self.clone();
        Arc::new(move |frame| taken.with(|kept| kept.frames.push(frame)))
    }

    pub fn events(&self) -> impl Fn(CaptureEvent) + Send + Sync + 'static {
        let taken = self.clone();
        move |event| taken.with(|kept| kept.events.push(event))
    }

    pub fn count(&self, kind: Kind) -> usize {
        self.with(|kept| kept.count(kind))
    }

    pub fn of(&self, track: Track) -> Vec<Frame> {
        self.with(|kept| kept.of(track))
    }

    pub fn seen_events(&self) -> Vec<CaptureEvent> {
        self.with(|kept| kept.events.clone())
    }

    /// Waits until `done`, for as long as a loaded machine may need.
    pub fn wait_for(&self, what: &str, done: impl Fn(&Kept) -> bool) {
        self.wait_as_long_as(30, what, done);
    }

    /// The same for something that takes its time.
    pub fn wait_as_long_as(&self, seconds: u64, what: &str, done: impl Fn(&Kept) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        let mut kept = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !done(&kept) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}; events: {:?}", kept.events);
            kept = self.0.1.wait_timeout(kept, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Looks at what was kept.
    pub fn look<T>(&self, look: impl FnOnce(&Kept) -> T) -> T {
        self.with(|kept| look(kept))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Kept) -> T) -> T {
        let result = look(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
        result
    }
}

/// The luma of the last frame of a track of 320x180, decoded.
pub fn last_frame(frames: &[Frame]) -> Vec<u8> {
    gst::init().expect("GStreamer");
    let text = "appsrc name=in format=time ! avdec_h264 ! videoconvert ! \
                video/x-raw,format=GRAY8 ! appsink name=out sync=false";
    let pipeline = gst::parse::launch(text).expect("a pipeline");
    let pipeline = pipeline.downcast::<gst::Bin>().expect("a bin");
    let named = |name| pipeline.by_name(name).expect("an element");
    let source = named("in").downcast::<gstreamer_app::AppSrc>().expect("an appsrc");
    let sink = named("out").downcast::<gstreamer_app::AppSink>().expect("an appsink");
    let config: String = frames[0].payload.iter().map(|byte| format!("{byte:02x}")).collect();
    let caps = format!(
        "video/x-h264, stream-format=(string)avc, alignment=(string)au, \
         codec_data=(buffer){config}"
    );
    source.set_caps(Some(&caps.parse::<gst::Caps>().expect("caps")));
    pipeline.set_state(gst::State::Playing).expect("plays");
    for frame in &frames[1..] {
        let mut buffer = gst::Buffer::from_slice(frame.payload.clone());
        buffer.make_mut().set_pts(gst::ClockTime::from_nseconds(frame.pts_ns));
        source.push_buffer(buffer).expect("takes it");
    }
    source.end_of_stream().expect("ends");
    let mut frame = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        frame = sample.buffer().expect("a buffer").map_readable().expect("readable").to_vec();
    }
    pipeline.set_state(gst::State::Null).expect("stops");
    frame
}

/// A clip made for one test; removed at its end.
pub struct Clip {
    pub path: PathBuf,
}

impl Clip {
    /// A clip of so many seconds, with video of that rate and with audio, or without.
    pub fn new(name: &str, seconds: u32, fps: Option<u32>, audio: bool) -> Clip {
        let video = fps.map(|fps| {
            let frames = seconds * fps;
            format!(
                "videotestsrc pattern=ball num-buffers={frames} ! \
                 video/x-raw,width=240,height=180,framerate={fps}/1"
            )
        });
        let blocks = seconds * 44_100 / 1_024;
        let audio = audio.then(|| {
            format!(
                "audiotestsrc num-buffers={blocks} volume=0.1 ! \
                 audio/x-raw,rate=44100,channels=1 ! avenc_aac"
            )
        });
        Clip::of(&format!("{name}.mp4"), "mp4mux", video, audio)
    }

    /// A clip of one second that begins with a flash and a beep. Its audio is not encoded, because a
    /// coder would delay it.
    pub fn flashing(name: &str) -> Clip {
        let size = "video/x-raw,width=320,height=180,framerate=30/1";
        let video = format!(
            "concat name=parts videotestsrc pattern=white num-buffers=3 ! {size} ! parts. \
             videotestsrc pattern=black num-buffers=27 ! {size} ! parts. parts."
        );
        let form = "audio/x-raw,format=S16LE,rate=48000,channels=1";
        let tone = |volume, blocks| {
            format!(
                "audiotestsrc freq=1000 volume={volume} samplesperbuffer=960 \
                 num-buffers={blocks} ! {form} ! tracks."
            )
        };
        let audio = format!(
            "concat name=tracks {} {} tracks. ! audioconvert ! {form}",
            tone("0.9", 5),
            tone("0", 45)
        );
        Clip::of(&format!("{name}.mkv"), "matroskamux", Some(video), Some(audio))
    }

    /// A clip of one second, white at its left half, whose metadata say to turn it a quarter
    /// clockwise: then white is above.
    pub fn on_its_side(name: &str) -> Clip {
        let half = "video/x-raw,width=120,height=240,framerate=30/1";
        let video = format!(
            "videotestsrc pattern=white num-buffers=30 ! {half} ! both. \
             videotestsrc pattern=black num-buffers=30 ! {half} ! both. \
             compositor name=both sink_1::xpos=120 ! video/x-raw,width=240,height=240"
        );
        let clip = Clip::of(&format!("{name}.mp4"), "mp4mux", Some(video), None);
        // The muxer has no property for it: the matrix in the track's header (ISO/IEC 14496-12
        // section 8.3.2).
        let mut bytes = std::fs::read(&clip.path).expect("just made");
        let header = bytes.windows(4).position(|word| word == b"tkhd").expect("a track");
        let quarter = [0, 0x1_0000, 0, -0x1_0000, 0, 0, 0, 0, 0x4000_0000_i32];
        let matrix = quarter.map(i32::to_be_bytes).concat();
        bytes[header + 44..header + 80].copy_from_slice(&matrix);
        std::fs::write(&clip.path, bytes).expect("writes");
        clip
    }

    fn of(file: &str, muxer: &str, video: Option<String>, audio: Option<String>) -> Clip {
        let file = format!("firstmile-{}-{file}", std::process::id());
        let path = std::env::temp_dir().join(file);
        let mut text = format!("{muxer} name=mux ! filesink location=\"{}\" ", path.display());
        if let Some(video) = video {
            text += &format!("{video} ! x264enc tune=zerolatency speed-preset=ultrafast ! mux. ");
        }
        if let Some(audio) = audio {
            text += &format!("{audio} ! mux.");
        }
        gst::init().expect("GStreamer");
        let pipeline = gst::parse::launch(&text).expect("a pipeline");
        pipeline.set_state(gst::State::Playing).expect("plays");
        let bus = pipeline.bus().expect("a bus");
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &ends);
        pipeline.set_state(gst::State::Null).expect("stops");
        assert!(matches!(end.as_ref().map(|m| m.type_()), Some(gst::MessageType::Eos)), "{end:?}");
        Clip { path }
    }
}

impl Drop for Clip {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A broadcast to nginx with these tables in the board's profile, while `story` happens; what was recorded.
pub fn broadcast(profile: &str, story: impl FnOnce(&Appliance)) -> Option<(Nginx, PathBuf)> {
    if !has_or_skip(&["ffmpeg", "ffprobe"]) {
        return None;
    }
    let pki = Pki::new();
    let nginx = nginx_or_skip(&pki.identity(&["localhost"], Flaw::None))?;
    let mut appliance = Appliance::start_with(Folder::new("box"), &[], profile);
    let url = nginx.rtmp_url();
    let stick = format!(
        "version = 1\n[[destination]]\nname = \"hall\"\nurl = \"{url}\"\nkey = \"a-k3y\"\n\
         allow_plain = true\n"
    );
    appliance.stick(&stick).0.ok();
    appliance.until_status("ready");
    appliance.ctl("live").ok();
    appliance.until_status("live");
    story(&appliance);
    let status = appliance.until_status("live");
    assert!(!status.contains("reconnect"), "the session was kept: {status}");
    appliance.ctl("stop").ok();
    appliance.until_status("ready");
    appliance.end();
    let record = nginx.finished_record();
    Some((nginx, record))
}

/// Waits for so many more frames.
pub fn until_frames(appliance: &Appliance, more: usize) {
    let frames = |status: &str| {
        let line = status.lines().find(|line| line.starts_with("encoder"))?;
        line.rsplit_once(" frames").and_then(|(rest, _)| rest.rsplit(' ').next()?.parse().ok())
    };
    let first: usize = frames(&appliance.ctl("status").stdout).unwrap_or(0);
    appliance.until_status_shows("more frames", |status| {
        frames(status).is_some_and(|now: usize| now >= first + more)
    });
}

/// Runs elements in `gst-launch` notation to their end.
pub fn play(text: &str) {
    gst::init().expect("GStreamer");
    let pipeline = gst::parse::launch(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    pipeline.set_state(gst::State::Playing).expect("plays");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let bus = pipeline.bus().expect("a bus");
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(30), &ends);
    pipeline.set_state(gst::State::Null).expect("stops");
    assert_eq!(end.as_ref().map(|m| m.type_()), Some(gst::MessageType::Eos), "{end:?}");
}
