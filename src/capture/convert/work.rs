//! What has to be done to raw frames before the encoder takes them.

use std::fmt;

use gstreamer_video::VideoFormat as Layout;

/// How raw frames lie in memory, and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How the pixels lie in memory.
    pub layout: Layout,
    /// Width and height, in pixels.
    pub size: (u32, u32),
}

impl Shape {
    /// The shape of frames whose layout has that name; `None` when nobody knows it.
    pub fn of(layout: &str, width: u32, height: u32) -> Option<Shape> {
        let layout = Layout::from_string(layout);
        (layout != Layout::Unknown).then_some(Shape { layout, size: (width, height) })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{}", self.layout, self.size.0, self.size.1)
    }
}

/// Frames that are not wanted as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub from: Shape,
    /// The layouts that are wanted, the best first; never empty.
    pub layouts: Vec<Layout>,
    /// The size that is wanted.
    pub size: (u32, u32),
}

/// What one converter is to make of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    pub from: Shape,
    pub to: Shape,
}

impl Work {
    /// What frames need; `None` when they are wanted as they are.
    pub fn between(from: Shape, layouts: &[Layout], size: (u32, u32)) -> Option<Work> {
        let is_wanted = layouts.contains(&from.layout) && from.size == size;
        (!is_wanted && !layouts.is_empty()).then(|| Work { from, layouts: layouts.to_vec(), size })
    }

    /// Whether frames of this size become those of the wanted one without bars at their sides.
    pub fn keeps_proportions(&self) -> bool {
        let ((from_width, from_height), (width, height)) = (self.from.size, self.size);
        u64::from(from_width) * u64::from(height) == u64::from(width) * u64::from(from_height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_are_wanted_as_they_are_need_nothing() {
        gstreamer::init().expect("GStreamer");
        let from = Shape::of("NV12", 1280, 720).expect("known");
        let work = |layouts: &[Layout], size| Work::between(from, layouts, size);
        assert_eq!(work(&[Layout::I420, Layout::Nv12], (1280, 720)), None);
        assert_eq!(work(&[], (640, 360)), None, "nobody says what is wanted");
        assert!(work(&[Layout::I420], (1280, 720)).is_some());
        assert!(work(&[Layout::Nv12], (640, 360)).expect("smaller").keeps_proportions());
        assert!(!work(&[Layout::Nv12], (640, 480)).expect("smaller").keeps_proportions());
        assert_eq!(Shape::of("XYZ9", 1280, 720), None);
    }
}
