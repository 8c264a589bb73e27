//! An own model: no list of layers describes h = (x · V) ⊙ sigmoid(x · U), but a function over tensors does. What it
//! records is differentiated, and every engine trains it.
//!
//! ```sh
//! cargo run --release -p examples --example own_model
//! ```

use anyhow::Result;
use candle::Candle;
use data::{Order, Sampling, digits};
use engine::Engine;
use graph::{DType, Feed, Graph, GraphError, HostTensor, Recorder, Tensor, Values, gradients, random};
use protocol::EngineName;

const IMAGES: usize = 2_000;
const BATCH: usize = 50;
const HIDDEN: usize = 64;
const RATE: f32 = 0.2;
const WEIGHTS: [(&str, [usize; 2]); 3] = [("v", [784, HIDDEN]), ("u", [784, HIDDEN]), ("w", [HIDDEN, 10])];

/// Scores of the classes.
fn model(x: &Tensor, [v, u, w]: &[Tensor; 3]) -> Result<Tensor, GraphError> {
    let gate = x.matmul(u)?.sigmoid()?; // [batch, hidden]
    let hidden = x.matmul(v)?.mul(&gate)?; // [batch, hidden]
    hidden.matmul(w) // [batch, classes]
}

/// One step of gradient descent.
fn step() -> Result<Graph, GraphError> {
    let r = Recorder::new();
    let rows = r.input("rows", Feed::Step, [BATCH], DType::U32);
    let images = r.input("images", Feed::Resident, [IMAGES, 784], DType::U8).gather(&rows)?; // [batch, pixels]
    let labels = r.input("labels", Feed::Resident, [IMAGES], DType::U8).gather(&rows)?; // [batch]
    let weights = WEIGHTS.map(|(name, shape)| r.state(name, shape));
    let scores = model(&images.to_float()?.scale(1.0 / 255.0)?, &weights)?; // [batch, classes]
    let right = scores.log_softmax()?.mul(&labels.one_hot(10)?)?; // [batch, classes]
    let loss = right.sum_all()?.scale(-1.0 / BATCH as f32)?; // []
    let mut updates = vec![];
    for ((name, _), (w, dw)) in WEIGHTS.iter().zip(weights.iter().zip(gradients(&loss, &weights.each_ref())?)) {
        updates.push((name.to_string(), w.sub(&dw.scale(RATE)?)?));
    }
    r.finish(&[("loss", &loss)], &updates)
}

/// Trains on built-in digits and returns the loss of each step.
async fn train(engine: &mut dyn Engine, steps: u64) -> Result<Vec<f32>> {
    let program = engine.load(&step()?).await?;
    let digits = digits::generate(IMAGES as u32, 1);
    engine.upload("images", &HostTensor::u8([IMAGES, 784], digits.pixels)).await?;
    engine.upload("labels", &HostTensor::u8([IMAGES], digits.labels)).await?;
    let initial = |(i, (name, [inputs, outputs])): (usize, (&str, [usize; 2]))| {
        let number = |n| (2.0 * random::uniform([1, 0], i as u32, n) - 1.0) / (inputs as f32).sqrt();
        (name.into(), HostTensor::f32([inputs, outputs], (0..(inputs * outputs) as u32).map(number).collect()))
    };
    engine.write_state(&WEIGHTS.into_iter().enumerate().map(initial).collect()).await?;
    let mut order = Order::new((0..IMAGES as u32).collect(), BATCH as u32, Sampling::Shuffled, 1)?;
    let feed = |step| Values::from([("rows".into(), HostTensor::u32([BATCH], order.batch(step)))]);
    let ran = engine.run(program, &(0..steps).map(feed).collect::<Vec<_>>()).await?;
    Ok(ran.outputs.iter().filter_map(|step| Some(step["loss"].as_f32()?[0])).collect())
}

fn main() -> Result<()> {
    let mut engine = Candle::open(EngineName::CandleCpu, false)?;
    let losses = pollster::block_on(train(&mut engine, 400))?;
    losses.iter().enumerate().step_by(50).for_each(|(i, loss)| println!("step {i}: loss {loss:.3}"));
    Ok(())
}

#[test]
fn it_learns() -> Result<()> {
    let mut engine = Candle::open(EngineName::CandleCpu, false)?;
    let losses = pollster::block_on(train(&mut engine, 100))?;
    assert!(losses[99] < losses[0] / 2.0, "{losses:?}");
    Ok(())
}
