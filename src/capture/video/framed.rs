//! The camera's frames as the owner wants them: turned, mirrored, enlarged.

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::VideoInfo;

use crate::{
    capture::{convert::Framer, framing::SharedFraming},
    limits::FRAMES_REPEATED_MAX,
    video::Framing,
};

/// Makes frames of the broadcast of the camera's. Where nothing is set, and they have the broadcast's
/// size, they stay what they are.
pub struct FramedCamera {
    framing: SharedFraming,
    latest: Framing,
    to: VideoInfo,
    pool: gst::BufferPool,
    prepared: Option<Prepared>,
    /// The last frame that was made, and for how many that could not be read it has stood in since.
    before: Option<(gst::Buffer, u32)>,
    /// That video which is passed through stays as it is was reported of this.
    reported: Framing,
}

/// What is done to frames of one form.
struct Prepared {
    caps: Option<gst::Caps>,
    framing: Framing,
    /// `None` where it is nothing; why it cannot be done.
    framer: Result<Option<Framer>, String>,
}

impl FramedCamera {
    /// For frames of that form out of that pool.
    pub fn new(framing: SharedFraming, to: &VideoInfo, pool: &gst::BufferPool) -> FramedCamera {
        let (latest, reported) = (framing.now(), Framing::default());
        let (to, pool) = (to.clone(), pool.clone());
        FramedCamera { framing, latest, to, pool, prepared: None, before: None, reported }
    }

    /// A frame of a camera with these caps, or of the broadcast's form, as the owner wants it now. For one
    /// that cannot be read it is the one before, [`FRAMES_REPEATED_MAX`] times; then, and where no frame of
    /// these caps can be used, it is `None`.
    pub fn framed(&mut self, frame: gst::Buffer, caps: Option<&gst::Caps>) -> Option<gst::Buffer> {
        self.latest = self.framing.unless_held().unwrap_or(self.latest);
        let is_prepared = self
            .prepared
            .as_ref()
            .is_some_and(|p| p.framing == self.latest && p.caps.as_ref() == caps);
        if !is_prepared {
            self.prepare(caps);
        }
        let framer = match &mut self.prepared.as_mut()?.framer {
            Ok(Some(framer)) => framer,
            Ok(None) => return Some(frame),
            Err(_) => return None,
        };
        let mut target = self.pool.acquire_buffer(None).ok()?;
        if let Err(error) = framer.frame(&frame, target.get_mut()?) {
            tracing::debug!(%error, "a frame of the camera cannot be read");
            let (before, times) = self.before.as_mut()?;
            *times += 1;
            return (*times <= FRAMES_REPEATED_MAX).then(|| before.clone());
        }
        self.before = Some((target.clone(), 0));
        Some(target)
    }

    /// The frames that follow are of another camera, or of one that was away.
    pub fn forget_camera(&mut self) {
        self.before = None;
    }

    fn prepare(&mut self, caps: Option<&gst::Caps>) {
        let from = match caps {
            Some(caps) => VideoInfo::from_caps(caps).map_err(|error| error.to_string()),
            None => Ok(self.to.clone()),
        };
        let framer = from.and_then(|from| Framer::new(&from, &self.to, &self.latest));
        if let Err(why) = &framer {
            tracing::error!("the camera's frames cannot be used: {why}");
        }
        self.prepared = Some(Prepared { caps: caps.cloned(), framing: self.latest, framer });
    }

    /// The camera's video is passed through: once for each setting of the owner, what of it is not done.
    pub fn not_done(&mut self) -> Option<String> {
        self.latest = self.framing.unless_held().unwrap_or(self.latest);
        if self.latest.is_none() {
            self.reported = self.latest;
            return None;
        }
        if self.latest == self.reported {
            return None;
        }
        self.reported = self.latest;
        Some(format!(
            "the video is not {}, because the camera's own H.264 is sent as it is; where camera.formats of \
             the board's profile names another one that the camera offers, the next broadcast takes that",
            self.latest.in_words().join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::Mirror;

    #[test]
    fn a_turned_frame_that_cannot_be_read_is_the_one_before_for_a_second_and_no_longer() {
        gst::init().expect("GStreamer");
        let info = VideoInfo::builder(gstreamer_video::VideoFormat::I420, 64, 32);
        let info = info.build().expect("a form");
        let pool = gst::BufferPool::new();
        let mut config = pool.config();
        let bytes = u32::try_from(info.size()).expect("small");
        config.set_params(Some(&info.to_caps().expect("caps")), bytes, 0, 0);
        pool.set_config(config).and_then(|()| pool.set_active(true)).expect("a pool");
        let framing = SharedFraming::default();
        framing.set(Framing { mirror: Mirror::Horizontal, ..Framing::default() });
        let mut framed = FramedCamera::new(framing, &info, &pool);
        let readable = || gst::Buffer::from_mut_slice(vec![77; info.size()]);
        let torn = || gst::Buffer::from_mut_slice(vec![77; 9]);
        assert!(framed.framed(torn(), None).is_none(), "there was none before");
        let first = framed.framed(readable(), None).expect("a frame");
        for _ in 0..FRAMES_REPEATED_MAX {
            assert_eq!(
                framed.framed(torn(), None).expect("the one before").as_ptr(),
                first.as_ptr()
            );
        }
        assert!(framed.framed(torn(), None).is_none());
        assert!(framed.framed(readable(), None).is_some());
        assert!(framed.framed(torn(), None).is_some());
        framed.forget_camera();
        assert!(framed.framed(torn(), None).is_none(), "of the camera before");
    }
}
