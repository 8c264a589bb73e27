//! Memory on the device: flat while a network trains, and all given back. One test and one process, since what is
//! counted is the process's.

use data::digits;
use engine::Engine;
use gpu::{Gpu, live_bytes};
use libtest_mimic::{Arguments, Failed, Trial};
use pollster::block_on;
use protocol::{RunConfig, preset};
use train::{Samples, feed, programs};

fn main() {
    let adapter = block_on(Gpu::devices()).into_iter().next().map(|device| device.name);
    let name = match &adapter {
        Some(name) => format!("device memory is flat [{name}]"),
        None => "device memory is flat [needs an adapter: apt-get install mesa-vulkan-drivers]".into(),
    };
    let trial = Trial::test(name, || block_on(is_flat())).with_ignored_flag(adapter.is_none());
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

/// 2000 steps on one engine, then twenty engines one after the other.
async fn is_flat() -> Result<(), Failed> {
    steps(2000).await?;
    for _ in 0..20 {
        steps(20).await?;
    }
    Ok(())
}

async fn steps(count: u64) -> Result<(), Failed> {
    let mut config = RunConfig { batch: 4, ..preset("mlp")? };
    config.dataset.split = protocol::Split::Standard { validation: Some(0) };
    let samples = Samples::new("digits".into(), digits::generate(80, 1), 64, &config, 0.0)?;
    let (table, resident) = programs::upload(&samples.images);
    let mut order = samples.order(&config)?;
    let mut gpu = Gpu::open(None).await?;
    let program = gpu.load(&programs::train(&config, &table, true)?).await?;
    for (name, value) in &resident {
        gpu.upload(name, value).await?;
    }
    gpu.write_state(&programs::initial(&config, table.size)?).await?;
    let before = live_bytes();
    for first in (0..count).step_by(20) {
        let feeds: Vec<_> = (first..first + 20).map(|step| feed(&config, &mut order, step, count)).collect();
        gpu.run(program, &feeds).await?;
        if live_bytes() != before {
            return Err(format!("{before} bytes became {} at step {first}", live_bytes()).into());
        }
    }
    gpu.read_state().await?;
    drop(gpu);
    match (before, live_bytes()) {
        (1.., 0) => Ok(()),
        (before, left) => Err(format!("{left} of {before} bytes are left behind").into()),
    }
}
