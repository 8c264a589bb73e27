//! What candle computes on shapes and values at which its own operations differ from ours, against the reference. Cases
//! of all engines, the comparator and its faults are in the workspace's tests.

use std::collections::BTreeMap;

use graph::{Conv, DType, Feed, GraphError, Pool, PoolKind, Recorder, Shape, random, reference};
use pollster::block_on;

use super::*;

/// Outputs of one step, and the state after it.
fn run(autograd: bool, graph: &Graph, inputs: &Values, state: &Values) -> Result<Values> {
    let mut candle = Candle::open(EngineName::CandleCpu, autograd)?;
    block_on(async {
        for (name, value) in inputs {
            candle.upload(name, value).await?;
        }
        candle.write_state(state).await?;
        let program = candle.load(graph).await?;
        let mut values = candle.run(program, std::slice::from_ref(inputs)).await?.outputs.remove(0);
        values.extend(candle.read_state().await?);
        Ok(values)
    })
}

fn floats<'a>(values: &'a Values, name: &str) -> &'a [f32] {
    values[name].as_f32().expect("all results here are f32")
}

/// Numbers in (-1, 1), others for each slot.
fn state(graph: &Graph) -> Values {
    let value = |stream, i| 2.0 * random::uniform([7, 9], stream, i as u32) - 1.0;
    let slot = |(stream, (slot, node)): (u32, (&str, &graph::Node))| {
        let values = (0..node.shape.count()).map(|i| value(stream, i)).collect();
        (slot.to_owned(), HostTensor::f32(node.shape.clone(), values))
    };
    (1..).zip(graph.slots()).map(slot).collect()
}

fn truth(graph: &Graph, state: &Values) -> BTreeMap<String, Vec<f64>> {
    let mut slots = reference::state_from::<f64>(state);
    reference::evaluate(graph, &Values::new(), &mut slots).expect("the reference runs every graph")
}

/// All outputs are near the reference's, and NaN where it has NaN.
fn assert_near(what: &str, graph: &Graph, state: &Values, got: &Values, bound: f64) {
    for (name, want) in &truth(graph, state) {
        let got = floats(got, name);
        assert_eq!(got.len(), want.len(), "{what}: {name}");
        let largest = want.iter().filter(|v| v.is_finite()).fold(1e-2, |largest: f64, v| largest.max(v.abs()));
        let is_near = |(&got, &want): (&f32, &f64)| {
            let got = f64::from(got);
            got == want || (got - want).abs() <= bound * largest || (got.is_nan() && want.is_nan())
        };
        let far = got.iter().zip(want).position(|pair| !is_near(pair));
        assert_eq!(far.map(|i| (i, got[i], want[i])), None, "{what}: {name}");
    }
}

/// All small images, kernels, strides and paddings, those included where a window sees nothing but padding.
#[test]
fn convolutions_of_every_geometry_follow_the_reference() {
    let (mut on_tape, mut refused) = (0, 0);
    let sizes = |n: usize| [(n, n), (n, n + 1), (n + 3, n)];
    for ((h, w), (kh, kw)) in (1..7).flat_map(sizes).flat_map(|image| (1..4).flat_map(sizes).map(move |k| (image, k))) {
        for conv in (0..12).map(|i| Conv { stride: i % 3 + 1, padding: i / 3 }) {
            let r = Recorder::new();
            let (x, weights) = (r.state("x", [2, 2, h, w]), r.state("w", [3, 2, kh, kw]));
            let Ok(y) = x.conv2d(&weights, conv) else { continue };
            let record = || -> std::result::Result<Graph, GraphError> {
                let loss = y.square()?.sum_all()?;
                let derivatives = graph::gradients(&loss, &[&x, &weights])?;
                let outputs = [("y", &y), ("loss", &loss), ("dx", &derivatives[0]), ("dw", &derivatives[1])];
                r.finish(&outputs, &[])
            };
            let mut graph = record().expect("it fits");
            let what = format!("image {h}×{w}, kernel {kh}×{kw}, {conv:?}");
            let state = state(&graph);
            let got = run(false, &graph, &Values::new(), &state).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_near(&what, &graph, &state, &got, 1e-5);

            let node = |name: &str| graph.outputs.iter().find(|output| output.0 == name).expect("an output").1;
            graph.gradients = vec![("x".into(), node("dx")), ("w".into(), node("dw"))];
            match run(true, &graph, &Values::new(), &state) {
                Ok(got) => {
                    assert_near(&format!("on the tape, {what}"), &graph, &state, &got, 1e-5);
                    on_tape += 1;
                }
                Err(EngineError::Unsupported { .. }) => refused += 1,
                Err(error) => panic!("on the tape, {what}: {error}"),
            }
        }
    }
    assert!(on_tape > refused && refused > 0, "{on_tape} on the tape, {refused} refused");
}

#[test]
fn pooling_of_every_geometry_follows_the_reference() {
    for (h, w) in [(1, 1), (2, 5), (4, 4), (5, 7), (6, 3)] {
        for (size, stride) in (1..4).flat_map(|size| (1..5).map(move |stride| (size, stride))) {
            for kind in [PoolKind::Max, PoolKind::Average] {
                let pool = Pool { kind, size, stride };
                let r = Recorder::new();
                let x = r.state("x", [2, 3, h, w]);
                let Ok(y) = x.pool2d(pool) else { continue };
                let dx = x.pool2d_grad(&y, pool).expect("it fits");
                let loss = y.square().and_then(|y| y.scale(0.5)?.sum_all()).expect("it fits");
                let outputs = [("y", &y), ("dx", &dx), ("loss", &loss)];
                let mut graph = r.finish(&outputs, &[]).expect("it is valid");
                graph.gradients = vec![("x".into(), graph.outputs[1].1)];
                let (what, state) = (format!("image {h}×{w}, {pool:?}"), state(&graph));
                for autograd in [false, true] {
                    let got = run(autograd, &graph, &Values::new(), &state);
                    assert_near(&what, &graph, &state, &got.unwrap_or_else(|error| panic!("{what}: {error}")), 1e-5);
                }
            }
        }
    }
}

/// Every row of four of these: NaN and infinities in every place, and ties of every kind.
#[test]
fn special_values_and_ties_follow_the_reference() {
    const VALUES: [f32; 6] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, 0.1, f32::MAX];
    let rows = VALUES.len().pow(4);
    let r = Recorder::new();
    let x = r.state("x", [rows, 4]);
    let record = || -> std::result::Result<Graph, GraphError> {
        let transposed = x.reshape([rows, 2, 2])?.permute(&[0, 2, 1])?.reshape([rows, 4])?;
        let images = x.reshape([rows, 1, 2, 2])?;
        let pool = Pool { kind: PoolKind::Max, size: 2, stride: 2 };
        let g = r.constant(3.0).expand([rows, 1, 1, 1])?;
        let most = x.reduce_max(&[1])?;
        let outputs = [
            ("first", x.arg_max()?.to_float()?),
            ("attained", x.equal(&most.expand([rows, 4])?)?),
            ("most", most),
            ("max", x.max(&transposed)?),
            ("relu", x.relu()?),
            ("greater", x.greater(&transposed)?),
            ("equal", x.equal(&transposed)?),
            ("pool", images.pool2d(pool)?),
            ("pool grad", images.pool2d_grad(&g, pool)?),
        ];
        r.finish(&outputs.each_ref().map(|(name, tensor)| (*name, tensor)), &[])
    };
    let graph = record().expect("it fits");
    let value = |i: usize| VALUES[i / 4 / VALUES.len().pow((i % 4) as u32) % VALUES.len()];
    let state = Values::from([("x".into(), HostTensor::f32([rows, 4], (0..rows * 4).map(value).collect()))]);
    let got = run(false, &graph, &Values::new(), &state).expect("it runs");
    assert_near("eager", &graph, &state, &got, 0.0);
}

/// The tape's own maximum, which shares the derivative.
#[test]
fn a_maximum_on_the_tape_is_the_maximum() {
    let rows =
        [[1.0, f32::NAN, 2.0], [f32::NAN, 1.0, 2.0], [0.1, 0.1, 0.1], [f32::MAX, f32::MAX, 0.0], [-1.0, -2.0, -3.0]];
    let x = Var::new(&rows, &Device::Cpu).expect("there is memory");
    let most = crate::composed::reduce_max_on_tape(&x, &[1]).expect("it fits");
    let values = most.flatten_all().and_then(|most| most.to_vec1::<f32>()).expect("it is f32");
    assert!(values[0].is_nan() && values[1].is_nan());
    for (got, want) in values[2..].iter().zip([0.1, f32::MAX, -1.0]) {
        assert!((got - want).abs() <= 2.0 * f32::EPSILON * want.abs(), "{got} instead of {want}");
    }
    let gradient = most.backward().expect("it is on the tape").remove(&x).expect("x is a variable");
    let gradient = gradient.to_vec2::<f32>().expect("it is f32");
    assert_eq!(gradient[2..], [vec![1.0 / 3.0; 3], vec![0.5, 0.5, 0.0], vec![1.0, 0.0, 0.0]]);
}

/// Wherever the elements lie, a long sum is as exact as f32 allows: adding them one after the other, it would not be.
#[test]
fn long_sums_do_not_drift() {
    const COUNT: usize = 8160;
    let r = Recorder::new();
    let x = r.state("x", [COUNT, 3]);
    let images = r.state("images", [800, 2, 40, 40]);
    let record = || -> std::result::Result<Graph, GraphError> {
        let x = x.square()?; // all of one sign
        let one = x.reduce_max(&[0, 1])?; // [1, 1]
        let outputs = [
            ("columns", x.sum(&[0])?),
            ("all", x.sum(&[0, 1])?),
            ("loss", x.sum(&[1])?.mean_all()?),
            ("transposed", x.permute(&[1, 0])?.sum(&[1])?),
            ("expanded", one.expand([COUNT, 2])?.sum(&[0])?),
            ("channels", images.square()?.sum(&[0, 2, 3])?),
        ];
        r.finish(&outputs.each_ref().map(|(name, tensor)| (*name, tensor)), &[])
    };
    let graph = record().expect("it fits");
    let state = state(&graph);
    let got = run(false, &graph, &Values::new(), &state).expect("it runs");
    assert_near("eager", &graph, &state, &got, 1e-6);
}

#[test]
fn a_row_that_a_table_lacks_is_an_error() {
    for (rows, index) in [(3, u32::MAX), (3, 3), (0, 0)] {
        let r = Recorder::new();
        let indices = r.input("indices", Feed::Step, [2], DType::U32);
        let taken = r.input("table", Feed::Resident, [rows, 2], DType::F32).gather(&indices).expect("it fits");
        let graph = r.finish(&[("taken", &taken)], &[]).expect("it is valid");
        let table = HostTensor::f32([rows, 2], vec![1.0; 2 * rows]);
        let inputs = Values::from([("table".into(), table), ("indices".into(), HostTensor::u32([2], vec![0, index]))]);
        let error = run(false, &graph, &inputs, &Values::new()).expect_err("there is no such row");
        assert!(matches!(error, EngineError::Graph(GraphError::Row { .. })), "{error}");
    }
}

/// What is kept may be anything: an input, a slot, a constant, a view, nothing at all.
#[test]
fn bare_and_empty_results_are_kept() {
    let r = Recorder::new();
    let (a, b) = (r.state("a", [2, 3]), r.state("b", [2, 3]));
    let (fed, held) =
        (r.input("fed", Feed::Step, [2, 3], DType::F32), r.input("held", Feed::Resident, [0, 2], DType::U8));
    let nothing = r.state("nothing", [3, 0]);
    let record = || -> std::result::Result<Graph, GraphError> {
        let constant = r.constant(2.0).expand([3, 2])?;
        let outputs = [
            ("b before", b.clone()),
            ("fed", fed.clone()),
            ("held", held.clone()),
            ("constant", constant.clone()),
            ("transposed", constant.permute(&[1, 0])?),
            ("most", nothing.reduce_max(&[1])?),
            ("product", nothing.matmul(&r.constant(1.0).expand([0, 4])?)?),
        ];
        let updates = [("a".into(), fed.clone()), ("b".into(), a.clone()), ("nothing".into(), nothing.neg()?)];
        r.finish(&outputs.each_ref().map(|(name, tensor)| (*name, tensor)), &updates)
    };
    let graph = record().expect("it fits");
    let tensor = |first: u8| HostTensor::f32([2, 3], (first..first + 6).map(f32::from).collect());
    let empty = HostTensor::f32([3, 0], vec![]);
    let inputs = Values::from([("fed".into(), tensor(10)), ("held".into(), HostTensor::u8([0, 2], vec![]))]);
    let state = Values::from([("a".into(), tensor(0)), ("b".into(), tensor(20)), ("nothing".into(), empty.clone())]);
    let got = run(false, &graph, &inputs, &state).expect("it runs");
    let most = HostTensor::f32(Shape::from([3, 1]), vec![f32::NEG_INFINITY; 3]);
    let want = Values::from([
        ("a".into(), tensor(10)),
        ("b".into(), tensor(0)),
        ("b before".into(), tensor(20)),
        ("nothing".into(), empty),
        ("fed".into(), tensor(10)),
        ("held".into(), inputs["held"].clone()),
        ("constant".into(), HostTensor::f32([3, 2], vec![2.0; 6])),
        ("transposed".into(), HostTensor::f32([2, 3], vec![2.0; 6])),
        ("most".into(), most),
        ("product".into(), HostTensor::f32([3, 4], vec![0.0; 12])),
    ]);
    assert_eq!(got, want);
}

#[test]
fn submissions_are_collected_in_order_and_a_device_opened_anew_is_empty() {
    let r = Recorder::new();
    let sum = r.state("sum", []).add(&r.input("by", Feed::Step, [], DType::F32)).expect("it fits"); // []
    let graph = r.finish(&[("sum", &sum)], &[("sum".into(), sum.clone())]).expect("it is valid");
    let by = |value: f32| Values::from([("by".into(), HostTensor::scalar(value))]);
    let mut candle = Candle::open(EngineName::CandleCpu, false).expect("there is a CPU");
    let calls = async {
        let program = candle.load(&graph).await?;
        candle.write_state(&Values::from([("sum".into(), HostTensor::scalar(0.0))])).await?;
        candle.submit(program, &[by(1.0)]).await?;
        candle.submit(program, &[by(2.0), by(3.0)]).await?;
        assert!(candle.submit(program, &[by(4.0), Values::new()]).await.is_err(), "the second step lacks an input");
        assert_eq!(floats(&candle.read_state().await?, "sum"), [6.0], "what is refused is not made in part");
        for expected in [&[1.0][..], &[3.0, 6.0]] {
            let sums: Vec<f32> = candle.collect().await?.outputs.iter().map(|step| floats(step, "sum")[0]).collect();
            assert_eq!(sums, expected);
        }
        candle.reopen().await?;
        assert!(candle.read_state().await?.is_empty());
        Ok::<(), EngineError>(())
    };
    block_on(calls).expect("it runs");
}

#[test]
fn the_version_is_the_one_that_is_pinned() {
    let pinned = include_str!("../../../../Cargo.toml").lines().find(|line| line.starts_with("candle-core"));
    let (name, version) = CANDLE.split_once(' ').expect("a name and a version");
    assert!(pinned.is_some_and(|line| line.starts_with(name) && line.contains(&format!("={version}"))), "{pinned:?}");
}
