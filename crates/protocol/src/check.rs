//! Bounds, checked before anything is allocated.

use models::{Init, Layer};

use crate::{Adam, Command, Length, Rule, RunConfig, ScheduleShape, Split, Stop, VERSION};

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ConfigError {
    #[error("this is not JSON: {0}")]
    Json(String),
    #[error("{} is {value}, but must be {need}", owner(name))]
    Bound { name: String, value: String, need: Bounds },
    #[error("there is no `{key}` in {}: choose one of {}", owner(place), known.join(", "))]
    Unknown { place: String, key: String, known: &'static [&'static str] },
    #[error("`{key}` is missing in {}, whose keys are {}", owner(place), known.join(", "))]
    Missing { place: String, key: &'static str, known: &'static [&'static str] },
    #[error("`{name}` is given twice")]
    Twice { name: String },
    #[error("there is no `{key}` to set in `{path}`: `show` prints the configuration with all its keys")]
    Set { path: String, key: String },
    #[error("this run's optimizer has no momentum")]
    NoMomentum,
    #[error("the network has {count} layers, but must have 1 to {most}")]
    Layers { count: usize, most: usize },
    #[error(
        "`{name}` is judged by validation images, and there are none: hold some back by \
         dataset.split.standard.validation, or leave it out"
    )]
    NoValidation { name: &'static str },
    #[error("there is no preset `{name}`: choose one of {}", known.join(", "))]
    Preset { name: String, known: Vec<&'static str> },
}

/// Which values are allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Bounds {
    #[error("{low} to {high}")]
    FromTo { low: String, high: String },
    #[error("at least {low} and below {high}")]
    FromBelow { low: String, high: String },
    #[error("above {low} and at most {high}")]
    AboveTo { low: String, high: String },
    #[error("above {low} and below {high}")]
    AboveBelow { low: String, high: String },
    #[error("above {low}")]
    Above { low: String },
    #[error("0 or at least {low}")]
    ZeroOrFrom { low: &'static str },
    #[error("{version}: written by another release?")]
    Version { version: u32 },
    #[error("a number")]
    Number,
    #[error("a whole number of at least 0")]
    Whole,
    #[error("text in quotes")]
    Text,
    #[error("a list")]
    List,
    #[error("a list of {length}")]
    ListOf { length: usize },
    #[error("an object{}", keys(known))]
    Object { known: &'static [&'static str] },
    #[error("one of {}", known.join(", "))]
    OneOf { known: &'static [&'static str] },
}

fn owner(place: &str) -> String {
    if place.is_empty() { "the configuration".into() } else { format!("`{place}`") }
}

fn keys(known: &[&str]) -> String {
    if known.is_empty() { " without keys".into() } else { format!(" of {}", known.join(", ")) }
}

/// Most parameters of a network.
pub const MAX_PARAMETERS: usize = 50_000_000;
/// Most images a step.
pub const MAX_BATCH: usize = 8_192;
/// Most layers, those inside residual blocks included.
pub const MAX_LAYERS: usize = 64;
/// Most epochs.
pub const MAX_EPOCHS: u64 = 1_000;
/// Most steps: exact as a float, and years of training.
pub const MAX_STEPS: u64 = 100_000_000;
/// Largest seed: JSON numbers carry it exactly.
pub const MAX_SEED: u64 = (1 << 53) - 1;
/// Most built-in digits: more would not fit beside MNIST in the 128 MiB that a WebGPU binding holds.
pub const MAX_DIGITS: usize = 140_000;
/// Most units or filters of a layer.
const MAX_UNITS: usize = 16_384;
/// Largest kernel, window, stride and padding.
const MAX_KERNEL: usize = 1_024;

impl RunConfig {
    /// Checks all that can be checked without the data.
    ///
    /// # Errors
    /// [`ConfigError::Bound`] names the value and its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        require("version", self.version, self.version == VERSION, Bounds::Version { version: VERSION })?;
        within("batch", self.batch, 1, MAX_BATCH)?;
        within("seed", self.seed, 0, MAX_SEED)?;
        within("dataset.digits", self.dataset.digits, 1, MAX_DIGITS)?;
        match self.length {
            Length::Epochs(n) => within("length.epochs", n, 1, MAX_EPOCHS)?,
            Length::Steps(n) => within("length.steps", n, 0, MAX_STEPS)?,
        }
        match self.dataset.split {
            Split::Standard { validation } => check_validation(validation.unwrap_or(0), 1_000_000)?,
            Split::Random { test } => {
                require("dataset.split.random.test", test, test > 0.0 && test < 1.0, above_below("1"))?;
            }
        }
        self.check_optimizer()?;
        self.check_schedule()?;
        if let Some(every) = self.evaluate_every {
            within("evaluate_every", every, 1, MAX_STEPS)?;
        }
        self.check_stop()?;
        let network = self.network()?;
        let count = Layer::count(&network.layers);
        if count == 0 || count > MAX_LAYERS {
            return Err(ConfigError::Layers { count, most: MAX_LAYERS });
        }
        if let Init::Normal { std } = network.init {
            require("model.network.init.normal.std", std, (0.0..=100.0).contains(&std), from_to(0, 100))?;
        }
        check_layers(&network.layers, "model.network.layers")
    }

    fn check_stop(&self) -> Result<(), ConfigError> {
        let Stop { accuracy, patience, seconds } = self.stop;
        if let Some(accuracy) = accuracy {
            require("stop.accuracy", accuracy, accuracy > 0.0 && accuracy <= 1.0, part())?;
        }
        if let Some(patience) = patience {
            within("stop.patience", patience, 1, MAX_STEPS)?;
        }
        if let Some(seconds) = seconds {
            require("stop.seconds", seconds, seconds > 0.0 && seconds < 1e9, above_below("1e9"))?;
        }
        if matches!(self.dataset.split, Split::Standard { validation: None | Some(1..) }) {
            return Ok(());
        }
        let judged = [("stop.accuracy", accuracy.is_some()), ("stop.patience", patience.is_some())];
        match judged.into_iter().find(|(_, is_set)| *is_set) {
            Some((name, _)) => Err(ConfigError::NoValidation { name }),
            None => Ok(()),
        }
    }

    fn check_optimizer(&self) -> Result<(), ConfigError> {
        let optimizer = &self.optimizer;
        let decay = optimizer.weight_decay;
        require("optimizer.weight_decay", decay, (0.0..=1.0).contains(&decay), from_to(0, 1))?;
        if let Some(norm) = optimizer.clip_norm {
            require("optimizer.clip_norm", norm, norm > 0.0 && norm.is_finite(), Bounds::Above { low: "0".into() })?;
        }
        match optimizer.rule {
            Rule::Sgd => Ok(()),
            Rule::Momentum { momentum } => decays("optimizer.rule.momentum.momentum", momentum),
            Rule::Nesterov { momentum } => decays("optimizer.rule.nesterov.momentum", momentum),
            Rule::Adam(adam) => check_adam("optimizer.rule.adam", adam),
            Rule::AdamW(adam) => check_adam("optimizer.rule.adam_w", adam),
        }
    }

    fn check_schedule(&self) -> Result<(), ConfigError> {
        let schedule = &self.schedule;
        check_rate(schedule.rate)?;
        within("schedule.warm_up", schedule.warm_up, 0, MAX_STEPS)?;
        let check_factor = |name, value: f32| require(name, value, value > 0.0 && value <= 1.0, part());
        match schedule.shape {
            ScheduleShape::Step { epochs, factor } => {
                within("schedule.shape.step.epochs", epochs, 1, MAX_EPOCHS)?;
                check_factor("schedule.shape.step.factor", factor)
            }
            ScheduleShape::Exponential { factor } => check_factor("schedule.shape.exponential.factor", factor),
            ScheduleShape::Constant | ScheduleShape::Cosine | ScheduleShape::OneCycle => Ok(()),
        }
    }
}

impl Command {
    /// Checks the values in it.
    ///
    /// # Errors
    /// [`ConfigError::Bound`] names the value and its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Command::Rate { rate } => check_rate(*rate),
            Command::Momentum { momentum } => decays("optimizer.rule.momentum", *momentum),
            Command::Pause | Command::Resume | Command::Step | Command::Rewind | Command::Stop => Ok(()),
        }
    }
}

impl Split {
    /// Checks that something is left to learn from, of so many `training` images.
    ///
    /// # Errors
    /// [`ConfigError::Bound`] names the value and its bounds.
    pub fn check(&self, training: usize) -> Result<(), ConfigError> {
        check_validation(self.validation(training), training.saturating_sub(1))
    }
}

fn check_validation(validation: usize, most: usize) -> Result<(), ConfigError> {
    within("dataset.split.standard.validation", validation, 0, most)
}

fn check_adam(name: &str, Adam { beta1, beta2, epsilon }: Adam) -> Result<(), ConfigError> {
    decays(&format!("{name}.beta1"), beta1)?;
    decays(&format!("{name}.beta2"), beta2)?;
    require(&format!("{name}.epsilon"), epsilon, epsilon > 0.0 && epsilon <= 1.0, part())
}

fn decays(name: &str, value: f32) -> Result<(), ConfigError> {
    require(name, value, (0.0..1.0).contains(&value), Bounds::FromBelow { low: "0".into(), high: "1".into() })
}

fn check_rate(rate: f32) -> Result<(), ConfigError> {
    require("schedule.rate", rate, (0.0..=1000.0).contains(&rate), from_to(0, 1000))
}

/// Sizes along one axis, so that no product of a few of them overflows, and numbers that are finite; what fits together is
/// for shape inference.
fn check_layers(layers: &[Layer], place: &str) -> Result<(), ConfigError> {
    for (i, layer) in layers.iter().enumerate() {
        let within =
            |key: &str, value: usize, low: usize, high: usize| within(&format!("{place}.{i}.{key}"), value, low, high);
        let finite =
            |key: &str, value: f32| require(&format!("{place}.{i}.{key}"), value, value.is_finite(), Bounds::Number);
        match layer {
            Layer::Dense { units } => within("dense.units", *units, 1, MAX_UNITS)?,
            Layer::Conv2d { filters, kernel, stride, padding } => {
                within("conv2d.filters", *filters, 1, MAX_UNITS)?;
                within("conv2d.kernel", *kernel, 1, MAX_KERNEL)?;
                within("conv2d.stride", *stride, 1, MAX_KERNEL)?;
                within("conv2d.padding", *padding, 0, MAX_KERNEL)?;
            }
            Layer::MaxPool { size, stride } => {
                within("max_pool.size", *size, 1, MAX_KERNEL)?;
                within("max_pool.stride", stride.unwrap_or(*size), 1, MAX_KERNEL)?;
            }
            Layer::AveragePool { size, stride } => {
                within("average_pool.size", *size, 1, MAX_KERNEL)?;
                within("average_pool.stride", stride.unwrap_or(*size), 1, MAX_KERNEL)?;
            }
            Layer::LeakyRelu { slope } => finite("leaky_relu.slope", *slope)?,
            Layer::Dropout { rate } => finite("dropout.rate", *rate)?,
            Layer::Residual { layers } => check_layers(layers, &format!("{place}.{i}.residual.layers"))?,
            Layer::GlobalAveragePool
            | Layer::Relu
            | Layer::Gelu
            | Layer::Tanh
            | Layer::Sigmoid
            | Layer::BatchNorm
            | Layer::Flatten => {}
        }
    }
    Ok(())
}

fn require(name: &str, value: impl ToString, holds: bool, need: Bounds) -> Result<(), ConfigError> {
    match holds {
        true => Ok(()),
        false => Err(ConfigError::Bound { name: name.into(), value: value.to_string(), need }),
    }
}

fn within<T: PartialOrd + ToString>(name: &str, value: T, low: T, high: T) -> Result<(), ConfigError> {
    let holds = value >= low && value <= high;
    require(name, value, holds, from_to(low, high))
}

fn from_to(low: impl ToString, high: impl ToString) -> Bounds {
    Bounds::FromTo { low: low.to_string(), high: high.to_string() }
}

fn above_below(high: &str) -> Bounds {
    Bounds::AboveBelow { low: "0".into(), high: high.into() }
}

/// A part of something that is there.
fn part() -> Bounds {
    Bounds::AboveTo { low: "0".into(), high: "1".into() }
}
