//! Convolutions, an image at a time, without writing out what each tap sees: on a padded image that is the image itself,
//! at an offset. Sums at the few positions between the end of a line and the beginning of the next are computed and
//! thrown away.

use std::ops::Range;

use compiler::{BufferId, Contraction, ContractionKind};
use graph::{Conv, Shape};

use crate::{
    code::Code,
    job::{Job, Worker},
    kernel::{LANES, Places, ROWS, Terms, Tile, chunk},
    memory::Memory,
    product::{Finish, TURN},
    stage::sum,
};

/// Parts into which a batch is cut: enough for the cores of a desktop. Each has sums of its own for the weights.
const PARTS: usize = 16;
/// Taps whose sums a thread adds up at a time.
const TAPS: usize = 64;

/// Planes with room around and between their elements, laid out so that what a tap sees at all positions is one range.
struct Canvas {
    planes: usize,
    /// Of a plane, before.
    height: usize,
    width: usize,
    /// Elements of a plane, and of one of its lines.
    plane: usize,
    pitch: usize,
    /// Where each line of a plane goes, and where in it each column; `None` if nothing looks there.
    lines: Vec<Option<usize>>,
    columns: Vec<Option<usize>>,
    /// Columns that lie side by side there too.
    side_by_side: Option<Range<usize>>,
}

/// A correlation of canvas and weights: [`graph::Op::Conv2d`], or its gradient by the image, where the canvas is that of the
/// output's gradient.
pub(crate) struct Correlation {
    canvas: Canvas,
    places: Places,
    /// Planes, height and width of the result.
    out: [usize; 3],
    images: usize,
    from: BufferId,
    weights: BufferId,
    /// For the gradient, filters and taps of a filter's channel: weights are sorted by channel first.
    sorted: Option<(usize, usize)>,
    to: BufferId,
    /// What is made of the result, image by image.
    body: Code,
}

/// Gradient by the weights: each part of the batch by itself, as `[taps, filters]`, with the sums of the gradient.
pub(crate) struct WeightGrad {
    canvas: Canvas,
    /// What each tap sees first, and how far from it the rest.
    taps: Vec<usize>,
    positions: Places,
    /// Filters, height and width of the gradient.
    g: [usize; 3],
    images: usize,
    operands: [BufferId; 2],
    partial: BufferId,
    sums: BufferId,
}

/// Adds up what the parts of a batch gave.
pub(crate) struct AddParts {
    taps: usize,
    filters: usize,
    parts: usize,
    partial: BufferId,
    sums: BufferId,
    to: BufferId,
    sums_to: Option<BufferId>,
}

fn axes(shape: &Shape) -> [usize; 4] {
    shape.0[..].try_into().expect("images and filters have four axes")
}

/// How many images a part has.
fn part(images: usize) -> usize {
    images.div_ceil(PARTS).max(1)
}

impl Canvas {
    /// For taps that step over the image by `conv`: lines and columns with one remainder by the stride lie together.
    fn of_image(conv: &Conv, x: [usize; 4], kernel: [usize; 2], y: [usize; 2]) -> (Self, Vec<usize>) {
        let [_, planes, height, width] = x;
        let s = conv.stride;
        let seen = |i: usize| (y[i].max(1) - 1) * s + kernel[i];
        // Zeros at the end of a line are those at the beginning of the next.
        let behind = seen(1).saturating_sub(conv.padding + width);
        let common = if s == 1 { conv.padding.min(behind) } else { 0 };
        let (rows, pitch) = (seen(0).div_ceil(s), seen(1).div_ceil(s) - common);
        let line = |y: usize| {
            (y + conv.padding < seen(0)).then(|| ((y + conv.padding) % s * s * rows + (y + conv.padding) / s) * pitch)
        };
        let column = |x: usize| {
            (x + conv.padding < seen(1)).then(|| (x + conv.padding) % s * rows * pitch + (x + conv.padding) / s)
        };
        let plane = s * s * rows * pitch + common;
        let tap =
            |(c, ky, kx): (usize, usize, usize)| c * plane + ((ky % s * s + kx % s) * rows + ky / s) * pitch + kx / s;
        let canvas = Canvas {
            planes,
            height,
            width,
            plane,
            pitch,
            lines: (0..height).map(line).collect(),
            columns: (0..width).map(column).collect(),
            side_by_side: (s == 1).then(|| 0..width.min(seen(1).saturating_sub(conv.padding))),
        };
        (canvas, taps(planes, kernel).map(tap).collect())
    }

    /// For taps that step back from the image to the output: its gradient, `stride` apart.
    fn of_gradient(conv: &Conv, g: [usize; 4], kernel: [usize; 2], x: [usize; 2]) -> (Self, Vec<usize>) {
        let [_, planes, height, width] = g;
        let (rows, seen) = (x[0] + kernel[0] - 1, x[1] + kernel[1] - 1);
        let place = |i: usize, kernel: usize, size: usize| {
            (i * conv.stride + kernel - 1).checked_sub(conv.padding).filter(|place| *place < size)
        };
        let columns: Vec<Option<usize>> = (0..width).map(|x| place(x, kernel[1], seen)).collect();
        let first = columns.iter().position(Option::is_some).unwrap_or(0);
        let inside = first..first + columns.iter().flatten().count();
        // Zeros at the end of a line are those at the beginning of the next.
        let before = columns.iter().flatten().min().copied().unwrap_or(0);
        let behind = columns.iter().flatten().max().map_or(0, |last| seen - 1 - last);
        let common = before.min(behind);
        let pitch = seen - common;
        let tap = |(o, ky, kx): (usize, usize, usize)| {
            o * (rows * pitch + common) + (kernel[0] - 1 - ky) * pitch + kernel[1] - 1 - kx
        };
        let canvas = Canvas {
            planes,
            height,
            width,
            plane: rows * pitch + common,
            pitch,
            lines: (0..height).map(|y| place(y, kernel[0], rows).map(|row| row * pitch)).collect(),
            columns,
            side_by_side: (conv.stride == 1).then_some(inside),
        };
        (canvas, taps(planes, kernel).map(tap).collect())
    }

    /// Elements, with those that a vector may read behind the last.
    fn room(&self) -> usize {
        self.planes * self.plane + LANES
    }

    /// Puts an image on a canvas, whose other elements stay zero.
    fn fill(&self, image: &[f32], canvas: &mut [f32]) {
        for (image, canvas) in image.chunks_exact(self.height * self.width).zip(canvas.chunks_mut(self.plane)) {
            for (from, line) in image.chunks_exact(self.width).zip(&self.lines) {
                let Some(line) = *line else { continue };
                match &self.side_by_side {
                    Some(part) if part.is_empty() => {}
                    Some(part) => {
                        let first = line + self.columns[part.start].expect("it is seen");
                        canvas[first..first + part.len()].copy_from_slice(&from[part.clone()]);
                    }
                    None => {
                        let seen = from.iter().zip(&self.columns);
                        seen.for_each(|(v, column)| {
                            if let Some(column) = column {
                                canvas[line + column] = *v;
                            }
                        });
                    }
                }
            }
        }
    }

    /// Positions from the first to the last element of an output of this size.
    fn positions(&self, height: usize, width: usize) -> usize {
        if height * width == 0 { 0 } else { (height - 1) * self.pitch + width }
    }
}

fn taps(planes: usize, kernel: [usize; 2]) -> impl Iterator<Item = (usize, usize, usize)> {
    let [kh, kw] = kernel;
    (0..planes * kh * kw).map(move |tap| (tap / (kh * kw), tap / kw % kh, tap % kw))
}

/// The jobs of a convolution.
pub(crate) fn jobs(
    step: &Contraction,
    body: Code,
    result: BufferId,
    mut reserve: impl FnMut(usize) -> BufferId,
) -> Vec<Box<dyn Job>> {
    let [a, b] = &step.operands;
    let space = axes(&step.body.space);
    match &step.kind {
        ContractionKind::MatMul { .. } => unreachable!("a product is no convolution"),
        ContractionKind::Conv2d(conv) => {
            let [_, _, kh, kw] = axes(&b.shape);
            let [images, o, h, w] = space;
            let (canvas, places) = Canvas::of_image(conv, axes(&a.shape), [kh, kw], [h, w]);
            let places = Places::new(places);
            let (from, weights) = (a.buffer, b.buffer);
            vec![Box::new(Correlation {
                canvas,
                places,
                out: [o, h, w],
                images,
                from,
                weights,
                sorted: None,
                to: result,
                body,
            })]
        }
        ContractionKind::Conv2dInputGrad(conv) => {
            let [o, _, kh, kw] = axes(&b.shape);
            let [images, c, h, w] = space;
            let (canvas, places) = Canvas::of_gradient(conv, axes(&a.shape), [kh, kw], [h, w]);
            let places = Places::new(places);
            let (from, weights, sorted) = (a.buffer, b.buffer, Some((o, kh * kw)));
            vec![Box::new(Correlation {
                canvas,
                places,
                out: [c, h, w],
                images,
                from,
                weights,
                sorted,
                to: result,
                body,
            })]
        }
        ContractionKind::Conv2dWeightGrad(conv) => {
            let [images, filters, h, w] = axes(&b.shape);
            let [_, _, kh, kw] = space;
            let (canvas, places) = Canvas::of_image(conv, axes(&a.shape), [kh, kw], [h, w]);
            let (taps, parts) = (places.len(), images.div_ceil(part(images)));
            let (partial, sums) = (reserve(parts * taps * padded(filters)), reserve(parts * filters));
            let positions = (0..h * w).map(|i| i / w * canvas.pitch + i % w).collect();
            let g = [filters, h, w];
            let operands = [a.buffer, b.buffer];
            let mut jobs: Vec<Box<dyn Job>> = vec![
                Box::new(WeightGrad {
                    canvas,
                    taps: places,
                    positions: Places::new(positions),
                    g,
                    images,
                    operands,
                    partial,
                    sums,
                }),
                Box::new(AddParts { taps, filters, parts, partial, sums, to: result, sums_to: step.row_sums }),
            ];
            jobs.extend(Finish::job(body, result, step.body.space.count()));
            jobs
        }
    }
}

/// Filters as lanes.
fn padded(filters: usize) -> usize {
    filters.next_multiple_of(LANES / 2)
}

impl Job for Correlation {
    fn tasks(&self) -> usize {
        self.images.div_ceil(part(self.images))
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let [planes, height, width] = self.out;
        let terms = self.places.list().len();
        let positions = self.canvas.positions(height, width);
        let pitch = positions.next_multiple_of(LANES);
        let sorted = if self.sorted.is_some() { planes * terms } else { 0 };
        let room = Worker::room(&mut worker.room, self.canvas.room() + planes * pitch + sorted);
        let (canvas, room) = room.split_at_mut(self.canvas.room());
        let (sums, room) = room.split_at_mut(planes * pitch);
        let mut weights = memory.words(self.weights, 0..planes * terms);
        if let Some((filters, taps)) = self.sorted {
            for (channel, room) in room.chunks_mut(filters * taps).enumerate() {
                for (filter, room) in room.chunks_mut(taps).enumerate() {
                    room.copy_from_slice(&weights[(filter * planes + channel) * taps..][..taps]);
                }
            }
            weights = room;
        }
        canvas.fill(0.0);
        let size = self.canvas.planes * self.canvas.height * self.canvas.width;
        let images = part(self.images);
        for image in task * images..self.images.min((task + 1) * images) {
            self.canvas.fill(memory.words(self.from, image * size..(image + 1) * size), canvas);
            for first in (0..positions).step_by(LANES) {
                for start in (0..planes).step_by(chunk(planes, ROWS)) {
                    let rows = start..planes.min(start + chunk(planes, ROWS));
                    let places: [usize; ROWS] = std::array::from_fn(|i| (start + i) * terms);
                    Tile {
                        terms,
                        a: weights,
                        rows: &places[..rows.len()],
                        deep: Terms::Step(1),
                        b: &canvas[first..],
                        lanes: Terms::At(&self.places),
                        width: LANES.min(positions - first),
                        sums: &mut sums[start * pitch + first..],
                        pitch,
                    }
                    .compute();
                }
            }
            let size = planes * height * width;
            let range = image * size..(image + 1) * size;
            let out = memory.words_mut(self.to, range.clone());
            for (out, sums) in out.chunks_mut((height * width).max(1)).zip(sums.chunks(pitch)) {
                for (out, sums) in out.chunks_mut(width).zip(sums.chunks(self.canvas.pitch)) {
                    out.copy_from_slice(&sums[..width]);
                }
            }
            if !self.body.is_identity() {
                self.body.run_range(memory, &mut worker.registers, range, self.to);
            }
        }
    }
}

impl Job for WeightGrad {
    fn tasks(&self) -> usize {
        self.images.div_ceil(part(self.images))
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let [filters, height, width] = self.g;
        let [x, g] = self.operands;
        let (taps, lanes) = (self.taps.len(), padded(filters));
        let positions = height * width;
        let room = Worker::room(&mut worker.room, self.canvas.room() + positions * lanes);
        room.fill(0.0);
        let (canvas, gradient) = room.split_at_mut(self.canvas.room());
        let partial = memory.words_mut(self.partial, task * taps * lanes..(task + 1) * taps * lanes);
        let sums = memory.words_mut(self.sums, task * filters..(task + 1) * filters);
        partial.fill(0.0);
        sums.fill(0.0);
        let (size, area) = (self.canvas.planes * self.canvas.height * self.canvas.width, height * width);
        let images = part(self.images);
        for image in task * images..self.images.min((task + 1) * images) {
            self.canvas.fill(memory.words(x, image * size..(image + 1) * size), canvas);
            let g = memory.words(g, image * filters * area..(image + 1) * filters * area);
            for (filter, g) in g.chunks_exact(area.max(1)).enumerate() {
                sums[filter] += sum(g);
            }
            // A few positions at a time, which stay in the first cache.
            for (block, places) in gradient.chunks_mut(TURN * lanes).enumerate() {
                for filter in 0..filters {
                    let g = &g[filter * area + block * TURN..];
                    g.iter().zip(places.chunks_exact_mut(lanes)).for_each(|(g, place)| place[filter] = *g);
                }
            }
            let mut tile = [0.0; ROWS * LANES];
            for first in (0..filters).step_by(LANES) {
                for start in (0..taps).step_by(chunk(taps, ROWS)) {
                    let rows = start..taps.min(start + chunk(taps, ROWS));
                    let wide = LANES.min(lanes - first);
                    Tile {
                        terms: positions,
                        a: canvas,
                        rows: &self.taps[rows.clone()],
                        deep: Terms::At(&self.positions),
                        b: &gradient[first..],
                        lanes: Terms::Step(lanes),
                        width: wide.min(filters - first),
                        sums: &mut tile,
                        pitch: LANES,
                    }
                    .compute();
                    for (row, tile) in rows.zip(tile.chunks(LANES)) {
                        let partial = &mut partial[row * lanes + first..][..wide];
                        partial.iter_mut().zip(tile).for_each(|(partial, sum)| *partial += sum);
                    }
                }
            }
        }
    }
}

impl Job for AddParts {
    fn tasks(&self) -> usize {
        self.taps.div_ceil(TAPS)
    }

    fn is_shared(&self) -> bool {
        self.taps * self.filters * self.parts > 16 * 1024
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let lanes = padded(self.filters);
        let taps = task * TAPS..self.taps.min((task + 1) * TAPS);
        let total = Worker::room(&mut worker.room, taps.len() * lanes);
        total.fill(0.0);
        for part in 0..self.parts {
            let first = (part * self.taps + taps.start) * lanes;
            let part = memory.words(self.partial, first..first + total.len());
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
        for filter in 0..self.filters {
            let place = filter * self.taps;
            let out = memory.words_mut(self.to, place + taps.start..place + taps.end);
            out.iter_mut().zip(total.chunks(lanes)).for_each(|(out, total)| *out = total[filter]);
        }
        if let (0, Some(to)) = (task, self.sums_to) {
            let out = memory.words_mut(to, 0..self.filters);
            out.fill(0.0);
            for part in memory.words(self.sums, 0..self.parts * self.filters).chunks(self.filters.max(1)) {
                out.iter_mut().zip(part).for_each(|(out, part)| *out += part);
            }
        }
    }
}
