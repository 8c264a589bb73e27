//! Which variants are fastest here: measured when somebody asks, and never otherwise.

use std::collections::BTreeMap;

use engine::{Choices, Engine, EngineError, Program};
use graph::{DType, Feed, Graph, HostTensor, Op, Shape, Values};

use crate::{Dispatch, Gpu, table::Choice};

/// Measurements of each dispatch, of which the shortest counts, and its repetitions in each.
const ROUNDS: usize = 5;
const REPEATS: u32 = 10;
/// What another variant must save to be taken instead of the table's: machines are noisy.
const CLEARLY: f64 = 0.9;

/// Measures the products of a step on an adapter, and returns for each the variant that is clearly fastest, or the
/// table's if none is. Takes some seconds.
///
/// # Errors
/// As for loading and running the step.
pub async fn tune(adapter: Option<&str>, graph: &Graph) -> Result<Choices, EngineError> {
    let mut gpu = Gpu::open(adapter).await?;
    let mut table: BTreeMap<String, (f64, Choice)> = measure(&mut gpu, graph).await?;
    let products: Vec<String> = table.keys().cloned().collect();
    let mut best = table.clone();
    for candidate in gpu.candidates() {
        gpu.reopen().await?; // nothing of the candidates before stays
        gpu.choose(&products.iter().map(|name| (name.clone(), candidate.to_string())).collect());
        let measured = match measure(&mut gpu, graph).await {
            Err(EngineError::OutOfMemory { .. }) => continue, // many parts of a large product
            measured => measured?,
        };
        for (name, measured) in measured {
            if measured.0 < best[&name].0 {
                best.insert(name, measured);
            }
        }
    }
    // Once more, since the machine may have been busy when the table's variants had their turn.
    gpu.reopen().await?;
    gpu.choose(&Choices::new());
    for (name, (seconds, _)) in measure(&mut gpu, graph).await? {
        table.entry(name).and_modify(|known| known.0 = known.0.min(seconds));
    }
    let decide = |(name, (seconds, choice)): (String, (f64, Choice))| {
        let (usual, of_table) = table[&name];
        (name, if seconds < CLEARLY * usual { choice } else { of_table }.to_string())
    };
    Ok(best.into_iter().map(decide).collect())
}

/// Seconds of each product, by name.
async fn measure(gpu: &mut Gpu, graph: &Graph) -> Result<BTreeMap<String, (f64, Choice)>, EngineError> {
    let program = gpu.load(graph).await?;
    let mut feed = Values::new();
    for (name, node) in graph.inputs() {
        let value = noise(&node.shape, node.dtype);
        match &node.op {
            Op::Input { feed: Feed::Resident, .. } => gpu.upload(name, &value).await?,
            _ => drop(feed.insert(name.into(), value)),
        }
    }
    let slots = graph.slots().map(|(slot, node)| (slot.to_owned(), noise(&node.shape, DType::F32)));
    gpu.write_state(&slots.collect()).await?;
    let mut measured = BTreeMap::new();
    let dispatches: Vec<Dispatch> = gpu.dispatches(program).cloned().collect();
    for (number, dispatch) in dispatches.iter().enumerate() {
        let Some((name, choice)) = dispatch.choice.clone() else { continue };
        // What adds the parts up belongs to it, and is the first to read them.
        let adds_up = (number + 1..dispatches.len()).find(|&later| dispatch.is_read_by(&dispatches[later]));
        let mut seconds = best(gpu, program, number, &feed).await?;
        if let Some(adds_up) = adds_up.filter(|_| choice.split > 1) {
            seconds += best(gpu, program, adds_up, &feed).await?;
        }
        measured.insert(name, (seconds, choice));
    }
    Ok(measured)
}

/// Seconds of a dispatch, the shortest of some measurements.
async fn best(gpu: &mut Gpu, program: Program, number: usize, feed: &Values) -> Result<f64, EngineError> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        best = best.min(gpu.time_dispatch(program, number, feed, REPEATS).await?);
    }
    Ok(best)
}

/// Values that are not zero, which some hardware multiplies faster; integers are 0, a row that every table has.
fn noise(shape: &Shape, dtype: DType) -> HostTensor {
    let count = shape.count();
    match dtype {
        DType::F32 => {
            let value = |i: usize| graph::random::uniform([1, 2], 3, i as u32) - 0.5;
            HostTensor::f32(shape.clone(), (0..count).map(value).collect())
        }
        DType::U32 => HostTensor::u32(shape.clone(), vec![0; count]),
        DType::U8 => HostTensor::u8(shape.clone(), (0..count).map(|i| (i * 37 % 251) as u8).collect()),
    }
}
