//! The newest frame as a JPEG, for whoever asks. The mixer gives it away by reference on its way to the
//! encoder and goes on at once; whoever has asked scales and encodes it. Nothing is done while nobody asks.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use gstreamer as gst;
use gstreamer_video::{
    self as gst_video, VideoColorMatrix, VideoColorRange, VideoColorimetry, VideoFormat, VideoInfo,
    prelude::*,
};
use jpeg_encoder::{ColorType, Encoder};

use super::reduced::{Values, reduce};
use crate::{capture::source::Recolour, limits::STILL_TIMEOUT};

/// A JPEG of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Still {
    /// Its width, in pixels.
    pub width: u32,
    /// Its height, in pixels.
    pub height: u32,
    /// The file.
    pub jpeg: Vec<u8>,
}

/// A frame as it goes to the encoder, with everything that is drawn over it.
struct Taken {
    frame: gst::Buffer,
    info: VideoInfo,
}

/// Where the frames are handed over: one end at the video track, the other one wherever somebody asks.
#[derive(Debug, Clone, Default)]
pub struct Stills(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_wanted: AtomicBool,
    asking: Mutex<Vec<SyncSender<Taken>>>,
}

impl Stills {
    /// Whether somebody waits for a frame.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.is_wanted.load(Ordering::Relaxed)
    }

    /// Gives a frame to everybody who waits for one.
    pub(super) fn give(&self, frame: &gst::Buffer, info: &VideoInfo) {
        self.answer(|asking| {
            // Each has room for one, and whoever does not wait any more needs none.
            let _ = asking.try_send(Taken { frame: frame.clone(), info: info.clone() });
        });
    }

    /// There is no frame to be had: whoever waits is refused.
    pub(in crate::capture) fn refuse(&self) {
        if self.is_wanted() {
            self.answer(drop);
        }
    }

    fn answer(&self, answer: impl FnMut(SyncSender<Taken>)) {
        // Somebody is just asking: the next frame does as well, and the mixer does not wait.
        let Ok(mut asking) = self.0.asking.try_lock() else { return };
        asking.drain(..).for_each(answer);
        self.0.is_wanted.store(false, Ordering::Relaxed);
    }

    /// The next frame that goes to the encoder, or would go there in standby, as a JPEG whose longest
    /// side is at most that many pixels. Blocks until it is there.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn next(&self, longest_side: u32, quality: u8) -> Result<Still, String> {
        let taken = self.take(STILL_TIMEOUT)?;
        encoded(&taken, longest_side, quality)
    }

    fn take(&self, at_most: Duration) -> Result<Taken, String> {
        let (sender, frame) = sync_channel(1);
        let mut asking = self.lock();
        asking.push(sender);
        self.0.is_wanted.store(true, Ordering::Relaxed);
        drop(asking);
        frame.recv_timeout(at_most).map_err(|error| match error {
            RecvTimeoutError::Timeout => "no frame came in time; try again".to_owned(),
            RecvTimeoutError::Disconnected => {
                "the camera's own H.264 is sent as it is, so the box has no frame to show"
                    .to_owned()
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<SyncSender<Taken>>> {
        self.0.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The size of a frame whose longest side is at most that many pixels; even, as chroma wants it. It is
/// never larger than the frame.
fn fitted(width: u32, height: u32, longest_side: u32) -> (u32, u32) {
    let longest = width.max(height).max(1);
    let to = longest_side.min(longest);
    let fit = |side: u32| {
        let scaled =
            (u64::from(side) * u64::from(to) + u64::from(longest) / 2) / u64::from(longest);
        (u32::try_from(scaled).unwrap_or(to) & !1).max(2)
    };
    (fit(width), fit(height))
}

/// Scales first, so that the rest is done for few pixels.
fn encoded(taken: &Taken, longest_side: u32, quality: u8) -> Result<Still, String> {
    let refused = |error: gst::glib::BoolError| error.to_string();
    let Taken { frame, info } = taken;
    let (width, height) = fitted(info.width(), info.height(), longest_side);
    let colorimetry = info.colorimetry();
    let (mut scaled, small) = scaled(frame, info, [width, height]).map_err(refused)?;
    let target = scaled.get_mut().ok_or("a new buffer is shared")?;
    // What the values of a JPEG mean (ITU-T T.871).
    let of_jpeg = VideoColorimetry::new(
        VideoColorRange::Range0_255,
        VideoColorMatrix::Bt601,
        colorimetry.transfer(),
        colorimetry.primaries(),
    );
    if let Some(mut recolour) = Recolour::new(&colorimetry, &of_jpeg) {
        recolour.frame(target, &small);
    }
    let map = target.map_readable().map_err(refused)?;
    let pixels = interleaved(map.as_slice(), &small);
    let side = |side: u32| u16::try_from(side).map_err(|_| "the frame is too large".to_owned());
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, quality)
        .encode(&pixels, side(width)?, side(height)?, ColorType::Ycbcr)
        .map_err(|error| error.to_string())?;
    Ok(Still { width, height, jpeg })
}

/// A frame in planes, made smaller.
fn scaled(
    frame: &gst::Buffer,
    info: &VideoInfo,
    [width, height]: [u32; 2],
) -> Result<(gst::Buffer, VideoInfo), gst::glib::BoolError> {
    let small = VideoInfo::builder(VideoFormat::I420, width, height);
    let small = small.colorimetry(&info.colorimetry()).build()?;
    let mut scaled = gst::Buffer::with_size(small.size())?;
    let target =
        scaled.get_mut().ok_or_else(|| gst::glib::bool_error!("a new buffer is shared"))?;
    let from = gst_video::VideoFrameRef::from_buffer_ref_readable(frame, info)?;
    let mut to = gst_video::VideoFrameRef::from_buffer_ref_writable(target, &small)?;
    let count = |value: i32| usize::try_from(value).unwrap_or(0);
    // Layouts of luma and chroma are all that encoders take.
    for number in 0..to.n_components() {
        let values = Values {
            data: from.comp_data(number)?,
            stride: count(from.comp_stride(number)),
            step: count(from.comp_pstride(number)).max(1),
            size: [from.comp_width(number) as usize, from.comp_height(number) as usize],
        };
        let stride = count(to.comp_stride(number));
        let size = [to.comp_width(number) as usize, to.comp_height(number) as usize];
        reduce(values, to.comp_data_mut(number)?, stride, size);
    }
    drop(to);
    Ok((scaled, small))
}

/// Luma and chroma of each pixel, one after the other.
fn interleaved(frame: &[u8], info: &VideoInfo) -> Vec<u8> {
    let (width, height) = (info.width() as usize, info.height() as usize);
    let row = |plane: usize, number: usize| {
        let stride = usize::try_from(info.stride()[plane]).unwrap_or_default();
        frame.get(info.offset()[plane] + number * stride..).unwrap_or_default()
    };
    let mut pixels = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        let (luma, cb, cr) = (row(0, y), row(1, y / 2), row(2, y / 2));
        let chroma = cb.iter().zip(cr).flat_map(|pair| [pair, pair]);
        for (luma, (cb, cr)) in luma.iter().zip(chroma).take(width) {
            pixels.extend([*luma, *cb, *cr]);
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_side_is_what_was_asked_for_and_a_small_frame_stays_as_it_is() {
        assert_eq!(fitted(1_280, 720, 320), (320, 180));
        assert_eq!(fitted(720, 1_280, 320), (180, 320));
        assert_eq!(fitted(1_920, 1_080, 640), (640, 360));
        assert_eq!(fitted(1_440, 1_080, 160), (160, 120));
        assert_eq!(fitted(320, 180, 640), (320, 180));
        assert_eq!(fitted(1_920, 128, 160), (160, 10));
    }

    #[test]
    fn a_still_is_as_bright_and_as_coloured_as_its_frame_whatever_the_sizes_are() {
        gst::init().expect("GStreamer");
        let colour = [180, 220, 40];
        for (layout, [width, height], longest) in [VideoFormat::I420, VideoFormat::Nv12]
            .into_iter()
            .chain([VideoFormat::Yuy2])
            .flat_map(|layout| {
                [([1920, 1080], 640), ([800, 450], 160), ([1280, 720], 320), ([1366, 768], 500)]
                    .map(|(size, longest)| (layout, size, longest))
            })
        {
            let info = VideoInfo::builder(layout, width, height).build().expect("a form");
            let bytes = match layout {
                VideoFormat::I420 => {
                    let planes = info.stride().iter().zip([height, height / 2, height / 2]);
                    let planes = planes.zip(colour);
                    planes
                        .flat_map(|((stride, rows), value)| {
                            vec![value; *stride as usize * rows as usize]
                        })
                        .collect()
                }
                VideoFormat::Nv12 => {
                    let luma = info.stride()[0] as usize * height as usize;
                    let chroma = [colour[1], colour[2]].repeat(luma / 4);
                    [vec![colour[0]; luma], chroma].concat()
                }
                _ => [colour[0], colour[1], colour[0], colour[2]].repeat(info.size() / 4),
            };
            let frame = gst::Buffer::from_slice(bytes);
            let size = fitted(width, height, longest);
            let (scaled, small) = scaled(&frame, &info, size.into()).expect("scales");
            let scaled = scaled.map_readable().expect("readable");
            for (plane, expected) in colour.iter().enumerate() {
                let found = scaled[small.offset()[plane] + small.stride()[plane] as usize + 2];
                let off = found.abs_diff(*expected);
                assert!(
                    off <= 1,
                    "{layout} {width}x{height} to {size:?}: {found} in plane {plane}"
                );
            }
        }
    }

    #[test]
    fn a_frame_is_given_to_everybody_who_asked_and_to_nobody_else() {
        gst::init().expect("GStreamer");
        let stills = Stills::default();
        let info = VideoInfo::builder(VideoFormat::I420, 16, 16).build().expect("a form");
        let frame = gst::Buffer::with_size(info.size()).expect("a frame");
        stills.give(&frame, &info);
        assert!(stills.take(Duration::ZERO).is_err(), "it was not asked for in time");
        assert!(stills.is_wanted());
        let asking: Vec<_> = (0..2)
            .map(|_| {
                let stills = stills.clone();
                std::thread::spawn(move || stills.take(Duration::from_secs(20)).is_ok())
            })
            .collect();
        while stills.lock().len() < 3 {
            std::thread::yield_now();
        }
        stills.give(&frame, &info);
        assert!(!stills.is_wanted());
        assert!(asking.into_iter().all(|thread| thread.join().expect("ends")));
        let refused = std::thread::spawn({
            let stills = stills.clone();
            move || stills.take(Duration::from_secs(20)).err()
        });
        while !stills.is_wanted() {
            std::thread::yield_now();
        }
        stills.refuse();
        assert!(refused.join().expect("ends").is_some_and(|why| why.contains("H.264")));
    }
}
