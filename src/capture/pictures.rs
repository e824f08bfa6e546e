//! The picture track: which picture goes to the encoder at each tick.

use std::{str::FromStr, sync::atomic::Ordering};

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::{self as gst_video, prelude::*};

use super::{
    build::{SECOND_NS, scale},
    error::CaptureError,
    feed::{Feed, Item},
    levels::PictureMeter,
    picture::{Layout, TestPicture, slate},
    pipeline::raw_video_caps,
    programme::Programme,
    request::VideoSettings,
    stats::Counters,
};
use crate::limits::CAPTURE_LATENCY;

const LATENCY_NS: u64 = CAPTURE_LATENCY.as_nanos() as u64;

/// The picture track.
pub(super) struct Pictures {
    fps: u64,
    start_ns: u64,
    number: u64,
    test_picture: TestPicture,
    pool: gst::BufferPool,
    slate: gst::Buffer,
    /// The camera's next picture, which is not due yet.
    pending: Option<Item>,
    /// The camera's picture on air.
    shown: Option<gst::Buffer>,
    form: gst_video::VideoInfo,
    meter: PictureMeter,
}

impl Pictures {
    pub(super) fn new(video: &VideoSettings) -> Result<Pictures, CaptureError> {
        let caps = gst::Caps::from_str(&raw_video_caps(video))
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        let layout = Layout::new(video.width, video.height);
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        let bytes = u32::try_from(layout.bytes()).unwrap_or(u32::MAX);
        config.set_params(Some(&caps), bytes, 0, 0);
        pool.set_config(config)
            .and_then(|()| pool.set_active(true))
            .map_err(|error| CaptureError::Gstreamer(error.to_string()))?;
        Ok(Pictures {
            fps: u64::from(video.fps),
            start_ns: 0,
            number: 0,
            test_picture: TestPicture::new(layout),
            pool,
            slate: gst::Buffer::from_slice(slate(layout, "CAMERA LOST")),
            pending: None,
            shown: None,
            form: gst_video::VideoInfo::from_caps(&caps)
                .map_err(|error| CaptureError::Gstreamer(error.to_string()))?,
            meter: PictureMeter::default(),
        })
    }

    pub(super) fn start_at(&mut self, media_ns: u64) {
        self.start_ns = media_ns;
    }

    fn pts_ns(&self, number: u64) -> u64 {
        self.start_ns + scale(number, SECOND_NS, self.fps)
    }

    fn half_ns(&self) -> u64 {
        SECOND_NS / self.fps / 2
    }

    /// A picture is due half a picture after its time, so that the newest one of a camera is on
    /// average as old as the samples beside it.
    pub(super) fn due_ns(&self) -> u64 {
        self.pts_ns(self.number) + self.half_ns() + LATENCY_NS
    }

    /// Gives the encoder every picture that is due.
    pub(super) fn feed(
        &mut self,
        now_ns: u64,
        mut camera: Option<&mut Feed>,
        programme: &Programme,
        counters: &Counters,
    ) {
        while self.due_ns() <= now_ns {
            let pts_ns = self.pts_ns(self.number);
            let duration_ns = self.pts_ns(self.number + 1) - pts_ns;
            let picture = match camera.as_deref_mut() {
                Some(camera) => Some(self.taken(pts_ns, now_ns, camera, counters)),
                None => self.drawn(pts_ns),
            };
            self.number += 1;
            let Some(mut picture) = picture else { continue };
            if self.meter.is_due(pts_ns) {
                self.look_at(pts_ns, &picture, counters);
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
        counters.note_picture(&self.meter);
    }

    fn drawn(&self, pts_ns: u64) -> Option<gst::Buffer> {
        let mut buffer = self.pool.acquire_buffer(None).ok()?;
        let mut map = buffer.get_mut()?.map_writable().ok()?;
        self.test_picture.draw(pts_ns, &mut map);
        drop(map);
        Some(buffer)
    }

    /// The camera's newest picture that is due, the one before it, or the slate. Pictures are
    /// shared, not copied.
    fn taken(
        &mut self,
        pts_ns: u64,
        now_ns: u64,
        camera: &mut Feed,
        counters: &Counters,
    ) -> gst::Buffer {
        let mut fresh = false;
        let newest_ns = pts_ns + self.half_ns();
        if camera.is_lost() {
            (self.pending, self.shown) = (None, None);
        }
        loop {
            self.pending = self.pending.take().or_else(|| camera.picture(now_ns));
            let Some(item) = self.pending.take_if(|i| i.media_ns <= newest_ns) else {
                break;
            };
            // A broken JPEG is worse than the picture before it.
            if !item.buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
                self.shown = Some(item.buffer);
                fresh = true;
            }
        }
        let counter = match (&self.shown, fresh) {
            (None, _) => Some(&counters.slate),
            (Some(_), false) => Some(&counters.repeated),
            (Some(_), true) => None,
        };
        if let Some(counter) = counter {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.shown.as_ref().unwrap_or(&self.slate).copy()
    }
}
