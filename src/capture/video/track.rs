//! The picture track: which picture goes to the encoder at each tick.

use std::{path::Path, str::FromStr, sync::atomic::Ordering};

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::{self as gst_video, prelude::*};

use super::{
    black::BlackDetector,
    canvas::{Layout, Stamp},
    overlay::{LOGO_PART, Overlay},
    png::Png,
    slate::slate,
    test_pattern::TestPicture,
};
use crate::{
    capture::{
        encode::Programme,
        error::CaptureError,
        gst::{
            buffer::TimedBuffer,
            caps,
            clock::{SECOND_NS, scale},
        },
        request::{Look, VideoSettings},
        source::Feed,
        stats::Counters,
    },
    limits::CAPTURE_LATENCY,
};

const LATENCY_NS: u64 = CAPTURE_LATENCY.as_nanos() as u64;

/// The picture track.
pub struct Pictures {
    fps: u64,
    /// The next picture's, since media time zero: a second of media time begins with a picture
    /// whenever the programme was started, so that a test picture's flash is not up to a picture
    /// behind its beep.
    number: u64,
    test_picture: TestPicture,
    pool: gst::BufferPool,
    slate: gst::Buffer,
    overlay: Option<Overlay>,
    /// The camera's next picture, which is not due yet.
    pending: Option<TimedBuffer>,
    /// The camera's picture on air.
    shown: Option<gst::Buffer>,
    /// Its time, while it has not been on air.
    fresh_ns: Option<u64>,
    slate_on_air: bool,
    form: gst_video::VideoInfo,
    meter: BlackDetector,
}

const SLATE: &str = "the drawn slate is shown instead of slate.picture";
const LOGO: &str = "overlay.logo is left out";

/// What a PNG file of the owner gives, if there is one and it can be used.
fn chosen<T>(
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

/// A copy of a picture with the overlay on it; the picture itself may be a camera's, and shared.
fn overlaid(
    overlay: &mut Overlay,
    form: &gst_video::VideoInfo,
    pool: &gst::BufferPool,
    picture: gst::Buffer,
) -> gst::Buffer {
    let copy = || {
        let mut copy = pool.acquire_buffer(None).ok()?;
        let target = copy.get_mut()?;
        let from = gst_video::VideoFrameRef::from_buffer_ref_readable(&picture, form).ok()?;
        let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(target, form).ok()?;
        from.copy(&mut to).ok()?;
        drop((from, to));
        Some(copy)
    };
    let Some(mut copy) = copy() else { return picture };
    let time_of_day = if overlay.has_clock() { time_of_day() } else { String::new() };
    if let Some(Ok(mut map)) = copy.get_mut().map(|buffer| buffer.map_writable()) {
        overlay.draw(&time_of_day, &mut map);
    }
    copy
}

/// The time of day at the box's place, to the second.
fn time_of_day() -> String {
    let now = gst::glib::DateTime::now_local();
    let text = now.and_then(|now| now.format("%H:%M:%S"));
    text.map(Into::into).unwrap_or_default()
}

impl Pictures {
    /// The picture track, and what of its look was left out and why.
    pub fn new(
        video: &VideoSettings,
        look: &Look,
    ) -> Result<(Pictures, Vec<String>), CaptureError> {
        let caps = gst::Caps::from_str(&caps::raw_video(video))
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        let layout = Layout::new(video.width, video.height);
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        let bytes = u32::try_from(layout.bytes()).unwrap_or(u32::MAX);
        config.set_params(Some(&caps), bytes, 0, 0);
        pool.set_config(config)
            .and_then(|()| pool.set_active(true))
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        let mut left_out = Vec::new();
        let slate = match chosen(look.slate.as_deref(), SLATE, &mut left_out, |png| {
            png.picture(&caps::raw_frame(video))
        }) {
            Some(picture) => picture,
            None => {
                let drawn = slate(layout, &look.name).map_err(CaptureError::Slate)?;
                gst::Buffer::from_slice(drawn)
            }
        };
        let logo: Option<Stamp> = chosen(look.logo.as_deref(), LOGO, &mut left_out, |png| {
            png.stamp(video.width / LOGO_PART, video.height / LOGO_PART)
        });
        let pictures = Pictures {
            fps: u64::from(video.fps),
            number: 0,
            test_picture: TestPicture::new(layout),
            pool,
            slate,
            overlay: Overlay::new(layout, look.clock, look.text.as_deref(), logo),
            pending: None,
            shown: None,
            fresh_ns: None,
            slate_on_air: false,
            form: gst_video::VideoInfo::from_caps(&caps)
                .map_err(|error| CaptureError::Gstreamer(error.to_string()))?,
            meter: BlackDetector::default(),
        };
        Ok((pictures, left_out))
    }

    pub fn start_at(&mut self, media_ns: u64) {
        self.number = scale(media_ns, self.fps, SECOND_NS);
        if self.pts_ns(self.number) < media_ns {
            self.number += 1;
        }
    }

    /// Goes on at a media time, after there was no need for pictures. Whether those on air meanwhile
    /// are black is not known.
    pub fn resume_at(&mut self, media_ns: u64, counters: &Counters) {
        self.start_at(media_ns);
        self.meter = BlackDetector::default();
        counters.note_black(self.meter.black_for_ms());
    }

    fn pts_ns(&self, number: u64) -> u64 {
        scale(number, SECOND_NS, self.fps)
    }

    fn half_ns(&self) -> u64 {
        SECOND_NS / self.fps / 2
    }

    /// When the next picture goes to the encoder, with or without a new one of the camera: half a
    /// picture after its time, so that the newest one is on average as old as the samples beside
    /// it, and what devices and decoders take.
    fn due_ns(&self) -> u64 {
        self.pts_ns(self.number) + self.half_ns() + LATENCY_NS
    }

    /// Until when there is nothing to do unless a picture arrives. One of a live camera is ready when
    /// it arrives.
    pub fn wake_ns(&self, now_ns: u64, has_live_camera: bool) -> u64 {
        let pts_ns = self.pts_ns(self.number);
        if now_ns < pts_ns && !has_live_camera { pts_ns } else { self.due_ns() }
    }

    /// Gives the encoder every picture that is there or due.
    pub fn feed(
        &mut self,
        now_ns: u64,
        mut camera: Option<&mut Feed>,
        programme: &Programme,
        counters: &Counters,
    ) {
        loop {
            let pts_ns = self.pts_ns(self.number);
            let is_ready = match camera.as_deref_mut() {
                Some(camera) => self.has_taken(pts_ns, now_ns, camera),
                None => now_ns >= pts_ns,
            };
            if !is_ready {
                return;
            }
            let picture = match camera {
                Some(_) => Some(self.taken(counters, programme)),
                None => self.drawn(pts_ns),
            };
            let duration_ns = self.pts_ns(self.number + 1) - pts_ns;
            self.number += 1;
            let Some(mut picture) = picture else { continue };
            if self.meter.is_due(pts_ns) {
                self.look_at(pts_ns, &picture, counters);
            }
            if let Some(overlay) = &mut self.overlay {
                picture = overlaid(overlay, &self.form, &self.pool, picture);
            }
            let times = picture.make_mut();
            times.set_pts(gst::ClockTime::from_nseconds(pts_ns));
            times.set_dts(None);
            times.set_duration(gst::ClockTime::from_nseconds(duration_ns));
            times.unset_flags(gst::BufferFlags::DISCONT | gst::BufferFlags::RESYNC);
            if !programme.push_picture(picture) {
                counters.skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn look_at(&mut self, pts_ns: u64, picture: &gst::BufferRef, counters: &Counters) {
        let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(picture, &self.form);
        // What cannot be read is neither black nor not.
        let Ok(frame) = frame else { return };
        let stride = usize::try_from(frame.plane_stride()[0]).unwrap_or(1);
        let luma = frame.plane_data(0).unwrap_or_default();
        self.meter.see(pts_ns, luma, frame.width() as usize, stride);
        counters.note_black(self.meter.black_for_ms());
    }

    fn drawn(&self, pts_ns: u64) -> Option<gst::Buffer> {
        let mut buffer = self.pool.acquire_buffer(None).ok()?;
        let mut map = buffer.get_mut()?.map_writable().ok()?;
        self.test_picture.draw(pts_ns, &mut map);
        drop(map);
        Some(buffer)
    }

    /// Takes what the camera has for the picture of that time; whether it can go to the encoder.
    fn has_taken(&mut self, pts_ns: u64, now_ns: u64, camera: &mut Feed) -> bool {
        let (oldest_ns, newest_ns) =
            (pts_ns.saturating_sub(self.half_ns()), pts_ns + self.half_ns());
        if camera.is_lost() {
            (self.pending, self.shown, self.fresh_ns) = (None, None, None);
        }
        loop {
            self.pending = self.pending.take().or_else(|| camera.picture(now_ns));
            let Some(item) = self.pending.take_if(|i| i.media_ns <= newest_ns) else {
                break;
            };
            // A broken JPEG is worse than the picture before it.
            if !item.buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
                self.fresh_ns = Some(item.media_ns);
                self.shown = Some(item.buffer);
            }
        }
        // A clip is read ahead.
        let has_own = self.fresh_ns.is_some_and(|media_ns| media_ns > oldest_ns);
        let is_time = camera.is_live() || now_ns >= pts_ns;
        now_ns >= self.due_ns() || (is_time && (has_own || self.pending.is_some()))
    }

    /// The camera's newest picture, the one before it again, or the slate. Pictures are shared, not
    /// copied.
    fn taken(&mut self, counters: &Counters, programme: &Programme) -> gst::Buffer {
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
            programme.begin_at_next_picture();
        }
        self.shown.as_ref().unwrap_or(&self.slate).copy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::Profile, capture::Request};

    fn test_pictures() -> Pictures {
        gst::init().expect("GStreamer");
        let request = Request::from(&Profile::named("sim").expect("embedded"));
        Pictures::new(&request.video, &request.look).expect("a track").0
    }

    #[test]
    fn a_second_begins_with_a_picture_whenever_the_programme_was_started() {
        let mut pictures = test_pictures();
        for start_ms in [0, 1, 24, 33, 34, 999, 1_000, 86_400_001] {
            let start_ns = start_ms * 1_000_000;
            pictures.start_at(start_ns);
            let first_ns = pictures.pts_ns(pictures.number);
            assert!((start_ns..start_ns + SECOND_NS / pictures.fps).contains(&first_ns));
            let mut following = (pictures.number..).map(|number| pictures.pts_ns(number));
            let second_ns = start_ns.next_multiple_of(SECOND_NS);
            assert_eq!(following.find(|pts_ns| *pts_ns >= second_ns), Some(second_ns));
        }
    }

    #[test]
    fn while_a_camera_is_passed_through_nothing_is_said_of_black() {
        let mut pictures = test_pictures();
        let counters = Counters::default();
        let black_for_ms = || counters.snapshot("", "").levels.black_for_ms;
        pictures.meter.see(0, &[16; 64 * 64], 64, 64);
        counters.note_black(pictures.meter.black_for_ms());
        assert_eq!(black_for_ms(), Some(0));
        pictures.resume_at(40_000_000, &counters);
        assert_eq!(black_for_ms(), None);
    }
}
