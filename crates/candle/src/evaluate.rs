//! One node: from the values of its arguments to its own, by one call.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor};
use graph::{Binary, Feed, Graph, Node, Op, Reduction, Unary, Values, random};

use crate::{composed, host};

/// Values on the device, by name.
pub(crate) type Tensors = BTreeMap<String, Tensor>;

/// What a step's nodes are computed from.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    pub(crate) device: &'a Device,
    /// Whether candle's tape is to differentiate what is computed, so that only operations will do whose derivatives it
    /// knows.
    pub(crate) on_tape: bool,
    pub(crate) feed: &'a Values,
    pub(crate) resident: &'a Tensors,
    pub(crate) state: &'a Tensors,
}

impl Step<'_> {
    /// The value of a node from the values x of its arguments. Names were checked before.
    pub(crate) fn evaluate(&self, graph: &Graph, node: &Node, x: &[&Tensor]) -> Result<Tensor> {
        let shape = node.shape.0.as_slice();
        let is_of_nothing = x.iter().any(|x| x.elem_count() == 0) && node.op != Op::Gather; // whose table lacks the row
        if node.shape.count() == 0 || is_of_nothing {
            return self.of_nothing(node); // candle refuses some empty tensors
        }
        match &node.op {
            Op::Input { name, feed: Feed::Step } => host::upload(&self.feed[name], self.device),
            Op::Input { name, feed: Feed::Resident } => Ok(self.resident[name].clone()),
            Op::State { slot } => Ok(self.state[slot].clone()),
            Op::Constant(value) => Tensor::full(*value, (), self.device),
            Op::Random { stream, .. } => self.random(graph, node, x[0], *stream),
            Op::ToFloat => x[0].to_dtype(DType::F32),
            Op::Detach => Ok(x[0].detach()),
            Op::Unary(Unary::Neg) => x[0].neg(),
            Op::Unary(Unary::Exp) => x[0].exp(),
            Op::Unary(Unary::Log) => x[0].log(),
            Op::Unary(Unary::Sqrt) => x[0].sqrt(),
            Op::Unary(Unary::Tanh) => x[0].tanh(),
            Op::Unary(Unary::F16) => x[0].to_dtype(DType::F16)?.to_dtype(DType::F32),
            Op::Binary(Binary::Add) => x[0].add(x[1]),
            Op::Binary(Binary::Sub) => x[0].sub(x[1]),
            Op::Binary(Binary::Mul) => x[0].mul(x[1]),
            Op::Binary(Binary::Div) => x[0].div(x[1]),
            Op::Binary(Binary::Max) => composed::max(x[0], x[1]),
            Op::Binary(Binary::Greater) => composed::greater(x[0], x[1]),
            Op::Binary(Binary::Equal) => composed::equal(x[0], x[1]),
            Op::Reshape(_) => x[0].reshape(shape),
            Op::Expand(_) => x[0].broadcast_as(shape), // a view, which pointwise operations take as it is
            Op::Permute(axes) => x[0].permute(axes.as_slice()),
            Op::Reduce { reduction: Reduction::Sum, axes } => composed::sum(x[0], axes),
            Op::Reduce { reduction: Reduction::Max, axes } => match self.on_tape {
                true => composed::reduce_max_on_tape(x[0], axes),
                false => composed::reduce_max(x[0], axes),
            },
            Op::ArgMax => composed::arg_max(x[0]),
            Op::OneHot { classes } => composed::one_hot(x[0], *classes),
            Op::Gather => composed::gather(x[0], x[1]),
            Op::MatMul { transpose } => {
                let side = |i: usize| match transpose[i] {
                    false => x[i].contiguous(),
                    true => x[i].contiguous()?.t(), // a view: the product takes strides
                };
                side(0)?.matmul(&side(1)?)
            }
            Op::Conv2d(conv) => x[0].contiguous()?.conv2d(&x[1].contiguous()?, conv.padding, conv.stride, 1, 1),
            Op::Conv2dInputGrad { conv, .. } => composed::conv2d_input_grad(x[0], x[1], *conv, shape),
            Op::Conv2dWeightGrad { conv, .. } => composed::conv2d_weight_grad(x[0], x[1], *conv, shape),
            Op::Pool2d(pool) => composed::pool2d(x[0], *pool, shape),
            Op::Pool2dGrad(pool) => composed::pool2d_grad(x[0], x[1], *pool),
        }
    }

    /// The value of a node that is empty, or whose arguments are: a sum or maximum over nothing.
    fn of_nothing(&self, node: &Node) -> Result<Tensor> {
        let shape = node.shape.0.as_slice();
        match node.op {
            Op::Reduce { reduction: Reduction::Max, .. } => Tensor::full(f32::NEG_INFINITY, shape, self.device),
            _ => Tensor::zeros(shape, host::dtype(node.dtype), self.device),
        }
    }

    /// Made on the host, where the key comes from: its integers are no business of candle's float tensors.
    fn random(&self, graph: &Graph, node: &Node, key: &Tensor, stream: u32) -> Result<Tensor> {
        let fed = match &graph.nodes[node.arguments[0]].op {
            Op::Input { name, feed: Feed::Step } => self.feed[name].as_u32().map(<[u32]>::to_vec),
            _ => None,
        };
        let key = fed.map_or_else(|| key.to_vec1::<u32>(), Ok)?;
        let count = node.shape.count() as u32;
        let values: Vec<f32> = (0..count).map(|i| random::uniform([key[0], key[1]], stream, i)).collect();
        Tensor::from_vec(values, node.shape.0.as_slice(), self.device)
    }
}
