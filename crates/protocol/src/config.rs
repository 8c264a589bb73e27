//! What is computed: everything that the numbers of a run depend on, and nothing of where it runs.

use models::{Network, Precision};
use serde::{Deserialize, Serialize};

use crate::{ConfigError, json::Json, preset, read};

/// The version of [`RunConfig`] that this program writes and reads.
pub const VERSION: u32 = 1;

/// One training run. Written as JSON; every key but `model` has a default, unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Always [`VERSION`].
    #[serde(default = "version")]
    pub version: u32,
    /// The images.
    #[serde(default)]
    pub dataset: Dataset,
    /// The network.
    pub model: Model,
    /// What is minimised.
    #[serde(default)]
    pub loss: Loss,
    /// How weights follow the gradient.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// The learning rate over the run.
    #[serde(default)]
    pub schedule: Schedule,
    /// What is computed in.
    #[serde(default, skip_serializing_if = "is_f32")]
    pub precision: Precision,
    /// Images a step.
    #[serde(default = "batch")]
    pub batch: usize,
    /// How long.
    #[serde(default)]
    pub length: Length,
    /// The one source of initial weights, split, order and dropout masks; at most 2⁵³ − 1, which JSON carries exactly.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Steps between evaluations on the validation images; none: at the end of each epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluate_every: Option<u64>,
    /// When to stop before the end.
    #[serde(default)]
    pub stop: Stop,
}

/// Which images, and what for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// `auto`, `digits`, `mnist`, `fashion-mnist`, or a folder that holds four IDX files.
    #[serde(default = "auto")]
    pub name: String,
    /// How the images are divided.
    #[serde(default)]
    pub split: Split,
    /// How batches are drawn.
    #[serde(default)]
    pub sampling: Sampling,
    /// Training images to draw where the set is `digits`; a sixth as many are drawn for the test.
    #[serde(default = "digits")]
    pub digits: usize,
}

/// How the images are divided into training, validation and test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Split {
    /// The set's own test images; `validation` of the others, at random, are kept aside.
    Standard {
        /// Number of validation images; none: as many as suit the set, see [`Split::validation`].
        #[serde(default)]
        validation: Option<usize>,
    },
    /// All images together, this part of them at random for the test, no validation images: the seed job's split.
    Random {
        /// Part of the images, in (0, 1).
        test: f64,
    },
}

impl Split {
    /// Validation images where nobody has chosen their number, and the set is not small.
    pub const VALIDATION: usize = 5_000;

    /// How many of a set's images to learn from are kept for validation: the number chosen, or else
    /// [`VALIDATION`](Split::VALIDATION), and of a small set a quarter.
    pub fn validation(&self, training: usize) -> usize {
        match *self {
            Split::Standard { validation } => validation.unwrap_or(Split::VALIDATION.min(training / 4)),
            Split::Random { .. } => 0,
        }
    }
}

/// How batches are drawn from the training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Each image once an epoch, in a new order.
    #[default]
    Shuffled,
    /// Each image independently; an epoch is ⌊n / batch⌋ steps.
    WithReplacement,
}

/// The network: one of ours by name, or one's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Model {
    /// The network of a preset.
    Preset(String),
    /// Layers.
    Network(Network),
}

/// What is minimised, a mean over the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// `−log softmax(output)[label]`
    #[default]
    CrossEntropy,
    /// Mean over the classes of (output − one-hot label)².
    MeanSquaredError,
}

/// How weights follow the gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// The rule.
    pub rule: Rule,
    /// Added to the gradient as `weight_decay · weight` (AdamW: taken from the weight as `rate · weight_decay · weight`).
    #[serde(default)]
    pub weight_decay: f32,
    /// Gradients together longer than this (Euclidean norm) are scaled down to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f32>,
}

/// An update rule, as PyTorch defines it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// w ← w − rate · g
    Sgd,
    /// v ← momentum · v + g; w ← w − rate · v
    Momentum {
        /// In [0, 1).
        #[serde(default = "momentum")]
        momentum: f32,
    },
    /// v ← momentum · v + g; w ← w − rate · (g + momentum · v)
    Nesterov {
        /// In [0, 1).
        #[serde(default = "momentum")]
        momentum: f32,
    },
    /// Kingma and Ba, arXiv 1412.6980.
    Adam(Adam),
    /// Loshchilov and Hutter, arXiv 1711.05101: weight decay apart from the gradient.
    AdamW(Adam),
}

impl Rule {
    /// The momentum, where the rule has one.
    pub fn momentum(&mut self) -> Option<&mut f32> {
        match self {
            Rule::Momentum { momentum } | Rule::Nesterov { momentum } => Some(momentum),
            Rule::Sgd | Rule::Adam(_) | Rule::AdamW(_) => None,
        }
    }
}

/// Constants of Adam and AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// Decay of the mean of gradients, in [0, 1).
    pub beta1: f32,
    /// Decay of the mean of squared gradients, in [0, 1).
    pub beta2: f32,
    /// Added to the root, above 0.
    pub epsilon: f32,
}

/// The learning rate over the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The rate that the shape scales: its largest value.
    pub rate: f32,
    /// Its course.
    #[serde(default)]
    pub shape: ScheduleShape,
    /// Steps over which the rate rises linearly at first.
    #[serde(default)]
    pub warm_up: u64,
}

/// Course of the learning rate, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScheduleShape {
    /// 1
    #[default]
    Constant,
    /// factor^⌊epoch / epochs⌋
    Step {
        /// Epochs between steps.
        epochs: u64,
        /// In (0, 1].
        factor: f32,
    },
    /// factor^epoch, changing at the beginning of each epoch.
    Exponential {
        /// In (0, 1].
        factor: f32,
    },
    /// Half a cosine down to 0 at the end of the run.
    Cosine,
    /// Smith and Topin, arXiv 1708.07120, as in PyTorch: from 1/25 up over the first 30 % of the steps and down to
    /// 1/250 000, along cosines.
    OneCycle,
}

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// ⌈n / batch⌉ steps each.
    Epochs(u64),
    /// Optimizer steps.
    Steps(u64),
}

/// When to stop before the end, judged on the validation images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stop {
    /// At this validation accuracy, in (0, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// After this many evaluations without a better validation loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
    /// After this many seconds of training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

fn is_f32(precision: &Precision) -> bool {
    *precision == Precision::F32
}

fn version() -> u32 {
    VERSION
}

fn auto() -> String {
    "auto".into()
}

fn digits() -> usize {
    20_000
}

fn batch() -> usize {
    64
}

fn seed() -> u64 {
    1
}

fn momentum() -> f32 {
    0.9
}

impl Default for Dataset {
    fn default() -> Self {
        Dataset { name: auto(), split: Split::default(), sampling: Sampling::default(), digits: digits() }
    }
}

impl Default for Split {
    fn default() -> Self {
        Split::Standard { validation: None }
    }
}

impl Default for Adam {
    fn default() -> Self {
        Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer { rule: Rule::Adam(Adam::default()), weight_decay: 0.0, clip_norm: None }
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Schedule { rate: 1e-3, shape: ScheduleShape::default(), warm_up: 0 }
    }
}

impl Default for Length {
    fn default() -> Self {
        Length::Epochs(3)
    }
}

impl RunConfig {
    /// Reads and checks a configuration, or the one in what the command `show --json` prints.
    ///
    /// # Errors
    /// Where the text is no JSON, what does not fit and what is allowed there, or what [`RunConfig::check`] finds.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let json = unwrapped(read::tree(text)?);
        checked(json.read()?, &json)
    }

    /// The configuration as a person would write it.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data with string keys serialises")
    }

    /// The configuration with one value replaced: `set("schedule.rate", "0.01")`. The value is JSON, or else a text;
    /// where one of several is chosen, its name alone will do: `set("optimizer.rule", "sgd")`.
    ///
    /// # Errors
    /// [`ConfigError::Set`] where the path leads nowhere, else as [`RunConfig::from_json`].
    pub fn set(&self, path: &str, value: &str) -> Result<Self, ConfigError> {
        self.set_all(&[(path, value)])
    }

    /// As [`RunConfig::set`], for values that fit together only; of those that contradict each other the last one counts.
    ///
    /// # Errors
    /// As [`RunConfig::set`].
    pub fn set_all(&self, values: &[(impl AsRef<str>, impl AsRef<str>)]) -> Result<Self, ConfigError> {
        // Through text, which a browser's bundle has the code for anyway.
        let text = serde_json::to_string(self).expect("plain data with string keys serialises");
        let mut json = read::tree(&text).expect("it was written just now");
        for (path, value) in values {
            let path = path.as_ref();
            let set = json.set(path, Json::typed(value.as_ref()));
            set.map_err(|key| ConfigError::Set { path: path.into(), key: key.into() })?;
        }
        checked(json.read_last()?, &json)
    }

    /// The network, with a preset's name resolved.
    ///
    /// # Errors
    /// [`ConfigError::Preset`] where no preset has that name.
    pub fn network(&self) -> Result<Network, ConfigError> {
        match &self.model {
            Model::Network(network) => Ok(network.clone()),
            Model::Preset(name) => match preset(name)?.model {
                Model::Network(network) => Ok(network),
                Model::Preset(_) => unreachable!("presets are written out as layers, which a test holds"),
            },
        }
    }
}

/// What `show --json` prints beside the configuration.
const SHOWN: [&str; 6] = ["image", "layers", "parameters", "flops", "checkpoint", "graph"];

/// The configuration in what `show --json` prints; anything else as it is.
fn unwrapped(json: Json) -> Json {
    let is_config = |(key, _): &(String, Json)| key == "config";
    match json {
        Json::Object(mut entries)
            if entries.iter().all(|entry| is_config(entry) || SHOWN.contains(&entry.0.as_str()))
                && entries.iter().filter(|entry| is_config(entry)).count() == 1 =>
        {
            let place = entries.iter().position(is_config).expect("there is one");
            entries.swap_remove(place).1
        }
        json => json,
    }
}

/// The configuration that was read from `json`, if its values are within their bounds.
fn checked(config: RunConfig, json: &Json) -> Result<RunConfig, ConfigError> {
    match config.check() {
        Ok(()) => Ok(config),
        // What is too large for our floats is told as it was written.
        Err(ConfigError::Bound { name, value, need }) if value == "inf" || value == "-inf" => {
            let value = json.at(&name).map_or(value, Json::brief);
            Err(ConfigError::Bound { name, value, need })
        }
        Err(error) => Err(error),
    }
}
