//! Matrix products, tile by tile.

use std::ops::Range;

use compiler::{BufferId, Contraction};

use crate::{
    body::{BLOCK, Code, Place, Registers},
    job::{Job, Worker},
    kernel::{LANES, ROWS, Terms, Tile, chunk},
    memory::Memory,
};

/// FLOP of a task: some 10 µs.
const TASK: usize = 1_000_000;
/// Elements that a thread finishes or packs at a time.
const ELEMENTS: usize = 8 * 1024;
/// Terms that are turned into lanes at a time.
pub(crate) const TURN: usize = 32;
/// Columns that a thread sums at a time.
const COLUMNS: usize = 256;

/// A side of a product: where element `p` of the sum for row or column `i` is.
#[derive(Clone, Copy, Debug)]
struct Side {
    buffer: BufferId,
    count: usize,
    /// Elements from one row or column to the next.
    along: usize,
    /// Elements from one term of the sum to the next.
    deep: usize,
}

/// `[m, k] · [k, n]`: one side gives the rows of tiles, as it lies in memory, the other the lanes, as panels.
pub(crate) struct Product {
    terms: usize,
    rows: Side,
    lanes: Side,
    /// Whether rows of tiles are columns of the result.
    turned: bool,
    /// Columns of the result.
    width: usize,
    tasks: Tasks,
    end: End,
}

/// How a product is divided.
enum Tasks {
    /// By rows of tiles; the lanes were packed before, into this buffer.
    Rows(usize, BufferId),
    /// By lanes, which each task packs for itself.
    Lanes(usize),
}

/// Where sums go.
enum End {
    /// Into a buffer, as they are.
    Store(BufferId),
    /// To the body, as soon as some rows are there. What it reads of these elements was asked for while they were made.
    Body(Code, Vec<BufferId>),
}

/// Packs the lanes of a product for all of its tasks.
pub(crate) struct Pack {
    lanes: Side,
    terms: usize,
    to: BufferId,
}

/// Runs a body over a result that is there.
pub(crate) struct Finish {
    body: Code,
    result: BufferId,
    count: usize,
}

/// The sums of the columns of a matrix.
pub(crate) struct ColumnSums {
    from: BufferId,
    shape: [usize; 2],
    to: BufferId,
}

impl Product {
    /// `result` has room for the sums, if the body does not take them at once. `reserve` makes room for this many elements.
    pub(crate) fn jobs(
        step: &Contraction,
        transpose: [bool; 2],
        body: Code,
        result: BufferId,
        mut reserve: impl FnMut(usize) -> BufferId,
    ) -> Vec<Box<dyn Job>> {
        let (m, n) = (step.body.space.0[0], step.body.space.0[1]);
        let [a, b] = &step.operands;
        let terms = a.shape.0[usize::from(!transpose[0])];
        let left = if transpose[0] { (1, m) } else { (terms, 1) };
        let right = if transpose[1] { (terms, 1) } else { (1, n) };
        let side = |buffer, count, (along, deep)| Side { buffer, count, along, deep };
        let (left, right) = (side(a.buffer, m, left), side(b.buffer, n, right));
        // Lanes that lie side by side are packed fast; else the smaller side is packed.
        let turned = transpose[1] && (transpose[0] || m < n);
        let (rows, lanes) = if turned { (right, left) } else { (left, right) };
        let parts = (2 * m * n * terms).div_ceil(TASK).max(1);
        let mut jobs: Vec<Box<dyn Job>> = vec![];
        let tasks = if lanes.count <= rows.count {
            let to = reserve(lanes.count.next_multiple_of(LANES) * terms);
            jobs.push(Box::new(Pack { lanes, terms, to }));
            Tasks::Rows(rows.count.div_ceil(parts).next_multiple_of(ROWS), to)
        } else {
            Tasks::Lanes(lanes.count.div_ceil(parts).next_multiple_of(LANES))
        };
        let (end, finish) = if turned || body.is_identity() {
            (End::Store(result), Finish::job(body, result, m * n))
        } else {
            let reads = body.contiguous_loads();
            (End::Body(body, reads), None)
        };
        jobs.push(Box::new(Product { terms, rows, lanes, turned, width: n, tasks, end }));
        jobs.extend(finish);
        jobs
    }

    /// Some rows by some lanes, whose panels `panel` gives.
    fn block<'a>(
        &self,
        memory: &Memory,
        rows: Range<usize>,
        lanes: Range<usize>,
        panel: impl Fn(usize) -> &'a [f32],
        (registers, room): (&mut Registers, &mut [f32]),
    ) {
        for first in lanes.clone().step_by(LANES) {
            let (mut sums, width) = ([0.0; ROWS * LANES], LANES.min(lanes.end - first));
            self.tile(memory, rows.clone(), panel(first), width, &mut sums);
            match &self.end {
                End::Store(to) if self.turned => {
                    for j in 0..width {
                        let place = (first + j) * self.width + rows.start;
                        let out = memory.words_mut(*to, place..place + rows.len());
                        out.iter_mut().enumerate().for_each(|(i, out)| *out = sums[i * LANES + j]);
                    }
                }
                End::Store(to) => {
                    for (i, sums) in rows.clone().zip(sums.chunks(LANES)) {
                        let place = i * self.width + first;
                        memory.words_mut(*to, place..place + width).copy_from_slice(&sums[..width]);
                    }
                }
                End::Body(_, reads) => {
                    for (i, sums) in sums.chunks(LANES).enumerate().take(rows.len()) {
                        room[i * lanes.len() + first - lanes.start..][..width].copy_from_slice(&sums[..width]);
                        let place = (rows.start + i) * self.width + first;
                        reads.iter().for_each(|buffer| memory.prefetch(*buffer, place..place + width));
                    }
                }
            }
        }
        let End::Body(body, _) = &self.end else { return };
        // Rows that are whole lie one behind the other.
        let run = if lanes.len() == self.width { rows.len() * self.width } else { lanes.len() };
        for (i, room) in room[..rows.len() * lanes.len()].chunks(run).enumerate() {
            let first = (rows.start + i) * self.width + lanes.start;
            for (block, result) in room.chunks(BLOCK).enumerate() {
                let place = Place { start: first + block * BLOCK, len: result.len(), ..Place::default() };
                body.run(memory, registers, place, result);
            }
        }
    }

    fn tile(&self, memory: &Memory, rows: Range<usize>, panel: &[f32], width: usize, sums: &mut [f32; ROWS * LANES]) {
        let places: [usize; ROWS] = std::array::from_fn(|i| (rows.start + i) * self.rows.along);
        let tile = Tile {
            terms: self.terms,
            a: memory.words(self.rows.buffer, 0..memory.count(self.rows.buffer)),
            rows: &places[..rows.len()],
            deep: Terms::Step(self.rows.deep),
            b: panel,
            lanes: Terms::Step(LANES),
            width,
            sums,
        };
        tile.compute();
    }
}

impl Job for Product {
    fn tasks(&self) -> usize {
        match self.tasks {
            Tasks::Rows(part, _) => self.rows.count.div_ceil(part.max(1)),
            Tasks::Lanes(part) => self.lanes.count.div_ceil(part.max(1)),
        }
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let panel = LANES * self.terms;
        let (rows, lanes, packed) = match self.tasks {
            Tasks::Rows(part, packed) => {
                (task * part..self.rows.count.min((task + 1) * part), 0..self.lanes.count, Some(packed))
            }
            Tasks::Lanes(part) => (0..self.rows.count, task * part..self.lanes.count.min((task + 1) * part), None),
        };
        let own = if packed.is_none() { lanes.len().div_ceil(LANES) * panel } else { 0 };
        let Worker { registers, room, .. } = worker;
        let (own, room) = Worker::room(room, own + ROWS * lanes.len()).split_at_mut(own);
        own.chunks_mut(panel.max(1))
            .enumerate()
            .for_each(|(i, to)| pack(&self.lanes, memory, lanes.start + i * LANES, to));
        let panel = |first: usize| match packed {
            Some(buffer) => memory.words(buffer, first / LANES * panel..(first / LANES + 1) * panel),
            None => &own[(first - lanes.start) / LANES * panel..][..panel],
        };
        let part = chunk(rows.len(), ROWS);
        for start in rows.clone().step_by(part) {
            self.block(memory, start..rows.end.min(start + part), lanes.clone(), panel, (registers, &mut *room));
        }
    }
}

/// A panel `[terms][LANES]`, padded with zeros.
fn pack(lanes: &Side, memory: &Memory, first: usize, to: &mut [f32]) {
    let from = memory.words(lanes.buffer, 0..memory.count(lanes.buffer));
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
        for (block, to) in to.chunks_mut(TURN * LANES).enumerate() {
            for j in 0..width {
                let place = (first + j) * lanes.along + block * TURN * lanes.deep;
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

impl Finish {
    /// The job, if there is anything to do.
    pub(crate) fn job(body: Code, result: BufferId, count: usize) -> Option<Box<dyn Job>> {
        let is_there = body.is_there() && !body.is_identity();
        is_there.then(|| Box::new(Finish { body, result, count }) as Box<dyn Job>)
    }
}

impl Job for Finish {
    fn tasks(&self) -> usize {
        self.count.div_ceil(ELEMENTS)
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let range = task * ELEMENTS..self.count.min((task + 1) * ELEMENTS);
        self.body.run_range(memory, &mut worker.registers, range, self.result);
    }
}

impl ColumnSums {
    pub(crate) fn new(from: BufferId, shape: [usize; 2], to: BufferId) -> Self {
        ColumnSums { from, shape, to }
    }
}

impl Job for ColumnSums {
    fn tasks(&self) -> usize {
        self.shape[1].div_ceil(COLUMNS)
    }

    fn is_shared(&self) -> bool {
        self.shape[0] * self.shape[1] > ELEMENTS
    }

    fn run(&self, task: usize, memory: &Memory, _: &mut Worker) {
        let [rows, columns] = self.shape;
        let part = task * COLUMNS..columns.min((task + 1) * COLUMNS);
        let sums = memory.words_mut(self.to, part.clone());
        sums.fill(0.0);
        for row in 0..rows {
            let row = memory.words(self.from, row * columns + part.start..row * columns + part.end);
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
    }
}
