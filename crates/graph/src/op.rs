//! The vocabulary: every model, derivative and optimizer is written in these operations.

use serde::{Deserialize, Serialize};

use crate::{DType, Number, Shape};

/// When an input's value arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feed {
    /// Uploaded once and kept on the device: the data set.
    Resident,
    /// A new value for every step: indices, learning rate, random key.
    Step,
}

/// One-argument pointwise functions on f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Unary {
    Neg,
    Exp,
    Log,
    Sqrt,
    Tanh,
    /// The nearest number that 16 bits hold (IEEE 754 binary16, ties to even). Its derivative is such a number, too: that of
    /// the result, rounded.
    F16,
}

/// Two-argument pointwise functions on two f32 tensors of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Binary {
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a · b
    Mul,
    /// a / b
    Div,
    /// The larger one, or what is not a number. Where they are equal the derivative goes to b, so that `max(x, 0)` is ReLU
    /// with slope 0 at 0.
    Max,
    /// 1 where a > b, else 0; no derivative.
    Greater,
    /// 1 where a = b, else 0; no derivative.
    Equal,
}

impl Unary {
    /// The function, in the precision of its argument.
    pub fn of<T: Number>(self, x: T) -> T {
        match self {
            Unary::Neg => -x,
            Unary::Exp => x.exp(),
            Unary::Log => x.ln(),
            Unary::Sqrt => x.sqrt(),
            Unary::Tanh => x.tanh(),
            Unary::F16 => x.f16(),
        }
    }
}

impl Binary {
    /// The function, in the precision of its arguments.
    pub fn of<T: Number>(self, a: T, b: T) -> T {
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Max => a.larger(b),
            Binary::Greater => a.greater(b),
            Binary::Equal => a.equals(b),
        }
    }

    /// Whether swapping the arguments changes nothing.
    pub fn commutes(self) -> bool {
        match self {
            Binary::Add | Binary::Mul | Binary::Equal => true,
            // max(a, b) has one value either way, but its derivative at equality goes to b.
            Binary::Sub | Binary::Div | Binary::Max | Binary::Greater => false,
        }
    }
}

/// How a reduction combines elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Reduction {
    Sum,
    /// Derivative: shared equally among all elements that attain the maximum.
    Max,
}

/// Stride and zero padding of a convolution, the same along both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Conv {
    pub stride: usize,
    pub padding: usize,
}

impl Conv {
    /// Output positions along one axis of `size` elements, `None` where the kernel does not fit.
    pub fn output(&self, size: usize, kernel: usize) -> Option<usize> {
        Some((size + 2 * self.padding).checked_sub(kernel)? / self.stride + 1)
    }
}

/// What a pooling window computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PoolKind {
    /// The largest element, or what is not a number; among equal ones the first in row-major order gets the gradient, as in
    /// PyTorch.
    Max,
    /// The mean.
    Average,
}

/// A square pooling window without padding; positions that would reach past the edge are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Pool {
    pub kind: PoolKind,
    pub size: usize,
    pub stride: usize,
}

impl Pool {
    /// Whether no element is in two windows.
    pub fn is_disjoint(&self) -> bool {
        self.stride >= self.size
    }

    /// Output positions along one axis of `size` elements, `None` where the window does not fit.
    pub fn output(&self, size: usize) -> Option<usize> {
        Some(size.checked_sub(self.size)? / self.stride + 1)
    }
}

/// An operation. Images are `[batch, channel, height, width]`, convolution weights `[out, in, height, width]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Op {
    /// A value from outside.
    Input { name: String, feed: Feed },
    /// The value that a state slot has at the beginning of the step.
    State { slot: String },
    /// A scalar `[]`.
    Constant(f32),
    /// Uniform numbers in [0, 1), multiples of 2⁻²⁴, from a key `u32[2]`: see [`crate::random`].
    Random { stream: u32, shape: Shape },
    /// Integers to f32.
    ToFloat,
    /// The argument, which derivatives take for a constant.
    Detach,
    /// Pointwise, one argument.
    Unary(Unary),
    /// Pointwise, two arguments of one shape.
    Binary(Binary),
    /// The same elements in row-major order under another shape.
    Reshape(Shape),
    /// Repetition along axes of size 1 and along new leading axes (NumPy broadcasting).
    Expand(Shape),
    /// Axis i of the result is axis `axes[i]` of the argument.
    Permute(Vec<usize>),
    /// Reduction over axes, which stay with size 1.
    Reduce { reduction: Reduction, axes: Vec<usize> },
    /// Index (u32) of the largest element along the last axis, which is dropped; the first one wins. Nothing is larger than
    /// what is not a number, which is larger than nothing.
    ArgMax,
    /// `[n]` integers to `[n, classes]` f32 with a single 1 a row.
    OneHot { classes: usize },
    /// Rows of a table `[n, …]` at indices u32 `[b]`: `[b, …]`.
    Gather,
    /// Product `[m, k] · [k, n]`; a flag says that this side is stored transposed.
    MatMul { transpose: [bool; 2] },
    /// Cross-correlation of x and weights.
    Conv2d(Conv),
    /// Gradient of [`Op::Conv2d`] with respect to x (whose shape is given), from (gradient of the output, weights).
    Conv2dInputGrad { conv: Conv, input: Shape },
    /// Gradient of [`Op::Conv2d`] with respect to the weights (whose shape is given), from (x, gradient of the output).
    Conv2dWeightGrad { conv: Conv, weight: Shape },
    /// Pooling of x.
    Pool2d(Pool),
    /// Gradient of [`Op::Pool2d`] with respect to x, from (x, gradient of the output).
    Pool2dGrad(Pool),
}

/// `NAMES` and `name` of an enum, from one table, so that the list is as complete as the match: the compiler asks for a line
/// where a variant has none.
#[macro_export]
macro_rules! names {
    ($($pattern:pat => $name:literal,)*) => {
        /// All names: the vocabulary.
        pub const NAMES: &[&str] = &[$($name),*];

        /// What it is called in files, lists and messages.
        pub fn name(&self) -> &'static str {
            match self {
                $($pattern => $name,)*
            }
        }
    };
}

impl Op {
    names! {
        Op::Input { .. } => "input",
        Op::State { .. } => "state",
        Op::Constant(_) => "constant",
        Op::Random { .. } => "random",
        Op::ToFloat => "to_float",
        Op::Detach => "detach",
        Op::Unary(Unary::Neg) => "neg",
        Op::Unary(Unary::Exp) => "exp",
        Op::Unary(Unary::Log) => "log",
        Op::Unary(Unary::Sqrt) => "sqrt",
        Op::Unary(Unary::Tanh) => "tanh",
        Op::Unary(Unary::F16) => "f16",
        Op::Binary(Binary::Add) => "add",
        Op::Binary(Binary::Sub) => "sub",
        Op::Binary(Binary::Mul) => "mul",
        Op::Binary(Binary::Div) => "div",
        Op::Binary(Binary::Max) => "max",
        Op::Binary(Binary::Greater) => "greater",
        Op::Binary(Binary::Equal) => "equal",
        Op::Reshape(_) => "reshape",
        Op::Expand(_) => "expand",
        Op::Permute(_) => "permute",
        Op::Reduce { reduction: Reduction::Sum, .. } => "reduce_sum",
        Op::Reduce { reduction: Reduction::Max, .. } => "reduce_max",
        Op::ArgMax => "arg_max",
        Op::OneHot { .. } => "one_hot",
        Op::Gather => "gather",
        Op::MatMul { .. } => "matmul",
        Op::Conv2d(_) => "conv2d",
        Op::Conv2dInputGrad { .. } => "conv2d_input_grad",
        Op::Conv2dWeightGrad { .. } => "conv2d_weight_grad",
        Op::Pool2d(Pool { kind: PoolKind::Max, .. }) => "max_pool2d",
        Op::Pool2d(Pool { kind: PoolKind::Average, .. }) => "average_pool2d",
        Op::Pool2dGrad(Pool { kind: PoolKind::Max, .. }) => "max_pool2d_grad",
        Op::Pool2dGrad(Pool { kind: PoolKind::Average, .. }) => "average_pool2d_grad",
    }

    /// Whether it computes nothing: the result has elements of the argument, perhaps in another place.
    pub fn moves(&self) -> bool {
        matches!(self, Op::Detach | Op::Reshape(_) | Op::Expand(_) | Op::Permute(_))
    }

    /// Shape and type of the result, or what the operation needs instead. Leaves ([`Op::Input`], [`Op::State`]) have
    /// what they were declared with, which the recorder knows.
    pub fn infer(&self, arguments: &[(&Shape, DType)]) -> Result<(Shape, DType), String> {
        infer(self, arguments)
    }
}

fn infer(op: &Op, arguments: &[(&Shape, DType)]) -> Result<(Shape, DType), String> {
    use DType::{F32, U8, U32};
    let shapes: Vec<&Shape> = arguments.iter().map(|(shape, _)| *shape).collect();
    let types: Vec<DType> = arguments.iter().map(|(_, dtype)| *dtype).collect();
    let floats = |count: usize| match types.len() == count && types.iter().all(|t| *t == F32) {
        true => Ok(()),
        false => Err(format!("{count} f32 argument(s)")),
    };
    let rank = |i: usize, rank: usize| match shapes[i].rank() == rank {
        true => Ok(()),
        false => Err(format!("argument {i} of rank {rank}")),
    };
    let ok = |shape: Shape| Ok((shape, F32));
    match op {
        Op::Input { .. } | Op::State { .. } => Err("declared shapes".into()),
        Op::Constant(_) => ok(Shape::default()),
        Op::Random { shape, .. } => match arguments {
            [(key, U32)] if key.0 == [2] => ok(shape.clone()),
            _ => Err("a key u32[2]".into()),
        },
        Op::ToFloat => match arguments {
            [(shape, U8 | U32)] => ok((*shape).clone()),
            _ => Err("one integer argument".into()),
        },
        Op::Detach => match arguments {
            [(shape, dtype)] => Ok(((*shape).clone(), *dtype)),
            _ => Err("one argument".into()),
        },
        Op::Unary(_) => floats(1).and_then(|()| ok(shapes[0].clone())),
        Op::Binary(_) => {
            floats(2)?;
            if shapes[0] != shapes[1] {
                return Err("two arguments of one shape".into());
            }
            ok(shapes[0].clone())
        }
        Op::Reshape(shape) => match arguments {
            [(from, dtype)] if from.count() == shape.count() => Ok((shape.clone(), *dtype)),
            _ => Err(format!("{} elements for {shape}", shape.count())),
        },
        Op::Expand(shape) => match arguments {
            [(from, dtype)] if from.rank() <= shape.rank() && from.broadcast(shape).as_ref() == Some(shape) => {
                Ok((shape.clone(), *dtype))
            }
            _ => Err(format!("a shape that broadcasts to {shape}")),
        },
        Op::Permute(axes) => match arguments {
            [(from, dtype)] if is_permutation(axes, from.rank()) => {
                Ok((Shape(axes.iter().map(|&a| from.0[a]).collect()), *dtype))
            }
            _ => Err(format!("{} axes for the permutation {axes:?}", axes.len())),
        },
        Op::Reduce { axes, .. } => {
            floats(1)?;
            let ascending = axes.windows(2).all(|w| w[0] < w[1]);
            if !ascending || axes.iter().any(|&a| a >= shapes[0].rank()) {
                return Err(format!("axes in ascending order below the rank, not {axes:?}"));
            }
            ok(shapes[0].reduced(axes))
        }
        Op::ArgMax => {
            floats(1)?;
            match shapes[0].0.split_last() {
                Some((&classes, rest)) if classes > 0 => Ok((rest.into(), U32)),
                _ => Err("a last axis that is not empty".into()),
            }
        }
        Op::OneHot { classes } => match arguments {
            [(shape, U8 | U32)] if shape.rank() == 1 => ok([shape.0[0], *classes].into()),
            _ => Err("integer labels of rank 1".into()),
        },
        Op::Gather => match arguments {
            [(table, dtype), (indices, U32)] if table.rank() >= 1 && indices.rank() == 1 => {
                Ok((Shape([&indices.0[..], &table.0[1..]].concat()), *dtype))
            }
            _ => Err("a table and u32 indices of rank 1".into()),
        },
        Op::MatMul { transpose } => {
            floats(2)?;
            rank(0, 2)?;
            rank(1, 2)?;
            let side = |i: usize| match transpose[i] {
                true => (shapes[i].0[1], shapes[i].0[0]),
                false => (shapes[i].0[0], shapes[i].0[1]),
            };
            let ((m, k), (k2, n)) = (side(0), side(1));
            if k != k2 {
                return Err(format!("equal inner axes, not {k} and {k2}"));
            }
            ok([m, n].into())
        }
        Op::Conv2d(conv) => {
            floats(2)?;
            rank(0, 4)?;
            rank(1, 4)?;
            ok(conv_output(conv, shapes[0], shapes[1])?)
        }
        Op::Conv2dInputGrad { conv, input } => {
            floats(2)?;
            rank(0, 4)?;
            rank(1, 4)?;
            match &conv_output(conv, input, shapes[1])? == shapes[0] {
                true => ok(input.clone()),
                false => Err(format!("a gradient of the shape of conv2d({input}, {})", shapes[1])),
            }
        }
        Op::Conv2dWeightGrad { conv, weight } => {
            floats(2)?;
            rank(0, 4)?;
            rank(1, 4)?;
            match &conv_output(conv, shapes[0], weight)? == shapes[1] {
                true => ok(weight.clone()),
                false => Err(format!("a gradient of the shape of conv2d({}, {weight})", shapes[0])),
            }
        }
        Op::Pool2d(pool) => {
            floats(1)?;
            rank(0, 4)?;
            ok(pool_output(pool, shapes[0])?)
        }
        Op::Pool2dGrad(pool) => {
            floats(2)?;
            rank(0, 4)?;
            rank(1, 4)?;
            match &pool_output(pool, shapes[0])? == shapes[1] {
                true => ok(shapes[0].clone()),
                false => Err(format!("a gradient of the shape of the pooled {}", shapes[0])),
            }
        }
    }
}

fn is_permutation(axes: &[usize], rank: usize) -> bool {
    axes.len() == rank && (0..rank).all(|axis| axes.contains(&axis))
}

fn conv_output(conv: &Conv, x: &Shape, weight: &Shape) -> Result<Shape, String> {
    let ([n, c, h, w], [o, i, kh, kw]) = (axes4(x), axes4(weight));
    if c != i {
        return Err(format!("weights for {c} input channels, not {i}"));
    }
    if conv.stride == 0 || kh == 0 || kw == 0 {
        return Err("a stride and a kernel of at least 1".into());
    }
    match (conv.output(h, kh), conv.output(w, kw)) {
        (Some(oh), Some(ow)) => Ok([n, o, oh, ow].into()),
        _ => Err(format!("an image of at least {kh}×{kw} after padding, not {h}×{w}")),
    }
}

fn pool_output(pool: &Pool, x: &Shape) -> Result<Shape, String> {
    let [n, c, h, w] = axes4(x);
    if pool.stride == 0 || pool.size == 0 {
        return Err("a stride and a window of at least 1".into());
    }
    match (pool.output(h), pool.output(w)) {
        (Some(oh), Some(ow)) => Ok([n, c, oh, ow].into()),
        _ => Err(format!("an image of at least {0}×{0}, not {h}×{w}", pool.size)),
    }
}

/// The four axes of a shape whose rank was checked.
pub(crate) fn axes4(shape: &Shape) -> [usize; 4] {
    shape.0.as_slice().try_into().expect("rank 4 was checked by inference")
}
