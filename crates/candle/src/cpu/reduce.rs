//! Sums and maxima over any axes, where candle divides twice for each element.

use candle_core::{Result, Tensor};
use graph::Reduction;

use super::{GRAIN, apply1, for_parts};

/// Partial results of a row that are kept side by side: independent of each other, so that they fit vector registers.
const LANES: usize = 16;

/// Reduces x over `axes`, ascending, which stay with size 1. NaN comes through.
pub(crate) fn reduce(reduction: Reduction, x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let dims = x.dims();
    let mut shape = dims.to_vec();
    axes.iter().for_each(|&a| shape[a] = 1);
    // Neighbouring axes that are reduced together are one axis: (elements in it, elements below it).
    let mut groups: Vec<(usize, usize)> = vec![];
    for (i, &axis) in axes.iter().enumerate() {
        let below = dims[axis + 1..].iter().product();
        match groups.last_mut() {
            Some(group) if axes[i - 1] + 1 == axis => *group = (group.0 * dims[axis], below),
            _ => groups.push((dims[axis], below)),
        }
    }
    apply1(x, &shape, |x| match reduction {
        Reduction::Sum => fold_groups(x, &groups, 0.0, |a, b| a + b),
        Reduction::Max => fold_groups(x, &groups, f32::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b }),
    })
}

/// Reduces one group after the other, the innermost first, after which fewer elements lie below the next.
fn fold_groups(x: &[f32], groups: &[(usize, usize)], start: f32, f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut done = 1;
    let mut y: Option<Vec<f32>> = None;
    for &(len, below) in groups.iter().rev() {
        y = Some(fold(y.as_deref().unwrap_or(x), len, below / done, start, &f));
        done *= len;
    }
    y.unwrap_or_else(|| x.to_vec())
}

/// Reduces the middle axis of `[outer, len, inner]`.
fn fold(x: &[f32], len: usize, inner: usize, start: f32, f: &(impl Fn(f32, f32) -> f32 + Sync)) -> Vec<f32> {
    let mut y = vec![start; x.len() / len];
    let slabs = (GRAIN / (len * inner)).max(1); // outer elements of one part
    for_parts(&mut y, slabs * inner, |i, y| {
        for (y, x) in y.chunks_mut(inner).zip(x[i * len..].chunks(len * inner)) {
            match y {
                [y] => *y = fold_row(x, start, f),
                y => x.chunks(inner).for_each(|x| y.iter_mut().zip(x).for_each(|(y, x)| *y = f(*y, *x))),
            }
        }
    });
    y
}

fn fold_row(x: &[f32], start: f32, f: &impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    for x in whole {
        lanes.iter_mut().zip(x).for_each(|(y, x)| *y = f(*y, *x));
    }
    lanes.iter().chain(rest).fold(start, |y, x| f(y, *x))
}
