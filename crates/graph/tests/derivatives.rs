//! Every derivative of the case table against central finite differences, both in f64; and the table against the
//! vocabulary: an operation without a case fails here.

use std::collections::BTreeSet;

use graph::{Op, Pool, PoolKind, Recorder, Values, cases, gradients, reference};

#[test]
fn derivatives_agree_with_finite_differences() {
    // A staircase, whose derivative is that of the line through it.
    for case in cases().into_iter().filter(|case| case.name != "f16") {
        let start = reference::state_from::<f64>(&case.state);
        let evaluate = |state: &reference::State<f64>| {
            reference::evaluate(&case.graph, &case.inputs, &mut state.clone()).expect("the case evaluates")
        };
        let outputs = evaluate(&start);
        for slot in &case.differentiable {
            let analytic = &outputs[&format!("d_{slot}")];
            assert_eq!(analytic.len(), start[slot].len(), "{}", case.name);
            for i in 0..analytic.len() {
                let h = 1e-6;
                let at = |delta: f64| {
                    let mut state = start.clone();
                    state.get_mut(slot).expect("the slot exists")[i] += delta;
                    evaluate(&state)["loss"][0]
                };
                let numeric = (at(h) - at(-h)) / (2.0 * h);
                let bound = 1e-6 * (1.0 + numeric.abs());
                assert!(
                    (analytic[i] - numeric).abs() <= bound,
                    "{} d_{slot}[{i}]: {} {numeric}",
                    case.name,
                    analytic[i]
                );
            }
        }
    }
}

#[test]
fn every_operation_has_a_case() {
    let used: BTreeSet<&str> = cases()
        .iter()
        .flat_map(|case| case.graph.nodes.iter().map(|node| node.op.name()).collect::<Vec<_>>())
        .collect();
    let vocabulary: BTreeSet<&str> = Op::NAMES.iter().copied().collect();
    assert_eq!(vocabulary.len(), Op::NAMES.len(), "two operations share a name");
    assert_eq!(used, vocabulary);
}

#[test]
fn the_first_of_equal_maxima_gets_the_gradient() {
    let r = Recorder::new();
    let x = r.state("x", [1, 1, 2, 4]);
    let y = x.pool2d(Pool { kind: PoolKind::Max, size: 2, stride: 2 }).expect("the window fits");
    let dx = gradients(&y.sum_all().expect("a sum"), &[&x]).expect("a derivative").remove(0);
    let graph = r.finish(&[("dx", &dx)], &[]).expect("a valid graph");
    let mut state = reference::State::from([("x".into(), vec![0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 2.0, 2.0])]);
    let outputs = reference::evaluate::<f64>(&graph, &Values::new(), &mut state).expect("it evaluates");
    assert_eq!(outputs["dx"], [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn rounding_lets_rounded_derivatives_through() {
    let r = Recorder::new();
    let x = r.state("x", [2]);
    let loss = x.f16().expect("f32").mul(&r.constant(0.1)).expect("one shape").sum_all().expect("f32");
    let dx = gradients(&loss, &[&x]).expect("it has a derivative").remove(0);
    let graph = r.finish(&[("dx", &dx)], &[]).expect("a graph");
    let mut state = reference::State::from([("x".to_owned(), vec![1.0, 2.0])]);
    let outputs = reference::evaluate::<f64>(&graph, &Values::new(), &mut state).expect("it evaluates");
    assert_eq!(outputs["dx"], [0.0999755859375; 2], "0.1 as 16 bits hold it");
}
