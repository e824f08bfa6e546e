//! Thumbnails: all that has to be kept of a frame to know it again.

use super::decode::Luma;

const WIDTH: usize = 16;
const HEIGHT: usize = 9;
/// Points looked at in each direction for one cell of the thumbnail; more of them change nothing.
const POINTS: usize = 8;
/// What a player and our own scaler put beside a frame that is too narrow or too flat.
const BORDER_LUMA: u8 = 16;

/// A frame's brightness in 16 × 9 cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thumbnail([u8; WIDTH * HEIGHT]);

impl Thumbnail {
    /// The thumbnail of a frame that is shown on a canvas of that width, in heights, with borders
    /// where it does not fill the canvas.
    pub(super) fn of(frame: &Luma<'_>, canvas_aspect: f64) -> Thumbnail {
        let wider = (canvas_aspect / frame.aspect).max(1.0);
        let taller = (frame.aspect / canvas_aspect).max(1.0);
        let place = |point: usize, points: usize, stretch: f64| {
            0.5 + ((point as f64 + 0.5) / points as f64 - 0.5) * stretch
        };
        let mut sums = [0_u32; WIDTH * HEIGHT];
        for y in 0..HEIGHT * POINTS {
            let down = place(y, HEIGHT * POINTS, taller);
            for x in 0..WIDTH * POINTS {
                let luma = frame.at(place(x, WIDTH * POINTS, wider), down);
                sums[y / POINTS * WIDTH + x / POINTS] += u32::from(luma.unwrap_or(BORDER_LUMA));
            }
        }
        Thumbnail(sums.map(|sum| (sum / (POINTS * POINTS) as u32) as u8))
    }

    /// How far the cells of two thumbnails lie apart on average, in steps of luma, when the other
    /// one is in that light.
    pub(super) fn distance(&self, other: &Thumbnail, light: &Light) -> f64 {
        let pairs = self.0.iter().zip(&other.0);
        let apart: u32 =
            pairs.map(|(ours, theirs)| u32::from(ours.abs_diff(light.of(*theirs)))).sum();
        f64::from(apart) / (WIDTH * HEIGHT) as f64
    }

    /// A made-up frame: the same one for the same seed.
    #[cfg(test)]
    pub(super) fn made_up(seed: u64) -> Thumbnail {
        let mut random = fastrand::Rng::with_seed(seed);
        Thumbnail(std::array::from_fn(|_| random.u8(16..235)))
    }

    /// A made-up frame on its way to another: so many thousandths are done.
    #[cfg(test)]
    pub(super) fn towards(&self, other: &Thumbnail, thousandths: i64) -> Thumbnail {
        let between = |a: u8, b: u8| {
            let way = (i64::from(b) - i64::from(a)) * thousandths / 1_000;
            (i64::from(a) + way) as u8
        };
        Thumbnail(std::array::from_fn(|cell| between(self.0[cell], other.0[cell])))
    }
}

/// How the brightness of one file becomes that of another: full and narrow range, and the
/// colorimetries, differ in it.
#[derive(Debug, Clone)]
pub(super) struct Light([u8; 256]);

impl Light {
    /// The light in which nothing changes.
    pub(super) fn plain() -> Light {
        Light(std::array::from_fn(|luma| luma as u8))
    }

    /// The light in which the second thumbnail of each pair looks most like the first: a straight
    /// line by least squares.
    pub(super) fn between<'a>(
        pairs: impl Iterator<Item = (&'a Thumbnail, &'a Thumbnail)>,
    ) -> Light {
        let (mut count, mut sum_x, mut sum_y, mut sum_xx, mut sum_xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (ours, theirs) in pairs {
            for (y, x) in ours.0.iter().zip(&theirs.0) {
                let (x, y) = (f64::from(*x), f64::from(*y));
                count += 1.0;
                sum_x += x;
                sum_y += y;
                sum_xx += x * x;
                sum_xy += x * y;
            }
        }
        let spread = count * sum_xx - sum_x * sum_x;
        if spread <= 0.0 {
            return Light::plain();
        }
        let gain = (count * sum_xy - sum_x * sum_y) / spread;
        let shift = (sum_y - gain * sum_x) / count;
        Light(std::array::from_fn(|luma| (luma as f64 * gain + shift).round() as u8))
    }

    fn of(&self, luma: u8) -> u8 {
        self.0[usize::from(luma)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with square pixels, dark on the left and bright on the right.
    fn halves(width: usize, height: usize) -> Vec<u8> {
        let stride = width + 3;
        (0..stride * height).map(|i| if i % stride < width / 2 { 40 } else { 200 }).collect()
    }

    fn luma(data: &[u8], width: usize, height: usize) -> Luma<'_> {
        Luma { data, width, height, stride: width + 3, aspect: width as f64 / height as f64 }
    }

    #[test]
    fn a_frame_is_known_again_at_another_size() {
        let (large, small) = (halves(1280, 720), halves(160, 90));
        let [large, small] = [luma(&large, 1280, 720), luma(&small, 160, 90)]
            .map(|frame| Thumbnail::of(&frame, 16.0 / 9.0));
        assert_eq!(large.distance(&small, &Light::plain()), 0.0);
        assert_eq!((large.0[7], large.0[8]), (40, 200));
    }

    #[test]
    fn a_narrow_frame_has_borders_beside_it_and_a_flat_one_above() {
        let (narrow, flat) = (halves(64, 72), halves(64, 9));
        let narrow = Thumbnail::of(&luma(&narrow, 64, 72), 16.0 / 9.0);
        assert_eq!(narrow.0[..WIDTH], [[16; 4], [40; 4], [200; 4], [16; 4]].concat());
        let flat = Thumbnail::of(&luma(&flat, 64, 9), 16.0 / 9.0);
        assert_eq!((flat.0[2 * WIDTH], flat.0[4 * WIDTH], flat.0[6 * WIDTH]), (16, 40, 16));
    }

    #[test]
    fn a_frame_of_full_range_is_known_again_in_narrow_range() {
        let full = [0, 1, 2].map(Thumbnail::made_up);
        let narrow =
            full.clone().map(|Thumbnail(cells)| Thumbnail(cells.map(|luma| 16 + luma / 8 * 7)));
        let light = Light::between(narrow.iter().zip(&full));
        assert!(narrow[0].distance(&full[0], &Light::plain()) > 5.0);
        assert!(narrow[0].distance(&full[0], &light) < 2.0);
        assert!(narrow[0].distance(&full[1], &light) > 20.0);
        let grey = Thumbnail([99; WIDTH * HEIGHT]);
        let light = Light::between([(&full[0], &grey)].into_iter());
        assert_eq!(light.0, Light::plain().0, "one brightness is no measure");
    }

    #[test]
    fn a_frame_without_pixels_is_no_harm() {
        let nothing = Luma { data: &[], width: 0, height: 0, stride: 0, aspect: f64::NAN };
        assert_eq!(Thumbnail::of(&nothing, 1.0).0, [BORDER_LUMA; WIDTH * HEIGHT]);
    }
}
