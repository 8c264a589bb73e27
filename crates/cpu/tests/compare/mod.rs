//! One graph on the engine and in the f64 reference.

use cpu::Cpu;
use engine::Engine;
use graph::{Graph, HostTensor, Values, reference};

/// Steps that are made, so that what one wrote is what the next one reads.
const STEPS: usize = 2;

/// Numbers between -1 and 1 without a pattern.
pub(crate) fn values(seed: usize, shape: &[usize]) -> HostTensor {
    let number = |i: usize| ((i + 1) * (seed + 7) * 7919 % 10_007) as f32 / 5003.5 - 1.0;
    HostTensor::f32(shape, (0..shape.iter().product()).map(number).collect())
}

/// Values for all slots of a graph.
pub(crate) fn state(graph: &Graph) -> Values {
    let slots = graph.slots().enumerate();
    slots.map(|(seed, (slot, node))| (slot.to_owned(), values(seed, &node.shape.0))).collect()
}

/// Makes steps on engines with different numbers of threads, which must agree to the last bit, and in the reference.
///
/// # Panics
/// Where an output or a slot is off by more than this part of its largest element.
pub(crate) fn check(what: &str, graph: &Graph, tolerance: f64) {
    let before = state(graph);
    let mut slots = reference::state_from::<f64>(&before);
    let step = |_| reference::evaluate(graph, &Values::new(), &mut slots).expect("the reference runs");
    let outputs: Vec<_> = (0..STEPS).map(step).collect();
    let mut first = None;
    for threads in [1, 2, 3] {
        let got = pollster::block_on(run(graph, &before, threads)).expect("the engine runs");
        for (step, (got, want)) in got.0.iter().zip(&outputs).enumerate() {
            want.iter()
                .for_each(|(name, want)| near(&format!("{what} {name} of step {step}"), &got[name], want, tolerance));
        }
        slots.iter().for_each(|(slot, want)| near(&format!("{what} slot {slot}"), &got.1[slot], want, tolerance));
        assert!(first.get_or_insert_with(|| got.clone()) == &got, "{what} on {threads} threads");
    }
}

async fn run(graph: &Graph, state: &Values, threads: usize) -> Result<(Vec<Values>, Values), engine::EngineError> {
    let mut engine = Cpu::open(Some(threads))?;
    let program = engine.load(graph).await?;
    engine.write_state(state).await?;
    let ran = engine.run(program, &vec![Values::new(); STEPS]).await?;
    Ok((ran.outputs, engine.read_state().await?))
}

fn near(what: &str, got: &HostTensor, want: &[f64], tolerance: f64) {
    let got = got.as_f32().expect("f32");
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(*got) - want).abs();
        assert!(off <= tolerance * largest, "{what}[{i}] is {got} instead of {want}"); // false for NaN
    }
}
