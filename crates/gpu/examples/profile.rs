//! Where the time of a step goes, kernel by kernel: `cargo run --release -p playground-gpu --example profile -- W2`.

use bench::workload;
use gpu::{Dispatch, Gpu};
use pollster::block_on;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).unwrap_or("W1".into());
    let w = workload(&name).ok_or("W1, W2 or W3")?;
    block_on(async {
        let mut gpu = Gpu::open(None).await?;
        let program = w.load(&mut gpu).await?;
        let dispatches: Vec<Dispatch> = gpu.dispatches(program).cloned().collect();
        let (mut all, mut firsts) = (0.0, 0.0);
        for (number, dispatch) in dispatches.iter().enumerate() {
            let clock = std::time::Instant::now();
            gpu.time_dispatch(program, number, &w.feed(0), 1).await?;
            let first = clock.elapsed().as_secs_f64();
            firsts += first;
            let mut best = f64::INFINITY;
            for _ in 0..5 {
                best = best.min(gpu.time_dispatch(program, number, &w.feed(0), 10).await?);
            }
            all += best;
            let speed = dispatch.flops as f64 / best / 1e9;
            let (best, first) = (1000.0 * best, 1000.0 * first);
            println!(
                "{number:>3} {:<20}{:<28}{best:>9.3} ms{speed:>8.1} GFLOP/s, first{first:>8.1} ms",
                dispatch.kernel, dispatch.what
            );
        }
        println!("{:>47}{:>10.3} ms, first {:.1} ms", "all", 1000.0 * all, 1000.0 * firsts);
        Ok(())
    })
}
