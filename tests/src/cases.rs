//! One body for every engine: all cases of the table, against the f64 reference.

use engine::{Engine, EngineError, Program};
use graph::{Case, Feed, GraphError, HostData, HostTensor, Op, Recorder, Values, cases};

use crate::{
    compare::close,
    parity::{POISON, reference},
    tolerance::FLOOR,
};

/// All cases agree with the f64 reference within `bound`, but for those named in `refused`, which the engine says that it
/// does not run.
///
/// # Panics
/// With every case that does not.
pub async fn assert_agreement(engine: &mut dyn Engine, bound: f64, prepare: impl Fn(&mut Case), refused: &[&str]) {
    let mut failures = vec![];
    for mut case in cases() {
        prepare(&mut case);
        match agreement(engine, &case, bound).await {
            Ok(how) => failures.extend(how.map(|how| format!("{}: {how}", case.name))),
            Err(EngineError::Unsupported { .. }) if refused.contains(&case.name.as_str()) => {}
            Err(error) => failures.push(format!("{}: {error}", case.name)),
        }
    }
    assert!(failures.is_empty(), "{} cases:\n{}", failures.len(), failures.join("\n"));
}

/// The first difference of a case from the f64 reference, `None` where all values agree within `bound`.
///
/// # Errors
/// What the engine says.
pub async fn agreement(engine: &mut dyn Engine, case: &Case, bound: f64) -> Result<Option<String>, EngineError> {
    let want = run(&mut reference::<f64>(), case).await.expect("the reference runs every case");
    Ok(disagreement(&run(engine, case).await?, &want, bound))
}

/// The first difference, `None` where all values agree.
pub fn disagreement(got: &Values, want: &Values, bound: f64) -> Option<String> {
    if !got.keys().eq(want.keys()) {
        return Some(format!("{:?} instead of {:?}", got.keys(), want.keys()));
    }
    got.iter().zip(want.values()).find_map(|((name, got), want)| match (&got.data, &want.data) {
        (HostData::F32(g), HostData::F32(w)) if got.shape == want.shape => {
            close(name, g, w, FLOOR, bound).err().map(|mismatch| mismatch.to_string())
        }
        _ => (got != want).then(|| format!("{name}: {got:?} instead of {want:?}")),
    })
}

/// Every case gives the same bits twice.
///
/// # Panics
/// With the case that does not.
pub async fn assert_repeats<E: Engine>(mut open: impl FnMut() -> E) {
    for case in cases() {
        let mut runs = vec![];
        for _ in 0..2 {
            runs.push(run(&mut open(), &case).await.expect("the case runs"));
        }
        // Bits, since NaN would differ from itself.
        assert_eq!(format!("{:?}", runs[0]), format!("{:?}", runs[1]), "{}", case.name);
    }
}

/// One step of a case: its outputs and its slots after it. The slots are poisoned before they are set.
///
/// # Errors
/// What the engine says.
pub async fn run(engine: &mut dyn Engine, case: &Case) -> Result<Values, EngineError> {
    let program = engine.load(&case.graph).await?;
    step(engine, program, case).await
}

/// The same where the case's graph was loaded before, perhaps with other values.
///
/// # Errors
/// What the engine says.
pub async fn step(engine: &mut dyn Engine, program: Program, case: &Case) -> Result<Values, EngineError> {
    let mut feed = Values::new();
    for (name, node) in case.graph.inputs() {
        match &node.op {
            Op::Input { feed: Feed::Resident, .. } => engine.upload(name, &case.inputs[name]).await?,
            _ => {
                feed.insert(name.into(), case.inputs[name].clone());
            }
        }
    }
    let poison = |tensor: &HostTensor| HostTensor::f32(tensor.shape.clone(), vec![POISON; tensor.shape.count()]);
    engine.write_state(&case.state.iter().map(|(slot, tensor)| (slot.clone(), poison(tensor))).collect()).await?;
    engine.write_state(&case.state).await?;
    let mut values = engine.run(program, &[feed]).await?.outputs.remove(0);
    let state = engine.read_state().await?;
    // The engine may hold slots of cases before.
    values.extend(state.into_iter().filter(|(slot, _)| case.state.contains_key(slot)));
    Ok(values)
}

/// Missing and wrong values are told by name, and the state stays.
///
/// # Panics
/// Where they are not.
pub async fn assert_bad_values_are_refused(engine: &mut dyn Engine) {
    let r = Recorder::new();
    let indices = r.input("indices", Feed::Step, [2], graph::DType::U32);
    let table = r.input("table", Feed::Resident, [3, 2], graph::DType::F32);
    let w = r.state("w", [2, 2]);
    let new = w.add(&table.gather(&indices).expect("it fits")).expect("it fits");
    let graph = r.finish(&[], &[("w".into(), new)]).expect("it is valid");

    let indices = |list: &[u32]| Values::from([("indices".into(), HostTensor::u32([list.len()], list.to_vec()))]);
    let state = Values::from([("w".into(), HostTensor::f32([2, 2], vec![1.0; 4]))]);
    let program = engine.load(&graph).await.expect("it is supported");
    let error = async |engine: &mut dyn Engine, feed: Values| match engine.run(program, &[feed]).await {
        Err(EngineError::Graph(error)) => error,
        other => panic!("{other:?}"),
    };
    let missing = |name: &str| GraphError::Missing { name: name.into() };
    assert_eq!(error(engine, indices(&[0, 1])).await, missing("table"));
    engine.upload("table", &HostTensor::f32([3, 2], vec![0.5; 6])).await.expect("there is memory");
    assert_eq!(error(engine, indices(&[0, 1])).await, missing("w"));
    engine.write_state(&state).await.expect("there is memory");
    assert_eq!(error(engine, Values::new()).await, missing("indices"));
    assert!(matches!(error(engine, indices(&[0])).await, GraphError::Value { .. }));
    assert!(matches!(error(engine, indices(&[0, 3])).await, GraphError::Row { index: 3, rows: 3, .. }));
    assert!(matches!(error(engine, indices(&[0, u32::MAX])).await, GraphError::Row { index: u32::MAX, .. }));
    assert_eq!(engine.read_state().await.expect("it can be read")["w"], state["w"]);
    engine.write_state(&Values::from([("w".into(), HostTensor::scalar(1.0))])).await.expect("there is memory");
    assert!(matches!(error(engine, indices(&[0, 1])).await, GraphError::Value { .. }));
}

/// What is not a number comes through every function of one and of two values, wherever it stands and whatever its sign:
/// else a run that has diverged would look well. (WGSL lets a GPU assume that there is none.)
///
/// # Panics
/// Where it does not.
pub async fn assert_nan_comes_through(engine: &mut dyn Engine) {
    const COUNT: usize = 43; // full vectors of any width, and a rest
    let r = Recorder::new();
    let (a, b) = (r.state("a", [COUNT]), r.state("b", [COUNT]));
    let outputs = [
        ("exp", a.exp()),
        ("log", a.log()),
        ("sqrt", a.sqrt()),
        ("tanh", a.tanh()),
        ("relu", a.relu()),
        ("max", a.max(&b)),
        ("sum", a.add(&b)),
        ("largest", a.reduce_max(&[0])),
    ]
    .map(|(name, tensor)| (name, tensor.expect("it fits")));
    let graph = r.finish(&outputs.each_ref().map(|(name, tensor)| (*name, tensor)), &[]).expect("it is valid");
    for sign in [1.0, -1.0] {
        for at in 0..COUNT {
            let number = |i: usize, shift: usize| (i * 17 + shift) as f32 % 9.0 + 0.5;
            let list = |shift: usize, hole: usize| {
                let value = |i: usize| if i == hole { f32::NAN.copysign(sign) } else { number(i, shift) };
                HostTensor::f32([COUNT], (0..COUNT).map(value).collect())
            };
            let state = Values::from([("a".into(), list(0, at)), ("b".into(), list(5, COUNT - 1 - at))]);
            let mut exact = graph::reference::state_from::<f64>(&state);
            let want = graph::reference::evaluate(&graph, &Values::new(), &mut exact).expect("it runs every graph");
            let program = engine.load(&graph).await.expect("it is supported");
            engine.write_state(&state).await.expect("there is memory");
            let got = engine.run(program, &[Values::new()]).await.expect("it runs").outputs.remove(0);
            for (name, want) in &want {
                let got = got[name].as_f32().expect("f32");
                let wrong = got.iter().zip(want).position(|(got, want)| got.is_nan() != want.is_nan());
                assert!(wrong.is_none(), "{name} with NaN at {at}: element {wrong:?}");
            }
        }
    }
}
