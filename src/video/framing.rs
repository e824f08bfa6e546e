//! What the owner sets.

use super::turn::Turn;

/// What is done to the camera's video: it is turned, then mirrored, then enlarged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Framing {
    /// By how much it is turned.
    pub rotate: Rotation,
    /// How what is turned is mirrored.
    pub mirror: Mirror,
    /// How large it is.
    pub zoom: Zoom,
    /// Which part of it is visible where it is too wide: -100 the left one, 100 the right one.
    pub pan_percent: i32,
    /// Which part of it is visible where it is too high: -100 the lower one, 100 the upper one.
    pub tilt_percent: i32,
}

impl Framing {
    /// Whether nothing is done; which part would be visible is of no account then.
    pub fn is_none(&self) -> bool {
        self.turn() == Turn::default() && self.zoom == Zoom::default()
    }

    /// Turned and mirrored.
    pub fn turn(&self) -> Turn {
        let Turn { transposes, flips_across, flips_down } = match self.rotate {
            Rotation::None => Turn::default(),
            Rotation::Quarter => Turn { transposes: true, flips_across: true, flips_down: false },
            Rotation::Half => Turn { transposes: false, flips_across: true, flips_down: true },
            Rotation::ThreeQuarters => {
                Turn { transposes: true, flips_across: false, flips_down: true }
            }
        };
        Turn {
            transposes,
            flips_across: flips_across != (self.mirror == Mirror::Horizontal),
            flips_down: flips_down != (self.mirror == Mirror::Vertical),
        }
    }

    /// The size that is asked of the camera for a stream of that size. One that lies on its side has
    /// its longer side across.
    pub fn camera_size(&self, [width, height]: [u32; 2]) -> [u32; 2] {
        match self.rotate.is_sideways() {
            true => [width.max(height), width.min(height)],
            false => [width, height],
        }
    }

    /// Whether the camera's frames are to come as large as they are: made smaller, and with bars, they
    /// would lose what is visible once they are turned or enlarged. A portrait is turned most often.
    pub fn takes_frames_as_large_as_they_are(&self, [width, height]: [u32; 2]) -> bool {
        self.rotate.is_sideways() || self.zoom != Zoom::default() || height > width
    }

    /// What of it counts while a camera is opened. The rest can change without opening it again.
    pub fn for_opening(&self) -> Framing {
        let rotate = match (self.is_none(), self.rotate.is_sideways()) {
            (true, _) => Rotation::None,
            (false, true) => Rotation::Quarter,
            (false, false) => Rotation::Half,
        };
        let zoom = if self.zoom == Zoom::default() { self.zoom } else { Zoom::of_percent(200) };
        Framing { rotate, zoom, ..Framing::default() }
    }

    /// What is done, each with the setting that says so; empty where that is nothing.
    pub fn in_words(&self) -> Vec<String> {
        let turned = (self.rotate != Rotation::None)
            .then(|| format!("turned by {} degrees (video.rotate)", self.rotate.degrees()));
        let mirrored = (self.mirror != Mirror::None)
            .then(|| format!("mirrored, {} (video.mirror)", self.mirror.name()));
        let enlarged = (self.zoom != Zoom::default())
            .then(|| format!("enlarged to {} % (video.zoom_percent)", self.zoom.percent()));
        [turned, mirrored, enlarged].into_iter().flatten().collect()
    }
}

/// By how much the video is turned, clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// By 90 degrees.
    Quarter,
    /// By 180 degrees.
    Half,
    /// By 270 degrees.
    ThreeQuarters,
}

impl Rotation {
    /// The one of so many degrees, down to the next quarter.
    pub fn of_degrees(degrees: u32) -> Rotation {
        use Rotation::{Half, None, Quarter, ThreeQuarters};
        [None, Quarter, Half, ThreeQuarters][(degrees / 90 % 4) as usize]
    }

    /// In degrees.
    pub fn degrees(self) -> u32 {
        self as u32 * 90
    }

    /// Whether width becomes height.
    pub fn is_sideways(self) -> bool {
        matches!(self, Rotation::Quarter | Rotation::ThreeQuarters)
    }
}

/// How the video is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mirror {
    /// Not at all.
    #[default]
    None,
    /// Left becomes right.
    Horizontal,
    /// Top becomes bottom.
    Vertical,
}

impl Mirror {
    /// The names of all, as settings have them; the default is the first.
    pub const NAMES: &[&str] = &["none", "horizontal", "vertical"];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Mirror> {
        use Mirror::{Horizontal, None, Vertical};
        [None, Horizontal, Vertical].into_iter().find(|mirror| mirror.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// How large the video is, in percent of the size in which all of it is visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zoom(u32);

impl Default for Zoom {
    fn default() -> Zoom {
        Zoom(100)
    }
}

impl Zoom {
    /// So many percent; less than 100 is 100.
    pub fn of_percent(percent: u32) -> Zoom {
        Zoom(percent.max(100))
    }

    /// In percent.
    pub fn percent(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of two rows of three pixels, turned.
    fn turned(framing: &Framing) -> Vec<Vec<u8>> {
        let frame = [[1, 2, 3], [4, 5, 6]];
        let turn = framing.turn();
        let [width, height] = turn.of_sizes([3, 2]);
        let at = |x: usize, y: usize| {
            let x = if turn.flips_across { width - 1 - x } else { x };
            let y = if turn.flips_down { height - 1 - y } else { y };
            if turn.transposes { frame[x][y] } else { frame[y][x] }
        };
        (0..height).map(|y| (0..width).map(|x| at(x, y)).collect()).collect()
    }

    #[test]
    fn frames_are_turned_clockwise_and_then_mirrored() {
        for (degrees, mirror, expected) in [
            (0, Mirror::None, vec![vec![1, 2, 3], vec![4, 5, 6]]),
            (90, Mirror::None, vec![vec![4, 1], vec![5, 2], vec![6, 3]]),
            (180, Mirror::None, vec![vec![6, 5, 4], vec![3, 2, 1]]),
            (270, Mirror::None, vec![vec![3, 6], vec![2, 5], vec![1, 4]]),
            (0, Mirror::Horizontal, vec![vec![3, 2, 1], vec![6, 5, 4]]),
            (0, Mirror::Vertical, vec![vec![4, 5, 6], vec![1, 2, 3]]),
            (90, Mirror::Horizontal, vec![vec![1, 4], vec![2, 5], vec![3, 6]]),
            (90, Mirror::Vertical, vec![vec![6, 3], vec![5, 2], vec![4, 1]]),
            (180, Mirror::Vertical, vec![vec![3, 2, 1], vec![6, 5, 4]]),
        ] {
            let rotate = Rotation::of_degrees(degrees);
            assert_eq!(rotate.degrees(), degrees);
            let framing = Framing { rotate, mirror, ..Framing::default() };
            assert_eq!(turned(&framing), expected, "{degrees} {mirror:?}");
        }
    }

    #[test]
    fn nothing_is_done_unless_it_is_set() {
        let framing = Framing { pan_percent: 50, tilt_percent: -100, ..Framing::default() };
        assert!(framing.is_none() && framing.in_words().is_empty());
        assert_eq!(framing.for_opening(), Framing::default());
        let all = Framing {
            rotate: Rotation::ThreeQuarters,
            mirror: Mirror::Vertical,
            zoom: Zoom::of_percent(150),
            ..framing
        };
        assert_eq!(
            all.in_words().join(", "),
            "turned by 270 degrees (video.rotate), mirrored, vertical (video.mirror), enlarged to \
             150 % (video.zoom_percent)"
        );
        for name in Mirror::NAMES {
            assert_eq!(Mirror::named(name).map(Mirror::name), Some(*name));
        }
    }

    #[test]
    fn a_camera_is_opened_again_only_for_what_it_has_to_deliver_otherwise() {
        let of = |degrees, mirror, percent| {
            let (rotate, zoom) = (Rotation::of_degrees(degrees), Zoom::of_percent(percent));
            Framing { rotate, mirror, zoom, ..Framing::default() }.for_opening()
        };
        assert_eq!(of(90, Mirror::None, 100), of(270, Mirror::Vertical, 100));
        assert_eq!(of(180, Mirror::None, 100), of(0, Mirror::Horizontal, 100));
        assert_eq!(of(0, Mirror::None, 120), of(180, Mirror::Vertical, 400));
        assert_ne!(of(0, Mirror::None, 100), of(180, Mirror::None, 100), "it passes H.264 through");
        assert_ne!(of(180, Mirror::None, 100), of(90, Mirror::None, 100));
        assert_ne!(of(180, Mirror::None, 100), of(180, Mirror::None, 101));
        let sideways = of(90, Mirror::None, 100);
        assert_eq!(sideways.camera_size([720, 1280]), [1280, 720]);
        assert_eq!(sideways.camera_size([1280, 720]), [1280, 720]);
        assert_eq!(Framing::default().camera_size([720, 1280]), [720, 1280]);
    }
}
