//! Pooling with any window and stride. Among equal elements the first one in row-major order is the maximum.

use std::ops::Range;

use candle_core::{Result, Tensor};
use graph::{Pool, PoolKind};

use super::{GRAIN, apply1, apply2, for_parts};

/// The images of a batch and their channels are planes, each pooled by itself.
struct Planes {
    pool: Pool,
    /// Width, and elements of a plane of x.
    x: (usize, usize),
    /// Width, and elements of a plane of y.
    y: (usize, usize),
}

/// Pools `[batch, channel, height, width]`.
pub(crate) fn pool2d(x: &Tensor, pool: Pool, shape: &[usize]) -> Result<Tensor> {
    let planes = Planes::new(pool, x.dims(), shape);
    apply1(x, shape, |x| {
        let mut y = vec![0.0; shape.iter().product()];
        planes.for_each(&mut y, planes.y.1, |plane, y| {
            let x = &x[plane * planes.x.1..][..planes.x.1];
            match pool.kind {
                PoolKind::Max => planes.windows(|o, corner| y[o] = x[planes.first_max(x, corner)]),
                PoolKind::Average => planes.windows(|o, corner| y[o] = planes.mean(x, corner)),
            }
        });
        y
    })
}

/// Gradient by x of the pooling of x, from the gradient of its result.
pub(crate) fn pool2d_grad(x: &Tensor, g: &Tensor, pool: Pool) -> Result<Tensor> {
    let planes = Planes::new(pool, x.dims(), g.dims());
    let area = (pool.size * pool.size) as f32;
    apply2(x, g, x.dims(), |x, g| {
        let mut dx = vec![0.0; x.len()];
        planes.for_each(&mut dx, planes.x.1, |plane, dx| {
            let x = &x[plane * planes.x.1..][..planes.x.1];
            let g = &g[plane * planes.y.1..][..planes.y.1];
            planes.windows(|o, corner| match pool.kind {
                PoolKind::Max => dx[planes.first_max(x, corner)] += g[o],
                PoolKind::Average => {
                    planes.rows(corner).for_each(|row| dx[row].iter_mut().for_each(|dx| *dx += g[o] / area));
                }
            });
        });
        dx
    })
}

impl Planes {
    fn new(pool: Pool, x: &[usize], y: &[usize]) -> Self {
        Planes { pool, x: (x[3], x[2] * x[3]), y: (y[3], y[2] * y[3]) }
    }

    /// Calls `f(plane, elements)` for each plane of `size` elements.
    fn for_each(&self, planes: &mut [f32], size: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
        let together = (GRAIN / self.x.1).max(1);
        for_parts(planes, together * size, |i, part| {
            part.chunks_mut(size).enumerate().for_each(|(j, plane)| f(i / size + j, plane));
        });
    }

    /// Calls `f(position in y, position of the window's first element in x)` for each window.
    fn windows(&self, mut f: impl FnMut(usize, usize)) {
        for row in 0..self.y.1 / self.y.0 {
            for column in 0..self.y.0 {
                f(row * self.y.0 + column, (row * self.x.0 + column) * self.pool.stride);
            }
        }
    }

    /// The rows of a window, as positions in x.
    fn rows(&self, corner: usize) -> impl Iterator<Item = Range<usize>> {
        let (size, width) = (self.pool.size, self.x.0);
        (0..size).map(move |row| corner + row * width..corner + row * width + size)
    }

    fn first_max(&self, x: &[f32], corner: usize) -> usize {
        let (mut best, mut largest) = (corner, x[corner]);
        for row in self.rows(corner) {
            for (i, &value) in row.clone().zip(&x[row]) {
                if value > largest {
                    (best, largest) = (i, value);
                }
            }
        }
        best
    }

    fn mean(&self, x: &[f32], corner: usize) -> f32 {
        let sum: f32 = self.rows(corner).map(|row| x[row].iter().sum::<f32>()).sum();
        sum / (self.pool.size * self.pool.size) as f32
    }
}
