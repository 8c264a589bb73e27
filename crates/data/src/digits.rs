//! Digits as people write them, drawn by a program: data to learn from without any file.
//!
//! A digit is a path of the pen, from a table of the ways that people write it, which is bent, slanted, turned and stretched at random, drawn with a
//! round pen of random width, and put into a frame as MNIST does it: fitted to 20×20, centred by mass in 28×28.
//! A small convolutional network that has seen 20 000 of them and nothing else reads 95 % of MNIST's test set.

mod templates;

use crate::Images;
use crate::frame::{BOX, SIDE, centre};
use crate::random::{Purpose, below, rng, uniform};
use rand_chacha::ChaCha8Rng;
use templates::{TEMPLATES, Template};

/// Lines between two points of a path.
const STEPS: usize = 6;

/// Seeds of the images to learn from and of those for the test: built-in digits are one data set, whatever a run's seed.
const SET: [u64; 2] = [1, 2];

/// The built-in data set: `training` images, followed by a sixth as many for the test. See [`generate`].
pub fn set(training: u32) -> Images {
    let mut images = generate(training, SET[0]);
    images.append(generate(tested(training), SET[1])).expect("all are 28×28");
    images
}

/// Images for the test in a set with `training` others.
pub fn tested(training: u32) -> u32 {
    training.div_ceil(6)
}

/// `n` images of 28×28 (n × 784 bytes), a tenth of them of each digit: image `i` shows the digit `i` mod 10.
///
/// Image `i` depends on the seed and `i` only, so fewer images are the first of more. Panics where so many do not fit
/// into memory: whoever takes `n` from outside bounds it first.
pub fn generate(n: u32, seed: u64) -> Images {
    let mut images = Images {
        height: SIDE,
        width: SIDE,
        pixels: Vec::with_capacity(n as usize * SIDE * SIDE),
        labels: (0..n).map(|i| (i % 10) as u8).collect(),
    };
    for i in 0..n {
        let mut rng = rng(seed, Purpose::Digits, i.into());
        images.pixels.extend_from_slice(&digit(&mut rng, TEMPLATES[i as usize % 10]));
    }
    images
}

/// A point or a vector: right, down.
type Point = [f32; 2];

fn digit(rng: &mut ChaCha8Rng, ways: &[Template]) -> [u8; SIDE * SIDE] {
    let mess = uniform(rng, 0.3, 1.6);
    let way = choose(rng, ways);
    let mut strokes = path(rng, way, mess);
    deform(rng, &mut strokes, mess);
    let pen = uniform(rng, 0.8, 2.2);
    fit(&mut strokes, pen);
    centre(&draw(&strokes, pen), BOX)
}

fn choose<'a>(rng: &mut ChaCha8Rng, ways: &'a [Template]) -> &'a Template {
    let mut ticket = below(rng, ways.iter().map(|way| way.weight).sum());
    let drawn = |way: &&Template| {
        let drawn = ticket < way.weight;
        ticket = ticket.wrapping_sub(way.weight);
        drawn
    };
    ways.iter().find(drawn).expect("the ticket is less than the sum of the weights")
}

/// The strokes as lines through the points of a template, each moved a little: a Catmull-Rom curve, Catmull and Rom,
/// "A Class of Local Interpolating Splines", 1974. One percent of the template is 0.01.
fn path(rng: &mut ChaCha8Rng, template: &Template, mess: f32) -> Vec<Vec<Point>> {
    let stroke = |points: &&[[i8; 2]]| {
        let mut moved: Vec<Point> = Vec::new();
        for (i, point) in points.iter().enumerate() {
            moved.push(match i.checked_sub(1) {
                Some(last) if points[last] == *point => moved[last], // both points of a corner move together
                _ => point.map(|x| f32::from(x) / 100.0 + bell(rng, 0.045 * mess)),
            });
        }
        spline(&moved)
    };
    template.strokes.iter().map(stroke).collect()
}

fn spline(points: &[Point]) -> Vec<Point> {
    let at = |i: usize| points[i.clamp(1, points.len()) - 1]; // the ends count twice
    let mut curve = vec![points[0]];
    for i in 1..points.len() {
        let (a, b, c, d) = (at(i - 1), at(i), at(i + 1), at(i + 2));
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            curve.push([0, 1].map(|k| {
                let (slope_b, slope_c) = ((c[k] - a[k]) / 2.0, (d[k] - b[k]) / 2.0);
                let u = 1.0 - t;
                b[k] * u * u * (1.0 + 2.0 * t) + slope_b * t * u * u + c[k] * t * t * (1.0 + 2.0 * u)
                    - slope_c * t * t * u
            }));
        }
    }
    curve
}

/// Bends the plane with slow waves, then stretches, slants and turns it.
fn deform(rng: &mut ChaCha8Rng, strokes: &mut [Vec<Point>], mess: f32) {
    let waves: [[f32; 4]; 4] = [0; 4].map(|_| {
        let height = bell(rng, 0.045 * mess);
        [height, uniform(rng, -5.0, 5.0), uniform(rng, -5.0, 5.0), uniform(rng, 0.0, 6.3)]
    });
    let wave =
        |[height, right, down, phase]: [f32; 4], [x, y]: Point| height * libm::sinf(right * x + down * y + phase);
    let width = uniform(rng, 0.55, 1.2);
    let slant = uniform(rng, -0.2, 0.6);
    let turn = bell(rng, 0.12);
    let (sin, cos) = (libm::sinf(turn), libm::cosf(turn));
    for point in strokes.iter_mut().flatten() {
        let x = point[0] + wave(waves[0], *point) + wave(waves[1], *point);
        let y = point[1] + wave(waves[2], *point) + wave(waves[3], *point);
        let x = x * width - slant * y;
        *point = [cos * x - sin * y, sin * x + cos * y];
    }
}

/// Scales the path so that the drawing touches two opposite sides of the box of 20×20 pixels, in its middle.
fn fit(strokes: &mut [Vec<Point>], pen: f32) {
    let points = || strokes.iter().flatten();
    let low = [0, 1].map(|k| points().map(|p| p[k]).fold(f32::INFINITY, f32::min));
    let high = [0, 1].map(|k| points().map(|p| p[k]).fold(f32::NEG_INFINITY, f32::max));
    let size = (high[0] - low[0]).max(high[1] - low[1]);
    let scale = (BOX as f32 - 2.0 * pen) / size;
    for point in strokes.iter_mut().flatten() {
        *point = [0, 1].map(|k| (point[k] - (low[k] + high[k]) / 2.0) * scale + BOX as f32 / 2.0);
    }
}

/// Draws lines with a round pen of radius `pen` in pixels: a pixel has as much ink as its centre is deep in the line.
fn draw(strokes: &[Vec<Point>], pen: f32) -> [u8; BOX * BOX] {
    const SOFT: f32 = 0.5; // half the width of the blur between ink and paper, in pixels
    let mut depth = [-SOFT; BOX * BOX];
    for line in strokes.iter().flat_map(|stroke| stroke.windows(2)) {
        let [from, to] = [line[0], line[1]];
        let along = [to[0] - from[0], to[1] - from[1]];
        let square = along[0] * along[0] + along[1] * along[1];
        let reach = |k: usize| {
            let low = from[k].min(to[k]) - pen - SOFT;
            let high = from[k].max(to[k]) + pen + SOFT;
            low.clamp(0.0, BOX as f32) as usize..high.clamp(0.0, BOX as f32) as usize
        };
        for y in reach(1) {
            for x in reach(0) {
                let [dx, dy] = [x as f32 + 0.5 - from[0], y as f32 + 0.5 - from[1]];
                let t = ((dx * along[0] + dy * along[1]) / square.max(1e-9)).clamp(0.0, 1.0);
                let [dx, dy] = [dx - t * along[0], dy - t * along[1]];
                let deep = pen - (dx * dx + dy * dy).sqrt(); // exact on every platform
                depth[y * BOX + x] = depth[y * BOX + x].max(deep);
            }
        }
    }
    depth.map(|deep| (255.0 * ((deep + SOFT) / (2.0 * SOFT)).min(1.0)) as u8)
}

/// A random number around 0 with this standard deviation, bell-shaped, at most three times that.
fn bell(rng: &mut ChaCha8Rng, deviation: f32) -> f32 {
    deviation * (uniform(rng, -1.0, 1.0) + uniform(rng, -1.0, 1.0) + uniform(rng, -1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use sha2::{Digest, Sha256};

    #[test]
    fn a_thousand_digits_are_pinned() {
        let hash = Sha256::digest(generate(1000, 1).pixels);
        expect!["6dfb82cfe3705c211d1c669c885f093211572c9edd72a1278290dd244b5d1e91"].assert_eq(&format!("{hash:x}"));
    }

    #[test]
    fn digits_are_balanced_and_fewer_are_the_first_of_more() {
        let more = generate(100, 7);
        let fewer = generate(25, 7);
        assert_eq!((more.len(), more.height, more.width), (100, 28, 28));
        assert_eq!(fewer.pixels, more.pixels[..25 * 784]);
        assert!((0..10).all(|digit| more.labels.iter().filter(|&&label| label == digit).count() == 10));
        assert_ne!(fewer, generate(25, 8));
        assert!(generate(0, 1).is_empty());
    }

    #[test]
    fn digits_look_as_those_of_mnist() {
        let images = generate(2000, 3);
        let ink: Vec<u8> = images.pixels.iter().copied().filter(|&ink| ink > 0).collect();
        let share = ink.len() as f32 / images.pixels.len() as f32;
        let full = ink.iter().filter(|&&ink| ink >= 250).count() as f32 / ink.len() as f32;
        expect!["inked 0.203, of that full 0.531"].assert_eq(&format!("inked {share:.3}, of that full {full:.3}"));
    }
}
