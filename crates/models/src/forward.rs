//! A network applied to images, recorded.

use std::collections::HashMap;

use graph::{Conv, DType, Feed, GraphError, Pool, PoolKind, Recorder, Shape, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Init, Layer, Network};

/// Largest output of a layer, in elements: what 32 bits can index.
const MAX_ELEMENTS: usize = 1 << 31;
/// Weight of a new batch in batch norm's running statistics.
const MOMENTUM: f32 = 0.1;
/// Added to batch norm's variance.
const EPSILON: f32 = 1e-5;
/// Deviation, relative to the mean, up to which a feature of a batch counts as constant: what rounding a mean may leave.
const CONSTANT: f32 = 1e-5;
/// The step input from which dropout makes its masks: `u32[2]`, see [`graph::random::step_key`].
pub const KEY: &str = "key";

/// What is wrong with a network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ModelError {
    /// `at`: its place among the outermost layers, then among those inside, …, from 0.
    #[error("layer {} ({layer}) gets {} {got} but needs {need}", path(.at), kind(.got))]
    Layer { at: Vec<usize>, layer: &'static str, got: Shape, need: Need },
    #[error("a network needs at least one layer")]
    Empty,
    #[error("the network ends in {got} but the task needs {need}: end with a dense layer of {classes} units")]
    Output { got: Shape, need: Shape, classes: usize },
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// What a layer needs that it does not get.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Need {
    #[error("features [batch, feature]: put a flatten layer before it")]
    Features,
    #[error("images [batch, channel, height, width]: put it before the flatten layer")]
    Images,
    #[error("a batch axis")]
    Batch,
    #[error("at least one unit")]
    Unit,
    #[error("filters, kernel and stride of at least 1")]
    Kernel,
    #[error("a padding smaller than the kernel, not {padding}")]
    Padding { padding: usize },
    #[error("images of at least {kernel}×{kernel} after padding by {padding}")]
    Padded { kernel: usize, padding: usize },
    #[error("a window and a stride of at least 1")]
    Window,
    #[error("images of at least {size}×{size}")]
    Size { size: usize },
    #[error("a slope of at least 0 and below 1")]
    Slope,
    #[error("a rate of at least 0 and below 1")]
    Rate,
    #[error("a path that keeps it or shrinks images evenly, not one that ends in {end}")]
    Path { end: Shape },
    #[error("to stay below {most} elements, its output {output} does not")]
    Elements { output: Shape, most: usize },
}

/// A layer's place as a person counts: `2.1`.
pub fn path(at: &[usize]) -> String {
    at.iter().map(|i| (i + 1).to_string()).collect::<Vec<_>>().join(".")
}

/// Whether a network learns or is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropout drops, batch norm uses the batch's statistics and updates the running ones.
    Train,
    /// Nothing is random, batch norm uses the running statistics.
    Evaluate,
}

/// What a network computes in. State is f32 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Floats of 32 bits.
    #[default]
    F32,
    /// Images, weights of dense and convolutional layers, what layers make, and the gradients of all these are rounded to floats
    /// of 16 bits; sums, statistics, losses and updates are of 32 (Micikevicius et al., "Mixed Precision Training", 2018).
    F16,
}

/// How a parameter begins.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Start {
    Uniform { bound: f32 },
    Normal { std: f32 },
    Constant(f32),
}

/// A state slot of a network: a weight, a bias or a running statistic, named and laid out as candle-nn does.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Parameter {
    pub name: String,
    pub tensor: Tensor,
    pub start: Start,
    /// False for running statistics.
    pub trainable: bool,
}

/// A recorded forward pass.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Forward {
    pub output: Tensor,
    pub parameters: Vec<Parameter>,
    /// New running statistics (in [`Mode::Train`]).
    pub updates: Vec<(String, Tensor)>,
    /// What each outermost layer makes of one batch.
    pub rows: Vec<Row>,
}

/// One layer in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Row {
    /// Its place among the outermost layers, then among those inside, …, from 0.
    pub at: Vec<usize>,
    pub layer: &'static str,
    pub output: Shape,
    pub parameters: usize,
    pub flops: u64,
}

/// Records `network` applied to `x: [batch, channel, height, width]`.
///
/// # Errors
/// [`ModelError::Layer`] names the layer that does not fit, what it gets and what it needs.
pub fn forward(network: &Network, x: &Tensor, mode: Mode) -> Result<Forward, ModelError> {
    forward_in(Precision::F32, network, x, mode)
}

/// The same, in another precision.
///
/// # Errors
/// As [`forward`].
pub fn forward_in(precision: Precision, network: &Network, x: &Tensor, mode: Mode) -> Result<Forward, ModelError> {
    let mut context = Context::new(network, x, mode);
    context.precision = precision;
    let x = context.rounded(x.clone())?;
    let output = context.network(network, &x)?;
    let Context { parameters, updates, mut rows, .. } = context;
    rows.retain(|row| row.at.len() == 1);
    Ok(Forward { output, parameters, updates, rows })
}

/// What each layer of `network` makes of `x: [batch, channel, height, width]`, a residual block before the layers inside
/// it, up to the one that does not fit; and what is wrong there.
pub fn survey(network: &Network, x: &Tensor) -> (Vec<Row>, Option<ModelError>) {
    let mut context = Context::new(network, x, Mode::Evaluate);
    let mistake = context.network(network, x).err();
    (context.rows, mistake)
}

struct Context<'a> {
    mode: Mode,
    precision: Precision,
    init: Init,
    recorder: &'a Recorder,
    key: Option<Tensor>,
    streams: u32,
    parameters: Vec<Parameter>,
    updates: Vec<(String, Tensor)>,
    /// Of the layers that are done, a block before those inside it.
    rows: Vec<Row>,
}

/// Where in nested layers we are: for names of weights, and for messages.
#[derive(Default)]
struct Scope {
    prefix: String,
    at: Vec<usize>,
}

impl<'a> Context<'a> {
    fn new(network: &Network, x: &'a Tensor, mode: Mode) -> Self {
        Context {
            mode,
            precision: Precision::F32,
            init: network.init,
            recorder: x.recorder(),
            key: None,
            streams: 0,
            parameters: vec![],
            updates: vec![],
            rows: vec![],
        }
    }

    /// A value as the precision keeps it.
    fn rounded(&self, x: Tensor) -> Result<Tensor, GraphError> {
        match self.precision {
            Precision::F32 => Ok(x),
            Precision::F16 => x.f16(),
        }
    }

    fn network(&mut self, network: &Network, x: &Tensor) -> Result<Tensor, ModelError> {
        match &network.layers[..] {
            [] => Err(ModelError::Empty),
            layers => self.layers(layers, x, &Scope::default()),
        }
    }

    /// `layers` applied to `x` in order.
    fn layers(&mut self, layers: &[Layer], x: &Tensor, scope: &Scope) -> Result<Tensor, ModelError> {
        let mut names = HashMap::new();
        let mut h = x.clone();
        for (i, layer) in layers.iter().enumerate() {
            let (place, parameters, flops) = (self.rows.len(), self.count(), self.recorder.flops());
            h = self.layer(layers, i, &h, &mut names, scope)?;
            let row = Row {
                at: [&scope.at[..], &[i]].concat(),
                layer: layer.name(),
                output: h.shape().clone(),
                parameters: self.count() - parameters,
                flops: self.recorder.flops() - flops,
            };
            self.rows.insert(place, row);
        }
        Ok(h)
    }

    /// Trainable numbers so far.
    fn count(&self) -> usize {
        let counts = self.parameters.iter().filter(|p| p.trainable).map(|p| p.tensor.shape().count());
        counts.fold(0, usize::saturating_add)
    }

    /// Layer `i` of `layers` applied to `x`. `names` counts the layers of each kind in this scope.
    fn layer(
        &mut self,
        layers: &[Layer],
        i: usize,
        x: &Tensor,
        names: &mut HashMap<&'static str, usize>,
        scope: &Scope,
    ) -> Result<Tensor, ModelError> {
        let layer = &layers[i];
        let at = [&scope.at[..], &[i]].concat();
        let fail =
            |need: Need| Err(ModelError::Layer { at: at.clone(), layer: layer.name(), got: x.shape().clone(), need });
        let number = names.entry(layer.name()).or_default();
        *number += 1;
        let name = format!("{}{}{number}", scope.prefix, layer.name());
        // Batch norm takes the mean away, and a bias with it.
        let bias = !matches!(layers.get(i + 1), Some(Layer::BatchNorm));
        let rank = x.shape().rank();
        let y = match layer {
            Layer::Dense { .. } if rank != 2 => return fail(Need::Features),
            Layer::Dense { units: 0 } => return fail(Need::Unit),
            Layer::Dense { units } => {
                let fan_in = x.shape().0[1];
                let w = self.parameter(format!("{name}.weight"), [*units, fan_in], self.weight(fan_in)); // [out, in]
                let y = x.matmul_transposed([false, true], &self.rounded(w)?)?; // [batch, out]
                match bias {
                    true => y.add(&self.parameter(format!("{name}.bias"), [*units], self.bias(fan_in)))?,
                    false => y,
                }
            }
            Layer::Conv2d { .. } | Layer::MaxPool { .. } | Layer::AveragePool { .. } | Layer::GlobalAveragePool
                if rank != 4 =>
            {
                return fail(Need::Images);
            }
            Layer::Conv2d { filters, kernel, stride, padding } => {
                let conv = Conv { stride: *stride, padding: *padding };
                if [*filters, *kernel, *stride].contains(&0) {
                    return fail(Need::Kernel);
                }
                if padding >= kernel {
                    return fail(Need::Padding { padding: *padding });
                }
                if x.shape().0[2..].iter().any(|&size| conv.output(size, *kernel).is_none()) {
                    return fail(Need::Padded { kernel: *kernel, padding: *padding });
                }
                self.conv(&name, x, *filters, *kernel, conv, bias)?
            }
            Layer::MaxPool { size, stride } | Layer::AveragePool { size, stride } => {
                let pool = |kind| Pool { kind, size: *size, stride: stride.unwrap_or(*size) };
                let pool = match layer {
                    Layer::MaxPool { .. } => pool(PoolKind::Max),
                    _ => pool(PoolKind::Average),
                };
                if pool.size == 0 || pool.stride == 0 {
                    return fail(Need::Window);
                }
                if x.shape().0[2..].iter().any(|&size| pool.output(size).is_none()) {
                    return fail(Need::Size { size: pool.size });
                }
                x.pool2d(pool)?
            }
            Layer::GlobalAveragePool => x.mean(&[2, 3])?.reshape(&x.shape().0[..2])?, // [batch, channel]
            Layer::Relu => x.relu()?,
            Layer::LeakyRelu { slope } if !(0.0..1.0).contains(slope) => return fail(Need::Slope),
            Layer::LeakyRelu { slope } => x.leaky_relu(*slope)?,
            Layer::Gelu => x.gelu()?,
            Layer::Tanh => x.tanh()?,
            Layer::Sigmoid => x.sigmoid()?,
            Layer::Dropout { rate } if !(0.0..1.0).contains(rate) => return fail(Need::Rate),
            Layer::Dropout { rate } => self.dropout(x, *rate)?,
            Layer::BatchNorm => self.batch_norm(&name, x)?,
            Layer::Flatten => {
                let [batch, rest @ ..] = &x.shape().0[..] else { return fail(Need::Batch) };
                x.reshape([*batch, Shape::from(rest).count()])?
            }
            Layer::Residual { layers } => {
                let inner = Scope { prefix: format!("{name}."), at: at.clone() };
                let h = self.layers(layers, x, &inner)?;
                let Some(shortcut) = self.shortcut(&name, x, h.shape())? else {
                    return fail(Need::Path { end: h.shape().clone() });
                };
                h.add(&shortcut)?
            }
        };
        let y = self.rounded(y)?;
        if y.shape().count() > MAX_ELEMENTS {
            return fail(Need::Elements { output: y.shape().clone(), most: MAX_ELEMENTS });
        }
        Ok(y)
    }

    fn conv(
        &mut self,
        name: &str,
        x: &Tensor,
        filters: usize,
        kernel: usize,
        conv: Conv,
        bias: bool,
    ) -> Result<Tensor, GraphError> {
        let channels = x.shape().0[1];
        let fan_in = channels * kernel * kernel;
        let w = self.parameter(format!("{name}.weight"), [filters, channels, kernel, kernel], self.weight(fan_in));
        let y = x.conv2d(&self.rounded(w)?, conv)?; // [batch, filters, height, width]
        match bias {
            true => {
                let b = self.parameter(format!("{name}.bias"), [filters], self.bias(fan_in));
                y.add(&b.reshape([filters, 1, 1])?)
            }
            false => Ok(y),
        }
    }

    /// `x` brought to `shape`: as it is, or by a 1×1 convolution with batch norm; `None` where that cannot be.
    fn shortcut(&mut self, name: &str, x: &Tensor, shape: &Shape) -> Result<Option<Tensor>, GraphError> {
        if x.shape() == shape {
            return Ok(Some(x.clone()));
        }
        let (&[_, _, h, w], &[_, filters, oh, ow]) = (&x.shape().0[..], &shape.0[..]) else { return Ok(None) };
        let stride = h.div_ceil(oh.max(1));
        if stride == 0 || (h.div_ceil(stride), w.div_ceil(stride)) != (oh, ow) {
            return Ok(None);
        }
        let conv = Conv { stride, padding: 0 };
        let y = self.conv(&format!("{name}.shortcut.conv1"), x, filters, 1, conv, false)?;
        self.batch_norm(&format!("{name}.shortcut.bn1"), &y).map(Some)
    }

    fn dropout(&mut self, x: &Tensor, rate: f32) -> Result<Tensor, GraphError> {
        if self.mode == Mode::Evaluate || rate == 0.0 {
            return Ok(x.clone());
        }
        let key = self.key.get_or_insert_with(|| self.recorder.input(KEY, Feed::Step, [2], DType::U32));
        let uniform = key.random(self.streams, x.shape().clone())?;
        self.streams += 1; // each dropout layer has its own numbers
        let keep = self.recorder.constant(1.0 - rate).greater(&uniform)?; // 1 with probability 1 - rate
        x.mul(&keep)?.scale(1.0 / (1.0 - rate))
    }

    fn batch_norm(&mut self, name: &str, x: &Tensor) -> Result<Tensor, GraphError> {
        let features = x.shape().0[1];
        let (axes, wide): (&[usize], Shape) = match x.shape().rank() {
            2 => (&[0], [1, features].into()),
            _ => (&[0, 2, 3], [1, features, 1, 1].into()),
        };
        let weight =
            self.parameter(format!("{name}.weight"), [features], Start::Constant(1.0)).reshape(wide.clone())?;
        let bias = self.parameter(format!("{name}.bias"), [features], Start::Constant(0.0)).reshape(wide.clone())?;
        let (mean_slot, var_slot) = (format!("{name}.running_mean"), format!("{name}.running_var"));
        let running_mean = self.statistic(&mean_slot, features, 0.0);
        let running_var = self.statistic(&var_slot, features, 1.0);
        let (centred, variance, weight) = match self.mode {
            Mode::Evaluate => (x.sub(&running_mean.reshape(wide.clone())?)?, running_var.reshape(wide)?, weight),
            Mode::Train => {
                let mean = x.mean(axes)?; // [1, features, 1, 1]
                let centred = x.sub(&mean)?;
                let variance = centred.square()?.mean(axes)?; // [1, features, 1, 1]
                // The running variance is the unbiased one, as in PyTorch.
                let count = axes.iter().map(|&a| x.shape().0[a]).product::<usize>();
                let unbiased = variance.scale(count as f32 / (count.max(2) - 1) as f32)?;
                for (slot, old, new) in [(mean_slot, running_mean, &mean), (var_slot, running_var, &unbiased)] {
                    let new = new.reshape([features])?;
                    self.updates.push((slot, old.scale(1.0 - MOMENTUM)?.add(&new.scale(MOMENTUM)?)?));
                }
                // Of a constant feature rounding alone is left, which √ε would make larger in every layer again: each
                // engine would train something else. So such features are what the bias says, and have no derivative.
                let varies = variance.greater(&mean.square()?.scale(CONSTANT * CONSTANT)?)?; // [1, features, 1, 1]
                (centred, variance, weight.mul(&varies)?)
            }
        };
        let scale = weight.div(&variance.add_scalar(EPSILON)?.sqrt()?)?; // [1, features, 1, 1]
        centred.mul(&scale)?.add(&bias)
    }

    fn weight(&self, fan_in: usize) -> Start {
        match self.init {
            Init::FanIn => Start::Uniform { bound: 1.0 / (fan_in.max(1) as f32).sqrt() },
            Init::Normal { std } => Start::Normal { std },
        }
    }

    fn bias(&self, fan_in: usize) -> Start {
        match self.init {
            Init::FanIn => self.weight(fan_in),
            Init::Normal { .. } => Start::Constant(0.0),
        }
    }

    fn parameter(&mut self, name: String, shape: impl Into<Shape>, start: Start) -> Tensor {
        let tensor = self.recorder.state(&name, shape);
        self.parameters.push(Parameter { name, tensor: tensor.clone(), start, trainable: true });
        tensor
    }

    fn statistic(&mut self, name: &str, features: usize, value: f32) -> Tensor {
        let tensor = self.recorder.state(name, [features]);
        let start = Start::Constant(value);
        self.parameters.push(Parameter { name: name.into(), tensor: tensor.clone(), start, trainable: false });
        tensor
    }
}

/// What a tensor of this shape is called in messages.
fn kind(shape: &Shape) -> &'static str {
    match shape.rank() {
        4 => "images",
        2 => "features",
        _ => "a tensor",
    }
}
