//! The camera's frames as the owner wants them: turned, mirrored, enlarged.

use gstreamer::{self as gst, prelude::*};
use gstreamer_video::VideoInfo;

use crate::{
    capture::{convert::Framer, framing::SharedFraming},
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
        FramedCamera { framing, latest, to, pool, prepared: None, reported }
    }

    /// A frame of a camera with these caps, or of the broadcast's form, as the owner wants it now; `None`
    /// when it cannot be had.
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
        let done = framer.frame(&frame, target.get_mut()?);
        if let Err(error) = done {
            tracing::debug!(%error, "a frame of the camera cannot be read");
            return None;
        }
        Some(target)
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
