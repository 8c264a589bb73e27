//! One body for every engine: all cases of the table, against the f64 reference.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Engine, EngineError, Program};
use graph::{
    Case, Feed, Graph, GraphError, HostData, HostTensor, Op, Pool, PoolKind, Recorder, Tensor, Values, cases, gradients,
};

use crate::{
    compare::{close, numbers},
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
    got.iter().zip(want.values()).find_map(|((name, got), want)| match (got.data(), want.data()) {
        (HostData::F32(g), HostData::F32(w)) if got.shape() == want.shape() => {
            close(name, g, w, FLOOR, bound).err().map(|mismatch| mismatch.to_string())
        }
        _ => (got != want).then(|| format!("{name}: {got:?} instead of {want:?}")),
    })
}

/// Sums of thousands of equal terms, in products, along rows, down columns and over everything. What each addition loses has
/// the same sign there: added one after the other, they are off by 5·10⁻⁵.
///
/// # Panics
/// Where a shape does not fit: the case is at fault.
pub fn like_terms() -> Case {
    const TERMS: usize = 4099; // a prime, which nobody divides into equal parts
    const WIDTH: usize = 48;
    const LONG: [usize; 2] = [5, 262_147]; // 64 lanes have thousands each
    let r = Recorder::new();
    let (x, g, long) = (r.state("x", [TERMS, WIDTH]), r.state("g", [TERMS, WIDTH]), r.state("long", LONG));
    let record = || -> Result<Graph, GraphError> {
        let outputs = [
            ("product", x.matmul_transposed([true, false], &g)?),
            ("columns", g.sum(&[0])?), // beside the product, as a bias's gradient
            ("squares", x.square()?.sum(&[0])?),
            ("rows", long.sum(&[1])?),
            ("all", x.mul(&g)?.sum_all()?),
        ];
        r.finish(&outputs.each_ref().map(|(name, tensor)| (*name, tensor)), &[])
    };
    let alike = |shape: [usize; 2]| HostTensor::f32(shape, vec![1.35; shape.iter().product()]);
    let state = [("x", [TERMS, WIDTH]), ("g", [TERMS, WIDTH]), ("long", LONG)]
        .map(|(slot, shape)| (slot.to_owned(), alike(shape)))
        .into();
    let graph = record().expect("it fits");
    Case { name: "like terms".into(), graph, inputs: Values::new(), state, differentiable: vec![] }
}

/// [`like_terms`] agree with the f64 reference within `bound`.
///
/// # Panics
/// Where they do not.
pub async fn assert_like_terms_add_up(engine: &mut dyn Engine, bound: f64) {
    let difference = agreement(engine, &like_terms(), bound).await.expect("the case runs");
    assert_eq!(difference, None);
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
    let poison = |tensor: &HostTensor| HostTensor::f32(tensor.shape().clone(), vec![POISON; tensor.shape().count()]);
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

/// Engine `cpu` takes the next element for the first largest one where the first is NaN.
pub const NAN_ON_CPU: &[&str] = &[
    "the largest's number, 2 wide",
    "the largest's number, 9 wide",
    "the largest's number, 10 wide",
    "the largest's number, 33 wide",
    "the largest's number, 100 wide",
    "the largest's number, 5000 wide",
];

/// What is no finite number comes through as in the reference, wherever it stands and whatever its sign, NaN through
/// everything but comparisons: else a run that has diverged would look well. (WGSL lets a GPU assume that there is none.)
///
/// `known` names outputs that an engine is known to get wrong: they must be.
///
/// # Panics
/// Where it does not.
pub async fn assert_nan_comes_through(engine: &mut dyn Engine, known: &[&str]) {
    let mut failures = BTreeMap::new();
    for probe in probes().expect("shapes fit") {
        let program = engine.load(&probe.graph).await.expect("it is supported");
        for special in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in &probe.places {
                let state = probe.state(special, *at);
                let mut exact = graph::reference::state_from::<f64>(&state);
                let want =
                    graph::reference::evaluate(&probe.graph, &Values::new(), &mut exact).expect("it is complete");
                engine.write_state(&state).await.expect("there is memory");
                let got = engine.run(program, &[Values::new()]).await.expect("it runs").outputs.remove(0);
                for (name, want) in want {
                    let got = numbers(&got[&name]);
                    // Cases judge how near finite numbers are.
                    let alike = |(got, want): (&f64, &f64)| match want.is_finite() {
                        true => (got - want).abs() <= 1e-4 * want.abs().max(1.0),
                        false => got.is_nan() && want.is_nan() || got == want,
                    };
                    if let Some(i) = got.iter().zip(&want).position(|pair| !alike(pair)) {
                        let how = format!("element {i} is {} instead of {} with {special} at {at}", got[i], want[i]);
                        failures.entry(name).or_insert(how);
                    }
                }
            }
        }
    }
    let known: BTreeSet<&str> = known.iter().copied().collect();
    let failed: BTreeSet<&str> = failures.keys().map(String::as_str).collect();
    assert!(failed == known, "{} known to fail, not {failures:#?}", known.len());
}

/// A graph over slots that each have something infinite or worse at one of these places.
struct Probe {
    graph: Graph,
    places: Vec<usize>,
}

impl Probe {
    /// Slot `a` has it at that place, `b` as far from its end; of rows, the second has nothing else.
    fn state(&self, special: f32, at: usize) -> Values {
        let slots = self.graph.slots().map(|(slot, node)| {
            let (count, shift) = (node.shape.count(), if slot == "a" { 0 } else { 5 });
            let hole = if slot == "a" { at } else { count - 1 - at };
            let row = if node.shape.rank() == 2 { count / node.shape.0[0] } else { count };
            let value = |i: usize| match i == hole || i / row == 1 {
                true => special,
                false => (i * 17 + shift) as f32 % 9.0 + 0.5,
            };
            (slot.to_owned(), HostTensor::f32(node.shape.clone(), (0..count).map(value).collect()))
        });
        slots.collect()
    }
}

fn probes() -> Result<Vec<Probe>, GraphError> {
    const COUNT: usize = 43; // full vectors of any width, and a rest
    let r = Recorder::new();
    let (a, b) = (r.state("a", [COUNT]), r.state("b", [COUNT]));
    let outputs = [
        ("exp", a.exp()?),
        ("log", a.log()?),
        ("log of what is below zero", a.neg()?.log()?),
        ("sqrt", a.sqrt()?),
        ("sqrt of what is below zero", a.neg()?.sqrt()?),
        ("tanh", a.tanh()?),
        ("relu", a.relu()?),
        ("max", a.max(&b)?),
        ("max of a number", r.constant(2.0).max(&b)?),
        ("min", a.neg()?.max(&b.neg()?)?.neg()?),
        ("sum", a.add(&b)?),
        ("quotient", a.div(&b)?),
        ("greater", a.greater(&b)?),
        ("less", b.greater(&a)?),
        ("equal", a.equal(&b)?),
        ("equal to itself", a.equal(&a)?),
        ("not smaller than itself", a.greater(&a)?),
    ];
    let graph = r.finish(&outputs.each_ref().map(|(name, tensor)| (*name, tensor)), &[])?;
    let mut probes = vec![Probe { graph, places: (0..COUNT).collect() }];
    // Written out, a lane for each, all lanes for each, in two halves.
    for width in [1, 2, 9, 10, 33, 100, 5000] {
        let r = Recorder::new();
        let a = r.state("a", [3, width]);
        let largest = a.reduce_max(&[1])?;
        let gradient = gradients(&largest.sum_all()?, &[&a])?.remove(0);
        let outputs = [
            ("largest", &largest),
            ("largest of columns", &a.reduce_max(&[0])?),
            ("sums", &a.sum(&[1])?),
            ("the largest's number", &a.arg_max()?),
            ("gradient of the largest", &gradient),
        ];
        let names = outputs.each_ref().map(|(name, _)| format!("{name}, {width} wide"));
        let outputs: Vec<(&str, &Tensor)> =
            names.iter().zip(&outputs).map(|(name, (_, y))| (name.as_str(), *y)).collect();
        let places = BTreeSet::from([0, width / 3, width - 1, 2 * width]);
        probes.push(Probe { graph: r.finish(&outputs, &[])?, places: places.into_iter().collect() });
    }
    for kind in [PoolKind::Max, PoolKind::Average] {
        for (size, stride) in [(2, 2), (3, 1), (3, 2), (2, 3), (4, 4)] {
            let r = Recorder::new();
            let a = r.state("a", [1, 2, 7, 6]);
            let pooled = a.pool2d(Pool { kind, size, stride })?;
            let gradient = gradients(&pooled.sum_all()?, &[&a])?.remove(0);
            let names = ["pool", "gradient of pool"].map(|what| format!("{what} {kind:?} {size} by {stride}"));
            let graph = r.finish(&[(&names[0], &pooled), (&names[1], &gradient)], &[])?;
            probes.push(Probe { graph, places: (0..42).collect() });
        }
    }
    Ok(probes)
}
