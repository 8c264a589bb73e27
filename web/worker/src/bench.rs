//! How fast an engine trains here: a workload that other libraries are measured on too, or any configuration.

use data::{Order, digits};
use engine::{Engine, EngineError, Program};
use graph::{DType, HostTensor, Values};
use js_sys::{Array, Function};
use protocol::{
    Seconds, Split, Target,
    worker::{BenchReport, BenchSpec, Region},
};
use train::{
    Samples, feed,
    programs::{self, Table, names},
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
/// Height and width of all images here.
const SIZE: [usize; 2] = [28, 28];
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
    Fixed,
    Own(Order),
}

/// A program and its place in the job.
struct Bench {
    engine: Box<dyn Engine>,
    program: Program,
    workload: Workload,
    job: Job,
    step: usize,
    seconds: Seconds,
}

/// Measures; `buffers` are those that the spec speaks of.
///
/// # Errors
/// What is wrong, in words.
pub(crate) async fn run(spec: &BenchSpec, buffers: &[Vec<u8>]) -> Result<BenchReport, String> {
    let clock = Instant::now();
    let mut engine = open(&Target { engine: spec.engine, adapter: None }).await.map_err(text)?;
    let mut seconds = Seconds::default();
    let data = Instant::now();
    let (workload, job) = prepare(spec, buffers)?;
    seconds.data = data.elapsed().as_secs_f64();
    let compile = Instant::now();
    let graph = programs::train(&workload.config, &workload.table, false).map_err(text)?;
    let program = engine.load(&graph).await.map_err(text)?;
    seconds.compile = compile.elapsed().as_secs_f64();
    let upload = Instant::now();
    workload.upload(engine.as_mut()).await.map_err(text)?;
    seconds.upload = upload.elapsed().as_secs_f64();
    let (resident, state) = Default::default();
    let workload = Workload { resident, state, ..workload }; // the device has them
    let mut bench = Bench { engine, program, workload, job, step: 0, seconds };
    let prepare_seconds = clock.elapsed().as_secs_f64();
    measure(spec, &mut bench, clock, prepare_seconds).await.map_err(text)
}

fn prepare(spec: &BenchSpec, buffers: &[Vec<u8>]) -> Result<(Workload, Job), String> {
    let fixed = workload(&spec.workload);
    let mut config = match &fixed {
        Some(workload) => workload.config.clone(),
        None => protocol::preset(&spec.workload).map_err(text)?,
    };
    config.dataset.split = Split::Standard { validation: 0 };
    config.optimizer = spec.optimizer.unwrap_or(config.optimizer);
    config.batch = spec.batch.unwrap_or(config.batch);
    config.check().map_err(text)?;
    let mut state = programs::initial(&config, SIZE).map_err(text)?;
    if let Some(fixed) = &fixed {
        state.iter_mut().filter(|(slot, _)| !slot.starts_with("optimizer.")).for_each(|(slot, value)| {
            *value = fixed.state[slot].clone();
        });
    }
    let mut buffers = buffers.iter();
    let mut next = || buffers.next().ok_or("a buffer is missing");
    let (table, resident, job) = if spec.data {
        let (table, resident) = given(next()?, next()?, config.batch)?;
        (table, resident, Job::Fixed)
    } else if let Some(fixed) = fixed {
        let fixed = fixed.with_batch(config.batch);
        (fixed.table, fixed.resident, Job::Fixed)
    } else {
        let images = digits::generate(DIGITS, 1);
        let samples = Samples::new("digits".into(), images, DIGITS as usize, &config, 0.0).map_err(text)?;
        let (table, resident) = programs::upload(&samples.images);
        (table, resident, Job::Own(samples.order(&config).map_err(text)?))
    };
    for name in &spec.params {
        let value = state.get_mut(name).ok_or_else(|| format!("the network has no `{name}`"))?;
        let new = floats(next()?);
        if new.len() != value.shape.count() {
            return Err(format!("`{name}` has {} numbers, not {}", value.shape.count(), new.len()));
        }
        *value = HostTensor::f32(value.shape.clone(), new);
    }
    Ok((Workload { config, table, resident, state }, job))
}

/// Images that came with the question.
fn given(pixels: &[u8], labels: &[u8], batch: usize) -> Result<(Table, Values), String> {
    let (pixels, rows) = (floats(pixels), labels.len());
    let [height, width] = SIZE;
    if rows == 0 || !rows.is_multiple_of(batch) || pixels.len() != rows * height * width {
        let got = pixels.len();
        return Err(format!(
            "{rows} labels and {got} pixels are no whole batches of {batch} images of {height}×{width}"
        ));
    }
    if let Some(label) = labels.iter().find(|label| usize::from(**label) >= programs::CLASSES) {
        return Err(format!("a label is {label}, but must be below {}", programs::CLASSES));
    }
    let pixels = HostTensor::f32([rows, height * width], pixels);
    let labels = HostTensor::u8([rows], labels.to_vec());
    let resident = Values::from([(names::IMAGES.into(), pixels), (names::LABELS.into(), labels)]);
    Ok((Table { rows, size: SIZE, dtype: DType::F32 }, resident))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
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
        batch: bench.workload.config.batch,
        seconds: bench.seconds,
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
        let steps = self.step..self.step + count;
        let feeds = match &mut self.job {
            Job::Fixed => steps.map(|step| self.workload.feed(step)).collect(),
            Job::Own(order) => steps.map(|step| feed(&self.workload.config, order, step as u64, u64::MAX)).collect(),
        };
        self.step += count;
        feeds
    }

    /// Makes steps and returns the last one's loss: when it is here, the device has finished.
    async fn steps(&mut self, count: usize) -> Result<f32, EngineError> {
        let clock = Instant::now();
        let feeds = self.feeds(count);
        self.engine.submit(self.program, &feeds).await?;
        let loss = self.collect().await?;
        self.seconds.steps += clock.elapsed().as_secs_f64();
        Ok(loss)
    }

    /// The last loss of the oldest submission. Its waiting is taken from the seconds of steps, which count the whole.
    async fn collect(&mut self) -> Result<f32, EngineError> {
        let ran = self.engine.collect().await?;
        self.seconds.readback += ran.readback_seconds;
        self.seconds.steps -= ran.readback_seconds;
        let last = ran.outputs.last().and_then(|outputs| outputs[names::LOSS].as_f32());
        Ok(last.map_or(f32::NAN, |loss| loss[0]))
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
                last = self.collect().await?;
                in_flight -= 1;
            }
            speeds.push(count as f64 / clock.elapsed().as_secs_f64());
            breathe().await;
        }
        self.seconds.steps += all.elapsed().as_secs_f64();
        speeds.sort_unstable_by(f64::total_cmp);
        Ok(Region {
            steps: (REGIONS * count) as u64,
            seconds: all.elapsed().as_secs_f64(),
            steps_per_second: speeds[REGIONS / 2],
            best_steps_per_second: speeds[REGIONS - 1],
            images_per_second: speeds[REGIONS / 2] * self.workload.config.batch as f64,
            loss: last,
        })
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
