//! Bounds, checked before anything is allocated.

use models::{Init, Layer};

use crate::{Adam, Command, Length, Rule, RunConfig, ScheduleShape, Split, VERSION};

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ConfigError {
    #[error("the configuration is not valid: {0}")]
    Json(String),
    #[error("`{name}` is {value}, but must be {need}")]
    Bound { name: &'static str, value: String, need: String },
    #[error("this run's optimizer has no momentum")]
    NoMomentum,
    #[error("there is no `{key}` to set in `{path}`: `show` prints the configuration with all its keys")]
    Set { path: String, key: String },
    #[error("there is no preset `{name}`: choose one of {}", known.join(", "))]
    Preset { name: String, known: Vec<String> },
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
        require("version", self.version, self.version == VERSION, &format!("{VERSION}: written by another release?"))?;
        within("batch", self.batch, 1, MAX_BATCH)?;
        within("seed", self.seed, 0, MAX_SEED)?;
        within("dataset.digits", self.dataset.digits, 1, MAX_DIGITS)?;
        match self.length {
            Length::Epochs(n) => within("length.epochs", n, 1, MAX_EPOCHS)?,
            Length::Steps(n) => within("length.steps", n, 0, MAX_STEPS)?,
        }
        match self.dataset.split {
            Split::Standard { validation } => within("dataset.split.standard.validation", validation, 0, 1_000_000)?,
            Split::Random { test } => open("dataset.split.random.test", test, 0.0, 1.0)?,
        }
        self.check_optimizer()?;
        self.check_schedule()?;
        if let Some(every) = self.evaluate_every {
            within("evaluate_every", every, 1, MAX_STEPS)?;
        }
        if let Some(accuracy) = self.stop.accuracy {
            require("stop.accuracy", accuracy, accuracy > 0.0 && accuracy <= 1.0, "above 0 and at most 1")?;
        }
        if let Some(patience) = self.stop.patience {
            within("stop.patience", patience, 1, MAX_STEPS)?;
        }
        if let Some(seconds) = self.stop.seconds {
            require("stop.seconds", seconds, seconds > 0.0 && seconds < 1e9, "above 0 and below 1e9")?;
        }
        let network = self.network()?;
        within("the number of layers", Layer::count(&network.layers), 1, MAX_LAYERS)?;
        if let Init::Normal { std } = network.init {
            require("model.network.init.normal.std", std, (0.0..=100.0).contains(&std), "0 to 100")?;
        }
        check_layers(&network.layers)
    }

    fn check_optimizer(&self) -> Result<(), ConfigError> {
        let optimizer = &self.optimizer;
        let decay = optimizer.weight_decay;
        require("optimizer.weight_decay", decay, (0.0..=1.0).contains(&decay), "0 to 1")?;
        if let Some(norm) = optimizer.clip_norm {
            require("optimizer.clip_norm", norm, norm > 0.0 && norm.is_finite(), "above 0")?;
        }
        match optimizer.rule {
            Rule::Sgd => Ok(()),
            Rule::Momentum { momentum } | Rule::Nesterov { momentum } => check_momentum(momentum),
            Rule::Adam(Adam { beta1, beta2, epsilon }) | Rule::AdamW(Adam { beta1, beta2, epsilon }) => {
                decays("optimizer.rule.beta1", beta1)?;
                decays("optimizer.rule.beta2", beta2)?;
                require("optimizer.rule.epsilon", epsilon, epsilon > 0.0 && epsilon <= 1.0, "above 0 and at most 1")
            }
        }
    }

    fn check_schedule(&self) -> Result<(), ConfigError> {
        let schedule = &self.schedule;
        check_rate(schedule.rate)?;
        within("schedule.warm_up", schedule.warm_up, 0, MAX_STEPS)?;
        let part =
            |value: f32| require("schedule.shape.factor", value, value > 0.0 && value <= 1.0, "above 0, at most 1");
        match schedule.shape {
            ScheduleShape::Step { epochs, factor } => {
                within("schedule.shape.step.epochs", epochs, 1, MAX_EPOCHS)?;
                part(factor)
            }
            ScheduleShape::Exponential { factor } => part(factor),
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
            Command::Momentum { momentum } => check_momentum(*momentum),
            Command::Pause | Command::Resume | Command::Step | Command::Rewind | Command::Stop => Ok(()),
        }
    }
}

fn check_momentum(momentum: f32) -> Result<(), ConfigError> {
    decays("optimizer.rule.momentum", momentum)
}

fn decays(name: &'static str, value: f32) -> Result<(), ConfigError> {
    require(name, value, (0.0..1.0).contains(&value), "at least 0 and below 1")
}

fn check_rate(rate: f32) -> Result<(), ConfigError> {
    require("schedule.rate", rate, (0.0..=1000.0).contains(&rate), "0 to 1000")
}

/// Sizes along one axis, so that no product of a few of them overflows; what fits together is for shape inference.
fn check_layers(layers: &[Layer]) -> Result<(), ConfigError> {
    for layer in layers {
        match layer {
            Layer::Dense { units } => within("units", *units, 1, MAX_UNITS)?,
            Layer::Conv2d { filters, kernel, stride, padding } => {
                within("filters", *filters, 1, MAX_UNITS)?;
                within("kernel", *kernel, 1, MAX_KERNEL)?;
                within("stride", *stride, 1, MAX_KERNEL)?;
                within("padding", *padding, 0, MAX_KERNEL)?;
            }
            Layer::MaxPool { size, stride } | Layer::AveragePool { size, stride } => {
                within("size", *size, 1, MAX_KERNEL)?;
                within("stride", stride.unwrap_or(*size), 1, MAX_KERNEL)?;
            }
            Layer::Residual { layers } => check_layers(layers)?,
            Layer::GlobalAveragePool
            | Layer::Relu
            | Layer::LeakyRelu { .. }
            | Layer::Gelu
            | Layer::Tanh
            | Layer::Sigmoid
            | Layer::Dropout { .. }
            | Layer::BatchNorm
            | Layer::Flatten => {}
        }
    }
    Ok(())
}

fn require(name: &'static str, value: impl ToString, holds: bool, need: &str) -> Result<(), ConfigError> {
    match holds {
        true => Ok(()),
        false => Err(ConfigError::Bound { name, value: value.to_string(), need: need.into() }),
    }
}

fn within<T: PartialOrd + ToString>(name: &'static str, value: T, low: T, high: T) -> Result<(), ConfigError> {
    let need = format!("{} to {}", low.to_string(), high.to_string());
    require(name, value.to_string(), value >= low && value <= high, &need)
}

fn open(name: &'static str, value: f64, low: f64, high: f64) -> Result<(), ConfigError> {
    require(name, value, value > low && value < high, &format!("above {low} and below {high}"))
}
