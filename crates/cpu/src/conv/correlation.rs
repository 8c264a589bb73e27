//! Images and filters: a convolution, or its gradient by the image.

use compiler::BufferId;

use super::{Canvas, Shares};
use crate::{
    code::Code,
    job::{Job, Worker},
    kernel::{LANES, Places, ROWS, Terms, Tile, chunk},
    memory::Memory,
};

/// A correlation of canvas and weights: [`graph::Op::Conv2d`], or its gradient by the image, where the canvas is that of the
/// output's gradient.
pub(super) struct Correlation {
    pub(super) canvas: Canvas,
    pub(super) places: Places,
    /// Planes, height and width of the result.
    pub(super) out: [usize; 3],
    pub(super) shares: Shares,
    pub(super) from: BufferId,
    pub(super) weights: BufferId,
    /// For the gradient, filters and taps of a filter's channel: weights are sorted by channel first.
    pub(super) sorted: Option<(usize, usize)>,
    pub(super) to: BufferId,
    /// What is made of the result, image by image.
    pub(super) body: Code,
}

impl Job for Correlation {
    fn tasks(&self) -> usize {
        self.shares.tasks()
    }

    fn is_shared(&self) -> bool {
        self.shares.is_shared()
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let [all, height, width] = self.out;
        let (_, images, own) = self.shares.of(task, all);
        let planes = own.len();
        let terms = self.places.list().len();
        let positions = self.canvas.positions(height, width);
        let pitch = positions.next_multiple_of(LANES);
        let sorted = if self.sorted.is_some() { planes * terms } else { 0 };
        let room = Worker::room(&mut worker.room, self.canvas.room() + planes * pitch + sorted);
        let (canvas, room) = room.split_at_mut(self.canvas.room());
        let (sums, room) = room.split_at_mut(planes * pitch);
        let mut weights = memory.words(self.weights, 0..all * terms);
        if let Some((filters, taps)) = self.sorted {
            for (channel, room) in own.clone().zip(room.chunks_mut((filters * taps).max(1))) {
                for (filter, room) in room.chunks_mut(taps).enumerate() {
                    room.copy_from_slice(&weights[(filter * all + channel) * taps..][..taps]);
                }
            }
            weights = room;
        } else {
            weights = &weights[own.start * terms..];
        }
        canvas.fill(0.0);
        let size = self.canvas.planes * self.canvas.height * self.canvas.width;
        for image in images {
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
                        lanes: self.places.terms(),
                        width: LANES.min(positions - first),
                        sums: &mut sums[start * pitch + first..],
                        pitch,
                    }
                    .compute();
                }
            }
            let first = (image * all + own.start) * height * width;
            let range = first..first + planes * height * width;
            let out = memory.words_mut(self.to, range.clone());
            for (out, sums) in out.chunks_mut((height * width).max(1)).zip(sums.chunks(pitch.max(1))) {
                for (line, out) in out.chunks_mut(width).enumerate() {
                    out.copy_from_slice(&sums[line * self.canvas.pitch..][..width]);
                }
            }
            if !self.body.only_keeps(self.to) {
                self.body.run_range(memory, &mut worker.registers, range, self.to);
            }
        }
    }
}
