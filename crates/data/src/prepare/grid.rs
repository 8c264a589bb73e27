//! Rows of pixels, by index.

/// What lies where in a picture of this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// A box of pixels, its ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

impl Grid {
    pub(super) fn len(self) -> usize {
        self.width * self.height
    }

    pub(super) fn longest(self) -> usize {
        self.width.max(self.height)
    }

    /// Left, right, above and below.
    pub(super) fn beside(self, i: usize) -> impl Iterator<Item = usize> {
        let Grid { width, height } = self;
        let (x, y) = (i % width, i / width);
        let there = [(x > 0).then(|| i - 1), (x + 1 < width).then(|| i + 1)];
        let across = [(y > 0).then(|| i - width), (y + 1 < height).then(|| i + width)];
        there.into_iter().chain(across).flatten()
    }

    /// The pixels at the four edges, once round, clockwise.
    pub(super) fn rim(self) -> Vec<usize> {
        let Grid { width, height } = self;
        if width <= 1 || height <= 1 {
            return (0..self.len()).collect();
        }
        let (top, bottom) = (0..width - 1, self.len() - width..self.len());
        let right = (0..height - 1).map(|y| y * width + width - 1);
        let left = (1..height).rev().map(|y| y * width);
        top.chain(right).chain(bottom.skip(1).rev()).chain(left).collect()
    }

    /// Marks at these pixels.
    pub(super) fn marks<'p>(self, pixels: impl IntoIterator<Item = &'p usize>) -> Vec<bool> {
        let mut marks = vec![false; self.len()];
        pixels.into_iter().for_each(|&i| marks[i] = true);
        marks
    }

    /// Those of a picture's pixels that lie in a box.
    pub(super) fn crop<T: Copy>(self, pixels: &[T], bounds: Bounds) -> Vec<T> {
        let rows = pixels.chunks_exact(self.width).take(bounds.bottom + 1).skip(bounds.top);
        rows.flat_map(|row| &row[bounds.left..=bounds.right]).copied().collect()
    }

    /// The smallest box around what is marked, if something is.
    pub(super) fn bounds(self, marked: &[bool]) -> Option<Bounds> {
        let all = marked.iter().enumerate().filter(|(_, marked)| **marked).map(|(i, _)| self.point(i));
        all.reduce(Bounds::around)
    }

    /// The box of one pixel.
    pub(super) fn point(self, i: usize) -> Bounds {
        let (x, y) = (i % self.width, i / self.width);
        Bounds { left: x, top: y, right: x, bottom: y }
    }

    /// Whatever is marked, and all that is at most `reach` rows and columns away.
    pub(super) fn spread(self, marked: &[bool], reach: usize) -> Vec<bool> {
        self.most(marked, reach)
    }

    /// For each pixel the most of all that are at most `reach` rows and columns away: a dilation by a square.
    pub(super) fn most<T: Copy + Ord>(self, values: &[T], reach: usize) -> Vec<T> {
        let mut rows = values.to_vec();
        rows.chunks_exact_mut(self.width.max(1)).for_each(|row| widen(row, 1, reach));
        widen(&mut rows, self.width, reach);
        rows
    }

    /// The same pixels, column by column.
    pub(super) fn turned<T: Copy>(self, pixels: &[T]) -> Vec<T> {
        let Grid { width, height } = self;
        (0..self.len()).map(|i| pixels[i % height * width + i / height]).collect()
    }

    /// What is marked, and all that this surrounds.
    pub(super) fn filled(self, marked: &[bool]) -> Vec<bool> {
        let mut filled = vec![true; self.len()];
        let mut waiting = self.rim();
        waiting.retain(|&i| !marked[i]);
        while let Some(i) = waiting.pop() {
            if std::mem::replace(&mut filled[i], false) {
                waiting.extend(self.beside(i).filter(|&j| filled[j] && !marked[j]));
            }
        }
        filled
    }
}

impl Bounds {
    pub(super) fn width(self) -> usize {
        self.right - self.left + 1
    }

    pub(super) fn height(self) -> usize {
        self.bottom - self.top + 1
    }

    pub(super) fn longest(self) -> usize {
        self.width().max(self.height())
    }

    pub(super) fn area(self) -> usize {
        self.width() * self.height()
    }

    pub(super) fn around(self, other: Self) -> Self {
        Bounds {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// The empty columns and rows between two boxes.
    pub(super) fn gap(self, other: Self) -> (usize, usize) {
        let between =
            |(a, b): (usize, usize), (c, d): (usize, usize)| c.saturating_sub(b + 1).max(a.saturating_sub(d + 1));
        (
            between((self.left, self.right), (other.left, other.right)),
            between((self.top, self.bottom), (other.top, other.bottom)),
        )
    }
}

/// Each value becomes the most of those at most `reach` steps away, in a number of passes that is the logarithm of that.
fn widen<T: Copy + Ord>(values: &mut [T], step: usize, reach: usize) {
    let mut behind = values.to_vec();
    let (mut seen, wanted) = (1, reach + 1); // how many steps a value is the most of
    while seen < wanted {
        let shift = (seen.min(wanted - seen) * step).min(values.len());
        let later = values[shift..].to_vec();
        values.iter_mut().zip(later).for_each(|(value, later)| *value = later.max(*value));
        let earlier = behind.clone();
        behind[shift..].iter_mut().zip(earlier).for_each(|(value, earlier)| *value = earlier.max(*value));
        seen += seen.min(wanted - seen);
    }
    values.iter_mut().zip(behind).for_each(|(ahead, behind)| *ahead = behind.max(*ahead));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rim_goes_round_once() {
        let rim = |width, height| Grid { width, height }.rim();
        assert_eq!(rim(3, 3), [0, 1, 2, 5, 8, 7, 6, 3]);
        assert_eq!(rim(2, 2), [0, 1, 3, 2]);
        assert_eq!((rim(1, 3), rim(3, 1)), (vec![0, 1, 2], vec![0, 1, 2]));
        assert_eq!(rim(7, 5).len(), 20);
    }

    #[test]
    fn marks_spread_and_are_filled() {
        let grid = Grid { width: 5, height: 5 };
        let marks = |text: &str| text.bytes().map(|mark| mark == b'#').collect::<Vec<bool>>();
        let ring = marks("......###..#.#..###......");
        assert_eq!(grid.filled(&ring), marks("......###..###..###......"));
        assert_eq!(grid.filled(&marks("......#.#..#.#..###......")), marks("......#.#..#.#..###......"), "open");
        assert_eq!(grid.spread(&marks("............#............"), 1), marks("......###..###..###......"));
        let bounds = grid.bounds(&ring).unwrap();
        assert_eq!(bounds, Bounds { left: 1, top: 1, right: 3, bottom: 3 });
        assert_eq!(grid.crop(&ring, bounds), marks("####.####"));
        assert_eq!(bounds.gap(grid.point(24)), (0, 0));
        assert_eq!(grid.point(0).gap(grid.point(23)), (2, 3));
    }
}
