//! How fast an engine trains here: a workload that other libraries are measured on too, or any configuration.

use data::{Order, digits};
use graph::Values;
use js_sys::{Array, Function};
use protocol::{
    RunConfig, Split, Target,
    worker::{BenchReport, BenchSpec, Region},
};
use train::{
    Engine, EngineError, Program, Samples, feed,
    programs::{self, names},
    workload::{Workload, workload},
};
use wasm_bindgen::prelude::*;
use web_time::Instant;

use crate::{line::breathe, session::open};

/// Losses that are told, from the first step on.
const LOSSES: usize = 40;
/// Regions of each kind, of which the median counts.
const REGIONS: usize = 3;
/// Digits that a configuration is measured on.
const DIGITS: u32 = 2048;
/// Seconds of a submission where no loss is waited for.
const PIECE: f64 = 0.05;
/// Steps whose dispatches are counted.
const COUNTED: usize = 5;

#[wasm_bindgen]
extern "C" {
    /// Of `web/worker.js`: counts from now on; the function that it returns ends that and gives `[dispatches, submissions]`.
    #[wasm_bindgen(js_namespace = self, js_name = countGpu)]
    fn count_gpu() -> Function;
}

/// What is trained, and the values of its steps.
enum Job {
    Fixed(Box<Workload>),
    Own { config: Box<RunConfig>, order: Order },
}

impl Job {
    fn feed(&mut self, step: usize) -> Values {
        match self {
            Job::Fixed(workload) => workload.feed(step),
            Job::Own { config, order } => feed(config, order, step as u64, u64::MAX),
        }
    }
}

/// A program and its place in the job.
struct Bench {
    engine: Box<dyn Engine>,
    program: Program,
    job: Job,
    batch: usize,
    step: usize,
}

/// Measures.
///
/// # Errors
/// What is wrong, in words.
pub(crate) async fn run(spec: &BenchSpec) -> Result<BenchReport, String> {
    let clock = Instant::now();
    let mut engine = open(&Target { engine: spec.engine, adapter: None }).await.map_err(text)?;
    let (config, table, resident, state, job) = prepare(spec)?;
    let graph = programs::train(&config, &table, false).map_err(text)?;
    let program = engine.load(&graph).await.map_err(text)?;
    for (name, value) in &resident {
        engine.upload(name, value).await.map_err(text)?;
    }
    engine.write_state(&state).await.map_err(text)?;
    drop((resident, state));
    let mut bench = Bench { engine, program, job, batch: config.batch, step: 0 };
    let prepare_seconds = clock.elapsed().as_secs_f64();
    measure(spec, &mut bench, clock, prepare_seconds).await.map_err(text)
}

type Prepared = (RunConfig, programs::Table, Values, Values, Job);

fn prepare(spec: &BenchSpec) -> Result<Prepared, String> {
    if let Some(job) = workload(&spec.workload) {
        let (config, table) = (job.config.clone(), job.table);
        let (resident, state) = (job.resident.clone(), job.state.clone());
        return Ok((config, table, resident, state, Job::Fixed(Box::new(job))));
    }
    let mut config = protocol::preset(&spec.workload).map_err(text)?;
    config.dataset.split = Split::Standard { validation: 0 };
    config.optimizer = spec.optimizer.unwrap_or(config.optimizer);
    config.batch = spec.batch.unwrap_or(config.batch);
    config.check().map_err(text)?;
    let images = digits::generate(DIGITS, 1);
    let samples = Samples::new("digits".into(), images, DIGITS as usize, &config, 0.0).map_err(text)?;
    let order = samples.order(&config).map_err(text)?;
    let (table, resident) = programs::upload(&samples.images);
    let state = programs::initial(&config, table.size).map_err(text)?;
    Ok((config.clone(), table, resident, state, Job::Own { config: Box::new(config), order }))
}

async fn measure(
    spec: &BenchSpec,
    bench: &mut Bench,
    clock: Instant,
    prepare_seconds: f64,
) -> Result<BenchReport, EngineError> {
    let mut losses = vec![bench.steps(1).await?];
    let first_step_seconds = clock.elapsed().as_secs_f64();
    // The learning check is the warm-up. A slow device makes fewer steps.
    let warm = Instant::now();
    while losses.len() < LOSSES && (losses.len() < 5 || warm.elapsed().as_secs_f64() < spec.warm_seconds) {
        losses.push(bench.steps(1).await?);
        breathe().await;
    }
    let estimate = warm.elapsed().as_secs_f64() / (losses.len() - 1).max(1) as f64;
    let each = bench.region(spec, estimate, Some(1)).await?;
    let tenth = bench.region(spec, 1.0 / each.steps_per_second, Some(10)).await?;
    let end = bench.region(spec, 1.0 / tenth.steps_per_second, None).await?;
    let counter = count_gpu();
    for _ in 0..COUNTED {
        bench.steps(1).await?;
    }
    let counts: Array = counter.call0(&JsValue::NULL).map_or_else(|_| Array::new(), Into::into);
    let count = |i: u32| counts.get(i).as_f64().unwrap_or_default() / COUNTED as f64;
    let (dispatches, submissions) = (count(0), count(1));
    let device = bench.engine.device().clone();
    Ok(BenchReport {
        workload: spec.workload.clone(),
        versions: bench.engine.versions(),
        device,
        batch: bench.batch,
        losses,
        prepare_seconds,
        first_step_seconds,
        estimate_seconds: estimate,
        each,
        tenth,
        end,
        dispatches,
        submissions,
        steps: bench.step as u64,
    })
}

impl Bench {
    fn feeds(&mut self, count: usize) -> Vec<Values> {
        let feeds = (self.step..self.step + count).map(|step| self.job.feed(step)).collect();
        self.step += count;
        feeds
    }

    /// Makes steps and returns the last one's loss: when it is here, the device has finished.
    async fn steps(&mut self, count: usize) -> Result<f32, EngineError> {
        let feeds = self.feeds(count);
        let ran = self.engine.run(self.program, &feeds).await?;
        Ok(loss(&ran.outputs))
    }

    /// Three regions, each of which ends with a loss; `every` so many steps it is waited for, or only then.
    async fn region(&mut self, spec: &BenchSpec, estimate: f64, every: Option<usize>) -> Result<Region, EngineError> {
        let regions = REGIONS as f64;
        let most = (spec.most_seconds / estimate / regions) as usize;
        let wanted = (spec.seconds / estimate / regions) as usize;
        let count = wanted.max(spec.least_steps / REGIONS).min(most.max(1)).next_multiple_of(every.unwrap_or(1));
        let piece = every.unwrap_or(((PIECE / estimate) as usize).clamp(1, 256));
        let depth = if every.is_some() { 1 } else { self.engine.depth().max(1) };
        let (mut speeds, mut last) = (vec![], 0.0);
        let all = Instant::now();
        for _ in 0..REGIONS {
            let clock = Instant::now();
            let (mut begun, mut in_flight) = (0, 0);
            while begun < count || in_flight > 0 {
                while begun < count && in_flight < depth {
                    let feeds = self.feeds(piece.min(count - begun));
                    begun += feeds.len();
                    in_flight += 1;
                    self.engine.submit(self.program, &feeds).await?;
                }
                last = loss(&self.engine.collect().await?.outputs);
                in_flight -= 1;
            }
            speeds.push(count as f64 / clock.elapsed().as_secs_f64());
            breathe().await;
        }
        speeds.sort_by(f64::total_cmp);
        Ok(Region {
            steps: (REGIONS * count) as u64,
            seconds: all.elapsed().as_secs_f64(),
            steps_per_second: speeds[REGIONS / 2],
            best_steps_per_second: speeds[REGIONS - 1],
            images_per_second: speeds[REGIONS / 2] * self.batch as f64,
            loss: last,
        })
    }
}

fn loss(outputs: &[Values]) -> f32 {
    let last = outputs.last().and_then(|outputs| outputs[names::LOSS].as_f32());
    last.map_or(f32::NAN, |loss| loss[0])
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
