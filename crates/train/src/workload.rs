//! The three workloads that many programs are compared on: fixed networks, eight resident batches of 64 noisy
//! templates, fixed initial weights, so that not only speeds but losses can be compared.

use engine::{Engine, EngineError, Program};
use graph::{DType, HostTensor, Values};
use models::{Init, Layer, Network};
use protocol::{Adam, Model, Optimizer, Rule, RunConfig, Schedule, preset};

use crate::{
    programs::{self, CLASSES, Table, names},
    samples::inputs,
};

const BATCH: usize = 64;
const BATCHES: usize = 8;
const PIXELS: usize = 784;

/// A workload, ready for an engine.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Network and optimizer.
    pub config: RunConfig,
    /// The resident images, f32.
    pub table: Table,
    /// Their values.
    pub resident: Values,
    /// State before the first step.
    pub state: Values,
}

/// `W1` (784-128-10, SGD 0.05), `W2` (784-800-800-10, Nesterov 0.9, 0.05) or `W3` (convolutions of 8 and 16 5×5, ReLU
/// and max pooling after each, dense 10, Adam 1e-3); cross entropy, batch 64. `None` for other names.
pub fn workload(name: &str) -> Option<Workload> {
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
    let config = RunConfig {
        model: Model::Network(Network { layers, init: Init::FanIn }),
        optimizer: Optimizer { rule, weight_decay: 0.0, clip_norm: None },
        schedule: Schedule { rate, ..Default::default() },
        batch: BATCH,
        ..preset("cnn").ok()?
    };
    let table = table(BATCH);
    let mut state = programs::initial(&config, table.size).expect("the three networks are valid");
    for (seed, (slot, value)) in (1..).zip(weights(&state)) {
        state.insert(slot, weight(seed, &value));
    }
    for (slot, value) in &mut state {
        if slot.ends_with(".bias") && !slot.starts_with("optimizer.") {
            *value = HostTensor::zeros(value.shape.clone());
        }
    }
    Some(Workload { config, table, resident: resident(BATCH), state })
}

fn table(batch: usize) -> Table {
    Table { rows: batch * BATCHES, size: [28, 28], dtype: DType::F32 }
}

impl Workload {
    /// The same network on eight batches of another size.
    pub fn with_batch(self, batch: usize) -> Self {
        Workload {
            config: RunConfig { batch, ..self.config },
            table: table(batch),
            resident: resident(batch),
            state: self.state,
        }
    }

    /// Makes the training step ready on an engine, with images and weights in place.
    ///
    /// # Errors
    /// As for [`Engine::load`] and what follows it.
    ///
    /// # Panics
    /// Never: the networks and batches here are valid.
    pub async fn load(&self, engine: &mut dyn Engine) -> Result<Program, EngineError> {
        let graph = programs::train(&self.config, &self.table, false).expect("a valid configuration");
        let program = engine.load(&graph).await?;
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

/// Uniform weights, which the harness draws as `[in, out]` or `[height, width, in, out]`, in our layout. Its convolutions
/// are `[batch, height, width, channel]`, so the columns of a dense layer behind one are permuted.
fn weight(seed: u32, like: &HostTensor) -> HostTensor {
    let axes = &like.shape.0;
    let fan_in: usize = axes[1..].iter().product();
    let bound = (6.0 / fan_in as f64).sqrt() * 0.7;
    let mut random = mulberry32(seed);
    let drawn: Vec<f32> = (0..like.shape.count()).map(|_| ((2.0 * random() - 1.0) * bound) as f32).collect();
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
    HostTensor::f32(like.shape.clone(), data)
}

/// Images and labels: a random template for each class, mixed with noise.
fn resident(batch: usize) -> Values {
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
    Values::from([
        (names::IMAGES.into(), HostTensor::f32([rows, PIXELS], images)),
        (names::LABELS.into(), HostTensor::u8([rows], labels)),
    ])
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
        let HostTensor { data: graph::HostData::U8(labels), .. } = &w1.resident["labels"] else { panic!("bytes") };
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
}
