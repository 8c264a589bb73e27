//! What is measured: a network with its optimizer, first weights and images.

use data::digits;
use engine::{Engine, EngineError, Program};
use graph::{DType, Graph, HostTensor, Values};
use models::{Init, Layer, Network};
use protocol::{Adam, Model, Optimizer, Rule, RunConfig, Schedule, Split, preset};
use train::{
    inputs,
    programs::{self, BuildError, CLASSES, Table, names},
};

use crate::BenchError;

const BATCH: usize = 64;
const BATCHES: usize = 8;
/// Height and width of all images here.
const SIZE: [usize; 2] = [28, 28];
const PIXELS: usize = SIZE[0] * SIZE[1];
/// Digits that a preset is measured on, or a few fewer.
const DIGITS: usize = 2048;
/// Of the digits.
const SEED: u64 = 1;

/// A workload, ready for an engine.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Network and optimizer.
    pub config: RunConfig,
    /// The resident images: whole batches, which steps take one after the other, again and again.
    pub table: Table,
    /// Their values.
    pub resident: Values,
    /// State before the first step.
    pub state: Values,
}

/// The workload `W1`, `W2` or `W3`, see [`Workload::new`]. `None` for other names.
pub fn workload(name: &str) -> Option<Workload> {
    compared(name)?;
    Workload::new(name, None, None).ok()
}

/// What trains in a workload that other programs are measured on too.
fn compared(name: &str) -> Option<RunConfig> {
    let dense = |units| Layer::Dense { units };
    let (layers, rule, rate) = match name {
        "W1" => (vec![Layer::Flatten, dense(128), Layer::Relu, dense(10)], Rule::Sgd, 0.05),
        "W2" => {
            let layers = vec![Layer::Flatten, dense(800), Layer::Relu, dense(800), Layer::Relu, dense(10)];
            (layers, Rule::Nesterov { momentum: 0.9 }, 0.05)
        }
        "W3" => match preset("cnn").ok()?.model {
            Model::Network(network) => (network.layers, Rule::Adam(Adam::default()), 1e-3),
            Model::Preset(_) => return None,
        },
        _ => return None,
    };
    Some(RunConfig {
        model: Model::Network(Network { layers, init: Init::FanIn }),
        optimizer: Optimizer { rule, weight_decay: 0.0, clip_norm: None },
        schedule: Schedule { rate, ..Default::default() },
        batch: BATCH,
        ..preset("cnn").ok()?
    })
}

impl Workload {
    /// By name, perhaps with another optimizer or so many images a step:
    ///
    /// - `W1` (784-128-10, SGD 0.05), `W2` (784-800-800-10, Nesterov 0.9, 0.05) or `W3` (convolutions of 8 and 16 5×5, ReLU
    ///   and max pooling after each, dense 10, Adam 1e-3): cross entropy, eight batches of 64 noisy templates, fixed initial
    ///   weights, so that not only speeds but losses can be compared with other programs;
    /// - a preset, on built-in digits, from the weights of its seed.
    ///
    /// # Errors
    /// [`BenchError::Config`] for a name that nothing has, and for values out of their bounds.
    pub fn new(name: &str, optimizer: Option<Optimizer>, batch: Option<usize>) -> Result<Self, BenchError> {
        match compared(name) {
            Some(config) => Workload::prepare(config, true, optimizer, batch),
            None => Workload::prepare(preset(name)?, false, optimizer, batch),
        }
    }

    /// A network of one's own, on built-in digits, perhaps with so many images a step.
    ///
    /// # Errors
    /// [`BenchError::Config`] for values out of their bounds, [`BenchError::Build`] for a network that fits no such image.
    pub fn of(config: RunConfig, batch: Option<usize>) -> Result<Self, BenchError> {
        Workload::prepare(config, false, None, batch)
    }

    fn prepare(
        mut config: RunConfig,
        is_compared: bool,
        optimizer: Option<Optimizer>,
        batch: Option<usize>,
    ) -> Result<Self, BenchError> {
        config.dataset.split = Split::Standard { validation: Some(0) };
        config.optimizer = optimizer.unwrap_or(config.optimizer);
        config.batch = batch.unwrap_or(config.batch);
        config.check()?;
        let mut state = programs::initial(&config, SIZE)?;
        let (table, resident) = if is_compared {
            for (seed, (slot, value)) in (1..).zip(weights(&state)) {
                state.insert(slot, weight(seed, &value));
            }
            for (slot, value) in &mut state {
                if slot.ends_with(".bias") && !slot.starts_with("optimizer.") {
                    *value = HostTensor::zeros(value.shape().clone());
                }
            }
            templates(config.batch)
        } else {
            let rows = (DIGITS / config.batch).max(1) * config.batch; // whole batches
            programs::upload(&digits::generate(rows as u32, SEED))
        };
        Ok(Workload { config, table, resident, state })
    }

    /// On these images in place of its own: 28·28 numbers and a label each.
    ///
    /// # Errors
    /// [`BenchError::Images`] where they are no whole batches, [`BenchError::Label`] for a label without a class.
    pub fn with_images(mut self, pixels: Vec<f32>, labels: Vec<u8>) -> Result<Self, BenchError> {
        let (rows, batch) = (labels.len(), self.config.batch);
        if rows == 0 || !rows.is_multiple_of(batch) || pixels.len() != rows * PIXELS {
            return Err(BenchError::Images { labels: rows, pixels: pixels.len(), batch });
        }
        if let Some(&label) = labels.iter().find(|label| usize::from(**label) >= CLASSES) {
            return Err(BenchError::Label { label });
        }
        (self.table, self.resident) = uploaded(pixels, labels);
        Ok(self)
    }

    /// Gives a state slot another first value, in our layout.
    ///
    /// # Errors
    /// [`BenchError::NoSlot`], or [`BenchError::Numbers`] where these are too few or too many.
    pub fn set(&mut self, slot: &str, numbers: Vec<f32>) -> Result<(), BenchError> {
        let value = self.state.get_mut(slot).ok_or_else(|| BenchError::NoSlot { slot: slot.into() })?;
        let (got, need) = (numbers.len(), value.shape().count());
        if got != need {
            return Err(BenchError::Numbers { slot: slot.into(), got, need });
        }
        *value = HostTensor::f32(value.shape().clone(), numbers);
        Ok(())
    }

    /// The training step.
    ///
    /// # Errors
    /// [`BuildError`] where a step of this batch is too large for any device.
    pub fn graph(&self) -> Result<Graph, BuildError> {
        programs::train(&self.config, &self.table, false)
    }

    /// Makes the training step ready on an engine, with images and weights in place.
    ///
    /// # Errors
    /// As for [`Workload::graph`], and for [`Engine::load`] and what follows it.
    pub async fn load(&self, engine: &mut dyn Engine) -> Result<Program, BenchError> {
        let program = engine.load(&self.graph()?).await?;
        self.upload(engine).await?;
        Ok(program)
    }

    /// Puts images and weights on an engine.
    ///
    /// # Errors
    /// As for [`Engine::upload`].
    pub async fn upload(&self, engine: &mut dyn Engine) -> Result<(), EngineError> {
        for (name, value) in &self.resident {
            engine.upload(name, value).await?;
        }
        engine.write_state(&self.state).await
    }

    /// The step inputs of step `step`: one batch of the resident images after the other, again and again.
    pub fn feed(&self, step: usize) -> Values {
        let batch = self.config.batch;
        let first = (step % (self.table.rows / batch) * batch) as u32;
        let rows = (first..first + batch as u32).collect();
        inputs(&self.config, rows, self.config.schedule.rate, step as u64)
    }
}

/// The weights in the order of their layers: convolutions, then dense layers.
fn weights(state: &Values) -> Vec<(String, HostTensor)> {
    let weights = state.iter().filter(|(slot, _)| slot.ends_with(".weight") && !slot.starts_with("optimizer."));
    weights.map(|(slot, value)| (slot.clone(), value.clone())).collect() // `conv1` sorts before `dense1`
}

/// Uniform weights, which the harness of the comparison draws as `[in, out]` or `[height, width, in, out]`, in our layout. Its convolutions
/// are `[batch, height, width, channel]`, so the columns of a dense layer behind one are permuted.
fn weight(seed: u32, like: &HostTensor) -> HostTensor {
    let axes = &like.shape().0;
    let fan_in: usize = axes[1..].iter().product();
    let bound = (6.0 / fan_in as f64).sqrt() * 0.7;
    let mut random = mulberry32(seed);
    let drawn: Vec<f32> = (0..like.shape().count()).map(|_| ((2.0 * random() - 1.0) * bound) as f32).collect();
    let mut data = vec![0.0; drawn.len()];
    let outputs = axes[0];
    for (i, value) in drawn.into_iter().enumerate() {
        let (input, output) = (i / outputs, i % outputs);
        let input = match axes[..] {
            // [y, x, channel] to [channel, y, x]
            [_, channels, kernel, _] => input % channels * kernel * kernel + input / channels,
            // 784 features behind 16 channels of 7×7: only the convolutional workload has this shape
            [CLASSES, PIXELS] => input % 16 * 49 + input / 16,
            _ => input,
        };
        data[output * fan_in + input] = value;
    }
    HostTensor::f32(like.shape().clone(), data)
}

/// Images and labels: a random template for each class, mixed with noise.
fn templates(batch: usize) -> (Table, Values) {
    let mut random = mulberry32(12345);
    let templates: Vec<f64> = (0..CLASSES * PIXELS).map(|_| f64::from(u8::from(random() < 0.2))).collect();
    let (mut images, mut labels) = (vec![], vec![]);
    let rows = batch * BATCHES;
    for _ in 0..rows {
        let class = (random() * CLASSES as f64) as usize;
        labels.push(class as u8);
        let template = &templates[class * PIXELS..(class + 1) * PIXELS];
        images.extend(template.iter().map(|t| (0.4 * t + 0.6 * random()) as f32));
    }
    uploaded(images, labels)
}

/// Images of numbers, as they are uploaded.
fn uploaded(pixels: Vec<f32>, labels: Vec<u8>) -> (Table, Values) {
    let rows = labels.len();
    let pixels = HostTensor::f32([rows, PIXELS], pixels);
    let resident =
        Values::from([(names::IMAGES.into(), pixels), (names::LABELS.into(), HostTensor::u8([rows], labels))]);
    (Table { rows, size: SIZE, dtype: DType::F32 }, resident)
}

/// Tommy Ettinger's generator of 2017, which the JavaScript harness of the comparison uses: uniform in [0, 1).
fn mulberry32(seed: u32) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x6D2B_79F5);
        let mut t = (state ^ (state >> 15)).wrapping_mul(1 | state);
        t = t.wrapping_add((t ^ (t >> 7)).wrapping_mul(61 | t)) ^ t;
        f64::from(t ^ (t >> 14)) / 4_294_967_296.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats<'a>(values: &'a Values, name: &str) -> &'a [f32] {
        values[name].as_f32().expect("f32")
    }

    /// Values that the JavaScript harness makes.
    #[test]
    fn data_and_weights_are_the_harness_s() {
        let w1 = workload("W1").expect("W1 exists");
        let images = floats(&w1.resident, "images");
        assert_eq!([images[0], images[1], images[783]], [0.840_028_1, 0.946_054_46, 0.061_529_156]);
        assert_eq!(images.last(), Some(&0.504_561_07));
        let graph::HostData::U8(labels) = w1.resident["labels"].data() else { panic!("bytes") };
        assert_eq!(labels[3 * 64..3 * 64 + 8], [2, 1, 5, 6, 2, 8, 0, 3]);
        let dense = floats(&w1.state, "dense1.weight"); // [128, 784]
        assert_eq!([dense[0], dense[784], dense[128 * 784 - 1]], [0.015_563_316, -0.060_902_186, 0.015_599_439]);

        let w3 = workload("W3").expect("W3 exists");
        let conv = floats(&w3.state, "conv1.weight"); // [8, 1, 5, 5]
        assert_eq!([conv[0], conv[25], conv[199]], [0.087_154_57, -0.341_052_26, -0.332_856_12]);
        let dense = floats(&w3.state, "dense1.weight"); // [10, 16 · 7 · 7]
        assert_eq!([dense[0], dense[784], dense[7839]], [0.026_972_162, -0.056_502_115, 0.050_473_76]);
        assert!(floats(&w3.state, "dense1.bias").iter().all(|&b| b == 0.0));
        assert!(workload("W4").is_none());
    }
    #[test]
    fn batches_are_whole_and_taken_in_turn() {
        for (name, batch, rows) in [("W1", 16, 128), ("softmax", 100, 2000), ("softmax", 3000, 3000)] {
            let w = Workload::new(name, None, Some(batch)).expect("valid");
            assert_eq!((w.table.rows, w.resident["labels"].shape().count()), (rows, rows), "{name}");
            let first = |step: usize| w.feed(step)["indices"].as_u32().expect("u32")[0] as usize;
            let batches = rows / batch;
            assert_eq!([first(0), first(batches - 1), first(batches)], [0, rows - batch, 0], "{name}");
        }
    }

    #[test]
    fn another_optimizer_has_the_same_weights() {
        let adam = Optimizer { rule: Rule::Adam(Adam::default()), weight_decay: 0.0, clip_norm: None };
        let (sgd, adam) = (workload("W1").expect("it exists"), Workload::new("W1", Some(adam), None).expect("valid"));
        assert!(sgd.state.iter().all(|(slot, value)| adam.state[slot] == *value));
        assert!(adam.state.keys().any(|slot| slot == "optimizer.m.dense1.weight"));
    }

    #[test]
    fn what_is_given_takes_the_place_of_what_is_known() {
        let w = || Workload::new("W1", None, Some(2)).expect("valid");
        let given = w().with_images(vec![0.5; 4 * PIXELS], vec![9, 8, 7, 6]).expect("two batches");
        assert_eq!((given.table.rows, floats(&given.resident, "images")[0]), (4, 0.5));
        let mut given = given;
        given.set("dense2.bias", vec![1.0; 10]).expect("ten numbers");
        assert_eq!(floats(&given.state, "dense2.bias"), [1.0; 10]);

        let refused = |error: Result<(), BenchError>, words: &str| {
            assert_eq!(error.expect_err("it is refused").to_string(), words);
        };
        let images = |pixels: usize, labels: &[u8]| w().with_images(vec![0.5; pixels], labels.to_vec()).map(drop);
        refused(images(0, &[]), "0 labels and 0 pixels are no whole batches of 2 images of 28×28");
        refused(images(3 * PIXELS, &[1; 3]), "3 labels and 2352 pixels are no whole batches of 2 images of 28×28");
        refused(images(2 * PIXELS - 1, &[1; 2]), "2 labels and 1567 pixels are no whole batches of 2 images of 28×28");
        refused(images(2 * PIXELS, &[1, 10]), "a label is 10, but must be below 10");
        refused(w().set("dense9.bias", vec![]), "the network has no `dense9.bias`");
        refused(w().set("dense2.bias", vec![1.0; 9]), "`dense2.bias` has 10 numbers, not 9");
        refused(Workload::new("W1", None, Some(0)).map(drop), "`batch` is 0, but must be 1 to 8192");
        assert!(Workload::new("W9", None, None).is_err());
    }
}
