//! Kernels by what they compute and by variant, and what it costs the host to hand over a step. Names are stable:
//! `W2/matmul_nt 64×800×784/product_8x8`, `W2/record a step`.
//!
//! `cargo bench -p playground-gpu` for all, `cargo bench -p playground-gpu -- W2/matmul` for some. Needs an adapter. Images, weights and
//! gradients are those of a training step; the device is awaited inside what is measured, after many dispatches.

use std::time::{Duration, Instant};

use bench::workload;
use criterion::{Criterion, Throughput};
use engine::{Choices, Engine, EngineError, Program};
use gpu::{Choice, Dispatch, Gpu, products};
use pollster::block_on;
use train::programs;

/// Steps of a submission whose recording is measured.
const STEPS: u64 = 16;

fn kernels(criterion: &mut Criterion) {
    for name in ["W1", "W2", "W3"] {
        let mut seen = vec![];
        let tier = block_on(Gpu::open(None)).expect("an adapter").tier();
        // As the table says, then every product in every way.
        for choice in [None].into_iter().chain(tier.candidates().into_iter().map(Some)) {
            let (mut gpu, program) = match loaded(name, choice) {
                Err(EngineError::OutOfMemory { what, .. }) => {
                    println!(
                        "{name}: no memory for {what} where products are made as {}",
                        choice.expect("not the table's")
                    );
                    continue;
                }
                loaded => loaded.expect("an adapter"),
            };
            let dispatches: Vec<Dispatch> = gpu.dispatches(program).cloned().collect();
            for (number, dispatch) in dispatches.into_iter().enumerate() {
                let id = match dispatch.choice {
                    Some((product, variant)) => format!("{product}/{variant}"),
                    None if choice.is_none() => format!("dispatch {number}/{} {}", dispatch.kernel, dispatch.what),
                    None => continue,
                };
                if seen.contains(&id) {
                    continue;
                }
                let feed = workload(name).expect("a workload").feed(0);
                let mut group = criterion.benchmark_group(name);
                group.throughput(Throughput::Elements(dispatch.flops)); // floating-point operations
                group.bench_function(&id, |bencher| {
                    bencher.iter_custom(|times| {
                        let repeats = u32::try_from(times).expect("fewer than 2³²");
                        let seconds = block_on(gpu.time_dispatch(program, number, &feed, repeats));
                        Duration::from_secs_f64(seconds.expect("it runs")) * repeats
                    });
                });
                seen.push(id);
            }
        }
    }
}

/// The host's part of a step: inputs packed, dispatches encoded, their submission.
fn record(criterion: &mut Criterion) {
    for name in ["W1", "W2", "W3"] {
        let (mut gpu, program) = loaded(name, None).expect("an adapter");
        let w = workload(name).expect("a workload");
        let feeds: Vec<_> = (0..STEPS as usize).map(|step| w.feed(step)).collect();
        criterion.benchmark_group(name).bench_function("record a step", |bencher| {
            bencher.iter_custom(|times| {
                let mut recording = Duration::ZERO;
                for _ in 0..times.div_ceil(STEPS) {
                    let start = Instant::now();
                    block_on(gpu.submit(program, &feeds)).expect("it runs");
                    recording += start.elapsed();
                    block_on(gpu.collect()).expect("it runs");
                }
                recording.mul_f64(times as f64 / (times.div_ceil(STEPS) * STEPS) as f64)
            });
        });
    }
}

/// The training step of a workload on the best adapter, its products in the chosen way where that is said.
fn loaded(name: &str, choice: Option<Choice>) -> Result<(Gpu, Program), EngineError> {
    let w = workload(name).expect("a workload");
    let graph = programs::train(&w.config, &w.table, false).expect("a valid configuration");
    block_on(async {
        let mut gpu = Gpu::open(None).await?;
        if let Some(choice) = choice {
            gpu.choose(&products(&graph).into_iter().map(|product| (product, choice.to_string())).collect::<Choices>());
        }
        let program = gpu.load(&graph).await?;
        w.upload(&mut gpu).await?;
        Ok((gpu, program))
    })
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    kernels(&mut criterion);
    record(&mut criterion);
    criterion.final_summary();
}
