//! Operations at which candle is slow on CPU cores, as loops over f32 slices. They leave no tape, so they serve eager
//! evaluation alone.
//!
//! Work is cut into parts whose size does not depend on the number of threads, and no two parts add into one sum: the
//! result is the same bit for bit on any number of cores.

mod conv;
mod pointwise;
mod pool;
mod reduce;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

pub(crate) use conv::{conv2d, conv2d_input_grad, conv2d_weight_grad};
pub(crate) use pointwise::{binary, unary};
pub(crate) use pool::{pool2d, pool2d_grad};
pub(crate) use reduce::reduce;

/// Elements below which another thread costs more than it saves.
const GRAIN: usize = 16 * 1024;

/// A loop over slices as an operation of candle.
struct Kernel<F> {
    shape: Shape,
    run: F,
}

/// Applies `run` to the elements of x; the result has the given shape.
fn apply1(x: &Tensor, shape: &[usize], run: impl Fn(&[f32]) -> Vec<f32>) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Kernel { shape: shape.into(), run })
}

/// Applies `run` to the elements of a and b; the result has the given shape.
fn apply2(a: &Tensor, b: &Tensor, shape: &[usize], run: impl Fn(&[f32], &[f32]) -> Vec<f32>) -> Result<Tensor> {
    a.contiguous()?.apply_op2_no_bwd(&b.contiguous()?, &Kernel { shape: shape.into(), run })
}

impl<F: Fn(&[f32]) -> Vec<f32>> CustomOp1 for Kernel<F> {
    fn name(&self) -> &'static str {
        "loop over one tensor"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32((self.run)(elements(x, layout)?)), self.shape.clone()))
    }
}

impl<F: Fn(&[f32], &[f32]) -> Vec<f32>> CustomOp2 for Kernel<F> {
    fn name(&self) -> &'static str {
        "loop over two tensors"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = (self.run)(elements(a, la)?, elements(b, lb)?);
        Ok((CpuStorage::F32(y), self.shape.clone()))
    }
}

/// All elements of a contiguous tensor.
fn elements<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (from, to) = layout.contiguous_offsets().expect("the tensor was made contiguous");
    Ok(&storage.as_slice()?[from..to])
}

/// Calls `f(i, part)` for parts of `size` elements of y, the first of which is element i, on all cores.
fn for_parts(y: &mut [f32], size: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    if y.len() <= size {
        return f(0, y); // waking a thread takes longer
    }
    y.par_chunks_mut(size).enumerate().for_each(|(i, part)| f(i * size, part));
}
