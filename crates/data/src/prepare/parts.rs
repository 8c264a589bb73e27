//! The connected parts of a figure: which belong to the digit, and whether they are more than one thing.

use super::grid::{Bounds, Grid};

/// Pixels that touch one another.
struct Part {
    pixels: Vec<usize>,
    bounds: Bounds,
    /// How many of its pixels lie on the rim.
    on_rim: usize,
}

/// More parts than this no digit has, however it was printed.
const MOST: usize = 64;

/// Of what is marked, the parts that are a digit's; those without a `sure` pixel are none.
///
/// Not a digit's are a frame, which surrounds another part; what lies along an edge, as a table beside a page does; specks.
/// Whatever else there is stays, since a digit may be of many parts.
pub(super) fn kept(grid: Grid, marked: &[bool], sure: &[bool]) -> Vec<bool> {
    let mut parts = parts(grid, marked);
    parts.retain(|part| part.pixels.iter().any(|&i| sure[i]));
    parts.sort_by_key(|part| std::cmp::Reverse(part.pixels.len()));
    parts.truncate(MOST);

    let is_frame = |frame: &Part| {
        let is_within = |inner: &&Part| {
            inner.bounds != frame.bounds
                && frame.bounds.around(inner.bounds) == frame.bounds
                && inner.bounds.longest() * 6 >= frame.bounds.longest()
        };
        let mut within = parts.iter().filter(is_within).peekable();
        within.peek().is_some() && {
            let filled = grid.filled(&grid.marks(&frame.pixels));
            within.any(|inner| filled[inner.pixels[0]])
        }
    };
    let frames: Vec<bool> = parts.iter().map(is_frame).collect();
    let mut frames = frames.into_iter();
    parts.retain(|_| !frames.next().expect("one for each"));

    let beside = |part: &Part| part.on_rim * 30 > 2 * (grid.width + grid.height);
    let large = |part: &Part| part.bounds.longest() * 6 >= grid.width.min(grid.height);
    if parts.iter().any(|part| large(part) && !beside(part)) {
        parts.retain(|part| !beside(part));
    }

    let pixels: usize = parts.iter().map(|part| part.pixels.len()).sum();
    parts.retain(|part| part.pixels.len() * 50 > pixels);
    grid.marks(parts.iter().flat_map(|part| &part.pixels))
}

/// Of what is marked, all that is connected to something `sure`: hysteresis, as Canny has it.
pub(super) fn connected(grid: Grid, marked: &[bool], sure: &[bool]) -> Vec<bool> {
    let parts = parts(grid, marked);
    grid.marks(parts.iter().filter(|part| part.pixels.iter().any(|&i| sure[i])).flat_map(|part| &part.pixels))
}

/// How many things there are, each of a size that counts: two digits rather than the two strokes of one.
pub(super) fn things(grid: Grid, marked: &[bool]) -> usize {
    let mut boxes: Vec<Bounds> = parts(grid, marked).into_iter().map(|part| part.bounds).collect();
    boxes.sort_by_key(|bounds| std::cmp::Reverse(bounds.longest()));
    let Some(largest) = boxes.first().copied() else { return 0 };
    let is_apart = |a: Bounds, b: Bounds| {
        let (across, down) = a.gap(b);
        let alike = a.height().min(b.height()) * 5 > a.height().max(b.height()) * 3;
        across.max(down) > 1 + largest.longest() / 6 || (across > 0 && alike)
    };
    let mut things: Vec<Bounds> = vec![];
    for part in boxes {
        match things.iter_mut().find(|thing| !is_apart(**thing, part)) {
            Some(thing) => *thing = thing.around(part),
            None if part.longest() * 3 >= largest.longest() => things.push(part),
            None => {}
        }
    }
    things.len()
}

/// Marks of the largest part.
pub(super) fn largest(grid: Grid, marked: &[bool]) -> Option<Vec<bool>> {
    let largest = parts(grid, marked).into_iter().max_by_key(|part| part.pixels.len())?;
    Some(grid.marks(&largest.pixels))
}

/// Pixels that touch at a corner are connected: a stroke may be thin.
fn parts(grid: Grid, marked: &[bool]) -> Vec<Part> {
    let Grid { width, height } = grid;
    let mut left = marked.to_vec();
    let mut parts = vec![];
    for first in 0..left.len() {
        if !std::mem::replace(&mut left[first], false) {
            continue;
        }
        let (mut pixels, mut done) = (vec![first], 0);
        let (mut bounds, mut on_rim) = (grid.point(first), 0);
        while let Some(&i) = pixels.get(done) {
            done += 1;
            let point @ Bounds { left: x, top: y, .. } = grid.point(i);
            bounds = bounds.around(point);
            on_rim += usize::from(x == 0 || y == 0 || x + 1 == width || y + 1 == height);
            for y in y.saturating_sub(1)..(y + 2).min(height) {
                for x in x.saturating_sub(1)..(x + 2).min(width) {
                    if std::mem::replace(&mut left[y * width + x], false) {
                        pixels.push(y * width + x);
                    }
                }
            }
        }
        parts.push(Part { pixels, bounds, on_rim });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each `#` is sure ink, each `+` other.
    fn drawing(text: &[&str]) -> (Grid, Vec<bool>, Vec<bool>) {
        let grid = Grid { width: text[0].len(), height: text.len() };
        let marks = |of: &str| text.concat().chars().map(|mark| of.contains(mark)).collect();
        (grid, marks("#+"), marks("#"))
    }

    #[track_caller]
    fn check(text: &[&str], expected: &[&str], count: usize) {
        let (grid, marked, sure) = drawing(text);
        let kept = kept(grid, &marked, &sure);
        assert_eq!(kept, drawing(expected).1);
        assert_eq!(things(grid, &kept), count);
    }

    #[test]
    fn frames_are_no_digits() {
        check(
            &["########", "#......#", "#..##..#", "#...#..#", "#......#", "########"],
            &["........", "........", "...##...", "....#...", "........", "........"],
            1,
        );
        check(&["#####", "#...#", "#####"], &["#####", "#...#", "#####"], 1); // a zero
    }

    #[test]
    fn what_lies_along_an_edge_is_no_digit() {
        check(
            &["#.......", "#..##...", "#...#...", "#...#...", "#.......", "#......."],
            &["........", "...##...", "....#...", "....#...", "........", "........"],
            1,
        );
        check(&["#...", "#...", "#..."], &["#...", "#...", "#..."], 1); // there is nothing else
    }

    #[test]
    fn faint_parts_are_none_but_strokes_end_faintly() {
        check(&["##+....", "#.+.++.", "##.....", "......."], &["##+....", "#.+....", "##.....", "......."], 1);
    }

    #[test]
    fn two_digits_are_two_things_and_two_strokes_are_one() {
        let two = ["..........", ".##..##...", ".#....#...", ".##...#...", ".........."];
        check(&two, &two, 2);
        let five = ["..........", "...####...", "..........", "...##.....", ".....#....", "...##.....", ".........."];
        check(&five, &five, 1);
    }
}
