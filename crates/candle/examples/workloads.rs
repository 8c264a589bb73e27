//! Training throughput of the CPU engine on the comparison workloads: `cargo run --release -p playground-candle
//! --example workloads [-- SECONDS]`.

use std::time::Instant;

use bench::{Bench, Length, workload};
use candle::Candle;
use engine::EngineName;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds: f64 = std::env::args().nth(1).map_or(Ok(3.0), |argument| argument.parse())?;
    let length = Length { regions: 3, seconds, least_steps: 0, most_seconds: seconds };
    for name in ["W1", "W2", "W3"] {
        let begun = Instant::now();
        let engine = Box::new(Candle::open(EngineName::CandleCpu, false)?);
        let timed = pollster::block_on(async {
            let mut bench = Bench::start(engine, workload(name).expect("it exists"), begun).await?;
            bench.warm_up(seconds, async || ()).await?;
            Ok::<_, bench::BenchError>(bench.measure(&length, None, async || ()).await?)
        })?;
        println!("{name} {:.1} steps/s", timed.median());
    }
    Ok(())
}
