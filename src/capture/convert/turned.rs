//! One component of a frame, turned and mirrored: values in memory, no frames.

use crate::{
    capture::gst::component::Component,
    video::{Area, Turn},
};

/// Where a part's first value lies in a component, and how many values it has across and down.
fn part(component: Component, area: Area) -> (usize, [usize; 2]) {
    let Component { offset, stride, step, shared: (across, down) } = component;
    let in_values = |[x, y]: [u32; 2]| [(x >> across) as usize, (y >> down) as usize];
    let [x, y] = in_values(area.at);
    (offset + y * stride + x * step, in_values(area.size))
}

/// How the values lie in what is turned, and in what it becomes.
#[derive(Debug, Clone, Copy)]
pub struct Sides {
    pub source: Component,
    pub target: Component,
}

/// Gives a part of a component one value.
pub fn fill(data: &mut [u8], component: Component, area: Area, value: u8) {
    let (start, [width, height]) = part(component, area);
    let Some(data) = data.get_mut(start..) else { return };
    for row in data.chunks_mut(component.stride).take(height) {
        row.iter_mut().step_by(component.step).take(width).for_each(|byte| *byte = value);
    }
}

/// Turns a part of a component into a part of another one. Of values that become more than they were,
/// each is used several times, and of those that become fewer the first of several.
pub fn turn(source: &[u8], from: Area, target: &mut [u8], to: Area, how: Turn, sides: Sides) {
    let Sides { source: its, target: own } = sides;
    let (start, [across, down]) = part(its, from);
    let Some(source) = source.get(start..) else { return };
    let (start, size) = part(own, to);
    let Some(target) = target.get_mut(start..) else { return };
    match how.transposes {
        true => transpose(source, [across, down], target, size, how, sides),
        false => flip(source, target, size, how, sides),
    }
}

/// Copies row by row, in one order or the other.
fn flip(source: &[u8], target: &mut [u8], [width, height]: [usize; 2], how: Turn, sides: Sides) {
    let Sides { source: its, target: own } = sides;
    let bytes = width.saturating_sub(1) * its.step + 1;
    for (y, row) in target.chunks_mut(own.stride).take(height).enumerate() {
        let line = if how.flips_down { height - 1 - y } else { y };
        let start = line * its.stride;
        let Some(values) = source.get(start..start + bytes) else { continue };
        match (how.flips_across, its.step, own.step) {
            (false, 1, 1) => row.iter_mut().zip(values).for_each(|(to, from)| *to = *from),
            (true, 1, 1) => {
                row.iter_mut().zip(values.iter().rev()).for_each(|(to, from)| *to = *from)
            }
            (false, ..) => {
                let pixels = row.chunks_mut(own.step).zip(values.chunks(its.step));
                pixels.for_each(|(to, from)| to[0] = from[0]);
            }
            // Each of these ends with a value.
            (true, ..) => {
                let pixels = row.chunks_mut(own.step).zip(values.rchunks(its.step));
                pixels.for_each(|(to, from)| to[0] = from[from.len() - 1]);
            }
        }
    }
}

/// So many columns are written at once, from as many rows: what is read and written between them stays
/// in the processor's nearest memory.
const TILE: usize = 64;

/// Makes rows of columns.
fn transpose(
    source: &[u8],
    [across, down]: [usize; 2],
    target: &mut [u8],
    [width, height]: [usize; 2],
    how: Turn,
    Sides { source: its, target: own }: Sides,
) {
    // Where pixels share values in one direction only, that direction becomes the other one.
    let (shared_across, shared_down) = own.shared;
    let column = |y: usize| ((y << shared_down) >> shared_across).min(across.saturating_sub(1));
    let line = |x: usize| ((x << shared_across) >> shared_down).min(down.saturating_sub(1));
    let mut lines: Vec<&[u8]> = Vec::with_capacity(TILE);
    for left in (0..width).step_by(TILE) {
        lines.clear();
        lines.extend((left..width.min(left + TILE)).map(|x| {
            let x = if how.flips_across { width - 1 - x } else { x };
            source.get(line(x) * its.stride..).unwrap_or_default()
        }));
        for y in 0..height {
            let at = column(if how.flips_down { height - 1 - y } else { y }) * its.step;
            let Some(row) = target.get_mut(y * own.stride + left * own.step..) else { return };
            for (to, values) in row.iter_mut().step_by(own.step).zip(&lines) {
                if let Some(value) = values.get(at) {
                    *to = *value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::{Framing, Mirror, Rotation};

    const WHOLE: Area = Area { at: [0, 0], size: [6, 4] };

    fn plane(stride: usize, step: usize, shared: (u32, u32)) -> Component {
        Component { offset: 0, stride, step, shared }
    }

    /// Values that say where they were.
    fn value(x: usize, y: usize) -> u8 {
        (10 * y + x + 1) as u8
    }

    /// What turning a component of values `width` x `height` gives, row by row.
    fn turned(framing: &Framing, [width, height]: [usize; 2], step: usize) -> Vec<Vec<u8>> {
        let how = framing.turn();
        // Rows have gaps between them, and values as well.
        let its = plane(width * step + 5, step, (0, 0));
        let mut source = vec![0; its.stride * height];
        for (y, row) in source.chunks_mut(its.stride).enumerate() {
            for (x, pixel) in row.chunks_mut(step).take(width).enumerate() {
                pixel[0] = value(x, y);
            }
        }
        let size = [width, height].map(|side| side as u32);
        let [across, down] = how.of_sizes([width, height]);
        let own = plane(across * step + 3, step, (0, 0));
        let mut target = vec![0; own.stride * down];
        let area = |size| Area { at: [0, 0], size };
        let sides = Sides { source: its, target: own };
        turn(&source, area(size), &mut target, area(how.of_sizes(size)), how, sides);
        let rows = target.chunks(own.stride);
        rows.map(|row| row.chunks(step).take(across).map(|pixel| pixel[0]).collect()).collect()
    }

    #[test]
    fn a_component_is_turned_and_mirrored_whatever_lies_between_its_values() {
        // Larger than what is turned at once.
        let [width, height] = [150, 70];
        for step in [1, 2, 4] {
            for (degrees, mirror) in [0, 90, 180, 270].into_iter().flat_map(|degrees| {
                [Mirror::None, Mirror::Horizontal, Mirror::Vertical].map(|mirror| (degrees, mirror))
            }) {
                let rotate = Rotation::of_degrees(degrees);
                let framing = Framing { rotate, mirror, ..Framing::default() };
                let how = framing.turn();
                let turned = turned(&framing, [width, height], step);
                let [across, down] = how.of_sizes([width, height]);
                for (y, row) in turned.iter().enumerate() {
                    for (x, found) in row.iter().enumerate() {
                        let x = if how.flips_across { across - 1 - x } else { x };
                        let y = if how.flips_down { down - 1 - y } else { y };
                        let [x, y] = how.of_sizes([x, y]);
                        let expected = ((10 * y + x + 1) % 256) as u8;
                        assert_eq!(*found, expected, "{degrees} {mirror:?} {step}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_part_goes_to_a_part_and_everything_else_stays() {
        let whole = plane(6, 1, (0, 0));
        let source: Vec<u8> = (0..4).flat_map(|y| (0..6).map(move |x| value(x, y))).collect();
        let mut target = vec![0; 24];
        let from = Area { at: [2, 2], size: [4, 2] };
        let to = Area { at: [4, 0], size: [2, 4] };
        let how = Framing { rotate: Rotation::Quarter, ..Framing::default() }.turn();
        turn(&source, from, &mut target, to, how, Sides { source: whole, target: whole });
        assert_eq!(
            target.chunks(6).collect::<Vec<_>>(),
            [
                [0, 0, 0, 0, 33, 23],
                [0, 0, 0, 0, 34, 24],
                [0, 0, 0, 0, 35, 25],
                [0, 0, 0, 0, 36, 26]
            ]
        );
        fill(&mut target, whole, Area { at: [0, 2], size: [6, 2] }, 9);
        assert_eq!((target[11], target[12], target[23]), (24, 9, 9));
    }

    #[test]
    fn chroma_that_two_pixels_of_a_row_share_is_that_of_two_rows_afterwards() {
        // Of six pixels by four: three values across, four down.
        let shared = plane(3, 1, (1, 0));
        let source: Vec<u8> = (0..4).flat_map(|y| (0..3).map(move |x| value(x, y))).collect();
        let how = Framing { rotate: Rotation::Quarter, ..Framing::default() }.turn();
        let own = plane(2, 1, (1, 0));
        let mut target = vec![0; 12];
        let to = Area { at: [0, 0], size: [4, 6] };
        turn(&source, WHOLE, &mut target, to, how, Sides { source: shared, target: own });
        let rows: Vec<_> = target.chunks(2).collect();
        assert_eq!(rows[0], rows[1]);
        assert_eq!([rows[0], rows[2], rows[4]], [[21, 1], [22, 2], [23, 3]]);
    }

    #[test]
    fn memory_that_is_too_short_is_no_fault() {
        let whole = plane(6, 1, (0, 0));
        for degrees in [0, 90, 180, 270] {
            let framing = Framing { rotate: Rotation::of_degrees(degrees), ..Framing::default() };
            let how = framing.turn();
            let to = Area { at: [0, 0], size: how.of_sizes(WHOLE.size) };
            let own = plane(how.of_sizes([6, 4])[0], 1, (0, 0));
            for bytes in [0, 1, 7, 23] {
                let sides = Sides { source: whole, target: own };
                turn(&vec![1; bytes], WHOLE, &mut [0; 24], to, how, sides);
                turn(&[1; 24], WHOLE, &mut vec![0; bytes], to, how, sides);
                fill(&mut vec![0; bytes], whole, WHOLE, 1);
            }
        }
    }
}
