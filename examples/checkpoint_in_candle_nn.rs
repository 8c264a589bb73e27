//! A checkpoint of the playground in plain candle-nn code: the same weights, the same test accuracy.
//!
//! ```sh
//! cargo run --release -p examples --example checkpoint_in_candle_nn
//! ```

mod plain_cnn;

use anyhow::{Result, ensure};
use candle::Candle;
use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use data::{Images, digits};
use plain_cnn::{Cnn, tensors};
use protocol::{EngineName, Event, Length, RunConfig, Split, preset};
use train::{Run, Samples};

fn main() -> Result<()> {
    example(5_000, 300)
}

fn example(training: u32, steps: u64) -> Result<()> {
    let test = digits::generate(1_000, 2);
    // The file that `playground-cli train --preset cnn --save FILE` writes holds such bytes.
    let (checkpoint, ours) = pollster::block_on(train_in_playground(training, steps, test.clone()))?;

    let weights = VarBuilder::from_buffered_safetensors(checkpoint, DType::F32, &Device::Cpu)?;
    let (x, labels) = tensors(&test)?;
    let theirs = Cnn::new(&weights)?.accuracy(&x, &labels)?;

    println!("test accuracy in the playground {ours}, in candle-nn {theirs}");
    ensure!(ours == theirs, "the accuracies differ");
    Ok(())
}

/// The checkpoint of a run at its end, and its test accuracy.
async fn train_in_playground(training: u32, steps: u64, test: Images) -> Result<(Vec<u8>, f64)> {
    let mut config = RunConfig { length: Length::Steps(steps), ..preset("cnn")? };
    config.dataset.split = Split::Standard { validation: Some(0) };
    let mut images = digits::generate(training, 1);
    images.append(test)?;
    let samples = Samples::new("digits".into(), images, training as usize, &config, 0.0)?;
    let engine = Candle::open(EngineName::CandleCpu, false)?;
    let (mut run, _) = Run::start(Box::new(engine), config, samples, None).await?;
    loop {
        match run.advance().await.pop() {
            Some(Event::Finished(summary)) => return Ok((run.checkpoint().await?.to_bytes(), summary.test_accuracy)),
            Some(Event::Failed { failure, .. }) => anyhow::bail!(failure.message),
            _ => {}
        }
    }
}

#[test]
fn accuracies_are_equal() -> Result<()> {
    example(640, 20)
}
