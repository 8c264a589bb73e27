//! What is asked once of a device that nobody knows: whether it computes what another one does, and how fast.

use engine::{Engine, EngineError};
use graph::{DType, Feed, HostTensor, Recorder, Values};
use protocol::{Optimizer, Rule, worker::CheckReport};
use train::programs::names;
use web_time::Instant;

use crate::{BenchError, Workload};

/// Of the step that both make: convolutions, pooling, a dense layer, softmax and all their derivatives.
const WORKLOAD: &str = "W3";
const BATCH: usize = 16;
/// Updates are as large as weights, so that the rounding of weights does not hide in which they differ.
const RATE: f32 = 1.0;

/// How far two right engines may be apart. A step in f32 rounds by 2⁻²⁴ some times over: SwiftShader leaves 4e-7 of that,
/// and WGSL's least accuracies allow some ten times as much. Exponentials that are a thousandth too large leave 4e-4, as
/// would a kernel that computes with 16 bits.
const BOUND: f64 = 1e-4;

/// Sides of the product that is timed, on hardware and where a CPU imitates it.
const SIDES: [usize; 2] = [1024, 256];
/// It is timed for about so many seconds.
const PRODUCT_SECONDS: f64 = 0.05;
/// Dispatches of a submission that is short, and of the longest one; what a submission costs is in both.
const FEW: usize = 32;
const MANY: usize = 8192;
/// They must differ by so many seconds, if the longest one does: Firefox looks only now and then whether a device is done.
const DIFFERENCE: f64 = 0.02;

/// Asks `engine`; `judge` says what is right. Less than 0.3 s on hardware.
///
/// # Errors
/// [`BenchError`] where one of them fails.
pub async fn check(engine: &mut dyn Engine, judge: &mut dyn Engine) -> Result<CheckReport, BenchError> {
    let clock = Instant::now();
    let step = step_gap(engine, judge).await?;
    let side = SIDES[usize::from(engine.device().software)];
    let (product, speed) = product(engine, side).await?;
    Ok(CheckReport {
        device: engine.device().clone(),
        gap: larger(step, product),
        bound: BOUND,
        dispatch_microseconds: 1e6 * dispatch_seconds(engine).await?,
        product_side: side,
        gflop_per_second: speed / 1e9,
        seconds: clock.elapsed().as_secs_f64(),
    })
}

/// How far losses and updates of one training step are apart.
async fn step_gap(engine: &mut dyn Engine, judge: &mut dyn Engine) -> Result<f64, BenchError> {
    let optimizer = Optimizer { rule: Rule::Sgd, weight_decay: 0.0, clip_norm: None };
    let mut workload = Workload::new(WORKLOAD, Some(optimizer), Some(BATCH))?;
    workload.config.schedule.rate = RATE;
    let (loss, state) = stepped(&workload, engine).await?;
    let (right, right_state) = stepped(&workload, judge).await?;
    let mut gap = relative(&[loss.into()], &[right.into()]);
    for (slot, before) in &workload.state {
        gap = larger(gap, relative(&moved(before, state.get(slot)), &moved(before, right_state.get(slot))));
    }
    Ok(gap)
}

/// The loss of a step, and the state behind it.
async fn stepped(workload: &Workload, engine: &mut dyn Engine) -> Result<(f32, Values), BenchError> {
    let program = workload.load(engine).await?;
    let ran = engine.run(program, &[workload.feed(0)]).await?;
    let loss = ran.outputs.first().and_then(|outputs| outputs.get(names::LOSS)?.as_f32()?.first().copied());
    Ok((loss.unwrap_or(f32::NAN), engine.read_state().await?))
}

/// By how much a slot has changed. Nothing where there is no slot of this size.
fn moved(before: &HostTensor, after: Option<&HostTensor>) -> Vec<f64> {
    match (before.as_f32(), after.and_then(HostTensor::as_f32)) {
        (Some(before), Some(after)) if before.len() == after.len() => {
            after.iter().zip(before).map(|(after, before)| f64::from(*after) - f64::from(*before)).collect()
        }
        _ => vec![],
    }
}

/// The largest difference, relative to the largest number that is right. Not a number where something is none, or where
/// there are too few numbers.
fn relative(got: &[f64], right: &[f64]) -> f64 {
    let most = right.iter().fold(0.0, |most: f64, number| most.max(number.abs()));
    let differences = got.iter().zip(right).map(|(got, right)| (got - right).abs());
    match got.len() == right.len() && most > 0.0 {
        true => differences.fold(0.0, larger) / most,
        false => f64::NAN,
    }
}

/// The larger one, or what is not a number.
fn larger(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// A product of matrices of random numbers: how far the sums of its rows are from the right ones, and operations a second.
async fn product(engine: &mut dyn Engine, side: usize) -> Result<(f64, f64), BenchError> {
    let r = Recorder::new();
    let a = r.input("a", Feed::Resident, [side, side], DType::F32);
    let scale = r.input("scale", Feed::Step, [], DType::F32); // so that no step is like the one before
    let sums = a.mul(&scale)?.matmul(&a)?.sum(&[1])?; // [side, 1]
    let graph = r.finish(&[("sums", &sums)], &[])?;
    let numbers = noise(side * side);
    engine.upload("a", &HostTensor::f32([side, side], numbers.clone())).await?;
    let program = engine.load(&graph).await?;
    let feed = |i: usize| Values::from([("scale".into(), HostTensor::scalar(1.0 + i as f32))]);
    let ran = engine.run(program, &[feed(0)]).await?;

    let times = |vector: &[f64]| -> Vec<f64> {
        let rows = numbers.chunks(side);
        rows.map(|row| row.iter().zip(vector).map(|(a, x)| f64::from(*a) * x).sum()).collect()
    };
    let right = times(&times(&vec![1.0; side]));
    let got = ran.outputs.first().and_then(|outputs| outputs.get("sums")?.as_f32());
    let got: Vec<f64> = got.unwrap_or_default().iter().map(|sum| f64::from(*sum)).collect();

    let once = timed(engine, program, &[feed(1)]).await?;
    let steps = (PRODUCT_SECONDS / once.max(1e-4)).clamp(1.0, 32.0) as usize;
    let seconds = timed(engine, program, &(0..steps).map(feed).collect::<Vec<_>>()).await?;
    Ok((relative(&got, &right), graph.flops() as f64 * steps as f64 / seconds.max(1e-6)))
}

/// What a dispatch costs that computes next to nothing.
async fn dispatch_seconds(engine: &mut dyn Engine) -> Result<f64, BenchError> {
    let r = Recorder::new();
    let tick = r.state("tick", [1]);
    let graph = r.finish(&[], &[("tick".into(), tick.add_scalar(1.0)?)])?;
    let program = engine.load(&graph).await?;
    engine.write_state(&Values::from([("tick".into(), HostTensor::f32([1], vec![0.0]))])).await?;
    let mut many = 16 * FEW;
    engine.run(program, &vec![Values::new(); many]).await?;
    let short = timed(engine, program, &[const { Values::new() }; FEW]).await?;
    loop {
        let longer = timed(engine, program, &vec![Values::new(); many]).await? - short;
        if longer >= DIFFERENCE || many == MANY {
            return Ok(longer.max(0.0) / (many - FEW) as f64);
        }
        many *= 4;
    }
}

async fn timed(engine: &mut dyn Engine, program: engine::Program, feeds: &[Values]) -> Result<f64, EngineError> {
    let clock = Instant::now();
    engine.run(program, feeds).await?;
    Ok(clock.elapsed().as_secs_f64())
}

/// Numbers in [-1, 1) that look random: a linear congruential generator's upper bits.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use engine::{Device, EngineName, Program, Ran, Reference};
    use graph::{Binary, Graph, Op, Reduction};
    use pollster::block_on;
    use protocol::Cause;

    use super::*;

    type Change = fn(&mut Op);

    /// The reference, which computes another graph than it is given.
    struct Wrong(Reference<f32>, Change);

    fn reference<T: graph::Number>() -> Reference<T> {
        Reference::new(Device { engine: EngineName::Wgpu, name: "textbook loops".into(), software: true })
    }

    #[async_trait(?Send)]
    impl Engine for Wrong {
        fn device(&self) -> &Device {
            self.0.device()
        }

        fn versions(&self) -> Vec<String> {
            self.0.versions()
        }

        async fn load(&mut self, graph: &Graph) -> Result<Program, EngineError> {
            let mut graph = graph.clone();
            graph.nodes.iter_mut().for_each(|node| (self.1)(&mut node.op));
            self.0.load(&graph).await
        }

        async fn upload(&mut self, name: &str, value: &HostTensor) -> Result<(), EngineError> {
            self.0.upload(name, value).await
        }

        async fn write_state(&mut self, slots: &Values) -> Result<(), EngineError> {
            self.0.write_state(slots).await
        }

        async fn read_state(&mut self) -> Result<Values, EngineError> {
            self.0.read_state().await
        }

        async fn submit(&mut self, program: Program, feeds: &[Values]) -> Result<(), EngineError> {
            self.0.submit(program, feeds).await
        }

        async fn collect(&mut self) -> Result<Ran, EngineError> {
            self.0.collect().await
        }
    }

    fn report(change: Change) -> CheckReport {
        block_on(check(&mut Wrong(reference(), change), &mut reference::<f64>())).expect("it is measured")
    }

    #[test]
    fn an_engine_that_computes_wrongly_is_refused() {
        let right = report(|_| {});
        assert!(right.gap < BOUND / 10.0 && right.failure().is_none(), "{right:?}");
        assert!(right.dispatch_microseconds > 0.0 && right.gflop_per_second > 0.0, "{right:?}");
        assert_eq!(right.product_side, 256);
        let planted: [(&str, Change); 5] = [
            ("differences are sums", |op| {
                if *op == Op::Binary(Binary::Sub) {
                    *op = Op::Binary(Binary::Add);
                }
            }),
            ("sums are largest elements", |op| {
                if let Op::Reduce { reduction: reduction @ Reduction::Sum, .. } = op {
                    *reduction = Reduction::Max;
                }
            }),
            ("products take the larger one", |op| {
                if *op == Op::Binary(Binary::Mul) {
                    *op = Op::Binary(Binary::Max);
                }
            }),
            ("nothing is the larger one", |op| {
                if *op == Op::Binary(Binary::Max) {
                    *op = Op::Binary(Binary::Add);
                }
            }),
            ("constants are half a thousandth off", |op| {
                if let Op::Constant(value) = op {
                    *value *= 1.0005;
                }
            }),
        ];
        for (what, change) in planted {
            let failure = report(change).failure().unwrap_or_else(|| panic!("{what}: nobody has seen it"));
            assert!(matches!(failure.cause, Some(Cause::WrongResults)), "{failure:?}");
            assert!(failure.message.contains("computes wrongly"), "{failure}");
        }
    }

    #[test]
    fn what_is_no_number_or_missing_is_no_agreement() {
        for (got, gap) in [(vec![1.0, 2.5], 0.25), (vec![1.0], f64::NAN), (vec![f64::NAN, 2.0], f64::NAN)] {
            let found = relative(&got, &[1.0, 2.0]);
            assert!(found == gap || found.is_nan() && gap.is_nan(), "{got:?}: {found}");
        }
        assert!(relative(&[0.0], &[0.0]).is_nan(), "nothing was computed");
        let device = Device { engine: EngineName::Wgpu, name: "none".into(), software: true };
        let report = CheckReport {
            device,
            gap: f64::NAN,
            bound: BOUND,
            dispatch_microseconds: 1.0,
            product_side: 256,
            gflop_per_second: 1.0,
            seconds: 1.0,
        };
        assert!(report.failure().is_some());
    }
}
