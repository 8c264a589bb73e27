//! A picture as a landscape, its shades as heights: dark ink on paper is where water would stand.
//!
//! Light on a page may fall from one side, or a shadow lie across: paper in the dark can have the shade of pencil in the
//! light. But from paper one comes to the edge of the picture without climbing, and from ink, wherever it is, one must climb
//! out onto paper. So no threshold between the two is sought. The level to which water would stand is found by
//! flooding inwards from the edges, lowest first: the priority-flood of Barnes, Lehman and Mulla (2014,
//! <https://doi.org/10.1016/j.cageo.2013.04.024>), which is the filling of holes by morphological reconstruction of
//! Vincent (1993, <https://doi.org/10.1109/83.217222>). Jung, Hasan and Kim take shadows off documents by water, too (2018,
//! <https://arxiv.org/abs/1904.09763>). Local thresholds as Sauvola's would need to know how wide the strokes are.

use super::grid::Grid;

/// How deep the water is over each pixel, if it may run off at the edges once it stands as high as the `shore`, which has
/// a height for each pixel of the rim.
pub(super) fn depths(grid: Grid, heights: &[u8], shore: &[u8]) -> Vec<u8> {
    let mut levels = vec![u8::MAX; grid.len()];
    let mut waiting: Vec<Vec<usize>> = vec![vec![]; 256]; // by level
    for (i, &shore) in grid.rim().into_iter().zip(shore) {
        levels[i] = heights[i].max(shore);
        waiting[usize::from(levels[i])].push(i);
    }
    for level in 0..=u8::MAX {
        while let Some(i) = waiting[usize::from(level)].pop() {
            if levels[i] != level {
                continue; // a lower way out was found since
            }
            for j in grid.beside(i) {
                let reached = heights[j].max(level);
                if reached < levels[j] {
                    levels[j] = reached;
                    waiting[usize::from(reached)].push(j);
                }
            }
        }
    }
    levels.iter().zip(heights).map(|(level, height)| level - height).collect()
}

/// The shade of the ground along the rim: of each pixel's half of it the median. So ink may touch the edge, and what
/// lies along most of a side is no ink.
pub(super) fn shore(grid: Grid, gray: &[u8]) -> Vec<u8> {
    let rim: Vec<u8> = grid.rim().into_iter().map(|i| gray[i]).collect();
    let reach = (rim.len() / 4).min(rim.len().saturating_sub(1) / 2);
    let at = |k: usize| usize::from(rim[k % rim.len()]);
    let mut counts = [0; 256];
    (0..=2 * reach).for_each(|k| counts[at(k + rim.len() - reach)] += 1);
    let median = |counts: &[usize; 256]| {
        let mut below = 0;
        let is_over = |count: &usize| {
            below += count;
            below > reach
        };
        counts.iter().position(is_over).expect("more than half are below some shade") as u8
    };
    let along = (0..rim.len()).map(|k| {
        let here = median(&counts);
        counts[at(k + rim.len() - reach)] -= 1;
        counts[at(k + reach + 1)] += 1;
        here
    });
    along.collect()
}

/// How far the shades along the rim scatter, light and figures apart: four standard deviations, if they are normal.
pub(super) fn grain(grid: Grid, gray: &[u8]) -> u8 {
    const APART: usize = 8; // what is nearer is alike in a JPEG, what is farther has another light
    let rim: Vec<u8> = grid.rim().into_iter().map(|i| gray[i]).collect();
    let bend = |i: usize| {
        let [a, b, c] = [i, i + APART, i + 2 * APART].map(|i| i16::from(rim[i % rim.len()]));
        (a - 2 * b + c).unsigned_abs()
    };
    let mut bends: Vec<u16> = (0..rim.len()).map(bend).collect();
    bends.sort_unstable();
    (5 * bends[bends.len() / 2] / 2).min(255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRID: Grid = Grid { width: 5, height: 4 };

    #[test]
    fn water_stands_as_high_as_the_lowest_way_out() {
        #[rustfmt::skip]
        let heights = [
            9, 9, 9, 9, 9,
            9, 1, 9, 2, 7,
            9, 1, 9, 2, 9,
            9, 9, 9, 9, 9,
        ];
        #[rustfmt::skip]
        let expected = [
            0, 0, 0, 0, 0,
            0, 8, 0, 5, 0,
            0, 8, 0, 5, 0,
            0, 0, 0, 0, 0,
        ];
        assert_eq!(depths(GRID, &heights, &[0; 14]), expected);
    }

    #[test]
    fn ink_may_touch_the_edge_and_light_may_change() {
        let mut gray: Vec<u8> = (0..30 * 30).map(|i| 100 + 3 * (i % 30) as u8).collect();
        let grid = Grid { width: 30, height: 30 };
        assert!(depths(grid, &gray, &shore(grid, &gray)).iter().all(|&depth| depth < 40));
        (0..20).for_each(|y| gray[y * 30 + 15] = 10); // from the top edge
        let deep = depths(grid, &gray, &shore(grid, &gray));
        assert_eq!(deep.iter().filter(|&&depth| depth > 100).count(), 20);
    }

    #[test]
    fn the_shore_is_the_median_of_half_the_rim() {
        let gray = [3; 20];
        assert_eq!(shore(GRID, &gray), [3; 14]);
        assert_eq!(shore(Grid { width: 1, height: 1 }, &[7]), [7]);
        assert_eq!(shore(Grid { width: 2, height: 2 }, &[0, 0, 0, 9]), [0; 4]);
        assert_eq!(grain(GRID, &gray), 0);
    }
}
