//! The reference: each operation as its textbook loop, generic over the float, used with f64 as the truth that engines
//! are judged against and with f32 to see how far rounding alone may lead.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    Conv, DType, Graph, GraphError, HostData, HostTensor, Node, Number, Op, Origin, Pool, PoolKind, Reduction, Shape,
    Values, op::axes4, random,
};

type Result<T, E = GraphError> = std::result::Result<T, E>;

/// State slots in the precision of the evaluation.
pub type State<T> = BTreeMap<String, Vec<T>>;

/// Evaluates one step: takes the inputs' values, replaces the state by its new values, returns the outputs. Floats
/// come back in the precision of the evaluation, integers exactly.
///
/// # Errors
/// [`GraphError::Missing`] or [`GraphError::Value`] for an input or slot without a fitting value, [`GraphError::Row`]
/// for an index outside a table. The state is unchanged then.
pub fn evaluate<T: Number>(graph: &Graph, inputs: &Values, state: &mut State<T>) -> Result<BTreeMap<String, Vec<T>>> {
    let mut values: Vec<Value<T>> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let value = step(graph, node, &values, inputs, state)?;
        values.push(value);
    }
    let new: Vec<_> = graph.updates.iter().map(|(slot, id)| (slot.clone(), values[*id].float().into_owned())).collect();
    state.extend(new);
    Ok(graph.outputs.iter().map(|(name, id)| (name.clone(), values[*id].float().into_owned())).collect())
}

/// f32 slots to the evaluation's precision.
///
/// # Panics
/// For a slot of integers: there are none, see [`Graph::verify`].
pub fn state_from<T: Number>(slots: &Values) -> State<T> {
    let cast = |tensor: &HostTensor| tensor.as_f32().expect("slots are f32").iter().map(|&v| T::from_f32(v)).collect();
    slots.iter().map(|(slot, tensor)| (slot.clone(), cast(tensor))).collect()
}

enum Value<'a, T: Number> {
    Host(&'a HostTensor),
    Float(Vec<T>),
    Integer(Vec<u32>),
}

impl<T: Number> Value<'_, T> {
    fn float(&self) -> Cow<'_, [T]> {
        match self {
            Value::Float(v) => Cow::Borrowed(v),
            Value::Integer(v) => v.iter().map(|&v| T::from_u32(v)).collect(),
            Value::Host(tensor) => match tensor.data() {
                HostData::F32(v) => v.iter().map(|&v| T::from_f32(v)).collect(),
                HostData::U32(v) => v.iter().map(|&v| T::from_u32(v)).collect(),
                HostData::U8(v) => v.iter().map(|&v| T::from_u32(v.into())).collect(),
            },
        }
    }

    fn integer(&self) -> Cow<'_, [u32]> {
        match self {
            Value::Integer(v) => Cow::Borrowed(v),
            Value::Host(tensor) => match tensor.data() {
                HostData::U32(v) => Cow::Borrowed(v),
                HostData::U8(v) => v.iter().map(|&v| v.into()).collect(),
                HostData::F32(_) => unreachable!("types were checked by inference"),
            },
            Value::Float(_) => unreachable!("types were checked by inference"),
        }
    }

    /// The same with elements picked by position.
    fn pick(&self, dtype: DType, positions: impl Iterator<Item = usize>) -> Self {
        match (dtype, self) {
            (DType::F32, Value::Host(tensor)) => {
                let data = tensor.as_f32().expect("the type was checked when the value was given");
                Value::Float(positions.map(|i| T::from_f32(data[i])).collect())
            }
            (DType::F32, value) => {
                let data = value.float();
                Value::Float(positions.map(|i| data[i]).collect())
            }
            (_, value) => {
                let data = value.integer();
                Value::Integer(positions.map(|i| data[i]).collect())
            }
        }
    }
}

fn step<'a, T: Number>(
    graph: &Graph,
    node: &Node,
    values: &[Value<'a, T>],
    inputs: &'a Values,
    state: &State<T>,
) -> Result<Value<'a, T>> {
    let zero = T::from_f32(0.0);
    let shape = |i: usize| &graph.nodes[node.arguments[i]].shape;
    let value = |i: usize| &values[node.arguments[i]];
    let float = |i: usize| value(i).float();
    Ok(match &node.op {
        Op::Input { name, .. } => {
            let tensor = inputs.get(name).ok_or_else(|| GraphError::Missing { name: name.clone() })?;
            tensor.expect(name, &node.shape, node.dtype)?;
            Value::Host(tensor)
        }
        Op::State { slot } => {
            let data = state.get(slot).ok_or_else(|| GraphError::Missing { name: slot.clone() })?;
            if data.len() != node.shape.count() {
                let (need, got) = (node.shape.to_string(), format!("{} elements", data.len()));
                return Err(GraphError::Value { name: slot.clone(), need, got });
            }
            Value::Float(data.clone())
        }
        Op::Constant(c) => Value::Float(vec![T::from_f32(*c)]),
        Op::Random { stream, shape } => {
            let key = value(0).integer();
            let element = |i: usize| T::from_f32(random::uniform([key[0], key[1]], *stream, i as u32));
            Value::Float((0..shape.count()).map(element).collect())
        }
        Op::ToFloat => Value::Float(float(0).into_owned()),
        Op::Unary(op) => Value::Float(float(0).iter().map(|&x| op.of(x)).collect()),
        Op::Binary(op) => {
            let (a, b) = (float(0), float(1));
            Value::Float(a.iter().zip(b.iter()).map(|(&a, &b)| op.of(a, b)).collect())
        }
        Op::Detach | Op::Reshape(_) => value(0).pick(node.dtype, 0..node.shape.count()),
        Op::Expand(to) => {
            // A stretched or added axis has stride 0.
            let (from, rank) = (shape(0), to.rank());
            let mut strides = vec![0; rank];
            for (i, stride) in from.strides().into_iter().enumerate() {
                strides[i + rank - from.rank()] = if from.0[i] == 1 { 0 } else { stride };
            }
            value(0).pick(node.dtype, positions(to, &strides).into_iter())
        }
        Op::Permute(axes) => {
            let strides = shape(0).strides();
            let strides: Vec<usize> = axes.iter().map(|&a| strides[a]).collect();
            value(0).pick(node.dtype, positions(&node.shape, &strides).into_iter())
        }
        Op::Reduce { reduction, axes } => Value::Float(reduce(*reduction, &float(0), shape(0), axes)),
        Op::ArgMax => {
            let classes = *shape(0).0.last().expect("rank was checked by inference");
            let first_max =
                |row: &[T]| (1..classes).fold(0, |best, i| if row[i] > row[best] { i } else { best }) as u32;
            Value::Integer(float(0).chunks(classes).map(first_max).collect())
        }
        Op::OneHot { classes } => {
            let one_hot = |&label: &u32| (0..*classes).map(move |c| T::from_u32(u32::from(c as u32 == label)));
            Value::Float(value(0).integer().iter().flat_map(one_hot).collect())
        }
        Op::Gather => {
            let (rows, width) = (shape(0).0[0], shape(0).0[1..].iter().product::<usize>());
            let indices = value(1).integer();
            if let Some(&index) = indices.iter().find(|&&i| i as usize >= rows) {
                return Err(GraphError::Row { origin: Origin::clone(&node.origin), index, rows });
            }
            value(0).pick(node.dtype, indices.iter().flat_map(|&i| i as usize * width..(i as usize + 1) * width))
        }
        Op::MatMul { transpose: [ta, tb] } => {
            let (a, b) = (float(0), float(1));
            let (m, n) = (node.shape.0[0], node.shape.0[1]);
            let k = shape(0).0[usize::from(!ta)];
            let mut y = vec![zero; m * n];
            for i in 0..m {
                for p in 0..k {
                    let left = if *ta { a[p * m + i] } else { a[i * k + p] };
                    for j in 0..n {
                        let right = if *tb { b[j * k + p] } else { b[p * n + j] };
                        y[i * n + j] = y[i * n + j] + left * right;
                    }
                }
            }
            Value::Float(y)
        }
        Op::Conv2d(conv) => {
            let (x, w) = (float(0), float(1));
            let mut y = vec![zero; node.shape.count()];
            convolution(conv, shape(0), shape(1), &node.shape, |xi, wi, yi| y[yi] = y[yi] + x[xi] * w[wi]);
            Value::Float(y)
        }
        Op::Conv2dInputGrad { conv, input } => {
            let (g, w) = (float(0), float(1));
            let mut dx = vec![zero; input.count()];
            convolution(conv, input, shape(1), shape(0), |xi, wi, yi| dx[xi] = dx[xi] + g[yi] * w[wi]);
            Value::Float(dx)
        }
        Op::Conv2dWeightGrad { conv, weight } => {
            let (x, g) = (float(0), float(1));
            let mut dw = vec![zero; weight.count()];
            convolution(conv, shape(0), weight, shape(1), |xi, wi, yi| dw[wi] = dw[wi] + g[yi] * x[xi]);
            Value::Float(dw)
        }
        Op::Pool2d(pool) => {
            let x = float(0);
            let area = T::from_u32((pool.size * pool.size) as u32);
            let mut y = Vec::with_capacity(node.shape.count());
            windows(pool, shape(0), &node.shape, |window, _| {
                y.push(match pool.kind {
                    PoolKind::Max => window[1..].iter().fold(x[window[0]], |most, &i| most.larger(x[i])),
                    PoolKind::Average => window.iter().fold(zero, |sum, &i| sum + x[i]) / area,
                });
            });
            Value::Float(y)
        }
        Op::Pool2dGrad(pool) => {
            let (x, g) = (float(0), float(1));
            let area = T::from_u32((pool.size * pool.size) as u32);
            let mut dx = vec![zero; node.shape.count()];
            windows(pool, shape(0), shape(1), |window, yi| match pool.kind {
                PoolKind::Max => {
                    let i = first_max(&x, window);
                    dx[i] = dx[i] + g[yi];
                }
                PoolKind::Average => window.iter().for_each(|&i| dx[i] = dx[i] + g[yi] / area),
            });
            Value::Float(dx)
        }
    })
}

/// For each element of `shape` in row-major order: its position in data with the given strides.
fn positions(shape: &Shape, strides: &[usize]) -> Vec<usize> {
    let mut positions = vec![0];
    for (&size, &stride) in shape.0.iter().zip(strides) {
        positions = positions.iter().flat_map(|&p| (0..size).map(move |i| p + i * stride)).collect();
    }
    positions
}

fn reduce<T: Number>(reduction: Reduction, x: &[T], shape: &Shape, axes: &[usize]) -> Vec<T> {
    let reduced = shape.reduced(axes);
    let mut strides = reduced.strides();
    axes.iter().for_each(|&a| strides[a] = 0);
    let start = match reduction {
        Reduction::Sum => T::from_f32(0.0),
        Reduction::Max => T::from_f32(f32::NEG_INFINITY),
    };
    let mut y = vec![start; reduced.count()];
    for (&x, i) in x.iter().zip(positions(shape, &strides)) {
        y[i] = match reduction {
            Reduction::Sum => y[i] + x,
            Reduction::Max => x.larger(y[i]),
        };
    }
    y
}

/// Visits every multiply-add of a convolution as positions in (x, weight, y).
fn convolution(conv: &Conv, x: &Shape, w: &Shape, y: &Shape, mut visit: impl FnMut(usize, usize, usize)) {
    let ([_, c, h, wd], [_, _, kh, kw], [n, o, oh, ow]) = (axes4(x), axes4(w), axes4(y));
    // Position in x along one axis; `None` in the zero padding.
    let at =
        |out: usize, k: usize, size: usize| (out * conv.stride + k).checked_sub(conv.padding).filter(|&i| i < size);
    for (n, o, c) in product3(n, o, c) {
        for (ky, kx) in product2(kh, kw) {
            let wi = ((o * w.0[1] + c) * kh + ky) * kw + kx;
            for oy in 0..oh {
                let Some(iy) = at(oy, ky, h) else { continue };
                for ox in 0..ow {
                    let Some(ix) = at(ox, kx, wd) else { continue };
                    visit(((n * x.0[1] + c) * h + iy) * wd + ix, wi, ((n * y.0[1] + o) * oh + oy) * ow + ox);
                }
            }
        }
    }
}

/// Visits every pooling window: the positions it covers in x, and its position in y.
fn windows(pool: &Pool, x: &Shape, y: &Shape, mut visit: impl FnMut(&[usize], usize)) {
    let ([n, c, h, w], [_, _, oh, ow]) = (axes4(x), axes4(y));
    let mut window = vec![0; pool.size * pool.size];
    for (plane, oy, ox) in product3(n * c, oh, ow) {
        for (i, (ky, kx)) in product2(pool.size, pool.size).enumerate() {
            window[i] = (plane * h + oy * pool.stride + ky) * w + ox * pool.stride + kx;
        }
        visit(&window, (plane * oh + oy) * ow + ox);
    }
}

fn first_max<T: Number>(x: &[T], window: &[usize]) -> usize {
    window.iter().copied().reduce(|best, i| if x[i] > x[best] { i } else { best }).expect("a window is not empty")
}

fn product2(a: usize, b: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..a).flat_map(move |i| (0..b).map(move |j| (i, j)))
}

fn product3(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    product2(a, b).flat_map(move |(i, j)| (0..c).map(move |k| (i, j, k)))
}
