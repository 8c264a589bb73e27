//! What the CPU engine makes of a machine, as one table: `cargo run --release -p playground-cpu --example bench [-- SECONDS
//! [WORKLOADS [BATCHES [THREADS]]]]`, the last three with commas. Each row takes SECONDS; its rate is that of the median of
//! pieces of eight steps, the best piece is beside it. The machine's peak is what the engine's product of 2048×2048
//! matrices reaches in the same run.

use std::{collections::BTreeMap, error::Error, time::Instant};

use bench::Workload;
use cpu::Cpu;
use engine::{Engine, Program};
use graph::{Graph, HostTensor, Recorder, Values};
use pollster::block_on;
use train::programs;

const SIDE: usize = 2048;
const PIECE: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(1.0), |argument| argument.parse())?;
    let mut list = |default: &str| -> Vec<String> {
        arguments.next().as_deref().unwrap_or(default).split(',').map(Into::into).collect()
    };
    let (workloads, batches, threads) = (list("W1,W2,W3"), list("1,16,64,256,1024"), list("1,2"));
    let batches = batches.iter().map(|batch| batch.parse()).collect::<Result<Vec<usize>, _>>()?;
    let threads = threads.iter().map(|threads| threads.parse()).collect::<Result<Vec<usize>, _>>()?;

    let mut peak = BTreeMap::new();
    for &threads in &threads {
        let mut engine = Cpu::open(Some(threads))?;
        let rate = block_on(product(&mut engine, seconds))?;
        let empty = block_on(empty_step(&mut engine, seconds))?;
        peak.insert(threads, rate);
        let device = &engine.device().name;
        println!("{device}: product of {SIDE}³ {:.1} GFLOP/s, empty step {:.2} µs", rate / 1e9, empty * 1e6);
    }
    println!("\n| workload | batch | threads | steps/s | images/s | best piece | of peak | memory |");
    println!("|---|---|---|---|---|---|---|---|");
    for name in &workloads {
        for (&batch, &threads) in batches.iter().flat_map(|batch| threads.iter().map(move |threads| (batch, threads))) {
            let workload = Workload::new(name, None, Some(batch))?;
            let (graph, [median, best]) = block_on(train(&workload, threads, seconds))?;
            let share = 100.0 * graph.flops() as f64 * median / peak[&threads];
            let [steps, images, best] = [median, median * batch as f64, best * batch as f64];
            let memory = memory().map_or("not told".into(), |bytes| format!("{:.0} MB", bytes / 1e6));
            println!(
                "| {name} | {batch} | {threads} | {steps:.1} | {images:.0} | {best:.0} | {share:.0} % | {memory} |"
            );
        }
    }
    Ok(())
}

/// FLOP/s of the best of some products.
async fn product(engine: &mut Cpu, seconds: f64) -> Result<f64, Box<dyn Error>> {
    let r = Recorder::new();
    let (a, b) = (r.state("a", [SIDE, SIDE]), r.state("b", [SIDE, SIDE]));
    let graph = r.finish(&[("product", &a.matmul(&b)?)], &[])?;
    let values = |seed: usize| (0..SIDE * SIDE).map(|i| ((i * seed) % 1009) as f32 / 1009.0 - 0.5).collect();
    let [a, b] = [7919, 104_729].map(|seed| HostTensor::f32([SIDE, SIDE], values(seed)));
    let program = engine.load(&graph).await?;
    engine.write_state(&Values::from([("a".into(), a), ("b".into(), b)])).await?;
    let [_, best] = pieces(engine, program, &[Values::new()], seconds).await?;
    Ok(best * graph.flops() as f64)
}

/// Seconds of a step that does next to nothing.
async fn empty_step(engine: &mut Cpu, seconds: f64) -> Result<f64, Box<dyn Error>> {
    let r = Recorder::new();
    let count = r.state("count", []);
    let graph = r.finish(&[], &[("count".into(), count.scale(0.5)?)])?;
    let program = engine.load(&graph).await?;
    engine.write_state(&Values::from([("count".into(), HostTensor::scalar(1.0))])).await?;
    let [median, _] = pieces(engine, program, &vec![Values::new(); PIECE], seconds.min(1.0)).await?;
    Ok(1.0 / median)
}

/// The step's graph; its steps a second in the median piece and the best one.
async fn train(workload: &Workload, threads: usize, seconds: f64) -> Result<(Graph, [f64; 2]), Box<dyn Error>> {
    let graph = programs::train(&workload.config, &workload.table, false)?;
    let mut engine = Cpu::open(Some(threads))?;
    let program = workload.load(&mut engine).await?;
    let feeds: Vec<Values> = (0..PIECE).map(|step| workload.feed(step)).collect();
    let rates = pieces(&mut engine, program, &feeds, seconds).await?;
    Ok((graph, rates))
}

/// Steps a second in the median piece and the best one.
async fn pieces(
    engine: &mut Cpu,
    program: Program,
    feeds: &[Values],
    seconds: f64,
) -> Result<[f64; 2], Box<dyn Error>> {
    engine.run(program, feeds).await?; // memory is touched, threads are awake
    let (start, mut times) = (Instant::now(), vec![]);
    while times.len() < 3 || start.elapsed().as_secs_f64() < seconds {
        let begin = Instant::now();
        engine.run(program, feeds).await?;
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok([times[times.len() / 2], times[0]].map(|time| feeds.len() as f64 / time))
}

/// Bytes that this process has in memory, where the system tells.
fn memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok().map(|kilobytes: f64| kilobytes * 1024.0)
}
