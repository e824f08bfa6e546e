//! The video track: which frame goes to the encoder at each instant.

use std::{path::Path, str::FromStr, sync::atomic::Ordering};

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::{self as gst_video, prelude::*};

use super::{
    black::{BlackDetector, Luma},
    canvas::{Layout, Stamp},
    framed::FramedCamera,
    overlay::{LOGO_PART, Overlay},
    png::Png,
    slate::slate,
    still::Stills,
    test_pattern::TestPattern,
};
use crate::{
    capture::{
        encode::EncoderPipeline,
        error::CaptureError,
        frame_format::FrameFormat,
        framing::SharedFraming,
        gst::{
            buffer::TimedBuffer,
            caps,
            clock::{SECOND_NS, scale},
        },
        on_air::OnAir,
        request::{Look, VideoSettings},
        source::Recolour,
        stats::Counters,
    },
    limits::CAPTURE_LATENCY,
};

const LATENCY_NS: u64 = CAPTURE_LATENCY.as_nanos() as u64;

/// The video track.
pub struct VideoTrack {
    fps: u64,
    /// Number of the next frame, counted from media time zero: so each second of media time begins
    /// with a frame, whenever the capture was started, and the test pattern's flash is not up to a
    /// frame behind its beep.
    number: u64,
    test_pattern: TestPattern,
    pool: gst::BufferPool,
    slate: gst::Buffer,
    overlay: Option<Overlay>,
    /// The camera's next frame, which is not due yet.
    pending: Option<TimedBuffer>,
    /// The camera's newest frame.
    shown: Option<Shown>,
    framed: FramedCamera,
    /// Its time, until it has gone to the encoder.
    fresh_ns: Option<u64>,
    slate_on_air: bool,
    /// The encoder has got a frame.
    has_begun: bool,
    stills: Stills,
    layout: Layout,
    full_range: bool,
    info: gst_video::VideoInfo,
    black: BlackDetector,
}

/// A frame of the camera.
enum Shown {
    /// As it came, and its form.
    Raw(gst::Buffer, Option<gst::Caps>),
    /// As it is in the broadcast.
    Framed(gst::Buffer),
}

/// The camera as the track has it.
pub struct Camera<'a> {
    /// It is live, rather than a clip.
    pub is_live: bool,
    /// The slate replaces it.
    pub is_lost: bool,
    /// Its next frame, whether or not it is due.
    pub next: &'a mut dyn FnMut() -> Option<TimedBuffer>,
}

const SLATE: &str = "the built-in slate is shown instead of slate.picture";
const LOGO: &str = "overlay.logo is not shown";

/// Makes something of the owner's PNG file, if there is one and it is usable.
fn from_png<T>(
    path: Option<&Path>,
    instead: &str,
    left_out: &mut Vec<String>,
    make: impl FnOnce(Png) -> Result<T, String>,
) -> Option<T> {
    let path = path?;
    match Png::read(path).and_then(make) {
        Ok(made) => Some(made),
        Err(why) => {
            left_out.push(format!("{instead}: {}: {why}", path.display()));
            None
        }
    }
}

/// A copy of a frame with the overlay on it. The frame itself may be shared, so it is not drawn into.
fn overlaid(
    overlay: &mut Overlay,
    info: &gst_video::VideoInfo,
    pool: &gst::BufferPool,
    frame: gst::Buffer,
) -> gst::Buffer {
    let copy = || {
        let mut copy = pool.acquire_buffer(None).ok()?;
        let target = copy.get_mut()?;
        let from = gst_video::VideoFrameRef::from_buffer_ref_readable(&frame, info).ok()?;
        let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(target, info).ok()?;
        from.copy(&mut to).ok()?;
        drop((from, to));
        Some(copy)
    };
    let Some(mut copy) = copy() else { return frame };
    let time_of_day = if overlay.has_clock() { time_of_day() } else { String::new() };
    if let Some(Ok(mut map)) = copy.get_mut().map(|buffer| buffer.map_writable()) {
        overlay.draw(&time_of_day, &mut map);
    }
    copy
}

/// A planar frame as it is drawn here, in the form of other frames.
fn converted(
    drawn: Vec<u8>,
    video: &VideoSettings,
    to: &gst_video::VideoInfo,
) -> Result<gst::Buffer, gst::glib::BoolError> {
    let info = |format| {
        let caps = gst::Caps::from_str(&caps::raw_video(video, format))?;
        gst_video::VideoInfo::from_caps(&caps)
    };
    let format = FrameFormat::drawn(gst_video::VideoFormat::I420);
    let from = info(format)?;
    let mut drawn = gst::Buffer::from_mut_slice(drawn);
    if let Some(mut recolour) = Recolour::new(&from.colorimetry(), &to.colorimetry()) {
        recolour.frame(drawn.make_mut(), &from);
    }
    let from = info(FrameFormat { colorimetry: to.colorimetry(), ..format })?;
    if from == *to {
        return Ok(drawn);
    }
    let mut frame = gst::Buffer::with_size(to.size())?;
    let source = gst_video::VideoFrameRef::from_buffer_ref_readable(&drawn, &from)?;
    let target = frame.get_mut().ok_or_else(|| gst::glib::bool_error!("a new buffer is shared"))?;
    let mut target = gst_video::VideoFrameRef::from_buffer_ref_writable(target, to)?;
    gst_video::VideoConverter::new(&from, to, None)?.frame_ref(&source, &mut target);
    drop(target);
    Ok(frame)
}

/// The local time of day, to the second.
fn time_of_day() -> String {
    let now = gst::glib::DateTime::now_local();
    let text = now.and_then(|now| now.format("%H:%M:%S"));
    text.map(Into::into).unwrap_or_default()
}

impl VideoTrack {
    /// The video track, and which parts of the look are not possible, with the reason.
    pub fn new(
        video: &VideoSettings,
        frames: FrameFormat,
        look: &Look,
        framing: SharedFraming,
    ) -> Result<(VideoTrack, Vec<String>), CaptureError> {
        let refused = |error: gst::glib::BoolError| CaptureError::Gstreamer(error.to_string());
        let caps = gst::Caps::from_str(&caps::raw_video(video, frames)).map_err(refused)?;
        let info = gst_video::VideoInfo::from_caps(&caps).map_err(refused)?;
        let layout = Layout::of(&info);
        let full_range = frames.is_full_range();
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        let bytes = u32::try_from(layout.bytes()).unwrap_or(u32::MAX);
        config.set_params(Some(&caps), bytes, 0, 0);
        pool.set_config(config).and_then(|()| pool.set_active(true)).map_err(refused)?;
        let mut left_out = Vec::new();
        let slate = match from_png(look.slate.as_deref(), SLATE, &mut left_out, |png| {
            png.frame(&caps::raw_frame(video, frames))
        }) {
            Some(frame) => frame,
            None => {
                let planar = Layout::planar(video.width, video.height);
                let drawn = slate(planar, &look.name).map_err(CaptureError::Slate)?;
                converted(drawn, video, &info).map_err(refused)?
            }
        };
        let logo: Option<Stamp> = from_png(look.logo.as_deref(), LOGO, &mut left_out, |png| {
            png.stamp(video.width / LOGO_PART, video.height / LOGO_PART, &frames.colorimetry)
        });
        let framed = FramedCamera::new(framing, &info, &pool);
        let track = VideoTrack {
            fps: u64::from(video.fps),
            number: 0,
            test_pattern: TestPattern::new(layout),
            pool,
            slate,
            overlay: Overlay::new(layout, full_range, look.clock, look.text.as_deref(), logo),
            pending: None,
            shown: None,
            framed,
            fresh_ns: None,
            slate_on_air: false,
            has_begun: false,
            stills: Stills::default(),
            layout,
            full_range,
            info,
            black: BlackDetector::default(),
        };
        Ok((track, left_out))
    }

    /// Where whoever asks gets a frame as a JPEG.
    pub fn stills(&self) -> Stills {
        self.stills.clone()
    }

    /// There are no frames: whoever asks for one is refused, and they cannot be turned or enlarged. What
    /// of that the owner wants is given once, in words.
    pub fn pass_through(&mut self) -> Option<String> {
        self.stills.refuse();
        self.framed.not_done()
    }

    /// Starts the track at the first frame from a media time on.
    pub fn start_at(&mut self, media_ns: u64) {
        self.number = scale(media_ns, self.fps, SECOND_NS);
        if self.pts_ns(self.number) < media_ns {
            self.number += 1;
        }
    }

    /// Continues at a media time, after a camera's H.264 was passed through. Whether that was black
    /// is not known.
    pub fn resume_at(&mut self, media_ns: u64, counters: &Counters) {
        self.start_at(media_ns);
        self.black = BlackDetector::default();
        counters.note_black(self.black.black_for_ms());
    }

    #[cfg(test)]
    pub fn number(&self) -> u64 {
        self.number
    }

    fn pts_ns(&self, number: u64) -> u64 {
        scale(number, SECOND_NS, self.fps)
    }

    fn half_ns(&self) -> u64 {
        SECOND_NS / self.fps / 2
    }

    /// When the next frame goes to the encoder at the latest, with or without a new one from the
    /// camera: half a frame after its time, so that the camera's frame is on average as old as the
    /// samples of that time, plus the latency of devices and decoders.
    fn due_ns(&self) -> u64 {
        self.pts_ns(self.number) + self.half_ns() + LATENCY_NS
    }

    /// Until when there is nothing to do unless a frame arrives. A frame of a live camera goes to the
    /// encoder at once.
    pub fn wake_ns(&self, now_ns: u64, has_live_camera: bool) -> u64 {
        let pts_ns = self.pts_ns(self.number);
        if now_ns < pts_ns && !has_live_camera { pts_ns } else { self.due_ns() }
    }

    /// Gives the encoder every frame that is ready or due, once it is to get any; the first one is not
    /// one that was captured before.
    pub fn push_due(
        &mut self,
        now_ns: u64,
        mut camera: Option<Camera<'_>>,
        pipeline: &EncoderPipeline,
        on_air: &OnAir,
        counters: &Counters,
    ) {
        loop {
            let pts_ns = self.pts_ns(self.number);
            let is_ready = match &mut camera {
                Some(camera) => self.take_frames(pts_ns, now_ns, camera),
                None => now_ns >= pts_ns,
            };
            if !is_ready {
                return;
            }
            let captured_ns = match (&camera, &self.shown) {
                (None, _) => Some(pts_ns),
                (Some(_), None) => Some(now_ns),
                (Some(_), Some(_)) => self.fresh_ns,
            };
            self.has_begun |= captured_ns.is_some_and(|captured_ns| on_air.takes(captured_ns));
            let is_wanted = self.stills.is_wanted();
            let is_used = self.has_begun || is_wanted;
            let frame = match camera {
                Some(_) => {
                    // Nobody sees one that is not sent.
                    if is_used || self.black.is_due(pts_ns) {
                        self.frame_camera();
                    }
                    Some(self.current_frame(counters, pipeline))
                }
                None if !is_used => None,
                None => self.test_frame(pts_ns),
            };
            let duration_ns = self.pts_ns(self.number + 1) - pts_ns;
            self.number += 1;
            let Some(mut frame) = frame else { continue };
            if self.black.is_due(pts_ns) {
                self.measure_black(pts_ns, &frame, counters);
            }
            if !is_used {
                continue;
            }
            if let Some(overlay) = &mut self.overlay {
                frame = overlaid(overlay, &self.info, &self.pool, frame);
            }
            let times = frame.make_mut();
            times.set_pts(gst::ClockTime::from_nseconds(pts_ns));
            times.set_dts(None);
            times.set_duration(gst::ClockTime::from_nseconds(duration_ns));
            times.unset_flags(gst::BufferFlags::DISCONT | gst::BufferFlags::RESYNC);
            if is_wanted {
                self.stills.give(&frame, &self.info);
            }
            if self.has_begun && !pipeline.push_frame(frame) {
                counters.skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Keeps no frame of the camera: they are its driver's memory.
    pub fn forget_camera(&mut self) {
        (self.pending, self.shown, self.fresh_ns) = (None, None, None);
        self.framed.forget_camera();
    }

    fn measure_black(&mut self, pts_ns: u64, frame: &gst::BufferRef, counters: &Counters) {
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(frame, &self.info);
        // Of a frame that cannot be read nothing is known.
        let Ok(frame) = frame else { return };
        let stride = usize::try_from(frame.plane_stride()[0]).unwrap_or(1);
        let luma = self.layout.luma();
        let data = frame.plane_data(0).unwrap_or_default().get(luma.offset..).unwrap_or_default();
        let (width, step, full_range) = (frame.width() as usize, luma.step, self.full_range);
        self.black.measure(pts_ns, Luma { data, width, stride, step, full_range });
        counters.note_black(self.black.black_for_ms());
    }

    fn test_frame(&mut self, pts_ns: u64) -> Option<gst::Buffer> {
        let mut buffer = self.pool.acquire_buffer(None).ok()?;
        let mut map = buffer.get_mut()?.map_writable().ok()?;
        self.test_pattern.draw(pts_ns, &mut map);
        drop(map);
        self.framed.framed(buffer, None)
    }

    /// Takes what the camera has for the frame of that time; whether that frame can go to the
    /// encoder.
    fn take_frames(&mut self, pts_ns: u64, now_ns: u64, camera: &mut Camera<'_>) -> bool {
        let (oldest_ns, newest_ns) =
            (pts_ns.saturating_sub(self.half_ns()), pts_ns + self.half_ns());
        if camera.is_lost {
            self.forget_camera();
        }
        loop {
            self.pending = self.pending.take().or_else(|| (camera.next)());
            let Some(frame) = self.pending.take_if(|buffer| buffer.media_ns <= newest_ns) else {
                break;
            };
            // A corrupt frame looks worse than the one before it, repeated.
            if !frame.buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
                self.fresh_ns = Some(frame.media_ns);
                self.shown = Some(Shown::Raw(frame.buffer, frame.caps));
            }
        }
        // A clip is read ahead, so its frames wait for their time.
        let has_own = self.fresh_ns.is_some_and(|media_ns| media_ns > oldest_ns);
        let is_time = camera.is_live || now_ns >= pts_ns;
        now_ns >= self.due_ns() || (is_time && (has_own || self.pending.is_some()))
    }

    /// Turns and enlarges the camera's newest frame as the owner wants it, once.
    fn frame_camera(&mut self) {
        self.shown = match self.shown.take() {
            Some(Shown::Raw(frame, caps)) => {
                self.framed.framed(frame, caps.as_ref()).map(Shown::Framed)
            }
            shown => shown,
        };
    }

    /// The camera's newest frame, new or repeated, or the slate. Frames are shared, not copied.
    fn current_frame(&mut self, counters: &Counters, pipeline: &EncoderPipeline) -> gst::Buffer {
        let counter = match (&self.shown, self.fresh_ns.take()) {
            (None, _) => Some(&counters.slate),
            (Some(_), None) => Some(&counters.repeated),
            (Some(_), Some(_)) => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let is_slate = self.shown.is_none();
        if is_slate != self.slate_on_air {
            self.slate_on_air = is_slate;
            if self.has_begun {
                pipeline.force_key_on_next_frame();
            }
        }
        let original = match &self.shown {
            Some(Shown::Framed(frame) | Shown::Raw(frame, _)) => frame,
            None => &self.slate,
        };
        let mut frame = original.copy();
        // The original goes back to its pool when the last of its copies has been encoded, and not
        // before: so its memory is used again instead of being allocated for each frame.
        if let Some(frame) = frame.get_mut() {
            gst::meta::ParentBufferMeta::add(frame, original);
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::Profile, capture::Request};

    fn test_track() -> VideoTrack {
        gst::init().expect("GStreamer");
        let request = Request::from(&Profile::named("sim").expect("embedded"));
        VideoTrack::new(
            &request.video,
            FrameFormat::drawn(gst_video::VideoFormat::I420),
            &request.look,
            SharedFraming::default(),
        )
        .expect("a track")
        .0
    }

    #[test]
    fn a_second_begins_with_a_frame_whenever_the_capture_was_started() {
        let mut track = test_track();
        for start_ms in [0, 1, 24, 33, 34, 999, 1_000, 86_400_001] {
            let start_ns = start_ms * 1_000_000;
            track.start_at(start_ns);
            let first_ns = track.pts_ns(track.number);
            assert!((start_ns..start_ns + SECOND_NS / track.fps).contains(&first_ns));
            let mut following = (track.number..).map(|number| track.pts_ns(number));
            let second_ns = start_ns.next_multiple_of(SECOND_NS);
            assert_eq!(following.find(|pts_ns| *pts_ns >= second_ns), Some(second_ns));
        }
    }

    #[test]
    fn while_a_camera_is_passed_through_nothing_is_known_of_black() {
        let mut track = test_track();
        let counters = Counters::default();
        let black_for_ms = || counters.snapshot("", "").levels.black_for_ms;
        let luma = Luma { data: &[16; 64 * 64], width: 64, stride: 64, step: 1, full_range: false };
        track.black.measure(0, luma);
        counters.note_black(track.black.black_for_ms());
        assert_eq!(black_for_ms(), Some(0));
        track.resume_at(40_000_000, &counters);
        assert_eq!(black_for_ms(), None);
    }
}
