//! A component of a frame, made smaller: each value is the mean of those in its place.
//!
//! GStreamer's converter makes frames a thirtieth brighter where it reduces them to a third or a fifth
//! (1.22), because the weights of its filters are rounded.

/// Values in memory, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// From the first one on.
    pub data: &'a [u8],
    /// From one row to the next, in bytes.
    pub stride: usize,
    /// From one value of a row to the next, in bytes; at least 1.
    pub step: usize,
    /// How many there are across and down.
    pub size: [usize; 2],
}

/// Gives `to` values in rows that are so far apart the means of what is in their places; what is missing
/// is left out.
pub fn reduce(from: Values<'_>, to: &mut [u8], stride: usize, [width, height]: [usize; 2]) {
    let Values { data, stride: its_stride, step, size: [across, down] } = from;
    // Larger than what it is made of, each is used again.
    let place = |number: usize, of: usize, all: usize| {
        let begin = number * of / all.max(1);
        begin..((number + 1) * of / all.max(1)).max(begin + 1)
    };
    let columns: Vec<_> = (0..width).map(|x| place(x, across, width)).collect();
    let mut sums = vec![0_u32; width];
    for (y, row) in to.chunks_mut(stride.max(1)).take(height).enumerate() {
        sums.fill(0);
        let lines = place(y, down, height);
        for line in lines.clone() {
            let values = data.get(line * its_stride..).unwrap_or_default();
            for (sum, column) in sums.iter_mut().zip(&columns) {
                let part = values.get(column.start * step..).unwrap_or_default();
                let part = part.iter().step_by(step).take(column.len());
                *sum += part.map(|value| u32::from(*value)).sum::<u32>();
            }
        }
        for ((value, sum), column) in row.iter_mut().zip(&sums).zip(&columns) {
            let count = u32::try_from(lines.len() * column.len()).unwrap_or(u32::MAX).max(1);
            *value = u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduced(data: &[u8], step: usize, size: [usize; 2], to: [usize; 2]) -> Vec<u8> {
        let mut reduced = vec![0; to[0] * to[1]];
        reduce(Values { data, stride: size[0] * step, step, size }, &mut reduced, to[0], to);
        reduced
    }

    #[test]
    fn each_value_is_the_mean_of_those_in_its_place() {
        let data = [10, 20, 30, 40, 30, 40, 50, 61];
        assert_eq!(reduced(&data, 1, [4, 2], [2, 1]), [25, 45]);
        assert_eq!(reduced(&data, 2, [2, 2], [1, 1]), [30], "10, 30, 30, 50");
        // Where it does not divide evenly, places are of different sizes.
        assert_eq!(reduced(&data, 1, [4, 2], [3, 2]), [10, 20, 35, 30, 40, 56]);
    }

    #[test]
    fn what_is_not_made_smaller_stays_as_it_is_and_what_is_missing_is_no_fault() {
        let data = [1, 2, 3, 4, 5, 6];
        assert_eq!(reduced(&data, 1, [3, 2], [3, 2]), data);
        assert_eq!(reduced(&data[..4], 1, [3, 2], [3, 2]), [1, 2, 3, 4, 0, 0]);
        assert_eq!(reduced(&[], 1, [0, 0], [2, 2]), [0; 4]);
        assert_eq!(reduced(&[7], 1, [1, 1], [2, 2])[0], 7);
    }
}
