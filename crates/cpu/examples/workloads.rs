//! Training throughput on the comparison workloads: `cargo run --release -p cpu --example workloads [-- SECONDS
//! [THREADS [WORKLOAD]]]`; one and two threads where no number is given.

use std::time::Instant;

use cpu::Cpu;
use train::{Engine, programs, workload::workload};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(3.0), |argument| argument.parse())?;
    let threads = match arguments.next() {
        Some(argument) => vec![argument.parse()?],
        None => vec![1, 2],
    };
    let only = arguments.next();
    for name in ["W1", "W2", "W3"].into_iter().filter(|name| only.as_ref().is_none_or(|only| only == name)) {
        for &threads in &threads {
            let (rate, best) = pollster::block_on(measure(name, threads, seconds))?;
            println!("{name} {threads} threads {rate:.1} steps/s, best {best:.1}");
        }
    }
    Ok(())
}

/// Steps a second over the whole time, and over the best eight steps.
async fn measure(name: &str, threads: usize, seconds: f64) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let workload = workload(name).ok_or("a workload")?;
    let mut engine = Cpu::open(Some(threads))?;
    let program = engine.load(&programs::train(&workload.config, &workload.table, false)?).await?;
    for (name, value) in &workload.resident {
        engine.upload(name, value).await?;
    }
    engine.write_state(&workload.state).await?;
    let feeds: Vec<_> = (0..8).map(|step| workload.feed(step)).collect();
    engine.run(program, &feeds).await?; // warm
    let (start, mut steps, mut best) = (Instant::now(), 0, f64::INFINITY);
    while start.elapsed().as_secs_f64() < seconds {
        let begin = Instant::now();
        engine.run(program, &feeds).await?;
        best = best.min(begin.elapsed().as_secs_f64());
        steps += feeds.len();
    }
    Ok((steps as f64 / start.elapsed().as_secs_f64(), feeds.len() as f64 / best))
}
