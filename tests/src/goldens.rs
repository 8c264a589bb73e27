//! Short trainings whose losses PyTorch has computed too: `goldens/pytorch.py` says how.

use std::collections::BTreeMap;

use data::digits;
use engine::{Engine, EngineError};
use graph::{HostTensor, Values};
use protocol::{Length, RunConfig, Split, preset, presets};
use serde_json::Value;
use train::{Checkpoint, Samples, evaluate, feed, programs};

use crate::{
    compare::close,
    tolerance::{self, FLOOR},
};

/// Steps of a training, and of its schedule.
const STEPS: u64 = 10;
/// Images a step.
const BATCH: usize = 16;

/// What the presets do not cover.
const MORE: &[(&str, &str)] = &[
    (
        "mse-gelu-adamw",
        r#"{ "model": { "network": { "layers": ["flatten", { "dense": { "units": 32 } }, "gelu",
                                                { "dense": { "units": 10 } }] } },
             "loss": "mean_squared_error",
             "optimizer": { "rule": { "adam_w": {} }, "weight_decay": 0.1 },
             "schedule": { "rate": 0.003 } }"#,
    ),
    (
        "leaky-momentum-clipped",
        r#"{ "model": { "network": { "layers": ["flatten", { "dense": { "units": 32 } }, { "leaky_relu": { "slope": 0.1 } },
                                                { "dense": { "units": 10 } }] } },
             "optimizer": { "rule": { "momentum": { "momentum": 0.8 } }, "clip_norm": 1.1 },
             "schedule": { "rate": 0.1, "warm_up": 3 } }"#,
    ),
    (
        "strided-tanh-average",
        r#"{ "model": { "network": { "layers": [{ "conv2d": { "filters": 4, "kernel": 3, "stride": 2, "padding": 1 } },
                                                "tanh", { "average_pool": { "size": 3, "stride": 2 } }, "flatten",
                                                { "dense": { "units": 10 } }] } },
             "optimizer": { "rule": "sgd", "weight_decay": 0.01 },
             "schedule": { "rate": 0.3, "shape": { "step": { "epochs": 1, "factor": 0.5 } } } }"#,
    ),
    (
        "overlapping-sigmoid-adam",
        r#"{ "model": { "network": { "layers": [{ "conv2d": { "filters": 4, "kernel": 5 } },
                                                { "max_pool": { "size": 3, "stride": 2 } }, "sigmoid", "flatten",
                                                { "dense": { "units": 10 } }] } },
             "optimizer": { "rule": { "adam": { "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-4 } }, "weight_decay": 0.01 },
             "schedule": { "rate": 0.005, "shape": "cosine" } }"#,
    ),
    (
        "feature-norm-nesterov",
        r#"{ "model": { "network": { "layers": ["flatten", { "dense": { "units": 32 } }, "batch_norm", "relu",
                                                { "dense": { "units": 10 } }], "init": { "normal": { "std": 0.1 } } } },
             "optimizer": { "rule": { "nesterov": {} } },
             "schedule": { "rate": 0.05 } }"#,
    ),
];

/// A training from given weights on given batches.
pub struct Golden {
    /// A preset's, or one of ours.
    pub name: &'static str,
    config: RunConfig,
    samples: Samples,
    state: Values,
    feeds: Vec<Values>,
}

/// What a training gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The loss of each step, and at last that of all images in evaluation.
    pub losses: Vec<f32>,
    /// Right answers, likewise.
    pub hits: Vec<u32>,
}

/// All trainings.
///
/// # Panics
/// Where a configuration is not valid.
pub fn goldens() -> Vec<Golden> {
    let presets = presets().map(|(name, _)| (name, preset(name).expect("the name is in the list")));
    let more = MORE.iter().map(|(name, json)| (*name, RunConfig::from_json(json).expect("valid JSON")));
    presets.chain(more).map(|(name, config)| Golden::new(name, config)).collect()
}

impl Golden {
    fn new(name: &'static str, mut config: RunConfig) -> Self {
        if name == "nolearn-dbn" {
            config.schedule.rate /= 10.0; // made for batches of 64: on small ones its losses grow to hundreds
            config.schedule.warm_up = 0; // in ten steps of it next to nothing would move
        }
        config.batch = BATCH;
        config.length = Length::Steps(STEPS);
        config.dataset.split = Split::Standard { validation: Some(0) };
        let mut network = config.network().expect("a known preset");
        for layer in &mut network.layers {
            if let models::Layer::Dropout { rate } = layer {
                *rate = 0.0; // PyTorch has other random numbers
            }
        }
        config.model = protocol::Model::Network(network);
        let count = STEPS as usize * BATCH;
        let images = digits::generate(count as u32, config.seed);
        let state = programs::initial(&config, [images.height, images.width]).expect("a valid network");
        let samples = Samples::new("digits".into(), images, count, &config, 0.0).expect("images to train on");
        let mut order = samples.order(&config).expect("images to train on");
        let feeds = (0..STEPS).map(|step| feed(&config, &mut order, step, STEPS)).collect();
        Golden { name, config, samples, state, feeds }
    }

    /// Rows of the images of step after step.
    fn rows(&self) -> Vec<u32> {
        let rows = |feed: &Values| feed["indices"].as_u32().expect("indices are u32").to_vec();
        self.feeds.iter().flat_map(rows).collect()
    }

    /// A checkpoint before the first step, and beside its tensors `images [steps, batch, height, width]` (0 to 255),
    /// `labels [steps, batch]` and `rates [steps]`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Samples { images, .. } = &self.samples;
        let image = [images.height, images.width];
        let steps = self.feeds.len();
        let pixels = self.rows().iter().flat_map(|&row| images.image(row as usize)).map(|&p| p.into()).collect();
        let labels = self.rows().iter().map(|&row| images.labels[row as usize].into()).collect();
        let rates = self.feeds.iter().map(|feed| feed["rate"].as_f32().expect("a rate is f32")[0]).collect();
        let mut state = self.state.clone();
        state.insert("images".into(), HostTensor::f32([steps, BATCH, image[0], image[1]], pixels));
        state.insert("labels".into(), HostTensor::f32([steps, BATCH], labels));
        state.insert("rates".into(), HostTensor::f32([steps], rates));
        let (config, progress) = (self.config.clone(), Default::default());
        let (engine, choices, origin) = Default::default();
        Checkpoint { config, image, progress, engine, choices, origin, state }.to_bytes()
    }

    /// Trains and evaluates on an engine.
    ///
    /// # Errors
    /// What the engine says.
    ///
    /// # Panics
    /// Where the configuration is not valid.
    pub async fn run(&self, engine: &mut dyn Engine) -> Result<Curve, EngineError> {
        let Samples { images, .. } = &self.samples;
        let (table, resident) = programs::upload(images);
        for (name, value) in &resident {
            engine.upload(name, value).await?;
        }
        let graph = |graph: Result<_, _>| graph.expect("a valid configuration");
        let train = engine.load(&graph(programs::train(&self.config, &table, false))).await?;
        let evaluation = graph(programs::evaluate(&self.config, &table));
        let test = engine.load(&evaluation).await?;
        engine.write_state(&self.state).await?;
        let mut curve = Curve::default();
        for step in engine.run(train, &self.feeds).await?.outputs {
            let scalar = |name: &str| step[name].as_f32().expect("losses and hits are f32")[0];
            curve.losses.push(scalar("loss"));
            curve.hits.push(scalar("hits") as u32);
        }
        let rows = self.rows();
        let (loss, confusion) =
            evaluate(engine, test, programs::evaluation_batch(&evaluation), &rows, &images.labels).await?;
        curve.losses.push(loss as f32);
        curve.hits.push((confusion.accuracy() * rows.len() as f64).round() as u32);
        Ok(curve)
    }
}

/// What PyTorch found, by training.
///
/// # Panics
/// Where `goldens/losses.json` is damaged.
pub fn pytorch() -> BTreeMap<String, Curve> {
    let json: Value = serde_json::from_str(include_str!("../goldens/losses.json")).expect("the file is JSON");
    let list = |case: &Value, key: &str| case[key].as_array().expect("a list").clone();
    let curve = |(name, case): (&String, &Value)| {
        let losses = list(case, "losses").iter().map(|loss| loss.as_f64().expect("a number") as f32).collect();
        let hits = list(case, "hits").iter().map(|hits| hits.as_u64().expect("a count") as u32).collect();
        (name.clone(), Curve { losses, hits })
    };
    json["cases"].as_object().expect("trainings by name").iter().map(curve).collect()
}

/// The largest gap of any loss.
///
/// # Errors
/// Where losses or right answers do not agree.
pub fn largest_gap(name: &str, got: &Curve, want: &Curve, bound: tolerance::Golden) -> Result<f64, String> {
    if (got.losses.len(), got.hits.len()) != (want.losses.len(), want.hits.len()) {
        return Err(format!("{name}: {} steps instead of {}", got.losses.len(), want.losses.len()));
    }
    let mut largest: f64 = 0.0;
    for (step, (got, want)) in got.losses.iter().zip(&want.losses).enumerate() {
        let gap = close(&format!("{name}, step {step}"), &[*got], &[*want], FLOOR, bound.loss);
        largest = largest.max(gap.map_err(|mismatch| mismatch.to_string())?);
    }
    match got.hits.iter().zip(&want.hits).all(|(got, want)| got.abs_diff(*want) <= bound.hits) {
        true => Ok(largest),
        false => Err(format!("{name}: right answers {:?} instead of {:?}", got.hits, want.hits)),
    }
}
