//! The figure on the ground, and the ground below it.

use super::flood::{depths, grain, shore};
use super::grid::{Bounds, Grid};
use super::ground::painted_over;
use super::{Doubt, MIN_CONTRAST, parts, rules::without_rules};

/// A digit found in a picture.
pub(super) struct Figure {
    pub(super) grid: Grid,
    /// How much of the ink there is in each pixel, up to 255.
    pub(super) ink: Vec<u8>,
    /// The greatest difference in shade between ink and ground.
    pub(super) contrast: u8,
    pub(super) doubts: Vec<Doubt>,
}

/// A page on a table, a frame on a wall: how many times a picture may lie in a picture.
const NESTED: usize = 3;

/// The figure in a picture in shades of gray, if there is one.
///
/// Ink is what water does not run off from, once dark ink is taken for low ([`depths`]) and once for high, so there are
/// two candidates. Whichever surrounds the other is the figure: the stroke of a 0, and not the paper in it. But what surrounds
/// may be a page with the digit on it, or a spot of light.
pub(super) fn figure(grid: Grid, gray: &[u8]) -> Option<Figure> {
    nested(grid, gray, NESTED)
}

fn nested(grid: Grid, gray: &[u8], times: usize) -> Option<Figure> {
    // If there is nothing but lines, they may be a 1.
    without_rules(grid, gray).and_then(|blank| unruled(grid, &blank, times)).or_else(|| unruled(grid, gray, times))
}

fn unruled(grid: Grid, gray: &[u8], times: usize) -> Option<Figure> {
    let shore = shore(grid, gray);
    let inverted = |shades: &[u8]| shades.iter().map(|shade| !shade).collect::<Vec<u8>>();
    let dark = depths(grid, gray, &shore);
    let light = depths(grid, &inverted(gray), &inverted(&shore));
    let most = dark.iter().chain(&light).copied().max().filter(|&most| most >= MIN_CONTRAST)?;
    let candidate = |depths: Vec<u8>, is_dark| {
        let marked: Vec<bool> = depths.iter().map(|&depth| u32::from(depth) * 3 > u32::from(most)).collect();
        let filled = grid.filled(&marked);
        Candidate { depths, marked, filled, is_dark }
    };
    let (dark, light) = (candidate(dark, true), candidate(light, false));
    let (outer, inner) = if count(&dark.filled) >= count(&light.filled) { (dark, light) } else { (light, dark) };

    let rim = Rim::of(shore, grain(grid, gray));
    if let Some(page) =
        page(grid, &outer.filled).filter(|_| times > 0 && 2 * count(&outer.marked) > count(&outer.filled))
    {
        let paper: Vec<bool> = page.outside.iter().map(|outside| !outside).collect();
        let sheet = painted_over(grid, gray, &page.outside, mean(gray, &paper) as u8);
        let (width, height) = (page.bounds.width(), page.bounds.height());
        let found = nested(Grid { width, height }, &grid.crop(&sheet, page.bounds), times - 1);
        let is_digit = |found: &Figure| {
            let size = found.grid.bounds(&found.ink.iter().map(|ink| *ink > 0).collect::<Vec<bool>>());
            found.contrast >= most / 4 && size.is_some_and(|size| size.longest() * 8 >= page.bounds.longest())
        };
        if let Some(found) = found.filter(is_digit) {
            return Some(found);
        }
    }
    let sharpness = outer.sharpness(grid, gray);
    let is_light = sharpness < 25 && inner.sharpness(grid, gray) > 2 * sharpness;
    let chosen = if is_light { inner } else { outer };
    chosen.drawn(grid, gray, rim)
}

/// What a picture is like along its edges.
#[derive(Clone, Copy)]
struct Rim {
    common: u8,
    grain: u8,
    /// There is one shade all along it, as in a drawing.
    is_plain: bool,
}

impl Rim {
    fn of(mut shore: Vec<u8>, grain: u8) -> Self {
        shore.sort_unstable();
        let is_plain = grain == 0 && shore.first() == shore.last();
        Rim { common: shore[shore.len() / 2], grain, is_plain }
    }
}

/// What is darker than all ways to the edge, or what is lighter.
struct Candidate {
    depths: Vec<u8>,
    /// A third of the greatest depth or more.
    marked: Vec<bool>,
    filled: Vec<bool>,
    is_dark: bool,
}

impl Candidate {
    /// How much of its depth is a step at its edge, in percent: little of a spot of light or a shadow, most of a stroke.
    fn sharpness(&self, grid: Grid, gray: &[u8]) -> u32 {
        let rest: Vec<bool> = self.filled.iter().map(|filled| !filled).collect();
        let beside = |a: &[bool], b: &[bool]| -> Vec<bool> {
            grid.spread(b, reach(grid)).iter().zip(a).map(|(near, a)| *near && *a).collect()
        };
        let step = median(gray, &beside(&self.filled, &rest)).abs_diff(median(gray, &beside(&rest, &self.filled)));
        let deepest = self.depths.iter().copied().max().unwrap_or(0);
        if self.marked.contains(&true) { 100 * u32::from(step) / u32::from(deepest) } else { 0 }
    }

    /// The ink: by how much the picture differs from its ground, in the light that falls there.
    fn drawn(self, grid: Grid, gray: &[u8], rim: Rim) -> Option<Figure> {
        let Rim { common, grain, is_plain } = rim;
        let deepest = self.depths.iter().copied().max().unwrap_or(0);
        let shallow: Vec<bool> = self.depths.iter().map(|&depth| depth > grain.max(deepest / 8)).collect();
        let shallow = parts::connected(grid, &shallow, &self.marked);
        // Strokes have soft edges and faint ends, and rules are thin. What is broad is a sheet or a shadow that they lie in.
        let (near, reach) = (grid.spread(&self.marked, reach(grid)), reach(grid));
        let faint: Vec<bool> = shallow.iter().zip(&near).map(|(shallow, near)| *shallow && !near).collect();
        let narrow = grid.spread(&faint.iter().map(|faint| !faint).collect::<Vec<bool>>(), reach);
        let wet = if grid.len() - count(&narrow) < grid.len() / 100 { &shallow } else { &self.marked };
        let mut ground = painted_over(grid, gray, &grid.spread(wet, reach), common);
        if is_plain {
            // What differs a little is faint ink.
            ground.iter_mut().filter(|shade| shade.abs_diff(common) <= FAINT).for_each(|shade| *shade = common);
        }
        let usual = mean(&ground, wet);
        let ink = |(&gray, &ground): (&u8, &u8)| {
            let difference = if self.is_dark { ground.saturating_sub(gray) } else { gray.saturating_sub(ground) };
            // Half the light halves differences. A little less than usual may be faint ink, and of what is nearly black
            // nobody can tell how much light falls on it.
            let light = usual.clamp(u32::from(ground.saturating_sub(FAINT)), u32::from(ground.saturating_add(FAINT)));
            (u32::from(difference) * (usual + DARK) / (light + DARK)).min(255) as u8
        };
        let mut ink: Vec<u8> = gray.iter().zip(&ground).map(ink).collect();
        let contrast = ink.iter().copied().max().filter(|&contrast| contrast >= MIN_CONTRAST && contrast > grain)?;

        // JPEG rings around the ink, and its edges are soft.
        let faint = grain.max((u32::from(contrast) * u32::from(MIN_CONTRAST) / 255) as u8);
        let marks: Vec<bool> = ink.iter().map(|&ink| ink > faint).collect();
        let kept = parts::kept(grid, &marks, &self.marked);
        let doubts = doubts(grid, &kept);
        // In a photo strokes are as dark as most of their ink, and not as their darkest point.
        let mut strokes: Vec<u8> =
            ink.iter().zip(&kept).filter(|(ink, kept)| **kept && **ink > contrast / 2).map(|(ink, _)| *ink).collect();
        strokes.sort_unstable();
        let full = if is_plain { strokes.last() } else { strokes.get(strokes.len() * 3 / 4) };
        let full = u32::from(*full?);
        for (ink, kept) in ink.iter_mut().zip(kept) {
            *ink = if kept { (u32::from(*ink) * 255 / full).min(255) as u8 } else { 0 };
        }
        Some(Figure { grid, ink, contrast, doubts })
    }
}

/// What makes it doubtful that these are the strokes of one digit.
pub(super) fn doubts(grid: Grid, inked: &[bool]) -> Vec<Doubt> {
    let Some(bounds) = grid.bounds(inked) else { return vec![] };
    let share = |pixels: usize, of: usize| pixels * 100 / of;
    let (of_all, of_box) = (share(count(inked), grid.len()), share(count(inked), bounds.area()));
    let is_bar = bounds.longest() > 2 * bounds.width().min(bounds.height()); // a 1 fills its box
    let mut doubts = vec![];
    if of_all >= 50 || (of_box >= 80 && !is_bar) {
        doubts.push(Doubt::Covers { percent: of_all.max(of_box) });
    }
    if let things @ 2.. = parts::things(grid, inked) {
        doubts.push(Doubt::Several { things });
    }
    doubts
}

/// What may be a sheet of paper.
struct Page {
    bounds: Bounds,
    /// All but the sheet and its edge.
    outside: Vec<bool>,
}

/// The largest part of a filled figure, if it has four corners and is not thin: at least 85 % of the smallest rectangle
/// around it, aslant or not, which a round figure (78 %) and a digit are not.
fn page(grid: Grid, filled: &[bool]) -> Option<Page> {
    let marked = parts::largest(grid, filled)?;
    let bounds = grid.bounds(&marked)?;
    let pixels = count(&marked);
    if pixels * 50 < grid.len() || bounds.width().min(bounds.height()) < 2 * LEAST {
        return None;
    }
    let edge: Vec<(f32, f32)> = (0..grid.len())
        .filter(|&i| marked[i] && grid.beside(i).filter(|&j| marked[j]).count() < 4)
        .map(|i| ((i % grid.width) as f32, (i / grid.width) as f32))
        .collect();
    let around = |degrees: usize| {
        let angle = (degrees as f32).to_radians();
        let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
        let extent = |along: &dyn Fn(&(f32, f32)) -> f32| {
            let (least, most) = edge.iter().map(along).fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(x), b.max(x)));
            most - least + 1.0
        };
        (extent(&|(x, y)| x * cos + y * sin), extent(&|(x, y)| y * cos - x * sin))
    };
    let (a, b) = (0..90).step_by(3).map(around).min_by(|(a, b), (c, d)| (a * b).total_cmp(&(c * d)))?;
    if (pixels as f32) < 0.85 * a * b || a.max(b) > 3.0 * a.min(b) {
        return None;
    }
    let rest: Vec<bool> = marked.iter().map(|marked| !marked).collect();
    Some(Page { bounds, outside: grid.spread(&rest, 1 + grid.longest() / 100) })
}

/// The least side of a page.
const LEAST: usize = 8;

/// The most that faint ink makes of a difference in shade.
const FAINT: u8 = 32;
/// A shade so dark that it may be black in any light.
const DARK: u32 = 32;

/// The mean shade of what is marked.
fn mean(gray: &[u8], marked: &[bool]) -> u32 {
    let shades = gray.iter().zip(marked).filter(|(_, marked)| **marked).map(|(gray, _)| u64::from(*gray));
    (shades.sum::<u64>() / count(marked).max(1) as u64) as u32
}

/// The median shade of what is marked.
fn median(gray: &[u8], marked: &[bool]) -> u8 {
    let mut shades: Vec<u8> = gray.iter().zip(marked).filter(|(_, marked)| **marked).map(|(gray, _)| *gray).collect();
    shades.sort_unstable();
    shades.get(shades.len() / 2).copied().unwrap_or(0)
}

fn count(marked: &[bool]) -> usize {
    marked.iter().filter(|marked| **marked).count()
}

/// How wide the soft edges of strokes may be.
fn reach(grid: Grid) -> usize {
    2 + grid.longest() / 100
}
