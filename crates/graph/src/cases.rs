//! The case table: small graphs that together use every operation on the shapes that break implementations. Each
//! engine is judged on all of them, each derivative too.

use crate::{Conv, DType, Feed, Graph, GraphError, HostTensor, Pool, PoolKind, Recorder, Tensor, Values, gradients};

/// One graph with values for its inputs and state.
#[allow(missing_docs)]
pub struct Case {
    pub name: String,
    pub graph: Graph,
    pub inputs: Values,
    pub state: Values,
    /// Slots by which `loss` is differentiated: output `d_NAME` is the derivative.
    pub differentiable: Vec<String>,
}

/// All cases.
///
/// # Panics
/// Where a case is recorded wrongly: the table below is at fault.
pub fn cases() -> Vec<Case> {
    let conv = |stride, padding| Conv { stride, padding };
    let mut cases = vec![
        case("neg", &[&[3]], |x| x[0].neg()),
        case("exp", &[&[2, 3]], |x| x[0].exp()),
        case("log", &[&[5]], |x| x[0].square()?.add_scalar(0.5)?.log()),
        case("sqrt", &[&[5]], |x| x[0].square()?.add_scalar(0.5)?.sqrt()),
        case("tanh", &[&[7]], |x| x[0].tanh()),
        case("f16", &[&[3, 7]], |x| x[0].f16()),
        case("add/broadcast", &[&[2, 1, 3], &[4, 1]], |x| x[0].add(&x[1])),
        case("sub/broadcast", &[&[3], &[2, 3]], |x| x[0].sub(&x[1])),
        case("mul/broadcast", &[&[2, 3, 4, 5], &[3, 1, 1]], |x| x[0].mul(&x[1])),
        case("mul/scalar", &[&[6], &[]], |x| x[0].mul(&x[1])),
        case("div", &[&[2, 3], &[2, 1]], |x| x[0].div(&x[1].square()?.add_scalar(0.5)?)),
        case("max", &[&[4, 3], &[3]], |x| x[0].max(&x[1])),
        case("greater", &[&[4, 3], &[3]], |x| x[0].greater(&x[1])?.mul(&x[0])),
        case("equal", &[&[4]], |x| x[0].equal(&x[0])?.mul(&x[0])),
        case("relu", &[&[17]], |x| x[0].relu()),
        case("leaky_relu", &[&[17]], |x| x[0].leaky_relu(0.1)),
        case("sigmoid", &[&[17]], |x| x[0].scale(30.0)?.sigmoid()),
        case("gelu", &[&[17]], |x| x[0].gelu()),
        case("reshape", &[&[2, 6]], |x| x[0].reshape([3, 4])?.square()),
        case("permute", &[&[2, 3, 5], &[5, 2, 3]], |x| x[0].permute(&[2, 0, 1])?.mul(&x[1])),
        case("sum/rows", &[&[3, 5]], |x| x[0].sum(&[1])?.square()),
        case("sum/columns", &[&[3, 5]], |x| x[0].sum(&[0])?.square()),
        case("sum/channels", &[&[2, 3, 4, 5]], |x| x[0].sum(&[0, 2, 3])?.square()),
        case("mean", &[&[2, 3]], |x| x[0].mean_all()?.square()),
        case("reduce_max", &[&[4, 5]], |x| x[0].reduce_max(&[1])?.square()),
        case("log_softmax", &[&[3, 4]], |x| x[0].scale(50.0)?.log_softmax()?.scale(0.01)),
        case("softmax", &[&[3, 4]], |x| x[0].softmax()),
        case("random", &[&[4, 9]], |x| {
            let key = x[0].recorder().input("key", Feed::Step, [2], DType::U32);
            x[0].mul(&key.random(3, [4, 9])?)
        }),
        case("arg_max", &[&[4, 5]], |x| {
            let index = x[0].arg_max()?.to_float()?.reshape([4, 1])?;
            x[0].mul(&index)
        }),
        case("gather/one_hot", &[&[3, 4]], |x| {
            let r = x[0].recorder();
            let indices = r.input("indices", Feed::Step, [3], DType::U32);
            let rows = r.input("table", Feed::Resident, [5, 4], DType::U8).gather(&indices)?.to_float()?; // [3, 4]
            let classes = r.input("labels", Feed::Resident, [5], DType::U8).gather(&indices)?.one_hot(4)?; // [3, 4]
            x[0].mul(&rows.scale(1.0 / 255.0)?)?.mul(&classes)
        }),
        case("matmul/beside bytes", &[&[2, 4], &[4, 3]], |x| {
            let bytes = x[0].recorder().input("bytes", Feed::Resident, [2, 3], DType::U8).to_float()?;
            x[0].matmul(&x[1])?.add(&bytes.scale(1.0 / 255.0)?)
        }),
        case("pool/max", &[&[2, 3, 5, 7]], |x| x[0].pool2d(Pool { kind: PoolKind::Max, size: 2, stride: 2 })),
        case("pool/max overlapping", &[&[1, 2, 7, 5]], |x| {
            x[0].pool2d(Pool { kind: PoolKind::Max, size: 3, stride: 2 })
        }),
        case("pool/max ties", &[&[]], |x| {
            // Zeros and ones: among equal elements the first must get the gradient.
            let r = x[0].recorder();
            let key = r.input("key", Feed::Step, [2], DType::U32);
            let steps = key.random(5, [1, 2, 4, 4])?.greater(&r.constant(0.6))?; // [1, 2, 4, 4]
            let g = r.input("g", Feed::Step, [1, 2, 2, 2], DType::F32);
            steps.pool2d_grad(&g, Pool { kind: PoolKind::Max, size: 2, stride: 2 })?.mul(&x[0])
        }),
        case("pool/average", &[&[2, 1, 6, 5]], |x| x[0].pool2d(Pool { kind: PoolKind::Average, size: 3, stride: 1 })),
        case("pool/average 2", &[&[2, 3, 4, 4]], |x| x[0].pool2d(Pool { kind: PoolKind::Average, size: 2, stride: 2 })),
        case("pool/empty", &[&[0, 3, 4, 4]], |x| x[0].pool2d(Pool { kind: PoolKind::Max, size: 2, stride: 2 })),
    ];
    // Products: every transposition, on sizes 1, prime, around a tile, tall, wide, empty.
    let sizes =
        [(1, 1, 1), (2, 3, 5), (7, 31, 3), (15, 16, 17), (33, 32, 31), (64, 1, 2), (1, 65, 1), (2, 0, 3), (0, 2, 3)];
    for (m, k, n) in sizes {
        for transpose in [[false, false], [true, false], [false, true], [true, true]] {
            let side = |flag: bool, a: usize, b: usize| if flag { [b, a] } else { [a, b] };
            let (a, b) = (side(transpose[0], m, k), side(transpose[1], k, n));
            let name = format!("matmul/{m}x{k}x{n} {transpose:?}");
            cases.push(case(&name, &[&a, &b], move |x| x[0].matmul_transposed(transpose, &x[1])));
        }
    }
    // Convolutions: image, kernel, stride, padding.
    let shapes: [([usize; 4], [usize; 4], Conv); 8] = [
        ([1, 1, 1, 1], [1, 1, 1, 1], conv(1, 0)),
        ([2, 1, 9, 9], [4, 1, 5, 5], conv(1, 2)),
        ([2, 3, 5, 7], [4, 3, 3, 3], conv(1, 1)),
        ([1, 2, 8, 7], [3, 2, 3, 3], conv(2, 1)),
        ([1, 2, 8, 7], [3, 2, 3, 2], conv(2, 0)),
        ([3, 5, 4, 4], [7, 5, 1, 1], conv(1, 0)),
        ([2, 17, 3, 3], [1, 17, 3, 3], conv(1, 1)),
        ([0, 2, 4, 4], [3, 2, 3, 3], conv(1, 1)),
    ];
    for (x, w, c) in shapes {
        let name = format!("conv/{x:?} {w:?} stride {} padding {}", c.stride, c.padding);
        cases.push(case(&name, &[&x, &w], move |t| t[0].conv2d(&t[1], c)));
    }
    // All updates take effect together, whatever they read and wherever their values come from.
    let updates: [(&str, &[&[usize]], Updates); 8] = [
        ("an old value", &[&[3], &[3]], |x| Ok(vec![(0, x[0].add_scalar(1.0)?), (1, x[0].clone())])),
        ("an old value, reshaped", &[&[2, 3], &[6]], |x| Ok(vec![(0, x[0].neg()?), (1, x[0].reshape([6])?)])),
        ("a swap", &[&[3], &[3]], |x| Ok(vec![(0, x[1].clone()), (1, x[0].clone())])),
        ("a chain", &[&[3], &[3], &[3]], |x| Ok(vec![(0, x[0].square()?), (1, x[0].clone()), (2, x[1].clone())])),
        ("one value twice", &[&[3], &[3]], |x| {
            let sum = x[0].add(&x[1])?;
            Ok(vec![(0, sum.clone()), (1, sum)])
        }),
        ("itself", &[&[3], &[3]], |x| Ok(vec![(0, x[0].clone()), (1, x[0].mul(&x[1])?)])),
        ("a product", &[&[4, 4], &[4, 4]], |x| Ok(vec![(0, x[0].matmul(&x[1])?), (1, x[0].clone())])),
        ("a convolution and its gradients", &[&[2, 1, 4, 4], &[1, 1, 3, 3], &[2, 1, 4, 4]], |x| {
            let conv = Conv { stride: 1, padding: 1 };
            let dw = x[0].conv2d_weight_grad(&x[2], conv, x[1].shape())?;
            let dx = x[2].conv2d_input_grad(&x[1], conv, x[0].shape())?;
            Ok(vec![(0, dx), (1, dw), (2, x[0].conv2d(&x[1], conv)?)])
        }),
    ];
    cases.extend(updates.map(|(name, shapes, build)| updating(name, shapes, build)));
    cases
}

/// From slots to new values, each with the number of the slot that takes it.
type Updates = fn(&[Tensor]) -> Result<Vec<(usize, Tensor)>, GraphError>;

/// A case about what slots become; the old values are outputs too.
fn updating(name: &str, shapes: &[&[usize]], build: Updates) -> Case {
    let record = || -> Result<Graph, GraphError> {
        let (r, slots) = (Recorder::new(), slots(shapes));
        let x: Vec<Tensor> = slots.iter().zip(shapes).map(|(slot, &shape)| r.state(slot, shape)).collect();
        let updates: Vec<(String, Tensor)> = build(&x)?.into_iter().map(|(i, new)| (slots[i].clone(), new)).collect();
        let names: Vec<String> = slots.iter().map(|slot| format!("old_{slot}")).collect();
        r.finish(&names.iter().map(String::as_str).zip(&x).collect::<Vec<_>>(), &updates)
    };
    filled(&format!("update/{name}"), &record, vec![])
}

fn slots(shapes: &[&[usize]]) -> Vec<String> {
    (0..shapes.len()).map(|i| format!("x{i}")).collect()
}

/// A case: states `x0`, `x1`, … of the given shapes, a result, a scalar loss over it with unequal weights, and the
/// loss's derivative by each state.
fn case(name: &str, shapes: &[&[usize]], build: impl Fn(&[Tensor]) -> Result<Tensor, GraphError>) -> Case {
    recorded(name, shapes, &build)
}

/// The same, compiled once for all cases: a copy for each took half of the time that this crate takes to compile.
fn recorded(name: &str, shapes: &[&[usize]], build: &dyn Fn(&[Tensor]) -> Result<Tensor, GraphError>) -> Case {
    let record = || -> Result<Graph, GraphError> {
        let r = Recorder::new();
        let slots = slots(shapes);
        let x: Vec<Tensor> = slots.iter().zip(shapes).map(|(slot, &shape)| r.state(slot, shape)).collect();
        let y = build(&x)?;
        let weights = r.input("weights", Feed::Step, y.shape().clone(), DType::F32);
        let loss = y.mul(&weights)?.sum_all()?;
        let derivatives = gradients(&loss, &x.iter().collect::<Vec<_>>())?;
        let names: Vec<String> = slots.iter().map(|slot| format!("d_{slot}")).collect();
        let mut outputs = vec![("y", &y), ("loss", &loss)];
        outputs.extend(names.iter().map(String::as_str).zip(&derivatives));
        // Each state moves a little, so that engines show how they write state.
        let moved = slots.iter().zip(x.iter().zip(&derivatives));
        let updates = moved.map(|(slot, (x, d))| Ok((slot.clone(), x.sub(&d.scale(0.1)?)?)));
        r.finish(&outputs, &updates.collect::<Result<Vec<_>, _>>()?)
    };
    filled(name, &record, slots(shapes))
}

/// A recorded graph with numbers for all that it reads.
fn filled(name: &str, record: &dyn Fn() -> Result<Graph, GraphError>, differentiable: Vec<String>) -> Case {
    let graph = record().unwrap_or_else(|error| panic!("case {name}: {error}"));
    let mut next = 0;
    let mut values = |count: usize| -> Vec<f32> {
        next += 1; // each tensor has its own numbers, in (-1, 1)
        (0..count).map(|i| 2.0 * crate::random::uniform([11, 13], next, i as u32) - 1.0).collect()
    };
    let state = graph
        .slots()
        .map(|(slot, node)| (slot.to_owned(), HostTensor::f32(node.shape.clone(), values(node.shape.count()))));
    let state: Values = state.collect();
    let inputs = graph.inputs().map(|(input, node)| {
        let count = node.shape.count();
        let value = match (input, node.dtype) {
            ("indices", _) => HostTensor::u32(node.shape.clone(), vec![4, 0, 4]),
            ("labels", _) => HostTensor::u8(node.shape.clone(), vec![3, 0, 1, 2, 0]),
            (_, DType::F32) => HostTensor::f32(node.shape.clone(), values(count)),
            (_, DType::U32) => HostTensor::u32(node.shape.clone(), (1..).take(count).collect()),
            (_, DType::U8) => {
                HostTensor::u8(node.shape.clone(), (0..).map(|i: usize| (i * 37) as u8).take(count).collect())
            }
        };
        (input.to_owned(), value)
    });
    let inputs = inputs.collect();
    Case { name: name.into(), differentiable, graph, inputs, state }
}
