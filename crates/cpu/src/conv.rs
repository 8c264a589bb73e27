//! Convolutions, an image at a time, without writing out what each tap sees: on a padded image that is the image itself,
//! at an offset. Sums at the few positions between the end of a line and the beginning of the next are computed and
//! thrown away.

mod canvas;
mod correlation;
mod weight_grad;

use std::ops::Range;

use compiler::{BufferId, Contraction, ContractionKind};
use graph::Shape;

use self::{
    canvas::Canvas,
    correlation::Correlation,
    weight_grad::{AddParts, WeightGrad, padded},
};
use crate::{code::Code, job::Job, kernel::Places, product::Finish};

/// Parts into which a batch is cut: enough for the cores of a desktop. Each has sums of its own for the weights.
const PARTS: usize = 16;
/// Parts from which on nothing more is divided.
const ENOUGH: usize = 8;
/// FLOP of a task: some 10 µs.
const TASK: usize = 1_000_000;
/// Fewest planes or taps of a task, so that a tile has rows.
const ROWS: usize = 4;

/// How a convolution is divided: into parts of the batch and, where those are few, the planes or taps of each.
#[derive(Clone, Copy)]
struct Shares {
    images: usize,
    /// Of a part.
    part: usize,
    /// Of what is to be done for each image.
    shares: usize,
    flop: usize,
}

impl Shares {
    /// `count` planes or taps, each of which costs `flop` for an image.
    fn new(images: usize, count: usize, flop: usize) -> Self {
        let part = images.div_ceil(PARTS).max(1);
        let flop = count * flop;
        let most = if images >= ENOUGH { 1 } else { (count / ROWS).max(1) };
        Shares { images, part, shares: flop.div_ceil(TASK).clamp(1, most), flop: images * flop }
    }

    fn parts(&self) -> usize {
        self.images.div_ceil(self.part)
    }

    fn tasks(&self) -> usize {
        self.parts() * self.shares
    }

    fn is_shared(&self) -> bool {
        self.flop > TASK / 2
    }

    /// The part of a task, its images, and which of `count` planes or taps are its own.
    fn of(&self, task: usize, count: usize) -> (usize, Range<usize>, Range<usize>) {
        let (part, share) = (task / self.shares, task % self.shares);
        let images = part * self.part..self.images.min((part + 1) * self.part);
        (part, images, count * share / self.shares..count * (share + 1) / self.shares)
    }
}

fn axes(shape: &Shape) -> [usize; 4] {
    shape.0[..].try_into().expect("images and filters have four axes")
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
            let shares = Shares::new(images, o, 2 * places.list().len() * h * w);
            let (from, weights) = (a.buffer, b.buffer);
            vec![Box::new(Correlation {
                canvas,
                places,
                out: [o, h, w],
                shares,
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
            let shares = Shares::new(images, c, 2 * places.list().len() * h * w);
            let (from, weights, sorted) = (a.buffer, b.buffer, Some((o, kh * kw)));
            vec![Box::new(Correlation {
                canvas,
                places,
                out: [c, h, w],
                shares,
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
            let shares = Shares::new(images, places.len(), 2 * filters * h * w);
            let (taps, parts) = (places.len(), shares.parts());
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
                    shares,
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
