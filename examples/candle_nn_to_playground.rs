//! A network that plain candle-nn code has trained, in the playground: the same weights, the same test accuracy.
//!
//! ```sh
//! cargo run --release -p examples --example candle_nn_to_playground
//! ```

mod plain_cnn;

use anyhow::{Result, ensure};
use candle::Candle;
use candle_core::{DType, Device};
use candle_nn::{AdamW, Module, Optimizer, VarBuilder, VarMap, loss::cross_entropy};
use data::{Images, digits};
use engine::Engine;
use plain_cnn::{Cnn, tensors};
use protocol::{EngineName, preset};
use train::{checkpoint::weights_from_bytes, evaluate, programs};

const BATCH: usize = 50;

fn main() -> Result<()> {
    example(5_000, 2)
}

fn example(training: u32, epochs: usize) -> Result<()> {
    let test = digits::generate(1_000, 2);
    let variables = VarMap::new();
    let network = Cnn::new(&VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
    train_plainly(&network, &variables, &digits::generate(training, 1), epochs)?;
    let (x, labels) = tensors(&test)?;
    let theirs = network.accuracy(&x, &labels)?;

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("cnn.safetensors");
    variables.save(&file)?;
    let ours = pollster::block_on(evaluate_in_playground(&std::fs::read(&file)?, &test))?;

    println!("test accuracy in candle-nn {theirs}, in the playground {ours}");
    ensure!(ours == theirs, "the accuracies differ");
    Ok(())
}

fn train_plainly(network: &Cnn, variables: &VarMap, images: &Images, epochs: usize) -> Result<()> {
    let (x, labels) = tensors(images)?;
    let mut optimizer = AdamW::new_lr(variables.all_vars(), 2e-3)?;
    for _ in 0..epochs {
        for first in (0..images.len()).step_by(BATCH) {
            let count = BATCH.min(images.len() - first);
            let scores = network.forward(&x.narrow(0, first, count)?)?; // [count, 10]
            optimizer.backward_step(&cross_entropy(&scores, &labels.narrow(0, first, count)?)?)?;
        }
    }
    Ok(())
}

/// The test accuracy of the preset `cnn` with the weights of a safetensors file.
async fn evaluate_in_playground(file: &[u8], test: &Images) -> Result<f64> {
    let config = preset("cnn")?;
    let weights = weights_from_bytes(file, &config, [test.height, test.width])?;
    let (table, resident) = programs::upload(test);
    let mut engine = Candle::open(EngineName::CandleCpu, false)?;
    for (name, value) in &resident {
        engine.upload(name, value).await?;
    }
    engine.write_state(&weights).await?;
    let graph = programs::evaluate(&config, &table)?;
    let (program, batch) = (engine.load(&graph).await?, programs::evaluation_batch(&graph));
    let rows: Vec<u32> = (0..test.len() as u32).collect();
    let (_, confusion) = evaluate(&mut engine, program, batch, &rows, &test.labels).await?;
    Ok(confusion.accuracy())
}

#[test]
fn accuracies_are_equal() -> Result<()> {
    example(500, 1)
}
