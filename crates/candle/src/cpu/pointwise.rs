//! Functions of one and two elements. Beside these loops candle's own are slow: candle has threads for them that wait
//! for cores which rayon's still hold. And its comparisons make bytes first, its maximum loses a NaN.

use candle_core::{CpuStorage, CustomOp2, Layout, NdIter, Result, Shape, Tensor};
use graph::{Binary, Unary};

use super::{GRAIN, apply1, for_parts};

/// Applies `op` to the elements of x.
pub(crate) fn unary(op: Unary, x: &Tensor) -> Result<Tensor> {
    match op {
        Unary::Neg => map(x, |x| -x),
        Unary::Exp => map(x, f32::exp),
        Unary::Log => map(x, f32::ln),
        Unary::Sqrt => map(x, f32::sqrt),
        Unary::Tanh => map(x, f32::tanh),
    }
}

/// Applies `op` to the elements of a and b, of one shape; either may be a view, stretched for instance.
pub(crate) fn binary(op: Binary, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match op {
        Binary::Add => zip(a, b, |a, b| a + b),
        Binary::Sub => zip(a, b, |a, b| a - b),
        Binary::Mul => zip(a, b, |a, b| a * b),
        Binary::Div => zip(a, b, |a, b| a / b),
        Binary::Max => zip(a, b, |a, b| if a > b || a.is_nan() { a } else { b }),
        Binary::Greater => zip(a, b, |a, b| f32::from(u8::from(a > b))),
        Binary::Equal => zip(a, b, |a, b| f32::from(u8::from(a == b))),
    }
}

fn map(x: &Tensor, f: impl Fn(f32) -> f32 + Sync) -> Result<Tensor> {
    apply1(x, x.dims(), |x| {
        let mut y = vec![0.0; x.len()];
        for_parts(&mut y, GRAIN, |i, y| y.iter_mut().zip(&x[i..]).for_each(|(y, x)| *y = f(*x)));
        y
    })
}

fn zip(a: &Tensor, b: &Tensor, f: impl Fn(f32, f32) -> f32 + Sync) -> Result<Tensor> {
    a.apply_op2_no_bwd(b, &Zip(f))
}

struct Zip<F>(F);

impl<F: Fn(f32, f32) -> f32 + Sync> CustomOp2 for Zip<F> {
    fn name(&self) -> &'static str {
        "function of two elements"
    }

    fn cpu_fwd(&self, a: &CpuStorage, la: &Layout, b: &CpuStorage, lb: &Layout) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (a.as_slice::<f32>()?, b.as_slice::<f32>()?);
        let mut y = vec![0.0; la.shape().elem_count()];
        for_parts(&mut y, GRAIN, |i, mut y| {
            // Axes are merged where both layouts allow. In the innermost run each side has one stride, often 1 or 0.
            let runs = NdIter::new([la, lb]);
            let (run, strides) = (runs.inner_size, runs.inner_strides);
            let mut skip = i % run; // a part may begin inside a run
            for [a_start, b_start] in runs.skip(i / run) {
                let (now, later) = y.split_at_mut(y.len().min(run - skip));
                self.run(now, &a[a_start + skip * strides[0]..], &b[b_start + skip * strides[1]..], strides);
                (y, skip) = (later, 0);
                if y.is_empty() {
                    break;
                }
            }
        });
        Ok((CpuStorage::F32(y), la.shape().clone()))
    }
}

impl<F: Fn(f32, f32) -> f32 + Sync> Zip<F> {
    /// The strides that are common get loops of their own, which become vector instructions.
    fn run(&self, y: &mut [f32], a: &[f32], b: &[f32], strides: [usize; 2]) {
        let Zip(f) = self;
        match strides {
            [1, 1] => y.iter_mut().zip(a).zip(b).for_each(|((y, a), b)| *y = f(*a, *b)),
            [1, 0] => y.iter_mut().zip(a).for_each(|(y, a)| *y = f(*a, b[0])),
            [0, 1] => y.iter_mut().zip(b).for_each(|(y, b)| *y = f(a[0], *b)),
            [sa, sb] => y.iter_mut().enumerate().for_each(|(i, y)| *y = f(a[i * sa], b[i * sb])),
        }
    }
}
