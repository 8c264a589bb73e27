//! Operations that candle has not, or has with another meaning, as a few of candle's. They run on every device, and
//! candle's tape goes through them.

use candle_core::{DType, Result, Tensor};
use graph::{Conv, Pool, PoolKind};

/// The larger one, or NaN where either is; at equality b, to which the derivative goes. candle's own `maximum` shares
/// the derivative and loses a NaN in b, its `relu` has slope 1 at 0.
pub(crate) fn max(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let is_nan = a.ne(a)?; // else b would be taken, since nothing is above or below NaN
    a.gt(b)?.maximum(&is_nan)?.where_cond(a, b)
}

/// 1 where a > b, else 0.
pub(crate) fn greater(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.gt(b)?.to_dtype(DType::F32)
}

/// 1 where a = b, else 0.
pub(crate) fn equal(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.eq(b)?.to_dtype(DType::F32)
}

/// Sum over axes, which stay with size 1. Where elements do not lie side by side, candle's sum on CPU cores adds one to
/// the other in f32, with two divisions each: 2744.6846 instead of 2744.6874 for 8160 of them. So they are put side by
/// side, where it has 32 sums in vectors. These, too, drift over millions, as a batch norm has: the first axis comes last.
pub(crate) fn sum(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    if axes.is_empty() {
        return Ok(x.clone());
    }
    let rank = x.rank();
    let kept = (0..rank).filter(|axis| !axes.contains(axis));
    let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
    let first = rank - axes.len();
    let rest: Vec<usize> = (first + 1..rank).collect();
    let beside = x.permute(order)?.contiguous()?;
    let partial = if rest.is_empty() { beside } else { beside.sum(rest)? };
    partial.sum(first)?.reshape(reduced(x, axes))
}

/// The shape of x where axes are reduced to size 1.
fn reduced(x: &Tensor, axes: &[usize]) -> Vec<usize> {
    x.dims().iter().enumerate().map(|(axis, &size)| if axes.contains(&axis) { 1 } else { size }).collect()
}

/// The elements one behind the other, with strides that say so. candle's reductions on CPU cores divide by the stride of an
/// axis, which is 0 where a broadcast added it; its `contiguous` leaves such a tensor as it is.
fn dense(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.reshape(x.shape())
}

/// Maximum over axes, which stay with size 1. candle's own loses a NaN that is not the first element, and on a GPU
/// any.
pub(crate) fn reduce_max(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let x = &dense(x)?;
    let most = |x: Tensor| axes.iter().try_fold(x, |most, &axis| most.max_keepdim(axis));
    let most_of_x = most(x.clone())?;
    let nan = Tensor::full(f32::NAN, most_of_x.shape(), x.device())?;
    most(x.ne(x)?)?.where_cond(&nan, &most_of_x)
}

/// The same as the sum of what attains the maximum, each divided by their number: so candle's tape shares the derivative
/// among them, where that of its own maximum gives each of them all. NaN, which is below nothing, comes through.
pub(crate) fn reduce_max_on_tape(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let most = axes.iter().try_fold(dense(&x.detach())?, |most, &axis| most.max_keepdim(axis))?;
    let below = x.lt(&most.broadcast_as(x.shape())?)?;
    let zeros = x.zeros_like()?;
    let count = sum(&below.where_cond(&zeros, &x.ones_like()?)?, axes)?;
    sum(&below.where_cond(&zeros, &x.div(&count.broadcast_as(x.shape())?)?)?, axes)
}

/// Index of the first largest element along the last axis; as everywhere, nothing is above NaN, and NaN above nothing.
/// candle's `argmax` takes any of equal ones on a GPU.
pub(crate) fn arg_max(x: &Tensor) -> Result<Tensor> {
    let last = x.rank() - 1;
    let classes = x.dims()[last];
    let infinities = [&[f32::INFINITY][..], &vec![f32::NEG_INFINITY; classes - 1]].concat();
    let instead = Tensor::from_vec(infinities, classes, x.device())?.broadcast_as(x.shape())?; // of NaN: the first stays
    let x = dense(x)?;
    let x = x.ne(&x)?.where_cond(&instead, &x)?;
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

/// Rows of a table at indices; an error where there is no such row. candle has zeros for the largest index.
pub(crate) fn gather(table: &Tensor, indices: &Tensor) -> Result<Tensor> {
    let rows = Tensor::full(table.dims()[0] as u32, indices.shape(), table.device())?;
    table.contiguous()?.index_select(&indices.minimum(&rows)?, 0)
}

/// Pooling: the elements at one place of all windows are compared with those at the places before, or added to them.
/// candle's own maximum loses a NaN that is not the first of its window, and on a GPU any; its backward pass takes only
/// windows that tile the image, and divides the gradient of a maximum by the window's area. Here the first of equal maxima
/// gets it.
pub(crate) fn pool2d(x: &Tensor, pool: Pool, shape: &[usize]) -> Result<Tensor> {
    let mut places = places(x, pool, shape)?.into_iter();
    let first = places.next().expect("a window is not empty");
    let y = places.try_fold(first, |y, next| match pool.kind {
        PoolKind::Max => max(&next, &y),
        PoolKind::Average => y.add(&next),
    })?;
    match pool.kind {
        PoolKind::Max => Ok(y),
        PoolKind::Average => y.affine(1.0 / (pool.size * pool.size) as f64, 0.0),
    }
}

/// Gradient of pooling by x: that of each window goes to one of its places, or to all of them alike.
pub(crate) fn pool2d_grad(x: &Tensor, g: &Tensor, pool: Pool) -> Result<Tensor> {
    let g = g.contiguous()?;
    let parts = match pool.kind {
        PoolKind::Max => to_maxima(&places(x, pool, g.dims())?, &g)?,
        PoolKind::Average => vec![g.affine(1.0 / (pool.size * pool.size) as f64, 0.0)?; pool.size * pool.size],
    };
    let &[n, c, h, w] = x.dims() else { unreachable!("images have rank 4") };
    let &[_, _, oh, ow] = g.dims() else { unreachable!("images have rank 4") };
    let zeros = |height| Tensor::zeros((n, c, height, w), DType::F32, x.device());
    let mut dx = zeros(h)?;
    for (row, parts) in parts.chunks(pool.size).enumerate() {
        let mut columns = parts.iter().enumerate();
        let rows =
            columns.try_fold(zeros(oh)?, |sum, (column, part)| sum.index_add(&along(x, pool, column, ow)?, part, 3))?;
        dx = dx.index_add(&along(x, pool, row, oh)?, &rows, 2)?;
    }
    Ok(dx)
}

/// For each place, the gradients g of those windows whose first largest element stands there, and 0 for the others.
fn to_maxima(places: &[Tensor], g: &Tensor) -> Result<Vec<Tensor>> {
    let mut largest = places[0].clone();
    let mut is_above = vec![]; // all places before
    for place in &places[1..] {
        let above = place.gt(&largest)?;
        largest = above.where_cond(place, &largest)?;
        is_above.push(above);
    }
    let zeros = g.zeros_like()?;
    let mut left = g.clone(); // by the places behind
    let mut parts = vec![];
    for above in is_above.iter().rev() {
        parts.push(above.where_cond(&left, &zeros)?);
        left = above.where_cond(&zeros, &left)?;
    }
    parts.push(left);
    parts.reverse();
    Ok(parts)
}

/// The elements of x at each place of a window, in row-major order: one tensor a place, of the shape of the result.
fn places(x: &Tensor, pool: Pool, shape: &[usize]) -> Result<Vec<Tensor>> {
    let x = x.contiguous()?;
    let mut places = vec![];
    for row in 0..pool.size {
        let rows = x.index_select(&along(&x, pool, row, shape[2])?, 2)?;
        for column in 0..pool.size {
            places.push(rows.index_select(&along(&x, pool, column, shape[3])?, 3)?);
        }
    }
    Ok(places)
}

/// Positions along an axis of x of what stands at one place of `count` windows.
fn along(x: &Tensor, pool: Pool, place: usize, count: usize) -> Result<Tensor> {
    Tensor::from_iter((0..count).map(|i| (place + i * pool.stride) as u32), x.device())
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
