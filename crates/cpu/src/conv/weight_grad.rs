//! The gradient of a convolution by its filters.

use compiler::BufferId;

use super::{Canvas, Shares};
use crate::{
    job::{Job, Worker},
    kernel::{LANES, Places, ROWS, Terms, Tile, chunk},
    memory::Memory,
    product::TRANSPOSED,
    stage::sum,
};

/// Taps whose sums a thread adds up at a time.
const TAPS: usize = 64;

/// Gradient by the weights: each part of the batch by itself, as `[taps, filters]`, with the sums of the gradient.
pub(super) struct WeightGrad {
    pub(super) canvas: Canvas,
    /// What each tap sees first, and how far from it the rest.
    pub(super) taps: Vec<usize>,
    pub(super) positions: Places,
    /// Filters, height and width of the gradient.
    pub(super) g: [usize; 3],
    pub(super) shares: Shares,
    pub(super) operands: [BufferId; 2],
    pub(super) partial: BufferId,
    pub(super) sums: BufferId,
}

/// Adds up what the parts of a batch gave.
pub(super) struct AddParts {
    pub(super) taps: usize,
    pub(super) filters: usize,
    pub(super) parts: usize,
    pub(super) partial: BufferId,
    pub(super) sums: BufferId,
    pub(super) to: BufferId,
    pub(super) sums_to: Option<BufferId>,
}

/// Filters as lanes.
pub(super) fn padded(filters: usize) -> usize {
    filters.max(1).next_multiple_of(LANES / 2)
}

impl Job for WeightGrad {
    fn tasks(&self) -> usize {
        self.shares.tasks()
    }

    fn is_shared(&self) -> bool {
        self.shares.is_shared()
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let [filters, height, width] = self.g;
        let [x, g] = self.operands;
        let (part, images, own) = self.shares.of(task, self.taps.len());
        let (taps, lanes) = (own.len(), padded(filters));
        let positions = height * width;
        let room = Worker::room(&mut worker.room, self.canvas.room() + positions * lanes);
        room.fill(0.0);
        let (canvas, gradient) = room.split_at_mut(self.canvas.room());
        let first = part * self.taps.len();
        let partial = memory.words_mut(self.partial, (first + own.start) * lanes..(first + own.end) * lanes);
        // One task of a part adds up the gradient.
        let own_sums = if own.start == 0 { part * filters..(part + 1) * filters } else { 0..0 };
        let sums = memory.words_mut(self.sums, own_sums);
        partial.fill(0.0);
        sums.fill(0.0);
        let (size, area) = (self.canvas.planes * self.canvas.height * self.canvas.width, height * width);
        for image in images {
            self.canvas.fill(memory.words(x, image * size..(image + 1) * size), canvas);
            let g = memory.words(g, image * filters * area..(image + 1) * filters * area);
            sums.iter_mut().zip(g.chunks_exact(area.max(1))).for_each(|(total, g)| *total += sum(g));
            // A few positions at a time, which stay in the first cache.
            for (block, places) in gradient.chunks_mut(TRANSPOSED * lanes).enumerate() {
                for filter in 0..filters {
                    let g = &g[filter * area + block * TRANSPOSED..];
                    g.iter().zip(places.chunks_exact_mut(lanes)).for_each(|(g, place)| place[filter] = *g);
                }
            }
            let mut tile = [0.0; ROWS * LANES];
            for first in (0..filters).step_by(LANES) {
                // With a place looked up for each term, twelve rows by two vectors do not fit into registers.
                let most = if filters - first > LANES / 2 { ROWS - 2 } else { ROWS };
                for start in (0..taps).step_by(chunk(taps, most)) {
                    let rows = start..taps.min(start + chunk(taps, most));
                    let wide = LANES.min(lanes - first);
                    Tile {
                        terms: positions,
                        a: canvas,
                        rows: &self.taps[own.start + rows.start..own.start + rows.end],
                        deep: self.positions.terms(),
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
        self.taps.div_ceil(TAPS).max(1) // the first one has the sums too
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
