//! Reverse-mode derivatives: one table, and the walk that applies it.

use crate::{Binary, GraphError, NodeId, Op, PoolKind, Reduction, Tensor, Unary};

type Result<T> = std::result::Result<T, GraphError>;

/// Records d loss / d x for each `x` in `wrt`, in their order; zeros where the loss does not depend on it.
///
/// # Errors
/// [`GraphError::NotScalar`] where the loss is not `[]`, [`GraphError::NoDerivative`] where the loss depends on an x
/// through an operation that has none, [`GraphError::Recording`] where an x is of another recording.
#[track_caller]
pub fn gradients(loss: &Tensor, wrt: &[&Tensor]) -> Result<Vec<Tensor>> {
    let recorder = loss.recorder();
    let (.., origin) = recorder.node(loss.id());
    if loss.shape().rank() != 0 {
        return Err(GraphError::NotScalar { shape: loss.shape().clone(), origin });
    }
    if wrt.iter().any(|x| !x.recorder().is(recorder)) {
        return Err(GraphError::Recording { op: "gradients", origin });
    }
    let depends = dependents(loss, wrt);
    let mut adjoint: Vec<Option<Tensor>> = vec![None; loss.id() + 1];
    adjoint[loss.id()] = Some(recorder.constant(1.0));
    for id in (0..=loss.id()).rev().filter(|&id| depends[id]) {
        let Some(g) = adjoint[id].clone() else { continue };
        let (op, x, y, origin) = recorder.node(id);
        recorder.set_origin(Some(origin));
        let derivatives = derivative(&op, &x, &y, &g);
        recorder.set_origin(None);
        for (argument, dx) in x.iter().zip(derivatives?) {
            let Some(dx) = dx.filter(|_| depends[argument.id()]) else { continue };
            let sum = match &adjoint[argument.id()] {
                Some(other) => other.add(&dx)?,
                None => dx,
            };
            adjoint[argument.id()] = Some(sum);
        }
    }
    wrt.iter()
        .map(|x| match adjoint.get(x.id()).cloned().flatten() {
            Some(gradient) => Ok(gradient),
            None => recorder.constant(0.0).expand(x.shape().clone()),
        })
        .collect()
}

/// Which nodes depend on one of `wrt`: only these carry an adjoint.
fn dependents(loss: &Tensor, wrt: &[&Tensor]) -> Vec<bool> {
    let mut depends = vec![false; loss.id() + 1];
    for id in 0..=loss.id() {
        let (op, arguments, ..) = loss.recorder().node(id);
        let through = op != Op::Detach && arguments.iter().any(|x| depends[x.id()]);
        depends[id] = through || wrt.iter().any(|x| x.id() == id);
    }
    depends
}

/// The table. With y = op(x…) and g = d loss / d y: d loss / d x for each argument, `None` where it is zero by nature
/// (integers, comparisons).
fn derivative(op: &Op, x: &[Tensor], y: &Tensor, g: &Tensor) -> Result<Vec<Option<Tensor>>> {
    let none = |id: NodeId| {
        let (op, _, _, origin) = y.recorder().node(id);
        Err(GraphError::NoDerivative { op: op.name(), origin })
    };
    let shape = |i: usize| x[i].shape();
    Ok(match op {
        Op::Input { .. } | Op::State { .. } | Op::Constant(_) => vec![],
        Op::Random { .. } | Op::ToFloat | Op::Detach | Op::ArgMax | Op::OneHot { .. } => vec![None],

        // d(-x) = -g
        Op::Unary(Unary::Neg) => vec![Some(g.neg()?)],
        // d eˣ = g·y
        Op::Unary(Unary::Exp) => vec![Some(g.mul(y)?)],
        // d ln x = g / x
        Op::Unary(Unary::Log) => vec![Some(g.div(&x[0])?)],
        // d √x = g / 2y
        Op::Unary(Unary::Sqrt) => vec![Some(g.div(&y.scale(2.0)?)?)],
        // d tanh x = g·(1 - y²)
        Op::Unary(Unary::Tanh) => vec![Some(g.sub(&g.mul(&y.square()?)?)?)],

        // d f16(x) = f16(g), as where tensors of 16 bits are differentiated
        Op::Unary(Unary::F16) => vec![Some(g.f16()?)],

        // d(a + b) = g, g
        Op::Binary(Binary::Add) => vec![Some(g.clone()), Some(g.clone())],
        // d(a - b) = g, -g
        Op::Binary(Binary::Sub) => vec![Some(g.clone()), Some(g.neg()?)],
        // d(a·b) = g·b, g·a
        Op::Binary(Binary::Mul) => vec![Some(g.mul(&x[1])?), Some(g.mul(&x[0])?)],
        // d(a / b) = g / b, -g·y / b
        Op::Binary(Binary::Div) => {
            let da = g.div(&x[1])?;
            vec![Some(da.clone()), Some(da.mul(y)?.neg()?)]
        }
        // d max(a, b) = g where a > b, g elsewhere
        Op::Binary(Binary::Max) => {
            let da = g.mul(&x[0].greater(&x[1])?)?;
            vec![Some(da.clone()), Some(g.sub(&da)?)]
        }
        Op::Binary(Binary::Greater | Binary::Equal) => vec![None, None],

        // Movement: the gradient moves back; what was repeated is summed.
        Op::Reshape(_) => vec![Some(g.reshape(shape(0).clone())?)],
        Op::Expand(to) => vec![Some(g.sum(&to.stretched_from(shape(0)))?.reshape(shape(0).clone())?)],
        Op::Permute(axes) => {
            let back: Vec<usize> =
                (0..axes.len()).map(|i| axes.iter().position(|&a| a == i).expect("a permutation")).collect();
            vec![Some(g.permute(&back)?)]
        }
        // d Σx = g, repeated
        Op::Reduce { reduction: Reduction::Sum, .. } => vec![Some(g.expand(shape(0).clone())?)],
        // d max x = g / (number of maxima) at each maximum. Of one element it is g: at · (g / at) would be that, too, but for
        // NaN, and a compiler of kernels may cancel it.
        Op::Reduce { reduction: Reduction::Max, .. } if shape(0) == y.shape() => vec![Some(g.clone())],
        Op::Reduce { reduction: Reduction::Max, axes } => {
            let at = x[0].equal(y)?;
            vec![Some(at.mul(&g.div(&at.sum(axes)?)?)?)]
        }

        // Tables hold data, not parameters.
        Op::Gather if x[0].dtype() != crate::DType::F32 => vec![None, None],
        Op::Gather => return none(y.id()),

        // Y = A·B: dA = G·Bᵀ, dB = Aᵀ·G; a transposed side gets the transposed product.
        Op::MatMul { transpose: [ta, tb] } => {
            let da = match ta {
                false => g.matmul_transposed([false, !tb], &x[1])?,
                true => x[1].matmul_transposed([*tb, true], g)?,
            };
            let db = match tb {
                false => x[0].matmul_transposed([!ta, false], g)?,
                true => g.matmul_transposed([true, *ta], &x[0])?,
            };
            vec![Some(da), Some(db)]
        }
        Op::Conv2d(conv) => {
            vec![Some(g.conv2d_input_grad(&x[1], *conv, shape(0))?), Some(x[0].conv2d_weight_grad(g, *conv, shape(1))?)]
        }
        Op::Pool2d(pool) => vec![Some(x[0].pool2d_grad(g, *pool)?)],

        // Both are linear in each argument, so their derivatives are convolutions again.
        Op::Conv2dInputGrad { conv, .. } => {
            vec![Some(g.conv2d(&x[1], *conv)?), Some(g.conv2d_weight_grad(&x[0], *conv, shape(1))?)]
        }
        Op::Conv2dWeightGrad { conv, .. } => {
            vec![Some(x[1].conv2d_input_grad(g, *conv, shape(0))?), Some(x[0].conv2d(g, *conv)?)]
        }
        Op::Pool2dGrad(pool) if pool.kind == PoolKind::Average => vec![None, Some(g.pool2d(*pool)?)],
        Op::Pool2dGrad(_) => return none(y.id()),
    })
}
