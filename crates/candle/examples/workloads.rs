//! Training throughput of the CPU engine on the comparison workloads: `cargo run --release -p playground-candle
//! --example workloads [-- SECONDS]`.

use std::time::Instant;

use candle::Candle;
use engine::Engine;
use protocol::EngineName;
use train::workload::workload;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds: f64 = std::env::args().nth(1).map_or(Ok(3.0), |argument| argument.parse())?;
    for name in ["W1", "W2", "W3"] {
        let workload = workload(name).ok_or("a workload")?;
        let mut engine = Candle::open(EngineName::CandleCpu, false)?;
        let rate = pollster::block_on(async {
            let program = workload.load(&mut engine).await?;
            let feeds: Vec<_> = (0..8).map(|step| workload.feed(step)).collect();
            engine.run(program, &feeds).await?; // warm
            let (start, mut steps) = (Instant::now(), 0);
            while start.elapsed().as_secs_f64() < seconds {
                engine.run(program, &feeds).await?;
                steps += feeds.len();
            }
            Ok::<f64, engine::EngineError>(steps as f64 / start.elapsed().as_secs_f64())
        })?;
        println!("{name} {rate:.1} steps/s");
    }
    Ok(())
}
