//! The ways of evaluation against each other and the reference. Cases of all engines, the comparator and its faults are
//! in the workspace's tests.

use std::collections::BTreeMap;

use graph::{Conv, DType, Feed, GraphError, Pool, PoolKind, Recorder, cases, reference};
use pollster::block_on;

use super::*;

const WAYS: [Way; 3] = [Way::Loops, Way::Candle, Way::Tape];

/// Outputs of one step, and the state after it.
fn run(way: Way, graph: &Graph, inputs: &Values, state: &Values) -> Values {
    let mut candle = Candle::open(EngineName::CandleCpu, false).expect("there is a CPU");
    candle.plain = way;
    let run = async {
        for (name, value) in inputs {
            candle.upload(name, value).await?;
        }
        candle.write_state(state).await?;
        let program = candle.load(graph).await?;
        let mut values = candle.run(program, std::slice::from_ref(inputs)).await?.outputs.remove(0);
        values.extend(candle.read_state().await?);
        Ok::<Values, EngineError>(values)
    };
    block_on(run).unwrap_or_else(|error| panic!("{way:?}: {error}"))
}

fn floats<'a>(values: &'a Values, name: &str) -> &'a [f32] {
    values[name].as_f32().expect("all results here are f32")
}

fn assert_close(got: &Values, want: &BTreeMap<String, Vec<f64>>, what: &str) {
    for (name, want) in want {
        let got = floats(got, name);
        assert_eq!(got.len(), want.len(), "{what}: {name}");
        let largest = want.iter().fold(1e-2, |largest: f64, v| largest.max(v.abs()));
        let is_close = |(&got, &want): (&f32, &f64)| (f64::from(got) - want).abs() <= 1e-5 * largest;
        let far = got.iter().zip(want).position(|pair| got.len() == want.len() && !is_close(pair));
        assert_eq!(far.map(|i| (i, got[i], want[i])), None, "{what}: {name}");
    }
}

/// What a GPU would be asked to do, done by candle on the CPU.
#[test]
fn every_way_computes_every_case() {
    for (way, case) in WAYS.into_iter().flat_map(|way| cases().into_iter().map(move |case| (way, case))) {
        let mut want = reference::state_from::<f64>(&case.state);
        let outputs = reference::evaluate(&case.graph, &case.inputs, &mut want).expect("the case is complete");
        want.extend(outputs);
        want.retain(|name, _| name != "loss"); // its terms cancel
        assert_close(&run(way, &case.graph, &case.inputs, &case.state), &want, &format!("{way:?} {}", case.name));
    }
}

/// Tensors so large that the loops are cut into parts, which begin in the middle of rows and images.
#[test]
fn loops_agree_with_candle_on_what_is_large() {
    let r = Recorder::new();
    let x = r.state("x", [37, 5, 29, 31]);
    let w = r.state("w", [3, 5, 3, 5]);
    let channel = r.state("channel", [5, 1, 1]);
    let column = r.state("column", [31, 37]);
    let conv = Conv { stride: 2, padding: 1 };
    let record = || -> std::result::Result<Graph, GraphError> {
        let y = x.conv2d(&w, conv)?;
        let flat = x.permute(&[3, 0, 1, 2])?; // [31, 37, 5, 29]
        let mut outputs = vec![
            ("broadcast", x.add(&channel)?.mul(&r.constant(0.3))?.tanh()?),
            ("swapped", channel.sub(&x)?.max(&x)?),
            ("permuted", flat.mul(&column.reshape([31, 37, 1, 1])?)?),
            ("equal", x.greater(&channel)?.equal(&r.constant(0.0))?),
            ("rows", x.sum(&[2, 3])?),
            ("columns", x.sum(&[0])?),
            ("channels", x.sum(&[0, 2, 3])?),
            ("all", x.reduce_max(&[0, 1, 2, 3])?),
            ("most", flat.reduce_max(&[1])?),
            ("conv", y.clone()),
            ("conv input", y.conv2d_input_grad(&w, conv, x.shape())?),
            ("conv weight", x.conv2d_weight_grad(&y, conv, w.shape())?),
        ];
        for (name, grad, kind) in [("max", "max grad", PoolKind::Max), ("mean", "mean grad", PoolKind::Average)] {
            let pool = Pool { kind, size: 3, stride: 2 };
            let y = x.pool2d(pool)?;
            outputs.push((grad, x.pool2d_grad(&y, pool)?));
            outputs.push((name, y));
        }
        r.finish(&outputs.iter().map(|(name, tensor)| (*name, tensor)).collect::<Vec<_>>(), &[])
    };
    let graph = record().expect("it fits");
    let state: Values = (1..)
        .zip(graph.slots())
        .map(|(stream, (slot, node))| {
            let values = (0..node.shape.count()).map(|i| graph::random::uniform([7, 9], stream, i as u32) - 0.5);
            (slot.into(), HostTensor::f32(node.shape.clone(), values.collect()))
        })
        .collect();
    let want = run(Way::Candle, &graph, &Values::new(), &state).into_iter().map(|(name, tensor)| {
        let values = tensor.as_f32().expect("f32").iter().map(|&v| f64::from(v)).collect();
        (name, values)
    });
    assert_close(&run(Way::Loops, &graph, &Values::new(), &state), &want.collect(), "loops");
}

#[test]
fn nan_comes_through_in_every_way() {
    let r = Recorder::new();
    let (a, b) = (r.state("a", [3]), r.state("b", [3]));
    let max = a.max(&b).expect("it fits");
    let most = max.reduce_max(&[0]).expect("it fits");
    let graph = r.finish(&[("max", &max), ("most", &most)], &[]).expect("it is valid");
    let state = Values::from([
        ("a".into(), HostTensor::f32([3], vec![f32::NAN, 1.0, 5.0])),
        ("b".into(), HostTensor::f32([3], vec![1.0, f32::NAN, 3.0])),
    ]);
    for way in WAYS {
        let got = run(way, &graph, &Values::new(), &state);
        let nan: Vec<bool> = floats(&got, "max").iter().map(|v| v.is_nan()).collect();
        assert_eq!((nan, floats(&got, "max")[2]), (vec![true, true, false], 5.0), "{way:?}");
        assert!(floats(&got, "most")[0].is_nan(), "{way:?}");
    }
}

/// Among equal elements the first one wins, and a maximum shares its derivative, on candle's tape as well.
#[test]
fn ties_are_broken_alike_in_every_way() {
    let r = Recorder::new();
    let x = r.input("x", Feed::Step, [1, 1, 2, 4], DType::F32);
    let g = r.input("g", Feed::Step, [1, 1, 1, 2], DType::F32);
    let first = x.reshape([2, 4]).and_then(|x| x.arg_max()?.to_float()).expect("it fits");
    let pool = Pool { kind: PoolKind::Max, size: 2, stride: 2 };
    let grad = x.pool2d_grad(&g, pool).expect("it fits");
    let graph = r.finish(&[("first", &first), ("grad", &grad)], &[]).expect("it is valid");
    let inputs = Values::from([
        ("x".into(), HostTensor::f32([1, 1, 2, 4], vec![1.0, 2.0, 2.0, 0.0, 2.0, 0.0, 2.0, 2.0])),
        ("g".into(), HostTensor::f32([1, 1, 1, 2], vec![3.0, 5.0])),
    ]);
    for way in WAYS {
        let got = run(way, &graph, &inputs, &Values::new());
        assert_eq!(floats(&got, "first"), [1.0, 0.0], "{way:?}");
        assert_eq!(floats(&got, "grad"), [0.0, 3.0, 5.0, 0.0, 0.0, 0.0, 0.0, 0.0], "{way:?}");
    }
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
