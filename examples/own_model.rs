//! An own model: no list of layers describes h = (x · V) ⊙ sigmoid(x · U), but a function over tensors does. What it
//! records is differentiated, Adam is recorded behind it, and every engine trains it, evaluates it, and goes on with what
//! another one has made.
//!
//! ```sh
//! cargo run --release -p examples --example own_model
//! ```

use anyhow::{Result, ensure};
use candle::Candle;
use cpu::Cpu;
use data::{Order, Sampling};
use engine::{Engine, Program};
use gpu::Gpu;
use graph::{DType, Feed, Graph, GraphError, HostTensor, Recorder, Tensor, Values, random};
use protocol::{Adam, EngineName, Loss, Optimizer, Rule};
use train::{
    Set, checkpoint, evaluate, optimizer,
    programs::{self, CLASSES, EVALUATION_BATCH, Table, names},
};

const IMAGES: usize = 2_000;
const BATCH: usize = 50;
const PIXELS: usize = data::SIDE * data::SIDE;
const HIDDEN: usize = 64;
const RATE: f32 = 2e-3;
const OPTIMIZER: Optimizer = Optimizer {
    rule: Rule::Adam(Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }),
    weight_decay: 0.0,
    clip_norm: None,
};
const WEIGHTS: [(&str, [usize; 2]); 3] = [("v", [PIXELS, HIDDEN]), ("u", [PIXELS, HIDDEN]), ("w", [HIDDEN, CLASSES])];

/// Scores of the classes.
fn model(x: &Tensor, [v, u, w]: &[Tensor; 3]) -> Result<Tensor, GraphError> {
    let x = x.reshape([x.shape().0[0], PIXELS])?; // [batch, pixels]
    let gate = x.matmul(u)?.sigmoid()?; // [batch, hidden]
    let hidden = x.matmul(v)?.mul(&gate)?; // [batch, hidden]
    hidden.matmul(w) // [batch, classes]
}

/// Weights, scores and the loss of each image of a batch.
fn forward(r: &Recorder, table: &Table, count: usize) -> Result<([Tensor; 3], Tensor, Tensor), GraphError> {
    let (x, labels) = programs::batch(r, table, count)?; // [count, 1, height, width], [count]
    let weights = WEIGHTS.map(|(name, shape)| r.state(name, shape));
    let scores = model(&x, &weights)?; // [count, classes]
    let losses = programs::losses(Loss::CrossEntropy, &scores, &labels.one_hot(CLASSES)?)?; // [count]
    Ok((weights, scores, losses))
}

/// One step of Adam.
fn step(table: &Table) -> Result<Graph, GraphError> {
    let r = Recorder::new();
    let (weights, _, losses) = forward(&r, table, BATCH)?;
    let loss = losses.mean_all()?; // []
    let named = WEIGHTS.iter().zip(&weights).map(|((name, _), weight)| (*name, weight));
    let rate = r.input(names::RATE, Feed::Step, [], DType::F32);
    let updates = optimizer::updates(&OPTIMIZER, &optimizer::weights(&loss, named)?, &rate)?;
    r.finish(&[(names::LOSS, &loss)], &updates)
}

/// What [`evaluate`] asks for: the loss of each image and the answer to it.
fn evaluation(table: &Table) -> Result<Graph, GraphError> {
    let r = Recorder::new();
    let (_, scores, losses) = forward(&r, table, EVALUATION_BATCH)?;
    r.finish(&[(names::LOSSES, &losses), (names::ANSWERS, &scores.arg_max()?)], &[])
}

/// Weights and Adam's moments before the first step.
fn initial() -> Values {
    let uniform = |(i, (name, [inputs, outputs])): (usize, (&str, [usize; 2]))| {
        let number = |n| (2.0 * random::uniform([1, 0], i as u32, n) - 1.0) / (inputs as f32).sqrt();
        (name.into(), HostTensor::f32([inputs, outputs], (0..(inputs * outputs) as u32).map(number).collect()))
    };
    let mut state: Values = WEIGHTS.into_iter().enumerate().map(uniform).collect();
    let moments = optimizer::initial(&OPTIMIZER.rule, state.iter().map(|(name, value)| (name.as_str(), value.shape())));
    state.extend(moments);
    state
}

/// The model on an engine.
struct Training<'e> {
    engine: &'e mut dyn Engine,
    digits: Set,
    programs: [Program; 2],
    order: Order,
}

impl<'e> Training<'e> {
    /// With the state of a file, or the first one.
    async fn new(engine: &'e mut dyn Engine, file: Option<&[u8]>) -> Result<Self> {
        let digits = Set::digits(IMAGES)?;
        let (table, resident) = programs::upload(&digits.images);
        let step = step(&table)?;
        let programs = [engine.load(&step).await?, engine.load(&evaluation(&table)?).await?];
        for (name, value) in &resident {
            engine.upload(name, value).await?;
        }
        let state = match file {
            Some(bytes) => checkpoint::state_from_bytes(bytes, step.slots().map(|(name, node)| (name, &node.shape)))?,
            None => initial(),
        };
        engine.write_state(&state).await?;
        let order = Order::new((0..IMAGES as u32).collect(), BATCH as u32, Sampling::Shuffled, 1)?;
        Ok(Training { engine, digits, programs, order })
    }

    /// Makes these steps, and returns the loss of each.
    async fn steps(&mut self, steps: std::ops::Range<u64>) -> Result<Vec<f32>> {
        let feeds = steps.map(|step| {
            let rows = HostTensor::u32([BATCH], self.order.batch(step));
            Values::from([(names::INDICES.into(), rows), (names::RATE.into(), HostTensor::scalar(RATE))])
        });
        let ran = self.engine.run(self.programs[0], &feeds.collect::<Vec<_>>()).await?;
        Ok(ran.outputs.iter().filter_map(|step| Some(step[names::LOSS].as_f32()?[0])).collect())
    }

    /// Part of right answers on the test images.
    async fn accuracy(&mut self) -> Result<f64> {
        let test: Vec<u32> = (IMAGES as u32..self.digits.images.len() as u32).collect();
        let (_, confusion) =
            evaluate(self.engine, self.programs[1], EVALUATION_BATCH, &test, &self.digits.images.labels).await?;
        Ok(confusion.accuracy())
    }
}

/// Trains on one engine, and goes on with what it has made on another. The test accuracy at the end.
async fn example(first: &mut dyn Engine, second: &mut dyn Engine, steps: u64) -> Result<f64> {
    let mut training = Training::new(first, None).await?;
    let losses = training.steps(0..steps).await?;
    losses.iter().enumerate().step_by(50).for_each(|(i, loss)| println!("step {i}: loss {loss:.3}"));
    let accuracy = training.accuracy().await?;
    let file = checkpoint::state_to_bytes(&training.engine.read_state().await?); // safetensors

    let mut again = Training::new(second, Some(&file)).await?;
    let loaded = again.accuracy().await?;
    // The same weights; sums in another order may turn an answer that is undecided.
    ensure!((loaded - accuracy).abs() < 0.01, "{accuracy} before it was saved, {loaded} after it was loaded");
    let more = again.steps(steps..steps + 50).await?;
    ensure!(more.iter().sum::<f32>() / 50.0 < losses[0] / 2.0, "it does not go on: {more:?}");
    again.accuracy().await
}

fn main() -> Result<()> {
    pollster::block_on(async {
        let mut engines: Vec<Box<dyn Engine>> =
            vec![Box::new(Cpu::open(None)?), Box::new(Candle::open(EngineName::CandleCpu, false)?)];
        match Gpu::open(None).await {
            Ok(gpu) => engines.push(Box::new(gpu)),
            Err(error) => println!("without wgpu: {error}"),
        }
        for mut engine in engines {
            println!("{} on {}", engine.device().engine, engine.device().name);
            let accuracy = example(engine.as_mut(), &mut Cpu::open(None)?, 200).await?;
            println!("test accuracy {:.1} %", 100.0 * accuracy);
        }
        Ok(())
    })
}

#[cfg(test)]
fn learns(first: &mut dyn Engine, second: &mut dyn Engine) -> Result<()> {
    let accuracy = pollster::block_on(example(first, second, 100))?;
    ensure!(accuracy > 0.8, "{accuracy}");
    Ok(())
}

#[test]
fn it_learns_on_cpu_and_goes_on_with_candle() -> Result<()> {
    learns(&mut Cpu::open(None)?, &mut Candle::open(EngineName::CandleCpu, false)?)
}

#[test]
fn it_learns_with_candle_and_goes_on_on_cpu() -> Result<()> {
    learns(&mut Candle::open(EngineName::CandleCpu, false)?, &mut Cpu::open(None)?)
}

#[test]
#[ignore = "needs an adapter: cargo test --release -p examples --example own_model -- --ignored"]
fn it_learns_on_wgpu_and_goes_on_on_cpu() -> Result<()> {
    learns(&mut pollster::block_on(Gpu::open(None))?, &mut Cpu::open(None)?)
}
