//! The description of a network: plain data that a person can write.

use serde::{Deserialize, Serialize};

/// One layer. Images are `[batch, channel, height, width]`, features `[batch, feature]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// Fully connected: `[batch, in]` to `[batch, units]`.
    Dense {
        /// Outputs.
        units: usize,
    },
    /// Convolution with a square kernel and zero padding.
    Conv2d {
        /// Output channels.
        filters: usize,
        /// Side of the kernel.
        kernel: usize,
        /// Step between output positions.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        stride: usize,
        /// Rows and columns of zeros on each side.
        #[serde(default, skip_serializing_if = "is_zero")]
        padding: usize,
    },
    /// Largest element of each window.
    MaxPool {
        /// Side of the window, and the step where no stride is given.
        size: usize,
        /// Step between windows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<usize>,
    },
    /// Mean of each window.
    AveragePool {
        /// Side of the window, and the step where no stride is given.
        size: usize,
        /// Step between windows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stride: Option<usize>,
    },
    /// Mean of each channel: `[batch, channel, height, width]` to `[batch, channel]`.
    GlobalAveragePool,
    /// max(x, 0)
    Relu,
    /// x where positive, else slope · x.
    LeakyRelu {
        /// Slope of the negative side, in [0, 1).
        #[serde(default = "hundredth")]
        slope: f32,
    },
    /// Gaussian error linear unit, tanh approximation.
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
    /// In training, zeroes each element with probability `rate` and scales the rest by 1 / (1 - rate).
    Dropout {
        /// Probability, in [0, 1).
        rate: f32,
    },
    /// Normalises each channel (or feature) over the batch; running statistics in evaluation. Ioffe and Szegedy,
    /// arXiv 1502.03167; momentum 0.1 and epsilon 1e-5 as in PyTorch.
    BatchNorm,
    /// Images to features.
    Flatten,
    /// x + layers(x). Where the shapes differ, x goes through a 1×1 convolution and batch norm (He et al., arXiv
    /// 1512.03385, option B).
    Residual {
        /// The path beside the shortcut.
        layers: Vec<Layer>,
    },
}

fn one() -> usize {
    1
}

fn is_one(n: &usize) -> bool {
    *n == 1
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

fn hundredth() -> f32 {
    0.01
}

impl Layer {
    graph::names! {
        Layer::Dense { .. } => "dense",
        Layer::Conv2d { .. } => "conv",
        Layer::MaxPool { .. } => "max_pool",
        Layer::AveragePool { .. } => "average_pool",
        Layer::GlobalAveragePool => "global_average_pool",
        Layer::Relu => "relu",
        Layer::LeakyRelu { .. } => "leaky_relu",
        Layer::Gelu => "gelu",
        Layer::Tanh => "tanh",
        Layer::Sigmoid => "sigmoid",
        Layer::Dropout { .. } => "dropout",
        Layer::BatchNorm => "bn",
        Layer::Flatten => "flatten",
        Layer::Residual { .. } => "residual",
    }

    /// Layers including those inside residual blocks.
    pub fn count(layers: &[Layer]) -> usize {
        let inner = |layer: &Layer| match layer {
            Layer::Residual { layers } => Layer::count(layers),
            _ => 0,
        };
        layers.iter().map(|layer| 1 + inner(layer)).sum()
    }
}

/// How weights begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Init {
    /// Weights and biases uniform in ±1/√fan_in: the default of PyTorch's layers (He et al., arXiv 1502.01852, with
    /// a = √5).
    #[default]
    FanIn,
    /// Weights normal with this standard deviation, biases zero.
    Normal {
        /// Standard deviation.
        std: f32,
    },
}

/// A network: layers applied in order to images `[batch, channel, height, width]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// In the order in which they are applied.
    pub layers: Vec<Layer>,
    /// Initial weights.
    #[serde(default)]
    pub init: Init,
}
