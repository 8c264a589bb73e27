//! What a picture would be without its figure.

use super::grid::Grid;

/// The picture with all that is marked painted over: a marked pixel becomes the mean of the nearest unmarked ones to the left,
/// to the right, above and below, the nearer the heavier. Where there are none it becomes `otherwise`.
pub(super) fn painted_over(grid: Grid, gray: &[u8], marked: &[bool], otherwise: u8) -> Vec<u8> {
    let (mut sums, mut weights) = (vec![0.0; grid.len()], vec![0.0; grid.len()]);
    let mut along = |places: &mut dyn Iterator<Item = usize>| {
        let (mut shade, mut distance) = (None, 0.0);
        for i in places {
            if !marked[i] {
                (shade, distance) = (Some(f32::from(gray[i])), 0.0);
            } else if let Some(shade) = shade {
                distance += 1.0;
                sums[i] += shade / distance;
                weights[i] += 1.0 / distance;
            }
        }
    };
    let Grid { width, height } = grid;
    for y in 0..height {
        let row = y * width..(y + 1) * width;
        along(&mut row.clone());
        along(&mut row.rev());
    }
    for x in 0..width {
        let column = (x..grid.len()).step_by(width);
        along(&mut column.clone());
        along(&mut column.rev());
    }
    let painted = |i: usize| match (marked[i], weights[i] > 0.0) {
        (false, _) => gray[i],
        (true, true) => (sums[i] / weights[i] + 0.5) as u8,
        (true, false) => otherwise,
    };
    (0..grid.len()).map(painted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paint_has_the_shades_around() {
        let grid = Grid { width: 5, height: 3 };
        #[rustfmt::skip]
        let gray = [
            10, 20, 30, 40, 50,
            10,  0,  0,  0, 50,
            10, 20, 30, 40, 50,
        ];
        let marked: Vec<bool> = gray.iter().map(|shade| *shade == 0).collect();
        let painted = painted_over(grid, &gray, &marked, 7);
        assert_eq!(painted[5..10], [10, 20, 30, 40, 50]);
        assert_eq!(painted_over(grid, &gray, &[true; 15], 7), [7; 15]);
    }
}
