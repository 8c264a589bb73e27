//! The network of the preset `cnn` in plain candle-nn code.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Linear, Module, VarBuilder, conv2d, linear};
use data::Images;

pub(crate) struct Cnn {
    conv1: Conv2d,
    conv2: Conv2d,
    dense1: Linear,
}

impl Cnn {
    pub(crate) fn new(weights: &VarBuilder) -> Result<Self> {
        let padded = Conv2dConfig { padding: 2, ..Default::default() };
        Ok(Cnn {
            conv1: conv2d(1, 8, 5, padded, weights.pp("conv1"))?,
            conv2: conv2d(8, 16, 5, padded, weights.pp("conv2"))?,
            dense1: linear(16 * 7 * 7, 10, weights.pp("dense1"))?,
        })
    }

    /// Part of right answers.
    pub(crate) fn accuracy(&self, x: &Tensor, labels: &Tensor) -> Result<f64> {
        let right = self.forward(x)?.argmax(D::Minus1)?.eq(labels)?; // [n]
        let count = right.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>()?;
        Ok(f64::from(count) / labels.elem_count() as f64)
    }
}

impl Module for Cnn {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.conv1.forward(x)?.relu()?.max_pool2d(2)?; // [n, 8, 14, 14]
        let h = self.conv2.forward(&h)?.relu()?.max_pool2d(2)?; // [n, 16, 7, 7]
        self.dense1.forward(&h.flatten_from(1)?) // [n, 10]
    }
}

/// Images `[n, 1, height, width]` in [0, 1] and labels `[n]`.
pub(crate) fn tensors(images: &Images) -> Result<(Tensor, Tensor)> {
    let shape = (images.len(), 1, images.height, images.width);
    let x = Tensor::from_slice(&images.pixels, shape, &Device::Cpu)?.to_dtype(DType::F32)?;
    let labels = Tensor::from_slice(&images.labels, images.len(), &Device::Cpu)?.to_dtype(DType::U32)?;
    Ok(((x / 255.0)?, labels))
}
