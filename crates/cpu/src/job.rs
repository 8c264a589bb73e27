//! What a plan's steps become: jobs, whose tasks threads share.

use crate::{body::Registers, memory::Memory, stage::Results};

/// A part of a step, cut into tasks that may run at the same time. How it is cut does not depend on the number of
/// threads, so that results do not either.
pub(crate) trait Job: Send + Sync {
    fn tasks(&self) -> usize;

    /// Whether it is worth to wake other threads: from some 10 µs on.
    fn is_shared(&self) -> bool {
        true
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker);
}

/// Jobs that have nothing to do with each other, begun and ended as one.
pub(crate) struct Beside {
    pub(crate) jobs: [Box<dyn Job>; 2],
    /// Whether who has a part of one has the same part of the other; else the second comes behind the first.
    pub(crate) mixed: bool,
}

impl Job for Beside {
    fn tasks(&self) -> usize {
        self.jobs.iter().map(|job| job.tasks()).sum()
    }

    fn is_shared(&self) -> bool {
        self.jobs.iter().any(|job| job.is_shared())
    }

    fn run(&self, task: usize, memory: &Memory, worker: &mut Worker) {
        let [first, second] = &self.jobs;
        // How many of the first job's tasks come before.
        let before = |task: usize| match self.mixed {
            true => task * first.tasks() / self.tasks(),
            false => task.min(first.tasks()),
        };
        match before(task + 1) > before(task) {
            true => first.run(before(task), memory, worker),
            false => second.run(task - before(task), memory, worker),
        }
    }
}

/// What each thread has for itself.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    pub(crate) registers: Registers,
    pub(crate) results: Results,
    /// Room for what a task packs: grows to the largest need and stays.
    pub(crate) room: Vec<f32>,
}

impl Worker {
    pub(crate) fn room(room: &mut Vec<f32>, count: usize) -> &mut [f32] {
        if room.len() < count {
            room.resize(count, 0.0);
        }
        &mut room[..count]
    }
}
