//! Convolutions as matrix products over one image at a time: its patches, written out as columns, fit a core's cache,
//! while those of a whole batch would be many times the batch.

use std::ops::Range;

use candle_core::{Result, Tensor};
use gemm::Parallelism;
use graph::Conv;
use rayon::prelude::*;

use super::{apply2, for_parts};

/// Images that share a buffer for their columns.
const TOGETHER: usize = 4;
/// Sums into which a batch's weight gradient is cut: enough for the cores of a desktop, and few enough to be small.
const PARTIAL_SUMS: usize = 16;

/// Sizes of a convolution: of x, weights and y for one image, and of the matrices `weights [o, taps]`,
/// `columns [taps, pixels]`, `y [o, pixels]` with taps = channels · kernel and pixels = y's height · width.
struct Sizes {
    conv: Conv,
    channels: usize,
    x: [usize; 2],
    kernel: [usize; 2],
    y: [usize; 2],
    taps: usize,
    pixels: usize,
    filters: usize,
}

/// Cross-correlation of x `[n, c, h, w]` and weights `[o, c, kh, kw]`; `shape` is that of the result.
pub(crate) fn conv2d(x: &Tensor, weights: &Tensor, conv: Conv, shape: &[usize]) -> Result<Tensor> {
    let s = Sizes::new(conv, x.dims(), weights.dims(), shape);
    apply2(x, weights, shape, |x, weights| {
        let mut y = vec![0.0; shape.iter().product()];
        let image = s.filters * s.pixels;
        for_parts(&mut y, TOGETHER * image, |i, y| {
            let mut columns = vec![0.0; s.taps * s.pixels];
            for (y, x) in y.chunks_mut(image).zip(x[i / image * s.image()..].chunks(s.image())) {
                s.gather(x, &mut columns);
                product(y, false, [s.filters, s.taps, s.pixels], [weights, &columns], [false, false]);
            }
        });
        y
    })
}

/// Gradient by x, whose shape is given, from the gradient of the result.
pub(crate) fn conv2d_input_grad(g: &Tensor, weights: &Tensor, conv: Conv, shape: &[usize]) -> Result<Tensor> {
    let s = Sizes::new(conv, shape, weights.dims(), g.dims());
    apply2(g, weights, shape, |g, weights| {
        let mut dx = vec![0.0; shape.iter().product()];
        let image = s.filters * s.pixels;
        for_parts(&mut dx, TOGETHER * s.image(), |i, dx| {
            let mut columns = vec![0.0; s.taps * s.pixels];
            for (dx, g) in dx.chunks_mut(s.image()).zip(g[i / s.image() * image..].chunks(image)) {
                product(&mut columns, false, [s.taps, s.filters, s.pixels], [weights, g], [true, false]);
                s.scatter(&columns, dx);
            }
        });
        dx
    })
}

/// Gradient by the weights, whose shape is given, from the gradient of the result.
pub(crate) fn conv2d_weight_grad(x: &Tensor, g: &Tensor, conv: Conv, shape: &[usize]) -> Result<Tensor> {
    let s = Sizes::new(conv, x.dims(), shape, g.dims());
    let together = x.dims()[0].div_ceil(PARTIAL_SUMS);
    apply2(x, g, shape, |x, g| {
        let parts = x.par_chunks(together * s.image()).zip(g.par_chunks(together * s.filters * s.pixels));
        let sums: Vec<Vec<f32>> = parts.map(|(x, g)| s.weight_grad(x, g)).collect();
        sums.into_iter()
            .reduce(|mut sum, part| {
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                sum
            })
            .unwrap_or_default()
    })
}

impl Sizes {
    fn new(conv: Conv, x: &[usize], weights: &[usize], y: &[usize]) -> Self {
        let (kernel, y) = ([weights[2], weights[3]], [y[2], y[3]]);
        let (channels, filters) = (x[1], weights[0]);
        let (taps, pixels) = (channels * kernel[0] * kernel[1], y[0] * y[1]);
        Sizes { conv, channels, x: [x[2], x[3]], kernel, y, taps, pixels, filters }
    }

    /// Elements of one image of x.
    fn image(&self) -> usize {
        self.channels * self.x[0] * self.x[1]
    }

    fn weight_grad(&self, x: &[f32], g: &[f32]) -> Vec<f32> {
        let mut dw = vec![0.0; self.filters * self.taps];
        let mut columns = vec![0.0; self.taps * self.pixels];
        for (x, g) in x.chunks(self.image()).zip(g.chunks(self.filters * self.pixels)) {
            self.gather(x, &mut columns);
            product(&mut dw, true, [self.filters, self.pixels, self.taps], [g, &columns], [false, true]);
        }
        dw
    }

    /// Writes the columns of an image: row `(channel, ky, kx)` is what that tap sees at each pixel of y.
    fn gather(&self, x: &[f32], columns: &mut [f32]) {
        self.rows(|row, span, start| {
            let row = &mut columns[row];
            let Some(start) = start else { return row.fill(0.0) };
            row[..span.start].fill(0.0);
            row[span.end..].fill(0.0);
            let row = &mut row[span];
            match self.conv.stride {
                1 => row.copy_from_slice(&x[start..start + row.len()]),
                stride => row.iter_mut().zip(x[start..].iter().step_by(stride)).for_each(|(row, x)| *row = *x),
            }
        });
    }

    /// The transpose of [`Sizes::gather`]: adds each column's elements to the pixels that they came from.
    fn scatter(&self, columns: &[f32], x: &mut [f32]) {
        self.rows(|row, span, start| {
            let (Some(start), row) = (start, &columns[row][span]) else { return };
            match self.conv.stride {
                1 => x[start..start + row.len()].iter_mut().zip(row).for_each(|(x, row)| *x += row),
                stride => x[start..].iter_mut().step_by(stride).zip(row).for_each(|(x, row)| *x += row),
            }
        });
    }

    /// For each line of y under each tap: its place in the columns, the part of it that lies in the image, and where
    /// that part begins in x; `None` where the whole line lies in the padding.
    fn rows(&self, mut f: impl FnMut(Range<usize>, Range<usize>, Option<usize>)) {
        let Conv { stride, padding } = self.conv;
        let [height, width] = self.x;
        let [kh, kw] = self.kernel;
        for tap in 0..self.taps {
            let (channel, ky, kx) = (tap / (kh * kw), tap / kw % kh, tap % kw);
            let (lines, span) = (self.inside(ky, height, self.y[0]), self.inside(kx, width, self.y[1]));
            for line in 0..self.y[0] {
                let row = tap * self.pixels + line * self.y[1];
                let start = (lines.contains(&line) && !span.is_empty()).then(|| {
                    let (y, x) = (line * stride + ky - padding, span.start * stride + kx - padding);
                    (channel * height + y) * width + x
                });
                f(row..row + self.y[1], span.clone(), start);
            }
        }
    }

    /// Positions along an axis of y at which tap `k` sees one of the `size` elements of x.
    fn inside(&self, k: usize, size: usize, out: usize) -> Range<usize> {
        let Conv { stride, padding } = self.conv;
        let start = padding.saturating_sub(k).div_ceil(stride).min(out);
        let end = (size + padding).saturating_sub(k).div_ceil(stride).min(out);
        start..end.max(start)
    }
}

/// `y [m, n] = a [m, k] · b [k, n]`, added to y where `add`; a flag says that this side is stored transposed. On one
/// thread: the caller has one for each part of the batch.
#[allow(unsafe_code)]
fn product(y: &mut [f32], add: bool, [m, k, n]: [usize; 3], [a, b]: [&[f32]; 2], transposed: [bool; 2]) {
    assert_eq!([y.len(), a.len(), b.len()], [m * n, m * k, k * n]);
    let strides = |transposed: bool, rows: usize, columns: usize| match transposed {
        false => (1, columns as isize),
        true => (rows as isize, 1),
    };
    let (y_strides, a_strides, b_strides) =
        (strides(false, m, n), strides(transposed[0], m, k), strides(transposed[1], k, n));
    // SAFETY: by the assertion and the strides above, every index below (m, n, k) is inside its slice, and y is
    // borrowed mutably, so nothing else reads it.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            y.as_mut_ptr(),
            y_strides.0,
            y_strides.1,
            add,
            a.as_ptr(),
            a_strides.0,
            a_strides.1,
            b.as_ptr(),
            b_strides.0,
            b_strides.1,
            1.0, // of y, where it is added to
            1.0, // of the product
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
