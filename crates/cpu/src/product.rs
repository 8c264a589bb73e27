//! Matrix products, tile by tile.

mod finish;
mod lanes;

use std::ops::Range;

use compiler::{BufferId, Contraction};

use self::{
    finish::{AddHalves, PRICE},
    lanes::{Pack, Side, pack},
};
pub(crate) use self::{
    finish::{ColumnSums, Finish},
    lanes::TRANSPOSED,
};
use crate::{
    body::{BLOCK, Registers},
    code::{Code, Place},
    job::{Beside, Job, Worker},
    kernel::{LANES, ROWS, Terms, Tile, chunk},
    memory::Memory,
};

/// FLOP of a task: some 10 µs.
const TASK: usize = 1_000_000;
/// Elements that stay in a second cache while rows of tiles pass by.
const NEAR: usize = 128 * 1024;
/// Lines of a matrix, times the power of two in their length, that do not crowd each other out of a cache.
const CROWD: usize = 64 * 1024;
/// Elements from one line to the next, some of which have one place in the first cache.
const CROWDED: usize = 512;
/// Most tiles that go by a panel together, if there are as many tasks as this at least.
const TOGETHER: usize = 4;
const TASKS: usize = 32;
/// Elements of lanes that no core has near.
const FAR: usize = 256 * 1024;
/// Tasks that are enough.
const MEMBERS: usize = 8;

/// `[m, k] · [k, n]`: one side gives the rows of tiles, as it lies in memory, the other the lanes, as panels.
pub(crate) struct Product {
    terms: usize,
    rows: Side,
    lanes: Side,
    /// Whether rows of tiles are columns of the result.
    transposed: bool,
    /// Columns of the result.
    width: usize,
    tasks: Tasks,
    /// Rows of tiles that go by the same panel while it is near, and are finished together.
    batch: usize,
    /// Whether rows are copied before, since where they are they would crowd each other out of a cache.
    copied: bool,
    panels: Panels,
    end: End,
}

/// How a product is divided: into so many rows of tiles, or lanes.
#[derive(Clone, Copy)]
enum Tasks {
    Rows(usize),
    Lanes(usize),
}

/// Where lanes are read, [`LANES`] at a time.
#[derive(Clone, Copy)]
enum Panels {
    /// Where they are: they lie side by side.
    There,
    /// In this buffer, into which they were packed before.
    Packed(BufferId),
    /// Where each task packs them for itself.
    Own,
}

/// Where sums go.
enum End {
    /// Into a buffer, as they are.
    Store(BufferId),
    /// To the body, as soon as some rows are there. What it reads of these elements was asked for while they were made.
    Body(Code, Vec<BufferId>),
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
        let side = |buffer, count, (along, deep)| Side { buffer, first: 0, count, along, deep };
        let (left, right) = (side(a.buffer, m, left), side(b.buffer, n, right));
        // Lanes that lie side by side are packed fast; else the smaller side is packed.
        let transposed = transpose[1] && (transpose[0] || m < n);
        let (rows, lanes) = if transposed { (right, left) } else { (left, right) };
        let parts = (2 * m * n * terms).div_ceil(TASK).max(m * n * body.price() / PRICE).max(1);
        let mut jobs: Vec<Box<dyn Job>> = vec![];
        // A tile reads half a panel of lanes at least. Lines that lie a power of two apart share few places of a cache.
        let apart = terms.checked_shl(lanes.deep.trailing_zeros()).is_some_and(|crowd| crowd <= CROWD);
        let there = lanes.along == 1 && lanes.count.is_multiple_of(LANES / 2) && apart;
        // Whole rows are best for bodies, if the lanes stay in a cache and there is something for everyone.
        let whole = there && lanes.count * terms <= NEAR && rows.count.div_ceil(ROWS) >= parts.min(MEMBERS);
        let together = (NEAR / terms.max(1)).min(rows.count / TASKS) / ROWS;
        let batch = ROWS * together.clamp(1, TOGETHER);
        let tasks = match whole || lanes.count <= rows.count {
            true => Tasks::Rows(rows.count.div_ceil(parts).next_multiple_of(batch)),
            false => Tasks::Lanes(lanes.count.div_ceil(parts).next_multiple_of(LANES)),
        };
        let panels = match tasks {
            _ if there => Panels::There,
            Tasks::Lanes(_) => Panels::Own,
            Tasks::Rows(_) => {
                let to = reserve(lanes.count.next_multiple_of(LANES) * terms);
                jobs.push(Box::new(Pack { lanes, terms, to }));
                Panels::Packed(to)
            }
        };
        let copied = rows.along.max(rows.deep).is_multiple_of(CROWDED);
        let product = |terms: Range<usize>, end| -> Box<dyn Job> {
            let at = |side: Side| Side { first: terms.start * side.deep, ..side };
            let (rows, lanes, terms) = (at(rows), at(lanes), terms.len());
            Box::new(Product { terms, rows, lanes, transposed, width: n, tasks, batch, copied, panels, end })
        };
        if matches!((tasks, panels), (Tasks::Lanes(_), Panels::There)) && lanes.count * terms >= FAR {
            let parts = [reserve(m * n), reserve(m * n)];
            let halves = [product(0..terms / 2, End::Store(parts[0])), product(terms / 2..terms, End::Store(parts[1]))];
            jobs.push(Box::new(Beside { jobs: halves, mixed: false }));
            jobs.push(Box::new(AddHalves { parts, body, count: m * n }));
            return jobs;
        }
        let (end, finish) = if transposed || body.only_keeps(result) {
            (End::Store(result), Finish::job(body, result, m * n))
        } else {
            let reads = body.contiguous_loads();
            (End::Body(body, reads), None)
        };
        jobs.push(product(0..terms, end));
        jobs.extend(finish);
        jobs
    }

    /// Some rows by some lanes, whose panels `panel` gives.
    fn block<'a>(
        &self,
        memory: &Memory,
        rows: Range<usize>,
        lanes: Range<usize>,
        panel: impl Fn(usize) -> (&'a [f32], usize),
        (registers, room, copy): (&mut Registers, &mut [f32], &mut [f32]),
    ) {
        let mut sums = [0.0; ROWS * LANES];
        let n = lanes.len();
        let a = self.rows(memory, rows.clone(), copy);
        // Whole rows of the result lie one behind the other.
        let mut out: Option<&mut [f32]> = match &self.end {
            End::Body(..) => Some(&mut room[..rows.len() * n]),
            End::Store(to) if !self.transposed && n == self.width => {
                Some(memory.words_mut(*to, rows.start * n..rows.end * n))
            }
            End::Store(_) => None,
        };
        for first in lanes.clone().step_by(LANES) {
            let width = LANES.min(lanes.end - first);
            self.announce(memory, rows.clone(), first..first + width);
            let part = chunk(rows.len(), ROWS);
            for start in (0..rows.len()).step_by(part) {
                let part = start..rows.len().min(start + part);
                self.announce_next(memory, rows.start + part.start..rows.start + part.end, first + LANES);
                match &mut out {
                    // A tile writes half a panel of lanes at least.
                    Some(out) if width.is_multiple_of(LANES / 2) => {
                        self.tile(a, part, panel(first), width, &mut out[start * n + first - lanes.start..], n);
                    }
                    Some(out) => {
                        self.tile(a, part, panel(first), width, &mut sums, LANES);
                        let out = out[start * n..].chunks_mut(n).map(|out| &mut out[first - lanes.start..][..width]);
                        out.zip(sums.chunks(LANES)).for_each(|(out, sums)| out.copy_from_slice(&sums[..width]));
                    }
                    None => {
                        self.tile(a, part.clone(), panel(first), width, &mut sums, LANES);
                        let part = rows.start + part.start..rows.start + part.end;
                        self.store(memory, part, first..first + width, &sums);
                    }
                }
            }
        }
        let End::Body(body, _) = &self.end else { return };
        // Rows that are whole lie one behind the other.
        let run = if n == self.width { rows.len() * n } else { n };
        for (i, room) in room[..rows.len() * n].chunks(run.max(1)).enumerate() {
            let first = (rows.start + i) * self.width + lanes.start;
            for (block, result) in room.chunks(BLOCK).enumerate() {
                let place = Place { start: first + block * BLOCK, len: result.len(), ..Place::default() };
                body.run(memory, registers, place, result);
            }
        }
    }

    /// Asks for what the body will read of a tile.
    fn announce(&self, memory: &Memory, rows: Range<usize>, lanes: Range<usize>) {
        let End::Body(_, reads) = &self.end else { return };
        for row in rows.map(|row| row * self.width) {
            reads.iter().for_each(|buffer| memory.will_read(*buffer, row + lanes.start..row + lanes.end));
        }
    }

    /// Asks for a part of the next panel, where its lines lie far apart: all rows of tiles together ask for all of it.
    fn announce_next(&self, memory: &Memory, rows: Range<usize>, first: usize) {
        if matches!((self.tasks, self.panels), (Tasks::Lanes(_), Panels::There)) && first < self.lanes.count {
            let width = LANES.min(self.lanes.count - first);
            let term = |row: usize| self.terms * row / self.rows.count.max(1);
            for place in (term(rows.start)..term(rows.end)).map(|p| self.lanes.first + p * self.lanes.deep + first) {
                memory.will_read(self.lanes.buffer, place..place + width);
            }
        }
    }

    /// Where tasks share rows of the result, or a tile's rows are its columns.
    fn store(&self, memory: &Memory, rows: Range<usize>, lanes: Range<usize>, sums: &[f32]) {
        let End::Store(to) = self.end else { unreachable!("bodies take rows") };
        if self.transposed {
            for (j, lane) in lanes.enumerate() {
                let place = lane * self.width + rows.start;
                let out = memory.words_mut(to, place..place + rows.len());
                out.iter_mut().zip(sums[j..].iter().step_by(LANES)).for_each(|(out, sum)| *out = *sum);
            }
        } else {
            for (row, sums) in rows.zip(sums.chunks(LANES)) {
                let out = memory.words_mut(to, row * self.width + lanes.start..row * self.width + lanes.end);
                out.copy_from_slice(&sums[..lanes.len()]);
            }
        }
    }

    /// Where some rows are, as a side of their own.
    fn rows<'a>(&self, memory: &'a Memory, rows: Range<usize>, copy: &'a mut [f32]) -> (&'a [f32], [usize; 2]) {
        let Side { buffer, first, along, deep, .. } = self.rows;
        let all = memory.words(buffer, 0..memory.count(buffer));
        let from = &all[(first + rows.start * along).min(all.len())..];
        let count = rows.len();
        if !self.copied {
            return (from, [along, deep]);
        }
        if along == 1 {
            let lines = copy.chunks_exact_mut(count).zip(from.chunks(deep)).take(self.terms);
            lines.for_each(|(to, from)| to.copy_from_slice(&from[..count]));
            return (copy, [1, count]);
        }
        let pitch = self.pitch();
        let lines = copy.chunks_exact_mut(pitch).zip(from.chunks(along)).take(count);
        lines.for_each(|(to, from)| to[..self.terms].copy_from_slice(&from[..self.terms]));
        (copy, [pitch, 1])
    }

    /// Of rows that are copied: a cache line more than they have.
    fn pitch(&self) -> usize {
        self.terms + LANES / 2
    }

    fn tile(
        &self,
        (a, [along, deep]): (&[f32], [usize; 2]),
        rows: Range<usize>,
        (b, step): (&[f32], usize),
        width: usize,
        sums: &mut [f32],
        pitch: usize,
    ) {
        let places: [usize; ROWS] = std::array::from_fn(|i| (rows.start + i) * along);
        let tile = Tile {
            terms: self.terms,
            a,
            rows: &places[..rows.len()],
            deep: Terms::Step(deep),
            b,
            lanes: Terms::Step(step),
            width,
            sums,
            pitch,
        };
        tile.compute();
    }
}

impl Job for Product {
    fn tasks(&self) -> usize {
        match self.tasks {
            Tasks::Rows(part) => self.rows.count.div_ceil(part.max(1)),
            Tasks::Lanes(part) => self.lanes.count.div_ceil(part.max(1)),
        }
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let (rows, lanes) = match self.tasks {
            Tasks::Rows(part) => (task * part..self.rows.count.min((task + 1) * part), 0..self.lanes.count),
            Tasks::Lanes(part) => (0..self.rows.count, task * part..self.lanes.count.min((task + 1) * part)),
        };
        let size = LANES * self.terms;
        let own = if matches!(self.panels, Panels::Own) { lanes.len().div_ceil(LANES) * size } else { 0 };
        let Worker { registers, room, .. } = worker;
        let copy = if self.copied { self.batch * self.pitch() } else { 0 };
        let (own, room) = Worker::room(room, own + copy + self.batch * lanes.len()).split_at_mut(own);
        let (copy, room) = room.split_at_mut(copy);
        for (i, to) in own.chunks_mut(size.max(1)).enumerate() {
            pack(&self.lanes, memory, lanes.start + i * LANES, to);
        }
        let panel = |first: usize| match self.panels {
            Panels::There => (
                &memory.words(self.lanes.buffer, 0..memory.count(self.lanes.buffer))[self.lanes.first + first..],
                self.lanes.deep,
            ),
            Panels::Packed(buffer) => (memory.words(buffer, first / LANES * size..(first / LANES + 1) * size), LANES),
            Panels::Own => (&own[(first - lanes.start) / LANES * size..][..size], LANES),
        };
        for start in rows.clone().step_by(self.batch) {
            let rows = start..rows.end.min(start + self.batch);
            self.block(memory, rows, lanes.clone(), panel, (registers, &mut *room, &mut *copy));
        }
    }
}
