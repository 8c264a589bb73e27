//! The lines of ruled paper.

use super::flood::grain;
use super::grid::Grid;

/// Pixels of a line that are looked at; a picture with fewer has no rules.
const LEAST: usize = 64;
/// By how much a line differs from the paper, at least.
const FAINTEST: u8 = 8;

/// The picture without the lines that run straight through all of it, level or upright or a little aslant, if there are
/// such lines. Where they cross something thicker, that stays.
pub(super) fn without_rules(grid: Grid, gray: &[u8]) -> Option<Vec<u8>> {
    if grid.width.min(grid.height) < LEAST {
        return None;
    }
    let dark = without_dark_lines(grid, gray);
    let light = without_dark_lines(grid, &inverted(dark.as_deref().unwrap_or(gray))).map(|light| inverted(&light));
    light.or(dark)
}

fn without_dark_lines(grid: Grid, gray: &[u8]) -> Option<Vec<u8>> {
    let Grid { width, height } = grid;
    let thickness = (width.min(height) / 40).max(3);
    // A closing fills what is thin and dark, in whatever light.
    let closed = inverted(&grid.most(&inverted(&grid.most(gray, thickness)), thickness));
    let faint = grain(grid, gray).max(FAINTEST);
    let dark = median(gray) / 2;
    let seen = |(&closed, &gray): (&u8, &u8)| match closed - gray > faint {
        true => Seen::Thin,
        false if gray < dark => Seen::Stroke,
        false => Seen::Paper,
    };
    let mut seen: Vec<Seen> = closed.iter().zip(gray).map(seen).collect();
    let mut lines = level_lines(grid, &seen, thickness);
    // The upright ones without these, which they cross.
    seen.iter_mut().zip(&lines).filter(|(_, line)| **line).for_each(|(seen, _)| *seen = Seen::Paper);
    let turned = Grid { width: height, height: width };
    let upright = turned.turned(&level_lines(turned, &grid.turned(&seen), thickness));
    lines.iter_mut().zip(upright).for_each(|(line, upright)| *line |= upright);

    let ruled = lines.iter().filter(|line| **line).count();
    let lines = grid.spread(&lines, 1); // their edges are soft
    // What is lines all over is cloth or wood.
    let without = || (0..grid.len()).map(|i| if lines[i] { closed[i] } else { gray[i] }).collect();
    (ruled > 0 && ruled * 3 < grid.len()).then(without)
}

/// What a pixel may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Paper,
    Thin,
    /// It may hide a line.
    Stroke,
}

/// A line is found where seven tenths of its pixels are thin, those at both ends among them, and a quarter of all, if strokes
/// hide some.
fn level_lines(grid: Grid, seen: &[Seen], thickness: usize) -> Vec<bool> {
    let Grid { width, height } = grid;
    let mut lines = vec![false; grid.len()];
    let thin: Vec<bool> = seen.iter().map(|seen| *seen == Seen::Thin).collect();
    let close = grid.spread(&thin, 1); // to a line that is nearly as the one looked at
    let samples: Vec<usize> = (0..LEAST).map(|k| k * (width - 1) / (LEAST - 1)).collect();
    let slant = width as isize / 12;
    for rise in (-slant..=slant).step_by(2) {
        let at = |x: usize| x as isize * rise / width as isize; // how far it has risen there
        let rises: Vec<isize> = samples.iter().map(|&x| at(x)).collect();
        for start in -slant..height as isize + slant {
            let place = |k: usize| {
                let y = start + rises[k];
                (0..height as isize).contains(&y).then(|| y as usize * width + samples[k])
            };
            let is_close = |k: usize| place(k).is_some_and(|i| close[i]);
            if !(0..2).any(is_close) || !(LEAST - 2..LEAST).any(is_close) {
                continue;
            }
            let found = (0..LEAST).filter(|&k| is_close(k)).count();
            let hidden = (0..LEAST).filter(|&k| place(k).is_some_and(|i| !close[i] && seen[i] == Seen::Stroke)).count();
            if found * 10 < (LEAST - hidden) * 7 || found * 4 < LEAST {
                continue;
            }
            for x in 0..width {
                let is_thin = |y: &usize| thin[y * width + x];
                let rows = (start + at(x) - 1).max(0)..(start + at(x) + 2).min(height as isize);
                for y in rows.map(|y| y as usize).filter(is_thin) {
                    if lines[y * width + x] {
                        continue;
                    }
                    let above = (0..y).rev().take(thickness).take_while(is_thin).count();
                    let below = (y..height).take(thickness + 1).take_while(is_thin).count();
                    let is_within = above < y && y + below < height; // and no strip along the edge
                    if above + below <= thickness && is_within {
                        (y - above..y + below).for_each(|y| lines[y * width + x] = true);
                    }
                }
            }
        }
    }
    lines
}

fn inverted(shades: &[u8]) -> Vec<u8> {
    shades.iter().map(|shade| !shade).collect()
}

fn median(shades: &[u8]) -> u8 {
    let mut counts = [0; 256];
    shades.iter().for_each(|shade| counts[usize::from(*shade)] += 1);
    let mut below = 0;
    let is_half = |count: &usize| {
        below += count;
        2 * below >= shades.len()
    };
    counts.iter().position(is_half).unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_painted_over_and_strokes_are_not() {
        let grid = Grid { width: 120, height: 90 };
        let paper = |x: usize| 100 + x as u8 / 2; // the light falls from the right
        let mut gray: Vec<u8> = (0..grid.len()).map(|i| paper(i % 120)).collect();
        let mut put = |x: usize, y: usize, dark: u8| gray[y * 120 + x] = paper(x) - dark;
        for x in 0..120 {
            put(x, 20 + x / 40, 30); // aslant
            put(x, 70, 30);
        }
        for x in 10..110 {
            put(x, 45, 30); // from edge to edge it is not
        }
        (0..90).for_each(|y| put(100, y, 20));
        for y in 10..80 {
            (50..58).for_each(|x| put(x, y, 90)); // a stroke
        }
        let without = without_rules(grid, &gray).unwrap();
        let is_paper = |x: usize, y: usize| without[y * 120 + x].abs_diff(paper(x)) < 8;
        assert!((0..120).all(|x| is_paper(x, 20 + x / 40) != (50..58).contains(&x)));
        assert!((0..120).all(|x| is_paper(x, 70) != (50..58).contains(&x)));
        assert!((10..99).all(|x| !is_paper(x, 45)));
        assert!((0..90).filter(|y| !(44..47).contains(y)).all(|y| is_paper(100, y)));
        assert!((10..80).all(|y| (50..58).all(|x| !is_paper(x, y))));

        assert_eq!(without_rules(grid, &[200; 120 * 90]), None);
    }
}
