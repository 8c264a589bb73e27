//! What comes behind a product, or beside it.

use compiler::BufferId;

use crate::{
    body::BLOCK,
    code::{Code, Place},
    job::{Job, Worker},
    kernel::RUN,
    memory::Memory,
};

/// Lines of bodies, times elements, of a task: some 10 µs.
pub(super) const PRICE: usize = 128 * 1024;
/// Elements that a thread finishes at a time.
const ELEMENTS: usize = 8 * 1024;
/// Columns that a thread sums at a time.
const COLUMNS: usize = 256;

/// Runs a body over a result that is there.
pub(crate) struct Finish {
    body: Code,
    result: BufferId,
    count: usize,
}

/// Runs a body over a result that was made in two halves of its terms: a large matrix whose lines are terms is often the
/// weight that the same thread has updated, or will, line by line, and lines that go from core to core cost more than sums.
pub(super) struct AddHalves {
    pub(super) parts: [BufferId; 2],
    pub(super) body: Code,
    pub(super) count: usize,
}

/// The sums of the columns of a matrix.
pub(crate) struct ColumnSums {
    from: BufferId,
    shape: [usize; 2],
    to: BufferId,
}

impl Finish {
    /// The job, if there is anything to do.
    pub(crate) fn job(body: Code, result: BufferId, count: usize) -> Option<Box<dyn Job>> {
        (!body.only_keeps(result)).then(|| Box::new(Finish { body, result, count }) as Box<dyn Job>)
    }
}

impl Job for Finish {
    fn tasks(&self) -> usize {
        self.count.div_ceil(ELEMENTS)
    }

    fn is_shared(&self) -> bool {
        self.count * self.body.price() > PRICE
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let range = task * ELEMENTS..self.count.min((task + 1) * ELEMENTS);
        self.body.run_range(memory, &mut worker.registers, range, self.result);
    }
}

impl Job for AddHalves {
    fn tasks(&self) -> usize {
        self.count.div_ceil(ELEMENTS)
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let end = self.count.min((task + 1) * ELEMENTS);
        for start in (task * ELEMENTS..end).step_by(BLOCK) {
            let range = start..end.min(start + BLOCK);
            let place = Place { start, len: range.len(), ..Place::default() };
            let [first, second] = self.parts.map(|part| memory.words(part, range.clone()));
            let sums = Worker::room(&mut worker.room, range.len());
            sums.iter_mut().zip(first.iter().zip(second)).for_each(|(sum, (a, b))| *sum = a + b);
            self.body.run(memory, &mut worker.registers, place, sums);
        }
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
        for run in (0..rows).step_by(RUN) {
            let mut partial = [0.0; COLUMNS];
            for row in run..rows.min(run + RUN) {
                let row = memory.words(self.from, row * columns + part.start..row * columns + part.end);
                partial.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            sums.iter_mut().zip(partial).for_each(|(sum, partial)| *sum += partial);
        }
    }
}
