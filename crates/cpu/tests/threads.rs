//! Results are the same bit for bit for any number of threads.

use bench::workload;
use cpu::Cpu;
use engine::Engine;
use graph::Values;
use train::programs;

/// Outputs and state after some steps.
async fn run(name: &str, threads: usize) -> Result<(Vec<Values>, Values), Box<dyn std::error::Error>> {
    let workload = workload(name).ok_or("a workload")?;
    let mut engine = Cpu::open(Some(threads))?;
    let program = engine.load(&programs::train(&workload.config, &workload.table, true)?).await?;
    for (name, value) in &workload.resident {
        engine.upload(name, value).await?;
    }
    engine.write_state(&workload.state).await?;
    let feeds: Vec<Values> = (0..4).map(|step| workload.feed(step)).collect();
    let ran = engine.run(program, &feeds).await?;
    Ok((ran.outputs, engine.read_state().await?))
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for name in ["W1", "W2", "W3"] {
        let run = |threads| pollster::block_on(run(name, threads)).expect("the workload runs");
        let one = run(1);
        assert!(one.0.iter().all(|outputs| outputs["loss"].as_f32().is_some_and(|loss| loss[0].is_finite())), "{name}");
        for threads in [2, 3] {
            assert!(run(threads) == one, "{name} on {threads} threads");
        }
    }
}
