//! Sides of products, and lanes packed as panels.

use compiler::BufferId;

use crate::{
    job::{Job, Worker},
    kernel::LANES,
    memory::Memory,
};

/// Elements from which on threads share the packing.
const ELEMENTS: usize = 8 * 1024;
/// Terms that are transposed into lanes at a time.
pub(crate) const TRANSPOSED: usize = 32;

/// A side of a product: where element `p` of the sum for row or column `i` is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    pub(super) buffer: BufferId,
    /// Where the first term of the first one is.
    pub(super) first: usize,
    pub(super) count: usize,
    /// Elements from one row or column to the next.
    pub(super) along: usize,
    /// Elements from one term of the sum to the next.
    pub(super) deep: usize,
}

/// Packs the lanes of a product for all of its tasks.
pub(super) struct Pack {
    pub(super) lanes: Side,
    pub(super) terms: usize,
    pub(super) to: BufferId,
}

/// A panel `[terms][LANES]`, padded with zeros.
pub(super) fn pack(lanes: &Side, memory: &Memory, first: usize, to: &mut [f32]) {
    let from = &memory.words(lanes.buffer, 0..memory.count(lanes.buffer))[lanes.first..];
    let width = LANES.min(lanes.count - first);
    if width < LANES {
        to.fill(0.0);
    }
    if lanes.along == 1 {
        for (p, to) in to.chunks_mut(LANES).enumerate() {
            to[..width].copy_from_slice(&from[p * lanes.deep + first..][..width]);
        }
    } else {
        // A few lines of the panel at a time, which stay in the first cache.
        for (block, to) in to.chunks_mut(TRANSPOSED * LANES).enumerate() {
            for j in 0..width {
                let place = (first + j) * lanes.along + block * TRANSPOSED * lanes.deep;
                let from = from[place..].iter().step_by(lanes.deep);
                to.chunks_exact_mut(LANES).zip(from).for_each(|(to, from)| to[j] = *from);
            }
        }
    }
}

impl Job for Pack {
    fn tasks(&self) -> usize {
        self.lanes.count.div_ceil(LANES)
    }

    fn is_shared(&self) -> bool {
        self.lanes.count * self.terms > ELEMENTS
    }

    fn run(&self, task: usize, memory: &Memory, _: &mut Worker) {
        let panel = LANES * self.terms;
        let to = memory.words_mut(self.to, task * panel..(task + 1) * panel);
        pack(&self.lanes, memory, task * LANES, to);
    }
}
