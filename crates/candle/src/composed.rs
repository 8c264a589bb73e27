//! Operations that candle has not, or has with another meaning, as a few of candle's. They run on every device, and
//! candle's tape goes through them.

use candle_core::{DType, Result, Tensor, Var};
use graph::{Conv, Pool, PoolKind};

/// The larger one, or NaN where either is; at equality b, to which the derivative goes. candle's own `maximum` shares
/// the derivative and loses a NaN in b, its `relu` has slope 1 at 0.
pub(crate) fn max(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let larger = a.gt(b)?.where_cond(a, b)?;
    a.ne(a)?.where_cond(a, &larger) // a is not equal to itself where it is NaN
}

/// 1 where a > b, else 0.
pub(crate) fn greater(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.gt(b)?.to_dtype(DType::F32)
}

/// 1 where a = b, else 0.
pub(crate) fn equal(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.eq(b)?.to_dtype(DType::F32)
}

/// Sum over axes, which stay with size 1. On CPU cores candle adds one element after the other where several axes are
/// summed at once, so there it is one axis after the other: thousands of rounding errors become a few dozen.
pub(crate) fn sum(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    match x.device().is_cpu() {
        true => axes.iter().rev().try_fold(x.clone(), |x, &axis| x.sum_keepdim(axis)),
        false => x.sum_keepdim(axes),
    }
}

/// Maximum over axes, which stay with size 1, as the mean of the elements that attain it: so the derivative is shared
/// among them, where candle's gives each of them all. NaN, which is below nothing, comes through.
pub(crate) fn reduce_max(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let most = axes.iter().try_fold(x.detach(), |most, &axis| most.max_keepdim(axis))?;
    let below = x.lt(&most.broadcast_as(x.shape())?)?;
    let zeros = x.zeros_like()?;
    let count = below.where_cond(&zeros, &x.ones_like()?)?.sum_keepdim(axes)?;
    below.where_cond(&zeros, x)?.sum_keepdim(axes)?.div(&count)
}

/// Index of the first largest element along the last axis. candle's `argmax` takes any of equal ones on a GPU.
pub(crate) fn arg_max(x: &Tensor) -> Result<Tensor> {
    let last = x.rank() - 1;
    let classes = x.dims()[last];
    let is_largest = x.eq(&x.max_keepdim(last)?.broadcast_as(x.shape())?)?;
    let indices = Tensor::arange(0, classes as u32, x.device())?.broadcast_as(x.shape())?;
    let none = Tensor::full(classes as u32 - 1, x.shape(), x.device())?;
    is_largest.where_cond(&indices, &none)?.min(last)
}

/// `[n]` labels to `[n, classes]` with a single 1 a row.
pub(crate) fn one_hot(labels: &Tensor, classes: usize) -> Result<Tensor> {
    let shape = (labels.elem_count(), classes);
    let labels = labels.to_dtype(DType::U32)?.unsqueeze(1)?.broadcast_as(shape)?;
    equal(&labels, &Tensor::arange(0, classes as u32, labels.device())?.broadcast_as(shape)?)
}

/// Pooling as candle has it: fast, but its backward pass takes only windows that tile the image, and divides the
/// gradient of a maximum by the window's area.
pub(crate) fn pool2d(x: &Tensor, pool: Pool) -> Result<Tensor> {
    match pool.kind {
        PoolKind::Max => x.max_pool2d_with_stride(pool.size, pool.stride),
        PoolKind::Average => x.avg_pool2d_with_stride(pool.size, pool.stride),
    }
}

/// Pooling that candle's tape differentiates rightly: the elements at one place of all windows are a slice of x, and
/// the slices are compared or added in row-major order, so that the first of equal maxima gets the gradient.
pub(crate) fn pool2d_on_tape(x: &Tensor, pool: Pool, shape: &[usize]) -> Result<Tensor> {
    let along = |first: usize, count: usize| {
        let positions = (0..count).map(|i| (first + i * pool.stride) as u32);
        Tensor::from_iter(positions, x.device())
    };
    let slice = |row: usize, column: usize| {
        x.contiguous()?.index_select(&along(row, shape[2])?, 2)?.index_select(&along(column, shape[3])?, 3)
    };
    let mut y = slice(0, 0)?;
    for place in 1..pool.size * pool.size {
        let next = slice(place / pool.size, place % pool.size)?;
        y = match pool.kind {
            PoolKind::Max => next.gt(&y)?.where_cond(&next, &y)?,
            PoolKind::Average => y.add(&next)?,
        };
    }
    match pool.kind {
        PoolKind::Max => Ok(y),
        PoolKind::Average => y.affine(1.0 / (pool.size * pool.size) as f64, 0.0),
    }
}

/// Gradient of pooling by x, which candle's tape finds.
pub(crate) fn pool2d_grad(x: &Tensor, g: &Tensor, pool: Pool) -> Result<Tensor> {
    let x = Var::from_tensor(&x.detach())?;
    let y = pool2d_on_tape(&x, pool, g.dims())?;
    let loss = y.mul(&g.detach())?.sum_all()?;
    match loss.backward()?.remove(&x) {
        Some(gradient) => Ok(gradient.detach()),
        None => x.zeros_like(),
    }
}

/// Gradient of a convolution by x, whose shape is given: its transpose.
pub(crate) fn conv2d_input_grad(g: &Tensor, weights: &Tensor, conv: Conv, shape: &[usize]) -> Result<Tensor> {
    // The last rows and columns of x that no window reaches; candle pads both axes alike, so one may be too long.
    let rest = |axis: usize| (shape[axis] + 2 * conv.padding - weights.dims()[axis]) % conv.stride;
    let output_padding = rest(2).max(rest(3));
    let dx = g.contiguous()?.conv_transpose2d(&weights.contiguous()?, conv.padding, output_padding, conv.stride, 1)?;
    dx.narrow(2, 0, shape[2])?.narrow(3, 0, shape[3])?.contiguous()
}

/// Gradient of a convolution by its weights, whose shape is given: a convolution of x by g in which channels and
/// images change places, stride and dilation too.
pub(crate) fn conv2d_weight_grad(x: &Tensor, g: &Tensor, conv: Conv, shape: &[usize]) -> Result<Tensor> {
    let swapped = |t: &Tensor| t.transpose(0, 1)?.contiguous();
    let dw = swapped(x)?.conv2d(&swapped(g)?, conv.padding, 1, conv.stride, 1)?; // [c, o, at least kh, at least kw]
    swapped(&dw.narrow(2, 0, shape[2])?.narrow(3, 0, shape[3])?)
}
