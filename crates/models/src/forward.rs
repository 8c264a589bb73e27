//! A network applied to images, recorded.

use std::collections::HashMap;

use graph::{Conv, DType, Feed, GraphError, Pool, PoolKind, Recorder, Shape, Tensor};

use crate::{Init, Layer, Network};

/// Largest output of a layer, in elements: what 32 bits can index.
const MAX_ELEMENTS: usize = 1 << 31;
/// Weight of a new batch in batch norm's running statistics.
const MOMENTUM: f32 = 0.1;
/// Added to batch norm's variance.
const EPSILON: f32 = 1e-5;
/// The step input from which dropout makes its masks: `u32[2]`, see [`graph::random::step_key`].
pub const KEY: &str = "key";

/// What is wrong with a network.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ModelError {
    #[error("layer {} ({layer}) gets {got} but needs {need}", path(.at))]
    Layer { at: Vec<usize>, layer: &'static str, got: String, need: String },
    #[error("a network needs at least one layer")]
    Empty,
    #[error("the network ends in {got} but the task needs {need}: end with a dense layer of {classes} units")]
    Output { got: String, need: String, classes: usize },
    #[error(transparent)]
    Graph(#[from] GraphError),
}

fn path(at: &[usize]) -> String {
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
    if network.layers.is_empty() {
        return Err(ModelError::Empty);
    }
    let recorder = x.recorder();
    let (parameters, updates) = (vec![], vec![]);
    let mut context = Context { mode, init: network.init, recorder, key: None, streams: 0, parameters, updates };
    let mut names = HashMap::new();
    let mut h = x.clone();
    let mut rows = vec![];
    for (i, layer) in network.layers.iter().enumerate() {
        let (parameters, flops) = (context.count(), recorder.flops());
        h = context.layer(&network.layers, i, &h, &mut names, &Scope { prefix: String::new(), at: vec![] })?;
        let (parameters, flops) = (context.count() - parameters, recorder.flops() - flops);
        rows.push(Row { layer: layer.name(), output: h.shape().clone(), parameters, flops });
    }
    Ok(Forward { output: h, parameters: context.parameters, updates: context.updates, rows })
}

struct Context<'a> {
    mode: Mode,
    init: Init,
    recorder: &'a Recorder,
    key: Option<Tensor>,
    streams: u32,
    parameters: Vec<Parameter>,
    updates: Vec<(String, Tensor)>,
}

/// Where in nested layers we are: for names of weights, and for messages.
struct Scope {
    prefix: String,
    at: Vec<usize>,
}

impl Context<'_> {
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
        let fail = |need: &str| {
            let got = format!("{} {}", kind(x.shape()), x.shape());
            Err(ModelError::Layer { at: at.clone(), layer: layer.name(), got, need: need.into() })
        };
        let number = names.entry(layer.name()).or_default();
        *number += 1;
        let name = format!("{}{}{number}", scope.prefix, layer.name());
        // Batch norm takes the mean away, and a bias with it.
        let bias = !matches!(layers.get(i + 1), Some(Layer::BatchNorm));
        let rank = x.shape().rank();
        let y = match layer {
            Layer::Dense { .. } if rank != 2 => {
                return fail("features [batch, feature]: put a flatten layer before it");
            }
            Layer::Dense { units: 0 } => return fail("at least one unit"),
            Layer::Dense { units } => {
                let fan_in = x.shape().0[1];
                let w = self.parameter(format!("{name}.weight"), [*units, fan_in], self.weight(fan_in)); // [out, in]
                let y = x.matmul_transposed([false, true], &w)?; // [batch, out]
                match bias {
                    true => y.add(&self.parameter(format!("{name}.bias"), [*units], self.bias(fan_in)))?,
                    false => y,
                }
            }
            Layer::Conv2d { .. } | Layer::MaxPool { .. } | Layer::AveragePool { .. } | Layer::GlobalAveragePool
                if rank != 4 =>
            {
                return fail("images [batch, channel, height, width]: put it before the flatten layer");
            }
            Layer::Conv2d { filters, kernel, stride, padding } => {
                let conv = Conv { stride: *stride, padding: *padding };
                if [*filters, *kernel, *stride].contains(&0) {
                    return fail("filters, kernel and stride of at least 1");
                }
                if padding >= kernel {
                    return fail(&format!("a padding smaller than the kernel, not {padding}"));
                }
                if x.shape().0[2..].iter().any(|&size| conv.output(size, *kernel).is_none()) {
                    return fail(&format!("images of at least {kernel}×{kernel} after padding by {padding}"));
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
                    return fail("a window and a stride of at least 1");
                }
                if x.shape().0[2..].iter().any(|&size| pool.output(size).is_none()) {
                    return fail(&format!("images of at least {0}×{0}", pool.size));
                }
                x.pool2d(pool)?
            }
            Layer::GlobalAveragePool => x.mean(&[2, 3])?.reshape(&x.shape().0[..2])?, // [batch, channel]
            Layer::Relu => x.relu()?,
            Layer::LeakyRelu { slope } if !(0.0..1.0).contains(slope) => {
                return fail("a slope of at least 0 and below 1");
            }
            Layer::LeakyRelu { slope } => x.leaky_relu(*slope)?,
            Layer::Gelu => x.gelu()?,
            Layer::Tanh => x.tanh()?,
            Layer::Sigmoid => x.sigmoid()?,
            Layer::Dropout { rate } if !(0.0..1.0).contains(rate) => return fail("a rate of at least 0 and below 1"),
            Layer::Dropout { rate } => self.dropout(x, *rate)?,
            Layer::BatchNorm => self.batch_norm(&name, x)?,
            Layer::Flatten => {
                let [batch, rest @ ..] = &x.shape().0[..] else { return fail("a batch axis") };
                x.reshape([*batch, Shape::from(rest).count()])?
            }
            Layer::Residual { layers } => {
                let inner = Scope { prefix: format!("{name}."), at: at.clone() };
                let mut inner_names = HashMap::new();
                let mut h = x.clone();
                for i in 0..layers.len() {
                    h = self.layer(layers, i, &h, &mut inner_names, &inner)?;
                }
                let Some(shortcut) = self.shortcut(&name, x, h.shape())? else {
                    return fail(&format!(
                        "a path that keeps it or shrinks images evenly, not one that ends in {}",
                        h.shape()
                    ));
                };
                h.add(&shortcut)?
            }
        };
        if y.shape().count() > MAX_ELEMENTS {
            return fail(&format!("to stay below {MAX_ELEMENTS} elements, its output {} does not", y.shape()));
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
        let y = x.conv2d(&w, conv)?; // [batch, filters, height, width]
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
        let (centred, variance) = match self.mode {
            Mode::Evaluate => (x.sub(&running_mean.reshape(wide.clone())?)?, running_var.reshape(wide)?),
            Mode::Train => {
                let mean = x.mean(axes)?; // [1, features, 1, 1]
                let centred = x.sub(&mean)?;
                let variance = centred.square()?.mean(axes)?; // [1, features, 1, 1]
                // The running variance is the unbiased one, as in PyTorch.
                let count = axes.iter().map(|&a| x.shape().0[a]).product::<usize>();
                let unbiased = variance.scale(count as f32 / (count.max(2) - 1) as f32)?;
                for (slot, old, new) in [(mean_slot, running_mean, mean), (var_slot, running_var, unbiased)] {
                    let new = new.reshape([features])?;
                    self.updates.push((slot, old.scale(1.0 - MOMENTUM)?.add(&new.scale(MOMENTUM)?)?));
                }
                (centred, variance)
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

fn kind(shape: &Shape) -> &'static str {
    match shape.rank() {
        4 => "images",
        2 => "features",
        _ => "a tensor",
    }
}
