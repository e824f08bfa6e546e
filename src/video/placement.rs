//! Which part of a camera's frame is shown, and where.

use super::framing::Framing;
use super::turn::{Area, Turn};

/// A frame as a camera delivers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameraFrame {
    /// Width and height, in pixels.
    pub size: [u32; 2],
    /// How wide a pixel is against how high it is.
    pub pixel_aspect: [u32; 2],
}

impl CameraFrame {
    /// One of square pixels.
    pub fn of(width: u32, height: u32) -> CameraFrame {
        CameraFrame { size: [width, height], pixel_aspect: [1, 1] }
    }
}

/// Which part of a camera's frame is shown, how it is turned, and where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// In the camera's frame.
    pub from: Area,
    /// What becomes of it.
    pub turn: Turn,
    /// In the stream's frame; what is around it is black.
    pub to: Area,
}

impl Placement {
    /// Where a camera's frame goes in a stream of that size, which is even; `None` for one without
    /// pixels.
    pub fn of(camera: &CameraFrame, stream: [u32; 2], framing: &Framing) -> Option<Placement> {
        let turn = framing.turn();
        let whole = camera.size.map(|side| side & !1);
        if whole.iter().chain(&stream).any(|side| *side < 2) {
            return None;
        }
        // As people see it, in a unit of its own.
        let displayed =
            [0, 1].map(|axis| f64::from(whole[axis]) * f64::from(camera.pixel_aspect[axis].max(1)));
        let displayed = turn.of_sizes(displayed);
        let fits = [0, 1].map(|axis| f64::from(stream[axis]) / displayed[axis]);
        let scale = fits[0].min(fits[1]) * f64::from(framing.zoom.percent()) / 100.0;
        let pixels = turn.of_sizes(whole);
        let shift = [framing.pan_percent, framing.tilt_percent.saturating_neg()];
        let axes = [0, 1]
            .map(|axis| Axis::of(displayed[axis] * scale, stream[axis], pixels[axis], shift[axis]));
        let area = |at: fn(&Axis) -> u32, size: fn(&Axis) -> u32| Area {
            at: [at(&axes[0]), at(&axes[1])],
            size: [size(&axes[0]), size(&axes[1])],
        };
        let shown = area(|axis| axis.from, |axis| axis.from_size);
        let to = area(|axis| axis.to, |axis| axis.to_size);
        Some(Placement { from: turn.source(shown, whole), turn, to })
    }

    /// Whether the camera's frame is the stream's as it is.
    pub fn is_straight(&self, camera: &CameraFrame, stream: [u32; 2]) -> bool {
        let whole = Area { at: [0, 0], size: stream };
        camera.size == stream
            && self.turn == Turn::default()
            && (self.from, self.to) == (whole, whole)
    }

    /// The size of what is shown before it is turned.
    pub fn size_before_turn(&self) -> [u32; 2] {
        self.turn.of_sizes(self.to.size)
    }

    /// What is around it in a stream of that size.
    pub fn bars(&self, [width, height]: [u32; 2]) -> Vec<Area> {
        let ([x, y], [across, down]) = (self.to.at, self.to.size);
        let bars = [
            Area { at: [0, 0], size: [width, y] },
            Area { at: [0, y + down], size: [width, height - y - down] },
            Area { at: [0, y], size: [x, down] },
            Area { at: [x + across, y], size: [width - x - across, down] },
        ];
        bars.into_iter().filter(|bar| !bar.size.contains(&0)).collect()
    }
}

/// One direction of what is shown.
struct Axis {
    from: u32,
    from_size: u32,
    to: u32,
    to_size: u32,
}

impl Axis {
    /// So many pixels, made that long, in a frame whose side is that; what does not fit is cut off,
    /// more of it at one end where it is shifted to the other.
    fn of(long: f64, side: u32, pixels: u32, shift_percent: i32) -> Axis {
        let visible = long.min(f64::from(side));
        let to_size = even(visible, 2, side);
        let from_size = even(visible / long * f64::from(pixels), 2, pixels);
        let hidden = pixels - from_size;
        let before = f64::from(hidden) * f64::from(100 + shift_percent.clamp(-100, 100)) / 200.0;
        Axis { from: even(before, 0, hidden), from_size, to: ((side - to_size) / 2) & !1, to_size }
    }
}

/// The even number next to it, from `min` to `max`, which are even.
fn even(value: f64, min: u32, max: u32) -> u32 {
    ((value / 2.0).round() as u32).saturating_mul(2).clamp(min, max)
}

#[cfg(test)]
mod tests {
    use super::super::framing::{Mirror, Rotation, Zoom};
    use super::*;

    const HD: [u32; 2] = [1280, 720];
    const PORTRAIT: [u32; 2] = [720, 1280];

    fn area(x: u32, y: u32, width: u32, height: u32) -> Area {
        Area { at: [x, y], size: [width, height] }
    }

    fn rotated(degrees: u32) -> Framing {
        Framing { rotate: Rotation::of_degrees(degrees), ..Framing::default() }
    }

    fn placed(camera: CameraFrame, stream: [u32; 2], framing: Framing) -> (Area, Area) {
        let placement = Placement::of(&camera, stream, &framing).expect("it has pixels");
        (placement.from, placement.to)
    }

    #[test]
    fn what_is_not_changed_is_straight() {
        let camera = CameraFrame::of(1280, 720);
        let is_straight = |camera: CameraFrame, stream, framing| {
            let placement = Placement::of(&camera, stream, &framing).expect("it has pixels");
            placement.is_straight(&camera, stream)
        };
        assert!(is_straight(camera, HD, Framing::default()));
        assert!(is_straight(camera, HD, Framing { pan_percent: 100, ..Framing::default() }));
        assert!(!is_straight(camera, HD, rotated(180)));
        assert!(!is_straight(camera, HD, Framing { zoom: Zoom::of_percent(101), ..rotated(0) }));
        assert!(!is_straight(CameraFrame::of(1920, 1080), HD, Framing::default()));
        assert!(!is_straight(CameraFrame::of(1281, 721), HD, Framing::default()));
        assert!(!is_straight(
            CameraFrame { pixel_aspect: [4, 3], ..camera },
            HD,
            Framing::default()
        ));
    }

    #[test]
    fn a_quarter_turn_fills_a_portrait_and_has_bars_in_a_landscape() {
        let camera = CameraFrame::of(1280, 720);
        for degrees in [90, 270] {
            let whole = area(0, 0, 1280, 720);
            assert_eq!(placed(camera, PORTRAIT, rotated(degrees)), (whole, area(0, 0, 720, 1280)));
            assert_eq!(placed(camera, HD, rotated(degrees)), (whole, area(436, 0, 406, 720)));
        }
        let upright = placed(camera, PORTRAIT, Framing::default());
        assert_eq!(upright, (area(0, 0, 1280, 720), area(0, 436, 720, 406)));
    }

    #[test]
    fn enlarging_cuts_off_what_does_not_fit_and_bars_go_first() {
        let camera = CameraFrame::of(1280, 720);
        let zoom = |percent| Framing { zoom: Zoom::of_percent(percent), ..rotated(0) };
        assert_eq!(
            placed(camera, HD, zoom(200)),
            (area(320, 180, 640, 360), area(0, 0, 1280, 720))
        );
        // Four to three in sixteen to nine: at a third more the bars are gone.
        let old = CameraFrame::of(640, 480);
        assert_eq!(placed(old, HD, zoom(100)), (area(0, 0, 640, 480), area(160, 0, 960, 720)));
        let (from, to) = placed(old, HD, zoom(120));
        assert_eq!((from.size, to), ([640, 400], area(64, 0, 1152, 720)));
        let (from, to) = placed(old, HD, zoom(134));
        assert_eq!((from.size, to), ([636, 358], area(0, 0, 1280, 720)));
    }

    #[test]
    fn pan_and_tilt_are_as_viewers_see_it_whichever_way_the_camera_lies() {
        let camera = CameraFrame::of(1280, 720);
        let zoom = Zoom::of_percent(200);
        let upper_left = Framing { zoom, pan_percent: -100, tilt_percent: 100, ..rotated(0) };
        for (degrees, mirror, at) in [
            (0, Mirror::None, [0, 0]),
            (180, Mirror::None, [640, 360]),
            (0, Mirror::Horizontal, [640, 0]),
            (0, Mirror::Vertical, [0, 360]),
        ] {
            let rotate = Rotation::of_degrees(degrees);
            let (from, _) = placed(camera, HD, Framing { rotate, mirror, ..upper_left });
            assert_eq!(from, Area { at, size: [640, 360] }, "{degrees} {mirror:?}");
        }
        // Turned clockwise, what was at the left below is at the left above.
        for (degrees, at) in [(90, [0, 360]), (270, [640, 0])] {
            let rotate = Rotation::of_degrees(degrees);
            let (from, _) = placed(camera, PORTRAIT, Framing { rotate, ..upper_left });
            assert_eq!(from, Area { at, size: [640, 360] }, "{degrees}");
        }
        let half_right = Framing { zoom, pan_percent: 50, ..rotated(0) };
        assert_eq!(placed(camera, HD, half_right).0, area(480, 180, 640, 360));
    }

    #[test]
    fn pixels_that_are_not_square_are_shown_as_they_are_meant() {
        let wide = CameraFrame { size: [720, 576], pixel_aspect: [64, 45] };
        let whole = area(0, 0, 720, 576);
        assert_eq!(placed(wide, HD, Framing::default()), (whole, area(0, 0, 1280, 720)));
        assert_eq!(placed(wide, PORTRAIT, rotated(90)), (whole, area(0, 0, 720, 1280)));
    }

    #[test]
    fn whatever_comes_everything_is_even_within_its_frame_and_in_proportion() {
        let sizes =
            [[2, 2], [3, 5], [640, 480], [1280, 720], [1281, 721], [1920, 1080], [720, 576]];
        for (size, stream) in sizes
            .iter()
            .flat_map(|size| [HD, PORTRAIT, [128, 128], [1920, 1200]].map(|stream| (*size, stream)))
        {
            for (degrees, percent, pan_percent) in
                [0, 90, 180, 270].into_iter().flat_map(|degrees| {
                    [(100, 0), (101, -100), (133, 37), (400, 100), (u32::MAX, i32::MAX)]
                        .map(|(zoom, pan)| (degrees, zoom, pan))
                })
            {
                let rotate = Rotation::of_degrees(degrees);
                let tilt_percent = pan_percent.saturating_neg();
                let mirror = Mirror::Horizontal;
                let zoom = Zoom::of_percent(percent);
                let framing = Framing { rotate, mirror, zoom, pan_percent, tilt_percent };
                let camera = CameraFrame { size, pixel_aspect: [1, 1] };
                let Placement { from, to, turn } =
                    Placement::of(&camera, stream, &framing).expect("it has pixels");
                let what = format!("{size:?} in {stream:?}: {framing:?}: {from:?} {to:?}");
                for (area, within) in [(from, size), (to, stream)] {
                    for axis in [0, 1] {
                        assert!(area.at[axis] % 2 == 0 && area.size[axis] % 2 == 0, "{what}");
                        assert!(area.size[axis] >= 2, "{what}");
                        assert!(area.at[axis] + area.size[axis] <= within[axis], "{what}");
                    }
                }
                let bars: u64 = Placement { from, to, turn }.bars(stream).iter().map(pixels).sum();
                assert_eq!(bars + pixels(&to), u64::from(stream[0]) * u64::from(stream[1]));
                // Rounding to even is all that there may be.
                let [across, down] = turn.of_sizes(from.size);
                let stretched = f64::from(to.size[0])
                    / f64::from(across)
                    / (f64::from(to.size[1]) / f64::from(down));
                if across.min(down).min(to.size[0]).min(to.size[1]) >= 80 {
                    assert!((stretched - 1.0).abs() < 0.04, "{what}: {stretched}");
                }
            }
        }
    }

    fn pixels(area: &Area) -> u64 {
        u64::from(area.size[0]) * u64::from(area.size[1])
    }

    #[test]
    fn a_frame_without_pixels_has_no_place() {
        for (size, stream) in [([0, 720], HD), ([1280, 1], HD), ([1280, 720], [0, 0])] {
            let camera = CameraFrame { size, pixel_aspect: [1, 1] };
            assert_eq!(Placement::of(&camera, stream, &Framing::default()), None);
        }
    }
}
