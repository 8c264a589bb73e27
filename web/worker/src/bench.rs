//! How fast an engine trains here: a workload that other libraries are measured on too, or any preset.

use ::engine::Engine;
use bench::{Bench, BenchError, Length, Timed, Workload};
use js_sys::{Array, Function};
use protocol::{
    Seconds, Target,
    worker::{BenchReport, BenchSpec, Region},
};
use wasm_bindgen::prelude::*;
use web_time::Instant;

use crate::{engine::open, line::breathe};

/// Regions of each kind, of which the median counts.
const REGIONS: usize = 3;
/// Buffers of images that are given: their pixels, their labels.
const GIVEN: usize = 2;
/// Steps whose dispatches are counted.
const COUNTED: usize = 5;

#[wasm_bindgen]
extern "C" {
    /// Of `web/worker.js`: counts from now on; the function that it returns ends that and gives `[dispatches, submissions]`.
    #[wasm_bindgen(js_namespace = self, js_name = countGpu)]
    fn count_gpu() -> Function;
}

/// Measures; `buffers` are those that the spec speaks of.
///
/// # Errors
/// What is wrong, in words.
pub(crate) async fn run(spec: &BenchSpec, buffers: &[Vec<u8>]) -> Result<BenchReport, String> {
    let begun = Instant::now();
    if buffers.len() < GIVEN * usize::from(spec.data) + spec.params.len() {
        return Err("a buffer is missing".into());
    }
    let engine = open(&Target { engine: spec.engine, adapter: None }).await.map_err(text)?;
    measure(spec, buffers, engine, begun).await.map_err(text)
}

fn prepare(spec: &BenchSpec, buffers: &[Vec<u8>]) -> Result<Workload, BenchError> {
    let mut prepared = Workload::new(&spec.workload, spec.optimizer, spec.batch)?;
    let (given, params) = buffers.split_at(GIVEN * usize::from(spec.data));
    if let [pixels, labels] = given {
        prepared = prepared.with_images(floats(pixels), labels.clone())?;
    }
    for (slot, numbers) in spec.params.iter().zip(params) {
        prepared.set(slot, floats(numbers))?;
    }
    Ok(prepared)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

async fn measure(
    spec: &BenchSpec,
    buffers: &[Vec<u8>],
    engine: Box<dyn Engine>,
    begun: Instant,
) -> Result<BenchReport, BenchError> {
    let clock = Instant::now();
    let workload = prepare(spec, buffers)?;
    let data = clock.elapsed().as_secs_f64();
    let mut bench = Bench::start(engine, workload, begun).await?;
    let losses = bench.warm_up(spec.warm_seconds, breathe).await?;
    let estimate_seconds = bench.step_seconds();
    let length = Length {
        regions: REGIONS,
        seconds: spec.seconds,
        least_steps: spec.least_steps,
        most_seconds: spec.most_seconds,
    };
    let each = bench.measure(&length, Some(1), breathe).await?;
    let tenth = bench.measure(&length, Some(10), breathe).await?;
    let end = bench.measure(&length, None, breathe).await?;
    let counter = count_gpu();
    for _ in 0..COUNTED {
        bench.run(1).await?;
    }
    let counts: Array = counter.call0(&JsValue::NULL).map_or_else(|_| Array::new(), Into::into);
    let count = |i: u32| counts.get(i).as_f64().unwrap_or_default() / COUNTED as f64;
    let batch = bench.batch();
    Ok(BenchReport {
        workload: spec.workload.clone(),
        versions: bench.engine().versions(),
        device: bench.engine().device().clone(),
        batch,
        seconds: Seconds { data, ..bench.seconds() },
        losses,
        prepare_seconds: bench.prepare_seconds(),
        first_step_seconds: bench.first_step_seconds(),
        estimate_seconds,
        each: region(&each, batch),
        tenth: region(&tenth, batch),
        end: region(&end, batch),
        dispatches: count(0),
        submissions: count(1),
        steps: bench.steps() as u64,
    })
}

fn region(timed: &Timed, batch: usize) -> Region {
    let [_, best_steps_per_second] = timed.range();
    Region {
        steps: timed.steps as u64,
        seconds: timed.seconds,
        steps_per_second: timed.median(),
        best_steps_per_second,
        images_per_second: timed.median() * batch as f64,
        loss: timed.loss,
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
