//! Rows and columns that change places.

/// A part of a frame, in pixels; all of it is even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// From the left, and from the top.
    pub at: [u32; 2],
    /// Width and height.
    pub size: [u32; 2],
}

/// What becomes of rows and columns. The pixel of the result at `x`, `y` is that of the source at the
/// same place, counted from the right where it flips across and from the bottom where it flips down;
/// where it transposes, `x` counts the rows of the source and `y` its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    /// Rows become columns.
    pub transposes: bool,
    /// Left and right of the result change places.
    pub flips_across: bool,
    /// Top and bottom of the result change places.
    pub flips_down: bool,
}

impl Turn {
    /// Width and height of the result, or those of the source of a result.
    pub fn of_sizes<T: Copy>(&self, [width, height]: [T; 2]) -> [T; 2] {
        if self.transposes { [height, width] } else { [width, height] }
    }

    /// Where a part of the result is in its source, which has that size.
    pub(super) fn source(&self, shown: Area, size: [u32; 2]) -> Area {
        let [width, height] = self.of_sizes(size);
        let [mut x, mut y] = shown.at;
        if self.flips_across {
            x = width.saturating_sub(x + shown.size[0]);
        }
        if self.flips_down {
            y = height.saturating_sub(y + shown.size[1]);
        }
        Area { at: self.of_sizes([x, y]), size: self.of_sizes(shown.size) }
    }
}
