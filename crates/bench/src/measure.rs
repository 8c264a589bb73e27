//! The measurement: what is prepared, the warm-up, and the regions that are timed.

use engine::{Engine, EngineError, Program};
use graph::Values;
use protocol::Seconds;
use train::programs::names;
use web_time::Instant;

use crate::{BenchError, Workload};

/// Losses that the warm-up reads at most, from the first step on.
pub const LOSSES: usize = 40;
/// And at least, however slow the device is.
const LEAST_LOSSES: usize = 5;
/// Seconds of a submission where no loss is waited for, and its most steps: as in a run.
const PIECE: f64 = 0.05;
const PIECE_STEPS: usize = 256;

/// How much is measured, in all regions together.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Equal parts, each with a speed of its own.
    pub regions: usize,
    /// Seconds.
    pub seconds: f64,
    /// Steps at least …
    pub least_steps: usize,
    /// … unless they take longer than this.
    pub most_seconds: f64,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Timed {
    /// Steps.
    pub steps: usize,
    /// Seconds.
    pub seconds: f64,
    /// Steps a second of each region, the slowest first.
    pub speeds: Vec<f64>,
    /// Of the last step.
    pub loss: f32,
}

impl Timed {
    /// Steps a second of the region in the middle.
    pub fn median(&self) -> f64 {
        self.speeds[self.speeds.len() / 2]
    }

    /// Steps a second of the slowest and the fastest region.
    pub fn range(&self) -> [f64; 2] {
        [self.speeds[0], self.speeds[self.speeds.len() - 1]]
    }
}

/// A workload on an engine.
pub struct Bench {
    engine: Box<dyn Engine>,
    program: Program,
    workload: Workload,
    begun: Instant,
    steps: usize,
    seconds: Seconds,
    prepare_seconds: f64,
    first_step_seconds: f64,
    step_seconds: f64,
}

impl Bench {
    /// Compiles the step and uploads what it needs. `begun` is when all began, with the opening of the engine.
    ///
    /// # Errors
    /// As for [`Workload::load`].
    pub async fn start(
        mut engine: Box<dyn Engine>,
        mut workload: Workload,
        begun: Instant,
    ) -> Result<Self, BenchError> {
        let mut seconds = Seconds::default();
        let clock = Instant::now();
        let program = engine.load(&workload.graph()?).await?;
        seconds.compile = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        workload.upload(engine.as_mut()).await?;
        seconds.upload = clock.elapsed().as_secs_f64();
        workload.resident.clear(); // the device has them
        workload.state.clear();
        Ok(Bench {
            engine,
            program,
            workload,
            begun,
            steps: 0,
            seconds,
            prepare_seconds: begun.elapsed().as_secs_f64(),
            first_step_seconds: f64::NAN,
            step_seconds: f64::NAN,
        })
    }

    /// The engine.
    pub fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    /// Steps that were made.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Images a step.
    pub fn batch(&self) -> usize {
        self.workload.config.batch
    }

    /// Where the time went, without opening the device.
    pub fn seconds(&self) -> Seconds {
        self.seconds
    }

    /// From the beginning until everything was compiled and uploaded.
    pub fn prepare_seconds(&self) -> f64 {
        self.prepare_seconds
    }

    /// From the beginning until the first loss was there.
    pub fn first_step_seconds(&self) -> f64 {
        self.first_step_seconds
    }

    /// Seconds of a step, by what was measured last.
    pub fn step_seconds(&self) -> f64 {
        self.step_seconds
    }

    /// Makes the first steps and returns the loss of each: at most [`LOSSES`], a few where they take longer than `seconds`.
    /// So the learning check is the warm-up. Between steps it waits for `breathe`.
    ///
    /// # Errors
    /// As for [`Engine::run`].
    pub async fn warm_up(&mut self, seconds: f64, breathe: impl AsyncFn()) -> Result<Vec<f32>, EngineError> {
        let mut losses = vec![self.run(1).await?];
        self.first_step_seconds = self.begun.elapsed().as_secs_f64();
        let clock = Instant::now();
        while losses.len() < LEAST_LOSSES || losses.len() < LOSSES && clock.elapsed().as_secs_f64() < seconds {
            losses.push(self.run(1).await?);
            breathe().await;
        }
        self.step_seconds = clock.elapsed().as_secs_f64() / (losses.len() - 1) as f64;
        Ok(losses)
    }

    /// Times steps, after the warm-up. Each region ends with a loss: when it is here, the device has finished. `every` so
    /// many steps a loss is waited for, or only then. Between regions it waits for `breathe`.
    ///
    /// # Errors
    /// As for [`Engine::submit`] and [`Engine::collect`].
    pub async fn measure(
        &mut self,
        length: &Length,
        every: Option<usize>,
        breathe: impl AsyncFn(),
    ) -> Result<Timed, EngineError> {
        let regions = length.regions as f64;
        let least_steps = length.least_steps.div_ceil(length.regions);
        let depth = if every.is_some() { 1 } else { self.engine.depth().max(1) };
        let mut timed = Timed { steps: 0, seconds: 0.0, speeds: vec![], loss: f32::NAN };
        for _ in 0..length.regions {
            // The speed is known better with each region.
            let piece = every.unwrap_or(((PIECE / self.step_seconds) as usize).clamp(1, PIECE_STEPS));
            let (clock, mut begun, mut in_flight) = (Instant::now(), 0, 0);
            let goes_on = |begun: usize| {
                let seconds = clock.elapsed().as_secs_f64() * regions;
                begun == 0 || seconds < length.seconds || begun < least_steps && seconds < length.most_seconds
            };
            loop {
                while in_flight < depth && goes_on(begun) {
                    let feeds = self.feeds(piece);
                    begun += piece;
                    in_flight += 1;
                    self.engine.submit(self.program, &feeds).await?;
                }
                if in_flight == 0 {
                    break;
                }
                timed.loss = self.collect().await?;
                in_flight -= 1;
            }
            let seconds = clock.elapsed().as_secs_f64();
            self.step_seconds = seconds / begun as f64;
            self.seconds.steps += seconds;
            timed.steps += begun;
            timed.seconds += seconds;
            timed.speeds.push(begun as f64 / seconds);
            breathe().await;
        }
        timed.speeds.sort_unstable_by(f64::total_cmp);
        Ok(timed)
    }

    /// Makes steps in one submission and returns the last one's loss.
    ///
    /// # Errors
    /// As for [`Engine::run`].
    pub async fn run(&mut self, count: usize) -> Result<f32, EngineError> {
        let clock = Instant::now();
        let feeds = self.feeds(count);
        self.engine.submit(self.program, &feeds).await?;
        let loss = self.collect().await?;
        self.seconds.steps += clock.elapsed().as_secs_f64();
        Ok(loss)
    }

    fn feeds(&mut self, count: usize) -> Vec<Values> {
        let steps = self.steps..self.steps + count;
        self.steps += count;
        steps.map(|step| self.workload.feed(step)).collect()
    }

    /// The last loss of the oldest submission. Its waiting is taken from the seconds of steps, which count the whole.
    async fn collect(&mut self) -> Result<f32, EngineError> {
        let ran = self.engine.collect().await?;
        self.seconds.readback += ran.readback_seconds;
        self.seconds.steps -= ran.readback_seconds;
        let last = ran.outputs.last().and_then(|outputs| outputs[names::LOSS].as_f32());
        Ok(last.map_or(f32::NAN, |loss| loss[0]))
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use engine::{Device, EngineName, Reference};

    use super::*;

    fn bench() -> Bench {
        let about = Device { engine: EngineName::Cpu, name: "textbook loops".into(), software: false };
        let w1 = Workload::new("W1", None, Some(1)).expect("it exists");
        let engine = Box::new(Reference::<f32>::new(about));
        pollster::block_on(Bench::start(engine, w1, Instant::now())).expect("it is loaded")
    }

    #[test]
    fn a_slow_device_makes_few_steps_and_a_fast_one_forty() {
        for (seconds, expected) in [(0.0, LEAST_LOSSES), (1e9, LOSSES)] {
            let (mut bench, breaths) = (bench(), Cell::new(0));
            let losses = pollster::block_on(bench.warm_up(seconds, async || breaths.set(breaths.get() + 1)));
            assert_eq!(losses.expect("it runs").len(), expected);
            assert_eq!((bench.steps(), breaths.get()), (expected, expected - 1));
            assert!(bench.first_step_seconds() > bench.prepare_seconds() && bench.step_seconds() > 0.0);
        }
    }

    #[test]
    fn regions_are_as_long_as_was_asked() {
        let mut bench = bench();
        pollster::block_on(bench.warm_up(0.0, async || ())).expect("it runs");
        let mut measure = |seconds, least_steps, most_seconds, every| {
            let length = Length { regions: 3, seconds, least_steps, most_seconds };
            pollster::block_on(bench.measure(&length, every, async || std::thread::sleep(Duration::from_millis(100))))
                .expect("it runs")
        };
        // One piece a region, where nothing more is asked for.
        assert_eq!(measure(0.0, 0, 0.0, Some(1)).steps, 3);
        assert_eq!(measure(0.0, 31, 1e9, Some(10)).steps, 3 * 20);
        assert_eq!(measure(0.0, 31, 0.0, Some(10)).steps, 3 * 10);
        let timed = measure(0.3, 0, 0.0, None);
        assert!(timed.seconds >= 0.3, "{timed:?}");
        let [slowest, fastest] = timed.range();
        assert!(timed.speeds.len() == 3 && slowest <= timed.median() && timed.median() <= fastest, "{timed:?}");
        // Breathing is not timed.
        assert!(measure(0.0, 0, 0.0, Some(1)).seconds < 0.3);
        let Seconds { steps, compile, upload, .. } = bench.seconds();
        assert!(steps > 0.3 && compile > 0.0 && upload > 0.0);
    }
}
