//! The engine: threads, state, programs.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard},
};

use async_trait::async_trait;
use engine::{Device, EngineName};
use engine::{Engine, EngineError, Program, Ran};
use graph::{Graph, HostTensor, Values};

use crate::{
    job::{Job, Worker},
    memory::Memory,
    program,
    team::Team,
    vectors,
};

/// Runs compiled plans on CPU cores. See the crate's documentation.
///
/// A panic in a step is a bug of this crate. Who catches it can go on: what was loaded and uploaded is there, and nothing
/// of that submission can be collected. State slots may have any values then, so they must be written again.
pub struct Cpu {
    about: Device,
    team: Team,
    /// One for each member of the team, who never waits for it: a member does one thing at a time.
    workers: Vec<Mutex<Worker>>,
    programs: Vec<program::Program>,
    resident: Values,
    state: Values,
    /// Outputs that were not collected yet.
    in_flight: VecDeque<Vec<Values>>,
}

impl Cpu {
    /// Starts `threads` threads, the caller's included: as many as there are cores where nothing is said.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where the system refuses a thread.
    pub fn open(threads: Option<usize>) -> Result<Self, EngineError> {
        let instructions = vectors::name();
        let refused = |reason: std::io::Error| EngineError::Unavailable {
            device: instructions.into(),
            reason: format!("a thread was refused: {reason}"),
        };
        let team = Team::new(threads.unwrap_or_else(cores).max(1)).map_err(refused)?;
        let members = team.members();
        let name = format!("{instructions}, {members} thread{}", if members == 1 { "" } else { "s" });
        let about = Device { engine: EngineName::Cpu, name, software: false };
        let workers = (0..members).map(|_| Mutex::default()).collect();
        let (resident, state, in_flight) = (Values::new(), Values::new(), VecDeque::new());
        Ok(Cpu { about, team, workers, programs: vec![], resident, state, in_flight })
    }
}

/// All tasks of a job.
fn perform(job: &dyn Job, memory: &Memory, team: &mut Team, workers: &[Mutex<Worker>]) {
    let work = |member: usize, task: usize| job.run(task, memory, &mut lock(&workers[member]));
    if job.is_shared() { team.run(job.tasks(), &work) } else { (0..job.tasks()).for_each(|task| work(0, task)) }
}

/// A member's room. A task that panicked has left it in disorder, and nothing in it is worth to be kept.
fn lock(worker: &Mutex<Worker>) -> MutexGuard<'_, Worker> {
    worker.lock().unwrap_or_else(|disorder| {
        worker.clear_poison();
        let mut worker = disorder.into_inner();
        *worker = Worker::default();
        worker
    })
}

fn cores() -> usize {
    // A system that does not say is taken for one core.
    std::thread::available_parallelism().map_or(1, Into::into)
}

#[async_trait(?Send)]
impl Engine for Cpu {
    fn device(&self) -> &Device {
        &self.about
    }

    fn versions(&self) -> Vec<String> {
        vec![format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))]
    }

    async fn load(&mut self, graph: &Graph) -> Result<Program, EngineError> {
        graph.verify()?;
        let device = || self.about.name.clone();
        let full = |bytes| EngineError::OutOfMemory { device: device(), what: format!("{bytes} bytes of a step") };
        self.programs.push(program::Program::new(graph).map_err(full)?);
        Ok(Program(self.programs.len() - 1))
    }

    async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<(), EngineError> {
        self.resident.insert(name.into(), value.clone());
        Ok(())
    }

    async fn write_state(&mut self, slots: &Values) -> Result<(), EngineError> {
        self.state.extend(slots.iter().map(|(slot, value)| (slot.clone(), value.clone())));
        Ok(())
    }

    async fn read_state(&mut self) -> Result<Values, EngineError> {
        Ok(self.state.clone())
    }

    async fn submit(&mut self, program: Program, feeds: &[Values]) -> Result<(), EngineError> {
        let held = |values: &Values, name: &str| values.get(name).map(|value| (value.shape().clone(), value.dtype()));
        let graph = &self.programs[program.0].graph;
        graph.check(feeds, |name| held(&self.resident, name), |slot| held(&self.state, slot))?;
        let (team, workers) = (&mut self.team, &self.workers);
        let mut run = |job: &dyn Job, memory: &Memory| perform(job, memory, team, workers);
        let program = &mut self.programs[program.0];
        let outputs = match feeds {
            [] => vec![],
            feeds => {
                program.bind(&self.resident, &mut self.state);
                feeds.iter().map(|feed| program.step(feed, &mut run)).collect()
            }
        };
        self.in_flight.push_back(outputs);
        Ok(())
    }

    async fn collect(&mut self) -> Result<Ran, EngineError> {
        let outputs = self.in_flight.pop_front().expect("something was submitted");
        Ok(Ran { outputs, readback_seconds: 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Uses registers, in disorder where `fails` is one of its tasks.
    struct Planted {
        fails: usize,
    }

    impl Job for Planted {
        fn tasks(&self) -> usize {
            8
        }

        fn run(&self, task: usize, _: &Memory, worker: &mut Worker) {
            let room = Worker::room(&mut worker.room, 1);
            assert_eq!(room, [0.0], "a task before this one cleaned up");
            room[0] = 1.0;
            assert!(task != self.fails, "planted");
            room[0] = 0.0;
        }
    }

    #[test]
    fn after_a_task_that_panicked_jobs_run() {
        for threads in [1, 2, 3] {
            let mut cpu = Cpu::open(Some(threads)).expect("there are threads");
            let memory = Memory::new(0);
            for fails in [0, 7, 3] {
                let failed = || perform(&Planted { fails }, &memory, &mut cpu.team, &cpu.workers);
                assert!(catch_unwind(AssertUnwindSafe(failed)).is_err(), "it was planted");
                perform(&Planted { fails: 8 }, &memory, &mut cpu.team, &cpu.workers);
            }
        }
    }
}
