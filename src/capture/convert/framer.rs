//! Frames of a camera, cut, scaled and turned into those of the broadcast, on the processor.
//!
//! GStreamer's converter cuts and scales but does not turn. Its element that turns would have to be in
//! the pipeline all the time, or the camera be opened again for it; so that is done here, where nothing
//! is in the way while nothing is set.

use gstreamer as gst;
use gstreamer_video::{
    VideoColorRange, VideoConverter, VideoConverterConfig, VideoFormat as Layout, VideoFrameRef,
    VideoInfo, VideoResamplerMethod, prelude::*,
};

use super::turned::{Sides, fill, turn};
use crate::{
    capture::gst::component::Component,
    video::{Area, CameraFrame, Framing, Placement, Turn},
};

/// Makes frames of the broadcast out of those of one form.
#[derive(Debug)]
pub struct Framer {
    from: VideoInfo,
    to: VideoInfo,
    placement: Placement,
    scaler: Option<Scaler>,
    bars: Vec<Area>,
}

/// What cuts and scales.
#[derive(Debug)]
struct Scaler {
    converter: VideoConverter,
    /// Where its frames are turned from; `None` when they are not.
    between: Option<(VideoInfo, gst::Buffer)>,
}

impl Framer {
    /// What makes frames of the broadcast of a camera's; `None` where they are the same already.
    ///
    /// # Errors
    /// Why it cannot be done.
    pub fn new(
        from: &VideoInfo,
        to: &VideoInfo,
        framing: &Framing,
    ) -> Result<Option<Framer>, String> {
        let refused = |error: gst::glib::BoolError| error.to_string();
        let size = [to.width(), to.height()];
        let aspect = from.par();
        let aspect = [aspect.numer(), aspect.denom()].map(|part| part.unsigned_abs());
        let camera = CameraFrame { size: [from.width(), from.height()], pixel_aspect: aspect };
        let placement = Placement::of(&camera, size, framing).ok_or("its frames have no pixels")?;
        if placement.is_straight(&camera, size) && from.format() == to.format() {
            return Ok(None);
        }
        let is_turned = placement.turn != Turn::default();
        if is_turned && to.format_info().depth().iter().any(|bits| *bits != 8) {
            return Err(format!("frames of {} cannot be turned", to.format()));
        }
        // What its values mean stays; its rate and where it has borders are none of this.
        let form = |layout: Layout, [width, height]: [u32; 2]| {
            VideoInfo::builder(layout, width, height).colorimetry(&to.colorimetry()).build()
        };
        let (from, to) = (
            form(from.format(), camera.size).map_err(refused)?,
            form(to.format(), size).map_err(refused)?,
        );
        let scaled = placement.size_before_turn();
        let scaler = if placement.from.size != scaled || from.format() != to.format() {
            let between = match is_turned {
                true => {
                    let info = form(to.format(), scaled).map_err(refused)?;
                    let frame = gst::Buffer::with_size(info.size()).map_err(refused)?;
                    Some((info, frame))
                }
                false => None,
            };
            let (target, place) = match &between {
                Some((info, _)) => (info, Area { at: [0, 0], size: scaled }),
                None => (&to, placement.to),
            };
            let config = cut_and_placed(placement.from, place);
            let converter = VideoConverter::new(&from, target, Some(config)).map_err(refused)?;
            Some(Scaler { converter, between })
        } else {
            None
        };
        let bars = placement.bars(size);
        Ok(Some(Framer { from, to, placement, scaler, bars }))
    }

    /// Makes a frame of the broadcast.
    ///
    /// # Errors
    /// When one of the two cannot be read or written.
    pub fn frame(
        &mut self,
        frame: &gst::BufferRef,
        target: &mut gst::BufferRef,
    ) -> Result<(), gst::glib::BoolError> {
        let Placement { from, to, turn: how } = self.placement;
        let source = VideoFrameRef::from_buffer_ref_readable(frame, &self.from)?;
        let mut target = VideoFrameRef::from_buffer_ref_writable(target, &self.to)?;
        match &mut self.scaler {
            Some(Scaler { converter, between: None }) => {
                converter.frame_ref(&source, &mut target);
            }
            Some(Scaler { converter, between: Some((info, between)) }) => {
                let size = [info.width(), info.height()];
                let mut scaled = VideoFrameRef::from_buffer_ref_writable(between.make_mut(), info)?;
                converter.frame_ref(&source, &mut scaled);
                drop(scaled);
                let scaled = VideoFrameRef::from_buffer_ref_readable(between, info)?;
                turn_all(&scaled, Area { at: [0, 0], size }, &mut target, to, how)?;
            }
            None => turn_all(&source, from, &mut target, to, how)?,
        }
        self.blacken_bars(&mut target)
    }

    /// Frames are used again, so what is around the camera's is black each time.
    fn blacken_bars(
        &self,
        target: &mut VideoFrameRef<&mut gst::BufferRef>,
    ) -> Result<(), gst::glib::BoolError> {
        if self.bars.is_empty() {
            return Ok(());
        }
        let is_full = self.to.colorimetry().range() == VideoColorRange::Range0_255;
        let black = [if is_full { 0 } else { 16 }, 128, 128];
        for (number, value) in (0..target.n_components()).zip(black) {
            let component = in_its_plane(target, number);
            let data = target.comp_data_mut(number)?;
            self.bars.iter().for_each(|bar| fill(data, component, *bar, value));
        }
        Ok(())
    }
}

/// A part of frames, scaled to a part of others, whose rest stays as it is.
fn cut_and_placed(from: Area, to: Area) -> VideoConverterConfig {
    let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
    let mut config = VideoConverterConfig::new();
    config.set_src_x(side(from.at[0]));
    config.set_src_y(side(from.at[1]));
    config.set_src_width(Some(side(from.size[0])));
    config.set_src_height(Some(side(from.size[1])));
    config.set_dest_x(side(to.at[0]));
    config.set_dest_y(side(to.at[1]));
    config.set_dest_width(Some(side(to.size[0])));
    config.set_dest_height(Some(side(to.size[1])));
    config.set_fill_border(false);
    // As `videoscale` does it. With more taps GStreamer takes several times as long, and makes frames
    // up to a thirtieth brighter, because their weights are rounded (1.22).
    config.set_resampler_method(VideoResamplerMethod::Linear);
    config.set_resampler_taps(2);
    config
}

/// How a component lies in its own plane, from its first value on.
fn in_its_plane<T>(frame: &VideoFrameRef<T>, number: u32) -> Component
where
    VideoFrameRef<T>: VideoFrameExt,
{
    let of_frame = Component::of(frame.info(), None);
    let stride = usize::try_from(frame.comp_stride(number)).unwrap_or(0).max(1);
    let component = of_frame[(number as usize).min(of_frame.len() - 1)];
    Component { offset: 0, stride, ..component }
}

/// Turns all components of a part of a frame, which has the size of the part of the other before it is
/// turned.
fn turn_all(
    source: &VideoFrameRef<&gst::BufferRef>,
    from: Area,
    target: &mut VideoFrameRef<&mut gst::BufferRef>,
    to: Area,
    how: Turn,
) -> Result<(), gst::glib::BoolError> {
    for number in 0..target.n_components() {
        let sides =
            Sides { source: in_its_plane(source, number), target: in_its_plane(target, number) };
        turn(source.comp_data(number)?, from, target.comp_data_mut(number)?, to, how, sides);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        capture::encode::encoders,
        video::{Mirror, Rotation, Zoom},
    };

    /// Luma, Cb and Cr of the quarters of a frame, row by row.
    const QUARTERS: [[u8; 3]; 4] = [[60, 30, 200], [100, 60, 160], [140, 90, 120], [180, 220, 40]];
    const WIDTH: u32 = 128;
    const HEIGHT: u32 = 64;

    fn info(layout: Layout, width: u32, height: u32) -> VideoInfo {
        gst::init().expect("GStreamer");
        VideoInfo::builder(layout, width, height).build().expect("a form")
    }

    /// A frame with a colour in each quarter.
    fn quarters(info: &VideoInfo) -> gst::Buffer {
        let mut frame = gst::Buffer::with_size(info.size()).expect("memory");
        let [width, height] = [info.width() / 2, info.height() / 2];
        let target = frame.get_mut().expect("its own");
        let mut target = VideoFrameRef::from_buffer_ref_writable(target, info).expect("writable");
        for (quarter, colour) in (0..).zip(QUARTERS) {
            let at = [quarter % 2 * width, quarter / 2 * height];
            for (number, value) in (0..).zip(colour) {
                let component = in_its_plane(&target, number);
                let data = target.comp_data_mut(number).expect("a component");
                fill(data, component, Area { at, size: [width, height] }, value);
            }
        }
        drop(target);
        frame
    }

    /// What becomes of such a frame.
    fn framed(from: &VideoInfo, to: &VideoInfo, framing: Framing) -> gst::Buffer {
        let mut framer = Framer::new(from, to, &framing).expect("possible").expect("needed");
        let mut target = gst::Buffer::from_mut_slice(vec![1; to.size()]);
        framer.frame(&quarters(from), target.get_mut().expect("its own")).expect("done");
        target
    }

    /// The colour at a place.
    fn colour_at(frame: &gst::Buffer, info: &VideoInfo, x: u32, y: u32) -> [u8; 3] {
        let frame = VideoFrameRef::from_buffer_ref_readable(frame, info).expect("readable");
        [0, 1, 2].map(|number| {
            let component = in_its_plane(&frame, number);
            let (across, down) = component.shared;
            let at =
                (y >> down) as usize * component.stride + (x >> across) as usize * component.step;
            frame.comp_data(number).expect("a component")[at]
        })
    }

    /// Where the quarters are, row by row.
    fn order(frame: &gst::Buffer, info: &VideoInfo) -> Vec<usize> {
        let [width, height] = [info.width(), info.height()];
        let places = [[1, 1], [3, 1], [1, 3], [3, 3]];
        let quarter = |[x, y]: [u32; 2]| {
            let colour = colour_at(frame, info, x * width / 4, y * height / 4);
            // A conversion rounds.
            let is_it = |own: &[u8; 3]| own.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 2);
            QUARTERS.iter().position(is_it).unwrap_or(9)
        };
        places.map(quarter).to_vec()
    }

    #[test]
    fn every_layout_that_an_encoder_takes_is_turned_and_mirrored() {
        let layouts = encoders::video_encoder_names().flat_map(encoders::video_encoder_layouts);
        for layout in layouts.copied() {
            let landscape = info(layout, WIDTH, HEIGHT);
            let portrait = info(layout, HEIGHT, WIDTH);
            for (degrees, mirror, expected) in [
                (0, Mirror::Horizontal, [1, 0, 3, 2]),
                (0, Mirror::Vertical, [2, 3, 0, 1]),
                (90, Mirror::None, [2, 0, 3, 1]),
                (90, Mirror::Horizontal, [0, 2, 1, 3]),
                (180, Mirror::None, [3, 2, 1, 0]),
                (270, Mirror::None, [1, 3, 0, 2]),
                (270, Mirror::Horizontal, [3, 1, 2, 0]),
            ] {
                let rotate = Rotation::of_degrees(degrees);
                let to = if rotate.is_sideways() { &portrait } else { &landscape };
                let framing = Framing { rotate, mirror, ..Framing::default() };
                let frame = framed(&landscape, to, framing);
                assert_eq!(order(&frame, to), expected, "{layout} {degrees} {mirror:?}");
            }
        }
    }

    #[test]
    fn what_is_around_the_frame_is_black_whatever_its_values_mean() {
        gst::init().expect("GStreamer");
        for (colours, black) in [("bt709", [16, 128, 128]), ("1:4:16:4", [0, 128, 128])] {
            let colours = colours.parse().expect("a colorimetry");
            for layout in encoders::video_encoder_names().flat_map(encoders::video_encoder_layouts)
            {
                let camera = info(*layout, WIDTH, HEIGHT);
                let to = VideoInfo::builder(*layout, WIDTH, HEIGHT).colorimetry(&colours);
                let to = to.build().expect("a form");
                let rotate = Rotation::Quarter;
                let frame = framed(&camera, &to, Framing { rotate, ..Framing::default() });
                // 32 of 128 pixels are what is turned.
                for (x, y) in [(0, 0), (46, 63), (80, 0), (127, 63)] {
                    assert_eq!(colour_at(&frame, &to, x, y), black, "{layout} {x} {y}");
                }
                for (x, y, quarter) in [(50, 4, 2), (76, 4, 0), (50, 60, 3), (76, 60, 1)] {
                    assert_eq!(colour_at(&frame, &to, x, y), QUARTERS[quarter], "{layout} {x} {y}");
                }
            }
        }
    }

    #[test]
    fn frames_of_another_size_and_layout_become_those_of_the_broadcast() {
        let to = info(Layout::I420, WIDTH, HEIGHT);
        for (layout, width, height) in
            [(Layout::I420, 640, 320), (Layout::Nv12, WIDTH, HEIGHT), (Layout::Yuy2, 640, 320)]
        {
            let camera = info(layout, width, height);
            let frame = framed(&camera, &to, Framing::default());
            assert_eq!(order(&frame, &to), [0, 1, 2, 3], "{layout} {width}x{height}");
            let zoom = Zoom::of_percent(400);
            let lower_left =
                Framing { zoom, pan_percent: -100, tilt_percent: -100, ..Framing::default() };
            let frame = framed(&camera, &to, lower_left);
            assert_eq!(order(&frame, &to), [2, 2, 2, 2], "{layout} {width}x{height}");
        }
        let same = info(Layout::I420, WIDTH, HEIGHT);
        assert!(Framer::new(&same, &to, &Framing::default()).is_ok_and(|framer| framer.is_none()));
    }

    #[test]
    fn a_frame_that_is_cut_short_is_an_error_and_no_fault() {
        let camera = info(Layout::I420, WIDTH, HEIGHT);
        let framing = Framing { rotate: Rotation::Half, ..Framing::default() };
        let mut framer =
            Framer::new(&camera, &camera, &framing).expect("possible").expect("needed");
        let mut target = gst::Buffer::with_size(camera.size()).expect("memory");
        let short = gst::Buffer::with_size(100).expect("memory");
        assert!(framer.frame(&short, target.get_mut().expect("its own")).is_err());
    }
}
