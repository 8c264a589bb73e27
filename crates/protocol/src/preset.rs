//! Runs to begin with, as files: `assets/presets`.

use crate::{ConfigError, RunConfig, from_json};

/// Name, one line about it, and the configuration.
const PRESETS: &[(&str, &str, &str)] = &[
    ("softmax", "one layer: a template for each digit", include_str!("../../../assets/presets/softmax.json")),
    ("mlp", "one hidden layer of 128", include_str!("../../../assets/presets/mlp.json")),
    ("mlp-300", "one hidden layer of 300", include_str!("../../../assets/presets/mlp-300.json")),
    ("mlp-wide", "two hidden layers of 800", include_str!("../../../assets/presets/mlp-wide.json")),
    ("lenet5", "LeNet-5 with ReLU and max pooling", include_str!("../../../assets/presets/lenet5.json")),
    ("cnn", "two convolutions, one dense layer", include_str!("../../../assets/presets/cnn.json")),
    ("cnn-bn", "three convolutions with batch norm", include_str!("../../../assets/presets/cnn-bn.json")),
    ("mnist-99", "99 % on MNIST with the least work", include_str!("../../../assets/presets/mnist-99.json")),
    ("resnet-mini", "residual blocks, the most accurate", include_str!("../../../assets/presets/resnet-mini.json")),
    (
        "nolearn-dbn",
        "the 2014 CPU/GPU comparison, reproduced",
        include_str!("../../../assets/presets/nolearn-dbn.json"),
    ),
];

/// Names and descriptions of all presets.
pub fn presets() -> impl Iterator<Item = (&'static str, &'static str)> {
    PRESETS.iter().map(|(name, about, _)| (*name, *about))
}

/// The configuration of a preset.
///
/// # Errors
/// [`ConfigError::Preset`], which lists the names there are.
pub fn preset(name: &str) -> Result<RunConfig, ConfigError> {
    match PRESETS.iter().find(|(known, ..)| *known == name) {
        Some((.., json)) => {
            Ok(from_json(json).unwrap_or_else(|error| panic!("preset {name}, which a test reads: {error}")))
        }
        None => {
            let known = presets().map(|(name, _)| name).collect();
            Err(ConfigError::Preset { name: name.into(), known })
        }
    }
}
